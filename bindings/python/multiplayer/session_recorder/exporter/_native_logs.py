"""_native_export.py for logs, whose classes in OpenTelemetry Python have had several names."""

from typing import Any, Optional, Sequence

from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk._logs import export as sdk_export

from .. import _otlp, _recorder
from .._trace_ids import IN_SESSION
from . import _native_export, helpers

# Until 1.38 of the SDK LogExporter and LogExportResult.
Exporter: Any = getattr(sdk_export, "LogRecordExporter", None) or getattr(sdk_export, "LogExporter")
Result: Any = getattr(sdk_export, "LogRecordExportResult", None) or getattr(sdk_export, "LogExportResult")


class NativeLogExporter(Exporter):  # type: ignore[misc]
    """As NativeSpanExporter, for log records."""

    _protocol: Optional[str] = None
    _hands_to_session_recorder = True

    def __init__(self, api_key: Optional[str] = None, endpoint: Optional[str] = None, **options: Any) -> None:
        more = _native_export._more(options)
        _native_export.early(api_key=api_key, logs_endpoint=endpoint, protocol=self._protocol, **more)

    def export(self, batch: Sequence[Any], **_more: Any) -> Any:
        wanted = helpers.filter_logs_include_debug(batch)
        if not wanted or _native_export.export_logs(_otlp.logs(wanted)):
            return Result.SUCCESS
        return Result.FAILURE

    def shutdown(self) -> None:
        _native_export._flush(2000)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return _native_export._flush(timeout_millis)


class SessionRecorderLogProcessor(sdk_logs.LogRecordProcessor):
    """Gives each log record of a session to the library as it is emitted; see SessionRecorderSpanProcessor."""

    def on_emit(self, log_record: Any) -> None:
        if (log_record.log_record.trace_id or 0) >> 104 not in IN_SESSION:
            return
        try:
            _native_export.export_logs(_otlp.logs((log_record,)))
        except Exception as error:
            _recorder._log(40, "a log record could not be recorded: %r" % error)

    # Its name until 1.34 of the SDK.
    emit = on_emit

    def shutdown(self) -> None:
        _native_export._flush(2000)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return _native_export._flush(timeout_millis)
