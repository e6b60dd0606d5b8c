//! Who gets in. On 127.0.0.1 alone everybody of this machine does, and a key is no secret. Who listens on other
//! addresses has a token: it is the API key of whoever records here, and opens the page once by its address; from then
//! on the browser has a cookie.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{header, HeaderMap, HeaderValue, StatusCode, Version};
use axum::response::{IntoResponse, Response};

use crate::auth;
use crate::document::hex;
use crate::radar;

const COOKIE: &str = "mpr_local";

pub struct Access {
    pub listen: IpAddr,
    /// Names besides addresses that requests may be for.
    hosts: Vec<String>,
    token: Option<String>,
    cookie: String,
    /// What opens the page, each once.
    once: Mutex<Vec<String>>,
}

pub fn random_token() -> String {
    hex(&rand::random::<[u8; 16]>())
}

/// Takes as long for any two texts of the same length.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

impl Access {
    pub fn new(listen: IpAddr, hosts: Vec<String>, token: Option<String>) -> Self {
        Access { listen, hosts, token, cookie: random_token(), once: Mutex::default() }
    }

    pub fn base(&self, port: u16) -> String {
        match self.listen {
            listen if listen.is_unspecified() => format!("http://127.0.0.1:{port}"),
            IpAddr::V4(v4) => format!("http://{v4}:{port}"),
            IpAddr::V6(v6) => format!("http://[{v6}]:{port}"),
        }
    }

    /// The API key of who records here.
    pub fn key(&self) -> &str {
        self.token.as_deref().unwrap_or("local")
    }

    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What is put behind the page's address to open it, once.
    pub fn ticket(&self) -> String {
        if self.token.is_none() {
            return String::new();
        }
        let ticket = random_token();
        self.once.lock().unwrap_or_else(PoisonError::into_inner).push(ticket.clone());
        format!("?token={ticket}")
    }

    fn redeem(&self, ticket: &str) -> bool {
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        let found = once.iter().position(|known| same(known, ticket));
        found.map(|at| once.swap_remove(at)).is_some()
    }

    /// The answer to a request that does not get further.
    pub fn refusal(&self, request: &Request, ports: &[u16]) -> Option<Response> {
        let forbidden = |message: &'static str| {
            let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            Some((StatusCode::FORBIDDEN, kind, message).into_response())
        };
        let headers = request.headers();
        let own = |text: &str| self.is_own_authority(text, ports);
        let target = request.uri().authority();
        let host = only(headers, header::HOST.as_str());
        // HTTP/2 has the host in the target.
        let named = host.is_some_and(own)
            || (request.version() == Version::HTTP_2 && !headers.contains_key(header::HOST) && target.is_some());
        if !named || !target.is_none_or(|a| own(a.as_str())) {
            return forbidden(match self.has_token() {
                false => "mpr-local answers to 127.0.0.1 and localhost only\n",
                true => "mpr-local answers to addresses, to localhost and to the names given with --allow-host\n",
            });
        }
        if headers.contains_key(header::ORIGIN) {
            let origin = only(headers, header::ORIGIN.as_str()).and_then(|o| o.strip_prefix("http://"));
            let good = match self.listen.is_loopback() {
                true => origin.is_some_and(own),
                // Beyond this machine, addresses are anybody's.
                false => origin.is_some() && (origin == host || origin == target.map(Authority::as_str)),
            };
            if !good {
                return forbidden("mpr-local does not answer other origins\n");
            }
        }
        self.stranger(request)
    }

    fn stranger(&self, request: &Request) -> Option<Response> {
        let token = self.token.as_deref()?;
        let headers = request.headers();
        let path = request.uri().path();
        let is_token = |name: &str, prefix: &str| {
            only(headers, name).and_then(|v| v.strip_prefix(prefix)).is_some_and(|value| same(value, token))
        };
        // The platform's routes refuse in the platform's words, and only keys open them.
        if path.starts_with("/v0/radar/") {
            let bearer = headers.get(header::AUTHORIZATION).is_some_and(|v| v.as_bytes().starts_with(b"Bearer "));
            let known = is_token("x-api-key", "") && !bearer;
            return (!known).then(|| radar::refuse(401, "Authorization failed", "Unauthorized"));
        }
        if path.starts_with("/v1/") || path.starts_with("/opentelemetry.proto.") {
            // The intake has its own words for a key that looks wrong.
            let known = is_token("authorization", "") || auth::intake(headers).is_err();
            return match known {
                true => None,
                false if path.starts_with("/v1/") => {
                    Some((StatusCode::UNAUTHORIZED, "the key is not the token of this mpr-local").into_response())
                }
                false => Some(crate::grpc::refusal(
                    crate::grpc::UNAUTHENTICATED,
                    "the key is not the token of this mpr-local",
                )),
            };
        }
        if path == "/" {
            let ticket = request.uri().query().and_then(|q| q.split('&').find_map(|p| p.strip_prefix("token=")));
            if ticket.is_some_and(|ticket| self.redeem(ticket)) {
                let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Strict; Path=/", self.cookie);
                let to = [(header::SET_COOKIE, cookie.as_str()), (header::LOCATION, "/")];
                return Some((StatusCode::SEE_OTHER, to).into_response());
            }
        }
        let has_cookie = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
            .any(|value| same(value, &self.cookie));
        if has_cookie || is_token("authorization", "Bearer ") || is_token("x-api-key", "") {
            return None;
        }
        let message = "This recorder needs a token. Open the address that mpr-local printed (it works once), or ask \
                       for a new one: mpr-local link --url URL --token TOKEN\n";
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))];
        Some((StatusCode::UNAUTHORIZED, kind, message).into_response())
    }

    fn is_own_authority(&self, text: &str, ports: &[u16]) -> bool {
        let Ok(authority) = text.parse::<Authority>() else {
            return false;
        };
        let host = authority.host();
        let mut own_name = ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host.eq_ignore_ascii_case(name));
        if !self.listen.is_loopback() {
            // An address cannot be made to mean another machine, as a name can.
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            own_name |= bare.parse::<IpAddr>().is_ok();
        }
        own_name |= self.hosts.iter().any(|name| host.eq_ignore_ascii_case(name));
        // Whatever follows the name must be the port or nothing ("host:", "host:x", "u@host").
        let rest = text.get(host.len()..).unwrap_or("?");
        own_name && (rest.is_empty() || ports.iter().any(|port| rest == format!(":{port}")))
    }
}

/// The value of a header that is there exactly once.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
