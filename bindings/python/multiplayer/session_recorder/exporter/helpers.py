"""Filters of what OpenTelemetry's processors give to exporters: spans and log records of sessions, or all others."""

from typing import Any, List, Sequence

from .._trace_ids import IN_SESSION, KEPT


def filter_spans_include_debug(spans: Sequence[Any]) -> List[Any]:
    """The spans that are part of a session (or of a documentation trace)."""
    return [span for span in spans if span.context.trace_id >> 104 in KEPT]


def filter_spans_exclude_debug(spans: Sequence[Any]) -> List[Any]:
    """The spans that are part of no session."""
    return [span for span in spans if span.context.trace_id >> 104 not in IN_SESSION]


def _trace_id(data: Any) -> int:
    return data.log_record.trace_id or 0


def filter_logs_include_debug(logs: Sequence[Any]) -> List[Any]:
    """The log records that are part of a session."""
    return [data for data in logs if _trace_id(data) >> 104 in IN_SESSION]


def filter_logs_exclude_debug(logs: Sequence[Any]) -> List[Any]:
    """The log records that are part of no session."""
    return [data for data in logs if _trace_id(data) >> 104 not in IN_SESSION]


def should_export_data(data: Any, data_type: str = "spans") -> bool:
    """Whether there is something to export."""
    return bool(data)
