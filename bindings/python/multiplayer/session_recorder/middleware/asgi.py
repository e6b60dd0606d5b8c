"""Any ASGI application: Starlette, FastAPI (app.add_middleware(SessionRecorderASGIMiddleware)), Django, Quart."""

from typing import Any

from .. import _recorder
from . import _capture
from ._rules import rules


class SessionRecorderASGIMiddleware:
    """Records headers and bodies of an ASGI application's requests that are part of a session.

    Put it inside OpenTelemetry's middleware; without OpenTelemetry it records a span of its own. Options as for
    HttpMiddlewareConfig, as a dict or keywords. Messages pass as they come, and no more than a bounded part of a body is
    held.
    """

    def __init__(self, app: Any, config: Any = None, **options: Any) -> None:
        self.app = app
        self._rules = rules(config, options)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        exchange = None
        if scope["type"] == "http":
            try:
                exchange = _capture.begin(_capture.wanted(), lambda: _own_span(scope))
            except Exception as error:
                _recorder._log(40, "a request could not be captured: %r" % error)
        if exchange is None:
            await self.app(scope, receive, _flushing(send) if scope["type"] == "lifespan" else send)
            return
        await self._recorded(exchange, scope, receive, send)

    async def _recorded(self, exchange: _capture.Exchange, scope: Any, receive: Any, send: Any) -> None:
        wanted = self._rules.ready()
        request = exchange.asked(_capture.bytes_head(scope["headers"]), wanted)

        async def received() -> Any:
            message = await receive()
            if message["type"] == "http.request":
                request.add(message.get("body", b""))
            return message

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                exchange.answered(message["status"], _capture.bytes_head(message.get("headers", ())), wanted)
            elif message["type"] == "http.response.body" and exchange.response is not None:
                exchange.response.add(message.get("body", b""))
                if not message.get("more_body", False):
                    # Now, and not when the application returns: it may go on with work in the background.
                    _route(exchange, scope)
                    exchange.finish()
            await send(message)

        exchange.enter()
        try:
            await self.app(scope, received, sent)
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            exchange.leave()
            exchange.finish()


def _flushing(send: Any) -> Any:
    # uvicorn ends by the signal that it was told to end by, which no exit handler sees.
    async def sent(message: Any) -> None:
        if message["type"] == "lifespan.shutdown.complete" and _recorder.session_recorder._on:
            import asyncio

            await asyncio.get_running_loop().run_in_executor(None, _flush)
        await send(message)

    return sent


def _flush() -> None:
    try:
        _recorder.session_recorder.flush(2000)
    except Exception as error:
        _recorder._log(30, "not everything could be delivered at the end: %s" % error)


def _route(exchange: _capture.Exchange, scope: Any) -> None:
    if exchange.own:
        path = getattr(scope.get("route"), "path", None)
        if isinstance(path, str):
            exchange.span.set_attribute("http.route", path)


def _own_span(scope: Any) -> Any:
    headers = dict(scope["headers"])
    path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
    parent = headers.get(b"traceparent")
    return _capture.own_span(
        scope["method"], path, "%s?%s" % (path, query) if query else path, scope.get("scheme", ""),
        headers.get(b"host", b"").decode("latin-1"), parent.decode("latin-1") if parent else None,
    )  # fmt: skip
