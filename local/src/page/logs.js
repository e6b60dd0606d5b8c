// The logs of a session. One that belongs to a span opens it.
import { html, useState } from "./ui.js";
import { asText, moment, offset, plural } from "./format.js";
import { Dot, Empty, Masked, Pairs, useNarrow } from "./parts.js";
import { VirtualList } from "./virtual.js";

export const severity = (log) => {
  const text = (log.severityText || "").toLowerCase();
  if (log.severityNumber >= 17 || /^(error|fatal|crit)/.test(text)) return "error";
  if (log.severityNumber >= 13 || text.startsWith("warn")) return "warn";
  return "";
};

export function LogLine({ log, since, colours, style, onClick, chosen }) {
  const body = asText(log.body);
  return html`<div class=${`log ${severity(log)} ${chosen ? "chosen" : ""}`} style=${style} role="listitem">
    <button onClick=${onClick}>
      <span class="time">${since(log)}</span><span class="level">${log.severityText || "–"}</span>
      <span class="who">${colours && html`<${Dot} colour=${colours.get(log.service || "(no service)") ?? 0} />`}${log.service}</span>
      <span class="text"><${Masked} text=${body.length > 600 ? `${body.slice(0, 600)}…` : body} /></span>
    </button>
  </div>`;
}

export function Logs({ logs, filter, spans, colours, onOpen }) {
  const [level, setLevel] = useState("");
  const narrow = useNarrow();
  const words = filter.text.toLowerCase();
  const shown = logs.filter((log) =>
    (!level || severity(log) === "error" || (level === "warn" && severity(log) === "warn"))
    && (!filter.service || log.service === filter.service)
    && (!words || asText(log.body).toLowerCase().includes(words) || log.traceId.includes(words)));
  const since = (log) => (spans.base === null ? moment(Number(BigInt(log.timeUnixNano) / 1000000n)) : offset(Number(BigInt(log.timeUnixNano) - spans.base) - spans.from));
  return html`<div class="logs-view">
    <div class="under-tools"><label>Level <select value=${level} onChange=${(event) => setLevel(event.target.value)}>
      <option value="">all</option><option value="warn">warnings and errors</option><option value="error">errors</option></select></label>
      <span class="quiet">${plural(shown.length, "log")}${shown.length < logs.length ? ` of ${logs.length}` : ""}</span></div>
    ${shown.length
      ? html`<div role="list" aria-label="Logs"><${VirtualList} role="none" count=${shown.length} height=${narrow ? 46 : 28} class="logs"
          row=${(i, style) => html`<${LogLine} key=${i} log=${shown[i]} since=${since} colours=${colours} style=${style} onClick=${() => onOpen(shown[i])} />`} /></div>`
      : html`<${Empty} title=${logs.length ? "No log matches" : "No logs"}><p>${logs.length ? "Change the filter above." : "Logs that a service sends with this session's trace ids are shown here, and in the span they belong to."}</p><//>`}
  </div>`;
}

export const LogDetail = ({ log }) => html`
  <p class="log-text"><${Masked} text=${asText(log.body)} /></p>
  ${Object.keys(log.attributes).length > 0 && html`<${Pairs} label="Attributes of the log" values=${log.attributes} />`}`;
