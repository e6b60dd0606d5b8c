// A captured request or response: headers, and the body as a tree, a form or text.
import { html, useEffect, useMemo, useState } from "./ui.js";
import * as api from "./api.js";
import { asText, bytes, parsed, plural } from "./format.js";
import { copy, Masked, Pairs, PLACEHOLDER, say, sayFailure } from "./parts.js";
import { VirtualList } from "./virtual.js";

export function Side({ title, content, address }) {
  const [whole, setWhole] = useState(null);
  const [loading, setLoading] = useState(false);
  useEffect(() => setWhole(null), [content]);
  const body = whole ?? content.body;
  const load = async () => {
    setLoading(true);
    try {
      setWhole(await api.wholeBody(...address, content.kind));
    } catch (failure) {
      sayFailure(failure);
    }
    setLoading(false);
  };
  const partial = content.body_more && whole === null;
  const type = contentType(content.headers);
  return html`<section class="side" aria-label=${title}>
    <h3>${title}<span class="quiet">${[type, body === null || body === undefined ? "" : bytes(content.size ?? body.length)].filter(Boolean).join(" · ")}</span></h3>
    <${MaskedParts} masked=${content.masked || []} />
    ${content.headers && Object.keys(content.headers).length > 0 && html`
      <details class="headers" open=${Object.keys(content.headers).length <= 12}><summary>${plural(Object.keys(content.headers).length, "header")}</summary>
      <${Pairs} label=${`${title} headers`} values=${content.headers} /></details>`}
    ${body === null || body === undefined
      ? html`<p class="quiet">No body was captured.</p>`
      : html`<${Body} title=${title} body=${body} type=${type} partial=${partial} />`}
    ${content.truncated && html`<p class="note">Cut when it was captured: the whole body had ${bytes(content.size)}.</p>`}
    ${partial && html`<p class="note">These are the first ${bytes(body.length)}. <button class="small" disabled=${loading} onClick=${load}>${loading ? "Loading …" : `Load all ${bytes(content.size)}`}</button>
      <a href=${api.bodyAddress(...address, content.kind)} download="">as a file</a></p>`}
  </section>`;
}

function contentType(headers) {
  const name = Object.keys(headers || {}).find((key) => key.toLowerCase() === "content-type");
  return name ? asText([headers[name]].flat()[0]).split(";")[0].trim().toLowerCase() : "";
}

// What was masked, and by which rule.
function MaskedParts({ masked }) {
  if (!masked.length) return null;
  return html`<details class="masked-parts"><summary>${plural(masked.length, "value")} masked before ${masked.length === 1 ? "it" : "they"} left the process</summary>
    <ul>${masked.slice(0, 200).map(({ path, rule }, i) => html`<li key=${i}><code>${path}</code> <span class="quiet">${rule}</span></li>`)}</ul>
    ${masked.length > 200 && html`<p class="quiet">and ${masked.length - 200} more</p>`}</details>`;
}

// ---- the body ---------------------------------------------------------------------------------

function Body({ title, body, type, partial }) {
  const json = useMemo(() => (/^\s*[[{"]/.test(body) && !partial ? parsed(body) : undefined), [body, partial]);
  const form = useMemo(() => (json === undefined ? formOf(body, type) : null), [body, type, json]);
  const views = [json !== undefined && json !== null && typeof json === "object" && "Tree", form && "Form", json !== undefined && "Text", "Raw"].filter(Boolean);
  const [wanted, setWanted] = useState("");
  const view = views.includes(wanted) ? wanted : views[0];
  const text = useMemo(() => (view === "Text" ? JSON.stringify(json, null, 2) : body), [view, json, body]);
  return html`<div class="body">
    <div class="body-tools">
      ${views.length > 1 && html`<div class="choice" role="group" aria-label=${`${title} body as`}>${views.map((name) => html`
        <button key=${name} class="small" aria-pressed=${String(name === view)} onClick=${() => setWanted(name)}>${name}</button>`)}</div>`}
      <button class="small" onClick=${() => copy(view === "Text" ? text : body, "Body")}>Copy body</button>
    </div>
    ${body === "" ? html`<p class="quiet">An empty body.</p>`
      : view === "Tree" ? html`<${JsonTree} label=${`${title} body`} value=${json} />`
      : view === "Form" ? html`<${Pairs} label=${`${title} form fields`} values=${form} />`
      : html`<${Text} label=${`${title} body`} text=${text} />`}
  </div>`;
}

function formOf(body, type) {
  if (type !== "application/x-www-form-urlencoded" && !(type === "" && /^[\w.%+[\]-]+=[^\s&]*(&[\w.%+[\]-]+=[^\s&]*)*$/.test(body.slice(0, 4000)))) return null;
  if (body.length > 200000) return null;
  const fields = Object.create(null);
  for (const [name, value] of new URLSearchParams(body)) fields[name] = name in fields ? `${fields[name]}\n${value}` : value;
  return fields;
}

// Text of any length: only the lines in sight are in the document. Lines are cut where one would be too long to draw.
const LINE = 18;
const WIDEST = 240;
const FEW = 400;
export function Text({ text, label }) {
  const lines = useMemo(() => linesOf(text), [text]);
  if (lines.length <= FEW && text.length < 60000) {
    return html`<pre class="text-block" tabindex="0" aria-label=${label}><${Masked} text=${text} /></pre>`;
  }
  return html`<div class="text-block long" tabindex="0" role="group" aria-label=${`${label}, ${plural(lines.length, "line")}`}>
    <${VirtualList} count=${lines.length} height=${LINE} row=${(i, style) => html`<div class="line" key=${i} style=${style}><${Masked} text=${lines[i]} /></div>`} /></div>`;
}

function linesOf(text) {
  const lines = [];
  for (const line of text.split("\n")) {
    if (line.length <= WIDEST) lines.push(line);
    else for (let i = 0; i < line.length; i += WIDEST) lines.push(line.slice(i, i + WIDEST));
  }
  return lines;
}

// ---- JSON as a tree ---------------------------------------------------------------------------

const AT_ONCE = 100;
const OPEN_NODES = 60;

// How many values lie in it, counted no further than needed.
function weight(value, limit) {
  let n = 0;
  const waiting = [value];
  while (waiting.length && n <= limit) {
    const next = waiting.pop();
    n += 1;
    if (next && typeof next === "object") for (const inner of Object.values(next).slice(0, limit)) waiting.push(inner);
  }
  return n;
}

export function JsonTree({ value, label }) {
  // A small body is open as a whole, of a large one the first level.
  const open = weight(value, OPEN_NODES) <= OPEN_NODES ? 20 : 1;
  const press = (event) => {
    const items = [...event.currentTarget.querySelectorAll("[role=treeitem]")];
    const at = items.indexOf(document.activeElement);
    const go = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (go !== undefined) {
      event.preventDefault();
      items[Math.max(0, Math.min(items.length - 1, go))]?.focus();
    }
  };
  return html`<ul class="json" role="tree" aria-label=${label} onKeyDown=${press}><${JsonNode} value=${value} level=${1} open=${open} first=${true} /></ul>`;
}

function JsonNode({ name, value, level, open, first }) {
  const folds = value !== null && typeof value === "object";
  const [opened, setOpened] = useState(level <= open);
  const [shown, setShown] = useState(AT_ONCE);
  const entries = folds && opened ? Object.entries(value) : [];
  const size = folds ? Object.keys(value).length : 0;
  const press = (event) => {
    if (event.target !== event.currentTarget || !folds) return;
    const wanted = { ArrowRight: true, ArrowLeft: false, Enter: !opened, " ": !opened }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    setOpened(wanted);
  };
  const key = name !== undefined && html`<span class="key">${name}</span><span class="quiet">: </span>`;
  if (!folds) return html`<li role="treeitem" aria-level=${level} tabindex=${first ? 0 : -1}>${key}<${Leaf} value=${value} /></li>`;
  const told = Array.isArray(value) ? `[${size}]` : `{${size}}`;
  return html`<li role="treeitem" aria-level=${level} aria-expanded=${String(opened)} tabindex=${first ? 0 : -1} onKeyDown=${press}
      aria-label=${`${name ?? ""} ${Array.isArray(value) ? plural(size, "entry", "entries") : plural(size, "field")}`}>
    <span class="fold" onClick=${() => setOpened(!opened)}><span class=${`twist ${opened ? "open" : ""}`} aria-hidden="true"></span>${key}<span class="quiet">${told}</span></span>
    ${opened && html`<ul role="group">
      ${entries.slice(0, shown).map(([inner, below]) => html`<${JsonNode} key=${inner} name=${inner} value=${below} level=${level + 1} open=${open} />`)}
      ${entries.length > shown && html`<li role="none"><button class="small" onClick=${() => setShown(shown + 5 * AT_ONCE)}>${entries.length - shown} more</button></li>`}
    </ul>`}
  </li>`;
}

const STRING = 2000;
function Leaf({ value }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") return html`<span class=${`leaf ${value === null ? "null" : typeof value}`}>${String(value)}</span>`;
  if (value === PLACEHOLDER) return html`<mark class="masked">${value}</mark>`;
  const long = value.length > STRING && !whole;
  return html`<span class="leaf string">"<${Masked} text=${long ? value.slice(0, STRING) : value} />${long ? "…" : "\""}</span>
    ${long && html` <button class="small" onClick=${() => (value.length > 200000 ? say("too long to show here: see it as text") : setWhole(true))}>all ${value.length.toLocaleString("en-US")} characters</button>`}`;
}
