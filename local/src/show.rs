//! The terminal side: list, show and export, read straight from the database, so they work
//! with and without a running server. What was recorded is printed without its control
//! characters: a terminal obeys them.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{json, Value};

use crate::store::{self, Session, Store};
use crate::{analyse, document, import};

/// The longest attribute or log text that is printed.
const TEXT_LIMIT: usize = 300;
/// Deeper spans are printed at this depth.
const DEPTH_LIMIT: usize = 32;

/// Attributes worth a line in the terminal: what was captured.
const CAPTURED: &[&str] = &["multiplayer.http.", "multiplayer.rpc.", "multiplayer.messaging."];

type Done = Result<(), String>;

pub fn list(path: &Path, json: bool) -> Done {
    let db = open(path)?;
    let sessions = store::all_sessions(&db).map_err(|e| unreadable(path, &e))?;
    let shown = sessions.iter().map(|s| document::listed(&db, s, None)).collect::<store::Result<Vec<Value>>>();
    let shown = shown.map_err(|e| unreadable(path, &e))?;
    if json {
        return print(&format!("{:#}\n", json!({ "sessions": shown })));
    }
    let mut out = String::new();
    if sessions.is_empty() {
        out.push_str("no sessions yet\n");
    }
    for (session, shown) in sessions.iter().zip(&shown) {
        let _ = writeln!(out, "{:24}  {}", session.id, one_line(shown));
    }
    print(&out)
}

pub fn show(path: &Path, id: Option<&str>, json: bool) -> Done {
    let db = open(path)?;
    let session = match id {
        Some(id) => find(&db, path, id)?,
        None => {
            store::all_sessions(&db).map_err(|e| unreadable(path, &e))?.into_iter().next().ok_or("no sessions yet")?
        }
    };
    if json {
        let summary = analyse::summary(&db, &session, None).map_err(|e| unreadable(path, &e))?;
        return print(&format!("{summary:#}\n"));
    }
    let whole = document::whole(&db, &session, None).map_err(|e| unreadable(path, &e))?;
    print(&render(&whole, io::stdout().is_terminal()))
}

pub fn export(path: &Path, id: &str, output: Option<PathBuf>) -> Done {
    let db = open(path)?;
    let session = find(&db, path, id)?;
    let whole = document::whole(&db, &session, None).map_err(|e| unreadable(path, &e))?;
    let text = format!("{whole:#}\n");
    match output {
        None => print(&text),
        // What was recorded stays private in the copy, too.
        Some(file) => OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut f| f.write_all(text.as_bytes()))
            .map_err(|e| format!("cannot write {}: {e}", file.display())),
    }
}

pub fn import(path: &Path, files: &[PathBuf], json: bool) -> Done {
    let store = Store::open(path)?;
    let mut shown = Vec::new();
    for file in files {
        let name = file.display();
        let text = match file.as_os_str() == "-" {
            true => io::read_to_string(io::stdin()),
            false => fs::read_to_string(file),
        };
        let text = text.map_err(|e| format!("cannot read {name}: {e}"))?;
        let whole: Value = serde_json::from_str(&text).map_err(|e| format!("{name} is not JSON: {e}"))?;
        let session = store.write(|db| import::keep(db, &whole)).map_err(|refused| match refused {
            import::Refused::Document(words) => format!("{name} is no exported session: {words}"),
            import::Refused::Database(e) => unreadable(path, &e),
        })?;
        let db = store.reader().map_err(|e| unreadable(path, &e))?;
        let listed = document::listed(&db, &session, None).map_err(|e| unreadable(path, &e))?;
        if !json {
            print(&format!("{:24}  {}\n", session.id, one_line(&listed)))?;
        }
        shown.push(listed);
    }
    match json {
        true => print(&format!("{:#}\n", json!({ "sessions": shown }))),
        false => Ok(()),
    }
}

pub fn remove(path: &Path, ids: &[String]) -> Done {
    open(path)?;
    let store = Store::open(path)?;
    let tell = |e: rusqlite::Error| unreadable(path, &e);
    let db = store.reader().map_err(tell)?;
    // All are looked for before one is gone.
    let found = ids.iter().map(|id| find(&db, path, id)).collect::<Result<Vec<Session>, String>>()?;
    for session in &found {
        store.write(|db| store::delete_session(db, &session.id)).map_err(tell)?;
    }
    while store.write(store_trash).map_err(tell)? {}
    store.give_back().map_err(tell)
}

fn store_trash(db: &rusqlite::Transaction) -> store::Result<bool> {
    store::empty_trash(db)
}

/// Whether the two are the same.
pub fn diff(path: &Path, a: &str, b: &str, json: bool, ignore_time: bool) -> Result<bool, String> {
    let db = open(path)?;
    let (a, b) = (find(&db, path, a)?, find(&db, path, b)?);
    let mut found = analyse::diff(&db, &a, &b, None).map_err(|e| unreadable(path, &e))?;
    let counts = |row: &Value| {
        row["state"] != "same" && !(ignore_time && matches!(row["state"].as_str(), Some("slower" | "faster")))
    };
    let rows = found["rows"].as_array_mut();
    let different = rows.as_ref().is_some_and(|rows| rows.iter().any(counts));
    if json {
        print(&format!("{found:#}\n"))?;
        return Ok(!different);
    }
    let mut out = String::new();
    let mut same = 0;
    for row in rows.into_iter().flatten() {
        if !counts(row) {
            same += 1;
            continue;
        }
        let key = &row["key"];
        let _ = writeln!(
            out,
            "{:8} {} [{}] {}  {} -> {}",
            text(&row["state"]),
            text(&key["name"]),
            text(&key["service"]),
            text(&key["kind"]),
            figures(&row["a"]),
            figures(&row["b"]),
        );
        for one in row["content"].as_array().into_iter().flatten() {
            let _ = writeln!(out, "           {}: {} -> {}", text(&one["where"]), short(&one["a"]), short(&one["b"]));
        }
    }
    let _ = writeln!(out, "{same} kinds of spans are the same");
    print(&out)?;
    Ok(!different)
}

fn figures(side: &Value) -> String {
    match side.as_object() {
        None => "none".into(),
        Some(_) => {
            let p50 = duration(side["p50_ns"].as_u64().unwrap_or_default().into());
            format!("{} x {p50}, {}", side["count"], plural(&side["errors"], "error"))
        }
    }
}

/// Prints what comes into a session until it ends.
pub fn tail(path: &Path, id: Option<&str>, json: bool) -> Done {
    const LOOK: Duration = Duration::from_millis(200);
    let tell = |e: rusqlite::Error| unreadable(path, &e);
    let db = open(path)?;
    let paint = Paint(io::stdout().is_terminal());
    let session = match id {
        Some(id) => find(&db, path, id)?,
        None => {
            let mut told = false;
            loop {
                let running = store::all_sessions(&db).map_err(tell)?.into_iter().find(document::is_live);
                match running {
                    Some(session) => break session,
                    None if !told => eprintln!("mpr-local: waiting for a session to start"),
                    None => {}
                }
                told = true;
                std::thread::sleep(LOOK);
            }
        }
    };
    eprintln!("mpr-local: following session {}", session.id);
    let (mut spans, mut logs) = (0, 0);
    let mut start = None;
    let mut origins = document::Origins::default();
    loop {
        // Asked before the rows: what came before the end is still read.
        let live = store::any_session(&db, &session.id).map_err(tell)?.as_ref().is_some_and(document::is_live);
        let mut lines = Vec::new();
        for stored in store::spans_after(&db, &session.id, spans, 1000).map_err(tell)? {
            spans = stored.id;
            lines
                .extend(origins.span(&db, &stored).map_err(tell)?.map(|s| (nanos(&s["startTimeUnixNano"]), "span", s)));
        }
        for stored in store::logs_after(&db, &session.id, logs, 1000).map_err(tell)? {
            logs = stored.id;
            lines.extend(origins.log(&db, &stored).map_err(tell)?.map(|l| (nanos(&l["timeUnixNano"]), "log", l)));
        }
        let quiet = lines.is_empty();
        lines.sort_by_key(|line| line.0);
        let mut out = String::new();
        for (at, what, value) in lines {
            if json {
                let _ = writeln!(out, "{}", json!({ what: value }));
                continue;
            }
            let from = *start.get_or_insert(at);
            let when = paint.dim(&offset(at, from));
            let _ = match what {
                "span" => {
                    let failed = value["status"]["code"] == "ERROR";
                    let bad = failed.then(|| paint.red(&format!(" ERROR {}", short(&value["status"]["message"]))));
                    let took = duration(nanos(&value["durationNano"]));
                    writeln!(
                        out,
                        "{when} {} [{}] {took}{}",
                        paint.bold(&text(&value["name"])),
                        text(&value["service"]),
                        bad.unwrap_or_default()
                    )
                }
                _ => writeln!(
                    out,
                    "{when} {} [{}] {}",
                    text(&value["severityText"]),
                    text(&value["service"]),
                    short(&value["body"])
                ),
            };
        }
        if !out.is_empty() && !print_on(&out)? {
            return Ok(());
        }
        match (quiet, live) {
            (false, _) => {}
            (true, true) => std::thread::sleep(LOOK),
            (true, false) => return Ok(()),
        }
    }
}

/// Prints; false when nobody reads any more.
fn print_on(text: &str) -> Result<bool, String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(e.to_string()),
    }
}

pub fn open(path: &Path) -> Result<Connection, String> {
    if !path.exists() {
        return Err(format!("nothing was recorded yet: there is no {}", path.display()));
    }
    let version = |db: &Connection| db.pragma_query_value(None, "user_version", |r| r.get::<_, i64>(0));
    let db = store::read_only(path).map_err(|e| unreadable(path, &e))?;
    // Of an older mpr-local: it is brought up to date first. (What is newer is refused there, in words.)
    if version(&db).map_err(|e| unreadable(path, &e))? != store::SCHEMA_VERSION {
        drop(Store::open(path)?);
    }
    Ok(db)
}

pub fn find(db: &Connection, path: &Path, id: &str) -> Result<Session, String> {
    store::any_session(db, id)
        .map_err(|e| unreadable(path, &e))?
        .ok_or_else(|| format!("there is no session {id} (see: mpr-local list)"))
}

pub fn unreadable(path: &Path, e: &rusqlite::Error) -> String {
    format!("cannot read {}: {e}", path.display())
}

fn print(text: &str) -> Done {
    // `mpr-local show | head` is no mistake.
    print_on(text).map(|_| ())
}

// ---- one session -----------------------------------------------------------------------

struct Paint(bool);

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        match self.0 {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn red(&self, text: &str) -> String {
        self.with("31", text)
    }

    fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }
}

fn render(whole: &Value, colours: bool) -> String {
    let paint = Paint(colours);
    let session = &whole["session"];
    let mut out = String::new();
    let _ = writeln!(out, "{}", paint.bold(&format!("session {}", text(&session["_id"]))));
    let _ = writeln!(out, "{}", one_line(session));
    for (name, key) in [("session", "sessionAttributes"), ("resource", "resourceAttributes")] {
        for (attribute, value) in session[key].as_object().into_iter().flatten() {
            let _ = writeln!(out, "  {name}: {} = {}", clean(attribute), short(value));
        }
    }
    let spans: Vec<&Value> = whole["spans"].as_array().into_iter().flatten().collect();
    let logs: Vec<&Value> = whole["logs"].as_array().into_iter().flatten().collect();
    let start = spans
        .iter()
        .map(|s| nanos(&s["startTimeUnixNano"]))
        .chain(logs.iter().map(|l| nanos(&l["timeUnixNano"])))
        .min()
        .unwrap_or_default();
    for trace in traces(&spans) {
        render_trace(&mut out, &paint, &trace, start);
    }
    if !logs.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("logs"));
    }
    for log in logs {
        let severity = match text(&log["severityText"]) {
            s if s.is_empty() => format!("severity {}", log["severityNumber"]),
            s => s,
        };
        let bad = log["severityNumber"].as_i64().unwrap_or_default() >= 17;
        let severity = if bad { paint.red(&severity) } else { severity };
        let _ = writeln!(
            out,
            "  {} {severity} [{}] {}",
            paint.dim(&offset(nanos(&log["timeUnixNano"]), start)),
            text(&log["service"]),
            short(&log["body"]),
        );
    }
    out
}

/// Spans by trace, in order of their first appearance (which is order of time).
fn traces<'s>(spans: &[&'s Value]) -> Vec<Vec<&'s Value>> {
    let mut order: Vec<Vec<&Value>> = Vec::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    for span in spans {
        let id = span["traceId"].as_str().unwrap_or_default();
        let at = *index.entry(id).or_insert_with(|| {
            order.push(Vec::new());
            order.len() - 1
        });
        order[at].push(span);
    }
    order
}

fn render_trace(out: &mut String, paint: &Paint, spans: &[&Value], start: u128) {
    let id = text(&spans[0]["traceId"]);
    let _ = writeln!(out, "\n{}", paint.bold(&format!("trace {id}")));
    for (span, depth) in tree(spans) {
        let indent = "  ".repeat(depth.min(DEPTH_LIMIT) + 1);
        let status = match span["status"]["code"].as_str() {
            Some("ERROR") => {
                let message = short(&span["status"]["message"]);
                paint.red(format!("ERROR {message}").trim_end())
            }
            Some("OK") => "OK".into(),
            _ => String::new(),
        };
        let line = format!(
            "{indent}{} {} [{}] {} {status}",
            paint.dim(&offset(nanos(&span["startTimeUnixNano"]), start)),
            paint.bold(&text(&span["name"])),
            text(&span["service"]),
            duration(nanos(&span["durationNano"])),
        );
        let _ = writeln!(out, "{}", line.trim_end());
        for (key, value) in span["attributes"].as_object().into_iter().flatten() {
            if CAPTURED.iter().any(|prefix| key.starts_with(prefix)) {
                let name = key.trim_start_matches("multiplayer.");
                let _ = writeln!(out, "{indent}    {}: {}", paint.dim(&clean(name)), short(value));
            }
        }
        for event in span["events"].as_array().into_iter().flatten() {
            let attributes = &event["attributes"];
            let detail = ["exception.type", "exception.message"]
                .iter()
                .map(|key| short(&attributes[*key]))
                .filter(|t| !t.is_empty())
                .collect::<Vec<_>>()
                .join(": ");
            let line = format!("{indent}    * {} {detail}", text(&event["name"]));
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

/// Parents before children, with depth. Spans whose parent is elsewhere are roots; a
/// circle of parents (recorded data can be anything) is cut at its first span.
fn tree<'s>(spans: &[&'s Value]) -> Vec<(&'s Value, usize)> {
    let id = |span: &'s Value, key: &str| span[key].as_str().unwrap_or_default();
    let ids: HashSet<&str> = spans.iter().map(|s| id(s, "spanId")).collect();
    let mut children: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut roots = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        let parent = id(span, "parentSpanId");
        match !parent.is_empty() && ids.contains(parent) {
            true => children.entry(parent).or_default().push(at),
            false => roots.push(at),
        }
    }
    let mut done = vec![false; spans.len()];
    let mut order = Vec::new();
    for first in roots.into_iter().chain(0..spans.len()) {
        let mut waiting = vec![(first, 0)];
        while let Some((at, depth)) = waiting.pop() {
            if std::mem::replace(&mut done[at], true) {
                continue;
            }
            order.push((spans[at], depth));
            let below = children.get(id(spans[at], "spanId"));
            for child in below.into_iter().flatten().rev() {
                waiting.push((*child, depth + 1));
            }
        }
    }
    order
}

pub fn one_line(session: &Value) -> String {
    let name = match text(&session["name"]) {
        name if name.is_empty() => "(unnamed)".into(),
        name => name,
    };
    let counts = &session["counts"];
    let state = match session["live"].as_bool() {
        Some(true) if session["kind"] == "saved" => "taking late data",
        Some(true) => "recording",
        _ => "stopped",
    };
    let mut line = format!(
        "{name}  {} {state}  started {}  {}, {}, {}",
        text(&session["kind"]),
        text(&session["startedAt"]),
        plural(&counts["spans"], "span"),
        plural(&counts["errors"], "error"),
        plural(&counts["logs"], "log"),
    );
    if let Some(seconds) = session["durationInSeconds"].as_f64() {
        let _ = write!(line, "  {seconds:.3} s");
    }
    if session["shortId"] != session["_id"] {
        let _ = write!(line, "  short id {}", text(&session["shortId"]));
    }
    line
}

fn plural(count: &Value, one: &str) -> String {
    match count.as_i64() {
        Some(1) => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

fn nanos(value: &Value) -> u128 {
    value.as_str().and_then(|s| s.parse().ok()).unwrap_or_default()
}

fn offset(at: u128, start: u128) -> String {
    format!("+{}", duration(at.saturating_sub(start)))
}

fn duration(ns: u128) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}

fn text(value: &Value) -> String {
    clean(value.as_str().unwrap_or_default())
}

/// A value in one line of bounded length.
fn short(value: &Value) -> String {
    let full = match value {
        Value::Null => String::new(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    let total = full.chars().count();
    let mut line = clean(&full);
    if let Some((at, _)) = line.char_indices().nth(TEXT_LIMIT) {
        line.truncate(at);
        let _ = write!(line, "… ({total} characters)");
    }
    line
}

/// Without what a terminal would obey: control characters, and those that turn the
/// direction of writing around. Line breaks and tabs become spaces.
fn clean(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
        .filter(|c| !c.is_control() && !turns(*c))
        .collect()
}
