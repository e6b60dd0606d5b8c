"""multiplayer.session_recorder.exporter.http.log_exporter under its name of 1.x."""

from multiplayer.session_recorder.exporter.http.log_exporter import (
    OTLPLogExporter,
    create_http_log_exporter,
)

__all__ = ["OTLPLogExporter", "create_http_log_exporter"]
