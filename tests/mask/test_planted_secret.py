"""One property: a secret under a sensitive name leaves in nothing, whatever the format, wherever the body is cut, in
whatever pieces and however encoded it arrives. See planted.py for the bodies and conftest.py for logs and messages."""

import base64
import ctypes
import gzip
import json
import random
import re
import zlib

import mask_helpers
import pytest
from mask_helpers import (
    BODY, CONTINUOUS, HEADERS as HEADERS_KEY, MANUAL, MASKED, PARTS, RESPONSE, SECRET, TRICKY, capture, capture_pieces, chunks, leak,
    lib, mask, no_leak, options, text,
)
from planted import FORMS, HEADERS, dumps, multipart
from platform_server import PlatformServer

try:
    import brotli
except ImportError:
    brotli = None
try:
    import zstandard
except ImportError:
    zstandard = None

A, B, C = PARTS
every_form = pytest.mark.parametrize("title", FORMS)


def of_type(content_type):
    return [("Content-Type", content_type)] if content_type else []


# ---- whole and cut ----


def test_the_search_finds_what_it_is_for():
    """Every planted body has the secret, so that a test that finds nothing has looked for something."""
    hidden = ("base64", "utf-16", "utf-32", "two charsets")
    for title, (_, body) in FORMS.items():
        assert leak(body) or any(word in title for word in hidden), title
    for title, headers in HEADERS.items():
        assert leak(repr(headers)), title
    assert leak("zq7xV") and leak(b"\\u005aq7Xv") and leak("%5aq7Xv") and leak("&#90;q7Xv") and not leak("Zq7X")


@every_form
def test_whole_and_cut_at_every_byte(title):
    content_type, body = FORMS[title]
    leaks = {}
    for at in range(len(body), 0, -1):
        got = mask(body[:at], content_type)
        got.decode()
        # A user's password in front of a host is known by the sign between them.
        if leak(got) and not (title in ("text, dsn", "text, userinfo") and b"@" not in body[:at]):
            leaks[at] = got
    if leaks:
        at = max(leaks)
        pytest.fail(f"{len(leaks)} of {len(body)} cuts; at {at} ({body[:at][-60:]!r}) left {leaks[at]!r}")


@pytest.mark.parametrize("value", [[A, B], {"x": A, "y": B, "z": [C]}, [[{"a": A}]], [1, {"b": {"c": [A, B]}}], f"{A} {B}", [A, 1, B, True]], ids=str)
@pytest.mark.parametrize("name", ["value", "data", "new", "values"])
def test_an_open_container_of_a_pair(name, value):
    """The name may be in what is missing: nothing of an unfinished value stays, and nothing of one just finished."""
    for before in ({}, {"a": 1}):
        body = json.dumps({**before, name: value, "name": "password"}).encode()
        for at in range(len(body), 0, -1):
            no_leak(mask(body[:at], "application/json"), body[:at])


@pytest.mark.parametrize(
    "error",
    [
        {"detail": [{"type": "string_too_short", "loc": ["body", "password"], "msg": "too short", "input": A}]},
        {"detail": [{"input": A, "loc": ["body", "user", "password"], "msg": "too short"}]},
        {"errors": [{"field": "password", "rejectedValue": A, "defaultMessage": "too short"}]},
        {"errors": [{"rejectedValue": A, "objectName": "user", "field": "password"}]},
        {"errors": [{"PropertyName": "Password", "AttemptedValue": A}]},
        {"errors": [{"propertyName": "password", "attemptedValue": A}]},
        {"errors": [{"propertyPath": "password", "invalidValue": A}]},
        [{"instancePath": "/user/password", "schemaPath": "#/x", "data": A}],
        [{"dataPath": ".password", "data": A}],
        [{"path": ["password"], "code": "too_small", "received": A}],
        {"details": [{"message": "x", "path": ["password"], "context": {"value": A, "label": "password", "key": "password"}}]},
        {"errors": [{"type": "field", "value": A, "msg": "x", "path": "password", "location": "body"}]},
        {"errors": [{"param": "password", "value": A}]},
        [{"property": "password", "value": A, "constraints": {"minLength": "too short"}, "target": {"password": B}}],
        {"path": ["user", "password"], "value": A},
        {"env": "DB_PASSWORD", "value": A},
    ],
    ids=str,
)
def test_validation_errors_that_echo(error):
    """What FastAPI, Spring, FluentValidation, Symfony, ajv, zod, joi, express-validator and class-validator answer."""
    no_leak(text(dumps(error)), error)


@every_form
def test_begun_late(title):
    """A body of which the beginning is missing (a proxy's second half): it is cut off at the front."""
    content_type, body = FORMS[title]
    if content_type is None:
        pytest.skip("half a body of no type has no name to go by")
    first = min([at for part in PARTS for at in [body.find(part.encode())] if at >= 0], default=0)
    if not any(word in content_type for word in ("json", "xml", "protobuf", "octet", "grpc", "multipart")) or "text" in content_type:
        return
    for at in range(1, first - 24):
        no_leak(mask(body[at:], content_type), body[at:])


@pytest.mark.parametrize("trace", [MANUAL, CONTINUOUS], ids=["manual", "continuous"])
def test_captured_whole(trace):
    for title, (content_type, body) in FORMS.items():
        got = capture(body, of_type(content_type), trace=trace)
        if leak(mask(body, content_type)):
            continue  # told by the test above
        no_leak(got, title)
        assert got[BODY] == mask(body, content_type), title


@pytest.mark.parametrize("kind", range(1, 8))
def test_every_kind_of_payload(kind):
    body = FORMS["json"][1]
    got = capture(body, [("content-type", "application/json"), ("authorization", A), ("x-api-key", B)], kind=kind)
    assert len(got) == 2
    no_leak(got)


def test_at_every_limit():
    """max_payload_bytes from 0 on: what is cut off was masked before."""
    known = {title for title, (content_type, body) in FORMS.items() if leak(mask(body, content_type))}
    for most in [*range(0, 60), *range(60, 400, 7)]:
        with options(max_payload_bytes=most):
            for title, (content_type, body) in FORMS.items():
                if title in known:
                    continue
                for value in capture(body, of_type(content_type)).values():
                    assert not leak(value), (title, most, value)


@pytest.mark.parametrize("title", ["json", "json in a string", "form", "text", "multipart", "xml", "csv", "events", "graphql"])
def test_cut_by_what_is_held(title):
    """No more than 2 × max_payload_bytes + 64 KiB of a body is held: the end of that at every byte of the secret."""
    content_type, body = FORMS[title]
    fill = {
        "json": b'{"fill": "%s", "rest": %s}', "json in a string": b'{"fill": "%s", "rest": %s}', "form": b"fill=%s&%s",
        "multipart": b"--x7\r\nContent-Disposition: form-data; name=\"fill\"\r\n\r\n%s\r\n%s", "xml": b"<a><fill>%s</fill>%s</a>",
        "csv": b"%s,x,x\r\n%s", "events": b"data: %s\n\n%s", "graphql": b"# %s\n%s", "text": b"%s\n%s",
    }[title]
    known = leak(mask(body, content_type))
    held = 65536 + 2
    begin = len(fill % (b"", b"")) if title not in ("json", "json in a string") else len(b'{"fill": "", "rest": ')
    with options(max_payload_bytes=1):
        for at in range(0, len(body), 3 if len(body) < 400 else 7):
            if title == "multipart" or title == "csv":
                whole = fill % (b"x" * (held - begin - at), body)
            else:
                whole = fill % (b"x" * (held - begin - at), body)
            got = capture_pieces(chunks(whole, 16384), of_type(content_type))
            no_leak(got, title, at)
    with options(max_payload_bytes=60_000):
        held = 2 * 60_000 + 65536
        # What is before the limit is short: the placeholder takes no room, so the end of what is held is seen.
        for at in range(0, len(body), max(1, len(body) // 12)):
            short = b"password=" + b"x" * (held - at - 11) + b"\n\n" if title == "text" else None
            if title == "json":
                short = b'{"password": "%s", "rest": ' % (b"x" * (held - at - len(b'{"password": "", "rest": ')))
            if title == "form":
                short = b"password=%s&" % (b"x" * (held - at - 10))
            if short is None:
                break
            no_leak(capture(short + body, of_type(content_type)), title, at)
    assert not known or title in ("xml", "csv", "graphql"), "leaks whole"


# ---- pieces ----


def test_pieces_of_every_size():
    """The same comes out in whatever pieces a body arrives."""
    r = random.Random("pieces")
    for title, (content_type, body) in FORMS.items():
        whole = capture(body, of_type(content_type))
        for size in (1, 2, 3, 7, 64):
            assert capture_pieces(chunks(body, size), of_type(content_type)) == whole, (title, size)
        for _ in range(3):
            at, pieces = 0, []
            while at < len(body):
                step = r.choice([0, 1, 2, 5, 30, 200])
                pieces.append(body[at : at + step])
                at += step
            assert capture_pieces(pieces, of_type(content_type)) == whole, title


def test_every_cut_in_two_pieces():
    for title in ("json", "json in a string, twice", "form", "multipart", "events", "xml", "csv", "json in utf-16", "text"):
        content_type, body = FORMS[title]
        whole = capture(body, of_type(content_type))
        for at in range(len(body)):
            assert capture_pieces([body[:at], body[at:]], of_type(content_type)) == whole, (title, at)


def test_pieces_of_a_body_that_is_cut():
    with options(max_payload_bytes=50):
        for title in ("json", "form", "text", "events", "multipart"):
            content_type, body = FORMS[title]
            body = body.replace(b"ann", b"ann" * 20)
            whole = capture(body, of_type(content_type))
            for size in (1, 2, 3, 7, 64):
                assert capture_pieces(chunks(body, size), of_type(content_type)) == whole, (title, size)


# ---- compressed ----


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def br(data):
    return brotli.compress(data, quality=4)


def zstd(data):
    return zstandard.ZstdCompressor(level=3).compress(data)


def fast_gzip(data):
    return gzip.compress(data, 1, mtime=0)


ENCODINGS = {
    "gzip": fast_gzip,
    "x-gzip": fast_gzip,
    "GZIP": fast_gzip,
    "deflate": zlib.compress,
    "deflate ": raw_deflate,
    "gzip, gzip": lambda d: fast_gzip(fast_gzip(d)),
    "deflate, gzip": lambda d: fast_gzip(zlib.compress(d)),
    "gzip,deflate": lambda d: zlib.compress(fast_gzip(d)),
    "identity": lambda d: d,
    "gzip, identity": fast_gzip,
}
if brotli:
    ENCODINGS |= {"br": br, "br, gzip": lambda d: fast_gzip(br(d)), "gzip, br": lambda d: br(fast_gzip(d))}
if zstandard:
    ENCODINGS |= {"zstd": zstd, "zstd, gzip": lambda d: fast_gzip(zstd(d)), "gzip, zstd": lambda d: zstd(fast_gzip(d))}
if brotli and zstandard:
    ENCODINGS |= {"br, zstd": lambda d: zstd(br(d)), "zstd, br": lambda d: br(zstd(d))}


def measures(value):
    return re.sub(rb", \d+ bytes(, sha256 [0-9a-f]{16})?", b", n bytes", value)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_compressed_is_masked_as_plain_is(encoding):
    for title, (content_type, body) in FORMS.items():
        plain, packed = mask(body, content_type), ENCODINGS[encoding](body)
        got = capture(packed, [*of_type(content_type), ("Content-Encoding", encoding.strip() if encoding != "deflate " else "deflate")])
        value = got[BODY]
        if not leak(plain):
            no_leak(got, title)
        # In a note the size is that of the body as it arrived, and the hash too.
        assert measures(value) == measures(plain), title
        if plain.startswith(b"[") and b", %d bytes, " % len(body) in plain and b" from byte " not in plain:
            assert b", %d bytes, " % len(packed) in value, (title, value)


@pytest.mark.parametrize("encoding", [e for e in ENCODINGS if e != "identity"])
def test_compressed_and_cut_at_every_byte(encoding):
    for title in ("json", "form", "text"):
        content_type, body = FORMS[title]
        packed = ENCODINGS[encoding](body)
        headers = [*of_type(content_type), ("Content-Encoding", encoding.strip())]
        for at in range(1, len(packed)):
            no_leak(capture(packed[:at], headers), title, at)
        for size in (1, 7, 64):
            no_leak(capture_pieces(chunks(packed, size), headers), title)


#: {"user": "ann", "password": "Zq7XvKw3JthM9bYfR2Gd", "n": [1, 2.5, {"token": "cV4nLxT8Ps"}]}, for where there is no encoder.
SAMPLES = {
    "br": "G1oAOBwHbqw1H0FwgzAfGbUu9Z1+D4dkJijJzaLT1TdAYAMOnNNAIVj0fGFDij9cCNU0AeqJUKxSdpk3ZxyjrdR5H7BqC5hQyWCJ4McEMJqEn6wnkr0d3wE=",
    "zstd": "KLUv/SBb2QIAeyJ1c2VyIjogImFubiIsICJwYXNzd29yZCI6ICJacTdYdkt3M0p0aE05YllmUjJHZCIsICJuIjogWzEsIDIuNSwgeyJ0b2tlbiI6ICJjVjRuTHhUOFBzIn1dfQ==",
    "zstd ": "KLUv/QBY2QIAeyJ1c2VyIjogImFubiIsICJwYXNzd29yZCI6ICJacTdYdkt3M0p0aE05YllmUjJHZCIsICJuIjogWzEsIDIuNSwgeyJ0b2tlbiI6ICJjVjRuTHhUOFBzIn1dfQ==",
    "zstd, br": "izGAKLUv/SBb2QIAeyJ1c2VyIjogImFubiIsICJwYXNzd29yZCI6ICJacTdYdkt3M0p0aE05YllmUjJHZCIsICJuIjogWzEsIDIuNSwgeyJ0b2tlbiI6ICJjVjRuTHhUOFBzIn1dfQM=",
    "br, zstd": "KLUv/SBZyQIAG1oAOBwHbqw1H0FwgzAfGbUu9Z1+D4dkJijJzaLT1TdAYAMOnNNAIVj0fGFDij9cCNU0AeqJUKxSdpk3ZxyjrdR5H7BqC5hQyWCJ4McEMJqEn6wnkr0d3wE=",
}
SAMPLE = b'{"user": "ann", "password": "***MASKED***", "n": [1, 2.5, {"token": "***MASKED***"}]}'


@pytest.mark.parametrize("encoding", SAMPLES)
def test_samples_of_br_and_zstd(encoding):
    """Whole they are masked as plain; cut at every byte nothing of the secret leaves. (A changed byte may make another body of it, whose
    names are none: neither coding has to have a checksum.)"""
    packed = base64.b64decode(SAMPLES[encoding])
    headers = [("Content-Type", "application/json"), ("Content-Encoding", encoding.strip())]
    for at in range(1, len(packed)):
        no_leak(capture(packed[:at], headers), at)
    assert capture(packed, headers)[BODY] == SAMPLE
    for size in (1, 2, 7, 64):
        assert capture_pieces(chunks(packed, size), headers)[BODY] == SAMPLE


def test_compressed_without_a_word():
    """gzip that nobody declared, declared that is none, two members, rubbish behind, a name in the gzip header."""
    content_type, body = FORMS["json"]
    packed = fast_gzip(body)
    named = packed[:3] + b"\x08" + packed[4:10] + f"password={A}\0".encode() + packed[10:]
    half = len(body) // 2
    for data, encoding in [
        (packed, None), (body, "gzip"), (body, "deflate"), (body, "br"), (body, "zstd"), (body, "compress"), (body, "unknown"), (body, ""), (body, "gzip, gzip"),
        (fast_gzip(body[:half]) + fast_gzip(body[half:]), "gzip"), (packed + body, "gzip"), (packed + b"\0" * 50, "gzip"), (named, "gzip"),
        (packed[:-8] + b"\0" * 8, "gzip"), (packed[:-1], "gzip"), (fast_gzip(b""), "gzip"), (b"", "gzip"), (packed, "gzip" + ", gzip" * 20),
    ]:
        no_leak(capture(data, [*of_type(content_type), *([("Content-Encoding", encoding)] if encoding is not None else [])]), encoding, data[:20])
    two = capture(fast_gzip(body[:half]) + fast_gzip(body[half:]), [*of_type(content_type), ("Content-Encoding", "gzip")])[BODY]
    assert two == mask(body, content_type) or b"not captured" in two
    with options(decompress=False):
        got = capture(packed, [*of_type(content_type), ("Content-Encoding", "gzip")])[BODY]
        assert b"not captured: content encoding" in got


def test_two_encoding_headers():
    content_type, body = FORMS["json"]
    got = capture(zlib.compress(fast_gzip(body)), [*of_type(content_type), ("Content-Encoding", "gzip"), ("Content-Encoding", "deflate")])
    no_leak(got)


def test_transfer_encoding_is_not_masked_over():
    """A chunked body as it stands on the wire: the secret may be cut by a chunk's head."""
    content_type, body = FORMS["json"]
    for size in (3, 7, 40):
        wire = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks(body, size)) + b"0\r\n\r\n"
        no_leak(capture(wire, [*of_type(content_type), ("Transfer-Encoding", "chunked")]), size)


# ---- headers ----


@pytest.mark.parametrize("title", HEADERS)
@pytest.mark.parametrize("kind", [1, 2, 3, 5, 7])
def test_headers(title, kind):
    headers = HEADERS[title]
    at_once = capture(None, headers, kind=kind)
    no_leak(at_once, title)
    json.loads(at_once[next(key for key in at_once if not key.endswith(".truncated"))])
    assert capture_pieces([], headers, kind=kind) == at_once
    for name, value in headers:
        no_leak(capture(None, [(name, value)], kind=kind), name)


def test_header_blocks_as_nobody_should_send_them():
    for block in (
        f"Authorization:{A}", f"authorization : {A}", f"Authorization\t: {A}", f"X: y\nAuthorization: {A}\n", f"X: y\rAuthorization: {A}",
        f"Authorization: Bearer\r\n {A}\r\n\t{B}", f"Cookie: a={A};\r\n b={B}", f"Authorization: {A}\r\n\r\n{B} body token={C}",
        f"GET /?token={A} HTTP/1.1\r\nHost: h", f"HTTP/1.1 200 OK\r\nSet-Cookie: a={A}", f"Authorization: {A}\0{B}", f"Authorization {A}",
        f": {A}", f"X-Api-Key: {A}, {B}", f"Author\u00adization: {A}", f"Ａuthorization: {A}", f"X-Api-Key:\r\n{A}", f"  X-Api-Key: {A}", f"Cookie: a={A}" + "; a=b" * 5000,
    ):
        _ = mask_helpers._sink.clear()
        data = block.encode()
        status = lib.mpr_capture_payload(1, MANUAL, data, len(data), None, 0, mask_helpers._on_attribute, None)
        for key, value in mask_helpers._sink:
            # A value in a line that is no header has no name; what counts is that one with a name does not leave.
            assert status != 0 or not leak(value) or block[0] == ":", (block, value)
        no_leak(lib.mpr_last_error(), block)


def test_headers_that_are_not_utf8():
    for raw in (b"Authorization: \xff" + A.encode(), b"X-Api-Key: " + A.encode() + b"\xe9" + B.encode(), b"X-\xff-Token: " + A.encode(), b"Cookie: a\xff=" + A.encode()):
        mask_helpers._sink.clear()
        lib.mpr_capture_payload(1, MANUAL, raw, len(raw), None, 0, mask_helpers._on_attribute, None)
        for _, value in mask_helpers._sink:
            no_leak(value, raw)
            value.decode()
        handle = lib.mpr_capture_begin(1, MANUAL)
        name, _, value = raw.partition(b": ")
        lib.mpr_capture_header(handle, name, len(name), value, len(value))
        mask_helpers._sink.clear()
        lib.mpr_capture_end(handle, mask_helpers._on_attribute, None)
        lib.mpr_capture_free(handle)
        for _, got in mask_helpers._sink:
            no_leak(got, raw)


def test_header_values_of_any_length():
    for size in (100, 16 << 10, (16 << 10) + 1, 70_000):
        for name in ("Authorization", "X-Api-Key", "Cookie", "Referer", "X-Debug"):
            before = {"Cookie": "a=", "Referer": "https://h/?token=", "X-Debug": "password="}.get(name, "")
            no_leak(capture(None, [(name, before + "x" * size + A), ("Accept", "y")]), name, size)


def test_the_type_is_not_told_with_its_parameters():
    for content_type in (f"application/json; password={A}", f"multipart/form-data; boundary={A}", f"image/png; token={A}", f"x/y;{A}", f"image/png;name=\"{A}\""):
        no_leak(mask(b"\x89PNG\0\1", content_type), content_type)
        no_leak(capture(b"\x89PNG\0\1", [("Content-Type", content_type)])[BODY], content_type)


# ---- what is on the wire ----


@pytest.mark.parametrize("session", [0, 1], ids=["manual", "continuous"])
def test_on_the_wire(session):
    known = {title for title, (content_type, body) in FORMS.items() if leak(mask(body, content_type))}
    known_headers = {title for title, headers in HEADERS.items() if leak(repr(capture(None, headers)))}
    with PlatformServer() as platform:
        url = platform.url
        with options(api_base_url=url, traces_endpoint=url + "/v1/traces", logs_endpoint=url + "/v1/logs", flush_interval_ms=50):
            assert lib.mpr_start(session, None) == 0, lib.mpr_last_error()
            titles = [title for title in FORMS if title not in known]
            names = [title for title in HEADERS if title not in known_headers]
            for n, title in enumerate(titles):
                content_type, body = FORMS[title]
                headers = mask_helpers.header_block([*of_type(content_type), *HEADERS[names[n % len(names)]]])
                span = lib.mpr_span_begin(b"work", 2, None)
                assert lib.mpr_span_capture_payload(span, 1, headers, len(headers), body, len(body)) == 0, title
                cut = body[: len(body) * 2 // 3]
                piece = lib.mpr_capture_begin(RESPONSE, bytes(context_of(span).trace_id))
                for chunk in chunks(cut, 50):
                    assert lib.mpr_capture_body(piece, chunk, len(chunk)) == 0
                if content_type:
                    lib.mpr_capture_header(piece, b"Content-Type", 12, content_type.encode(), len(content_type))
                assert lib.mpr_span_capture_end(span, piece) == 0
                lib.mpr_capture_free(piece)
                lib.mpr_span_end(span)
            elsewhere(session)
            assert lib.mpr_flush(10000) == 0
            assert lib.mpr_stop(None) == 0
            stats = mask_helpers.stats()
            assert stats["payloads_captured"] >= 2 * len(titles)
        assert len([s for s in platform.spans if s["name"] == "work"]) == len(titles)
        assert sum(BODY in s["attributes"] for s in platform.spans) == len(titles)
        for request in platform.requests:
            no_leak(request.body, request.path)
            no_leak(repr(request.headers), request.path)


def context_of(span):
    context = mask_helpers.native.mpr_span_context()
    assert lib.mpr_span_get_context(span, ctypes.byref(context)) == 0
    return context


def elsewhere(_session):
    """The same secret in everything else that a span and a log have."""
    line = f"cannot: password={A} Authorization: Bearer {B}".encode()
    document = dumps({"password": TRICKY, "a": {"token": [A, {"x": B}]}, "list": [{"name": "pin", "value": C}]}).encode()
    span = lib.mpr_span_begin(b"GET /p?token=" + A.encode(), 2, None)
    for key in (b"password", b"http.request.header.authorization", b"x.api_key", b"card-pin", b"app.session.token"):
        assert lib.mpr_span_set_string(span, key, TRICKY.encode()) == 0
    for key, value in ((b"db.statement", f"SET password = '{A}'"), (b"url.full", f"https://u:{A}@h/?token={B}"), (b"note", document.decode()), (b"x", line.decode())):
        assert lib.mpr_span_set_string(span, key, value.encode()) == 0
    assert lib.mpr_span_add_event(span, line, document) == 0
    assert lib.mpr_span_set_status(span, 2, line) == 0
    assert lib.mpr_span_record_exception(span, b"E", line, line + b"\n at x(token=" + C.encode() + b")") == 0
    context = context_of(span)
    for body in (line, document, FORMS["text"][1], FORMS["form"][1]):
        assert lib.mpr_log(9, body, len(body), document, ctypes.byref(context)) == 0
    assert lib.mpr_capture_exception(b"E", line, line, ctypes.byref(context)) == 0
    lib.mpr_span_end(span)


# ---- messages ----


def test_what_is_refused_is_not_told():
    """The message of a call that fails has nothing of what was handed over."""
    span = lib.mpr_span_begin(b"x", 1, None)
    for attributes in (f'{{"password": "{A}"', f"password={A}", f'["{A}"]', f'"{A}"', f'{{"a": {A}}}', f'{{"{A}": 1, }}', f'{{"a": "\\x{B}"}}'):
        lib.mpr_span_add_event(span, b"e", attributes.encode())
        no_leak(lib.mpr_last_error(), "event", attributes)
        lib.mpr_log(9, b"x", 1, attributes.encode(), None)
        no_leak(lib.mpr_last_error(), "log", attributes)
        lib.mpr_start(0, attributes.encode())
        no_leak(lib.mpr_last_error(), "start", attributes)
    lib.mpr_span_set_string(span, b"k", A.encode() + b"\xff")
    no_leak(lib.mpr_last_error())
    lib.mpr_span_end(span)
    lib.mpr_export_traces(A.encode(), len(A))
    no_leak(lib.mpr_last_error())
    lib.mpr_traceparent_parse(A.encode(), None)
    no_leak(lib.mpr_last_error())
    lib.mpr_mask(b"text/\xff" + A.encode(), b"x", 1, None, 0, None)
    no_leak(lib.mpr_last_error())


@pytest.mark.parametrize(
    "values",
    [
        {"api_key": f"{A}\n{B}"}, {"api_key": f"Bearer {A}"}, {"api_key": [A]}, {"headers": f"Authorization {A}"}, {"headers": {"Authorization": f"{A}\r\n{B}"}},
        {"headers": {f"{A} x": "y"}}, {"headers": [A]}, {"headers": f"a=%zz{A}"}, {"proxy": f"http://u:{A}@h h"}, {"proxy": f"socks9://u:{A}@h"}, {"proxy": f"u:{A}@"},
        {"api_base_url": f"http://u:{A}@h h/"}, {"api_base_url": f"ftp://u:{A}@h"}, {"traces_endpoint": f"h/?token={A}"}, {"traces_endpoint": f"https://u:{A}@:x/"},
        {"resource_attributes": f"password={A},x"}, {"resource_attributes": {"password": [A]}},
    ],
    ids=str,
)
def test_options_that_are_refused_are_not_told(values):
    """mpr.h: never an API key in a message. User and password of a URL and the values of headers are no less secret."""
    handle = lib.mpr_options_new()
    status = lib.mpr_options_set_json(handle, json.dumps({"api_key": "k", **values}).encode())
    no_leak(lib.mpr_last_error(), values)
    if status != 0:
        lib.mpr_options_free(handle)
        return
    mask_helpers.lib.mpr_shutdown(1000)
    try:
        lib.mpr_options_set_log_callback(handle, mask_helpers._on_log, None, None)
        lib.mpr_init(handle)
        no_leak(lib.mpr_last_error(), values)
    finally:
        mask_helpers.init()


def test_json_of_options_that_is_broken_is_not_told():
    for body in (f'{{"api_key": "{A}"', f'{{"api_key": "{A}", "{B}": 1}}', f'{{"api_key": {A}}}', f'"{A}"', f'{{"api_key": "{A}\\x"}}', f'{{"proxy": 5, "api_key": "{A}"}}'):
        handle = lib.mpr_options_new()
        lib.mpr_options_set_json(handle, body.encode())
        said = lib.mpr_last_error()
        lib.mpr_options_free(handle)
        assert A.encode() not in said, said


# ---- the host's own masking ----


def test_a_callback_that_fails_tells_nothing():
    def masker(answer):
        @mask_helpers.native.mpr_mask_fn
        def call(_type, _in, _len, out, capacity, needed, _user):
            return answer(out, capacity, needed)

        return call

    def write(data, length=None):
        def answer(out, capacity, needed):
            needed[0] = len(data) if length is None else length
            if capacity >= len(data):
                ctypes.memmove(out, data, len(data))
            return 0

        return answer

    def nothing(out, capacity, needed):
        return 0

    def failing(out, capacity, needed):
        return -1

    body, headers = FORMS["json"][1], of_type("application/json")
    for name, answer in {
        "fails": failing, "says nothing": nothing, "not utf-8": write(b"\xff\xfe"), "too much": write(b"x", 65 << 20), "empty": write(b""),
    }.items():
        call = masker(answer)
        lib.mpr_shutdown(1000)
        handle = lib.mpr_options_new()
        lib.mpr_options_set_api_key(handle, b"k")
        lib.mpr_options_set_mask_callback(handle, call, None, None)
        assert lib.mpr_init(handle) == 0
        try:
            got = capture(body, headers)
            no_leak(got, name)
            if name not in ("empty", "says nothing"):
                assert got[BODY] == MASKED.encode(), (name, got)
                assert mask_helpers.stats()["mask_callback_failures"] == 1
            # Cut beforehand: not given to the callback, but described.
            long = b'{"password": "%s", "a": "' % A.encode() + b"x" * 1_000_000 + b'"}'
            no_leak(capture(long, headers), name)
        finally:
            mask_helpers.init()
