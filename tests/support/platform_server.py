"""A fake of the platform and of its OTLP intake, on one free port of 127.0.0.1, in a thread of the test.

Without a script it answers as the platform does (every key is good, every session call succeeds, OTLP is accepted).
A test scripts what it wants to go wrong, per route, and reads afterwards what was asked:

    with PlatformServer() as platform:
        platform.on("start", Answer(401, json={"message": "Authorization failed"}))      # once, then as usual
        platform.on("traces", Answer(503, headers={"Retry-After": "1"}), Answer(hang=True))  # one after the other
        platform.always("logs", Answer(500))                                              # from then on
        … run a program with env=platform.env() …
        platform.wait_for(lambda: platform.spans)                                         # a condition, never a sleep
        assert [r.route for r in platform.requests] == ["start", "traces", "stop"]
        assert platform.requests[0].json["name"] == "first"
        assert platform.spans[0]["attributes"]["http.route"] == "/cart"

Routes are the names in ROUTES, "*" (any), or a path as text ("/v1/traces").
"""

import gzip
import http.server
import json
import re
import secrets
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone

import otlp
from environment import recorder_env

_ID = "([^/]+)"
#: name → (method, path)
ROUTES = {
    "start": ("POST", "/v0/radar/debug-sessions/start"),
    "stop": ("PATCH", f"/v0/radar/debug-sessions/{_ID}/stop"),
    "cancel": ("DELETE", f"/v0/radar/debug-sessions/{_ID}/cancel"),
    "update": ("PATCH", f"/v0/radar/debug-sessions/{_ID}"),
    "get": ("GET", f"/v0/radar/debug-sessions/{_ID}"),
    "continuous_start": ("POST", "/v0/radar/continuous-debug-sessions/start"),
    "save": ("POST", f"/v0/radar/continuous-debug-sessions/{_ID}/save"),
    "continuous_cancel": ("DELETE", f"/v0/radar/continuous-debug-sessions/{_ID}/cancel"),
    "check": ("POST", "/v0/radar/remote-session-recording/check"),
    "traces": ("POST", "/v1/traces"),
    "logs": ("POST", "/v1/logs"),
}


@dataclass
class Answer:
    """What the server does with one request. Everything has a harmless default.

    json          shorthand for a body with its content type
    delay         seconds before the answer
    gate          a threading.Event: the answer waits for it (better than a delay, for tests that order things)
    hang          never answers; the connection is closed when the client leaves or the server ends
    close         closes without an answer (FIN)
    reset         closes without an answer (RST)
    raw           these bytes in place of an HTTP answer, then close (garbage, a cut head, a lying Content-Length)
    cut           sends the head and only so many bytes of the body, then closes
    drip          seconds between single bytes of the body (slow loris)
    huge          sends this many bytes of padding as a body, made on the fly
    """

    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    json: object = None
    delay: float = 0
    gate: threading.Event = None
    hang: bool = False
    close: bool = False
    reset: bool = False
    raw: bytes = None
    cut: int = None
    drip: float = 0
    huge: int = 0


@dataclass
class Request:
    """One request as it came. `at` is time.monotonic() when its body was complete."""

    route: str  #: name in ROUTES, or "" for an unknown path
    method: str
    path: str
    id: str  #: the session's id in the path, or ""
    headers: dict  #: names in lower case
    raw_body: bytes
    body: bytes  #: gunzipped when it was
    connection: int  #: number of the TCP connection, to see whether it is used again
    at: float
    answered: int = 0  #: status that was sent; 0 while there is none

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def spans(self):
        return otlp.traces_of(self.body)

    @property
    def logs(self):
        return otlp.logs_of(self.body)


class PlatformServer:
    """See the top of this file. `tls` is an ssl.SSLContext for an https server; `base` a prefix that all paths get,
    as a proxy in front would have it (e.g. "/mpr")."""

    def __init__(self, port=0, tls=None, base=""):
        self.base = base
        self.tls = tls
        self.requests = []  #: every Request, in the order in which their bodies were complete
        self.sessions = {}  #: _id → the document that start or save answered
        self.connections = 0
        self._scripts = {}  # route → answers to come
        self._forever = {}  # route → answer
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._open = set()
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.fake = self
        self.port = self._http.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}{base}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends it, with every connection: from here on connects are refused."""
        self._ending.set()
        self._http.shutdown()
        self._http.server_close()
        with self._changed:
            open_now = list(self._open)
        for connection in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._thread.join(10)

    # ---- script ----

    def on(self, route, *answers):
        """Answers the next requests of a route with these, one after the other; then as before. Calls add up."""
        with self._changed:
            self._scripts.setdefault(route, []).extend(answers)
        return self

    def always(self, route, answer):
        """Answers all requests of a route so (after what on() has for it); None: as the platform does."""
        with self._changed:
            self._forever[route] = answer
        return self

    # ---- what was asked ----

    def env(self, key="test-key", **more):
        """Environment for a program whose mpr_init(NULL) shall use this server."""
        return recorder_env(self.url, key, **more)

    def of(self, *routes):
        """The requests of these routes."""
        with self._changed:
            return [r for r in self.requests if r.route in routes]

    @property
    def spans(self):
        """The spans of all trace requests that were answered with 200, in order."""
        return [s for r in self.of("traces") if r.answered == 200 for s in r.spans]

    @property
    def logs(self):
        return [s for r in self.of("logs") if r.answered == 200 for s in r.logs]

    def span(self, name):
        """The one span of that name."""
        found = [s for s in self.spans if s["name"] == name]
        assert len(found) == 1, f"{len(found)} spans named {name!r} among {[s['name'] for s in self.spans]}"
        return found[0]

    def wait_for(self, condition, seconds=15):
        """Waits until condition() is true, looking again whenever a request comes or is answered; its value."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain; requests: {[(r.method, r.path, r.answered) for r in self.requests]}"
            with self._changed:
                self._changed.wait(min(left, 0.1))
        return value

    def wait_for_requests(self, route, count=1, seconds=15):
        """Waits for so many requests of a route; all of them."""
        return self.wait_for(lambda: (found := self.of(route)) and len(found) >= count and found, seconds)

    # ---- inside ----

    def _take(self, route, path):
        with self._changed:
            for name in (route, path, "*"):
                if self._scripts.get(name):
                    return self._scripts[name].pop(0)
                if self._forever.get(name):
                    return self._forever[name]
        return None

    def _usual(self, request):
        """What the platform answers."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = {}
        if request.body and request.route not in ("traces", "logs"):
            try:
                body = json.loads(request.body)
            except ValueError:
                return Answer(400, json={"statusCode": 400, "message": "An error occurred."})
        if request.route in ("start", "save"):
            id, short = secrets.token_hex(12), secrets.token_hex(4)
            document = {
                "_id": id, "shortId": short, "sessionType": "MANUAL", "name": body.get("name", ""), "tags": None,
                "sessionAttributes": body.get("sessionAttributes"), "startedAt": now, "tempApiKey": "a.b.c",
                "workspace": "0" * 24, "project": "1" * 24, "url": f"{self.url}/sessions/{id}",
            }
            self.sessions[id] = document
            return Answer(json=document)
        if request.route == "continuous_start":
            short = secrets.token_hex(4)
            document = {"_id": short, "shortId": short, "tempApiKey": "a.b.c", "workspace": "0" * 24, "project": "1" * 24}
            self.sessions[short] = document
            return Answer(json=document)
        if request.route in ("stop", "update", "get"):
            document = self.sessions.get(request.id)
            if not document:
                return Answer(404, json={"statusCode": 404, "message": "Debug-Session not found", "status": "NotFound"})
            if request.route == "stop":
                document = {**document, "stoppedAt": now}
            return Answer(json=document)
        if request.route in ("cancel", "continuous_cancel"):
            return Answer(204)
        if request.route == "check":
            return Answer(json={"shouldStart": False, "mode": "CONTINUOUS", "recordingOptions": {}})
        if request.route in ("traces", "logs"):
            return Answer(200, {"Content-Type": "application/x-protobuf"})
        return Answer(404, {"Content-Type": "text/html"}, b"Not found")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that goes away is what many tests are about."""

    def get_request(self):
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.fake.tls:
            connection = self.fake.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def setup(self):
        super().setup()
        self.fake = self.server.fake
        with self.fake._changed:
            self.fake.connections += 1
            self.number = self.fake.connections
            self.fake._open.add(self.connection)

    def finish(self):
        with self.fake._changed:
            self.fake._open.discard(self.connection)
        super().finish()

    def log_message(self, *_):
        pass

    def version_string(self):
        return "fake-platform"

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _any(self):
        raw = self._body()
        body = raw
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(raw)
        elif self.headers.get("Content-Encoding") == "zstd":
            import zstandard  # (a program that stands in for the platform needs none)

            body = zstandard.ZstdDecompressor().decompress(raw)
        path, route, id = self.path, "", ""
        if path.startswith(self.fake.base):
            path = path[len(self.fake.base) :]
            for name, (method, pattern) in ROUTES.items():
                if method == self.command and (found := re.fullmatch(pattern, path)):
                    route, id = name, (found[1] if found.groups() else "")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(
            route, self.command, self.path, id, headers, raw, body, self.number, time.monotonic()
        )
        with self.fake._changed:
            self.fake.requests.append(request)
            self.fake._changed.notify_all()
        self._answer(request, self.fake._take(route, self.path) or self.fake._usual(request))

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = _any

    def _answered(self, request, status):
        with self.fake._changed:
            request.answered = status
            self.fake._changed.notify_all()

    def _wait(self, answer):
        """False when the server ends or the client leaves first."""
        deadline = time.monotonic() + answer.delay if not answer.hang else float("inf")
        while not self.fake._ending.is_set():
            if not answer.hang and time.monotonic() >= deadline and (not answer.gate or answer.gate.is_set()):
                return True
            readable, _, _ = select.select([self.connection], [], [], 0.01)
            if readable and not self.fake.tls and not self.connection.recv(1, socket.MSG_PEEK):
                return False
        return False

    def _answer(self, request, answer):
        self.close_connection = bool(answer.close or answer.reset or answer.hang or answer.raw is not None)
        if (answer.delay or answer.gate or answer.hang) and not self._wait(answer):
            self.close_connection = True
            return
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if answer.close or answer.reset:
            self.connection.close()
            return
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            self.wfile.flush()
            return
        body, headers = answer.body, dict(answer.headers)
        if answer.json is not None:
            body = json.dumps(answer.json).encode()
            headers.setdefault("Content-Type", "application/json")
        length = answer.huge or len(body)
        (self.send_response_only if "Date" in headers else self.send_response)(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.status != 204 and "Content-Length" not in headers:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        # Before the body: a client that has it all must find the request marked.
        if answer.cut is None:
            self._answered(request, answer.status)
        if answer.huge:
            piece = b" " * 65536
            for _ in range(answer.huge // len(piece)):
                self.wfile.write(piece)
            self.wfile.write(piece[: answer.huge % len(piece)])
        elif answer.drip:
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.fake._ending.wait(answer.drip):
                    break
        elif answer.status != 204:
            self.wfile.write(body if answer.cut is None else body[: answer.cut])
        self.wfile.flush()
        if answer.cut is not None:
            self.close_connection = True
