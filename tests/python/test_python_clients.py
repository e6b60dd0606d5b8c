"""Requests that a service makes: requests, httpx and aiohttp with OpenTelemetry's instrumentations and our hooks."""

import http.server
import json
import threading

import pytest

SCRIPT = """
import asyncio
from opentelemetry import trace
from multiplayer.session_recorder import configure_opentelemetry
from multiplayer.session_recorder.clients import aiohttp_hooks, httpx_hooks, requests_hooks
session_recorder.init(); session_recorder.start()
tracer = configure_opentelemetry().get_tracer("t")
url, which = sys.argv[1:]
headers = {"Authorization": "Bearer s3cret-header"}
body = {"user": "ann", "password": "hunter2"}
if which == "requests":
    import requests
    from opentelemetry.instrumentation.requests import RequestsInstrumentor
    RequestsInstrumentor().instrument(**requests_hooks())
    answer = requests.post(url, json=body, headers=headers)
    streamed = requests.post(url, data=iter([b'{"user": "ann"}']), headers=headers, stream=True)
    assert answer.json() == json.loads(streamed.raw.read()) == {"user": "ann", "token": "s3cret-answer"}
elif which == "httpx":
    import httpx
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    HTTPXClientInstrumentor().instrument(**httpx_hooks())
    answer = httpx.post(url, json=body, headers=headers)
    async def ask():
        async with httpx.AsyncClient() as client: return await client.post(url, json=body, headers=headers)
    assert answer.json() == asyncio.run(ask()).json() == {"user": "ann", "token": "s3cret-answer"}
else:
    import aiohttp
    from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
    AioHttpClientInstrumentor().instrument(**aiohttp_hooks())
    async def ask():
        async with aiohttp.ClientSession() as client:
            async with client.post(url, json=body, headers=headers) as answer: return await answer.json(content_type=None)
    assert asyncio.run(ask()) == {"user": "ann", "token": "s3cret-answer"}
session_recorder.stop()
# A trace of no session.
if which == "requests": requests.get(url)
session_recorder.shutdown()
"""


@pytest.fixture
def echo():
    """A server that answers a token."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            if self.headers.get("Transfer-Encoding"):
                while int(self.rfile.readline(), 16):
                    self.rfile.readline()
                self.rfile.readline()
            else:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.dumps({"user": "ann", "token": "s3cret-answer"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("which", ["requests", "httpx", "aiohttp"])
def test_client(run_python, local, echo, which):
    run_python(SCRIPT, echo, which, to=local, PYTHONWARNINGS="ignore")
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    spans = local.session(session["_id"])["spans"]
    assert len(spans) == {"requests": 2, "httpx": 2, "aiohttp": 1}[which] and all(s["kind"] == "CLIENT" for s in spans)
    first = spans[0]["attributes"]
    headers = {k.lower(): v for k, v in json.loads(first["multiplayer.http.request.headers"]).items()}
    assert headers["authorization"] == "***MASKED***"
    if which != "aiohttp":
        assert json.loads(first["multiplayer.http.request.body"]) == {"user": "ann", "password": "***MASKED***"}
    answered = first["multiplayer.http.response.body"]
    if which == "requests":
        assert json.loads(answered) == {"user": "ann", "token": "***MASKED***"}
        streamed = spans[1]["attributes"]
        assert "not captured: streamed" in streamed["multiplayer.http.request.body"]
        assert "not captured: streamed" in streamed["multiplayer.http.response.body"]
    else:
        assert answered == "[application/json, not captured: read later]"
    kept = b"".join(file.read_bytes() for file in local.database.parent.iterdir())
    assert not [s for s in (b"hunter2", b"s3cret-header", b"s3cret-answer") if s in kept]
