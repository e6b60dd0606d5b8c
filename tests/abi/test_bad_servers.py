"""Servers that are down, refuse, lie, stall or talk nonsense: the right status, a useful message without the key, a host that
goes on, and a recorder that is stopped afterwards."""

import socket
from pathlib import Path

import pytest
from platform_server import Answer

HERE = Path(__file__).parent
KEY = "k3y-that-must-not-be-shown"
#: of one call, in tests of servers that never answer
TIMEOUT = "300"


def refused(status, message="", **more):
    return Answer(status, json={"statusCode": status, "message": message, "status": "Error"}, **more)


def session(**fields):
    """A start's answer with something wrong in it."""
    good = {"_id": "a" * 24, "shortId": "0badcafe", "url": "http://x/sessions/a"}
    return Answer(json={k: v for k, v in {**good, **fields}.items() if v is not ...})


# name: (answer, status, text of the message)
START = {
    "401": (refused(401, "Authorization failed"), "UNAUTHORIZED", "401"),
    "401 that echoes the key": (refused(401, f"no such key: {KEY}"), "UNAUTHORIZED", "API key"),
    "401 with no body": (Answer(401), "UNAUTHORIZED", "API key"),
    "403": (refused(403), "UNAUTHORIZED", "403"),
    "404 as html": (Answer(404, {"Content-Type": "text/html"}, b"Not found"), "REJECTED", "404"),
    "409": (refused(409, '"body.name" is not allowed'), "REJECTED", '"body.name" is not allowed'),
    "409 with control characters": (refused(409, "a\r\nb\x1b[31mc\0d"), "REJECTED", "409"),
    "409 with a long message": (refused(409, "x" * 100000), "REJECTED", "409"),
    "409 with a message of another type": (Answer(409, json={"message": {"a": 1}}), "REJECTED", "409"),
    "400": (refused(400), "REJECTED", "400"),
    "418": (refused(418), "REJECTED", "418"),
    "429": (refused(429, headers={"Retry-After": "1"}), "NETWORK", "429"),
    "500": (refused(500, "An error occurred. We are looking into it."), "REJECTED", "500"),
    "502": (Answer(502, body=b"<html>bad gateway"), "NETWORK", "502"),
    "503": (Answer(503, headers={"Retry-After": "3600"}), "NETWORK", "503"),
    "504": (Answer(504), "NETWORK", "504"),
    "200 that is not json": (Answer(200, {"Content-Type": "text/html"}, b"<html>Welcome"), "REJECTED", "api_base_url"),
    "200 with nothing": (Answer(200), "REJECTED", ""),
    "204": (Answer(204), "REJECTED", ""),
    "200 with cut json": (Answer(200, body=b'{"_id": "aaa'), "REJECTED", ""),
    "200 with deep json": (Answer(200, body=b"[" * 500000), "REJECTED", ""),
    "200 with an array": (Answer(json=[1]), "REJECTED", ""),
    "200 with null": (Answer(json=None, body=b"null"), "REJECTED", ""),
    "200 with invalid UTF-8": (Answer(200, body=b'{"_id": "\xff\xfe", "shortId": "0badcafe"}'), "REJECTED", ""),
    "no _id": (session(_id=...), "REJECTED", "_id"),
    "_id is a number": (session(_id=7), "REJECTED", "_id"),
    "_id is empty": (session(_id=""), "REJECTED", "_id"),
    "_id is a path": (session(_id="../../../admin"), "REJECTED", "_id"),
    "_id has a query": (session(_id="aaaaaaaa?x=1"), "REJECTED", "_id"),
    "_id has a slash": (session(_id="a/b"), "REJECTED", "_id"),
    "_id is percent-encoded": (session(_id="%2e%2e%2fadmin"), "REJECTED", "_id"),
    "_id has a line break": (session(_id="aaaa\r\nX-Evil: 1"), "REJECTED", "_id"),
    "_id is long": (session(_id="a" * 100000), "REJECTED", "_id"),
    "shortId is upper case": (session(shortId="0BADCAFE"), "REJECTED", "shortId"),
    "shortId is short": (session(shortId="0bad"), "REJECTED", "shortId"),
    "shortId is not hex": (session(shortId="../../.."), "REJECTED", "shortId"),
    "shortId is a number": (session(shortId=12345678), "REJECTED", "shortId"),
    "no shortId": (session(shortId=...), "REJECTED", "shortId"),
    "redirect": (Answer(302, {"Location": "http://127.0.0.1:9/elsewhere"}), "REJECTED", "redirect"),
    "redirect 307": (Answer(307, {"Location": "/v0/radar/other"}), "REJECTED", "redirect"),
    "garbage": (Answer(raw=b"\x00\xff\x16\x03garbage\r\n\r\n" * 50), "NETWORK", ""),
    "SSH banner": (Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n"), "NETWORK", ""),
    "endless head": (Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 1000000), "NETWORK", ""),
    "closed": (Answer(close=True), "NETWORK", ""),
    "reset": (Answer(reset=True), "NETWORK", ""),
    "cut": (Answer(json={"_id": "a" * 24, "shortId": "0badcafe"}, cut=10), "NETWORK", ""),
    "lying length": (Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n{}"), "NETWORK", ""),
    "huge": (Answer(huge=200_000_000), "REJECTED", ""),
    "huge refusal": (Answer(500, huge=200_000_000), "REJECTED", "500"),
    "never": (Answer(hang=True), "TIMEOUT", "300 ms"),
    "too late": (session().__class__(json={"_id": "a" * 24, "shortId": "0badcafe"}, delay=2), "TIMEOUT", ""),
    "slow loris": (Answer(json={"_id": "a" * 24, "shortId": "0badcafe", "name": "x" * 200}, drip=0.05), "TIMEOUT", ""),
}


@pytest.fixture
def run(compile_c, run_c):
    def run_one(what, status, message, env, limit=1500):
        done = run_c(compile_c(HERE / "servers.c"), what, f"MPR_{status}" if status in ("OK", "SKIPPED") else f"MPR_ERR_{status}",
                     message, limit, env=env, timeout=20)  # fmt: skip
        assert done.stdout == ""

    return run_one


@pytest.mark.parametrize("what", START)
def test_start(run, platform, what):
    answer, status, message = START[what]
    platform.always("start", answer)
    # A short time for those that stall only: the others must not be saved by it.
    limit = {"OTEL_EXPORTER_OTLP_TIMEOUT": TIMEOUT} if status == "TIMEOUT" else {}
    run("start", status, message, platform.env(KEY, **limit), 1500)
    # Nothing was asked in the name of an id that is none, and nobody else was called.
    assert {r.route for r in platform.requests} <= {"start", "cancel", "stop"}
    for request in platform.of("stop", "cancel"):
        assert request.id == "a" * 24
    if status in ("UNAUTHORIZED", "REJECTED", "TIMEOUT"):
        assert len(platform.of("start")) == 1  # permanent, or perhaps acted upon: not repeated


@pytest.mark.parametrize("what", ["409", "500", "never", "garbage", "_id is a path", "shortId is not hex", "204"])
def test_continuous_start(run, platform, what):
    answer, status, message = START[what]
    platform.always("continuous_start", answer)
    env = platform.env(KEY, OTEL_EXPORTER_OTLP_TIMEOUT=TIMEOUT) if status == "TIMEOUT" else platform.env(KEY)
    run("continuous", status, message, env)


@pytest.mark.parametrize("call,route", [("stop", "stop"), ("cancel", "cancel"), ("save", "save")])
@pytest.mark.parametrize("what", ["401", "409", "500", "503", "garbage", "reset", "never", "redirect"])
def test_calls_on_a_session(run, platform, call, route, what):
    answer, status, message = START[what]
    platform.always(route, answer)
    env = platform.env(KEY, OTEL_EXPORTER_OTLP_TIMEOUT=TIMEOUT) if status == "TIMEOUT" else platform.env(KEY)
    run(call, status, message, env)


@pytest.mark.parametrize("call,route", [("stop", "stop"), ("cancel", "cancel")])
def test_a_session_that_is_gone(run, platform, call, route):
    """404: the platform ended it by itself; stopped is what was wanted."""
    platform.always(route, refused(404, "Debug-Session not found"))
    run(call, "OK", "", platform.env(KEY))


@pytest.mark.parametrize("what", ["409", "500", "404 as html", "200 that is not json", "200 with an array", "204", "never"])
def test_check_takes_no_refusal_as_yes(run, platform, what):
    """A 500 is how the platform answers a condition on an attribute that was not sent: an ordinary no."""
    platform.always("check", START[what][0])
    status = {"500": "SKIPPED", "never": "TIMEOUT"}.get(what, "REJECTED")
    run("check", status, "", platform.env(KEY, OTEL_EXPORTER_OTLP_TIMEOUT=TIMEOUT))
    assert not platform.of("start", "continuous_start")


@pytest.mark.parametrize("what", ["401", "503", "500", "garbage", "reset", "never", "redirect"])
def test_the_intake(run, platform, what):
    """What cannot be delivered is dropped and counted, or kept; the flush says which, in time."""
    platform.always("traces", START[what][0])
    gone = what in ("401", "redirect")  # refused for good: nothing is left to wait for
    run("traces", "OK" if gone else "TIMEOUT", "", platform.env(KEY, OTEL_EXPORTER_OTLP_TIMEOUT=TIMEOUT), 2500)


def test_down(run, platform):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        run("start", "NETWORK", "127.0.0.1", platform.env(KEY, MULTIPLAYER_BASE_API_URL=url), 2000)


def test_no_such_host(run, platform):
    run("start", "NETWORK", "host.invalid", platform.env(KEY, MULTIPLAYER_BASE_API_URL="http://host.invalid:1"), 12000)


def test_a_listener_that_never_accepts(run, platform):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        url = f"http://user:p4ss@127.0.0.1:{deaf.getsockname()[1]}"
        env = platform.env(KEY, MULTIPLAYER_BASE_API_URL=url, OTEL_EXPORTER_OTLP_TIMEOUT=TIMEOUT)
        run("start", "TIMEOUT", "300 ms", env)


def test_tls_that_is_none(run, platform):
    url = platform.url.replace("http:", "https:")
    run("start", "NETWORK", "", platform.env(KEY, MULTIPLAYER_BASE_API_URL=url), 5000)
