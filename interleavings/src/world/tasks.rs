//! What the library uses of tokio. Tasks run interleaved with each other and with threads.

use real_std::future::{poll_fn, Future};
use real_std::ops::Deref;
use real_std::pin::{pin, Pin};
use real_std::sync::{Arc, Mutex};
use real_std::task::{Context, Poll, Waker};

use super::thread::switch;
use super::time::{self, Duration, Instant};

/// As tokio's. One that is dropped when it was meant leaves the permit to the next; one that comes in between may take it.
#[derive(Default)]
pub struct Notify(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    permit: bool,
    calls: u64,
    wakers: Vec<Waker>,
}

impl Notify {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn notified(&self) -> Notified<&Self> {
        switch();
        Notified { calls: self.0.lock().unwrap().calls, of: self }
    }

    pub fn notified_owned(self: Arc<Self>) -> Notified<Arc<Self>> {
        switch();
        let calls = self.0.lock().unwrap().calls;
        Notified { calls, of: self }
    }

    pub fn notify_one(&self) {
        self.tell(|waiting| waiting.permit = true);
    }

    pub fn notify_waiters(&self) {
        self.tell(|waiting| waiting.calls += 1);
    }

    fn tell(&self, change: impl FnOnce(&mut Waiting)) {
        switch();
        let mut waiting = self.0.lock().unwrap();
        change(&mut waiting);
        let wakers = real_std::mem::take(&mut waiting.wakers);
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
    }
}

pub struct Notified<N> {
    of: N,
    calls: u64,
}

impl<N: Deref<Target = Notify> + Unpin> Future for Notified<N> {
    type Output = ();
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        switch();
        let mut waiting = self.of.0.lock().unwrap();
        if waiting.calls != self.calls || real_std::mem::take(&mut waiting.permit) {
            return Poll::Ready(());
        }
        waiting.wakers.push(context.waker().clone());
        Poll::Pending
    }
}

pub struct Semaphore {
    left: Mutex<usize>,
    given: Notify,
}

pub struct OwnedSemaphorePermit(Arc<Semaphore>);

impl Semaphore {
    pub fn new(count: usize) -> Self {
        Self { left: Mutex::new(count), given: Notify::new() }
    }

    pub async fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, ()> {
        loop {
            let given = self.given.notified();
            {
                let mut left = self.left.lock().unwrap();
                if let Some(less) = left.checked_sub(1) {
                    *left = less;
                    break;
                }
            }
            given.await;
        }
        Ok(OwnedSemaphorePermit(self))
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        *self.0.left.lock().unwrap() += 1;
        self.0.given.notify_waiters();
    }
}

pub mod oneshot {
    use super::*;

    pub struct Sender<T>(Arc<(Mutex<Option<T>>, Notify)>);
    pub struct Receiver<T>(Arc<(Mutex<Option<T>>, Notify)>);

    pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let both = Arc::new((Mutex::new(None), Notify::new()));
        (Sender(Arc::clone(&both)), Receiver(both))
    }

    impl<T> Sender<T> {
        /// (Told when it is dropped, which is here.)
        pub fn send(self, value: T) -> Result<(), T> {
            *self.0 .0.lock().unwrap() = Some(value);
            Ok(())
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            self.0 .1.notify_one();
        }
    }

    impl<T> Future for Receiver<T> {
        type Output = Option<T>;
        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
            let told = pin!(self.0 .1.notified()).poll(context);
            told.map(|()| self.0 .0.lock().unwrap().take())
        }
    }
}

#[derive(Debug)]
pub struct Elapsed;

pub async fn timeout<F: Future>(limit: Duration, work: F) -> Result<F::Output, Elapsed> {
    let mut work = pin!(work);
    let until = Instant::now() + limit;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending if !time::ends(limit) => Poll::Pending,
        Poll::Pending if Instant::now() >= until => Poll::Ready(Err(Elapsed)),
        Poll::Pending => {
            time::pass(time::step(limit));
            again(context)
        }
    })
    .await
}

/// Polled again when others had their turn.
fn again<T>(context: &mut Context<'_>) -> Poll<T> {
    context.waker().wake_by_ref();
    shuttle::hint::spin_loop();
    Poll::Pending
}

pub async fn sleep(limit: Duration) {
    let _ = timeout(limit, real_std::future::pending::<()>()).await;
}

pub async fn sleep_until(until: Instant) {
    sleep(until.saturating_duration_since(Instant::now())).await;
}

/// A panic ends the test, so that none is told here.
#[derive(Debug)]
pub struct JoinError;

impl JoinError {
    pub fn is_panic(&self) -> bool {
        false
    }
}

/// The tasks of this run.
static ALL: Mutex<Vec<shuttle::future::JoinHandle<()>>> = Mutex::new(Vec::new());

/// At the end of each run: cancels what goes on for as long as the worker lives.
pub fn end() {
    loop {
        let Some(task) = ALL.lock().unwrap().pop() else { return };
        task.abort();
        let _ = shuttle::future::block_on(task);
    }
}

/// Told when the task is at its end, or is dropped before.
pub struct JoinHandle<T>(oneshot::Receiver<T>);

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|done| done.ok_or(JoinError))
    }
}

pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    spawn_until_aborted(work).0
}

fn spawn_until_aborted<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> (JoinHandle<T>, shuttle::future::AbortHandle) {
    let (sender, receiver) = oneshot::channel();
    let task = shuttle::future::spawn(async {
        // (Dropped with the task in any case.)
        let sender = sender;
        let _ = sender.send(work.await);
    });
    let abort = task.abort_handle();
    ALL.lock().unwrap().push(task);
    (JoinHandle(receiver), abort)
}

pub mod runtime {
    use super::*;

    pub struct Builder;

    impl Builder {
        pub fn new_current_thread() -> Self {
            Self
        }

        pub fn enable_all(&mut self) -> &mut Self {
            self
        }

        pub fn build(&mut self) -> real_std::io::Result<Runtime> {
            Ok(Runtime(Handle(Arc::new(Mutex::new(Some(Vec::new()))))))
        }
    }

    /// Its tasks; None when it is over.
    #[derive(Clone)]
    pub struct Handle(Arc<Mutex<Option<Vec<shuttle::future::AbortHandle>>>>);

    impl Handle {
        pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
            switch();
            if self.0.lock().unwrap().is_none() {
                return JoinHandle(oneshot::channel().1);
            }
            let (handle, task) = spawn_until_aborted(work);
            if let Some(tasks) = &mut *self.0.lock().unwrap() {
                tasks.push(task);
            } else {
                task.abort();
            }
            handle
        }
    }

    pub struct Runtime(Handle);

    impl Runtime {
        pub fn handle(&self) -> &Handle {
            &self.0
        }

        pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
            shuttle::future::block_on(work)
        }

        pub fn shutdown_background(self) {
            let tasks = self.0 .0.lock().unwrap().take();
            tasks.into_iter().flatten().for_each(|task| task.abort());
        }
    }
}
