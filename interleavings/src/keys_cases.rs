//! What is known of keys, asked for by several threads.

use real_std::sync::atomic::{AtomicU32 as RealU32, Ordering::SeqCst};
use real_std::sync::Arc;

use crate::keys::Keys;
use crate::thread;

/// Everybody gets what belongs to the key, and soon nobody looks at it anew.
pub fn keys() {
    let keys: Arc<Keys> = Arc::default();
    let looks = Arc::new(RealU32::new(0));
    let ask = |keys: &Keys, looks: &RealU32, given: &str| {
        let look = || {
            looks.fetch_add(1, SeqCst);
            (format!("<{given}>"), given.ends_with('1'))
        };
        let told = keys.with(given, look, |key| (key.text.to_string(), key.sensitive));
        assert_eq!(told, (format!("<{given}>"), given.ends_with('1')), "another key's");
    };
    // Of the same length, and the same at both ends: all of them want the same places.
    let names = ["beginning.0.at.the.end", "beginning.1.at.the.end", "beginning.2.at.the.end"];
    let threads: Vec<_> = (0..3)
        .map(|number| {
            let (keys, looks) = (Arc::clone(&keys), Arc::clone(&looks));
            thread::spawn(move || (0..4).for_each(|n| ask(&keys, &looks, names[(n + number) % names.len()])))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    names.iter().for_each(|name| ask(&keys, &looks, name));
    let known = looks.load(SeqCst);
    names.iter().for_each(|name| ask(&keys, &looks, name));
    assert_eq!(looks.load(SeqCst), known, "a key is looked at again and again");
}
