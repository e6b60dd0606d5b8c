"""multiplayer.session_recorder.types.middleware_config under its name of 1.x."""

from multiplayer.session_recorder.types.middleware_config import HttpMiddlewareConfig

__all__ = ["HttpMiddlewareConfig"]
