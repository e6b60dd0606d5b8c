"""The OTLP intake: formats, refusals, and what the platform's filters lose."""

import base64
import gzip
import json
import os
import zlib
from concurrent.futures import ThreadPoolExecutor

import local_recorder as c
import pytest
import zstandard
from local_recorder import expect, jwt

PROTOBUF = "application/x-protobuf"


# ---- formats ---------------------------------------------------------------------------


def test_json(local):
    session = local.start()
    reply = local.send_spans(c.span(c.manual(session)))
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json == {"partialSuccess": {}}
    reply = local.send_logs(c.record(c.manual(session)))
    assert reply.json == {"partialSuccess": {}}


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate", "zstd"])
def test_protobuf(local, encoding):
    session = local.start()
    trace, start = c.manual(session), c.now_ns()
    extra = c.field(9, c.pb_attribute("k", "v")) + c.field(15, c.field(2, "bad") + c.number_field(3, 2))
    span = c.pb_span(trace, b"\x01" * 8, "näme", start, extra)
    record = c.fixed64(1, start) + c.field(5, c.field(1, "text")) + c.field(9, bytes.fromhex(trace))
    pack = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}[encoding]
    headers = {"Content-Encoding": encoding} if encoding else {}
    reply = expect(200, local.otlp("/v1/traces", pack(c.pb_traces(span)), PROTOBUF, headers))
    assert reply.headers["Content-Type"] == PROTOBUF
    # An empty partial_success is full success.
    assert reply.body in (b"", c.field(1, b""))
    expect(200, local.otlp("/v1/logs", pack(c.pb_logs(record)), PROTOBUF, headers))
    seen = local.session(session["_id"])
    [one] = seen["spans"]
    assert (one["traceId"], one["spanId"], one["parentSpanId"]) == (trace, "01" * 8, "")
    assert (one["name"], one["kind"], one["service"]) == ("näme", "SERVER", "shop")
    assert one["startTimeUnixNano"] == str(start) and one["durationNano"] == "7"
    assert one["status"] == {"code": "ERROR", "message": "bad"} and one["attributes"] == {"k": "v"}
    assert seen["logs"][0]["body"] == "text" and seen["session"]["counts"] == {"spans": 1, "errors": 1, "logs": 1, "traces": 1}


def test_nothing_of_a_span_is_lost(local):
    session = local.start()
    values = [
        {"key": "text", "value": {"stringValue": "ü\n\"<'"}},
        {"key": "yes", "value": {"boolValue": True}},
        {"key": "big", "value": {"intValue": "9223372036854775807"}},
        {"key": "real", "value": {"doubleValue": 0.5}},
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "bytes", "value": {"bytesValue": base64.b64encode(b"\x00\xff").decode()}},
        {"key": "list", "value": {"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "b"}]}}},
        {"key": "empty list", "value": {"arrayValue": {}}},
        {"key": "map", "value": {"kvlistValue": {"values": c.attributes({"k": "v"})}}},
        {"key": "nothing", "value": {}},
    ]
    flat = {
        "text": "ü\n\"<'", "yes": True, "big": 9223372036854775807, "real": 0.5, "nan": "NaN", "bytes": "AP8=",
        "list": [1, "b"], "empty list": [], "map": {"k": "v"}, "nothing": None,
    }  # fmt: skip
    span = c.span(
        c.manual(session),
        start=1_700_000_000_123_456_789,
        parentSpanId="ab" * 8,
        kind="SPAN_KIND_CLIENT",
        traceState="a=b",
        flags=257,
        attributes=values,
        droppedAttributesCount=3,
        events=[{"timeUnixNano": "1700000000123456790", "name": "e", "attributes": c.attributes({"x": 1})}],
        links=[{"traceId": "12" * 16, "spanId": "34" * 8, "attributes": c.attributes({"y": 2})}],
        status={"code": "STATUS_CODE_OK"},
    )
    local.send_spans(span, resource={"service.name": "a", "host.name": "h"})
    [seen] = local.session(session["_id"])["spans"]
    assert seen["attributes"] == flat and list(seen["attributes"]) == list(flat)
    assert seen["startTimeUnixNano"] == "1700000000123456789" and seen["endTimeUnixNano"] == "1700000000124956789"
    assert (seen["kind"], seen["parentSpanId"], seen["traceState"], seen["flags"]) == ("CLIENT", "ab" * 8, "a=b", 257)
    assert seen["status"] == {"code": "OK", "message": ""} and seen["droppedAttributesCount"] == 3
    assert seen["events"] == [
        {"name": "e", "timeUnixNano": "1700000000123456790", "attributes": {"x": 1}, "droppedAttributesCount": 0}
    ]
    assert seen["links"][0]["traceId"] == "12" * 16 and seen["links"][0]["attributes"] == {"y": 2}
    assert seen["resource"] == {"service.name": "a", "host.name": "h"}
    assert seen["scope"] == {"name": "tests", "version": "1", "attributes": {}}


def test_forms_of_json_that_the_collector_takes(local):
    session = local.start()
    body = {
        "resource_spans": [
            {
                "resource": {"attributes": c.attributes({"service.name": "snake"})},
                "scope_spans": [
                    {
                        "scope": None,
                        "spans": [
                            {
                                "trace_id": c.manual(session).upper(),
                                "span_id": "AB" * 8,
                                "parent_span_id": "",
                                "name": "snake",
                                "start_time_unix_nano": c.now_ns(),
                                "end_time_unix_nano": str(c.now_ns()),
                                "dropped_events_count": "2",
                                "status": None,
                                "unknown": {"fields": [1]},
                            }
                        ],
                    }
                ],
            }
        ]
    }
    expect(200, local.otlp("/v1/traces", body))
    [seen] = local.session(session["_id"])["spans"]
    assert (seen["name"], seen["service"], seen["spanId"]) == ("snake", "snake", "ab" * 8)
    assert seen["droppedEventsCount"] == 2


def test_empty_exports(local):
    for path in ("/v1/traces", "/v1/logs"):
        expect(200, local.otlp(path, b"", PROTOBUF))
        expect(200, local.otlp(path, b"{}"))


# ---- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
@pytest.mark.parametrize("value", [None, "", "Bearer local", "two words"])
def test_authorization(local, path, value):
    headers = {"Content-Type": "application/json", "X-Api-Key": "local"}
    if value is not None:
        headers["Authorization"] = value
    reply = expect(401, local.request("POST", path, "{}", headers))
    assert reply.headers["Content-Type"].startswith("text/plain") and reply.text


def test_keys_of_another_type(local):
    for key, status in [
        (jwt(type="API_KEY"), 401),
        (jwt(workspace="1"), 401),
        (jwt(type="OTEL", exp=1_600_000_000), 401),
        (jwt(type="OTEL"), 200),
        ("a.b.c", 200),
        (local.start()["tempApiKey"], 200),
        (local.start_continuous()["tempApiKey"], 200),
    ]:
        expect(status, local.otlp("/v1/traces", b"{}", headers={"Authorization": key}))


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
def test_bad_requests(local, path):
    for kind in ("text/plain", "application/octet-stream", ""):
        expect(415, local.otlp(path, b"{}", kind))
    assert local.request("GET", path, headers={"Authorization": "local"}).status == 405
    for body in (b"", b"{", b"[]", b"null", b'{"resourceSpans":3,"resourceLogs":3}'):
        reply = expect(400, local.otlp(path, body))
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.json["code"] == 3 and reply.json["message"]
    for body in (b"\xff", b"\x0a\xff", c.field(1, b"\x0a\x05a")):
        reply = expect(400, local.otlp(path, body, PROTOBUF))
        assert reply.headers["Content-Type"] == PROTOBUF and reply.body.startswith(b"\x08\x03\x12")
    expect(400, local.otlp(path, b"not gzip", headers={"Content-Encoding": "gzip"}))
    expect(400, local.otlp(path, gzip.compress(b"{}")[:-4], headers={"Content-Encoding": "gzip"}))
    expect(400, local.otlp(path, b"{}", headers={"Content-Encoding": "br"}))
    assert local.stats["spans" if path == "/v1/traces" else "logs"]["refused"]["415"] == 3


def test_ids(local):
    session = local.start()
    trace = c.manual(session)
    b64 = base64.b64encode(bytes.fromhex(trace)).decode()
    for bad in (b64, trace[:-2], trace + "00", "0x" + trace, "0x" + trace[2:], "g" * 32, 5):
        expect(400, local.otlp("/v1/traces", c.traces(c.span(bad))))
        expect(400, local.otlp("/v1/logs", c.logs(c.record(bad))))
    for field in ("spanId", "parentSpanId"):
        expect(400, local.otlp("/v1/traces", c.traces(c.span(trace, **{field: "abc"}))))
    # Ruby's recorder sends the hex of an id as the id.
    wide = c.field(1, trace) + c.field(2, b"1" * 8) + c.field(5, "wide")
    expect(400, local.otlp("/v1/traces", c.pb_traces(wide), PROTOBUF))
    # One bad id refuses the request whole.
    expect(400, local.otlp("/v1/traces", c.traces(c.span(trace), c.span(b64))))
    assert local.span_names(session["_id"]) == []


def test_size(local):
    limit = 20 * 1024 * 1024
    bomb = gzip.compress(b" " * (limit + 1))
    assert len(bomb) < 100_000
    reply = expect(413, local.otlp("/v1/traces", bomb, headers={"Content-Encoding": "gzip"}))
    assert "too large" in reply.text
    expect(413, local.otlp("/v1/logs", b" " * (limit + 1), PROTOBUF))
    expect(200, local.otlp("/v1/traces", gzip.compress(b" " * (limit - 2) + b"{}"), headers={"Content-Encoding": "gzip"}))


def test_there_are_no_metrics(local):
    expect(404, local.otlp("/v1/metrics", b"{}"))


# ---- spans that are lost ---------------------------------------------------------------


def dropped(local, signal="spans"):
    stats = local.stats
    counters = stats[signal]
    assert counters["received"] == counters["stored"] + sum(counters["dropped"].values())
    assert all(stats["reasons"][reason] for reason in counters["dropped"])
    return counters["dropped"]


def test_spans_of_no_session(local):
    session = local.start()
    local.send_spans(c.span("1" * 32))
    local.send_spans(c.span(""))
    local.send_spans(c.span(c.trace_id("d0cd0c", session["shortId"])))
    local.send_spans(c.span(c.trace_id("debdeb", "0" * 8)))
    local.send_spans(c.span(c.trace_id("cdbcdb", session["shortId"])))
    local.send_spans(c.span(c.trace_id("debcdb", session["shortId"])))
    local.send_spans(c.span(c.trace_id("cdbcac", session["shortId"])))
    assert local.span_names(session["_id"]) == []
    assert dropped(local) == {"no_session_prefix": 3, "unknown_session": 3, "correlation_only": 1}


def test_the_last_trace_type_decides_for_its_resource(local):
    manual, continuous = local.start(), local.start_continuous()
    m, k = c.manual(manual), c.continuous(continuous)
    local.send_spans(c.span(k, "lost"), c.span(m, "kept"), c.span(k, "lost"), c.span(m, "kept too"))
    assert local.span_names(manual["_id"]) == ["kept", "kept too"]
    assert local.span_names(continuous["_id"]) == []
    assert dropped(local) == {"mixed_trace_types": 2}
    # An ordinary trace at the end takes everything with it.
    local.send_spans(c.span(m, "lost"), c.span("1" * 32, "ordinary"))
    assert dropped(local) == {"mixed_trace_types": 3, "no_session_prefix": 1}


def test_the_last_trace_type_spans_scopes_but_not_resources(local):
    manual, continuous = local.start(), local.start_continuous()
    m, k = c.span(c.manual(manual), "m"), c.span(c.continuous(continuous), "k")
    one = {"resourceSpans": [{"scopeSpans": [{"spans": [m]}, {"spans": [k]}]}]}
    expect(200, local.otlp("/v1/traces", one))
    assert dropped(local) == {"mixed_trace_types": 1}
    two = {"resourceSpans": c.traces(m)["resourceSpans"] + c.traces(k)["resourceSpans"]}
    expect(200, local.otlp("/v1/traces", two))
    assert local.span_names(manual["_id"]) == ["m"] and local.span_names(continuous["_id"]) == ["k", "k"]


def test_sessions_of_one_type_share_a_resource(local):
    a, b = local.start(), local.start()
    local.send_spans(c.span(c.manual(a), "a"), c.span(c.manual(b), "b"))
    assert local.span_names(a["_id"]) == ["a"] and local.span_names(b["_id"]) == ["b"]


def test_telemetry_and_health_traffic(local):
    session = local.start()
    for key, value in [
        ("http.target", "/v1/traces"), ("http.target", "/v1/logs"), ("http.target", "/jaeger/v1/traces"),
        ("http.route", "/health"), ("http.route", "/healthz"), ("url.path", "/v1/traces"), ("http.target", "/v1/x"),
    ]:  # fmt: skip
        local.send_spans(c.span(c.manual(session), value, attributes=c.attributes({key: value})))
    assert local.span_names(session["_id"]) == ["/v1/traces", "/v1/x"]
    assert dropped(local) == {"telemetry_traffic": 3, "health_check": 2}


def test_large_spans(local):
    session = local.start()
    for size in (999_000, 1_000_000):
        local.send_spans(c.span(c.manual(session), str(size), attributes=c.attributes({"body": "x" * size})))
    assert local.span_names(session["_id"]) == ["999000"]
    assert dropped(local) == {"too_large": 1}


def test_an_export_sent_twice_is_stored_twice(local):
    session = local.start()
    body = c.traces(c.span(c.manual(session)))
    for _ in range(2):
        expect(200, local.otlp("/v1/traces", body))
    assert len(local.span_names(session["_id"])) == 2


# ---- logs ------------------------------------------------------------------------------


def of_session(session):
    return {"attributes": c.attributes({"multiplayer.session.id": session["shortId"]})}


def test_manual_logs(local):
    session = local.start()
    trace = c.manual(session)
    local.send_logs(c.record(trace, "one", spanId="ab" * 8), c.record(trace, "two", severityText="error", severityNumber=17))
    one, two = local.session(session["_id"])["logs"]
    assert (one["body"], one["spanId"], one["severityText"], one["service"]) == ("one", "ab" * 8, "info", "shop")
    assert (two["severityNumber"], two["traceId"]) == (17, trace)


def test_logs_without_service_name(local):
    session = local.start()
    local.send_logs(c.record(c.manual(session)), resource={"host.name": "x"})
    assert local.log_bodies(session["_id"]) == []
    assert dropped(local, "logs") == {"log_without_service": 1}


def test_a_log_without_time_ends_its_message(local):
    manual, continuous = local.start(), local.start_continuous()
    m, k = c.manual(manual), c.continuous(continuous)
    groups = [
        c.logs(c.record(m, "1"), c.record(m, "2", time=0), c.record(m, "3")),
        c.logs(c.record(m, "4")),
        c.logs(c.record(k, "5", **of_session(continuous))),
    ]
    expect(200, local.otlp("/v1/logs", {"resourceLogs": [g for b in groups for g in b["resourceLogs"]]}))
    assert local.log_bodies(manual["_id"]) == ["1"]
    # Continuous logs travel in a message of their own.
    assert local.log_bodies(continuous["_id"]) == ["5"]
    assert dropped(local, "logs") == {"log_without_time": 1, "after_log_without_time": 2}
    local.send_logs(c.record(m, "6"))
    assert local.log_bodies(manual["_id"]) == ["1", "6"]


def test_continuous_logs_are_placed_by_attribute(local):
    session, other = local.start_continuous(), local.start_continuous()
    trace = c.continuous(session)
    local.send_logs(c.record(trace, "lost"))
    local.send_logs(c.record(trace, "kept", **of_session(session)), c.record(trace, "moved", **of_session(other)))
    local.send_logs(c.record(trace, "lost", attributes=c.attributes({"multiplayer.session.id": "00000000"})))
    assert local.log_bodies(session["_id"]) == ["kept"]
    assert local.log_bodies(other["_id"]) == ["moved"]
    assert dropped(local, "logs") == {"log_without_session_attribute": 1, "unknown_session": 1}


def test_logs_of_no_session_trace(local):
    manual, continuous = local.start(), local.start_continuous()
    local.send_logs(c.record("", "no trace", **of_session(continuous)))
    local.send_logs(c.record("1" * 32, "ordinary"))
    local.send_logs(c.record(c.trace_id("debcdb", "0" * 8), "crash buffer"))
    assert dropped(local, "logs") == {"no_session_prefix": 3}
    # Beside a continuous trace, the attribute is enough.
    local.send_logs(c.record("", "placed", **of_session(continuous)), c.record(c.continuous(continuous), "k", **of_session(continuous)))
    assert local.log_bodies(continuous["_id"]) == ["placed", "k"]
    local.send_logs(c.record("", "nowhere"), c.record(c.manual(manual), "m"))
    assert local.log_bodies(manual["_id"]) == ["m"]


def test_logs_of_mixed_types(local):
    manual, continuous = local.start(), local.start_continuous()
    local.send_logs(c.record(c.continuous(continuous), "lost", **of_session(continuous)), c.record(c.manual(manual), "kept"))
    assert local.log_bodies(manual["_id"]) == ["kept"] and local.log_bodies(continuous["_id"]) == []
    assert dropped(local, "logs") == {"mixed_trace_types": 1}


def test_only_text_bodies_survive(local):
    session = local.start()
    local.send_logs(c.record(c.manual(session), "text"))
    record = c.record(c.manual(session))
    record["body"] = {"kvlistValue": {"values": c.attributes({"a": "b"})}}
    local.send_logs(record)
    assert local.log_bodies(session["_id"]) == ["text", ""]
    assert local.stats["logs"]["bodiesEmptied"] == 1


def test_large_logs(local):
    session = local.start()
    local.send_logs(c.record(c.manual(session), "x" * 1_000_000), c.record(c.manual(session), "small"))
    assert local.log_bodies(session["_id"]) == ["small"]
    assert dropped(local, "logs") == {"too_large": 1}


# ---- load ------------------------------------------------------------------------------


def test_many_senders_at_once(local):
    session = local.start()
    trace = c.manual(session)

    def send(i):
        spans = b"".join(c.field(2, c.pb_span(trace, os.urandom(8), f"{i}", c.now_ns())) for _ in range(200))
        body = c.field(1, c.field(2, spans))
        return local.otlp("/v1/traces", gzip.compress(body), PROTOBUF, {"Content-Encoding": "gzip"}).status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(24))) == {200}
    assert local.session(session["_id"])["session"]["counts"]["spans"] == 4800
    assert local.stats["spans"]["stored"] == 4800
