"""The inside of a scenario: driver.py starts this file in a process of its own and has it run a snippet of Python.

A snippet sees everything below, puts what the test shall look at into `out`, and may talk with the test while it runs:
`tell("word")` is what `running.wait_for("word")` waits for, and `pause()` waits for `running.go()`.
"""

import ctypes
import json
import os
import sys
import threading
import time
import traceback

from multiplayer.session_recorder._native import *  # noqa: F403
from multiplayer.session_recorder._native import lib, mpr_done_fn, mpr_log_fn, mpr_span_context, mpr_stats, read_text

import otlp  # noqa: F401  (for snippets)

MANUAL, CONTINUOUS = 0, 1
INTERNAL, SERVER, CLIENT = 1, 2, 3
ERROR = 2

out = {}
log_lines = []  #: (level, text) of the log callback
messages = []  #: mpr_last_error() after every call that failed
_speaking = threading.Lock()


def name_of(status):
    """ "OK", "SKIPPED", "NETWORK": the status's name without what all names begin with."""
    if status < 0:
        messages.append(message())
    return lib.mpr_status_name(status).decode().removeprefix("MPR_").removeprefix("ERR_")


def message():
    return lib.mpr_last_error().decode()


def _json(details):
    if details is None or isinstance(details, bytes):
        return details
    return details.encode() if isinstance(details, str) else json.dumps(details).encode()


@mpr_log_fn
def _on_log(level, text, _):
    log_lines.append((level, text.decode()))


def init(**options):
    """mpr_init() with short times; servers and key come from the environment."""
    options = {"log_level": "debug", "flush_interval_ms": 50, "timeout_ms": 3000, **options}
    handle = lib.mpr_options_new()
    status = lib.mpr_options_set_json(handle, json.dumps(options).encode())
    assert status == 0, message()
    lib.mpr_options_set_log_callback(handle, _on_log, None, None)
    return name_of(lib.mpr_init(handle))


def start(kind=MANUAL, details=None):
    return name_of(lib.mpr_start(kind, _json(details)))


def stop(details=None):
    return name_of(lib.mpr_stop(_json(details)))


def save(details=None):
    return name_of(lib.mpr_save(_json(details)))


def cancel():
    return name_of(lib.mpr_cancel())


def check_remote(details=None):
    return name_of(lib.mpr_check_remote(_json(details)))


def flush(ms=3000):
    return name_of(lib.mpr_flush(ms))


def shutdown(ms=3000):
    return name_of(lib.mpr_shutdown(ms))


def info():
    return json.loads(read_text(lib.mpr_session_info))


def state():
    return info()["state"]


def stats():
    """mpr_get_stats() as a dict; nothing may ever be unaccounted for."""
    raw = mpr_stats()
    assert lib.mpr_get_stats(ctypes.byref(raw)) == 0
    now = {field: getattr(raw, field) for field, _ in raw._fields_}
    where = ("exported", "queued", "spooled", *(field for field in now if field.startswith("dropped_")))
    assert now["accepted"] == sum(now[field] for field in where), now
    assert now["panics"] == 0 and now["dropped_internal"] == 0, now
    return now


def timed(call, *arguments):
    """(result, milliseconds)"""
    begin = time.monotonic()
    result = call(*arguments)
    return result, round((time.monotonic() - begin) * 1000)


def wait_until(condition, seconds=10):
    """Waits for something that happens inside the library, which has no event to wait for."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain; log: {log_lines[-10:]}"
        time.sleep(0.005)
    return value


def logged(text):
    """The first line of the log callback with this text."""
    return next((line for line in list(log_lines) if text in line[1]), None)


def pauses():
    """The pauses between attempts so far, in ms, as the log callback tells them."""
    lines = [text for _, text in list(log_lines) if "next try in " in text]
    return [int(text.split("next try in ")[1].split(" ms")[0]) for text in lines]


def trace_id():
    """A new trace id in hex, and whether recording is on."""
    raw = ctypes.create_string_buffer(16)
    lib.mpr_generate_trace_id(raw)
    return raw.raw.hex()


class Span:
    """A span of the library; see mpr_span_begin()."""

    def __init__(self, name="work", kind=INTERNAL, parent=None, **attributes):
        parent = ctypes.byref(parent.context) if parent else None
        self.handle = lib.mpr_span_begin(name.encode(), kind, parent)
        self.context = mpr_span_context()
        assert lib.mpr_span_get_context(self.handle, ctypes.byref(self.context)) == 0
        self.trace_id, self.span_id = bytes(self.context.trace_id).hex(), bytes(self.context.span_id).hex()
        for key, value in attributes.items():
            self.set(key, value)

    def set(self, key, value):
        kinds = {bool: lib.mpr_span_set_bool, int: lib.mpr_span_set_int, float: lib.mpr_span_set_double}
        if isinstance(value, str):
            return name_of(lib.mpr_span_set_string(self.handle, key.encode(), value.encode()))
        return name_of(kinds[type(value)](self.handle, key.encode(), value))

    def event(self, name, attributes=None):
        return name_of(lib.mpr_span_add_event(self.handle, name.encode(), _json(attributes)))

    def status(self, code, text=None):
        return name_of(lib.mpr_span_set_status(self.handle, code, text and text.encode()))

    def exception(self, kind="Oops", text="it broke", stack=None):
        stack = stack and stack.encode()
        return name_of(lib.mpr_span_record_exception(self.handle, kind.encode(), text.encode(), stack))

    def body(self, kind, headers, body):
        return name_of(lib.mpr_span_capture_payload(self.handle, kind, headers, len(headers), body, len(body)))

    def end(self):
        lib.mpr_span_end(self.handle)
        return self


def error_span(name="failed", parent=None):
    span = Span(name, parent=parent)
    span.status(ERROR, "it broke")
    return span.end()


def write_log(text="hello", severity=9, attributes=None, of=None):
    body, context = text.encode(), of and ctypes.byref(of.context)
    return name_of(lib.mpr_log(severity, body, len(body), _json(attributes), context))


def export_traces(data):
    return name_of(lib.mpr_export_traces(data, len(data)))


def export_logs(data):
    return name_of(lib.mpr_export_logs(data, len(data)))


_callbacks = []  # ctypes objects must live as long as the library may call them


def later(call, *arguments, then=None):
    """An _async call. The result is a dict that gets "status", "message" and "calls" when it is done."""
    done = {"calls": 0, "status": None}

    @mpr_done_fn
    def callback(status, _):
        done["message"] = message() if status < 0 else ""
        done["thread"] = threading.get_native_id()
        if then:
            done["then"] = then()
        done["calls"] += 1
        done["status"] = name_of(status)

    _callbacks.append(callback)
    done["accepted"] = name_of(call(*map(lambda a: _json(a) if isinstance(a, dict) else a, arguments), callback, None))
    return done


def together(count, work):
    """Runs work(number) in so many threads at once; their results."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(number):
        barrier.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def worker_threads():
    """How many threads of the library this process has."""
    names = []
    for thread in os.listdir("/proc/self/task"):
        try:
            names.append(open(f"/proc/self/task/{thread}/comm").read().strip())
        except OSError:
            pass  # it has just ended
    return [name for name in names if name.startswith("mpr-")]


def _say(**line):
    with _speaking:
        sys.__stdout__.write(json.dumps(line) + "\n")
        sys.__stdout__.flush()


def tell(word, **more):
    _say(tell=word, **more)


def pause():
    sys.stdin.readline()


def main():
    code, failed = sys.argv[1], None
    try:
        exec(compile(code, "<scenario>", "exec"), globals())
        stats()
        out["shutdown"] = shutdown()
        assert stats()["queued"] == 0
    except BaseException:
        failed = traceback.format_exc()
    _say(out=out, stats=stats() if not failed else None, log=log_lines, messages=messages, failed=failed)
    # A callback into an interpreter that is being taken down cannot be answered.
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main()
