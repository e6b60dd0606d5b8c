"""What the page and scripts ask for: sessions, spans bit by bit, what they say together, import, comparison."""

import json
import time

import local_recorder as c
import pytest
from local_recorder import expect, until

JSON = {"Content-Type": "application/json"}


def call(local, method, path, body=None, status=200):
    reply = expect(status, local.request(method, f"/api{path}", None if body is None else json.dumps(body), JSON))
    return reply.json if reply.body else None


def start(local, **body):
    return call(local, "POST", "/sessions", body, 201)["session"]


def spans_of(local, session):
    """The rows as dicts, page by page."""
    rows, after = [], 0
    while True:
        page = call(local, "GET", f"/sessions/{session['_id']}/spans?after={after}&limit=3")
        rows += [dict(zip(page["columns"], row)) for row in page["rows"]]
        after = page["next"]
        if not page["more"]:
            return rows


def shop(session, start=None, total=1, fail=False):
    """A request through two services and a database."""
    trace, at = c.manual(session), start or c.now_ns(-1)
    captured = {
        "http.method": "POST",
        "http.status_code": 500 if fail else 200,
        "multiplayer.http.request.headers": '{"authorization":"***MASKED***","accept":"*/*"}',
        "multiplayer.http.request.body": json.dumps({"user": {"password": "***MASKED***"}, "items": [1]}),
        "multiplayer.http.response.body": json.dumps({"total": total}),
    }
    failed = {"status": {"code": 2, "message": "no stock"}} if fail else {}
    web = [c.span(trace, "POST /buy", at, spanId="1" * 16, kind=2, attributes=c.attributes(captured), **failed),
           c.span(trace, "call stock", at + 1, spanId="2" * 16, parentSpanId="1" * 16, kind=3)]  # fmt: skip
    db = {"db.system": "postgresql"}
    stock = [c.span(trace, "GET /stock", at + 2, spanId="3" * 16, parentSpanId="2" * 16, kind=2),
             c.span(trace, "SELECT", at + 3, spanId="4" * 16, parentSpanId="3" * 16, kind=3, attributes=c.attributes(db))]  # fmt: skip
    return web, stock


def buy(local, session, **how):
    web, stock = shop(session, **how)
    local.send_spans(*web, resource={"service.name": "web"})
    local.send_spans(*stock, resource={"service.name": "stock"})


def test_rows_of_spans(local):
    session = local.start()
    buy(local, session)
    local.send_logs(c.record(c.manual(session), "said", spanId="3" * 16))
    rows = spans_of(local, session)
    assert [r["name"] for r in rows] == ["POST /buy", "call stock", "GET /stock", "SELECT"]
    first = rows[0]
    assert (first["kind"], first["service"], first["status"], first["http_status"]) == ("SERVER", "web", "UNSET", 200)
    assert first["duration"] == 1_500_000 and first["start"].isdigit() and first["parent_span_id"] == ""
    assert [r["flags"] for r in rows] == [1, 0, 4, 0]
    # Later spans come behind the cursor.
    page = call(local, "GET", f"/sessions/{session['_id']}/spans")
    local.send_spans(c.span(c.manual(session), "later", events=[{"name": "e", "timeUnixNano": "1"}]))
    page = call(local, "GET", f"/sessions/{session['_id']}/spans?after={page['next']}")
    assert [(r[3], r[10]) for r in page["rows"]] == [("later", 2)]


def test_a_span_with_its_content(local):
    session = local.start()
    buy(local, session)
    local.send_logs(c.record(c.manual(session), "said", spanId="1" * 16))
    trace = c.manual(session)
    span = call(local, "GET", f"/sessions/{session['_id']}/spans/{trace}/{'1' * 16}")
    assert span["attributes"]["http.method"] == "POST" and [log["body"] for log in span["logs"]] == ["said"]
    request, response = span["content"]
    assert (request["kind"], request["type"], response["kind"]) == ("request", "http", "response")
    assert request["headers"]["accept"] == "*/*" and json.loads(request["body"])["items"] == [1]
    assert [(m["in"], m["path"], m["rule"]) for m in request["masked"]] == [
        ("headers", "authorization", "name: authorization"),
        ("body", "$.user.password", "name: password"),
    ]
    assert (response["size"], response["truncated"], response["masked"]) == (len(response["body"]), False, [])
    base = f"/sessions/{session['_id']}/spans"
    assert "hexadecimal" in call(local, "GET", f"{base}/zz/{'1' * 16}", status=400)["error"]
    assert "no span" in call(local, "GET", f"{base}/{trace}/{'9' * 16}", status=404)["error"]


def test_large_bodies_come_in_part(start, tmp_path):
    local = start("--max-item-bytes", "8000000")
    session = local.start()
    body = json.dumps({"text": "x" * 5_000_000, "password": "***MASKED***"})
    attributes = {"multiplayer.http.response.body": body}
    local.send_spans(c.span(c.manual(session), "big", spanId="1" * 16, attributes=c.attributes(attributes)))
    base = f"/sessions/{session['_id']}/spans/{c.manual(session)}/{'1' * 16}"
    reply = expect(200, local.request("GET", f"/api{base}"))
    [content] = reply.json["content"]
    assert content["body_more"] is True and content["body"] == body[:65536] and content["size"] == len(body)
    assert [m["path"] for m in content["masked"]] == ["$.password"] and len(reply.body) < 100_000
    whole = expect(200, local.request("GET", f"/api{base}/content/response/body"))
    assert whole.text == body and whole.headers["Content-Type"].startswith("text/plain")
    assert whole.headers["Content-Disposition"].startswith("attachment") and whole.headers["X-Content-Type-Options"] == "nosniff"
    assert call(local, "GET", f"{base}/content/request/body", status=404)["error"]
    # The list is as light as ever.
    assert len(expect(200, local.request("GET", f"/api/sessions/{session['_id']}/spans")).body) < 1000


def test_summary(local):
    session = local.start()
    buy(local, session, fail=True)
    seen = call(local, "GET", f"/sessions/{session['_id']}/summary")
    assert {s["name"]: (s["spans"], s["errors"]) for s in seen["services"]} == {"web": (2, 1), "stock": (2, 0)}
    assert {(e["from"], e["to"], e.get("external", False)) for e in seen["edges"]} == {
        ("web", "stock", False), ("stock", "postgresql", True),
    }  # fmt: skip
    assert {(r["service"], r["name"], r["count"]) for r in seen["routes"]} == {("web", "POST /buy", 1), ("stock", "GET /stock", 1)}
    [error] = seen["errors"]
    assert (error["name"], error["message"], error["http_status"]) == ("POST /buy", "no stock", 500)
    assert int(seen["end"]) - int(seen["start"]) == 1_500_003
    assert seen["session"]["counts"] == {"spans": 4, "errors": 1, "logs": 0, "traces": 1} and seen["session"]["bytes"] > 100


def test_search(local):
    session = local.start()
    buy(local, session)
    def found(query, status=200):
        answer = call(local, "GET", f"/sessions/{session['_id']}/search?{query}", status=status)
        return [s[1][0] for s in answer["spans"]] if status == 200 else answer["error"]
    assert found("q=pOsT%20/b") == ["1"]
    assert found("q=%22total%22") == ["1"]
    assert found("q=POSTGRES") == ["4"]
    assert found("q=nowhere") == []
    assert found("attr=http.status_code=200") == ["1"]
    assert found("attr=http.status_code") == ["1"]
    assert found("attr=service.name=stock") == ["3", "4"]
    assert found("attr=http.method=POST&q=stock") == []
    assert found("q=stock&limit=1") == ["2"]
    assert "q, attr" in found("", 400)
    # Ids are bytes in the store, and bytes that happen to be letters are no text.
    local.send_spans(c.span(c.manual(session), "plain", spanId=b"zzzyzzzy".hex()))
    assert found("q=zzzy") == []
    local.send_spans(c.span(c.manual(session), "Grüße ÄÖ", spanId="5" * 16))
    assert found("q=gr%C3%BCsse") == [] and found("q=GR%C3%9C") == ["5"]


def test_logs_page_by_page(local):
    session = local.start()
    local.send_logs(*[c.record(c.manual(session), f"line {i}") for i in range(5)])
    page = call(local, "GET", f"/sessions/{session['_id']}/logs?limit=3")
    assert [r["body"] for r in page["rows"]] == ["line 0", "line 1", "line 2"] and page["more"]
    page = call(local, "GET", f"/sessions/{session['_id']}/logs?after={page['next']}&limit=3")
    assert [r["body"] for r in page["rows"]] == ["line 3", "line 4"] and not page["more"]


def test_lines(local):
    session = local.start()
    local.send_spans(*[c.span(c.manual(session), f"s{i}") for i in range(2500)])
    local.send_logs(c.record(c.manual(session), "one"))
    reply = expect(200, local.request("GET", f"/api/sessions/{session['_id']}/spans.ndjson"))
    assert reply.headers["Content-Type"].startswith("application/x-ndjson")
    assert [json.loads(line)["name"] for line in reply.text.splitlines()] == [f"s{i}" for i in range(2500)]
    assert json.loads(local.request("GET", f"/api/sessions/{session['_id']}/logs.ndjson").text)["body"] == "one"
    expect(404, local.request("GET", "/api/sessions/abcdabcd/spans.ndjson"))


def test_the_list_and_its_filters(local):
    one = start(local, name="First", tags=[{"key": "team", "value": "blue"}])
    two = local.start(name="Second")
    buy(local, two, fail=True)
    continuous = local.start_continuous(name="Third")
    def names(query=""):
        return [s["name"] for s in call(local, "GET", f"/sessions?{query}")["sessions"]]
    assert names() == ["Third", "Second", "First"]
    assert names("q=sec") == ["Second"] and names(f"q={one['shortId']}") == ["First"] and names("q=BLUE") == ["First"]
    assert names("tag=blue") == ["First"] == names("tag=team%3Dblue") and names("tag=red") == []
    assert names("service=stock") == ["Second"] == names("errors=1")
    assert names("kind=continuous") == ["Third"] and continuous
    assert "manual, continuous, saved, issue" in call(local, "GET", "/sessions?kind=x", status=400)["error"]
    assert "next" in call(local, "GET", "/sessions?before=x", status=400)["error"]
    assert "limit" in call(local, "GET", "/sessions?limit=x", status=400)["error"]
    first = call(local, "GET", "/sessions?limit=2")
    second = call(local, "GET", f"/sessions?limit=2&before={first['next']}")
    assert [s["name"] for s in second["sessions"]] == ["First"] and second["next"] is None


def test_changing_stopping_and_removing(local):
    session = start(local, name="a")
    tags = [{"key": "k", "value": "v"}, {"value": "w"}]
    changed = call(local, "PATCH", f"/sessions/{session['_id']}", {"name": "b", "tags": tags, "comment": "hm"})["session"]
    assert (changed["name"], changed["tags"], changed["sessionAttributes"]) == ("b", tags, {"comment": "hm"})
    assert "tags" in call(local, "PATCH", f"/sessions/{session['_id']}", {"tags": ["v"]}, 400)["error"]
    assert "nme" in call(local, "PATCH", f"/sessions/{session['_id']}", {"nme": "b"}, 400)["error"]
    stopped = call(local, "POST", f"/sessions/{session['shortId']}/stop", {"comment": "good"})["session"]
    assert not stopped["live"] and stopped["sessionAttributes"] == {"comment": "good"} and stopped["stoppedAt"]
    assert call(local, "POST", f"/sessions/{session['_id']}/stop")["session"]["stoppedAt"] == stopped["stoppedAt"]
    assert "only a continuous" in call(local, "POST", f"/sessions/{session['_id']}/save", {}, 409)["error"]
    call(local, "DELETE", f"/sessions/{session['_id']}", status=204)
    assert call(local, "GET", f"/sessions/{session['_id']}/summary", status=404)["error"]
    assert call(local, "DELETE", f"/sessions/{session['_id']}", status=404)["error"]


# ---- sessions that processes join ---------------------------------------------------------


def test_a_started_session_is_joined_by_who_asks(local):
    resource = {"service.name": "shop", "pid": 7}
    check = {"resourceAttributes": {"service.name": "shop", "pid": "7"}}
    assert not local.api("POST", "/remote-session-recording/check", check).json["shouldStart"]
    session = start(local, name="all of us")
    stranger = local.start(name="my own")
    assert stranger["_id"] != session["_id"]
    answer = local.api("POST", "/remote-session-recording/check", check).json
    assert (answer["shouldStart"], answer["mode"]) == (True, "MANUAL")
    joined = local.start(name="ignored", resourceAttributes=resource)
    assert (joined["_id"], joined["shortId"], joined["name"]) == (session["_id"], session["shortId"], "all of us")
    # The invitation holds once.
    assert local.start(resourceAttributes=resource)["_id"] != session["_id"]
    local.send_spans(c.span(c.manual(joined), "mine"))
    # Who joined ends it for nobody else.
    expect(200, local.api("PATCH", f"/debug-sessions/{joined['_id']}/stop", {}))
    expect(204, local.api("DELETE", f"/debug-sessions/{joined['_id']}/cancel", {}))
    assert local.session(session["_id"])["session"]["live"] and local.span_names(session["_id"]) == ["mine"]
    call(local, "POST", f"/sessions/{session['_id']}/stop")
    assert not local.api("POST", "/remote-session-recording/check", check).json["shouldStart"]


def test_what_belongs_to_no_session_is_taken_while_one_was_started_here(local):
    foreign = [c.span("ab" * 16, "GET /a"), c.span("cd" * 16, "GET /b")]
    local.send_spans(*foreign)
    assert local.stats["spans"]["dropped"] and not call(local, "GET", "/sessions")["sessions"]
    session = start(local)
    local.send_spans(c.span("ab" * 16, "GET /a"), c.span("cd" * 16, "GET /b"), c.span("ef" * 16, "/h", attributes=c.attributes({"http.route": "/health"})))
    local.send_logs(c.record("ab" * 16, "in a trace"), c.record("", "in none"))
    assert sorted(local.span_names(session["_id"])) == ["GET /a", "GET /b"]
    assert sorted(local.log_bodies(session["_id"])) == ["in a trace", "in none"]
    assert local.stats["spans"]["dropped"]["health_check"] == 1
    call(local, "POST", f"/sessions/{session['_id']}/stop")
    # What had begun by then is on its way for a moment; what begins later is not of the session.
    local.send_spans(c.span("ab" * 16, "late", start=c.now_ns(-1)))
    local.send_spans(c.span("ab" * 16, "after", start=c.now_ns(3)))
    assert sorted(local.span_names(session["_id"])) == ["GET /a", "GET /b", "late"]


def test_a_continuous_session_from_the_page(local):
    session = start(local, type="CONTINUOUS", name="rolling", tags=[{"value": "t"}])
    assert (session["kind"], session["live"]) == ("continuous", True)
    answer = local.api("POST", "/remote-session-recording/check", {}).json
    assert (answer["shouldStart"], answer["mode"]) == (True, "CONTINUOUS")
    assert local.start_continuous()["shortId"] == session["shortId"]
    local.send_spans(c.span(c.continuous(session), "of it"), c.span(c.continuous(session), "too"))
    local.send_spans(c.span("ab" * 16, "foreign"))
    saved = call(local, "POST", f"/sessions/{session['_id']}/save", {"name": "kept"})["session"]
    assert (saved["kind"], saved["name"], saved["tags"]) == ("saved", "kept", [{"value": "t"}])
    assert sorted(local.span_names(saved["_id"])) == ["foreign", "of it", "too"]
    assert saved["counts"]["spans"] == 3 and saved["counts"]["traces"] == 2
    stopped = call(local, "POST", f"/sessions/{session['_id']}/stop")["session"]
    assert not stopped["live"] and stopped["counts"]["spans"] == 3


def test_a_continuous_session_is_saved_when_something_fails(local):
    session = start(local, type="CONTINUOUS")
    local.send_spans(c.span(c.continuous(session), "before"))
    failed = {"status": {"code": 2, "message": "boom"}}
    local.send_spans(c.span(c.continuous(session), "failed", **failed))
    saved = until(lambda: call(local, "GET", "/sessions?kind=saved")["sessions"])
    assert [s["name"] for s in saved] == ["boom"]
    assert sorted(local.span_names(saved[0]["_id"])) == ["before", "failed"]
    # The same trouble again makes no second one.
    local.send_spans(c.span(c.continuous(session), "again", **failed))
    time.sleep(1)
    assert len(call(local, "GET", "/sessions?kind=saved")["sessions"]) == 1


def test_the_counts_of_a_continuous_session_follow_its_window(start):
    local = start("--rows-seconds", "2")
    session = local.start_continuous()
    old = c.now_ns(-1)
    local.send_spans(c.span(c.continuous(session), "old", start=old, status={"code": 2}))
    local.send_spans(c.span(c.continuous(session, tail="0" * 17 + "2"), "young", start=c.now_ns(4)))
    until(lambda: local.span_names(session["_id"]) == ["young"])
    [seen] = call(local, "GET", "/sessions?kind=continuous")["sessions"]
    assert seen["counts"] == {"spans": 1, "errors": 0, "logs": 0, "traces": 1}


# ---- export, import, comparison ------------------------------------------------------------


def without(session, *keys):
    return {k: v for k, v in session.items() if k not in ("url", "imported", "duration_ms", *keys)}


def test_export_and_import(local, start):
    session = local.start(name="here")
    buy(local, session, fail=True)
    local.send_logs(c.record(c.manual(session), "said", spanId="3" * 16))
    expect(200, local.api("PATCH", f"/debug-sessions/{session['_id']}/stop", {}))
    whole = expect(200, local.request("GET", f"/api/sessions/{session['_id']}/export")).json
    other = local  # the same recorder: it has a session of that id
    for recorder, same_id in ((other, False),):
        copy = call(recorder, "POST", "/import", whole, 201)["session"]
        assert copy["imported"] is True and not copy["live"] and (copy["_id"] == session["_id"]) is same_id
        again = recorder.session(copy["_id"])
        assert again["spans"] == whole["spans"] and again["logs"] == whole["logs"]
        assert without(again["session"], "_id", "shortId") == without(whole["session"], "_id", "shortId")
    call(local, "DELETE", f"/sessions/{session['_id']}", status=204)
    until(lambda: call(local, "POST", "/import", whole, 201)["session"]["_id"] == session["_id"])


@pytest.mark.parametrize(
    "document, words",
    [
        ([], "session"),
        ({"session": {"kind": "odd"}}, "session.kind"),
        ({"session": {"startedAt": "soon"}}, "session.startedAt"),
        ({"session": {}, "spans": {}}, "spans"),
        ({"session": {}, "spans": [{"traceId": "ab"}]}, "spans[0].traceId"),
        ({"session": {}, "spans": [{"events": [{"timeUnixNano": "x"}]}]}, "spans[0].events[0].timeUnixNano"),
        ({"session": {}, "spans": [{"status": {"code": "BAD"}}]}, "spans[0].status.code"),
        ({"session": {}, "logs": [{"severityNumber": "high"}]}, "logs[0].severityNumber"),
        ({"session": {}, "logs": [{"resource": 5}]}, "logs[0].resource"),
    ],
)
def test_documents_that_are_none(local, document, words):
    assert words in call(local, "POST", "/import", document, 400)["error"]
    # Nothing of it is kept.
    assert call(local, "GET", "/sessions")["sessions"] == []


def test_comparison(local):
    good, bad = local.start(name="good"), local.start(name="bad")
    buy(local, good)
    buy(local, bad, total=2)
    slow = c.now_ns(-1)
    local.send_spans(c.span(c.manual(good), "GET /slow", slow), c.span(c.manual(good), "gone"), c.span(c.manual(good), "pay"))
    local.send_spans(
        c.span(c.manual(bad), "GET /slow", slow, endTimeUnixNano=str(slow + 50_000_000)),
        c.span(c.manual(bad), "added"),
        c.span(c.manual(bad), "pay", status={"code": 2}),
    )
    seen = call(local, "GET", f"/diff?a={good['_id']}&b={bad['shortId']}")
    assert (seen["a"]["name"], seen["b"]["name"]) == ("good", "bad")
    states = {row["key"]["name"]: row["state"] for row in seen["rows"]}
    assert states == {
        "POST /buy": "content", "GET /slow": "slower", "gone": "missing", "added": "new", "pay": "errors",
        "call stock": "same", "GET /stock": "same", "SELECT": "same",
    }  # fmt: skip
    assert [row["state"] for row in seen["rows"]][:4] == ["errors", "missing", "new", "content"]
    [content] = [row for row in seen["rows"] if row["state"] == "content"]
    assert content["content"] == [{"where": "response body $.total", "a": "1", "b": "2"}]
    assert content["a_span"] == [c.manual(good), "1" * 16] and content["b_span"] == [c.manual(bad), "1" * 16]
    same = call(local, "GET", f"/diff?a={good['_id']}&b={good['_id']}")
    assert {row["state"] for row in same["rows"]} == {"same"}
    assert "b" in call(local, "GET", f"/diff?a={good['_id']}", status=400)["error"]
    assert "abcdabcd" in call(local, "GET", f"/diff?a={good['_id']}&b=abcdabcd", status=404)["error"]


# ---- the recorder itself -------------------------------------------------------------------


def test_processes_and_what_they_tell_of_themselves(local):
    resource = {"service.name": "shop", "process.pid": 42, "host.name": "box", "telemetry.sdk.language": "rust"}
    local.send_spans(c.span("ab" * 16), resource=resource)
    told = {"pid": 42, "service": "shop", "fork": 1, "queued": 3}
    body = c.traces(c.span("ab" * 16), resource=resource)
    reply = expect(200, local.otlp("/v1/traces", body, headers={"mpr-stats": json.dumps(told)}))
    assert reply.headers["mpr-stats"] == "1"
    [process] = call(local, "GET", "/processes")["processes"]
    assert (process["pid"], process["service"], process["host"], process["language"]) == (42, "shop", "box", "rust")
    assert process["requests"] == 2 and process["stats"] == told and process["first"] <= process["last"]
    expect(200, local.otlp("/v1/traces", body, headers={"mpr-stats": "no JSON"}))
    assert call(local, "GET", "/processes")["processes"][0]["stats"] == told


def test_limits(start):
    local = start("--max-bytes", "5MB", "--max-age", "2d")
    limits = call(local, "GET", "/limits")
    assert (limits["manual_max_seconds"], limits["continuous_window_seconds"], limits["span_max_bytes"]) == (630, 130, 1_000_000)
    assert (limits["store_max_bytes"], limits["store_max_age_seconds"]) == (5_000_000, 172_800)
    assert call(local, "GET", "/nothing", status=404)["error"]
