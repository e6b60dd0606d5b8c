"""The C++ examples, for real: each built as its README says and recorded by mpr-local, and all languages in one session."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from environment import recorder_env

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CARD, PASSWORD = "4111 1111 1111 1111", "hunter2"
SECRETS = [CARD, PASSWORD, "t-8f3a2c", "Bearer abc"]
ORDER = json.dumps({"card_number": CARD, "password": PASSWORD, "user": "ann", "amount": 42})


def made(build, name, out, *arguments):
    flags = [f"CPPFLAGS=-I{ROOT / 'include'} -I{ROOT / 'bindings' / 'cpp'}"]
    flags.append(f"LDFLAGS=-L{build / 'lib'} -Wl,-rpath,{build / 'lib'}")
    command = ["make", "-s", "-C", EXAMPLES / name, f"OUT={out}", *flags, *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def http_server(build, tmp_path_factory):
    """examples/cpp-http-server."""
    if not Path("/usr/include/httplib.h").exists():
        pytest.skip("cpp-httplib is not installed (package libcpp-httplib-dev)")
    return made(build, "cpp-http-server", tmp_path_factory.mktemp("cpp-http-server") / "server")


@pytest.fixture(scope="session")
def otel_shop(build, tmp_path_factory):
    """examples/cpp-opentelemetry, in the small Debian that has OpenTelemetry C++."""
    if not (build / "otel-cpp" / ".made").exists():
        pytest.skip("OpenTelemetry C++ is not there: make otel-cpp says why")
    out = tmp_path_factory.mktemp("cpp-opentelemetry") / "shop"
    source = EXAMPLES / "cpp-opentelemetry" / "shop.cpp"
    command = [ROOT / "tools/otel-cpp/compile.sh", build / "otel-cpp", out, source, "-Werror", "-lmpr", "-lcpp-httplib"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def grpc_server(build, tmp_path_factory):
    """examples/cpp-grpc."""
    if not shutil.which("grpc_cpp_plugin"):
        pytest.skip("gRPC C++ is not installed (packages libgrpc++-dev and protobuf-compiler-grpc)")
    folder = tmp_path_factory.mktemp("cpp-grpc")
    return made(build, "cpp-grpc", folder / "payments", f"GENERATED={folder}")


@pytest.fixture
def start(local, build):
    """start(command…) → its port, once it listens. All are ended, and their diagnostics looked at, by stop()."""
    running = []

    def run(*command, **env):
        env = recorder_env(local.base, "local", MPR_LIBRARY=str(build / "lib" / "libmpr.so.0"), **env)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "bufsize": 1}
        process = subprocess.Popen([str(part) for part in command], env=env, **pipes)
        running.append(process)
        # One that does not begin to listen is ended.
        timer = threading.Timer(20, process.kill)
        timer.start()
        for line in process.stdout:
            if found := re.search(r"listening on (?:http://)?127\.0\.0\.1:(\d+)\n", line):
                timer.cancel()
                return int(found[1])
        raise AssertionError(process.communicate()[1])

    def stop():
        while running:
            process = running.pop(0)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=20)
            # (Python's server logs its requests.)
            said = [line for line in said.splitlines() if " HTTP/1.1" not in line]
            assert process.returncode == 0 and not said, (process.args, process.returncode, said)

    run.stop = stop
    yield run
    for process in running:
        process.kill()
        process.communicate()


def post(port, path, body, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def session(local, name):
    """The one session of that name, whole; nothing in it is secret."""
    found = [s for s in local.request("GET", "/api/sessions").json["sessions"] if s["name"] == name]
    assert len(found) == 1, found
    whole = local.session(found[0]["_id"])
    for secret in SECRETS:
        assert secret not in json.dumps(whole), secret
    return whole


def by_name(session):
    return {span["name"]: span for span in session["spans"]}


def test_http_server(http_server, local, start):
    port = start(http_server, "--session", "plain C++")
    assert post(port, "/checkout", ORDER) == (200, '{"paid": true, "token": "t-8f3a2c"}')
    assert post(port, "/checkout", "")[0] == 500
    start.stop()
    whole = session(local, "plain C++")
    spans = [span for span in whole["spans"] if span["name"] == "POST /checkout"]
    assert len(spans) == 2 and len(whole["spans"]) == 3
    good, bad = sorted(spans, key=lambda span: "exception" in json.dumps(span["events"]))
    assert '"user": "ann"' in json.dumps(good).replace('\\"', '"') and "***MASKED***" in json.dumps(good)
    assert "std::invalid_argument" in json.dumps(bad["events"]) and "no card, no tea" in json.dumps(bad["events"])
    assert by_name(whole)["price the cart"]["parentSpanId"] == good["spanId"]
    assert [log["body"] for log in whole["logs"]] == ["cart priced"]


def test_grpc(grpc_server, local, start, build):
    port = start(grpc_server)
    env = recorder_env(local.base, "local")
    done = subprocess.run(
        [grpc_server, "--call", f"127.0.0.1:{port}", "--session", "grpc"],
        env=env, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0 and json.loads(done.stdout)["paid"], done.stderr
    start.stop()
    whole = session(local, "grpc")
    client, server = sorted(
        (span for span in whole["spans"] if span["name"] == "shop.Payments/Pay"), key=lambda span: span["kind"]
    )
    assert server["parentSpanId"] == client["spanId"] and server["traceId"] == client["traceId"]
    assert '"amount":"42"' in json.dumps(server).replace('\\"', '"')
    assert by_name(whole)["ask the bank"]["parentSpanId"] == server["spanId"]


def test_all_languages_in_one_session(otel_shop, http_server, local, start, build, tmp_path):
    """OpenTelemetry C++ begins a session and calls another of its kind, plain C++, Python and C: one session, one trace."""
    flags = [f"OUT={tmp_path / 'c'}", f"CPPFLAGS=-I{ROOT / 'include'}", f"LDFLAGS=-L{build / 'lib'} -Wl,-rpath,{build / 'lib'}"]
    subprocess.run(["make", "-s", "-C", EXAMPLES / "c-http-server", *flags], check=True)
    c = start(tmp_path / "c", "of its own", 0)
    python = start(sys.executable, EXAMPLES / "python-ctypes" / "server.py", 0, OTEL_SERVICE_NAME="python")
    plain = start(http_server, "--next", f"http://127.0.0.1:{c}/checkout")
    payment = start(otel_shop, "--service", "payment")
    calls = (f"http://127.0.0.1:{payment}/checkout", f"http://127.0.0.1:{plain}/checkout", f"http://127.0.0.1:{python}/login")
    front = start(
        otel_shop, "--service", "front", "--session", "everyone", *(word for url in calls for word in ("--next", url))
    )
    assert post(front, "/checkout", ORDER)[0] == 200
    start.stop()
    whole = session(local, "everyone")
    assert len({span["traceId"] for span in whole["spans"]}) == 1
    services = {span["resource"]["service.name"]: span for span in whole["spans"] if span["kind"] == "SERVER"}
    assert set(services) == {"front", "payment", "cpp-shop", "python", "c-http-server"}
    ids = {span["spanId"]: span for span in whole["spans"]}
    roots = [span for span in whole["spans"] if span.get("parentSpanId") not in ids]
    assert [span["resource"]["service.name"] for span in roots] == ["front"]
    for name, span in services.items():
        if name != "front":
            assert ids[span["parentSpanId"]]["kind"] == "CLIENT", name
        assert "***MASKED***" in json.dumps(span), name
