"""Headers and bodies of Flask's requests."""

import itertools
from typing import Any, Callable, Iterator, Optional
from urllib.parse import urlencode

from .. import _recorder
from . import _capture
from ._rules import Rules, rules

# Where a request keeps its exchange: its environment is its own, and there from first to last.
_KEY = "multiplayer.session_recorder.exchange"
_proxy: Any = None


def _request() -> Any:
    """Flask's request itself, and not the proxy, which looks it up for each of its attributes."""
    global _proxy
    if _proxy is None:
        from flask import request as _proxy
    return _proxy._get_current_object()


def _asked(wanted: Rules) -> None:
    span = _capture.wanted()
    if span is None:
        return
    request = _request()
    environ = request.environ
    if _KEY in environ:
        return
    exchange = _capture.begin(
        span, lambda: _capture.wsgi_own_span(environ, request.url_rule.rule if request.url_rule is not None else "")
    )
    if exchange is None:
        return
    environ[_KEY] = exchange
    payload = exchange.asked(_capture.wsgi_head(environ), wanted.ready())
    read = request.__dict__
    if read.get("_cached_data") is not None:
        # Somebody before us has read it.
        payload.add(read["_cached_data"])
    elif "form" in read:
        payload.add(urlencode(list(request.form.items(multi=True))).encode())
    elif "stream" in read:
        read["stream"] = _capture.Input(request.stream, payload)
    elif "wsgi.input" in environ:
        environ["wsgi.input"] = _capture.Input(environ["wsgi.input"], payload)
    exchange.enter()


def _answered(response: Any, wanted: Rules) -> Any:
    # A third of what it costs to ask OpenTelemetry for its span.
    exchange: Optional[_capture.Exchange] = _request().environ.get(_KEY)
    if exchange is None or exchange.response is not None:
        return response
    exchange.leave()
    payload = exchange.answered(response.status_code, _capture.text_head(response.headers), wanted.ready())
    if response.direct_passthrough:
        payload.note(exchange.span, "file")
        exchange.response = None
    elif response.is_streamed and not _error_page(response):
        # OpenTelemetry's instrumentation ends its span when the view has answered; then this is what stays.
        payload.note(exchange.span, "streamed")
        exchange.response = None
        own, exchange.own = exchange.own, False
        exchange.finish()
        exchange.own = own
        chunks = response.response
        response.response = (
            _capture.streamed_async(chunks, payload, exchange)
            if hasattr(chunks, "__aiter__") and not hasattr(chunks, "__iter__")
            else _capture.streamed(chunks, payload, exchange)
        )
        return response
    else:
        payload.add(response.get_data())
    exchange.finish()
    return response


def _error_page(response: Any) -> bool:
    # What abort() and failures answer is text that Werkzeug has put into an iterator.
    size = response.content_length
    return type(response.response) is itertools.chain and size is not None and size <= _capture.HELD


def _before(wanted: Rules) -> Callable[[], None]:
    def before_request() -> None:
        try:
            _asked(wanted)
        except Exception as error:
            _recorder._log(40, "a request could not be captured: %r" % error)

    return before_request


def _after(wanted: Rules) -> Callable[[Any], Any]:
    def after_request(response: Any) -> Any:
        try:
            return _answered(response, wanted)
        except Exception as error:
            _recorder._log(40, "a response could not be captured: %r" % error)
            return response

    return after_request


class FlaskOtelHttpPayloadRecorderMiddleware:
    """Records headers and bodies of a Flask application's requests that are part of a session.

        before, after = FlaskOtelHttpPayloadRecorderMiddleware(captureBody=True, ...)
        app.before_request(before)
        app.after_request(after)

    or in hooks of one's own, capture_request_body() and capture_response_body() with the same options. Options as for
    HttpMiddlewareConfig, as a dict or keywords. Without OpenTelemetry's Flask instrumentation it records spans of its own.
    """

    def __init__(self, config: Any = None, **options: Any) -> None:
        wanted = rules(config, options)
        self.before_request = _before(wanted)
        self.after_request = _after(wanted)

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        return iter((self.before_request, self.after_request))

    def __getitem__(self, position: int) -> Callable[..., Any]:
        return (self.before_request, self.after_request)[position]

    def __len__(self) -> int:
        return 2

    def init_app(self, app: Any) -> None:
        """Puts both functions into an application."""
        app.before_request(self.before_request)
        app.after_request(self.after_request)

    @staticmethod
    def capture_request_body(config: Any = None, **options: Any) -> None:
        """Captures the request; call it in a function of app.before_request."""
        wanted = rules(config, options)
        _before(wanted)()

    @staticmethod
    def capture_response_body(response: Any, config: Any = None, **options: Any) -> Any:
        """Captures the response, and returns it; call it in a function of app.after_request."""
        wanted = rules(config, options)
        return _after(wanted)(response)
