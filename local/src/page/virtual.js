// A list of which only the rows in sight are in the document. It scrolls with the page, or with whatever box it is in.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./ui.js";

const BEYOND = 8;

export function VirtualList({ count, height, row, class: name = "", ...rest }) {
  const box = useRef();
  const [range, setRange] = useState([0, 60]);
  const look = () => {
    const top = box.current?.getBoundingClientRect().top ?? 0;
    const first = Math.max(0, Math.floor(-top / height) - BEYOND);
    const last = Math.ceil((window.innerHeight - top) / height) + BEYOND;
    setRange((old) => (old[0] === first && old[1] === last ? old : [first, last]));
  };
  useLayoutEffect(look);
  useEffect(() => {
    // Captured, so that boxes that scroll by themselves are heard as well.
    document.addEventListener("scroll", look, { capture: true, passive: true });
    window.addEventListener("resize", look);
    return () => {
      document.removeEventListener("scroll", look, { capture: true });
      window.removeEventListener("resize", look);
    };
  }, [height]);
  // While the list only scrolls, the rows that stay are the same objects, and nothing is done for them.
  const kept = useRef({});
  const old = kept.current.row === row && kept.current.height === height ? kept.current.rows : new Map();
  const rows = new Map();
  for (let i = range[0]; i < Math.min(count, range[1]); i += 1) {
    rows.set(i, old.get(i) || row(i, { top: `${i * height}px`, height: `${height}px` }));
  }
  kept.current = { row, height, rows };
  return html`<div ...${rest} class=${`virtual ${name}`} ref=${box} style=${{ height: `${count * height}px` }}>${[...rows.values()]}</div>`;
}

// Scrolls the page so that a row of a list is in sight, below what sticks to the top.
export function bringIntoSight(list, index, height, above = 110) {
  if (!list) return;
  const top = list.getBoundingClientRect().top + index * height;
  if (top < above) window.scrollBy(0, top - above - height);
  else if (top + height > window.innerHeight) window.scrollBy(0, top + 2 * height - window.innerHeight);
}
