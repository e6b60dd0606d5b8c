//! One request to the receiver: OTLP over HTTP as protobuf or JSON, or over gRPC, all from the same encoded request.

use std::future::poll_fn;
use std::io::Write;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use flate2::{write::GzEncoder, Compression as Level};
use http_body::Body as _;
use reqwest::header::{
    HeaderMap, HeaderName, HeaderValue, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, RETRY_AFTER, TE,
};
use reqwest::{Body, Client, Response, StatusCode, Url};

use super::answer::{self, Answer, HttpAnswer};
use super::json;
use super::otlp::{encode_request, Item, Signal};
use crate::config::options::percent_decoded;
use crate::config::{Compression, Config, Protocol};
use crate::http::{self, Http};
use crate::status::Result;

/// The quickest of its ordinary levels.
const ZSTD_LEVEL: i32 = 1;
/// An answer to an export has no reason to be longer.
const ANSWER_LIMIT: usize = 64 * 1024;
/// gRPC has eight digits for it.
const LONGEST_GRPC_TIMEOUT: Duration = Duration::from_millis(99_999_999);
/// In an answer: the receiver wants to know how this process fares, as the local recorder does. In requests from then on: that.
const ACCOUNT: HeaderName = HeaderName::from_static("mpr-stats");

/// Where the library's requests go.
pub struct Transport {
    config: Arc<Config>,
    http: Arc<Http>,
    headers: HeaderMap,
    asked: AtomicBool,
    /// The client of gRPC, anew after an answer that did not come: its one connection may be dead, and is shared.
    grpc: Mutex<Option<Client>>,
}

impl Transport {
    /// Nothing is opened before the first request.
    pub fn new(config: Arc<Config>, http: Arc<Http>) -> Self {
        Self { headers: headers(&config), asked: AtomicBool::new(false), config, http, grpc: Mutex::default() }
    }

    /// The body of a request, to be sent as often as it needs.
    pub fn encode(&self, signal: Signal, items: &[Item]) -> Bytes {
        let request = encode_request(items);
        match (self.config.protocol, signal) {
            (Protocol::HttpProtobuf, _) => self.compress(request),
            (Protocol::HttpJson, Signal::Traces) => self.compress(json::traces(&request)),
            (Protocol::HttpJson, Signal::Logs) => self.compress(json::logs(&request)),
            (Protocol::Grpc, _) => {
                let message = self.compress(request);
                let mut framed = Vec::with_capacity(message.len() + 5);
                framed.push(u8::from(self.config.compression != Compression::None));
                // A request is bounded far below 4 GiB.
                framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
                framed.extend_from_slice(&message);
                framed.into()
            }
        }
    }

    fn compress(&self, bytes: Vec<u8>) -> Bytes {
        match self.config.compression {
            Compression::None => bytes.into(),
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Level::fast());
                // Writing to memory does not fail.
                let _ = encoder.write_all(&bytes);
                encoder.finish().unwrap_or_default().into()
            }
            Compression::Zstd => {
                let mut out = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
                // With room for the worst case nothing but memory can fail; a body of nothing is then refused, and tried in halves.
                let _ = zstd_safe::compress(&mut out, &bytes, ZSTD_LEVEL);
                out.shrink_to_fit();
                out.into()
            }
        }
    }

    /// Sends a body once.
    pub async fn attempt(&self, signal: Signal, body: Bytes) -> Answer {
        let result = match self.config.protocol {
            Protocol::Grpc => self.grpc(signal, body).await,
            _ => self.http(signal, body).await,
        };
        // No client can be made of what the host has configured or the system has: that may pass.
        result.unwrap_or_else(|e| Answer::retry(e.message))
    }

    fn endpoint(&self, signal: Signal) -> &Url {
        match signal {
            Signal::Traces => &self.config.traces_endpoint,
            Signal::Logs => &self.config.logs_endpoint,
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        if self.asked.load(Ordering::Relaxed) {
            headers.extend(HeaderValue::try_from((self.http.account)()).map(|account| (ACCOUNT, account)));
        }
        headers
    }

    fn note(&self, answer: &HeaderMap) {
        if answer.contains_key(ACCOUNT) {
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    async fn http(&self, signal: Signal, body: Bytes) -> Result<Answer> {
        let request = self.http.client()?.post(self.endpoint(signal).clone()).headers(self.headers()).body(body);
        let response = match request.send().await {
            Ok(response) => response,
            Err(e) => return Ok(Answer::retry(http::describe(&e))),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        self.note(&headers);
        // Also an answer that tells no more is read to its end, so that the connection can be used again.
        let body = http::read_bounded(response, ANSWER_LIMIT).await.unwrap_or_default();
        let json = text(&headers, &CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
        let (retry_after, date) = (text(&headers, &RETRY_AFTER), text(&headers, &DATE));
        Ok(answer::of_http(&HttpAnswer { status, retry_after, date, json, body: &body }, signal))
    }

    async fn grpc(&self, signal: Signal, body: Bytes) -> Result<Answer> {
        let client = self.grpc_client()?;
        let mut url = self.endpoint(signal).clone();
        url.set_path(match signal {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        });
        url.set_query(None);
        let answered = match client.post(url).headers(self.headers()).body(body).send().await {
            Ok(response) => {
                self.note(response.headers());
                grpc_answer(response).await
            }
            Err(e) => Err(e),
        };
        Ok(answered.unwrap_or_else(|e| {
            if e.is_timeout() {
                if let Ok(mut kept) = self.grpc.lock() {
                    *kept = None;
                }
            }
            Answer::retry(http::describe(&e))
        }))
    }

    fn grpc_client(&self) -> Result<Client> {
        let mut kept = self.grpc.lock()?;
        if let Some(client) = kept.as_ref() {
            return Ok(client.clone());
        }
        Ok(kept.insert(self.http.new_grpc_client()?).clone())
    }
}

/// Message, then status in the trailers; or the status alone, in the head.
async fn grpc_answer(response: Response) -> reqwest::Result<Answer> {
    let (status, mut trailers) = (response.status(), response.headers().clone());
    if status != StatusCode::OK {
        let after = text(&trailers, &RETRY_AFTER).zip(Some(text(&trailers, &DATE)));
        let after = after.and_then(|(after, date)| answer::retry_after(after, date, std::time::SystemTime::now()));
        return Ok(answer::of_http_to_grpc(status.as_u16(), after));
    }
    let (mut body, mut message) = (Body::from(response), Vec::new());
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame?.into_data() {
            Ok(data) => {
                let room = ANSWER_LIMIT.saturating_sub(message.len());
                message.extend_from_slice(data.get(..room).unwrap_or(&data));
            }
            Err(frame) => trailers.extend(frame.into_trailers().into_iter().flatten()),
        }
    }
    Ok(grpc_status(&trailers, &message))
}

fn grpc_status(trailers: &HeaderMap, message: &[u8]) -> Answer {
    let get = |name: &'static str| text(trailers, &HeaderName::from_static(name)).unwrap_or_default();
    let Ok(code) = get("grpc-status").trim().parse::<u32>() else {
        return Answer::Final { why: "no gRPC status in the answer; is the endpoint a gRPC one?".into() };
    };
    if code != 0 {
        let said = percent_decoded(get("grpc-message"));
        let details = get("grpc-status-details-bin").trim_end_matches('=');
        let details = base64::engine::general_purpose::STANDARD_NO_PAD.decode(details).unwrap_or_default();
        return answer::of_grpc(code, &said, &details);
    }
    // The request allows no compressed answer; one that comes all the same confirms all.
    match message.split_first_chunk::<5>() {
        Some((prefix, message)) if prefix.first() == Some(&0) => answer::delivered(message),
        _ => answer::delivered(&[]),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What all requests have. The key goes raw, with no "Bearer": the platform refuses any space. A host's own Authorization
/// header wins.
fn headers(config: &Config) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    let encoding = match config.compression {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
        Compression::Zstd => Some("zstd"),
    };
    match config.protocol {
        Protocol::Grpc => {
            set(CONTENT_TYPE, "application/grpc");
            set(TE, "trailers");
            encoding.map(|encoding| set(HeaderName::from_static("grpc-encoding"), encoding));
            set(HeaderName::from_static("grpc-accept-encoding"), "identity");
            let limit = format!("{}m", config.timeout.min(LONGEST_GRPC_TIMEOUT).as_millis());
            headers.extend(HeaderValue::try_from(limit).map(|limit| (HeaderName::from_static("grpc-timeout"), limit)));
        }
        protocol => {
            let json = protocol == Protocol::HttpJson;
            set(CONTENT_TYPE, if json { "application/json" } else { "application/x-protobuf" });
            encoding.map(|encoding| set(CONTENT_ENCODING, encoding));
        }
    }
    let key = HeaderValue::from_str(config.api_key.expose()).map(|mut value| {
        value.set_sensitive(true);
        (AUTHORIZATION, value)
    });
    headers.extend(key);
    for (name, value) in &config.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    headers
}
