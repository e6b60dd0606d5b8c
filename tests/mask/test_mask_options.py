"""What the host sets: names of its own, masking off, a callback, headers in and out."""

import ctypes
import gzip
import json
import threading
from pathlib import Path

import mask_helpers
import pytest
from mask_helpers import (
    BODY, HEADERS as HEADERS_KEY, MASKED, PARTS, SECRET, capture, capture_pieces, init, lib, mask, native, no_leak, options, stats, text,
)
from planted import FORMS

HERE = Path(__file__).parent
JSON_TYPE = [("Content-Type", "application/json")]
A, B, C = PARTS


# ---- names of the host ----


@pytest.mark.parametrize("value", [["blood type", "příjmení", "X9"], "blood type,příjmení,X9"])
def test_own_body_fields(value):
    """They match by words, anywhere in a name, and add to the default ones."""
    with options(mask_body_fields=value):
        for name in ("blood type", "bloodType", "BLOOD_TYPE", "patient-blood-type-old", "blood.type", "příjmení", "PŘÍJMENÍ", "x9", "X_9", "the-x9-field", "password"):
            assert json.loads(text(json.dumps({name: "x", "a": 1}))) == {name: MASKED, "a": 1}, name
            assert json.loads(text(json.dumps({name: "x", "a": 1}, ensure_ascii=False))) == {name: MASKED, "a": 1}, name
        for name in ("blood", "type", "bloodlust_type_of", "x", "9", "x95"):
            assert json.loads(text(json.dumps({name: "x"}))) == {name: "x"}, name
        no_leak(text(f"bloodType={A}&a=1"))
        no_leak(text(f"blood-type: {A}\n", "text/plain"))
        no_leak(text(f"<a><bloodType>{A}</bloodType></a>", "application/xml"))
        no_leak(text(f"id,blood_type\n1,{A}\n", "text/csv"))
        no_leak(capture(None, [("Cookie", f"bloodType={A}"), ("Referer", f"https://h/?blood_type={B}")]))
        assert json.loads(text(json.dumps([{"name": "bloodType", "value": A}])))[0]["value"] == MASKED
    assert json.loads(text('{"bloodType": "x"}')) == {"bloodType": "x"}


def test_own_names_that_are_odd():
    for fields in ([""], [" "], ["-"], ["*"], ["a" * 5000], [","], ["\u200b"], ["password"], [f"n{n}" for n in range(2000)]):
        handle = lib.mpr_options_new()
        status = lib.mpr_options_set_json(handle, json.dumps({"api_key": "k", "mask_body_fields": fields, "mask_header_names": fields}).encode())
        lib.mpr_shutdown(1000)
        if status != 0:
            lib.mpr_options_free(handle)
            continue
        if lib.mpr_init(handle) == 0:
            # Nothing that is empty matches everything.
            assert text('{"color": "blue"}') == '{"color": "blue"}', fields
            assert text('{"": "blue"}') == '{"": "blue"}', fields
            assert json.loads(text('{"password": "blue"}')) == {"password": MASKED}
            assert json.loads(capture(None, [("Accept", "x")])[HEADERS_KEY]) == {"Accept": "x"}
    init()


def test_own_header_names():
    with options(mask_header_names=["X-Tenant", "Accept"]):
        got = json.loads(capture(None, [("X-Tenant", A), ("x-tenant", B), ("ACCEPT", C), ("X-Tenant-Name", "blue"), ("Authorization", A)])[HEADERS_KEY])
        assert got.pop("X-Tenant-Name") == "blue"
        no_leak(repr(got))
        no_leak(text(json.dumps({"headers": [["Authorization", A]]})))


def test_headers_in_and_out():
    with options(headers_to_include=["Accept", "Authorization"]):
        got = json.loads(capture(None, [("accept", "x"), ("Authorization", A), ("X-Other", B)])[HEADERS_KEY])
        assert got == {"accept": "x", "Authorization": MASKED}
    with options(headers_to_exclude=["accept", "X-Other"]):
        got = json.loads(capture(None, [("Accept", "x"), ("Authorization", A), ("x-other", B), ("Host", "h")])[HEADERS_KEY])
        assert got == {"Authorization": MASKED, "Host": "h"}
    # The type decides about the body, captured or not.
    with options(headers_to_exclude=["Content-Type", "Content-Encoding"]):
        got = capture(gzip.compress(FORMS["form"][1]), [("Content-Type", FORMS["form"][0]), ("Content-Encoding", "gzip")])
        assert got[BODY] == mask(FORMS["form"][1], FORMS["form"][0])
    with options(capture_headers=False):
        assert set(capture('{"a":1}', JSON_TYPE)) == {BODY}
    with options(capture_body=False):
        assert set(capture('{"password":1}', JSON_TYPE)) == {HEADERS_KEY}


# ---- what else the host may set ----


def explain(body, content_type=None):
    room, needed = ctypes.create_string_buffer(1 << 16), ctypes.c_size_t()
    body = body.encode()
    assert lib.mpr_explain_mask(content_type and content_type.encode(), body, len(body), room, len(room), ctypes.byref(needed)) == 0
    return json.loads(room.raw[: needed.value])


def test_own_rules_together():
    rules = {
        "mask_allow_fields": ["email"],
        "mask_paths": ["user.nick", "items[*].code"],
        "mask_allow_paths": "error",
        "mask_patterns": ["EMP-[0-9]{4}", "ref:(?P<secret>[a-z]+)"],
        "mask_emails": True,
    }
    body = {
        "user": {"nick": A, "email": "ann", "user_password": B},
        "items": [{"code": C, "note": "EMP-1234 of ref:abc, a@b.io"}],
        "error": {"token": "expected"},
    }
    with options(**rules):
        assert json.loads(text(json.dumps(body))) == {
            "user": {"nick": MASKED, "email": "ann", "user_password": MASKED},
            "items": [{"code": MASKED, "note": f"{MASKED} of ref:{MASKED}, {MASKED}"}],
            "error": {"token": "expected"},
        }
        told = explain(json.dumps(body), "application/json")
        no_leak(repr(told))
        assert [(e["path"], e["rule"], e["entry"], e["by"]) for e in told["masked"]] == [
            ("user.nick", "path", "user.nick", "user"),
            ("user.user_password", "name", "password", "default"),
            ("items[0].code", "path", "items[*].code", "user"),
            ("items[0].note", "value", "e-mail", "default"),
            ("items[0].note", "pattern", "mask_patterns[0]", "user"),
            ("items[0].note", "pattern", "mask_patterns[1]", "user"),
        ]
        assert (told["kind"], told["fields_masked"]) == ("json", 6)
        # Whatever arrives in pieces or as a header is masked alike.
        got = json.loads(capture(None, [("X-Note", "EMP-1234"), ("X-Email", "ann")])[HEADERS_KEY])
        assert got == {"X-Note": MASKED, "X-Email": "ann"}


def test_what_is_allowed_is_still_masked_by_its_form():
    with options(mask_allow_fields=["password"], mask_allow_paths=["a"]):
        body = json.dumps({"password": "4111 1111 1111 1111", "a": {"token": "Bearer abc.def"}})
        assert json.loads(text(body)) == {"password": MASKED, "a": {"token": f"Bearer {MASKED}"}}


# ---- masking off ----


def test_body_off():
    """Text passes as it is; what is no text is still described."""
    with options(mask_body=False):
        body = '{"password": "x", "a": [1, 2'
        assert capture(body, JSON_TYPE)[BODY] == body.encode()
        assert b"not captured" in capture(b"\x89PNG\0\xff", [("Content-Type", "image/png")])[BODY]
        got = json.loads(capture(None, [("Authorization", A), ("Cookie", f"a={B}")])[HEADERS_KEY])
        no_leak(repr(got))
        assert capture(gzip.compress(b'{"password": "x"}'), [*JSON_TYPE, ("Content-Encoding", "gzip")])[BODY] == b'{"password": "x"}'
    assert json.loads(capture('{"password": "x"}', JSON_TYPE)[BODY]) == {"password": MASKED}


def test_headers_off():
    with options(mask_headers=False):
        got = capture('{"password": "%s"}' % A, [*JSON_TYPE, ("Authorization", "Bearer x"), ("Cookie", "a=b")])
        assert json.loads(got[HEADERS_KEY]) == {"Content-Type": "application/json", "Authorization": "Bearer x", "Cookie": "a=b"}
        no_leak(got[BODY])


def test_before_and_after():
    """mpr_mask() has the default rules while recording is off."""
    lib.mpr_shutdown(1000)
    try:
        assert text('{"password": "x", "bloodType": 1}') == '{"password": "***MASKED***", "bloodType": 1}'
    finally:
        init()
    with options(mask_body=False):
        pass
    assert text('{"password": "x"}') == '{"password": "***MASKED***"}'


# ---- the host's callback ----


class Masker:
    """A mask callback that answers with what `answer(content_type, body)` returns, and remembers what it got."""

    def __init__(self, answer, status=0):
        self.calls = []

        @native.mpr_mask_fn
        def call(content_type, data, length, out, capacity, needed, _user):
            body = ctypes.string_at(data, length)
            self.calls.append((content_type, body, capacity))
            made = answer(content_type, body)
            if made is None:
                return -5
            needed[0] = len(made)
            if len(made) <= capacity:
                ctypes.memmove(out, made, len(made))
            return status

        self.call = call

    def __enter__(self):
        lib.mpr_shutdown(1000)
        handle = lib.mpr_options_new()
        lib.mpr_options_set_api_key(handle, b"k")
        assert lib.mpr_options_set_mask_callback(handle, self.call, None, None) == 0
        assert lib.mpr_init(handle) == 0
        return self

    def __exit__(self, *_):
        init()


def test_the_callback_gets_the_type_and_the_plain_body():
    with Masker(lambda t, b: b"masked: " + b.replace(A.encode(), b"-")) as masker:
        body = json.dumps({"password": A}).encode()
        assert capture(body, JSON_TYPE)[BODY] == b'masked: {"password": "-"}'
        assert masker.calls[-1][:2] == (b"application/json", body)
        capture(gzip.compress(body), [*JSON_TYPE, ("Content-Encoding", "gzip")])
        assert masker.calls[-1][1] == body
        assert mask(body, "application/json") == b'masked: {"password": "-"}'
        # Headers are the library's.
        no_leak(capture(None, [("Authorization", A)]))
        assert stats()["mask_callback_failures"] == 0


def test_a_long_answer_of_the_callback():
    for length in (0, 1, 100, 5000, 100_000, 399_999, 400_000, 400_001, 2_000_000):
        with Masker(lambda t, b: b"y" * length) as masker:
            got = capture("hello", [("Content-Type", "text/plain")]).get(BODY, b"")
            assert len(got) == min(length, 400_000) and set(got) <= set(b"y")
            assert len(masker.calls) <= 2 and stats()["mask_callback_failures"] == 0


def test_an_answer_of_the_callback_is_cut_on_a_character():
    with Masker(lambda t, b: "é".encode() * 300_000 if len(b) % 2 else b"x" + "東".encode() * 200_000):
        for body in ("a", "ab"):
            got = capture(body, [("Content-Type", "text/plain")])
            got[BODY].decode()
            assert 399_990 < len(got[BODY]) <= 400_000 and got[BODY + ".truncated"] == b"true"


def test_the_callback_may_call_the_library():
    def answer(content_type, body):
        got = capture(None, [("Authorization", A)])
        no_leak(got)
        return b"inside"

    with Masker(answer):
        handle = lib.mpr_capture_begin(1, mask_helpers.MANUAL)
        lib.mpr_capture_body(handle, b"{}", 2)
        inner = {}

        @native.mpr_attribute_fn
        def fn(_user, key, key_len, value, value_len):
            inner[ctypes.string_at(key, key_len)] = ctypes.string_at(value, value_len)

        assert lib.mpr_capture_end(handle, fn, None) == 0
        lib.mpr_capture_free(handle)
        assert inner[BODY.encode()] == b"inside"


# ---- many at once ----


def test_many_threads():
    expected = {title: mask(body, content_type) for title, (content_type, body) in FORMS.items()}
    wrong = []

    def work(number):
        room, needed = ctypes.create_string_buffer(1 << 16), ctypes.c_size_t()
        for title in sorted(FORMS, key=lambda t: hash((t, number))):
            content_type, body = FORMS[title]
            lib.mpr_mask(content_type and content_type.encode(), body, len(body), room, len(room), ctypes.byref(needed))
            if room.raw[: needed.value] != expected[title]:
                wrong.append(title)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---- from C ----


def test_from_c(compile_c, run_c):
    done = run_c(compile_c(HERE / "borders.c", flags=[f"-I{HERE.parent / 'abi'}"]))
    assert done.stdout == ""


@pytest.mark.valgrind
def test_from_c_under_valgrind(compile_c, run_c):
    run_c(compile_c(HERE / "borders.c", flags=[f"-I{HERE.parent / 'abi'}"]), "short", valgrind=True)
