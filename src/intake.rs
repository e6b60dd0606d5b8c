//! Where finished spans and logs enter, the library's own and those of a host's SDK.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use opentelemetry_proto::tonic::logs::v1::LogRecord;

use crate::pipeline::otlp::{session_of, severity_number, Envelope, Item};
use crate::pipeline::Pipeline;
use crate::process::fork;
use crate::session::Sessions;
use crate::status::{mpr_status, Result, MPR_OK, MPR_SKIPPED};
use crate::trace::SessionPrefix;

/// Filtered by session and policy, then queued.
pub struct Intake {
    pipeline: Arc<Pipeline>,
    sessions: Arc<Sessions>,
    filtered: AtomicU64,
    generation: u32,
}

impl Intake {
    /// In front of this queue, by the wishes of these sessions.
    pub fn new(pipeline: Arc<Pipeline>, sessions: Arc<Sessions>) -> Self {
        Self { pipeline, sessions, filtered: AtomicU64::new(0), generation: fork::generation() }
    }

    /// What takes the items further.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Spans and logs that belong to no session, or that theirs did not want.
    pub fn filtered(&self) -> u64 {
        self.filtered.load(Ordering::Relaxed)
    }

    /// Counts one of those.
    pub fn filter_one(&self) {
        self.filtered.fetch_add(1, Ordering::Relaxed);
    }

    /// Is this a forked child, and the span or log its parent's? Then it is the parent that delivers it, and nothing here may be
    /// touched: a thread that is gone may hold its locks.
    fn is_parents(&self) -> bool {
        self.generation != fork::generation()
    }

    /// Takes a finished span of a session, which `make` makes. MPR_SKIPPED when the running session does not want traces, without consent, and in a child
    /// when it began before the fork.
    ///
    /// # Errors
    /// MPR_ERR_QUEUE_FULL.
    pub fn span(&self, session: SessionPrefix, make: impl FnOnce() -> Item) -> Result<mpr_status> {
        if self.is_parents() {
            return Ok(MPR_SKIPPED);
        }
        if !self.sessions.policy_of(session).traces {
            self.filter_one();
            return Ok(MPR_SKIPPED);
        }
        let item = make();
        let error = item.error;
        self.pipeline.push([item])?;
        if self.pipeline.is_revoked() {
            return Ok(MPR_SKIPPED);
        }
        self.sessions.saw_span(session, error);
        Ok(MPR_OK)
    }

    /// Takes a log record. MPR_SKIPPED when it belongs to no session, the session does not want it, or without consent.
    ///
    /// # Errors
    /// MPR_ERR_QUEUE_FULL.
    pub fn log(&self, record: LogRecord, envelope: Arc<Envelope>) -> Result<mpr_status> {
        if self.is_parents() {
            return Ok(MPR_SKIPPED);
        }
        let session = session_of(&record.trace_id);
        let policy = self.sessions.policy_of(session);
        let severity = severity_number(&record);
        let wanted = policy.logs && (severity == 0 || severity >= policy.min_severity);
        if !wanted || !session.kind().in_session() {
            self.filter_one();
            return Ok(MPR_SKIPPED);
        }
        self.pipeline.push([Item::log(record, envelope)])?;
        if self.pipeline.is_revoked() {
            return Ok(MPR_SKIPPED);
        }
        self.sessions.saw_log(session);
        Ok(MPR_OK)
    }
}
