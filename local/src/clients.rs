//! The processes that record here: who they are, and how their pipelines fare by their own account.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{json, Map, Value};

use crate::clock;
use crate::content::find;
use crate::document;

/// Asks libmpr for its statistics in an answer, and carries them in a request.
pub const HEADER: &str = "mpr-stats";
/// The longest account that is listened to.
const ACCOUNT_LIMIT: usize = 16 * 1024;
/// So many processes are remembered; the one not heard of for longest goes first.
const PROCESSES_LIMIT: usize = 1000;

struct Process {
    language: Option<String>,
    first_ms: i64,
    last_ms: i64,
    requests: u64,
    stats: Option<Value>,
}

/// Process id, host and service.
type Name = (String, String, String);

#[derive(Default)]
pub struct Processes(Mutex<HashMap<Name, Process>>);

/// What a request says of its sender.
#[derive(Default)]
pub struct Sender {
    account: Option<Map<String, Value>>,
}

impl Sender {
    pub fn new(headers: &HeaderMap) -> Self {
        let text = headers.get(HEADER).map(HeaderValue::as_bytes).filter(|t| t.len() <= ACCOUNT_LIMIT);
        Sender { account: text.and_then(|t| serde_json::from_slice(t).ok()) }
    }
}

impl Processes {
    /// Counts a request whose items come from this resource.
    pub fn seen(&self, sender: &Sender, resource: Option<&Resource>) {
        let attributes = resource.map_or(&[][..], |r| &r.attributes);
        let own = |key: &str| {
            find(attributes, key).map(|value| {
                use opentelemetry_proto::tonic::common::v1::AnyValue;
                match document::any(&AnyValue { value: Some(value.clone()) }) {
                    Value::String(text) => text,
                    other => other.to_string(),
                }
            })
        };
        let told = |key: &str| match sender.account.as_ref()?.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let name = (
            told("pid").or_else(|| own("process.pid")).unwrap_or_default(),
            own("host.name").unwrap_or_default(),
            told("service").or_else(|| own("service.name")).unwrap_or_default(),
        );
        let now = clock::now_ms();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(&name) && all.len() >= PROCESSES_LIMIT {
            let oldest = all.iter().min_by_key(|(_, p)| p.last_ms).map(|(name, _)| name.clone());
            oldest.and_then(|name| all.remove(&name));
        }
        let process = all.entry(name).or_insert_with(|| Process {
            language: None,
            first_ms: now,
            last_ms: now,
            requests: 0,
            stats: None,
        });
        process.last_ms = now;
        process.requests += 1;
        process.language = own("telemetry.sdk.language").or(process.language.take());
        if let Some(account) = &sender.account {
            process.stats = Some(Value::Object(account.clone()));
        }
    }

    pub fn json(&self) -> Value {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<(&Name, &Process)> = all.iter().collect();
        list.sort_by_key(|(name, process)| (std::cmp::Reverse(process.last_ms), (*name).clone()));
        let list: Vec<Value> = list
            .into_iter()
            .map(|((pid, host, service), process)| {
                json!({
                    "pid": pid.parse::<u64>().ok(),
                    "service": service,
                    "host": host,
                    "language": process.language,
                    "first": clock::iso(process.first_ms),
                    "last": clock::iso(process.last_ms),
                    "requests": process.requests,
                    "stats": process.stats,
                })
            })
            .collect();
        json!({ "processes": list })
    }
}
