// The pipeline: every process that records, what it has delivered and what it has lost, and what this recorder did with it.
import { html, useEffect, useState } from "./ui.js";
import * as api from "./api.js";
import { bytes, count, moment, plural } from "./format.js";
import { Empty, say, sayFailure, Setup, usePolling } from "./parts.js";

const REFRESH_MS = 2000;
// The causes of mpr_stats, in words.
const DROPS = {
  dropped_queue_full: "the queue was full", dropped_rejected: "refused by the receiver", dropped_too_large: "too large even alone",
  dropped_shutdown: "after the shutdown, or its time was over", dropped_internal: "a defect of the library", dropped_expired: "too long in the spool",
  dropped_consent: "no consent", dropped_spool: "the disk did not give them back",
};
const MASKING = {
  payloads_captured: "payloads captured", payload_fields_masked: "values masked", payloads_masked_whole: "bodies masked whole",
  payloads_truncated: "bodies cut", mask_callback_failures: "failures of the mask callback",
};
const SPOOL = {
  spooled: "in the spool", spool_bytes: "bytes of it", spool_written: "written", recovered: "recovered from earlier processes",
  spool_damaged: "damaged places", spool_failures: "failures to write",
};
const TROUBLE = new Set(["mask_callback_failures", "spool_damaged", "spool_failures"]);

export function HealthView() {
  const [state, setState] = useState(null);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    document.title = "Pipeline · mpr-local";
  }, []);
  usePolling(async (ended) => {
    const [processes, stats, limits, remote] = await Promise.all([api.processes(), api.stats(), api.limits(), api.remoteCheck()]);
    if (ended()) return;
    setFailure("");
    setState({ processes, stats, limits, remote });
  }, REFRESH_MS, [], (error) => setFailure(error.message));
  const problem = failure && html`<p class="problem" role="alert">Not connected: ${failure}</p>`;
  if (!state) return html`<main id="main" tabindex="-1"><h1>Pipeline</h1>${problem || html`<p class="loading">Loading …</p>`}</main>`;
  const { processes, stats, limits, remote } = state;
  const setRemote = async (values) => {
    try {
      setState({ ...state, remote: await api.setRemoteCheck(values) });
      say("Changed");
    } catch (error) {
      sayFailure(error);
    }
  };
  return html`<main id="main" tabindex="-1" class="wide"><h1>Pipeline</h1>${problem}
    <section aria-label="Processes"><h2>Processes that record here</h2>
      ${processes.length ? html`<div class="cards">${processes.map((p) => html`<${Process} key=${`${p.host} ${p.pid} ${p.service}`} process=${p} />`)}</div>`
        : html`<${Empty} title="No process has sent anything yet"><${Setup} /><//>`}</section>
    <section aria-label="Intake"><h2>What came in since ${moment(stats.since)}</h2><${Intake} stats=${stats} /></section>
    <div class="pair">
      <section aria-label="Remote control"><h2>Remote control</h2>
        <p>What a process is told that asks whether it should record.</p>
        <label class="check"><input type="checkbox" checked=${remote.shouldStart} onChange=${(event) => setRemote({ shouldStart: event.target.checked })} /> processes shall record</label>
        <label class="field inline"><span>as</span><select value=${remote.mode} onChange=${(event) => setRemote({ mode: event.target.value })}><option value="MANUAL">a manual session</option><option value="CONTINUOUS">a continuous session</option></select></label></section>
      <section aria-label="Limits"><h2>Limits</h2><p>The platform's, which hold here as well.</p><${Limits} limits=${limits} /></section>
    </div></main>`;
}

const sum = (stats, names) => Object.keys(names).reduce((n, name) => n + (stats[name] || 0), 0);

const Counters = ({ stats, names, all }) => {
  const shown = Object.entries(names).filter(([name]) => all || stats[name]);
  return shown.length > 0 && html`<dl>${shown.map(([name, text]) => html`<div key=${name} class=${TROUBLE.has(name) && stats[name] ? "bad" : ""}><dt>${text}</dt><dd>${name === "spool_bytes" ? bytes(stats[name] || 0) : count(stats[name] || 0)}</dd></div>`)}</dl>`;
};

function Process({ process }) {
  const { stats } = process;
  const dropped = stats ? sum(stats, DROPS) : 0;
  return html`<article class=${dropped ? "card failed" : "card"} aria-label=${`Process ${process.pid}`}>
    <h3>${process.service || "(no service)"} <span class="quiet">pid ${process.pid}${process.host ? ` on ${process.host}` : ""}${process.language ? ` · ${process.language}` : ""}</span></h3>
    <div class="facts"><span>${plural(process.requests, "request")}</span><span>first ${when(process.first)}</span><span>last ${when(process.last)}</span>${stats?.version && html`<span>libmpr ${stats.version}</span>`}${stats && html`<span>fork generation ${stats.fork_generation ?? stats.fork ?? 0}</span>`}</div>
    ${!stats ? html`<p class="quiet">It sends no counters: it does not deliver with libmpr.</p>` : html`
      <${Share} stats=${stats} dropped=${dropped} />
      <dl class="big"><div><dt>accepted</dt><dd>${count(stats.accepted || 0)}</dd></div><div><dt>delivered</dt><dd>${count(stats.exported || 0)}</dd></div>
        <div><dt>in the queue</dt><dd>${count(stats.queued || 0)} <small>${bytes(stats.queued_bytes || 0)}</small></dd></div>
        <div class=${dropped ? "bad" : ""}><dt>dropped</dt><dd>${count(dropped)}</dd></div><div class=${stats.retries ? "warn" : ""}><dt>retries</dt><dd>${count(stats.retries || 0)}</dd></div></dl>
      ${dropped > 0 && html`<h4>Dropped, by cause</h4><${Counters} stats=${stats} names=${DROPS} />`}
      <h4>Masking</h4><${Counters} stats=${stats} names=${MASKING} all=${true} />
      ${sum(stats, SPOOL) > 0 && html`<h4>Spool</h4><${Counters} stats=${stats} names=${SPOOL} />`}
      <details><summary>All counters</summary><table class="pairs" aria-label="All counters"><tbody>${Object.entries(stats).map(([name, value]) => html`<tr key=${name}><th scope="row">${name}</th><td>${String(value)}</td></tr>`)}</tbody></table></details>`}
  </article>`;
}

const when = (value) => (value === undefined || value === null ? "–" : moment(typeof value === "string" && /^\d{16,}$/.test(value) ? Number(BigInt(value) / 1000000n) : value));

// Where what was accepted is now.
function Share({ stats, dropped }) {
  const all = Math.max(1, stats.accepted || 0);
  const parts = [["exported", stats.exported || 0], ["queued", (stats.queued || 0) + (stats.spooled || 0)], ["dropped", dropped]];
  return html`<div class="share" role="img" aria-label=${parts.map(([name, n]) => `${name} ${count(n)}`).join(", ")}>${parts.map(([name, n]) => n > 0 && html`<span key=${name} class=${name} style=${{ width: `${Math.max(0.6, (n / all) * 100)}%` }}></span>`)}</div>`;
}

function Intake({ stats }) {
  const lost = [];
  for (const [name, one] of [["spans", stats.spans], ["logs", stats.logs]]) {
    for (const [reason, n] of Object.entries(one.dropped)) lost.push([`${count(n)} ${name} not kept`, stats.reasons[reason] || reason]);
    for (const [status, n] of Object.entries(one.refused)) lost.push([`${plural(n, "request")} with ${name} refused`, `status ${status}`]);
  }
  if (stats.logs.bodiesEmptied) lost.push([`${plural(stats.logs.bodiesEmptied, "log")} kept without body`, "only text bodies survive"]);
  return html`<p>${count(stats.spans.stored)} of ${plural(stats.spans.received, "span")} and ${count(stats.logs.stored)} of ${plural(stats.logs.received, "log")} are kept in <code>${stats.database}</code></p>
    ${lost.length > 0 ? html`<table class="grid" aria-label="Not kept"><tbody>${lost.map(([what, why]) => html`<tr key=${what + why}><td class="bad">${what}</td><td>${why}</td></tr>`)}</tbody></table>` : html`<p class="quiet">Nothing was refused or dropped.</p>`}`;
}

// As the recorder tells them: names become words, seconds and bytes get their unit.
function Limits({ limits }) {
  const rows = [];
  const walk = (value, path) => {
    if (value && typeof value === "object" && !Array.isArray(value)) for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key]);
    else rows.push([path, value]);
  };
  walk(limits, []);
  const words = (path) => path.join(" ").replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ").toLowerCase();
  const told = (path, value) => {
    const name = path[path.length - 1];
    if (typeof value !== "number") return Array.isArray(value) ? value.join(", ") : String(value);
    if (/bytes|size/i.test(name)) return bytes(value);
    if (/seconds/i.test(name)) return `${count(value)} s`;
    return count(value);
  };
  return html`<table class="pairs" aria-label="Limits"><tbody>${rows.map(([path, value]) => html`<tr key=${path.join(".")}><th scope="row">${words(path)}</th><td>${told(path, value)}</td></tr>`)}</tbody></table>`;
}
