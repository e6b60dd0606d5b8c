"""multiplayer.session_recorder.sdk.capture_exception under its name of 1.x."""

from multiplayer.session_recorder.sdk.capture_exception import capture_exception

__all__ = ["capture_exception"]
