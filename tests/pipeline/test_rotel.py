"""Rotel as the receiver, a collector in Rust that shares no code with ours or with the OpenTelemetry Collector. It takes in all
three protocols, and its own exporter passes everything on, field by field what was recorded."""

import pytest
from collectors import needs_rotel, rotel
from driver import KEY, run

pytestmark = needs_rotel

CODE = """
    import secrets
    init(protocol=PROTOCOL, compression=COMPRESSION, flush_interval_ms=60000)
    start()
    span = Span("GET /a", SERVER, text='"quoted" \\\\ \\x01 \\U0001f600', big=2**62, low=-5, ratio=0.25, yes=True)
    span.event("e", {"n": 1})
    child = Span("child", CLIENT, parent=span)
    child.exception("Oops", "it broke", "at f (a.c:1)")
    child.end()
    span.end()
    write_log("hello", 17, {"a": 1}, of=span)

    # What other SDKs hand over, with all fields that OTLP has.
    trace, ids = trace_id(), [secrets.token_hex(8) for _ in range(3)]
    data = {"list": [1, "a", [True]], "map": {"k": {"n": -1}}, "double": 1e300, "least": -(2**63), "none": ""}
    text = lambda number, value: otlp.field(number, value)
    event = text(11, otlp.fixed64(1, 1_900_000_000_000_000_001) + text(2, "an event") + otlp.attributes(3, {"k": "v"}))
    link = text(13, text(1, bytes.fromhex(trace)) + text(2, bytes.fromhex(ids[1])) + otlp.attributes(4, {"l": True}))
    status = text(15, text(2, "why") + otlp.number_field(3, 2))
    extra = text(3, "vendor=1") + event + link + status + otlp.fixed32(16, 0x101)
    times = {"start": 1_900_000_000_000_000_000, "end": 1_900_000_000_123_456_789}
    foreign = otlp.span(trace, "foreign", span_id=ids[0], parent=ids[1], kind=5, attrs=data, extra=extra, **times)
    resource = {"service.name": "billing", "host.name": "h1"}
    export_traces(otlp.export_traces(foreign, resource=resource, scope="their scope"))
    record = otlp.log(trace, "a line", span_id=ids[0], at=times["start"], severity=13, text="warn", attrs=data)
    export_logs(otlp.export_logs(record, resource=resource, scope="their scope"))
    out.update(trace=span.trace_id, span=span.span_id, child=child.span_id, theirs=trace, ids=ids, flush=flush())
"""
DATA = {"list": [1, "a", [True]], "map": {"k": {"n": -1}}, "double": 1e300, "least": -(2**63), "none": ""}
START = 1_900_000_000_000_000_000


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_every_field_arrives(platform, protocol, compression):
    code = CODE.replace("PROTOCOL", repr(protocol)).replace("COMPRESSION", repr(compression))
    with rotel(platform.url, ROTEL_OTLP_EXPORTER_CUSTOM_HEADERS=f"authorization={KEY}") as url:
        result = run(platform, code, OTEL_EXPORTER_OTLP_ENDPOINT=url(protocol))
        assert result["flush"] == "OK" and result.stats["exported"] == 5 and result.stats["retries"] == 0
        platform.wait_for(lambda: len(platform.spans) == 3 and len(platform.logs) == 2)
    assert all(r.headers["authorization"] == KEY for r in platform.of("traces", "logs"))

    span, child, foreign = (platform.span(name) for name in ("GET /a", "child", "foreign"))
    for one in (span, child):
        assert one["trace_id"] == result["trace"] and 0 < one["start"] <= one["end"] < START
        assert one["resource"]["service.name"] == "shop" and one["flags"] & 0xFF == 1
    assert (span["span_id"], span["parent_span_id"], span["kind"]) == (result["span"], "", 2)
    assert span["attributes"] == {"text": '"quoted" \\ \x01 \U0001f600', "big": 2**62, "low": -5, "ratio": 0.25, "yes": True}
    assert [(e["name"], e["attributes"]) for e in span["events"]] == [("e", {"n": 1})] and span["status"]["code"] == 0
    assert (child["span_id"], child["parent_span_id"], child["kind"]) == (result["child"], result["span"], 3)
    assert child["status"] == {"code": 2, "message": "it broke"} and child["events"][0]["name"] == "exception"
    exception = {"exception.type": "Oops", "exception.message": "it broke", "exception.stacktrace": "at f (a.c:1)"}
    assert exception.items() <= child["events"][0]["attributes"].items()

    theirs, ids = result["theirs"], result["ids"]
    resource, scope = foreign.pop("resource"), foreign.pop("scope")
    assert resource["service.name"] == "billing" and resource["host.name"] == "h1" and scope["name"] == "their scope"
    assert foreign.pop("group") is not None and foreign == {
        "trace_id": theirs, "span_id": ids[0], "parent_span_id": ids[1], "trace_state": "vendor=1", "name": "foreign", "kind": 5,
        "start": START, "end": START + 123_456_789, "attributes": DATA, "flags": 0x101,
        "events": [{"time": START + 1, "name": "an event", "attributes": {"k": "v"}}],
        "links": [{"trace_id": theirs, "span_id": ids[1], "attributes": {"l": True}}], "status": {"code": 2, "message": "why"},
    }  # fmt: skip

    logs = {log["body"]: log for log in platform.logs}
    assert (logs["hello"]["severity"], logs["hello"]["severity_text"]) == (17, "error")
    assert (logs["hello"]["trace_id"], logs["hello"]["span_id"]) == (result["trace"], result["span"])
    assert logs["hello"]["attributes"] == {"a": 1} and logs["hello"]["resource"]["service.name"] == "shop"
    record = logs["a line"]
    assert record.pop("resource")["service.name"] == "billing" and record.pop("scope")["name"] == "their scope"
    assert record.pop("group") is not None and record.pop("observed") >= 0 and record == {
        "time": START, "severity": 13, "severity_text": "warn", "body": "a line", "attributes": DATA, "flags": 0,
        "trace_id": theirs, "span_id": ids[0],
    }  # fmt: skip
