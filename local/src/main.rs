//! `mpr-local`: the local recorder of libmpr. One command, no configuration, 127.0.0.1
//! only: the session API and OTLP intake of the platform, a store, and a page to look at.

mod app;
mod auth;
mod clock;
mod document;
mod intake;
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
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{signal, SignalKind};

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
    Serve(Serve),
    /// List the recorded sessions
    List(Database),
    /// Show a session in the terminal
    Show {
        /// The session's id or short id [default: the newest session]
        id: Option<String>,
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
}

#[derive(Args)]
struct Serve {
    /// The port on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 4318)]
    port: u16,
    #[command(flatten)]
    database: Database,
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

#[derive(Args)]
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
        Some(Command::Serve(options)) => serve(options),
        Some(Command::List(database)) => database.path().and_then(|p| show::list(&p)),
        Some(Command::Show { id, database }) => database.path().and_then(|p| show::show(&p, id.as_deref())),
        Some(Command::Export { id, output, database }) => database.path().and_then(|p| show::export(&p, &id, output)),
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
    let wanted = options.port;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).await.map_err(|e| cannot_listen(wanted, &e))?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let limits = Limits {
        session_ms: options.session_max_seconds * 1000,
        window_ms: options.window_seconds * 1000,
        rows_ms: options.rows_seconds * 1000,
        grace_ms: options.save_grace_seconds * 1000,
    };
    let store = Store::open(&options.database.path()?)?;
    let app = Arc::new(App::new(store, port, limits));
    // Asked for before the announcement: who reads it may send a signal at once.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let asked_to_end = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    announce(&app);
    tokio::spawn(keep_time(Arc::clone(&app)));

    let (told, tell) = tokio::sync::oneshot::channel();
    let server = axum::serve(listener, server::router(app)).with_graceful_shutdown(async {
        asked_to_end.await;
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

fn cannot_listen(port: u16, e: &io::Error) -> String {
    match e.kind() {
        ErrorKind::AddrInUse => format!(
            "port {port} is taken, perhaps by another mpr-local or a collector; \
             choose another with --port N (0 takes any free one)"
        ),
        _ => format!("cannot listen on 127.0.0.1 port {port}: {e} (see --port)"),
    }
}

/// Where to look and how to record. Whoever started the server may wait for the first line.
fn announce(app: &App) {
    let base = &app.base;
    let mut text = format!(
        "mpr-local: listening on {base}\n\
         mpr-local: sessions are shown at {base}/\n\
         mpr-local: sessions are kept in {}\n\n\
         # Record into it: give a process this environment\n",
        app.store.path().display()
    );
    for (name, value) in server::environment(base) {
        text.push_str(&format!("export {name}={value}\n"));
    }
    // Nobody reading is no reason not to record.
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
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
