"""The lives of sessions, from start to the end that each kind has."""

import re
import time

import local_recorder as c
from local_recorder import expect, until


def test_start(local):
    session = local.start(
        name="Login",
        tags=[{"key": "env", "value": "ci"}, {"value": "slow"}],
        sessionAttributes={"a": {"b": 1}},
        resourceAttributes={"host.name": "x"},
    )
    assert re.fullmatch("[0-9a-f]{24}", session["_id"])
    assert re.fullmatch("[0-9a-f]{8}", session["shortId"])
    assert session["name"] == "Login"
    assert session["tags"] == [{"key": "env", "value": "ci"}, {"value": "slow"}]
    assert session["sessionAttributes"] == {"a": {"b": 1}}
    assert session["resourceAttributes"] == {"host.name": "x"}
    assert (session["sessionType"], session["creationReason"]) == ("MANUAL", "MANUAL")
    assert session["url"] == f"{local.base}/sessions/{session['_id']}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", session["startedAt"])
    assert len(session["tempApiKey"].split(".")) == 3
    assert "stoppedAt" not in session
    assert local.request("GET", f"/sessions/{session['_id']}").status == 200


def test_start_with_nothing(local):
    session = expect(200, local.api("POST", "/debug-sessions/start")).json
    assert session["name"] == ""
    assert session["sessionAttributes"] == session["resourceAttributes"] == {}
    # Absent is null: clients must not expect a list.
    assert session["tags"] is session["userAttributes"] is None


def test_old_names_of_attributes(local):
    session = local.start(metadata={"a": 1, "b": 1}, userMetadata={"comment": "c"}, clientMetadata={"d": 1})
    assert session["sessionAttributes"] == {"a": 1, "b": 1, "comment": "c"}
    assert session["resourceAttributes"] == {"d": 1}


def test_stop_twice(local):
    session = local.start(name="x")
    first = expect(200, local.api("PATCH", f"/debug-sessions/{session['_id']}/stop", {})).json
    assert first["stoppedAt"] >= first["startedAt"] and first["durationInSeconds"] >= 0
    assert first["url"] == session["url"]
    again = {"sessionAttributes": {"late": 1}, "stoppedAt": "2020-01-01T00:00:00Z"}
    assert expect(200, local.api("PATCH", f"/debug-sessions/{session['_id']}/stop", again)).json == first


def test_stop_by_short_id_and_at_a_given_time(local):
    session = local.start()
    body = {"stoppedAt": int(time.time() * 1000) + 2500}
    stopped = expect(200, local.api("PATCH", f"/debug-sessions/{session['shortId']}/stop", body)).json
    assert 2 <= stopped["durationInSeconds"] <= 3


def test_stop_merges_and_what_was_there_wins(local):
    session = local.start(sessionAttributes={"kept": "old", "deep": {"x": 1, "gone": None}})
    body = {"sessionAttributes": {"kept": "new", "added": {"y": {"z": 2}}, "list": [1, {"a": 1}], "gone": None}}
    stopped = expect(200, local.api("PATCH", f"/debug-sessions/{session['_id']}/stop", body)).json
    assert stopped["sessionAttributes"] == {"kept": "old", "added.y.z": 2, "list": [1, {"a": 1}], "deep.x": 1}


def test_update(local):
    session = local.start(name="a", sessionAttributes={"k": 1}, resourceAttributes={"r": 1})
    path = f"/debug-sessions/{session['_id']}"
    body = {
        "name": "b",
        "tags": [{"value": "t"}],
        "sessionAttributes": {"k": 2, "l": {"m": 3}},
        "resourceAttributes": {"s": {"t": 1}},
        "userAttributes": {"type": "USER", "name": "Ada"},
    }
    updated = expect(200, local.api("PATCH", path, body)).json
    assert "url" not in updated
    assert updated["name"] == "b" and updated["tags"] == [{"value": "t"}]
    assert updated["sessionAttributes"] == {"k": 1, "l.m": 3}
    assert updated["resourceAttributes"] == {"s.t": 1}
    assert updated["userAttributes"] == {"type": "USER", "name": "Ada"}
    times = {"startedAt": "2026-01-01T00:00:00Z", "stoppedAt": "2026-01-01T00:00:01.500Z"}
    updated = expect(200, local.api("PATCH", path, times)).json
    assert updated["durationInSeconds"] == 1.5 and updated["name"] == "b"
    assert expect(200, local.api("GET", path)).json == {
        "_id": session["_id"],
        "startedAt": "2026-01-01T00:00:00.000Z",
        "stoppedAt": "2026-01-01T00:00:01.500Z",
    }


def test_get(local):
    session = local.start()
    for id in (session["_id"], session["shortId"], session["_id"].upper()):
        reply = expect(200, local.api("GET", f"/debug-sessions/{id}")).json
        assert reply == {"_id": session["_id"], "startedAt": session["startedAt"]}


def test_cancel_takes_the_data_along(local):
    session = local.start()
    local.send_spans(c.span(c.manual(session)))
    path = f"/debug-sessions/{session['_id']}/cancel"
    reply = expect(204, local.api("DELETE", path))
    assert reply.body == b""
    assert local.api("DELETE", path).status == 404
    assert local.request("GET", f"/api/sessions/{session['_id']}").status == 404
    local.send_spans(c.span(c.manual(session)))
    assert local.stats["spans"]["dropped"] == {"unknown_session": 1}


def test_cancel_with_an_empty_object(local):
    expect(204, local.api("DELETE", f"/debug-sessions/{local.start()['shortId']}/cancel", {}))


def test_late_spans_are_taken_until_the_short_id_ends(start):
    local = start("--session-max-seconds", "2")
    session = local.start()
    expect(200, local.api("PATCH", f"/debug-sessions/{session['_id']}/stop"))
    local.send_spans(c.span(c.manual(session), "late"))
    assert local.span_names(session["_id"]) == ["late"]
    until(lambda: local.api("GET", f"/debug-sessions/{session['shortId']}").status == 404)
    local.send_spans(c.span(c.manual(session), "too late"))
    assert local.span_names(session["_id"]) == ["late"]
    # The long id goes on working.
    expect(200, local.api("GET", f"/debug-sessions/{session['_id']}"))


def test_a_session_ends_at_its_limit(start):
    local = start("--session-max-seconds", "1")
    session = local.start()
    seen = until(lambda: (s := local.session(session["_id"])["session"])["live"] is False and s)
    assert seen["durationInSeconds"] == 1


def test_sessions_survive_the_server(start):
    first = start()
    session = first.start(name="kept")
    first.send_spans(c.span(c.manual(session), "before"))
    assert first.stop() == 0
    second = start()
    second.send_spans(c.span(c.manual(session), "after"))
    assert sorted(second.span_names(session["_id"])) == ["after", "before"]


# ---- continuous ------------------------------------------------------------------------


def test_continuous_start(local):
    session = local.start_continuous(name="x", sessionAttributes={"a": 1})
    assert set(session) == {"_id", "shortId", "tempApiKey", "workspace", "project"}
    assert re.fullmatch("[0-9a-f]{8}", session["_id"]) and session["_id"] == session["shortId"]
    got = expect(200, local.api("GET", f"/continuous-debug-sessions/{session['_id']}")).json
    assert set(got) == {"workspace", "project", "startedAt", "debugSessionData"}
    assert got["debugSessionData"]["name"] == "x"
    assert got["debugSessionData"]["sessionAttributes"] == {"a": 1}


def test_stop_knows_no_continuous_session(local):
    short_id = local.start_continuous()["shortId"]
    reply = local.api("PATCH", f"/debug-sessions/{short_id}/stop")
    assert reply.status == 404 and reply.json["message"] == "Debug-Session not found"


def test_save_overwrites_what_start_said_but_the_user(local):
    user = {"type": "USER", "id": "7"}
    session = local.start_continuous(name="x", sessionAttributes={"a": 1}, resourceAttributes={"b": 1}, userAttributes=user)
    saved = local.save(session["shortId"])
    assert saved["name"] == "" and saved["tags"] == []
    assert saved["sessionAttributes"] == saved["resourceAttributes"] == {}
    assert saved["userAttributes"] == user
    assert re.fullmatch("[0-9a-f]{24}", saved["_id"]) and saved["shortId"] != session["shortId"]
    assert saved["sessionType"] == "CONTINUOUS" and saved["continuousDebugSession"] == session["shortId"]
    assert saved["url"] == f"{local.base}/sessions/{saved['_id']}"
    again = local.save(session["shortId"], name="y", sessionAttributes={"c": 1}, stoppedAt=5)
    assert again["name"] == "y" and again["sessionAttributes"] == {"c": 1}
    assert again["_id"] != saved["_id"] and again["stoppedAt"] > again["startedAt"][:10]
    body = {"tags": [{"value": "kept"}]}
    tagged = expect(200, local.api("PATCH", f"/debug-sessions/{saved['_id']}", body)).json
    assert tagged["tags"] == [{"value": "kept"}]


def test_save_keeps_the_window(start):
    local = start("--window-seconds", "1")
    session = local.start_continuous()
    trace = c.continuous(session)
    local.send_spans(c.span(trace, "old"))
    local.send_logs(
        c.record(trace, "old", attributes=c.attributes({"multiplayer.session.id": session["shortId"]}))
    )
    old_end = time.time() + 1.05
    until(lambda: time.time() > old_end)
    local.send_spans(c.span(trace, "new"))
    saved = local.save(session["shortId"])
    assert local.span_names(saved["_id"]) == ["new"]
    assert local.log_bodies(saved["_id"]) == []
    assert local.span_names(session["shortId"]) == ["old", "new"]
    assert 1 <= saved["durationInSeconds"] <= 1.01


def test_a_save_waits_for_what_had_begun(start):
    local = start("--save-grace-seconds", "2")
    session = local.start_continuous()
    trace = c.continuous(session)
    attribute = {"attributes": c.attributes({"multiplayer.session.id": session["shortId"]})}
    began = c.now_ns()
    until(lambda: c.now_ns() > began + 5_000_000)
    saved = local.save(session["shortId"])
    local.send_spans(c.span(trace, "begun", start=began), c.span(trace, "begun after", start=c.now_ns(0.1)))
    local.send_logs(c.record(trace, "begun", began, **attribute))
    assert local.span_names(saved["_id"]) == ["begun"]
    assert local.log_bodies(saved["_id"]) == ["begun"]
    until(lambda: not local.session(saved["_id"])["session"]["live"])
    local.send_spans(c.span(trace, "begun, came late", start=began))
    assert local.span_names(saved["_id"]) == ["begun"]
    assert len(local.span_names(session["shortId"])) == 3


def test_old_rows_of_a_continuous_session_go(local):
    session = local.start_continuous()
    manual = local.start()
    old = c.now_ns(-301)
    local.send_spans(
        c.span(c.continuous(session), "old", start=old), c.span(c.continuous(session), "young", start=c.now_ns(-250))
    )
    local.send_spans(c.span(c.manual(manual), "old", start=old))
    until(lambda: local.span_names(session["shortId"]) == ["young"])
    assert local.span_names(manual["_id"]) == ["old"]


def test_continuous_cancel(local):
    session = local.start_continuous()
    local.send_spans(c.span(c.continuous(session), "kept"))
    saved = local.save(session["shortId"])
    path = f"/continuous-debug-sessions/{session['shortId']}"
    for _ in range(2):
        expect(204, local.api("DELETE", f"{path}/cancel"))
    assert local.api("GET", path).status == 404
    assert local.api("POST", f"{path}/save").status == 404
    assert local.span_names(saved["_id"]) == ["kept"]
    local.send_spans(c.span(c.continuous(session)))
    assert local.stats["spans"]["dropped"] == {"unknown_session": 1}


# ---- remote check, metrics, rrweb --------------------------------------------------------


def test_remote_check(local):
    body = {"sessionAttributes": {"a": "1"}, "resourceAttributes": {}, "userAttributes": {"type": "USER"}}
    reply = expect(200, local.api("POST", "/remote-session-recording/check", body)).json
    options = {"traces": True, "logs": True, "logLevel": "info", "content": True}
    assert reply == {
        "shouldStart": False,
        "mode": "CONTINUOUS",
        "recordingOptions": {"frontend": {"screens": True, **options}, "backend": options},
    }
    headers = {"Content-Type": "application/json"}
    switch = lambda body: local.request("PUT", "/api/remote-check", body, headers)
    expect(200, switch('{"shouldStart":true,"mode":"MANUAL"}'))
    now = expect(200, local.api("POST", "/remote-session-recording/check", {})).json
    assert now == {**reply, "shouldStart": True, "mode": "MANUAL"}
    assert expect(200, local.request("GET", "/api/remote-check")).json == now
    for bad in ('{"mode":"OFTEN"}', '{"x":1}', "[]", "{"):
        assert "error" in expect(400, switch(bad)).json


def test_metrics_and_rrweb_are_taken_and_forgotten(local):
    gauge = [{"userAttributes": {"type": "USER"}, "MetricName": "issue_rate", "Attributes": {"a": "b"}, "Value": 1}]
    expect(204, local.api("POST", "/metrics/gauge", gauge))
    events = {"events": [{"event": {"type": 3}, "eventType": 3, "timestamp": "17"}]}
    expect(204, local.api("POST", f"/debug-sessions/{local.start()['_id']}/rrweb-events", events))


# ---- crash buffers -----------------------------------------------------------------------

CLIENT = "0badcafe"


def error_span(client=CLIENT, **fields):
    exception = {"exception.type": "Panic", "exception.message": "boom", "exception.stacktrace": "main (a.c:1)"}
    span = {
        "traceId": c.trace_id("debcdb", client),
        "spanId": "1" * 16,
        "name": "crash",
        "kind": 1,
        "status": {"code": 2, "message": "boom"},
        "startTime": [1, 2],
        "endTime": [1, 3],
        "attributes": {"service.name": "shop"},
        "events": [{"name": "exception", "time": [1, 2], "attributes": exception}],
        "resource": {"attributes": {"service.name": "shop"}},
        **fields,
    }
    return {"span": span}


def start_from_error(local, **fields):
    return local.api("POST", "/debug-sessions/error-span/start", error_span(**fields))


def test_a_crash_buffer_gets_a_session(start):
    local = start("--save-grace-seconds", "1")
    reply = expect(200, start_from_error(local)).json
    assert set(reply) == {"_id", "url"}
    at = c.now_ns(-2)
    local.send_spans(c.span(c.trace_id("debcdb", CLIENT), "buffered", start=at))
    local.send_spans(c.span(c.trace_id("debcdb", "ffffffff"), "of another client"))
    assert local.span_names(reply["_id"]) == ["buffered"]
    seen = until(lambda: (s := local.session(reply["_id"])["session"])["live"] is False and s)
    assert (seen["creationReason"], seen["sessionType"], seen["name"]) == ("ISSUE", "SESSION_CACHE", "boom")
    # It is as long as its data.
    assert seen["startedAt"] == seen["stoppedAt"] and seen["durationInSeconds"] == 0


def test_a_crash_session_without_data_goes(start):
    local = start("--save-grace-seconds", "1")
    reply = expect(200, start_from_error(local)).json
    until(lambda: local.request("GET", f"/api/sessions/{reply['_id']}").status == 404)


def test_error_spans_that_make_no_session(local):
    expect(200, start_from_error(local))
    # The same issue again, from another process.
    expect(204, start_from_error(local, client="0badbeef"))
    expect(204, start_from_error(local, client="1badbeef", resource=None))
    attributes = {"service.name": "web", "http.method": "GET"}
    expect(204, start_from_error(local, client="2badbeef", attributes=attributes, events=[]))


def test_error_spans_that_are_refused(local):
    for fields, status, message in [
        ({"traceId": c.trace_id("debdeb", CLIENT)}, 409, "Span is not a session cache span"),
        ({"status": {"code": 1}}, 409, "Span is not an error span"),
        ({"traceId": 5}, 500, "An error occurred. We are looking into it."),
        ({"attributes": None}, 500, "An error occurred. We are looking into it."),
    ]:
        reply = start_from_error(local, **fields)
        assert (reply.status, reply.json["message"]) == (status, message)
