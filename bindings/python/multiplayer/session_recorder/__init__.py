"""Session recording for Python services: a developer presses start, uses the system, presses stop, and every trace
between is kept whole, with request and response content, masked.

    from multiplayer.session_recorder import session_recorder, PayloadKind, SessionType, SpanKind

    session_recorder.init({"apiKey": "...", "resourceAttributes": {"serviceName": "shop", "version": "1.0"}})
    session_recorder.start(SessionType.PLAIN, {"name": "Cart is empty after login"})
    with session_recorder.span("GET /cart", kind=SpanKind.SERVER) as span:
        span.capture_payload(PayloadKind.HTTP_REQUEST, headers={"Accept": "*/*"}, body=b"")
    session_recorder.stop()
    session_recorder.shutdown()

Everything may be called from any thread. init and the session calls raise SessionRecorderError. Spans, logs and
captured exceptions never wait for the network and never raise for what the library answers, so that recording cannot
break a request; what it refuses goes to the logger "multiplayer.session_recorder", as do the library's diagnostics.
With recording off (before init, after shutdown) they do nothing, and spans still have ids and a traceparent.

It stands on libmpr through _native.py; include/mpr.h of libmpr has the details of options and sessions.
"""

import atexit
import contextvars
import ctypes
import enum
import json
import logging
import threading
import re
import traceback
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple, Union

from . import _native
from ._native import SessionRecorderError, check, lib

__all__ = [
    "session_recorder", "SessionRecorder", "SessionRecorderError", "SessionType", "PayloadKind", "Severity", "Span",
    "SpanKind", "SpanStatus",
]

_logger = logging.getLogger("multiplayer.session_recorder")
_logger.addHandler(logging.NullHandler())


class SessionType(enum.IntEnum):
    """What start() starts."""

    PLAIN = _native.MPR_SESSION_PLAIN  #: has a start and an end; the platform ends it by itself after 630 s
    MANUAL = _native.MPR_SESSION_MANUAL  #: another name of PLAIN
    CONTINUOUS = _native.MPR_SESSION_CONTINUOUS  #: a rolling window of two minutes, kept by save() and by errors


class SpanKind(enum.IntEnum):
    """What a span stands for."""

    INTERNAL = _native.MPR_SPAN_KIND_INTERNAL
    SERVER = _native.MPR_SPAN_KIND_SERVER
    CLIENT = _native.MPR_SPAN_KIND_CLIENT
    PRODUCER = _native.MPR_SPAN_KIND_PRODUCER
    CONSUMER = _native.MPR_SPAN_KIND_CONSUMER


class SpanStatus(enum.IntEnum):
    """Whether the work of a span succeeded."""

    UNSET = _native.MPR_SPAN_STATUS_UNSET
    OK = _native.MPR_SPAN_STATUS_OK
    ERROR = _native.MPR_SPAN_STATUS_ERROR


class PayloadKind(enum.IntEnum):
    """What a captured payload is."""

    HTTP_REQUEST = _native.MPR_PAYLOAD_HTTP_REQUEST
    HTTP_RESPONSE = _native.MPR_PAYLOAD_HTTP_RESPONSE
    RPC_REQUEST = _native.MPR_PAYLOAD_RPC_REQUEST
    RPC_RESPONSE = _native.MPR_PAYLOAD_RPC_RESPONSE
    GRPC_REQUEST = _native.MPR_PAYLOAD_GRPC_REQUEST
    GRPC_RESPONSE = _native.MPR_PAYLOAD_GRPC_RESPONSE
    MESSAGE = _native.MPR_PAYLOAD_MESSAGE


class Severity(enum.IntEnum):
    """OpenTelemetry's severity numbers that have plain names; log() takes any of 1 to 24."""

    TRACE = _native.MPR_SEVERITY_TRACE
    DEBUG = _native.MPR_SEVERITY_DEBUG
    INFO = _native.MPR_SEVERITY_INFO
    WARN = _native.MPR_SEVERITY_WARN
    ERROR = _native.MPR_SEVERITY_ERROR
    FATAL = _native.MPR_SEVERITY_FATAL


_HeaderPart = Union[str, bytes]
Headers = Union[Mapping[_HeaderPart, _HeaderPart], Iterable[Tuple[_HeaderPart, _HeaderPart]], str, bytes, None]

_CURRENT = object()
_current_span = contextvars.ContextVar("multiplayer_span", default=None)


class Span:
    """A span between its begin and its end; made by session_recorder.span().

    In a `with` block it is the parent of spans and logs that begin inside, an Exception that leaves the block is
    recorded, and the end of the block ends it. Without `with`, call end().
    """

    def __init__(self, name: str, kind: int, parent: "Optional[_native.mpr_span_context]"):
        self._handle = lib.mpr_span_begin(_text(name), kind, _reference(parent))
        if self._handle is None:
            _refused(_native.MPR_ERR_INVALID_ARGUMENT)
        self._context = _native.mpr_span_context()
        if self._handle is not None:
            _hot(lib.mpr_span_get_context(self._handle, self._context))
        self._token = None

    def __enter__(self) -> "Span":
        self._token = _current_span.set(self)
        return self

    def __exit__(self, exception_type, exception, trace) -> None:
        # A cancelled task or an exit is no failure of the work, hence not BaseException.
        if isinstance(exception, Exception):
            self.record_exception(exception)
        token, self._token = self._token, None
        try:
            _current_span.reset(token)
        except ValueError:
            # A generator may be closed in another context than the one that it was begun in, which has its own
            # current span.
            pass
        self.end()

    @property
    def traceparent(self) -> str:
        """The W3C traceparent header, to be sent with requests: 55 characters ("" for a span that was refused)."""
        out = ctypes.create_string_buffer(56)
        lib.mpr_traceparent_format(self._context, out)
        return out.value.decode()

    @property
    def trace_id(self) -> str:
        """The trace id, 32 hex digits."""
        return bytes(self._context.trace_id).hex()

    @property
    def span_id(self) -> str:
        """The span id, 16 hex digits."""
        return bytes(self._context.span_id).hex()

    def set_attribute(self, key: str, value: Any) -> None:
        """Sets an attribute: bool, int and float as they are, all else as text. Secrets in text are masked."""
        if isinstance(value, bool):
            status = lib.mpr_span_set_bool(self._handle, _text(key), value)
        elif isinstance(value, int) and -(2**63) <= value < 2**63:
            status = lib.mpr_span_set_int(self._handle, _text(key), value)
        elif isinstance(value, float):
            status = lib.mpr_span_set_double(self._handle, _text(key), value)
        else:
            status = lib.mpr_span_set_string(self._handle, _text(key), _text(value))
        _hot(status)

    def set_status(self, status: int, message: Optional[str] = None) -> None:
        """Says whether the work succeeded (a SpanStatus). `message` is kept with ERROR."""
        _hot(lib.mpr_span_set_status(self._handle, status, _text(message)))

    def capture_payload(self, kind: int, headers: Headers = None, body: Union[bytes, str, None] = None) -> None:
        """Captures a request, response or message (a PayloadKind), masked and bounded.

        headers: a mapping or pairs (of str or bytes), or text as on the wire ("Name: value\\r\\n..."). body: bytes as
        on the wire, or text; the headers Content-Type and Content-Encoding say what it is.
        """
        head = _header_lines(headers)
        content = body.encode("utf-8", "replace") if isinstance(body, str) else bytes(body or b"")
        _hot(lib.mpr_span_capture_payload(self._handle, kind, head, len(head), content, len(content)))

    def record_exception(self, exception: BaseException) -> None:
        """Puts an exception, with its traceback, on the span and marks the span failed."""
        _hot(lib.mpr_span_record_exception(self._handle, *_describe(exception)))

    def end(self) -> None:
        """Ends the span and queues it for delivery. A second end does nothing."""
        handle, self._handle = self._handle, None
        lib.mpr_span_end(handle)


class SessionRecorder:
    """The recorder of this process; use the one instance, session_recorder."""

    def __init__(self) -> None:
        self._exit_registered = False

    def init(self, options: Optional[Mapping[str, Any]] = None, **keywords: Any) -> None:
        """Turns recording on. Does no I/O but for certificate files that are named.

        Options come as a mapping, as keywords, or both, in camelCase or snake_case: apiKey, apiBaseUrl, and every
        option of include/mpr.h (mpr_options_set_*), e.g. traces_endpoint, sample_ratio (0 to 1), max_payload_bytes,
        mask_body_fields, mask_paths (lists), timeout_ms, log_level. Of resourceAttributes, serviceName, version and environment
        name the service, and the rest goes along as it is. What is not given comes from the environment
        (MULTIPLAYER_API_KEY, OTEL_*), then from the default.

        Raises SessionRecorderError: MPR_ERR_INVALID_ARGUMENT (no API key, an option that is unknown or not usable;
        the message says which and what would be right), MPR_ERR_ALREADY_INITIALIZED, MPR_ERR_IO.
        """
        given = json.dumps(_options({**(options or {}), **keywords})).encode()
        handle = lib.mpr_options_new()
        try:
            check(lib.mpr_options_set_json(handle, given))
            check(lib.mpr_options_set_log_callback(handle, _log_line, None, None))
        except SessionRecorderError:
            lib.mpr_options_free(handle)
            raise
        check(lib.mpr_init(handle))
        if not self._exit_registered:
            # What is queued would be lost, and a diagnostic line must not reach an interpreter that is gone.
            atexit.register(lib.mpr_shutdown, 2000)
            self._exit_registered = True

    def start(self, session_type: int = SessionType.PLAIN, session: Optional[Mapping[str, Any]] = None) -> None:
        """Starts a session: from here to stop() every new trace of this process belongs to it.

        session: any of name, comment (text), sessionAttributes, resourceAttributes, userAttributes (mappings), tags
        (a list). Waits for the platform, timeout_ms (10 s) at most.

        Raises SessionRecorderError: MPR_ERR_INVALID_STATE (one runs already), MPR_ERR_NOT_INITIALIZED,
        MPR_ERR_INVALID_ARGUMENT, MPR_ERR_UNAUTHORIZED, MPR_ERR_REJECTED, MPR_ERR_NETWORK, MPR_ERR_TIMEOUT. No session
        runs then.
        """
        check(lib.mpr_start(session_type, _json(session)))

    def stop(self, session: Optional[Mapping[str, Any]] = None) -> None:
        """Ends the session; what was recorded before is delivered first. `session` is added to a manual one.

        Waits and raises as start(); no session runs afterwards, whatever it raises. MPR_ERR_INVALID_STATE: none ran.
        """
        check(lib.mpr_stop(_json(session)))

    def save(self, session: Optional[Mapping[str, Any]] = None) -> None:
        """Keeps the last two minutes of the continuous session as a session of their own, laid over with `session`.

        session_info()["saved"] has its id and url. Waits and raises as start(); MPR_ERR_INVALID_STATE: no continuous
        session runs.
        """
        check(lib.mpr_save(_json(session)))

    def cancel(self) -> None:
        """Ends the session and has the platform throw it away. Waits and raises as stop()."""
        check(lib.mpr_cancel())

    def check_remote_continuous_session(self, session: Optional[Mapping[str, Any]] = None) -> bool:
        """Asks the platform whether to record now, and starts a session if so: True when one was started.

        session: what the platform's conditions look at, as for start(). Waits and raises as start().
        """
        return check(lib.mpr_check_remote(_json(session))) == _native.MPR_OK

    def session_info(self) -> Dict[str, Any]:
        """The state ("stopped", "starting", "started", "ending") and, of the session that runs or ran last, type, id,
        shortId, name, url, startedAt, counts, saved {id, url, at}, endedBy; while a manual one runs endsAt and endsInMs.

        Raises SessionRecorderError: MPR_ERR_NOT_INITIALIZED.
        """
        return json.loads(_native.read_text(lib.mpr_session_info))

    def flush(self, timeout_ms: int = 10000) -> None:
        """Waits until all that was recorded before is delivered. Raises SessionRecorderError: MPR_ERR_TIMEOUT (the
        rest is still delivered later), MPR_ERR_NOT_INITIALIZED."""
        check(lib.mpr_flush(timeout_ms))

    def shutdown(self, timeout_ms: int = 10000) -> None:
        """Ends the session, delivers what is queued and turns recording off, whatever it raises; init() may follow.

        Without it the exit of the interpreter does it, within 2 s. With recording off it does nothing. Raises
        SessionRecorderError: MPR_ERR_TIMEOUT (what was left is lost and counted), and the errors of stop().
        """
        check(lib.mpr_shutdown(timeout_ms))

    def set_consent(self, given: bool) -> bool:
        """The off switch: False forgets what is recorded and not delivered, erases the spool (spool_dir) and keeps nothing
        more until True; see mpr_set_consent in include/mpr.h. Returns whether that was a change. Raises
        SessionRecorderError: MPR_ERR_NOT_INITIALIZED, MPR_ERR_TIMEOUT (the disk does not answer)."""
        return check(lib.mpr_set_consent(int(given))) == _native.MPR_OK

    def stats(self) -> Dict[str, int]:
        """The numbers since init(): spans and logs accepted, exported, queued and dropped, and why; see mpr_stats in
        include/mpr.h."""
        numbers = _native.mpr_stats()
        check(lib.mpr_get_stats(numbers))
        return {name: getattr(numbers, name) for name, _ in numbers._fields_ if name != "struct_size"}

    def span(
        self, name: str, kind: int = SpanKind.INTERNAL, parent: "Union[Span, str, None]" = _CURRENT
    ) -> Span:
        """Begins a span; use it in `with`.

        parent: a Span, the traceparent header of a request (one that is not valid begins a new trace), or None for a
        new trace. Not given: the span of the `with` block around, of this thread or task.
        """
        return Span(name, kind, _context(parent))

    def log(
        self,
        body: str,
        severity: int = Severity.INFO,
        attributes: Optional[Mapping[str, Any]] = None,
        span: "Union[Span, str, None]" = _CURRENT,
    ) -> None:
        """Records a log line, of the span of the `with` block around unless `span` is given (as `parent` of span()).

        severity: a Severity, or 1 to 24. attributes: a mapping; what JSON has no form for becomes text.
        """
        text = _encoded(body)
        context = _context(span)
        _hot(lib.mpr_log(severity, text, len(text), _json(attributes, default=str), _reference(context)))

    def capture_exception(self, exception: BaseException, span: "Union[Span, str, None]" = _CURRENT) -> None:
        """Records an exception, with its traceback, as a failed span below the span of the `with` block around, or
        below `span` (as `parent` of span())."""
        _hot(lib.mpr_capture_exception(*_describe(exception), _reference(_context(span))))


#: The recorder of this process.
session_recorder = SessionRecorder()


# ---- from Python to C ----


def _hot(status):
    if status < 0:
        _refused(status)


# A handler that forwards logging to session_recorder.log() would otherwise log about itself without end.
_logging = threading.local()


def _refused(status):
    _log(logging.WARNING, f"{lib.mpr_last_error().decode('utf-8', 'replace')} ({lib.mpr_status_name(status).decode()})")


def _log(level, message):
    if getattr(_logging, "inside", False):
        return
    _logging.inside = True
    try:
        _logger.log(level, "%s", message)
    finally:
        _logging.inside = False


@_native.mpr_log_fn
def _log_line(level, message, _user_data):
    levels = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO}
    _log(levels.get(level, logging.DEBUG), message.decode("utf-8", "replace"))


def _encoded(value):
    return str(value).encode("utf-8", "replace")


def _text(value):
    """Text for C, where NUL is the end."""
    return None if value is None else _encoded(value).replace(b"\0", b"\xef\xbf\xbd")


def _json(value, default=None):
    return None if value is None else json.dumps(value, default=default).encode()


def _options(given):
    """The options by the names that the library has for them."""
    options = {re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name): value for name, value in given.items()}
    resource = options.get("resource_attributes")
    if isinstance(resource, Mapping):
        names = {"serviceName": "service_name", "version": "service_version", "environment": "environment"}
        rest = {}
        for name, value in resource.items():
            if name in names:
                options.setdefault(names[name], value)
            else:
                rest[name] = value
        options["resource_attributes"] = rest
    return options


def _context(span):
    """The mpr_span_context of a Span, a traceparent header or the current span; None for none."""
    if span is _CURRENT:
        span = _current_span.get()
    if span is None or isinstance(span, Span):
        return span and span._context
    context = _native.mpr_span_context()
    # What comes over the network is no mistake of the host: it is left all zero, which begins a new trace.
    lib.mpr_traceparent_parse(_text(span), context)
    return context


def _reference(context):
    return None if context is None else ctypes.byref(context)


def _header_lines(headers):
    if headers is None:
        return b""
    if isinstance(headers, (str, bytes)):
        return headers.encode("utf-8", "replace") if isinstance(headers, str) else headers
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    # A line break inside a value would be read as another header.
    lines = (re.sub("[\r\n]+", " ", "%s: %s" % (_header(name), _header(value))) for name, value in pairs)
    return "\r\n".join(lines).encode("utf-8", "replace")


def _header(part):
    return part.decode("latin-1") if isinstance(part, bytes) else part


def _describe(exception):
    """Type, message and traceback of an exception, for C."""
    kind = type(exception)
    name = kind.__qualname__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__qualname__)
    try:
        message = str(exception)
    except Exception:
        message = "<%s, whose __str__ fails>" % name
    stack = "".join(traceback.format_exception(kind, exception, exception.__traceback__))
    return _text(name), _text(message), _text(stack)
