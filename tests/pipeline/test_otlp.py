"""What stands in the OTLP requests, decoded: headers, groups, resources, spans, logs, sizes."""

import base64
import gzip
import json
import re

import otlp
import pytest
from driver import KEY, run
from platform_server import Answer, PlatformServer


def groups_of(request):
    """[(resource, {session of its items})] per ResourceSpans of a request, counted in the bytes."""
    count = len(otlp.parts(request.body).get(1, []))
    items = request.spans if request.route == "traces" else request.logs
    groups = [(None, set()) for _ in range(count)]
    for item in items:
        groups[item["group"]] = (item["resource"], groups[item["group"]][1] | {item["trace_id"][:14]})
    return groups


# ---- requests ----


def test_headers(platform):
    run(platform, "init(); start(); Span().end(); write_log(); stop()")
    for request in platform.of("traces", "logs"):
        assert request.headers["authorization"] == KEY
        assert request.headers["content-type"] == "application/x-protobuf"
        assert request.headers["content-encoding"] == "gzip"
        assert request.headers["content-length"] == str(len(request.raw_body))
        assert gzip.decompress(request.raw_body) == request.body
        assert "x-api-key" not in request.headers
    assert {r.path for r in platform.of("traces", "logs")} == {"/v1/traces", "/v1/logs"}


def test_a_receiver_that_asks_is_told_how_the_process_fares(platform):
    """As the local recorder asks: by a header in its answers. Nobody else gets it."""
    platform.always("traces", Answer(headers={"mpr-stats": "1"}))
    result = run(
        platform,
        """
        import os
        init()
        start()
        for name in ("asks", "knows"):
            Span(name).end()
            flush()
        out.update(stats=stats(), pid=os.getpid())
        """,
    )
    first, second = platform.of("traces")
    assert "mpr-stats" not in first.headers and "mpr-stats" not in platform.of("start")[0].headers
    told = json.loads(second.headers["mpr-stats"])
    assert told.pop("pid") == result["pid"] and re.fullmatch(r"\d+\.\d+\.\d+", told.pop("version"))
    assert set(told) == set(result["stats"]) - {"struct_size"}
    assert (told["accepted"], told["exported"], told["queued"], told["requests"]) == (2, 1, 1, 1)


def test_without_compression(platform):
    run(platform, "init(compression='none'); start(); Span('plain').end(); stop()")
    (request,) = platform.of("traces")
    assert "content-encoding" not in request.headers and b"plain" in request.raw_body


def test_own_headers_win(platform):
    run(
        platform,
        """
        init(headers={"Authorization": "own token", "X-Tenant": "t1", "content-type": "application/x-protobuf"})
        start(); Span().end(); write_log(); stop()
    """,
    )
    for request in platform.of("traces", "logs"):
        assert request.headers["authorization"] == "own token" and request.headers["x-tenant"] == "t1"
    # They are for the intake alone.
    for request in platform.of("start", "stop"):
        assert "x-tenant" not in request.headers and "authorization" not in request.headers


def test_endpoints_from_the_environment(platform):
    with PlatformServer() as other:
        run(
            platform,
            "init(); start(); Span().end(); write_log(); stop()",
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{other.url}/custom/traces",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"{platform.url}/otlp/",
            OTEL_EXPORTER_OTLP_HEADERS="X-One=a%20b,x-two=2",
            OTEL_EXPORTER_OTLP_COMPRESSION="none",
        )
        assert [r.path for r in other.requests] == ["/custom/traces"]
        logs = [r for r in platform.requests if r.path == "/otlp/v1/logs"]
        assert len(logs) == 1 and logs[0].headers["x-one"] == "a b" and logs[0].headers["x-two"] == "2"
        assert "content-encoding" not in logs[0].headers


def test_endpoints_from_options_win(platform):
    with PlatformServer() as other:
        run(
            platform,
            f"""
            init(traces_endpoint="{other.url}/t", logs_endpoint="{other.url}/l")
            start(); Span().end(); write_log(); stop()
        """,
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{platform.url}/env",
        )
        assert sorted(r.path for r in other.requests) == ["/l", "/t"]
    assert [r.route for r in platform.requests] == ["start", "stop"]


def test_many_requests_are_each_valid_alone(platform):
    run(
        platform,
        """
        init(batch_max_items=10)
        start()
        [Span(f"s{n}").end() for n in range(95)]
        flush()
    """,
    )
    requests = platform.of("traces")
    assert len(requests) >= 10 and all(0 < len(r.spans) <= 10 for r in requests)
    assert sorted(s["name"] for s in platform.spans) == sorted(f"s{n}" for n in range(95))


# ---- groups ----


def test_one_resource_spans_per_session_and_resource(platform):
    """The platform's intake lets the last span of a ResourceSpans decide the type of all of them (contract c.2)."""
    run(
        platform,
        """
        init(flush_interval_ms=60000, sample_ratio=1.0)
        Span("none").end()
        start(MANUAL)
        ours = trace_id()
        Span("own 1").end()
        ids = ["debdeb" + "0a0a0a0a", "cdbcdb" + "0a0a0a0a", "debdeb" + "0b0b0b0b", "debcdb" + "0c0c0c0c", ours[:14]]
        one, two = {"service.name": "one"}, {"service.name": "two"}
        spans = [otlp.span(id + "%018x" % (n + 1), f"exported {n}") for n in range(4) for id in ids]
        mixed = spans + [otlp.span("00112233" + "4" * 24, "no session")]
        data = otlp.export_traces(*mixed, resource=one) + otlp.export_traces(*spans[::-1], resource=two, scope="more")
        out["export"] = export_traces(data)
        Span("own 2").end()
        flush()
    """,
    )
    (request,) = platform.of("traces")
    groups = groups_of(request)
    assert all(len(sessions) == 1 for _, sessions in groups)
    found = sorted((resource["service.name"], *sessions) for resource, sessions in groups)
    assert len(found) == len(set(found)) == 5 + 5 + 2
    assert len(request.spans) == 43 and "no session" not in {s["name"] for s in request.spans}
    assert {s["scope"]["name"] for s in request.spans} == {"tests", "more", "libmpr"}


def test_one_resource_logs_per_session_and_resource(platform):
    run(
        platform,
        """
        init(flush_interval_ms=60000)
        start(CONTINUOUS)
        write_log("own")
        ids = ["debdeb" + "0a0a0a0a" + "1" * 18, "cdbcdb" + "0a0a0a0a" + "1" * 18, trace_id()]
        logs = [otlp.log(id, f"exported {n}") for n in range(3) for id in ids]
        out["export"] = export_logs(otlp.export_logs(*logs, otlp.log("", "none"), otlp.log("12" * 16, "none")))
        flush()
    """,
    )
    (request,) = platform.of("logs")
    groups = groups_of(request)
    assert all(len(sessions) == 1 for _, sessions in groups) and len(groups) == 4
    assert len(request.logs) == 10


def test_two_sessions_in_one_batch(platform):
    """A stop and a start between two flushes: the spans of both wait in one queue."""
    result = run(
        platform,
        """
        init(flush_interval_ms=60000)
        spans = []
        for kind in (MANUAL, CONTINUOUS, MANUAL):
            start(kind)
            spans.append(Span())
            stop()
        spans.append(Span("of none", parent=None))
        [s.end() for s in spans]
        flush()
    """,
    )
    (request,) = platform.of("traces")
    assert len(groups_of(request)) == 3 and result.stats["exported"] == 3


# ---- resources ----


def test_resource(platform):
    run(
        platform,
        """
        init(service_name="shop", service_version="1.2.3", environment="staging",
             resource_attributes={"team": "a", "port": 80, "on": True, "service.name": "never"})
        start(); Span().end(); write_log(); stop()
    """,
    )
    for item in (platform.spans[0], platform.logs[0]):
        resource = item["resource"]
        assert (resource["service.name"], resource["service.version"]) == ("shop", "1.2.3")
        assert resource["deployment.environment"] == resource["deployment.environment.name"] == "staging"
        assert (resource["team"], resource["port"], resource["on"]) == ("a", 80, True)
        assert {"telemetry.sdk.language", "host.name", "os.type", "process.pid"} <= set(resource)
        assert not any(key.startswith("multiplayer.") for key in resource)


def test_a_service_without_a_name_has_one(platform):
    run(platform, "init(); start(); Span().end(); write_log(); stop()", OTEL_SERVICE_NAME="")
    assert platform.spans[0]["resource"]["service.name"] and platform.logs[0]["resource"]["service.name"]


def jwt(**claims):
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")  # noqa: E731
    return f"{part({'alg': 'HS256'})}.{part(claims)}.c2lnbmF0dXJl"


def test_the_keys_workspace_and_project_stand_on_log_resources_alone(platform):
    """Live logs are placed by them (contract c.4); on spans the client's word would win over the intake's (c.2)."""
    run(
        platform,
        """
        init()
        start()
        span = Span()
        span.set("multiplayer.workspace.id", "forged")
        span.set("kept", "1")
        span.end()
        attrs = {"multiplayer.project.id": "forged", "multiplayer.integration.id": "forged", "kept": "1"}
        export_traces(otlp.export_traces(otlp.span(trace_id(), attrs=attrs)))
        write_log()
        export_logs(otlp.export_logs(otlp.log(trace_id()), resource={}))
        stop()
    """,
        key=jwt(workspace="w1", project="p1", integration="i1", type="OTEL"),
    )
    assert len(platform.logs) == 2
    for record in platform.logs:
        resource = record["resource"]
        assert (resource["multiplayer.workspace.id"], resource["multiplayer.project.id"]) == ("w1", "p1")
        assert resource["service.name"]
    for span in platform.spans:
        assert span["attributes"] == {"kept": "1"}
        assert not any(key.startswith("multiplayer.") for key in span["resource"])


def test_a_key_of_the_wrong_type_is_warned_about(platform):
    result = run(platform, "init()", key=jwt(type="API_KEY"))
    assert any("'API_KEY'" in line for line in result.log)
    result = run(platform, "init()", key=jwt(type="OTEL", exp=1))
    assert any("expired" in line for line in result.log)


# ---- spans ----


def test_parents_kinds_times_and_status(platform):
    result = run(
        platform,
        """
        init()
        start()
        before = time.time_ns()
        root = Span("root", SERVER)
        spans = [Span(f"kind {kind}", kind, parent=root) for kind in (0, 1, 2, 3, 4, 5)]
        spans[1].status(1)
        spans[2].status(ERROR, "it broke")
        spans[3].status(0, "ignored")
        spans[4].status(1, "ignored")
        for span in spans + [root]:
            span.end()
        remote = mpr_span_context()
        parent = "00-" + root.trace_id[:14] + "9" * 18 + "-" + "7" * 16 + "-01"
        lib.mpr_traceparent_parse(parent.encode(), ctypes.byref(remote))
        handle = lib.mpr_span_begin(b"remote child", 2, ctypes.byref(remote))
        lib.mpr_span_end(handle)
        out["ids"], out["times"] = [root.span_id] + [s.span_id for s in spans], [before, time.time_ns()]
        stop()
    """,
    )
    spans = {s["name"]: s for s in platform.spans}
    root = spans["root"]
    assert root["parent_span_id"] == "" and root["kind"] == 2 and root["span_id"] == result["ids"][0]
    for number, kind in enumerate((1, 1, 2, 3, 4, 5)):
        span = spans[f"kind {number}"]
        assert (span["kind"], span["parent_span_id"], span["trace_id"]) == (kind, root["span_id"], root["trace_id"])
        assert span["span_id"] == result["ids"][number + 1]
        assert result["times"][0] <= root["start"] <= span["start"] <= span["end"] <= root["end"] <= result["times"][1]
    assert [spans[f"kind {n}"]["status"] for n in range(5)] == [
        {"code": 0, "message": ""},
        {"code": 1, "message": ""},
        {"code": 2, "message": "it broke"},
        {"code": 0, "message": ""},
        {"code": 1, "message": ""},
    ]
    assert spans["remote child"]["parent_span_id"] == "7" * 16 and spans["remote child"]["trace_id"][14:] == "9" * 18


def test_attributes_and_events(platform):
    run(
        platform,
        """
        init()
        start()
        span = Span(text="a", number=-5, big=2**62, ratio=0.25, yes=True, no=False)
        span.event("e1", {"a": "b", "n": 1, "nested": {"x": [1]}})
        span.event("e2")
        span.end()
        stop()
    """,
    )
    (span,) = platform.spans
    assert span["attributes"] == {"text": "a", "number": -5, "big": 2**62, "ratio": 0.25, "yes": True, "no": False}
    assert [e["name"] for e in span["events"]] == ["e1", "e2"]
    assert span["events"][0]["attributes"] == {"a": "b", "n": 1, "nested": '{"x":[1]}'}
    assert span["start"] <= span["events"][0]["time"] <= span["end"]


def test_the_last_value_of_a_key_wins(platform):
    """otlp.py raises for a key that comes twice. 300 values: more than the 128 attributes that SDKs keep of a span."""
    run(
        platform,
        """
        init()
        start()
        span = Span()
        for n in range(300):
            span.set("n", n)
        span.set("after", "kept")
        span.end()
        twice = otlp.attributes(9, {"k": "first"}) + otlp.attributes(9, {"k": "last"})
        export_traces(otlp.export_traces(otlp.span(trace_id(), "exported", extra=twice)))
        stop()
    """,
    )
    own, exported = platform.span("work"), platform.span("exported")
    assert own["attributes"] == {"n": 299, "after": "kept"}
    assert exported["attributes"] == {"k": "last"}


def test_a_payload_and_an_exception_after_many_attributes_and_events(platform):
    """A span with much on it must not lose what it is recorded for."""
    run(
        platform,
        """
        init()
        start()
        span = Span()
        for n in range(200):
            span.set(f"k{n}", n)
            span.event(f"e{n}")
        span.body(MPR_PAYLOAD_HTTP_REQUEST, b"Content-Type: application/json", b'{"a": 1}')
        span.exception("Oops", "it broke")
        span.end()
        stop()
    """,
    )
    (span,) = platform.spans
    assert span["attributes"]["multiplayer.http.request.body"] == '{"a": 1}'
    assert span["attributes"]["exception.type"] == "Oops"
    assert span["events"][0]["name"] == "exception"


PAIRS = {
    "http.request.method": "http.method",
    "http.response.status_code": "http.status_code",
    "url.full": "http.url",
    "url.path": "http.target",
    "server.address": "http.host",
    "db.system.name": "db.system",
    "messaging.destination.name": "messaging.destination",
}


def test_old_and_new_names_stand_side_by_side(platform):
    run(
        platform,
        f"""
        init()
        start()
        pairs = {PAIRS!r}
        for name, keys in (("new", pairs), ("old", pairs.values())):
            span = Span(name)
            for key in keys:
                span.set(key, 200 if "status" in key else "v")
            span.end()
            attrs = {{key: "v" for key in keys}}
            export_traces(otlp.export_traces(otlp.span(trace_id(), "exported " + name, attrs=attrs)))
        span = Span("both")
        span.set("http.method", "GET")
        span.set("http.request.method", "POST")
        span.end()
        stop()
    """,
    )
    for name in ("new", "old", "exported new", "exported old"):
        attributes = platform.span(name)["attributes"]
        assert all(attributes[new] == attributes[old] for new, old in PAIRS.items()), name
    assert platform.span("both")["attributes"] == {"http.method": "GET", "http.request.method": "POST"}


STACK = "main (app.c:7)\\n frame at 0x7ffd2c3a1b40 in libx.so+0x1f\\n 0x000055d0deadbeef"


def test_an_exception_stands_first_and_has_no_addresses(platform):
    """The platform takes an issue's title from the first attribute with "message" in its name and its stack from the
    first event; raw addresses make every crash a new issue (contract d.2)."""
    run(
        platform,
        f"""
        init()
        start()
        span = Span()
        span.set("messaging.message.id", "m1")
        span.event("earlier")
        span.exception("std::out_of_range", "index 9 at 0x7ffd2c3a1b40", "{STACK}")
        span.end()
        span = Span("bare")
        span.exception("Oops", "it broke")
        span.end()
        lib.mpr_capture_exception(b"Alone", b"no span", None, None)
        stop()
    """,
    )
    span = platform.span("work")
    keys = list(span["attributes"])
    assert (
        keys[:3] == ["exception.type", "exception.message", "exception.stacktrace"]
        and keys[3] == "messaging.message.id"
    )
    assert [e["name"] for e in span["events"]] == ["exception", "earlier"]
    assert span["attributes"]["exception.type"] == "std::out_of_range"
    for text in (span["attributes"], span["events"][0]["attributes"], span["status"]):
        assert "7ffd2c3a1b40" not in str(text) and "deadbeef" not in str(text)
    assert "libx.so+0x1f" in span["events"][0]["attributes"]["exception.stacktrace"]
    assert span["status"]["code"] == 2 and span["status"]["message"].startswith("index 9 at")
    # Without a stack trace the platform makes no issue of it.
    assert platform.span("bare")["events"][0]["attributes"]["exception.stacktrace"]
    alone = platform.span("Alone")
    assert alone["scope"]["name"] == "exception" and alone["status"]["code"] == 2


def test_an_exception_of_a_hosts_sdk_stands_first_too(platform):
    run(
        platform,
        """
        init()
        start()
        event = lambda name, attrs: otlp.field(11, otlp.fixed64(1, 1) + otlp.field(2, name) + otlp.attributes(3, attrs))
        extra = event("log", {"x": 1}) + event("exception", {"exception.type": "T", "exception.stacktrace": "s"})
        extra += otlp.field(15, otlp.number_field(3, 2))
        attrs = {"messaging.message.id": "m", "exception.message": "e"}
        export_traces(otlp.export_traces(otlp.span(trace_id(), attrs=attrs, extra=extra)))
        stop()
    """,
    )
    (span,) = platform.spans
    assert list(span["attributes"])[0] == "exception.message"
    assert [e["name"] for e in span["events"]] == ["exception", "log"]


# ---- logs ----


def test_own_logs(platform):
    run(
        platform,
        """
        init()
        start()
        span = Span()
        before = time.time_ns()
        for severity in range(1, 25):
            write_log(f"severity {severity}", severity, {"a": 1, "b": {"c": 2}, "t": "x"}, of=span)
        out["times"] = [before, time.time_ns()]
        out["bad"] = [write_log("x", 0), write_log("x", 25), lib.mpr_log(9, b"caf\\xc3", 4, None, None)]
        span.end()
        stop()
    """,
    )
    span = platform.spans[0]
    logs = {record["body"]: record for record in platform.logs}
    words = ["debug"] * 8 + ["info"] * 4 + ["warn"] * 4 + ["error"] * 8
    for severity, word in enumerate(words, 1):
        record = logs[f"severity {severity}"]
        assert (record["severity"], record["severity_text"]) == (severity, word)
        assert (record["trace_id"], record["span_id"]) == (span["trace_id"], span["span_id"])
        assert record["attributes"] == {"a": 1, "b": '{"c":2}', "t": "x"} and record["time"] > 0
    assert "caf\ufffd" in logs and len(logs) == 25


def test_logs_of_a_hosts_sdk(platform):
    result = run(
        platform,
        """
        init()
        start(CONTINUOUS)
        id = out["id"] = trace_id()
        export_logs(otlp.export_logs(
            otlp.log(id, "no time", at=0),
            otlp.log(id, {"k": [1, True, "x"]}, severity=0, text="WARNING"),
            otlp.log(id, b"\\x00\\xff", severity=21, text="FATAL"),
            otlp.log(id, 7, severity=0, text="custom", attrs={"multiplayer.session.id": "forged"}),
            resource={"r": "1"}))
        export_logs(otlp.export_logs(otlp.log("debdeb" + "1" * 26, "of a manual session")))
        stop()
    """,
    )
    assert all(record["time"] > 10**18 for record in platform.logs)
    assert all(isinstance(record["body"], str) for record in platform.logs)
    continuous = [r for r in platform.logs if r["trace_id"] == result["id"]]
    assert {r["attributes"]["multiplayer.session.id"] for r in continuous} == {result["id"][6:14]}
    by_body = {r["body"]: r for r in platform.logs}
    assert by_body['{"k":[1,true,"x"]}']["severity_text"] == "warn"
    assert by_body["7"]["severity_text"] == "custom"
    assert {r["severity_text"] for r in continuous} == {"info", "warn", "error", "custom"}
    assert "multiplayer.session.id" not in by_body["of a manual session"]["attributes"]
    assert continuous[0]["resource"] == {"r": "1", "service.name": continuous[0]["resource"]["service.name"]}


# ---- what belongs to no session ----


def test_text_that_is_not_utf8_costs_its_bad_bytes_alone(platform):
    """SDKs of C++ and others let it in, and one such text must not cost the batch that it travels in."""
    result = run(
        platform,
        """
        init(flush_interval_ms=60000)
        start()
        trace, bad = trace_id(), b"caf\\xe9 \\xff!"
        key_value = lambda key, value: otlp.field(1, key) + otlp.field(2, value)
        text = lambda value: otlp.field(1, value)
        nested = otlp.field(5, otlp.field(1, text(bad)) + otlp.field(1, otlp.field(6, otlp.field(1, key_value(bad, text(bad))))))
        extra = (
            otlp.field(9, key_value("text", text(bad))) + otlp.field(9, key_value(bad, text("key")))
            + otlp.field(9, key_value("list", nested)) + otlp.field(9, key_value("password", text(bad)))
            + otlp.field(3, bad) + otlp.field(11, otlp.field(2, bad) + otlp.field(3, key_value("k", text(bad))))
            + otlp.field(13, otlp.field(1, bytes.fromhex(trace)) + otlp.field(2, b"12345678") + otlp.field(3, bad) + otlp.field(4, key_value("k", text(bad))))
            + otlp.field(15, otlp.field(2, bad) + otlp.number_field(3, 2))
        )
        spans = [otlp.span(trace, "good"), otlp.span(trace, bad, extra=extra), otlp.span(trace, "good, too")]
        out["spans"] = export_traces(otlp.export_traces(*spans, scope=bad, resource={"service.name": "r"}))
        record = otlp.log(trace, "x", text=bad, extra=otlp.field(5, text(bad)) + otlp.field(6, key_value("k", text(bad))))
        out["logs"] = export_logs(otlp.export_logs(record, otlp.log(trace, "good")))
        out["cut"] = export_traces(otlp.export_traces(*spans)[:-3])
        out["flush"] = flush()
        """,
    )
    assert (result["spans"], result["logs"], result["cut"], result["flush"]) == ("OK", "OK", "INVALID_ARGUMENT", "OK")
    bad = "caf\ufffd \ufffd!"
    assert [span["name"] for span in platform.spans] == ["good", bad, "good, too"]
    span = platform.span(bad)
    seen = span["attributes"]
    assert (seen["text"], seen[bad], seen["list"], seen["password"]) == (bad, "key", [bad, {bad: bad}], "***MASKED***")
    assert (span["trace_state"], span["status"]["message"], span["scope"]["name"]) == (bad, bad, bad)
    assert (span["events"][0]["name"], span["events"][0]["attributes"], span["links"][0]["attributes"]) == (bad, {"k": bad}, {"k": bad})
    assert sorted(log["body"] for log in platform.logs) == [bad, "good"]


def test_what_belongs_to_no_session_is_counted_and_not_sent(platform):
    result = run(
        platform,
        """
        init()
        start()
        none = "00112233" + "4" * 24
        out["export"] = [
            export_traces(otlp.export_traces(otlp.span(none), otlp.span(none))),
            export_traces(otlp.export_traces(otlp.span(none), otlp.span(trace_id(), "kept"))),
            export_logs(otlp.export_logs(otlp.log(none), otlp.log(""))),
            export_traces(b""), export_logs(b""),
        ]
        out["filtered"] = stats()["filtered"]
        out["bad"] = [export_traces(b"\\xff\\xff\\xff"), export_logs(b"not protobuf"),
                      name_of(lib.mpr_export_traces(None, 5))]
        out["short_id"] = export_traces(otlp.export_traces(otlp.span("debdeb")))
        stop()
    """,
    )
    assert result["export"] == ["SKIPPED", "OK", "SKIPPED", "SKIPPED", "SKIPPED"] and result["filtered"] == 5
    assert result["bad"] == ["INVALID_ARGUMENT"] * 3 and result["short_id"] == "SKIPPED"
    assert [s["name"] for s in platform.spans] == ["kept"]


def test_sampled_spans_of_no_session_are_sent(platform):
    result = run(
        platform,
        """
        init(sample_ratio=1.0)
        root = Span("root")
        out["said"] = Span("child", parent=root).end() and root.set("a", "b")
        out["body"] = root.body(MPR_PAYLOAD_HTTP_REQUEST, b"", b"{}")
        root.end()
        flush()
        out["log"] = write_log()
    """,
    )
    assert {s["name"] for s in platform.spans} == {"root", "child"}
    assert result["said"] == "OK" and result["body"] == "SKIPPED" and result["log"] == "SKIPPED"
    assert not platform.spans[0]["trace_id"].startswith(("debdeb", "cdbcdb")) and result.stats["exported"] == 2


@pytest.mark.parametrize("ratio,least,most", [(0, 0, 0), (0.25, 350, 650), (1, 2000, 2000)])
def test_sample_ratio(platform, ratio, least, most):
    result = run(
        platform,
        f"""
        init(sample_ratio={ratio})
        for _ in range(2000):
            root = Span("root")
            # A child follows its parent.
            assert Span("child", parent=root).end().context.trace_flags == root.context.trace_flags
            root.end()
    """,
    )
    roots = [s for s in platform.spans if s["name"] == "root"]
    assert least <= len(roots) <= most and len(platform.spans) == 2 * len(roots)
    assert result.stats["accepted"] == len(platform.spans)


# ---- sizes ----

SIZES = {
    "one long text": "attrs={'a': 'x' * 3_000_000, 'short': 'kept'}",
    "two long texts": "attrs={'a': 'x' * 700_000, 'b': 'y' * 700_000, 'short': 'kept'}",
    "text of four bytes each": "attrs={'a': '\\U0001f600' * 400_000, 'short': 'kept'}",
    "long bytes": "attrs={'a': b'x' * 1_200_000, 'short': 'kept'}",
    "a long list": "attrs={'a': ['x' * 1000] * 1200, 'short': 'kept'}",
    "a long event": "attrs={'short': 'kept'}, extra=event({'a': 'x' * 1_200_000})",
    "many events": "attrs={'short': 'kept'}, extra=event({'a': 'x' * 1000}) * 1500",
    "many attributes": "attrs={**{f'k{n}': 'x' * 1000 for n in range(1500)}, 'short': 'kept'}",
    "a long name": "name='n' * 1_200_000, attrs={'short': 'kept'}",
}


@pytest.mark.parametrize("what", SIZES)
def test_an_oversized_span_is_cut_and_says_so(platform, what):
    """The platform drops a span above 1,000,000 bytes whole (contract c.2)."""
    result = run(
        platform,
        f"""
        init()
        start()
        event = lambda attrs: otlp.field(11, otlp.field(2, "e") + otlp.attributes(3, attrs))
        out["export"], out["ms"] = timed(export_traces, otlp.export_traces(otlp.span(trace_id(), {SIZES[what]})))
        stop()
    """,
    )
    assert result["export"] == "OK" and result.stats["exported"] == 1
    (request,) = platform.of("traces")
    (raw,) = [s for g in otlp.parts(request.body)[1] for scope in otlp.parts(g)[2] for s in otlp.parts(scope)[2]]
    assert len(raw) < 1_000_000
    fields, (span,) = otlp.parts(raw), request.spans
    if what != "many attributes":  # there any of them may go
        assert span["attributes"]["short"] == "kept"
    dropped = fields.get(10, [0])[0] + fields.get(12, [0])[0]
    texts = [span["attributes"], *(event["attributes"] for event in span["events"])]
    noted = any("truncated" in key for keys in texts for key in keys)
    described = span["attributes"].get("a") == "[1200000 bytes]"
    assert dropped or noted or described or what == "a long name", "nothing tells of the cut"


def test_two_bodies_fit_into_a_span(platform):
    run(
        platform,
        """
        init(max_payload_bytes=900000)
        start()
        span = Span()
        body = json.dumps({"t": "x y " * 230_000}).encode()
        span.body(MPR_PAYLOAD_HTTP_REQUEST, b"Content-Type: application/json", body)
        span.body(MPR_PAYLOAD_HTTP_RESPONSE, b"Content-Type: application/json", body)
        span.end()
        flush(10000)
    """,
    )
    (request,) = platform.of("traces")
    attributes = request.spans[0]["attributes"]
    assert len(request.body) < 1_000_000
    assert all(len(attributes[f"multiplayer.http.{part}.body"]) > 100_000 for part in ("request", "response"))


@pytest.mark.parametrize(
    "log",
    [
        "'x' * 2_000_000",
        "{'k': 'x' * 2_000_000}",
        "'b', attrs={'a': 'x' * 2_000_000}",
        "'b', attrs={f'k{n}': 'x' * 1000 for n in range(1500)}",
    ],
)
def test_an_oversized_log_is_cut(platform, log):
    result = run(platform, f"init(); start(); export_logs(otlp.export_logs(otlp.log(trace_id(), {log}))); stop()")
    (request,) = platform.of("logs")
    assert len(request.body) < 1_000_000 and result.stats["exported"] == 1
    assert request.logs[0]["body"]


def test_a_span_of_very_many_attributes_costs_the_host_little(platform):
    """The hot path waits for nothing; work that grows with the square of the attributes would be such a wait."""
    result = run(
        platform,
        """
        init()
        start()
        data = otlp.export_traces(otlp.span(trace_id(), attrs={f"k{n}": n for n in range(40_000)}))
        out["export"], out["ms"] = timed(export_traces, data)
        stop()
    """,
    )
    assert result["export"] == "OK" and result["ms"] < 3000
