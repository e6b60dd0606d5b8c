//! The lives of sessions: what each call of the session API does, and what the clock does.
//!
//! The platform's oddities are kept on purpose (a string tag breaks a save, what was there
//! wins a merge): a client must not learn manners here that fail there.

use rusqlite::Connection;
use serde_json::{json, Map, Value};

use crate::app::App;
use crate::auth::{self, Caller};
use crate::store::{self, Kind, Session};
use crate::{clock, document};

/// A validated call.
pub struct Call {
    pub caller: Caller,
    pub id: String,
    pub body: Value,
}

pub enum Reply {
    Json(Value),
    Nothing,
}

pub enum Refusal {
    Invalid(&'static str),
    NotFound(&'static str),
    /// Where the platform's code throws what it did not mean to.
    Internal,
}

pub type Outcome = Result<Reply, Refusal>;

impl From<rusqlite::Error> for Refusal {
    fn from(e: rusqlite::Error) -> Self {
        eprintln!("mpr-local: database: {e}");
        Refusal::Internal
    }
}

/// How long a crash buffer's client id leads to its session.
const CLIENT_MS: i64 = 60_000;
/// The same issue makes no second session within this time.
pub const ISSUE_THROTTLE_MS: i64 = 12 * 60 * 60 * 1000;
const CONTINUOUS_KEY_SECONDS: i64 = 30 * 24 * 60 * 60;

const SESSION_GONE: Refusal = Refusal::NotFound("Debug-Session not found");
const CONTINUOUS_GONE: Refusal = Refusal::NotFound("Continuous debug session not found");

// ---- manual sessions -----------------------------------------------------------------

pub fn start(app: &App, db: &Connection, call: &Call) -> Outcome {
    check_end_user(call.body.get("userAttributes"), false)?;
    let now = clock::now_ms();
    if let Some(session) = joined(app, db, call, &call.body, Kind::Manual)? {
        return Ok(Reply::Json(with_key(app, &call.caller, &session).into()));
    }
    let id = object_id(now);
    let short_id = free_short_id(db)?;
    let live_until = now + app.limits.session_ms;
    let mut doc = new_document(&call.caller, &id, &short_id, "MANUAL", "MANUAL", now);
    doc.insert("name".into(), text(&call.body, "name").into());
    // What the caller leaves out comes back as null, not as an empty list.
    doc.insert("tags".into(), call.body.get("tags").cloned().into());
    doc.insert("sessionAttributes".into(), session_attributes(&call.body));
    doc.insert("resourceAttributes".into(), resource_attributes(&call.body));
    doc.insert("userAttributes".into(), call.body.get("userAttributes").filter(|v| truthy(v)).cloned().into());
    let session = Session {
        id,
        short_id,
        kind: Kind::Manual,
        doc,
        started_ms: now,
        stopped_ms: None,
        live_until_ms: Some(live_until),
        close_at_ms: Some(live_until),
        client_id: None,
        client_until_ms: None,
        source: None,
        invites: false,
        imported: false,
        held: store::Held::default(),
    };
    store::insert_session(db, &session)?;
    Ok(Reply::Json(with_key(app, &call.caller, &session).into()))
}

fn with_key(app: &App, caller: &Caller, session: &Session) -> Map<String, Value> {
    let key_seconds = app.limits.session_ms / 1000 + 60;
    let key = auth::temporary_key(caller, "DEBUG_SESSION", &session.id, key_seconds);
    let mut reply = with_url(app, session);
    reply.insert("tempApiKey".into(), key.into());
    reply
}

pub fn stop(app: &App, db: &Connection, call: &Call) -> Outcome {
    let mut session = attach(db, call)?;
    // Who joined a session does not end it for the others.
    if session.stopped_ms.is_none() && !session.invites {
        let stopped = call.body.get("stoppedAt").and_then(clock::parse_date);
        let given = session_attributes(&call.body);
        finish(&mut session, stopped.unwrap_or_else(clock::now_ms), &given);
        store::update_session(db, &session)?;
    }
    Ok(Reply::Json(with_url(app, &session).into()))
}

pub fn update(_: &App, db: &Connection, call: &Call) -> Outcome {
    let mut session = attach(db, call)?;
    check_end_user(call.body.get("userAttributes"), false)?;
    let given = |key: &str| call.body.get(key).filter(|v| truthy(v));
    if let Some(given) = given("sessionAttributes") {
        merge_attributes(&mut session.doc, given);
    }
    if let Some(resource) = given("resourceAttributes") {
        let flat = flatten(resource);
        session.doc.insert("resourceAttributes".into(), flat.into());
    }
    for key in ["name", "tags", "userAttributes"] {
        if let Some(value) = given(key) {
            session.doc.insert(key.into(), value.clone());
        }
    }
    let date = |key: &str| given(key).and_then(clock::parse_date);
    if let (Some(started), Some(stopped)) = (date("startedAt"), date("stoppedAt")) {
        session.started_ms = started;
        session.stopped_ms = Some(stopped);
        session.doc.insert("startedAt".into(), clock::iso(started).into());
        session.doc.insert("stoppedAt".into(), clock::iso(stopped).into());
        if stopped != started {
            session.doc.insert("durationInSeconds".into(), seconds(stopped - started));
        }
    }
    touch(&mut session.doc);
    store::update_session(db, &session)?;
    Ok(Reply::Json(session.doc.into()))
}

pub fn get(_: &App, db: &Connection, call: &Call) -> Outcome {
    let session = attach(db, call)?;
    let mut reply = Map::new();
    for key in ["_id", "startedAt", "stoppedAt"] {
        if let Some(value) = session.doc.get(key) {
            reply.insert(key.into(), value.clone());
        }
    }
    Ok(Reply::Json(reply.into()))
}

pub fn cancel(_: &App, db: &Connection, call: &Call) -> Outcome {
    let session = attach(db, call)?;
    if !session.invites {
        store::delete_session(db, &session.id)?;
    }
    Ok(Reply::Nothing)
}

pub fn take_rrweb(_: &App, db: &Connection, call: &Call) -> Outcome {
    attach(db, call)?;
    Ok(Reply::Nothing)
}

/// The debug session that the path names. A short id works as long as it is mapped.
fn attach(db: &Connection, call: &Call) -> Result<Session, Refusal> {
    let found = match call.id.len() {
        8 => store::live_debug_session(db, &call.id, clock::now_ms())?,
        _ => store::debug_session(db, &call.id.to_ascii_lowercase())?,
    };
    found.ok_or(SESSION_GONE)
}

// ---- continuous sessions -------------------------------------------------------------

pub fn start_continuous(app: &App, db: &Connection, call: &Call) -> Outcome {
    // The validator lets a body without the wrapper pass; the platform then falls over it.
    let Some(data) = call.body.get("debugSessionData") else {
        return Err(Refusal::Internal);
    };
    check_end_user(data.get("userAttributes"), true)?;
    if let Some(session) = joined(app, db, call, data, Kind::Continuous)? {
        return Ok(Reply::Json(continuous_reply(&call.caller, &session.id)));
    }
    let now = clock::now_ms();
    let short_id = free_short_id(db)?;
    let mut kept = Map::new();
    if let Some(name) = data.get("name") {
        kept.insert("name".into(), name.clone());
    }
    kept.insert("tags".into(), data.get("tags").cloned().unwrap_or(json!([])));
    kept.insert("sessionAttributes".into(), session_attributes(data));
    kept.insert("resourceAttributes".into(), resource_attributes(data));
    if let Some(user) = data.get("userAttributes") {
        kept.insert("userAttributes".into(), user.clone());
    }
    let doc = json!({
        "workspace": call.caller.workspace,
        "project": call.caller.project,
        "startedAt": clock::iso(now),
        "debugSessionData": kept,
    });
    let session = Session {
        id: short_id.clone(),
        short_id: short_id.clone(),
        kind: Kind::Continuous,
        doc: doc.as_object().cloned().unwrap_or_default(),
        started_ms: now,
        stopped_ms: None,
        live_until_ms: None,
        close_at_ms: None,
        client_id: None,
        client_until_ms: None,
        source: None,
        invites: false,
        imported: false,
        held: store::Held::default(),
    };
    store::insert_session(db, &session)?;
    Ok(Reply::Json(continuous_reply(&call.caller, &short_id)))
}

fn continuous_reply(caller: &Caller, short_id: &str) -> Value {
    json!({
        "_id": short_id,
        "shortId": short_id,
        "tempApiKey": auth::temporary_key(caller, "CONTINUOUS_DEBUG_SESSION", short_id, CONTINUOUS_KEY_SECONDS),
        "workspace": caller.workspace,
        "project": caller.project,
    })
}

/// Keeps the window as a debug session of its own. What save passes, or leaves out,
/// overwrites what start said, except for the user.
pub fn save(app: &App, db: &Connection, call: &Call) -> Outcome {
    let session = save_window(app, db, call)?;
    Ok(Reply::Json(with_url(app, &session).into()))
}

fn save_window(app: &App, db: &Connection, call: &Call) -> Result<Session, Refusal> {
    let source = store::continuous_session(db, &call.id)?.ok_or(CONTINUOUS_GONE)?;
    let tags = call.body.get("tags").cloned().unwrap_or(json!([]));
    // The validator wants strings, the database wants objects: only no tags pass both.
    if tags.as_array().is_some_and(|t| !t.is_empty()) {
        return Err(Refusal::Internal);
    }
    let now = clock::now_ms();
    let started = source.started_ms.max(now - app.limits.window_ms);
    let id = object_id(now);
    let short_id = free_short_id(db)?;
    let owner = Caller {
        key: String::new(),
        workspace: text(&Value::Object(source.doc.clone()), "workspace"),
        project: text(&Value::Object(source.doc.clone()), "project"),
    };
    let mut doc = new_document(&owner, &id, &short_id, "CONTINUOUS", "MANUAL", started);
    doc.insert("continuousDebugSession".into(), source.id.clone().into());
    doc.insert("name".into(), text(&call.body, "name").into());
    doc.insert("tags".into(), tags);
    doc.insert("sessionAttributes".into(), session_attributes(&call.body));
    doc.insert("resourceAttributes".into(), resource_attributes(&call.body));
    let user = source.doc.get("debugSessionData").and_then(|d| d.get("userAttributes"));
    doc.insert("userAttributes".into(), user.cloned().into());
    doc.insert("stoppedAt".into(), clock::iso(now).into());
    doc.insert("durationInSeconds".into(), seconds(now - started));
    let session = Session {
        id,
        short_id,
        kind: Kind::Saved,
        doc,
        started_ms: started,
        stopped_ms: Some(now),
        live_until_ms: Some(now + app.limits.grace_ms),
        close_at_ms: None,
        client_id: None,
        client_until_ms: None,
        source: Some(source.id.clone()),
        invites: false,
        imported: false,
        held: store::Held::default(),
    };
    store::insert_session(db, &session)?;
    store::copy_window(db, &source.id, &session.id, started, now)?;
    Ok(session)
}

pub fn cancel_continuous(_: &App, db: &Connection, call: &Call) -> Outcome {
    if let Some(session) = store::continuous_session(db, &call.id)?.filter(|s| !s.invites) {
        store::delete_session(db, &session.id)?;
    }
    Ok(Reply::Nothing)
}

pub fn get_continuous(_: &App, db: &Connection, call: &Call) -> Outcome {
    let session = store::continuous_session(db, &call.id)?.ok_or(CONTINUOUS_GONE)?;
    Ok(Reply::Json(session.doc.into()))
}

// ---- the rest ------------------------------------------------------------------------

pub fn check_remote(app: &App, db: &Connection, call: &Call) -> Outcome {
    let mut answer = app.remote_check();
    if let Some(session) = store::inviting(db, clock::now_ms())? {
        app.invite(invitation(&call.caller, &call.body));
        answer["shouldStart"] = true.into();
        answer["mode"] = mode(session.kind).into();
    }
    Ok(Reply::Json(answer))
}

// ---- sessions for many processes -------------------------------------------------------

fn mode(kind: Kind) -> &'static str {
    match kind {
        Kind::Continuous => "CONTINUOUS",
        _ => "MANUAL",
    }
}

/// By what a process is known again: what the remote check and the start have in common. In the check all is text.
fn invitation(caller: &Caller, body: &Value) -> String {
    let mut resource: Vec<String> = flatten(&resource_attributes(body))
        .into_iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    resource.sort_unstable();
    format!("{}\n{}", caller.key, resource.join("\n"))
}

/// The running session that a start leads into: when a remote check invited the caller, or `mpr-local run` started it.
fn joined(app: &App, db: &Connection, call: &Call, body: &Value, kind: Kind) -> Result<Option<Session>, Refusal> {
    let invited = auth::is_run_key(&call.caller.key) || app.was_invited(&invitation(&call.caller, body));
    if !invited {
        return Ok(None);
    }
    Ok(store::inviting(db, clock::now_ms())?.filter(|session| session.kind == kind))
}

/// Starts a session that processes are told to join.
pub fn invite(app: &App, db: &Connection, body: &Value) -> Result<Session, Refusal> {
    let now = clock::now_ms();
    let caller = Caller::local();
    let short_id = free_short_id(db)?;
    let (kind, id) = match body["type"].as_str() {
        Some("CONTINUOUS") => (Kind::Continuous, short_id.clone()),
        _ => (Kind::Manual, object_id(now)),
    };
    let tags = body.get("tags").cloned().unwrap_or_else(|| json!([]));
    let doc = match kind {
        Kind::Continuous => json!({
            "workspace": caller.workspace,
            "project": caller.project,
            "startedAt": clock::iso(now),
            "debugSessionData": {
                "name": text(body, "name"), "tags": tags, "sessionAttributes": {}, "resourceAttributes": {},
            },
        })
        .as_object()
        .cloned()
        .unwrap_or_default(),
        _ => {
            let mut doc = new_document(&caller, &id, &short_id, "MANUAL", "MANUAL", now);
            doc.insert("name".into(), text(body, "name").into());
            doc.insert("tags".into(), tags);
            doc
        }
    };
    let live_until = (kind == Kind::Manual).then(|| now + app.limits.session_ms);
    let session = Session {
        id,
        short_id,
        kind,
        doc,
        started_ms: now,
        stopped_ms: None,
        live_until_ms: live_until,
        close_at_ms: live_until,
        client_id: None,
        client_until_ms: None,
        source: None,
        invites: true,
        imported: false,
        held: store::Held::default(),
    };
    store::insert_session(db, &session)?;
    Ok(session)
}

/// Ends a session from the page or the terminal. What is under way to it still comes in for some seconds.
pub fn end(db: &Connection, session: &mut Session, comment: Option<&str>) -> store::Result<()> {
    const LATE_MS: i64 = 10_000;
    if session.stopped_ms.is_none() {
        let now = clock::now_ms();
        session.close_at_ms = None;
        match session.kind {
            Kind::Continuous => session.stopped_ms = Some(now),
            _ => finish(session, now, &json!({})),
        }
        if session.invites {
            session.live_until_ms = Some(now + LATE_MS);
        }
    }
    if let Some(comment) = comment {
        describe(session, "comment", &comment.into());
    }
    store::update_session(db, session)
}

/// Changes what a session is called: `name`, `tags` or `comment`.
pub fn describe(session: &mut Session, key: &str, value: &Value) {
    let continuous = session.kind == Kind::Continuous && !session.imported;
    let mut target = &mut session.doc;
    if continuous {
        let data = target.entry("debugSessionData").or_insert_with(|| json!({}));
        match data.as_object_mut() {
            Some(data) => target = data,
            None => return,
        }
    }
    match key {
        // Where the platform's dashboard reads it.
        "comment" => {
            let attributes = target.entry("sessionAttributes").or_insert_with(|| json!({}));
            if let Some(attributes) = attributes.as_object_mut() {
                attributes.insert("comment".into(), value.clone());
            }
        }
        _ => {
            target.insert(key.to_owned(), value.clone());
        }
    }
    touch(&mut session.doc);
}

/// Keeps the window of a continuous session under the name and with the attributes that it was given.
pub fn save_as(app: &App, db: &Connection, session: &Session, name: Option<&str>) -> Result<Session, Refusal> {
    let data = session.doc.get("debugSessionData").cloned().unwrap_or_default();
    let body = json!({
        "name": name.map_or_else(|| text(&data, "name"), str::to_owned),
        "sessionAttributes": session_attributes(&data),
        "resourceAttributes": resource_attributes(&data),
    });
    let call = Call { caller: Caller::local(), id: session.id.clone(), body };
    let mut saved = save_window(app, db, &call)?;
    // Here a save from the page may have tags: it is the validator of the platform's route that does not let them pass.
    if let Some(tags) = data.get("tags").and_then(Value::as_array).filter(|tags| !tags.is_empty()) {
        saved.doc.insert("tags".into(), tags.clone().into());
        store::update_session(db, &saved)?;
    }
    Ok(store::any_session(db, &saved.id)?.unwrap_or(saved))
}

pub fn take_gauge(_: &App, _: &Connection, _: &Call) -> Outcome {
    Ok(Reply::Nothing)
}

/// A crash buffer asks for a session for what it is about to send.
pub fn start_from_error(app: &App, db: &Connection, call: &Call) -> Outcome {
    const BUFFER_PREFIX: &str = "debcdb";
    let span = &call.body["span"];
    let (Some(trace_id), Some(attributes)) = (span["traceId"].as_str(), span["attributes"].as_object()) else {
        return Err(Refusal::Internal);
    };
    let client_id: String = trace_id.chars().skip(6).take(8).collect();
    if !trace_id.starts_with(BUFFER_PREFIX) {
        return Err(Refusal::Invalid("Span is not a session cache span"));
    }
    let code = &span["status"]["code"];
    if code != 2 && code != "STATUS_CODE_ERROR" {
        return Err(Refusal::Invalid("Span is not an error span"));
    }
    let Some(title) = issue_title(span, attributes) else {
        return Ok(Reply::Nothing);
    };
    let now = clock::now_ms();
    if let Some(known) = store::client_session(db, &client_id, now)? {
        return Ok(Reply::Json(id_and_url(app, &known)));
    }
    let service = attributes.get("service.name").and_then(Value::as_str);
    if !app.new_issue(format!("{}\n{title}", service.unwrap_or_default()), now - ISSUE_THROTTLE_MS) {
        return Ok(Reply::Nothing);
    }
    let id = object_id(now);
    let short_id = free_short_id(db)?;
    let mut doc = new_document(&call.caller, &id, &short_id, "SESSION_CACHE", "ISSUE", now);
    doc.insert("name".into(), title.into());
    doc.insert("tags".into(), Value::Null);
    doc.insert("sessionAttributes".into(), json!({}));
    let resource = span["resource"]["attributes"].clone();
    doc.insert("resourceAttributes".into(), if resource.is_object() { resource } else { json!({}) });
    doc.insert("userAttributes".into(), Value::Null);
    let session = Session {
        id,
        short_id,
        kind: Kind::Issue,
        doc,
        started_ms: now,
        stopped_ms: None,
        live_until_ms: None,
        close_at_ms: Some(now + app.limits.grace_ms),
        client_id: Some(client_id),
        client_until_ms: Some(now + CLIENT_MS),
        source: None,
        invites: false,
        imported: false,
        held: store::Held::default(),
    };
    store::insert_session(db, &session)?;
    Ok(Reply::Json(id_and_url(app, &session)))
}

/// What the platform would call the issue, or nothing where it would make none: a span
/// without a resource, or one whose category is not recorded by default (HTTP, database).
fn issue_title(span: &Value, attributes: &Map<String, Value>) -> Option<String> {
    const HTTP: [&str; 4] = ["http.method", "http.target", "http.url", "http.route"];
    span.get("resource").filter(|r| r.is_object())?;
    let exception = &span["events"][0]["attributes"];
    let stack = exception["exception.stacktrace"].as_str();
    let other_category = |key: &String| HTTP.contains(&key.as_str()) || key.starts_with("db.");
    if stack.is_none() && attributes.keys().any(other_category) {
        return None;
    }
    let message = attributes
        .iter()
        .find(|(key, _)| key.contains("message"))
        .and_then(|(_, value)| value.as_str())
        .or_else(|| exception["exception.message"].as_str())
        .or_else(|| span["status"]["message"].as_str());
    let title = message.or(stack).or_else(|| span["name"].as_str());
    Some(title.unwrap_or_default().to_owned())
}

/// Ends what has to end by itself: manual sessions at their limit, crash sessions when
/// their data is in (or was never sent), and the old end of continuous sessions.
pub fn tick(app: &App) -> store::Result<()> {
    let now = clock::now_ms();
    app.store.write(|db| {
        for mut session in store::due_sessions(db, now)? {
            let due = session.close_at_ms.take().unwrap_or(now);
            if session.kind == Kind::Issue {
                let Some((first, last)) = store::extent(db, &session.id)? else {
                    store::delete_session(db, &session.id)?;
                    continue;
                };
                session.started_ms = first;
                session.doc.insert("startedAt".into(), clock::iso(first).into());
                finish(&mut session, last, &json!({}));
            } else if session.stopped_ms.is_none() {
                finish(&mut session, due, &json!({}));
            }
            store::update_session(db, &session)?;
        }
        for (id, title) in app.failed_sessions(now) {
            if let Some(session) = store::continuous_session(db, &id)?.filter(|s| s.stopped_ms.is_none()) {
                // (What can be refused is refused by the validator of the platform's route.)
                match save_as(app, db, &session, Some(&title)) {
                    Ok(_) | Err(Refusal::Invalid(_) | Refusal::NotFound(_) | Refusal::Internal) => {}
                }
            }
        }
        store::prune_continuous(db, now - app.limits.rows_ms)
    })
}

/// Keeps the store within its bounds, the oldest finished sessions first; those that are recorded into stay. Does a bit
/// at a time: true when there is more to do.
pub fn tidy(app: &App) -> store::Result<bool> {
    let now = clock::now_ms();
    let limits = &app.limits;
    let more = app.store.write(|db| {
        if store::empty_trash(db)? {
            return Ok(true);
        }
        let Some(oldest) = store::oldest_finished(db, now)? else { return Ok(false) };
        let too_old = limits.store_age_ms > 0 && oldest.stopped_ms.is_some_and(|t| t < now - limits.store_age_ms);
        let too_much = limits.store_bytes > 0 && store::used_bytes(db)? > limits.store_bytes;
        if too_old || too_much {
            store::delete_session(db, &oldest.id)?;
            app.stats.removed(!too_old);
            let name = text(&Value::Object(oldest.doc), "name");
            let why = if too_old { "its age (--max-age)" } else { "the store's size (--max-bytes)" };
            println!("mpr-local: session {} {name:?} was removed for {why}", oldest.id);
        }
        Ok::<_, rusqlite::Error>(too_old || too_much)
    })?;
    if more {
        app.store.give_back()?;
    }
    Ok(more)
}

// ---- documents -----------------------------------------------------------------------

fn new_document(
    owner: &Caller,
    id: &str,
    short_id: &str,
    session_type: &str,
    reason: &str,
    started_ms: i64,
) -> Map<String, Value> {
    let now = clock::iso(clock::now_ms());
    let doc = json!({
        "_id": id,
        "shortId": short_id,
        "workspace": owner.workspace,
        "project": owner.project,
        "sessionType": session_type,
        "creationReason": reason,
        "name": "",
        "tags": null,
        "issues": [],
        "sessionAttributes": {},
        "resourceAttributes": {},
        "userAttributes": null,
        "startedAt": clock::iso(started_ms),
        "views": [],
        "starredItems": [],
        "s3Files": [],
        "createdAt": now,
        "updatedAt": now,
        "__v": 0,
    });
    doc.as_object().cloned().unwrap_or_default()
}

fn finish(session: &mut Session, stopped_ms: i64, given: &Value) {
    session.stopped_ms = Some(stopped_ms);
    merge_attributes(&mut session.doc, given);
    let duration = (stopped_ms - session.started_ms).max(0);
    session.doc.insert("stoppedAt".into(), clock::iso(stopped_ms).into());
    session.doc.insert("durationInSeconds".into(), seconds(duration));
    touch(&mut session.doc);
}

/// Values that are there stay; what was nested becomes dotted keys, what was null goes.
fn merge_attributes(doc: &mut Map<String, Value>, given: &Value) {
    let mut merged = given.as_object().cloned().unwrap_or_default();
    if let Some(Value::Object(existing)) = doc.get("sessionAttributes") {
        merged.extend(existing.clone());
    }
    let flat = flatten(&Value::Object(merged));
    doc.insert("sessionAttributes".into(), flat.into());
}

fn flatten(value: &Value) -> Map<String, Value> {
    fn walk(value: &Value, prefix: &str, into: &mut Map<String, Value>) {
        let Value::Object(map) = value else { return };
        for (key, value) in map {
            let name = match prefix {
                "" => key.clone(),
                _ => format!("{prefix}.{key}"),
            };
            match value {
                Value::Null => {}
                Value::Object(_) => walk(value, &name, into),
                _ => {
                    into.insert(name, value.clone());
                }
            }
        }
    }
    let mut flat = Map::new();
    walk(value, "", &mut flat);
    flat
}

/// `sessionAttributes`, or the two older names for them together.
fn session_attributes(body: &Value) -> Value {
    if let Some(attributes) = body.get("sessionAttributes") {
        return attributes.clone();
    }
    let mut merged = Map::new();
    for key in ["metadata", "userMetadata"] {
        if let Some(Value::Object(map)) = body.get(key) {
            merged.extend(map.clone());
        }
    }
    merged.into()
}

fn resource_attributes(body: &Value) -> Value {
    ["resourceAttributes", "clientMetadata"].iter().find_map(|key| body.get(*key)).cloned().unwrap_or_else(|| json!({}))
}

/// The end user is written to a database that knows three types, and a visitor needs a
/// socket that a REST caller does not have (continuous sessions do not ask for it).
fn check_end_user(user: Option<&Value>, visitor: bool) -> Result<(), Refusal> {
    match user.filter(|u| truthy(u)) {
        None => Ok(()),
        Some(user) => match user.get("type").and_then(Value::as_str) {
            Some("USER" | "API_CLIENT") => Ok(()),
            Some("VISITOR") if visitor => Ok(()),
            _ => Err(Refusal::Internal),
        },
    }
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(s) => !s.is_empty(),
        Value::Number(n) => n.as_f64() != Some(0.0),
        _ => true,
    }
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Seconds as JavaScript prints them: 3, not 3.0.
fn seconds(ms: i64) -> Value {
    match ms % 1000 {
        0 => json!(ms / 1000),
        _ => json!(ms as f64 / 1000.0),
    }
}

fn touch(doc: &mut Map<String, Value>) {
    doc.insert("updatedAt".into(), clock::iso(clock::now_ms()).into());
}

fn with_url(app: &App, session: &Session) -> Map<String, Value> {
    let mut doc = session.doc.clone();
    doc.insert("url".into(), document::page(&app.base, &session.id).into());
    doc
}

fn id_and_url(app: &App, session: &Session) -> Value {
    json!({ "_id": session.id, "url": document::page(&app.base, &session.id) })
}

/// A Mongo ObjectId: seconds, then randomness.
pub fn object_id(now_ms: i64) -> String {
    let tail = document::hex(&rand::random::<[u8; 8]>());
    format!("{:08x}{tail}", (now_ms / 1000) as u32)
}

pub fn free_short_id(db: &Connection) -> store::Result<String> {
    loop {
        let id = document::hex(&rand::random::<[u8; 4]>());
        if store::any_session(db, &id)?.is_none() && !store::is_taken(db, &id)? {
            return Ok(id);
        }
    }
}
