"""multiplayer.session_recorder.sdk.set_attribute under its name of 1.x."""

from multiplayer.session_recorder.sdk.set_attribute import (
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
