"""From OpenTelemetry's processors to the library, which delivers: in its own thread, outside Python."""

import sys
from typing import Any, Dict, Optional, Sequence

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .. import _otlp, _recorder
from .._native import MPR_SKIPPED, lib, quick
from .._trace_ids import KEPT
from . import helpers

_told_off = False


def export_traces(request: bytes) -> bool:
    """Gives an ExportTraceServiceRequest to the library; whether all of it was taken."""
    return _given((quick if len(request) <= _recorder.SMALL else lib).mpr_export_traces(request, len(request)))


def export_logs(request: bytes) -> bool:
    """Gives an ExportLogsServiceRequest to the library; whether all of it was taken."""
    return _given(lib.mpr_export_logs(request, len(request)))


def _given(status: int) -> bool:
    global _told_off
    if status == MPR_SKIPPED and not _recorder.session_recorder._on and not _told_off:
        _told_off = True
        _recorder._log(30, "spans of a session are not recorded: recording is off. Call session_recorder.init() first")
    if status < 0:
        _recorder._refused(status)
        return False
    return True


class SessionRecorderSpanProcessor(SpanProcessor):
    """Gives each span of a session to the library when it ends: no queue and no thread of Python's, nothing that a fork,
    a burst or the end of the process could lose. Use it with TracerProvider.add_span_processor(), in place of a
    BatchSpanProcessor with the exporters of this package.
    """

    def on_end(self, span: ReadableSpan) -> None:
        context = span.context
        if context is None or context.trace_id >> 104 not in KEPT or not context.trace_flags & 1:
            return
        try:
            export_traces(_otlp.one_span(span))
        except Exception as error:
            # Not the request's fault.
            _recorder._log(40, "a span could not be recorded: %r" % error)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return _flush(timeout_millis)


class NativeSpanExporter(SpanExporter):
    """Gives the spans of sessions to the library. What an application sets by api_key and endpoint counts as an option of
    session_recorder.init() that was not given there; the library delivers for all exporters."""

    _protocol: Optional[str] = None
    _hands_to_session_recorder = True

    def __init__(self, api_key: Optional[str] = None, endpoint: Optional[str] = None, **options: Any) -> None:
        early(api_key=api_key, traces_endpoint=endpoint, protocol=self._protocol, **_more(options))

    def export(self, spans: Sequence[ReadableSpan], **_more: Any) -> SpanExportResult:
        wanted = helpers.filter_spans_include_debug(spans)
        if not wanted or export_traces(_otlp.spans(wanted)):
            return SpanExportResult.SUCCESS
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        _flush(2000)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return _flush(timeout_millis)


def early(**options: Any) -> None:
    """Options for an init() to come."""
    given = {name: value for name, value in options.items() if value is not None}
    if _recorder.session_recorder._on:
        given.pop("protocol", None)
        if given:
            _recorder._log(
                30, "exporter: %s is not used, since session_recorder.init() was called before: set it there" % ", ".join(given)
            )
        return
    _recorder.early_options.update(given)


def _more(options: Any) -> Any:
    """The options of OpenTelemetry's exporters that the library has, too."""
    found: Dict[str, Any] = {}
    headers = options.get("headers")
    if headers:
        found["headers"] = dict(headers) if not isinstance(headers, str) else headers
    if options.get("timeout"):
        found["timeout_ms"] = int(options["timeout"] * 1000)
    if isinstance(options.get("certificate_file"), str):
        found["ca_file"] = options["certificate_file"]
    return found


def _flush(timeout_millis: int) -> bool:
    if not _recorder.session_recorder._on:
        return True
    return bool(lib.mpr_flush(max(0, min(int(timeout_millis), 600000))) >= 0)


def _held_back() -> None:
    """Has the batch processors of the global providers that end in the library give it what they hold."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None:
        active = getattr(trace.get_tracer_provider(), "_active_span_processor", None)
        for processor in getattr(active, "_span_processors", ()):
            _flush_batch(processor, getattr(processor, "span_exporter", None))
    logs = sys.modules.get("opentelemetry._logs")
    if logs is not None:
        active = getattr(logs.get_logger_provider(), "_multi_log_record_processor", None)
        for processor in getattr(active, "_log_record_processors", ()):
            batch = getattr(processor, "_batch_processor", None)
            _flush_batch(processor, getattr(batch, "_exporter", None) or getattr(processor, "_exporter", None))


def _flush_batch(processor: Any, exporter: Any) -> None:
    # At the exit of the process the processor may be over before us; "done" is what old versions of the SDK call it.
    if getattr(exporter, "_hands_to_session_recorder", False) and not getattr(processor, "done", False):
        processor.force_flush(2000)


_recorder.handovers.append(_held_back)
