"""multiplayer.session_recorder.types.session_recorder_config under its name of 1.x."""

from multiplayer.session_recorder.types.session_recorder_config import SessionRecorderConfig

__all__ = ["SessionRecorderConfig"]
