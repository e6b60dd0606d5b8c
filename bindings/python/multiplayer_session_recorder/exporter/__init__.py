"""multiplayer.session_recorder.exporter under its name of 1.x."""

from multiplayer.session_recorder.exporter import (
    GRPCOTLPLogExporter,
    GRPCOTLPSpanExporter,
    HTTPOTLPLogExporter,
    HTTPOTLPSpanExporter,
    OTLPLogExporterWrapper,
    OTLPSpanExporterWrapper,
    SessionRecorderLogProcessor,
    SessionRecorderSpanProcessor,
)

__all__ = [
    "GRPCOTLPLogExporter",
    "GRPCOTLPSpanExporter",
    "HTTPOTLPLogExporter",
    "HTTPOTLPSpanExporter",
    "OTLPLogExporterWrapper",
    "OTLPSpanExporterWrapper",
    "SessionRecorderLogProcessor",
    "SessionRecorderSpanProcessor",
]
