"""Starts the local recorder and speaks to it over HTTP, with nothing but the standard
library. The binary is named by the environment variable MPR_LOCAL_BIN."""

import base64
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

from otlp import field, fixed64, number_field, varint  # noqa: F401 (the tests take them from here)

BINARY = os.environ.get("MPR_LOCAL_BIN")
KEY = "local"


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


class Local:
    """A running recorder."""

    def __init__(self, process, port, database):
        self.process = process
        self.port = port
        self.database = database
        self.base = f"http://127.0.0.1:{port}"

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def raw(self, lines):
        """A request as it is written, for what http.client would not send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as s:
            s.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            received = b""
            while chunk := s.recv(65536):
                received += chunk
        return received.decode()

    def api(self, method, path, body=None, key=KEY, headers=None):
        """A call of the session API."""
        sent = {} if key is None else {"X-Api-Key": key}
        data = None
        if body is not None:
            data = json.dumps(body)
            sent["Content-Type"] = "application/json"
        return self.request(method, f"/v0/radar{path}", data, {**sent, **(headers or {})})

    def start(self, **body):
        return expect(200, self.api("POST", "/debug-sessions/start", body)).json

    def start_continuous(self, **data):
        body = {"debugSessionData": data}
        return expect(200, self.api("POST", "/continuous-debug-sessions/start", body)).json

    def save(self, short_id, **body):
        return expect(200, self.api("POST", f"/continuous-debug-sessions/{short_id}/save", body)).json

    def otlp(self, path, body, content_type="application/json", headers=None):
        """An export; a dict goes as JSON."""
        data = json.dumps(body) if isinstance(body, dict) else body
        sent = {"Authorization": KEY, "Content-Type": content_type, **(headers or {})}
        return self.request("POST", path, data, sent)

    def send_spans(self, *spans, resource=None):
        return expect(200, self.otlp("/v1/traces", traces(*spans, resource=resource)))

    def send_logs(self, *records, resource=None):
        return expect(200, self.otlp("/v1/logs", logs(*records, resource=resource)))

    def session(self, id):
        return expect(200, self.request("GET", f"/api/sessions/{id}")).json

    def span_names(self, id):
        return [s["name"] for s in self.session(id)["spans"]]

    def log_bodies(self, id):
        return [record["body"] for record in self.session(id)["logs"]]

    @property
    def stats(self):
        return expect(200, self.request("GET", "/api/stats")).json

    def stop(self):
        """Asks it to end; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


def expect(status, reply):
    assert reply.status == status, (reply.status, reply.text)
    return reply


def start_local(tmp_path, *args):
    """Starts the recorder on a free port with a database in tmp_path."""
    assert BINARY, "MPR_LOCAL_BIN must name the binary"
    database = Path(tmp_path) / "data" / "sessions.sqlite"
    process = subprocess.Popen(
        [BINARY, "--port", "0", "--db", str(database), *args],
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    ready, _, _ = select.select([process.stdout], [], [], 20)
    line = process.stdout.readline() if ready else ""
    found = re.fullmatch(r"mpr-local: listening on http://127\.0\.0\.1:(\d+)\n", line)
    if not found:
        process.kill()
        raise AssertionError(f"no listening line, but {line!r}")
    return Local(process, int(found[1]), database)


def until(condition, seconds=15):
    """Waits for what the server does by itself; the condition's value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return value


def run_command(*args, **options):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=30, **options)


def jwt(**claims):
    """A key as the platform makes them, signed by nobody."""
    part = lambda data: base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")
    return f"{part({'alg': 'HS256'})}.{part(claims)}.c2lnbmF0dXJl"


# ---- what is sent ----------------------------------------------------------------------


def now_ns(seconds=0.0):
    return time.time_ns() + int(seconds * 1e9)


def trace_id(prefix, id, tail="0" * 17 + "1"):
    return f"{prefix}{id}{tail}"


def manual(session, **rest):
    return trace_id("debdeb", session["shortId"], **rest)


def continuous(session, **rest):
    return trace_id("cdbcdb", session["shortId"], **rest)


def attributes(values):
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [{"key": k, "value": {kinds[type(v)]: v}} for k, v in values.items()]


def span(trace, name="work", start=None, **fields):
    start = start or now_ns()
    return {
        "traceId": trace,
        "spanId": os.urandom(8).hex(),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 1_500_000),
        "status": {},
        **fields,
    }


def record(trace="", body="hello", time=None, **fields):
    return {
        "traceId": trace,
        "timeUnixNano": str(now_ns() if time is None else time),
        "severityText": "info",
        "severityNumber": 9,
        "body": {"stringValue": body},
        **fields,
    }


SERVICE = {"service.name": "shop"}


def traces(*spans, resource=None):
    resource = {"attributes": attributes(SERVICE if resource is None else resource)}
    scope = {"name": "tests", "version": "1"}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": list(spans)}]}]}


def logs(*records, resource=None):
    resource = {"attributes": attributes(SERVICE if resource is None else resource)}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": list(records)}]}]}


# ---- protobuf by hand --------------------------------------------------------------------


def pb_attribute(key, value):
    return field(1, key) + field(2, field(1, value))


def pb_span(trace, span_id, name, start, extra=b""):
    return (
        field(1, bytes.fromhex(trace)) + field(2, span_id) + field(5, name) + number_field(6, 2)
        + fixed64(7, start) + fixed64(8, start + 7) + extra
    )


def pb_traces(*spans):
    resource = field(1, pb_attribute("service.name", "shop"))
    scope_spans = b"".join(field(2, s) for s in spans)
    return field(1, field(1, resource) + field(2, scope_spans))


def pb_logs(*records):
    resource = field(1, pb_attribute("service.name", "shop"))
    scope_logs = b"".join(field(2, r) for r in records)
    return field(1, field(1, resource) + field(2, scope_logs))
