// The spans of a session as the page has them: light rows, grown while it records, and what is drawn from them.

const HAS_LOGS = 4;
const HAS_EVENTS = 2;
const HAS_CONTENT = 1;
const OPEN_AT_FIRST = 6;

export class Spans {
  constructor() {
    this.all = [];
    this.traces = new Map();
    this.byId = new Map();
    this.services = new Map();
    this.base = null;
    this.from = 0;
    this.to = 0;
    this.errors = 0;
    this.version = 0;
  }

  // Nanoseconds do not fit a number: times are distances from the first span that was seen.
  since(text) {
    const time = BigInt(text);
    if (this.base === null) this.base = time;
    return Number(time - this.base);
  }

  add(columns, rows) {
    const at = Object.fromEntries(columns.map((name, i) => [name, i]));
    for (const row of rows) {
      const http = Number(row[at.http_status]) || 0;
      const flags = row[at.flags];
      const span = {
        trace: row[at.trace_id],
        id: row[at.span_id],
        parent: row[at.parent_span_id] || "",
        name: row[at.name] || "(unnamed)",
        kind: row[at.kind],
        service: row[at.service] || "(no service)",
        start: this.since(row[at.start]),
        duration: Number(row[at.duration]),
        failed: row[at.status] === "ERROR",
        ok: row[at.status] === "OK",
        http,
        content: (flags & HAS_CONTENT) !== 0,
        events: (flags & HAS_EVENTS) !== 0,
        logs: (flags & HAS_LOGS) !== 0,
      };
      span.key = `${span.trace}/${span.id}`;
      span.end = span.start + span.duration;
      this.insert(span);
    }
    if (rows.length) this.version += 1;
  }

  insert(span) {
    if (!this.all.length || span.start < this.from) this.from = span.start;
    if (!this.all.length || span.end > this.to) this.to = span.end;
    this.all.push(span);
    this.byId.set(span.key, span);
    this.services.set(span.service, (this.services.get(span.service) || 0) + 1);
    if (span.failed) this.errors += 1;
    let trace = this.traces.get(span.trace);
    if (!trace) {
      trace = { id: span.trace, spans: [], errors: 0, from: span.start, to: span.end, tree: null };
      // The first ones are shown open; that many later ones arrive changes nothing for them.
      trace.open = this.traces.size < OPEN_AT_FIRST;
      this.traces.set(span.trace, trace);
    }
    trace.spans.push(span);
    trace.tree = null;
    trace.from = Math.min(trace.from, span.start);
    trace.to = Math.max(trace.to, span.end);
    if (span.failed) trace.errors += 1;
  }
}

// Parents before their children, each with its depth. Spans whose parent is elsewhere are roots; a circle of parents is
// cut at its first span.
export function treeOf(trace) {
  if (trace.tree) return trace.tree;
  const inTime = [...trace.spans].sort((a, b) => a.start - b.start || b.duration - a.duration);
  const ids = new Set(inTime.map((span) => span.id));
  const children = new Map();
  const roots = [];
  for (const span of inTime) {
    if (!span.parent || !ids.has(span.parent) || span.parent === span.id) roots.push(span);
    else if (children.has(span.parent)) children.get(span.parent).push(span);
    else children.set(span.parent, [span]);
  }
  const tree = [];
  const done = new Set();
  for (const first of roots.concat(inTime)) {
    const waiting = [[first, 0]];
    while (waiting.length) {
      const [span, depth] = waiting.pop();
      if (done.has(span)) continue;
      done.add(span);
      tree.push({ span, depth });
      const below = children.get(span.id) || [];
      for (let i = below.length - 1; i >= 0; i -= 1) waiting.push([below[i], depth + 1]);
    }
  }
  trace.tree = tree;
  return tree;
}

export const rootOf = (trace) => treeOf(trace)[0].span;

// ---- filters ----------------------------------------------------------------------------------

export const NO_FILTER = { text: "", service: "", status: "", attribute: "", slower: 0, zoom: null };

export const isFiltered = (filter) =>
  Boolean(filter.text || filter.service || filter.status || filter.attribute || filter.slower || filter.zoom);

const STATUS = {
  error: (span) => span.failed,
  ok: (span) => !span.failed,
  "2xx": (span) => span.http >= 200 && span.http < 300,
  "3xx": (span) => span.http >= 300 && span.http < 400,
  "4xx": (span) => span.http >= 400 && span.http < 500,
  "5xx": (span) => span.http >= 500,
};

// Names, services and ids are looked at here; `found` has what the recorder found in attributes and content.
export function matching(spans, filter, found) {
  const words = filter.text.toLowerCase();
  const status = STATUS[filter.status];
  return spans.all.filter((span) => {
    if (filter.service && span.service !== filter.service) return false;
    if (status && !status(span)) return false;
    if (filter.slower && span.duration < filter.slower) return false;
    if (filter.zoom && (span.end < filter.zoom[0] || span.start > filter.zoom[1])) return false;
    if (filter.attribute && !found?.attribute?.has(span.key)) return false;
    if (!words) return true;
    return span.name.toLowerCase().includes(words) || span.service.toLowerCase().includes(words)
      || span.trace.includes(words) || span.id === words || Boolean(found?.text?.has(span.key));
  });
}

const ORDERS = {
  time: (a, b) => a.from - b.from,
  errors: (a, b) => b.errors - a.errors || a.from - b.from,
  slow: (a, b) => (b.to - b.from) - (a.to - a.from),
};

// The rows of the waterfall: a trace, and below it, when it is open, its spans. With a filter, only traces
// with a span that matches, open, and of them the spans that match with what leads to them.
export function rowsOf(spans, filter, found, order, toggled) {
  const filtered = isFiltered(filter);
  const matches = filtered ? new Set(matching(spans, filter, found)) : null;
  // A zoom alone shows all of the traces that it touches.
  const onlyZoom = filtered && !isFiltered({ ...filter, zoom: null });
  const shown = [...spans.traces.values()].sort(ORDERS[order] || ORDERS.time);
  const openAll = filtered && !onlyZoom && matches.size <= 500;
  const rows = [];
  let traces = 0;
  for (const trace of shown) {
    if (filtered && !trace.spans.some((span) => matches.has(span))) continue;
    traces += 1;
    const open = trace.spans.length > 1 && toggled.has(trace.id) !== (openAll || trace.open);
    rows.push({ kind: "trace", trace, open, key: trace.id });
    if (!open) continue;
    const tree = treeOf(trace);
    const leading = filtered && !onlyZoom ? leadingTo(tree, matches) : null;
    for (const { span, depth } of tree) {
      const match = !leading || matches.has(span);
      if (match || leading.has(span)) rows.push({ kind: "span", trace, span, depth, match, key: span.key });
    }
  }
  return { rows, traces, matches: matches ? matches.size : spans.all.length };
}

function leadingTo(tree, matches) {
  const leading = new Set();
  const path = [];
  for (const { span, depth } of tree) {
    path.length = depth;
    path[depth] = span;
    if (matches.has(span)) path.forEach((above) => leading.add(above));
  }
  return leading;
}
