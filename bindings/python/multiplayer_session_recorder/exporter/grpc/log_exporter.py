"""multiplayer.session_recorder.exporter.grpc.log_exporter under its name of 1.x."""

from multiplayer.session_recorder.exporter.grpc.log_exporter import (
    OTLPLogExporter,
    create_grpc_log_exporter,
)

__all__ = ["OTLPLogExporter", "create_grpc_log_exporter"]
