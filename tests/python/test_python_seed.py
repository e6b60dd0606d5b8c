"""Every snippet of the Python recorder's first document, made valid Python where it was not, and otherwise unchanged."""

import json

import pytest

PACKAGES = ["multiplayer.session_recorder", "multiplayer_session_recorder"]

SNIPPETS = {
    "initialization": """
        from PACKAGE import session_recorder

        session_recorder.init({
          "apiKey": "{YOUR_API_KEY}",
          "traceIdGenerator": idGenerator,
          "resourceAttributes": {
            "serviceName": "{YOUR_APPLICATION_NAME}",
            "version": "{YOUR_APPLICATION_VERSION}",
            "environment": "{YOUR_APPLICATION_ENVIRONMENT}",
          }
        })
        """,
    "usage": """
        from PACKAGE import session_recorder, SessionType
        # Session recorder trace id generator which is used during opentelemetry initialization
        from opentelemetry_setup import id_generator

        session_recorder.init({
          "apiKey": "{YOUR_API_KEY}",
          "traceIdGenerator": id_generator,
          "resourceAttributes": {
            "serviceName": "{YOUR_APPLICATION_NAME}",
            "version": "{YOUR_APPLICATION_VERSION}",
            "environment": "{YOUR_APPLICATION_ENVIRONMENT}",
          }
        })

        # ...

        session_recorder.start(
            SessionType.PLAIN,
            {
              "name": "This is test session",
              "sessionAttributes": {
                "accountId": "687e2c0d3ec8ef6053e9dc97",
                "accountName": "Acme Corporation"
              }
            }
          )

        work()  # do something here

        session_recorder.stop()
        """,
    "keywords": """
        from PACKAGE import session_recorder, SessionType
        from opentelemetry_setup import id_generator

        session_recorder.init(
          apiKey = "{YOUR_API_KEY}",
          traceIdGenerator = id_generator,
          resourceAttributes = {
            "serviceName": "SERVICE_NAME",
            "version": "SERVICE_VERSION",
            "environment": "PLATFORM_ENV",
          }
        )

        async def main():
            await session_recorder.start(
                SessionType.PLAIN,
                {
                  "name": "This is test session",
                  "sessionAttributes": {
                    "accountId": "687e2c0d3ec8ef6053e9dc97",
                    "accountName": "Acme Corporation"
                  }
                }
              )

            work()  # do something here

            await session_recorder.stop()

        import asyncio
        asyncio.run(main())
        """,
    "sampler": """
        from PACKAGE import SessionRecorderTraceIdRatioBasedSampler

        sampler = SessionRecorderTraceIdRatioBasedSampler(rate = 1/2)
        assert sampler.get_description() == "SessionRecorderTraceIdRatioBased{0.5}"
        """,
    "id generator": """
        from PACKAGE import SessionRecorderRandomIdGenerator

        id_generator = SessionRecorderRandomIdGenerator(autoDocTracesRatio = 1/1000)
        assert 0 < id_generator.generate_trace_id() < 2**128 and 0 < id_generator.generate_span_id() < 2**64
        """,
    "django": """
        from PACKAGE import DjangoOtelHttpPayloadRecorderMiddleware

        DjangoOtelHttpPayloadRecorderMiddleware({
            "captureBody": True,
            "captureHeaders": True,
            "maxPayloadSizeBytes": 10000,
            "isMaskBodyEnabled": True,
            "maskBodyFieldsList": ["password", "token"],
            "isMaskHeadersEnabled": True,
            "maskHeadersList": ["authorization"],
        })
        """,
    "flask": """
        from flask import Flask
        from PACKAGE import FlaskOtelHttpPayloadRecorderMiddleware

        app = Flask(__name__)

        # Add middleware BEFORE request handlers run
        @app.before_request
        def before_request():
            FlaskOtelHttpPayloadRecorderMiddleware.capture_request_body(
                maxPayloadSizeBytes=10000,
                captureBody=True,
                captureHeaders=True,
                isMaskBodyEnabled=True,
                maskBodyFieldsList=["password", "secret"],
                isMaskHeadersEnabled=True,
                maskHeadersList=["authorization"],
            )

        # Add middleware AFTER request finishes
        @app.after_request
        def after_request(response):
            FlaskOtelHttpPayloadRecorderMiddleware.capture_response_body(
                response,
                maxPayloadSizeBytes=10000,
                captureBody=True,
                captureHeaders=True,
                isMaskBodyEnabled=True,
                maskBodyFieldsList=["token"],
                isMaskHeadersEnabled=True,
                maskHeadersList=["set-cookie"],
            )
            return response
        """,
    "flask, created": """
        from flask import Flask
        from PACKAGE import create_flask_middleware

        app = Flask(__name__)

        # Create middleware functions
        before_request, after_request = create_flask_middleware({
            "captureBody": True,
            "captureHeaders": True,
            "maxPayloadSizeBytes": 10000,
            "isMaskBodyEnabled": True,
            "maskBodyFieldsList": ["password", "secret"],
            "isMaskHeadersEnabled": True,
            "maskHeadersList": ["authorization"],
        })

        # Register the middleware
        app.before_request(before_request)
        app.after_request(after_request)
        """,
}

# OpenTelemetry of the application, which the snippets' comments speak of.
SETUP = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from PACKAGE import SessionRecorderRandomIdGenerator, SessionRecorderTraceIdRatioBasedSampler
from PACKAGE.exporter import HTTPOTLPSpanExporter

id_generator = idGenerator = SessionRecorderRandomIdGenerator(autoDocTracesRatio=1/1000)
provider = TracerProvider(id_generator=id_generator, sampler=SessionRecorderTraceIdRatioBasedSampler(rate=0))
provider.add_span_processor(BatchSpanProcessor(HTTPOTLPSpanExporter(api_key="local")))
trace.set_tracer_provider(provider)

def work():
    with trace.get_tracer("app").start_as_current_span("do something here"):
        pass
"""

FLASK = """
from flask import request
from opentelemetry.instrumentation.flask import FlaskInstrumentor
FlaskInstrumentor().instrument_app(app)
# The instrumentation begins its span in a function of its own, which must come first.
app.before_request_funcs[None].insert(0, app.before_request_funcs[None].pop())

@app.post("/login")
def login():
    return {"user": request.get_json()["user"], "token": "t0ken-s3cret", "secret": "sh4red"}

from PACKAGE import session_recorder
session_recorder.init(apiKey="local", traceIdGenerator=id_generator)
session_recorder.start()
body = {"user": "ann", "password": "hunter2", "secret": "s3cret-body"}
answer = app.test_client().post("/login", json=body, headers={"Authorization": "Bearer s3cret-header"})
assert answer.json["token"] == "t0ken-s3cret"
session_recorder.stop()
session_recorder.shutdown()
"""


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", SNIPPETS)
def test_snippet(run_python, local, name, package, tmp_path):
    import textwrap

    (tmp_path / "opentelemetry_setup.py").write_text(SETUP.replace("PACKAGE", package))
    # The key of the document is no key.
    snippet = textwrap.dedent(SNIPPETS[name]).replace("PACKAGE", package).replace("{YOUR_API_KEY}", "local")
    end = FLASK.replace("PACKAGE", package) if "app = Flask" in snippet else ""
    run_python("from opentelemetry_setup import *\n" + snippet + end, to=local)
    sessions = local.request("GET", "/api/sessions").json["sessions"]
    if name in ("usage", "keywords"):
        (session,) = sessions
        assert session["name"] == "This is test session" and not session["live"]
        assert session["sessionAttributes"]["accountName"] == "Acme Corporation"
        assert local.span_names(session["_id"]) == ["do something here"]
    if end:
        (session,) = sessions
        (span,) = local.session(session["_id"])["spans"]
        attributes = span["attributes"]
        assert json.loads(attributes["multiplayer.http.request.body"])["user"] == "ann"
        assert json.loads(attributes["multiplayer.http.response.body"])["user"] == "ann"
        assert "Authorization" in json.loads(attributes["multiplayer.http.request.headers"])
        kept = b"".join(file.read_bytes() for file in local.database.parent.iterdir())
        assert [s for s in (b"hunter2", b"s3cret-body", b"s3cret-header", b"t0ken-s3cret") if s in kept] == []
