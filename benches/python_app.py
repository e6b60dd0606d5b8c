"""One process of `make bench-python`; benches/python.py starts it in a venv of each package and reads the JSON that it prints.

    python_app.py cost FRAMEWORK VARIANT REQUESTS   CPU per request: POST of 2 KB, an answer of 2 KB, headers
    python_app.py import                            time and memory of importing what an application imports
    python_app.py behave CASE                       what becomes of a program

VARIANT: bare (no OpenTelemetry), otel (its instrumentation, spans of no session), session (OpenTelemetry alone, spans recorded,
an exporter that does nothing), captured (the package on top, as its documentation has it), ordinary (the package, a trace of
no session). The package of the venv is used: the published one (1.0.6) or ours.
"""

import io
import json
import os
import sys
import time

PREFIX = "debdeb0a1b2c3d"
BODY = json.dumps({"user": {"id": 17, "name": "ann", "password": "hunter2"}, "items": [
    {"sku": "A-%04d" % n, "title": "Something to buy, number %d" % n, "count": n, "price": 19.99} for n in range(24)]}).encode()
ANSWER = {"ok": True, "token": "s3cret", "items": json.loads(BODY)["items"], "total": 311.5}
HEADERS = {
    "HTTP_HOST": "shop.example:8000", "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "HTTP_ACCEPT": "application/json",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br", "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.9", "HTTP_COOKIE": "sid=abcdef; theme=dark",
    "HTTP_AUTHORIZATION": "Bearer abc.def.ghi", "HTTP_REFERER": "https://shop.example/cart", "HTTP_CACHE_CONTROL": "no-cache",
}  # fmt: skip


def package():
    """(names of the package, whether it is ours)."""
    try:
        import multiplayer.session_recorder as found

        return found, True
    except ImportError:
        import multiplayer_session_recorder as found

        return found, False


def provider(found, ours, exporter):
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    sampler = found.SessionRecorderTraceIdRatioBasedSampler(0.0) if found else TraceIdRatioBased(0.0)
    generator = {"id_generator": found.SessionRecorderRandomIdGenerator()} if found else {}
    made = TracerProvider(resource=Resource.create({"service.name": "bench"}), sampler=ParentBased(sampler), **generator)
    if exporter == "nothing":
        from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

        class Nothing(SpanExporter):
            def export(self, spans):
                return SpanExportResult.SUCCESS

        made.add_span_processor(BatchSpanProcessor(Nothing()))
    elif exporter == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    elif ours:
        made.add_span_processor(found.SessionRecorderSpanProcessor())
    else:
        from multiplayer_session_recorder.exporter import HTTPOTLPSpanExporter

        made.add_span_processor(BatchSpanProcessor(HTTPOTLPSpanExporter(api_key="local", endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces")))
    trace.set_tracer_provider(made)
    return made, generator.get("id_generator")


def flask_app(instrumented, found, as_it_comes=False):
    from flask import Flask, jsonify, request

    app = Flask("bench")
    if instrumented:
        from opentelemetry.instrumentation.flask import FlaskInstrumentor

        FlaskInstrumentor().instrument_app(app)
    if found:
        config = None
        if not package()[1] and not as_it_comes:
            # Its default cuts bodies at 4 KB and masks every text; the same work for both.
            from multiplayer_session_recorder.types.middleware_config import HttpMiddlewareConfig

            config = HttpMiddlewareConfig(maxPayloadSizeBytes=400_000)
            from multiplayer_session_recorder.sdk.mask import sensitive_fields, sensitive_headers

            config.maskBodyFieldsList, config.maskHeadersList = sensitive_fields, sensitive_headers
        before, after = found.create_flask_middleware(config)
        app.before_request(before)
        app.after_request(after)

    @app.post("/order")
    def order():
        request.get_json()
        return jsonify(ANSWER)

    return app


def django_app(instrumented, found, **options):
    from django.conf import settings

    middleware = []
    if found:
        middleware.append("python_app.Middleware")
        sys.modules["python_app"] = sys.modules[__name__]
        config = None
        if not package()[1]:
            from multiplayer_session_recorder.types.middleware_config import HttpMiddlewareConfig

            config = HttpMiddlewareConfig(maxPayloadSizeBytes=400_000, **options)
        elif options:
            config = options

        class Middleware(found.DjangoOtelHttpPayloadRecorderMiddleware):
            def __init__(self, get_response):
                super().__init__(get_response, config=config)

        globals()["Middleware"] = Middleware
    settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=middleware)
    if instrumented:
        from opentelemetry.instrumentation.django import DjangoInstrumentor

        DjangoInstrumentor().instrument()
    import django

    django.setup()
    from django.http import JsonResponse
    from django.urls import path

    def order(request):
        json.loads(request.body)
        return JsonResponse(ANSWER)

    globals()["urlpatterns"] = [path("order", order)]
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def asker(app):
    def ask(traceparent=None):
        environ = {
            "REQUEST_METHOD": "POST", "PATH_INFO": "/order", "SCRIPT_NAME": "", "QUERY_STRING": "", "SERVER_NAME": "shop", "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "10.0.0.9", "wsgi.url_scheme": "http", "wsgi.version": (1, 0), "wsgi.errors": sys.stderr,
            "wsgi.input": io.BytesIO(BODY), "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(BODY)), **HEADERS,
        }  # fmt: skip
        if traceparent:
            environ["HTTP_TRACEPARENT"] = traceparent
        status = []
        answer = app(environ, lambda s, h, e=None: status.append(s) or (lambda data: None))
        for _ in answer:
            pass
        getattr(answer, "close", lambda: None)()
        return status[0][:3]

    return ask


def cost(framework, variant, requests):
    found, ours = (None, False) if variant in ("bare", "otel", "session", "otlp") else package()
    made = None
    if variant != "bare":
        exporter = {"otel": "nothing", "session": "nothing", "otlp": "otlp"}.get(variant, "package")
        made, generator = provider(found, ours, exporter)
        if found and ours:
            found.session_recorder.init(apiKey="local", traceIdGenerator=generator, maxPayloadBytes=400_000)
        elif found:
            found.session_recorder.init(apiKey="local", traceIdGenerator=generator)
    app = (flask_app if framework == "flask" else django_app)(variant != "bare", found)
    ask = asker(app)
    recorded = variant in ("session", "captured", "otlp")
    parents = ["00-%s%018x-%016x-01" % (PREFIX, n, n + 1) for n in range(requests + 200)] if recorded else [None] * (requests + 200)
    for n in range(200):
        assert ask(parents[requests + n]) == "200"
    cpu, own, blocks = time.process_time(), 0.0, []
    for first in range(0, requests, 50):
        begin = time.thread_time()
        for n in range(first, first + 50):
            ask(parents[n])
        blocks.append((time.thread_time() - begin) / 50)
        own += blocks[-1] * 50
    if made is not None:
        made.force_flush()
    if found and ours:
        found.session_recorder.flush()
    others = (time.process_time() - cpu - own) / requests
    # On a machine that others use the undisturbed blocks tell what the code costs; other threads work in few of them.
    undisturbed = sorted(blocks)[len(blocks) // 10]
    said = {"cpu_us": (undisturbed + others) * 1e6, "thread_us": undisturbed * 1e6, "other_threads_us": others * 1e6}
    if found and ours:
        said["stats"] = {k: v for k, v in found.session_recorder.stats().items() if v}
    if made is not None:
        made.shutdown()
    return said


def imports():
    import opentelemetry.sdk.trace  # noqa: F401
    import opentelemetry.sdk.trace.export  # noqa: F401

    def rss():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    before, begin = rss(), time.perf_counter()
    found, ours = package()
    for name in ("session_recorder", "SessionType", "SessionRecorderRandomIdGenerator", "SessionRecorderTraceIdRatioBasedSampler",
                 "SessionRecorderSdk", "create_flask_middleware"):  # fmt: skip
        getattr(found, name)
    if ours:
        found.SessionRecorderSpanProcessor
    else:
        from multiplayer_session_recorder.exporter import HTTPOTLPSpanExporter  # noqa: F401
    return {"ms": (time.perf_counter() - begin) * 1e3, "mb": (rss() - before) / 1e6}


# ---- What becomes of a program ----


def started(kind="PLAIN"):
    """A session by the package, as its document has it, for what comes after."""
    import asyncio
    import inspect

    found, ours = package()
    made, generator = provider(found, ours, "package")
    found.session_recorder.init({"apiKey": "local", "traceIdGenerator": generator, "resourceAttributes": {"serviceName": "bench"}})

    def call(result):
        if inspect.isawaitable(result):
            asyncio.run(result)

    call(found.session_recorder.start(found.SessionType[kind], {"name": kind}))

    def stop():
        made.force_flush()
        try:
            call(found.session_recorder.stop())
        finally:
            made.shutdown()
            if ours:
                found.session_recorder.shutdown()

    return found, stop


def behave_requests():
    """100 requests of a Flask application during a session."""
    found, stop = started()
    app = flask_app(True, found)
    app.logger.disabled = True
    ask = asker(app)
    errors = 0
    for _ in range(100):
        try:
            errors += ask() != "200"
        except Exception:
            errors += 1
    stop()
    return {"asked": 100, "errors": errors}


def behave_continuous():
    _, stop = started("CONTINUOUS")
    try:
        stop()
    except Exception:
        pass
    return {"started": True}


LEAKS = {
    "cut-off JSON": ("application/json", b'{"a": 1, "password": "hunter2", "b": "'),
    "NDJSON": ("application/x-ndjson", b'{"password": "hunter2"}\n{"password": "hunter2"}\n'),
    "JSON with a byte order mark": ("application/json", b'\xef\xbb\xbf{"password": "hunter2"}'),
    "form": ("application/x-www-form-urlencoded", b"user=ann&password=hunter2"),
    "XML": ("application/xml", b"<login><password>hunter2</password></login>"),
    "multipart": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="password"\r\n\r\nhunter2\r\n--x--\r\n'),
    "JSON in JSON": ("application/json", b'{"payload": "{\\"password\\": \\"hunter2\\"}"}'),
    "user_password": ("application/json", b'{"user_password": "hunter2"}'),
}


def behave_leaks():
    """Bodies with a password, posted in a recorded trace: which of them are on the span as they came."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    found, ours = package()
    made, generator = provider(found, ours, "package")
    memory = InMemorySpanExporter()
    made.add_span_processor(SimpleSpanProcessor(memory))
    found.session_recorder.init(apiKey="local", traceIdGenerator=generator)
    app = flask_app(True, found, as_it_comes=True)
    app.add_url_rule("/any", "any", lambda: __import__("flask").request.get_data() and "fine", methods=["POST"])
    leaks, headers = [], None
    for n, (name, (kind, body)) in enumerate(LEAKS.items()):
        parent = "00-%s%018x-%016x-01" % (PREFIX, n + 1, n + 1)
        app.test_client().post("/any", data=body, content_type=kind, headers={"traceparent": parent, "X-Plain": "yes"})
        attributes = dict(memory.get_finished_spans()[-1].attributes)
        if "hunter2" in str(attributes.get("multiplayer.http.request.body", "")):
            leaks.append(name)
        headers = attributes.get("multiplayer.http.request.headers")
    try:
        json.loads(headers)
        valid = True
    except (TypeError, ValueError):
        valid = False
    return {"bodies": len(LEAKS), "leaks": leaks, "headers_are_json": valid}


def behave_upload():
    """A view that reads its upload as a stream, in a recorded trace: how much it gets."""
    found, ours = package()
    made, generator = provider(found, ours, "package")
    found.session_recorder.init(apiKey="local", traceIdGenerator=generator)
    app = flask_app(True, found)
    app.add_url_rule("/upload", "upload", lambda: str(len(__import__("flask").request.stream.read())), methods=["POST"])
    answer = app.test_client().post("/upload", data=b"x" * 100_000, headers={"traceparent": "00-%s%018x-%016x-01" % (PREFIX, 1, 1)})
    return {"sent": 100_000, "read": int(answer.data)}


def behave_headers_unmasked():
    """isMaskHeadersEnabled=False."""
    found, ours = package()
    made, generator = provider(found, ours, "package")
    found.session_recorder.init(apiKey="local", traceIdGenerator=generator)
    import logging

    logging.disable()
    return {"status": int(asker(django_app(True, found, isMaskHeadersEnabled=False))("00-%s%018x-%016x-01" % (PREFIX, 1, 1)))}


def behave_asgi():
    """Django's asynchronous handler with the middleware."""
    import asyncio

    found, ours = package()
    made, generator = provider(found, ours, "package")
    found.session_recorder.init(apiKey="local", traceIdGenerator=generator)
    django_app(True, found)
    from django.test import AsyncClient

    async def ask():
        client = AsyncClient(raise_request_exception=False)
        return (await client.post("/order", BODY, content_type="application/json", headers={"traceparent": "00-%s%018x-%016x-01" % (PREFIX, 1, 1)})).status_code

    import logging

    logging.disable()
    return {"status": asyncio.run(ask())}


def behave_wrapper():
    """The wrapper around an exporter of another backend: which spans come through."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    package()
    from multiplayer_session_recorder.exporter import OTLPSpanExporterWrapper

    memory = InMemorySpanExporter()
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(OTLPSpanExporterWrapper(memory)))
    for _ in range(10):
        made.get_tracer("t").start_span("ordinary").end()
    return {"ordinary": 10, "through": len(memory.get_finished_spans())}


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "cost":
        said = cost(arguments[0], arguments[1], int(arguments[2]))
    elif what == "import":
        said = imports()
    else:
        said = globals()["behave_" + arguments[0]]()
    print(json.dumps(said))
