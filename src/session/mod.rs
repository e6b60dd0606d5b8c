//! The session's life: stopped → starting → started → ending → stopped, against the platform's session API, with what the
//! platform leaves to its clients: saving a continuous session on errors, foreseeing the end of a manual one.

mod details;
mod rest;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use reqwest::Method;
use serde_json::{json, Value};

pub use details::Details;

use crate::config::Config;
use crate::http::Http;
use crate::pipeline::otlp::severity_of_word;
use crate::pipeline::Pipeline;
use crate::process::clock::iso8601;
use crate::process::log::{self, Level};
use crate::process::worker::{turned_off, Worker};
use crate::status::{mpr_status, Error, Result, MPR_ERR_REJECTED, MPR_ERR_TIMEOUT, MPR_OK, MPR_SKIPPED};
use crate::trace::{self, Kind, SessionPrefix};
use rest::{Refused, Rest};

/// Time for the rest of a failed trace to arrive before its window is saved.
const SAVE_DELAY: Duration = Duration::from_secs(1);
/// The platform's own debounce for saves.
const SAVE_INTERVAL: Duration = Duration::from_secs(50);
/// How long before its end a manual session is rolled over, or the host warned.
const LONGEST_NOTICE: Duration = Duration::from_secs(30);

/// Ended sessions whose wishes are remembered.
const ENDED_POLICIES: usize = 8;

/// What a session records, as the platform's remote check may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Spans.
    pub traces: bool,
    /// Log records.
    pub logs: bool,
    /// Request and response content.
    pub content: bool,
    /// Least OpenTelemetry severity number of a log record.
    pub min_severity: i32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { traces: true, logs: true, content: true, min_severity: 0 }
    }
}

/// A running session.
pub struct Active {
    kind: Kind,
    /// What the API's paths take: `_id`. (The short id stands in trace ids only; calls by it fail after the cap.)
    id: String,
    /// The first bytes of its trace ids.
    pub prefix: SessionPrefix,
    url: Option<String>,
    details: Details,
    started_at: SystemTime,
    /// When the platform ends it by itself; continuous sessions have no end.
    ends: Option<(Instant, SystemTime)>,
    /// Which part of a rolled-over recording it is, from 1.
    part: u32,
    /// What it records.
    pub policy: Policy,
    /// Set in the process that started it: a forked child records into it and leaves its end to the parent.
    owned: bool,
    spans: AtomicU64,
    logs: AtomicU64,
    errors: AtomicU64,
    saving: AtomicU8,
    save_again: AtomicBool,
}

enum State {
    Stopped,
    Starting,
    Started,
    Ending,
}

struct Shared {
    state: State,
    /// Why the last session ended: "stop", "cancel", "platform_limit", "shutdown", "failed_start".
    ended_by: Option<&'static str>,
    /// `_id` and `url` of what the last save made.
    saved: Option<Value>,
    /// The session that ended last, for those who ask after its end.
    last: Option<Arc<Active>>,
    /// The recorder shuts down: nothing starts any more.
    closed: bool,
}

/// The sessions of one recorder. All methods that talk to the platform are futures for the worker.
pub struct Sessions {
    me: Weak<Self>,
    config: Arc<Config>,
    rest: Rest,
    pipeline: Arc<Pipeline>,
    worker: Arc<Worker>,
    shared: Mutex<Shared>,
    active: ArcSwapOption<Active>,
    /// What ended sessions did not want recorded: their last spans end later than they.
    ended: ArcSwap<Vec<(SessionPrefix, Policy)>>,
    /// One call at a time, in the order in which they came: a stop right behind a start waits for it.
    turn: tokio::sync::Mutex<()>,
}

impl Sessions {
    /// None runs; or, in a forked child, the parent's goes on.
    pub fn new(
        config: Arc<Config>,
        http: Arc<Http>,
        pipeline: Arc<Pipeline>,
        worker: Arc<Worker>,
        inherited: Option<Arc<Active>>,
    ) -> Arc<Self> {
        let active = inherited.map(|active| Arc::new(active.for_child()));
        let state = if active.is_some() { State::Started } else { State::Stopped };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            rest: Rest::new(Arc::clone(&config), http),
            config,
            pipeline,
            worker,
            shared: Mutex::new(Shared { state, ended_by: None, saved: None, last: None, closed: false }),
            active: ArcSwapOption::new(active),
            ended: ArcSwap::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// The running session.
    pub fn active(&self) -> Option<Arc<Active>> {
        self.active.load_full()
    }

    /// What a session of this process wants recorded; everything for others.
    pub fn policy_of(&self, session: SessionPrefix) -> Policy {
        match self.active.load().as_ref() {
            Some(active) if active.prefix == session => active.policy,
            _ => {
                let ended = self.ended.load();
                ended.iter().find(|(prefix, _)| *prefix == session).map_or_else(Policy::default, |(_, policy)| *policy)
            }
        }
    }

    /// Starts a session. What it leaves when it fails is a stopped recorder.
    ///
    /// # Errors
    /// MPR_ERR_INVALID_STATE when one runs or starts; otherwise as the platform answers.
    pub async fn start(self: Arc<Self>, kind: Kind, details: Details, policy: Policy) -> Result<mpr_status> {
        let _turn = self.turn.lock().await;
        self.start_in_turn(kind, details, policy).await
    }

    async fn start_in_turn(&self, kind: Kind, details: Details, policy: Policy) -> Result<mpr_status> {
        {
            let mut shared = self.shared.lock()?;
            match shared.state {
                _ if shared.closed => return Err(turned_off()),
                State::Stopped => shared.state = State::Starting,
                _ => return Err(Error::state("a session is running; stop or cancel it first")),
            }
        }
        let entered = AtomicBool::new(false);
        let _undo = OnDrop(|| {
            if !entered.load(Ordering::Relaxed) {
                self.stopped("failed_start");
            }
        });
        let active = self.begin(kind, details, policy, 1).await?;
        let id = active.id.clone();
        let started = format!("session {} started ({})", active.prefix.short_id(), active.type_name());
        entered.store(self.enter_unless_closed(active)?, Ordering::Relaxed);
        if entered.load(Ordering::Relaxed) {
            log::write(Level::Info, || started);
            return Ok(MPR_OK);
        }
        // Answered in the middle of a shutdown that no longer waits for it: nobody would ever end it.
        let _ = self.rest.call(Method::DELETE, &cancel_path(kind, &id), None).await;
        Err(turned_off())
    }

    /// Ends the session and keeps it: a manual one is closed with these details, a continuous one is cancelled (what was
    /// saved of it stays). Everything recorded before the call is delivered first, within half of the timeout. Stopped
    /// afterwards, whatever the platform answers.
    ///
    /// # Errors
    /// MPR_ERR_INVALID_STATE when none runs; otherwise as the platform answers.
    pub async fn stop(self: Arc<Self>, details: Details) -> Result<mpr_status> {
        let limit = self.config.timeout;
        self.end("stop", details, limit).await
    }

    /// Ends the session and has the platform throw it away.
    ///
    /// # Errors
    /// As for [`Sessions::stop`].
    pub async fn cancel(self: Arc<Self>) -> Result<mpr_status> {
        let limit = self.config.timeout;
        self.end("cancel", Details::default(), limit).await
    }

    /// At the shutdown, within `limit`: waits for a start or an end that is under way, and ends what this process started. A continuous
    /// session would otherwise stay open there for ever.
    ///
    /// # Errors
    /// As the platform answers.
    pub async fn shutdown(self: Arc<Self>, limit: Duration) -> Result<mpr_status> {
        let begun = Instant::now();
        let _turn = self.turn_within(limit / 2).await;
        let limit = limit.saturating_sub(begun.elapsed());
        match self.active().is_some_and(|active| active.owned) {
            true => self.end_in_turn("shutdown", Details::default(), limit).await,
            false => Ok(MPR_SKIPPED),
        }
    }

    /// Before [`Sessions::shutdown`]: nothing starts from here on. Tells whether there is something to end or to wait for.
    pub fn close(&self) -> bool {
        self.shared.lock().is_ok_and(|mut shared| {
            shared.closed = true;
            !matches!(shared.state, State::Stopped)
        })
    }

    /// Keeps the last two minutes of a continuous session as a session of their own.
    ///
    /// # Errors
    /// MPR_ERR_INVALID_STATE when no continuous session runs; otherwise as the platform answers.
    pub async fn save(self: Arc<Self>, details: Details) -> Result<mpr_status> {
        let _turn = self.turn.lock().await;
        let active = self.active().filter(|active| active.kind == Kind::Continuous);
        let Some(active) = active else {
            return Err(Error::state("no continuous session is running"));
        };
        self.flush_first("save", self.config.timeout / 2).await;
        self.save_window(&active, details).await
    }

    /// Asks the platform whether to record now and starts a session if so. The platform has no answer that means stop: a
    /// running session goes on.
    ///
    /// # Errors
    /// As the platform answers, except that an internal failure there (HTTP 500, its answer to conditions on attributes
    /// that were not sent) means no.
    pub async fn check_remote(self: Arc<Self>, details: Details) -> Result<mpr_status> {
        let details = self.completed(details);
        let path = "/remote-session-recording/check";
        let answer = match self.rest.call(Method::POST, path, Some(&details.check_body())).await {
            Ok(answer) => answer,
            Err(Refused { http: 500, error }) => {
                log::write(Level::Warn, || format!("taken as 'do not start': {}", error.message));
                return Ok(MPR_SKIPPED);
            }
            Err(refused) => return Err(refused.into()),
        };
        match answer.get("shouldStart").and_then(Value::as_bool) {
            Some(true) => {}
            Some(_) => return Ok(MPR_SKIPPED),
            None => return Err(Error::new(MPR_ERR_REJECTED, "the answer has no 'shouldStart'")),
        }
        let kind = match answer.get("mode").and_then(Value::as_str) {
            Some("MANUAL") => Kind::Manual,
            _ => Kind::Continuous,
        };
        let backend = answer.pointer("/recordingOptions/backend");
        let flag = |name: &str| backend.and_then(|b| b.get(name)).and_then(Value::as_bool).unwrap_or(true);
        let level = backend.and_then(|b| b.get("logLevel")).and_then(Value::as_str).unwrap_or_default();
        let policy = Policy {
            traces: flag("traces"),
            logs: flag("logs"),
            content: flag("content"),
            min_severity: severity_of_word(level),
        };
        let _turn = self.turn.lock().await;
        if self.active.load().is_some() {
            return Ok(MPR_SKIPPED);
        }
        self.start_in_turn(kind, details, policy).await
    }

    /// What mpr_session_info() tells.
    ///
    /// # Errors
    /// MPR_ERR_POISONED.
    pub fn info(&self) -> Result<Value> {
        let shared = self.shared.lock()?;
        let state = match shared.state {
            State::Stopped => "stopped",
            State::Starting => "starting",
            State::Started => "started",
            State::Ending => "ending",
        };
        let mut info = json!({ "state": state });
        let mut put = |key: &str, value: Option<Value>| {
            if let (Some(map), Some(value)) = (info.as_object_mut(), value) {
                map.insert(key.into(), value);
            }
        };
        put("endedBy", shared.ended_by.map(Value::from));
        let running = self.active.load();
        if let Some(active) = running.as_ref().or(shared.last.as_ref()) {
            put("type", Some(json!(active.type_name())));
            put("id", Some(json!(active.id)));
            put("shortId", Some(json!(active.prefix.short_id())));
            put("name", active.details.name.clone().map(Value::from));
            put("url", active.url.clone().map(Value::from));
            put("startedAt", Some(json!(iso8601(active.started_at))));
            if let (Some((ends, ends_at)), true) = (active.ends, running.is_some()) {
                let left = ends.saturating_duration_since(Instant::now()).as_millis();
                put("endsAt", Some(json!(iso8601(ends_at))));
                put("endsInMs", Some(json!(u64::try_from(left).unwrap_or(u64::MAX))));
                put("part", Some(json!(active.part)));
            }
            let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let counts = json!({
                "spans": count(&active.spans), "logs": count(&active.logs), "errors": count(&active.errors)
            });
            put("counts", Some(counts));
        }
        put("saved", shared.saved.clone());
        Ok(info)
    }

    /// Counts a recorded span of the running session; an error in a continuous one has its window saved.
    pub fn saw_span(&self, session: SessionPrefix, error: bool) {
        let active = self.active.load();
        let Some(active) = active.as_ref().filter(|active| active.prefix == session) else { return };
        active.spans.fetch_add(1, Ordering::Relaxed);
        if error {
            active.errors.fetch_add(1, Ordering::Relaxed);
            if active.kind == Kind::Continuous {
                self.save_soon(active);
            }
        }
    }

    /// Counts a recorded log of the running session.
    pub fn saw_log(&self, session: SessionPrefix) {
        if let Some(active) = self.active.load().as_ref().filter(|active| active.prefix == session) {
            active.logs.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// No session runs from here on; what it did not want stays unwanted.
    fn leave(&self) -> Option<Arc<Active>> {
        trace::set_current(None);
        let active = self.active.swap(None);
        if let Some(active) = &active {
            self.remember_policy(active);
        }
        active
    }

    fn remember_policy(&self, active: &Active) {
        if active.policy != Policy::default() {
            self.ended.rcu(|ended| {
                let kept = ended.iter().copied().rev().take(ENDED_POLICIES - 1).rev();
                kept.chain([(active.prefix, active.policy)]).collect::<Vec<_>>()
            });
        }
    }

    fn enter_unless_closed(&self, active: Active) -> Result<bool> {
        let mut shared = self.shared.lock()?;
        if !shared.closed {
            shared.state = State::Started;
            shared.ended_by = None;
            shared.saved = None;
            shared.last = None;
            self.enter(active);
        }
        Ok(!shared.closed)
    }

    fn enter_if_running(&self, old: &Arc<Active>, new: Active) -> Result<bool> {
        let shared = self.shared.lock()?;
        let running = self.is_running(old) && !shared.closed;
        if running {
            self.remember_policy(old);
            self.enter(new);
        }
        Ok(running)
    }

    /// Under the lock of `shared`, so nothing is logged here: the host's callback may ask for the session.
    fn enter(&self, active: Active) {
        let active = Arc::new(active);
        trace::set_current(Some(active.prefix));
        self.active.store(Some(Arc::clone(&active)));
        if let (Some((ends, _)), Some(me)) = (active.ends, self.me.upgrade()) {
            let _ = self.worker.spawn(me.watch_limit(active, ends));
        }
    }

    /// The platform's part of a start.
    async fn begin(&self, kind: Kind, details: Details, policy: Policy, part: u32) -> Result<Active> {
        let details = self.completed(details);
        let started_at = SystemTime::now();
        let started = Instant::now();
        let (path, body) = match kind {
            Kind::Continuous => {
                // Tags are left out: the platform's validator and its store want them in two different forms. They are
                // patched onto what a save makes.
                let fields = ["name", "sessionAttributes", "resourceAttributes", "userAttributes"];
                ("/continuous-debug-sessions/start", json!({ "debugSessionData": details.body(&fields) }))
            }
            _ => {
                let fields = ["name", "tags", "sessionAttributes", "resourceAttributes", "userAttributes"];
                ("/debug-sessions/start", details.body(&fields))
            }
        };
        let answer = self.rest.call(Method::POST, path, Some(&body)).await?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
        let short_id = text("shortId").or_else(|| details.short_id.clone());
        let short_id = short_id.or_else(|| self.config.hooks.short_id.as_ref()?());
        let prefix = short_id.as_deref().and_then(|short_id| SessionPrefix::new(kind, short_id));
        let Some(id) = usable_id(&answer) else {
            return Err(Error::new(MPR_ERR_REJECTED, "the answer has no usable '_id'"));
        };
        let Some(prefix) = prefix else {
            // A continuous one would stay open there for ever.
            let _ = self.rest.call(Method::DELETE, &cancel_path(kind, &id), None).await;
            let text = "the answer has no usable 'shortId' (8 lower-case hex digits)";
            return Err(Error::new(MPR_ERR_REJECTED, text));
        };
        let max = self.config.session_max;
        let ends = (kind == Kind::Manual).then(|| (started + max, started_at + max));
        Ok(Active {
            kind,
            id,
            prefix,
            url: text("url"),
            details,
            started_at,
            ends,
            part,
            policy,
            owned: true,
            spans: AtomicU64::new(0),
            logs: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            saving: AtomicU8::new(0),
            save_again: AtomicBool::new(false),
        })
    }

    /// What a host leaves out: a name, and the resource of this process under the host's own attributes.
    fn completed(&self, mut details: Details) -> Details {
        details.name.get_or_insert_with(|| format!("Session on {}", iso8601(SystemTime::now())));
        let mut resource: serde_json::Map<_, _> = self
            .config
            .resource
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned).into()))
            .chain([("multiplayer.session-recorder.version".to_owned(), json!(env!("CARGO_PKG_VERSION")))])
            .collect();
        resource.extend(std::mem::take(&mut details.resource_attributes));
        details.resource_attributes = resource;
        details
    }

    async fn end(self: Arc<Self>, how: &'static str, details: Details, limit: Duration) -> Result<mpr_status> {
        let begun = Instant::now();
        let _turn = self.turn_within(limit / 2).await;
        self.end_in_turn(how, details, limit.saturating_sub(begun.elapsed())).await
    }

    /// An end waits for what is under way, but not for ever: a call that hangs must not cost the end of the session.
    async fn turn_within(&self, limit: Duration) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        tokio::time::timeout(limit, self.turn.lock()).await.ok()
    }

    async fn end_in_turn(&self, how: &'static str, details: Details, limit: Duration) -> Result<mpr_status> {
        let active = {
            let mut shared = self.shared.lock()?;
            match shared.state {
                State::Started => shared.state = State::Ending,
                _ => return Err(Error::state("no session is running")),
            }
            // New traces stop joining at once; spans that are open now still belong to it by their ids.
            let active = self.leave();
            shared.last.clone_from(&active);
            active
        };
        let _stopped = OnDrop(|| self.stopped(how));
        match &active {
            Some(active) => self.end_remotely(how, active, details, limit).await.map(|()| MPR_OK),
            None => Ok(MPR_OK),
        }
    }

    fn stopped(&self, ended_by: &'static str) {
        if let Ok(mut shared) = self.shared.lock() {
            shared.state = State::Stopped;
            shared.ended_by = Some(ended_by);
        }
    }

    /// Half of the limit is for delivering first, a quarter at most for an update: neither may cost the end itself.
    async fn end_remotely(&self, how: &str, active: &Active, details: Details, limit: Duration) -> Result<()> {
        let id = &active.id;
        let (method, path, body) = match (active.kind, how) {
            (Kind::Continuous, _) | (_, "cancel") => (Method::DELETE, cancel_path(active.kind, id), None),
            _ => {
                // The platform refuses everything but session attributes here; what else a host gives is updated first.
                self.update(active, &details, limit / 4).await;
                let body = details.body(&["sessionAttributes"]);
                (Method::PATCH, format!("/debug-sessions/{id}/stop"), Some(body))
            }
        };
        if how != "cancel" {
            self.flush_first(how, limit / 2).await;
            if active.save_again.swap(false, Ordering::AcqRel) {
                // An error whose window is not saved yet: the end would throw it away.
                let save = self.save_window(active, Details::default());
                match tokio::time::timeout(limit / 4, save).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(e)) => log::write(Level::Warn, || format!("after an error: {}", e.message)),
                    Err(_) => log::write(Level::Warn, || "after an error: the save was not answered in time".into()),
                }
            }
        }
        match self.rest.call(method, &path, body.as_ref()).await {
            Ok(_) => Ok(()),
            // Ended already, by the platform's limit or from elsewhere.
            Err(Refused { http: 404, .. }) => Ok(()),
            Err(refused) => Err(refused.into()),
        }
    }

    async fn flush_first(&self, what: &str, limit: Duration) {
        if let Err(e) = self.pipeline.flushed(limit).await {
            log::write(Level::Warn, || format!("{what}: {}; their delivery goes on", e.message));
        }
    }

    /// Name, tags, user and resource attributes given at the stop.
    async fn update(&self, active: &Active, details: &Details, limit: Duration) {
        let given = [
            ("name", details.name.is_some()),
            ("tags", !details.tags.is_empty()),
            ("resourceAttributes", !details.resource_attributes.is_empty()),
            ("userAttributes", !details.user_attributes.is_empty()),
        ];
        let given: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(field, _)| *field).collect();
        if given.is_empty() {
            return;
        }
        // An update replaces each of them wholesale, so what the start gave is sent again.
        let body = active.details.clone().with(details.clone()).body(&given);
        let path = format!("/debug-sessions/{}", active.id);
        let update = self.rest.call(Method::PATCH, &path, Some(&body));
        let lost = match tokio::time::timeout(limit, update).await {
            Ok(Ok(_)) => return,
            Ok(Err(refused)) => refused.error.message,
            Err(_) => "no answer in time".into(),
        };
        log::write(Level::Warn, || format!("the details given at the stop were lost: {lost}"));
    }

    async fn save_window(&self, active: &Active, newer: Details) -> Result<mpr_status> {
        // A save overwrites what the start stored, so everything is sent again.
        let details = active.details.clone().with(newer);
        let path = format!("/continuous-debug-sessions/{}/save", active.id);
        let body = details.body(&["name", "sessionAttributes", "resourceAttributes"]);
        let answer = self.rest.call(Method::POST, &path, Some(&body)).await?;
        let Some(id) = usable_id(&answer) else {
            return Err(Error::new(MPR_ERR_REJECTED, "the answer has no usable '_id'"));
        };
        let saved = json!({ "id": id, "url": answer.get("url"), "at": iso8601(SystemTime::now()) });
        log::write(Level::Info, || format!("session {} saved as {id}", active.prefix.short_id()));
        self.shared.lock()?.saved = Some(saved);
        let rest = details.body(&["tags", "userAttributes"]);
        if rest != json!({}) {
            let path = format!("/debug-sessions/{id}");
            if let Err(refused) = self.rest.call(Method::PATCH, &path, Some(&rest)).await {
                log::write(Level::Warn, || format!("saved, but without its tags: {}", refused.error.message));
            }
        }
        Ok(MPR_OK)
    }

    /// Debounced: a moment after the first error, then at most once an interval as long as errors come.
    fn save_soon(&self, active: &Arc<Active>) {
        active.save_again.store(true, Ordering::Release);
        if !active.owned || active.saving.swap(1, Ordering::AcqRel) == 1 {
            return;
        }
        let (Some(me), active) = (self.me.upgrade(), Arc::clone(active)) else { return };
        let saver = async move {
            tokio::time::sleep(SAVE_DELAY).await;
            while me.save_if_wanted(&active).await {
                tokio::time::sleep(SAVE_INTERVAL).await;
            }
            active.saving.store(0, Ordering::Release);
            // An error that came between the last look and the line above would wait for the next one.
            if active.save_again.load(Ordering::Acquire) && me.is_running(&active) {
                me.save_soon(&active);
            }
        };
        if self.worker.spawn(saver).is_err() {
            log::write(Level::Error, || "the session is not saved on this error: no worker thread".into());
        }
    }

    /// Saves when an error came since the last save. False when there is nothing more to do.
    async fn save_if_wanted(&self, active: &Arc<Active>) -> bool {
        // In turn, so that a stop waits for the save before it throws the window away.
        let _turn = self.turn.lock().await;
        if !self.is_running(active) || !active.save_again.load(Ordering::Acquire) {
            return false;
        }
        self.flush_first("save", self.config.timeout / 2).await;
        active.save_again.store(false, Ordering::Release);
        if let Err(e) = self.save_window(active, Details::default()).await {
            log::write(Level::Warn, || format!("after an error: {}", e.message));
            active.save_again.store(true, Ordering::Release);
        }
        true
    }

    fn is_running(&self, active: &Arc<Active>) -> bool {
        self.active.load().as_ref().is_some_and(|running| Arc::ptr_eq(running, active))
    }

    /// A manual session ends at the platform by itself. The host is told before, and the recording goes on in a new
    /// session when it asked for that.
    async fn watch_limit(self: Arc<Self>, active: Arc<Active>, ends: Instant) {
        let notice = LONGEST_NOTICE.min(self.config.session_max / 4);
        tokio::time::sleep_until((ends - notice).into()).await;
        if !self.is_running(&active) {
            return;
        }
        if self.config.session_rollover {
            match self.roll_over(&active, ends).await {
                Ok(()) => return,
                Err(e) => log::write(Level::Error, || format!("the session cannot be rolled over: {}", e.message)),
            }
        }
        let left = ends.saturating_duration_since(Instant::now()).as_secs();
        log::write(Level::Warn, || {
            format!("session {} ends in {left} s: the platform's limit for a manual session", active.prefix.short_id())
        });
        tokio::time::sleep_until(ends.into()).await;
        let ended = self.shared.lock().is_ok_and(|mut shared| {
            let running = self.is_running(&active);
            if running {
                shared.last = self.leave();
                shared.state = State::Stopped;
                shared.ended_by = Some("platform_limit");
            }
            running
        });
        if ended {
            log::write(Level::Warn, || {
                format!("session {} was ended by the platform's limit", active.prefix.short_id())
            });
        }
    }

    async fn roll_over(&self, old: &Arc<Active>, ends: Instant) -> Result<()> {
        // In turn: a stop that comes meanwhile ends the new one.
        let _turn = self.turn.lock().await;
        if !self.is_running(old) {
            return Ok(());
        }
        let mut details = old.details.clone();
        let part = old.part + 1;
        let first_name = old.details.name.as_deref().unwrap_or_default();
        let first_name = first_name.strip_suffix(&format!(" (part {})", old.part)).unwrap_or(first_name);
        details.name = Some(format!("{first_name} (part {part})"));
        // From the limit on the platform drops what carries the old short id: a start that hangs must not outlive it.
        let begin = self.begin(old.kind, details, old.policy, part);
        let new = tokio::time::timeout_at(ends.into(), begin)
            .await
            .unwrap_or_else(|_| Err(Error::new(MPR_ERR_TIMEOUT, "no answer before the old session's end")))?;
        let new_id = new.id.clone();
        let entered = self.enter_if_running(old, new)?;
        if !entered {
            // Stopped by the host meanwhile: nobody would ever end the new one.
            let path = cancel_path(old.kind, &new_id);
            return Ok(self.rest.call(Method::DELETE, &path, None).await.map(drop)?);
        }
        log::write(Level::Info, || format!("session {} goes on as part {part}", old.prefix.short_id()));
        if let Err(e) = self.end_remotely("stop", old, Details::default(), self.config.timeout).await {
            log::write(Level::Warn, || format!("the part before was not stopped: {}", e.message));
        }
        Ok(())
    }
}

impl Active {
    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Continuous => "CONTINUOUS",
            _ => "MANUAL",
        }
    }

    /// The same session in a forked child, whose counts start at zero.
    fn for_child(&self) -> Self {
        Self {
            kind: self.kind,
            id: self.id.clone(),
            prefix: self.prefix,
            url: self.url.clone(),
            details: self.details.clone(),
            started_at: self.started_at,
            ends: self.ends,
            part: self.part,
            policy: self.policy,
            owned: false,
            spans: AtomicU64::new(0),
            logs: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            saving: AtomicU8::new(0),
            save_again: AtomicBool::new(false),
        }
    }
}

/// The `_id` of an answer. It becomes part of a path, so it has to be plain.
fn usable_id(answer: &Value) -> Option<String> {
    let id = answer.get("_id")?.as_str()?;
    let plain = !id.is_empty() && id.len() <= 64 && id.bytes().all(|c| c.is_ascii_alphanumeric());
    plain.then(|| id.to_owned())
}

fn cancel_path(kind: Kind, id: &str) -> String {
    match kind {
        Kind::Continuous => format!("/continuous-debug-sessions/{id}/cancel"),
        _ => format!("/debug-sessions/{id}/cancel"),
    }
}

/// Runs at the end of a scope, also when the future around it is dropped at a deadline.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
