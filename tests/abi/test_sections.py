"""One C program per section of the header, each plain and under valgrind; and what they sent, as the platform gets it.

The programs assert by themselves (check.h). Nothing else may reach stdout or stderr: the library never prints."""

import json
import re
from pathlib import Path

import otlp
import pytest
from environment import recorder_env
from platform_server import Answer

HERE = Path(__file__).parent
BOTH = pytest.mark.parametrize("valgrind", [False, pytest.param(True, marks=pytest.mark.valgrind)], ids=["plain", "valgrind"])


@pytest.fixture
def run(compile_c, run_c):
    """Compiles and runs a program of this folder; it must end well and say nothing."""

    def run_one(name, *args, **options):
        done = run_c(compile_c(HERE / f"{name}.c"), *args, **options)
        assert done.stdout == ""
        return done

    return run_one


@BOTH
def test_version(run, valgrind):
    run("version", valgrind=valgrind)


@BOTH
def test_options(run, valgrind):
    run("options", valgrind=valgrind)


@BOTH
def test_lifecycle(run, platform, valgrind):
    run("lifecycle", env=platform.env(), valgrind=valgrind)
    # One request of each kind a round: nothing was sent twice, and nothing of what was recorded off.
    assert [r.route for r in platform.requests] == ["start", "traces", "stop"] * 3
    assert [s["attributes"] for s in platform.spans] == [{"round": 0}, {"round": 1}, {"round": 2}]


@BOTH
def test_ids(run, platform, valgrind):
    run("ids", env=platform.env(), valgrind=valgrind)


@BOTH
@pytest.mark.parametrize("blocking", [False, True], ids=["", "blocking-in-callback"])
def test_sessions(run, platform, valgrind, blocking):
    if valgrind and blocking:
        pytest.skip("once is enough")
    run("sessions", *(["blocking"] if blocking else []), env=platform.env(), valgrind=valgrind)
    sent = lambda *routes: [r.json for r in platform.of(*routes)]
    starts = sent("start")
    assert [s.get("name", "")[:12] for s in starts][:4] == ["Checkout", "thrown away"] * 2
    for start in starts[::2][:2]:
        assert start["sessionAttributes"] == {"a": 1, "k": "start", "comment": "slow"}
        assert start["resourceAttributes"]["region"] == "eu"
        assert start["userAttributes"] == {"type": "USER", "userName": "ann"}
        assert start["tags"] == [{"value": "plain"}, {"key": "env", "value": "ci"}]
        assert "shortId" not in start
    # Stop: nothing but what the platform takes there.
    assert sent("stop")[:2] == [{"sessionAttributes": {"k": "stop", "b": 2}}] * 2
    assert all(set(body) <= {"sessionAttributes", "stoppedAt"} for body in sent("stop"))
    assert all(r.body in (b"", b"{}") for r in platform.of("cancel", "continuous_cancel"))
    # Continuous: wrapped start, flat save with everything again, tags by an update of the saved session.
    for start in sent("continuous_start")[::2]:
        assert start["debugSessionData"]["name"] == "Rolling" and "tags" not in start["debugSessionData"]
    for start in sent("continuous_start")[1::2]:
        assert start["debugSessionData"]  # an empty one is a 500
    saves = sent("save")
    assert [s["name"] for s in saves] == ["Saved", "Rolling"] * 2 or [s["name"] for s in saves] == ["Saved"] * 4
    assert saves[0]["sessionAttributes"] == {"a": 1, "b": 2} and all("tags" not in s for s in saves)
    assert sent("update") and all(body == {"tags": [{"value": "t"}]} for body in sent("update"))
    # Lifecycle calls by _id, and every request with the key where it belongs.
    for request in platform.requests:
        if request.route in ("stop", "cancel", "update"):
            assert re.fullmatch("[0-9a-f]{24}", request.id)
        if request.route in ("traces", "logs"):
            assert request.headers["authorization"] == "test-key" and "x-api-key" not in request.headers
        else:
            assert request.headers["x-api-key"] == "test-key" and "authorization" not in request.headers
    for check in sent("check"):
        assert set(check) <= {"sessionAttributes", "resourceAttributes", "userAttributes"}
        assert all(isinstance(v, str) for v in check.get("sessionAttributes", {}).values())
    # Spans and logs: of their session, in its group, delivered before its end.
    spans = {s["name"]: s for s in platform.spans}
    assert set(spans) >= {"manual", "manual async", "continuous", "continuous async"} and "before" not in spans
    for name, route in (("manual", "stop"), ("continuous", "save")):
        delivered = next(r for r in platform.of("traces") if name in [s["name"] for s in r.spans])
        assert delivered.at < platform.of(route)[0].at
    logs = {r["body"]: r for r in platform.logs}
    assert "before" not in logs and logs["manual"]["trace_id"] == spans["manual"]["trace_id"]
    assert logs["manual"]["span_id"] == spans["manual"]["span_id"] and logs["manual"]["severity_text"] == "info"
    continuous = spans["continuous"]["trace_id"]
    assert continuous.startswith("cdbcdb") and logs["continuous"]["attributes"]["multiplayer.session.id"] == continuous[6:14]


@BOTH
def test_sessions_with_the_local_recorder(run, local, valgrind):
    run("sessions", env=recorder_env(local.base), valgrind=valgrind)
    sessions = local.request("GET", "/api/sessions").json
    sessions = sessions if isinstance(sessions, list) else sessions["sessions"]
    names = [s["name"] for s in sessions]
    assert names.count("Checkout") == 2 and "thrown away" not in names and "Saved" in names
    for one in sessions:
        if one["name"] == "Checkout":
            assert local.span_names(one["_id"]) in (["manual"], ["manual async"])
            assert local.log_bodies(one["_id"]) in (["manual"], ["manual async"])
        if one["name"] == "Saved":
            assert local.span_names(one["_id"])[0].startswith("continuous")


@BOTH
def test_payloads(run, platform, valgrind):
    # 50 MB, and under valgrind less: it is some 30 times slower.
    run("payloads", *(["3000000"] if valgrind else []), env=platform.env(), valgrind=valgrind)


@BOTH
def test_spans(run, platform, valgrind):
    run("spans", env=platform.env(), valgrind=valgrind)
    assert not any(b"S3CRET" in r.body for r in platform.requests)
    root, child, grandchild = (platform.span(name) for name in ("root", "child", "grandchild"))
    a = root["attributes"]
    assert a["text"] == "h\u00e9llo" and a["empty"] == "" and a["low"] == -(2**63) and a["high"] == 2**63 - 1
    assert a["pi"] == 3.25 and a["yes"] is True and a["no"] is False and a["url"].startswith("http://x/?a=b&token=")
    assert json.loads(a["multiplayer.http.request.body"])["user"] == "ann"
    assert set(json.loads(a["multiplayer.http.request.headers"])) == {"Content-Type", "Cookie"}
    assert a["multiplayer.http.response.body"] == '"done"'
    assert [e["name"] for e in root["events"]] == ["cache", "plain"]
    assert root["events"][0]["attributes"]["hit"] is True and root["events"][0]["attributes"]["n"] == 3
    assert root["kind"] == 2 and root["status"] == {"code": 1, "message": ""} and root["parent_span_id"] == ""
    assert child["parent_span_id"] == root["span_id"] and grandchild["parent_span_id"] == child["span_id"]
    assert {s["trace_id"] for s in (root, child, grandchild, platform.span("remote"))} == {root["trace_id"]}
    assert platform.span("remote")["parent_span_id"] == root["span_id"]
    assert grandchild["status"] == {"code": 2, "message": "broke"}
    assert 0 < root["start"] <= child["start"] <= root["end"] and child["start"] <= child["end"]
    # The exception is the first event (issues are made of that one), the span is failed, addresses are left out.
    exception = child["events"][0]
    assert exception["name"] == "exception" and exception["attributes"]["exception.type"] == "std::out_of_range"
    assert child["status"]["code"] == 2 and "main (a.c:3)" in exception["attributes"]["exception.stacktrace"]
    assert "0x7f" not in json.dumps(child["events"]) + json.dumps(child["attributes"]) + child["status"]["message"]
    assert not [s for s in platform.spans if s["name"] == "foreign"]
    new = platform.span("new trace")
    assert new["trace_id"] != root["trace_id"] and new["trace_id"][:14] == root["trace_id"][:14]
    alone = [s for s in platform.spans if "Alone" in json.dumps(s)]
    below = [s for s in platform.spans if "Below" in json.dumps(s)]
    assert len(alone) == len(below) == 1 and below[0]["parent_span_id"] == root["span_id"]
    assert alone[0]["parent_span_id"] == "" and alone[0]["scope"]["name"] == "exception"
    logs = platform.logs
    assert logs[0]["body"] == "b\ufffdd\0x" and logs[0]["span_id"] == child["span_id"] and logs[0]["severity"] == 17
    assert logs[0]["severity_text"] == "error" and logs[0]["attributes"]["k"] == "v"
    assert logs[1]["body"] == "" and logs[1]["trace_id"][:14] == root["trace_id"][:14]
    assert len(logs) == 3 and all(r["time"] and r["resource"]["service.name"] == "shop" for r in logs)


@BOTH
def test_otlp_in(run, platform, tmp_path, valgrind):
    """Two spans and a log of the session among others: the session's are delivered as they were, with their own resource."""
    mine, other = "a7" * 16, "11" * 16
    attrs = {"a": "b", "n": 1, "list": ["x", 2.5, True], "map": {"k": "v"}, "raw": b"\0\1"}
    unknown = otlp.field(99, "of a later version")
    traces = otlp.export_traces(
        otlp.span(mine, "mine", span_id="ab" * 8, parent="cd" * 8, kind=3, start=5, end=7, attrs=attrs, extra=unknown),
        otlp.span(other, "other"),
    ) + otlp.export_traces(otlp.span(mine, "mine too"), resource={"service.name": "second"}, scope="b")
    logs = otlp.export_logs(otlp.log(mine, "my log", attrs={"l": 1}), otlp.log(other, "other log"))
    file = tmp_path / "requests.bin"
    file.write_bytes(b"".join(len(r).to_bytes(4, "little") + r for r in (traces, logs)))
    run("otlp_in", file, env=platform.env(), valgrind=valgrind)
    # The first request of each; what follows are broken variants.
    spans = {s["name"]: s for s in platform.of("traces")[0].spans}
    assert set(spans) == {"mine", "mine too"}
    span = spans["mine"]
    assert span["trace_id"].startswith("debdeb") and span["span_id"] == "ab" * 8 and span["parent_span_id"] == "cd" * 8
    assert (span["kind"], span["start"], span["end"], span["scope"]["name"]) == (3, 5, 7, "tests")
    # Bytes are nothing that a person reads and nothing that masking understands: their size stands for them.
    assert {k: span["attributes"][k] for k in attrs} == {**attrs, "raw": "[2 bytes]"}
    assert span["resource"]["service.name"] == "shop" and spans["mine too"]["resource"]["service.name"] == "second"
    assert [r["body"] for r in platform.of("logs")[0].logs] == ["my log"]


@BOTH
def test_callbacks(run, platform, valgrind):
    # A start without a short id: the hook gives one.
    platform.sessions["0" * 24] = {"_id": "0" * 24}
    platform.on("start", Answer(json={"_id": "0" * 24}))
    run("callbacks", env=platform.env(), valgrind=valgrind, timeout=30)
    assert platform.span("in session")["trace_id"] == "debdeb0badcafe" + "5a" * 9
