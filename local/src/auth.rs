//! Who may speak. The local key is no secret: any non-empty key will do, but whatever the
//! platform refuses by the look of it (a Bearer token, a space, a dead or foreign JWT) is
//! refused here too.

use axum::http::HeaderMap;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use base64::Engine;
use serde_json::{json, Map, Value};

use crate::clock;

/// The ids a session gets when the key names none.
const LOCAL_WORKSPACE: &str = "00000000000000000000c0de";
const LOCAL_PROJECT: &str = "00000000000000000000face";

/// With this begin the keys of processes that `mpr-local run` started.
pub const RUN_KEY: &str = "local-run";

/// What is known of the caller.
pub struct Caller {
    pub key: String,
    pub workspace: String,
    pub project: String,
}

impl Caller {
    /// The page and the terminal.
    pub fn local() -> Self {
        caller("", None)
    }
}

pub fn is_run_key(key: &str) -> bool {
    key.starts_with(RUN_KEY)
}

/// The session API: `X-Api-Key`. The error is the platform's message for a 401.
pub fn session_api(headers: &HeaderMap) -> Result<Caller, &'static str> {
    const NOT_KNOWN: &str = "Authorization failed";
    const NOT_A_KEY: &str = "";
    // A bearer token is looked up first, and a miss is final even beside a good key.
    let authorization = text(headers, "authorization").unwrap_or_default();
    if authorization.starts_with("Bearer ") || authorization.starts_with("bearer ") {
        return Err(NOT_KNOWN);
    }
    let key = match headers.get("x-api-key") {
        None => return Err(NOT_KNOWN),
        Some(value) => value.to_str().map_err(|_| NOT_A_KEY)?,
    };
    if key.is_empty() {
        return Err(NOT_KNOWN);
    }
    if key.contains(char::is_whitespace) {
        return Err(NOT_A_KEY);
    }
    let claims = jwt_claims(key);
    if claims.as_ref().is_some_and(expired) {
        return Err(NOT_A_KEY);
    }
    Ok(caller(key, claims.as_ref()))
}

/// The intake: `Authorization: <raw key>`.
pub fn intake(headers: &HeaderMap) -> Result<(), &'static str> {
    let value = match headers.get("authorization") {
        None => return Err("missing authorization header"),
        Some(value) => value.to_str().map_err(|_| "bad authorization header")?,
    };
    if value.is_empty() {
        return Err("missing authorization header");
    }
    if value.contains(char::is_whitespace) {
        return Err("authorization must be the raw key: no space, no 'Bearer'");
    }
    if let Some(claims) = jwt_claims(value) {
        if claims.get("type").and_then(Value::as_str) != Some("OTEL") {
            return Err("the key is not of type OTEL");
        }
        if expired(&claims) {
            return Err("the key has expired");
        }
    }
    Ok(())
}

/// A key that looks like the platform's temporary one: JWT-shaped, signed by nobody.
pub fn temporary_key(caller: &Caller, object: &str, id: &str, seconds: i64) -> String {
    let now = clock::now_ms() / 1000;
    let claims = json!({
        "workspace": caller.workspace,
        "project": caller.project,
        "type": "OTEL",
        "temporary": true,
        "objectType": object,
        "objectId": id,
        "iat": now,
        "exp": now + seconds,
    });
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    format!(
        "{}.{}.{}",
        part(br#"{"alg":"HS256","typ":"JWT"}"#),
        part(claims.to_string().as_bytes()),
        part(&rand::random::<[u8; 32]>())
    )
}

fn caller(key: &str, claims: Option<&Map<String, Value>>) -> Caller {
    let claim =
        |name: &str, other: &str| claims.and_then(|c| c.get(name)).and_then(Value::as_str).unwrap_or(other).to_owned();
    Caller {
        key: key.to_owned(),
        workspace: claim("workspace", LOCAL_WORKSPACE),
        project: claim("project", LOCAL_PROJECT),
    }
}

/// The payload of a JWT-shaped key, unverified: there is no secret to verify it with.
fn jwt_claims(key: &str) -> Option<Map<String, Value>> {
    let mut parts = key.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(claims)) => Some(claims),
        _ => None,
    }
}

fn expired(claims: &Map<String, Value>) -> bool {
    claims.get("exp").and_then(Value::as_f64).is_some_and(|exp| exp * 1000.0 <= clock::now_ms() as f64)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}
