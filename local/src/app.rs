//! What all requests share: the store, the counters, the settings.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{json, Value};

use crate::access::Access;
use crate::clients::Processes;
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
    /// The largest span or log record.
    pub item_bytes: usize,
    /// What the store may take altogether; 0: no bound.
    pub store_bytes: i64,
    /// When finished sessions go; 0: never.
    pub store_age_ms: i64,
}

/// How long an invitation by the remote check holds.
const INVITATION_MS: i64 = 30_000;
/// A session that fails again and again is saved once in this time.
const SAVE_ON_ERROR_MS: i64 = 50_000;

pub struct App {
    pub store: Store,
    pub stats: Stats,
    pub limits: Limits,
    /// `http://127.0.0.1:PORT`
    pub base: String,
    pub ports: Vec<u16>,
    pub access: Access,
    remote_check: Mutex<Value>,
    issues: Mutex<HashMap<String, i64>>,
    invited: Mutex<HashMap<String, i64>>,
    failed: Mutex<HashMap<String, Failed>>,
    pub processes: Processes,
}

/// A continuous session in which something failed.
struct Failed {
    title: String,
    saved_ms: Option<i64>,
    due: bool,
}

impl App {
    pub fn new(store: Store, access: Access, ports: Vec<u16>, limits: Limits) -> Self {
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
            base: access.base(ports.first().copied().unwrap_or_default()),
            ports,
            access,
            remote_check: Mutex::new(remote_check),
            issues: Mutex::default(),
            invited: Mutex::default(),
            failed: Mutex::default(),
            processes: Processes::default(),
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

impl App {
    pub fn invite(&self, who: String) {
        let now = crate::clock::now_ms();
        let mut invited = self.invited.lock().unwrap_or_else(PoisonError::into_inner);
        invited.retain(|_, at| *at > now - INVITATION_MS);
        invited.insert(who, now);
    }

    /// Whether a remote check just told this process to start; that holds once.
    pub fn was_invited(&self, who: &str) -> bool {
        let now = crate::clock::now_ms();
        let mut invited = self.invited.lock().unwrap_or_else(PoisonError::into_inner);
        invited.remove(who).is_some_and(|at| at > now - INVITATION_MS)
    }

    /// A span of a continuous session failed: its window is to be saved.
    pub fn failed(&self, session: &str, title: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let one =
            failed.entry(session.to_owned()).or_insert(Failed { title: String::new(), saved_ms: None, due: false });
        if !one.due {
            one.due = true;
            one.title = title.to_owned();
        }
    }

    /// The sessions that are to be saved now, and what failed in them.
    pub fn failed_sessions(&self, now: i64) -> Vec<(String, String)> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, one| one.due || one.saved_ms.is_some_and(|at| at > now - SAVE_ON_ERROR_MS));
        let mut due = Vec::new();
        for (session, one) in failed.iter_mut().filter(|(_, one)| one.due) {
            one.due = false;
            // Within the time since the last save this one is the same trouble.
            if one.saved_ms.is_none_or(|at| at <= now - SAVE_ON_ERROR_MS) {
                one.saved_ms = Some(now);
                due.push((session.clone(), one.title.clone()));
            }
        }
        due
    }
}

/// Runs what touches the database off the async threads. None: it panicked.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
