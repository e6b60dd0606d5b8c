"""multiplayer.session_recorder.middleware under its name of 1.x."""

from multiplayer.session_recorder.middleware import (
    DjangoOtelHttpPayloadRecorderMiddleware,
    FlaskOtelHttpPayloadRecorderMiddleware,
    SessionRecorderASGIMiddleware,
    SessionRecorderWSGIMiddleware,
    create_django_middleware,
    create_flask_middleware,
    is_django_available,
    is_flask_available,
)

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
