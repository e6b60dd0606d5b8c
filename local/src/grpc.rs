//! OTLP over gRPC: unary `Export` of traces and logs, by hand on HTTP/2 (a frame of five bytes before the message, the
//! status in the trailers). Metrics are taken, counted and thrown away.

use std::convert::Infallible;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{to_bytes, Body};
use axum::extract::{Request, State};
use axum::http::{header, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body::Frame;
use prost::Message;

use crate::app::{blocking, App};
use crate::auth;
use crate::clients::{self, Sender};
use crate::intake::{self, media_type, Refused};
use crate::stats::Signal;

/// What a collector takes in one message unless told otherwise.
pub const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;
const PREFIX: usize = 5;

const INVALID_ARGUMENT: u16 = 3;
const RESOURCE_EXHAUSTED: u16 = 8;
const UNIMPLEMENTED: u16 = 12;
const INTERNAL: u16 = 13;
pub const UNAUTHENTICATED: u16 = 16;

pub const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
pub const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const WORDS: HeaderName = HeaderName::from_static("grpc-message");

/// A status and its words.
struct Failure(u16, String);

pub fn is_grpc(headers: &HeaderMap) -> bool {
    matches!(media_type(headers).as_str(), "application/grpc" | "application/grpc+proto")
}

/// An answer that is nothing but a status.
pub fn refusal(code: u16, message: &str) -> Response {
    let mut response = ().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from(code));
    if let Ok(words) = HeaderValue::from_str(&percent(message)) {
        headers.insert(WORDS, words);
    }
    response
}

/// As gRPC writes texts in headers.
fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

pub async fn unimplemented(request: Request) -> Response {
    refusal(UNIMPLEMENTED, &format!("unknown service or method {}", request.uri().path()))
}

pub async fn export(State(app): State<Arc<App>>, request: Request) -> Response {
    if request.method() != Method::POST || !is_grpc(request.headers()) {
        let message = "415 unsupported media type, supported: [application/grpc]";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response();
    }
    let signal = match request.uri().path() {
        TRACES => Some(Signal::Spans),
        LOGS => Some(Signal::Logs),
        _ => None,
    };
    let mut response = match take(&app, request, signal).await {
        Ok(()) => {
            match signal {
                Some(signal) => app.stats.accepted(signal),
                None => app.stats.metrics(),
            }
            success()
        }
        Err(Failure(code, message)) => {
            if let Some(signal) = signal {
                app.stats.refused_grpc(signal, code);
            }
            refusal(code, &message)
        }
    };
    response.headers_mut().insert(clients::HEADER, HeaderValue::from_static("1"));
    response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static("gzip,identity"));
    response
}

async fn take(app: &Arc<App>, request: Request, signal: Option<Signal>) -> Result<(), Failure> {
    let (parts, body) = request.into_parts();
    auth::intake(&parts.headers).map_err(|message| Failure(UNAUTHENTICATED, message.into()))?;
    let too_large = |size: usize| {
        Failure(RESOURCE_EXHAUSTED, format!("received message larger than max ({size} vs. {MESSAGE_LIMIT})"))
    };
    // Somewhat more than is taken, so that the sender reads the answer rather than sees a broken stream.
    let body = to_bytes(body, 4 * MESSAGE_LIMIT).await.map_err(|_| too_large(4 * MESSAGE_LIMIT))?;
    let worker = Arc::clone(app);
    blocking(move || {
        let (head, rest) = body.split_at_checked(PREFIX).ok_or_else(|| Failure(INTERNAL, "no message".into()))?;
        let length = head.iter().skip(1).fold(0, |all, byte| all << 8 | usize::from(*byte));
        if length > MESSAGE_LIMIT {
            return Err(too_large(length));
        }
        // One call has one message.
        if rest.len() != length {
            return Err(Failure(INTERNAL, format!("a message of {length} bytes was announced, {} came", rest.len())));
        }
        let message = match head.first() {
            Some(0) => rest.to_vec(),
            Some(1) => match parts.headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
                Some(b"gzip") => {
                    let mut plain = Vec::new();
                    MultiGzDecoder::new(rest)
                        .take(MESSAGE_LIMIT as u64 + 1)
                        .read_to_end(&mut plain)
                        .map_err(|e| Failure(INTERNAL, format!("gzip: {e}")))?;
                    if plain.len() > MESSAGE_LIMIT {
                        return Err(too_large(plain.len()));
                    }
                    plain
                }
                _ => return Err(Failure(UNIMPLEMENTED, "grpc-encoding: only gzip is understood".into())),
            },
            _ => return Err(Failure(INTERNAL, "the message's first byte is neither 0 nor 1".into())),
        };
        let sender = Sender::new(&parts.headers);
        let broken = |e: prost::DecodeError| Failure(INTERNAL, format!("error unmarshalling request: {e}"));
        match signal {
            Some(Signal::Spans) => intake::take_spans(&worker, &sender, Message::decode(&*message).map_err(broken)?),
            Some(Signal::Logs) => intake::take_logs(&worker, &sender, Message::decode(&*message).map_err(broken)?),
            None => Ok(()),
        }
        .map_err(|Refused { status, message }| match status {
            StatusCode::BAD_REQUEST => Failure(INVALID_ARGUMENT, message),
            _ => Failure(INTERNAL, message),
        })
    })
    .await
    .unwrap_or_else(|| Err(Failure(INTERNAL, "internal error".into())))
}

/// An empty message (all has gone well), then the status.
fn success() -> Response {
    let mut response = Response::new(Body::new(Answer::Message));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

enum Answer {
    Message,
    Status,
    Nothing,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = match *self {
            Answer::Message => {
                *self = Answer::Status;
                Frame::data(Bytes::from_static(&[0; PREFIX]))
            }
            Answer::Status => {
                *self = Answer::Nothing;
                Frame::trailers(HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))]))
            }
            Answer::Nothing => return Poll::Ready(None),
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Answer::Nothing)
    }
}
