"""multiplayer.session_recorder.sdk.truncate under its name of 1.x."""

from multiplayer.session_recorder.sdk.truncate import truncate

__all__ = ["truncate"]
