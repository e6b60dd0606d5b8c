"""multiplayer.session_recorder.exporter.span_wrapper under its name of 1.x."""

from multiplayer.session_recorder.exporter.span_wrapper import OTLPSpanExporterWrapper

__all__ = ["OTLPSpanExporterWrapper"]
