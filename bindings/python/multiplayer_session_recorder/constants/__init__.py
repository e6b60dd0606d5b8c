"""multiplayer.session_recorder.constants under its name of 1.x."""

from multiplayer.session_recorder.constants import *  # noqa: F401,F403
