// The traces of a session and the spans of each: a tree of which only what is in sight is in the document.
import { html, useLayoutEffect, useRef } from "./ui.js";
import { duration, offset, plural } from "./format.js";
import { rootOf } from "./spans.js";
import { ticks } from "./timeline.js";
import { bringIntoSight, VirtualList } from "./virtual.js";
import { Dot, useNarrow } from "./parts.js";

const idOf = (key) => `row-${key.replace(/[^\w-]/g, "-")}`;

export function Waterfall({ rows, spans, colours, window: view, chosen, active, onActive, onOpen, onToggle }) {
  const list = useRef();
  const narrow = useNarrow();
  const height = narrow ? 46 : 30;
  const at = rows.findIndex((row) => row.key === active);

  const go = (index) => {
    const i = Math.max(0, Math.min(rows.length - 1, index));
    if (!rows[i]) return;
    onActive(rows[i].key);
    bringIntoSight(list.current?.querySelector(".virtual"), i, height);
    // With a span open beside the list, the panel follows.
    if (chosen) onOpen(spanOf(rows[i]), rows[i]);
  };
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[at];
    const page = Math.max(1, Math.floor(window.innerHeight / height) - 6);
    const keys = {
      ArrowDown: () => go(at + 1), j: () => go(at + 1), ArrowUp: () => go(at - 1), k: () => go(at - 1),
      PageDown: () => go(at + page), PageUp: () => go(at - page), Home: () => go(0), End: () => go(rows.length - 1),
      Enter: () => row && onOpen(spanOf(row), row), " ": () => row && onOpen(spanOf(row), row),
      ArrowRight: () => row?.kind === "trace" && (row.open ? go(at + 1) : onToggle(row.trace)),
      ArrowLeft: () => row && (row.kind === "trace" ? row.open && onToggle(row.trace) : go(parentOf(rows, at))),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
  // A span that was opened from elsewhere (an error, a log, an address) is brought into sight.
  useLayoutEffect(() => {
    if (at >= 0) bringIntoSight(list.current?.querySelector(".virtual"), at, height);
  }, [active, narrow]);

  const draw = (i, style) => {
    const row = rows[i];
    const props = { row, style, spans, colours, view, key: row.key, active: row.key === active, chosen: chosen && row.span === chosen };
    const click = () => {
      onActive(row.key);
      onOpen(spanOf(row), row);
    };
    if (row.kind === "trace") return html`<${TraceRow} ...${props} chosen=${chosen === rootOf(row.trace)} onClick=${click} onToggle=${() => onToggle(row.trace)} />`;
    return html`<${SpanRow} ...${props} onClick=${click} />`;
  };
  return html`<div class="waterfall" role="tree" tabindex="0" aria-label="Traces and spans" ref=${list} onKeyDown=${press}
    aria-activedescendant=${at >= 0 ? idOf(active) : undefined}>
    <${VirtualList} role="none" count=${rows.length} height=${height} row=${draw} />
  </div>`;
}

const spanOf = (row) => row.span || rootOf(row.trace);

function parentOf(rows, at) {
  const depth = rows[at].depth ?? 0;
  for (let i = at - 1; i >= 0; i -= 1) {
    if (rows[i].kind === "trace" || (rows[i].kind === "span" && rows[i].depth < depth)) return i;
  }
  return 0;
}

const Code = ({ span }) => span.http > 0 && html`<span class=${`code-${Math.floor(span.http / 100)} status-code`}>${span.http}</span>`;

function Bar({ from, to, first, last, className }) {
  const length = to - from || 1;
  const left = Math.min(99.7, Math.max(0, ((first - from) / length) * 100));
  const width = Math.min(100 - left, Math.max(0, ((Math.min(last, to) - Math.max(first, from)) / length) * 100));
  return html`<span class=${`bar ${className}`} style=${{ left: `${left}%`, width: `${width}%` }}></span>`;
}

const Marks = ({ span }) => html`<span class="marks">
  ${span.content && html`<span title="has content" aria-label="has content">⇄</span>`}
  ${span.logs && html`<span title="has logs" aria-label="has logs">≡</span>`}
</span>`;

const describe = (span) => `${span.name}, ${span.service}, ${duration(span.duration)}${span.http ? `, status ${span.http}` : ""}${span.failed ? ", error" : ""}`;

function TraceRow({ row, style, spans, colours, view, active, chosen, onClick, onToggle }) {
  const { trace } = row;
  const root = rootOf(trace);
  const many = trace.spans.length > 1;
  const toggle = (event) => {
    event.stopPropagation();
    onToggle();
  };
  const classes = `row trace ${trace.errors ? "failed" : ""} ${active ? "active" : ""} ${chosen ? "chosen" : ""}`;
  return html`<div class=${classes} style=${style} id=${idOf(row.key)} role="treeitem" aria-level="1" aria-selected=${String(Boolean(chosen))}
    aria-expanded=${many ? String(row.open) : undefined} onClick=${onClick}
    aria-label=${`${describe(root)}, ${plural(trace.spans.length, "span")}${trace.errors ? `, ${plural(trace.errors, "error")}` : ""}`}>
    <span class="label">
      <span class=${`twist ${many ? "" : "none"} ${row.open ? "open" : ""}`} onClick=${many ? toggle : undefined} aria-hidden="true"></span>
      <${Dot} colour=${colours.get(root.service)} /><${Code} span=${root} />
      <span class="what">${root.name}</span><span class="who">${root.service}</span>
      ${trace.errors > 0 && html`<span class="errors">${plural(trace.errors, "error")}</span>`}
      ${many && html`<span class="many">${trace.spans.length}</span>`}
    </span>
    <span class="lane">${row.open ? html`<${Scale} length=${trace.to - trace.from} />` : html`<${Bar} from=${view[0]} to=${view[1]} first=${trace.from} last=${trace.to} className=${trace.errors ? "fault" : `c${colours.get(root.service)}`} />`}</span>
    <span class="took"><b>${duration(trace.to - trace.from)}</b><small>${offset(trace.from - spans.from)}</small></span>
  </div>`;
}

// The scale of an open trace's spans.
const Scale = ({ length }) => ticks(length, 4).filter((t) => t < 0.85 * length || t === 0).map((t) => html`<span class="tick" key=${t} style=${{ left: `${(t / (length || 1)) * 100}%` }}>${duration(t)}</span>`);

function SpanRow({ row, style, colours, active, chosen, onClick }) {
  const { span, trace, depth, match } = row;
  const classes = `row span ${span.failed ? "failed" : ""} ${active ? "active" : ""} ${chosen ? "chosen" : ""} ${match ? "" : "leading"}`;
  return html`<div class=${classes} style=${style} id=${idOf(row.key)} role="treeitem" aria-level=${depth + 2} aria-selected=${String(Boolean(chosen))} onClick=${onClick}
    aria-label=${describe(span)}>
    <span class="label" style=${{ paddingLeft: `${30 + Math.min(depth, 12) * 14}px` }}>
      <${Dot} colour=${colours.get(span.service)} /><${Code} span=${span} />
      <span class="what">${span.name}</span><span class="who">${span.service}</span><${Marks} span=${span} />
    </span>
    <span class="lane"><${Bar} from=${trace.from} to=${trace.to} first=${span.start} last=${span.end} className=${span.failed ? "fault" : `c${colours.get(span.service)}`} /></span>
    <span class="took"><b>${duration(span.duration)}</b></span>
  </div>`;
}
