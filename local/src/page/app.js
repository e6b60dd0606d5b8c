// The page of the local recorder. What was recorded enters it as text, never as markup (ui.js).
import { html, render, useEffect, useState } from "./ui.js";
import { CompareView } from "./compare.js";
import { HealthView } from "./health.js";
import { Help, useKeys } from "./keys.js";
import { ListView } from "./list.js";
import { navigate, Said } from "./parts.js";
import { SessionView } from "./session.js";

function App() {
  const [address, setAddress] = useState(location.pathname + location.search);
  const [help, setHelp] = useState(false);
  useEffect(() => {
    const go = () => {
      setAddress(location.pathname + location.search);
      window.scrollTo(0, 0);
    };
    addEventListener("popstate", go);
    addEventListener("navigate", go);
    // Links within the page change the view and not the document.
    const click = (event) => {
      const link = event.target.closest?.("a[href]");
      if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      if (link.hasAttribute("download") || link.target || link.origin !== location.origin || link.pathname.startsWith("/api/")) return;
      if (link.getAttribute("href").startsWith("#")) return;
      event.preventDefault();
      navigate(link.href);
      document.getElementById("main")?.focus({ preventScroll: true });
    };
    document.addEventListener("click", click);
    return () => {
      removeEventListener("popstate", go);
      removeEventListener("navigate", go);
      document.removeEventListener("click", click);
    };
  }, []);
  useKeys({ "?": () => setHelp(true) });
  const path = address.split("?")[0];
  const session = /^\/sessions\/([^/]+)$/.exec(path)?.[1];
  const here = (href) => (path === href ? "page" : undefined);
  return html`
    <header class="top">
      <a class="home" href="/"><img src="/assets/icon.svg" alt="" width="18" height="18" />mpr-local</a>
      <nav aria-label="Main"><a href="/" aria-current=${here("/")}>Sessions</a><a href="/health" aria-current=${here("/health")}>Pipeline</a></nav>
      <button class="small" onClick=${() => setHelp(true)} aria-label="Keys" title="Keys (?)">?</button>
    </header>
    ${session ? html`<${SessionView} key=${session} id=${decodeURIComponent(session)} />`
      : path === "/compare" ? html`<${CompareView} key=${address} />`
      : path === "/health" ? html`<${HealthView} />`
      : html`<${ListView} key=${address} />`}
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}
    <${Said} />`;
}

const place = document.getElementById("app");
place.replaceChildren();
render(html`<${App} />`, place);
