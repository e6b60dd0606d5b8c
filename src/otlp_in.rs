//! OTLP of a host's own SDK: decoded whole (one malformed span would have the receiver refuse the batch that it travels
//! in), filtered by session, masked, handed to the intake.
//!
//! Masked are names, log bodies, attributes, exception and status texts. The attributes that mpr_capture_payload() makes
//! stay as they are: masking them twice would lose content.

mod lossy;
mod plain;

use std::sync::{Arc, Mutex, Weak};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value, AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value;

use crate::capture::Kind as PayloadKind;
use crate::mask::PLACEHOLDER;
use crate::masker::Masker;
use crate::pipeline::otlp::{adapt_log_resource, plain as plain_value, session_of, Envelope, Item};
use crate::recorder::Recorder;
use crate::status::{mpr_status, Error, Result, MPR_OK, MPR_SKIPPED};
use crate::trace::Kind;

/// Spans outside sessions are the host's other exporter's; MPR_SKIPPED when all are.
///
/// # Errors
/// MPR_ERR_INVALID_ARGUMENT when the bytes are not an ExportTraceServiceRequest, MPR_ERR_QUEUE_FULL.
pub fn traces(recorder: &Recorder, request: &[u8]) -> Result<mpr_status> {
    let mut taken = Taken::default();
    let Some(read) = plain::Request::read(request) else {
        let request: ExportTraceServiceRequest = decode(request, lossy::TRACES, "ExportTraceServiceRequest")?;
        for of_resource in request.resource_spans {
            let mut resource = of_resource.resource.unwrap_or_default();
            mask_attributes(&recorder.masker, &mut resource.attributes);
            for of_scope in of_resource.scope_spans {
                let scope = of_scope.scope.unwrap_or_default();
                let envelope = envelope(recorder, &resource, &of_resource.schema_url, scope, &of_scope.schema_url);
                of_scope.spans.into_iter().for_each(|span| taken.note_span(recorder, span, &envelope));
            }
        }
        return taken.result();
    };
    // A resource that is not right is told before anything is taken.
    let envelopes = read.groups.iter().map(|group| recorder.recent.envelope(recorder, group));
    let envelopes: Vec<_> = envelopes.collect::<Result<_>>()?;
    for (group, envelope) in read.groups.iter().zip(envelopes) {
        for span in &group.spans {
            match span {
                plain::Either::Plain(span) => {
                    let session = session_of(span.trace_id);
                    if session.kind() == Kind::None {
                        recorder.intake().filter_one();
                        continue;
                    }
                    let item = || read.item(span, &recorder.masker, session, Arc::clone(&envelope));
                    taken.note(recorder.intake().span(session, item));
                }
                plain::Either::Tree(span) => taken.note_span(recorder, (**span).clone(), &envelope),
            }
        }
    }
    taken.result()
}

/// The resource and scope of the last span, for as long as it waits to be sent: a program has few of them. (In a forked child another
/// thread may hold the lock for ever; nobody waits for it.)
#[derive(Default)]
pub struct Recent(Mutex<Option<Known>>);

/// As they came, and as they are sent.
type Known = ([Box<[u8]>; 4], Weak<Envelope>);

impl Recent {
    fn envelope(&self, recorder: &Recorder, of: &plain::Group<'_>) -> Result<Arc<Envelope>> {
        let parts = [of.resource, of.resource_schema.as_bytes(), of.scope, of.scope_schema.as_bytes()];
        let mut place = self.0.try_lock().ok();
        if let Some((known, envelope)) = place.as_deref().and_then(Option::as_ref) {
            if let Some(envelope) = envelope.upgrade().filter(|_| known.iter().zip(parts).all(|(a, b)| **a == *b)) {
                return Ok(envelope);
            }
        }
        let not_one = |e| not_otlp("ExportTraceServiceRequest", &e);
        let mut resource = Resource::decode(of.resource).map_err(not_one)?;
        let scope = InstrumentationScope::decode(of.scope).map_err(not_one)?;
        mask_attributes(&recorder.masker, &mut resource.attributes);
        let made = envelope(recorder, &resource, of.resource_schema, scope, of.scope_schema);
        if let Some(place) = place.as_deref_mut().filter(|_| made.has_room()) {
            *place = Some((parts.map(Box::from), Arc::downgrade(&made)));
        }
        Ok(made)
    }
}

/// Masked, on the budget.
fn envelope(
    recorder: &Recorder,
    resource: &Resource,
    resource_schema: &str,
    mut scope: InstrumentationScope,
    scope_schema: &str,
) -> Arc<Envelope> {
    mask_attributes(&recorder.masker, &mut scope.attributes);
    Envelope::new(resource, resource_schema, &scope, scope_schema).on(recorder.intake().pipeline().budget())
}

/// As [`traces`], for logs.
///
/// # Errors
/// MPR_ERR_INVALID_ARGUMENT when the bytes are not an ExportLogsServiceRequest, MPR_ERR_QUEUE_FULL.
pub fn logs(recorder: &Recorder, request: &[u8]) -> Result<mpr_status> {
    let request: ExportLogsServiceRequest = decode(request, lossy::LOGS, "ExportLogsServiceRequest")?;
    let claims = recorder.config.key_claims.clone().unwrap_or_default();
    let mut taken = Taken::default();
    for resource_logs in request.resource_logs {
        let mut resource = resource_logs.resource.unwrap_or_default();
        mask_attributes(&recorder.masker, &mut resource.attributes);
        adapt_log_resource(&mut resource, claims.workspace.as_deref(), claims.project.as_deref());
        for scope_logs in resource_logs.scope_logs {
            let scope = scope_logs.scope.unwrap_or_default();
            let envelope = envelope(recorder, &resource, &resource_logs.schema_url, scope, &scope_logs.schema_url);
            for mut record in scope_logs.log_records {
                if session_of(&record.trace_id).kind().in_session() {
                    if !matches!(record.span_id.len(), 0 | 8) {
                        // A log is worth keeping without its span.
                        record.span_id.clear();
                    }
                    mask_log(&recorder.masker, &mut record);
                }
                taken.note(recorder.intake().log(record, Arc::clone(&envelope)));
            }
        }
    }
    taken.result()
}

/// Text that is not UTF-8 costs its bad bytes, not the request: SDKs of C++ and others let it in.
fn decode<T: Message + Default>(request: &[u8], parts: lossy::Parts, name: &str) -> Result<T> {
    T::decode(request).or_else(|e| {
        let whole = lossy::with_utf8(request, parts);
        whole.and_then(|whole| T::decode(&*whole).ok()).ok_or_else(|| not_otlp(name, &e))
    })
}

/// A receiver refuses the whole request for one id of another length.
fn check_ids(span: &Span) -> Result<()> {
    let links = span.links.iter().all(|link| link.trace_id.len() == 16 && link.span_id.len() == 8);
    if span.span_id.len() == 8 && matches!(span.parent_span_id.len(), 0 | 8) && links {
        return Ok(());
    }
    let name: String = span.name.chars().take(80).collect();
    Err(Error::invalid(format!(
        "otlp_request: span '{name}' has an id of the wrong length (trace ids have 16 bytes, span ids 8); it is left out"
    )))
}

/// What became of the items of one request.
#[derive(Default)]
struct Taken {
    any: bool,
    refused: Option<Error>,
}

impl Taken {
    fn note(&mut self, result: Result<mpr_status>) {
        match result {
            Ok(status) => self.any |= status == MPR_OK,
            Err(e) => self.refused = Some(e),
        }
    }

    fn note_span(&mut self, recorder: &Recorder, mut span: Span, envelope: &Arc<Envelope>) {
        let session = session_of(&span.trace_id);
        if session.kind() == Kind::None {
            return recorder.intake().filter_one();
        }
        if let Err(e) = check_ids(&span) {
            recorder.intake().filter_one();
            return self.note(Err(e));
        }
        let item = || {
            mask_span(&recorder.masker, &mut span);
            Item::span(span, Arc::clone(envelope))
        };
        self.note(recorder.intake().span(session, item));
    }

    fn result(self) -> Result<mpr_status> {
        match (self.refused, self.any) {
            (Some(e), _) => Err(e),
            (None, true) => Ok(MPR_OK),
            (None, false) => Ok(MPR_SKIPPED),
        }
    }
}

fn mask_span(masker: &Masker, span: &mut Span) {
    span.name = masker.text(&span.name).into_owned();
    mask_attributes(masker, &mut span.attributes);
    for link in &mut span.links {
        mask_attributes(masker, &mut link.attributes);
    }
    for event in &mut span.events {
        event.name = masker.text(&event.name).into_owned();
        mask_attributes(masker, &mut event.attributes);
    }
    if let Some(status) = span.status.as_mut().filter(|status| !status.message.is_empty()) {
        status.message = masker.text(&status.message).into_owned();
    }
}

fn mask_log(masker: &Masker, record: &mut LogRecord) {
    mask_attributes(masker, &mut record.attributes);
    if let Some(body) = &mut record.body {
        let masked = match plain_value(body) {
            Value::String(text) => masker.text(&text).into_owned(),
            structured => masker.json(&structured),
        };
        body.value = Some(any_value::Value::StringValue(masked));
    }
}

fn mask_attributes(masker: &Masker, attributes: &mut [KeyValue]) {
    for KeyValue { key, value, .. } in attributes {
        if let Some(value) = value.as_mut().filter(|_| !is_captured(key)) {
            mask_value(masker, key, value);
        }
    }
}

/// Exactly what mpr_capture_payload() makes.
fn is_captured(key: &str) -> bool {
    if !key.starts_with("multiplayer.") {
        return false;
    }
    let key = key.strip_suffix(".size").or_else(|| key.strip_suffix(".truncated")).unwrap_or(key);
    let kinds = (1..=7).filter_map(|kind| PayloadKind::try_from(kind).ok());
    kinds.into_iter().any(|kind| key == kind.body_key() || key == kind.headers_key())
}

/// The decoder has bounded how deep they can be.
fn mask_value(masker: &Masker, key: &str, value: &mut AnyValue) {
    if masker.is_sensitive(key) {
        value.value = Some(any_value::Value::StringValue(PLACEHOLDER.into()));
        return;
    }
    match &mut value.value {
        Some(any_value::Value::StringValue(text)) => *text = masker.text(text).into_owned(),
        Some(any_value::Value::BytesValue(bytes)) => {
            value.value = Some(any_value::Value::StringValue(format!("[{} bytes]", bytes.len())));
        }
        Some(any_value::Value::ArrayValue(list)) => {
            list.values.iter_mut().for_each(|inner| mask_value(masker, key, inner));
        }
        Some(any_value::Value::KvlistValue(map)) => {
            for KeyValue { key, value, .. } in &mut map.values {
                if let Some(value) = value {
                    mask_value(masker, key, value);
                }
            }
        }
        _ => {}
    }
}

fn not_otlp(message: &str, e: &prost::DecodeError) -> Error {
    Error::invalid(format!("otlp_request: not the protobuf bytes of an {message}: {e}"))
}
