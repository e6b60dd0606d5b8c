// The page of the local recorder: a list of sessions, and one session.
// Everything recorded enters the page as text (textContent), never as markup.
"use strict";

const REFRESH_MS = 2000;
const ROWS_AT_ONCE = 500;
const BLOCK_LIMIT = 65536;
const SERVICE_COLOURS = 8;
const HTTP = "multiplayer.http.";

const main = document.getElementById("main");

// ---- small tools ---------------------------------------------------------------------

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function add(parent, ...children) {
  for (const child of children) if (child) parent.append(child);
  return parent;
}

function duration(ns) {
  if (ns === 0) return "0";
  if (ns < 1e3) return `${ns} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(1)} ms`;
  return `${(ns / 1e9).toFixed(2)} s`;
}

// A moment as distance from the session's start; clocks of several machines may disagree.
function offset(ns, start) {
  const distance = sinceStart(ns, start);
  return distance < 0 ? `−${duration(-distance)}` : `+${duration(distance)}`;
}

function when(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? String(iso) : date.toLocaleString();
}

function plural(n, one) {
  return `${n} ${one}${n === 1 ? "" : "s"}`;
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

// Nanoseconds do not fit a number: only distances from the session's start become one.
function sinceStart(ns, start) {
  return Number(BigInt(ns) - start);
}

async function load(path, tag) {
  const headers = tag ? { "If-None-Match": tag } : {};
  const response = await fetch(path, { headers, cache: "no-store" });
  if (response.status === 304) return { tag };
  if (response.status === 404) return { missing: true };
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return { tag: response.headers.get("ETag"), data: await response.json() };
}

// ---- the list ------------------------------------------------------------------------

function fact(className, number, text) {
  const node = make("span", className);
  add(node, make("strong", "", String(number)), document.createTextNode(` ${text}`));
  return node;
}

function facts(session) {
  const { spans, errors, logs } = session.counts;
  const line = make("div", "facts");
  if (session.live) {
    const saved = session.kind === "saved";
    add(line, make("span", "live", saved ? "taking late data" : "recording"));
  }
  add(line, make("span", "", session.kind), make("span", "", when(session.startedAt)));
  if (session.durationInSeconds !== undefined) {
    add(line, make("span", "", duration(session.durationInSeconds * 1e9)));
  }
  add(line, fact("", spans, spans === 1 ? "span" : "spans"));
  if (errors) add(line, fact("bad", errors, errors === 1 ? "error" : "errors"));
  add(line, fact("", logs, logs === 1 ? "log" : "logs"));
  const services = session.services.filter(Boolean);
  if (services.length) add(line, make("span", "", services.join(", ")));
  return line;
}

function setup() {
  const base = location.origin.replace("localhost", "127.0.0.1");
  const lines = [
    `export MULTIPLAYER_BASE_API_URL=${base}`,
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${base}`,
    "export MULTIPLAYER_API_KEY=local",
  ];
  return make("pre", "setup", lines.join("\n"));
}

function listView(sessions) {
  const view = document.createDocumentFragment();
  add(view, make("h1", "", "Sessions"));
  if (!sessions.length) {
    add(view, make("p", "quiet", "Nothing recorded yet. Start a process with this environment:"));
    add(view, setup());
    return view;
  }
  const list = make("ul", "sessions");
  for (const session of sessions) {
    const link = make("a");
    link.href = `/sessions/${encodeURIComponent(session._id)}`;
    add(link, make("div", "name", session.name || "(unnamed)"), facts(session));
    add(list, add(make("li"), link));
  }
  const how = make("details");
  add(how, make("summary", "", "How to record"), setup());
  add(view, list, how);
  return view;
}

// ---- one session ---------------------------------------------------------------------

// What the reader has opened stays open when new spans arrive. The address carries the
// span opened last, so a link to a session can point into it.
const opened = new Set([location.hash.slice(1)]);
let shownRows = ROWS_AT_ONCE;

function sessionView(doc) {
  const { session, spans, logs } = doc;
  const view = document.createDocumentFragment();
  add(view, make("h1", "", session.name || "(unnamed)"), facts(session));

  const ids = make("div", "facts mono");
  add(ids, make("span", "", `id ${session._id}`));
  if (session.shortId !== session._id) add(ids, make("span", "", `short id ${session.shortId}`));
  for (const tag of session.tags || []) {
    const text = typeof tag === "string" ? tag : (tag.key ? `${tag.key}=` : "") + asText(tag.value);
    add(ids, make("span", "", `#${text}`));
  }
  const file = make("a", "", "export as JSON");
  file.href = `/api/sessions/${encodeURIComponent(session._id)}/export`;
  add(view, add(ids, file));

  const about = make("details");
  add(about, make("summary", "", "Attributes of the session"));
  let any = false;
  for (const key of ["sessionAttributes", "resourceAttributes", "userAttributes"]) {
    const value = session[key];
    if (!value || typeof value !== "object" || !Object.keys(value).length) continue;
    any = true;
    add(about, make("h3", "", key), table(value));
  }
  if (any) add(view, about);

  const logsOf = new Map();
  for (const log of logs) {
    if (!log.spanId) continue;
    const key = `${log.traceId}/${log.spanId}`;
    if (!logsOf.has(key)) logsOf.set(key, []);
    logsOf.get(key).push(log);
  }
  const times = spans.map((s) => BigInt(s.startTimeUnixNano))
    .concat(logs.map((l) => BigInt(l.timeUnixNano)));
  const start = times.reduce((a, b) => (a < b ? a : b), times[0] ?? 0n);

  add(view, make("h2", "", plural(spans.length, "span")));
  if (spans.length) add(view, waterfall(spans, start, logsOf));
  else add(view, make("p", "quiet", "No spans yet. What was sent but not kept is counted below."));
  if (logs.length) {
    add(view, make("h2", "", plural(logs.length, "log")), logTable(logs, start));
  }
  return view;
}

// Traces in order of time, within each the parents before their children. Spans whose
// parent is elsewhere are roots; a circle of parents is cut at its first span.
function rowsOf(spans) {
  const traces = new Map();
  for (const span of spans) {
    if (!traces.has(span.traceId)) traces.set(span.traceId, []);
    traces.get(span.traceId).push(span);
  }
  const rows = [];
  for (const [traceId, members] of traces) {
    const ids = new Set(members.map((s) => s.spanId));
    const children = new Map();
    const roots = [];
    for (const span of members) {
      const parent = span.parentSpanId;
      if (!parent || !ids.has(parent)) roots.push(span);
      else if (children.has(parent)) children.get(parent).push(span);
      else children.set(parent, [span]);
    }
    rows.push({ traceId, count: members.length });
    const done = new Set();
    for (const first of roots.concat(members)) {
      const waiting = [[first, 0]];
      while (waiting.length) {
        const [span, depth] = waiting.pop();
        if (done.has(span)) continue;
        done.add(span);
        rows.push({ span, depth });
        for (const child of (children.get(span.spanId) || []).slice().reverse()) {
          waiting.push([child, depth + 1]);
        }
      }
    }
  }
  return rows;
}

function waterfall(spans, start, logsOf) {
  const ends = spans.map((s) => sinceStart(s.endTimeUnixNano, start));
  const total = Math.max(1, ends.reduce((a, b) => Math.max(a, b), 1));
  const colours = new Map();
  for (const span of spans) {
    if (!colours.has(span.service)) colours.set(span.service, `s${colours.size % SERVICE_COLOURS}`);
  }

  const box = make("div", "waterfall");
  const scale = make("div", "scale");
  const ticks = make("span", "ticks");
  for (const part of [0, 0.25, 0.5, 0.75]) {
    const tick = make("span", "", duration(Math.round(total * part)));
    tick.style.left = `${part * 100}%`;
    add(ticks, tick);
  }
  add(box, add(scale, make("span", "", "service and operation"), ticks));

  const rows = rowsOf(spans);
  for (const row of rows.slice(0, shownRows)) {
    if (row.traceId !== undefined) {
      add(box, make("div", "trace mono", `trace ${row.traceId} · ${plural(row.count, "span")}`));
    } else {
      addSpan(box, row.span, row.depth, start, total, colours, logsOf);
    }
  }
  if (rows.length > shownRows) {
    const more = make("button", "more", `show ${rows.length - shownRows} more rows`);
    more.addEventListener("click", () => {
      shownRows += 4 * ROWS_AT_ONCE;
      render();
    });
    add(box, more);
  }
  return box;
}

function addSpan(box, span, depth, start, total, colours, logsOf) {
  const failed = span.status.code === "ERROR";
  const row = make("button", failed ? "span failed" : "span");
  const label = make("span", "label");
  label.style.paddingLeft = `${10 + Math.min(depth, 12) * 14}px`;
  add(label, make("span", "what", span.name || "(unnamed)"), make("span", "service", span.service));

  const lane = make("span", "lane");
  const bar = make("span", `bar ${failed ? "fault" : colours.get(span.service)}`);
  const from = sinceStart(span.startTimeUnixNano, start) / total;
  const size = Number(span.durationNano) / total;
  bar.style.left = `${Math.min(99.5, from * 100)}%`;
  bar.style.width = `${Math.min(100 - from * 100, size * 100)}%`;
  add(row, label, add(lane, bar, make("span", "took", duration(Number(span.durationNano)))));

  const id = `${span.traceId}/${span.spanId}`;
  const open = () => detail(span, start, logsOf.get(id) || []);
  row.setAttribute("aria-expanded", String(opened.has(id)));
  add(box, row, opened.has(id) && open());
  row.addEventListener("click", () => {
    if (opened.delete(id)) {
      row.setAttribute("aria-expanded", "false");
      if (row.nextElementSibling?.className === "detail") row.nextElementSibling.remove();
    } else {
      opened.add(id);
      history.replaceState(null, "", `#${id}`);
      row.setAttribute("aria-expanded", "true");
      row.after(open());
    }
  });
}

function detail(span, start, logs) {
  const box = make("div", "detail");
  if (span.status.code === "ERROR") {
    add(box, make("p", "fault-text", span.status.message || "The span ended in an error."));
  }
  const sides = make("div", "sides");
  add(sides, side("Request", span.attributes, "request"), side("Response", span.attributes, "response"));
  for (const [key, value] of Object.entries(span.attributes)) {
    if (!isMessage(key)) continue;
    add(sides, add(make("div"), make("h3", "", key.replace("multiplayer.", "")), block(laidOut(value))));
  }
  if (sides.childElementCount) add(box, sides);

  for (const event of span.events) {
    const { "exception.stacktrace": stack, ...rest } = event.attributes;
    const at = ` at ${offset(event.timeUnixNano, start)}`;
    add(box, add(make("h3", "", "event "), make("span", "", event.name), document.createTextNode(at)));
    if (Object.keys(rest).length) add(box, table(rest));
    if (stack) add(box, block(asText(stack)));
  }
  if (logs.length) add(box, make("h3", "", "logs"), logTable(logs, start));

  const shown = Object.entries(span.attributes).filter(([key]) => !isContent(key));
  if (shown.length) add(box, make("h3", "", "attributes"), table(Object.fromEntries(shown)));
  for (const link of span.links) {
    add(box, make("h3", "", "link"), table({ trace: link.traceId, span: link.spanId, ...link.attributes }));
  }
  const more = make("details");
  const scope = { "scope.name": span.scope.name, "scope.version": span.scope.version };
  add(more, make("summary", "", "resource, scope and ids"), table({
    trace: span.traceId, span: span.spanId, parent: span.parentSpanId, kind: span.kind,
    start: when(Number(BigInt(span.startTimeUnixNano) / 1000000n)), ...scope, ...span.resource,
  }));
  return add(box, more);
}

// ---- content -------------------------------------------------------------------------

function isContent(key) {
  return /^multiplayer\.http\.(request|response)\.(headers|body)$/.test(key) || isMessage(key);
}

function isMessage(key) {
  return /^multiplayer\.(rpc|messaging)\..*(message|body|headers)$/.test(key);
}

// JSON is laid out, everything else stays as it is.
function laidOut(value) {
  const parsed = parse(value);
  return parsed && typeof parsed === "object" ? JSON.stringify(parsed, null, 2) : asText(value);
}

function side(title, attributes, which) {
  const headers = attributes[`${HTTP}${which}.headers`];
  const body = attributes[`${HTTP}${which}.body`];
  if (headers === undefined && body === undefined) return null;
  const box = make("div");
  if (headers !== undefined) {
    const parsed = parse(headers);
    add(box, make("h3", "", `${title} headers`));
    const plain = parsed && typeof parsed === "object" && !Array.isArray(parsed);
    add(box, plain ? table(parsed) : block(asText(headers)));
  }
  if (body !== undefined) {
    add(box, make("h3", "", `${title} body`), block(laidOut(body)));
  }
  return box;
}

function parse(value) {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function table(object) {
  const rows = make("tbody");
  for (const [key, value] of Object.entries(object)) {
    const cell = make("td");
    const text = asText(value) ?? "";
    if (text.length > BLOCK_LIMIT) add(cell, block(text));
    else cell.textContent = text;
    add(rows, add(make("tr"), make("td", "", key), cell));
  }
  return add(make("table"), rows);
}

// A huge text freezes the page: its rest waits for a click.
function block(text) {
  const box = make("div", "block");
  add(box, make("pre", "", text.slice(0, BLOCK_LIMIT)));
  if (text.length > BLOCK_LIMIT) {
    const more = make("button", "more", `show all ${text.length} characters`);
    more.addEventListener("click", () => {
      box.firstChild.textContent = text;
      more.remove();
    });
    add(box, more);
  }
  return box;
}

function logTable(logs, start) {
  const box = make("div", "logs");
  for (const log of logs.slice(0, 4 * ROWS_AT_ONCE)) {
    const level = (log.severityText || "").toLowerCase();
    const bad = log.severityNumber >= 17 || level === "error";
    const warn = log.severityNumber >= 13 || level.startsWith("warn");
    const row = make("div", `log ${bad ? "error" : warn ? "warn" : ""}`);
    add(row, make("span", "where", offset(log.timeUnixNano, start)), make("span", "level", log.severityText || "–"));
    add(row, make("span", "where", log.service), make("span", "text", asText(log.body)));
    if (Object.keys(log.attributes).length) {
      const more = make("details");
      add(row, add(more, make("summary", "", "attributes"), table(log.attributes)));
    }
    add(box, row);
  }
  if (logs.length > 4 * ROWS_AT_ONCE) {
    add(box, make("p", "quiet", `${logs.length - 4 * ROWS_AT_ONCE} more are in the export.`));
  }
  return box;
}

// ---- what was not kept ---------------------------------------------------------------

function showStats(stats) {
  const footer = document.getElementById("footer");
  footer.replaceChildren();
  const { spans, logs, reasons } = stats;
  const line = `Since ${when(stats.since)}: ${spans.stored} of ${plural(spans.received, "span")} `
    + `and ${logs.stored} of ${plural(logs.received, "log")} kept in ${stats.database}`;
  add(footer, make("p", "", line));
  for (const [name, counters] of [["span", spans], ["log", logs]]) {
    for (const [reason, n] of Object.entries(counters.dropped)) {
      add(footer, make("p", "lost", `${plural(n, name)} dropped: ${reasons[reason]}`));
    }
    for (const [status, n] of Object.entries(counters.refused)) {
      add(footer, make("p", "lost", `${plural(n, `${name} request`)} refused with ${status}`));
    }
  }
  if (logs.bodiesEmptied) {
    add(footer, make("p", "lost", `${plural(logs.bodiesEmptied, "log")} kept without body: only text bodies survive`));
  }
}

// ---- refresh -------------------------------------------------------------------------

const match = location.pathname.match(/^\/sessions\/([^/]+)$/);
let current = {};

function render() {
  const { data } = current;
  const openDetails = [...main.querySelectorAll("details")].map((d) => d.open);
  const view = match ? sessionView(data) : listView(data.sessions);
  document.title = `${match ? data.session.name || "(unnamed)" : "Sessions"} · mpr-local`;
  main.replaceChildren(view);
  // Rows are only ever added behind; what was unfolded stays so where nothing moved.
  const nodes = [...main.querySelectorAll("details")];
  if (nodes.length === openDetails.length) nodes.forEach((d, i) => { d.open = openDetails[i]; });
}

async function refresh() {
  const state = document.getElementById("state");
  try {
    const next = await load(match ? `/api/sessions/${match[1]}` : "/api/sessions", current.tag);
    if (next.missing) {
      main.replaceChildren(make("h1", "", "No such session"),
        make("p", "quiet", "It may have been cancelled, or it lies in another database."));
      state.textContent = "";
    } else if (next.data) {
      const same = current.text === JSON.stringify(next.data);
      current = { ...next, text: match ? undefined : JSON.stringify(next.data) };
      if (!same) render();
    }
    showStats((await load("/api/stats")).data);
    const live = match ? current.data?.session.live : true;
    state.textContent = live ? "refreshes by itself" : "";
    // A stopped session still takes late spans for a while: look again, but seldom.
    setTimeout(refresh, live ? REFRESH_MS : 5 * REFRESH_MS);
  } catch (error) {
    state.textContent = `not connected: ${error.message}`;
    setTimeout(refresh, 2 * REFRESH_MS);
  }
}

refresh();
