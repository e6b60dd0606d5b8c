"""Real servers: Flask and Django under gunicorn (several workers, forked before and after the application is loaded) and
uWSGI, FastAPI and Django under uvicorn. Real clients during a session; the local recorder must hold every request's span
with masked content, ids unique across workers, and none lost when workers are restarted."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from python_package import OLDEST, python_env
from local_recorder import until

BIN = Path(sys.executable).parent

FLASK = """
import os
from flask import Flask, Response, request
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from multiplayer.session_recorder import configure_opentelemetry, create_flask_middleware, session_recorder

session_recorder.init({"resourceAttributes": {"serviceName": "shop"}})
if os.environ.get("SESSION") == "start":
    session_recorder.start("PLAIN", {"name": "of the master"})
configure_opentelemetry()
app = Flask(__name__)
FlaskInstrumentor().instrument_app(app)
before, after = create_flask_middleware({"maskBodyFieldsList": ["zonk"]})
app.before_request(before); app.after_request(after)

@app.post("/login")
def login():
    given = request.get_json()
    return {"user": given["user"], "token": "s3cret-answer", "pid": os.getpid()}

@app.get("/stream")
def stream():
    return Response(("data: %d\\n\\n" % n for n in range(3)), mimetype="text/event-stream")
"""

DJANGO = """
import os
from django.conf import settings
from multiplayer.session_recorder import DjangoOtelHttpPayloadRecorderMiddleware, configure_opentelemetry, session_recorder

session_recorder.init({"resourceAttributes": {"serviceName": "shop"}})
if os.environ.get("SESSION") == "start":
    session_recorder.start("PLAIN", {"name": "of the master"})
configure_opentelemetry()
os.environ["DJANGO_SETTINGS_MODULE"] = __name__
ROOT_URLCONF = __name__
SECRET_KEY, ALLOWED_HOSTS, DEBUG = "x", ["*"], False
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    # As the document has it: the middleware with its options, where Django wants a dotted path.
    DjangoOtelHttpPayloadRecorderMiddleware({
        "captureBody": True,
        "captureHeaders": True,
        "maxPayloadSizeBytes": 10000,
        "isMaskBodyEnabled": True,
        "maskBodyFieldsList": ["password", "token", "zonk"],
        "isMaskHeadersEnabled": True,
        "maskHeadersList": ["authorization"],
    }),
]
import json, sys
from opentelemetry.instrumentation.django import DjangoInstrumentor
DjangoInstrumentor().instrument()
from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path

def login(request):
    return JsonResponse({"user": json.loads(request.body)["user"], "token": "s3cret-answer", "pid": os.getpid()})

async def alogin(request):
    return login(request)

def stream(request):
    return StreamingHttpResponse(("data: %d\\n\\n" % n for n in range(3)), content_type="text/event-stream")

urlpatterns = [path("login", login), path("alogin", alogin), path("stream", stream)]
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
app = get_asgi_application() if os.environ.get("ASGI") else get_wsgi_application()
"""

FASTAPI = """
import os
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from multiplayer.session_recorder import SessionRecorderASGIMiddleware, configure_opentelemetry, session_recorder

session_recorder.init({"resourceAttributes": {"serviceName": "shop"}})
configure_opentelemetry()

@asynccontextmanager
async def lifespan(app):
    if os.environ.get("SESSION") == "start":
        await session_recorder.start("PLAIN", {"name": "of the loop"})
    yield
    if os.environ.get("SESSION") == "start":
        await session_recorder.stop()

app = FastAPI(lifespan=lifespan)
app.add_middleware(SessionRecorderASGIMiddleware, maskBodyFieldsList=["zonk"])
FastAPIInstrumentor.instrument_app(app)

@app.post("/login")
async def login(given: dict):
    return {"user": given["user"], "token": "s3cret-answer", "pid": os.getpid()}

@app.get("/stream")
async def stream():
    async def chunks():
        for n in range(3):
            yield "data: %d\\n\\n" % n
    return StreamingResponse(chunks(), media_type="text/event-stream")
"""

SECRETS = [b"hunter2", b"s3cret-answer", b"s3cret-header", b"z0nk-s3cret"]


class Server:
    def __init__(self, process, port, log):
        self.process, self.port, self.log = process, port, log

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def login(self, number, traceparent=None, path="/login"):
        body = json.dumps({"user": f"user-{number}", "password": "hunter2", "zonk": "z0nk-s3cret"})
        headers = {"Content-Type": "application/json", "Authorization": "Bearer s3cret-header"}
        if traceparent:
            headers["traceparent"] = traceparent
        status, answer = self.ask("POST", path, body, headers)
        assert status == 200, (status, answer, self.log.read_text()[-3000:])
        return json.loads(answer)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(self.log.read_text()[-3000:]) from None


@pytest.fixture
def serve(build, local, tmp_path):
    """serve(app, command, ...) → a Server that answers. {port} in the command is a free port; app.py is in its folder."""
    started = []

    def start(source, command, **environment):
        (tmp_path / "app.py").write_text(source)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        env = python_env(build, local, **environment)
        env["PYTHONPATH"] += os.pathsep + str(tmp_path)
        log = tmp_path / "server.log"
        with open(log, "w") as out:
            process = subprocess.Popen(
                [part.replace("{port}", str(port)) for part in command], env=env, cwd=tmp_path, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        server = Server(process, port, log)
        started.append(server)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return server
            except OSError:
                assert time.monotonic() < deadline and process.poll() is None, log.read_text()[-3000:]
                time.sleep(0.05)

    yield start
    for server in started:
        if server.process.poll() is None:
            try:
                os.killpg(server.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            server.process.wait(10)


def gunicorn(*more, python=None, workers=3):
    return [str(python or sys.executable), "-m", "gunicorn.app.wsgiapp", "app:app", "-b", "127.0.0.1:{port}",
            "-w", str(workers), "--graceful-timeout", "15", *more]  # fmt: skip


def caller(short, number):
    """The traceparent of a client that records, as the browser's recorder sends it."""
    return f"00-debdeb{short}{number:018x}-{number + 1:016x}-01"


def check(local, session, numbers, path="/login", streams=0):
    """Every request of `numbers` has one server span with its content, masked; all ids differ."""
    everything = local.session(session)
    spans = [s for s in everything["spans"] if s["kind"] == "SERVER"]
    ids = [s["spanId"] for s in everything["spans"]]
    assert len(set(ids)) == len(ids)
    logins = [s for s in spans if path.strip("/") in s["name"]]
    users = []
    for span in logins:
        found = span["attributes"]
        body, answer = (json.loads(found[f"multiplayer.http.{which}.body"]) for which in ("request", "response"))
        assert body["password"] == body["zonk"] == answer["token"] == "***MASKED***" and answer["user"] == body["user"]
        headers = {k.lower(): v for k, v in json.loads(found["multiplayer.http.request.headers"]).items()}
        assert headers["authorization"] == "***MASKED***" and "multiplayer.http.response.headers" in found
        users.append(body["user"])
    wanted = sorted(f"user-{n}" for n in numbers)
    assert sorted(users) == wanted, f"{len(users)} of {len(wanted)}: {everything}"[:3000]
    assert len([s for s in spans if "stream" in s["name"]]) == streams
    kept = b"".join(file.read_bytes() for file in local.database.parent.iterdir())
    assert [secret for secret in SECRETS if secret in kept] == []
    return spans


def crowd(server, numbers, ask):
    """Asks from several threads; the pids that answered."""
    failures, pids, left, lock = [], set(), list(numbers), threading.Lock()

    def work():
        while True:
            with lock:
                if not left:
                    return
                number = left.pop()
            try:
                answer = ask(number)
                with lock:
                    pids.add(answer["pid"])
            except Exception as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    return pids


def until_two_answer(server, ask):
    """Asks until more than one worker has answered: the others may not be up yet. The numbers that were asked."""
    pids, asked = set(), 0
    while asked < 60 or (len(pids) < 2 and asked < 6_000):
        pids |= crowd(server, range(asked, asked + 60), ask)
        asked += 60
    assert len(pids) > 1, "the workers take turns"
    return range(asked)


@pytest.mark.parametrize("source", [FLASK, DJANGO], ids=["flask", "django"])
@pytest.mark.parametrize("load", ["in workers", "preload"])
def test_gunicorn(serve, local, source, load):
    """The session is a client's, whose traceparent tells; preloaded, it is the master's, which the workers go on with."""
    if load == "preload":
        server = serve(source, gunicorn("--preload"), SESSION="start")
        (session,) = local.request("GET", "/api/sessions").json["sessions"]
        asked = until_two_answer(server, server.login)
    else:
        server = serve(source, gunicorn())
        session = local.start(name="of the client")
        asked = until_two_answer(server, lambda n: server.login(n, caller(session["shortId"], n)))
        server.login("outside")  # a trace of no session
        assert server.ask("GET", "/stream", headers={"traceparent": caller(session["shortId"], 90_000)}) == (
            200, b"data: 0\n\ndata: 1\n\ndata: 2\n\n",
        )  # fmt: skip
    server.end()
    spans = check(local, session["_id"], asked, streams=int(load != "preload"))
    assert len({s["traceId"] for s in spans}) == len(spans)
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-3000:]


def test_gunicorn_restarts_workers(serve, local):
    """Restarted while requests run: each request that was answered is recorded."""
    server = serve(FLASK, gunicorn(workers=2))
    session = local.start(name="restarted")
    counter, done, stop = iter(range(10_000)), [], threading.Event()
    lock = threading.Lock()

    failures = []

    def work():
        try:
            turns()
        except Exception as error:
            failures.append(repr(error))

    def turns():
        while not stop.is_set():
            with lock:
                number = next(counter)
            try:
                server.login(number, caller(session["shortId"], number))
            except (OSError, http.client.HTTPException):
                continue  # the connection was in the queue of a worker that went
            done.append(number)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(1, 3):
        until(lambda: len(done) >= turn * 15 or failures)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.log.read_text().count("Booting worker") >= 2 + 2 * turn)
        # The workers before are gone.
        until(lambda: server.log.read_text().count("Worker exiting") >= 2 * turn)
    enough = len(done) + 15
    until(lambda: len(done) >= enough or failures)
    stop.set()
    for thread in threads:
        thread.join()
    server.end()
    everything = local.session(session["_id"])
    recorded = {json.loads(s["attributes"]["multiplayer.http.request.body"])["user"] for s in everything["spans"] if s["kind"] == "SERVER"}
    lost = [n for n in done if f"user-{n}" not in recorded]
    assert not failures, failures
    assert len(done) > 30 and not lost, f"{len(lost)} of {len(done)} lost"
    assert server.log.read_text().count("Booting worker") >= 6


@pytest.mark.skipif(not (BIN / "uwsgi").exists(), reason="uWSGI cannot be built here")
def test_uwsgi(serve, local):
    """It forks after the application is loaded."""
    command = [str(BIN / "uwsgi"), "--http-socket", "127.0.0.1:{port}", "--module", "app:app", "--master", "--processes", "3",
               "--need-app", "--die-on-term", "--pythonpath", "."]  # fmt: skip
    server = serve(FLASK, command, VIRTUAL_ENV=str(BIN.parent))
    session = local.start(name="uwsgi")
    crowd(server, range(40), lambda n: server.login(n, caller(session["shortId"], n)))
    # A graceful restart. (Its ends by signals are none: they kill workers that are delivering, too.)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log.read_text().count("spawned uWSGI worker 3") == 2)
    server.login(40, caller(session["shortId"], 40))
    until(lambda: len(local.session(session["_id"])["spans"]) >= 41)
    server.end()
    check(local, session["_id"], range(41))


def test_uvicorn_with_fastapi(serve, local):
    """Started and stopped with await inside its loop; streams in full."""
    server = serve(FASTAPI, [sys.executable, "-m", "uvicorn", "app:app", "--port", "{port}", "--log-level", "warning"], SESSION="start")
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    crowd(server, range(40), server.login)
    assert server.ask("GET", "/stream") == (200, b"data: 0\n\ndata: 1\n\ndata: 2\n\n")
    server.end()
    spans = check(local, session["_id"], range(40), streams=1)
    (stream,) = [s for s in spans if "stream" in s["name"]]
    assert stream["attributes"]["multiplayer.http.response.body"] == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert not local.session(session["_id"])["session"]["live"]
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("path", ["/login", "/alogin"], ids=["sync view", "async view"])
def test_django_under_asgi(serve, local, path):
    server = serve(DJANGO, [sys.executable, "-m", "uvicorn", "app:app", "--port", "{port}", "--log-level", "warning"], ASGI="1")
    session = local.start(name="asgi")
    crowd(server, range(10), lambda n: server.login(n, caller(session["shortId"], n), path))
    # Django has no lifespan, and uvicorn ends by a signal: what is delivered is delivered before.
    until(lambda: len(local.session(session["_id"])["spans"]) >= 10)
    server.end()
    check(local, session["_id"], range(10), path)


@pytest.mark.skipif(not OLDEST.exists(), reason="the venv with the oldest OpenTelemetry is not there: make venv")
@pytest.mark.parametrize("source", [FLASK, DJANGO], ids=["flask", "django"])
def test_oldest(serve, local, source):
    """The same with the oldest OpenTelemetry and the frameworks of its time, under the server that they bring."""
    program = """
import signal, threading
from wsgiref.simple_server import make_server
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
from app import app
server = make_server("127.0.0.1", {port}, app)
threading.Thread(target=server.serve_forever).start()
signal.sigwait([signal.SIGTERM])
server.shutdown()
"""
    server = serve(source, [str(OLDEST), "-c", program], SESSION="start")
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    for number in range(5):
        server.login(number)
    server.end()
    check(local, session["_id"], range(5))


def test_the_page_of_the_docs(serve, local):
    """docs/python.md's Flask application, started and asked as it says."""
    import re

    from python_package import ROOT

    (source, *_) = re.findall(r"```python\n(# app\.py.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)
    server = serve(source, [sys.executable, "-m", "flask", "--app", "app", "run", "--port", "{port}"])
    status, started = server.ask("POST", "/recording/start")
    assert status == 200 and json.loads(started)["url"].startswith(local.base)
    server.login(1)
    assert server.ask("POST", "/recording/stop") == (200, b"{}\n")
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    spans = {s["name"]: s["attributes"] for s in local.session(session["_id"])["spans"]}
    assert json.loads(spans["POST /login"]["multiplayer.http.request.body"])["password"] == "***MASKED***"
    assert not session["live"]
