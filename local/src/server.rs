//! The one origin: routes, what every request must satisfy, the page and its own API.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::{header, HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::Router;
use rusqlite::Connection;
use serde_json::{json, Value};

use crate::app::{blocking, App};
use crate::radar::{self, json_response, not_found_text};
use crate::store::{self, Session};
use crate::validate::{self, key, object, one_of, Schema, FREE_OBJECT};
use crate::{api, document, grpc, intake, page};

/// Nothing from elsewhere, nothing inline: recorded text cannot become code.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

const SETTINGS_LIMIT: usize = 64 * 1024;

pub fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/sessions", get(api::list).post(api::start))
        .route("/sessions/{id}", get(session).patch(api::change).delete(api::remove))
        .route("/sessions/{id}/export", get(export))
        .route("/sessions/{id}/stop", post(api::stop))
        .route("/sessions/{id}/save", post(api::save))
        .route("/sessions/{id}/summary", get(api::summary))
        .route("/sessions/{id}/search", get(api::search))
        .route("/sessions/{id}/spans", get(api::spans))
        .route("/sessions/{id}/spans.ndjson", get(api::span_lines))
        .route("/sessions/{id}/spans/{trace}/{span}", get(api::span))
        .route("/sessions/{id}/spans/{trace}/{span}/content/{direction}/body", get(api::content_body))
        .route("/sessions/{id}/logs", get(api::logs))
        .route("/sessions/{id}/logs.ndjson", get(api::log_lines))
        .route("/import", post(api::import))
        .route("/diff", get(api::diff))
        .route("/processes", get(api::processes))
        .route("/limits", get(api::limits))
        .route("/link", post(api::link))
        .route("/stats", get(stats))
        .route("/remote-check", get(remote_check).put(set_remote_check))
        .fallback(api::nothing);
    Router::new()
        .route("/", get(|| async { page::index(StatusCode::OK) }))
        .route("/compare", get(|| async { page::index(StatusCode::OK) }))
        .route("/health", get(|| async { page::index(StatusCode::OK) }))
        .route("/sessions/{id}", get(session_page))
        .route("/assets/{*name}", get(page::asset))
        .nest("/api", api)
        .route("/v0/radar/{*path}", any(radar::handle))
        .route("/v1/traces", any(intake::traces))
        .route("/v1/logs", any(intake::logs))
        .merge(grpc_routes())
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

fn grpc_routes() -> Router<Arc<App>> {
    Router::new()
        .route(grpc::TRACES, any(grpc::export))
        .route(grpc::LOGS, any(grpc::export))
        .route(grpc::METRICS, any(grpc::export))
}

/// What the port of OTLP over gRPC has: nothing else.
pub fn grpc_router(app: Arc<App>) -> Router {
    grpc_routes().fallback(unknown).layer(middleware::from_fn_with_state(Arc::clone(&app), guard)).with_state(app)
}

async fn unknown(request: Request) -> Response {
    match grpc::is_grpc(request.headers()) {
        true => grpc::unimplemented(request).await,
        false => not_found_text(),
    }
}

// ---- what every request must satisfy ---------------------------------------------------

/// The server is for this machine alone, or for who has the token. A page from elsewhere that points a name of its
/// own here (DNS rebinding) shows itself by `Host`, one that just sends by `Origin`.
async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = match app.access.refusal(&request, &app.ports) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

// ---- the page --------------------------------------------------------------------------

async fn session_page(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    match read(app, move |_, db| store::any_session(db, &id)).await {
        Some(Some(_)) => page::index(StatusCode::OK),
        Some(None) => page::index(StatusCode::NOT_FOUND),
        None => failed(),
    }
}

// ---- its API ---------------------------------------------------------------------------

/// The whole session; `If-None-Match` spares the page what it has already.
async fn session(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).cloned();
    let found = read(app, move |app, db| {
        let Some(session) = store::any_session(db, &id)? else {
            return Ok(None);
        };
        let tag = entity_tag(db, &session)?;
        if known.is_some_and(|k| k.as_bytes() == tag.as_bytes()) {
            return Ok(Some((tag, None)));
        }
        let whole = document::whole(db, &session, Some(&app.base))?;
        Ok(Some((tag, Some(whole))))
    });
    match found.await {
        Some(Some((tag, Some(whole)))) => {
            ([(header::ETAG, tag)], json_response(StatusCode::OK, &whole)).into_response()
        }
        Some(Some((tag, None))) => (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response(),
        Some(None) => no_session(),
        None => failed(),
    }
}

async fn export(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let found = read(app, move |app, db| {
        store::any_session(db, &id)?.map(|s| Ok((s.id.clone(), document::whole(db, &s, Some(&app.base))?))).transpose()
    });
    match found.await {
        Some(Some((id, whole))) => {
            let name = format!("attachment; filename=\"session-{id}.json\"");
            let kind = "application/json; charset=utf-8".to_owned();
            let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)];
            (headers, format!("{whole:#}\n")).into_response()
        }
        Some(None) => no_session(),
        None => failed(),
    }
}

async fn stats(State(app): State<Arc<App>>) -> Response {
    let mut stats = app.stats.json();
    stats["database"] = app.store.path().to_string_lossy().into();
    let used = read(Arc::clone(&app), |_, db| store::used_bytes(db)).await;
    let bound = |n: i64, unit: i64| (n > 0).then_some(n / unit);
    stats["store"] = json!({
        "bytes": used,
        "max_bytes": bound(app.limits.store_bytes, 1),
        "max_age_seconds": bound(app.limits.store_age_ms, 1000),
    });
    json_response(StatusCode::OK, &stats)
}

async fn remote_check(State(app): State<Arc<App>>) -> Response {
    json_response(StatusCode::OK, &app.remote_check())
}

/// Changes what remote checks are answered with, as a project's settings would.
async fn set_remote_check(State(app): State<Arc<App>>, request: Request) -> Response {
    const SETTINGS: Schema = object(&[
        key("shouldStart", Schema::Bool),
        key("mode", one_of(&["CONTINUOUS", "MANUAL"])),
        key("recordingOptions", FREE_OBJECT),
    ]);
    let bad = |message: String| json_response(StatusCode::BAD_REQUEST, &json!({ "error": message }));
    let body = match to_bytes(request.into_body(), SETTINGS_LIMIT).await {
        Ok(body) => body,
        Err(e) => return bad(e.to_string()),
    };
    let settings: Value = match serde_json::from_slice(&body) {
        Ok(settings) => settings,
        Err(e) => return bad(e.to_string()),
    };
    if let Err(message) = validate::check(&SETTINGS, "body", &settings) {
        return bad(message);
    }
    let changed = app.change_remote_check(|current| {
        for (key, value) in settings.as_object().into_iter().flatten() {
            current[key] = value.clone();
        }
    });
    json_response(StatusCode::OK, &changed)
}

async fn read<T: Send + 'static>(
    app: Arc<App>,
    look: impl FnOnce(&App, &Connection) -> store::Result<T> + Send + 'static,
) -> Option<T> {
    let done = blocking(move || {
        let db = app.store.reader()?;
        // One view of the data, although it is read in several queries.
        let view = db.unchecked_transaction()?;
        look(&app, &view)
    });
    match done.await? {
        Ok(value) => Some(value),
        Err(e) => {
            eprintln!("mpr-local: database: {e}");
            None
        }
    }
}

fn entity_tag(db: &Connection, session: &Session) -> store::Result<String> {
    let mut hasher = DefaultHasher::new();
    (session.held.revision, store::last_rows(db, &session.id)?).hash(&mut hasher);
    Value::Object(session.doc.clone()).to_string().hash(&mut hasher);
    let ended = session.live_until_ms.is_none_or(|until| until <= crate::clock::now_ms());
    ended.hash(&mut hasher);
    Ok(format!("\"{:016x}\"", hasher.finish()))
}

fn no_session() -> Response {
    json_response(StatusCode::NOT_FOUND, &json!({ "error": "there is no such session" }))
}

fn failed() -> Response {
    json_response(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "the database could not be read" }))
}

/// The environment that makes a process record here.
pub fn environment(app: &App) -> [(&'static str, String); 3] {
    [
        ("MULTIPLAYER_BASE_API_URL", app.base.clone()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", app.base.clone()),
        ("MULTIPLAYER_API_KEY", app.access.key().to_owned()),
    ]
}
