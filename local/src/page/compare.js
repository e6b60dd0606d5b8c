// Two sessions side by side: what is missing or new, slower or faster, or has other content.
import { html, useEffect, useMemo, useState } from "./ui.js";
import * as api from "./api.js";
import { count, duration, moment, plural, serviceColours, sessionName } from "./format.js";
import { Dot, Empty, Masked, navigate, Services } from "./parts.js";

const STATES = {
  errors: ["errors", "fails in one of the two"], missing: ["missing", "only in the first"], new: ["new", "only in the second"],
  slower: ["slower", "slower in the second"], faster: ["faster", "faster in the second"], content: ["content", "other content"], same: ["same", "no difference"],
};
const ORDER = Object.keys(STATES);
const AT_ONCE = 300;

export function CompareView() {
  const query = new URLSearchParams(location.search);
  const [a, b] = [query.get("a") || "", query.get("b") || ""];
  const [diff, setDiff] = useState(null);
  const [failure, setFailure] = useState("");
  const [state, setState] = useState("");
  const [shown, setShown] = useState(AT_ONCE);
  useEffect(() => {
    document.title = "Compare · mpr-local";
    let ended = false;
    api.diff(a, b).then((answer) => !ended && setDiff(answer), (error) => !ended && setFailure(error.message));
    return () => {
      ended = true;
    };
  }, [a, b]);
  const rows = useMemo(() => (diff ? [...diff.rows].sort((x, y) => ORDER.indexOf(x.state) - ORDER.indexOf(y.state)) : []), [diff]);
  if (failure) return html`<main id="main" tabindex="-1"><${Empty} title="They cannot be compared" alone><p>${failure}</p><p><a href="/">Choose two sessions</a></p><//></main>`;
  if (!diff) return html`<main id="main" tabindex="-1"><p class="loading">Comparing …</p></main>`;
  const counts = Object.fromEntries(ORDER.map((name) => [name, rows.filter((row) => row.state === name).length]));
  const wanted = rows.filter((row) => (state ? row.state === state : row.state !== "same"));
  const colours = serviceColours(new Set([...diff.a.services, ...diff.b.services].filter(Boolean)));
  return html`<main id="main" tabindex="-1" class="wide">
    <div class="head-line"><h1>Compare</h1><div class="actions"><button onClick=${() => navigate(`/compare?${new URLSearchParams({ a: b, b: a })}`)}>Swap</button></div></div>
    <div class="pair"><${One} label="First" session=${diff.a} colours=${colours} /><${One} label="Second" session=${diff.b} colours=${colours} /></div>
    <div class="choice states" role="group" aria-label="Show">
      <button aria-pressed=${String(!state)} onClick=${() => setState("")}>differences <span class="n">${count(rows.length - counts.same)}</span></button>
      ${ORDER.map((name) => html`<button key=${name} aria-pressed=${String(state === name)} disabled=${!counts[name]} title=${STATES[name][1]} onClick=${() => setState(name)}><span class=${`state ${name}`}>${STATES[name][0]}</span> <span class="n">${count(counts[name])}</span></button>`)}
    </div>
    ${wanted.length === 0 ? html`<${Empty} title=${rows.length ? "No differences" : "Nothing to compare"}><p>${rows.length ? `All ${plural(rows.length, "operation")} ran in both, as often, as fast and with the same content.` : "Neither session has spans."}</p><//>`
      : html`<div class="scroll" tabindex="0" role="group" aria-label="Differences"><table class="grid diff"><caption>By service and operation</caption>
        <thead><tr><th scope="col">What</th><th scope="col">Operation</th><th scope="col" class="n">Count</th><th scope="col" class="n">Errors</th><th scope="col" class="n">p50, first</th><th scope="col" class="n">p50, second</th><th scope="col" class="n">Change</th></tr></thead>
        <tbody>${wanted.slice(0, shown).map((row) => html`<${DiffRow} key=${`${row.key.service} ${row.key.name} ${row.key.kind}`} row=${row} a=${diff.a._id} b=${diff.b._id} colours=${colours} />`)}</tbody></table></div>
        ${wanted.length > shown && html`<p class="center"><button onClick=${() => setShown(shown + AT_ONCE)}>${count(wanted.length - shown)} more</button></p>`}`}
  </main>`;
}

const One = ({ label, session, colours }) => html`<section aria-label=${label}><small>${label}</small>
  <a class="name" href=${`/sessions/${encodeURIComponent(session._id)}`}>${sessionName(session)}</a>
  <div class="facts"><span>${moment(session.startedAt)}</span><span><b>${count(session.counts.spans)}</b> spans</span><span class=${session.counts.errors ? "bad" : ""}><b>${count(session.counts.errors)}</b> errors</span><${Services} names=${session.services} colours=${colours} /></div></section>`;

function DiffRow({ row, a, b, colours }) {
  const { key, state } = row;
  const [open, setOpen] = useState(row.content?.length > 0 && row.content.length <= 5);
  const both = (get) => (row.a && row.b && get(row.a) === get(row.b) ? count(get(row.a)) : `${row.a ? count(get(row.a)) : "–"} → ${row.b ? count(get(row.b)) : "–"}`);
  const change = row.a && row.b && row.a.p50_ns ? row.b.p50_ns / row.a.p50_ns : null;
  const link = (id, span, text) => span && html`<a href=${`/sessions/${encodeURIComponent(id)}#${span[0]}/${span[1]}`}>${text}</a>`;
  return html`<tr class=${`diff-${state}`}>
      <td><span class=${`state ${state}`} title=${STATES[state]?.[1]}>${STATES[state]?.[0] ?? state}</span></td>
      <td class="operation"><${Dot} colour=${colours.get(key.service) ?? 0} /><b>${key.name || "(unnamed)"}</b> <span class="quiet">${key.service} · ${String(key.kind).toLowerCase()}</span>
        <div class="links">${link(a, row.a_span, "first")} ${link(b, row.b_span, "second")}
          ${row.content?.length > 0 && html`<button class="small" aria-expanded=${String(open)} onClick=${() => setOpen(!open)}>${plural(row.content.length, "difference")} in content</button>`}</div></td>
      <td class="n">${both((side) => side.count)}</td><td class=${(row.a?.errors || row.b?.errors) ? "n bad" : "n"}>${both((side) => side.errors)}</td>
      <td class="n">${row.a ? duration(row.a.p50_ns) : "–"}</td><td class="n">${row.b ? duration(row.b.p50_ns) : "–"}</td>
      <td class=${`n ${state === "slower" ? "bad" : state === "faster" ? "good" : ""}`}>${change === null ? "–" : `× ${change.toFixed(change < 10 ? 2 : 0)}`}</td>
    </tr>
    ${open && html`<tr class="diff-content"><td></td><td colspan="6"><table class="pairs"><thead><tr><th scope="col">Where</th><th scope="col">First</th><th scope="col">Second</th></tr></thead><tbody>
      ${row.content.map((difference) => html`<tr key=${difference.where}><th scope="row">${difference.where}</th><td class="was"><${Value} text=${difference.a} /></td><td class="is"><${Value} text=${difference.b} /></td></tr>`)}</tbody></table></td></tr>`}`;
}

const Value = ({ text }) => (text === null || text === undefined ? html`<span class="quiet">not there</span>` : html`<${Masked} text=${typeof text === "string" ? text : JSON.stringify(text)} />`);
