"""multiplayer.session_recorder under the name that the package has in its versions 1.x, names and modules the same."""

import importlib
from typing import TYPE_CHECKING, Any, List

import multiplayer.session_recorder as _package

# First, so that the name is the recorder's and not the module's.
from . import session_recorder as _module  # noqa: F401
from multiplayer.session_recorder import (
    PayloadKind,
    SessionCall,
    SessionRecorder,
    SessionRecorderError,
    SessionType,
    Severity,
    Span,
    SpanKind,
    SpanStatus,
    session_recorder as session_recorder,
)

if TYPE_CHECKING:
    from multiplayer.session_recorder import (
        DjangoOtelHttpPayloadRecorderMiddleware,
        FlaskOtelHttpPayloadRecorderMiddleware,
        HttpMiddlewareConfig,
        OTLPLogExporterWrapper,
        OTLPSpanExporterWrapper,
        SessionRecorderASGIMiddleware,
        SessionRecorderConfig,
        SessionRecorderLogProcessor,
        SessionRecorderRandomIdGenerator,
        SessionRecorderSdk,
        SessionRecorderSpanProcessor,
        SessionRecorderTraceIdRatioBasedSampler,
        SessionRecorderWSGIMiddleware,
        configure_opentelemetry,
        create_django_middleware,
        create_flask_middleware,
        is_django_available,
        is_flask_available,
    )

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


_MODULES = ("constants", "exporter", "middleware", "sdk", "trace", "types")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module("%s.%s" % (__name__, name))
    value = getattr(_package, name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
