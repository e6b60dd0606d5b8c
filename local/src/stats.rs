//! Counters: what came in, what was kept, and why the rest was not.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{json, Map, Value};

use crate::clock;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    Spans,
    Logs,
}

/// Why an item was not stored. The platform would have lost it too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    NoSessionPrefix,
    UnknownSession,
    MixedTraceTypes,
    CorrelationOnly,
    TelemetryTraffic,
    HealthCheck,
    TooLarge,
    LogWithoutService,
    LogWithoutTime,
    AfterLogWithoutTime,
    LogWithoutSessionAttribute,
}

impl Reason {
    const ALL: [Reason; 11] = [
        Reason::NoSessionPrefix,
        Reason::UnknownSession,
        Reason::MixedTraceTypes,
        Reason::CorrelationOnly,
        Reason::TelemetryTraffic,
        Reason::HealthCheck,
        Reason::TooLarge,
        Reason::LogWithoutService,
        Reason::LogWithoutTime,
        Reason::AfterLogWithoutTime,
        Reason::LogWithoutSessionAttribute,
    ];

    fn name(self) -> &'static str {
        match self {
            Reason::NoSessionPrefix => "no_session_prefix",
            Reason::UnknownSession => "unknown_session",
            Reason::MixedTraceTypes => "mixed_trace_types",
            Reason::CorrelationOnly => "correlation_only",
            Reason::TelemetryTraffic => "telemetry_traffic",
            Reason::HealthCheck => "health_check",
            Reason::TooLarge => "too_large",
            Reason::LogWithoutService => "log_without_service",
            Reason::LogWithoutTime => "log_without_time",
            Reason::AfterLogWithoutTime => "after_log_without_time",
            Reason::LogWithoutSessionAttribute => "log_without_session_attribute",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Reason::NoSessionPrefix => "the trace id does not begin with a session's prefix",
            Reason::UnknownSession => "no live session has this short id or client id",
            Reason::MixedTraceTypes => "shared a resource with a trace of another type; the last one decides for all",
            Reason::CorrelationOnly => "cdbcac traces are never stored",
            Reason::TelemetryTraffic => "http.target is a telemetry endpoint",
            Reason::HealthCheck => "http.route is a health check",
            Reason::TooLarge => "larger than 1,000,000 bytes",
            Reason::LogWithoutService => "the resource has no service.name",
            Reason::LogWithoutTime => "timeUnixNano is not set",
            Reason::AfterLogWithoutTime => "came after a record without timeUnixNano in the same request",
            Reason::LogWithoutSessionAttribute => {
                "a continuous session's log needs the attribute multiplayer.session.id"
            }
        }
    }
}

#[derive(Default)]
struct Counters {
    requests: u64,
    refused: BTreeMap<u16, u64>,
    received: u64,
    stored: u64,
    dropped: BTreeMap<Reason, u64>,
}

impl Counters {
    fn json(&self) -> Value {
        let dropped: Map<String, Value> =
            self.dropped.iter().map(|(reason, n)| (reason.name().to_owned(), json!(n))).collect();
        let refused: Map<String, Value> =
            self.refused.iter().map(|(status, n)| (status.to_string(), json!(n))).collect();
        json!({
            "requests": self.requests,
            "refused": refused,
            "received": self.received,
            "stored": self.stored,
            "dropped": dropped,
        })
    }
}

#[derive(Default)]
struct All {
    spans: Counters,
    logs: Counters,
    bodies_emptied: u64,
    metrics: u64,
    /// Sessions that had to go: for the store's size, and for their age.
    removed: (u64, u64),
}

pub struct Stats {
    since_ms: i64,
    all: Mutex<All>,
}

impl Stats {
    pub fn new() -> Self {
        Stats { since_ms: clock::now_ms(), all: Mutex::default() }
    }

    pub fn accepted(&self, signal: Signal) {
        self.change(signal, |c| c.requests += 1);
    }

    pub fn refused(&self, signal: Signal, status: u16) {
        self.change(signal, |c| *c.refused.entry(status).or_default() += 1);
    }

    /// gRPC has statuses of its own (below 100, so they are not taken for HTTP's).
    pub fn refused_grpc(&self, signal: Signal, code: u16) {
        self.refused(signal, code);
    }

    /// Metrics that were taken and thrown away.
    pub fn metrics(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).metrics += 1;
    }

    pub fn removed(&self, for_size: bool) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        match for_size {
            true => all.removed.0 += 1,
            false => all.removed.1 += 1,
        }
    }

    pub fn received(&self, signal: Signal, n: u64) {
        self.change(signal, |c| c.received += n);
    }

    pub fn stored(&self, signal: Signal, n: u64) {
        self.change(signal, |c| c.stored += n);
    }

    pub fn dropped(&self, signal: Signal, reason: Reason, n: u64) {
        self.change(signal, |c| *c.dropped.entry(reason).or_default() += n);
    }

    pub fn body_emptied(&self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.bodies_emptied += 1;
    }

    fn change(&self, signal: Signal, change: impl FnOnce(&mut Counters)) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        change(match signal {
            Signal::Spans => &mut all.spans,
            Signal::Logs => &mut all.logs,
        });
    }

    pub fn json(&self) -> Value {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let reasons: Map<String, Value> =
            Reason::ALL.iter().map(|r| (r.name().to_owned(), r.explanation().into())).collect();
        let mut logs = all.logs.json();
        logs["bodiesEmptied"] = json!(all.bodies_emptied);
        json!({
            "since": clock::iso(self.since_ms),
            "spans": all.spans.json(),
            "logs": logs,
            "metrics": { "requests": all.metrics },
            "removed": { "for_size": all.removed.0, "for_age": all.removed.1 },
            "reasons": reasons,
        })
    }
}
