"""Requests and responses as they pass: bounded, masked by the library, and put on the span.

Nothing here raises into the host, reads a body that the host does not read, or holds more of one than a bounded part.
"""

import ctypes
import sys
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from .. import _native, _recorder
from .._native import lib, quick
from .._trace_ids import IN_SESSION
from ._rules import Rules

REQUEST, RESPONSE = _native.MPR_PAYLOAD_HTTP_REQUEST, _native.MPR_PAYLOAD_HTTP_RESPONSE

# Up to here a body is held as it came, for one call of the library; what is longer goes there piece by piece.
HELD = 65536

_string_at = ctypes.string_at
_sink = threading.local()


@_native.mpr_attribute_fn  # type: ignore[untyped-decorator]
def _collect(_data: Any, key: int, key_len: int, value: int, value_len: int) -> None:
    _sink.found[_string_at(key, key_len).decode()] = _string_at(value, value_len).decode("utf-8", "replace")


_COLLECT = ctypes.cast(_collect, ctypes.c_void_p).value


class Payload:
    """Headers and body of one direction."""

    __slots__ = ("kind", "trace_id", "head", "rules", "size", "_chunks", "_capture", "_held")

    def __init__(self, kind: int, trace_id: bytes, head: bytes, rules: Rules) -> None:
        self.kind = kind
        self.trace_id = trace_id
        self.head = head
        self.rules = rules
        self.size = 0
        self._chunks: List[bytes] = []
        self._held = 0
        self._capture: Any = None

    def add(self, chunk: bytes) -> None:
        """A piece of the body, as it passes."""
        n = len(chunk)
        self.size += n
        rules = self.rules
        if not n or not rules.capture_body:
            return
        if self._capture is not None:
            lib.mpr_capture_body(self._capture, chunk if type(chunk) is bytes else bytes(chunk), n)
        elif rules.own_body:
            room = rules.holds - self._held
            if room > 0:
                self._chunks.append(bytes(chunk[:room]))
                self._held += min(n, room)
        else:
            self._chunks.append(chunk if type(chunk) is bytes else bytes(chunk))
            self._held += n
            if self._held > HELD:
                self._stream()

    def _stream(self) -> None:
        """From here on the library holds the body, and no more of it than its options allow."""
        self._capture = lib.mpr_capture_begin(self.kind, self.trace_id)
        for line in self.head.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon:
                value = value.strip()
                lib.mpr_capture_header(self._capture, name, len(name), value, len(value))
        for chunk in self._chunks:
            lib.mpr_capture_body(self._capture, chunk, len(chunk))
        self._chunks = []

    def onto(self, span: Any) -> None:
        """Puts what was captured on a span."""
        put(span, self.made(span))

    def made(self, span: Any) -> Dict[str, Any]:
        """The attributes of what was captured; none where they are on the span already."""
        rules = self.rules
        body = b"" if not self._chunks else self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        if rules.plain and type(span) is _recorder.Span and self._capture is None:
            # One of our own: the attributes need not come through Python.
            library = quick if len(body) <= _recorder.SMALL else lib
            self._given(lambda head: library.mpr_span_capture_payload(span._handle, self.kind, head, len(head), body, len(body)))
            return {}
        found: Dict[str, Any] = {}
        _sink.found = found
        if self._capture is not None:
            lib.mpr_capture_end(self._capture, _collect, None)
            self.free()
        else:
            given = b"" if rules.own_body else body
            library, collect = (quick, _COLLECT) if len(given) <= _recorder.SMALL else (lib, _collect)
            head = self.head
            capture = library.mpr_capture_payload
            if capture(self.kind, self.trace_id, head, len(head), given, len(given), collect, None) < 0:
                # Once more without what the library refuses.
                found.clear()
                self._given(
                    lambda head: capture(self.kind, self.trace_id, head, len(head), given, len(given), collect, None)
                )
        if not rules.plain:
            rules.finish(self.kind, found, self.head, body, self.size, span)
        return found

    def _given(self, give: Callable[[bytes], int]) -> None:
        status = give(self.head)
        if status < 0:
            self.head = _clean(self.head)
            status = give(self.head)
            if status < 0:
                _recorder._refused(status)

    def note(self, span: Any, reason: str) -> None:
        """Puts the headers on a span, and in place of the body why it is not there."""
        if self.rules.capture_body and not self.size:
            declared = b"unknown type"
            for line in self.head.split(b"\r\n"):
                if line[:13].lower() == b"content-type:":
                    declared = line[13:].split(b";")[0].strip() or declared
            which = "request" if self.kind == REQUEST else "response"
            text = "[%s, not captured: %s]" % (declared.decode("latin-1"), reason)
            span.set_attribute("multiplayer.http.%s.body" % which, text)
        self.onto(span)

    def free(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            lib.mpr_capture_free(capture)

    def __del__(self) -> None:
        self.free()


def put(span: Any, found: Dict[str, Any]) -> None:
    """Puts attributes on a span of either kind."""
    if type(span) is _recorder.Span:
        for key, value in found.items():
            span.set_attribute(key, value)
    elif found:
        span.set_attributes(found)


class Exchange:
    """A request of a session and its response."""

    __slots__ = ("span", "own", "request", "response", "_trace_id", "_token", "_context", "_finished", "__weakref__")

    def __init__(self, span: Any, trace_id: bytes, own: bool) -> None:
        self.span = span
        self.own = own
        self.request: Optional[Payload] = None
        self.response: Optional[Payload] = None
        self._trace_id = trace_id
        self._token: Any = None
        self._context: Any = None
        self._finished = False

    def asked(self, head: bytes, rules: Rules) -> Payload:
        """The request's payload, from its headers."""
        self.request = Payload(REQUEST, self._trace_id, head, rules)
        return self.request

    def answered(self, status: int, head: bytes, rules: Rules) -> Payload:
        """The response's payload, from its headers."""
        self.response = Payload(RESPONSE, self._trace_id, head, rules)
        if self.own:
            for key in ("http.status_code", "http.response.status_code"):
                self.span.set_attribute(key, status)
            if status >= 500:
                self.span.set_status(_recorder.SpanStatus.ERROR)
        return self.response

    def enter(self) -> None:
        """Has what begins from here, in this task or thread, belong to a span of our own."""
        if not self.own:
            return
        self._token = _recorder._current_span.set(self.span)
        trace, context = sys.modules.get("opentelemetry.trace"), sys.modules.get("opentelemetry.context")
        if trace is not None and context is not None:
            there = trace.SpanContext(
                int(self.span.trace_id, 16), int(self.span.span_id, 16), False,
                trace.TraceFlags(self.span._context.trace_flags & 1),
            )  # fmt: skip
            self._context = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(there)))

    def leave(self) -> None:
        """The end of enter(), in the same task or thread."""
        token, self._token = self._token, None
        if token is not None:
            try:
                _recorder._current_span.reset(token)
            except ValueError:
                pass
        attached, self._context = self._context, None
        if attached is not None:
            sys.modules["opentelemetry.context"].detach(attached)

    def failed(self, error: BaseException) -> None:
        """The application raised."""
        if self.own and isinstance(error, Exception):
            self.span.record_exception(error)
            for key in ("http.status_code", "http.response.status_code"):
                self.span.set_attribute(key, 500)

    def finish(self) -> None:
        """Puts both payloads on the span; a second time it does nothing."""
        if self._finished:
            return
        self._finished = True
        try:
            found = {} if self.request is None else self.request.made(self.span)
            if self.response is not None:
                found.update(self.response.made(self.span))
            put(self.span, found)
        except Exception as error:
            _recorder._log(40, "a request could not be captured: %r" % error)
        if self.own:
            self.span.end()

    def __del__(self) -> None:
        # A host that never came to the response.
        try:
            if self.own and not self._finished:
                self.finish()
        except Exception:
            pass


def wanted() -> Any:
    """The span of OpenTelemetry to capture for: None when what runs is part of no session, OWN where there is no
    OpenTelemetry or no span of it. It is asked for every request, hence before anything else is looked at."""
    if not _recorder.session_recorder._on:
        return None
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return OWN
    span = trace.get_current_span()
    trace_id = span.get_span_context().trace_id
    if not trace_id:
        return OWN
    return span if trace_id >> 104 in IN_SESSION and span.is_recording() else None


#: A span of our own is to be begun.
OWN: Any = object()


def begin(span: Any, own: Callable[[], _recorder.Span]) -> Optional[Exchange]:
    """The exchange of what wanted() gave; own() begins a span. None when that is part of no session."""
    if span is None:
        return None
    if span is not OWN:
        return Exchange(span, span.get_span_context().trace_id.to_bytes(16, "big"), False)
    made = own()
    if not made.recorded:
        made.end()
        return None
    return Exchange(made, bytes(made._context.trace_id), True)


def own_span(method: str, path: str, target: str, scheme: str, host: str, parent: Optional[str], route: str = "") -> Any:
    """A span of our own for a request."""
    span = _recorder.Span("%s %s" % (method, route or path), _recorder.SpanKind.SERVER, _recorder._context(parent))
    if span.recorded:
        for key, value in (
            ("http.method", method), ("http.request.method", method), ("http.target", target), ("url.path", path),
            ("http.scheme", scheme), ("url.scheme", scheme), ("http.host", host), ("server.address", host),
        ):  # fmt: skip
            span.set_attribute(key, value)
        if route:
            span.set_attribute("http.route", route)
    return span


# ---- WSGI ----


class _Names(Dict[str, str]):
    """What a header's line begins with, by its name in the environment; "" for what is no header."""

    def __missing__(self, key: Any) -> str:
        made = key[5:].replace("_", "-").title() + ": " if key[:5] == "HTTP_" else ""
        # The names are the clients'.
        if len(self) < 500 and len(key) < 100:
            self[key] = made
        return made


_names = _Names()


def wsgi_head(environ: Any) -> bytes:
    """The request's headers of a WSGI environment, as lines."""
    names = _names
    lines = [name + value for key, value in environ.items() if (name := names[key])]
    kind, length = environ.get("CONTENT_TYPE"), environ.get("CONTENT_LENGTH")
    if kind:
        lines.append("Content-Type: " + kind)
    if length:
        lines.append("Content-Length: " + str(length))
    return _lines(lines)


def text_head(headers: Any) -> bytes:
    """Headers in pairs of text, as lines."""
    return _lines(["%s: %s" % pair for pair in headers])


def _lines(lines: List[str]) -> bytes:
    text = "\r\n".join(lines)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _clean(head: bytes) -> bytes:
    """Lines without what the library refuses: line breaks of half a kind inside a value, and what is no header."""
    lines = (line.replace(b"\r", b" ").replace(b"\n", b" ") for line in head.split(b"\r\n"))
    return b"\r\n".join(line for line in lines if b":" in line and line[:1] not in b": \t")


def bytes_head(headers: Any) -> bytes:
    """Headers in pairs of bytes, as ASGI has them, as lines."""
    return b"\r\n".join([b"%b: %b" % (name, value) for name, value in headers])


def wsgi_own_span(environ: Any, route: str = "") -> Any:
    """A span of our own for a WSGI request."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query = environ.get("QUERY_STRING")
    return own_span(
        environ.get("REQUEST_METHOD", ""), path, "%s?%s" % (path, query) if query else path,
        environ.get("wsgi.url_scheme", ""), environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""),
        environ.get("HTTP_TRACEPARENT"), route,
    )  # fmt: skip


class Input:
    """A request's body that is captured while the host reads it."""

    def __init__(self, stream: Any, payload: Payload) -> None:
        self._stream = stream
        self._payload = payload

    def _seen(self, data: Any) -> Any:
        try:
            if data:
                self._payload.add(data)
        except Exception as error:
            _recorder._log(40, "a request's body could not be captured: %r" % error)
        return data

    def read(self, *size: Any) -> Any:
        return self._seen(self._stream.read(*size))

    def readline(self, *size: Any) -> Any:
        return self._seen(self._stream.readline(*size))

    def readlines(self, *hint: Any) -> Any:
        lines = self._stream.readlines(*hint)
        self._seen(b"".join(lines))
        return lines

    def __iter__(self) -> Iterator[Any]:
        for line in self._stream:
            yield self._seen(line)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__dict__["_stream"], name)
        # Not every server's stream has it, and hosts look whether it is there.
        return self._readinto if name == "readinto" else found

    def _readinto(self, buffer: Any) -> Any:
        n = self._stream.readinto(buffer)
        if n:
            self._seen(bytes(memoryview(buffer)[:n]))
        return n


class Output:
    """A WSGI response that is captured while the server reads it."""

    def __init__(self, iterable: Any, exchange: Exchange) -> None:
        self._iterable = iterable
        self._next = iter(iterable).__next__
        self._exchange = exchange

    def __iter__(self) -> "Output":
        return self

    def __next__(self) -> Any:
        try:
            chunk = self._next()
        except StopIteration:
            self._exchange.finish()
            raise
        except Exception as error:
            self._exchange.failed(error)
            self._exchange.finish()
            raise
        response = self._exchange.response
        if response is not None and chunk:
            response.add(chunk)
        return chunk

    def close(self) -> None:
        try:
            close = getattr(self._iterable, "close", None)
            if close is not None:
                close()
        finally:
            self._exchange.finish()


def streamed(chunks: Any, payload: Payload, exchange: Exchange) -> Any:
    """A response's stream of chunks, captured as it passes."""
    try:
        for chunk in chunks:
            _passing(payload, chunk)
            yield chunk
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
        end_of_stream(payload, exchange)


async def streamed_async(chunks: Any, payload: Payload, exchange: Exchange) -> Any:
    """As streamed(), for an asynchronous one."""
    try:
        async for chunk in chunks:
            _passing(payload, chunk)
            yield chunk
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
        end_of_stream(payload, exchange)


def _passing(payload: Payload, chunk: Any) -> None:
    try:
        payload.add(chunk.encode("utf-8", "replace") if isinstance(chunk, str) else chunk)
    except Exception as error:
        _recorder._log(40, "a response could not be captured: %r" % error)


def end_of_stream(payload: Payload, exchange: Exchange) -> None:
    """The last chunk passed. OpenTelemetry may have ended its span before: then its body stays the note."""
    try:
        if exchange.own or exchange.span.is_recording():
            payload.onto(exchange.span)
    except Exception as error:
        _recorder._log(40, "a response could not be captured: %r" % error)
    if exchange.own:
        exchange.span.end()


Headers = List[Tuple[str, str]]
