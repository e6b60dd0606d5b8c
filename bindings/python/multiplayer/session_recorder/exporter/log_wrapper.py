"""A filter before another log exporter."""

from typing import Any, Sequence

from ._native_logs import Exporter, Result
from .helpers import filter_logs_exclude_debug


class OTLPLogExporterWrapper(Exporter):  # type: ignore[misc]
    """Gives another exporter all log records but those of sessions."""

    def __init__(self, exporter: Any) -> None:
        self.exporter = exporter

    def export(self, batch: Sequence[Any], **options: Any) -> Any:
        wanted = filter_logs_exclude_debug(batch)
        return self.exporter.export(wanted, **options) if wanted else Result.SUCCESS

    def shutdown(self) -> None:
        self.exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        flush = getattr(self.exporter, "force_flush", None)
        return True if flush is None else bool(flush(timeout_millis))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["exporter"], name)
