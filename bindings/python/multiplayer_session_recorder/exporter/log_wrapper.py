"""multiplayer.session_recorder.exporter.log_wrapper under its name of 1.x."""

from multiplayer.session_recorder.exporter.log_wrapper import OTLPLogExporterWrapper

__all__ = ["OTLPLogExporterWrapper"]
