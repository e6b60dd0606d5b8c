"""Who gets in: a token where others than this machine could, one-time addresses, cookies."""

import json
import socket
import subprocess

import grpc
import local_recorder as c
import pytest
from local_recorder import expect, run_command

TOKEN = "geheim-123"


@pytest.fixture
def guarded(start):
    return start("--token", TOKEN)


def ticket(local):
    for line in local.process.stdout:
        if "sessions are shown at" in line:
            return line.rsplit("?token=", 1)[1].strip()
    raise AssertionError("no address")


def test_the_page_opens_once_by_its_address(guarded):
    assert expect(401, guarded.request("GET", "/")).text.startswith("This recorder needs a token")
    for path in ("/api/sessions", "/assets/app.js", "/sessions/x", "/api/stats", "/nothing"):
        assert guarded.request("GET", path).status == 401, path
    once = ticket(guarded)
    assert once != TOKEN
    opened = expect(303, guarded.request("GET", f"/?token={once}"))
    assert opened.headers["Location"] == "/"
    cookie = opened.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
    value = cookie.split(";")[0]
    for path in ("/", "/assets/app.js", "/api/sessions"):
        expect(200, guarded.request("GET", path, headers={"Cookie": f"a=b; {value}"}))
    # Neither twice, nor with the token itself, nor with a cookie that was made up.
    for path in (f"/?token={once}", f"/?token={TOKEN}", "/?token="):
        assert guarded.request("GET", path).status == 401
    assert guarded.request("GET", "/api/sessions", headers={"Cookie": "mpr_local=x"}).status == 401


def test_clients_need_the_token_as_their_key(guarded):
    assert guarded.api("POST", "/debug-sessions/start", {}).json["message"] == "Authorization failed"
    session = expect(200, guarded.api("POST", "/debug-sessions/start", {}, key=TOKEN)).json
    body = c.traces(c.span(c.manual(session), "in"))
    assert guarded.otlp("/v1/traces", body).status == 401
    expect(200, guarded.otlp("/v1/traces", body, headers={"Authorization": TOKEN}))
    for key, code in ((TOKEN, None), ("local", "UNAUTHENTICATED")):
        with grpc.insecure_channel(f"127.0.0.1:{guarded.port}") as channel:
            call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            try:
                call(b"", metadata=[("authorization", key)], timeout=10)
                assert code is None
            except grpc.RpcError as e:
                assert e.code().name == code
    # Scripts may say it, too.
    for headers in ({"X-Api-Key": TOKEN}, {"Authorization": f"Bearer {TOKEN}"}):
        reply = expect(200, guarded.request("GET", f"/api/sessions/{session['_id']}", headers=headers))
        assert [s["name"] for s in reply.json["spans"]] == ["in"]
    link = run_command("link", "--url", guarded.base, "--token", TOKEN)
    assert link.returncode == 0, link.stderr
    path = link.stdout.strip().removeprefix(guarded.base)
    expect(303, guarded.request("GET", path))
    assert run_command("link", "--url", guarded.base).returncode == 1


def test_hosts_and_origins_stay_checked(guarded):
    key = {"X-Api-Key": TOKEN}
    assert guarded.request("GET", "/api/sessions", headers={**key, "Host": "evil.example"}).status == 403
    assert guarded.request("GET", "/api/sessions", headers={**key, "Origin": "http://evil.example"}).status == 403
    reply = expect(200, guarded.request("GET", "/api/sessions", headers={**key, "Origin": guarded.base}))
    assert "Access-Control-Allow-Origin" not in reply.headers and reply.headers["Content-Security-Policy"]


def test_other_addresses_only_with_a_token(tmp_path):
    process = subprocess.Popen(
        [c.BINARY, "--listen", "0.0.0.0", "--port", "0", "--db", str(tmp_path / "d" / "x.sqlite"), "--allow-host", "box"],
        stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        local = c.Local(process, int(process.stdout.readline().rsplit(":", 1)[1]), None)
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("export MULTIPLAYER_API_KEY="):
                break
        token = lines[-1].split("=", 1)[1]
        assert len(token) == 32 and any("?token=" in line for line in lines)
        assert local.request("GET", "/api/sessions").status == 401
        key = {"X-Api-Key": token}
        for host in (f"10.1.2.3:{local.port}", f"box:{local.port}", f"[::1]:{local.port}"):
            expect(200, local.request("GET", "/api/sessions", headers={**key, "Host": host}))
        assert local.request("GET", "/api/sessions", headers={**key, "Host": f"evil.example:{local.port}"}).status == 403
        # An address is no proof of an origin: anybody has one.
        foreign = {**key, "Origin": f"http://6.6.6.6:{local.port}"}
        assert local.request("GET", "/api/sessions", headers=foreign).status == 403
        with socket.create_connection(("127.0.0.1", local.port)):
            pass
        assert json.loads(local.request("GET", "/api/sessions", headers=key).text) == {"sessions": [], "next": None}
    finally:
        process.kill()
        process.wait()


def test_tokens_that_cannot_be_sent():
    for token in ("", "a b", "ä"):
        done = run_command("serve", "--port", "0", "--token", token)
        assert done.returncode == 1 and "--token" in done.stderr
