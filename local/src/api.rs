//! The API of the page and of scripts: sessions, their spans and logs bit by bit, what they say together.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rusqlite::Connection;
use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::{json, Value};

use crate::analyse::{self, Needle};
use crate::app::{blocking, App};
use crate::content::{self, Why};
use crate::document::{self, hex, kind_name, status_name, unhex, Origins};
use crate::radar::json_response;
use crate::schemas;
use crate::sessions::{self, Refusal};
use crate::store::{self, Kind, Session, SpanRow, Wanted};
use crate::validate::{self, key, object, one_of, Schema};
use crate::{import, intake};

const REQUEST_LIMIT: usize = 1024 * 1024;
const IMPORT_LIMIT: usize = 1024 * 1024 * 1024;
const SESSIONS_LIMIT: i64 = 1000;
const ROWS_LIMIT: i64 = 20_000;
/// Lines of an NDJSON answer that are made at once.
const LINES: i64 = 1000;

/// What a request is refused with.
pub enum Failure {
    Words(StatusCode, String),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(e: rusqlite::Error) -> Self {
        Failure::Database(e)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(words) => bad(words),
            Refusal::NotFound(words) => Failure::Words(StatusCode::NOT_FOUND, words.into()),
            Refusal::Internal => Failure::Words(StatusCode::INTERNAL_SERVER_ERROR, "internal error".into()),
        }
    }
}

impl From<import::Refused> for Failure {
    fn from(refused: import::Refused) -> Self {
        match refused {
            import::Refused::Document(words) => bad(words),
            import::Refused::Database(e) => e.into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::Words(status, words) => json_response(status, &json!({ "error": words })),
            Failure::Database(e) => {
                eprintln!("mpr-local: database: {e}");
                let words = json!({ "error": "the database could not be read or written" });
                json_response(StatusCode::INTERNAL_SERVER_ERROR, &words)
            }
        }
    }
}

type Outcome<T = Response> = Result<T, Failure>;
type Shared = State<Arc<App>>;

pub fn bad(words: impl Into<String>) -> Failure {
    Failure::Words(StatusCode::BAD_REQUEST, words.into())
}

fn ok(value: &Value) -> Response {
    json_response(StatusCode::OK, value)
}

/// Looks at the data, all at one moment, off the async threads.
async fn read<T: Send + 'static>(
    app: Arc<App>,
    look: impl FnOnce(&App, &Connection) -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    let done = blocking(move || {
        let db = app.store.reader()?;
        let view = db.unchecked_transaction()?;
        look(&app, &view)
    });
    done.await.unwrap_or_else(|| Err(Refusal::Internal.into()))
}

async fn write<T: Send + 'static>(
    app: Arc<App>,
    work: impl FnOnce(&App, &Connection) -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    let done = blocking(move || app.store.write(|db| work(&app, db)));
    done.await.unwrap_or_else(|| Err(Refusal::Internal.into()))
}

/// The session of `_id` or short id.
pub fn find(db: &Connection, id: &str) -> Outcome<Session> {
    let gone = || Failure::Words(StatusCode::NOT_FOUND, format!("there is no session {id:?}"));
    store::any_session(db, id)?.ok_or_else(gone)
}

async fn body(request: Request, schema: &Schema) -> Outcome<Value> {
    let bytes = to_bytes(request.into_body(), REQUEST_LIMIT).await.map_err(|e| bad(format!("body: {e}")))?;
    let value: Value = match bytes.is_empty() {
        true => json!({}),
        false => serde_json::from_slice(&bytes).map_err(|e| bad(format!("body: must be a JSON object: {e}")))?,
    };
    validate::check(schema, "body", &value).map_err(bad)?;
    Ok(value)
}

/// The parameters, or why they are none.
fn parameters<T: DeserializeOwned>(query: Result<Query<T>, axum::extract::rejection::QueryRejection>) -> Outcome<T> {
    query.map(|Query(found)| found).map_err(|e| bad(format!("query: {}", e.body_text())))
}

type Asked<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

// ---- sessions --------------------------------------------------------------------------

#[derive(Deserialize)]
pub struct List {
    q: Option<String>,
    service: Option<String>,
    tag: Option<String>,
    kind: Option<String>,
    errors: Option<String>,
    limit: Option<i64>,
    before: Option<String>,
}

pub async fn list(State(app): Shared, asked: Asked<List>) -> Outcome {
    let asked = parameters(asked)?;
    let filled = |text: Option<String>| text.filter(|t| !t.is_empty());
    let kind = filled(asked.kind);
    if let Some(kind) = kind.as_deref().filter(|k| Kind::from_name(k).is_none()) {
        return Err(bad(format!("kind: must be one of manual, continuous, saved, issue, not {kind:?}")));
    }
    let before = filled(asked.before)
        .map(|text| {
            let numbers = text.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            numbers.ok_or_else(|| bad(format!("before: must be what `next` said, not {text:?}")))
        })
        .transpose()?;
    let limit = asked.limit.unwrap_or(SESSIONS_LIMIT).clamp(1, SESSIONS_LIMIT) as usize;
    let (q, tag, service) = (filled(asked.q), filled(asked.tag), filled(asked.service));
    let errors = asked.errors.is_some_and(|e| !matches!(e.as_str(), "" | "0" | "false"));
    read(app, move |app, db| {
        let wanted = Wanted { service: service.as_deref(), kind: kind.as_deref(), errors, before };
        let mut found: Vec<(i64, Session)> = Vec::new();
        let mut more = false;
        let needle = q.as_deref().map(str::to_lowercase);
        store::find_sessions(db, &wanted, |row, session| {
            if !tag.as_deref().is_none_or(|tag| has_tag(&session, tag))
                || !needle.as_deref().is_none_or(|q| mentions(&session, q))
            {
                return true;
            }
            if found.len() == limit {
                more = true;
                return false;
            }
            found.push((row, session));
            true
        })?;
        let next = found.last().filter(|_| more).map(|(row, s)| format!("{}.{row}", s.started_ms));
        let sessions = found
            .iter()
            .map(|(_, session)| document::listed(db, session, Some(&app.base)))
            .collect::<store::Result<Vec<Value>>>()?;
        Ok(ok(&json!({ "sessions": sessions, "next": next })))
    })
    .await
}

/// The tags of a session, which of a continuous one lie deeper.
fn tags(session: &Session) -> impl Iterator<Item = &Value> {
    let inner = session.doc.get("debugSessionData").and_then(|d| d.get("tags"));
    inner.or_else(|| session.doc.get("tags")).and_then(Value::as_array).into_iter().flatten()
}

/// A tag is named by its value, or as `key=value`.
fn has_tag(session: &Session, wanted: &str) -> bool {
    tags(session).any(|tag| {
        let text = |key: &str| tag.get(key).and_then(Value::as_str);
        let value = tag.as_str().or_else(|| text("value")).unwrap_or_default();
        value == wanted || text("key").is_some_and(|key| format!("{key}={value}") == wanted)
    })
}

/// Whether a text is in what people know a session by: ids, name, tags, attributes.
fn mentions(session: &Session, needle: &str) -> bool {
    if session.id.starts_with(needle) || session.short_id.starts_with(needle) {
        return true;
    }
    let data = session.doc.get("debugSessionData").and_then(Value::as_object).unwrap_or(&session.doc);
    ["name", "tags", "sessionAttributes", "userAttributes", "resourceAttributes"].iter().any(|key| {
        let value = data.get(*key).or_else(|| session.doc.get(*key));
        value.is_some_and(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned).to_lowercase().contains(needle))
    })
}

pub async fn start(State(app): Shared, request: Request) -> Outcome {
    const START: Schema = object(&[
        key("name", validate::MAYBE_EMPTY),
        key("type", one_of(&["MANUAL", "CONTINUOUS"])),
        key("tags", schemas::TAGS),
    ]);
    let body = body(request, &START).await?;
    write(app, move |app, db| {
        let session = sessions::invite(app, db, &body)?;
        let shown = document::listed(db, &session, Some(&app.base))?;
        Ok(json_response(StatusCode::CREATED, &json!({ "session": shown })))
    })
    .await
}

fn answer(app: &App, db: &Connection, session: &Session) -> Outcome {
    Ok(ok(&json!({ "session": document::listed(db, session, Some(&app.base))? })))
}

pub async fn stop(State(app): Shared, Path(id): Path<String>, request: Request) -> Outcome {
    const STOP: Schema = object(&[key("comment", validate::MAYBE_EMPTY)]);
    let body = body(request, &STOP).await?;
    write(app, move |app, db| {
        let mut session = find(db, &id)?;
        sessions::end(db, &mut session, body["comment"].as_str())?;
        answer(app, db, &session)
    })
    .await
}

pub async fn save(State(app): Shared, Path(id): Path<String>, request: Request) -> Outcome {
    const SAVE: Schema = object(&[key("name", validate::MAYBE_EMPTY)]);
    let body = body(request, &SAVE).await?;
    write(app, move |app, db| {
        let session = find(db, &id)?;
        if session.kind != Kind::Continuous || session.imported {
            let words =
                format!("{id}: only a continuous session can be saved, and this one is {}", session.kind.name());
            return Err(Failure::Words(StatusCode::CONFLICT, words));
        }
        let saved = sessions::save_as(app, db, &session, body["name"].as_str())?;
        answer(app, db, &saved)
    })
    .await
}

pub async fn change(State(app): Shared, Path(id): Path<String>, request: Request) -> Outcome {
    const CHANGE: Schema = object(&[
        key("name", validate::MAYBE_EMPTY),
        key("tags", schemas::TAGS),
        key("comment", validate::MAYBE_EMPTY),
    ]);
    let body = body(request, &CHANGE).await?;
    write(app, move |app, db| {
        let mut session = find(db, &id)?;
        for (key, value) in body.as_object().into_iter().flatten() {
            sessions::describe(&mut session, key, value);
        }
        store::update_session(db, &session)?;
        answer(app, db, &session)
    })
    .await
}

pub async fn remove(State(app): Shared, Path(id): Path<String>) -> Outcome {
    write(app, move |_, db| {
        store::delete_session(db, &find(db, &id)?.id)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

pub async fn import(State(app): Shared, request: Request) -> Outcome {
    let bytes = to_bytes(request.into_body(), IMPORT_LIMIT).await.map_err(|_| {
        Failure::Words(StatusCode::PAYLOAD_TOO_LARGE, format!("body: larger than {IMPORT_LIMIT} bytes"))
    })?;
    write(app, move |app, db| {
        let whole: Value = serde_json::from_slice(&bytes).map_err(|e| bad(format!("body: must be JSON: {e}")))?;
        let session = import::keep(db, &whole)?;
        let shown = document::listed(db, &session, Some(&app.base))?;
        Ok(json_response(StatusCode::CREATED, &json!({ "session": shown })))
    })
    .await
}

pub async fn summary(State(app): Shared, Path(id): Path<String>) -> Outcome {
    read(app, move |app, db| Ok(ok(&analyse::summary(db, &find(db, &id)?, Some(&app.base))?))).await
}

#[derive(Deserialize)]
pub struct Pair {
    a: String,
    b: String,
}

pub async fn diff(State(app): Shared, asked: Asked<Pair>) -> Outcome {
    let asked = parameters(asked)?;
    read(app, move |app, db| {
        let (a, b) = (find(db, &asked.a)?, find(db, &asked.b)?);
        Ok(ok(&analyse::diff(db, &a, &b, Some(&app.base))?))
    })
    .await
}

// ---- spans and logs --------------------------------------------------------------------

#[derive(Deserialize)]
pub struct Part {
    after: Option<i64>,
    limit: Option<i64>,
}

impl Part {
    fn bounds(&self) -> (i64, i64) {
        (self.after.unwrap_or(0).max(0), self.limit.unwrap_or(5000).clamp(1, ROWS_LIMIT))
    }
}

pub const SPAN_COLUMNS: [&str; 11] = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "service",
    "start",
    "duration",
    "status",
    "http_status",
    "flags",
];

pub fn row_json(row: &SpanRow) -> Value {
    json!([
        hex(&row.trace_id),
        hex(&row.span_id),
        hex(&row.parent_id),
        row.name,
        kind_name(row.kind),
        row.service,
        row.start_ns.to_string(),
        row.duration(),
        status_name(row.status),
        row.http_status,
        row.flags,
    ])
}

/// One more than is shown tells whether there are more.
fn cut<T>(mut rows: Vec<T>, limit: i64) -> (Vec<T>, bool) {
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    (rows, more)
}

pub async fn spans(State(app): Shared, Path(id): Path<String>, asked: Asked<Part>) -> Outcome {
    let (after, limit) = parameters(asked)?.bounds();
    read(app, move |_, db| {
        let (rows, more) = cut(store::rows_after(db, &find(db, &id)?.id, after, limit + 1)?, limit);
        Ok(ok(&json!({
            "next": rows.last().map_or(after, |row| row.id),
            "more": more,
            "columns": SPAN_COLUMNS,
            "rows": rows.iter().map(row_json).collect::<Vec<_>>(),
        })))
    })
    .await
}

pub async fn logs(State(app): Shared, Path(id): Path<String>, asked: Asked<Part>) -> Outcome {
    let (after, limit) = parameters(asked)?.bounds();
    read(app, move |_, db| {
        let (stored, more) = cut(store::logs_after(db, &find(db, &id)?.id, after, limit + 1)?, limit);
        let next = stored.last().map_or(after, |row| row.id);
        let mut origins = Origins::default();
        let mut rows = Vec::new();
        for one in &stored {
            rows.extend(origins.log(db, one)?);
        }
        Ok(ok(&json!({ "next": next, "more": more, "rows": rows })))
    })
    .await
}

/// The span of a session, as it is stored.
fn stored_span(db: &Connection, id: &str, trace_id: &str, span_id: &str) -> Outcome<(Session, store::Stored)> {
    let session = find(db, id)?;
    let bytes = |name: &str, text: &str, length: usize| {
        let wrong = || bad(format!("{name}: must be {} hexadecimal digits, not {text:?}", length * 2));
        unhex(text).filter(|id| id.len() == length).ok_or_else(wrong)
    };
    let (trace, span) = (bytes("trace id", trace_id, 16)?, bytes("span id", span_id, 8)?);
    let gone = || Failure::Words(StatusCode::NOT_FOUND, format!("session {id} has no span {trace_id}/{span_id}"));
    let stored = store::span(db, &session.id, &trace, &span)?.ok_or_else(gone)?;
    Ok((session, stored))
}

/// A span with everything that belongs to it.
pub fn span_detail(db: &Connection, id: &str, trace_id: &str, span_id: &str) -> Outcome<Value> {
    let (session, stored) = stored_span(db, id, trace_id, span_id)?;
    let span = Span::decode(&*stored.data).unwrap_or_default();
    let mut origins = Origins::default();
    let mut out = origins.span(db, &stored)?.unwrap_or_default();
    let contents = content::of(&span);
    // What is large is shown once, and in part.
    if let Some(attributes) = out.get_mut("attributes").and_then(Value::as_object_mut) {
        content::shorten(attributes);
    }
    let mut why = Why::default();
    out["content"] = contents.iter().map(|c| c.json(&mut why)).collect();
    let mut logs = Vec::new();
    for log in store::logs_of_span(db, &session.id, &span.trace_id, &span.span_id)? {
        logs.extend(origins.log(db, &log)?);
    }
    out["logs"] = logs.into();
    Ok(out)
}

pub async fn span(State(app): Shared, Path((id, trace, span)): Path<(String, String, String)>) -> Outcome {
    read(app, move |_, db| Ok(ok(&span_detail(db, &id, &trace, &span)?))).await
}

#[derive(Deserialize)]
pub struct Which {
    r#type: Option<String>,
}

/// A body of a span, whole.
pub fn whole_body(
    db: &Connection,
    ids: (&str, &str, &str),
    direction: &str,
    protocol: Option<&str>,
) -> Outcome<String> {
    if !matches!(direction, "request" | "response") {
        return Err(bad(format!("content: must be request or response, not {direction:?}")));
    }
    let (_, stored) = stored_span(db, ids.0, ids.1, ids.2)?;
    let span = Span::decode(&*stored.data).unwrap_or_default();
    content::of(&span)
        .into_iter()
        .filter(|c| c.direction == direction && protocol.is_none_or(|p| p == c.protocol))
        .find_map(|c| c.body)
        .ok_or_else(|| {
            Failure::Words(StatusCode::NOT_FOUND, format!("no body of a {direction} was captured in this span"))
        })
}

pub async fn content_body(
    State(app): Shared,
    Path((id, trace, span, direction)): Path<(String, String, String, String)>,
    asked: Asked<Which>,
) -> Outcome {
    let protocol = parameters(asked)?.r#type;
    let name = format!("attachment; filename=\"{direction}.txt\"");
    let text = read(app, move |_, db| whole_body(db, (&id, &trace, &span), &direction, protocol.as_deref())).await?;
    let kind = "text/plain; charset=utf-8".to_owned();
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response())
}

#[derive(Deserialize)]
pub struct Search {
    q: Option<String>,
    attr: Option<String>,
    limit: Option<i64>,
}

/// What is looked for; `attr` is `key=value`, or a key alone.
pub fn query(q: Option<&str>, attr: Option<&str>) -> Outcome<analyse::Query> {
    let text = q.filter(|q| !q.is_empty()).map(Needle::new);
    let attribute = attr.filter(|a| !a.is_empty()).map(|a| {
        let (key, value) = a.split_once('=').unwrap_or((a, ""));
        (key.to_owned(), value.to_owned())
    });
    if text.is_none() && attribute.is_none() {
        return Err(bad("q, attr: say what to look for: q=TEXT or attr=KEY=VALUE, or both"));
    }
    Ok(analyse::Query { text, attribute })
}

pub async fn search(State(app): Shared, Path(id): Path<String>, asked: Asked<Search>) -> Outcome {
    let asked = parameters(asked)?;
    let query = query(asked.q.as_deref(), asked.attr.as_deref())?;
    let limit = asked.limit.unwrap_or(500).clamp(1, ROWS_LIMIT) as usize;
    read(app, move |_, db| {
        let (spans, more) = analyse::search(db, &find(db, &id)?, &query, limit)?;
        Ok(ok(&json!({ "spans": spans, "more": more })))
    })
    .await
}

/// The spans or logs, one JSON object a line, made as they are read.
fn lines(app: Arc<App>, id: String, part: fn(&Connection, &str, i64) -> Piece) -> Response {
    let (tell, told) = tokio::sync::mpsc::channel::<String>(4);
    tokio::task::spawn_blocking(move || {
        let write = || -> store::Result<()> {
            let db = app.store.reader()?;
            let mut after = 0;
            loop {
                let (text, next) = part(&db, &id, after)?;
                if !text.is_empty() && tell.blocking_send(text).is_err() {
                    return Ok(());
                }
                match next {
                    Some(next) => after = next,
                    None => return Ok(()),
                }
            }
        };
        if let Err(e) = write() {
            eprintln!("mpr-local: database: {e}");
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson; charset=utf-8")];
    (kind, axum::body::Body::new(Lines(told))).into_response()
}

struct Lines(tokio::sync::mpsc::Receiver<String>);

impl http_body::Body for Lines {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|text| text.map(|text| Ok(http_body::Frame::data(text.into()))))
    }
}

/// Some lines, and where the next begin.
type Piece = store::Result<(String, Option<i64>)>;
type Rendered = store::Result<Option<Value>>;

fn some_lines(
    db: &Connection,
    stored: &[store::Stored],
    render: fn(&mut Origins, &Connection, &store::Stored) -> Rendered,
) -> Piece {
    let mut origins = Origins::default();
    let mut text = String::new();
    for one in stored {
        if let Some(value) = render(&mut origins, db, one)? {
            text.push_str(&value.to_string());
            text.push('\n');
        }
    }
    Ok((text, stored.last().map(|one| one.id)))
}

pub async fn span_lines(State(app): Shared, Path(id): Path<String>) -> Outcome {
    let id = read(Arc::clone(&app), move |_, db| Ok(find(db, &id)?.id)).await?;
    Ok(lines(app, id, |db, id, after| some_lines(db, &store::spans_after(db, id, after, LINES)?, Origins::span)))
}

pub async fn log_lines(State(app): Shared, Path(id): Path<String>) -> Outcome {
    let id = read(Arc::clone(&app), move |_, db| Ok(find(db, &id)?.id)).await?;
    Ok(lines(app, id, |db, id, after| some_lines(db, &store::logs_after(db, id, after, LINES)?, Origins::log)))
}

// ---- the recorder itself ---------------------------------------------------------------

pub async fn processes(State(app): Shared) -> Response {
    ok(&app.processes.json())
}

pub async fn limits(State(app): Shared) -> Response {
    let limits = &app.limits;
    let bound = |n: i64, unit: i64| (n > 0).then_some(n / unit);
    ok(&json!({
        "manual_max_seconds": limits.session_ms / 1000,
        "continuous_window_seconds": limits.window_ms / 1000,
        "continuous_keep_seconds": limits.rows_ms / 1000,
        "save_grace_seconds": limits.grace_ms / 1000,
        "span_max_bytes": limits.item_bytes,
        "log_max_bytes": limits.item_bytes,
        "request_max_bytes": intake::BODY_LIMIT,
        "grpc_max_bytes": crate::grpc::MESSAGE_LIMIT,
        "issue_throttle_seconds": sessions::ISSUE_THROTTLE_MS / 1000,
        "store_max_bytes": bound(limits.store_bytes, 1),
        "store_max_age_seconds": bound(limits.store_age_ms, 1000),
    }))
}

/// A new address that opens the page once, for who has the token.
pub async fn link(State(app): Shared) -> Response {
    ok(&json!({ "url": format!("{}/{}", app.base, app.access.ticket()) }))
}

/// What a page or a script gets where nothing is.
pub async fn nothing() -> Failure {
    Failure::Words(StatusCode::NOT_FOUND, "there is no such route".into())
}
