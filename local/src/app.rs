//! What all requests share: the store, the counters, the settings.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{json, Value};

use crate::stats::Stats;
use crate::store::Store;

/// How long things live, in milliseconds.
pub struct Limits {
    /// A manual session, from its start.
    pub session_ms: i64,
    /// What a save keeps of a continuous session.
    pub window_ms: i64,
    /// What a continuous session remembers at all.
    pub rows_ms: i64,
    /// How long a saved session still takes what had begun before the save.
    pub grace_ms: i64,
}

pub struct App {
    pub store: Store,
    pub stats: Stats,
    pub limits: Limits,
    /// `http://127.0.0.1:PORT`
    pub base: String,
    pub port: u16,
    remote_check: Mutex<Value>,
    issues: Mutex<HashMap<String, i64>>,
}

impl App {
    pub fn new(store: Store, port: u16, limits: Limits) -> Self {
        let remote_check = json!({
            "shouldStart": false,
            "mode": "CONTINUOUS",
            "recordingOptions": {
                "frontend": {
                    "screens": true, "traces": true, "logs": true,
                    "logLevel": "info", "content": true,
                },
                "backend": { "traces": true, "logs": true, "logLevel": "info", "content": true },
            },
        });
        App {
            store,
            stats: Stats::new(),
            limits,
            base: format!("http://127.0.0.1:{port}"),
            port,
            remote_check: Mutex::new(remote_check),
            issues: Mutex::default(),
        }
    }

    /// What the next remote check is answered with.
    pub fn remote_check(&self) -> Value {
        self.remote_check.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what the next remote check is answered with.
    pub fn change_remote_check(&self, change: impl FnOnce(&mut Value)) -> Value {
        let mut current = self.remote_check.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut current);
        current.clone()
    }

    /// Whether an issue was not seen since `since_ms`; it counts as seen from now on.
    pub fn new_issue(&self, issue: String, since_ms: i64) -> bool {
        let mut issues = self.issues.lock().unwrap_or_else(PoisonError::into_inner);
        issues.retain(|_, seen| *seen > since_ms);
        let now = crate::clock::now_ms();
        issues.insert(issue, now).is_none()
    }
}

/// Runs what touches the database off the async threads. None: it panicked.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
