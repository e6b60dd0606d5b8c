"""Session calls that work as plain calls and with `await`."""

import logging
import os
import sys
import threading
from typing import Any, Callable, Coroutine, Generator, Generic, Optional, TypeVar

T = TypeVar("T")

_logger = logging.getLogger("multiplayer.session_recorder")


class SessionCall(Coroutine[Any, Any, T], Generic[T]):
    """What a session call returns.

    Where no event loop runs in the calling thread the call is over by then: what it raises it has raised, and the
    object may be ignored, awaited later, or handed to asyncio.run(). Inside a running loop the call goes on in a thread
    of its own, so that the loop is not blocked: `await` waits for it and raises what it raises. A call that nobody
    awaits takes effect all the same, after the calls before it; its error then goes to the log.
    """

    def __init__(self, value: Optional[T] = None, future: Any = None) -> None:
        self._value = value
        self._future = future
        self._asked = future is None
        self._steps: Optional[Generator[Any, Any, T]] = None

    def done(self) -> bool:
        """Whether the call is over."""
        return self._future is None or bool(self._future.done())

    def result(self, timeout: Optional[float] = None) -> T:
        """The call's value; waits for it, and raises what the call raised. (In the loop's own thread use await.)"""
        if self._future is None:
            return self._value  # type: ignore[return-value]
        self._asked = True
        value: T = self._future.result(timeout)
        return value

    def __bool__(self) -> bool:
        if not self.done():
            raise RuntimeError("the call is not over: write `await session_recorder.…()`")
        return bool(self.result())

    def __repr__(self) -> str:
        return "<SessionCall, %s>" % ("over" if self.done() else "on its way")

    def __await__(self) -> Generator[Any, Any, T]:
        if self._future is not None and not self._future.done():
            import asyncio

            self._asked = True
            yield from asyncio.wrap_future(self._future).__await__()
        return self.result()

    # asyncio.run() and create_task() take nothing but coroutines.

    def send(self, value: Any) -> Any:
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(self, *arguments: Any) -> Any:
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.throw(*arguments)

    def close(self) -> None:
        if self._steps is not None:
            self._steps.close()

    def __del__(self) -> None:
        if not self._asked:
            self._future.add_done_callback(_tell)


def _tell(future: Any) -> None:
    error = future.exception()
    if error is not None:
        _logger.error("a session call that was not awaited failed: %s", error)


def call(function: Callable[[], T]) -> SessionCall[T]:
    """Makes a call now, or, where an event loop runs in this thread, in a thread of its own."""
    # Without asyncio there is no loop, and importing it costs more than this package.
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return SessionCall(function())
    return SessionCall(future=_turns.take(function))


class _Turns:
    """Calls that are made from event loops, one after the other in their order: a stop may follow a start at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Optional[threading.Event] = None

    def take(self, function: Callable[[], T]) -> Any:
        from concurrent.futures import Future

        future: "Future[T]" = Future()
        # Running from here on: cancelling the task that awaits it does not take it back.
        future.set_running_or_notify_cancel()
        over = threading.Event()

        def run() -> None:
            if before is not None:
                before.wait()
            try:
                value = function()
            except BaseException as error:
                over.set()
                future.set_exception(error)
            else:
                over.set()
                future.set_result(value)

        with self._lock:
            before, self._last = self._last, over
        # Not a daemon: the interpreter waits for a stop() that nobody awaited.
        threading.Thread(target=run, name="session-recorder-call").start()
        return future


_turns = _Turns()


def _forget_turns() -> None:
    # The threads of the parent are not there in a forked child.
    global _turns
    _turns = _Turns()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_turns)
