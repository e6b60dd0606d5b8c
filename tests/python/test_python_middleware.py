"""The middlewares, in the process of the test's script: what is captured and masked, and what passes untouched."""

import json

import pytest

WSGI = """
import io
from opentelemetry import trace
from multiplayer.session_recorder import SessionRecorderWSGIMiddleware, SessionRecorderASGIMiddleware, configure_opentelemetry

def ask(app, method="GET", path="/", body=b"", headers=(), **more):
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "here", "SERVER_PORT": "80",
               "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)),
               **{"HTTP_" + n.upper().replace("-", "_"): v for n, v in headers}, **more}
    said = []
    def start(status, headers, exc_info=None):
        said.append(status)
        return said.append
    answer = app(environ, start)
    try:
        return said, b"".join(answer)
    finally:
        getattr(answer, "close", lambda: None)()

JSON = ("CONTENT_TYPE", "application/json")

def plain(environ, start):
    given = json.loads(environ["wsgi.input"].read() or b"{}")
    start("200 OK", [("Content-Type", "application/json"), ("Set-Cookie", "sid=c00kie")])
    return [json.dumps({"user": given.get("user"), "token": "s3cret-answer", "zonk": "z0nk", "note": "fine"}).encode()]
"""


def one(local):
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    return local.session(session["_id"])


def content(span):
    return {key.replace("multiplayer.http.", ""): value for key, value in span["attributes"].items() if "multiplayer.http" in key}


SECRETS = [b"hunter2", b"s3cret-header", b"s3cret-answer", b"c00kie"]


def kept(local):
    return b"".join(file.read_bytes() for file in local.database.parent.iterdir())


@pytest.mark.parametrize("tracing", ["opentelemetry", "own"])
def test_wsgi(run_python, local, tracing):
    """With OpenTelemetry's span and with one of the recorder's own."""
    run_python(
        WSGI
        + """
session_recorder.init()
app = SessionRecorderWSGIMiddleware(plain)
if sys.argv[1] == "opentelemetry":
    tracer = configure_opentelemetry().get_tracer("t")
    inner = app
    def app(environ, start):
        with tracer.start_as_current_span("POST /login", kind=trace.SpanKind.SERVER): return inner(environ, start)
before = ask(app, "POST", "/login", b'{"user": "no"}')
session_recorder.start()
said, body = ask(app, "POST", "/login", b'{"user": "ann", "password": "hunter2"}', [("authorization", "Bearer s3cret-header"), ("x-plain", "yes")], CONTENT_TYPE="application/json")
assert said == ["200 OK"] and json.loads(body)["token"] == "s3cret-answer"
session_recorder.stop(); session_recorder.shutdown()
""",
        tracing,
        to=local,
    )
    (span,) = one(local)["spans"]
    found = content(span)
    assert span["name"] == "POST /login" and span["kind"] == "SERVER"
    assert json.loads(found["request.body"]) == {"user": "ann", "password": "***MASKED***"}
    headers = json.loads(found["request.headers"])
    assert headers["X-Plain"] == "yes" and headers["Authorization"] == "***MASKED***" and headers["Content-Type"] == "application/json"
    answer = json.loads(found["response.body"])
    assert answer["user"] == "ann" and answer["note"] == "fine" and answer["token"] == "***MASKED***"
    assert json.loads(found["response.headers"])["Set-Cookie"] == "sid=***MASKED***"
    if tracing == "own":
        attributes = span["attributes"]
        assert attributes["http.method"] == attributes["http.request.method"] == "POST" and attributes["http.target"] == "/login"
        assert attributes["http.status_code"] == attributes["http.response.status_code"] == 200
    assert [secret for secret in SECRETS if secret in kept(local)] == []


@pytest.mark.parametrize(
    "options, request_body, response_body, headers",
    [
        ({"captureBody": False}, None, None, {"X-Plain"}),
        ({"capture_headers": False}, '"ann"', '"fine"', None),
        ({"maskBodyFieldsList": ["zonk", "user"], "maskHeadersList": ["X-Plain"]}, '"user":"***MASKED***"', '"zonk":"***MASKED***"', {"X-Plain"}),
        ({"maxPayloadSizeBytes": 12}, '{"user": "an', '{"user": "an', {"X-Plain"}),
        ({"headersToInclude": ["x-plain"]}, '"ann"', '"fine"', {"X-Plain"}),
        ({"headersToExclude": ["x-plain", "Set-Cookie"]}, '"ann"', '"fine"', {"Content-Type"}),
        ({"isMaskBodyEnabled": False}, '"hunter2"', '"s3cret-answer"', {"X-Plain"}),
        ({"isMaskHeadersEnabled": False}, '"ann"', '"fine"', {"X-Plain", "s3cret-header"}),
        ({"maskBody": "upper"}, '"USER": "ANN"', '"NOTE": "FINE"', {"X-Plain"}),
        ({"maskBody": "fails", "maskHeaders": "fails"}, "***MASKED***", "***MASKED***", "***MASKED***"),
        ({"maskHeaders": "names"}, '"ann"', '"fine"', "names only"),
    ],
)
def test_options(run_python, local, options, request_body, response_body, headers):
    """Each option, given after init(): what the library was not told is done beside it."""
    run_python(
        WSGI
        + """
def upper(value, span): return json.dumps(value).upper()
def fails(value, span): raise RuntimeError("bad")
def names(value, span): return "names only"
session_recorder.init(); session_recorder.start()
functions = {"upper": upper, "fails": fails, "names": names}
given = {name: functions[v] if isinstance(v, str) else v for name, v in json.loads(sys.argv[1]).items()}
inner, tracer = SessionRecorderWSGIMiddleware(plain, given), configure_opentelemetry().get_tracer("t")
def app(environ, start):
    with tracer.start_as_current_span("request"): return inner(environ, start)
said, body = ask(app, "POST", "/x", b'{"user": "ann", "password": "hunter2", "user_name": "bob"}', [("x-plain", "yes"), ("authorization", "Bearer s3cret-header")], CONTENT_TYPE="application/json")
assert json.loads(body)["user"] == "ann"
session_recorder.stop(); session_recorder.shutdown()
""",
        json.dumps(options),
        to=local,
    )
    (span,) = one(local)["spans"]
    found = content(span)
    for key, wanted in (("request.body", request_body), ("response.body", response_body)):
        if wanted is None:
            assert not [name for name in found if name.startswith(key)]
        else:
            assert wanted in found[key], found
    if "maxPayloadSizeBytes" in options:
        assert found["request.body"] == '{"user": "an' and str(found["request.body.truncated"]).lower() == "true"
        assert int(found["request.body.size"]) == 58
    if headers is None:
        assert "request.headers" not in found and "response.headers" not in found
    elif isinstance(headers, str):
        assert found["request.headers"] == headers
    else:
        for part in headers:
            assert part in found["request.headers"]
        if "headersToInclude" in options:
            assert json.loads(found["request.headers"]) == {"X-Plain": "yes"}
        if "headersToExclude" in options:
            assert "X-Plain" not in found["request.headers"] and "Set-Cookie" not in found["response.headers"]
        if "maskHeadersList" in options:
            assert json.loads(found["request.headers"])["X-Plain"] == "***MASKED***" and "bob" not in found["request.body"]


def test_unknown_options_are_told(run_python):
    told = run_python(
        """
        from multiplayer.session_recorder import *
        from multiplayer.session_recorder import DjangoOtelHttpPayloadRecorderMiddleware as D, FlaskOtelHttpPayloadRecorderMiddleware as F
        from multiplayer.session_recorder import SessionRecorderWSGIMiddleware as W, create_flask_middleware
        said = []
        for call in (lambda: W(None, {"captureBodi": True}), lambda: F(mask_body_field_list=[]), lambda: D({"maxPayloadSizeBytes": "1"}),
                     lambda: W(None, 5), lambda: create_flask_middleware({"captureBody": "yes"}), lambda: W(None, maskBody="x"),
                     lambda: F.capture_request_body(maxPayload=1)):
            try: call(); said.append(None)
            except SessionRecorderError as e: said.append(e.message)
        tell(said=said)
        """
    )
    assert all(told["said"]), told
    assert "did you mean 'captureBody'?" in told["said"][0] and "did you mean 'mask_body_fields_list'?" in told["said"][1]


def test_more_names_than_init_was_told(run_python):
    """JSON, forms, pairs, escapes and text: a name that only a middleware masks never leaves."""
    told = run_python(
        r"""
        from multiplayer.session_recorder.sdk.mask import Names, mask
        names = Names(["zonk", "my-field"])
        tell(out=[names.apply(t) for t in (
            '{"a": 1, "zonk": "v4lue"}', '{"a": [{"theZonkId": {"b": "v4lue"}}], "MY_FIELD": "v4lue", "ok": "kept"}', 'a=1&zonk=v4lue&b=2', '{"z\u006fnk": "v4lue"}',
            '{"name": "zonk", "value": "v4lue"}', '{"inner": "{\\"zonk\\": \\"v4lue\\"}"}', 'the zonk is v4lue', '<zonk>v4lue</zonk>',
            '{"zonk": "v4lue"', 'z%6Fnk=v4lue', '&#122;onk: v4lue', '[' * 3000 + '{"zonk": "v4lue"}' + ']' * 3000)],
            kept=[names.apply('{"plain": "kept"}'), names.apply("plain text 100 %"), names.apply("a\\b")],
            function=mask(["zonk"])({"zonk": 5, "password": "x", "a": 1}), text=mask()('{"pin": "1234", "plain": ["words", 5, {"a": "b"}]}', None),
            none=[mask()(object()), mask([])("plain words"), mask()(b"\xff"), mask()('["' + "[" * 5000)])
        """
    )
    assert not [one for one in told["out"] if "v4lue" in one]
    assert json.loads(told["out"][1])["ok"] == "kept" and told["out"][2] == "a=1&zonk=***MASKED***&b=2"
    assert told["kept"][0] == '{"plain": "kept"}'
    assert json.loads(told["function"]) == {"zonk": "***MASKED***", "password": "***MASKED***", "a": 1}
    assert json.loads(told["text"]) == {"pin": "***MASKED***", "plain": ["***MASKED***", 5, {"a": "***MASKED***"}]}
    assert told["none"][1:] == ["***MASKED***"] * 3 and "object" not in told["none"][0]


def test_streams_pass_and_are_not_held(run_python, local):
    """Each chunk passes before the next is asked for; an upload and a download of 300 MB need no memory; a view that reads
    nothing has nothing read; files stay files; write() works; the application's failure stays its own."""
    told = run_python(
        WSGI
        + """
import resource
events = []
def live(environ, start):
    start("200 OK", [("Content-Type", "text/event-stream")])
    for n in range(3):
        events.append("made %d" % n)
        yield b"data: %d\\n\\n" % n
def large(environ, start):
    size = 0
    while chunk := environ["wsgi.input"].read(1 << 20): size += len(chunk)
    start("200 OK", [("Content-Type", "application/octet-stream")])
    return (b"y" * (1 << 20) for _ in range(size >> 20))
class Endless:
    left = 300 << 20
    reads = 0
    def read(self, n=-1):
        assert n > 0, "read whole"
        Endless.reads += 1
        n = min(n, self.left); self.left -= n
        return b'{"a": "x"}'.ljust(n, b" ") if n else b""
class File:
    def __init__(self, file, size=8192): self.file = file
    def __iter__(self): return iter([b"from the file"])
def file(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](None)
def writes(environ, start):
    write = start("200 OK", [("Content-Type", "text/plain")])
    write(b"written, "); return [b"returned"]
def lines(environ, start):
    stream = environ["wsgi.input"]
    first, rest = stream.readline(), list(stream)
    start("200 OK", [("Content-Type", "text/plain")]); return [first + b"".join(rest)]
def fails(environ, start): raise ValueError("of the app")
def fails_late(environ, start):
    start("200 OK", [("Content-Type", "text/plain")]); yield b"begun"; raise ValueError("late")

session_recorder.init(); session_recorder.start()
wrap = SessionRecorderWSGIMiddleware
answer = wrap(live)({"REQUEST_METHOD": "GET", "PATH_INFO": "/live", "wsgi.input": io.BytesIO(b"unread")}, lambda *a: None)
for chunk in answer: events.append(chunk.decode().strip())
answer.close()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answer = wrap(large)({"REQUEST_METHOD": "PUT", "PATH_INFO": "/large", "wsgi.input": Endless(), "CONTENT_TYPE": "application/json"}, lambda *a: None)
size = sum(map(len, answer)); answer.close()
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
handed = wrap(file)({"REQUEST_METHOD": "GET", "PATH_INFO": "/file", "wsgi.input": io.BytesIO(), "wsgi.file_wrapper": File}, lambda *a: None)
said, body = ask(wrap(writes), path="/writes")
_, echoed = ask(wrap(lines), "POST", "/lines", b"one\\ntwo\\nthree", CONTENT_TYPE="text/plain")
raised = []
for app in (fails, fails_late):
    try: ask(wrap(app), path="/" + app.__name__)
    except ValueError as e: raised.append(str(e))
session_recorder.stop(); stats = raw_stats(); session_recorder.shutdown()
tell(events=events, size=size, grown=grown, file=type(handed).__name__, said=[s.decode() if isinstance(s, bytes) else s for s in said], body=body.decode(),
     echoed=echoed.decode(), raised=raised, open=stats["open_spans"])
""",
        to=local,
    )
    assert told["events"] == ["made 0", "data: 0", "made 1", "data: 1", "made 2", "data: 2"]
    assert told["size"] == 300 << 20 and told["grown"] < 30_000, told["grown"]
    assert told["file"] == "File" and told["said"] == ["200 OK", "written, "] and told["body"] == "returned"
    assert told["echoed"] == "one\ntwo\nthree" and told["raised"] == ["of the app", "late"] and told["open"] == 0
    spans = {s["name"]: s for s in one(local)["spans"]}
    found = {name: content(span) for name, span in spans.items()}
    assert found["GET /live"]["response.body"] == "data: 0\n\ndata: 1\n\ndata: 2\n\n" and "request.body" not in found["GET /live"]
    assert found["PUT /large"]["request.body"] and int(found["PUT /large"]["request.body.size"]) == 300 << 20
    assert "not captured: binary" in found["PUT /large"]["response.body"] and "314572800 bytes" in found["PUT /large"]["response.body"]
    assert found["GET /file"]["response.body"] == "[text/plain, not captured: file]"
    assert found["GET /writes"]["response.body"] == "written, returned" and found["POST /lines"]["request.body"] == "one\ntwo\nthree"
    for name in ("GET /fails", "GET /fails_late"):
        assert spans[name]["status"]["code"] == "ERROR" and spans[name]["events"][0]["attributes"]["exception.type"] == "ValueError"


def test_asgi(run_python, local):
    """Chunks in both directions, an own span and OpenTelemetry's, a failure, a lifespan, and what the client sent as traceparent."""
    run_python(
        WSGI
        + """
import asyncio
session_recorder.init()
async def app(scope, receive, send):
    if scope["type"] != "http": return await send({"type": "other"})
    body = b""
    while True:
        message = await receive(); body += message.get("body", b"")
        if not message.get("more_body"): break
    if scope["path"] == "/fails": raise ValueError("of the app")
    with session_recorder.span("inside"): pass
    await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"application/json"), (b"set-cookie", b"sid=c00kie")]})
    for piece in (b'{"token": "s3cret-', b'answer", "size": %d}' % len(body)):
        await send({"type": "http.response.body", "body": piece, "more_body": piece[0] == 123})
async def ask(app, path, chunks, headers=()):
    chunks = list(chunks); sent = []
    async def receive(): return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}
    async def send(message): sent.append(message)
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"access_token=hunter2", "scheme": "http",
             "headers": [(b"content-type", b"application/json"), (b"authorization", b"Bearer s3cret-header"), *headers]}
    try: await app(scope, receive, send)
    except ValueError as e: sent.append(str(e))
    return sent
async def main():
    wrapped = SessionRecorderASGIMiddleware(app, capture_body=True)
    await session_recorder.start()
    await wrapped({"type": "lifespan"}, None, lambda m: asyncio.sleep(0))
    sent = await ask(wrapped, "/own", [b'{"password": "hun', b'ter2", "user": "ann"}'])
    assert sent[0]["status"] == 201 and b"".join(m["body"] for m in sent[1:]) == b'{"token": "s3cret-answer", "size": 38}', sent
    assert await ask(wrapped, "/fails", [b"{}"]) == ["of the app"]
    theirs = "00-debdeb%s-%s-01" % (session_recorder.session_info()["shortId"] + "7" * 18, "12" * 8)
    await ask(wrapped, "/theirs", [b"{}"], [(b"traceparent", theirs.encode())])
    tracer = configure_opentelemetry().get_tracer("t")
    with tracer.start_as_current_span("by opentelemetry", kind=trace.SpanKind.SERVER): await ask(wrapped, "/otel", [b'{"user": "bob"}'])
    await session_recorder.stop()
    assert (await ask(wrapped, "/after", [b"{}"]))[0]["status"] == 201
asyncio.run(main())
session_recorder.shutdown()
""",
        to=local,
    )
    spans = [s for s in one(local)["spans"] if s["name"] != "inside"]
    inside = [s for s in one(local)["spans"] if s["name"] == "inside"]
    assert [s["name"] for s in spans] == ["POST /own", "POST /fails", "POST /theirs", "by opentelemetry"]
    own, fails, theirs, otel = spans
    assert json.loads(content(own)["request.body"]) == {"password": "***MASKED***", "user": "ann"}
    assert json.loads(content(own)["response.body"]) == {"token": "***MASKED***", "size": 38}
    assert own["attributes"]["http.status_code"] == 201 and fails["status"]["code"] == "ERROR"
    assert theirs["traceId"].endswith("7" * 18) and theirs["parentSpanId"] == "12" * 8
    assert json.loads(content(otel)["request.body"]) == {"user": "bob"}
    assert {s["parentSpanId"] for s in inside} == {own["spanId"], theirs["spanId"], otel["spanId"]}
    assert [secret for secret in SECRETS if secret in kept(local)] == []


def test_headers_that_are_none(run_python, local):
    """Line breaks inside a value, a value with no name, text that is not Latin: the rest is captured, and nothing leaks."""
    run_python(
        WSGI
        + """
def app(environ, start):
    environ["wsgi.input"].read()
    start("200 OK", [("Content-Type", "text/plain"), ("X-A", "a\\nhunter2"), ("Cookie", "b=1\\r c=hunter2"), ("X-Snow", "\u2603"), ("Set-Cookie", "a=c00kie\\r\\nhunter2")])
    return [b"fine"]
session_recorder.init(); session_recorder.start()
ask(SessionRecorderWSGIMiddleware(app), "POST", "/x", b'{"a": 1}', [("x-plain", "yes"), ("", "hunter2"), ("authorization", "Basic\\rhunter2")], CONTENT_TYPE="application/json")
session_recorder.stop(); session_recorder.shutdown()
""",
        to=local,
    )
    found = content(one(local)["spans"][0])
    assert json.loads(found["request.headers"])["X-Plain"] == "yes" and found["request.body"] == '{"a": 1}'
    answered = json.loads(found["response.headers"])
    assert answered["Content-Type"] == "text/plain" and answered["X-Snow"] == "\u2603" and found["response.body"] == "fine"
    assert "hunter2" not in found["request.headers"].replace(answered["X-A"], "") and b"c00kie" not in kept(local)


def test_sdk_functions(run_python, local):
    """SessionRecorderSdk on OpenTelemetry's span, on the recorder's, and on none."""
    run_python(
        WSGI
        + """
from multiplayer.session_recorder import SessionRecorderSdk
def all_of_them():
    S = SessionRecorderSdk
    S.set_attribute("plain", 5)
    S.set_http_request_body({"password": "hunter2", "a": 1}); S.set_http_request_headers({"Authorization": "Bearer s3cret-header", "A": "b"})
    S.set_http_response_body(b'{"token": "s3cret-answer"}'); S.set_http_response_headers([("Set-Cookie", "sid=c00kie")])
    S.set_message_body('{"pin": "hunter2"}'); S.set_rpc_request_message({"secret": "hunter2"}); S.set_rpc_response_message("fine")
    S.set_grpc_request_message({"jwt": "hunter2"}); S.set_grpc_response_message({"open": "as it is"}, {"mask": False})
    S().set_attribute("instance", True)
all_of_them(); SessionRecorderSdk.capture_exception(None)
session_recorder.init(); session_recorder.start()
with session_recorder.span("own"): all_of_them()
tracer = configure_opentelemetry().get_tracer("t")
with tracer.start_as_current_span("theirs"): all_of_them()
SessionRecorderSdk.capture_exception(KeyError("alone"))
session_recorder.stop(); session_recorder.shutdown()
""",
        to=local,
    )
    spans = {s["name"]: s["attributes"] for s in one(local)["spans"]}
    for name in ("own", "theirs"):
        found = spans[name]
        assert found["plain"] == 5 and json.loads(found["multiplayer.http.request.body"]) == {"password": "***MASKED***", "a": 1}
        assert found["multiplayer.rpc.response.message"] == "fine" and "***MASKED***" in found["multiplayer.messaging.message.body"]
        assert json.loads(found["multiplayer.rpc.grpc.response.message"]) == {"open": "as it is"} and found["instance"] is True
    assert len(spans) == 3
    assert [secret for secret in SECRETS if secret in kept(local)] == []
