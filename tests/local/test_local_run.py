"""`run`, `record`, `tail`, `import`, `diff`, `rm`: the command line as a user has it."""

import json
import os
import signal
import subprocess
import sys
import time

import local_recorder as c
import pytest
from local_recorder import expect, run_command, until

# A program with nothing of ours in it, which exports a span as its environment says (as any OTLP exporter does).
FOREIGN = """
import json, os, sys, time, urllib.request
span = {"traceId": "ab" * 16, "spanId": "12" * 8, "name": "foreign work", "kind": 1,
        "startTimeUnixNano": str(time.time_ns()), "endTimeUnixNano": str(time.time_ns() + 1000)}
resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "tool"}}]}
body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
key, value = os.environ["OTEL_EXPORTER_OTLP_HEADERS"].split("=", 1)
url = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces"
assert os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf" and "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" not in os.environ
request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", key: value})
urllib.request.urlopen(request, timeout=10).read()
print("out", sys.argv[1:])
"""

# A program that starts a session by itself.
OWN = """
import json, os, urllib.request
url = os.environ["MULTIPLAYER_BASE_API_URL"] + "/v0/radar/debug-sessions/start"
headers = {"X-Api-Key": os.environ["MULTIPLAYER_API_KEY"], "Content-Type": "application/json"}
request = urllib.request.Request(url, json.dumps({"name": "its own"}).encode(), headers)
print(json.load(urllib.request.urlopen(request, timeout=10))["_id"])
"""


def nobody():
    """An address on which nobody listens."""
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{s.getsockname()[1]}"


@pytest.fixture
def database(tmp_path):
    return str(tmp_path / "data" / "x.sqlite")


def listed(database):
    return json.loads(run_command("list", "--json", "--db", database).stdout)["sessions"]


def test_run_records_a_program_that_knows_nothing_of_sessions(database):
    done = run_command("run", "--record", "--url", nobody(), "--db", database, "--", sys.executable, "-c", FOREIGN, "-x", "--",
                       env={**os.environ, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9"})  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "out ['-x', '--']\n"), done.stderr
    [session] = listed(database)
    assert session["counts"]["spans"] == 1 and not session["live"] and session["services"] == ["tool"]
    assert session["name"].startswith(sys.executable)
    assert f"recording http://127.0.0.1:" in done.stderr and f"mpr-local show {session['_id']}" in done.stderr
    assert "foreign work [tool]" in run_command("show", "--db", database).stdout


def test_run_records_a_program_that_starts_a_session(database):
    done = run_command("run", "--record", "--name", "mine", "--url", nobody(), "--db", database, sys.executable, "-c", OWN)
    [session] = listed(database)
    assert done.stdout.strip() == session["_id"] and session["name"] == "mine"
    # Without --record, the session is the program's.
    done = run_command("run", "--url", nobody(), "--db", database, sys.executable, "-c", OWN)
    assert [s["name"] for s in listed(database)] == ["its own", "mine"]


def test_run_uses_the_recorder_that_listens(local):
    done = run_command("run", "--record", "--name", "there", "--url", local.base, "--", sys.executable, "-c", FOREIGN)
    assert done.returncode == 0, done.stderr
    [session] = expect(200, local.request("GET", "/api/sessions")).json["sessions"]
    assert (session["name"], session["live"], session["counts"]["spans"]) == ("there", False, 1)
    assert f"{local.base}/sessions/{session['_id']}" in done.stderr


def test_run_ends_as_the_program_ends(database):
    base = ("run", "--url", nobody(), "--db", database, "--")
    assert run_command(*base, "sh", "-c", "exit 7").returncode == 7
    assert run_command(*base, "sh", "-c", "kill -9 $$").returncode == 128 + 9
    done = run_command(*base, "/no/such/program")
    assert done.returncode == 127 and "/no/such/program" in done.stderr
    assert run_command("run").returncode == 2
    done = run_command("run", "--url", "ftp://x", "--db", database, "--", "true")
    assert done.returncode == 127 and "--url" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_run_passes_signals_on(database, number):
    script = f"trap 'exit 5' {number.name[3:]}; echo ready; while :; do sleep 0.05; done"
    # Who runs the tests in the background ignores some, and a shell traps none that it was begun with ignored.
    heard = lambda: signal.signal(number, signal.SIG_DFL)
    process = subprocess.Popen([c.BINARY, "run", "--url", nobody(), "--db", database, "--", "bash", "-c", script],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=heard)  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(20) == 5


def test_record(local):
    done = run_command("record", "--seconds", "1", "--name", "timed", "--json", "--url", local.base)
    assert done.returncode == 0, done.stderr
    session = json.loads(done.stdout)
    assert (session["name"], session["live"], session["kind"]) == ("timed", False, "manual")
    assert local.session(session["_id"])["session"]["durationInSeconds"] >= 1


def test_record_with_a_recorder_of_its_own_until_ctrl_c(database):
    url = nobody()
    process = subprocess.Popen([c.BINARY, "record", "--url", url, "--db", database], stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    assert f"recording {url}/sessions/" in line
    local = c.Local(process, int(url.rsplit(":", 1)[1]), None)
    local.send_spans(c.span("ab" * 16, "caught"))
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    [session] = listed(database)
    assert session["counts"]["spans"] == 1 and not session["live"]


def test_tail(local):
    session = local.start(name="followed")
    for arguments in ([], ["--json", session["shortId"]]):
        process = subprocess.Popen([c.BINARY, "tail", "--db", str(local.database), *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # fmt: skip
        local.send_spans(c.span(c.manual(session), f"span {len(arguments)}\x1b[31m", status={"code": 2, "message": "bad"}))
        lines = []
        while not any(f"span {len(arguments)}" in line for line in lines):
            lines.append(process.stdout.readline())
            assert lines[-1]
        local.send_logs(c.record(c.manual(session), f"log {len(arguments)}"))
        while f"log {len(arguments)}" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1]
        if arguments:
            values = [json.loads(line) for line in lines]
            assert values[-1]["log"]["body"] == "log 2" and values[-2]["span"]["name"].startswith("span 2")
        else:
            assert "\x1b" not in "".join(lines) and "[shop]" in lines[0] and "ERROR bad" in lines[0]
        if arguments:
            expect(200, local.api("PATCH", f"/debug-sessions/{session['_id']}/stop", {}))
            assert process.wait(20) == 0
        process.kill()
        process.wait()


def exported(local, tmp_path, name, **span):
    session = local.start(name=name)
    at = c.now_ns(-1)
    local.send_spans(c.span(c.manual(session), "work", at, **span))
    file = tmp_path / f"{name}.json"
    assert run_command("export", session["_id"], "-o", str(file), "--db", str(local.database)).returncode == 0
    return file


def test_import_diff_and_rm(local, tmp_path, database):
    good = exported(local, tmp_path, "good")
    bad = exported(local, tmp_path, "bad", status={"code": 2})
    done = run_command("import", str(good), str(bad), "--json", "--db", database)
    assert done.returncode == 0, done.stderr
    a, b = (s["_id"] for s in json.loads(done.stdout)["sessions"])
    done = run_command("diff", a, b, "--db", database)
    assert done.returncode == 1 and "errors   work [shop]" in done.stdout
    assert json.loads(run_command("diff", a, b, "--json", "--db", database).stdout)["rows"][0]["state"] == "errors"
    assert run_command("diff", a, a, "--db", database).returncode == 0
    assert run_command("diff", a, "abcdabcd", "--db", database).returncode == 2
    shown = json.loads(run_command("show", a, "--json", "--db", database).stdout)
    assert shown["session"]["name"] == "good" and shown["routes"][0]["name"] == "work"
    # All or none.
    assert run_command("rm", a, "abcdabcd", "--db", database).returncode == 1 and len(listed(database)) == 2
    assert run_command("rm", a, b, "--db", database).returncode == 0 and listed(database) == []
    with open(good) as file:
        assert run_command("import", "-", "--db", database, stdin=file).returncode == 0
    assert len(listed(database)) == 1


def test_import_of_what_is_none(tmp_path, database):
    text = tmp_path / "text.json"
    text.write_text("no JSON")
    done = run_command("import", str(text), "--db", database)
    assert done.returncode == 1 and "is not JSON" in done.stderr
    text.write_text('{"session": {}, "spans": [{"traceId": "xyz"}]}')
    done = run_command("import", str(text), "--db", database)
    assert done.returncode == 1 and "spans[0].traceId: must be 32 hexadecimal digits" in done.stderr
    assert run_command("import", str(tmp_path / "none"), "--db", database).returncode == 1
    assert listed(database) == []


def test_opentelemetry_python_under_run(database):
    """A program of OpenTelemetry's own SDK, recorded without a line of ours."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.common")
    program = """
import os, urllib.request
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
class Exporter(SpanExporter):
    # (The package of the HTTP exporter is not among the tests' requirements; the encoding is OpenTelemetry's.)
    def export(self, spans):
        key, value = os.environ["OTEL_EXPORTER_OTLP_HEADERS"].split("=", 1)
        url = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces"
        headers = {"Content-Type": "application/x-protobuf", key: value}
        urllib.request.urlopen(urllib.request.Request(url, encode_spans(spans).SerializeToString(), headers)).read()
        return SpanExportResult.SUCCESS
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Exporter()))
tracer = provider.get_tracer("app")
for i in range(3):
    with tracer.start_as_current_span("outer", attributes={"i": i}):
        with tracer.start_as_current_span("inner"):
            pass
provider.shutdown()
"""
    done = run_command("run", "--record", "--url", nobody(), "--db", database, sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    [session] = listed(database)
    assert session["counts"] == {"spans": 6, "errors": 0, "logs": 0, "traces": 3}
