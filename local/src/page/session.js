// One session.
import { html, useEffect, useMemo, useReducer, useRef, useState } from "./ui.js";
import * as api from "./api.js";
import { bytes, count, duration, moment, offset, parseDuration, parseTags, plural, serviceColours, sessionName, tagText } from "./format.js";
import { Detail } from "./detail.js";
import { useKeys } from "./keys.js";
import { Logs } from "./logs.js";
import { Operations, ServiceMap } from "./map.js";
import { copy, Dialog, Empty, Field, Live, navigate, Pairs, say, sayFailure, Setup, Tags, usePolling } from "./parts.js";
import { isFiltered, NO_FILTER, rootOf, rowsOf, Spans } from "./spans.js";
import { Timeline } from "./timeline.js";
import { Waterfall } from "./waterfall.js";

const LIVE_MS = 1000;
const STOPPED_MS = 5000;
const SEARCH_MS = 300;
const TABS = ["traces", "logs", "map", "operations", "about"];

export function SessionView({ id }) {
  const [session, setSession] = useState(null);
  const [summary, setSummary] = useState(null);
  const [missing, setMissing] = useState(false);
  const [, changed] = useReducer((n) => n + 1, 0);
  const spans = useMemo(() => new Spans(), [id]);
  const state = useMemo(() => ({ spansAfter: 0, logsAfter: 0, logs: [], loaded: false, summaryOf: -1 }), [id]);

  // All that came since the last time; then again, soon while it records, seldom afterwards (late spans still come).
  usePolling(async (ended) => {
    const answer = await api.summary(id).catch((failure) => {
      if (failure.status === 404) setMissing(true);
      throw failure;
    });
    if (ended()) return Infinity;
    setSession(answer.session);
    if (state.summaryOf !== answer.session.counts.spans || !state.loaded) setSummary(answer);
    state.summaryOf = answer.session.counts.spans;
    for (let more = true; more && !ended();) {
      const page = await api.spans(id, state.spansAfter);
      spans.add(page.columns, page.rows);
      state.spansAfter = page.next;
      more = page.more;
      if (page.rows.length) changed();
    }
    for (let more = true; more && !ended();) {
      const page = await api.logs(id, state.logsAfter);
      // A new list: what was derived from the old one is made anew.
      if (page.rows.length) state.logs = state.logs.concat(page.rows);
      state.logsAfter = page.next;
      more = page.more;
    }
    state.loaded = true;
    changed();
    return answer.session.live ? LIVE_MS : STOPPED_MS;
  }, LIVE_MS, [id], (failure) => failure.status !== 404 && say(`Not connected: ${failure.message}`, true));

  useEffect(() => {
    document.title = `${session ? sessionName(session) : "Session"} · mpr-local`;
  }, [session]);
  if (missing) {
    return html`<main id="main" tabindex="-1"><${Empty} title="No such session" alone><p>It may have been cancelled or deleted, or it lies in another database.</p><p><a href="/">All sessions</a></p><//></main>`;
  }
  if (!session || !summary) return html`<main id="main" tabindex="-1"><p class="loading">Loading …</p></main>`;
  return html`<${Loaded} id=${session._id} session=${session} setSession=${setSession} summary=${summary} spans=${spans} logs=${state.logs} loaded=${state.loaded} />`;
}

// ---- what the address says --------------------------------------------------------------------

function readAddress() {
  const query = new URLSearchParams(location.search);
  const zoom = (query.get("zoom") || "").split("-").map(Number);
  return {
    tab: TABS.includes(query.get("tab")) ? query.get("tab") : "traces",
    order: query.get("order") || "time",
    filter: {
      ...NO_FILTER, text: query.get("q") || "", service: query.get("service") || "", status: query.get("status") || "",
      attribute: query.get("attr") || "", slower: Number(query.get("slower")) || 0,
      zoom: zoom.length === 2 && zoom[1] > zoom[0] ? zoom : null,
    },
    chosen: decodeURIComponent(location.hash.slice(1)),
  };
}

function writeAddress({ tab, order, filter, chosen }) {
  const query = new URLSearchParams();
  const set = (key, value, usual) => value !== usual && value && query.set(key, value);
  set("tab", tab, "traces");
  set("order", order, "time");
  set("q", filter.text);
  set("service", filter.service);
  set("status", filter.status);
  set("attr", filter.attribute);
  set("slower", filter.slower);
  set("zoom", filter.zoom?.map(Math.round).join("-"));
  const text = String(query);
  history.replaceState(null, "", `${location.pathname}${text ? `?${text}` : ""}${chosen ? `#${chosen}` : ""}`);
}

// ---- the view ---------------------------------------------------------------------------------

function Loaded({ id, session, setSession, summary, spans, logs, loaded }) {
  const [view, setView] = useState(readAddress);
  const [active, setActive] = useState(view.chosen);
  const [toggled, setToggled] = useState(new Set());
  const found = useSearch(id, view.filter, spans.version);
  const search = useRef();
  const { tab, order, filter } = view;
  const change = (values) => setView((old) => ({ ...old, ...values }));
  const setFilter = (values) => change({ filter: { ...filter, ...values } });
  useEffect(() => writeAddress(view), [view]);

  const colours = useMemo(() => serviceColours(new Set([...spans.services.keys(), ...logs.map((log) => log.service || "(no service)")])), [spans.services.size, logs.length]);
  const shown = useMemo(() => rowsOf(spans, filter, found, order, toggled), [spans, spans.version, filter, found, order, toggled]);
  const chosen = spans.byId.get(view.chosen) || null;

  const toggle = (trace) => setToggled((old) => {
    const next = new Set(old);
    if (!next.delete(trace.id)) next.add(trace.id);
    return next;
  });
  const open = (span) => change({ chosen: span.key, tab: "traces" });
  const close = () => {
    change({ chosen: "" });
    document.querySelector(".waterfall")?.focus({ preventScroll: true });
  };
  // Shows a span wherever it lies: its trace unfolded, and without a filter that would hide it.
  const reveal = (key) => {
    const span = spans.byId.get(key);
    if (!span) return;
    const trace = spans.traces.get(span.trace);
    const hidden = isFiltered(filter) && !shown.rows.some((row) => row.span === span || (row.trace === trace && rootOf(trace) === span));
    if (trace.spans.length > 1 && toggled.has(trace.id) === trace.open) toggle(trace);
    setActive(trace.spans.length > 1 ? key : trace.id);
    change({ chosen: key, tab: "traces", ...(hidden ? { filter: NO_FILTER } : {}) });
  };
  const failures = useMemo(() => spans.all.filter((span) => span.failed).sort((a, b) => a.start - b.start), [spans.version]);
  const nextError = () => {
    if (!failures.length) return say("No errors in this session");
    const at = failures.findIndex((span) => span.key === view.chosen);
    return reveal(failures[(at + 1) % failures.length].key);
  };
  // The span of the address, once its row has come.
  const pointed = useRef(view.chosen);
  useEffect(() => {
    if (!pointed.current || !spans.byId.has(pointed.current)) return;
    reveal(pointed.current);
    pointed.current = "";
  }, [spans.version]);

  useEffect(() => {
    const go = () => location.hash.length > 1 && reveal(decodeURIComponent(location.hash.slice(1)));
    addEventListener("hashchange", go);
    return () => removeEventListener("hashchange", go);
  });

  useKeys({ "/": () => search.current?.focus(), e: nextError, Escape: close, 1: () => change({ tab: "traces" }), 2: () => change({ tab: "logs" }), 3: () => change({ tab: "map" }), 4: () => change({ tab: "operations" }), 5: () => change({ tab: "about" }) });

  const tabs = { traces: ["Traces", spans.traces.size], logs: ["Logs", session.counts.logs], map: ["Map", spans.services.size], operations: ["Operations", summary.routes.length], about: ["About", null] };
  return html`<main id="main" tabindex="-1" class=${chosen && tab === "traces" ? "wide with-detail" : "wide"}>
    <${Head} session=${session} setSession=${setSession} spans=${spans} />
    <${Errors} failures=${failures} told=${summary.errors} chosen=${view.chosen} onOpen=${reveal} onAll=${() => change({ tab: "traces", filter: { ...NO_FILTER, status: "error" } })} onNext=${nextError} />
    <${Timeline} spans=${spans} colours=${colours} zoom=${filter.zoom} onZoom=${(zoom) => setFilter({ zoom })} chosen=${chosen} />
    <nav class="tabs" aria-label="Views of the session">${TABS.map((name) => html`
      <button key=${name} aria-current=${name === tab ? "page" : undefined} onClick=${() => change({ tab: name })}>${tabs[name][0]} ${tabs[name][1] !== null && html`<span class="n">${count(tabs[name][1])}</span>`}</button>`)}</nav>
    ${(tab === "traces" || tab === "logs") && html`<${Filters} filter=${filter} setFilter=${setFilter} services=${[...colours.keys()].sort()} search=${search} order=${order} onOrder=${(value) => change({ order: value })} tab=${tab} shown=${shown} spans=${spans} found=${found} />`}
    ${tab === "traces" && html`<div class="split">
      <div class="list">${shown.rows.length
        ? html`<${Waterfall} rows=${shown.rows} spans=${spans} colours=${colours} window=${filter.zoom || [spans.from, spans.to]} chosen=${chosen} active=${active} onActive=${setActive} onOpen=${open} onToggle=${toggle} />`
        : html`<${NoRows} loaded=${loaded} spans=${spans} session=${session} onClear=${() => setFilter(NO_FILTER)} />`}</div>
      ${chosen && html`<${Detail} id=${id} row=${chosen} spans=${spans} colours=${colours} live=${session.live} onClose=${close} />`}
    </div>`}
    ${tab === "logs" && html`<${Logs} logs=${logs} filter=${filter} spans=${spans} colours=${colours} onOpen=${(log) => {
      if (spans.byId.has(`${log.traceId}/${log.spanId}`)) reveal(`${log.traceId}/${log.spanId}`);
      else say("This log belongs to no span of the session");
    }} />`}
    ${tab === "map" && html`<${ServiceMap} summary=${summary} colours=${colours} onService=${(service) => change({ tab: "traces", filter: { ...NO_FILTER, service } })} />`}
    ${tab === "operations" && html`<${Operations} summary=${summary} colours=${colours} onOperation=${(r) => change({ tab: "traces", order: "slow", filter: { ...NO_FILTER, text: r.name, service: r.service } })} />`}
    ${tab === "about" && html`<${About} session=${session} />`}
  </main>`;
}

// What lies in attributes and content is looked for by the recorder.
function useSearch(id, filter, version) {
  const [found, setFound] = useState({});
  const { text, attribute } = filter;
  useEffect(() => {
    if (text.length < 2 && !attribute) {
      setFound({});
      return undefined;
    }
    let ended = false;
    const timer = setTimeout(async () => {
      try {
        const keys = async (wanted) => new Set((await api.search(id, wanted)).spans.map(([trace, span]) => `${trace}/${span}`));
        const answer = { text: text.length >= 2 ? await keys({ q: text }) : undefined, attribute: attribute.includes("=") ? await keys({ attr: attribute }) : attribute ? new Set() : undefined };
        if (!ended) setFound(answer);
      } catch (failure) {
        if (!ended) sayFailure(failure);
      }
    }, SEARCH_MS);
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [id, text, attribute, Math.floor(version / 5)]);
  return found;
}

function NoRows({ loaded, spans, session, onClear }) {
  if (!loaded) return html`<p class="loading">Loading …</p>`;
  if (spans.all.length) {
    return html`<${Empty} title="No span matches"><p>${plural(spans.all.length, "span")} are hidden by the filter.</p><button onClick=${onClear}>Clear the filter</button><//>`;
  }
  return html`<${Empty} title=${session.live ? "Recording, and nothing has come yet" : "Nothing was recorded"}>
    <p>${session.live ? "Use your program now. What it does appears here." : "Perhaps no process recorded, or what it sent was not kept:"} ${!session.live && html`<a href="/health">see the pipeline</a>`}</p>
    ${session.live && html`<${Setup} />`}<//>`;
}

// ---- head: name, facts, actions ---------------------------------------------------------------

function Head({ session, setSession, spans }) {
  const [dialog, setDialog] = useState("");
  const close = () => setDialog("");
  const act = (work, done) => async () => {
    try {
      const answer = await work();
      if (answer?._id === session._id) setSession(answer);
      say(done);
    } catch (failure) {
      sayFailure(failure);
    }
  };
  const rename = async (form) => {
    setSession(await api.change(session._id, { name: form.get("name"), tags: parseTags(form.get("tags")) }));
    close();
  };
  const save = async (form) => {
    const saved = await api.save(session._id, form.get("name"));
    close();
    say("Saved");
    if (saved._id !== session._id) navigate(`/sessions/${encodeURIComponent(saved._id)}`);
    else setSession(saved);
  };
  const remove = async () => {
    await api.remove(session._id);
    say(session.live ? "Session cancelled" : "Session deleted");
    navigate("/");
  };
  const seconds = session.durationInSeconds !== undefined ? session.durationInSeconds * 1e9 : spans.all.length ? spans.to - spans.from : null;
  const live = session.live && session.kind !== "saved";
  return html`<header class="head">
    <div class="head-line"><h1>${sessionName(session)}</h1>
      <div class="actions">
        ${live && session.kind !== "continuous" && html`<button class="primary" onClick=${act(() => api.stop(session._id), "Stopped")}>Stop</button>`}
        ${live && session.kind === "continuous" && html`<button class="primary" onClick=${() => setDialog("save")}>Save</button>`}
        <button onClick=${() => setDialog("rename")}>Rename, tag</button>
        <a class="button" href=${api.exportAddress(session._id)} download="">Download</a>
        <a class="button" href=${`/?compare=${encodeURIComponent(session._id)}`}>Compare</a>
        <button class="danger" onClick=${() => setDialog("remove")}>${live ? "Cancel" : "Delete"}</button>
      </div></div>
    <div class="facts">
      <${Live} session=${session} /><span>${session.kind}${session.imported ? ", imported" : ""}</span><span>${moment(session.startedAt)}</span>
      ${seconds !== null && html`<span>${duration(seconds)}</span>`}
      <span><b>${count(session.counts.spans)}</b> spans</span><span><b>${count(session.counts.traces ?? spans.traces.size)}</b> traces</span>
      <span class=${session.counts.errors ? "bad" : ""}><b>${count(session.counts.errors)}</b> ${session.counts.errors === 1 ? "error" : "errors"}</span>
      <span><b>${count(session.counts.logs)}</b> logs</span>${session.bytes > 0 && html`<span>${bytes(session.bytes)}</span>`}
      <${Tags} tags=${session.tags} />
    </div>
    ${dialog === "rename" && html`<${Dialog} title="Rename and tag" submit="Keep" onClose=${close} onSubmit=${rename}>
      <${Field} label="Name" name="name" value=${session.name || ""} />
      <${Field} label="Tags" name="tags" value=${(session.tags || []).map(tagText).join(", ")} hint="With commas; key=value or a word alone" /><//>`}
    ${dialog === "save" && html`<${Dialog} title="Save the last minutes" submit="Save" onClose=${close} onSubmit=${save}>
      <p>A continuous session keeps a rolling window. Saving keeps what is in it now, as a session of its own.</p><${Field} label="Name" name="name" value=${session.name || ""} /><//>`}
    ${dialog === "remove" && html`<${Dialog} title=${live ? "Cancel this session?" : "Delete this session?"} submit=${live ? "Cancel the session" : "Delete"} danger onClose=${close} onSubmit=${remove}>
      <p>${live ? "Recording ends, and what was recorded is removed." : "What was recorded is removed from this machine. Download it first to keep it."}</p><//>`}
  </header>`;
}

// Always there and always as high: nothing jumps when the first error arrives.
function Errors({ failures, told, chosen, onOpen, onAll, onNext }) {
  if (!failures.length) return html`<div class="error-strip none"><span class="good" aria-hidden="true">✓</span> No errors</div>`;
  const messages = new Map(told.map((e) => [`${e.trace_id}/${e.span_id}`, e.message || e.type]));
  return html`<section class="error-strip" aria-label="Errors">
    <button class="danger-solid" onClick=${onAll}>${plural(failures.length, "error")}</button>
    <div class="error-list">${failures.slice(0, 4).map((span) => html`
      <button key=${span.key} class=${span.key === chosen ? "error-item chosen" : "error-item"} onClick=${() => onOpen(span.key)}><b>${span.name}</b> ${messages.get(span.key) || span.service}</button>`)}</div>
    <button class="small" onClick=${onNext} title="e">Next error</button>
  </section>`;
}

function Filters({ filter, setFilter, services, search, order, onOrder, tab, shown, spans }) {
  const [slower, setSlower] = useState(filter.slower ? duration(filter.slower) : "");
  const [attribute, setAttribute] = useState(filter.attribute);
  useEffect(() => {
    setSlower(filter.slower ? duration(filter.slower) : "");
    setAttribute(filter.attribute);
  }, [filter.slower, filter.attribute]);
  const setDuration = (event) => {
    const ns = event.target.value.trim() ? parseDuration(event.target.value) : 0;
    if (Number.isNaN(ns)) say("A duration is like 250ms, 1.5s or 300us", true);
    else setFilter({ slower: ns });
  };
  const setAttr = (event) => {
    const value = event.target.value.trim();
    if (value && !value.includes("=")) say("An attribute is like http.request.method=POST", true);
    setFilter({ attribute: value.includes("=") ? value : "" });
  };
  return html`<form class="filters" role="search" aria-label="Filter" onSubmit=${(event) => event.preventDefault()}>
    <input ref=${search} type="search" class="text" aria-label="Search in names, attributes and content" placeholder="Search names, attributes, content" value=${filter.text} onInput=${(event) => setFilter({ text: event.target.value })} />
    <select aria-label="Service" value=${filter.service} onChange=${(event) => setFilter({ service: event.target.value })}><option value="">all services</option>${services.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select>
    ${tab === "traces" && html`
    <select aria-label="Status" value=${filter.status} onChange=${(event) => setFilter({ status: event.target.value })}>
      <option value="">any status</option><option value="error">errors</option><option value="ok">no errors</option>
      ${["2xx", "3xx", "4xx", "5xx"].map((name) => html`<option key=${name} value=${name}>HTTP ${name}</option>`)}</select>
    <input class="slower" aria-label="At least this long" placeholder="≥ duration" value=${slower} onChange=${setDuration} />
    <input class="attribute" aria-label="Attribute" placeholder="attribute=value" value=${attribute} onChange=${setAttr} />
    <select aria-label="Order" value=${order} onChange=${(event) => onOrder(event.target.value)}><option value="time">in time</option><option value="errors">errors first</option><option value="slow">longest first</option></select>
    <span class="result" role="status">${isFiltered(filter) ? `${count(shown.matches)} of ${plural(spans.all.length, "span")}` : plural(shown.traces, "trace")}</span>`}
    <button type="button" class="small" disabled=${!isFiltered(filter)} onClick=${() => setFilter(NO_FILTER)}>Clear</button>
  </form>`;
}

function About({ session }) {
  const parts = ["sessionAttributes", "resourceAttributes", "userAttributes", "clientAttributes"].filter((key) => session[key] && typeof session[key] === "object" && Object.keys(session[key]).length);
  const names = { sessionAttributes: "Session attributes", resourceAttributes: "Resource attributes", userAttributes: "User", clientAttributes: "Client" };
  const ids = { id: session._id, "short id": session.shortId, "trace ids begin with": session.kind === "continuous" ? `cdbcdb${session.shortId}` : `debdeb${session.shortId}`, "started": session.startedAt, "stopped": session.stoppedAt, type: session.sessionType ?? session.creationType, comment: session.comment };
  return html`<div class="about"><section><h2>Identity</h2><${Pairs} label="Identity" values=${Object.fromEntries(Object.entries(ids).filter(([, v]) => v !== undefined && v !== null))} />
    <p><button class="small" onClick=${() => copy(session._id, "Id")}>Copy the id</button></p></section>
    ${parts.map((key) => html`<section key=${key}><h2>${names[key]}</h2><${Pairs} label=${names[key]} values=${session[key]} /></section>`)}</div>`;
}
