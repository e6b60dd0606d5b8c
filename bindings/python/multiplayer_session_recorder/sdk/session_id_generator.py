"""multiplayer.session_recorder.sdk.session_id_generator under its name of 1.x."""

from multiplayer.session_recorder.sdk.session_id_generator import generate_session_short_id

__all__ = ["generate_session_short_id"]
