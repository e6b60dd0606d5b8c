// The services of a session and who calls whom, drawn from the spans.
import { html } from "./ui.js";
import { count, duration, plural } from "./format.js";
import { Dot, Empty } from "./parts.js";

const BOX = { width: 168, height: 46, gapX: 96, gapY: 26 };

// Columns by the longest way from a service that nobody calls; a circle ends where it would begin again.
function columnsOf(names, edges) {
  const column = new Map(names.map((name) => [name, 0]));
  for (let round = 0; round < Math.min(names.length, 30); round += 1) {
    let moved = false;
    for (const { from, to } of edges) {
      if (from === to || !column.has(from) || !column.has(to)) continue;
      if (column.get(to) < column.get(from) + 1 && column.get(from) + 1 < names.length) {
        if (edges.some((back) => back.from === to && back.to === from) && column.get(to) > 0) continue;
        column.set(to, column.get(from) + 1);
        moved = true;
      }
    }
    if (!moved) break;
  }
  const columns = [];
  for (const name of names) (columns[column.get(name)] ||= []).push(name);
  return columns.filter(Boolean);
}

export function ServiceMap({ summary, colours, onService }) {
  const { services, edges } = summary;
  if (!services.length) return html`<${Empty} title="No services yet"><p>The map is drawn from the spans as they arrive.</p><//>`;
  const named = (name) => name || "(no service)";
  const columns = columnsOf(services.map((s) => s.name), edges);
  const place = new Map();
  const rows = Math.max(...columns.map((c) => c.length));
  columns.forEach((names, x) => names.forEach((name, y) => {
    const above = ((rows - names.length) * (BOX.height + BOX.gapY)) / 2;
    place.set(name, [x * (BOX.width + BOX.gapX) + 8, above + y * (BOX.height + BOX.gapY) + 8]);
  }));
  const width = columns.length * (BOX.width + BOX.gapX) - BOX.gapX + 16;
  const height = rows * (BOX.height + BOX.gapY) + 16;
  const most = Math.max(1, ...edges.map((e) => e.spans));
  const press = (name) => (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onService(named(name));
    }
  };
  return html`<div class="map-view">
    <div class="map" tabindex="0" role="group" aria-label="Service map; the table below has the same">
      <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`}>
        ${edges.filter((e) => place.has(e.from) && place.has(e.to) && e.from !== e.to).map((edge) => {
          const [fx, fy] = place.get(edge.from);
          const [tx, ty] = place.get(edge.to);
          const back = tx <= fx;
          const [x1, y1, x2, y2] = back
            ? [fx + BOX.width / 2, fy + BOX.height, tx + BOX.width / 2, ty + BOX.height]
            : [fx + BOX.width, fy + BOX.height / 2, tx, ty + BOX.height / 2];
          const bend = back ? 40 : (x2 - x1) / 2;
          const path = back ? `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 + bend} ${x2} ${y2}` : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
          return html`<g key=${`${edge.from} ${edge.to}`} class=${edge.errors ? "edge failed" : "edge"}>
            <path d=${path} stroke-width=${1.2 + (3 * Math.log(1 + edge.spans)) / Math.log(1 + most)} />
            <text x=${back ? (x1 + x2) / 2 : x2 - 6} y=${back ? Math.max(y1, y2) + 26 : y2 - 7} text-anchor=${back ? "middle" : "end"}>${count(edge.spans)} · ${duration(edge.p50_ns)}</text>
          </g>`;
        })}
        ${services.map((s) => {
          const [x, y] = place.get(s.name);
          const name = named(s.name);
          return html`<g key=${s.name} class=${`node ${s.errors ? "failed" : ""}`} role="button" tabindex="0" aria-label=${`Show the spans of ${name}`}
            onClick=${() => onService(name)} onKeyDown=${press(s.name)} transform=${`translate(${x} ${y})`}>
            <rect width=${BOX.width} height=${BOX.height} rx="7" />
            <rect class=${`stripe c${colours.get(name) ?? 0}`} width="5" height=${BOX.height - 16} x="8" y="8" rx="2.5" />
            <text x="22" y="19" class="name">${name.length > 19 ? `${name.slice(0, 18)}…` : name}<title>${name}</title></text>
            <text x="22" y="36" class="facts-line">${plural(s.spans, "span")}${s.errors ? ` · ${plural(s.errors, "error")}` : ` · ${duration(s.p50_ns)}`}</text>
          </g>`;
        })}
      </svg>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Services"><table class="grid"><caption>Services</caption>
      <thead><tr><th scope="col">Service</th><th scope="col" class="n">Spans</th><th scope="col" class="n">Errors</th><th scope="col" class="n">p50</th><th scope="col" class="n">p95</th><th scope="col">Calls</th></tr></thead>
      <tbody>${services.map((s) => html`<tr key=${s.name}>
        <td><button class="as-link" onClick=${() => onService(named(s.name))}><${Dot} colour=${colours.get(named(s.name)) ?? 0} />${named(s.name)}</button></td>
        <td class="n">${count(s.spans)}</td><td class=${s.errors ? "n bad" : "n"}>${count(s.errors)}</td>
        <td class="n">${duration(s.p50_ns)}</td><td class="n">${duration(s.p95_ns)}</td>
        <td>${edges.filter((e) => e.from === s.name && e.to !== s.name).map((e) => `${named(e.to)} (${e.spans})`).join(", ") || "–"}</td>
      </tr>`)}</tbody></table></div>
  </div>`;
}

export function Operations({ summary, colours, onOperation }) {
  if (!summary.routes.length) return html`<${Empty} title="Nothing yet"><p>Each operation, how often it ran and how long it took.</p><//>`;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Operations"><table class="grid"><caption>Operations</caption>
    <thead><tr><th scope="col">Operation</th><th scope="col">Service</th><th scope="col">Kind</th><th scope="col" class="n">Count</th><th scope="col" class="n">Errors</th><th scope="col" class="n">p50</th><th scope="col" class="n">Longest</th></tr></thead>
    <tbody>${summary.routes.slice(0, 500).map((r) => html`<tr key=${`${r.service} ${r.name} ${r.kind}`}>
      <td><button class="as-link" onClick=${() => onOperation(r)}>${r.name || "(unnamed)"}</button></td>
      <td><${Dot} colour=${colours.get(r.service || "(no service)") ?? 0} />${r.service}</td><td class="quiet">${String(r.kind).toLowerCase()}</td>
      <td class="n">${count(r.count)}</td><td class=${r.errors ? "n bad" : "n"}>${count(r.errors)}</td>
      <td class="n">${duration(r.p50_ns)}</td><td class="n">${duration(r.max_ns)}</td></tr>`)}</tbody></table></div>`;
}
