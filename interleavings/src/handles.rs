//! Handles, used by several threads.

use real_std::sync::atomic::{AtomicBool as RealBool, AtomicU32 as RealU32, Ordering::SeqCst};
use real_std::sync::{Arc, Mutex as RealMutex};

use super::handles::Handles;
use crate::process::os::handlers;
use crate::run::chance;
use crate::status::{MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED};
use crate::sync::as_if_panicked;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::thread::{self, switch};

fn table() -> &'static Handles<u32> {
    Box::leak(Box::new(Handles::new("thing", 1)))
}

/// Everybody uses, changes and frees everybody's: a handle is its own object or none, and is freed once.
pub fn handles() {
    let table = table();
    // Handle, its object, how often it was freed.
    let known: Arc<RealMutex<Vec<(usize, u32, u32)>>> = Arc::default();
    let threads: Vec<_> = (0..3)
        .map(|number| {
            let known = Arc::clone(&known);
            thread::spawn(move || {
                for round in 0..3 {
                    let value = (number * 10 + round) * 2;
                    let handle = table.insert(value).unwrap();
                    {
                        let mut known = known.lock().unwrap();
                        assert!(known.iter().all(|other| other.0 != handle), "a handle was given twice");
                        known.push((handle, value, 0));
                    }
                    let at = |at: usize| known.lock().unwrap()[at];
                    let count = known.lock().unwrap().len();
                    let (other, object, freed) = at(chance(count));
                    let seen = table.with(other, |value| {
                        let before = *value;
                        *value = before + 1;
                        switch();
                        assert_eq!(*value, before + 1, "two at the same object");
                        *value = before;
                        Ok(before)
                    });
                    match seen {
                        Ok(seen) => assert!(seen == object && freed == 0, "{other:x}: {seen} for {object}"),
                        Err(error) => assert_eq!(error.status, MPR_ERR_INVALID_ARGUMENT),
                    }
                    let index = chance(count);
                    let (other, object, _) = at(index);
                    if let Ok(freed) = table.remove(other) {
                        assert_eq!(freed, object, "another's object was freed");
                        let mut known = known.lock().unwrap();
                        known[index].2 += 1;
                        assert_eq!(known[index].2, 1, "it was freed twice");
                    }
                    assert!(table.with(other, |_| Ok(())).is_err(), "a freed handle is live");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for (handle, object, freed) in known.lock().unwrap().iter() {
        assert_eq!(table.with(*handle, |value| Ok(*value)).ok(), (*freed == 0).then_some(*object));
    }
}

/// An object whose call panicked answers only that, until it is freed; who comes next at its place does not.
pub fn poison() {
    let table = table();
    let handle = table.insert(7).unwrap();
    let (failed, freed) = (Arc::new(RealBool::new(false)), Arc::new(RealU32::new(0)));
    let failing = {
        let failed = Arc::clone(&failed);
        thread::spawn(move || {
            let failing = table.with(handle, |_| {
                as_if_panicked(true);
                Ok(())
            });
            as_if_panicked(false);
            failed.store(failing.is_ok(), SeqCst);
        })
    };
    let others: Vec<_> = (0..2)
        .map(|number| {
            let (failed, freed) = (Arc::clone(&failed), Arc::clone(&freed));
            thread::spawn(move || {
                let before = failed.load(SeqCst);
                match table.with(handle, |value| Ok(*value)) {
                    Ok(value) => assert!(value == 7 && !before, "it answers though a call in it failed"),
                    Err(error) if error.status == MPR_ERR_POISONED => {}
                    Err(error) => assert!(error.status == MPR_ERR_INVALID_ARGUMENT),
                }
                freed.fetch_add(u32::from(table.remove(handle).is_ok()), SeqCst);
                let next = table.insert(number).unwrap();
                assert_eq!(table.with(next, |value| Ok(*value)), Ok(number), "another object's panic is told");
            })
        })
        .collect();
    failing.join().unwrap();
    others.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(freed.load(SeqCst), 1, "a poisoned object is freed once");
}

/// In a child, an object that a thread of the parent was using tells so and does not hang; one that a thread of the child
/// uses is waited for.
pub fn dead_holder() {
    let table = table();
    let (dead, alive) = (table.insert(1).unwrap(), table.insert(2).unwrap());
    let (inside, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let gone = {
        let (inside, over) = (Arc::clone(&inside), Arc::clone(&over));
        thread::spawn(move || {
            table.with(dead, |_| {
                inside.store(true, Ordering::SeqCst);
                while !over.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                Ok(())
            })
        })
    };
    while !inside.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    (handlers().0.in_child)();
    let others: Vec<_> = (0..2)
        .map(|_| {
            thread::spawn(move || {
                assert_eq!(table.with(dead, |_| Ok(())).unwrap_err().status, MPR_ERR_POISONED);
                assert_eq!(table.remove(dead).unwrap_err().status, MPR_ERR_POISONED);
                table.with(alive, |value| Ok(switch_at(value))).unwrap();
            })
        })
        .collect();
    others.into_iter().for_each(|thread| thread.join().unwrap());
    over.store(true, Ordering::SeqCst);
    gone.join().unwrap().unwrap();
}

fn switch_at(value: &mut u32) {
    *value += 1;
    (0..4).for_each(|_| switch());
}
