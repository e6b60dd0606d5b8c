"""Every documented name, in every spelling, as the name of a value in every format; and formats inside formats."""

import base64
import gzip
import json
import random
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from json_reference import sensitive
from mask_helpers import BODY, HEADERS as HEADERS_KEY, PARTS, capture, leak, mask, no_leak, text
from planted import dumps, multipart
from test_json_differential import PREFIXES, SENSITIVE, STYLES

A, B, C = PARTS
SPELLINGS = [style for style in STYLES if style(["a", "b"]) not in ("ab", "a b", "a[b]")]


def spellings(name):
    words = name.split("_")
    return [style(words) for style in SPELLINGS] + [style(["user", *words]) for style in SPELLINGS]


def xml_name(name):
    return name if name[0].isalpha() or name[0] == "_" else "x" + name


#: How each format writes a value under a name. The value has letters and digits alone.
FORMATS = {
    "JSON": lambda n, v: (dumps({"a": 1, n: v}), "application/json"),
    "pair": lambda n, v: (dumps({"name": n, "value": v}), None),
    "pair, of two": lambda n, v: (dumps([[n, v]]), None),
    "JSON in a string": lambda n, v: (dumps({"a": dumps({n: v})}), None),
    "form": lambda n, v: (f"a=1&{quote(n)}={v}", "application/x-www-form-urlencoded"),
    "form, in brackets": lambda n, v: (f"a=1&user%5B{quote(n)}%5D={v}&b=2", None),
    "multipart": lambda n, v: (multipart([([f'Content-Disposition: form-data; name="{n}"'], v)]), "multipart/form-data; boundary=x7"),
    "query": lambda n, v: (dumps({"url": f"https://h/p?a=1&{quote(n)}={v}"}), None),
    "text, =": lambda n, v: (f"see {n}={v} now", "text/plain"),
    "text, :": lambda n, v: (f"{n}: {v}\nnext", "text/plain"),
    "text, quoted": lambda n, v: (f'see {{"{n}": "{v}"}} now', "text/plain"),
    "text, spaced": lambda n, v: (f"{n} = {v}\n", "text/plain"),
    "text, element": lambda n, v: (f"see <{xml_name(n)}>{v}</{xml_name(n)}> now", "text/plain"),
    "events": lambda n, v: (f"data: {dumps({n: v})}\n\n", "text/event-stream"),
    "events, text": lambda n, v: (f"data: {n}={v}\n\n", "text/event-stream"),
    "XML": lambda n, v: (f"<a><{xml_name(n)}>{v}</{xml_name(n)}></a>", "application/xml"),
    "XML, attribute": lambda n, v: (f"<a {xml_name(n)}='{v}'/>", "application/xml"),
    "SOAP": lambda n, v: (f"<s:Envelope xmlns:s='u'><s:Body><w:{xml_name(n)} w:t='1'>{v}</w:{xml_name(n)}></s:Body></s:Envelope>", "application/soap+xml"),
    "HTML, input": lambda n, v: (f'<html><input type="hidden" name="{n}" value="{v}"></html>', "text/html"),
    "HTML, meta": lambda n, v: (f'<html><meta content="{v}" name="{n}"></html>', "text/html"),
    "CSV": lambda n, v: (f"id,{n},x\n1,{v},y\n", "text/csv"),
    "GraphQL": lambda n, v: ('{ a(%s: "%s") { id } }' % (n.replace("-", "_").replace(".", "_"), v), "application/graphql"),
    "JavaScript": lambda n, v: (f"const x = {{'{n}': '{v}'}};", "application/javascript"),
    "YAML": lambda n, v: (f"a: 1\n{n}: {v}\n", "application/yaml"),
    "table": lambda n, v: (dumps({"columns": ["id", n], "rows": [[1, v]]}), None),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_name(kind):
    left = []
    for name in SENSITIVE:
        for spelled in spellings(name):
            assert sensitive(spelled)
            body, content_type = FORMATS[kind](spelled, A)
            got = mask(body, content_type)
            if leak(got):
                left.append(spelled)
    assert not left, f"{len(left)}: {left[:40]}"


def test_every_name_of_a_header():
    left = []
    for name in SENSITIVE:
        words = name.split("_")
        for spelled in ("-".join(w.capitalize() for w in words), "X-" + "-".join(w.capitalize() for w in words), "_".join(words).upper(), "-".join(words)):
            for value in (A, f"Zm9v {A}", f"a={A}, b"):
                if leak(repr(capture(None, [(spelled, value)]))):
                    left.append((spelled, value))
                if leak(repr(capture(None, [("Cookie", f"{spelled}={value}")]))):
                    left.append(("Cookie", spelled, value))
    assert not left, f"{len(left)}: {left[:20]}"


def test_names_with_everything_between_the_words():
    for between in ("", "_", "-", ".", " ", ":", "/", "__", "-_", "\u200b", "\u00ad", "\u2060", "\ufeff", "\u180e", "\u034f", "\ufe0f", "\u202e", "\u3164", "\uffa0", "\u115f", "\u1160", "\u2800", "\u00a0", "\u2010", "\u2011", "\u30fb", "\uff3f", "·", "#", "@", "\t"):
        for words in (("api", "key"), ("card", "number"), ("pass", "word"), ("access", "token"), ("x", "password"), ("client", "secret")):
            name = between.join(words)
            for body in (json.dumps({name: A}), dumps({name: A}), dumps([{"name": name, "value": A}])):
                no_leak(text(body), name)
            no_leak(text(f"a=1&{quote(name)}={A}", "application/x-www-form-urlencoded"), name)


@pytest.mark.parametrize("name", ["password", "api_key", "access-token", "cardNumber", "ssn", "clientSecret"])
def test_letters_as_other_characters(name):
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)
    accents = "".join(c + "\u0301" if c in "aeiou" else c for c in name)
    hidden = "\u200d".join(name)
    for spelled in (wide, accents, hidden, name.upper()):
        for body, content_type in (
            (dumps({spelled: A}), None),
            (json.dumps({spelled: A}), None),
            ("{%s:1,%s:%s}" % ('"a"', '"%s"' % "".join("\\u%04x" % ord(c) for c in spelled), f'"{A}"'), None),
            (f"a=1&{quote(spelled)}={A}", "application/x-www-form-urlencoded"),
            (f"a=1&{spelled}={A}", "application/x-www-form-urlencoded"),
            (multipart([([f'Content-Disposition: form-data; name="{spelled}"'], A)]), "multipart/form-data; boundary=x7"),
            (f"see {spelled}={A} now", "text/plain"),
            (f"<a><x {spelled}='{A}'/></a>", "application/xml"),
            (f"id,{spelled}\n1,{A}\n", "text/csv"),
        ):
            no_leak(mask(body, content_type), body)


# ---- formats inside formats ----

WRAPS = {
    "object": lambda v: dumps({"data": v, "n": 1}),
    "list": lambda v: dumps([1, v, True]),
    "string": lambda v: dumps(v),
    "form": lambda v: f"a=1&payload={quote_plus(v)}&b=2",
    "query": lambda v: f"https://h/cb?next={quote(v, safe='')}",
    "line": lambda v: f"2024-05-01 INFO body={v}",
    "quoted line": lambda v: f"body was '{v}' at noon",
    "xml": lambda v: f"<a><b>{escape(v)}</b></a>",
    "CDATA": lambda v: f"<a><b><![CDATA[{v}]]></b></a>",
    "csv": lambda v: 'id,data\n1,"%s"\n' % v.replace('"', '""'),
    "events": lambda v: "".join(f"data: {line}\n" for line in v.split("\n")) + "\n",
    "multipart": lambda v: multipart([(['Content-Disposition: form-data; name="data"'], v)]).decode(),
    "comment": lambda v: f"// {v}\n",
}
CORES = {
    "JSON": dumps({"user": "ann", "password": A, "deep": {"token": [B]}}),
    "form": f"user=ann&password={A}&token={B}",
    "header line": f"Authorization: Bearer {A}{B}",
    "url": f"https://ann:{A}@h/p?token={B}",
    "text": f"password={A} token={B}",
    "xml": f"<login><password>{A}</password><token>{B}</token></login>",
}
TYPES = {"object": "application/json", "list": "application/json", "string": "application/json", "form": "application/x-www-form-urlencoded", "query": "text/plain", "line": "text/plain",
         "quoted line": "text/plain", "xml": "application/xml", "CDATA": "text/xml", "csv": "text/csv", "events": "text/event-stream", "multipart": "multipart/form-data; boundary=x7", "comment": "application/javascript"}


@pytest.mark.parametrize("outer", WRAPS)
@pytest.mark.parametrize("core", CORES)
def test_one_format_in_another(core, outer):
    body = WRAPS[outer](CORES[core])
    for content_type in (TYPES[outer], None):
        no_leak(text(body, content_type), body)
    for at in range(len(body)):
        no_leak(text(body[:at], TYPES[outer]), body[:at])


@pytest.mark.parametrize("quote_as", ["%22", "%2522", "&quot;", "&#34;", "&#x22;", '""', '\\"', '\\\\"', "\\u0022", "'", "\\'", "\u201c"])
def test_json_in_the_escapes_of_another_format(quote_as):
    """A string of JSON, a log line, an event: nothing tells how what is inside was written."""
    for gap in ("", "+", "%20") if quote_as[0] == "%" else ("", " "):
        colon = {"%": "%3A"}.get(quote_as[0], ":") + gap
        comma = {"%": "%2C"}.get(quote_as[0], ",")
        q = quote_as
        inner = f"{q}user{q}{colon}{q}ann{q}{comma}{q}password{q}{colon}{q}{A}{q}{comma}{q}b{q}{colon}5"
        for body, content_type in (
            (dumps({"data": f"x={{{inner}}} y"}), "application/json"), (f"2024-05-01 INFO body={{{inner}}} done", "text/plain"), (f"data: {inner}\n\n", "text/event-stream"),
            (f"id,data\n1,{{{inner}}}\n", None), (dumps({"a": f"a=1&payload={inner}&b=2"}), None), (f"<a><b>{inner}</b></a>", "text/plain"),
        ):
            no_leak(text(body, content_type), body)


@pytest.mark.parametrize("outer", WRAPS)
@pytest.mark.parametrize("inner", ["object", "list", "form", "line", "quoted line", "xml"])
@pytest.mark.parametrize("core", ["JSON", "form", "text"])
def test_three_formats_in_each_other(core, inner, outer):
    if core == "JSON" and inner in ("form", "xml"):
        return  # see the test before
    body = WRAPS[outer](WRAPS[inner](CORES[core]))
    no_leak(text(body, TYPES[outer]), body)
    for at in range(1, len(body), 3):
        no_leak(text(body[:at], TYPES[outer]), body[:at])


def test_bytes_at_random():
    """Bodies that are hit somewhere: a byte is lost, doubled, changed or moved. What still has its name has no value."""
    r = random.Random("hit")
    left = []
    for core, body in {**{k: WRAPS["object"](v) for k, v in CORES.items()}, **CORES}.items():
        for _ in range(400):
            data = bytearray(body.encode())
            at = r.randrange(len(data))
            kind = r.random()
            if kind < 0.3:
                del data[at]
            elif kind < 0.6:
                data.insert(at, r.choice(b"\"\\{}[]:,'&=<>%\x00\xff\n \xc3"))
            else:
                data[at] = r.choice(b"\"\\{}[]:,'&=<>%\x00\xff\n \xc3")
            # Where the name itself was hit, there is none to go by.
            if b"password" not in data or b"token" not in data:
                continue
            got = mask(bytes(data), "application/json")
            if leak(got):
                left.append((core, bytes(data), got))
    assert not left, f"{len(left)}: {left[:3]}"


@pytest.mark.parametrize("content_type", [None, "text/plain", "text/markdown", "text/x-log"])
@pytest.mark.parametrize(
    "body",
    [
        "id,password\n1,%s\n", "id,password,city\r\n1,x,Brno\r\n2,%s,Praha\r\n", "password,id\n%s,1\n", "id;api_key\n1;%s\n", "id\tpassword\n1\t%s\n", '"id","password"\n"1","%s"\n',
        "a: 1\npassword: |\n  %s\nb: 2\n", "password: >-\n  x\n  %s\n", "db:\n  password: |-\n    %s\n  port: 1\n", 'a = 1\npassword = """\n%s\n"""\n', "password = '''\n%s'''\n", '{ a(password: """%s""") { id } }',
    ],
)
def test_tables_and_blocks_that_nothing_tells(body, content_type):
    """CSV, YAML and TOML whose type is not told: the name stands far from its value all the same."""
    no_leak(text(body.replace("%s", A), content_type), body)
