//! What is kept and for how long: one SQLite file with sessions, spans and logs.
//!
//! Spans and logs lie there as the OTLP protobuf they came in, so nothing of them is lost;
//! the columns beside it only find, sort and count them. The resource and scope of an
//! item ("origin") are shared by thousands of items and are kept once.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{params, Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior};
use serde_json::{Map, Value};

const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
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
    CREATE TABLE spans (
        id       INTEGER PRIMARY KEY,
        session  TEXT NOT NULL,
        start_ns INTEGER NOT NULL,
        end_ns   INTEGER NOT NULL,
        error    INTEGER NOT NULL,
        service  TEXT NOT NULL,
        origin   INTEGER NOT NULL,
        data     BLOB NOT NULL
    );
    CREATE INDEX spans_session ON spans (session, start_ns);
    CREATE TABLE logs (
        id      INTEGER PRIMARY KEY,
        session TEXT NOT NULL,
        time_ns INTEGER NOT NULL,
        service TEXT NOT NULL,
        origin  INTEGER NOT NULL,
        data    BLOB NOT NULL
    );
    CREATE INDEX logs_session ON logs (session, time_ns);
";

const COLUMNS: &str = "id, short_id, kind, doc, started_ms, stopped_ms, live_until_ms, \
     close_at_ms, client_id, client_until_ms, source";

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

    fn from_name(name: &str) -> Kind {
        match name {
            "continuous" => Kind::Continuous,
            "saved" => Kind::Saved,
            "issue" => Kind::Issue,
            _ => Kind::Manual,
        }
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
}

/// One span or log with its columns.
pub struct Item<'a> {
    pub session: &'a str,
    pub start_ns: u64,
    pub end_ns: u64,
    pub error: bool,
    pub service: &'a str,
    pub origin: i64,
    pub data: &'a [u8],
}

/// A stored item and where it came from, both as protobuf.
pub struct Stored {
    pub data: Vec<u8>,
    pub origin: i64,
}

/// What the list shows of a session's content.
pub struct Counts {
    pub spans: i64,
    pub errors: i64,
    pub logs: i64,
    pub services: Vec<String>,
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
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    let version = |db: &Connection| db.pragma_query_value(None, "user_version", |r| r.get(0));
    // In one transaction with the question, so that two first starts at once agree.
    let setup = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&setup)? == 0 {
        setup.execute_batch(SCHEMA)?;
        setup.pragma_update(None, "user_version", SCHEMA_VERSION)?;
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
    Ok(version)
}

// ---- sessions ------------------------------------------------------------------------

pub fn insert_session(db: &Connection, s: &Session) -> Result<()> {
    db.execute(
        &format!("INSERT INTO sessions ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)"),
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
        ],
    )?;
    Ok(())
}

/// Writes back what can change after the start: the document and its times.
pub fn update_session(db: &Connection, s: &Session) -> Result<()> {
    db.execute(
        "UPDATE sessions SET doc = ?, started_ms = ?, stopped_ms = ?, close_at_ms = ? WHERE id = ?",
        params![Value::Object(s.doc.clone()).to_string(), s.started_ms, s.stopped_ms, s.close_at_ms, s.id],
    )?;
    Ok(())
}

/// The session and everything recorded in it.
pub fn delete_session(db: &Connection, id: &str) -> Result<()> {
    db.execute("DELETE FROM spans WHERE session = ?", [id])?;
    db.execute("DELETE FROM logs WHERE session = ?", [id])?;
    db.execute("DELETE FROM sessions WHERE id = ?", [id])?;
    Ok(())
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
        kind: Kind::from_name(row.get_ref(2)?.as_str()?),
        doc: serde_json::from_str(&doc).unwrap_or_default(),
        started_ms: row.get(4)?,
        stopped_ms: row.get(5)?,
        live_until_ms: row.get(6)?,
        close_at_ms: row.get(7)?,
        client_id: row.get(8)?,
        client_until_ms: row.get(9)?,
        source: row.get(10)?,
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
    one(db, "id = ? AND kind = 'continuous'", [short_id])
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

pub fn insert_span(db: &Connection, item: &Item) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO spans (session, start_ns, end_ns, error, service, origin, data)
         VALUES (?,?,?,?,?,?,?)",
    )?
    .execute(params![
        item.session,
        sortable(item.start_ns),
        sortable(item.end_ns),
        item.error,
        item.service,
        item.origin,
        item.data
    ])?;
    Ok(())
}

pub fn insert_log(db: &Connection, item: &Item) -> Result<()> {
    db.prepare_cached("INSERT INTO logs (session, time_ns, service, origin, data) VALUES (?,?,?,?,?)")?
        .execute(params![item.session, sortable(item.start_ns), item.service, item.origin, item.data])?;
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
        "INSERT INTO spans (session, start_ns, end_ns, error, service, origin, data)
         SELECT ?1, start_ns, end_ns, error, service, origin, data FROM spans
         WHERE session = ?2 AND start_ns BETWEEN ?3 AND ?4",
        params![to, from, first, last],
    )?;
    db.execute(
        "INSERT INTO logs (session, time_ns, service, origin, data)
         SELECT ?1, time_ns, service, origin, data FROM logs
         WHERE session = ?2 AND time_ns BETWEEN ?3 AND ?4",
        params![to, from, first, last],
    )?;
    Ok(())
}

/// Forgets what continuous sessions recorded before `oldest_ms`.
pub fn prune_continuous(db: &Connection, oldest_ms: i64) -> Result<()> {
    for (table, time) in [("spans", "start_ns"), ("logs", "time_ns")] {
        db.prepare_cached(&format!(
            "DELETE FROM {table} WHERE {time} < ? AND session IN
             (SELECT id FROM sessions WHERE kind = 'continuous')"
        ))?
        .execute([oldest_ms * 1_000_000])?;
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
    stored(db, "SELECT data, origin FROM spans WHERE session = ? ORDER BY start_ns, id", session)
}

pub fn logs(db: &Connection, session: &str) -> Result<Vec<Stored>> {
    stored(db, "SELECT data, origin FROM logs WHERE session = ? ORDER BY time_ns, id", session)
}

fn stored(db: &Connection, query: &str, session: &str) -> Result<Vec<Stored>> {
    db.prepare_cached(query)?.query_map([session], |r| Ok(Stored { data: r.get(0)?, origin: r.get(1)? }))?.collect()
}

pub fn origin_data(db: &Connection, id: i64) -> Result<Vec<u8>> {
    db.prepare_cached("SELECT data FROM origins WHERE id = ?")?.query_row([id], |r| r.get(0))
}

pub fn counts(db: &Connection, session: &str) -> Result<Counts> {
    let (spans, errors) = db
        .prepare_cached("SELECT count(*), ifnull(sum(error), 0) FROM spans WHERE session = ?")?
        .query_row([session], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let logs = db.prepare_cached("SELECT count(*) FROM logs WHERE session = ?")?.query_row([session], |r| r.get(0))?;
    let services = db
        .prepare_cached(
            "SELECT service FROM spans WHERE session = ?1
             UNION SELECT service FROM logs WHERE session = ?1",
        )?
        .query_map([session], |r| r.get(0))?
        .collect::<Result<_>>()?;
    Ok(Counts { spans, errors, logs, services })
}

/// Something that changes whenever a session's content does.
pub fn revision(db: &Connection, session: &str) -> Result<(i64, i64)> {
    let last = |table: &str| {
        db.prepare_cached(&format!("SELECT count(*) * 1000003 + ifnull(max(id), 0) FROM {table} WHERE session = ?"))?
            .query_row([session], |r| r.get(0))
    };
    Ok((last("spans")?, last("logs")?))
}
