//! The one process-wide object: configuration, session, capture, delivery. Everything that the C border offers is a
//! function here, in Rust's terms.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwapOption, Guard};
use serde_json::Value;

use crate::capture::{self, CaptureOutcome};
use crate::config::{Config, Options};
use crate::http::Http;
use crate::intake::Intake;
use crate::logs::Logger;
use crate::masker::Masker;
use crate::otlp_in::Recent;
use crate::pipeline::{Counts, Pipeline, Queue};
use crate::process::fork::{self, Turn};
use crate::process::log::{self, Level};
use crate::process::worker::{turned_off, Work, Worker};
use crate::process::{exit, panics};
use crate::session::{Details, Sessions};
use crate::spans::Tracer;
use crate::status::{
    mpr_status, Error, Result, MPR_ERR_ALREADY_INITIALIZED, MPR_ERR_NOT_INITIALIZED, MPR_ERR_TIMEOUT, MPR_OK,
    MPR_SKIPPED,
};
use crate::trace::{self, ids, Kind};

/// A call waits this much longer than the work inside may take, so that the work's own answer is the one that counts.
const GRACE: Duration = Duration::from_millis(500);
/// And an exit, which does not care for the answer.
const EXIT_GRACE: Duration = Duration::from_millis(50);
/// An exit in a callback, on the thread that delivers: only the spool can still do something.
const EXIT_WITHIN: Duration = Duration::from_millis(250);

static CURRENT: ArcSwapOption<Recorder> = ArcSwapOption::const_empty();
/// Whether there is one, for those who need no more.
static RECORDING: AtomicBool = AtomicBool::new(false);
/// Who replaces the current recorder; never on the hot path.
static CHANGE: Turn = Turn::new();
/// A child makes its recorder in less.
const RENEWAL: Duration = Duration::from_millis(500);

/// See the module.
pub struct Recorder {
    /// What was configured.
    pub config: Arc<Config>,
    /// The session.
    pub sessions: Arc<Sessions>,
    /// The library's own spans.
    pub tracer: Tracer,
    /// The library's own logs.
    pub logger: Logger,
    intake: Arc<Intake>,
    worker: Arc<Worker>,
    captures: CaptureCounts,
    /// What masks what a host sets on spans and logs.
    pub masker: Arc<Masker>,
    /// Of spans that were handed over.
    pub recent: Recent,
    generation: u32,
}

/// Numbers about payloads; part of mpr_stats.
#[derive(Debug, Default)]
pub struct CaptureCounts {
    /// Payloads captured.
    pub captured: AtomicU64,
    /// Bodies replaced as a whole by a note or the placeholder.
    pub masked_whole: AtomicU64,
    /// Values replaced by the placeholder.
    pub fields_masked: AtomicU64,
    /// Bodies cut at max_payload_bytes.
    pub truncated: AtomicU64,
    /// Times the host's mask callback failed.
    pub callback_failures: AtomicU64,
}

/// All numbers of one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Spans and logs.
    pub items: Counts,
    /// Spans and logs handed over that belong to no session, or that the session does not want.
    pub filtered: u64,
    /// See [`CaptureCounts`].
    pub payloads_captured: u64,
    /// See [`CaptureCounts`].
    pub payloads_masked_whole: u64,
    /// See [`CaptureCounts`].
    pub payload_fields_masked: u64,
    /// See [`CaptureCounts`].
    pub payloads_truncated: u64,
    /// See [`CaptureCounts`].
    pub mask_callback_failures: u64,
    /// Panics caught.
    pub panics: u64,
    /// Forks between the first process and this one.
    pub fork_generation: u32,
}

/// The recorder, if recording is on. In a forked child the first call makes the child's own.
pub fn current() -> Guard<Option<Arc<Recorder>>> {
    let recorder = CURRENT.load();
    match recorder.as_ref() {
        Some(parents) if parents.generation != fork::generation() => {
            renew_after_fork();
            match CURRENT.load() {
                mine if mine.as_ref().is_some_and(|mine| mine.generation == fork::generation()) => mine,
                // The parent's is nothing to work with.
                _ => Guard::from_inner(None),
            }
        }
        _ => recorder,
    }
}

/// Whether recording is on. One atomic load.
pub fn is_on() -> bool {
    RECORDING.load(Ordering::Relaxed)
}

/// The recorder for calls that make no sense without one.
///
/// # Errors
/// MPR_ERR_NOT_INITIALIZED.
pub fn required() -> Result<Arc<Recorder>> {
    let recorder = current().as_ref().map(Arc::clone);
    recorder.ok_or_else(|| Error::new(MPR_ERR_NOT_INITIALIZED, "call mpr_init() first"))
}

/// Turns recording on.
///
/// # Errors
/// MPR_ERR_ALREADY_INITIALIZED; MPR_ERR_INVALID_STATE from the log callback; MPR_ERR_INVALID_ARGUMENT and MPR_ERR_IO for
/// what the options or the environment hold.
pub fn init(options: &Options) -> Result<()> {
    not_from_the_log_callback()?;
    let one_at_a_time = CHANGE.take();
    if CURRENT.load().is_some() {
        return Err(Error::new(MPR_ERR_ALREADY_INITIALIZED, "call mpr_shutdown() before another mpr_init()"));
    }
    let config = Config::resolve(options)?;
    if let Some(sink) = config.hooks.log.clone() {
        let sink: Box<log::Sink> = Box::new(move |level, line: &str| sink(level, line));
        drop(log::set_sink(Some(sink), config.log_level));
    }
    fork::watch();
    exit::watch(at_exit);
    ids::set_doc_ratio(config.auto_doc_traces_ratio);
    let config = Arc::new(config);
    let made = Recorder::new(Arc::clone(&config), None);
    let made = made.and_then(|made| made.intake.pipeline().open_spool().map(|()| made));
    if made.is_err() {
        // The options still hold the host's callbacks, so none is freed under the lock.
        drop(log::set_sink(None, 0));
        ids::set_doc_ratio(0.0);
    }
    CURRENT.store(Some(made?));
    RECORDING.store(true, Ordering::Relaxed);
    drop(one_at_a_time);
    warn_about_key(&config);
    Ok(())
}

/// Ends the session, delivers what it can and turns recording off, all within the timeout. MPR_SKIPPED when it is off.
///
/// # Errors
/// MPR_ERR_INVALID_STATE from a callback, which changes nothing. Otherwise recording is off: MPR_ERR_TIMEOUT when
/// something was left, which is then counted; or as the platform answers to the session's end.
pub fn shutdown(timeout: Duration) -> Result<mpr_status> {
    let deadline = Instant::now() + timeout;
    not_from_the_log_callback()?;
    if let Some(mine) = CURRENT.load().as_ref().filter(|recorder| recorder.generation == fork::generation()) {
        mine.worker.not_from_within()?;
    }
    let one_at_a_time = CHANGE.take();
    RECORDING.store(false, Ordering::Relaxed);
    let Some(recorder) = CURRENT.swap(None) else { return Ok(MPR_SKIPPED) };
    if recorder.generation != fork::generation() {
        // A child that never recorded: all of this is the parent's.
        std::mem::forget(recorder);
        return Ok(MPR_OK);
    }
    // Who asks in the meantime gets the numbers of this one.
    recorder.is_last();
    trace::set_current(None);
    ids::set_doc_ratio(0.0);
    // The session's end wants what was recorded delivered first; half of the time is kept for the delivery itself.
    let ended = match recorder.sessions.close() {
        false => Ok(MPR_SKIPPED),
        true => {
            let (work, all) = (timeout * 9 / 20, timeout / 2);
            recorder.wait(work, all, Box::pin(Arc::clone(&recorder.sessions).shutdown(work)))
        }
    };
    let left = recorder.intake.pipeline().close(deadline);
    recorder.worker.stop(deadline.saturating_duration_since(Instant::now()));
    recorder.is_last();
    let sink = log::set_sink(None, 0);
    // From here on the host's callback and finalizers may run, and they may call anything.
    drop(one_at_a_time);
    if let (1.., Some(sink)) = (left, &sink) {
        sink(Level::Error, &format!("{left} items were dropped: the shutdown's time was over"));
    }
    drop((recorder, sink));
    match left {
        0 => ended.map(|_| MPR_OK),
        left => {
            let text = format!("{left} items were not delivered within {} ms and are dropped", timeout.as_millis());
            Err(Error::new(MPR_ERR_TIMEOUT, text))
        }
    }
}

/// What is done when the process ends with recording on: a shutdown that calls nobody back. Nothing in a child that did not
/// record, whose parent does it.
fn at_exit() -> Option<(Duration, Box<dyn FnOnce() + Send>)> {
    let limit = {
        let recorder = CURRENT.load();
        let mine = recorder.as_ref().filter(|recorder| recorder.generation == fork::generation())?;
        match mine.worker.is_here() {
            true => mine.config.exit_timeout.min(EXIT_WITHIN),
            false => mine.config.exit_timeout,
        }
    };
    let work = move || {
        if let Some(recorder) = CURRENT.load_full() {
            // With it the host's callbacks would go, whose finalizers may need what is gone.
            std::mem::forget(recorder);
        }
        let _ = shutdown(limit);
    };
    (!limit.is_zero()).then(|| (limit + EXIT_GRACE, Box::new(work) as Box<dyn FnOnce() + Send>))
}

/// The log callback may run in the middle of a change.
fn not_from_the_log_callback() -> Result<()> {
    match log::is_inside() {
        true => Err(Error::state("not from the log callback")),
        false => Ok(()),
    }
}

/// The numbers of the last recorder's end. Its queue goes on counting: a span may end later than its recorder.
static LAST: ArcSwapOption<Last> = ArcSwapOption::const_empty();

struct Last {
    stats: Stats,
    queue: Arc<Queue>,
    generation: u32,
}

/// The numbers of the current recorder, else of the last one.
pub fn stats() -> Stats {
    if let Some(recorder) = current().as_ref() {
        return recorder.stats();
    }
    let numbers = match LAST.load().as_ref() {
        None => Stats::default(),
        // (A parent's queue is not for the child to ask.)
        Some(last) if last.generation != fork::generation() => last.stats,
        Some(last) => Stats { items: last.queue.counts(), ..last.stats },
    };
    Stats { panics: panics::caught(), fork_generation: fork::generation(), ..numbers }
}

/// The numbers with the names that mpr_stats has for them, and which process they are of, as JSON: what a receiver gets that asks.
fn account() -> String {
    let stats = stats();
    let items = stats.items;
    let numbers: [(&str, u64); 31] = [
        ("pid", std::process::id().into()),
        ("accepted", items.accepted),
        ("exported", items.exported),
        ("queued", items.queued),
        ("queued_bytes", items.queued_bytes),
        ("dropped_queue_full", items.dropped_queue_full),
        ("dropped_rejected", items.dropped_rejected),
        ("dropped_too_large", items.dropped_too_large),
        ("dropped_shutdown", items.dropped_shutdown),
        ("dropped_internal", items.dropped_internal),
        ("filtered", stats.filtered),
        ("requests", items.requests),
        ("retries", items.retries),
        ("payloads_captured", stats.payloads_captured),
        ("payloads_masked_whole", stats.payloads_masked_whole),
        ("payload_fields_masked", stats.payload_fields_masked),
        ("payloads_truncated", stats.payloads_truncated),
        ("mask_callback_failures", stats.mask_callback_failures),
        ("panics", stats.panics),
        ("fork_generation", stats.fork_generation.into()),
        ("open_spans", items.open_spans),
        ("open_bytes", items.open_bytes),
        ("spooled", items.spooled),
        ("recovered", items.recovered),
        ("dropped_expired", items.dropped_expired),
        ("dropped_consent", items.dropped_consent),
        ("dropped_spool", items.dropped_spool),
        ("spool_bytes", items.spool_bytes),
        ("spool_written", items.spool_written),
        ("spool_damaged", items.spool_damaged),
        ("spool_failures", items.spool_failures),
    ];
    let numbers = numbers.map(|(name, number)| format!("\"{name}\":{number}"));
    format!("{{\"version\":\"{}\",{}}}", env!("CARGO_PKG_VERSION"), numbers.join(","))
}

/// In the child: the same configuration and session with an empty queue and no thread yet. The parent's recorder is
/// forgotten, not dropped: its thread and sockets are the parent's.
fn renew_after_fork() {
    // (Called from the middle of it, by a callback, it would wait for itself.)
    let Some(_one_at_a_time) = CHANGE.take_within(RENEWAL) else { return };
    let parents = CURRENT.load_full();
    let Some(parents) = parents.filter(|parents| parents.generation != fork::generation()) else { return };
    let child = Recorder::new(Arc::new(parents.config.for_child()), parents.sessions.active()).ok();
    if let Some(child) = &child {
        child.intake.pipeline().inherit_revoked(parents.intake.pipeline().is_revoked());
    }
    // (The fork may have been in the middle of the parent's init or shutdown, between the two.)
    RECORDING.store(child.is_some(), Ordering::Relaxed);
    CURRENT.store(child);
    std::mem::forget(parents);
}

fn warn_about_key(config: &Config) {
    let Some(claims) = &config.key_claims else { return };
    if let Some(kind) = claims.kind.as_deref().filter(|kind| *kind != "OTEL") {
        log::write(Level::Warn, || format!("api_key: its type is '{kind}'; the OTLP intake takes only OTEL keys"));
    }
    let now = crate::process::clock::unix_nanos() / 1_000_000_000;
    if claims.expires.is_some_and(|expires| expires < now) {
        log::write(Level::Warn, || "api_key: it has expired".into());
    }
}

impl Recorder {
    fn new(config: Arc<Config>, inherited: Option<Arc<crate::session::Active>>) -> Result<Arc<Self>> {
        let worker = Arc::new(Worker::default());
        let http = Arc::new(Http::new(Arc::clone(&config), account)?);
        let pipeline = Arc::new(Pipeline::new(Arc::clone(&config), Arc::clone(&http), Arc::clone(&worker)));
        let sessions = Sessions::new(Arc::clone(&config), http, Arc::clone(&pipeline), Arc::clone(&worker), inherited);
        let intake = Arc::new(Intake::new(pipeline, Arc::clone(&sessions)));
        let masker = Arc::new(Masker::new(config.capture.rules.clone()));
        Ok(Arc::new(Self {
            tracer: Tracer::new(&config, Arc::clone(&intake), Arc::clone(&masker)),
            logger: Logger::new(&config, Arc::clone(&intake), Arc::clone(&masker)),
            captures: CaptureCounts::default(),
            masker: Arc::clone(&masker),
            recent: Recent::default(),
            generation: fork::generation(),
            config,
            sessions,
            intake,
            worker,
        }))
    }

    /// Runs an operation on the worker, ended after `work`, and waits `all` for its result.
    ///
    /// # Errors
    /// The operation's, or MPR_ERR_TIMEOUT.
    fn wait(&self, work: Duration, all: Duration, operation: Work<Result<mpr_status>>) -> Result<mpr_status> {
        self.worker.wait_for(all, Box::pin(limited(work, operation)))
    }

    /// A blocking session call, bounded by timeout_ms.
    ///
    /// # Errors
    /// The operation's, or MPR_ERR_TIMEOUT.
    pub fn session_call(
        &self,
        operation: impl Future<Output = Result<mpr_status>> + Send + 'static,
    ) -> Result<mpr_status> {
        let limit = self.config.timeout;
        self.wait(limit, limit + GRACE, Box::pin(operation))
    }

    /// The same without waiting: `done` is called once, on the worker, with the result.
    ///
    /// # Errors
    /// MPR_ERR_IO when no worker can be started; `done` is then not called.
    pub fn session_call_async(
        &self,
        operation: Work<Result<mpr_status>>,
        done: impl FnOnce(Result<mpr_status>) + Send + 'static,
    ) -> Result<()> {
        let limit = self.config.timeout;
        // Shared, so that `done` is not called by a future that is dropped before it was taken.
        let done = Arc::new(Mutex::new(OnceDone(Some(done))));
        let on_worker = Arc::clone(&done);
        let taken = self.worker.spawn(async move {
            let result = limited(limit, operation).await;
            if let Ok(mut done) = on_worker.lock() {
                done.call(result);
            }
        });
        if taken.is_err() {
            if let Ok(mut done) = done.lock() {
                done.0 = None;
            }
        }
        taken
    }

    /// Waits until everything recorded before the call is delivered.
    ///
    /// # Errors
    /// MPR_ERR_TIMEOUT; what is left stays queued.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        self.worker.not_from_within()?;
        self.intake.pipeline().flush(Instant::now() + timeout)
    }

    /// Whether content is captured for this trace: it belongs to a session that wants content.
    pub fn wants_content(&self, trace_id: &[u8; 16]) -> bool {
        Kind::of(trace_id).in_session() && self.sessions.policy_of(trace::SessionPrefix::of(trace_id)).content
    }

    /// Filters, decodes, masks and bounds a payload and hands each finished attribute to `emit`.
    pub fn capture(
        &self,
        kind: capture::Kind,
        headers: &[(String, String)],
        body: &[u8],
        emit: &mut dyn FnMut(&str, &str),
    ) {
        self.count_capture(&capture::capture(&self.config.capture, kind, headers, body, emit));
    }

    /// Adds one payload to the numbers.
    pub fn count_capture(&self, outcome: &CaptureOutcome) {
        let add = |counter: &AtomicU64, n: u64| counter.fetch_add(n, Ordering::Relaxed);
        add(&self.captures.captured, 1);
        add(&self.captures.masked_whole, outcome.masked_whole.into());
        add(&self.captures.fields_masked, outcome.fields_masked.into());
        add(&self.captures.truncated, outcome.truncated.into());
        add(&self.captures.callback_failures, outcome.callback_failures.into());
    }

    /// Takes consent back, or gives it again. MPR_SKIPPED when that changes nothing.
    ///
    /// # Errors
    /// MPR_ERR_TIMEOUT or MPR_ERR_IO when the spool is not erased yet; nothing is recorded all the same.
    pub fn set_consent(&self, given: bool) -> Result<mpr_status> {
        let pipeline = self.intake.pipeline();
        if given != pipeline.is_revoked() {
            return Ok(MPR_SKIPPED);
        }
        match given {
            true => pipeline.inherit_revoked(false),
            false => pipeline.revoke()?,
        }
        Ok(MPR_OK)
    }

    /// Where finished spans and logs enter.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// What mpr_session_info() tells.
    ///
    /// # Errors
    /// MPR_ERR_POISONED.
    pub fn session_info(&self) -> Result<Value> {
        self.sessions.info()
    }

    fn is_last(&self) {
        let queue = self.intake.pipeline().queue();
        LAST.store(Some(Arc::new(Last { stats: self.stats(), queue, generation: self.generation })));
    }

    fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            items: self.intake.pipeline().counts(),
            filtered: self.intake.filtered(),
            payloads_captured: read(&self.captures.captured),
            payloads_masked_whole: read(&self.captures.masked_whole),
            payload_fields_masked: read(&self.captures.fields_masked),
            payloads_truncated: read(&self.captures.truncated),
            mask_callback_failures: read(&self.captures.callback_failures),
            panics: panics::caught(),
            fork_generation: self.generation,
        }
    }
}

async fn limited(limit: Duration, operation: Work<Result<mpr_status>>) -> Result<mpr_status> {
    match tokio::time::timeout(limit, operation).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(MPR_ERR_TIMEOUT, format!("no answer within {} ms", limit.as_millis()))),
    }
}

/// Calls back exactly once: with the result, or, when the worker ends first, with that as an error.
struct OnceDone<F: FnOnce(Result<mpr_status>)>(Option<F>);

impl<F: FnOnce(Result<mpr_status>)> OnceDone<F> {
    fn call(&mut self, result: Result<mpr_status>) {
        if let Some(done) = self.0.take() {
            done(result);
        }
    }
}

impl<F: FnOnce(Result<mpr_status>)> Drop for OnceDone<F> {
    fn drop(&mut self) {
        self.call(Err(turned_off()));
    }
}

/// Parses `session_json` and finds the recorder: what all session calls begin with.
///
/// # Errors
/// MPR_ERR_NOT_INITIALIZED, MPR_ERR_INVALID_ARGUMENT.
pub fn for_session(json: Option<&str>) -> Result<(Arc<Recorder>, Details)> {
    let recorder = required()?;
    let details = Details::parse(json)?;
    Ok((recorder, details))
}
