"""Exporters over OTLP/gRPC."""

from .log_exporter import OTLPLogExporter
from .trace_exporter import OTLPSpanExporter

__all__ = ["OTLPLogExporter", "OTLPSpanExporter"]
