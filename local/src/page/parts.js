// Parts that several views share.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./ui.js";
import { asText, tagText } from "./format.js";

export function navigate(address) {
  history.pushState(null, "", address);
  dispatchEvent(new Event("navigate"));
}

// ---- said to everybody, screen readers too ----------------------------------------------------

export function say(text, bad = false) {
  dispatchEvent(new CustomEvent("say", { detail: { text, bad } }));
}

export const sayFailure = (failure) => say(failure.message, true);

export function Said() {
  const [said, setSaid] = useState({ text: "" });
  useEffect(() => {
    let timer;
    const hear = (event) => {
      setSaid(event.detail);
      clearTimeout(timer);
      timer = setTimeout(() => setSaid({ text: "" }), event.detail.bad ? 10000 : 4000);
    };
    addEventListener("say", hear);
    return () => removeEventListener("say", hear);
  }, []);
  return html`<div class=${`said ${said.bad ? "bad" : ""} ${said.text ? "" : "empty"}`} role="status">${said.text}</div>`;
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Over plain HTTP from another machine there is no clipboard.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) return say("the browser does not allow to copy", true);
  }
  return say(`${what} copied`);
}

// ---- small things -----------------------------------------------------------------------------

export const Dot = ({ colour }) => html`<span class=${`dot c${colour}`} aria-hidden="true"></span>`;

export const Services = ({ names, colours }) => html`
  <span class="services">${names.filter(Boolean).map((name) => html`<span class="service" key=${name}><${Dot} colour=${colours.get(name)} />${name}</span>`)}</span>`;

export const Tags = ({ tags }) => (tags || []).map((tag) => html`<span class="tag">${tagText(tag)}</span>`);

export function Live({ session }) {
  if (!session.live) return null;
  return html`<span class="live">${session.kind === "saved" ? "taking late data" : "recording"}</span>`;
}

// `alone`: it is all that the page has, so its title is the page's.
export const Empty = ({ title, alone, children }) => html`<div class="nothing">${alone ? html`<h1>${title}</h1>` : html`<h2>${title}</h2>`}${children}</div>`;

export const Pairs = ({ values, label }) => html`
  <table class="pairs" aria-label=${label}><tbody>
    ${Object.entries(values).map(([key, value]) => html`<tr key=${key}><th scope="row">${key}</th><td><${Long} text=${asText(value)} /></td></tr>`)}
  </tbody></table>`;

const LONG = 4000;
// A huge value freezes a page: its rest waits for a click.
export function Long({ text }) {
  const [shown, setShown] = useState(LONG);
  if (text.length <= shown) return html`<${Masked} text=${text} />`;
  return html`<${Masked} text=${text.slice(0, shown)} />…
    <button class="small" onClick=${() => setShown(shown * 8)}>more of ${text.length.toLocaleString("en-US")} characters</button>`;
}

export const PLACEHOLDER = "***MASKED***";
// The placeholder stands out from what was recorded.
export function Masked({ text }) {
  if (!text.includes(PLACEHOLDER)) return text;
  return text.split(PLACEHOLDER).flatMap((part, i) => (i ? [html`<mark class="masked" key=${i}>${PLACEHOLDER}</mark>`, part] : [part]));
}

export function Setup() {
  const base = location.origin.replace("localhost", "127.0.0.1");
  const text = [
    `export MULTIPLAYER_BASE_API_URL=${base}`,
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${base}`,
    "export MULTIPLAYER_API_KEY=local",
  ].join("\n");
  return html`<div class="setup">
    <p>Run a program with <code>mpr-local run -- your-program</code>, or give its process this environment (the key is no secret):</p>
    <div class="code"><pre tabindex="0" aria-label="Environment">${text}</pre><button onClick=${() => copy(text, "Environment")}>Copy</button></div>
  </div>`;
}

// ---- dialogs ----------------------------------------------------------------------------------

// The browser's own: keeps the focus inside, closes with Escape, gives the focus back.
export function Dialog({ title, children, onClose, onSubmit, submit, danger }) {
  const box = useRef();
  const [problem, setProblem] = useState("");
  useLayoutEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  const act = async (event) => {
    event.preventDefault();
    try {
      await onSubmit(new FormData(event.target));
    } catch (failure) {
      setProblem(failure.message);
    }
  };
  return html`<dialog ref=${box} aria-label=${title} onClose=${onClose}>
    <form onSubmit=${act}>
      <h2>${title}</h2>
      ${children}
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      <div class="buttons">
        <button type="button" onClick=${() => box.current.close()}>${submit ? "Not now" : "Close"}</button>
        ${submit && html`<button class=${danger ? "primary danger" : "primary"} type="submit">${submit}</button>`}
      </div>
    </form>
  </dialog>`;
}

export const Field = ({ label, hint, ...input }) => html`
  <label class="field"><span>${label}</span><input autocomplete="off" ...${input} />${hint && html`<small>${hint}</small>`}</label>`;

// ---- hooks ------------------------------------------------------------------------------------

// Calls `work` at once and again every `ms` while the page is in sight; what it throws is said by `failed`.
export function usePolling(work, ms, dependencies, failed = sayFailure) {
  useEffect(() => {
    let timer;
    let ended = false;
    const go = async () => {
      let next = ms;
      if (!document.hidden) {
        try {
          next = (await work(() => ended)) || ms;
        } catch (failure) {
          if (!ended) failed(failure);
        }
      }
      if (!ended && next !== Infinity) timer = setTimeout(go, next);
    };
    go();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, dependencies);
}

export function useNarrow() {
  const query = "(max-width: 720px)";
  const [narrow, setNarrow] = useState(matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const hear = () => setNarrow(list.matches);
    list.addEventListener("change", hear);
    return () => list.removeEventListener("change", hear);
  }, []);
  return narrow;
}
