//! `mpr-local`: the local recorder of libmpr. One command, no configuration, 127.0.0.1
//! only: the session API and OTLP intake of the platform, a store, and a page to look at.

mod access;
mod analyse;
mod api;
mod app;
mod auth;
mod clients;
mod clock;
mod commands;
mod content;
mod document;
mod grpc;
mod import;
mod intake;
mod mcp;
mod otlp_json;
mod page;
mod radar;
mod schemas;
mod server;
mod sessions;
mod show;
mod stats;
mod store;
mod validate;

use std::env;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{signal, SignalKind};

use crate::access::Access;
use crate::app::{blocking, App, Limits};
use crate::store::Store;

/// How often things that end by themselves are looked for.
const TICK: Duration = Duration::from_millis(250);
/// How long requests under way may take once the end was asked for.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Records sessions of backend services on this machine.
#[derive(Parser)]
#[command(name = "mpr-local", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Listen and record (what happens without a command, too)
    Serve(Box<Serve>),
    /// Run a program so that it records here
    Run(commands::Run),
    /// Record a session from now on, until Ctrl-C
    Record(commands::Record),
    /// Follow the spans and logs of a session
    Tail {
        /// The session's id or short id [default: the newest that runs, or the next one]
        id: Option<String>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: Database,
    },
    /// List the recorded sessions
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: Database,
    },
    /// Show a session in the terminal
    Show {
        /// The session's id or short id [default: the newest session]
        id: Option<String>,
        /// Its summary as JSON: services, who calls whom, routes, errors
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: Database,
    },
    /// Compare two sessions: exit status 0 when they are the same, 1 when they differ, 2 on trouble
    Diff {
        /// The session as it should be
        a: String,
        /// The other one
        b: String,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Slower and faster is no difference
        #[arg(long)]
        ignore_time: bool,
        #[command(flatten)]
        database: Database,
    },
    /// Write a session as one JSON document
    Export {
        /// The session's id or short id
        id: String,
        /// Where to [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        database: Database,
    },
    /// Read sessions that were exported
    Import {
        /// What `export` wrote; - is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: Database,
    },
    /// Remove sessions
    Rm {
        /// Their ids or short ids
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        database: Database,
    },
    /// Serve agents: the Model Context Protocol on standard input and output
    Mcp {
        #[command(flatten)]
        database: Database,
    },
    /// Print a new address that opens the page of a recorder with a token, once
    Link(commands::Recorder),
}

/// A number with a unit.
fn parse_unit(text: &str, units: &[(&str, i64)], example: &str) -> Result<i64, String> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let wrong = || format!("must be a number with a unit, like {example}");
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    number.checked_mul(*factor).ok_or_else(wrong)
}

fn parse_bytes(text: &str) -> Result<i64, String> {
    const UNITS: [(&str, i64); 8] = [
        ("", 1),
        ("b", 1),
        ("kb", 1000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("k", 1 << 10),
        ("m", 1 << 20),
        ("g", 1 << 30),
    ];
    parse_unit(text, &UNITS, "500MB or 2GB")
}

/// In milliseconds.
fn parse_age(text: &str) -> Result<i64, String> {
    const UNITS: [(&str, i64); 5] = [("", 1000), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    parse_unit(text, &UNITS, "12h or 30d")
}

impl Serve {
    /// A recorder of this machine on a port, for a while.
    fn at(port: u16, database: Database) -> Serve {
        Serve {
            port,
            listen: Ipv4Addr::LOCALHOST.into(),
            token: None,
            allow_host: Vec::new(),
            grpc_port: Some(0),
            database,
            max_bytes: 0,
            max_age: 0,
            max_item_bytes: intake::ITEM_LIMIT,
            session_max_seconds: 630,
            window_seconds: 130,
            rows_seconds: 300,
            save_grace_seconds: 40,
        }
    }
}

#[derive(Args, Clone)]
struct Serve {
    /// The port; 0 takes any free one
    #[arg(long, default_value_t = HTTP_PORT)]
    port: u16,
    /// Where to listen; what is not this machine alone needs a token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    listen: IpAddr,
    /// The secret that clients and the page need [default: none on this machine, else a random one]
    #[arg(long, value_name = "TOKEN", env = "MPR_LOCAL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A name that this recorder is reached by, besides addresses and localhost; may be given several times
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// A port for OTLP over gRPC beside the main one, which speaks it too; 0: none [default: 4317, if free, when --port is 4318]
    #[arg(long, value_name = "PORT")]
    grpc_port: Option<u16>,
    #[command(flatten)]
    database: Database,
    /// Finished sessions go, the oldest first, when the store is larger (500MB, 2GB; 0: no bound)
    #[arg(long, value_name = "SIZE", default_value = "4GB", value_parser = parse_bytes)]
    max_bytes: i64,
    /// Finished sessions go when they are older (12h, 30d; 0: never)
    #[arg(long, value_name = "AGE", default_value = "90d", value_parser = parse_age)]
    max_age: i64,
    /// The largest span or log record in bytes (the platform's bound)
    #[arg(long, value_name = "N", default_value_t = intake::ITEM_LIMIT)]
    max_item_bytes: usize,
    /// When a manual session stops by itself
    #[arg(long, value_name = "N", default_value_t = 630, value_parser = clap::value_parser!(i64).range(1..))]
    session_max_seconds: i64,
    /// What a save keeps of a continuous session
    #[arg(long, value_name = "N", default_value_t = 130, hide = true, value_parser = clap::value_parser!(i64).range(1..))]
    window_seconds: i64,
    /// What a continuous session remembers at all
    #[arg(long, value_name = "N", default_value_t = 300, hide = true, value_parser = clap::value_parser!(i64).range(1..))]
    rows_seconds: i64,
    /// How long a saved session still takes what began before the save
    #[arg(long, value_name = "N", default_value_t = 40, hide = true, value_parser = clap::value_parser!(i64).range(1..))]
    save_grace_seconds: i64,
}

#[derive(Args, Clone)]
struct Database {
    /// Where sessions are kept [default: $XDG_DATA_HOME/mpr-local/sessions.sqlite]
    #[arg(long = "db", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl Database {
    fn path(self) -> Result<PathBuf, String> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        self.path
            .or_else(|| absolute("XDG_DATA_HOME").map(|data| data.join("mpr-local/sessions.sqlite")))
            .or_else(|| absolute("HOME").map(|h| h.join(".local/share/mpr-local/sessions.sqlite")))
            .ok_or_else(|| "neither XDG_DATA_HOME nor HOME is set: say where with --db FILE".into())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => serve(cli.serve),
        Some(Command::Serve(options)) => serve(*options),
        Some(Command::Run(options)) => return commands::run(options),
        Some(Command::Record(options)) => commands::record(options),
        Some(Command::Tail { id, json, database }) => database.path().and_then(|p| show::tail(&p, id.as_deref(), json)),
        Some(Command::List { json, database }) => database.path().and_then(|p| show::list(&p, json)),
        Some(Command::Show { id, json, database }) => database.path().and_then(|p| show::show(&p, id.as_deref(), json)),
        Some(Command::Diff { a, b, json, ignore_time, database }) => {
            return match database.path().and_then(|p| show::diff(&p, &a, &b, json, ignore_time)) {
                Ok(same) => ExitCode::from(u8::from(!same)),
                Err(message) => {
                    eprintln!("mpr-local: {message}");
                    ExitCode::from(2)
                }
            };
        }
        Some(Command::Export { id, output, database }) => database.path().and_then(|p| show::export(&p, &id, output)),
        Some(Command::Import { files, json, database }) => database.path().and_then(|p| show::import(&p, &files, json)),
        Some(Command::Rm { ids, database }) => database.path().and_then(|p| show::remove(&p, &ids)),
        Some(Command::Mcp { database }) => database.path().and_then(|p| mcp::serve(&p)),
        Some(Command::Link(recorder)) => commands::link(&recorder),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("mpr-local: {message}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(options: Serve) -> Result<(), String> {
    // Asked for before the announcement: who reads it may send a signal at once.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let server = Server::bind(options).await?;
    announce(&server.app, server.grpc.is_some());
    let asked_to_end = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    server.run(asked_to_end).await
}

/// A recorder that has its ports and its store.
struct Server {
    app: Arc<App>,
    listener: TcpListener,
    /// For OTLP over gRPC alone, where its senders look for it.
    grpc: Option<TcpListener>,
}

/// Where gRPC is sent to unless told otherwise, and where HTTP is.
const GRPC_PORT: u16 = 4317;
const HTTP_PORT: u16 = 4318;

impl Server {
    async fn bind(options: Serve) -> Result<Server, String> {
        let listen = options.listen;
        let token = match options.token {
            Some(token) if token.is_empty() || token.contains(|c: char| !c.is_ascii_graphic()) => {
                return Err("--token must be printable ASCII without spaces: it is sent in headers".into());
            }
            None if !listen.is_loopback() => Some(access::random_token()),
            given => given,
        };
        let wanted = options.port;
        let listener = TcpListener::bind((listen, wanted)).await.map_err(|e| cannot_listen(listen, wanted, &e))?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        let grpc = match options.grpc_port {
            Some(0) => None,
            Some(port) => Some(TcpListener::bind((listen, port)).await.map_err(|e| cannot_listen(listen, port, &e))?),
            // When it is free: somebody's collector may have it.
            None if port == HTTP_PORT => TcpListener::bind((listen, GRPC_PORT)).await.ok(),
            None => None,
        };
        let mut ports = vec![port];
        ports.extend(grpc.as_ref().and_then(|l| l.local_addr().ok()).map(|a| a.port()));
        let limits = Limits {
            session_ms: options.session_max_seconds * 1000,
            window_ms: options.window_seconds * 1000,
            rows_ms: options.rows_seconds * 1000,
            grace_ms: options.save_grace_seconds * 1000,
            item_bytes: options.max_item_bytes,
            store_bytes: options.max_bytes,
            store_age_ms: options.max_age,
        };
        let store = Store::open(&options.database.path()?)?;
        let access = Access::new(listen, options.allow_host, token);
        Ok(Server { app: Arc::new(App::new(store, access, ports, limits)), listener, grpc })
    }

    /// Serves until `end`; what is under way then has a moment.
    async fn run(self, end: impl std::future::Future<Output = ()> + Send + 'static) -> Result<(), String> {
        tokio::spawn(keep_time(Arc::clone(&self.app)));
        tokio::spawn(keep_order(Arc::clone(&self.app)));
        if let Some(listener) = self.grpc {
            let router = server::grpc_router(Arc::clone(&self.app));
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        let (told, tell) = tokio::sync::oneshot::channel();
        let server = axum::serve(self.listener, server::router(self.app)).with_graceful_shutdown(async {
            end.await;
            let _ = told.send(());
        });
        let deadline = async {
            if tell.await.is_ok() {
                tokio::time::sleep(LAST_REQUESTS).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = server => ended.map_err(|e| e.to_string()),
            () = deadline => Ok(()),
        }
    }
}

fn cannot_listen(listen: IpAddr, port: u16, e: &io::Error) -> String {
    match e.kind() {
        ErrorKind::AddrInUse => format!(
            "port {port} is taken, perhaps by another mpr-local or a collector; \
             choose another with --port N (0 takes any free one)"
        ),
        _ => format!("cannot listen on {listen} port {port}: {e} (see --listen and --port)"),
    }
}

/// Where to look and how to record. Whoever started the server may wait for the first line.
fn announce(app: &App, grpc: bool) {
    let base = &app.base;
    let mut text = format!("mpr-local: listening on {base}\n");
    if grpc {
        let port = app.ports.get(1).copied().unwrap_or(GRPC_PORT);
        text.push_str(&format!("mpr-local: OTLP over gRPC on port {port}, too\n"));
    }
    text.push_str(&format!("mpr-local: sessions are shown at {base}/{}\n", app.access.ticket()));
    if app.access.has_token() {
        text.push_str("mpr-local: (that address opens the page once; the browser keeps a cookie)\n");
    }
    let limits = &app.limits;
    let bounds: Vec<String> = [
        (limits.store_bytes > 0).then(|| format!("{} MB", limits.store_bytes / 1_000_000)),
        (limits.store_age_ms > 0).then(|| format!("{:.1} days", limits.store_age_ms as f64 / 86_400_000.0)),
    ]
    .into_iter()
    .flatten()
    .collect();
    text.push_str(&format!("mpr-local: sessions are kept in {}", app.store.path().display()));
    if !bounds.is_empty() {
        text.push_str(&format!(" (at most {})", bounds.join(", ")));
    }
    text.push_str("\n\n# Record into it: give a process this environment\n");
    for (name, value) in server::environment(app) {
        text.push_str(&format!("export {name}={value}\n"));
    }
    // Nobody reading is no reason not to record.
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Keeps the store within its bounds, bit by bit, so that the intake hardly waits.
async fn keep_order(app: Arc<App>) {
    loop {
        let worker = Arc::clone(&app);
        let more = match blocking(move || sessions::tidy(&worker)).await {
            Some(Ok(more)) => more,
            Some(Err(e)) => {
                eprintln!("mpr-local: database: {e}");
                false
            }
            None => false,
        };
        tokio::time::sleep(if more { Duration::from_millis(5) } else { 4 * TICK }).await;
    }
}

async fn keep_time(app: Arc<App>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let app = Arc::clone(&app);
        if let Some(Err(e)) = blocking(move || sessions::tick(&app)).await {
            eprintln!("mpr-local: database: {e}");
        }
    }
}
