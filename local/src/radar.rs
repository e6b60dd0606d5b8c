//! The session API under `/v0/radar` as HTTP: routes, refusals, answers.
//!
//! The order of refusals is the platform's: body that does not parse, unknown route, caller,
//! validation, and then what the call itself finds (`sessions.rs`).

use std::sync::Arc;

use axum::body::{to_bytes, Body};
use axum::extract::{Request, State};
use axum::http::{header, HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use rusqlite::Connection;
use serde_json::{json, Value};

use crate::app::{blocking, App};
use crate::auth;
use crate::sessions::{Call, Outcome, Refusal, Reply};
use crate::validate::{self, Schema};
use crate::{intake, schemas, sessions};

const PREFIX: &str = "/v0/radar";
const BODY_LIMIT: usize = 200 * 1024 * 1024;

type Act = fn(&App, &Connection, &Call) -> Outcome;

struct Route {
    method: Method,
    path: &'static str,
    /// None: the platform does not look at the body.
    body: Option<&'static Schema>,
    act: Act,
}

/// In the platform's order: the first that matches wins.
static ROUTES: &[Route] = &[
    route(Method::POST, "debug-sessions/start", Some(&schemas::START), sessions::start),
    route(Method::POST, "debug-sessions/error-span/start", Some(&schemas::ERROR_SPAN), sessions::start_from_error),
    route(Method::PATCH, "debug-sessions/:debugSessionId", Some(&schemas::UPDATE), sessions::update),
    route(Method::PATCH, "debug-sessions/:debugSessionId/stop", Some(&schemas::STOP), sessions::stop),
    route(Method::GET, "debug-sessions/:debugSessionId", None, sessions::get),
    route(Method::DELETE, "debug-sessions/:debugSessionId/cancel", Some(&schemas::EMPTY), sessions::cancel),
    route(Method::POST, "debug-sessions/:debugSessionId/rrweb-events", Some(&schemas::RRWEB), sessions::take_rrweb),
    route(
        Method::POST,
        "continuous-debug-sessions/start",
        Some(&schemas::CONTINUOUS_START),
        sessions::start_continuous,
    ),
    route(
        Method::POST,
        "continuous-debug-sessions/:continuousDebugSessionId/save",
        Some(&schemas::SAVE),
        sessions::save,
    ),
    route(
        Method::DELETE,
        "continuous-debug-sessions/:continuousDebugSessionId/cancel",
        Some(&schemas::EMPTY),
        sessions::cancel_continuous,
    ),
    route(Method::GET, "continuous-debug-sessions/:continuousDebugSessionId", None, sessions::get_continuous),
    route(Method::POST, "remote-session-recording/check", Some(&schemas::REMOTE_CHECK), sessions::check_remote),
    route(Method::POST, "metrics/gauge", Some(&schemas::GAUGE), sessions::take_gauge),
];

const fn route(method: Method, path: &'static str, body: Option<&'static Schema>, act: Act) -> Route {
    Route { method, path, body, act }
}

/// Everything under `/v0/radar`.
pub async fn handle(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match read_json(&parts.headers, body).await {
        Ok(body) => body,
        Err(status) => return generic(status),
    };
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let path: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let Some((route, parameter)) = find(&parts.method, &path) else {
        return not_found_text();
    };
    let caller = match auth::session_api(&parts.headers) {
        Ok(caller) => caller,
        Err(message) => return refuse(401, message, "Unauthorized"),
    };
    if let Err(message) = validate_call(route, parameter, &body) {
        return refuse(409, &message, "Error");
    }
    let (name, id) = parameter.unwrap_or_default();
    // The platform passes all three id lengths and then fails to read 16 as an ObjectId.
    if name == "debugSessionId" && id.len() == 16 {
        return generic(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let call = Call { caller, id: id.to_owned(), body };
    let outcome =
        blocking(move || app.store.write(|db| (route.act)(&app, db, &call))).await.unwrap_or(Err(Refusal::Internal));
    match outcome {
        Ok(Reply::Json(value)) => json_response(StatusCode::OK, &value),
        Ok(Reply::Nothing) => StatusCode::NO_CONTENT.into_response(),
        Err(Refusal::Invalid(message)) => refuse(409, message, "Error"),
        Err(Refusal::NotFound(message)) => refuse(404, message, "NotFound"),
        Err(Refusal::Internal) => generic(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// A path's parameter: name and value.
type Parameter<'p> = (&'static str, &'p str);

fn find<'p>(method: &Method, path: &[&'p str]) -> Option<(&'static Route, Option<Parameter<'p>>)> {
    ROUTES.iter().filter(|route| route.method == method).find_map(|route| {
        let pattern: Vec<&'static str> = route.path.split('/').collect();
        let mut parameter = None;
        let fits = pattern.len() == path.len()
            && pattern.iter().zip(path).all(|(want, have)| match want.strip_prefix(':') {
                Some(name) => {
                    parameter = Some((name, *have));
                    true
                }
                None => want == have,
            });
        fits.then_some((route, parameter))
    })
}

fn validate_call(route: &Route, parameter: Option<Parameter>, body: &Value) -> Result<(), String> {
    match parameter {
        Some((name @ "debugSessionId", id)) => validate::check(&schemas::DEBUG_ID, "params", &json!({ name: id }))?,
        Some((name, id)) => validate::check(&schemas::CONTINUOUS_ID, "params", &json!({ name: id }))?,
        None => {}
    }
    route.body.map_or(Ok(()), |schema| validate::check(schema, "body", body))
}

/// The body as `body-parser` sees it: `{}` unless JSON is declared and present, and then
/// an object or an array.
async fn read_json(headers: &HeaderMap, body: Body) -> Result<Value, StatusCode> {
    let bytes = to_bytes(body, BODY_LIMIT).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    if intake::media_type(headers) != "application/json" || bytes.is_empty() {
        return Ok(json!({}));
    }
    let headers = headers.clone();
    let parsed = blocking(move || {
        let bytes = intake::inflate(&headers, &bytes, BODY_LIMIT).map_err(|e| e.status)?;
        match serde_json::from_slice(&bytes) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(value),
            _ => Err(StatusCode::BAD_REQUEST),
        }
    });
    parsed.await.unwrap_or(Err(StatusCode::INTERNAL_SERVER_ERROR))
}

pub fn json_response(status: StatusCode, value: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, kind, value.to_string()).into_response()
}

pub fn refuse(code: u16, message: &str, status: &str) -> Response {
    let body = json!({ "statusCode": code, "message": message, "status": status });
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_response(code, &body)
}

/// What the platform says of anything that is not one of its own errors.
fn generic(status: StatusCode) -> Response {
    refuse(status.as_u16(), "An error occurred. We are looking into it.", "InternalServerError")
}

pub fn not_found_text() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (StatusCode::NOT_FOUND, kind, "Not found").into_response()
}
