//! The platform's session API: paths, bodies, and what each status means (docs/protocol.md).

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::config::Config;
use crate::http::{self, Http};
use crate::status::{
    mpr_status, Error, Result, MPR_ERR_NETWORK, MPR_ERR_REJECTED, MPR_ERR_TIMEOUT, MPR_ERR_UNAUTHORIZED,
};

/// A session document of the platform is a few KB.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;
/// Kept of timeout_ms for getting an answer back to the caller.
const LONGEST_MARGIN: Duration = Duration::from_millis(100);
/// Attempts for a server that cannot be reached, with growing pauses between.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(300)];

/// Where a refusal came from, for callers that treat one status in their own way.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status; 0 when there was no answer.
    pub http: u16,
    /// What the host is told.
    pub error: Error,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        refused.error
    }
}

/// Client of the session API.
pub struct Rest {
    http: Arc<Http>,
    config: Arc<Config>,
}

impl Rest {
    /// Shares the recorder's HTTP client.
    pub fn new(config: Arc<Config>, http: Arc<Http>) -> Self {
        Self { http, config }
    }

    /// One call below `/v0/radar`. The answer is Null when it has no body.
    ///
    /// # Errors
    /// MPR_ERR_UNAUTHORIZED for 401 and 403, MPR_ERR_REJECTED for any other refusal and for an answer that is not JSON,
    /// MPR_ERR_NETWORK when the server cannot be reached (or 502, 503, 504), MPR_ERR_TIMEOUT.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let timed_out = || Refused {
            http: 0,
            error: Error::new(
                MPR_ERR_TIMEOUT,
                format!("no answer from {} within {} ms", self.server(), self.config.timeout.as_millis()),
            ),
        };
        // A little less than the limit around it, which could not tell who did not answer.
        let limit = self.config.timeout.saturating_sub((self.config.timeout / 20).min(LONGEST_MARGIN));
        tokio::time::timeout(limit, self.attempts(method, path, body)).await.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn attempts(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let mut pauses = PAUSES.iter();
        loop {
            let (refused, safe_to_repeat) = match self.attempt(method.clone(), path, body).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            match pauses.next() {
                Some(pause) if refused.error.status == MPR_ERR_NETWORK && safe_to_repeat => {
                    tokio::time::sleep(*pause).await;
                }
                _ => return Err(refused),
            }
        }
    }

    /// The second part of the error tells whether the server cannot have acted on the request.
    async fn attempt(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, (Refused, bool)> {
        let fail = |http: u16, status: mpr_status, text: String| Refused { http, error: Error::new(status, text) };
        let idempotent = method != Method::POST;
        let client = self.http.client().map_err(|error| (Refused { http: 0, error }, false))?;
        let mut key = HeaderValue::from_str(self.config.api_key.expose())
            .map_err(|_| (fail(0, MPR_ERR_UNAUTHORIZED, "the API key is not usable in a header".into()), false))?;
        key.set_sensitive(true);
        let mut request = client
            .request(method, format!("{}/v0/radar{path}", self.config.api_base_url))
            .header("X-Api-Key", key)
            .header("Accept", "application/json")
            // The limit around all attempts is the one that counts, and it says more.
            .timeout(self.config.timeout * 2);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(|e| {
            let status = if e.is_timeout() { MPR_ERR_TIMEOUT } else { MPR_ERR_NETWORK };
            let text = format!("{} cannot be reached: {}", self.server(), http::describe(&e));
            (fail(0, status, text), idempotent || e.is_connect())
        })?;
        let status = response.status();
        let answer = http::read_bounded(response, ANSWER_LIMIT)
            .await
            .map_err(|e| (fail(0, e.status, format!("the answer broke off: {}", e.message)), idempotent))?;
        let json: Option<Value> = serde_json::from_slice(&answer).ok();
        if status.is_success() {
            return match (json, answer.is_empty()) {
                (_, true) => Ok(Value::Null),
                (Some(json), _) => Ok(json),
                (None, false) => {
                    let text =
                        format!("HTTP {} with an answer that is not JSON; is api_base_url right?", status.as_u16());
                    Err((fail(status.as_u16(), MPR_ERR_REJECTED, text), false))
                }
            };
        }
        let said = json.as_ref().and_then(|json| json.get("message")).and_then(Value::as_str).unwrap_or_default();
        let said = self.without_key(said);
        let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
        let (code, meaning) = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (MPR_ERR_UNAUTHORIZED, "the API key was refused"),
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => (MPR_ERR_NETWORK, "the platform is not available"),
            StatusCode::CONFLICT => (MPR_ERR_REJECTED, "the platform refused the request"),
            StatusCode::NOT_FOUND => (MPR_ERR_REJECTED, "the platform knows no such session or path"),
            _ if status.is_redirection() => {
                (MPR_ERR_REJECTED, "the server redirects; set api_base_url to where it points")
            }
            _ => (MPR_ERR_REJECTED, "the platform failed on the request"),
        };
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let refused = fail(status.as_u16(), code, format!("{meaning} (HTTP {}){said}", status.as_u16()));
        Err((refused, idempotent))
    }

    /// Host and port alone: the rest of a URL may hold a password.
    fn server(&self) -> String {
        let url = reqwest::Url::parse(&self.config.api_base_url).ok();
        let host = url.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
        host.map_or("the platform".into(), |(host, port)| format!("{host}:{port}"))
    }

    /// A server may echo what it was sent.
    fn without_key(&self, text: &str) -> String {
        text.replace(self.config.api_key.expose(), "***")
    }
}
