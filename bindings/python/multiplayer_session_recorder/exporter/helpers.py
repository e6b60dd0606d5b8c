"""multiplayer.session_recorder.exporter.helpers under its name of 1.x."""

from multiplayer.session_recorder.exporter.helpers import (
    filter_logs_exclude_debug,
    filter_logs_include_debug,
    filter_spans_exclude_debug,
    filter_spans_include_debug,
    should_export_data,
)

__all__ = [
    "filter_logs_exclude_debug",
    "filter_logs_include_debug",
    "filter_spans_exclude_debug",
    "filter_spans_include_debug",
    "should_export_data",
]
