"""include/mpr.h for ctypes: every constant, struct, callback type and function of libmpr, by its C name.

The header is the manual. tests/python/test_header.py reads it and fails when this file differs from it.

    from multiplayer.session_recorder._native import *
    check(lib.mpr_init(None))

How C types look here:
    handles (mpr_options *, mpr_span *, mpr_capture *)   an int, or None for NULL
    const char *, text                                   bytes or None; in a callback bytes
    const uint8_t *, content and ids                     bytes, or any ctypes array; None for NULL
    out buffers                                          ctypes.create_string_buffer(n)
    callbacks                                            an instance of e.g. mpr_log_fn, or None for NULL
    const mpr_span_context *                             ctypes.byref(mpr_span_context()), or None

Two rules for callbacks. The library keeps the C function pointer and Python does not know it: hold the mpr_*_fn
object for as long (see hold()). And mpr_shutdown() must have returned before the interpreter ends, since a callback
into an interpreter that is gone cannot be answered.
"""

import ctypes
import itertools
import os
import sys
from typing import Any, Dict, Tuple

from ctypes import (
    CFUNCTYPE, POINTER, Structure,
    c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p,
)

# ---- Constants ----

MPR_OK = 0
MPR_SKIPPED = 1
MPR_ERR_INVALID_ARGUMENT = -1
MPR_ERR_NOT_INITIALIZED = -2
MPR_ERR_ALREADY_INITIALIZED = -3
MPR_ERR_INVALID_STATE = -4
MPR_ERR_UNAUTHORIZED = -5
MPR_ERR_REJECTED = -6
MPR_ERR_NETWORK = -7
MPR_ERR_TIMEOUT = -8
MPR_ERR_QUEUE_FULL = -9
MPR_ERR_BUFFER_TOO_SMALL = -10
MPR_ERR_IO = -11
MPR_ERR_POISONED = -12
MPR_ERR_INTERNAL = -100

MPR_VERSION_MAJOR = 0
MPR_VERSION_MINOR = 1
MPR_VERSION_PATCH = 0
MPR_ABI_VERSION = 1

MPR_SESSION_MANUAL = 0
MPR_SESSION_PLAIN = 0
MPR_SESSION_CONTINUOUS = 1

MPR_TRACE_NONE = 0
MPR_TRACE_DOC = 1
MPR_TRACE_MANUAL = 2
MPR_TRACE_CONTINUOUS = 3
MPR_TRACE_SESSION = 4
MPR_TRACE_SESSION_CACHE = 5

MPR_DROP = 0
MPR_RECORD_AND_SAMPLE = 2

MPR_PAYLOAD_HTTP_REQUEST = 1
MPR_PAYLOAD_HTTP_RESPONSE = 2
MPR_PAYLOAD_RPC_REQUEST = 3
MPR_PAYLOAD_RPC_RESPONSE = 4
MPR_PAYLOAD_GRPC_REQUEST = 5
MPR_PAYLOAD_GRPC_RESPONSE = 6
MPR_PAYLOAD_MESSAGE = 7

MPR_SPAN_KIND_INTERNAL = 1
MPR_SPAN_KIND_SERVER = 2
MPR_SPAN_KIND_CLIENT = 3
MPR_SPAN_KIND_PRODUCER = 4
MPR_SPAN_KIND_CONSUMER = 5

MPR_SPAN_STATUS_UNSET = 0
MPR_SPAN_STATUS_OK = 1
MPR_SPAN_STATUS_ERROR = 2

MPR_SEVERITY_TRACE = 1
MPR_SEVERITY_DEBUG = 5
MPR_SEVERITY_INFO = 9
MPR_SEVERITY_WARN = 13
MPR_SEVERITY_ERROR = 17
MPR_SEVERITY_FATAL = 21

# ---- Structs ----


class mpr_stats(Structure):
    """Numbers of mpr_get_stats(); struct_size is set by making one."""

    _fields_ = [("struct_size", c_size_t)] + [
        (name, c_uint64)
        for name in (
            "accepted", "exported", "queued", "queued_bytes", "dropped_queue_full", "dropped_rejected",
            "dropped_too_large", "dropped_shutdown", "dropped_internal", "filtered", "requests", "retries",
            "payloads_captured", "payloads_masked_whole", "payload_fields_masked", "payloads_truncated",
            "mask_callback_failures", "panics", "fork_generation",
            "open_spans", "open_bytes",
            "spooled", "recovered", "dropped_expired", "dropped_consent", "dropped_spool",
            "spool_bytes", "spool_written", "spool_damaged", "spool_failures",
        )
    ]

    def __init__(self) -> None:
        super().__init__(struct_size=ctypes.sizeof(mpr_stats))


class mpr_span_context(Structure):
    """Ids and flags of a span."""

    _fields_ = [
        ("trace_id", c_uint8 * 16),
        ("span_id", c_uint8 * 8),
        ("trace_flags", c_uint8),
        ("reserved", c_uint8 * 7),
    ]


# ---- Callback types ----

mpr_status = c_int32
mpr_log_fn = CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
mpr_free_fn = CFUNCTYPE(None, c_void_p)
mpr_mask_fn = CFUNCTYPE(
    mpr_status, c_char_p, POINTER(c_uint8), c_size_t, POINTER(c_uint8), c_size_t, POINTER(c_size_t), c_void_p
)
mpr_trace_id_fn = CFUNCTYPE(mpr_status, POINTER(c_uint8), c_void_p)
mpr_short_id_fn = CFUNCTYPE(mpr_status, c_void_p, c_void_p)
mpr_sampler_fn = CFUNCTYPE(c_int32, POINTER(c_uint8), c_double, c_void_p)
mpr_done_fn = CFUNCTYPE(None, mpr_status, c_void_p)
# Key and value are addresses: ctypes.string_at(key, key_len).
mpr_attribute_fn = CFUNCTYPE(None, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t)

# ---- Functions ----


class _Bytes(c_void_p):
    """A uint8_t pointer: bytes or a ctypes array. c_void_p alone would take str, too, and pass UTF-32."""

    @classmethod
    def from_param(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise TypeError("bytes or a ctypes array expected, not str")
        return c_void_p.from_param(value)


class _Callback:
    """A callback parameter that takes None for NULL, which ctypes function types do not."""

    def __init__(self, function_type: Any) -> None:
        self.function_type = function_type

    def from_param(self, value: Any) -> Any:
        return self.function_type() if value is None else self.function_type.from_param(value)


_status = mpr_status
_handle = c_void_p
_text = c_char_p
_bytes = _Bytes
_size = c_size_t
_size_out = POINTER(c_size_t)
_context = POINTER(mpr_span_context)
_log_fn, _free_fn, _mask_fn, _trace_id_fn, _short_id_fn, _sampler_fn, _done_fn, _attribute_fn = map(
    _Callback,
    (mpr_log_fn, mpr_free_fn, mpr_mask_fn, mpr_trace_id_fn, mpr_short_id_fn, mpr_sampler_fn, mpr_done_fn,
     mpr_attribute_fn),
)

# Options, by the type of their value. Each has a setter and a getter of the same shape.
OPTIONS: Dict[Any, Tuple[str, ...]] = {
    c_char_p: (
        "api_key", "api_base_url", "traces_endpoint", "logs_endpoint", "protocol", "compression", "headers", "ca_file",
        "client_cert", "client_key", "proxy", "service_name", "service_version", "environment", "resource_attributes",
        "mask_body_fields", "mask_header_names", "mask_allow_fields", "mask_paths", "mask_allow_paths", "mask_patterns",
        "headers_to_include", "headers_to_exclude", "log_level", "spool_dir",
    ),
    c_uint32: ("timeout_ms", "batch_max_items", "flush_interval_ms", "exit_timeout_ms", "session_max_seconds"),
    c_uint64: ("max_payload_bytes", "capture_max_bytes", "queue_max_bytes", "batch_max_bytes", "spool_max_bytes"),
    c_double: ("sample_ratio", "auto_doc_traces_ratio"),
    c_int32: (
        "capture_body", "capture_headers", "mask_body", "mask_headers", "mask_emails", "decompress", "session_rollover",
    ),
}

# name: (result, parameters...)
FUNCTIONS: Dict[str, Tuple[Any, ...]] = {
    "mpr_version": (_text,),
    "mpr_abi_version": (c_uint32,),
    "mpr_status_name": (_text, _status),
    "mpr_status_is_retryable": (c_int32, _status),
    "mpr_last_error": (_text,),
    "mpr_options_new": (_handle,),
    "mpr_options_free": (None, _handle),
    "mpr_options_set_json": (_status, _handle, _text),
    "mpr_options_set_log_callback": (_status, _handle, _log_fn, c_void_p, _free_fn),
    "mpr_options_set_mask_callback": (_status, _handle, _mask_fn, c_void_p, _free_fn),
    "mpr_options_set_trace_id_hook": (_status, _handle, _trace_id_fn, c_void_p, _free_fn),
    "mpr_options_set_short_id_hook": (_status, _handle, _short_id_fn, c_void_p, _free_fn),
    "mpr_options_set_sampler_hook": (_status, _handle, _sampler_fn, c_void_p, _free_fn),
    "mpr_init": (_status, _handle),
    "mpr_flush": (_status, c_uint32),
    "mpr_shutdown": (_status, c_uint32),
    "mpr_set_consent": (_status, c_int32),
    "mpr_get_stats": (_status, POINTER(mpr_stats)),
    "mpr_start": (_status, c_int32, _text),
    "mpr_stop": (_status, _text),
    "mpr_save": (_status, _text),
    "mpr_cancel": (_status,),
    "mpr_check_remote": (_status, _text),
    "mpr_session_info": (_status, _text, _size, _size_out),
    "mpr_start_async": (_status, c_int32, _text, _done_fn, c_void_p),
    "mpr_stop_async": (_status, _text, _done_fn, c_void_p),
    "mpr_save_async": (_status, _text, _done_fn, c_void_p),
    "mpr_cancel_async": (_status, _done_fn, c_void_p),
    "mpr_check_remote_async": (_status, _text, _done_fn, c_void_p),
    "mpr_generate_trace_id": (_status, _bytes),
    "mpr_generate_span_id": (_status, _bytes),
    "mpr_trace_kind": (c_int32, _bytes),
    "mpr_should_sample": (c_int32, _bytes, c_double),
    "mpr_capture_payload": (_status, c_int32, _bytes, _text, _size, _bytes, _size, _attribute_fn, c_void_p),
    "mpr_capture_begin": (_handle, c_int32, _bytes),
    "mpr_capture_header": (_status, _handle, _text, _size, _text, _size),
    "mpr_capture_body": (_status, _handle, _bytes, _size),
    "mpr_capture_end": (_status, _handle, _attribute_fn, c_void_p),
    "mpr_capture_free": (None, _handle),
    "mpr_mask": (_status, _text, _bytes, _size, _bytes, _size, _size_out),
    "mpr_explain_mask": (_status, _text, _bytes, _size, _bytes, _size, _size_out),
    "mpr_span_begin": (_handle, _text, c_int32, _context),
    "mpr_span_set_string": (_status, _handle, _text, _text),
    "mpr_span_set_int": (_status, _handle, _text, c_int64),
    "mpr_span_set_double": (_status, _handle, _text, c_double),
    "mpr_span_set_bool": (_status, _handle, _text, c_int32),
    "mpr_span_add_event": (_status, _handle, _text, _text),
    "mpr_span_set_status": (_status, _handle, c_int32, _text),
    "mpr_span_record_exception": (_status, _handle, _text, _text, _text),
    "mpr_span_capture_payload": (_status, _handle, c_int32, _text, _size, _bytes, _size),
    "mpr_span_capture_end": (_status, _handle, _handle),
    "mpr_span_get_context": (_status, _handle, _context),
    "mpr_span_end": (None, _handle),
    "mpr_traceparent_parse": (_status, _text, _context),
    "mpr_traceparent_format": (_status, _context, _text),
    "mpr_capture_exception": (_status, _text, _text, _text, _context),
    "mpr_log": (_status, c_int32, _text, _size, _text, _context),
    "mpr_export_traces": (_status, _bytes, _size),
    "mpr_export_logs": (_status, _bytes, _size),
}
for _type, _names in OPTIONS.items():
    for _name in _names:
        FUNCTIONS["mpr_options_set_" + _name] = (_status, _handle, _type)
        FUNCTIONS["mpr_options_get_" + _name] = (
            (_status, _handle, _text, _size, _size_out) if _type is c_char_p else (_status, _handle, POINTER(_type))
        )


def _wheel() -> str:
    """What to install where the library is missing. The wheels name the oldest glibc that they run with."""
    return (
        "The wheel multiplayer_session_recorder-…-py3-none-manylinux_2_34_x86_64.whl has it (Linux on x86-64 with glibc "
        "2.34 or newer; pip older than 20.3 does not see it: pip install --upgrade pip). Elsewhere build libmpr and set "
        "the environment variable MPR_LIBRARY to the path of its file."
    )


def _path() -> str:
    """The library's file: MPR_LIBRARY, else beside this package, else where the system looks."""
    named = os.environ.get("MPR_LIBRARY")
    if named:
        return named
    if sys.platform == "win32":
        names = ["mpr.dll"]
    elif sys.platform == "darwin":
        names = ["libmpr.0.dylib", "libmpr.dylib"]
    else:
        names = ["libmpr.so.0", "libmpr.so"]
    here = os.path.dirname(os.path.abspath(__file__))
    beside = [os.path.join(here, name) for name in names]
    path = next(filter(os.path.isfile, beside), None)
    if path is None:
        # Imported here: it is slow, and a wheel has the library beside it.
        import ctypes.util

        path = ctypes.util.find_library("mpr")
    if path is None:
        raise ImportError(
            "libmpr is not found. Looked for %s, and for \"mpr\" among the system's libraries; MPR_LIBRARY is not set. %s"
            % (", ".join(beside), _wheel())
        )
    return path


def _load(path: str, loader: Any) -> Any:
    try:
        return loader(path)
    except OSError as error:
        named = "MPR_LIBRARY is %r, which" % path if os.environ.get("MPR_LIBRARY") else path
        raise ImportError("libmpr: %s cannot be loaded: %s. %s" % (named, error, _wheel())) from None


def _declare(library: Any, names: Any, plain: bool = False) -> Any:
    for name in names:
        result, *parameters = FUNCTIONS[name]
        try:
            function = getattr(library, name)
        except AttributeError:
            raise ImportError(
                "libmpr: the library has no %s. It is older than this package, which needs ABI version %d. %s"
                % (name, MPR_ABI_VERSION, _wheel())
            ) from None
        function.restype = result
        function.argtypes = [
            (c_void_p if plain and (one is _Bytes or isinstance(one, _Callback)) else one) for one in parameters
        ]
    return library


_FILE = _path()

#: The library, e.g. lib.mpr_version(). Python's lock is released around each call.
lib: Any = _declare(_load(_FILE, ctypes.CDLL), FUNCTIONS)

#: The same for what never waits and is over within microseconds: with Python's lock kept. Giving it away costs more than
#: these calls take, and with busy threads up to 5 ms until one has it again.
quick: Any = _declare(
    _load(_FILE, ctypes.PyDLL),
    (
        "mpr_generate_trace_id", "mpr_generate_span_id", "mpr_trace_kind", "mpr_should_sample", "mpr_capture_payload",
        "mpr_span_begin", "mpr_span_get_context", "mpr_span_set_string", "mpr_span_set_int", "mpr_span_set_double",
        "mpr_span_set_bool", "mpr_span_set_status", "mpr_span_capture_payload", "mpr_span_end", "mpr_export_traces",
        "mpr_traceparent_parse", "mpr_traceparent_format", "mpr_last_error", "mpr_status_name",
    ),
    # Content is bytes and a callback its address, which the callers in this package see to: looking each time costs as
    # much as the call.
    plain=True,
)

# ---- Helpers ----


class SessionRecorderError(RuntimeError, ValueError):
    """A call that failed; the one exception of this package. (Its bases are what the package's 1.x raised.)

    code: the MPR_ERR_* number. name: its name, e.g. "MPR_ERR_NETWORK". message: what was wrong and what would be
    right, in one line; it holds no API key and nothing recorded. retryable: whether the same call may succeed later.
    """

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(code, name, message)
        self.code = code
        self.name = name
        self.message = message

    @property
    def retryable(self) -> bool:
        return bool(lib.mpr_status_is_retryable(self.code) == 1)

    def __str__(self) -> str:
        return "%s (%s %d)" % (self.message, self.name, self.code)


def invalid(message: str) -> SessionRecorderError:
    """The error of an argument that never came to the library."""
    return SessionRecorderError(MPR_ERR_INVALID_ARGUMENT, "MPR_ERR_INVALID_ARGUMENT", message)


def check(status: int) -> int:
    """Returns MPR_OK or a positive status ("nothing to do"); raises SessionRecorderError for a negative one."""
    if status >= 0:
        return status
    raise SessionRecorderError(
        status,
        lib.mpr_status_name(status).decode(),
        lib.mpr_last_error().decode("utf-8", "replace"),
    )


def read_text(function: Any, *arguments: Any) -> str:
    """The str that function(*arguments, out, capacity, needed) writes, e.g. read_text(lib.mpr_session_info)."""
    needed = c_size_t(1024)
    while True:
        # What is read may grow between two calls (a session that starts), hence a loop.
        buffer = ctypes.create_string_buffer(needed.value)
        status = function(*arguments, buffer, len(buffer), ctypes.byref(needed))
        if status != MPR_ERR_BUFFER_TOO_SMALL:
            check(status)
            return buffer.value.decode()


_held: Dict[int, Tuple[Any, ...]] = {}
_held_keys = itertools.count(1)


def hold(*objects: Any) -> int:
    """Keeps objects (callbacks and what they need) alive for the library; the user_data to register them with.

    Pass free_held as free_user_data and the library lets go of them when it is done:
        fn = mpr_log_fn(print_line)
        lib.mpr_options_set_log_callback(options, fn, hold(fn), free_held)
    """
    key = next(_held_keys)
    _held[key] = objects
    return key


def held(user_data: int) -> Tuple[Any, ...]:
    """The objects of hold(), inside a callback."""
    return _held[user_data]


@mpr_free_fn  # type: ignore[untyped-decorator]
def free_held(user_data: int) -> None:
    _held.pop(user_data, None)


def read_counted(function: Any, *arguments: Any) -> bytes:
    """What function(*arguments, out, capacity, needed) writes with no NUL behind it, e.g. of lib.mpr_mask."""
    needed = c_size_t(4096)
    while True:
        buffer = ctypes.create_string_buffer(needed.value)
        status = function(*arguments, buffer, len(buffer), ctypes.byref(needed))
        if status != MPR_ERR_BUFFER_TOO_SMALL:
            check(status)
            return buffer.raw[: needed.value]
