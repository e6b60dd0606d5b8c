"""Content of the requests that a service makes, for the hooks of OpenTelemetry's instrumentations:

    RequestsInstrumentor().instrument(**requests_hooks())
    HTTPXClientInstrumentor().instrument(**httpx_hooks())
    AioHttpClientInstrumentor().instrument(**aiohttp_hooks())

Options as for HttpMiddlewareConfig. Nothing is read that the host does not read: of httpx and aiohttp, whose responses come
after their spans have ended, the headers are recorded and a note in place of the body.
"""

from typing import Any, Callable, Dict, Optional

from . import _recorder
from ._trace_ids import IN_SESSION
from .middleware._capture import REQUEST, RESPONSE, Payload, text_head
from .middleware._rules import rules

Hooks = Dict[str, Callable[..., Any]]


def requests_hooks(config: Any = None, **options: Any) -> Hooks:
    """Hooks for RequestsInstrumentor().instrument()."""
    wanted = rules(config, options)

    def request_hook(span: Any, request: Any) -> None:
        payload = _payload(REQUEST, span, wanted, lambda: text_head(request.headers.items()))
        if payload is None:
            return
        body = request.body
        if body is None or isinstance(body, (bytes, str)):
            _put(payload, span, body)
        else:
            _note(payload, span, "streamed")

    def response_hook(span: Any, _request: Any, response: Any) -> None:
        payload = _payload(RESPONSE, span, wanted, lambda: text_head(response.headers.items()))
        if payload is None:
            return
        # With stream=True it is not read yet, and reading it would be the host's.
        if getattr(response, "_content", False) is False:
            _note(payload, span, "streamed")
        else:
            # What requests gives is decoded, and the header tells how it came.
            payload.head = text_head(_decoded(response.headers))
            _put(payload, span, response.content)

    return {"request_hook": request_hook, "response_hook": response_hook}


def httpx_hooks(config: Any = None, **options: Any) -> Hooks:
    """Hooks for HTTPXClientInstrumentor().instrument(), of both kinds of clients."""
    wanted = rules(config, options)

    def request_hook(span: Any, request: Any) -> None:
        payload = _payload(REQUEST, span, wanted, lambda: text_head(_multi(request.headers)))
        if payload is None:
            return
        # A ByteStream has all of its body; any other stream can be read once.
        body = getattr(request.stream, "_stream", None)
        if isinstance(body, bytes):
            _put(payload, span, body)
        else:
            _note(payload, span, "streamed")

    def response_hook(span: Any, _request: Any, response: Any) -> None:
        payload = _payload(RESPONSE, span, wanted, lambda: text_head(_multi(response.headers)))
        if payload is not None:
            _note(payload, span, "read later")

    async def async_request_hook(span: Any, request: Any) -> None:
        request_hook(span, request)

    async def async_response_hook(span: Any, request: Any, response: Any) -> None:
        response_hook(span, request, response)

    return {
        "request_hook": request_hook,
        "response_hook": response_hook,
        "async_request_hook": async_request_hook,
        "async_response_hook": async_response_hook,
    }


def aiohttp_hooks(config: Any = None, **options: Any) -> Hooks:
    """Hooks for AioHttpClientInstrumentor().instrument() and create_trace_config()."""
    wanted = rules(config, options)

    def request_hook(span: Any, params: Any) -> None:
        payload = _payload(REQUEST, span, wanted, lambda: text_head(params.headers.items()))
        if payload is not None:
            _put(payload, span, None)

    def response_hook(span: Any, params: Any) -> None:
        response = getattr(params, "response", None)
        if response is None:
            return
        payload = _payload(RESPONSE, span, wanted, lambda: text_head(response.headers.items()))
        if payload is not None:
            _note(payload, span, "read later")

    return {"request_hook": request_hook, "response_hook": response_hook}


def _payload(kind: int, span: Any, wanted: Any, head: Callable[[], bytes]) -> Optional[Payload]:
    try:
        if span is None or not _recorder.session_recorder._on:
            return None
        trace_id = span.get_span_context().trace_id
        if trace_id >> 104 not in IN_SESSION or not span.is_recording():
            return None
        return Payload(kind, trace_id.to_bytes(16, "big"), head(), wanted.ready())
    except Exception as error:
        _recorder._log(40, "a request could not be captured: %r" % error)
        return None


def _put(payload: Payload, span: Any, body: Any) -> None:
    try:
        if body:
            payload.add(body.encode("utf-8", "replace") if isinstance(body, str) else body)
        payload.onto(span)
    except Exception as error:
        _recorder._log(40, "a request could not be captured: %r" % error)


def _note(payload: Payload, span: Any, reason: str) -> None:
    try:
        payload.note(span, reason)
    except Exception as error:
        _recorder._log(40, "a request could not be captured: %r" % error)


def _multi(headers: Any) -> Any:
    return headers.multi_items() if hasattr(headers, "multi_items") else dict(headers or {}).items()


def _decoded(headers: Any) -> Any:
    return [(name, value) for name, value in headers.items() if name.lower() not in ("content-encoding", "transfer-encoding")]
