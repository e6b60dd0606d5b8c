//! The OTLP/HTTP intake: `POST /v1/traces` and `/v1/logs`, protobuf or JSON, gzip or zstd.
//!
//! What the platform's collector and workers lose on the way is lost here too, but never
//! in silence: every item that is not stored is counted under its reason. The sender is
//! told nothing of it, as a real collector tells nothing.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{header, HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use rusqlite::Connection;
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use serde_json::{json, Value};

use crate::app::{blocking, App};
use crate::auth;
use crate::clients::{self, Sender};
use crate::clock;
use crate::otlp_json;
use crate::stats::{Reason, Signal};
use crate::store::{self, Added, LogItem, SpanItem};

/// What browsers allow zstd's window to be: a header may ask for terabytes.
const ZSTD_WINDOW: u64 = 8 * 1024 * 1024;
/// The collector's bound, for what comes over the wire and for what it unpacks to.
pub const BODY_LIMIT: usize = 20 * 1024 * 1024;
/// The collector's filter on one span or log record.
pub const ITEM_LIMIT: usize = 1_000_000;

const SESSION_ATTRIBUTE: &str = "multiplayer.session.id";

/// A request that is refused: status and message.
pub struct Refused {
    pub status: StatusCode,
    pub message: String,
}

fn refused(status: StatusCode, message: impl Into<String>) -> Refused {
    Refused { status, message: message.into() }
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Protobuf,
    Json,
}

pub async fn traces(State(app): State<Arc<App>>, request: Request) -> Response {
    let keep = |app: &App, sender: &Sender, format, body: &[u8]| {
        take_spans(app, sender, decode(format, body)?)?;
        Ok(match format {
            Format::Json => json!({ "partialSuccess": {} }).to_string().into_bytes(),
            Format::Protobuf => {
                ExportTraceServiceResponse { partial_success: Some(ExportTracePartialSuccess::default()) }
                    .encode_to_vec()
            }
        })
    };
    serve(app, request, Signal::Spans, keep).await
}

pub async fn logs(State(app): State<Arc<App>>, request: Request) -> Response {
    let keep = |app: &App, sender: &Sender, format, body: &[u8]| {
        take_logs(app, sender, decode(format, body)?)?;
        Ok(match format {
            Format::Json => json!({ "partialSuccess": {} }).to_string().into_bytes(),
            Format::Protobuf => {
                ExportLogsServiceResponse { partial_success: Some(ExportLogsPartialSuccess::default()) }.encode_to_vec()
            }
        })
    };
    serve(app, request, Signal::Logs, keep).await
}

/// Keeps what an export brought.
pub fn take_spans(app: &App, sender: &Sender, request: ExportTraceServiceRequest) -> Result<(), Refused> {
    check_span_ids(&request.resource_spans)?;
    count_sender(app, sender, request.resource_spans.iter().map(|group| group.resource.as_ref()));
    app.store.write(|db| keep_spans(app, db, request.resource_spans)).map_err(|e| internal(&e))
}

pub fn take_logs(app: &App, sender: &Sender, request: ExportLogsServiceRequest) -> Result<(), Refused> {
    check_log_ids(&request.resource_logs)?;
    count_sender(app, sender, request.resource_logs.iter().map(|group| group.resource.as_ref()));
    app.store.write(|db| keep_logs(app, db, request.resource_logs)).map_err(|e| internal(&e))
}

/// One request, from whatever many resources of one process. (A collector's requests have many processes.)
fn count_sender<'r>(app: &App, sender: &Sender, resources: impl Iterator<Item = Option<&'r Resource>>) {
    let mut seen: Vec<Option<&Resource>> = Vec::new();
    for resource in resources {
        if !seen.contains(&resource) {
            seen.push(resource);
            app.processes.seen(sender, resource);
        }
    }
}

type Keep = fn(&App, &Sender, Format, &[u8]) -> Result<Vec<u8>, Refused>;

/// The part of a request that both signals share, refusing in the collector's order.
async fn serve(app: Arc<App>, request: Request, signal: Signal, keep: Keep) -> Response {
    let (parts, body) = request.into_parts();
    let refuse = |refused: Refused, format: Option<Format>| {
        app.stats.refused(signal, refused.status.as_u16());
        refusal_response(&refused, format)
    };
    if let Err(message) = auth::intake(&parts.headers) {
        return refuse(refused(StatusCode::UNAUTHORIZED, message), None);
    }
    if parts.method != Method::POST {
        let message = "405 method not allowed, supported: [POST]";
        return refuse(refused(StatusCode::METHOD_NOT_ALLOWED, message), None);
    }
    let format = match media_type(&parts.headers).as_str() {
        "application/x-protobuf" => Format::Protobuf,
        "application/json" => Format::Json,
        _ => {
            let message = "415 unsupported media type, supported: [application/json, application/x-protobuf]";
            return refuse(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message), None);
        }
    };
    // A sender that is cut off in the middle sees a broken connection, not our answer: what is
    // somewhat too large is read to its end.
    let body = match to_bytes(body, 2 * BODY_LIMIT).await {
        Ok(body) if body.len() <= BODY_LIMIT => body,
        _ => return refuse(too_large(BODY_LIMIT), Some(format)),
    };
    let worker = Arc::clone(&app);
    let kept = blocking(move || {
        let body = inflate(&parts.headers, &body, BODY_LIMIT)?;
        keep(&worker, &Sender::new(&parts.headers), format, &body)
    })
    .await;
    match kept.unwrap_or_else(|| Err(internal(&"the worker failed"))) {
        Ok(reply) => {
            app.stats.accepted(signal);
            let ask = (HeaderName::from_static(clients::HEADER), "1");
            ([(header::CONTENT_TYPE, content_type(format)), ask], reply).into_response()
        }
        Err(e) => refuse(e, Some(format)),
    }
}

/// Unpacks a body by its `Content-Encoding`, never to more than `limit` bytes.
pub fn inflate<'b>(headers: &HeaderMap, bytes: &'b [u8], limit: usize) -> Result<Cow<'b, [u8]>, Refused> {
    let encoding =
        headers.get(header::CONTENT_ENCODING).map_or("", |v| v.to_str().unwrap_or("?")).trim().to_ascii_lowercase();
    let reader: Box<dyn Read + '_> = match encoding.as_str() {
        "" | "identity" => return Ok(Cow::Borrowed(bytes)),
        "gzip" => Box::new(MultiGzDecoder::new(bytes)),
        "zstd" => Box::new(zstd(bytes).map_err(|e| refused(StatusCode::BAD_REQUEST, format!("zstd: {e}")))?),
        "deflate" | "zlib" => Box::new(ZlibDecoder::new(bytes)),
        _ => {
            let message = format!("unsupported Content-Encoding: {encoding}");
            return Err(refused(StatusCode::BAD_REQUEST, message));
        }
    };
    let mut out = Vec::new();
    reader
        .take(limit as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|e| refused(StatusCode::BAD_REQUEST, format!("{encoding}: {e}")))?;
    match out.len() > limit {
        true => Err(too_large(limit)),
        false => Ok(Cow::Owned(out)),
    }
}

fn zstd(bytes: &[u8]) -> Result<impl Read + '_, FrameDecoderError> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(ZSTD_WINDOW);
    StreamingDecoder::new_with_decoder(bytes, decoder)
}

/// The media type without its parameters, in lower case.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

fn decode<T>(format: Format, body: &[u8]) -> Result<T, Refused>
where
    T: Message + Default + otlp_json::FromJson,
{
    let bad = |e: String| refused(StatusCode::BAD_REQUEST, e);
    match format {
        Format::Protobuf => T::decode(body).map_err(|e| bad(e.to_string())),
        Format::Json => otlp_json::decode(body).map_err(bad),
    }
}

fn check_span_ids(resource_spans: &[ResourceSpans]) -> Result<(), Refused> {
    for span in resource_spans.iter().flat_map(spans_of) {
        check_ids(&span.trace_id, &span.span_id)?;
        check_ids(&[], &span.parent_span_id)?;
        for link in &span.links {
            check_ids(&link.trace_id, &link.span_id)?;
        }
    }
    Ok(())
}

fn check_log_ids(resource_logs: &[ResourceLogs]) -> Result<(), Refused> {
    resource_logs.iter().flat_map(records_of).try_for_each(|log| check_ids(&log.trace_id, &log.span_id))
}

/// An id is absent or whole; the collector refuses the request over any other.
fn check_ids(trace_id: &[u8], span_id: &[u8]) -> Result<(), Refused> {
    let whole = |id: &[u8], length: usize| id.is_empty() || id.len() == length;
    if !whole(trace_id, 16) {
        return Err(refused(StatusCode::BAD_REQUEST, "invalid length for TraceID"));
    }
    if !whole(span_id, 8) {
        return Err(refused(StatusCode::BAD_REQUEST, "invalid length for SpanID"));
    }
    Ok(())
}

// ---- what is stored ------------------------------------------------------------------

/// The two first parts of a trace id: six characters of type, eight of session or client.
struct Prefix {
    kind: String,
    id: String,
}

fn prefix(trace_id: &[u8]) -> Prefix {
    let text = crate::document::hex(trace_id);
    Prefix { kind: text.get(..6).unwrap_or_default().to_owned(), id: text.get(6..14).unwrap_or_default().to_owned() }
}

const MANUAL: &str = "debdeb";
const CONTINUOUS: &str = "cdbcdb";
const CRASH_BUFFER: &str = "debcdb";
const CORRELATION: &str = "cdbcac";

/// The prefix, where it is one of a session.
fn session_type(prefix: &str) -> &str {
    match prefix {
        MANUAL | CONTINUOUS | CRASH_BUFFER | CORRELATION => prefix,
        _ => "",
    }
}

fn spans_of(group: &ResourceSpans) -> impl Iterator<Item = &Span> {
    group.scope_spans.iter().flat_map(|s| &s.spans)
}

fn records_of(group: &ResourceLogs) -> impl Iterator<Item = &LogRecord> {
    group.scope_logs.iter().flat_map(|s| &s.log_records)
}

fn keep_spans(app: &App, db: &Connection, groups: Vec<ResourceSpans>) -> store::Result<()> {
    let mut targets = Targets::new(app, db);
    targets.adopts()?;
    let mut added = Added::default();
    for group in groups {
        // The collector writes each span's type onto the shared resource, so the last one
        // speaks for all; its filters then look at the resource only.
        let Some(last) = spans_of(&group).last() else {
            continue;
        };
        let kind = prefix(&last.trace_id).kind;
        let resource = group.resource.unwrap_or_default();
        for scope_spans in group.scope_spans {
            let origin = Origin {
                resource: &resource,
                scope: scope_spans.scope.as_ref(),
                schema_url: &group.schema_url,
                scope_schema_url: &scope_spans.schema_url,
                id: Cell::new(None),
            };
            for span in scope_spans.spans {
                app.stats.received(Signal::Spans, 1);
                match place_span(&mut targets, &span, &kind)? {
                    Ok(sessions) => {
                        keep_span(db, &mut added, &span, &origin, &sessions)?;
                        if targets.is_adopting(&sessions) {
                            tell_failure(app, &span, &sessions);
                        }
                        app.stats.stored(Signal::Spans, 1);
                    }
                    Err(reason) => app.stats.dropped(Signal::Spans, reason, 1),
                }
            }
        }
    }
    added.write(db)
}

type Placed = store::Result<Result<Vec<String>, Reason>>;

/// The sessions that a span goes to, or why it goes nowhere.
fn place_span(targets: &mut Targets, span: &Span, kind: &str) -> Placed {
    const OWN_TRAFFIC: [&str; 3] = ["/v1/traces", "/v1/logs", "/jaeger/v1/traces"];
    const HEALTH: [&str; 2] = ["/health", "/healthz"];
    let is = |key: &str, values: &[&str]| attribute(&span.attributes, key).is_some_and(|v| values.contains(&v));
    let own = prefix(&span.trace_id);
    let start_ms = (span.start_time_unix_nano / 1_000_000) as i64;
    // Traces of no session are all of one type, whatever they begin with.
    let (own_type, kind) = (session_type(&own.kind), session_type(kind));
    let reason = if own_type != kind && !(own_type.is_empty() && targets.adopts()?) {
        Reason::MixedTraceTypes
    } else if span.encoded_len() > targets.item_bytes {
        Reason::TooLarge
    } else if is("http.target", &OWN_TRAFFIC) {
        Reason::TelemetryTraffic
    } else if is("http.route", &HEALTH) {
        Reason::HealthCheck
    } else {
        return match own.kind.as_str() {
            MANUAL => targets.manual(&own.id),
            CONTINUOUS => targets.continuous(&own.id, start_ms),
            CRASH_BUFFER => targets.crash_buffer(&own.id),
            CORRELATION => Ok(Err(Reason::CorrelationOnly)),
            _ => targets.adopted(start_ms),
        };
    };
    Ok(Err(reason))
}

fn keep_span(
    db: &Connection,
    added: &mut Added,
    span: &Span,
    origin: &Origin,
    sessions: &[String],
) -> store::Result<()> {
    let data = span.encode_to_vec();
    let service =
        attribute(&origin.resource.attributes, "service.name").or_else(|| attribute(&span.attributes, "service.name"));
    for session in sessions {
        let item = SpanItem { span, service: service.unwrap_or_default(), origin: origin.keep(db)?, data: &data };
        store::insert_span(db, added, session, &item)?;
    }
    Ok(())
}

fn tell_failure(app: &App, span: &Span, sessions: &[String]) {
    let Some(status) = span.status.as_ref().filter(|s| s.code == store::STATUS_ERROR) else { return };
    let exception = span.events.iter().find_map(|e| attribute(&e.attributes, "exception.message"));
    let title = exception.or(Some(&*status.message).filter(|m| !m.is_empty())).unwrap_or(&span.name);
    sessions.iter().take(1).for_each(|session| app.failed(session, title));
}

fn keep_logs(app: &App, db: &Connection, groups: Vec<ResourceLogs>) -> store::Result<()> {
    let mut targets = Targets::new(app, db);
    let mut added = Added::default();
    // The worker that turns a message into rows stops at the first record without a time;
    // manual and continuous records travel in messages of their own.
    let mut broken: Vec<String> = Vec::new();
    for group in groups {
        // As with spans; a record without a trace id leaves the type as it was.
        let kind = records_of(&group)
            .filter(|log| !log.trace_id.is_empty())
            .last()
            .map(|log| prefix(&log.trace_id).kind)
            .unwrap_or_default();
        let resource = group.resource.unwrap_or_default();
        let service = attribute(&resource.attributes, "service.name").unwrap_or_default();
        for scope_logs in group.scope_logs {
            let origin = Origin {
                resource: &resource,
                scope: scope_logs.scope.as_ref(),
                schema_url: &group.schema_url,
                scope_schema_url: &scope_logs.schema_url,
                id: Cell::new(None),
            };
            for mut log in scope_logs.log_records {
                app.stats.received(Signal::Logs, 1);
                let placed = match place_log(&mut targets, &log, &kind, service, &broken)? {
                    Ok(sessions) => sessions,
                    Err(reason) => {
                        if reason == Reason::LogWithoutTime {
                            broken.push(kind.clone());
                        }
                        app.stats.dropped(Signal::Logs, reason, 1);
                        continue;
                    }
                };
                if log.time_unix_nano == 0 {
                    log.time_unix_nano = log.observed_time_unix_nano;
                }
                if empty_body(&mut log) {
                    app.stats.body_emptied();
                }
                let data = log.encode_to_vec();
                for session in &placed {
                    let item = LogItem { log: &log, service, origin: origin.keep(db)?, data: &data };
                    store::insert_log(db, &mut added, session, &item)?;
                }
                app.stats.stored(Signal::Logs, 1);
            }
        }
    }
    added.write(db)
}

fn place_log(targets: &mut Targets, log: &LogRecord, kind: &str, service: &str, broken: &[String]) -> Placed {
    let own = prefix(&log.trace_id);
    let without_trace = log.trace_id.is_empty();
    let time = if log.time_unix_nano == 0 { log.observed_time_unix_nano } else { log.time_unix_nano };
    if session_type(&own.kind).is_empty() && time != 0 && log.encoded_len() <= targets.item_bytes && targets.adopts()? {
        let continuous_id = attribute(&log.attributes, SESSION_ATTRIBUTE).is_some();
        if !(kind == CONTINUOUS && continuous_id) {
            return targets.adopted((time / 1_000_000) as i64);
        }
    }
    let reason = if !without_trace && own.kind != kind {
        Reason::MixedTraceTypes
    } else if log.encoded_len() > targets.item_bytes {
        Reason::TooLarge
    } else if !matches!(kind, MANUAL | CONTINUOUS) {
        // There is no log pipeline for crash buffers and correlated traces.
        Reason::NoSessionPrefix
    } else if service.is_empty() {
        Reason::LogWithoutService
    } else if broken.iter().any(|b| b == kind) {
        Reason::AfterLogWithoutTime
    } else if log.time_unix_nano == 0 {
        Reason::LogWithoutTime
    } else if kind == MANUAL {
        return match without_trace {
            true => Ok(Err(Reason::NoSessionPrefix)),
            false => targets.manual(&own.id),
        };
    } else {
        let time_ms = (log.time_unix_nano / 1_000_000) as i64;
        return match attribute(&log.attributes, SESSION_ATTRIBUTE) {
            Some(id) => targets.continuous(id, time_ms),
            None => Ok(Err(Reason::LogWithoutSessionAttribute)),
        };
    };
    Ok(Err(reason))
}

/// Only text bodies survive on the platform; tells whether something was emptied.
fn empty_body(log: &mut LogRecord) -> bool {
    let value = log.body.as_ref().and_then(|b| b.value.as_ref());
    let structured = value.is_some_and(|v| !matches!(v, Any::StringValue(_)));
    if structured {
        log.body = None;
    }
    structured
}

/// What a trace id leads to, looked up once a request.
struct Targets<'db> {
    db: &'db Connection,
    now: i64,
    known: HashMap<String, Option<String>>,
    collecting: HashMap<String, Vec<(String, i64, i64)>>,
    adopting: Option<Vec<store::Session>>,
    item_bytes: usize,
}

impl<'db> Targets<'db> {
    fn new(app: &App, db: &'db Connection) -> Self {
        Targets {
            db,
            item_bytes: app.limits.item_bytes,
            now: clock::now_ms(),
            known: HashMap::new(),
            collecting: HashMap::new(),
            adopting: None,
        }
    }

    /// Sessions that were started on the page or in the terminal take what belongs to no session (the platform has no
    /// such thing): any program that sends OTLP here is recorded.
    fn adopted(&mut self, time_ms: i64) -> Placed {
        if !self.adopts()? {
            return Ok(Err(Reason::NoSessionPrefix));
        }
        let fits = |s: &&store::Session| s.stopped_ms.is_none_or(|stopped| time_ms <= stopped);
        let found = self.adopting.iter().flatten().find(fits).map(|s| (s.id.clone(), s.kind));
        match found {
            Some((id, store::Kind::Continuous)) => self.continuous(&id, time_ms),
            Some((id, _)) => Ok(Ok(vec![id])),
            None => Ok(Err(Reason::NoSessionPrefix)),
        }
    }

    /// Whether it is a continuous session that was started here: it is saved when something fails.
    fn is_adopting(&self, sessions: &[String]) -> bool {
        let first = sessions.first();
        self.adopting.iter().flatten().any(|s| s.kind == store::Kind::Continuous && Some(&s.id) == first)
    }

    fn adopts(&mut self) -> store::Result<bool> {
        if self.adopting.is_none() {
            self.adopting = Some(store::adopting(self.db, self.now)?);
        }
        Ok(self.adopting.iter().flatten().next().is_some())
    }

    fn manual(&mut self, short_id: &str) -> Placed {
        self.look_up(MANUAL, short_id, |db, now| store::live_debug_session(db, short_id, now))
    }

    fn crash_buffer(&mut self, client_id: &str) -> Placed {
        self.look_up(CRASH_BUFFER, client_id, |db, now| store::client_session(db, client_id, now))
    }

    /// The rolling window, and beside it what was saved of it moments ago and still
    /// waits for what had begun by then.
    fn continuous(&mut self, short_id: &str, start_ms: i64) -> Placed {
        let found = self.look_up(CONTINUOUS, short_id, |db, now| {
            let found = store::continuous_session(db, short_id)?;
            Ok(found.filter(|s| s.live_until_ms.is_none_or(|until| until > now)))
        })?;
        let Ok(mut sessions) = found else {
            return Ok(found);
        };
        if !self.collecting.contains_key(short_id) {
            let saved = store::collecting(self.db, short_id, self.now)?
                .into_iter()
                .map(|s| (s.id, s.started_ms, s.stopped_ms.unwrap_or(i64::MAX)))
                .collect();
            self.collecting.insert(short_id.to_owned(), saved);
        }
        let saved = self.collecting.get(short_id).into_iter().flatten();
        let fitting = saved.filter(|(_, from, to)| (*from..=*to).contains(&start_ms));
        sessions.extend(fitting.map(|(id, _, _)| id.clone()));
        Ok(Ok(sessions))
    }

    fn look_up(
        &mut self,
        kind: &str,
        id: &str,
        find: impl FnOnce(&Connection, i64) -> store::Result<Option<store::Session>>,
    ) -> Placed {
        let key = format!("{kind}{id}");
        let found = match self.known.get(&key) {
            Some(known) => known.clone(),
            None => {
                let found = find(self.db, self.now)?.map(|s| s.id);
                self.known.insert(key, found.clone());
                found
            }
        };
        Ok(found.map(|id| vec![id]).ok_or(Reason::UnknownSession))
    }
}

/// Where an item came from, kept once for all that came from there.
struct Origin<'a> {
    resource: &'a Resource,
    scope: Option<&'a InstrumentationScope>,
    schema_url: &'a str,
    scope_schema_url: &'a str,
    id: Cell<Option<i64>>,
}

impl Origin<'_> {
    /// The row it is kept in, written when first asked for.
    fn keep(&self, db: &Connection) -> store::Result<i64> {
        if let Some(id) = self.id.get() {
            return Ok(id);
        }
        let message = ResourceSpans {
            resource: Some(self.resource.clone()),
            schema_url: self.schema_url.to_owned(),
            scope_spans: vec![ScopeSpans {
                scope: self.scope.cloned(),
                schema_url: self.scope_schema_url.to_owned(),
                spans: Vec::new(),
            }],
        };
        let id = store::origin(db, &message.encode_to_vec())?;
        self.id.set(Some(id));
        Ok(id)
    }
}

fn attribute<'a>(list: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = list.iter().find(|kv| kv.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

// ---- answers -------------------------------------------------------------------------

fn too_large(limit: usize) -> Refused {
    let message = format!("request body too large (limit {limit} bytes)");
    refused(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn internal(e: &dyn std::fmt::Display) -> Refused {
    eprintln!("mpr-local: intake: {e}");
    refused(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
}

fn content_type(format: Format) -> &'static str {
    match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    }
}

/// Once the format is known, a refusal is a `google.rpc.Status` in that format.
fn refusal_response(refused: &Refused, format: Option<Format>) -> Response {
    const INVALID_ARGUMENT: u8 = 3;
    const RESOURCE_EXHAUSTED: u8 = 8;
    const UNKNOWN: u8 = 2;
    let code = match refused.status {
        StatusCode::BAD_REQUEST => INVALID_ARGUMENT,
        StatusCode::PAYLOAD_TOO_LARGE => RESOURCE_EXHAUSTED,
        _ => UNKNOWN,
    };
    let Some(format) = format else {
        return (refused.status, refused.message.clone()).into_response();
    };
    let body = match format {
        Format::Json => Value::to_string(&json!({ "code": code, "message": refused.message })).into_bytes(),
        Format::Protobuf => {
            // Field 1, varint; field 2, length-delimited.
            let mut body = vec![0x08, code, 0x12];
            prost::encoding::encode_varint(refused.message.len() as u64, &mut body);
            body.extend_from_slice(refused.message.as_bytes());
            body
        }
    };
    let kind = [(header::CONTENT_TYPE, content_type(format))];
    (refused.status, kind, body).into_response()
}
