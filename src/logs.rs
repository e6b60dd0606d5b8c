//! The library's own log records, for hosts with no OpenTelemetry of their own: opentelemetry_sdk's logger, its records
//! handed to the intake.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord as OtlpLogRecord;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::Resource;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::intake::Intake;
use crate::mask::mask_text;
use crate::pipeline::otlp::{adapt_log_resource, Envelope};
use crate::process::log::{self, Level};
use crate::spans::{envelope, own_resource, Ids};
use crate::trace::{ids, Kind};

const SEVERITIES: [Severity; 24] = [
    Severity::Trace,
    Severity::Trace2,
    Severity::Trace3,
    Severity::Trace4,
    Severity::Debug,
    Severity::Debug2,
    Severity::Debug3,
    Severity::Debug4,
    Severity::Info,
    Severity::Info2,
    Severity::Info3,
    Severity::Info4,
    Severity::Warn,
    Severity::Warn2,
    Severity::Warn3,
    Severity::Warn4,
    Severity::Error,
    Severity::Error2,
    Severity::Error3,
    Severity::Error4,
    Severity::Fatal,
    Severity::Fatal2,
    Severity::Fatal3,
    Severity::Fatal4,
];

/// The severity of an OpenTelemetry severity number, 1 (trace) to 24 (fatal 4).
pub fn severity(number: i32) -> Option<Severity> {
    SEVERITIES.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
}

/// Makes log records.
pub struct Logger {
    // Dropping the provider would shut its processor down.
    _provider: SdkLoggerProvider,
    logger: SdkLogger,
    config: Arc<Config>,
}

impl Logger {
    /// For this recorder.
    pub fn new(config: &Arc<Config>, intake: Arc<Intake>) -> Self {
        let scope = InstrumentationScope::builder("libmpr").with_version(env!("CARGO_PKG_VERSION")).build();
        let mut resource = own_resource(config);
        let claims = config.key_claims.clone().unwrap_or_default();
        adapt_log_resource(&mut resource, claims.workspace.as_deref(), claims.project.as_deref());
        let handover = Handover { envelope: envelope(&resource, &scope), intake };
        let provider = SdkLoggerProvider::builder()
            .with_resource(Resource::builder_empty().build())
            .with_log_processor(handover)
            .build();
        Self { logger: provider.logger_with_scope(scope), _provider: provider, config: Arc::clone(config) }
    }

    /// Records a log. One without a trace joins the running session as a trace of its own, since the platform places logs
    /// by trace id. The attributes are masked already. False when it belongs to no session.
    pub fn log(&self, severity: Severity, body: &str, attributes: Map<String, Value>, parent: Option<Ids>) -> bool {
        let parent = parent.filter(|parent| parent.trace_id != [0; 16]);
        let context = parent.unwrap_or_else(|| Ids { trace_id: ids::trace_id(), ..Ids::default() });
        if !Kind::of(&context.trace_id).in_session() {
            return false;
        }
        let mut record = self.logger.create_log_record();
        record.set_timestamp(SystemTime::now());
        record.set_severity_number(severity);
        record.set_body(AnyValue::String(mask_text(&self.config.capture.rules, body).into_owned().into()));
        let flags = TraceFlags::new(context.flags);
        record.set_trace_context(
            TraceId::from_bytes(context.trace_id),
            SpanId::from_bytes(context.span_id),
            Some(flags),
        );
        record.add_attributes(attributes.into_iter().map(|(key, value)| (key, any_value(value))));
        self.logger.emit(record);
        true
    }
}

/// Nested values become their JSON text: that is all that the platform keeps of them.
fn any_value(value: Value) -> AnyValue {
    match value {
        Value::Bool(b) => AnyValue::Boolean(b),
        Value::Number(n) => n.as_i64().map_or_else(|| AnyValue::Double(n.as_f64().unwrap_or_default()), AnyValue::Int),
        Value::String(text) => AnyValue::String(text.into()),
        nested => AnyValue::String(nested.to_string().into()),
    }
}

struct Handover {
    envelope: Arc<Envelope>,
    intake: Arc<Intake>,
}

impl std::fmt::Debug for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handover")
    }
}

impl LogProcessor for Handover {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        let mut record = OtlpLogRecord::from(&*record);
        if record.span_id == [0; 8] {
            record.span_id.clear();
        }
        if let Err(e) = self.intake.log(record, Arc::clone(&self.envelope)) {
            log::write(Level::Warn, || format!("a log was dropped: {}", e.message));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
}
