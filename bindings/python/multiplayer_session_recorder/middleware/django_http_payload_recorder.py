"""multiplayer.session_recorder.middleware.django_http_payload_recorder under its name of 1.x."""

from multiplayer.session_recorder.middleware.django_http_payload_recorder import (
    DjangoOtelHttpPayloadRecorderMiddleware,
)

__all__ = ["DjangoOtelHttpPayloadRecorderMiddleware"]
