// libmpr from Node with koffi: one request, recorded.
//
//   npm install                                                    # koffi, beside this file
//   mpr-local &                                                    # the local recorder; export the three lines that it prints
//   MPR_LIBRARY=/usr/local/lib/libmpr.so.0 node first.mjs          # without MPR_LIBRARY the system looks for it
//
// Spans, payloads and logs never wait. mpr_start(), mpr_stop() and mpr_shutdown() wait for the network: call them while the
// service starts and ends, or use mpr_start_async(). koffi's own .async() runs a call on another thread, where
// mpr_last_error() is another thread's: check the status's number there.

import koffi from "koffi";

// ---- the functions used here, as include/mpr.h declares them ----

koffi.opaque("mpr_options");
koffi.opaque("mpr_span");
koffi.struct("mpr_span_context", {
  trace_id: koffi.array("uint8_t", 16),
  span_id: koffi.array("uint8_t", 8),
  trace_flags: "uint8_t",
  reserved: koffi.array("uint8_t", 7),
});
const library = koffi.load(process.env.MPR_LIBRARY ?? "libmpr.so.0");
const mpr_last_error = library.func("const char *mpr_last_error(void)");
const mpr_init = library.func("int32_t mpr_init(mpr_options *options)");
const mpr_start = library.func("int32_t mpr_start(int32_t session_type, const char *session_json)");
const mpr_stop = library.func("int32_t mpr_stop(const char *session_json)");
const mpr_session_info = library.func("int32_t mpr_session_info(char *json, size_t capacity, size_t *needed)");
const mpr_shutdown = library.func("int32_t mpr_shutdown(uint32_t timeout_ms)");
const mpr_span_begin = library.func("mpr_span *mpr_span_begin(const char *name, int32_t kind, const mpr_span_context *parent)");
const mpr_span_get_context = library.func("int32_t mpr_span_get_context(const mpr_span *span, _Out_ mpr_span_context *context)");
const mpr_span_capture_payload = library.func(
  "int32_t mpr_span_capture_payload(mpr_span *span, int32_t kind, const char *headers, size_t headers_len, const uint8_t *body, size_t body_len)",
);
const mpr_span_record_exception = library.func(
  "int32_t mpr_span_record_exception(mpr_span *span, const char *type, const char *message, const char *stacktrace)",
);
const mpr_log = library.func(
  "int32_t mpr_log(int32_t severity_number, const char *body, size_t len, const char *attributes_json, const mpr_span_context *context)",
);
const mpr_span_end = library.func("void mpr_span_end(mpr_span *span)");

const SESSION_MANUAL = 0;
const [SERVER, CLIENT] = [2, 3];
const [HTTP_REQUEST, HTTP_RESPONSE] = [1, 2];
const WARN = 13;

// ---- a little JavaScript above them ----

class MprError extends Error {
  name = "MprError";
}

// Throws what mpr_last_error() says. A positive status is no error: there was nothing to record.
function check(status) {
  if (status < 0) throw new MprError(mpr_last_error());
}

class Span {
  constructor(name, kind, parent) {
    this.handle = mpr_span_begin(name, kind, parent?.context ?? null);
    this.context = {}; // to be the parent of other spans
    mpr_span_get_context(this.handle, this.context);
  }

  // Runs work(span), which may be async, in a span. An exception is put on the span and goes on to the caller.
  static async run(name, kind, parent, work) {
    const span = new Span(name, kind, parent);
    try {
      return await work(span);
    } catch (error) {
      mpr_span_record_exception(span.handle, error.name, error.message, error.stack);
      throw error;
    } finally {
      mpr_span_end(span.handle);
    }
  }

  // Headers and body of a request or response; what is secret in them is masked before it leaves the process.
  capture(kind, headers, body) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join("\r\n");
    const bytes = Buffer.from(body);
    mpr_span_capture_payload(this.handle, kind, lines, Buffer.byteLength(lines), bytes, bytes.length);
  }

  log(severity, text, attributes) {
    mpr_log(severity, text, Buffer.byteLength(text), JSON.stringify(attributes), this.context);
  }
}

function sessionUrl() {
  const json = Buffer.alloc(4096);
  check(mpr_session_info(json, json.length, null));
  return JSON.parse(json.toString("utf8", 0, json.indexOf(0))).url;
}

// ---- the service ----

async function queryReplica(user) {
  throw new RangeError(`no replica for ${user}`);
}

function login(headers, request) {
  return Span.run("POST /login", SERVER, null, async (span) => {
    span.capture(HTTP_REQUEST, headers, request);
    const { user } = JSON.parse(request);
    try {
      await Span.run("SELECT users", CLIENT, span, () => queryReplica(user));
    } catch (error) {
      span.log(WARN, `${error.message}; password=correct-horse`, { user });
    }
    const answer = JSON.stringify({ user, token: "e1c5a8f03b77" });
    span.capture(HTTP_RESPONSE, { "Content-Type": "application/json", "Set-Cookie": "sid=5e551d2f" }, answer);
    return answer;
  });
}

check(mpr_init(null)); // all options come from the environment
let stopped;
try {
  check(mpr_start(SESSION_MANUAL, JSON.stringify({ name: "node-koffi" })));
  const headers = { "Content-Type": "application/json", Authorization: "Bearer 7f3a9c0d11e2" };
  await login(headers, '{"user": "ann", "password": "correct-horse"}');
  console.log(`recorded into ${sessionUrl()}`);
  check(mpr_stop(null));
} finally {
  stopped = mpr_shutdown(5000); // delivers what is queued
}
check(stopped);
