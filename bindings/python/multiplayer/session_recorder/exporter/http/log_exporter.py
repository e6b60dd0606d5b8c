"""Logs of sessions over OTLP/HTTP."""

from typing import Any, Optional

from .._native_logs import NativeLogExporter


class OTLPLogExporter(NativeLogExporter):
    """Hands the log records of sessions to the library, which sends them over OTLP/HTTP."""

    _protocol = "http/protobuf"


def create_http_log_exporter(
    api_key: Optional[str] = None, endpoint: Optional[str] = None, **options: Any
) -> OTLPLogExporter:
    """OTLPLogExporter, as a function."""
    return OTLPLogExporter(api_key=api_key, endpoint=endpoint, **options)
