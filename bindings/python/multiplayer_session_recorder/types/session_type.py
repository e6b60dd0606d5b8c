"""multiplayer.session_recorder.types.session_type under its name of 1.x."""

from multiplayer.session_recorder.types.session_type import SessionType

__all__ = ["SessionType"]
