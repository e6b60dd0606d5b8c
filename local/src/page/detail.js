// One span: what went wrong, its content side by side, logs, events and attributes.
import { html, useEffect, useRef, useState } from "./ui.js";
import * as api from "./api.js";
import { asText, duration, offset, plural } from "./format.js";
import { Side, Text } from "./content.js";
import { LogDetail, LogLine } from "./logs.js";
import { copy, Dot, Masked, Pairs } from "./parts.js";

// A span that is being recorded may still get its logs: it is asked for again while it is open.
export function Detail({ id, row, spans, colours, live, onClose }) {
  const [span, setSpan] = useState(null);
  const [failure, setFailure] = useState("");
  const box = useRef();
  useEffect(() => {
    let ended = false;
    const known = span?.key === row.key;
    if (!known) {
      setSpan(null);
      setFailure("");
    }
    api.wholeSpan(id, row.trace, row.id).then(
      (whole) => !ended && setSpan({ key: row.key, whole, json: JSON.stringify(whole, null, 2) }),
      (error) => !ended && setFailure(error.message),
    );
    return () => {
      ended = true;
    };
  }, [row.key, live ? row.logs : false]);
  useEffect(() => {
    if (box.current) box.current.scrollTop = 0;
  }, [row.key]);
  const whole = span?.key === row.key ? span.whole : null;
  return html`<aside class="detail" aria-label="Span" ref=${box}>
    <header class="detail-head">
      <div class="detail-title"><h2>${row.name}</h2>
        <button class="close" aria-label="Close the span" onClick=${onClose}>✕</button></div>
      <div class="facts">
        <span class="service"><${Dot} colour=${colours.get(row.service)} />${row.service}</span>
        <span>${String(row.kind).toLowerCase()}</span>
        ${row.http > 0 && html`<span class=${`code-${Math.floor(row.http / 100)} status-code`}>${row.http}</span>`}
        <span><b>${duration(row.duration)}</b></span><span>${offset(row.start - spans.from)}</span>
      </div>
      ${whole && html`<div class="actions">
        ${requestOf(whole) && html`<button class="small" onClick=${() => copy(curl(whole), "curl command")}>Copy as curl</button>`}
        <button class="small" onClick=${() => copy(span.json, "JSON")}>Copy as JSON</button>
        <button class="small" onClick=${() => copy(location.href, "Link")}>Copy link</button>
      </div>`}
    </header>
    ${failure ? html`<p class="problem" role="alert">${failure}</p>` : !whole ? html`<p class="loading">Loading …</p>`
      : html`<${Whole} key=${row.key} span=${whole} address=${[id, row.trace, row.id]} spans=${spans} />`}
  </aside>`;
}

function Whole({ span, address, spans }) {
  const content = span.content || [];
  const failed = span.status?.code === "ERROR";
  const exceptions = (span.events || []).filter((event) => event.name === "exception");
  const events = (span.events || []).filter((event) => event.name !== "exception");
  const attributes = Object.fromEntries(Object.entries(span.attributes || {}).filter(([key]) => !isContent(key)));
  const at = (time) => (spans.base === null ? "" : offset(Number(BigInt(time) - spans.base) - spans.from));
  return html`
    ${(failed || exceptions.length > 0) && html`<section class="fault-box" aria-label="Error">
      ${failed && html`<p class="fault-text">${span.status.message || (exceptions.length ? "The span ended in an error." : "The span ended in an error, without a message.")}</p>`}
      ${exceptions.map((event, i) => html`<div key=${i}>
        <p><b>${asText(event.attributes["exception.type"]) || "Exception"}</b> <${Masked} text=${asText(event.attributes["exception.message"] ?? "")} /></p>
        ${event.attributes["exception.stacktrace"] && html`<details><summary>Stack trace</summary><${Text} label="Stack trace" text=${asText(event.attributes["exception.stacktrace"])} /></details>`}
      </div>`)}
    </section>`}
    ${content.length > 0 && html`<div class="sides">${content.map((part) => html`
      <${Side} key=${part.kind + part.type} title=${titleOf(part)} content=${part} address=${address} />`)}</div>`}
    ${(span.logs || []).length > 0 && html`<section aria-label="Logs of the span"><h3>${plural(span.logs.length, "log")}</h3>
      <div class="logs in-span" role="list">${span.logs.slice(0, 500).map((log, i) => html`<${SpanLog} key=${i} log=${log} at=${at} />`)}</div></section>`}
    ${events.map((event, i) => html`<section key=${i} aria-label="Event"><h3>Event <span class="quiet">${event.name} ${at(event.timeUnixNano)}</span></h3>
      ${Object.keys(event.attributes).length > 0 && html`<${Pairs} label="Attributes of the event" values=${event.attributes} />`}</section>`)}
    ${Object.keys(attributes).length > 0 && html`<section aria-label="Attributes"><h3>Attributes</h3><${Pairs} label="Attributes of the span" values=${attributes} /></section>`}
    ${(span.links || []).map((link, i) => html`<section key=${i} aria-label="Link"><h3>Link</h3><${Pairs} label="Link" values=${{ trace: link.traceId, span: link.spanId, ...link.attributes }} /></section>`)}
    <details class="more"><summary>Resource, scope and ids</summary>
      <${Pairs} label="Resource, scope and ids" values=${{
        "trace id": span.traceId, "span id": span.spanId, "parent span id": span.parentSpanId, kind: span.kind,
        "start (ns)": span.startTimeUnixNano, "scope name": span.scope?.name, "scope version": span.scope?.version, ...span.resource,
      }} /></details>`;
}

function SpanLog({ log, at }) {
  const [open, setOpen] = useState(false);
  return html`<${LogLine} log=${log} since=${(l) => at(l.timeUnixNano)} onClick=${() => setOpen(!open)} />${open && html`<div class="log-open"><${LogDetail} log=${log} /></div>`}`;
}

const titleOf = (part) => {
  const which = part.kind === "request" ? "Request" : part.kind === "response" ? "Response" : String(part.kind);
  return part.type && part.type !== "http" ? `${which} (${part.type})` : which;
};

const isContent = (key) =>
  /^multiplayer\.(http\.(request|response)|rpc\.\w+|messaging\.\w+)\.(headers|body|message|metadata)$/.test(key);

const requestOf = (span) => (span.content || []).find((part) => part.kind === "request" && (!part.type || part.type === "http"));

// ---- copy as curl -----------------------------------------------------------------------------

// One word for a POSIX shell. What is in it stays data, whatever it is.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// What is none, curl could take for the name of a file.
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;
// These are curl's own business.
const NOT_SENT = new Set(["host", "content-length", "connection", "transfer-encoding", "accept-encoding"]);

export function curl(span) {
  const attributes = span.attributes || {};
  const first = (...keys) => keys.map((key) => attributes[key]).find((value) => value !== undefined && value !== "");
  const request = requestOf(span);
  const headers = Object.entries(request?.headers || {});
  const header = (name) => headers.find(([key]) => key.toLowerCase() === name)?.[1];
  const method = asText(first("http.request.method", "http.method") ?? span.name.split(" ")[0]).toUpperCase();
  let url = first("url.full", "http.url");
  if (!url) {
    const scheme = asText(first("url.scheme", "http.scheme") ?? "http");
    const port = first("server.port", "net.host.port");
    const name = first("server.address", "net.host.name");
    const host = asText(first("http.host") ?? [header("host")].flat()[0] ?? (name ? `${asText(name)}${port ? `:${port}` : ""}` : "localhost"));
    const search = asText(first("url.query") ?? "");
    const path = asText(first("http.target", "url.path", "http.route") ?? (span.name.split(" ")[1] || "/"));
    url = `${scheme}://${host}${path}${search && !path.includes("?") ? `?${search}` : ""}`;
  }
  const parts = [`curl ${/^[A-Z]+$/.test(method) ? `-X ${method}` : "-X GET"} --url ${quoted(asText(url))}`];
  for (const [name, values] of headers) {
    if (NOT_SENT.has(name.toLowerCase()) || !HEADER_NAME.test(name)) continue;
    for (const value of [values].flat()) parts.push(`-H ${quoted(`${name}: ${asText(value)}`)}`);
  }
  if (request?.body) parts.push(`--data-raw ${quoted(request.body)}`);
  return parts.join(" \\\n  ");
}
