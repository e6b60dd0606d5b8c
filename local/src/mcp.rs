//! The Model Context Protocol on standard input and output: JSON-RPC 2.0, a message a line. Tools give summaries first
//! and content on demand, and never more than an agent can read.

use std::io::{self, BufRead, Write};
use std::path::Path;

use rusqlite::Connection;
use serde_json::{json, Map, Value};

use crate::analyse;
use crate::api::{self, Failure};
use crate::content::start_of;
use crate::document;
use crate::show;
use crate::store::{self, Session};

/// Newest first; what a client asks for is taken when it is one of these.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

/// A text in an answer, and a piece of content.
const TEXT_LIMIT: usize = 2000;
const CONTENT_LIMIT: usize = 20_000;
/// A whole answer.
const ANSWER_LIMIT: usize = 60_000;
const LINE_LIMIT: u64 = 16 * 1024 * 1024;

const INSTRUCTIONS: &str = "What backend services really did, as recorded by libmpr on this machine. Begin with \
    list_sessions, then session_summary or list_errors; look at single spans with get_span and at bodies with \
    get_content. What is ***MASKED*** was never recorded.";

pub fn serve(path: &Path) -> Result<(), String> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = io::Read::take(&mut input, LINE_LIMIT).read_until(b'\n', &mut line).map_err(|e| e.to_string())?;
        if read == 0 {
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = match serde_json::from_slice::<Value>(&line) {
            Err(e) => Some(error(&Value::Null, PARSE_ERROR, &e.to_string())),
            // Batches are of the versions of 2025-03-26 and before.
            Ok(Value::Array(messages)) if messages.is_empty() => {
                Some(error(&Value::Null, INVALID_REQUEST, "an empty batch"))
            }
            Ok(Value::Array(messages)) => {
                let answers: Vec<Value> = messages.iter().filter_map(|message| handle(path, message)).collect();
                (!answers.is_empty()).then_some(Value::Array(answers))
            }
            Ok(message) => handle(path, &message),
        };
        if let Some(answer) = answer {
            let mut out = io::stdout().lock();
            if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
                return Ok(());
            }
        }
    }
}

fn error(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

/// The answer to a message; a notification has none.
fn handle(path: &Path, message: &Value) -> Option<Value> {
    let id = message.get("id");
    let Some(method) = message.get("method").and_then(Value::as_str).filter(|_| message["jsonrpc"] == "2.0") else {
        // An answer to something that we never asked is nothing to us.
        let answers = message.get("result").or(message.get("error")).is_some();
        return (!answers).then(|| error(id.unwrap_or(&Value::Null), INVALID_REQUEST, "not a request of JSON-RPC 2.0"));
    };
    let id = id?;
    let nothing = json!({});
    let params = message.get("params").unwrap_or(&nothing);
    let result = match method {
        "initialize" => {
            let asked = params["protocolVersion"].as_str();
            let version = VERSIONS.into_iter().find(|v| Some(*v) == asked).unwrap_or(VERSIONS[0]);
            json!({
                "protocolVersion": version,
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "mpr-local", "version": env!("CARGO_PKG_VERSION") },
                "instructions": INSTRUCTIONS,
            })
        }
        "ping" => json!({}),
        "tools/list" => json!({ "tools": tools() }),
        "tools/call" => {
            let name = params["name"].as_str().unwrap_or_default();
            let Some(tool) = TOOLS.iter().find(|tool| tool.name == name) else {
                return Some(error(id, INVALID_PARAMS, &format!("there is no tool {name:?}")));
            };
            let arguments = params["arguments"].as_object().cloned().unwrap_or_default();
            // What goes wrong in a tool is for the agent to read, not for the protocol.
            let (text, failed) = match call(path, tool, &arguments) {
                Ok(value) => (bounded(&value), false),
                Err(words) => (words, true),
            };
            json!({ "content": [{ "type": "text", "text": text }], "isError": failed })
        }
        _ => return Some(error(id, METHOD_NOT_FOUND, &format!("there is no method {method:?}"))),
    };
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

/// No answer is longer than an agent can read. (It is cut only when the bounds of the tools did not do.)
fn bounded(value: &Value) -> String {
    let text = value.to_string();
    if text.len() <= ANSWER_LIMIT {
        return text;
    }
    let start = start_of(&text, ANSWER_LIMIT);
    format!("{start}\n… cut here: {} of {} bytes. Ask for less (limit, after, offset).", start.len(), text.len())
}

// ---- tools -----------------------------------------------------------------------------

struct Parameter {
    name: &'static str,
    kind: &'static str,
    about: &'static str,
    required: bool,
}

const fn needed(name: &'static str, about: &'static str) -> Parameter {
    Parameter { name, kind: "string", about, required: true }
}

const fn may(name: &'static str, kind: &'static str, about: &'static str) -> Parameter {
    Parameter { name, kind, about, required: false }
}

struct Tool {
    name: &'static str,
    about: &'static str,
    parameters: &'static [Parameter],
    run: fn(&Connection, &Arguments) -> Result<Value, String>,
}

const SESSION: Parameter = needed("session", "_id or short id of a session (see list_sessions)");
const TRACE: Parameter = needed("trace_id", "32 hexadecimal digits");
const SPAN: Parameter = needed("span_id", "16 hexadecimal digits");

const TOOLS: [Tool; 8] = [
    Tool {
        name: "list_sessions",
        about: "The recorded sessions, newest first: id, name, when, how many spans, errors and logs, which services.",
        parameters: &[
            may("limit", "integer", "how many (20)"),
            may("errors_only", "boolean", "only sessions with failed spans"),
            may("service", "string", "only sessions in which this service took part"),
        ],
        run: list_sessions,
    },
    Tool {
        name: "session_summary",
        about: "What happened in a session: services, who calls whom, routes with counts and durations, errors.",
        parameters: &[SESSION],
        run: session_summary,
    },
    Tool {
        name: "list_errors",
        about: "The failed spans of a session with type and message, oldest first.",
        parameters: &[SESSION, may("limit", "integer", "how many (50)")],
        run: list_errors,
    },
    Tool {
        name: "list_spans",
        about: "Spans of a session as rows without content, in the order of arrival; page with `after`.",
        parameters: &[
            SESSION,
            may("after", "integer", "the `next` of the last answer"),
            may("limit", "integer", "how many (100, at most 500)"),
            may("trace_id", "string", "only this trace"),
            may("service", "string", "only this service"),
            may("errors_only", "boolean", "only failed spans"),
        ],
        run: list_spans,
    },
    Tool {
        name: "get_span",
        about:
            "One span: attributes, events, logs, and what was captured of request and response (long bodies in part).",
        parameters: &[SESSION, TRACE, SPAN],
        run: get_span,
    },
    Tool {
        name: "get_content",
        about: "The body of a captured request or response, piece by piece.",
        parameters: &[
            SESSION,
            TRACE,
            SPAN,
            needed("direction", "request or response"),
            may("offset", "integer", "the byte to begin at (0)"),
            may("limit", "integer", "how many bytes (20000, which is the most)"),
        ],
        run: get_content,
    },
    Tool {
        name: "search",
        about: "Spans of a session that have a text in names, attributes or captured content, or an attribute.",
        parameters: &[
            SESSION,
            may("text", "string", "the text, in any case"),
            may("attribute", "string", "KEY=VALUE, or KEY alone"),
            may("limit", "integer", "how many (50, at most 500)"),
        ],
        run: search,
    },
    Tool {
        name: "diff_sessions",
        about: "What is different in session b from session a: missing and new spans, errors, content, durations.",
        parameters: &[
            needed("a", "_id or short id of the session as it should be"),
            needed("b", "_id or short id of the other one"),
            may("include_same", "boolean", "also what is the same"),
        ],
        run: diff_sessions,
    },
];

fn tools() -> Vec<Value> {
    let schema = |tool: &Tool| {
        let properties: Map<String, Value> = tool
            .parameters
            .iter()
            .map(|p| (p.name.to_owned(), json!({ "type": p.kind, "description": p.about })))
            .collect();
        let required: Vec<&str> = tool.parameters.iter().filter(|p| p.required).map(|p| p.name).collect();
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    };
    TOOLS
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name,
                "description": tool.about,
                "inputSchema": schema(tool),
                "annotations": { "readOnlyHint": true, "openWorldHint": false },
            })
        })
        .collect()
}

struct Arguments<'a>(&'a Map<String, Value>);

impl Arguments<'_> {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn number(&self, name: &str, default: usize, most: usize) -> usize {
        let given = self.0.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        given.unwrap_or(default).min(most)
    }
}

fn call(path: &Path, tool: &Tool, arguments: &Map<String, Value>) -> Result<Value, String> {
    for (name, value) in arguments {
        let Some(parameter) = tool.parameters.iter().find(|p| p.name == name) else {
            return Err(format!("{}: there is no argument {name:?}", tool.name));
        };
        let fits = match parameter.kind {
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            _ => value.is_u64(),
        };
        if !fits {
            return Err(format!("{name}: must be of type {}, not {value}", parameter.kind));
        }
    }
    if let Some(missing) = tool.parameters.iter().find(|p| p.required && !arguments.contains_key(p.name)) {
        return Err(format!("{}: is required ({})", missing.name, missing.about));
    }
    let db = show::open(path)?;
    (tool.run)(&db, &Arguments(arguments))
}

fn words(failure: Failure) -> String {
    match failure {
        Failure::Words(_, words) => words,
        Failure::Database(e) => format!("database: {e}"),
    }
}

fn database(e: rusqlite::Error) -> String {
    words(Failure::Database(e))
}

fn session(db: &Connection, id: &str) -> Result<Session, String> {
    api::find(db, id).map_err(words)
}

/// Of a session what helps to choose one.
fn outline(shown: &Value) -> Value {
    const KEYS: [&str; 11] = [
        "_id",
        "shortId",
        "name",
        "kind",
        "live",
        "startedAt",
        "duration_ms",
        "counts",
        "services",
        "tags",
        "sessionAttributes",
    ];
    let pairs = KEYS.iter().filter_map(|key| Some(((*key).to_owned(), shown.get(*key)?.clone())));
    Value::Object(pairs.collect())
}

fn list_sessions(db: &Connection, arguments: &Arguments) -> Result<Value, String> {
    let limit = arguments.number("limit", 20, 100);
    let wanted = store::Wanted {
        service: Some(arguments.text("service")).filter(|s| !s.is_empty()),
        errors: arguments.flag("errors_only"),
        ..Default::default()
    };
    let mut found = Vec::new();
    store::find_sessions(db, &wanted, |_, session| {
        found.push(session);
        found.len() <= limit
    })
    .map_err(database)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let sessions = found
        .iter()
        .map(|session| Ok(outline(&document::listed(db, session, None)?)))
        .collect::<store::Result<Vec<Value>>>()
        .map_err(database)?;
    Ok(json!({ "sessions": sessions, "more": more }))
}

fn session_summary(db: &Connection, arguments: &Arguments) -> Result<Value, String> {
    const ROWS: usize = 40;
    let session = session(db, arguments.text("session"))?;
    let mut summary = analyse::summary(db, &session, None).map_err(database)?;
    summary["session"] = outline(&summary["session"]);
    for key in ["services", "edges", "routes", "errors"] {
        if let Some(rows) = summary[key].as_array_mut() {
            let all = rows.len();
            rows.truncate(if key == "errors" { 10 } else { ROWS });
            if rows.len() < all {
                summary[format!("{key}_in_all")] = all.into();
            }
        }
    }
    Ok(summary)
}

fn list_errors(db: &Connection, arguments: &Arguments) -> Result<Value, String> {
    let session = session(db, arguments.text("session"))?;
    let mut summary = analyse::summary(db, &session, None).map_err(database)?;
    let mut errors = summary["errors"].take();
    if let Some(list) = errors.as_array_mut() {
        list.truncate(arguments.number("limit", 50, 200));
    }
    Ok(json!({ "errors": errors, "in_all": session.held.errors }))
}

fn list_spans(db: &Connection, arguments: &Arguments) -> Result<Value, String> {
    let session = session(db, arguments.text("session"))?;
    let limit = arguments.number("limit", 100, 500).max(1);
    let after = arguments.0.get("after").and_then(Value::as_i64).unwrap_or(0);
    let (trace, service) = (arguments.text("trace_id"), arguments.text("service"));
    let errors = arguments.flag("errors_only");
    let rows = store::rows_after(db, &session.id, after, -1).map_err(database)?;
    let mut fitting = rows.iter().filter(|row| {
        (trace.is_empty() || document::hex(&row.trace_id).eq_ignore_ascii_case(trace))
            && (service.is_empty() || row.service == service)
            && (!errors || row.is_error())
    });
    let taken: Vec<_> = fitting.by_ref().take(limit).collect();
    let more = fitting.next().is_some();
    Ok(json!({
        "columns": api::SPAN_COLUMNS,
        "rows": taken.iter().map(|row| shortened(api::row_json(row), 200)).collect::<Vec<_>>(),
        "next": taken.last().map_or(after, |row| row.id),
        "more": more,
    }))
}

/// Texts longer than an agent wants them end with how long they are.
fn shortened(value: Value, limit: usize) -> Value {
    match value {
        Value::String(text) if text.len() > limit => {
            format!("{}… ({} bytes)", start_of(&text, limit), text.len()).into()
        }
        Value::Array(items) => items.into_iter().map(|item| shortened(item, limit)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, item)| (key, shortened(item, limit))).collect(),
        other => other,
    }
}

fn get_span(db: &Connection, arguments: &Arguments) -> Result<Value, String> {
    let (trace, span) = (arguments.text("trace_id"), arguments.text("span_id"));
    let mut found = api::span_detail(db, arguments.text("session"), trace, span).map_err(words)?;
    // Captured content is there once, not among the attributes, too.
    if let Some(attributes) = found["attributes"].as_object_mut() {
        attributes.retain(|key, _| !crate::content::is_content(key));
    }
    if let Some(logs) = found["logs"].as_array_mut() {
        logs.truncate(50);
        for log in logs {
            if let Some(log) = log.as_object_mut() {
                ["resource", "scope", "traceId", "spanId"].iter().for_each(|key| {
                    log.shift_remove(*key);
                });
            }
        }
    }
    Ok(shortened(found, TEXT_LIMIT))
}

fn get_content(db: &Connection, arguments: &Arguments) -> Result<Value, String> {
    let ids = (arguments.text("session"), arguments.text("trace_id"), arguments.text("span_id"));
    let body = api::whole_body(db, ids, arguments.text("direction"), None).map_err(words)?;
    let mut offset = arguments.number("offset", 0, body.len());
    while !body.is_char_boundary(offset) {
        offset -= 1;
    }
    let rest = body.get(offset..).unwrap_or_default();
    let piece = start_of(rest, arguments.number("limit", CONTENT_LIMIT, CONTENT_LIMIT).max(4));
    let next = offset + piece.len();
    Ok(json!({ "text": piece, "offset": offset, "size": body.len(), "next": (next < body.len()).then_some(next) }))
}

fn search(db: &Connection, arguments: &Arguments) -> Result<Value, String> {
    let session = session(db, arguments.text("session"))?;
    let given = |name| Some(arguments.text(name)).filter(|t| !t.is_empty());
    if given("text").is_none() && given("attribute").is_none() {
        return Err("text, attribute: say what to look for".into());
    }
    let query = api::query(given("text"), given("attribute")).map_err(words)?;
    let limit = arguments.number("limit", 50, 500).max(1);
    let (spans, more) = analyse::search(db, &session, &query, limit).map_err(database)?;
    Ok(json!({ "columns": ["trace_id", "span_id"], "rows": spans, "more": more }))
}

fn diff_sessions(db: &Connection, arguments: &Arguments) -> Result<Value, String> {
    const ROWS: usize = 100;
    let (a, b) = (session(db, arguments.text("a"))?, session(db, arguments.text("b"))?);
    let mut found = analyse::diff(db, &a, &b, None).map_err(database)?;
    for key in ["a", "b"] {
        found[key] = outline(&found[key]);
    }
    if let Some(rows) = found["rows"].as_array_mut() {
        let all = rows.len();
        if !arguments.flag("include_same") {
            rows.retain(|row| row["state"] != "same");
        }
        rows.truncate(ROWS);
        found["rows_in_all"] = all.into();
    }
    Ok(found)
}
