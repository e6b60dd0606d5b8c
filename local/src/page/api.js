// The recorder's API: same origin, JSON.

export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function call(method, path, body, type = "application/json") {
  let response;
  try {
    const headers = body === undefined ? {} : { "Content-Type": type };
    response = await fetch(`/api${path}`, { method, headers, body, cache: "no-store" });
  } catch {
    throw new Failure(0, "the recorder cannot be reached");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Failure(response.status, typeof told.error === "string" ? told.error : `the recorder answered ${response.status}`);
}

const json = async (...args) => (await call(...args)).json();
const send = (method, path, value = {}) => json(method, path, JSON.stringify(value));
const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== "" && value !== false);
  return given.length ? `?${new URLSearchParams(given)}` : "";
};
const one = (id) => `/sessions/${encodeURIComponent(id)}`;
const span = (id, trace, spanId) => `${one(id)}/spans/${encodeURIComponent(trace)}/${encodeURIComponent(spanId)}`;

export const exportAddress = (id) => `/api${one(id)}/export`;
export const bodyAddress = (id, trace, spanId, which) => `/api${span(id, trace, spanId)}/content/${which}/body`;

export const sessions = (filter) => json("GET", `/sessions${query(filter)}`);
export const start = (settings) => send("POST", "/sessions", settings).then((answer) => answer.session);
export const stop = (id) => send("POST", `${one(id)}/stop`).then((answer) => answer.session);
export const save = (id, name) => send("POST", `${one(id)}/save`, name ? { name } : {}).then((answer) => answer.session);
export const change = (id, values) => send("PATCH", one(id), values).then((answer) => answer.session);
export const remove = (id) => call("DELETE", one(id));
export const importFile = (file) => json("POST", "/import", file).then((answer) => answer.session);

export const summary = (id) => json("GET", `${one(id)}/summary`);
export const spans = (id, after) => json("GET", `${one(id)}/spans${query({ after, limit: 5000 })}`);
export const logs = (id, after) => json("GET", `${one(id)}/logs${query({ after, limit: 5000 })}`);
export const search = (id, filter) => json("GET", `${one(id)}/search${query({ ...filter, limit: 5000 })}`);
export const wholeSpan = (id, trace, spanId) => json("GET", span(id, trace, spanId));
export const wholeBody = async (id, trace, spanId, which) =>
  (await call("GET", `${span(id, trace, spanId)}/content/${which}/body`)).text();

export const diff = (a, b) => json("GET", `/diff${query({ a, b })}`);
export const processes = () => json("GET", "/processes").then((answer) => answer.processes);
export const stats = () => json("GET", "/stats");
export const limits = () => json("GET", "/limits");
export const remoteCheck = () => json("GET", "/remote-check");
export const setRemoteCheck = (values) => send("PUT", "/remote-check", values);
