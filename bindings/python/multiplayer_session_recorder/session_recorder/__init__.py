"""The class of multiplayer.session_recorder.session_recorder, where 1.x has it."""

from multiplayer.session_recorder._recorder import SessionRecorder

__all__ = ["SessionRecorder"]
