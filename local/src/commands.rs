//! `run`, `record`, `link`: what speaks to a recorder that listens, or brings one along.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{json, Value};
use tokio::process::{Child, Command};
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::{auth, sessions, show, Database, Serve, Server, HTTP_PORT};

/// How long a recorder may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what a program sent at its end may take to come in.
const LATE: Duration = Duration::from_millis(500);

/// The recorder that is spoken to.
#[derive(Args, Clone)]
pub struct Recorder {
    /// Where a recorder listens
    #[arg(long, value_name = "URL", default_value_t = format!("http://127.0.0.1:{HTTP_PORT}"))]
    url: String,
    /// Its token, if it has one
    #[arg(long, value_name = "TOKEN", env = "MPR_LOCAL_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

#[derive(Args)]
pub struct Run {
    /// Record a session from the program's start to its end: all that it sends, whether it knows of sessions or not
    #[arg(long)]
    record: bool,
    /// The session's name [default: the command]
    #[arg(long, requires = "record")]
    name: Option<String>,
    #[command(flatten)]
    recorder: Recorder,
    #[command(flatten)]
    database: Database,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Args)]
pub struct Record {
    /// The session's name
    #[arg(long)]
    name: Option<String>,
    /// Stop after so many seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// A rolling window of the last minutes instead
    #[arg(long)]
    continuous: bool,
    /// Print the session as JSON at the end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    recorder: Recorder,
    #[command(flatten)]
    database: Database,
}

type Done<T = ()> = Result<T, String>;

// ---- a recorder that listens -----------------------------------------------------------

enum Answer {
    Nobody,
    Is(u16, Value),
}

impl Recorder {
    fn authority(&self) -> Done<&str> {
        let rest = self.url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        rest.filter(|rest| !rest.is_empty() && !rest.contains(['/', '@', '?', '#', ' ', '\r', '\n']))
            .ok_or_else(|| format!("--url: must be like http://127.0.0.1:{HTTP_PORT}, not {:?}", self.url))
    }

    /// One call. Nothing but HTTP/1.1 on a connection of its own: that is all our own server needs.
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Done<Answer> {
        let authority = self.authority()?;
        let address = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        let tell = |e: io::Error| format!("no answer from {}: {e}", self.url);
        let Ok(mut stream) = TcpStream::connect(&address) else { return Ok(Answer::Nobody) };
        stream.set_read_timeout(Some(PATIENCE)).map_err(tell)?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let key = self.token.as_deref().map(|token| format!("X-Api-Key: {token}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {authority}\r\n{key}Content-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).map_err(tell)?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).map_err(tell)?;
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| format!("what listens on {} does not speak HTTP", self.url))?;
        Ok(Answer::Is(status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    /// Whether a recorder listens there. Something else there is no reason to fail: it is told.
    fn listens(&self) -> Done<bool> {
        match self.call("GET", "/api/limits", None)? {
            Answer::Nobody => Ok(false),
            Answer::Is(200, limits) if limits.get("manual_max_seconds").is_some() => Ok(true),
            Answer::Is(401, _) => Err(format!("{} needs its token: --token or MPR_LOCAL_TOKEN", self.url)),
            Answer::Is(..) => Err(format!("what listens on {} is no mpr-local of this version (see --url)", self.url)),
        }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Done<Value> {
        match self.call(method, path, Some(body))? {
            Answer::Is(200..300, value) => Ok(value),
            Answer::Is(status, value) => {
                let words = value["error"].as_str().map_or_else(|| format!("status {status}"), str::to_owned);
                Err(format!("{} refused: {words}", self.url))
            }
            Answer::Nobody => Err(format!("nothing listens on {} any more", self.url)),
        }
    }
}

/// The recorder in use: somebody else's, or our own.
enum Used {
    Theirs(Recorder),
    Ours { app: Arc<App>, end: oneshot::Sender<()>, server: JoinHandle<Done> },
}

impl Used {
    /// What listens at the address, else one of our own on `port` (0: any).
    async fn find(recorder: Recorder, database: Database, port: u16) -> Done<Used> {
        if recorder.listens()? {
            return Ok(Used::Theirs(recorder));
        }
        let server = Server::bind(Serve::at(port, database)).await?;
        let app = Arc::clone(&server.app);
        let (end, ended) = oneshot::channel::<()>();
        let wait = async {
            let _ = ended.await;
        };
        Ok(Used::Ours { app, end, server: tokio::spawn(server.run(wait)) })
    }

    fn base(&self) -> &str {
        match self {
            Used::Theirs(recorder) => recorder.url.trim_end_matches('/'),
            Used::Ours { app, .. } => &app.base,
        }
    }

    /// The key of a program that is run here: with it, a session that it starts is the one that runs already.
    fn key(&self) -> &str {
        match self {
            Used::Theirs(Recorder { token: Some(token), .. }) => token,
            _ => auth::RUN_KEY,
        }
    }

    fn start(&self, body: &Value) -> Done<Value> {
        match self {
            Used::Theirs(recorder) => Ok(recorder.ask("POST", "/api/sessions", body)?["session"].take()),
            Used::Ours { app, .. } => {
                let session = app.store.write(|db| sessions::invite(app, db, body)).map_err(refused)?;
                Ok(json!({ "_id": session.id, "url": crate::document::page(&app.base, &session.id) }))
            }
        }
    }

    fn stop(&self, id: &str) -> Done {
        match self {
            Used::Theirs(recorder) => recorder.ask("POST", &format!("/api/sessions/{id}/stop"), &json!({})).map(|_| ()),
            Used::Ours { app, .. } => app
                .store
                .write(|db| {
                    let found = crate::store::any_session(db, id)?;
                    found.map_or(Ok(()), |mut session| sessions::end(db, &mut session, None))
                })
                .map_err(|e| format!("database: {e}")),
        }
    }

    /// The session as it stands.
    fn session(&self, id: &str) -> Done<Value> {
        match self {
            Used::Theirs(recorder) => {
                Ok(recorder.ask("GET", &format!("/api/sessions/{id}/summary"), &json!({}))?["session"].take())
            }
            Used::Ours { app, .. } => {
                let tell = |e| show::unreadable(app.store.path(), &e);
                let db = app.store.reader().map_err(tell)?;
                let session = show::find(&db, app.store.path(), id)?;
                crate::document::listed(&db, &session, None).map_err(tell)
            }
        }
    }

    /// What to do to see the session, now that the program is over.
    fn farewell(&self, id: &str) -> Done {
        let session = self.session(id)?;
        let line = show::one_line(&session);
        match self {
            Used::Theirs(_) => eprintln!("mpr-local: {line}\nmpr-local: {}/sessions/{id}", self.base()),
            // Our own recorder ends with us, but what it kept stays.
            Used::Ours { app, .. } => eprintln!(
                "mpr-local: {line}\nmpr-local: kept in {}; look at it with: mpr-local show {id}, or start mpr-local and open its page",
                app.store.path().display()
            ),
        }
        Ok(())
    }

    async fn end(self) {
        if let Used::Ours { end, server, .. } = self {
            let _ = end.send(());
            let _ = server.await;
        }
    }
}

fn refused(refusal: sessions::Refusal) -> String {
    match refusal {
        sessions::Refusal::Invalid(words) | sessions::Refusal::NotFound(words) => words.into(),
        sessions::Refusal::Internal => "the session could not be started".into(),
    }
}

// ---- commands --------------------------------------------------------------------------

/// Runs a program that records here, and ends as it ends.
#[tokio::main]
pub async fn run(options: Run) -> ExitCode {
    /// As a shell says that it could not run something.
    const CANNOT_RUN: u8 = 127;
    match run_program(options).await {
        Ok(status) => {
            // As a shell tells of a signal.
            let code = status.code().or(status.signal().map(|number| 128 + number)).unwrap_or(1);
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        Err(message) => {
            eprintln!("mpr-local: {message}");
            ExitCode::from(CANNOT_RUN)
        }
    }
}

async fn run_program(options: Run) -> Done<ExitStatus> {
    let (program, arguments) = options.command.split_first().ok_or("run: say what to run")?;
    let used = Used::find(options.recorder, options.database, 0).await?;
    let session = match options.record {
        false => None,
        true => {
            let words: Vec<_> = options.command.iter().map(|word| word.to_string_lossy()).collect();
            let name: String = options.name.unwrap_or_else(|| words.join(" ")).chars().take(200).collect();
            Some(used.start(&json!({ "name": name }))?)
        }
    };
    let id = session.as_ref().and_then(|s| s["_id"].as_str()).unwrap_or_default();
    match &session {
        Some(session) => eprintln!("mpr-local: recording {}", session["url"].as_str().unwrap_or_default()),
        None => eprintln!("mpr-local: sessions are shown at {}/", used.base()),
    }
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("MULTIPLAYER_BASE_API_URL", used.base())
        .env("MULTIPLAYER_API_KEY", used.key())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", used.base())
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("Authorization={}", used.key()));
    // What would lead elsewhere for one signal alone.
    for signal in ["TRACES", "LOGS"] {
        for what in ["ENDPOINT", "PROTOCOL", "HEADERS"] {
            command.env_remove(format!("OTEL_EXPORTER_OTLP_{signal}_{what}"));
        }
    }
    // There is nothing here for metrics: an SDK that is not told so complains about it in the program's output.
    if std::env::var_os("OTEL_METRICS_EXPORTER").is_none() {
        command.env("OTEL_METRICS_EXPORTER", "none");
    }
    let spawned = command.spawn().map_err(|e| format!("cannot run {}: {e}", program.to_string_lossy()));
    let status = match spawned {
        Ok(child) => wait(child).await,
        Err(e) => Err(e),
    };
    if session.is_some() {
        if status.is_ok() {
            tokio::time::sleep(LATE).await;
        }
        used.stop(id)?;
        used.farewell(id)?;
    }
    used.end().await;
    status
}

/// Waits for the program's end, passing signals on to it.
async fn wait(mut child: Child) -> Done<ExitStatus> {
    let tell = |e: io::Error| e.to_string();
    // From a terminal these two go to all of its programs anyway.
    let terminal = io::stdin().is_terminal();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(tell)?;
    let mut quit = signal(SignalKind::quit()).map_err(tell)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(tell)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(tell)?;
    let mut user1 = signal(SignalKind::user_defined1()).map_err(tell)?;
    let mut user2 = signal(SignalKind::user_defined2()).map_err(tell)?;
    loop {
        let (number, passed) = tokio::select! {
            ended = child.wait() => return ended.map_err(tell),
            _ = interrupt.recv() => (libc::SIGINT, !terminal),
            _ = quit.recv() => (libc::SIGQUIT, !terminal),
            _ = terminate.recv() => (libc::SIGTERM, true),
            _ = hangup.recv() => (libc::SIGHUP, true),
            _ = user1.recv() => (libc::SIGUSR1, true),
            _ = user2.recv() => (libc::SIGUSR2, true),
        };
        if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()).filter(|_| passed) {
            // SAFETY: takes two numbers; the child was not waited for yet, so the id is still its own.
            unsafe { libc::kill(pid, number) };
        }
    }
}

/// Records a session until Ctrl-C, or for some seconds.
#[tokio::main]
pub async fn record(options: Record) -> Done {
    let tell = |e: io::Error| e.to_string();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(tell)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(tell)?;
    let port = options.recorder.authority()?.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let used = Used::find(options.recorder, options.database, port.unwrap_or(HTTP_PORT)).await?;
    let kind = if options.continuous { "CONTINUOUS" } else { "MANUAL" };
    let session = used.start(&json!({ "name": options.name.unwrap_or_default(), "type": kind }))?;
    let id = session["_id"].as_str().unwrap_or_default().to_owned();
    eprintln!("mpr-local: recording {}", session["url"].as_str().unwrap_or_default());
    if let Used::Ours { app, .. } = &used {
        for (name, value) in crate::server::environment(app) {
            eprintln!("export {name}={value}");
        }
    }
    eprintln!("mpr-local: Ctrl-C stops it");
    let over = async {
        match options.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = over => {}
    }
    used.stop(&id)?;
    tokio::time::sleep(LATE).await;
    if options.json {
        println!("{:#}", used.session(&id)?);
    }
    used.farewell(&id)?;
    used.end().await;
    Ok(())
}

pub fn link(recorder: &Recorder) -> Done {
    if !recorder.listens()? {
        return Err(format!("nothing listens on {}", recorder.url));
    }
    let answer = recorder.ask("POST", "/api/link", &json!({}))?;
    println!("{}", answer["url"].as_str().unwrap_or_default());
    Ok(())
}
