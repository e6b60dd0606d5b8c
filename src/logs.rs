//! The library's own log records, for hosts with no OpenTelemetry of their own.
//!
//! Made straight as OTLP: opentelemetry_sdk's logger asks a thread-local context on every record and panics where a thread
//! is ending, which is when the destructors of hosts still log.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::{any_value, AnyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::intake::Intake;
use crate::masker::Masker;
use crate::pipeline::otlp::{adapt_log_resource, key_value, Envelope};
use crate::process::clock;
use crate::spans::{own_envelope, own_resource, Ids, OWN_SCOPE};
use crate::status::{mpr_status, Result, MPR_SKIPPED};
use crate::trace::{ids, Kind};

/// Makes log records.
pub struct Logger {
    envelope: Arc<Envelope>,
    intake: Arc<Intake>,
    masker: Arc<Masker>,
}

impl Logger {
    /// For this recorder.
    pub fn new(config: &Config, intake: Arc<Intake>, masker: Arc<Masker>) -> Self {
        let mut resource = own_resource(config);
        let claims = config.key_claims.clone().unwrap_or_default();
        adapt_log_resource(&mut resource, claims.workspace.as_deref(), claims.project.as_deref());
        Self { envelope: own_envelope(&resource, OWN_SCOPE), intake, masker }
    }

    /// Records a log of an OpenTelemetry severity number, masked. One without a trace
    /// joins the running session as a trace of its own, since the platform places logs by trace id. MPR_SKIPPED when it
    /// belongs to no session, or when that does not want it.
    ///
    /// # Errors
    /// MPR_ERR_QUEUE_FULL.
    pub fn log(
        &self,
        severity_number: i32,
        body: &str,
        attributes: Map<String, Value>,
        parent: Option<Ids>,
    ) -> Result<mpr_status> {
        let parent = parent.filter(|parent| parent.trace_id != [0; 16]);
        let context = parent.unwrap_or_else(|| Ids { trace_id: ids::trace_id(), ..Ids::default() });
        if !Kind::of(&context.trace_id).in_session() {
            return Ok(MPR_SKIPPED);
        }
        let now = clock::unix_nanos();
        let body = self.masker.text(body).into_owned();
        let attributes = self.masker.object(attributes);
        let span_id = if context.span_id == [0; 8] { Vec::new() } else { context.span_id.to_vec() };
        let record = LogRecord {
            time_unix_nano: now,
            observed_time_unix_nano: now,
            severity_number,
            body: Some(AnyValue { value: Some(any_value::Value::StringValue(body)) }),
            attributes: attributes.into_iter().map(|(key, value)| key_value(&key, value)).collect(),
            flags: context.flags.into(),
            trace_id: context.trace_id.to_vec(),
            span_id,
            ..LogRecord::default()
        };
        self.intake.log(record, Arc::clone(&self.envelope))
    }
}
