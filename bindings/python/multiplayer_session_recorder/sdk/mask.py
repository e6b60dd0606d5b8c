"""multiplayer.session_recorder.sdk.mask under its name of 1.x."""

from multiplayer.session_recorder.sdk.mask import mask

__all__ = ["mask"]
