// All sessions: search, start, open a file, choose two to compare.
import { html, useEffect, useMemo, useReducer, useRef, useState } from "./ui.js";
import * as api from "./api.js";
import { bytes, count, duration, moment, parseTags, plural, serviceColours, sessionName, tagText } from "./format.js";
import { useKeys } from "./keys.js";
import { Dialog, Empty, Field, Live, navigate, say, sayFailure, Services, Setup, Tags, usePolling } from "./parts.js";

const REFRESH_MS = 2000;
const PAGE = 50;
const KINDS = { manual: "manual", continuous: "continuous", saved: "saved", issue: "issue" };

const readFilter = () => {
  const query = new URLSearchParams(location.search);
  return { q: query.get("q") || "", service: query.get("service") || "", tag: query.get("tag") || "", kind: query.get("kind") || "", errors: query.get("errors") === "1" };
};

export function ListView() {
  const [filter, setFilter] = useState(readFilter);
  const [sessions, setSessions] = useState(null);
  const [pages, setPages] = useState(1);
  const [next, setNext] = useState(null);
  const [failure, setFailure] = useState("");
  const [dialog, setDialog] = useState(null);
  const [compared, setCompared] = useState(() => new URLSearchParams(location.search).getAll("compare"));
  const [asked, again] = useReducer((n) => n + 1, 0);
  const search = useRef();
  const file = useRef();
  useEffect(() => {
    document.title = "Sessions · mpr-local";
  }, []);
  useEffect(() => {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(filter)) if (value) query.set(key, value === true ? "1" : value);
    for (const id of compared) query.append("compare", id);
    const text = String(query);
    history.replaceState(null, "", text ? `/?${text}` : "/");
  }, [filter, compared]);
  usePolling(async (ended) => {
    let all = [];
    let before;
    for (let page = 0; page < pages; page += 1) {
      const answer = await api.sessions({ ...filter, errors: filter.errors ? 1 : "", limit: PAGE, before });
      all = all.concat(answer.sessions);
      before = answer.next;
      if (!before) break;
    }
    if (ended()) return;
    setSessions(all);
    setNext(before || null);
    setFailure("");
  }, REFRESH_MS, [filter, pages, asked], (error) => setFailure(error.message));
  useKeys({ "/": () => search.current?.focus(), n: () => setDialog({ kind: "start" }) });

  const set = (values) => {
    setPages(1);
    setFilter({ ...filter, ...values });
  };
  const open = async (chosen) => {
    if (!chosen) return;
    try {
      const session = await api.importFile(chosen);
      say("Opened");
      navigate(`/sessions/${encodeURIComponent(session._id)}`);
    } catch (error) {
      say(`${chosen.name} cannot be opened: ${error.message}`, true);
    }
  };
  const drop = (event) => {
    event.preventDefault();
    open(event.dataTransfer?.files[0]);
  };
  const choose = (id) => setCompared((old) => (old.includes(id) ? old.filter((one) => one !== id) : [...old, id].slice(-2)));
  const known = sessions || [];
  const colours = useMemo(() => serviceColours(new Set(known.flatMap((s) => s.services.filter(Boolean)))), [sessions]);
  const services = [...new Set([...colours.keys(), filter.service])].filter(Boolean).sort();
  const tags = [...new Set([...known.flatMap((s) => (s.tags || []).map(tagText)), filter.tag])].filter(Boolean).sort();
  const filtered = filter.q || filter.service || filter.tag || filter.kind || filter.errors;

  return html`<main id="main" tabindex="-1" onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
    <div class="head-line"><h1>Sessions</h1>
      <div class="actions">
        <button class="primary" onClick=${() => setDialog({ kind: "start" })}>Start a session</button>
        <button onClick=${() => file.current.click()}>Open a file</button>
        <input ref=${file} type="file" accept=".json,application/json" hidden aria-label="Session file" onChange=${(event) => {
          open(event.target.files[0]);
          event.target.value = "";
        }} />
      </div></div>
    <form class="filters" role="search" aria-label="Filter sessions" onSubmit=${(event) => event.preventDefault()}>
      <input ref=${search} type="search" class="text" aria-label="Search sessions" placeholder="Search by name, tag, id" value=${filter.q} onInput=${(event) => set({ q: event.target.value })} />
      <select aria-label="Service" value=${filter.service} onChange=${(event) => set({ service: event.target.value })}><option value="">all services</option>${services.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select>
      <select aria-label="Tag" value=${filter.tag} onChange=${(event) => set({ tag: event.target.value })}><option value="">any tag</option>${tags.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select>
      <select aria-label="Kind" value=${filter.kind} onChange=${(event) => set({ kind: event.target.value })}><option value="">any kind</option>${Object.entries(KINDS).map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}</select>
      <label class="check"><input type="checkbox" checked=${filter.errors} onChange=${(event) => set({ errors: event.target.checked })} /> with errors</label>
      <span class="result" role="status">${sessions && plural(known.length, "session")}${next ? " shown" : ""}</span>
    </form>
    <div class="compare-bar">${compared.length === 0 ? html`<span class="quiet">Tick two sessions to compare them.</span>`
      : compared.length === 1 ? html`<span>One session chosen. Tick another one to compare it with.</span><button class="small" onClick=${() => setCompared([])}>Forget it</button>`
      : html`<a class="button primary" href=${`/compare?${new URLSearchParams({ a: compared[0], b: compared[1] })}`}>Compare the two</a><button class="small" onClick=${() => setCompared([])}>Forget them</button>`}</div>
    ${failure && html`<p class="problem" role="alert">Not connected: ${failure}</p>`}
    ${sessions === null ? !failure && html`<p class="loading">Loading …</p>`
      : known.length === 0 ? (filtered
        ? html`<${Empty} title="No session matches"><button onClick=${() => set({ q: "", service: "", tag: "", kind: "", errors: false })}>Clear the filter</button><//>`
        : html`<${Empty} title="Nothing recorded yet"><ol class="steps">
            <li><b>Connect your program.</b> <${Setup} /></li>
            <li><b>Start a session</b> here, or from your program.</li>
            <li><b>Use your program,</b> then press Stop: every trace, log, request and response of that time is here, from every service.</li></ol>
            <p class="quiet">Or drop a session file that somebody gave you onto this page.</p><//>`)
      : html`<ul class="sessions" aria-label="Sessions">${known.map((session) => html`
          <${Row} key=${session._id} session=${session} colours=${colours} chosen=${compared.includes(session._id)} onChoose=${() => choose(session._id)} onDialog=${setDialog} onChanged=${again} onTag=${(tag) => set({ tag })} />`)}</ul>
        ${next && html`<p class="center"><button onClick=${() => setPages(pages + 1)}>Show more</button></p>`}
        <details class="how"><summary>How to record</summary><${Setup} /></details>`}
    ${dialog && html`<${Dialogs} dialog=${dialog} onClose=${() => setDialog(null)} onChanged=${again} />`}
  </main>`;
}

function Row({ session, colours, chosen, onChoose, onDialog, onChanged }) {
  const name = sessionName(session);
  const { spans, errors, logs, traces } = session.counts;
  const live = session.live && session.kind !== "saved";
  const act = (work, text) => async () => {
    try {
      await work();
      say(text);
      onChanged();
    } catch (failure) {
      sayFailure(failure);
    }
  };
  const ns = session.duration_ms !== undefined && session.duration_ms !== null ? session.duration_ms * 1e6 : session.durationInSeconds !== undefined ? session.durationInSeconds * 1e9 : null;
  return html`<li class=${errors ? "failed" : ""}>
    <input type="checkbox" checked=${chosen} onChange=${onChoose} aria-label=${`Compare ${name}`} />
    <div class="session">
      <a class="name" href=${`/sessions/${encodeURIComponent(session._id)}`}>${name}</a>
      <div class="facts"><${Live} session=${session} /><span>${session.kind}${session.imported ? ", imported" : ""}</span><span>${moment(session.startedAt)}</span>
        ${ns !== null && html`<span>${duration(ns)}</span>`}<${Services} names=${session.services} colours=${colours} /><${Tags} tags=${session.tags} /></div>
    </div>
    <div class="numbers">
      <span class=${errors ? "bad" : "quiet"}><b>${count(errors)}</b> ${errors === 1 ? "error" : "errors"}</span>
      <span><b>${count(spans)}</b> spans</span>${traces !== undefined && html`<span><b>${count(traces)}</b> traces</span>`}<span><b>${count(logs)}</b> logs</span>
      ${session.bytes !== undefined && html`<span class="quiet size">${bytes(session.bytes)}</span>`}
    </div>
    <div class="row-actions">
      ${live && session.kind !== "continuous" && html`<button class="small primary" aria-label=${`Stop ${name}`} onClick=${act(() => api.stop(session._id), "Stopped")}>Stop</button>`}
      ${live && session.kind === "continuous" && html`<button class="small primary" aria-label=${`Save ${name}`} onClick=${() => onDialog({ kind: "save", session })}>Save</button>`}
      <button class="small" aria-label=${`Rename or tag ${name}`} onClick=${() => onDialog({ kind: "rename", session })}>Rename</button>
      <a class="button small" href=${api.exportAddress(session._id)} download="" aria-label=${`Download ${name}`}>Download</a>
      <button class="small danger" aria-label=${`${live ? "Cancel" : "Delete"} ${name}`} onClick=${() => onDialog({ kind: "remove", session, live })}>${live ? "Cancel" : "Delete"}</button>
    </div>
  </li>`;
}

function Dialogs({ dialog: { kind, session, live }, onClose, onChanged }) {
  const then = (work) => async (form) => {
    await work(form);
    onClose();
    onChanged();
  };
  if (kind === "start") {
    const start = async (form) => {
      const settings = { type: form.get("type") };
      if (form.get("name")) settings.name = form.get("name");
      if (form.get("tags")) settings.tags = parseTags(form.get("tags"));
      const started = await api.start(settings);
      onClose();
      navigate(`/sessions/${encodeURIComponent(started._id)}`);
    };
    return html`<${Dialog} title="Start a session" submit="Start" onClose=${onClose} onSubmit=${start}>
      <p>Processes that record to here, with remote control or started by <code>mpr-local run</code>, join it.</p>
      <${Field} label="Name" name="name" placeholder="What are you about to look at?" autofocus />
      <${Field} label="Tags" name="tags" hint="With commas; key=value or a word alone" />
      <label class="field"><span>Kind</span><select name="type"><option value="MANUAL">manual: from start to stop</option><option value="CONTINUOUS">continuous: a rolling window, saved when asked</option></select></label><//>`;
  }
  if (kind === "rename") {
    const rename = then((form) => api.change(session._id, { name: form.get("name"), tags: parseTags(form.get("tags")) }));
    return html`<${Dialog} title="Rename and tag" submit="Keep" onClose=${onClose} onSubmit=${rename}>
      <${Field} label="Name" name="name" value=${session.name || ""} />
      <${Field} label="Tags" name="tags" value=${(session.tags || []).map(tagText).join(", ")} hint="With commas; key=value or a word alone" /><//>`;
  }
  if (kind === "save") {
    return html`<${Dialog} title="Save the last minutes" submit="Save" onClose=${onClose} onSubmit=${then((form) => api.save(session._id, form.get("name")))}>
      <p>A continuous session keeps a rolling window. Saving keeps what is in it now, as a session of its own.</p><${Field} label="Name" name="name" value=${session.name || ""} /><//>`;
  }
  return html`<${Dialog} title=${live ? "Cancel this session?" : "Delete this session?"} submit=${live ? "Cancel the session" : "Delete"} danger onClose=${onClose} onSubmit=${then(() => api.remove(session._id))}>
    <p><b>${sessionName(session)}</b>: ${live ? "recording ends, and what was recorded is removed." : "what was recorded is removed from this machine. Download it first to keep it."}</p><//>`;
}
