"""Any WSGI application: app = SessionRecorderWSGIMiddleware(app)."""

from typing import Any

from .. import _recorder
from . import _capture
from ._rules import rules


class SessionRecorderWSGIMiddleware:
    """Records headers and bodies of a WSGI application's requests that are part of a session.

    Put it inside OpenTelemetry's middleware (OpenTelemetryMiddleware(SessionRecorderWSGIMiddleware(app))); without
    OpenTelemetry it records a span of its own. Options as for HttpMiddlewareConfig, as a dict or keywords. Bodies pass
    as they are read and written, and no more than a bounded part of them is held.
    """

    def __init__(self, app: Any, config: Any = None, **options: Any) -> None:
        self.app = app
        self._rules = rules(config, options)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        span = _capture.wanted()
        if span is None:
            return self.app(environ, start_response)
        try:
            exchange = _capture.begin(span, lambda: _capture.wsgi_own_span(environ))
        except Exception as error:
            _recorder._log(40, "a request could not be captured: %r" % error)
            exchange = None
        if exchange is None:
            return self.app(environ, start_response)
        return self._recorded(exchange, environ, start_response)

    def _recorded(self, exchange: _capture.Exchange, environ: Any, start_response: Any) -> Any:
        wanted = self._rules.ready()
        request = exchange.asked(_capture.wsgi_head(environ), wanted)
        if "wsgi.input" in environ:
            environ["wsgi.input"] = _capture.Input(environ["wsgi.input"], request)

        def start(status: str, headers: Any, *more: Any) -> Any:
            response = exchange.answered(int(status[:3]), _capture.text_head(headers), wanted)
            write = start_response(status, headers, *more)

            def written(data: bytes) -> Any:
                response.add(data)
                return write(data)

            return written

        exchange.enter()
        try:
            answer = self.app(environ, start)
        except BaseException as error:
            exchange.failed(error)
            exchange.finish()
            raise
        finally:
            exchange.leave()
        if isinstance(answer, (list, tuple)):
            if exchange.response is not None:
                for chunk in answer:
                    exchange.response.add(chunk)
                exchange.finish()
                return answer
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(answer, wrapper):
            # The server hands the file to the system, past us.
            if exchange.response is not None:
                exchange.response.note(exchange.span, "file")
                exchange.response = None
            exchange.finish()
            return answer
        return _capture.Output(answer, exchange)
