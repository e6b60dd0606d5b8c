"""A filter before another span exporter."""

from typing import Any, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .helpers import filter_spans_exclude_debug


class OTLPSpanExporterWrapper(SpanExporter):
    """Gives another exporter all spans but those of sessions, which are Multiplayer's: they hold content."""

    def __init__(self, exporter: SpanExporter) -> None:
        self.exporter = exporter

    def export(self, spans: Sequence[ReadableSpan], **options: Any) -> SpanExportResult:
        wanted = filter_spans_exclude_debug(spans)
        return self.exporter.export(wanted, **options) if wanted else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self.exporter.force_flush(timeout_millis)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["exporter"], name)
