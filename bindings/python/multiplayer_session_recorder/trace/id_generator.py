"""multiplayer.session_recorder.trace.id_generator under its name of 1.x."""

from multiplayer.session_recorder.trace.id_generator import SessionRecorderRandomIdGenerator

__all__ = ["SessionRecorderRandomIdGenerator"]
