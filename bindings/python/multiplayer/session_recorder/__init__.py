"""Session recording for Python services: a developer presses start, uses the system, presses stop, and every trace
between is kept whole, with request and response content, masked.

    from multiplayer.session_recorder import session_recorder, SessionType

    session_recorder.init({"apiKey": "...", "resourceAttributes": {"serviceName": "shop", "version": "1.0"}})
    session_recorder.start(SessionType.PLAIN, {"name": "Cart is empty after login"})
    ...
    session_recorder.stop()

Traces come from the host's OpenTelemetry (configure_opentelemetry(), or SessionRecorderRandomIdGenerator,
SessionRecorderTraceIdRatioBasedSampler and SessionRecorderSpanProcessor in a provider of one's own), or from
session_recorder.span(). The middlewares add headers and bodies. docs/python.md of libmpr shows all of it.

Everything may be called from any thread. init and the session calls raise SessionRecorderError, and nothing else.
Spans, logs and captured exceptions never wait for the network and never raise for what the library answers, so that
recording cannot break a request; what it refuses goes to the logger "multiplayer.session_recorder". With recording off
(before init, after shutdown) they do nothing, and spans still have ids and a traceparent.

It stands on libmpr through _native.py; include/mpr.h of libmpr has the details of options and sessions.
"""

import importlib
from typing import TYPE_CHECKING, Any, List

from ._calls import SessionCall
from ._recorder import (
    PayloadKind,
    SessionRecorder,
    SessionRecorderError,
    SessionType,
    Severity,
    Span,
    SpanKind,
    SpanStatus,
    session_recorder,
)

if TYPE_CHECKING:
    from .configure import configure_opentelemetry
    from .middleware import (
        DjangoOtelHttpPayloadRecorderMiddleware,
        FlaskOtelHttpPayloadRecorderMiddleware,
        SessionRecorderASGIMiddleware,
        SessionRecorderWSGIMiddleware,
        create_django_middleware,
        create_flask_middleware,
        is_django_available,
        is_flask_available,
    )
    from .exporter import (
        OTLPLogExporterWrapper,
        OTLPSpanExporterWrapper,
        SessionRecorderLogProcessor,
        SessionRecorderSpanProcessor,
    )
    from .sdk import SessionRecorderSdk
    from .trace.id_generator import SessionRecorderRandomIdGenerator
    from .trace.sampler import SessionRecorderTraceIdRatioBasedSampler
    from .types.middleware_config import HttpMiddlewareConfig
    from .types.session_recorder_config import SessionRecorderConfig

# Where what needs OpenTelemetry or a web framework comes from, on first use: spans and sessions work without both.
_LATER = {
    "configure_opentelemetry": "configure",
    "DjangoOtelHttpPayloadRecorderMiddleware": "middleware",
    "FlaskOtelHttpPayloadRecorderMiddleware": "middleware",
    "HttpMiddlewareConfig": "types.middleware_config",
    "OTLPLogExporterWrapper": "exporter",
    "OTLPSpanExporterWrapper": "exporter",
    "SessionRecorderASGIMiddleware": "middleware",
    "SessionRecorderConfig": "types.session_recorder_config",
    "SessionRecorderLogProcessor": "exporter",
    "SessionRecorderRandomIdGenerator": "trace.id_generator",
    "SessionRecorderSdk": "sdk",
    "SessionRecorderSpanProcessor": "exporter",
    "SessionRecorderTraceIdRatioBasedSampler": "trace.sampler",
    "SessionRecorderWSGIMiddleware": "middleware",
    "create_django_middleware": "middleware",
    "create_flask_middleware": "middleware",
    "is_django_available": "middleware",
    "is_flask_available": "middleware",
}

__all__ = [
    "DjangoOtelHttpPayloadRecorderMiddleware",
    "FlaskOtelHttpPayloadRecorderMiddleware",
    "HttpMiddlewareConfig",
    "OTLPLogExporterWrapper",
    "OTLPSpanExporterWrapper",
    "PayloadKind",
    "SessionCall",
    "SessionRecorder",
    "SessionRecorderASGIMiddleware",
    "SessionRecorderConfig",
    "SessionRecorderError",
    "SessionRecorderLogProcessor",
    "SessionRecorderRandomIdGenerator",
    "SessionRecorderSdk",
    "SessionRecorderSpanProcessor",
    "SessionRecorderTraceIdRatioBasedSampler",
    "SessionRecorderWSGIMiddleware",
    "SessionType",
    "Severity",
    "Span",
    "SpanKind",
    "SpanStatus",
    "configure_opentelemetry",
    "create_django_middleware",
    "create_flask_middleware",
    "is_django_available",
    "is_flask_available",
    "session_recorder",
]


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    try:
        value = getattr(importlib.import_module("%s.%s" % (__name__, module)), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("opentelemetry"):
            raise ImportError(
                "%s needs OpenTelemetry: pip install opentelemetry-sdk (%s)" % (name, error)
            ) from error
        raise
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
