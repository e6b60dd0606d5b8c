// Numbers, times and names as text.

export function duration(ns) {
  if (ns < 0) return `−${duration(-ns)}`;
  if (ns === 0) return "0";
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(ns < 1e8 ? 1 : 0)} ms`;
  if (ns < 60e9) return `${(ns / 1e9).toFixed(2)} s`;
  const seconds = Math.round(ns / 1e9);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h} h ${m} min` : `${m} min ${s} s`;
}

// A moment as distance from the session's start; clocks of several machines may disagree.
export const offset = (ns) => (ns < 0 ? duration(ns) : `+${duration(ns)}`);

// "250ms", "1.5 s", "300us" → nanoseconds; a number alone is milliseconds. NaN when it is none of these.
export function parseDuration(text) {
  const found = /^\s*(\d+(?:[.,]\d+)?)\s*(ns|us|µs|ms|s|min)?\s*$/i.exec(text);
  if (!found) return NaN;
  const unit = { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9, min: 60e9 };
  return Number(found[1].replace(",", ".")) * unit[(found[2] || "ms").toLowerCase()];
}

export function bytes(n) {
  if (n < 1000) return `${n} B`;
  if (n < 1e6) return `${(n / 1e3).toFixed(1)} KB`;
  if (n < 1e9) return `${(n / 1e6).toFixed(1)} MB`;
  return `${(n / 1e9).toFixed(2)} GB`;
}

export const count = (n) => Number(n).toLocaleString("en-US");

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export function moment(value) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return String(value);
  const day = new Date().toDateString() === date.toDateString() ? "" : `${date.toLocaleDateString(undefined, { dateStyle: "medium" })}, `;
  return day + date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

// Anything recorded, as text.
export function asText(value) {
  if (typeof value === "string") return value;
  if (value === undefined) return "";
  return JSON.stringify(value);
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const tagText = (tag) =>
  typeof tag === "string" ? tag : (tag.key ? `${asText(tag.key)}=` : "") + asText(tag.value);

// "a=b, urgent" → the API's tags.
export function parseTags(text) {
  return text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => {
    const at = part.indexOf("=");
    return at > 0 ? { key: part.slice(0, at).trim(), value: part.slice(at + 1).trim() } : { value: part };
  });
}

export const sessionName = (session) => asText(session.name) || "(unnamed)";

// A colour per service: by its name, so that it stays the same from session to session, and another one where two
// names of one session would share it.
export const COLOURS = 12;
export function serviceColours(names) {
  const taken = new Set();
  const colours = new Map();
  for (const name of [...names].sort()) {
    let hash = 7;
    for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) % 100003;
    let colour = hash % COLOURS;
    for (let tries = 0; taken.has(colour) && tries < COLOURS; tries += 1) colour = (colour + 5) % COLOURS;
    taken.add(colour);
    colours.set(name, colour);
  }
  return colours;
}
