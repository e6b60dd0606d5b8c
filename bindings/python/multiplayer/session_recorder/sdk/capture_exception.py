"""Exceptions that a host catches itself."""

import sys
from typing import Optional

from .. import _recorder


def capture_exception(error: Optional[BaseException]) -> None:
    """Records an exception, with its traceback, on the current span of OpenTelemetry and marks the span failed; without
    one as a failed span of its own in the running session."""
    if error is None:
        return
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None:
        span = trace.get_current_span()
        if span.is_recording():
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, _said(error))
            return
    _recorder.session_recorder.capture_exception(error)


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return type(error).__name__
