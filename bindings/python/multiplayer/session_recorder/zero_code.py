"""`opentelemetry-instrument python app.py`: sessions recorded by environment variables alone.

The library reads MULTIPLAYER_API_KEY and OTEL_SERVICE_NAME (and the others of include/mpr.h), and this module sets up
OpenTelemetry and the frameworks that it finds: Flask, Django, FastAPI and Starlette, requests and httpx. Further variables:
MULTIPLAYER_SESSION   "manual" or "continuous" starts a session with the process, "remote" asks the platform whether to
OTEL_TRACES_SAMPLER_ARG   the share of the traces outside sessions that is sampled, for exporters of one's own

With the distribution opentelemetry-distro installed as well, set OTEL_PYTHON_DISTRO=multiplayer and
OTEL_PYTHON_CONFIGURATOR=multiplayer: OpenTelemetry takes whichever it finds first.
"""

import functools
import os
import sys
from typing import Any, Optional

from opentelemetry import trace as otel
from opentelemetry.environment_variables import OTEL_LOGS_EXPORTER, OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER
from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[import-untyped,attr-defined,unused-ignore]
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk.environment_variables import OTEL_TRACES_SAMPLER

from . import _recorder
from ._native import SessionRecorderError
from .configure import session_sampler
from .exporter import SessionRecorderLogProcessor, SessionRecorderSpanProcessor

# Not among the SDK's names in all versions.
_OTEL_PYTHON_ID_GENERATOR = "OTEL_PYTHON_ID_GENERATOR"
_DJANGO = "multiplayer.session_recorder.DjangoOtelHttpPayloadRecorderMiddleware"


def sampler(argument: Optional[str] = None) -> Any:
    """OTEL_TRACES_SAMPLER=multiplayer."""
    try:
        rate = min(max(float(argument or 0), 0.0), 1.0)
    except ValueError:
        rate = 0.0
    return session_sampler(rate)


class SessionRecorderConfigurator(_OTelSDKConfigurator):
    """OpenTelemetry as its environment variables say, and what is part of a session to the recorder."""

    def _configure(self, **options: Any) -> None:
        super()._configure(**options)  # type: ignore[no-untyped-call,unused-ignore]
        provider = otel.get_tracer_provider()
        add = getattr(provider, "add_span_processor", None)
        if add is not None:
            add(SessionRecorderSpanProcessor())
        logs = sys.modules.get("opentelemetry._logs")
        add = getattr(logs.get_logger_provider(), "add_log_record_processor", None) if logs is not None else None
        if add is not None:
            add(SessionRecorderLogProcessor())


class SessionRecorderDistro(BaseDistro):  # type: ignore[misc]
    """Turns recording on, and gives the instrumentations of web frameworks the capture of content."""

    def _configure(self, **options: Any) -> None:
        # Without exporters of one's own only sessions are delivered.
        for name in (OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER, OTEL_LOGS_EXPORTER):
            os.environ.setdefault(name, "none")
        os.environ.setdefault(_OTEL_PYTHON_ID_GENERATOR, "multiplayer")
        os.environ.setdefault(OTEL_TRACES_SAMPLER, "multiplayer")
        try:
            _recorder.session_recorder.init()
        except SessionRecorderError as error:
            # The application runs on, unrecorded.
            print("multiplayer-session-recorder: nothing is recorded: %s" % error, file=sys.stderr)
            return
        wanted = os.environ.get("MULTIPLAYER_SESSION", "").lower()
        if wanted:
            _start(wanted)

    def load_instrumentor(self, entry_point: Any, **options: Any) -> None:
        add = _CONTENT.get(entry_point.name)
        if add is not None:
            options = add(options)
        super().load_instrumentor(entry_point, **options)
        after = _AFTER.get(entry_point.name)
        if after is not None:
            after()


def _start(wanted: str) -> None:
    import threading

    recorder = _recorder.session_recorder

    def start() -> None:
        try:
            if wanted == "remote":
                recorder.check_remote_continuous_session()
            else:
                recorder.start(wanted.upper())
        except SessionRecorderError as error:
            print("multiplayer-session-recorder: no session: %s" % error, file=sys.stderr)

    # The application need not wait for the platform; a short program that is soon over waits for the session, though.
    thread = threading.Thread(target=start, name="session-recorder-start", daemon=True)
    thread.start()
    thread.join(2)


def _flask() -> None:
    import flask

    from .middleware import FlaskOtelHttpPayloadRecorderMiddleware

    middleware = FlaskOtelHttpPayloadRecorderMiddleware()
    before, after = flask.Flask.preprocess_request, flask.Flask.process_response

    @functools.wraps(before)
    def preprocess_request(app: Any, *arguments: Any) -> Any:
        functions = app.before_request_funcs.setdefault(None, [])
        if middleware.before_request not in functions:
            # Right behind OpenTelemetry's, which begins the span and is the application's first.
            functions.insert(1 if functions else 0, middleware.before_request)
        return before(app, *arguments)

    @functools.wraps(after)
    def process_response(app: Any, *arguments: Any) -> Any:
        return middleware.after_request(after(app, *arguments))

    setattr(flask.Flask, "preprocess_request", preprocess_request)
    setattr(flask.Flask, "process_response", process_response)


def _django() -> None:
    from django.conf import settings

    name = "MIDDLEWARE" if getattr(settings, "MIDDLEWARE", None) is not None else "MIDDLEWARE_CLASSES"
    installed = list(getattr(settings, name, None) or ())
    if _DJANGO not in installed:
        # OpenTelemetry's instrumentation has put its own first.
        setattr(settings, name, [*installed[:1], _DJANGO, *installed[1:]])


def _starlette() -> None:
    from starlette.applications import Starlette

    fastapi = sys.modules.get("fastapi")
    for application in (Starlette, getattr(fastapi, "FastAPI", Starlette)):
        _content_in(next(one for one in application.__mro__ if "build_middleware_stack" in vars(one)))


def _content_in(application: Any) -> None:
    from .middleware import SessionRecorderASGIMiddleware

    build = application.build_middleware_stack
    if getattr(build, "_session_recorder", False):
        return

    @functools.wraps(build)
    def build_middleware_stack(app: Any) -> Any:
        # Inside the outermost, which OpenTelemetry's instrumentation wants to find there.
        stack = build(app)
        stack.app = SessionRecorderASGIMiddleware(stack.app)
        return stack

    setattr(build_middleware_stack, "_session_recorder", True)
    setattr(application, "build_middleware_stack", build_middleware_stack)


def _requests(options: Any) -> Any:
    from .clients import requests_hooks

    return {**requests_hooks(), **options}


def _httpx(options: Any) -> Any:
    from .clients import httpx_hooks

    return {**httpx_hooks(), **options}


def _aiohttp(options: Any) -> Any:
    from .clients import aiohttp_hooks

    return {**aiohttp_hooks(), **options}


_CONTENT = {"requests": _requests, "httpx": _httpx, "aiohttp-client": _aiohttp}
_AFTER = {"flask": _flask, "django": _django, "fastapi": _starlette, "starlette": _starlette}
