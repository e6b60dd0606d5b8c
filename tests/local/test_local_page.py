"""The page, its API, and who may reach them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import local_recorder as c
import pytest
from local_recorder import expect

EVERY_PATH = [
    "/", "/compare", "/health", "/assets/app.js", "/assets/style.css", "/assets/icon.svg", "/assets/nothing", "/sessions/abcdabcd", "/api/sessions", "/api/sessions/abcdabcd",
    "/api/sessions/abcdabcd/export", "/api/stats", "/api/remote-check", "/nothing", "/v1/traces", "/v1/metrics",
    "/v0/radar/debug-sessions/abcdabcd", "/v0/radar/nothing",
]  # fmt: skip


# ---- who may reach it ------------------------------------------------------------------


@pytest.mark.parametrize("path", EVERY_PATH)
def test_other_hosts_and_origins_are_refused(local, path):
    for headers in (
        {"Host": "evil.example"},
        {"Host": f"evil.example:{local.port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ):
        reply = expect(403, local.request("GET", path, headers=headers))
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_hosts(local):
    port = local.port
    own = ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"]
    good = [f"{name}{tail}" for name in own for tail in ("", f":{port}")]
    bad = [
        "", ":", f":{port}", "127.0.0.1:1", "localhost:", f"localhost:{port}:", f"localhost:0{port}",
        f"localhost.:{port}", f"x@localhost:{port}", f"localhost:{port}@x", f"127.0.0.1.evil.example:{port}",
        "127.0.0.2", "0.0.0.0", "127.1", "2130706433", "::1", f"localhost:{port}/x", "evil.example",
    ]  # fmt: skip
    for host in good:
        expect(200, local.request("GET", "/api/stats", headers={"Host": host}))
    for host in bad:
        assert local.request("GET", "/api/stats", headers={"Host": host}).status in (400, 403), host


def test_hosts_as_no_client_sends_them(local):
    answer = lambda *lines: local.raw(lines).split("\r\n")[0]
    assert "403" in answer("GET / HTTP/1.0")
    assert "403" in answer("GET / HTTP/1.1", "Host: localhost", "Host: evil.example")
    assert "403" in answer(f"GET http://evil.example:{local.port}/ HTTP/1.1", "Host: localhost")
    assert "200" in answer(f"GET http://localhost:{local.port}/ HTTP/1.1", "Host: localhost")
    two = ("Origin: http://localhost", "Origin: http://evil.example")
    assert "403" in answer("GET / HTTP/1.1", "Host: localhost", *two)


def test_origins(local):
    port = local.port
    for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}", f"http://[::1]:{port}"):
        expect(200, local.request("GET", "/api/stats", headers={"Origin": origin}))
    for origin in (
        f"https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://evil.example", "null", "", "file://",
        f"http://localhost:{port}.evil.example", f"http://localhost:{port}/",
    ):  # fmt: skip
        expect(403, local.request("GET", "/api/stats", headers={"Origin": origin}))
        expect(403, local.api("POST", "/debug-sessions/start", {}, headers={"Origin": origin}))
        expect(403, local.otlp("/v1/traces", b"{}", headers={"Origin": origin}))


@pytest.mark.parametrize("path", EVERY_PATH)
def test_headers_of_every_answer(local, path):
    headers = local.request("GET", path).headers
    policy = headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"):
        assert part in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_a_preflight_is_not_answered(local):
    headers = {"Origin": f"http://localhost:{local.port}", "Access-Control-Request-Method": "PUT"}
    reply = local.request("OPTIONS", "/api/remote-check", headers=headers)
    assert reply.status == 405 and "Access-Control-Allow-Origin" not in reply.headers


SOURCES = Path(__file__).resolve().parents[2] / "local" / "src" / "page"
SCRIPTS = sorted(SOURCES.glob("*.js"))


def test_the_page_is_whole_and_has_nothing_inline(local):
    page = expect(200, local.request("GET", "/"))
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for address in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        expect(200, local.request("GET", address))
    assert not re.search(r"<script>|<style|\son\w+=|style=|https?:", page.text)
    session = local.start()
    for address in (f"/sessions/{session['_id']}", f"/sessions/{session['shortId']}", "/compare", "/health"):
        assert local.request("GET", address).text == page.text
    expect(404, local.request("GET", "/sessions/unknown"))
    expect(404, local.request("GET", "/assets/../index.html"))


def test_every_file_of_the_page_is_served_as_it_is(local):
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}
    for file in SOURCES.rglob("*.*"):
        if file.name != "index.html":
            reply = expect(200, local.request("GET", f"/assets/{file.relative_to(SOURCES)}"))
            assert reply.body == file.read_bytes() and reply.headers["Content-Type"].startswith(types[file.suffix])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.name)
def test_scripts_make_text_only_and_come_from_here(script):
    text = script.read_text()
    for danger in ("innerHTML", "InnerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "http:", "https:", "srcdoc", "DOMParser"):
        assert danger not in text, danger
    for address in re.findall(r'from "([^"]+)"', text):
        assert address.startswith("./") and (SOURCES / address).exists()
    # What is in an address of the page's is one of our own routes.
    for href in re.findall(r"(?:href|src)=\$\{([^}]*)", text):
        assert re.match(r"`/|api\.", href), href


def test_the_libraries_are_those_of_npm():
    """Those of the page that are not ours, and their licences: python3 tools/page_vendor.py writes them."""
    done = subprocess.run([sys.executable, "tools/page_vendor.py", "--check"], cwd=SOURCES.parents[2], capture_output=True, text=True)
    if done.returncode == 2:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_picture_in_the_readme_is_of_this_page():
    done = subprocess.run([sys.executable, "tools/picture.py", "--check", "docs/session.png"], cwd=SOURCES.parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- its API ---------------------------------------------------------------------------


def test_list(local):
    assert local.request("GET", "/api/sessions").json == {"sessions": [], "next": None}
    first, second = local.start(name="first"), local.start_continuous(name="second")
    local.send_spans(c.span(c.manual(first), status={"code": 2}), c.span(c.manual(first)))
    local.send_logs(c.record(c.manual(first)), resource={"service.name": "other"})
    sessions = {s["name"]: s for s in local.request("GET", "/api/sessions").json["sessions"]}
    assert set(sessions) == {"first", "second"}
    one, two = sessions["first"], sessions["second"]
    assert one["counts"] == {"spans": 2, "errors": 1, "logs": 1, "traces": 1} and one["services"] == ["other", "shop"]
    assert (one["kind"], one["live"], one["url"]) == ("manual", True, first["url"])
    assert (two["kind"], two["live"], two["_id"], two["sessionType"]) == ("continuous", True, second["_id"], "CONTINUOUS")


def test_a_session_by_either_id(local):
    session = local.start(name="x")
    local.send_spans(c.span(c.manual(session)))
    whole = local.session(session["_id"])
    assert whole == local.session(session["shortId"])
    assert set(whole) == {"session", "spans", "logs"}
    assert whole["session"]["_id"] == session["_id"] and "tempApiKey" not in whole["session"]
    for id in ("unknown", "a" * 24, "a" * 8):
        expect(404, local.request("GET", f"/api/sessions/{id}"))


def test_what_is_known_is_not_sent_again(local):
    session = local.start()
    path = f"/api/sessions/{session['_id']}"
    get = lambda tag: local.request("GET", path, headers={"If-None-Match": tag})
    tag = local.request("GET", path).headers["ETag"]
    assert get(tag).status == 304
    for change in (
        lambda: local.send_spans(c.span(c.manual(session))),
        lambda: local.send_logs(c.record(c.manual(session))),
        lambda: local.api("PATCH", f"/debug-sessions/{session['_id']}", {"name": "new"}),
        lambda: local.api("PATCH", f"/debug-sessions/{session['_id']}/stop"),
    ):
        change()
        reply = expect(200, get(tag))
        assert reply.headers["ETag"] != tag
        tag = reply.headers["ETag"]
        assert get(tag).status == 304


def test_export(local):
    session = local.start(name="x")
    local.send_spans(c.span(c.manual(session)))
    reply = expect(200, local.request("GET", f"/api/sessions/{session['shortId']}/export"))
    assert reply.headers["Content-Disposition"] == f'attachment; filename="session-{session["_id"]}.json"'
    assert reply.json == local.session(session["_id"])
    expect(404, local.request("GET", "/api/sessions/unknown/export"))


SCRIPT = "<script>alert(1)</script>\x1b[31m\u202e"


def hostile(local):
    session = local.start(
        name=SCRIPT,
        tags=[{"key": SCRIPT, "value": SCRIPT}],
        sessionAttributes={SCRIPT: SCRIPT},
        resourceAttributes={SCRIPT: SCRIPT},
        userAttributes={"type": "USER", "name": SCRIPT},
    )
    trace = c.manual(session)
    text = {SCRIPT: SCRIPT, "multiplayer.http.request.body": SCRIPT, "multiplayer.http.response.headers": SCRIPT}
    event = {"name": SCRIPT, "timeUnixNano": "1", "attributes": c.attributes({"exception.message": SCRIPT})}
    local.send_spans(
        c.span(trace, SCRIPT, attributes=c.attributes(text), events=[event], status={"code": 2, "message": SCRIPT}),
        resource={"service.name": SCRIPT},
    )
    local.send_logs(
        c.record(trace, SCRIPT, severityText=SCRIPT, attributes=c.attributes({SCRIPT: SCRIPT})),
        resource={"service.name": SCRIPT},
    )
    return session


def test_hostile_content_stays_data(local):
    session = hostile(local)
    reply = local.request("GET", f"/api/sessions/{session['_id']}")
    # JSON that no browser takes for a page, and as it came.
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    whole = reply.json
    [span], [log] = whole["spans"], whole["logs"]
    for value in (
        whole["session"]["name"], whole["session"]["sessionAttributes"][SCRIPT], span["name"], span["service"],
        span["attributes"][SCRIPT], span["events"][0]["name"], span["status"]["message"], log["body"],
        log["severityText"], log["attributes"][SCRIPT],
    ):  # fmt: skip
        assert value == SCRIPT
    assert "alert(1)" not in local.request("GET", f"/sessions/{session['_id']}").text
    assert "alert(1)" not in json.dumps(local.stats)
    expect(409, local.api("POST", "/debug-sessions/start", {SCRIPT: 1}))


def test_a_hostile_session_in_the_terminal(local):
    session = hostile(local)
    shown = c.run_command("show", session["_id"], "--db", str(local.database)).stdout
    listed = c.run_command("list", "--db", str(local.database)).stdout
    for text in (shown, listed):
        assert "<script>alert(1)</script>[31m" in text
        assert "\x1b" not in text and "\u202e" not in text
