//! From the queue to the receiver: batches, OTLP over HTTP with gzip, retries with backoff, every item settled once.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::{write::GzEncoder, Compression};
use prost::Message;
use rand::Rng;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use tokio::sync::Semaphore;

use super::otlp::{encode_request, Item, Signal};
use super::queue::{Batch, Outcome, Queue};
use crate::config::Config;
use crate::http;
use crate::process::log::{self, Level};
use crate::trace::Kind;

/// Requests on their way at a time: one that hangs does not delay the others.
const CONCURRENT_REQUESTS: usize = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(16);
/// While somebody waits in a flush, or for the exit.
const HURRIED_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);
/// An answer to an export has no reason to be longer.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Delivers until the worker ends.
pub async fn run(queue: Arc<Queue>, config: Arc<Config>, client: Client) {
    let sender = Arc::new(Sender { headers: headers(&config), client, config });
    let permits = Arc::new(Semaphore::new(CONCURRENT_REQUESTS));
    loop {
        wait_until_due(&queue, sender.config.flush_interval).await;
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let Some(batch) = queue.take() else { break };
            let (sender, from) = (Arc::clone(&sender), Arc::clone(&queue));
            tokio::spawn(async move {
                let _permit = permit;
                sender.send(&from, batch).await;
            });
            // What is left is no full batch, and waits for its own interval.
            if queue.pending() != (true, true) {
                break;
            }
        }
    }
}

async fn wait_until_due(queue: &Queue, interval: Duration) {
    loop {
        match queue.pending() {
            (true, true) => return,
            (true, false) => break,
            (false, _) => queue.wake.notified().await,
        }
    }
    let _ = tokio::time::timeout(interval, async {
        while queue.pending() == (true, false) {
            queue.wake.notified().await;
        }
    })
    .await;
}

struct Sender {
    config: Arc<Config>,
    client: Client,
    headers: HeaderMap,
}

/// What to do after one attempt.
enum Answer {
    Delivered {
        refused: u64,
    },
    Retry {
        after: Option<Duration>,
        why: String,
    },
    TooLarge,
    /// The receiver cannot read it (400). One item that it finds malformed must not cost the others.
    Malformed,
    Final {
        why: String,
    },
}

impl Sender {
    async fn send(&self, queue: &Queue, mut batch: Batch) {
        let items = std::mem::take(&mut batch.items);
        // The platform loses the spans that share a message with an error span of a continuous session, so those go last
        // and alone.
        let (errors, items): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.error && item.session.kind() == Kind::Continuous);
        let (traces, logs): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.signal == Signal::Traces);
        let mut parts = vec![errors, logs, traces];
        while let Some(part) = parts.pop() {
            let (Some(first), count) = (part.first(), part.len()) else { continue };
            match self.deliver(queue, first.signal, &part).await {
                Answer::Delivered { refused } => batch.settle(&part, refused, Outcome::Exported),
                Answer::TooLarge | Answer::Malformed if count > 1 => {
                    let mut part = part;
                    let half = part.split_off(count / 2);
                    parts.extend([half, part]);
                }
                Answer::TooLarge => {
                    log::write(Level::Error, || "an item was dropped: the receiver finds it too large".into());
                    batch.settle(&part, 0, Outcome::TooLarge);
                }
                Answer::Malformed => {
                    log::write(Level::Error, || "an item was dropped: HTTP 400, the receiver cannot read it".into());
                    batch.settle(&part, 0, Outcome::Rejected);
                }
                Answer::Final { why } | Answer::Retry { why, .. } => {
                    log::write(Level::Error, || format!("{count} items were dropped: {why}"));
                    batch.settle(&part, 0, Outcome::Rejected);
                }
            }
        }
    }

    /// Tries until there is a final answer.
    async fn deliver(&self, queue: &Queue, signal: Signal, items: &[Item]) -> Answer {
        let body = self.encode(items);
        let mut backoff = FIRST_BACKOFF;
        loop {
            match self.attempt(signal, body.clone()).await {
                Answer::Retry { after, why } => {
                    queue.note(|counts| counts.retries += 1);
                    // Full jitter: many processes that lost the same receiver do not return in step.
                    let mut pause = backoff.mul_f64(rand::rng().random_range(0.1..=1.0));
                    if queue.hurried() {
                        pause = pause.min(HURRIED_BACKOFF);
                    }
                    let hurry = queue.hurry.notified();
                    log::write(Level::Warn, || {
                        let pause = after.unwrap_or(pause);
                        format!("export failed, next try in {} ms: {why}", pause.as_millis())
                    });
                    match after {
                        // The receiver's own word counts, also when somebody waits.
                        Some(after) => tokio::time::sleep(after).await,
                        None => drop(tokio::time::timeout(pause, hurry).await),
                    }
                    backoff = (backoff * 2).min(LONGEST_BACKOFF);
                }
                answer => {
                    queue.note(|counts| counts.requests += u64::from(matches!(answer, Answer::Delivered { .. })));
                    return answer;
                }
            }
        }
    }

    fn encode(&self, items: &[Item]) -> bytes::Bytes {
        let request = encode_request(items);
        if !self.config.gzip {
            return request.into();
        }
        let mut encoder = GzEncoder::new(Vec::with_capacity(request.len() / 4), Compression::fast());
        // Writing to memory does not fail.
        let _ = encoder.write_all(&request);
        encoder.finish().unwrap_or_default().into()
    }

    async fn attempt(&self, signal: Signal, body: bytes::Bytes) -> Answer {
        let url = match signal {
            Signal::Traces => &self.config.traces_endpoint,
            Signal::Logs => &self.config.logs_endpoint,
        };
        let request = self.client.post(url.clone()).headers(self.headers.clone()).body(body);
        let response = match request.send().await {
            Ok(response) => response,
            Err(e) => return Answer::Retry { after: None, why: http::describe(&e) },
        };
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let after = after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
        // Also an answer that tells no more is read to its end, so that the connection can be used again.
        let answer = http::read_bounded(response, ANSWER_LIMIT).await;
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Answer::TooLarge,
            StatusCode::BAD_REQUEST => Answer::Malformed,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Answer::Retry { after, why: format!("HTTP {}", status.as_u16()) }
            }
            // The status is the receiver's word that it has them, also when the rest breaks off.
            _ if status.is_success() => Answer::Delivered { refused: answer.map_or(0, |answer| self.refused(&answer)) },
            _ if status.is_server_error() => Answer::Retry { after, why: format!("HTTP {}", status.as_u16()) },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Answer::Final { why: format!("HTTP {}: the API key was refused by the OTLP intake", status.as_u16()) }
            }
            _ => Answer::Final { why: format!("HTTP {} from the OTLP intake", status.as_u16()) },
        }
    }
    /// How many items a partial success refuses. Traces and logs have the same fields here. An answer that is not protobuf
    /// (some receivers send JSON or nothing) confirms all.
    fn refused(&self, answer: &[u8]) -> u64 {
        use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
        let partial = ExportTraceServiceResponse::decode(answer).ok().and_then(|answer| answer.partial_success);
        let Some(partial) = partial.filter(|partial| partial.rejected_spans > 0) else { return 0 };
        // The receiver may echo what it was sent.
        let said = partial.error_message.replace(self.config.api_key.expose(), "***");
        let said = crate::mask::mask_text(&self.config.capture.rules, &said).into_owned();
        let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
        log::write(Level::Error, || format!("the receiver refused {} items: {said}", partial.rejected_spans));
        u64::try_from(partial.rejected_spans).unwrap_or(0)
    }
}

/// The key goes raw, with no "Bearer": the platform refuses any space. A host's own Authorization header wins.
fn headers(config: &Config) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let secret = HeaderValue::from_str(config.api_key.expose()).map(|mut value| {
        value.set_sensitive(true);
        value
    });
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    if config.gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.extend(secret.map(|value| (AUTHORIZATION, value)));
    for (name, value) in &config.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    headers
}
