"""What goes to the session API, byte for byte (contract a.1 to a.5), and the bugs of other SDKs that a C library could
have as well (contract b), each with a test of its name."""

import json

import pytest
from driver import KEY, run
from platform_server import Answer

DETAILS = {
    "name": "checkout",
    "comment": "the third try",
    "shortId": "0a1b2c3d",
    "tags": ["plain", {"key": "team", "value": "shop"}, {"key": None, "value": "keyless"}],
    "sessionAttributes": {"cart": 7, "paid": False, "gone": None},
    "resourceAttributes": {"region": "eu", "gone": None},
    "userAttributes": {"zz": 1, "orgName": "Acme", "userName": "ann", "id": "7", "groupId": ""},
}
TAGS = [{"value": "plain"}, {"key": "team", "value": "shop"}, {"value": "keyless"}]
SESSION = {"cart": 7, "paid": False, "comment": "the third try"}
USER_TEXT = '{"type":"USER","id":"7","userName":"ann","orgName":"Acme","zz":1}'


def no_nulls(value):
    if isinstance(value, dict):
        return all(no_nulls(v) for v in value.values())
    return all(no_nulls(v) for v in value) if isinstance(value, list) else value is not None


def assert_rest_headers(requests):
    for request in requests:
        assert request.headers["x-api-key"] == KEY
        assert "authorization" not in request.headers, "the platform takes it for an OAuth token and answers 401"
        if request.body:
            assert request.headers["content-type"] == "application/json"


def test_manual_session(platform):
    result = run(
        platform,
        f"""
        init(service_name="shop", service_version="1.2")
        out["start"] = start(MANUAL, {DETAILS!r})
        out["info"] = info()
        out["trace"] = trace_id()
        out["stop"] = stop({{"sessionAttributes": {{"result": "paid"}}, "comment": "done"}})
    """,
    )
    assert (result["start"], result["stop"]) == ("OK", "OK")
    start, stop = platform.requests
    assert (start.method, start.path) == ("POST", "/v0/radar/debug-sessions/start")
    body = start.json
    assert set(body) == {"name", "tags", "sessionAttributes", "resourceAttributes", "userAttributes"}
    assert (body["name"], body["tags"], body["sessionAttributes"]) == ("checkout", TAGS, SESSION)
    assert body["resourceAttributes"]["region"] == "eu"
    assert body["resourceAttributes"]["service.name"] == "shop"
    assert body["resourceAttributes"]["multiplayer.session-recorder.version"] == "0.1.0"
    assert "packageVersion" not in body["resourceAttributes"]
    assert f'"userAttributes":{USER_TEXT}'.encode() in start.body, "the platform hashes them in this order"
    # `_id` in paths, the short id in trace ids alone.
    (document,) = platform.sessions.values()
    assert (stop.method, stop.path) == ("PATCH", f"/v0/radar/debug-sessions/{document['_id']}/stop")
    assert stop.body == b'{"sessionAttributes":{"result":"paid","comment":"done"}}'
    assert result["info"]["id"] == document["_id"]
    assert result["info"]["shortId"] == document["shortId"]
    assert result["trace"].startswith("debdeb" + document["shortId"])
    assert_rest_headers(platform.requests)


def test_a_stop_without_details_sends_an_empty_object(platform):
    run(platform, "init(); start(); stop()")
    assert platform.of("stop")[0].body == b"{}"


def test_a_session_without_a_name_gets_one(platform):
    result = run(platform, "init(); start(); out['info'] = info()")
    name = platform.of("start")[0].json["name"]
    assert name and name == result["info"]["name"]


def test_other_details_at_the_stop_go_into_an_update_before_it(platform):
    run(
        platform,
        """
        init()
        start(MANUAL, {"resourceAttributes": {"region": "eu", "zone": "a"}})
        stop({"name": "new", "tags": ["x"], "resourceAttributes": {"zone": "b"}, "sessionAttributes": {"k": "v"},
              "userAttributes": {"id": "9"}, "shortId": "0a1b2c3d"})
    """,
    )
    start, update, stop = platform.requests
    assert (update.method, update.path) == ("PATCH", f"/v0/radar/debug-sessions/{start.id or stop.id}")
    body = update.json
    assert set(body) == {"name", "tags", "resourceAttributes", "userAttributes"}
    assert (body["name"], body["tags"]) == ("new", [{"value": "x"}])
    assert body["userAttributes"] == {"type": "USER", "id": "9"}
    # An update replaces the resource wholesale, so what the start sent stands in it again.
    assert body["resourceAttributes"] == {**start.json["resourceAttributes"], "zone": "b"}
    assert stop.json == {"sessionAttributes": {"k": "v"}}
    assert_rest_headers(platform.requests)


def test_cancel_of_a_manual_session(platform):
    result = run(platform, "init(); start(); out['id'] = info()['id']; out['cancel'] = cancel()")
    _, cancel = platform.requests
    assert result["cancel"] == "OK"
    assert (cancel.method, cancel.path, cancel.body) == (
        "DELETE",
        f"/v0/radar/debug-sessions/{result['id']}/cancel",
        b"",
    )
    assert_rest_headers(platform.requests)


def test_continuous_session(platform):
    result = run(
        platform,
        f"""
        init()
        out["start"] = start(CONTINUOUS, {DETAILS!r})
        out["info"], out["trace"] = info(), trace_id()
        out["save"] = save({{"name": "saved", "sessionAttributes": {{"cart": 8}}, "tags": ["late"]}})
        out["saved"] = info()["saved"]
        out["cancel"] = cancel()
    """,
    )
    assert [result[call] for call in ("start", "save", "cancel")] == ["OK"] * 3
    start, save, patch, cancel = platform.requests
    assert (start.method, start.path) == ("POST", "/v0/radar/continuous-debug-sessions/start")
    assert set(start.json) == {"debugSessionData"}
    inner = start.json["debugSessionData"]
    # No tags: the platform's validator and its store want them in two different forms.
    assert set(inner) == {"name", "sessionAttributes", "resourceAttributes", "userAttributes"}
    assert json.dumps(inner["userAttributes"], separators=(",", ":")) == USER_TEXT
    short = result["info"]["shortId"]
    assert result["trace"].startswith("cdbcdb" + short)
    assert result["info"]["type"] == "CONTINUOUS"
    assert (save.method, save.path) == ("POST", f"/v0/radar/continuous-debug-sessions/{short}/save")
    # A save overwrites what the start stored: everything again, the newer laid over it. No tags, no userAttributes.
    assert set(save.json) == {"name", "sessionAttributes", "resourceAttributes"}
    assert save.json["name"] == "saved"
    assert save.json["sessionAttributes"] == {**SESSION, "cart": 8}
    assert save.json["resourceAttributes"] == inner["resourceAttributes"]
    saved = next(document for document in platform.sessions.values() if len(document["_id"]) == 24)
    assert (patch.method, patch.path) == ("PATCH", f"/v0/radar/debug-sessions/{saved['_id']}")
    assert f'"userAttributes":{USER_TEXT}'.encode() in patch.body
    assert patch.json["tags"] == [{"value": "late"}]
    assert (result["saved"]["id"], result["saved"]["url"]) == (saved["_id"], saved["url"])
    assert (cancel.method, cancel.path, cancel.body) == (
        "DELETE",
        f"/v0/radar/continuous-debug-sessions/{short}/cancel",
        b"",
    )
    assert_rest_headers(platform.requests)


def test_a_save_without_tags_or_user_needs_no_update(platform):
    run(platform, "init(); start(CONTINUOUS, {'name': 'n'}); save(); stop()")
    assert [r.route for r in platform.requests] == ["continuous_start", "save", "continuous_cancel"]
    assert platform.of("save")[0].json["name"] == "n"


def test_a_save_keeps_the_type_and_the_order_of_the_user(platform):
    """One person is one end user only as long as the attributes are written alike (contract a.5)."""
    run(
        platform,
        """
        init()
        start(CONTINUOUS, {"userAttributes": {"type": "API_CLIENT", "userName": "ann"}})
        save({"userAttributes": {"id": "7"}})
    """,
    )
    assert platform.of("update")[0].body == b'{"userAttributes":{"type":"API_CLIENT","id":"7","userName":"ann"}}'


def test_remote_check(platform):
    run(
        platform,
        """
        init()
        check_remote({"name": "n", "tags": ["t"], "comment": "c",
                      "sessionAttributes": {"n": 1, "f": 1.5, "b": True, "o": {"k": [1]}, "t": "text"},
                      "resourceAttributes": {"port": 8080}, "userAttributes": {"id": "7"}})
    """,
    )
    (check,) = platform.requests
    assert (check.method, check.path) == ("POST", "/v0/radar/remote-session-recording/check")
    # The conditions there compare text: every value is text. Name and tags are refused there.
    assert set(check.json) == {"sessionAttributes", "resourceAttributes", "userAttributes"}
    assert check.json["sessionAttributes"] == {
        "n": "1",
        "f": "1.5",
        "b": "true",
        "o": '{"k":[1]}',
        "t": "text",
        "comment": "c",
    }
    assert all(isinstance(value, str) for part in check.json.values() for value in part.values())
    assert check.json["resourceAttributes"]["port"] == "8080"
    assert_rest_headers(platform.requests)


def test_a_session_that_the_check_starts_keeps_its_types(platform):
    platform.on("check", Answer(json={"shouldStart": True, "mode": "MANUAL"}))
    run(platform, "init(); check_remote({'sessionAttributes': {'n': 1}})")
    assert platform.of("start")[0].json["sessionAttributes"] == {"n": 1}


# ---- what is refused here, so that the platform need not ----

REFUSED = {
    '{"title": "x"}': "title: no such field; the fields are name, sessionAttributes",
    '{"name": ""}': "name: use text with at least one character",
    '{"name": 7}': "name: use text",
    '{"comment": ""}': "comment: use text",
    '{"tags": "a"}': "tags: use an array",
    '{"tags": [""]}': "tags: a tag is text",
    '{"tags": [{"key": "k"}]}': "tags: a tag is text",
    '{"tags": [{"value": "v", "more": 1}]}': "tags: a tag is text",
    json.dumps({"tags": ["t"] * 33}): "at most 32",
    json.dumps({"tags": ["t" * 201]}): "1 to 200 characters",
    '{"userAttributes": {"type": "VISITOR"}}': "userAttributes.type: use USER or API_CLIENT",
    '{"userAttributes": []}': "userAttributes: use an object",
    '{"sessionAttributes": {"$set": 1}}': "starts with '$'",
    '{"sessionAttributes": {"": 1}}': "a key is empty",
    '{"shortId": "0A1B2C3D"}': "shortId: not a short id; use 8 lower-case hex digits",
    '{"shortId": "0a1b2c3d4e5f6071"}': "shortId: not a short id",
    '{"sessionAttributes": ' + '{"a":' * 300 + "1" + "}" * 301: "recursion",
    '{"sessionAttributes": {"n": 1e999}}': "out of range",
    "[]": "not an object",
    '{"name": "x",\n}': "line 2 column 1",
    "": "not valid JSON",
}


def test_wrong_details_are_refused_before_anything_is_sent(platform):
    result = run(
        platform,
        f"""
        init()
        out["said"] = []
        for text in {list(REFUSED)!r}:
            out["said"].append([start(MANUAL, text), message(), state()])
        out["not_text"] = start(MANUAL, b'{{"name": "\\xff"}}')
        out["kind"] = [start(7), start(-1)]
    """,
    )
    for (status, message, state), (text, part) in zip(result["said"], REFUSED.items()):
        assert (status, state) == ("INVALID_ARGUMENT", "stopped"), text
        assert message.startswith("mpr_start: session_json: ") and part in message, (text, message)
    assert result["not_text"] == "INVALID_ARGUMENT"
    assert result["kind"] == ["INVALID_ARGUMENT"] * 2
    assert platform.requests == []


def test_bad_details_of_a_stop_leave_the_session_running(platform):
    result = run(platform, "init(); start(); out['stop'] = stop('{\"x\": 1}'); out['state'] = state()")
    assert (result["stop"], result["state"]) == ("INVALID_ARGUMENT", "started")


def test_null_is_as_if_not_given(platform):
    run(
        platform,
        """
        init()
        start(MANUAL, {"name": None, "tags": None, "sessionAttributes": None, "userAttributes": None, "comment": None,
                       "resourceAttributes": {"a": None, "b": 1}, "shortId": None})
    """,
    )
    body = platform.of("start")[0].json
    assert set(body) == {"name", "resourceAttributes"} and body["name"]
    assert body["resourceAttributes"]["b"] == 1 and no_nulls(body)


def test_odd_texts_arrive_as_they_are(platform):
    run(
        platform,
        """
        init()
        start(MANUAL, {"name": "naïve \\u2028 \\U0001f600 \\" \\\\ </script>",
                       "sessionAttributes": {"a.b": {"c": [1, "x"]}}})
    """,
    )
    body = platform.of("start")[0].json
    assert body["name"] == 'naïve \u2028 \U0001f600 " \\ </script>'
    assert body["sessionAttributes"] == {"a.b": {"c": [1, "x"]}}


def test_a_base_url_with_a_path_or_a_slash_at_its_end(platform):
    run(platform, f"init(api_base_url={platform.url + '/'!r}); start(); shutdown()")
    assert platform.requests[0].path == "/v0/radar/debug-sessions/start"


# ---- contract b, by number: what other SDKs get wrong ----

BOTH = pytest.mark.parametrize("kind", ["MANUAL", "CONTINUOUS"])


def test_b1_continuous_start_is_wrapped(platform):
    run(platform, "init(); start(CONTINUOUS); stop()")
    assert list(platform.of("continuous_start")[0].json) == ["debugSessionData"]


def test_b2_b3_b4_the_remote_check_is_asked_right_and_understood(platform):
    platform.on("check", Answer(json={"shouldStart": True, "mode": "CONTINUOUS", "recordingOptions": {}}))
    result = run(platform, "init(); out['check'] = check_remote(); out['info'] = info()")
    assert (result["check"], result["info"]["state"], result["info"]["type"]) == ("OK", "started", "CONTINUOUS")
    assert [r.route for r in platform.requests][:2] == ["check", "continuous_start"]


def test_b5_a_check_that_fails_is_an_error_and_no_crash(platform):
    platform.on("check", Answer(404, {"Content-Type": "text/html"}, b"Not found"))
    result = run(platform, "init(); out['check'] = check_remote(); out['state'] = state()")
    assert (result["check"], result["state"]) == ("REJECTED", "stopped")


@pytest.mark.parametrize("call,route", [("stop", "stop"), ("cancel", "cancel")])
def test_b6_a_refused_end_is_not_taken_for_success(platform, call, route):
    platform.on(route, Answer(409, json={"statusCode": 409, "message": '"body.x" is not allowed', "status": "Error"}))
    result = run(platform, f"init(); start(); out['end'] = {call}(); out['said'] = message()")
    assert result["end"] == "REJECTED" and '"body.x" is not allowed' in result["said"]


def test_b6_a_refused_save_is_not_taken_for_success(platform):
    platform.on("save", Answer(409, json={"statusCode": 409, "message": '"body.x" is not allowed', "status": "Error"}))
    result = run(platform, "init(); start(CONTINUOUS); out['save'] = save(); out['state'] = state()")
    assert (result["save"], result["state"]) == ("REJECTED", "started")


def test_b7_a_stop_of_a_continuous_session_ends_it_there(platform):
    result = run(platform, "init(); start(CONTINUOUS); out['stop'] = stop(); out['state'] = state()")
    assert (result["stop"], result["state"]) == ("OK", "stopped")
    assert platform.requests[-1].route == "continuous_cancel"


def test_b8_a_continuous_start_uses_the_answers_short_id(platform):
    result = run(platform, "init(); start(CONTINUOUS); out['id'] = trace_id(); out['save'] = save()")
    (first, *_) = platform.sessions
    assert result["id"].startswith("cdbcdb" + first) and result["save"] == "OK"


@BOTH
def test_b9_b20_b26_every_root_span_of_a_session_carries_it(platform, kind):
    result = run(
        platform,
        f"""
        init()
        start({kind})
        out["short"] = info()["shortId"]
        spans = [Span().end() for _ in range(50)]
        child = Span("child", parent=spans[0]).end()
        out["ids"], out["child"] = [s.trace_id for s in spans], child.trace_id
        out["flags"] = [s.context.trace_flags for s in spans]
        stop()
    """,
    )
    prefix = {"MANUAL": "debdeb", "CONTINUOUS": "cdbcdb"}[kind] + result["short"]
    assert all(id.startswith(prefix) for id in result["ids"]) and len(set(result["ids"])) == 50
    assert result["child"] == result["ids"][0]
    assert set(result["flags"]) == {1}
    # 16 raw bytes, not their text.
    assert {s["trace_id"] for s in platform.spans} == set(result["ids"])


@BOTH
def test_b10_b23_a_sessions_traces_are_kept_whatever_the_ratio(platform, kind):
    run(platform, f"init(sample_ratio=0); start({kind}); [Span().end() for _ in range(50)]; stop()")
    assert len(platform.spans) == 50


def test_b11_b12_what_a_session_records_is_exported_and_the_session_stopped(platform):
    result = run(platform, "init(); start(MANUAL); Span('one').end(); out['stop'] = stop()")
    assert result["stop"] == "OK" and platform.span("one")
    assert [r.route for r in platform.requests] == ["start", "traces", "stop"]


def test_b13_b14_short_ids_are_the_platforms_eight_hex_digits(platform):
    document = {"_id": "a" * 24, "shortId": "00000001"}
    platform.on("start", Answer(json=document))
    result = run(platform, "init(); start(MANUAL, {'shortId': 'ffffffff'}); out['id'] = trace_id()")
    assert result["id"].startswith("debdeb00000001")


@BOTH
def test_b15_a_short_id_is_never_sent(platform, kind):
    run(platform, f"init(); start({kind}, {{'shortId': 'fedcba98'}}); stop({{'shortId': 'fedcba98'}})")
    assert all(b"fedcba98" not in r.raw_body and "fedcba98" not in r.path for r in platform.requests)


def test_b16_a_stop_sends_only_session_attributes(platform):
    run(platform, "init(); start(); stop({'name': 'n', 'tags': ['t'], 'comment': 'c', 'resourceAttributes': {'r': 1}})")
    assert platform.of("stop")[0].json == {"sessionAttributes": {"comment": "c"}}


def test_b17_a_tag_without_a_key_has_no_key(platform):
    run(platform, "init(); start(MANUAL, {'tags': ['a', {'value': 'b'}, {'key': None, 'value': 'c'}]})")
    assert platform.of("start")[0].json["tags"] == [{"value": "a"}, {"value": "b"}, {"value": "c"}]


def test_b18_a_continuous_session_sends_its_tags_only_to_what_was_saved(platform):
    run(platform, "init(); start(CONTINUOUS, {'tags': ['a']}); save(); stop()")
    assert [r.route for r in platform.requests if b'"tags"' in r.body] == ["update"]


@pytest.mark.parametrize("tags", [None, [], [{"value": "a"}], ["a"], {"a": "b"}])
def test_b19_whatever_stands_in_the_answers_tags_the_start_succeeds(platform, tags):
    platform.on(
        "start",
        Answer(json={"_id": "a" * 24, "shortId": "0a1b2c3d", "tags": tags, "userAttributes": None, "url": None}),
    )
    result = run(platform, "init(); out['start'] = start(MANUAL, {'tags': ['a']}); out['info'] = info()")
    assert result["start"] == "OK" and "url" not in result["info"]


def test_b21_logs_go_to_the_logs_intake(platform):
    run(platform, "init(); start(); write_log('one'); Span('two').end(); stop()")
    assert [r["body"] for r in platform.logs] == ["one"] and [s["name"] for s in platform.spans] == ["two"]


def test_b22_the_intake_gets_the_raw_key(platform):
    run(platform, "init(); start(); write_log(); Span().end(); stop()")
    for request in platform.of("traces", "logs"):
        assert request.headers["authorization"] == KEY


@BOTH
def test_b24_bodies_are_masked_in_every_kind_of_session(platform, kind):
    run(
        platform,
        f"""
        init()
        start({kind})
        span = Span("s")
        span.body(MPR_PAYLOAD_HTTP_REQUEST, b"Content-Type: application/json\\r\\nAuthorization: Bearer abcdef",
                  b'{{"PassWord": "hunter2", "user": "ann"}}')
        span.end()
        stop()
    """,
    )
    attributes = platform.span("s")["attributes"]
    assert "hunter2" not in str(attributes) and "abcdef" not in str(attributes)
    assert json.loads(attributes["multiplayer.http.request.body"])["user"] == "ann"
    # b25: headers are JSON once.
    assert isinstance(json.loads(attributes["multiplayer.http.request.headers"]), dict)


def test_b28_spans_of_no_session_are_not_sent(platform):
    result = run(platform, "init(); start(); stop(); Span('other').end(); flush()")
    assert platform.spans == [] and result.stats["accepted"] == 0


def test_b29_the_key_is_in_no_message_even_when_the_server_echoes_it(platform):
    platform.on("start", Answer(401, json={"message": f"bad key {KEY}"}))
    platform.on("start", Answer(409, body=f'{{"message": "X-Api-Key: {KEY}"}}'.encode()))
    # driver.py looks for the key in everything that the scenario says.
    result = run(platform, "init(); out['start'] = [start(), start()]; out['said'] = message()")
    assert result["start"] == ["UNAUTHORIZED", "REJECTED"] and "X-Api-Key: ***" in result["said"]


def test_b30_logs_of_a_continuous_session_carry_its_id(platform):
    result = run(platform, "init(); start(CONTINUOUS); out['short'] = info()['shortId']; write_log('one'); stop()")
    assert platform.logs[0]["attributes"]["multiplayer.session.id"] == result["short"]


def test_a_password_in_the_base_url_is_in_no_message(platform):
    platform.on("start", Answer(409), Answer(close=True))
    url = platform.url.replace("://", "://user:pass-77ab@")
    result = run(
        platform,
        f"""
        try:
            out["init"] = init(api_base_url="{url}", traces_endpoint="{url}/v1/traces")
            out["start"] = [start() for _ in range(3)]
        except AssertionError:
            pass  # an address that is refused
    """,
    )
    assert "pass-77ab" not in str(result.messages) + str(result.log)


def test_a_host_name_in_a_message_is_not_taken_for_the_key(platform):
    """The local recorder takes any word as a key, so a message must stay readable when the word is a common one."""
    result = run(
        platform,
        """
        init(api_base_url="http://localhost:1")
        out["start"], out["said"] = start(), message().replace("local", "L")
        """,
        key="local",
    )
    assert result["start"] == "NETWORK" and "Lhost:1" in result["said"]
