"""Spans of sessions over OTLP/HTTP."""

from typing import Any, Optional

from .._native_export import NativeSpanExporter


class OTLPSpanExporter(NativeSpanExporter):
    """Hands the spans of sessions to the library, which sends them over OTLP/HTTP."""

    _protocol = "http/protobuf"


def create_http_span_exporter(
    api_key: Optional[str] = None, endpoint: Optional[str] = None, **options: Any
) -> OTLPSpanExporter:
    """OTLPSpanExporter, as a function."""
    return OTLPSpanExporter(api_key=api_key, endpoint=endpoint, **options)
