"""examples/python-ctypes: run for real against a local recorder, with requests that carry secrets."""

import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SERVER = Path(__file__).resolve().parents[2] / "examples" / "python-ctypes" / "server.py"
PASSWORD, TOKEN, CARD, COOKIE = "pa55w0rd-hunter2", "eyJhbGciOi.s3cr3t.t0ken", "4111111111111111", "c00kie-s3cret"
SECRETS = [PASSWORD, TOKEN, CARD, COOKIE, "5e551d", "one for the payment provider"]


@pytest.fixture
def server(local, build):
    """The example on a free port: (process, port). Ended with the test."""
    ours = re.compile("OTEL_|MULTIPLAYER_|MPR_|.*_PROXY$", re.IGNORECASE)
    env = {name: value for name, value in os.environ.items() if not ours.match(name)}
    env.update(
        MPR_LIBRARY=str(build / "lib" / "libmpr.so.0"),
        MULTIPLAYER_API_KEY="local",
        MULTIPLAYER_BASE_API_URL=local.base,
        OTEL_EXPORTER_OTLP_ENDPOINT=local.base,
        OTEL_SERVICE_NAME="shop",
        PYTHONFAULTHANDLER="1",
    )
    process = subprocess.Popen(
        [sys.executable, SERVER, "0"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    ready, _, _ = select.select([process.stdout], [], [], 20)
    first = process.stdout.readline() if ready else ""
    found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", first)
    if not found:
        process.kill()
        raise AssertionError(first + process.communicate()[1])
    yield process, int(found[1])
    process.kill()
    process.communicate()


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_records_a_session(local, server, end):
    process, port = server
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    assert session["name"] == "python-ctypes" and session["live"]
    assert process.stdout.readline() == f"recording into {local.base}/sessions/{session['_id']}\n"

    login = json.dumps({"user": "ann", "password": PASSWORD, "card": CARD})
    json_headers = dict(Content_Type="application/json", Authorization=f"Bearer {TOKEN}", Cookie=f"sid={COOKIE}")
    assert ask(port, "POST", "/login", login, **json_headers) == (200, {"user": "ann"})
    form = f"user=ann&password={PASSWORD}"
    form_type = "application/x-www-form-urlencoded"
    assert ask(port, "POST", "/login", form, Content_Type=form_type)[0] == 500, "it is not JSON"
    assert ask(port, "GET", f"/cart?access_token={TOKEN}")[0] == 200
    assert ask(port, "GET", "/fail", Authorization=f"Basic {TOKEN}") == (500, {"error": "internal"})
    assert ask(port, "GET", "/nowhere") == (404, {"error": "no such page"})
    caller = f"debdeb{session['shortId']}{'7' * 18}", "12" * 8
    assert ask(port, "GET", "/cart", traceparent=f"00-{caller[0]}-{caller[1]}-01")[0] == 200

    process.send_signal(end)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert all('" ' in line for line in errors.splitlines()), f"only the access log: {errors}"

    recorded = local.session(session["_id"])
    assert not recorded["session"]["live"] and recorded["session"]["services"] == ["shop"]
    spans = recorded["spans"]
    assert [s["name"] for s in spans] == ["POST /login", "POST /login", "GET /cart", "GET /fail", "GET *", "GET /cart"]
    assert all(s["kind"] == "SERVER" for s in spans)
    codes = [200, 500, 200, 500, 404, 200]
    for key in ("http.status_code", "http.response.status_code"):
        assert [s["attributes"][key] for s in spans] == codes
    assert [s["status"]["code"] for s in spans] == ["ERROR" if code == 500 else "UNSET" for code in codes]

    first = spans[0]["attributes"]
    assert first["http.method"] == first["http.request.method"] == "POST" and first["http.route"] == "/login"
    body = json.loads(first["multiplayer.http.request.body"])
    assert body["user"] == "ann" and set(body) == {"user", "password", "card"}
    headers = {name.lower(): value for name, value in json.loads(first["multiplayer.http.request.headers"]).items()}
    assert headers["content-type"] == "application/json" and {"authorization", "cookie"} <= set(headers)
    assert json.loads(first["multiplayer.http.response.body"]) == {"user": "ann"}
    assert "Set-Cookie" in json.loads(first["multiplayer.http.response.headers"])
    assert "user=ann" in spans[1]["attributes"]["multiplayer.http.request.body"]

    failed = spans[3]["events"][0]["attributes"]
    assert failed["exception.type"] == "RuntimeError" and failed["exception.message"] == "the database is away"
    assert "server.py" in failed["exception.stacktrace"]
    assert (spans[5]["traceId"], spans[5]["parentSpanId"]) == caller

    # Not in the answers alone: nowhere in the recorder's files.
    kept = b"".join(file.read_bytes() for file in local.database.parent.iterdir())
    assert b"POST /login" in kept
    assert [secret for secret in SECRETS if secret.encode() in kept] == []


def test_says_what_is_wrong(build):
    """Without a recorder: one line that says so, and a status."""
    env = {**os.environ, "MPR_LIBRARY": str(build / "lib" / "libmpr.so.0"), "MULTIPLAYER_API_KEY": "local"}
    env.update(MULTIPLAYER_BASE_API_URL="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    done = subprocess.run([sys.executable, SERVER, "0"], env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and done.stderr.startswith("mpr_start: ") and done.stderr.count("\n") == 1
