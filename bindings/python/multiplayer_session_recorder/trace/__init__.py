"""multiplayer.session_recorder.trace under its name of 1.x."""
