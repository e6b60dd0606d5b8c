"""Headers and bodies of Django's requests, under WSGI and ASGI."""

import sys
from typing import Any, Dict, List, Mapping, Optional

from .. import _recorder
from . import _capture
from ._rules import Rules, rules

# The classes of middlewares that were made with options, by the names that Django finds them by.
_made: Dict[str, type] = {}


def __getattr__(name: str) -> Any:
    try:
        return _made[name]
    except KeyError:
        raise AttributeError("module %r has no attribute %r" % (__name__, name)) from None


class DjangoOtelHttpPayloadRecorderMiddleware:
    """Records headers and bodies of a Django application's requests that are part of a session.

    In settings.MIDDLEWARE as "multiplayer.session_recorder.DjangoOtelHttpPayloadRecorderMiddleware", with the setting
    MULTIPLAYER_SESSION_RECORDER = {...} for options; or, with its options, as itself:
    DjangoOtelHttpPayloadRecorderMiddleware({"captureBody": True, ...}). Options as for HttpMiddlewareConfig. Without
    OpenTelemetry's Django instrumentation it records spans of its own.
    """

    sync_capable = True
    async_capable = True

    _configured: Optional[Rules] = None

    def __init__(self, get_response: Any = None, config: Any = None, **options: Any) -> None:
        if get_response is not None and (isinstance(get_response, Mapping) or not callable(get_response)):
            # As the document of the first version has it: options, and nothing else.
            get_response, config = None, get_response
        self.get_response = get_response
        if config is not None or options:
            self._rules = rules(config, options)
        else:
            self._rules = self._configured or rules(_setting())
        self._name = ""
        self._async = get_response is not None and _is_async(get_response)
        if self._async:
            _mark_async(self)

    def rsplit(self, *_how: Any) -> List[str]:
        """Django takes middlewares as dotted paths, which it takes apart with this: an instance stands in the list as well."""
        if not self._name:
            self._name = "Configured%d" % (len(_made) + 1)
            _made[self._name] = type(self._name, (type(self),), {"_configured": self._rules, "__module__": __name__})
        return [__name__, self._name]

    def __call__(self, request: Any) -> Any:
        if self.get_response is None:
            # Options were given before: this is Django, with the next middleware.
            made = type(self)(request)
            made._rules = self._rules
            return made
        if self._async:
            return self._acall(request)
        exchange = self._asked(request)
        if exchange is None:
            return self.get_response(request)
        exchange.enter()
        try:
            response = self.get_response(request)
        except BaseException as error:
            exchange.failed(error)
            exchange.finish()
            raise
        finally:
            exchange.leave()
        return self._answered(exchange, request, response)

    async def _acall(self, request: Any) -> Any:
        exchange = self._asked(request)
        if exchange is None:
            return await self.get_response(request)
        exchange.enter()
        try:
            response = await self.get_response(request)
        except BaseException as error:
            exchange.failed(error)
            exchange.finish()
            raise
        finally:
            exchange.leave()
        return self._answered(exchange, request, response)

    def _asked(self, request: Any) -> Optional[_capture.Exchange]:
        span = _capture.wanted()
        if span is None:
            return None
        try:
            exchange = _capture.begin(span, lambda: _own_span(request))
            if exchange is None:
                return None
            scope = getattr(request, "scope", None)
            head = _capture.wsgi_head(request.META) if scope is None else _capture.bytes_head(scope["headers"])
            payload = exchange.asked(head, self._rules.ready())
            read = request.__dict__
            if "_body" in read:
                payload.add(request._body)
            elif "_stream" in read:
                request._stream = _capture.Input(request._stream, payload)
            return exchange
        except Exception as error:
            _recorder._log(40, "a request could not be captured: %r" % error)
            return None

    def _answered(self, exchange: _capture.Exchange, request: Any, response: Any) -> Any:
        try:
            headers = list(response.items())
            for cookie in response.cookies.values():
                headers.append(("Set-Cookie", cookie.OutputString()))
            payload = exchange.answered(response.status_code, _capture.text_head(headers), self._rules.ready())
            if exchange.own:
                route = getattr(getattr(request, "resolver_match", None), "route", None)
                if route:
                    exchange.span.set_attribute("http.route", route)
            if not getattr(response, "streaming", False):
                payload.add(response.content)
            elif getattr(response, "file_to_stream", None) is not None:
                # The server hands the file to the system, past us.
                payload.note(exchange.span, "file")
                exchange.response = None
            else:
                # OpenTelemetry's instrumentation ends its span when the view has answered; then this is what stays.
                payload.note(exchange.span, "streamed")
                exchange.response = None
                own, exchange.own = exchange.own, False
                exchange.finish()
                exchange.own = own
                stream = _capture.streamed_async if getattr(response, "is_async", False) else _capture.streamed
                response.streaming_content = stream(response.streaming_content, payload, exchange)
                return response
        except Exception as error:
            _recorder._log(40, "a response could not be captured: %r" % error)
        exchange.finish()
        return response


def _own_span(request: Any) -> Any:
    scope = getattr(request, "scope", None)
    if scope is None:
        return _capture.wsgi_own_span(request.META)
    query = request.META.get("QUERY_STRING")
    return _capture.own_span(
        request.method, request.path, "%s?%s" % (request.path, query) if query else request.path,
        scope.get("scheme", "http"), request.META.get("HTTP_HOST", ""), request.META.get("HTTP_TRACEPARENT"),
    )  # fmt: skip


def _setting() -> Any:
    conf = sys.modules.get("django.conf")
    settings = getattr(conf, "settings", None)
    if settings is None or not settings.configured:
        return None
    return getattr(settings, "MULTIPLAYER_SESSION_RECORDER", None)


def _is_async(get_response: Any) -> bool:
    try:
        from asgiref.sync import iscoroutinefunction
    except ImportError:
        from inspect import iscoroutinefunction
    return bool(iscoroutinefunction(get_response))


def _mark_async(middleware: Any) -> None:
    try:
        from asgiref.sync import markcoroutinefunction
    except ImportError:
        # asgiref before 3.6, and Django before 4.2, look at this.
        import asyncio

        middleware._is_coroutine = getattr(asyncio.coroutines, "_is_coroutine", True)
    else:
        markcoroutinefunction(middleware)
