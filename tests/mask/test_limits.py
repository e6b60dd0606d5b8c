"""Bounds: what a body may take of the output, of memory and of time, and the two sides of every border."""

import base64
import ctypes
import gzip
import json
import random
import resource
import subprocess
import sys
import textwrap
import time
import zlib
from pathlib import Path

import pytest
from mask_helpers import (
    BODY, HEADERS as HEADERS_KEY, MASKED, NOTE, PARTS, REQUEST, SECRET, TRICKY, MANUAL, capture, capture_pieces, chunks, leak, lib, mask,
    native, no_leak, options, stats, text,
)
from planted import FORMS

HERE = Path(__file__).parent
JSON_TYPE = [("Content-Type", "application/json")]


# ---- max_payload_bytes ----

CUT_BODIES = {
    "ascii": '{"a": "' + "x" * 300 + '"}',
    "two bytes": '{"a": "' + "é" * 300 + '"}',
    "three bytes": '["' + "東" * 300 + '"]',
    "four bytes": '["' + "😀" * 300 + '"]',
    "combining": '["' + "e\u0301" * 300 + '"]',
    "placeholders": json.dumps([{"password": n, "b": n} for n in range(30)]),
    "only placeholders": '{"password":1}' * 40,
    "mixed": json.dumps([{"é": "東😀", "token": "x"}, "a"] * 20, ensure_ascii=False),
}


def looks_cut(value, most):
    """Within the limit, UTF-8, and with no piece of a placeholder at its end."""
    assert len(value) <= most
    decoded = value.decode()
    rest = decoded.replace(MASKED, "")
    assert "***" not in rest and "MASK" not in rest, decoded[-40:]
    # A piece of one would begin with its stars; nothing else of these bodies has any.
    assert "*" not in rest, decoded[-40:]
    return decoded


@pytest.mark.parametrize("title", CUT_BODIES)
def test_cut_at_every_length(title):
    body = CUT_BODIES[title].encode()
    whole = mask(body, "application/json")
    for most in [*range(0, 130), 199, 200, 201, 202, len(whole) - 1, len(whole), len(whole) + 1, 1000]:
        with options(max_payload_bytes=most):
            got = capture(body, JSON_TYPE)
            if most == 0 and BODY not in got:
                continue
            value = got[BODY]
            decoded = looks_cut(value, most)
            if len(whole) <= most:
                assert value == whole and BODY + ".truncated" not in got and BODY + ".size" not in got
                assert stats()["payloads_truncated"] == 0
            else:
                assert got[BODY + ".truncated"] == b"true" and got[BODY + ".size"] == b"%d" % len(body)
                assert stats()["payloads_truncated"] == 1
                assert whole.decode().startswith(decoded), (most, decoded)
                # No shorter than it must be: a character is 4 bytes at most, a placeholder 11 and its quotes.
                assert len(value) >= most - len(MASKED) - 2, (most, len(value))
            assert set(got) <= {BODY, BODY + ".truncated", BODY + ".size", HEADERS_KEY}


def test_every_kind_says_that_it_was_cut():
    keys = {1: "multiplayer.http.request.body", 2: "multiplayer.http.response.body", 3: "multiplayer.rpc.request.message", 4: "multiplayer.rpc.response.message",
            5: "multiplayer.rpc.grpc.request.message", 6: "multiplayer.rpc.grpc.response.message", 7: "multiplayer.messaging.message.body"}
    with options(max_payload_bytes=10):
        for kind, key in keys.items():
            got = capture("é" * 100, [("Content-Type", "text/plain")], kind=kind)
            assert got[key] == "é".encode() * 5 and got[key + ".truncated"] == b"true" and got[key + ".size"] == b"200"


def test_a_note_is_cut_as_everything_is():
    for most in (1, 10, 100, 1000):
        with options(max_payload_bytes=most):
            got = capture(b"\x89PNG\0" + b"x" * 500, [("Content-Type", "image/png")])
            value = got[BODY].decode()
            assert len(value) <= max(most, 0) and not leak(value)
            if most >= 100:
                assert NOTE.match(value), value


def test_the_size_is_that_of_the_body_as_it_arrived():
    body = json.dumps({"a": "x" * 5000, "password": SECRET}).encode()
    packed = gzip.compress(body, mtime=0)
    with options(max_payload_bytes=100):
        got = capture(packed, [*JSON_TYPE, ("Content-Encoding", "gzip")])
        assert got[BODY + ".size"] == b"%d" % len(packed) and len(got[BODY]) <= 100 and got[BODY].startswith(b'{"a": "xxx')
        got = capture_pieces(chunks(body * 40, 1000), JSON_TYPE)
        assert got[BODY + ".size"] == b"%d" % (len(body) * 40)


@pytest.mark.parametrize("most", [0, 1, 10, 100, 1000])
def test_at_the_border_of_what_is_held(most):
    """2 × max_payload_bytes + 64 KiB are held: bodies of one byte more and less, with the secret at that place."""
    held = 2 * most + 65536
    with options(max_payload_bytes=most):
        for size in (held - 1, held, held + 1, held + 100):
            for before in range(0, 16, 3):
                head = b'{"password": "'
                body = head + b"x" * (size - len(head) - before - len(SECRET)) + SECRET.encode() + b"y" * before
                got = capture(body, JSON_TYPE)
                no_leak(got)
                if most >= 100:
                    assert got.get(BODY + ".size", b"%d" % len(body)) == b"%d" % len(body)
                assert capture_pieces(chunks(body, 5000), JSON_TYPE) == got


def test_a_character_on_the_border_of_what_is_held():
    with options(max_payload_bytes=1000):
        for letter in ("é", "東", "😀"):
            for shift in range(5):
                body = b'["' + b"x" * shift + letter.encode() * (70_000 // len(letter.encode())) + b'"]'
                got = capture(body, JSON_TYPE)[BODY]
                got.decode()
                body = b"x" * shift + (letter.encode() * 10 + b" ") * 10_000
                got = capture(body, [("Content-Type", "text/plain")])
                assert len(got[BODY]) > 990, got[BODY][:100]
                assert got[BODY].decode().strip("x " + letter) == ""
                # One word that is cut could be the beginning of anything.
                body = b"x" * shift + letter.encode() * 40_000
                capture(body, [("Content-Type", "text/plain")])[BODY].decode()


# ---- headers ----


def test_many_headers():
    begin = time.monotonic()
    headers = [(f"X-{n}", "v" * 10) for n in range(200_000)]
    block = b"\r\n".join(b"%s: %s" % (n.encode(), v.encode()) for n, v in headers)
    got = capture(None, block)
    value = got[HEADERS_KEY]
    assert len(value) <= 70_000 and got[HEADERS_KEY + ".truncated"] == b"true"
    json.loads(value)
    assert time.monotonic() - begin < 5
    # The same name over and over, and secrets between and behind.
    block = b"\r\n".join(b"Cookie: a=%s; b=c" % SECRET.encode() for _ in range(50_000))
    no_leak(capture(None, block))
    got = capture(None, block + b"\r\nAuthorization: " + SECRET.encode())
    json.loads(got[HEADERS_KEY])
    no_leak(got)
    # One by one there is a bound, and the one that is over it is refused and not kept.
    got = capture_pieces([], [*headers[:900], ("Authorization", SECRET)])
    json.loads(got[HEADERS_KEY])
    no_leak(got)
    handle = lib.mpr_capture_begin(1, MANUAL)
    statuses = [lib.mpr_capture_header(handle, b"Authorization", 13, SECRET.encode(), len(SECRET)) for _ in range(5000)]
    assert set(statuses) <= {0, native.MPR_ERR_INVALID_ARGUMENT} and statuses == sorted(statuses, reverse=True)
    lib.mpr_capture_free(handle)


def test_long_headers():
    for size in (16_383, 16_384, 16_385, 100_000, 1_000_000):
        got = capture(None, [("X-A", "é" * (size // 2)), ("B", "c")])
        decoded = json.loads(got[HEADERS_KEY])
        assert len(got[HEADERS_KEY]) < 70_000 and decoded["B"] == "c"
        got = capture(None, [("x" * size, SECRET), ("Authorization", SECRET)])
        json.loads(got[HEADERS_KEY])
    cookie = "; ".join(f"c{n}={SECRET}" for n in range(700))
    got = capture(None, [("Cookie", cookie)])
    no_leak(got)


# ---- shapes that cost ----


def within(seconds, call, *arguments):
    begin = time.monotonic()
    got = call(*arguments)
    took = time.monotonic() - begin
    assert took < seconds, f"{took:.2f} s"
    return got


DEEP = 100_000


@pytest.mark.parametrize(
    "body",
    [
        "[" * DEEP + "]" * DEEP,
        "[" * DEEP,
        '{"a":' * DEEP + "1" + "}" * DEEP,
        '{"a":' * DEEP,
        '[{"a":' * DEEP,
        '{"password":' * 50_000 + f'"{SECRET}"',
        '{"password":' + "[" * DEEP + f'"{SECRET}"' + "]" * DEEP + "}",
        "[" * 250 + f'{{"password": "{SECRET}"}}' + "]" * 250,
        '{"a":' * 300 + f'"{SECRET}"' + "}" * 300 + f' {{"token": "{SECRET}"}}',
        "]" * DEEP,
        '"' + "[" * DEEP + '"',
        json.dumps("[" * 1000 + json.dumps({"password": SECRET}) + "]" * 1000),
    ],
    ids=lambda b: b[:12],
)
def test_depth(body):
    got = within(3, text, body, "application/json")
    assert len(got) < 2 * len(body) + 300
    no_leak(got)
    no_leak(within(3, capture, body, JSON_TYPE))


def test_a_million_keys():
    body = ("{" + ",".join('"k%d":%d' % (n, n) for n in range(1_000_000)) + ',"password":"%s"}' % SECRET).encode()
    got = within(5, mask, body, "application/json")
    assert got == body.replace(b'"%s"' % SECRET.encode(), b'"%s"' % MASKED.encode())
    got = capture(body, JSON_TYPE)
    assert len(got[BODY]) <= 400_000 and got[BODY + ".size"] == b"%d" % len(body)
    body = ("{" + ",".join(['"password":1'] * 200_000) + "}").encode()
    got = within(5, mask, body, "application/json")
    assert got.count(MASKED.encode()) == 200_000 and json.loads(got)


MIB = 1 << 20
COSTLY = {
    "quotes": ('"' * MIB, "application/json"),
    "backslashes": ('["' + "\\" * MIB + '"]', "application/json"),
    "escapes": ('["' + "\\u0041" * (MIB // 6) + '"]', "application/json"),
    "escaped braces": ('["' + '{\\"a\\":' * (MIB // 7) + '"]', "application/json"),
    "long name": ('{"' + "a" * MIB + '":1}', "application/json"),
    "long camel name": ('{"' + "aB" * (MIB // 2) + '":1}', "application/json"),
    "name of words": ('{"' + "pass_" * (MIB // 5) + '":1}', "application/json"),
    "long number": ("[" + "1" * MIB + "]", "application/json"),
    "digits with blanks": ("4 " * (MIB // 2), "text/plain"),
    "digits": ("4" * MIB, "text/plain"),
    "cards": ("4111 1111 1111 1112 " * (MIB // 20), "text/plain"),
    "colons": (":" * MIB, "text/plain"),
    "equals": ("password" + "=" * MIB, "text/plain"),
    "names": ("password " * (MIB // 9), "text/plain"),
    "names with colons": ("password: " * (MIB // 10), "text/plain"),
    "ats": ("a@" * (MIB // 2), "text/plain"),
    "urls": ("http://" * (MIB // 7), "text/plain"),
    "urls with users": ("http://a:" * (MIB // 9), "text/plain"),
    "urls with queries": ("http://h/?a=" * (MIB // 12), "text/plain"),
    "pem begins": ("-----BEGIN " * (MIB // 11), "text/plain"),
    "pem keys": ("-----BEGIN PRIVATE KEY-----\n" * (MIB // 28), "text/plain"),
    "dashes": ("-" * MIB, "text/plain"),
    "jwt begins": ("eyJ" * (MIB // 3), "text/plain"),
    "jwt dots": ("eyJhbGciOiJIUzI1NiJ9." * (MIB // 21), "text/plain"),
    "bearers": ("Bearer " * (MIB // 7), "text/plain"),
    "base64": ("QUJD" * (MIB // 4), "text/plain"),
    "tags": ("<" * MIB, "text/plain"),
    "open tags": ("<password>" * (MIB // 10), "text/plain"),
    "quotes in text": ("'\"" * (MIB // 2), "text/plain"),
    "ands": ("&" * MIB, "application/x-www-form-urlencoded"),
    "percents": ("%" * MIB, "application/x-www-form-urlencoded"),
    "percents twice": ("a=" + "%2525" * (MIB // 5), "application/x-www-form-urlencoded"),
    "pairs of a form": ("a=1&" * (MIB // 4), "application/x-www-form-urlencoded"),
    "JSON in a form": ("a=" + "%7B%22a%22:" * (MIB // 11), "application/x-www-form-urlencoded"),
    "boundaries": ("--x\r\n" * (MIB // 5), "multipart/form-data; boundary=x"),
    "almost boundaries": ("--x--y" * (MIB // 6), "multipart/form-data; boundary=x-"),
    "headers of a part": ("--x\r\n" + "A: b\r\n" * (MIB // 6), "multipart/form-data; boundary=x"),
    "one dash boundary": ("-" * MIB, "multipart/form-data; boundary=-"),
    "data lines": ("data:\n" * (MIB // 6), "text/event-stream"),
    "open data": ("data: {\n" * (MIB // 8), "text/event-stream"),
    "xml depth": ("<a>" * (MIB // 3), "application/xml"),
    "xml attributes": ("<a " + "b='c' " * (MIB // 6) + "/>", "application/xml"),
    "xml entities": ("<a>" + "&amp;" * (MIB // 5) + "</a>", "application/xml"),
    "xml comments": ("<!--" * (MIB // 4), "application/xml"),
    "xml CDATA": ("<![CDATA[" * (MIB // 9), "application/xml"),
    "xml open": ("<" * MIB, "application/xml"),
    "xml sensitive": ("<password>" * (MIB // 10), "application/xml"),
    "xml laughs": ("<!DOCTYPE a [" + "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(500)) + "]><a>&e500;</a>", "application/xml"),
    "html scripts": ("<script>" * (MIB // 8), "text/html"),
    "html inputs": ("<input name=password value=x>" * (MIB // 29), "text/html"),
    "csv commas": ("," * MIB, "text/csv"),
    "csv quotes": ('"' * MIB, "text/csv"),
    "csv columns": (",".join(["password"] * (MIB // 18)) + "\n" + ",".join(["x"] * (MIB // 18)), "text/csv"),
    "graphql parentheses": ("(" * MIB, "application/graphql"),
    "graphql blocks": ('"""' * (MIB // 3), "application/graphql"),
    "zero width": ("\u200b" * (MIB // 3), "text/plain"),
    "combining": ("e" + "\u0301" * (MIB // 2), "text/plain"),
    "names with zero width": ('{"' + "p\u200b" * (MIB // 4) + '":1}', "application/json"),
    "record separators": ("\x1e" * MIB, "application/json-seq"),
    "scalars": ("1 " * (MIB // 2), "application/json"),
    "lines of objects": ("{}\n" * (MIB // 3), "application/x-ndjson"),
    "flat list": ("[" + ",".join(['"password"'] * (MIB // 11)) + "]", "application/json"),
    "pairs": ("[" + ",".join(['{"name":"password","value":1}'] * (MIB // 30)) + "]", "application/json"),
    "pairs, values first": ("[" + ",".join(['{"value":{"value":1},"name":"x"}'] * (MIB // 33)) + "]", "application/json"),
    "values in values": ('{"value":' * 190 + '"' + "x" * (MIB // 2) + '"' + ',"name":"password"}' * 190, "application/json"),
    "table": ('{"columns":["password"],"rows":[' + ",".join(["[1]"] * (MIB // 4)) + "]}", "application/json"),
}


@pytest.mark.parametrize("title", COSTLY)
def test_a_mebibyte_of_anything(title):
    """Time goes with length: no text makes it go with the square."""
    body, content_type = COSTLY[title]
    got = within(2, mask, body.encode(), content_type)
    got.decode()
    # Placeholders take the place of something short; nothing grows without bound.
    assert len(got) < 16 * len(body) + 1000
    within(2, capture, body, [("Content-Type", content_type)])
    within(2, capture, body[: len(body) // 2], [("Content-Type", content_type)])


# ---- compressed bombs ----


def bomb(mebibytes, head=b"", tail=b""):
    packer = zlib.compressobj(9, wbits=31)
    out = [packer.compress(head)]
    piece = b" " * MIB
    out += [packer.compress(piece) for _ in range(mebibytes)]
    out += [packer.compress(tail), packer.flush()]
    return b"".join(out)


def test_bombs():
    packed = bomb(200, b'{"password": "%s", "a": "' % SECRET.encode(), b'"}')
    assert len(packed) < MIB
    headers = [*JSON_TYPE, ("Content-Encoding", "gzip")]
    got = within(2, capture, packed, headers)
    no_leak(got)
    assert NOTE.match(got[BODY].decode())["reason"] in ("compression ratio", "too large"), got[BODY]
    twice = gzip.compress(packed)
    no_leak(within(2, capture, twice, [*JSON_TYPE, ("Content-Encoding", "gzip, gzip")]))
    no_leak(within(2, capture, gzip.compress(twice), [*JSON_TYPE, ("Content-Encoding", "gzip, gzip, gzip")]))
    no_leak(within(2, capture, twice, headers))
    no_leak(within(2, capture_pieces, chunks(packed, 1000), headers))
    many = b"".join(gzip.compress(b" " * 1000) for _ in range(20_000))
    no_leak(within(2, capture, many, headers))


#: {"password": "Zq7XvKw3Jt", "a": " … "} with 300 MiB of blanks, by Brotli.
BR_BOMB = base64.b64decode(
    "z///fwAEym2pPpfXFgYLcQtFbIYoiAYLmgsLOfkMg8W8/08xd4zbz+tgYpFC+P//D4AEQBwWgO79P////wGQAIjDAtC9/+f//z8AEgBxWAC69//8//8HQA"
    "IgDgtA9/6f////AEgAxGEB6N7/8///HwAJgDgsAN37f/7//wMgARCHBaB7/8///38AJADisAB07//5//8PgARAHBaA7v0/////AZAAiMMC0L3/5///PwAS"
    "AHFYALr3//z//wdAAiAOC0D3/p////8ASADEYQHo3v/z//8fAAmAOCwA3ft//v//AyABEIcFoHv/z///fwAkAOKwAHTv//n//w+ABEAcFoDu/X+KAAADkB"
    "LpK0kOC+D2/S8B"
)


def zstd_bomb(mebibytes, window=0x58):
    """A Zstandard frame of blocks that each say "this byte, 128 KiB of it"; `window` is the descriptor of its window."""
    block = (131072 << 3 | 1 << 1).to_bytes(3, "little") + b" "
    head = b'{"password": "%s", "a": "' % SECRET.encode()
    first = (len(head) << 3).to_bytes(3, "little") + head
    return b"\x28\xb5\x2f\xfd" + bytes([0, window]) + first + block * (mebibytes * 8) + b"\x01\x00\x00"


@pytest.mark.parametrize(
    "encoding, packed",
    [
        ("br", BR_BOMB), ("br, gzip", gzip.compress(BR_BOMB)), ("zstd", zstd_bomb(300)), ("zstd, gzip", gzip.compress(zstd_bomb(2000))), ("zstd", zstd_bomb(1, 0xFF)), ("zstd", zstd_bomb(1, 0xB0)),
        ("zstd", zstd_bomb(10) * 30), ("zstd", b"\x50\x2a\x4d\x18\xff\xff\xff\xff" + zstd_bomb(1)), ("zstd", b"\x50\x2a\x4d\x18\0\0\0\0" * 100_000),
        ("br", b"\x11\xfd" + BR_BOMB), ("br", b"\x00" * 100_000), ("gzip", b"\x1f\x8b\x08\x1c\0\0\0\0\0\xff" + b"\xff" * 100_000),
    ],
    ids=["br", "br in gzip", "zstd", "zstd in gzip", "zstd, largest window", "zstd, 4 GiB window", "zstd, many frames", "zstd, skipped", "zstd, skipped often", "br, large window", "br of nothing", "gzip, long head"],
)
def test_bombs_of_other_encodings(encoding, packed):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    got = within(2, capture, packed, [*JSON_TYPE, ("Content-Encoding", encoding)])
    no_leak(got)
    assert len(got[BODY]) <= 400_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024
    no_leak(within(2, capture_pieces, chunks(packed, 4096), [*JSON_TYPE, ("Content-Encoding", encoding)]))


def test_a_body_that_packs_well_is_no_bomb():
    body = json.dumps([{"id": n, "status": "open", "password": SECRET} for n in range(3000)]).encode()
    got = capture(gzip.compress(body), [*JSON_TYPE, ("Content-Encoding", "gzip")])
    assert got[BODY] == mask(body, "application/json")[: len(got[BODY])] and len(got[BODY]) > 100_000


# ---- memory ----

_MEMORY = """
import gzip, json, resource, sys, time, zlib
sys.path.insert(0, sys.argv[1])
import mask_helpers
from mask_helpers import capture, capture_pieces, init, BODY, SECRET

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

init()
item = b'{"name": "ann", "password": "%s"},\\n' % SECRET.encode()
what, mebibytes = sys.argv[2], int(sys.argv[3])
headers = [("Content-Type", {"json": "application/json", "text": "text/plain", "multipart": "multipart/form-data; boundary=x", "gzip": "application/json",
           "xml": "application/xml", "csv": "text/csv", "form": "application/x-www-form-urlencoded", "binary": "image/png", "utf-16": "application/json; charset=utf-16",
           "events": "text/event-stream"}[what])]
piece = {"json": item, "text": b"password=x and hello\\n", "multipart": b'--x\\r\\nContent-Disposition: form-data; name="a"\\r\\n\\r\\nhello\\r\\n', "gzip": item, "xml": b"<a><b>c</b></a>",
         "csv": b"a,b,c\\n", "form": b"a=b&", "binary": bytes(range(256)), "utf-16": "[1,2]".encode("utf-16le"), "events": b"data: {}\\n\\n"}[what]
chunk = piece * (65536 // len(piece))
packer = zlib.compressobj(1, wbits=31) if what == "gzip" else None
if packer:
    headers.append(("Content-Encoding", "gzip"))
count = mebibytes * 16

def pieces():
    yield b"[" if what in ("json", "gzip") and not packer else b""
    for _ in range(count):
        yield packer.compress(chunk) if packer else chunk

before, begin = peak(), time.monotonic()
got = capture_pieces(pieces(), headers)
took, grown = time.monotonic() - begin, peak() - before
assert not any(mask_helpers.leak(v) for v in got.values())
print(json.dumps({"grown": grown, "took": took, "length": len(got[BODY]), "size": got.get(BODY + ".size", b"").decode()}))
mask_helpers.lib.mpr_shutdown(1000)
"""


@pytest.mark.parametrize("what", ["json", "text", "multipart", "gzip", "xml", "csv", "form", "binary", "utf-16", "events"])
def test_fifty_mebibytes(what):
    """A process of its own, since peaks are never taken back."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(_MEMORY), str(HERE), what, "50"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["grown"] < 16 * 1024, told  # KiB
    assert told["took"] < 5, told
    assert told["length"] <= 400_000


# ---- mpr_mask itself ----


def call(body, content_type, size):
    """mpr_mask() with a buffer of this size that is watched on both sides: (status, needed, what was written)."""
    guard = b"\xa5" * 64
    room = ctypes.create_string_buffer(guard + b"\xa5" * size + guard, size + 128)
    needed = ctypes.c_size_t(12345)
    at = (ctypes.c_char * size).from_buffer(room, 64) if size else None
    status = lib.mpr_mask(content_type, body, len(body), ctypes.byref(at) if size else None, size, ctypes.byref(needed))
    assert room.raw[:64] == guard and room.raw[64 + size : 128 + size] == guard, "written beyond"
    return status, needed.value, room.raw[64 : 64 + size]


@pytest.mark.parametrize("title", ["json", "form", "multipart", "bytes", "text", "xml", "events", "json in utf-16"])
def test_sizes_of_the_buffer(title):
    content_type, body = FORMS[title]
    content_type = content_type.encode()
    whole = mask(body, content_type)
    for size in range(0, len(whole) + 3):
        status, needed, wrote = call(body, content_type, size)
        assert needed == len(whole)
        if size < len(whole):
            assert status == native.MPR_ERR_BUFFER_TOO_SMALL
            no_leak(wrote)
        else:
            assert status == 0 and wrote[: len(whole)] == whole and wrote[len(whole) :] == b"\xa5" * (size - len(whole)), "a NUL behind it"


def test_nothing_in():
    needed = ctypes.c_size_t(5)
    for content_type in (None, b"", b"application/json", b"image/png", b"nonsense"):
        assert lib.mpr_mask(content_type, None, 0, None, 0, ctypes.byref(needed)) in (0, native.MPR_ERR_BUFFER_TOO_SMALL)
        assert lib.mpr_mask(content_type, b"", 0, None, 0, None) in (0, native.MPR_ERR_BUFFER_TOO_SMALL)
    assert lib.mpr_mask(None, None, 5, None, 0, ctypes.byref(needed)) == native.MPR_ERR_INVALID_ARGUMENT
    assert lib.mpr_mask(None, b"12345", 5, None, 10, ctypes.byref(needed)) == native.MPR_ERR_INVALID_ARGUMENT
    assert lib.mpr_mask(b"x" * 100_000, b"12345", 5, None, 0, ctypes.byref(needed)) in (native.MPR_ERR_BUFFER_TOO_SMALL, 0)


def test_content_types_of_every_kind():
    """Strange types describe or mask, and never leave more than the right one does."""
    _, body = FORMS["json"]
    for content_type in (
        "", " ", ";", "/", "a/", "/b", "application/json;", "application/json ; charset = utf-8", "APPLICATION/JSON", " application/json", "application/json,text/plain", "application/json; charset=\"utf-8", "json", "text/json",
        "application/problem+json", "application/x+xml", "application/json; charset=", "application/json;;;;charset=utf-8", "a" * 70_000, "application/é", "application/json\t", "application/json; charset=utf-8; charset=latin1", "*/*", "text/*",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=\"", "multipart/form-data; boundary=" + "x" * 5000, "application/x-www-form-urlencoded;charset=utf-16", "text/csv; header=absent", "application/vnd.x.v1+json;q=1",
    ):
        got = mask(body, content_type)
        no_leak(got, content_type)
        assert len(got) < 3 * len(body) + 1000, content_type


# ---- counters ----


def test_counters():
    with options(max_payload_bytes=200):
        assert [stats()[n] for n in ("payloads_captured", "payloads_masked_whole", "payload_fields_masked", "payloads_truncated")] == [0, 0, 0, 0]
        capture('{"password": 1, "token": 2, "a": 3}', JSON_TYPE)
        now = stats()
        assert (now["payloads_captured"], now["payload_fields_masked"], now["payloads_masked_whole"]) == (1, 2, 0)
        capture(b"\x89PNG\0", [("Content-Type", "image/png")])
        assert stats()["payloads_masked_whole"] == 1
        capture('{"a": "%s"}' % ("x" * 500), JSON_TYPE)
        now = stats()
        assert (now["payloads_captured"], now["payloads_truncated"], now["payload_fields_masked"]) == (3, 1, 2)
        mask('{"password": 1}')
        assert stats()["payloads_captured"] == 3


# ---- the hash of what is described ----


def test_binary_content_has_a_hash():
    """Needs the hash in notes: of 64 bytes or more the first 16 digits of SHA-256, so that equal files are seen to be equal."""
    import hashlib

    content = bytes(range(256))
    digits = hashlib.sha256(content).hexdigest()[:16]
    assert text(content, "image/png") == f"[image/png, 256 bytes, sha256 {digits}, not captured: binary]"
    assert capture(content, [("Content-Type", "image/png")])[BODY].decode() == f"[image/png, 256 bytes, sha256 {digits}, not captured: binary]"
    # Of a few bytes a hash could be turned back.
    assert "sha256" not in text(content[:63], "image/png") and "sha256" in text(content[:64], "image/png")


def test_what_is_described_as_text_has_no_hash():
    """A hash of a short secret can be found by trying: only binary content has one."""
    body = f"password={SECRET}".encode().ljust(200, b" ")
    for content_type in ("application/toml", "application/yaml", "application/x-unknown"):
        got = text(body, content_type)
        assert "sha256" not in got, got


# ---- rubbish ----


def test_rubbish_of_every_kind():
    """Bodies with a few bytes changed, moved or put together: always UTF-8, always an answer, in pieces the same."""
    r = random.Random("rubbish")
    titles = list(FORMS)
    types = sorted({content_type for content_type, _ in FORMS.values() if content_type})
    odd = [b"\0", b"\xff", b"\xc3", b"\xe2\x80", b"\xf0\x9f", b"\"", b"\\", b"{", b"[", b"]", b"}", b"<", b">", b"&", b"=", b"%", b"\r", b"\n", b"--", b"\xef\xbb\xbf", b"\x1e", b"\\u", b"\\ud83d", b"&#", b"<![CDATA[", b"]]>", b'"""', b"eyJ", b"://"]
    for _ in range(4000):
        content_type, body = FORMS[r.choice(titles)]
        data = bytearray(body)
        for _ in range(r.randint(1, 4)):
            at = r.randint(0, len(data))
            kind = r.random()
            if kind < 0.5:
                data[at:at] = r.choice(odd)
            elif kind < 0.7:
                del data[at : at + r.randint(1, 20)]
            elif kind < 0.85:
                data[at:at] = FORMS[r.choice(titles)][1][: r.randint(0, 80)]
            else:
                data[at : at + 1] = r.choice(odd)
        content_type = content_type if r.random() < 0.7 else r.choice(types)
        got = mask(bytes(data), content_type)
        got.decode()
        if r.random() < 0.1:
            headers = [("Content-Type", content_type)] if content_type else []
            assert capture_pieces(chunks(bytes(data), r.choice([1, 3, 50])), headers) == capture(bytes(data), headers)
    for _ in range(1000):
        data = r.randbytes(r.randint(0, 200))
        mask(data, r.choice([None, *types])).decode()
        capture(data, [("Content-Type", r.choice(types)), ("Content-Encoding", r.choice(["gzip", "deflate", "br", "zstd", "gzip, br", "x", ""]))])


def test_what_was_masked_is_masked_the_same_again():
    """Masking twice changes no more: nothing that a first pass wrote is taken for something else."""
    for title, (content_type, body) in FORMS.items():
        once = mask(body, content_type)
        if b"not captured" in once or b"charset=" in (content_type or "").encode() or "utf-16" in title or "utf-32" in title:
            continue
        assert mask(once, content_type) == once, title
