// Keys that work wherever the focus is, but never where something is typed.
import { html, useEffect, useRef } from "./ui.js";
import { Dialog } from "./parts.js";

export function useKeys(keys) {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const press = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const typing = event.target.matches?.("input, textarea, select");
      if (document.querySelector("dialog[open]")) return;
      if (typing) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      const act = latest.current[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

const HELP = [
  ["/", "search"], ["↑ ↓ or k j", "move in a list or tree"], ["→ ←", "unfold, fold"], ["Enter", "open the span"], ["Esc", "close the span"],
  ["e", "next error"], ["1 … 5", "traces, logs, map, operations, about"], ["+ − ← → 0", "zoom and move, in the timeline"], ["?", "these keys"],
];

export const Help = ({ onClose }) => html`<${Dialog} title="Keys" onClose=${onClose} onSubmit=${onClose}>
  <table class="pairs keys"><tbody>${HELP.map(([keys, text]) => html`<tr key=${keys}><th scope="row"><kbd>${keys}</kbd></th><td>${text}</td></tr>`)}</tbody></table><//>`;
