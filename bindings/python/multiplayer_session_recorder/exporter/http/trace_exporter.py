"""multiplayer.session_recorder.exporter.http.trace_exporter under its name of 1.x."""

from multiplayer.session_recorder.exporter.http.trace_exporter import (
    OTLPSpanExporter,
    create_http_span_exporter,
)

__all__ = ["OTLPSpanExporter", "create_http_span_exporter"]
