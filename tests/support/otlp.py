"""OTLP in protobuf by hand, both ways, with nothing but the standard library.

Reading: `traces_of(bytes)` and `logs_of(bytes)` give flat lists of dicts, each item with its resource and scope:

    {"name", "trace_id", "span_id", "parent_span_id" (hex), "kind", "start", "end" (ns), "attributes" {key: value},
     "events" [{"name", "time", "attributes"}], "status" {"code", "message"}, "flags", "links",
     "resource" {key: value}, "scope" {"name", "version"}, "group" (index of its ResourceSpans)}

    {"body", "trace_id", "span_id", "time", "observed", "severity", "severity_text", "attributes", "flags",
     "resource", "scope", "group"}

Both raise ValueError for bytes that are not such a request. Writing: `export_traces(span(…), …)` and
`export_logs(log(…), …)` give bytes for mpr_export_traces() and mpr_export_logs().
"""

import os
import struct
import time

# ---- wire format -----------------------------------------------------------------------

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(n):
    out = bytearray()
    n &= 2**64 - 1  # negative numbers are sent as 64 bits
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, data):
    """A length-delimited field; text and bytes alike."""
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | BYTES) + varint(len(data)) + data


def number_field(number, n):
    return varint(number << 3 | VARINT) + varint(n)


def fixed64(number, n):
    return varint(number << 3 | FIXED64) + n.to_bytes(8, "little")


def fixed32(number, n):
    return varint(number << 3 | FIXED32) + n.to_bytes(4, "little")


def walk(data):
    """The fields of a message: (number, wire type, value), with bytes for the length-delimited ones."""
    at = 0

    def take(n):
        nonlocal at
        if at + n > len(data):
            raise ValueError(f"cut at byte {len(data)}: {n} more wanted at {at}")
        at += n
        return data[at - n : at]

    def take_varint():
        value = shift = 0
        while True:
            byte = take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value & 2**64 - 1
            if shift > 63:
                raise ValueError("a varint of more than ten bytes")

    while at < len(data):
        tag = take_varint()
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("field number 0")
        if kind == VARINT:
            yield number, kind, take_varint()
        elif kind == FIXED64:
            yield number, kind, int.from_bytes(take(8), "little")
        elif kind == BYTES:
            yield number, kind, bytes(take(take_varint()))
        elif kind == FIXED32:
            yield number, kind, int.from_bytes(take(4), "little")
        else:
            raise ValueError(f"wire type {kind}")


def parts(data):
    """The fields of a message: {number: [values]}."""
    found = {}
    for number, _, value in walk(data):
        found.setdefault(number, []).append(value)
    return found


# ---- reading ---------------------------------------------------------------------------


def _one(fields, number, default):
    return fields.get(number, [default])[-1]


def _text(fields, number):
    return _one(fields, number, b"").decode()


def _signed(n):
    return n - 2**64 if n >= 2**63 else n


def _value(data):
    """An AnyValue as Python has it: text, bool, int, float, list, dict, bytes; None for an empty one."""
    for number, _, value in walk(data):
        if number == 1:
            return value.decode()
        if number == 2:
            return bool(value)
        if number == 3:
            return _signed(value)
        if number == 4:
            return struct.unpack("<d", value.to_bytes(8, "little"))[0]
        if number == 5:
            return [_value(item) for item in parts(value).get(1, [])]
        if number == 6:
            return _attributes(parts(value).get(1, []))
        if number == 7:
            return value
    return None


def _attributes(pairs):
    """A list of KeyValue as a dict. A key that comes twice is an error: no reader defines which one counts."""
    out = {}
    for pair in pairs:
        fields = parts(pair)
        key = _text(fields, 1)
        if key in out:
            raise ValueError(f"attribute {key!r} twice")
        out[key] = _value(_one(fields, 2, b""))
    return out


def _scope(data):
    fields = parts(data)
    return {"name": _text(fields, 1), "version": _text(fields, 2)}


def _items(request, read):
    """Walks request → resource → scope → item, which traces and logs have alike."""
    for group, resource_items in enumerate(parts(request).get(1, [])):
        outer = parts(resource_items)
        resource = _attributes(parts(_one(outer, 1, b"")).get(1, []))
        for scope_items in outer.get(2, []):
            inner = parts(scope_items)
            scope = _scope(_one(inner, 1, b""))
            for item in inner.get(2, []):
                yield {**read(parts(item)), "resource": resource, "scope": scope, "group": group}


def _span(f):
    status = parts(_one(f, 15, b""))
    return {
        "trace_id": _one(f, 1, b"").hex(),
        "span_id": _one(f, 2, b"").hex(),
        "trace_state": _text(f, 3),
        "parent_span_id": _one(f, 4, b"").hex(),
        "name": _text(f, 5),
        "kind": _one(f, 6, 0),
        "start": _one(f, 7, 0),
        "end": _one(f, 8, 0),
        "attributes": _attributes(f.get(9, [])),
        "events": [
            {"time": _one(e, 1, 0), "name": _text(e, 2), "attributes": _attributes(e.get(3, []))}
            for e in map(parts, f.get(11, []))
        ],
        "links": [
            {
                "trace_id": _one(k, 1, b"").hex(),
                "span_id": _one(k, 2, b"").hex(),
                "attributes": _attributes(k.get(4, [])),
            }
            for k in map(parts, f.get(13, []))
        ],
        "status": {"code": _one(status, 3, 0), "message": _text(status, 2)},
        "flags": _one(f, 16, 0),
    }


def _log(f):
    return {
        "time": _one(f, 1, 0),
        "observed": _one(f, 11, 0),
        "severity": _one(f, 2, 0),
        "severity_text": _text(f, 3),
        "body": _value(_one(f, 5, b"")),
        "attributes": _attributes(f.get(6, [])),
        "flags": _one(f, 8, 0),
        "trace_id": _one(f, 9, b"").hex(),
        "span_id": _one(f, 10, b"").hex(),
    }


def traces_of(request):
    """The spans of an ExportTraceServiceRequest."""
    return list(_items(request, _span))


def logs_of(request):
    """The records of an ExportLogsServiceRequest."""
    return list(_items(request, _log))


# ---- writing ---------------------------------------------------------------------------


def value(v):
    """An AnyValue."""
    if isinstance(v, bool):
        return number_field(2, v)
    if isinstance(v, int):
        return number_field(3, v)
    if isinstance(v, float):
        return varint(4 << 3 | FIXED64) + struct.pack("<d", v)
    if isinstance(v, str):
        return field(1, v)
    if isinstance(v, bytes):
        return field(7, v)
    if isinstance(v, dict):
        return field(6, attributes(1, v))
    return field(5, b"".join(field(1, value(item)) for item in v))


def attributes(number, values):
    return b"".join(field(number, field(1, k) + field(2, value(v))) for k, v in values.items())


def span(trace_id, name="work", *, span_id=None, parent="", kind=1, start=None, end=None, attrs=None, extra=b""):
    """A span; ids in hex. `extra` is appended as it is, for unknown fields and broken ones."""
    start = time.time_ns() if start is None else start
    end = start + 1_500_000 if end is None else end
    return (
        field(1, bytes.fromhex(trace_id))
        + field(2, bytes.fromhex(span_id) if span_id else os.urandom(8))
        + (field(4, bytes.fromhex(parent)) if parent else b"")
        + field(5, name)
        + number_field(6, kind)
        + fixed64(7, start)
        + fixed64(8, end)
        + attributes(9, attrs or {})
        + extra
    )


def log(trace_id="", body="hello", *, span_id="", at=None, severity=9, text="info", attrs=None, extra=b""):
    """A log record; ids in hex, "" for none."""
    return (
        fixed64(1, time.time_ns() if at is None else at)
        + number_field(2, severity)
        + field(3, text)
        + field(5, value(body))
        + attributes(6, attrs or {})
        + (field(9, bytes.fromhex(trace_id)) if trace_id else b"")
        + (field(10, bytes.fromhex(span_id)) if span_id else b"")
        + extra
    )


def _request(items, resource, scope):
    resource = attributes(1, {"service.name": "shop"} if resource is None else resource)
    inner = field(1, field(1, scope)) + b"".join(field(2, item) for item in items)
    return field(1, field(1, resource) + field(2, inner))


def export_traces(*spans, resource=None, scope="tests"):
    """An ExportTraceServiceRequest with one ResourceSpans; concatenate several for more groups."""
    return _request(spans, resource, scope)


def export_logs(*records, resource=None, scope="tests"):
    """An ExportLogsServiceRequest with one ResourceLogs; concatenate several for more groups."""
    return _request(records, resource, scope)


def partial_success(rejected, message=""):
    """The answer of an intake that refused some items: the body of a 200."""
    return field(1, number_field(1, rejected) + field(2, message))
