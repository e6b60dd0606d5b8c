"""A small HTTP service, traced and captured through libmpr with ctypes and nothing else. See README.md.

python3 server.py [PORT]     records a session from its start to SIGINT or SIGTERM; port 0 is any free one
"""

import ctypes
import json
import os
import signal
import sys
import traceback
from ctypes import c_char_p as text, c_int32 as i32, c_int64 as i64, c_size_t as size, c_uint32 as u32, c_void_p as pointer
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# ---- libmpr: the functions used here, as include/mpr.h declares them ----

mpr = ctypes.CDLL(os.environ.get("MPR_LIBRARY", "libmpr.so.0"))
for name, result, *parameters in (
    ("mpr_last_error", text),
    ("mpr_init", i32, pointer),
    ("mpr_start", i32, i32, text),
    ("mpr_session_info", i32, text, size, pointer),
    ("mpr_shutdown", i32, u32),
    ("mpr_traceparent_parse", i32, text, pointer),
    ("mpr_span_begin", pointer, text, i32, pointer),
    ("mpr_span_set_string", i32, pointer, text, text),
    ("mpr_span_set_int", i32, pointer, text, i64),
    ("mpr_span_set_status", i32, pointer, i32, text),
    ("mpr_span_record_exception", i32, pointer, text, text, text),
    ("mpr_span_capture_payload", i32, pointer, i32, text, size, text, size),
    ("mpr_span_end", None, pointer),
):
    function = getattr(mpr, name)
    function.restype, function.argtypes = result, parameters

SESSION_MANUAL, SPAN_KIND_SERVER, SPAN_STATUS_ERROR, HTTP_REQUEST, HTTP_RESPONSE = 0, 2, 2, 1, 2


def check(status):
    if status < 0:
        sys.exit(mpr.mpr_last_error().decode())


def capture(span, kind, headers, body):
    lines = "\r\n".join(f"{name}: {value}" for name, value in headers).encode("latin-1", "replace")
    mpr.mpr_span_capture_payload(span, kind, lines, len(lines), body, len(body))


# ---- the service: each route takes the request's body and gives a status and an answer ----


def cart(_body):
    return 200, {"items": [{"name": "tea", "count": 2}], "token": "one for the payment provider"}


def login(body):
    user = json.loads(body)
    return (200, {"user": user["user"]}) if user.get("password") else (403, {"error": "no password"})


def fail(_body):
    raise RuntimeError("the database is away")


ROUTES = {("GET", "/cart"): cart, ("POST", "/login"): login, ("GET", "/fail"): fail}


class Handler(BaseHTTPRequestHandler):
    timeout = 10  # of a client that says nothing; the end of the server waits for it

    def traced(self):
        path = self.path.split("?")[0]
        route = ROUTES.get((self.command, path))
        context = ctypes.create_string_buffer(32)  # an mpr_span_context; all zero begins a new trace
        mpr.mpr_traceparent_parse(self.headers.get("traceparent", "").encode(), context)
        span = mpr.mpr_span_begin(f"{self.command} {path if route else '*'}".encode(), SPAN_KIND_SERVER, context)
        try:
            request = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            capture(span, HTTP_REQUEST, self.headers.items(), request)
            try:
                status, answer = route(request) if route else (404, {"error": "no such page"})
            except Exception as error:
                stack = traceback.format_exc().encode()
                mpr.mpr_span_record_exception(span, type(error).__name__.encode(), str(error).encode(), stack)
                status, answer = 500, {"error": "internal"}
            body = json.dumps(answer).encode()
            headers = [("Content-Type", "application/json"), ("Content-Length", len(body)), ("Set-Cookie", "sid=5e551d")]
            capture(span, HTTP_RESPONSE, headers, body)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)
            # The names of old and of new semantic conventions: readers look for either.
            for key, value in (("http.method", self.command), ("http.request.method", self.command), ("http.route", path)):
                mpr.mpr_span_set_string(span, key.encode(), value.encode())
            for key in (b"http.status_code", b"http.response.status_code"):
                mpr.mpr_span_set_int(span, key, status)
            if status >= 500:
                mpr.mpr_span_set_status(span, SPAN_STATUS_ERROR, None)
        finally:
            mpr.mpr_span_end(span)

    do_GET = do_POST = traced


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() waits for requests that are being answered


def interrupt(*_):
    raise KeyboardInterrupt


for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started this in the background, with SIGINT ignored
    signal.signal(number, interrupt)
check(mpr.mpr_init(None))  # all options come from the environment
check(mpr.mpr_start(SESSION_MANUAL, b'{"name": "python-ctypes"}'))
try:
    with Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Handler) as server:
        info = ctypes.create_string_buffer(4096)
        check(mpr.mpr_session_info(info, len(info), None))
        url = json.loads(info.value).get("url")
        print(f"listening on http://127.0.0.1:{server.server_port}\nrecording into {url}", flush=True)
        server.serve_forever()
except KeyboardInterrupt:
    pass
finally:
    check(mpr.mpr_shutdown(5000))  # ends the session and delivers what is queued
