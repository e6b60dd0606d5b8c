"""What an application adds to the current span by itself."""

from .capture_exception import capture_exception
from .mask import mask
from .set_attribute import (
    set_attribute,
    set_grpc_request_message,
    set_grpc_response_message,
    set_http_request_body,
    set_http_request_headers,
    set_http_response_body,
    set_http_response_headers,
    set_message_body,
    set_rpc_request_message,
    set_rpc_response_message,
)

__all__ = [
    "SessionRecorderSdk",
    "capture_exception",
    "mask",
    "set_attribute",
    "set_grpc_request_message",
    "set_grpc_response_message",
    "set_http_request_body",
    "set_http_request_headers",
    "set_http_response_body",
    "set_http_response_headers",
    "set_message_body",
    "set_rpc_request_message",
    "set_rpc_response_message",
]


class SessionRecorderSdk:
    """The functions of this module under one name: SessionRecorderSdk.set_attribute("cart.items", 3)."""

    capture_exception = staticmethod(capture_exception)
    mask = staticmethod(mask)
    set_attribute = staticmethod(set_attribute)
    set_grpc_request_message = staticmethod(set_grpc_request_message)
    set_grpc_response_message = staticmethod(set_grpc_response_message)
    set_http_request_body = staticmethod(set_http_request_body)
    set_http_request_headers = staticmethod(set_http_request_headers)
    set_http_response_body = staticmethod(set_http_response_body)
    set_http_response_headers = staticmethod(set_http_response_headers)
    set_message_body = staticmethod(set_message_body)
    set_rpc_request_message = staticmethod(set_rpc_request_message)
    set_rpc_response_message = staticmethod(set_rpc_response_message)
