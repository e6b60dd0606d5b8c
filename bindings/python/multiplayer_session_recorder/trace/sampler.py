"""multiplayer.session_recorder.trace.sampler under its name of 1.x."""

from multiplayer.session_recorder.trace.sampler import SessionRecorderTraceIdRatioBasedSampler

__all__ = ["SessionRecorderTraceIdRatioBasedSampler"]
