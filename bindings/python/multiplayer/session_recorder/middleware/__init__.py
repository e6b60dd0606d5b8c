"""Middlewares that record headers and bodies of requests."""

import importlib.util
from typing import Any

from .asgi import SessionRecorderASGIMiddleware
from .django_http_payload_recorder import DjangoOtelHttpPayloadRecorderMiddleware
from .flask_http_payload_recorder import FlaskOtelHttpPayloadRecorderMiddleware
from .wsgi import SessionRecorderWSGIMiddleware

__all__ = [
    "DjangoOtelHttpPayloadRecorderMiddleware",
    "FlaskOtelHttpPayloadRecorderMiddleware",
    "SessionRecorderASGIMiddleware",
    "SessionRecorderWSGIMiddleware",
    "create_django_middleware",
    "create_flask_middleware",
    "is_django_available",
    "is_flask_available",
]


def create_django_middleware(config: Any = None, **options: Any) -> DjangoOtelHttpPayloadRecorderMiddleware:
    """A middleware for settings.MIDDLEWARE, with its options. Raises ImportError without Django."""
    if not is_django_available():
        raise ImportError("create_django_middleware needs Django: pip install multiplayer-session-recorder[django]")
    return DjangoOtelHttpPayloadRecorderMiddleware(None, config, **options)


def create_flask_middleware(config: Any = None, **options: Any) -> FlaskOtelHttpPayloadRecorderMiddleware:
    """The pair (before_request, after_request) for a Flask application, with their options. Raises ImportError without
    Flask."""
    if not is_flask_available():
        raise ImportError("create_flask_middleware needs Flask: pip install multiplayer-session-recorder[flask]")
    return FlaskOtelHttpPayloadRecorderMiddleware(config, **options)


def is_django_available() -> bool:
    """Whether Django can be imported."""
    return importlib.util.find_spec("django") is not None


def is_flask_available() -> bool:
    """Whether Flask can be imported."""
    return importlib.util.find_spec("flask") is not None
