"""multiplayer.session_recorder.exporter.grpc.trace_exporter under its name of 1.x."""

from multiplayer.session_recorder.exporter.grpc.trace_exporter import (
    OTLPSpanExporter,
    create_grpc_span_exporter,
)

__all__ = ["OTLPSpanExporter", "create_grpc_span_exporter"]
