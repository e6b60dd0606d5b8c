"""From OpenTelemetry to the recorder: processors, exporters, and filters for exporters of others."""

from ._native_export import SessionRecorderSpanProcessor
from ._native_logs import SessionRecorderLogProcessor
from .grpc.log_exporter import OTLPLogExporter as GRPCOTLPLogExporter
from .grpc.trace_exporter import OTLPSpanExporter as GRPCOTLPSpanExporter
from .http.log_exporter import OTLPLogExporter as HTTPOTLPLogExporter
from .http.trace_exporter import OTLPSpanExporter as HTTPOTLPSpanExporter
from .log_wrapper import OTLPLogExporterWrapper
from .span_wrapper import OTLPSpanExporterWrapper

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
