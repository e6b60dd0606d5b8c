"""The recorder of this process, its spans and logs. The package's __init__ tells how they are used."""

import atexit
import contextvars
import ctypes
import enum
import json
import logging
import os
import re
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple, Type, Union

from . import _native, _options
from ._calls import SessionCall, call
from ._native import SessionRecorderError, check, invalid, lib, quick

__all__ = [
    "session_recorder", "SessionRecorder", "SessionRecorderError", "SessionType", "PayloadKind", "Severity", "Span",
    "SpanKind", "SpanStatus",
]  # fmt: skip

_logger = logging.getLogger("multiplayer.session_recorder")
_logger.addHandler(logging.NullHandler())

# Up to here a body is masked within microseconds, for which Python's lock is not worth giving away.
SMALL = 16384


class SessionType(enum.IntEnum):
    """What start() starts."""

    PLAIN = _native.MPR_SESSION_PLAIN  #: has a start and an end; the platform ends it by itself after 630 s
    MANUAL = _native.MPR_SESSION_MANUAL  #: another name of PLAIN
    CONTINUOUS = _native.MPR_SESSION_CONTINUOUS  #: a rolling window of two minutes, kept by save() and by errors

    @classmethod
    def _missing_(cls, value: object) -> Optional["SessionType"]:
        # In the package's 1.x the values were the names.
        return cls.__members__.get(value) if isinstance(value, str) else None


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

_CURRENT: Any = object()
_current_span: "contextvars.ContextVar[Optional[Span]]" = contextvars.ContextVar("multiplayer_span", default=None)


class Span:
    """A span between its begin and its end; made by session_recorder.span().

    In a `with` block it is the parent of spans and logs that begin inside, an Exception that leaves the block is
    recorded, and the end of the block ends it. Without `with`, call end().
    """

    __slots__ = ("_handle", "_context", "_token", "__weakref__")

    def __init__(self, name: str, kind: int, parent: Optional[_native.mpr_span_context]) -> None:
        self._handle = _begin(name, kind, parent)
        self._context = _native.mpr_span_context()
        if self._handle is not None:
            _hot(quick.mpr_span_get_context, self._handle, self._context)
        self._token: "Optional[contextvars.Token[Optional[Span]]]" = None

    def __enter__(self) -> "Span":
        self._token = _current_span.set(self)
        return self

    def __exit__(
        self,
        exception_type: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        # A cancelled task or an exit is no failure of the work, hence not BaseException.
        if isinstance(exception, Exception):
            self.record_exception(exception)
        token, self._token = self._token, None
        if token is not None:
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
        quick.mpr_traceparent_format(self._context, out)
        return out.value.decode()

    @property
    def trace_id(self) -> str:
        """The trace id, 32 hex digits."""
        return bytes(self._context.trace_id).hex()

    @property
    def span_id(self) -> str:
        """The span id, 16 hex digits."""
        return bytes(self._context.span_id).hex()

    @property
    def recorded(self) -> bool:
        """Whether what is set on the span is kept."""
        return bool(self._context.trace_flags & 1)

    def set_attribute(self, key: str, value: Any) -> None:
        """Sets an attribute: bool, int and float as they are, all else as text. Secrets in text are masked."""
        if isinstance(value, str):
            _hot(quick.mpr_span_set_string, self._handle, _text(key), _text(value))
        elif isinstance(value, bool):
            _hot(quick.mpr_span_set_bool, self._handle, _text(key), value)
        elif isinstance(value, int) and -(2**63) <= value < 2**63:
            _hot(quick.mpr_span_set_int, self._handle, _text(key), value)
        elif isinstance(value, float):
            _hot(quick.mpr_span_set_double, self._handle, _text(key), value)
        else:
            _hot(quick.mpr_span_set_string, self._handle, _text(key), _text(value))

    def set_status(self, status: int, message: Optional[str] = None) -> None:
        """Says whether the work succeeded (a SpanStatus). `message` is kept with ERROR."""
        _hot(quick.mpr_span_set_status, self._handle, status, _text(message))

    def capture_payload(self, kind: int, headers: Headers = None, body: Union[bytes, str, None] = None) -> None:
        """Captures a request, response or message (a PayloadKind), masked and bounded.

        headers: a mapping or pairs (of str or bytes), or text as on the wire ("Name: value\\r\\n..."). body: bytes as
        on the wire, or text; the headers Content-Type and Content-Encoding say what it is.
        """
        head = header_lines(headers)
        content = body.encode("utf-8", "replace") if isinstance(body, str) else bytes(body or b"")
        library = quick if len(content) <= SMALL else lib
        _hot(library.mpr_span_capture_payload, self._handle, kind, head, len(head), content, len(content))

    def record_exception(self, exception: BaseException) -> None:
        """Puts an exception, with its traceback, on the span and marks the span failed."""
        _hot(lib.mpr_span_record_exception, self._handle, *describe(exception))

    def end(self) -> None:
        """Ends the span and queues it for delivery. A second end does nothing."""
        handle, self._handle = self._handle, None
        quick.mpr_span_end(handle)


class SessionRecorder:
    """The recorder of this process; use the one instance, session_recorder."""

    def __init__(self) -> None:
        # Whether init() was called; the library knows best, but asking costs more than a look.
        self._on = False
        # Counts inits: what depends on the options is found out anew.
        self._generation = 0
        # How long the end of the process may take.
        self._exit_timeout = 2000
        self._lost = 0
        # The attributes of init() that name the service, for an OpenTelemetry that is set up after it.
        self._resource: Dict[str, Any] = {}

    def init(self, config: Any = None, **keywords: Any) -> None:
        """Turns recording on. Does no I/O but for certificate files that are named.

        Options come as a mapping, as keywords, or both, in camelCase or snake_case: apiKey, apiBaseUrl, and every
        option of include/mpr.h (mpr_options_set_*), e.g. traces_endpoint, sample_ratio (0 to 1), max_payload_bytes,
        mask_body_fields, mask_paths (lists), timeout_ms, log_level; also under their names of the packages for other
        languages (maxPayloadSizeBytes, maskBodyFieldsList, ...). Of resourceAttributes, serviceName, version and
        environment name the service, and the rest goes along as it is. What is not given comes from the environment
        (MULTIPLAYER_API_KEY, OTEL_*), then from the default.

        traceIdGenerator: the SessionRecorderRandomIdGenerator of the host's OpenTelemetry. generateSessionShortIdLocally:
        a function that makes short ids, for a server that gives none. log_callback: gets the library's diagnostics, as
        (level, text), on threads of the library; with log_level alone they go to the logger
        "multiplayer.session_recorder", and with neither nowhere.

        Raises SessionRecorderError: MPR_ERR_INVALID_ARGUMENT (no API key, an option that is unknown or not usable;
        the message says which and what would be right), MPR_ERR_ALREADY_INITIALIZED, MPR_ERR_IO.
        """
        options = {**early_options, **_options.by_name({**_mapping(config), **keywords})}
        _generator(options.pop("trace_id_generator", None))
        short_id = options.pop("generate_session_short_id_locally", None)
        log = options.pop("log_callback", None)
        if log is not None and not callable(log):
            raise invalid("init: log_callback must be a function of (level, text), and is %s" % type(log).__name__)
        _options.resource(options)
        for name, wanted in early_masks.items():
            if wanted:
                options[name] = list(dict.fromkeys([*_options.names(options.get(name)), *wanted]))
        # Nothing runs Python on the library's threads unless somebody wants the lines.
        wants_log = log is not None or options.get("log_level") is not None or bool(os.environ.get("MPR_LOG"))
        given = _options.encoded({name: value for name, value in options.items() if not _merged(name, value)})
        handle = lib.mpr_options_new()
        try:
            if isinstance(options.get("resource_attributes", {}), Mapping):
                check(lib.mpr_options_set_resource_attributes(handle, _resource(handle, options)))
            check(lib.mpr_options_set_json(handle, given))
            if wants_log:
                line = _native.mpr_log_fn(_forward(log))
                _kept.append(line)
                check(lib.mpr_options_set_log_callback(handle, line, None, None))
            if callable(short_id):
                hook = _native.mpr_short_id_fn(_short_id(short_id))
                _kept.append(hook)
                check(lib.mpr_options_set_short_id_hook(handle, hook, None, None))
        except SessionRecorderError:
            lib.mpr_options_free(handle)
            raise
        timeout = ctypes.c_uint32(2000)
        lib.mpr_options_get_exit_timeout_ms(handle, timeout)
        check(lib.mpr_init(handle))
        self._on = True
        self._generation += 1
        self._exit_timeout = timeout.value
        self._lost = 0
        self._resource = _otel_resource(options)

    def start(
        self, session_type: Union[int, str] = SessionType.PLAIN, session: Optional[Mapping[str, Any]] = None
    ) -> SessionCall[None]:
        """Starts a session: from here to stop() every new trace of this process belongs to it.

        session: any of name, comment (text), sessionAttributes, resourceAttributes, userAttributes (mappings), tags
        (a list). Waits for the platform, timeout_ms (10 s) at most; inside a running event loop write `await`.

        Raises SessionRecorderError: MPR_ERR_INVALID_STATE (one runs already), MPR_ERR_NOT_INITIALIZED,
        MPR_ERR_INVALID_ARGUMENT, MPR_ERR_UNAUTHORIZED, MPR_ERR_REJECTED, MPR_ERR_NETWORK, MPR_ERR_TIMEOUT. No session
        runs then.
        """
        kind, text = _session_type(session_type), _session("start", session)
        return call(lambda: _done(check(lib.mpr_start(kind, text))))

    def stop(self, session: Optional[Mapping[str, Any]] = None) -> SessionCall[None]:
        """Ends the session; what was recorded before is delivered first. `session` is added to a manual one.

        Waits and raises as start(); no session runs afterwards, whatever it raises. MPR_ERR_INVALID_STATE: none ran.
        """
        text = _session("stop", session)

        def stop() -> None:
            hand_over()
            check(lib.mpr_stop(text))
            self._tell_losses()

        return call(stop)

    def save(self, session: Optional[Mapping[str, Any]] = None) -> SessionCall[None]:
        """Keeps the last two minutes of the continuous session as a session of their own, laid over with `session`.

        session_info()["saved"] has its id and url. Waits and raises as start(); MPR_ERR_INVALID_STATE: no continuous
        session runs.
        """
        text = _session("save", session)

        def save() -> None:
            hand_over()
            check(lib.mpr_save(text))

        return call(save)

    def cancel(self) -> SessionCall[None]:
        """Ends the session and has the platform throw it away. Waits and raises as stop()."""
        return call(lambda: _done(check(lib.mpr_cancel())))

    def check_remote_continuous_session(self, session: Optional[Mapping[str, Any]] = None) -> SessionCall[bool]:
        """Asks the platform whether to record now, and starts a session if so: True when one was started.

        session: what the platform's conditions look at, as for start(). Waits and raises as start().
        """
        text = _session("check_remote_continuous_session", session)
        return call(lambda: check(lib.mpr_check_remote(text)) == _native.MPR_OK)

    def auto_start_remote_continuous_session(self, session: Optional[Mapping[str, Any]] = None) -> SessionCall[bool]:
        """check_remote_continuous_session() under the name that 1.x has for it."""
        return self.check_remote_continuous_session(session)

    def session_info(self) -> Dict[str, Any]:
        """The state ("stopped", "starting", "started", "ending") and, of the session that runs or ran last, type, id,
        shortId, name, url, startedAt, counts, saved {id, url, at}, endedBy; while a manual one runs endsAt and endsInMs.

        Raises SessionRecorderError: MPR_ERR_NOT_INITIALIZED.
        """
        info: Dict[str, Any] = json.loads(_native.read_text(lib.mpr_session_info))
        return info

    def flush(self, timeout_ms: int = 10000) -> None:
        """Waits until all that was recorded before is delivered. Raises SessionRecorderError: MPR_ERR_TIMEOUT (the
        rest is still delivered later), MPR_ERR_NOT_INITIALIZED."""
        timeout = _milliseconds("flush", timeout_ms)
        hand_over()
        check(lib.mpr_flush(timeout))
        self._tell_losses()

    def shutdown(self, timeout_ms: int = 10000) -> None:
        """Ends the session, delivers what is queued and turns recording off, whatever it raises; init() may follow.

        Without it the end of the process does it, within exit_timeout_ms (2 s). With recording off it does nothing.
        Raises SessionRecorderError: MPR_ERR_TIMEOUT (what was left is lost and counted), and the errors of stop().
        """
        timeout = _milliseconds("shutdown", timeout_ms)
        hand_over()
        try:
            check(lib.mpr_shutdown(timeout))
        finally:
            self._on = False
        self._tell_losses()

    def set_consent(self, given: bool) -> bool:
        """The off switch: False forgets what is recorded and not delivered, erases the spool (spool_dir) and keeps nothing
        more until True; see mpr_set_consent in include/mpr.h. Returns whether that was a change. Raises
        SessionRecorderError: MPR_ERR_NOT_INITIALIZED, MPR_ERR_TIMEOUT (the disk does not answer)."""
        if given not in (True, False):
            raise invalid("set_consent: True or False, and not %r" % (given,))
        return check(lib.mpr_set_consent(int(given))) == _native.MPR_OK

    def stats(self) -> Dict[str, int]:
        """The numbers since init(): spans and logs accepted, exported, queued and dropped, and why; see mpr_stats in
        include/mpr.h."""
        numbers = _native.mpr_stats()
        check(lib.mpr_get_stats(numbers))
        return {name: getattr(numbers, name) for name, *_ in numbers._fields_ if name != "struct_size"}

    def span(self, name: str, kind: int = SpanKind.INTERNAL, parent: "Union[Span, str, None]" = _CURRENT) -> Span:
        """Begins a span; use it in `with`.

        parent: a Span, the traceparent header of a request (one that is not valid begins a new trace), or None for a
        new trace. Not given: the span of the `with` block around, of this thread or task, else OpenTelemetry's
        current span.
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
        more = None if attributes is None else json.dumps(attributes, default=str, skipkeys=True).encode()
        _hot(lib.mpr_log, severity, text, len(text), more, _reference(context))

    def capture_exception(self, exception: BaseException, span: "Union[Span, str, None]" = _CURRENT) -> None:
        """Records an exception, with its traceback, as a failed span below the span of the `with` block around, or
        below `span` (as `parent` of span())."""
        _hot(lib.mpr_capture_exception, *describe(exception), _reference(_context(span)))

    def _tell_losses(self) -> None:
        # Without a log callback the library tells nobody that the platform refuses what it sends.
        numbers = self.stats()
        lost = {name: n for name, n in numbers.items() if name.startswith("dropped_") and n and name != "dropped_consent"}
        if sum(lost.values()) > self._lost:
            self._lost = sum(lost.values())
            told = ", ".join("%s %d" % each for each in lost.items())
            _log(logging.WARNING, "not everything was delivered: %s. Set log_level='warn' to see why" % told)


#: The recorder of this process.
session_recorder = SessionRecorder()

# Callbacks, for good: to be told when the library lets go of one would be one more callback, after the interpreter's end.
_kept: "list[Any]" = []

#: What middlewares that were made before init() want masked.
early_masks: Dict[str, Dict[str, None]] = {"mask_body_fields": {}, "mask_header_names": {}}

#: What exporters that were made before init() were told.
early_options: Dict[str, Any] = {}

#: Called before a delivery: what OpenTelemetry's processors hold goes to the library.
handovers: "list[Any]" = []


def hand_over() -> None:
    """Has OpenTelemetry's processors give the library what they hold back."""
    for handover in handovers:
        try:
            handover()
        except Exception as error:
            _log(logging.WARNING, "OpenTelemetry did not hand over all spans: %s" % error)


def _at_exit() -> None:
    # The library delivers what it has at exit() by itself, but not every end of an interpreter comes there: Ctrl-C ends
    # in a signal, and uWSGI's workers in _exit(). What OpenTelemetry holds must come to it before, and a callback must
    # not be made into an interpreter that is gone.
    hand_over()
    if session_recorder._on:
        lib.mpr_shutdown(session_recorder._exit_timeout)


atexit.register(_at_exit)


# ---- from Python to C ----


def _mapping(config: Any) -> Mapping[str, Any]:
    """The options of a mapping, or of an object like SessionRecorderConfig."""
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return config
    fields = getattr(config, "__dict__", None)
    if not fields:
        raise invalid("init: options are a dict or keywords, and not %s" % type(config).__name__)
    return {name: value for name, value in fields.items() if value is not None}


def _merged(name: str, value: Any) -> bool:
    return name == "resource_attributes" and isinstance(value, Mapping)


def _resource(handle: Any, options: Mapping[str, Any]) -> bytes:
    """The attributes of OTEL_RESOURCE_ATTRIBUTES and those given here over them, as OpenTelemetry has it."""
    there = json.loads(_native.read_text(lib.mpr_options_get_resource_attributes, handle) or "{}")
    # The platform shows a service by its language.
    python = {"telemetry.sdk.language": "python", "process.runtime.name": sys.implementation.name}
    return _options.dumped({**python, **there, **(options.get("resource_attributes") or {})}, "init: resourceAttributes")


def _otel_resource(options: Mapping[str, Any]) -> Dict[str, Any]:
    more = options.get("resource_attributes")
    found = dict(more) if isinstance(more, Mapping) else {}
    named = {
        "service.name": "service_name", "service.version": "service_version",
        "deployment.environment": "environment", "deployment.environment.name": "environment",
    }  # fmt: skip
    found.update({name: options[ours] for name, ours in named.items() if options.get(ours)})
    return found


def _generator(generator: Any) -> None:
    # Only one that asks the library for its ids puts the session into them.
    if generator is not None and not getattr(generator, "_makes_session_ids", False):
        raise invalid(
            "init: traceIdGenerator must be the SessionRecorderRandomIdGenerator that your TracerProvider has "
            "(id_generator=), and is %s" % type(generator).__name__
        )


def _session_type(value: Any) -> int:
    try:
        return int(SessionType(value))
    except ValueError:
        raise invalid("start: session_type is SessionType.PLAIN, MANUAL or CONTINUOUS, and not %r" % (value,)) from None


def _session(what: str, session: Any) -> Optional[bytes]:
    if session is None:
        return None
    if not isinstance(session, Mapping):
        raise invalid("%s: the session is a dict (name, sessionAttributes, ...), and not %s" % (what, type(session).__name__))
    return _options.dumped(session, what)


def _milliseconds(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**32:
        raise invalid("%s: timeout_ms is a number of milliseconds, 0 to 4294967295, and not %r" % (what, value))
    return int(value)


def _done(_status: int) -> None:
    return None


def _begin(name: Any, kind: Any, parent: Optional[_native.mpr_span_context]) -> Any:
    try:
        handle = quick.mpr_span_begin(_text(name), kind, _reference(parent))
    except (ctypes.ArgumentError, TypeError) as error:
        _log(logging.WARNING, "span %r: %s (MPR_ERR_INVALID_ARGUMENT)" % (name, error))
        return None
    if handle is None:
        _refused(_native.MPR_ERR_INVALID_ARGUMENT)
    return handle


def _hot(function: Any, *arguments: Any) -> None:
    """A call that must not break a request: what is wrong goes to the log."""
    try:
        status = function(*arguments)
    except (ctypes.ArgumentError, TypeError) as error:
        _log(logging.WARNING, "%s: %s (MPR_ERR_INVALID_ARGUMENT)" % (function.__name__, error))
        return
    if status < 0:
        _refused(status)


# A handler that forwards logging to session_recorder.log() would otherwise log about itself without end.
_logging = threading.local()


def _refused(status: int) -> None:
    message = quick.mpr_last_error().decode("utf-8", "replace")
    _log(logging.WARNING, f"{message} ({quick.mpr_status_name(status).decode()})")


def _log(level: int, message: str) -> None:
    if getattr(_logging, "inside", False):
        return
    _logging.inside = True
    try:
        _logger.log(level, "%s", message)
    finally:
        _logging.inside = False


_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO}


def _forward(log: Any) -> Any:
    """The library's log callback: to the host's own, or to the logger."""

    def line(level: int, message: bytes, _user_data: Any) -> None:
        text = message.decode("utf-8", "replace")
        if log is None:
            _log(_LEVELS.get(level, logging.DEBUG), text)
            return
        try:
            log(level, text)
        except Exception as error:
            _log(logging.ERROR, "log_callback failed: %r" % error)

    return line


def _short_id(make: Any) -> Any:
    def hook(out: int, _user_data: Any) -> int:
        try:
            made = str(make()).encode()
        except Exception as error:
            _log(logging.ERROR, "generateSessionShortIdLocally failed: %r" % error)
            return _native.MPR_ERR_INTERNAL
        if len(made) != 8:
            _log(logging.ERROR, "generateSessionShortIdLocally must give 8 lower-case hex digits")
            return _native.MPR_ERR_INVALID_ARGUMENT
        ctypes.memmove(out, made + b"\0", 9)
        return _native.MPR_OK

    return hook


def _encoded(value: Any) -> bytes:
    return str(value).encode("utf-8", "replace")


def _text(value: Any) -> Optional[bytes]:
    """Text for C, where NUL is the end."""
    if value is None:
        return None
    text = _encoded(value)
    return text.replace(b"\0", b"\xef\xbf\xbd") if b"\0" in text else text


def _context(span: Any) -> Optional[_native.mpr_span_context]:
    """The mpr_span_context of a Span, a traceparent header or the current span; None for none."""
    if span is _CURRENT:
        span = _current_span.get()
        if span is None:
            return _otel_context()
    if span is None:
        return None
    context: _native.mpr_span_context
    if isinstance(span, Span):
        context = span._context
        return context
    context = _native.mpr_span_context()
    # What comes over the network is no mistake of the host: it is left all zero, which begins a new trace.
    quick.mpr_traceparent_parse(_text(span), context)
    return context


def _otel_context() -> Optional[_native.mpr_span_context]:
    """The context of OpenTelemetry's current span, where the host has OpenTelemetry."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return None
    context = _native.mpr_span_context()
    ctypes.memmove(
        ctypes.byref(context), found.trace_id.to_bytes(16, "big") + found.span_id.to_bytes(8, "big"), 24
    )
    context.trace_flags = int(found.trace_flags) & 0xFF
    return context


def _reference(context: Optional[_native.mpr_span_context]) -> Any:
    return None if context is None else ctypes.byref(context)


def header_lines(headers: Headers) -> bytes:
    """Headers as on the wire."""
    if headers is None:
        return b""
    if isinstance(headers, (str, bytes)):
        return headers.encode("utf-8", "replace") if isinstance(headers, str) else headers
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    # A line break inside a value would be read as another header.
    lines = (re.sub("[\r\n]+", " ", "%s: %s" % (_header(name), _header(value))) for name, value in pairs)
    return "\r\n".join(lines).encode("utf-8", "replace")


def _header(part: Any) -> Any:
    return part.decode("latin-1") if isinstance(part, bytes) else part


def describe(exception: BaseException) -> Tuple[Optional[bytes], Optional[bytes], Optional[bytes]]:
    """Type, message and traceback of an exception, for C."""
    kind = type(exception)
    name = kind.__qualname__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__qualname__)
    try:
        message = str(exception)
    except Exception:
        message = "<%s, whose __str__ fails>" % name
    stack = "".join(traceback.format_exception(kind, exception, getattr(exception, "__traceback__", None)))
    return _text(name), _text(message), _text(stack)
