"""OpenTelemetry Python's spans and log records as OTLP, in protobuf by hand.

Both protobuf's Python and its generated classes are left out: this is several times as fast, and needs nothing but the
standard library. The field numbers are those of opentelemetry-proto 1.x, which no longer change.
"""

import struct
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

_fixed64 = struct.Struct("<Q").pack
_double = struct.Struct("<d").pack


def _varint(value: int) -> bytes:
    if value < 0:
        value += 1 << 64
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


# As far as most lengths go.
_SMALL = [_varint(n) for n in range(4096)]


def _size(n: int) -> bytes:
    return _SMALL[n] if n < 4096 else _varint(n)


def _field(tag: bytes, content: bytes) -> bytes:
    return tag + _size(len(content)) + content


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


# Keys repeat; values may be secrets and are not kept.
_keys: Dict[str, bytes] = {}


def _key(key: Any) -> bytes:
    found = _field(b"\x0a", _utf8(key if isinstance(key, str) else str(key)))
    if len(_keys) < 2000:
        _keys[key] = found
    return found


def _value(value: Any, depth: int = 0) -> bytes:
    """An AnyValue."""
    if isinstance(value, str):
        return _field(b"\x0a", _utf8(value))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return b"\x18" + _varint(value)
        return _field(b"\x0a", str(value).encode())
    if isinstance(value, float):
        return b"\x21" + _double(value)
    if value is None:
        return b""
    if isinstance(value, (bytes, bytearray)):
        return _field(b"\x3a", bytes(value))
    if depth < 20:
        if isinstance(value, Mapping):
            pairs = (_field(b"\x0a", _pair(key, one, depth + 1)) for key, one in value.items())
            return _field(b"\x32", b"".join(pairs))
        if isinstance(value, Sequence):
            return _field(b"\x2a", b"".join([_field(b"\x0a", _value(one, depth + 1)) for one in value]))
    return _field(b"\x0a", _utf8(str(value)))


# What most spans of a service say alike, as it was encoded last: one value per key, and of keys whose values are no
# secrets. (The content of a request is none of them.)
_ALIKE = frozenset((
    "http.method", "http.scheme", "http.flavor", "http.host", "http.server_name", "http.route", "http.status_code",
    "http.user_agent", "http.request.method", "http.response.status_code", "url.scheme", "network.protocol.version",
    "net.host.name", "net.host.port", "server.address", "server.port", "user_agent.original", "asgi.event.type",
    "db.system", "db.system.name", "db.name", "db.namespace", "db.user", "rpc.system", "rpc.service", "rpc.method",
    "messaging.system", "net.peer.name", "net.transport",
))  # fmt: skip
_last: Dict[bytes, Dict[str, Tuple[Any, Any, bytes]]] = {}


def _pair(key: Any, value: Any, depth: int = 0) -> bytes:
    return (_keys.get(key) or _key(key)) + _field(b"\x12", _value(value, depth))


def _items(attributes: Any) -> Iterable[Tuple[Any, Any]]:
    # BoundedAttributes takes its lock for each value that is read through it.
    plain = getattr(attributes, "_dict", None)
    return list(plain.items()) if isinstance(plain, dict) else attributes.items()


def _attributes(tag: bytes, attributes: Any, parts: List[bytes]) -> None:
    keys, small, append = _keys, _SMALL, parts.append
    last = _last.get(tag)
    if last is None:
        last = _last[tag] = {}
    for key, value in _items(attributes):
        kind = type(value)
        found = last.get(key)
        # The type as well: True == 1 == 1.0.
        if found is not None and found[0] == value and found[1] is kind:
            append(found[2])
            continue
        if key in _ALIKE and (kind is str or kind is int):
            encoded = _field(tag, _pair(key, value))
            if len(encoded) <= 400:
                last[key] = (value, kind, encoded)
            append(encoded)
            continue
        name = keys.get(key) or _key(key)
        if kind is str:
            text = _utf8(value)
            n = len(text)
            if n < 3900:
                # The way that nearly all take, without the calls.
                inner = n + (2 if n < 128 else 3)
                whole = len(name) + inner + (2 if inner < 128 else 3)
                append(b"%b%b%b\x12%b\x0a%b%b" % (tag, small[whole], name, small[inner], small[n], text))
                continue
        elif kind is int and 0 <= value < 4096:
            number = small[value]
            append(b"%b%b%b\x12%b\x18%b" % (tag, small[len(name) + len(number) + 3], name, small[len(number) + 1], number))
            continue
        append(_field(tag, name + _field(b"\x12", _value(value))))


def _dropped(thing: Any) -> int:
    found = getattr(thing, "dropped", 0)
    return found if isinstance(found, int) else 0


# Flags of spans: the trace's own in the low byte, and that it is known whether the parent is another process's.
_FLAGS = {n: struct.pack("<I", n) for base in (0x100, 0x300) for n in range(base, base + 256)}


def _span(span: Any) -> bytes:
    context = span.context
    parent = span.parent
    flags = int(context.trace_flags) & 0xFF | 0x100
    parts: List[bytes] = [b"\x0a\x10%b\x12\x08%b" % (context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big"))]
    state = context.trace_state
    if state:
        parts.append(_field(b"\x1a", _utf8(state.to_header())))
    if parent is not None:
        parts.append(b"\x22\x08" + parent.span_id.to_bytes(8, "big"))
        if parent.is_remote:
            flags |= 0x200
    name = _utf8(span.name)
    parts.append(
        b"\x2a%b%b\x30%b\x39%b\x41%b"
        % (_size(len(name)), name, _SMALL[span.kind.value + 1], _fixed64(span.start_time or 0), _fixed64(span.end_time or 0))
    )
    # The properties copy; what a later SDK calls otherwise is read through them.
    attributes = getattr(span, "_attributes", None)
    if attributes is None:
        attributes = span.attributes
    if attributes:
        _attributes(b"\x4a", attributes, parts)
        dropped = _dropped(attributes)
        if dropped:
            parts.append(b"\x50" + _varint(dropped))
    if getattr(span, "_events", True):
        _events(span, parts)
    if getattr(span, "_links", True):
        _links(span, parts)
    status = span.status
    code = status.status_code.value
    if code:
        message = _field(b"\x12", _utf8(status.description)) if status.description else b""
        parts.append(_field(b"\x7a", message + b"\x18" + _SMALL[code]))
    parts.append(b"\x85\x01" + _FLAGS[flags])
    return b"".join(parts)


def _events(span: Any, parts: List[bytes]) -> None:
    for event in span.events:
        one: List[bytes] = [b"\x09", _fixed64(event.timestamp or 0), _field(b"\x12", _utf8(event.name))]
        if event.attributes:
            _attributes(b"\x1a", event.attributes, one)
            if _dropped(event.attributes):
                one.append(b"\x20" + _varint(_dropped(event.attributes)))
        parts.append(_field(b"\x5a", b"".join(one)))
    dropped = getattr(span, "dropped_events", 0)
    if dropped:
        parts.append(b"\x60" + _varint(dropped))


def _links(span: Any, parts: List[bytes]) -> None:
    for link in span.links:
        there = link.context
        one = [b"\x0a\x10", there.trace_id.to_bytes(16, "big"), b"\x12\x08", there.span_id.to_bytes(8, "big")]
        if there.trace_state:
            one.append(_field(b"\x1a", _utf8(there.trace_state.to_header())))
        if link.attributes:
            _attributes(b"\x22", link.attributes, one)
        flags = int(there.trace_flags) & 0xFF | (0x300 if there.is_remote else 0x100)
        one += (b"\x35", _FLAGS[flags])
        parts.append(_field(b"\x6a", b"".join(one)))
    dropped = getattr(span, "dropped_links", 0)
    if dropped:
        parts.append(b"\x70" + _varint(dropped))


def _severity(number: Any) -> int:
    value = getattr(number, "value", number)
    return value if isinstance(value, int) else 0


def _log(data: Any) -> bytes:
    record = data.log_record
    seen = record.observed_timestamp or record.timestamp or 0
    # The platform loses a record without a time.
    parts: List[bytes] = [b"\x09", _fixed64(record.timestamp or seen)]
    severity = _severity(record.severity_number)
    if severity:
        parts += (b"\x10", _varint(severity))
    if record.severity_text:
        parts.append(_field(b"\x1a", _utf8(record.severity_text)))
    if record.body is not None:
        parts.append(_field(b"\x2a", _value(record.body)))
    if record.attributes:
        _attributes(b"\x32", record.attributes, parts)
        dropped = getattr(data, "dropped_attributes", None) or getattr(record, "dropped_attributes", None) or 0
        if dropped:
            parts.append(b"\x38" + _varint(dropped))
    parts += (b"\x45", struct.pack("<I", int(record.trace_flags or 0) & 0xFF))
    if record.trace_id:
        parts += (b"\x4a\x10", record.trace_id.to_bytes(16, "big"))
    if record.span_id:
        parts += (b"\x52\x08", record.span_id.to_bytes(8, "big"))
    parts += (b"\x59", _fixed64(seen))
    event = getattr(record, "event_name", None)
    if event:
        parts.append(_field(b"\x62", _utf8(event)))
    return b"".join(parts)


def _scope(scope: Any) -> bytes:
    """The scope field of ScopeSpans and ScopeLogs."""
    if scope is None:
        return b""
    parts: List[bytes] = [_field(b"\x0a", _utf8(scope.name or ""))]
    if scope.version:
        parts.append(_field(b"\x12", _utf8(scope.version)))
    more = getattr(scope, "attributes", None)
    if more:
        _attributes(b"\x1a", more, parts)
    return _field(b"\x0a", b"".join(parts))


def _resource(resource: Any) -> bytes:
    """The resource field of ResourceSpans and ResourceLogs."""
    if resource is None:
        return b""
    parts: List[bytes] = []
    _attributes(b"\x0a", resource.attributes, parts)
    return _field(b"\x0a", b"".join(parts))


def _url(thing: Any) -> bytes:
    url = getattr(thing, "schema_url", None)
    return _field(b"\x1a", _utf8(url)) if url else b""


# The last resource and the last scopes: a service has one and a handful. Held with the object, since ids come again.
_resources: Dict[int, Tuple[Any, bytes, bytes]] = {}
_scopes: Dict[int, Tuple[Any, bytes, bytes]] = {}


def _known(cache: Dict[int, Tuple[Any, bytes, bytes]], thing: Any, encode: Any) -> Tuple[bytes, bytes]:
    found = cache.get(id(thing))
    if found is not None and found[0] is thing:
        return found[1], found[2]
    if len(cache) >= 64:
        cache.clear()
    encoded, url = encode(thing), _url(thing)
    cache[id(thing)] = (thing, encoded, url)
    return encoded, url


# What is around the spans of a scope.
_around: Dict[int, Tuple[Any, Any, bytes, bytes, bytes, bytes, int, int]] = {}


def one_span(span: Any) -> bytes:
    """An ExportTraceServiceRequest of one span."""
    of, where = span.instrumentation_scope, span.resource
    around = _around.get(id(of))
    if around is None or around[0] is not of or around[1] is not where:
        resource, resource_url = _known(_resources, where, _resource)
        scope, scope_url = _known(_scopes, of, _scope)
        if len(_around) >= 64:
            _around.clear()
        around = (
            of, where, resource, scope, scope_url, resource_url,
            len(scope) + len(scope_url) + 1, len(resource) + len(resource_url) + 1,
        )  # fmt: skip
        _around[id(of)] = around
    _, _, resource, scope, scope_url, resource_url, inner, whole = around
    content = _span(span)
    n = len(content)
    size = _size(n)
    inner += len(size) + n
    inner_size = _size(inner)
    return b"\x0a%b%b\x12%b%b\x12%b%b%b%b" % (
        _size(whole + len(inner_size) + inner), resource, inner_size, scope, size, content, scope_url, resource_url
    )


def _request(things: Iterable[Any], encode: Any, resource_of: Any) -> bytes:
    groups: Dict[int, Tuple[Any, Dict[int, Tuple[Any, List[bytes]]]]] = {}
    for thing in things:
        resource, scope = resource_of(thing), thing.instrumentation_scope
        _, scopes = groups.setdefault(id(resource), (resource, {}))
        _, encoded = scopes.setdefault(id(scope), (scope, []))
        encoded.append(_field(b"\x12", encode(thing)))
    out: List[bytes] = []
    for resource, scopes in groups.values():
        head, url = _known(_resources, resource, _resource)
        body: List[bytes] = [head]
        for scope, encoded in scopes.values():
            scope_head, scope_url = _known(_scopes, scope, _scope)
            body.append(_field(b"\x12", b"".join([scope_head, *encoded, scope_url])))
        body.append(url)
        out.append(_field(b"\x0a", b"".join(body)))
    return b"".join(out)


def spans(batch: Iterable[Any]) -> bytes:
    """An ExportTraceServiceRequest of ReadableSpans."""
    return _request(batch, _span, lambda span: span.resource)


def _log_resource(data: Any) -> Optional[Any]:
    # On the record until 1.38 of the SDK, beside it since.
    found = getattr(data, "resource", None)
    return found if found is not None else getattr(data.log_record, "resource", None)


def logs(batch: Iterable[Any]) -> bytes:
    """An ExportLogsServiceRequest of log records as the SDK gives them to exporters."""
    return _request(batch, _log, _log_resource)
