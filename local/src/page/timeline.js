// All traces and services of a session over time, on one canvas: a lane for each service. Drag to zoom.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./ui.js";
import { duration, offset } from "./format.js";
import { Services } from "./parts.js";

// The same for one service and for many, and before the first span: nothing jumps while they arrive.
const HEIGHT = 102;
const LANES = 8;
const AXIS = 18;
const SMALLEST = 1000; // ns

export function Timeline({ spans, colours, zoom, onZoom, chosen }) {
  const box = useRef();
  const canvas = useRef();
  const [width, setWidth] = useState(0);
  const [drag, setDrag] = useState(null);
  const whole = [spans.from, Math.max(spans.to, spans.from + SMALLEST)];
  const [from, to] = zoom || whole;
  const names = [...spans.services.keys()].sort();
  const lanes = Math.min(LANES, Math.max(1, names.length));
  const height = HEIGHT;

  useLayoutEffect(() => {
    const measure = () => setWidth(box.current?.clientWidth || 0);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box.current);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const repaint = () => setWidth((old) => old + 0.001);
    scheme.addEventListener("change", repaint);
    return () => {
      observer.disconnect();
      scheme.removeEventListener("change", repaint);
    };
  }, []);
  useEffect(() => {
    if (width) paint(canvas.current, { spans, colours, names, lanes, from, to, width: Math.floor(width), height, chosen });
  }, [spans.version, from, to, width, height, chosen]);

  const timeAt = (x) => from + (x / width) * (to - from);
  const zoomBy = (factor, middle = (from + to) / 2) => {
    const half = Math.max(SMALLEST, (to - from) * factor) / 2;
    const share = (middle - from) / (to - from || 1);
    settle(middle - 2 * half * share, middle + 2 * half * (1 - share));
  };
  const move = (share) => settle(from + share * (to - from), to + share * (to - from));
  const settle = (a, b) => {
    const size = Math.min(b - a, whole[1] - whole[0]);
    const first = Math.min(Math.max(a, whole[0]), whole[1] - size);
    onZoom(size >= (whole[1] - whole[0]) * 0.999 ? null : [first, first + size]);
  };
  const keys = {
    "+": () => zoomBy(0.5), "=": () => zoomBy(0.5), "-": () => zoomBy(2), 0: () => onZoom(null),
    ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25),
  };
  const press = (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  };
  const at = (event) => Math.min(width, Math.max(0, event.clientX - box.current.getBoundingClientRect().left));
  const down = (event) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag([at(event), at(event)]);
  };
  const up = () => {
    if (drag && Math.abs(drag[1] - drag[0]) > 4) {
      const [a, b] = [Math.min(...drag), Math.max(...drag)];
      settle(timeAt(a), Math.max(timeAt(b), timeAt(a) + SMALLEST));
    }
    setDrag(null);
  };
  const wheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomBy(event.deltaY > 0 ? 1.25 : 0.8, timeAt(at(event)));
  };
  const told = zoom ? `${offset(from - whole[0])} to ${offset(to - whole[0])}, ${duration(to - from)} of ${duration(whole[1] - whole[0])}` : `${duration(whole[1] - whole[0])}, all of it`;
  return html`<section class="timeline" aria-label="Timeline">
    <div class="timeline-box" ref=${box} tabindex="0" role="group" onKeyDown=${press}
      aria-label=${`Timeline over all traces: ${told}. Plus and minus zoom, arrows move, 0 shows all.`}
      onPointerDown=${down} onPointerMove=${(event) => drag && setDrag([drag[0], at(event)])} onPointerUp=${up}
      onPointerCancel=${() => setDrag(null)} onWheel=${wheel} onDblClick=${() => onZoom(null)} style=${{ height: `${height}px` }}>
      <canvas ref=${canvas} aria-hidden="true"></canvas>
      ${drag && html`<div class="brush" style=${{ left: `${Math.min(...drag)}px`, width: `${Math.abs(drag[1] - drag[0])}px` }}></div>`}
    </div>
    <div class="timeline-tools">
      <span class="told">${told}</span><${Services} names=${names.slice(0, 8)} colours=${colours} />
      <button class="small" aria-label="Zoom in" onClick=${() => zoomBy(0.5)}>+</button>
      <button class="small" aria-label="Zoom out" disabled=${!zoom} onClick=${() => zoomBy(2)}>−</button>
      <button class="small" disabled=${!zoom} onClick=${() => onZoom(null)}>Show all</button>
    </div>
  </section>`;
}

// Round steps of time, about `wanted` of them.
export function ticks(length, wanted) {
  const rough = length / wanted;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) || 10 * power;
  const found = [];
  for (let t = 0; t < length * 0.98; t += step) found.push(t);
  return found;
}

function paint(canvas, { spans, colours, names, lanes, from, to, width, height, chosen }) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const draw = canvas.getContext("2d");
  draw.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const paints = new Map();
  const paintOf = (name) => {
    if (!paints.has(name)) paints.set(name, style.getPropertyValue(name));
    return paints.get(name);
  };
  const scale = width / (to - from);

  draw.font = `11px ${style.fontFamily}`;
  draw.textBaseline = "middle";
  for (const t of ticks(to - from, Math.max(2, width / 130))) {
    const x = Math.round(t * scale) + 0.5;
    draw.fillStyle = paintOf("--line");
    draw.fillRect(x, 0, 1, height);
    draw.fillStyle = paintOf("--quiet");
    draw.fillText(offset(t + from - spans.from), x + 4, AXIS / 2);
  }
  const high = Math.min(24, Math.floor((height - AXIS - 4) / lanes));
  const laneOf = new Map(names.map((name, i) => [name, i % lanes]));
  // One bar for each pixel column of a lane is all that the eye can see: 50,000 spans cost no more than that. Errors last,
  // so that none is hidden.
  const filled = new Set();
  const bars = (wanted, colour) => {
    for (const span of spans.all) {
      if (span.end < from || span.start > to || !wanted(span)) continue;
      const x = Math.max(0, (span.start - from) * scale);
      const w = Math.max(2, Math.min(width, (span.end - from) * scale) - x);
      const lane = laneOf.get(span.service);
      if (w <= 2) {
        const cell = `${lane} ${Math.round(x)} ${span.failed}`;
        if (filled.has(cell)) continue;
        filled.add(cell);
      }
      draw.fillStyle = colour(span);
      draw.fillRect(x, AXIS + lane * high + 1, w, high - 2);
    }
  };
  draw.globalAlpha = 0.75;
  bars((span) => !span.failed, (span) => paintOf(`--c${colours.get(span.service)}`));
  draw.globalAlpha = 1;
  bars((span) => span.failed, () => paintOf("--bad"));
  if (chosen && chosen.end >= from && chosen.start <= to) {
    const x = Math.max(0, (chosen.start - from) * scale);
    draw.strokeStyle = paintOf("--text");
    draw.lineWidth = 2;
    draw.strokeRect(x - 1, AXIS + laneOf.get(chosen.service) * high, Math.max(4, (Math.min(to, chosen.end) - from) * scale - x + 2), high);
  }
}
