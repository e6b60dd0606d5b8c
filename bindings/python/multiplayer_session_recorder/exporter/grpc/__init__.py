"""multiplayer.session_recorder.exporter.grpc under its name of 1.x."""

from multiplayer.session_recorder.exporter.grpc import OTLPLogExporter, OTLPSpanExporter

__all__ = ["OTLPLogExporter", "OTLPSpanExporter"]
