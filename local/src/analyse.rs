//! What a session says at a glance, and what changed between two of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rusqlite::Connection;
use serde_json::{json, Map, Value};

use crate::content::{self, start_of};
use crate::document::{self, hex, kind_name};
use crate::store::{self, Session, SpanRow, HAS_CONTENT};

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

const ERRORS_LIMIT: usize = 200;
const ROUTES_LIMIT: usize = 500;
/// Differences of content that are told of one row.
const CONTENT_LIMIT: usize = 20;
/// Spans of one row whose content is compared.
const PAIRS_LIMIT: usize = 20;
/// … and of a whole comparison.
const ALL_PAIRS_LIMIT: usize = 2000;
/// A text in a list is no longer than this.
const TEXT_LIMIT: usize = 500;
/// Slower or faster: by half, and by more than chance does.
const RATIO: f64 = 1.5;
const LEAST_NS: i64 = 1_000_000;

fn percentile(sorted: &[i64], part: f64) -> i64 {
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.saturating_sub(1)).or(sorted.last()).copied().unwrap_or_default()
}

fn short(text: &str) -> String {
    let start = start_of(text, TEXT_LIMIT);
    if start.len() < text.len() {
        format!("{start}…")
    } else {
        text.to_owned()
    }
}

#[derive(Default)]
struct Group {
    durations: Vec<i64>,
    errors: i64,
}

impl Group {
    fn add(&mut self, row: &SpanRow) {
        self.durations.push(row.duration());
        self.errors += i64::from(row.is_error());
    }

    fn sorted(mut self) -> Self {
        self.durations.sort_unstable();
        self
    }

    fn count(&self) -> usize {
        self.durations.len()
    }

    fn p50(&self) -> i64 {
        percentile(&self.durations, 0.5)
    }

    fn max(&self) -> i64 {
        self.durations.last().copied().unwrap_or_default()
    }
}

fn by_count(mut rows: Vec<Value>, key: &str) -> Vec<Value> {
    rows.sort_by_key(|row| std::cmp::Reverse(row[key].as_i64()));
    rows
}

/// Services, who calls whom, routes and errors of a session.
pub fn summary(db: &Connection, session: &Session, base: Option<&str>) -> store::Result<Value> {
    let rows = store::rows_after(db, &session.id, 0, -1)?;
    let mut by_id: HashMap<(&[u8], &[u8]), &SpanRow> = HashMap::with_capacity(rows.len());
    for row in &rows {
        by_id.entry((&row.trace_id, &row.span_id)).or_insert(row);
    }
    let mut services: BTreeMap<&str, Group> = BTreeMap::new();
    let mut edges: BTreeMap<(&str, &str, bool), Group> = BTreeMap::new();
    let mut routes: BTreeMap<(&str, &str, i32), Group> = BTreeMap::new();
    // Clients' spans that another service answered: the edge is that of the answer.
    let mut answered = HashSet::new();
    for row in &rows {
        services.entry(&row.service).or_default().add(row);
        let parent = by_id.get(&(&row.trace_id[..], &row.parent_id[..]));
        if let Some(parent) = parent.filter(|p| p.service != row.service) {
            edges.entry((&parent.service, &row.service, false)).or_default().add(row);
            answered.insert(parent.id);
        }
        if matches!(row.kind, SERVER | CONSUMER) || parent.is_none() {
            routes.entry((&row.service, &row.name, row.kind)).or_default().add(row);
        }
    }
    for row in rows.iter().filter(|row| matches!(row.kind, CLIENT | PRODUCER) && !answered.contains(&row.id)) {
        if let Some(peer) = row.peer.as_deref() {
            edges.entry((&row.service, peer, true)).or_default().add(row);
        }
    }
    let services: Vec<Value> = services
        .into_iter()
        .map(|(name, group)| {
            let group = group.sorted();
            let p95 = percentile(&group.durations, 0.95);
            json!({ "name": name, "spans": group.count(), "errors": group.errors, "p50_ns": group.p50(), "p95_ns": p95 })
        })
        .collect();
    let edges: Vec<Value> = edges
        .into_iter()
        .map(|((from, to, external), group)| {
            let group = group.sorted();
            let mut edge = json!({
                "from": from, "to": to, "spans": group.count(), "errors": group.errors, "p50_ns": group.p50(),
            });
            if external {
                edge["external"] = true.into();
            }
            edge
        })
        .collect();
    let routes = routes
        .into_iter()
        .map(|((service, name, kind), group)| {
            let group = group.sorted();
            json!({
                "name": short(name), "kind": kind_name(kind), "service": service, "count": group.count(),
                "errors": group.errors, "p50_ns": group.p50(), "max_ns": group.max(),
            })
        })
        .collect();
    let mut routes = by_count(routes, "count");
    routes.truncate(ROUTES_LIMIT);
    let mut failed: Vec<&SpanRow> = rows.iter().filter(|row| row.is_error()).collect();
    failed.sort_by_key(|row| (row.start_ns, row.id));
    let mut errors = Vec::new();
    for row in failed.into_iter().take(ERRORS_LIMIT) {
        errors.push(error(db, session, row)?);
    }
    Ok(json!({
        "session": document::listed(db, session, base)?,
        "services": by_count(services, "spans"),
        "edges": by_count(edges, "spans"),
        "routes": routes,
        "errors": errors,
        "start": rows.iter().map(|row| row.start_ns).min().map(|ns| ns.to_string()),
        "end": rows.iter().map(|row| row.end_ns).max().map(|ns| ns.to_string()),
    }))
}

/// A failed span with what it says of its failure.
fn error(db: &Connection, session: &Session, row: &SpanRow) -> store::Result<Value> {
    let stored = store::span(db, &session.id, &row.trace_id, &row.span_id)?;
    let span = stored.and_then(|s| Span::decode(&*s.data).ok()).unwrap_or_default();
    let exception = span.events.iter().find(|e| e.name == "exception").map(|e| e.attributes.as_slice());
    let said = |key| exception.and_then(|list| content::text(list, key)).or(content::text(&span.attributes, key));
    let status = span.status.as_ref().map(|s| s.message.as_str()).filter(|m| !m.is_empty());
    let http = row.http_status.map(|code| format!("HTTP {code}"));
    Ok(json!({
        "trace_id": hex(&row.trace_id),
        "span_id": hex(&row.span_id),
        "name": short(&row.name),
        "service": row.service,
        "message": short(said("exception.message").or(status).or(http.as_deref()).unwrap_or_default()),
        "type": short(said("exception.type").or(content::text(&span.attributes, "error.type")).unwrap_or_default()),
        "http_status": row.http_status,
    }))
}

// ---- two sessions ----------------------------------------------------------------------

type Key = (String, String, i32);

/// The spans of a session by service, name and kind, in the order of their starts.
fn grouped(db: &Connection, session: &Session) -> store::Result<HashMap<Key, Vec<SpanRow>>> {
    let mut rows = store::rows_after(db, &session.id, 0, -1)?;
    rows.sort_by_key(|row| (row.start_ns, row.id));
    let mut groups: HashMap<Key, Vec<SpanRow>> = HashMap::new();
    for row in rows {
        groups.entry((row.service.clone(), row.name.clone(), row.kind)).or_default().push(row);
    }
    Ok(groups)
}

fn measured(rows: &[SpanRow]) -> Group {
    let mut group = Group::default();
    rows.iter().for_each(|row| group.add(row));
    group.sorted()
}

fn figures(group: &Group) -> Value {
    json!({ "count": group.count(), "errors": group.errors, "p50_ns": group.p50(), "max_ns": group.max() })
}

fn ids(row: &SpanRow) -> Value {
    json!([hex(&row.trace_id), hex(&row.span_id)])
}

/// Compares a session (`a`, the good run) with another (`b`).
pub fn diff(db: &Connection, a: &Session, b: &Session, base: Option<&str>) -> store::Result<Value> {
    let (mut of_a, mut of_b) = (grouped(db, a)?, grouped(db, b)?);
    let keys: HashSet<Key> = of_a.keys().chain(of_b.keys()).cloned().collect();
    let mut pairs_left = ALL_PAIRS_LIMIT;
    let mut rows = Vec::new();
    for key in keys {
        let (in_a, in_b) = (of_a.remove(&key).unwrap_or_default(), of_b.remove(&key).unwrap_or_default());
        let (group_a, group_b) = (measured(&in_a), measured(&in_b));
        let longest = |rows: &[SpanRow]| rows.iter().max_by_key(|r| r.duration()).map_or(Value::Null, ids);
        let (mut a_span, mut b_span) = (longest(&in_a), longest(&in_b));
        let mut content = Vec::new();
        let state = if in_b.is_empty() {
            "missing"
        } else if in_a.is_empty() {
            "new"
        } else {
            let found = contents(db, a, b, &in_a, &in_b, &mut pairs_left, &mut content)?;
            let failed = |rows: &[SpanRow]| rows.iter().find(|r| r.is_error()).map(ids);
            let (p50_a, p50_b) = (group_a.p50(), group_b.p50());
            let far = (p50_a - p50_b).abs() > LEAST_NS;
            if group_a.errors != group_b.errors {
                a_span = failed(&in_a).unwrap_or(a_span);
                b_span = failed(&in_b).unwrap_or(b_span);
                "errors"
            } else if let Some((first_a, first_b)) = found {
                (a_span, b_span) = (first_a, first_b);
                "content"
            } else if far && p50_b as f64 > p50_a as f64 * RATIO {
                "slower"
            } else if far && p50_a as f64 > p50_b as f64 * RATIO {
                "faster"
            } else if in_a.len() < in_b.len() {
                "new"
            } else if in_a.len() > in_b.len() {
                "missing"
            } else {
                "same"
            }
        };
        let (service, name, kind) = key;
        rows.push(json!({
            "key": { "service": service, "name": name, "kind": kind_name(kind) },
            "state": state,
            "a": if in_a.is_empty() { Value::Null } else { figures(&group_a) },
            "b": if in_b.is_empty() { Value::Null } else { figures(&group_b) },
            "content": content,
            "a_span": a_span,
            "b_span": b_span,
        }));
    }
    // What a reader looks for first comes first.
    const ORDER: [&str; 7] = ["errors", "missing", "new", "content", "slower", "faster", "same"];
    let place = |row: &Value| ORDER.iter().position(|state| row["state"] == **state).unwrap_or(ORDER.len());
    let words = |row: &Value, key: &str| row["key"][key].as_str().unwrap_or_default().to_owned();
    rows.sort_by_cached_key(|row| (place(row), words(row, "service"), words(row, "name"), words(row, "kind")));
    Ok(json!({ "a": document::listed(db, a, base)?, "b": document::listed(db, b, base)?, "rows": rows }))
}

/// Compares what was captured in the spans of one key, the first with the first and so on. Gives the first pair that
/// differs.
fn contents(
    db: &Connection,
    a: &Session,
    b: &Session,
    in_a: &[SpanRow],
    in_b: &[SpanRow],
    pairs_left: &mut usize,
    out: &mut Vec<Value>,
) -> store::Result<Option<(Value, Value)>> {
    let mut first = None;
    for (row_a, row_b) in in_a.iter().zip(in_b).take(PAIRS_LIMIT) {
        let before = out.len();
        if before >= CONTENT_LIMIT || *pairs_left == 0 {
            break;
        }
        if row_a.http_status != row_b.http_status {
            let code = |row: &SpanRow| row.http_status.map_or_else(String::new, |code| code.to_string());
            told(out, "status".into(), code(row_a), code(row_b));
        }
        if (row_a.flags | row_b.flags) & HAS_CONTENT != 0 {
            *pairs_left -= 1;
            let load = |session: &Session, row: &SpanRow| {
                let stored = store::span(db, &session.id, &row.trace_id, &row.span_id)?;
                Ok::<_, rusqlite::Error>(stored.and_then(|s| Span::decode(&*s.data).ok()).unwrap_or_default())
            };
            compare(&load(a, row_a)?, &load(b, row_b)?, out);
        }
        if first.is_none() && out.len() > before {
            first = Some((ids(row_a), ids(row_b)));
        }
    }
    Ok(first)
}

fn told(out: &mut Vec<Value>, place: String, a: String, b: String) {
    if a != b && out.len() < CONTENT_LIMIT && !out.iter().any(|one| one["where"] == place.as_str()) {
        out.push(json!({ "where": place, "a": short(&a), "b": short(&b) }));
    }
}

/// Headers that are another in every message.
const CHANGING: &[&str] =
    &["date", "traceparent", "tracestate", "x-request-id", "age", "etag", "last-modified", "baggage"];

fn compare(a: &Span, b: &Span, out: &mut Vec<Value>) {
    let (in_a, in_b) = (content::of(a), content::of(b));
    let key = |c: &content::Content| (c.direction, c.protocol);
    let mut kinds: Vec<_> = in_a.iter().chain(&in_b).map(key).collect();
    let mut seen = HashSet::new();
    kinds.retain(|kind| seen.insert(*kind));
    for kind in kinds {
        let (one, two) = (in_a.iter().find(|c| key(c) == kind), in_b.iter().find(|c| key(c) == kind));
        let headers = |c: Option<&content::Content>| -> BTreeMap<String, String> {
            let map = c.and_then(|c| c.headers.as_ref()).and_then(Value::as_object);
            let pairs = map.into_iter().flatten();
            pairs
                .map(|(k, v)| (k.to_ascii_lowercase(), v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
                .collect()
        };
        let (headers_a, headers_b) = (headers(one), headers(two));
        let names: std::collections::BTreeSet<&String> = headers_a.keys().chain(headers_b.keys()).collect();
        for name in names.into_iter().filter(|n| !CHANGING.contains(&n.as_str())) {
            let value = |map: &BTreeMap<String, String>| map.get(name).cloned().unwrap_or_default();
            told(out, format!("{} header {name}", kind.0), value(&headers_a), value(&headers_b));
        }
        let body = |c: Option<&content::Content>| c.and_then(|c| c.body.clone()).unwrap_or_default();
        let (body_a, body_b) = (body(one), body(two));
        if body_a == body_b {
            continue;
        }
        let place = format!("{} body", kind.0);
        match (serde_json::from_str::<Value>(&body_a), serde_json::from_str::<Value>(&body_b)) {
            (Ok(a), Ok(b)) => compare_json(&a, &b, &mut format!("{place} $"), 0, out),
            _ => {
                // From where they differ.
                let at = body_a
                    .chars()
                    .zip(body_b.chars())
                    .take_while(|(a, b)| a == b)
                    .map(|(a, _)| a.len_utf8())
                    .sum::<usize>();
                let rest = |text: &str| text.get(at..).unwrap_or_default().to_owned();
                told(out, format!("{place} at byte {at}"), rest(&body_a), rest(&body_b));
            }
        }
    }
}

fn compare_json(a: &Value, b: &Value, path: &mut String, depth: usize, out: &mut Vec<Value>) {
    if a == b || out.len() >= CONTENT_LIMIT {
        return;
    }
    let length = path.len();
    match (a, b) {
        (Value::Object(one), Value::Object(two)) if depth < 100 => {
            let missing = |map: &Map<String, Value>, key: &String| map.get(key).cloned().unwrap_or(Value::Null);
            let others = two.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(others) {
                path.push('.');
                path.push_str(key);
                match (one.get(key), two.get(key)) {
                    (Some(a), Some(b)) => compare_json(a, b, path, depth + 1, out),
                    // A field that is null is not one that is missing.
                    (a, b) => {
                        let text = |v: Option<&Value>, map| {
                            v.map_or_else(|| "(missing)".into(), |_| missing(map, key).to_string())
                        };
                        told(out, path.clone(), text(a, one), text(b, two));
                    }
                }
                path.truncate(length);
            }
        }
        (Value::Array(one), Value::Array(two)) if depth < 100 => {
            for (at, (a, b)) in one.iter().zip(two).enumerate() {
                path.push_str(&format!("[{at}]"));
                compare_json(a, b, path, depth + 1, out);
                path.truncate(length);
            }
            if one.len() != two.len() {
                told(out, format!("{path} length"), one.len().to_string(), two.len().to_string());
            }
        }
        _ => told(out, path.clone(), a.to_string(), b.to_string()),
    }
}

// ---- search ----------------------------------------------------------------------------

/// Text that is looked for, whatever its case.
pub struct Needle {
    lower: String,
    /// What every match has in its bytes, in lower case; none where case is more than ASCII's.
    bytes: Option<Vec<u8>>,
}

impl Needle {
    pub fn new(text: &str) -> Self {
        let lower = text.to_lowercase();
        let bytes = text.is_ascii().then(|| lower.clone().into_bytes());
        Needle { lower, bytes }
    }

    /// Whether the text may be in these bytes.
    fn may_be_in(&self, data: &[u8]) -> bool {
        let Some(wanted) = &self.bytes else { return true };
        let Some((&first, rest)) = wanted.split_first() else { return true };
        let upper = first.to_ascii_uppercase();
        let mut from = 0;
        while let Some(found) = data.get(from..).and_then(|d| d.iter().position(|&b| b == first || b == upper)) {
            let start = from + found + 1;
            match data.get(start..start + rest.len()) {
                Some(next) if next.eq_ignore_ascii_case(rest) => return true,
                Some(_) => from = start,
                None => return false,
            }
        }
        false
    }

    fn is_in(&self, text: &str) -> bool {
        match &self.bytes {
            Some(_) => self.may_be_in(text.as_bytes()),
            None => text.to_lowercase().contains(&self.lower),
        }
    }
}

/// What a span must have to be found.
pub struct Query {
    pub text: Option<Needle>,
    /// Key and value of an attribute; an empty value is any.
    pub attribute: Option<(String, String)>,
}

/// The spans of a session that fit, in the order of their starts, and whether there are more.
pub fn search(db: &Connection, session: &Session, query: &Query, limit: usize) -> store::Result<(Vec<Value>, bool)> {
    let mut found = Vec::new();
    let mut more = false;
    let mut origins = document::Origins::default();
    store::each_span(db, &session.id, |service, data, origin| {
        let named = |needle: &Needle| needle.is_in(service);
        if query.text.as_ref().is_some_and(|needle| !needle.may_be_in(data) && !named(needle)) {
            return Ok(true);
        }
        let Ok(span) = Span::decode(data) else { return Ok(true) };
        if query.text.as_ref().is_some_and(|needle| !named(needle) && !says(&span, needle)) {
            return Ok(true);
        }
        if let Some((key, value)) = &query.attribute {
            let own = span
                .attributes
                .iter()
                .find(|kv| kv.key == *key)
                .map(|kv| kv.value.as_ref().map_or(Value::Null, document::any));
            let seen = match own {
                Some(own) => Some(own),
                None => origins.get(db, origin)?.0.get(key).cloned(),
            };
            let fits = seen.is_some_and(|seen| {
                value.is_empty() || *value == seen.as_str().map_or_else(|| seen.to_string(), str::to_owned)
            });
            if !fits {
                return Ok(true);
            }
        }
        if found.len() >= limit {
            more = true;
            return Ok(false);
        }
        found.push(json!([hex(&span.trace_id), hex(&span.span_id)]));
        Ok(true)
    })?;
    Ok((found, more))
}

fn says(span: &Span, needle: &Needle) -> bool {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    fn value_says(value: &AnyValue, needle: &Needle) -> bool {
        match &value.value {
            Some(Any::StringValue(text)) => needle.is_in(text),
            Some(Any::ArrayValue(list)) => list.values.iter().any(|v| value_says(v, needle)),
            Some(Any::KvlistValue(list)) => list_says(&list.values, needle),
            _ => false,
        }
    }
    fn list_says(list: &[KeyValue], needle: &Needle) -> bool {
        list.iter().any(|kv| needle.is_in(&kv.key) || kv.value.as_ref().is_some_and(|v| value_says(v, needle)))
    }
    needle.is_in(&span.name)
        || list_says(&span.attributes, needle)
        || span.status.as_ref().is_some_and(|s| needle.is_in(&s.message))
        || span.events.iter().any(|e| needle.is_in(&e.name) || list_says(&e.attributes, needle))
}
