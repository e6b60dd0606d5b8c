"""multiplayer.session_recorder.middleware.flask_http_payload_recorder under its name of 1.x."""

from multiplayer.session_recorder.middleware.flask_http_payload_recorder import (
    FlaskOtelHttpPayloadRecorderMiddleware,
)

__all__ = ["FlaskOtelHttpPayloadRecorderMiddleware"]
