"""multiplayer.session_recorder.exporter.http under its name of 1.x."""

from multiplayer.session_recorder.exporter.http import OTLPLogExporter, OTLPSpanExporter

__all__ = ["OTLPLogExporter", "OTLPSpanExporter"]
