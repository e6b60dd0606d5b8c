"""multiplayer.session_recorder.types under its name of 1.x."""
