"""What the platform refuses is refused with the same status and the same words."""

import gzip
import json

import pytest
from local_recorder import expect, jwt

SOME_ID = "a" * 24
GENERIC = "An error occurred. We are looking into it."


def assert_refused(reply, status, message, name):
    assert reply.status == status, reply.text
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert reply.json == {"statusCode": status, "message": message, "status": name}


# ---- who may speak ---------------------------------------------------------------------

CALLS = [
    ("POST", "/debug-sessions/start"),
    ("PATCH", f"/debug-sessions/{SOME_ID}/stop"),
    ("DELETE", f"/debug-sessions/{SOME_ID}/cancel"),
    ("PATCH", f"/debug-sessions/{SOME_ID}"),
    ("GET", f"/debug-sessions/{SOME_ID}"),
    ("POST", "/debug-sessions/error-span/start"),
    ("POST", f"/debug-sessions/{SOME_ID}/rrweb-events"),
    ("POST", "/continuous-debug-sessions/start"),
    ("POST", "/continuous-debug-sessions/abcdabcd/save"),
    ("DELETE", "/continuous-debug-sessions/abcdabcd/cancel"),
    ("GET", "/continuous-debug-sessions/abcdabcd"),
    ("POST", "/remote-session-recording/check"),
    ("POST", "/metrics/gauge"),
]


@pytest.mark.parametrize("method, path", CALLS)
def test_no_key(local, method, path):
    reply = local.api(method, path, key=None)
    assert_refused(reply, 401, "Authorization failed", "Unauthorized")


def test_bearer_is_refused_beside_a_good_key(local):
    for word in ("Bearer", "bearer"):
        headers = {"Authorization": f"{word} local"}
        reply = local.api("POST", "/debug-sessions/start", {}, headers=headers)
        assert_refused(reply, 401, "Authorization failed", "Unauthorized")
    headers = {"Authorization": "local"}
    expect(200, local.api("POST", "/debug-sessions/start", {}, headers=headers))


def test_keys(local):
    for bad in ("two words", jwt(type="OTEL", exp=1_600_000_000)):
        reply = local.api("POST", "/debug-sessions/start", {}, key=bad)
        assert_refused(reply, 401, "", "Unauthorized")
    reply = local.api("POST", "/debug-sessions/start", {}, key="")
    assert_refused(reply, 401, "Authorization failed", "Unauthorized")
    for good in ("x", "local", "a.b.c", jwt(type="API_KEY"), jwt(type="OTEL", exp=4_000_000_000)):
        expect(200, local.api("POST", "/debug-sessions/start", {}, key=good))


def test_workspace_and_project_come_from_the_key(local):
    key = jwt(type="OTEL", workspace="1" * 24, project="2" * 24)
    session = expect(200, local.api("POST", "/debug-sessions/start", {}, key=key)).json
    assert (session["workspace"], session["project"]) == ("1" * 24, "2" * 24)


# ---- routes and bodies -----------------------------------------------------------------


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/v0/radar/remote-debug-session/check"),
        ("POST", "/v0/radar/debug-sessions"),
        ("PUT", "/v0/radar/debug-sessions/start"),
        ("PATCH", "/v0/radar/continuous-debug-sessions/abcdabcd/stop"),
        ("GET", "/v0/radar/nothing"),
        ("GET", "/v0/radar"),
        ("GET", "/nothing"),
    ],
)
def test_unknown_route(local, method, path):
    reply = local.request(method, path)
    assert (reply.status, reply.text) == (404, "Not found")
    assert reply.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("body", ["{", "nonsense", '"text"', "1", "null", " ", '{"a":1}x'])
def test_malformed_json(local, body):
    headers = {"X-Api-Key": "local", "Content-Type": "application/json"}
    reply = local.request("POST", "/v0/radar/debug-sessions/start", body, headers)
    assert_refused(reply, 400, GENERIC, "InternalServerError")


def test_malformed_json_comes_before_the_key(local):
    headers = {"Content-Type": "application/json; charset=utf-8"}
    reply = local.request("POST", "/v0/radar/debug-sessions/start", "{", headers)
    assert_refused(reply, 400, GENERIC, "InternalServerError")


def test_what_is_not_declared_json_is_no_body(local):
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        headers = {"X-Api-Key": "local"} | ({"Content-Type": kind} if kind else {})
        body = json.dumps({"unknown": 1})
        expect(200, local.request("POST", "/v0/radar/debug-sessions/start", body, headers))
    headers = {"X-Api-Key": "local", "Content-Type": "application/json"}
    expect(200, local.request("POST", "/v0/radar/debug-sessions/start", b"", headers))


def test_compressed_body(local):
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json", "X-Api-Key": "local"}
    body = gzip.compress(b'{"name":"small"}')
    reply = local.request("POST", "/v0/radar/debug-sessions/start", body, headers)
    assert expect(200, reply).json["name"] == "small"


# ---- validation ------------------------------------------------------------------------

START, STOP = ("POST", "/debug-sessions/start"), ("PATCH", f"/debug-sessions/{SOME_ID}/stop")
UPDATE, CANCEL = ("PATCH", f"/debug-sessions/{SOME_ID}"), ("DELETE", f"/debug-sessions/{SOME_ID}/cancel")
CONTINUOUS, SAVE = ("POST", "/continuous-debug-sessions/start"), ("POST", "/continuous-debug-sessions/abcdabcd/save")
CONTINUOUS_CANCEL = ("DELETE", "/continuous-debug-sessions/abcdabcd/cancel")
CHECK, GAUGE = ("POST", "/remote-session-recording/check"), ("POST", "/metrics/gauge")
RRWEB, ERROR_SPAN = ("POST", f"/debug-sessions/{SOME_ID}/rrweb-events"), ("POST", "/debug-sessions/error-span/start")
USER = {"type": "USER"}
SPAN = {"traceId": "x", "spanId": "x", "name": "x", "kind": 1, "status": {}}

# Every message as Joi 17.10.0 words it for the platform's schemas.
INVALID = [
    (START, {"colour": 1}, '"body.colour" is not allowed'),
    (START, {"shortId": "abcdabcd"}, '"body.shortId" is not allowed'),
    (START, {"name": ""}, '"body.name" is not allowed to be empty'),
    (START, {"name": None}, '"body.name" must be a string'),
    (START, {"name": 1}, '"body.name" must be a string'),
    (START, {"x": 1, "name": 1}, '"body.name" must be a string'),
    (START, [], '"body" must be of type object'),
    (START, {"tags": {}}, '"body.tags" must be an array'),
    (START, {"tags": ["plain"]}, '"body.tags[0]" must be of type object'),
    (START, {"tags": [{"key": "a"}]}, '"body.tags[0].value" is required'),
    (START, {"tags": [{"key": None, "value": "a"}]}, '"body.tags[0].key" must be a string'),
    (START, {"tags": [{"value": "a", "b": 1}]}, '"body.tags[0].b" is not allowed'),
    (START, {"tags": [{"value": "ok"}, {"value": "x" * 201}]},
     '"body.tags[1].value" length must be less than or equal to 200 characters long'),
    (START, {"tags": [{"value": "a"}] * 33}, '"body.tags" must contain less than or equal to 32 items'),
    (START, {"tags": [{}] * 33}, '"body.tags[0].value" is required'),
    (START, {"sessionAttributes": None}, '"body.sessionAttributes" must be of type object'),
    (START, {"sessionAttributes": "{}"}, '"body.sessionAttributes" must be of type object'),
    (START, {"resourceAttributes": []}, '"body.resourceAttributes" must be of type object'),
    (START, {"workspace": "zz"}, '"body.workspace" must only contain hexadecimal characters'),
    (START, {"workspace": "aa"}, '"body.workspace" length must be 24 characters long'),
    (START, {"userMetadata": {"email": "x"}}, '"body.userMetadata.email" must be a valid email'),
    (START, {"userMetadata": {"notifyOnUpdates": "x"}}, '"body.userMetadata.notifyOnUpdates" must be a boolean'),
    (START, {"userMetadata": {"comment": ""}}, '"body.userMetadata.comment" is not allowed to be empty'),
    (STOP, {"name": "x"}, '"body.name" is not allowed'),
    (STOP, {"tags": []}, '"body.tags" is not allowed'),
    (STOP, {"resourceAttributes": {}}, '"body.resourceAttributes" is not allowed'),
    (STOP, {"stoppedAt": "soon"}, '"body.stoppedAt" must be a valid date'),
    (STOP, {"stoppedAt": None}, '"body.stoppedAt" must be a valid date'),
    (UPDATE, {"startedAt": 1}, '"startedAt" missing required peer "stoppedAt"'),
    (UPDATE, {"stoppedAt": 1}, '"stoppedAt" missing required peer "startedAt"'),
    (UPDATE, {"startedAt": "", "stoppedAt": 1}, '"body.startedAt" must be a valid date'),
    (UPDATE, {"startedAt": 1, "stoppedAt": 1e18}, '"body.stoppedAt" must be a valid date'),
    (UPDATE, {"x": 1, "startedAt": 5}, '"body.x" is not allowed'),
    (UPDATE, {"tags": ["plain"]}, '"body.tags[0]" must be of type object'),
    (CANCEL, {"why": "x"}, '"body.why" is not allowed'),
    (RRWEB, {"events": [{}]}, '"body.events[0].event" is required'),
    (RRWEB, {"events": [{"event": 1}]}, '"body.events[0].event" must be one of [string, object]'),
    (RRWEB, {"events": [{"event": ""}]}, '"body.events[0].event" is not allowed to be empty'),
    (RRWEB, {"events": [{"event": "a", "eventType": "x"}]}, '"body.events[0].eventType" must be a number'),
    (ERROR_SPAN, {}, '"body.span" is required'),
    (ERROR_SPAN, {"span": {}}, '"body.span.traceId" is required'),
    (ERROR_SPAN, {"span": {**SPAN, "startTimeUnixNano": "1"}}, '"body.span.startTimeUnixNano" is not allowed'),
    (CONTINUOUS, {"name": "flat"}, '"body.name" is not allowed'),
    (CONTINUOUS, {"debugSessionData": []}, '"body.debugSessionData" must be of type object'),
    (CONTINUOUS, {"debugSessionData": {"tags": [{"value": "a"}]}}, '"body.debugSessionData.tags[0]" must be a string'),
    (CONTINUOUS, {"debugSessionData": {"tags": [""]}}, '"body.debugSessionData.tags[0]" is not allowed to be empty'),
    (CONTINUOUS, {"debugSessionData": {"userMetadata": {}}}, '"body.debugSessionData.userMetadata" is not allowed'),
    (SAVE, {"tags": [{"value": "a"}]}, '"body.tags[0]" must be a string'),
    (SAVE, {"userAttributes": USER}, '"body.userAttributes" is not allowed'),
    (SAVE, {"name": ""}, '"body.name" is not allowed to be empty'),
    (CONTINUOUS_CANCEL, {"x": 1}, '"body.x" is not allowed'),
    (CHECK, {"name": "x"}, '"body.name" is not allowed'),
    (CHECK, {"tags": []}, '"body.tags" is not allowed'),
    (GAUGE, {}, '"body" must be an array'),
    (GAUGE, [], '"body" must contain at least 1 items'),
    (GAUGE, [{}], '"body[0].userAttributes" is required'),
    (GAUGE, [{"userAttributes": {"type": "x"}}],
     '"body[0].userAttributes.type" must be one of [USER, VISITOR, API_CLIENT]'),
    (GAUGE, [{"userAttributes": USER, "MetricName": "q"}],
     '"body[0].MetricName" must be one of [session_recording_rate, '
     "session_recording_with_error_rate, issue_rate, end_user_activity]"),
    (GAUGE, [{"userAttributes": USER, "MetricName": "issue_rate", "Attributes": {"a": 1}}],
     '"body[0].Attributes.a" must be a string'),
    (GAUGE, [{"userAttributes": USER, "MetricName": "issue_rate", "Value": "z"}], '"body[0].Value" must be a number'),
]


@pytest.mark.parametrize("call, body, message", INVALID)
def test_invalid_body(local, call, body, message):
    assert_refused(local.api(*call, body), 409, message, "Error")


@pytest.mark.parametrize("id", ["a" * 7, "a" * 9, "a" * 23, "a" * 25, "z" * 24, "start", "%2e"])
@pytest.mark.parametrize("method, tail", [("GET", ""), ("PATCH", ""), ("PATCH", "/stop"), ("DELETE", "/cancel")])
def test_invalid_id(local, id, method, tail):
    reply = local.api(method, f"/debug-sessions/{id}{tail}", None if method == "GET" else {})
    message = '"params.debugSessionId" does not match any of the allowed types'
    assert_refused(reply, 409, message, "Error")


@pytest.mark.parametrize("method, tail", [("GET", ""), ("PATCH", ""), ("PATCH", "/stop"), ("DELETE", "/cancel")])
def test_sixteen_characters_pass_and_then_break(local, method, tail):
    reply = local.api(method, f"/debug-sessions/{'a' * 16}{tail}")
    assert_refused(reply, 500, GENERIC, "InternalServerError")


@pytest.mark.parametrize("id", ["a" * 24, "a" * 8])
@pytest.mark.parametrize(
    "method, tail", [("GET", ""), ("PATCH", ""), ("PATCH", "/stop"), ("DELETE", "/cancel"), ("POST", "/rrweb-events")]
)
def test_unknown_session(local, id, method, tail):
    reply = local.api(method, f"/debug-sessions/{id}{tail}")
    assert_refused(reply, 404, "Debug-Session not found", "NotFound")


def test_unknown_continuous_session(local):
    for call in (("POST", "/continuous-debug-sessions/abcdabcd/save"), ("GET", "/continuous-debug-sessions/any")):
        assert_refused(local.api(*call), 404, "Continuous debug session not found", "NotFound")
    assert local.api("DELETE", "/continuous-debug-sessions/abcdabcd/cancel").status == 204


# ---- what passes validation and breaks behind it -----------------------------------------


@pytest.mark.parametrize("user", [{"type": "x"}, {}, {"name": "x"}, 3, "x", [1], {"type": "VISITOR"}])
def test_end_users_the_database_does_not_know(local, user):
    assert_refused(local.api(*START, {"userAttributes": user}), 500, GENERIC, "InternalServerError")
    id = local.start()["_id"]
    reply = local.api("PATCH", f"/debug-sessions/{id}", {"userAttributes": user})
    assert_refused(reply, 500, GENERIC, "InternalServerError")


@pytest.mark.parametrize("user", [None, {"type": "USER", "id": "7", "plan": "gold"}, {"type": "API_CLIENT"}])
def test_good_end_users(local, user):
    assert local.start(userAttributes=user)["userAttributes"] == user


def test_continuous_start_without_the_wrapper(local):
    assert_refused(local.api(*CONTINUOUS, {}), 500, GENERIC, "InternalServerError")
    assert_refused(local.api(*CONTINUOUS), 500, GENERIC, "InternalServerError")


def test_text_tags_break_a_save(local):
    short_id = local.start_continuous(tags=["a"])["shortId"]
    reply = local.api("POST", f"/continuous-debug-sessions/{short_id}/save", {"tags": ["a"]})
    assert_refused(reply, 500, GENERIC, "InternalServerError")
    kinds = [s["kind"] for s in local.request("GET", "/api/sessions").json["sessions"]]
    assert kinds == ["continuous"]
    assert local.save(short_id, tags=[])["tags"] == []
