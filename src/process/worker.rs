//! The one thread that does all I/O: `mpr-worker`, with a current-thread tokio runtime. It starts when something first
//! needs it and never runs host code other than the callbacks that say so.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{mpsc, Mutex};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::process::log::{self, Level};
use crate::process::{os, panics};
use crate::status::{Error, Result, MPR_ERR_INTERNAL, MPR_ERR_IO, MPR_ERR_NOT_INITIALIZED, MPR_ERR_TIMEOUT};

/// Work for the worker. Boxed: tokio and the time limits would otherwise be compiled anew for each kind of it.
pub type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The worker of one recorder.
#[derive(Default)]
pub struct Worker {
    running: Mutex<Option<Running>>,
    stopped: AtomicBool,
}

struct Running {
    handle: Handle,
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Worker {
    /// Runs a future on the worker, starting the thread if it is the first. Returns at once.
    ///
    /// # Errors
    /// MPR_ERR_IO when the system gives no thread or no I/O driver.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        self.spawn_work(Box::pin(future))
    }

    fn spawn_work(&self, work: Work<()>) -> Result<()> {
        let mut running = self.running.lock()?;
        if self.stopped.load(Ordering::Acquire) {
            return Err(turned_off());
        }
        let worker = match running.take() {
            Some(worker) => worker,
            None => start()?,
        };
        let task = worker.handle.spawn(work);
        worker.handle.spawn(async move {
            if task.await.is_err_and(|e| e.is_panic()) {
                panics::count_one();
                log::write(Level::Error, || "a task of the worker failed inside the library".into());
            }
        });
        *running = Some(worker);
        Ok(())
    }

    /// Refuses a blocking call made on the worker itself, from a callback: it would wait for its own thread.
    ///
    /// # Errors
    /// MPR_ERR_INVALID_STATE.
    pub fn not_from_within(&self) -> Result<()> {
        let running = self.running.lock()?;
        match running.as_ref() {
            Some(running) if running.thread.thread().id() == std::thread::current().id() => {
                Err(Error::state("blocking calls are not for the library's callbacks; use the _async one"))
            }
            _ => Ok(()),
        }
    }

    /// Whether this is the worker's own thread. Takes no lock that it would have to wait for.
    pub fn is_here(&self) -> bool {
        let here = std::thread::current().id();
        self.running
            .try_lock()
            .is_ok_and(|running| running.as_ref().is_some_and(|run| run.thread.thread().id() == here))
    }

    /// Runs work on the worker and waits for its result on this thread, `timeout` at most.
    ///
    /// # Errors
    /// The work's own, MPR_ERR_TIMEOUT, or MPR_ERR_INTERNAL when it failed inside.
    pub fn wait_for<T: Send + 'static>(&self, timeout: Duration, work: Work<Result<T>>) -> Result<T> {
        self.not_from_within()?;
        let (sender, receiver) = mpsc::sync_channel(1);
        self.spawn(async move {
            let _ = sender.send(work.await);
        })?;
        match receiver.recv_timeout(timeout) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(Error::new(MPR_ERR_TIMEOUT, format!("no answer within {} ms", timeout.as_millis())))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) if self.stopped.load(Ordering::Acquire) => Err(turned_off()),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Error::new(MPR_ERR_INTERNAL, "failed inside the library")),
        }
    }

    /// Ends the thread for good, waiting `timeout` at most. What still runs on it is cancelled at its next await; a thread that
    /// does not end in time (a host callback that hangs) is left alone: it owns all that it touches.
    pub fn stop(&self, timeout: Duration) {
        let running = self.running.lock().ok().and_then(|mut guard| {
            self.stopped.store(true, Ordering::Release);
            guard.take()
        });
        let Some(running) = running else { return };
        let _ = running.stop.send(());
        let (sender, receiver) = mpsc::sync_channel(1);
        // Joining has no time limit of its own, so somebody else waits.
        let joiner = os::without_signals(|| {
            std::thread::Builder::new().name("mpr-join".into()).spawn(move || {
                let _ = running.thread.join();
                let _ = sender.send(());
            })
        });
        if let (Ok(joiner), Ok(())) = (joiner, receiver.recv_timeout(timeout)) {
            let _ = joiner.join();
        }
    }
}

/// For a call that a shutdown on another thread cuts off.
pub fn turned_off() -> Error {
    Error::new(MPR_ERR_NOT_INITIALIZED, "recording was turned off before the call was done")
}

fn start() -> Result<Running> {
    let failed = |e: std::io::Error| Error::new(MPR_ERR_IO, format!("the worker thread cannot be started: {e}"));
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel();
    let run = move || {
        let _ = panics::contain(|| {
            // A dropped sender (a recorder that is forgotten) ends the worker as well.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        });
    };
    let thread =
        os::without_signals(|| std::thread::Builder::new().name("mpr-worker".into()).spawn(run)).map_err(failed)?;
    Ok(Running { handle, stop, thread })
}
