"""What the tests of this folder share: libmpr in this process, everything that it says, and the search for a secret.

The library is loaded once and turned on and off by init(); no session and no server is needed, since a trace id with
a session's prefix counts as recorded.
"""

import ctypes
import json
import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("MPR_BUILD") or ROOT / "build").resolve()
sys.path.insert(0, str(ROOT / "bindings" / "python"))
_named = os.environ.get("MPR_LIBRARY")
os.environ["MPR_LIBRARY"] = _named or str(BUILD / "lib" / "libmpr.so")

from multiplayer.session_recorder import _native as native  # noqa: E402

# The programs that other tests start look for the library by themselves.
if _named is None:
    del os.environ["MPR_LIBRARY"]

lib = native.lib
MASKED = "***MASKED***"
MANUAL = bytes.fromhex("debdeb0a0a0a0a" + "0" * 17 + "1")
CONTINUOUS = bytes.fromhex("cdbcdb0a0a0a0a" + "0" * 17 + "1")
REQUEST, RESPONSE = native.MPR_PAYLOAD_HTTP_REQUEST, native.MPR_PAYLOAD_HTTP_RESPONSE
BODY, HEADERS = "multiplayer.http.request.body", "multiplayer.http.request.headers"

#: Every line of the log callback since the process began.
log_lines = []


@native.mpr_log_fn
def _on_log(_level, text, _user):
    log_lines.append(text)


def last_error():
    return lib.mpr_last_error()


def init(**options):
    """mpr_init() with these options, after the shutdown of what ran before."""
    lib.mpr_shutdown(1000)
    options = {"api_key": "k", "log_level": "debug", **options}
    handle = lib.mpr_options_new()
    status = lib.mpr_options_set_json(handle, json.dumps(options).encode())
    assert status == 0, last_error()
    assert lib.mpr_options_set_log_callback(handle, _on_log, None, None) == 0
    assert lib.mpr_init(handle) == 0, last_error()


@contextmanager
def options(**values):
    """The library with these options, and as it was afterwards."""
    init(**values)
    try:
        yield
    finally:
        init()


def stats():
    raw = native.mpr_stats()
    assert lib.mpr_get_stats(ctypes.byref(raw)) == 0
    return {name: getattr(raw, name) for name, _ in raw._fields_}


_room = ctypes.create_string_buffer(1 << 20)


def mask(body, content_type=None):
    """mpr_mask() as bytes. The bytes must be UTF-8."""
    global _room
    body = body.encode() if isinstance(body, str) else body
    content_type = content_type.encode() if isinstance(content_type, str) else content_type
    needed = ctypes.c_size_t()
    while True:
        status = lib.mpr_mask(content_type, body, len(body), _room, len(_room), ctypes.byref(needed))
        if status != native.MPR_ERR_BUFFER_TOO_SMALL:
            break
        assert needed.value > len(_room)
        _room = ctypes.create_string_buffer(needed.value)
    assert status == 0, (status, last_error())
    return ctypes.string_at(_room, needed.value)


def text(body, content_type=None):
    """mpr_mask() as str."""
    return mask(body, content_type).decode()


_sink = []


@native.mpr_attribute_fn
def _on_attribute(_user, key, key_len, value, value_len):
    _sink.append((ctypes.string_at(key, key_len), ctypes.string_at(value, value_len)))


def _taken(status):
    assert status == 0, (status, last_error())
    found = {key.decode(): value for key, value in _sink}
    assert len(found) == len(_sink)
    for value in found.values():
        value.decode()
    _sink.clear()
    return found


def header_block(headers):
    """[(name, value)] or text as the bytes of mpr_capture_payload()."""
    if headers is None or isinstance(headers, bytes):
        return headers
    if isinstance(headers, str):
        return headers.encode()
    return b"\r\n".join(_bytes(n) + b": " + _bytes(v) for n, v in headers)


def _bytes(value):
    return value.encode() if isinstance(value, str) else value


def capture(body=None, headers=None, kind=REQUEST, trace=MANUAL):
    """mpr_capture_payload(): {attribute: bytes}."""
    body, block = _bytes(body), header_block(headers)
    _sink.clear()
    return _taken(
        lib.mpr_capture_payload(kind, trace, block, len(block or b""), body, len(body or b""), _on_attribute, None)
    )


def capture_pieces(pieces, headers=(), kind=REQUEST, trace=MANUAL):
    """The same through mpr_capture_begin() and its like, piece by piece."""
    handle = lib.mpr_capture_begin(kind, trace)
    assert handle
    try:
        for name, value in headers:
            name, value = _bytes(name), _bytes(value)
            assert lib.mpr_capture_header(handle, name, len(name), value, len(value)) == 0, last_error()
        for piece in pieces:
            assert lib.mpr_capture_body(handle, piece, len(piece)) == 0, last_error()
        _sink.clear()
        return _taken(lib.mpr_capture_end(handle, _on_attribute, None))
    finally:
        lib.mpr_capture_free(handle)


def chunks(body, size):
    return [body[at : at + size] for at in range(0, len(body), size)]


# ---- the search ----

#: Runs of letters and digits that stand in no word, so that five of them in a row are the secret's.
PARTS = ("Zq7XvKw3Jt", "hM9bYfR2Gd", "cV4nLxT8Ps")
SECRET = PARTS[0]
#: The same with everything between that some format has to escape.
TRICKY = PARTS[0] + "\"\\'<&>]]>}{;,= " + PARTS[1] + "%+#?/:\t\n--x\r\n" + PARTS[2] + "é\\"
#: On one line, and with nothing that ends a value.
_WINDOWS_BYTES = re.compile(
    "|".join(sorted({part[at : at + 5] for part in PARTS for at in range(len(part) - 4)})).encode(), re.IGNORECASE
)


_ESCAPES = re.compile(rb"\\+u00([0-7][0-9A-Fa-f])|%(?:25)*([0-7][0-9A-Fa-f])|&#x0*([0-7][0-9A-Fa-f]);|&#0*(\d{2,3});")


def _plain(escaped):
    code = int(escaped[4]) if escaped[4] else int(escaped[1] or escaped[2] or escaped[3], 16)
    return bytes([code]) if code < 128 else b"?"


def leak(data):
    """The piece of a secret that stands in this text, also written with escapes, or None."""
    data = data.encode() if isinstance(data, str) else data
    found = _WINDOWS_BYTES.search(data)
    if not found and (b"\\u" in data or b"%" in data or b"&#" in data):
        found = _WINDOWS_BYTES.search(_ESCAPES.sub(_plain, data))
    return found and found[0]


def no_leak(data, *told):
    """Fails when a text, or a value of a dict, has a piece of a secret."""
    for value in data.values() if isinstance(data, dict) else [data]:
        found = leak(value)
        assert not found, f"{found!r} left as {value!r}; {told!r}"


NOTE = re.compile(
    r"\[[^\[\]]*, (?P<size>\d+) bytes(?:, sha256 [0-9a-f]{16})?, not captured(?: from byte (?P<from>\d+))?: (?P<reason>[a-z0-9 -]+)\]\Z"
)
