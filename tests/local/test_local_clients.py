"""Programs that others wrote record into it as they are: the published recorder for Node, and the exporters of OpenTelemetry C++ and
OpenTelemetry Python. (A Collector is in test_local_collector.py.) And one with libmpr, which tells how it fares."""

import shutil
import subprocess
import sys
from pathlib import Path

import local_recorder as c
import pytest
from environment import clean_env
from local_recorder import run_command

CLIENTS = Path(__file__).parent / "clients"
ROOT = CLIENTS.parents[2]


def spans_of(local, name):
    (session,) = (s for s in c.expect(200, local.request("GET", "/api/sessions")).json["sessions"] if s["name"] == name)
    whole = c.expect(200, local.request("GET", f"/api/sessions/{session['_id']}")).json
    return whole["session"], {span["name"]: span for span in whole["spans"]}


def test_the_published_recorder_for_node(local, build):
    installed = build / "tests" / "node-recorder"
    if not shutil.which("node") or not (installed / ".installed").exists():
        pytest.skip("the published recorder for Node is not installed (make does it in build/tests/node-recorder)")
    env = clean_env(MULTIPLAYER_BASE_API_URL=local.base, MULTIPLAYER_API_KEY="local")
    done = subprocess.run(["node", CLIENTS / "node_recorder.js", installed], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    session, spans = spans_of(local, "from Node")
    assert (session["live"], session["sessionAttributes"]) == (False, {"accountId": "1234"})
    assert set(spans) == {"POST /pay", "charge"} and spans["charge"]["parentSpanId"] == spans["POST /pay"]["spanId"]
    body = spans["POST /pay"]["attributes"]["multiplayer.http.request.body"]
    assert '"amount":5' in body and "hunter2" not in body
    assert spans["charge"]["events"][0]["attributes"]["exception.message"] == "declined"
    assert not local.stats["spans"]["dropped"]


def test_the_exporter_of_opentelemetry_cpp(local, build, tmp_path):
    root = build / "otel-cpp"
    if not (root / ".made").exists():
        pytest.skip("OpenTelemetry C++ is not there: make otel-cpp says why")
    program = tmp_path / "otel-cpp-client"
    subprocess.run([ROOT / "tools" / "otel-cpp" / "compile.sh", root, program, CLIENTS / "otel_cpp.cpp"], check=True, timeout=300)
    done = run_command("run", "--record", "--name", "from C++", "--url", local.base, "--", program, env=clean_env())
    assert done.returncode == 0, done.stdout + done.stderr
    session, spans = spans_of(local, "from C++")
    assert session["services"] == ["cpp-shop"] and session["counts"]["errors"] == 1
    assert set(spans) == {"POST /pay", "charge"} and spans["charge"]["parentSpanId"] == spans["POST /pay"]["spanId"]
    assert spans["charge"]["events"][0]["attributes"] == {"code": "05"}


PYTHON = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("shop")
with tracer.start_as_current_span("POST /pay"):
    with tracer.start_as_current_span("charge") as span:
        span.record_exception(ValueError("declined"))
provider.shutdown()
"""


def test_the_exporter_of_opentelemetry_python(local):
    env = clean_env(OTEL_SERVICE_NAME="python-shop")
    done = run_command("run", "--record", "--name", "from Python", "--url", local.base, "--", sys.executable, "-c", PYTHON, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    session, spans = spans_of(local, "from Python")
    assert session["services"] == ["python-shop"] and set(spans) == {"POST /pay", "charge"}
    assert spans["charge"]["parentSpanId"] == spans["POST /pay"]["spanId"]
    assert spans["charge"]["events"][0]["attributes"]["exception.message"] == "declined"


OURS = """#include <mpr.h>
int main(void) {
    if (mpr_init(NULL) || mpr_start(MPR_SESSION_MANUAL, "{\\"name\\": \\"ours\\"}")) return 1;
    for (int n = 0; n < 3; n++) {
        mpr_span_end(mpr_span_begin("work", MPR_SPAN_KIND_SERVER, NULL));
        if (mpr_flush(5000)) return 2;
    }
    return mpr_shutdown(5000);
}
"""


def test_a_process_with_libmpr_tells_how_it_fares(local, compile_c, tmp_path):
    source = tmp_path / "ours.c"
    source.write_text(OURS)
    env = clean_env(MULTIPLAYER_BASE_API_URL=local.base, OTEL_EXPORTER_OTLP_ENDPOINT=local.base, MULTIPLAYER_API_KEY="local", OTEL_SERVICE_NAME="c-shop")
    with subprocess.Popen([compile_c(source)], env=env) as process:
        assert process.wait(30) == 0
    (seen,) = c.expect(200, local.request("GET", "/api/processes")).json["processes"]
    assert (seen["service"], seen["pid"], seen["requests"]) == ("c-shop", process.pid, 3)
    stats = seen["stats"]
    assert (stats["accepted"], stats["exported"], stats["queued"], stats["dropped_queue_full"]) == (3, 2, 1, 0)
