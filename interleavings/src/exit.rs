//! The end of the process, and of the worker.

use real_std::sync::atomic::{AtomicBool as RealBool, AtomicU32 as RealU32, Ordering::SeqCst};
use real_std::sync::Arc;

use crate::process::worker::Worker;
use crate::process::{exit as end, os};
use crate::run::chance;
use crate::status::{Error, MPR_ERR_NOT_INITIALIZED, MPR_ERR_TIMEOUT};
use crate::thread::{self, switch};
use crate::time::{Duration, Instant, FOR_EVER};

/// The last work is waited for as long as it may take, and no longer; callbacks end before it.
pub fn exit() {
    static DONE: RealBool = RealBool::new(false);
    static SLOW: RealBool = RealBool::new(false);
    static OVER: RealBool = RealBool::new(false);
    const LIMIT: Duration = Duration::from_millis(100);
    let work = || {
        assert!(end::has_begun(), "callbacks are made while the process ends");
        while SLOW.load(SeqCst) && !OVER.load(SeqCst) {
            thread::sleep(LIMIT);
        }
        switch();
        DONE.store(true, SeqCst);
    };
    DONE.store(false, SeqCst);
    OVER.store(false, SeqCst);
    SLOW.store(chance(2) == 0, SeqCst);
    static WORK: real_std::sync::OnceLock<fn()> = real_std::sync::OnceLock::new();
    let _ = WORK.set(work);
    let last = || Some((if SLOW.load(SeqCst) { LIMIT } else { FOR_EVER }, Box::new(WORK.get().unwrap()) as Box<_>));
    let asking: Vec<_> = (0..2).map(|_| thread::spawn(move || end::watch(last))).collect();
    asking.into_iter().for_each(|thread| thread.join().unwrap());
    let begin = Instant::now();
    os::handlers().1.into_iter().for_each(|handler| handler());
    OVER.store(true, SeqCst);
    match SLOW.load(SeqCst) {
        true => assert!((LIMIT..10_000 * LIMIT).contains(&begin.elapsed()), "{:?}", begin.elapsed()),
        false => assert!(DONE.load(SeqCst), "the last work was not waited for"),
    }
}

/// Calls that wait for the worker while it is stopped are answered, or told that it was; behind the stop nothing starts.
pub fn worker() {
    let worker: Arc<Worker> = Arc::default();
    let ran = Arc::new(RealU32::new(0));
    let calls: Vec<_> = (0..3)
        .map(|number| {
            let (worker, ran) = (Arc::clone(&worker), Arc::clone(&ran));
            thread::spawn(move || {
                let work = async move {
                    if number == 2 {
                        real_std::future::pending::<()>().await;
                    }
                    ran.fetch_add(1, SeqCst);
                    Ok(number)
                };
                match worker.wait_for(FOR_EVER, Box::pin(work)) {
                    Ok(answer) => assert!(answer == number && number != 2),
                    Err(error) => assert_eq!(error.status, MPR_ERR_NOT_INITIALIZED, "{error}"),
                }
            })
        })
        .collect();
    if chance(2) == 0 {
        let never = Box::pin(real_std::future::pending::<Result<(), Error>>());
        let status = worker.wait_for(Duration::from_millis(10), never).unwrap_err().status;
        assert_eq!(status, MPR_ERR_TIMEOUT);
    }
    (0..chance(20)).for_each(|_| switch());
    worker.stop(FOR_EVER);
    assert_eq!(worker.spawn(async {}).unwrap_err().status, MPR_ERR_NOT_INITIALIZED);
    calls.into_iter().for_each(|call| call.join().unwrap());
    worker.stop(FOR_EVER);
}
