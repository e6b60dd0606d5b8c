"""Attributes and content on the current span: OpenTelemetry's, else the recorder's own."""

import sys
from typing import Any, Mapping, Optional

from .. import _recorder, constants
from .mask import as_content, mask_text


def _active_span() -> Any:
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None:
        span = trace.get_current_span()
        if span.is_recording():
            return span
    own = _recorder._current_span.get()
    return own if own is not None and own.recorded else None


def set_attribute(key: str, value: Any) -> None:
    """Sets an attribute of the current span; without one it does nothing."""
    span = _active_span()
    if span is not None:
        span.set_attribute(key, value)


def _set(key: str, content: Any, options: Optional[Mapping[str, Any]], masked: Optional[bool]) -> None:
    span = _active_span()
    if span is None:
        return
    if masked is None:
        masked = (options or {}).get("mask", True)
    body, content_type = as_content(content)
    span.set_attribute(key, mask_text(body, content_type) if masked else body.decode("utf-8", "replace"))


def set_http_request_body(body: Any, options: Optional[Mapping[str, Any]] = None, *, mask: Optional[bool] = None) -> None:
    """Sets the current span's request body: text, bytes, or anything that JSON has a form for. mask=False (also as
    {"mask": False}) leaves it as it is."""
    _set(constants.ATTR_MULTIPLAYER_HTTP_REQUEST_BODY, body, options, mask)


def set_http_request_headers(
    headers: Any, options: Optional[Mapping[str, Any]] = None, *, mask: Optional[bool] = None
) -> None:
    """Sets the current span's request headers, as set_http_request_body()."""
    _set(constants.ATTR_MULTIPLAYER_HTTP_REQUEST_HEADERS, _dict(headers), options, mask)


def set_http_response_body(body: Any, options: Optional[Mapping[str, Any]] = None, *, mask: Optional[bool] = None) -> None:
    """Sets the current span's response body, as set_http_request_body()."""
    _set(constants.ATTR_MULTIPLAYER_HTTP_RESPONSE_BODY, body, options, mask)


def set_http_response_headers(
    headers: Any, options: Optional[Mapping[str, Any]] = None, *, mask: Optional[bool] = None
) -> None:
    """Sets the current span's response headers, as set_http_request_body()."""
    _set(constants.ATTR_MULTIPLAYER_HTTP_RESPONSE_HEADERS, _dict(headers), options, mask)


def set_message_body(body: Any, options: Optional[Mapping[str, Any]] = None, *, mask: Optional[bool] = None) -> None:
    """Sets the body of a queue's message, as set_http_request_body()."""
    _set(constants.ATTR_MULTIPLAYER_MESSAGING_MESSAGE_BODY, body, options, mask)


def set_rpc_request_message(
    message: Any, options: Optional[Mapping[str, Any]] = None, *, mask: Optional[bool] = None
) -> None:
    """Sets the arguments of a remote call, as set_http_request_body()."""
    _set(constants.ATTR_MULTIPLAYER_RPC_REQUEST_MESSAGE, message, options, mask)


def set_rpc_response_message(
    message: Any, options: Optional[Mapping[str, Any]] = None, *, mask: Optional[bool] = None
) -> None:
    """Sets the result of a remote call, as set_http_request_body()."""
    _set(constants.ATTR_MULTIPLAYER_RPC_RESPONSE_MESSAGE, message, options, mask)


def set_grpc_request_message(
    message: Any, options: Optional[Mapping[str, Any]] = None, *, mask: Optional[bool] = None
) -> None:
    """Sets the message of a gRPC request, as set_http_request_body()."""
    _set(constants.ATTR_MULTIPLAYER_GRPC_REQUEST_MESSAGE, message, options, mask)


def set_grpc_response_message(
    message: Any, options: Optional[Mapping[str, Any]] = None, *, mask: Optional[bool] = None
) -> None:
    """Sets the message of a gRPC response, as set_http_request_body()."""
    _set(constants.ATTR_MULTIPLAYER_GRPC_RESPONSE_MESSAGE, message, options, mask)


def _dict(headers: Any) -> Any:
    if isinstance(headers, (str, bytes)):
        return headers
    try:
        return {_text(name): _text(value) for name, value in (headers.items() if hasattr(headers, "items") else headers)}
    except (TypeError, ValueError):
        return headers


def _text(part: Any) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else str(part)
