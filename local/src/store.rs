//! What is kept and for how long: one SQLite file with sessions, spans and logs.
//!
//! Spans and logs lie there as the OTLP protobuf they came in, so nothing of them is lost;
//! the columns beside it only find, sort and count them. The resource and scope of an
//! item ("origin") are shared by thousands of items and are kept once.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rusqlite::{params, Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior};
use serde_json::{Map, Value};

use crate::content;

pub const SCHEMA_VERSION: i64 = 2;
const SESSIONS: &str = "
    CREATE TABLE sessions (
        id            TEXT PRIMARY KEY,  -- 24 hex; of a continuous session its short id
        short_id      TEXT NOT NULL,
        kind          TEXT NOT NULL,
        doc           TEXT NOT NULL,     -- the session as the API tells it
        started_ms    INTEGER NOT NULL,
        stopped_ms    INTEGER,
        live_until_ms INTEGER,           -- the short id leads here until then
        close_at_ms   INTEGER,           -- the clock stops the session then
        client_id     TEXT,              -- a crash buffer's client …
        client_until_ms INTEGER,         -- … leads here until then
        source        TEXT               -- the continuous session this one was saved from
    );
    CREATE INDEX sessions_short ON sessions (short_id);
    CREATE INDEX sessions_source ON sessions (source) WHERE source IS NOT NULL;
    CREATE INDEX sessions_client ON sessions (client_id) WHERE client_id IS NOT NULL;
    CREATE INDEX sessions_continuous ON sessions (id) WHERE kind = 'continuous';
    CREATE INDEX sessions_close ON sessions (close_at_ms) WHERE close_at_ms IS NOT NULL;
    CREATE TABLE origins (id INTEGER PRIMARY KEY, data BLOB NOT NULL UNIQUE);
";
/// What version 2 added: everything that a list shows stands in columns, and what a session holds is counted as it comes.
/// `data` comes last in a row: who does not ask for it does not read it.
const CONTENT: &str = "
    ALTER TABLE sessions ADD COLUMN invites INTEGER NOT NULL DEFAULT 0;   -- other processes join it
    ALTER TABLE sessions ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN spans INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN errors INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN logs INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN traces INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX sessions_invites ON sessions (started_ms) WHERE invites;
    CREATE TABLE services (session TEXT NOT NULL, service TEXT NOT NULL, PRIMARY KEY (session, service)) WITHOUT ROWID;
    CREATE TABLE trash (session TEXT PRIMARY KEY) WITHOUT ROWID;           -- rows of sessions that are gone
    CREATE TABLE spans (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: it is the cursor of readers
        session     TEXT NOT NULL,
        trace_id    BLOB NOT NULL,
        span_id     BLOB NOT NULL,
        parent_id   BLOB NOT NULL,
        start_ns    INTEGER NOT NULL,
        end_ns      INTEGER NOT NULL,
        kind        INTEGER NOT NULL,
        status      INTEGER NOT NULL,
        http_status INTEGER,
        flags       INTEGER NOT NULL,
        bytes       INTEGER NOT NULL,
        origin      INTEGER NOT NULL,
        service     TEXT NOT NULL,
        peer        TEXT,
        name        TEXT NOT NULL,
        data        BLOB NOT NULL
    );
    CREATE INDEX spans_time ON spans (session, start_ns);
    CREATE INDEX spans_trace ON spans (session, trace_id, span_id);
    CREATE INDEX spans_order ON spans (session);
    CREATE TABLE logs (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        session  TEXT NOT NULL,
        trace_id BLOB NOT NULL,
        span_id  BLOB NOT NULL,
        time_ns  INTEGER NOT NULL,
        bytes    INTEGER NOT NULL,
        origin   INTEGER NOT NULL,
        service  TEXT NOT NULL,
        data     BLOB NOT NULL
    );
    CREATE INDEX logs_time ON logs (session, time_ns);
    CREATE INDEX logs_order ON logs (session);
    CREATE INDEX logs_span ON logs (session, trace_id, span_id) WHERE span_id != x'';
";

const COLUMNS: &str = "id, short_id, kind, doc, started_ms, stopped_ms, live_until_ms, \
     close_at_ms, client_id, client_until_ms, source, invites, imported, \
     spans, errors, logs, traces, bytes, revision";

pub type Result<T> = rusqlite::Result<T>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Manual,
    /// A rolling window, known by its short id alone.
    Continuous,
    /// A window of a continuous session that was kept.
    Saved,
    /// Made from an error span of a crash buffer.
    Issue,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Manual => "manual",
            Kind::Continuous => "continuous",
            Kind::Saved => "saved",
            Kind::Issue => "issue",
        }
    }

    pub fn from_name(name: &str) -> Option<Kind> {
        [Kind::Manual, Kind::Continuous, Kind::Saved, Kind::Issue].into_iter().find(|kind| kind.name() == name)
    }
}

pub struct Session {
    pub id: String,
    pub short_id: String,
    pub kind: Kind,
    pub doc: Map<String, Value>,
    pub started_ms: i64,
    pub stopped_ms: Option<i64>,
    pub live_until_ms: Option<i64>,
    pub close_at_ms: Option<i64>,
    pub client_id: Option<String>,
    pub client_until_ms: Option<i64>,
    pub source: Option<String>,
    /// Processes that ask whether to record are told to join it.
    pub invites: bool,
    pub imported: bool,
    /// What it holds; kept up by the intake, never written back from here.
    pub held: Held,
}

/// How much a session holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub spans: i64,
    pub errors: i64,
    pub logs: i64,
    pub traces: i64,
    pub bytes: i64,
    /// Changes with every change of the content.
    pub revision: i64,
}

/// Has captured content.
pub const HAS_CONTENT: i64 = 1;
pub const HAS_EVENTS: i64 = 2;
/// (Logs may come later: that is looked up when it is asked for.)
const HAS_LOGS: i64 = 4;

/// One span with its columns.
pub struct SpanItem<'a> {
    pub span: &'a Span,
    pub service: &'a str,
    pub origin: i64,
    pub data: &'a [u8],
}

/// One log record with its columns.
pub struct LogItem<'a> {
    pub log: &'a LogRecord,
    pub service: &'a str,
    pub origin: i64,
    pub data: &'a [u8],
}

/// A span as lists show it.
pub struct SpanRow {
    pub id: i64,
    pub trace_id: Vec<u8>,
    pub span_id: Vec<u8>,
    pub parent_id: Vec<u8>,
    pub start_ns: i64,
    pub end_ns: i64,
    pub kind: i32,
    pub status: i32,
    pub http_status: Option<i64>,
    pub flags: i64,
    pub service: String,
    pub peer: Option<String>,
    pub name: String,
}

impl SpanRow {
    pub fn duration(&self) -> i64 {
        self.end_ns.saturating_sub(self.start_ns).max(0)
    }

    pub fn is_error(&self) -> bool {
        self.status == STATUS_ERROR
    }
}

pub const STATUS_ERROR: i32 = 2;

/// A stored item and where it came from, both as protobuf.
pub struct Stored {
    pub id: i64,
    pub data: Vec<u8>,
    pub origin: i64,
}

pub struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
}

impl Store {
    pub fn open(path: &Path) -> std::result::Result<Store, String> {
        let tell = |e: String| format!("cannot use the database {}: {e} (see --db)", path.display());
        create_private(path).map_err(|e| tell(e.to_string()))?;
        let mut writer = Connection::open(path).map_err(|e| tell(e.to_string()))?;
        let version = prepare(&mut writer).map_err(|e| tell(e.to_string()))?;
        if version != SCHEMA_VERSION {
            return Err(tell(format!(
                "another version of mpr-local wrote it (its schema is {version}, not {SCHEMA_VERSION})"
            )));
        }
        Ok(Store { path: path.to_owned(), writer: Mutex::new(writer) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` in one transaction of the only writer; an error undoes it.
    pub fn write<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction()?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Gives room that became free back to the file system.
    pub fn give_back(&self) -> Result<()> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // It frees a page with each step; and the file is cut only when the log of changes is written into it.
        for pragma in ["PRAGMA incremental_vacuum(4000)", "PRAGMA wal_checkpoint(PASSIVE)"] {
            let mut statement = writer.prepare(pragma)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
        }
        Ok(())
    }

    /// A second pair of eyes: reading a large session does not hold up the intake.
    pub fn reader(&self) -> Result<Connection> {
        read_only(&self.path)
    }
}

/// Opens the database for looking only.
pub fn read_only(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_secs(5))?;
    Ok(db)
}

/// Recorded traffic is nobody else's business: folder 0700, file 0600 (SQLite gives its
/// side files the mode of the main one). A file that is something else is left alone.
fn create_private(path: &Path) -> io::Result<()> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    if let Some(folder) = folder {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(MAGIC.len() as u64).read_to_end(&mut start)?;
    if !start.is_empty() && start != MAGIC {
        return Err(io::Error::other("the file is not a database"));
    }
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Makes the tables where there are none; the version of the schema.
fn prepare(db: &mut Connection) -> Result<i64> {
    db.busy_timeout(Duration::from_secs(5))?;
    let version = |db: &Connection| db.pragma_query_value(None, "user_version", |r| r.get::<_, i64>(0));
    // Room that was given free goes back to the file system. Counts only before there are tables, or with a VACUUM.
    let old = version(db)?;
    if old == 0 {
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "wal_autocheckpoint", 4000)?;
    db.set_prepared_statement_cache_capacity(64);
    // In one transaction with the question, so that two first starts at once agree.
    let setup = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match version(&setup)? {
        0 => {
            setup.execute_batch(SESSIONS)?;
            setup.execute_batch(CONTENT)?;
            setup.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        1 => {
            from_version_1(&setup)?;
            setup.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        _ => {}
    }
    let version: i64 = version(&setup)?;
    if version == SCHEMA_VERSION {
        setup.execute(
            "DELETE FROM origins WHERE id NOT IN (SELECT origin FROM spans)
             AND id NOT IN (SELECT origin FROM logs)",
            [],
        )?;
    }
    setup.commit()?;
    if old == 1 {
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        db.execute_batch("VACUUM")?;
    }
    Ok(version)
}

/// Gives what version 1 recorded its columns.
fn from_version_1(db: &Connection) -> Result<()> {
    db.execute_batch(
        "ALTER TABLE spans RENAME TO spans_1; ALTER TABLE logs RENAME TO logs_1;
         DROP INDEX spans_session; DROP INDEX logs_session;",
    )?;
    db.execute_batch(CONTENT)?;
    let ids: Vec<String> =
        db.prepare("SELECT id FROM sessions")?.query_map([], |r| r.get(0))?.collect::<Result<_>>()?;
    for id in ids {
        let mut added = Added::default();
        let mut find = db.prepare_cached("SELECT service, origin, data FROM spans_1 WHERE session = ? ORDER BY id")?;
        let mut rows = find.query([&id])?;
        while let Some(row) = rows.next()? {
            let (service, data): (String, Vec<u8>) = (row.get(0)?, row.get(2)?);
            let Ok(span) = Span::decode(&*data) else { continue };
            let item = SpanItem { span: &span, service: &service, origin: row.get(1)?, data: &data };
            insert_span(db, &mut added, &id, &item)?;
        }
        let mut find = db.prepare_cached("SELECT service, origin, data FROM logs_1 WHERE session = ? ORDER BY id")?;
        let mut rows = find.query([&id])?;
        while let Some(row) = rows.next()? {
            let (service, data): (String, Vec<u8>) = (row.get(0)?, row.get(2)?);
            let Ok(log) = LogRecord::decode(&*data) else { continue };
            let item = LogItem { log: &log, service: &service, origin: row.get(1)?, data: &data };
            insert_log(db, &mut added, &id, &item)?;
        }
        added.write(db)?;
    }
    db.execute_batch("DROP TABLE spans_1; DROP TABLE logs_1;")
}

// ---- sessions ------------------------------------------------------------------------

pub fn insert_session(db: &Connection, s: &Session) -> Result<()> {
    db.execute(
        "INSERT INTO sessions (id, short_id, kind, doc, started_ms, stopped_ms, live_until_ms, close_at_ms, client_id,
         client_until_ms, source, invites, imported) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
        params![
            s.id,
            s.short_id,
            s.kind.name(),
            Value::Object(s.doc.clone()).to_string(),
            s.started_ms,
            s.stopped_ms,
            s.live_until_ms,
            s.close_at_ms,
            s.client_id,
            s.client_until_ms,
            s.source,
            s.invites,
            s.imported,
        ],
    )?;
    Ok(())
}

/// Writes back what can change after the start: the document and its times.
pub fn update_session(db: &Connection, s: &Session) -> Result<()> {
    db.execute(
        "UPDATE sessions SET doc = ?, started_ms = ?, stopped_ms = ?, live_until_ms = ?, close_at_ms = ?, invites = ?
         WHERE id = ?",
        params![
            Value::Object(s.doc.clone()).to_string(),
            s.started_ms,
            s.stopped_ms,
            s.live_until_ms,
            s.close_at_ms,
            s.invites,
            s.id
        ],
    )?;
    Ok(())
}

/// The session, at once, and everything recorded in it, bit by bit ([`empty_trash`]): intake does not wait for it.
pub fn delete_session(db: &Connection, id: &str) -> Result<()> {
    if db.execute("DELETE FROM sessions WHERE id = ?", [id])? > 0 {
        db.execute("INSERT OR IGNORE INTO trash (session) VALUES (?)", [id])?;
    }
    Ok(())
}

/// Removes some of what belonged to sessions that are gone. False: nothing is left of them.
pub fn empty_trash(db: &Connection) -> Result<bool> {
    const AT_ONCE: i64 = 2000;
    let session: Option<String> =
        db.prepare_cached("SELECT session FROM trash LIMIT 1")?.query_row([], |r| r.get(0)).optional()?;
    let Some(session) = session else { return Ok(false) };
    let mut removed = 0;
    for table in ["spans", "logs"] {
        removed += db
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE session = ? LIMIT {AT_ONCE})"
            ))?
            .execute([&session])?;
    }
    if removed == 0 {
        db.execute("DELETE FROM services WHERE session = ?", [&session])?;
        db.execute("DELETE FROM trash WHERE session = ?", [&session])?;
    }
    Ok(true)
}

/// The bytes that the database's content takes.
pub fn used_bytes(db: &Connection) -> Result<i64> {
    let get = |name: &str| db.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
    Ok((get("page_count")? - get("freelist_count")?) * get("page_size")?)
}

/// The session that has to go first: the oldest that ended. (A saved one takes its last data after that.)
pub fn oldest_finished(db: &Connection, now: i64) -> Result<Option<Session>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sessions WHERE stopped_ms IS NOT NULL AND (kind != 'saved' OR ifnull(live_until_ms, 0) <= ?)
         ORDER BY stopped_ms, rowid LIMIT 1"
    ))?
    .query_row([now], session_from)
    .optional()
}

fn one(db: &Connection, condition: &str, params: impl rusqlite::Params) -> Result<Option<Session>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE {condition} ORDER BY started_ms DESC LIMIT 1"))?
        .query_row(params, session_from)
        .optional()
}

fn session_from(row: &Row) -> Result<Session> {
    let doc: String = row.get(3)?;
    Ok(Session {
        id: row.get(0)?,
        short_id: row.get(1)?,
        kind: Kind::from_name(row.get_ref(2)?.as_str()?).unwrap_or(Kind::Manual),
        doc: serde_json::from_str(&doc).unwrap_or_default(),
        started_ms: row.get(4)?,
        stopped_ms: row.get(5)?,
        live_until_ms: row.get(6)?,
        close_at_ms: row.get(7)?,
        client_id: row.get(8)?,
        client_until_ms: row.get(9)?,
        source: row.get(10)?,
        invites: row.get(11)?,
        imported: row.get(12)?,
        held: Held {
            spans: row.get(13)?,
            errors: row.get(14)?,
            logs: row.get(15)?,
            traces: row.get(16)?,
            bytes: row.get(17)?,
            revision: row.get(18)?,
        },
    })
}

/// A debug session (anything but a continuous one) by its own id.
pub fn debug_session(db: &Connection, id: &str) -> Result<Option<Session>> {
    one(db, "id = ? AND kind != 'continuous'", [id])
}

/// A debug session by short id, as long as the short id leads anywhere.
pub fn live_debug_session(db: &Connection, short_id: &str, now: i64) -> Result<Option<Session>> {
    one(db, "short_id = ? AND kind != 'continuous' AND live_until_ms > ?", params![short_id, now])
}

pub fn continuous_session(db: &Connection, short_id: &str) -> Result<Option<Session>> {
    one(db, "id = ? AND kind = 'continuous' AND NOT imported", [short_id])
}

/// The session that a crash buffer's client was given.
pub fn client_session(db: &Connection, client_id: &str, now: i64) -> Result<Option<Session>> {
    one(db, "client_id = ? AND client_until_ms > ?", params![client_id, now])
}

/// Any session by `_id` or short id, live or not: for looking at.
pub fn any_session(db: &Connection, id: &str) -> Result<Option<Session>> {
    match one(db, "id = ?", [id])? {
        Some(found) => Ok(Some(found)),
        None => one(db, "short_id = ?", [id]),
    }
}

/// Sessions saved from a continuous one that still take what started before the save.
pub fn collecting(db: &Connection, source: &str, now: i64) -> Result<Vec<Session>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE source = ? AND live_until_ms > ?"))?
        .query_map(params![source, now], session_from)?
        .collect()
}

/// Newest first.
pub fn all_sessions(db: &Connection) -> Result<Vec<Session>> {
    db.prepare(&format!("SELECT {COLUMNS} FROM sessions ORDER BY started_ms DESC, rowid DESC"))?
        .query_map([], session_from)?
        .collect()
}

/// The session that processes are told to join: the youngest that was started for them and runs.
pub fn inviting(db: &Connection, now: i64) -> Result<Option<Session>> {
    one(db, "invites AND stopped_ms IS NULL AND (live_until_ms IS NULL OR live_until_ms > ?)", [now])
}

/// The sessions that take what belongs to no session: those that processes are told to join, and for a moment after
/// their end, for what is under way.
pub fn adopting(db: &Connection, now: i64) -> Result<Vec<Session>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sessions WHERE invites AND (live_until_ms IS NULL OR live_until_ms > ?)
         ORDER BY started_ms DESC"
    ))?
    .query_map([now], session_from)?
    .collect()
}

/// Whether the id is that of a session, or of one whose content is not gone yet.
pub fn is_taken(db: &Connection, id: &str) -> Result<bool> {
    db.prepare_cached("SELECT 1 FROM sessions WHERE id = ?1 UNION ALL SELECT 1 FROM trash WHERE session = ?1")?
        .exists([id])
}

/// What asks for a part of the list.
#[derive(Default)]
pub struct Wanted<'a> {
    pub service: Option<&'a str>,
    pub kind: Option<&'a str>,
    pub errors: bool,
    /// Start and row of the last session that the asker has.
    pub before: Option<(i64, i64)>,
}

/// Sessions, newest first, with their rows' numbers, until `take` has enough.
pub fn find_sessions(db: &Connection, wanted: &Wanted, mut take: impl FnMut(i64, Session) -> bool) -> Result<()> {
    let mut find = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, rowid FROM sessions WHERE (?1 IS NULL OR kind = ?1) AND (NOT ?2 OR errors > 0)
         AND (?3 IS NULL OR id IN (SELECT session FROM services WHERE service = ?3))
         AND (?4 IS NULL OR (started_ms, rowid) < (?4, ?5)) ORDER BY started_ms DESC, rowid DESC"
    ))?;
    let (before, row) = wanted.before.unzip();
    let mut rows = find.query(params![wanted.kind, wanted.errors, wanted.service, before, row])?;
    while let Some(row) = rows.next()? {
        if !take(row.get(19)?, session_from(row)?) {
            break;
        }
    }
    Ok(())
}

pub fn services(db: &Connection, session: &str) -> Result<Vec<String>> {
    db.prepare_cached("SELECT service FROM services WHERE session = ? ORDER BY service")?
        .query_map([session], |r| r.get(0))?
        .collect()
}

pub fn due_sessions(db: &Connection, now: i64) -> Result<Vec<Session>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE close_at_ms <= ?"))?
        .query_map([now], session_from)?
        .collect()
}

// ---- spans and logs ------------------------------------------------------------------

/// The row that keeps this resource and scope.
pub fn origin(db: &Connection, data: &[u8]) -> Result<i64> {
    let found =
        db.prepare_cached("SELECT id FROM origins WHERE data = ?")?.query_row([data], |r| r.get(0)).optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    db.prepare_cached("INSERT INTO origins (data) VALUES (?)")?.insert([data])
}

/// What is added to sessions, counted until it is written into them in one go.
#[derive(Default)]
pub struct Added(HashMap<String, (Held, HashSet<String>)>);

impl Added {
    fn of(&mut self, session: &str, service: &str) -> &mut Held {
        if !self.0.contains_key(session) {
            self.0.insert(session.to_owned(), Default::default());
        }
        let (held, services) = self.0.entry(session.to_owned()).or_default();
        if !services.contains(service) {
            services.insert(service.to_owned());
        }
        held
    }

    pub fn write(self, db: &Connection) -> Result<()> {
        let mut add = db.prepare_cached(
            "UPDATE sessions SET spans = spans + ?, errors = errors + ?, logs = logs + ?, traces = traces + ?,
             bytes = bytes + ?, revision = revision + 1 WHERE id = ?",
        )?;
        let mut name = db.prepare_cached("INSERT OR IGNORE INTO services (session, service) VALUES (?, ?)")?;
        for (session, (held, services)) in self.0 {
            add.execute(params![held.spans, held.errors, held.logs, held.traces, held.bytes, session])?;
            for service in services {
                name.execute([&session, &service])?;
            }
        }
        Ok(())
    }
}

pub fn insert_span(db: &Connection, added: &mut Added, session: &str, item: &SpanItem) -> Result<()> {
    let span = item.span;
    let held = added.of(session, item.service);
    let status = span.status.as_ref().map_or(0, |s| s.code);
    let known = db
        .prepare_cached("SELECT 1 FROM spans WHERE session = ? AND trace_id = ? LIMIT 1")?
        .exists(params![session, span.trace_id])?;
    let bytes = item.data.len() as i64;
    held.spans += 1;
    held.errors += i64::from(status == STATUS_ERROR);
    held.traces += i64::from(!known);
    held.bytes += bytes;
    db.prepare_cached(
        "INSERT INTO spans (session, trace_id, span_id, parent_id, start_ns, end_ns, kind, status, http_status, flags,
         bytes, origin, service, peer, name, data) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    )?
    .execute(params![
        session,
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        sortable(span.start_time_unix_nano),
        sortable(span.end_time_unix_nano),
        span.kind,
        status,
        content::http_status(span),
        content::flags(span),
        bytes,
        item.origin,
        item.service,
        content::peer(span),
        span.name,
        item.data
    ])?;
    Ok(())
}

pub fn insert_log(db: &Connection, added: &mut Added, session: &str, item: &LogItem) -> Result<()> {
    let held = added.of(session, item.service);
    let bytes = item.data.len() as i64;
    held.logs += 1;
    held.bytes += bytes;
    db.prepare_cached(
        "INSERT INTO logs (session, trace_id, span_id, time_ns, bytes, origin, service, data) VALUES (?,?,?,?,?,?,?,?)",
    )?
    .execute(params![
        session,
        item.log.trace_id,
        item.log.span_id,
        sortable(item.log.time_unix_nano),
        bytes,
        item.origin,
        item.service,
        item.data
    ])?;
    Ok(())
}

/// SQLite's integers are signed; the exact time is in the data.
fn sortable(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

/// Keeps a copy of a window of one session in another.
pub fn copy_window(db: &Connection, from: &str, to: &str, start_ms: i64, end_ms: i64) -> Result<()> {
    // Up to the last nanosecond of the last millisecond: the platform compares milliseconds.
    let (first, last) = (start_ms * 1_000_000, end_ms * 1_000_000 + 999_999);
    db.execute(
        "INSERT INTO spans (session, trace_id, span_id, parent_id, start_ns, end_ns, kind, status, http_status, flags,
         bytes, origin, service, peer, name, data)
         SELECT ?1, trace_id, span_id, parent_id, start_ns, end_ns, kind, status, http_status, flags, bytes, origin,
         service, peer, name, data FROM spans WHERE session = ?2 AND start_ns BETWEEN ?3 AND ?4 ORDER BY id",
        params![to, from, first, last],
    )?;
    db.execute(
        "INSERT INTO logs (session, trace_id, span_id, time_ns, bytes, origin, service, data)
         SELECT ?1, trace_id, span_id, time_ns, bytes, origin, service, data FROM logs
         WHERE session = ?2 AND time_ns BETWEEN ?3 AND ?4 ORDER BY id",
        params![to, from, first, last],
    )?;
    recount(db, to)
}

/// Counts anew what a session holds.
fn recount(db: &Connection, session: &str) -> Result<()> {
    db.execute(
        "UPDATE sessions SET revision = revision + 1, (spans, errors, traces, bytes) =
         (SELECT count(*), ifnull(sum(status = 2), 0), count(DISTINCT trace_id), ifnull(sum(bytes), 0) FROM spans
          WHERE session = ?1),
         logs = (SELECT count(*) FROM logs WHERE session = ?1) WHERE id = ?1",
        [session],
    )?;
    db.execute(
        "UPDATE sessions SET bytes = bytes + (SELECT ifnull(sum(bytes), 0) FROM logs WHERE session = ?1) WHERE id = ?1",
        [session],
    )?;
    db.execute(
        "INSERT OR IGNORE INTO services SELECT DISTINCT ?1, service FROM spans WHERE session = ?1
         UNION SELECT DISTINCT ?1, service FROM logs WHERE session = ?1",
        [session],
    )?;
    Ok(())
}

/// Forgets what continuous sessions recorded before `oldest_ms`.
pub fn prune_continuous(db: &Connection, oldest_ms: i64) -> Result<()> {
    let oldest = oldest_ms * 1_000_000;
    let ids: Vec<String> = db
        .prepare_cached("SELECT id FROM sessions WHERE kind = 'continuous' AND NOT imported AND stopped_ms IS NULL")?
        .query_map([], |r| r.get(0))?
        .collect::<Result<_>>()?;
    for id in ids {
        let mut find = db.prepare_cached(
            "SELECT trace_id, count(*), sum(status = 2), sum(bytes) FROM spans WHERE session = ? AND start_ns < ?
             GROUP BY trace_id",
        )?;
        let old: Vec<(Vec<u8>, i64, i64, i64)> = find
            .query_map(params![id, oldest], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?
            .collect::<Result<_>>()?;
        let (logs, log_bytes): (i64, i64) = db
            .prepare_cached("SELECT count(*), ifnull(sum(bytes), 0) FROM logs WHERE session = ? AND time_ns < ?")?
            .query_row(params![id, oldest], |r| Ok((r.get(0)?, r.get(1)?)))?;
        if old.is_empty() && logs == 0 {
            continue;
        }
        db.prepare_cached("DELETE FROM spans WHERE session = ? AND start_ns < ?")?.execute(params![id, oldest])?;
        db.prepare_cached("DELETE FROM logs WHERE session = ? AND time_ns < ?")?.execute(params![id, oldest])?;
        let mut gone = Held { logs, bytes: log_bytes, ..Held::default() };
        let mut left = db.prepare_cached("SELECT 1 FROM spans WHERE session = ? AND trace_id = ? LIMIT 1")?;
        for (trace, spans, errors, bytes) in old {
            gone.spans += spans;
            gone.errors += errors;
            gone.bytes += bytes;
            gone.traces += i64::from(!left.exists(params![id, trace])?);
        }
        db.prepare_cached(
            "UPDATE sessions SET spans = spans - ?, errors = errors - ?, logs = logs - ?, traces = traces - ?,
             bytes = bytes - ?, revision = revision + 1 WHERE id = ?",
        )?
        .execute(params![gone.spans, gone.errors, gone.logs, gone.traces, gone.bytes, id])?;
    }
    Ok(())
}

/// First and last moment of a session's content, in milliseconds.
pub fn extent(db: &Connection, session: &str) -> Result<Option<(i64, i64)>> {
    let (first, last): (Option<i64>, Option<i64>) = db.query_row(
        "SELECT min(t), max(t) FROM (SELECT start_ns AS t FROM spans WHERE session = ?1
         UNION ALL SELECT time_ns FROM logs WHERE session = ?1)",
        [session],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    Ok(first.zip(last).map(|(a, b)| (a / 1_000_000, b / 1_000_000)))
}

pub fn spans(db: &Connection, session: &str) -> Result<Vec<Stored>> {
    stored(db, "SELECT id, data, origin FROM spans WHERE session = ? ORDER BY start_ns, id", [session])
}

pub fn logs(db: &Connection, session: &str) -> Result<Vec<Stored>> {
    stored(db, "SELECT id, data, origin FROM logs WHERE session = ? ORDER BY time_ns, id", [session])
}

/// Log records in the order of their arrival.
pub fn logs_after(db: &Connection, session: &str, after: i64, limit: i64) -> Result<Vec<Stored>> {
    let query = "SELECT id, data, origin FROM logs WHERE session = ? AND id > ? ORDER BY id LIMIT ?";
    stored(db, query, params![session, after, limit])
}

pub fn logs_of_span(db: &Connection, session: &str, trace_id: &[u8], span_id: &[u8]) -> Result<Vec<Stored>> {
    let query =
        "SELECT id, data, origin FROM logs WHERE session = ? AND trace_id = ? AND span_id = ? AND span_id != x''
         ORDER BY time_ns, id LIMIT 1000";
    stored(db, query, params![session, trace_id, span_id])
}

/// Whole spans in the order of their arrival.
pub fn spans_after(db: &Connection, session: &str, after: i64, limit: i64) -> Result<Vec<Stored>> {
    let query = "SELECT id, data, origin FROM spans WHERE session = ? AND id > ? ORDER BY id LIMIT ?";
    stored(db, query, params![session, after, limit])
}

/// The span of these ids; of several (an id that was sent twice) the first.
pub fn span(db: &Connection, session: &str, trace_id: &[u8], span_id: &[u8]) -> Result<Option<Stored>> {
    let query =
        "SELECT id, data, origin FROM spans WHERE session = ? AND trace_id = ? AND span_id = ? ORDER BY id LIMIT 1";
    Ok(stored(db, query, params![session, trace_id, span_id])?.pop())
}

fn stored(db: &Connection, query: &str, params: impl rusqlite::Params) -> Result<Vec<Stored>> {
    db.prepare_cached(query)?
        .query_map(params, |r| Ok(Stored { id: r.get(0)?, data: r.get(1)?, origin: r.get(2)? }))?
        .collect()
}

/// Spans as lists show them, in the order of their arrival, without their content.
pub fn rows_after(db: &Connection, session: &str, after: i64, limit: i64) -> Result<Vec<SpanRow>> {
    db.prepare_cached(&format!(
        "SELECT id, trace_id, span_id, parent_id, start_ns, end_ns, kind, status, http_status,
         flags | CASE WHEN EXISTS (SELECT 1 FROM logs l WHERE l.session = s.session AND l.trace_id = s.trace_id
             AND l.span_id = s.span_id AND l.span_id != x'') THEN {HAS_LOGS} ELSE 0 END,
         service, peer, name FROM spans s WHERE session = ? AND id > ? ORDER BY id LIMIT ?"
    ))?
    .query_map(params![session, after, limit], |r| {
        Ok(SpanRow {
            id: r.get(0)?,
            trace_id: r.get(1)?,
            span_id: r.get(2)?,
            parent_id: r.get(3)?,
            start_ns: r.get(4)?,
            end_ns: r.get(5)?,
            kind: r.get(6)?,
            status: r.get(7)?,
            http_status: r.get(8)?,
            flags: r.get(9)?,
            service: r.get(10)?,
            peer: r.get(11)?,
            name: r.get(12)?,
        })
    })?
    .collect()
}

/// Looks at the data of every span of a session, in the order of their starts, until `look` has seen enough.
pub fn each_span(db: &Connection, session: &str, mut look: impl FnMut(&str, &[u8], i64) -> Result<bool>) -> Result<()> {
    let mut find =
        db.prepare_cached("SELECT service, data, origin FROM spans WHERE session = ? ORDER BY start_ns, id")?;
    let mut rows = find.query([session])?;
    while let Some(row) = rows.next()? {
        if !look(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_blob()?, row.get(2)?)? {
            break;
        }
    }
    Ok(())
}

/// The number of the row that arrived last.
pub fn last_rows(db: &Connection, session: &str) -> Result<(i64, i64)> {
    let last = |table: &str| {
        db.prepare_cached(&format!("SELECT ifnull(max(id), 0) FROM {table} WHERE session = ?"))?
            .query_row([session], |r| r.get(0))
    };
    Ok((last("spans")?, last("logs")?))
}

pub fn origin_data(db: &Connection, id: i64) -> Result<Vec<u8>> {
    db.prepare_cached("SELECT data FROM origins WHERE id = ?")?.query_row([id], |r| r.get(0))
}
