"""Every answer that a server can give: the status and message that the host gets, and the state afterwards."""

import json
import threading

import pytest
from driver import KEY, launch, run
from platform_server import Answer, PlatformServer

ID = "64b000000000000000000001"
GOOD = {"_id": ID, "shortId": "0a1b2c3d", "name": "n", "tags": None, "url": "http://x/s"}
JUNK = Answer(200, {"Content-Type": "text/html"}, b"<html>log in first</html>")


def refusal(status, message="no reason"):
    return Answer(status, json={"statusCode": status, "message": message, "status": "Error"})


#: answer → status, a part of the message
START = {
    "junk": (JUNK, "REJECTED", "not JSON; is api_base_url right?"),
    "a JSON list": (Answer(json=[1]), "REJECTED", "the answer has no usable "),
    "204": (Answer(204), "REJECTED", "the answer has no usable "),
    "no _id": (Answer(json={"shortId": "0a1b2c3d"}), "REJECTED", "no usable '_id'"),
    "_id null": (Answer(json={**GOOD, "_id": None}), "REJECTED", "no usable '_id'"),
    "_id a number": (Answer(json={**GOOD, "_id": 7}), "REJECTED", "no usable '_id'"),
    "_id a path": (Answer(json={**GOOD, "_id": "../x"}), "REJECTED", "no usable '_id'"),
    "_id empty": (Answer(json={**GOOD, "_id": ""}), "REJECTED", "no usable '_id'"),
    "no shortId": (Answer(json={"_id": ID}), "REJECTED", "no usable 'shortId'"),
    "shortId upper case": (Answer(json={**GOOD, "shortId": "0A1B2C3D"}), "REJECTED", "no usable 'shortId'"),
    "shortId too long": (Answer(json={**GOOD, "shortId": "0a1b2c3d4e"}), "REJECTED", "no usable 'shortId'"),
    "shortId a number": (Answer(json={**GOOD, "shortId": 12345678}), "REJECTED", "no usable 'shortId'"),
    "too deep": (Answer(200, {}, b'{"a":' * 100_000), "REJECTED", "not JSON"),
    "not UTF-8": (Answer(200, {}, b'{"_id": "\xff"}'), "REJECTED", "not JSON"),
    "400": (refusal(400, "An error occurred."), "REJECTED", "HTTP 400): An error occurred."),
    "401": (
        refusal(401, "Authorization failed"),
        "UNAUTHORIZED",
        "the API key was refused (HTTP 401): Authorization failed",
    ),
    "401 without a word": (refusal(401, ""), "UNAUTHORIZED", "the API key was refused (HTTP 401)"),
    "403": (refusal(403), "UNAUTHORIZED", "the API key was refused (HTTP 403)"),
    "404": (Answer(404, body=b"Not found"), "REJECTED", "HTTP 404"),
    "409": (refusal(409, '"body.x" is not allowed'), "REJECTED", '(HTTP 409): "body.x" is not allowed'),
    "409 with a long message": (refusal(409, "m\n" * 9999), "REJECTED", "HTTP 409"),
    "500": (refusal(500), "REJECTED", "HTTP 500"),
    "502": (Answer(502, body=b"<html>nginx"), "NETWORK", "not available (HTTP 502)"),
    "503": (Answer(503), "NETWORK", "not available (HTTP 503)"),
    "504": (Answer(504), "NETWORK", "not available (HTTP 504)"),
    "redirect": (
        Answer(302, {"Location": "/v0/radar/debug-sessions/start"}),
        "REJECTED",
        "redirects; set api_base_url",
    ),
    "closes": (Answer(close=True), "NETWORK", "cannot be reached"),
    "resets": (Answer(reset=True), "NETWORK", "cannot be reached"),
    "not HTTP": (Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n"), "NETWORK", "cannot be reached"),
    "cut": (Answer(json=GOOD, cut=10), "NETWORK", "broke off"),
    "huge": (Answer(huge=10_000_000), "REJECTED", "not JSON"),
}


@pytest.mark.parametrize("name", START)
def test_start(platform, name):
    answer, status, said = START[name]
    platform.on("start", answer)
    result = run(
        platform,
        """
        init()
        out["start"], out["said"], out["info"], out["trace"] = start(), message(), info(), trace_id()
        # A failed start leaves a recorder that can start.
        out["again"] = start()
    """,
    )
    assert result["start"] == status and said in result["said"], result["said"]
    assert "\n" not in result["said"] and len(result["said"]) < 600
    assert result["info"] == {"state": "stopped", "endedBy": "failed_start"}
    assert not result["trace"].startswith(("debdeb", "cdbcdb"))
    assert result["again"] == "OK"
    # A POST that may have reached the server is not repeated; a start makes a session each time.
    assert len(platform.of("start")) == 2


@pytest.mark.parametrize("name", ["hang", "drip", "late"])
def test_a_start_that_takes_too_long(platform, name):
    slow = {"hang": Answer(hang=True), "drip": Answer(json=GOOD, drip=0.2), "late": Answer(json=GOOD, delay=2)}[name]
    platform.on("start", slow)
    result = run(
        platform,
        """
        init(timeout_ms=400)
        (out["start"], out["ms"]), out["said"], out["state"] = timed(start), message(), state()
    """,
    )
    assert result["start"] == "TIMEOUT" and "no answer" in result["said"]
    assert 350 <= result["ms"] < 1000 and result["state"] == "stopped"
    assert len(platform.of("start")) == 1


def test_a_server_that_is_down_is_tried_again(platform):
    platform.close()
    result = run(platform, "init(); (out['start'], out['ms']), out['said'] = timed(start), message()")
    assert result["start"] == "NETWORK" and f"127.0.0.1:{platform.port}" in result["said"]
    assert 100 <= result["ms"] < 3000


def test_a_start_that_did_not_reach_the_server_is_repeated():
    """Refused connections are safe to try again: the first attempts meet no server, a later one does."""
    with PlatformServer() as first:
        port = first.port
    with PlatformServer() as unused:
        running = launch(
            unused,
            f"""
            init(api_base_url="http://127.0.0.1:{port}", timeout_ms=5000)
            tell("starting")
            out["start"] = start()
        """,
        )
        running.wait_for("starting")
        # Two repeats within 400 ms: the server must be there before the last of them.
        with PlatformServer(port=port) as late:
            assert running.result()["start"] == "OK"
            assert len(late.of("start")) == 1


def test_an_idempotent_call_is_repeated_after_a_gateways_error(platform):
    platform.on("stop", Answer(503), Answer(reset=True))
    result = run(platform, "init(); start(); out['stop'] = stop()")
    assert result["stop"] == "OK" and len(platform.of("stop")) == 3


def test_a_save_is_not_repeated(platform):
    platform.on("save", Answer(503))
    result = run(platform, "init(); start(CONTINUOUS); out['save'] = [save(), save()]; out['state'] = state()")
    assert result["save"] == ["NETWORK", "OK"] and result["state"] == "started"
    assert len(platform.of("save")) == 2


def test_repeats_come_to_an_end(platform):
    platform.always("cancel", Answer(502))
    result = run(platform, "init(); start(); out['cancel'], out['ms'] = timed(cancel); out['state'] = state()")
    assert (result["cancel"], result["state"]) == ("NETWORK", "stopped")
    assert len(platform.of("cancel")) == 3 and result["ms"] < 3000


#: an answer to an end → its status; the recorder is stopped in any case
ENDS = {
    "204": (Answer(204), "OK"),
    "empty": (Answer(200), "OK"),
    "nulls": (Answer(json={"_id": None, "tags": None}), "OK"),
    "junk": (JUNK, "REJECTED"),
    "401": (refusal(401), "UNAUTHORIZED"),
    "404 is ended already": (refusal(404, "Debug-Session not found"), "OK"),
    "409": (refusal(409, "why not"), "REJECTED"),
    "500": (refusal(500), "REJECTED"),
    "redirect": (Answer(307, {"Location": "/elsewhere"}), "REJECTED"),
    "huge": (Answer(huge=10_000_000), "REJECTED"),
    "hang": (Answer(hang=True), "TIMEOUT"),
}


@pytest.mark.parametrize("end", ["stop", "cancel", "continuous_cancel"])
def test_ends(platform, end):
    """All answers one after the other in one process: each end leaves a recorder that can start again."""
    for answer, _ in ENDS.values():
        platform.on(end, answer)
    kind, call = ("CONTINUOUS", "stop") if end == "continuous_cancel" else ("MANUAL", end)
    result = run(
        platform,
        f"""
        init(timeout_ms=500)
        out["ends"] = []
        for _ in range({len(ENDS)}):
            assert start({kind}) == "OK", message()
            out["ends"].append([{call}(), state(), info()["endedBy"], trace_id()[:6] in ("debdeb", "cdbcdb")])
    """,
    )
    for (name, (_, status)), found in zip(ENDS.items(), result["ends"]):
        assert found == [status, "stopped", call, False], name


def test_the_platforms_message_is_shown(platform):
    platform.on("stop", refusal(409, '"body.name" is not allowed'))
    result = run(platform, "init(); start(); stop(); out['said'] = message()")
    assert result["said"].endswith('the platform refused the request (HTTP 409): "body.name" is not allowed')


def test_a_lost_update_does_not_cost_the_stop(platform):
    platform.on("update", refusal(500))
    result = run(platform, "init(); start(); out['stop'] = stop({'name': 'x'})")
    assert result["stop"] == "OK" and len(platform.of("stop")) == 1
    assert any("details given at the stop were lost" in line for line in result.log)


def test_an_update_that_hangs_does_not_cost_the_stop(platform):
    """The details are worth less than the end of the session, which would stay open at the platform."""
    platform.on("update", Answer(hang=True))
    result = run(platform, "init(timeout_ms=1000); start(); out['stop'] = stop({'name': 'x'}); out['state'] = state()")
    assert len(platform.of("stop")) == 1 and result["state"] == "stopped"


def test_an_intake_that_hangs_does_not_cost_the_stop(platform):
    platform.always("traces", Answer(hang=True))
    result = run(
        platform,
        """
        init(timeout_ms=1000)
        start()
        Span().end()
        (out["stop"], out["ms"]), out["shutdown_early"] = timed(stop), shutdown(100)
    """,
    )
    assert (result["stop"], result["shutdown_early"]) == ("OK", "TIMEOUT") and result["ms"] < 1500
    assert len(platform.of("stop")) == 1


SAVES = {
    "no _id": (Answer(json={}), "REJECTED"),
    "204": (Answer(204), "REJECTED"),
    "_id a path": (Answer(json={"_id": "../../elsewhere", "url": "u"}), "REJECTED"),
    "404": (refusal(404, "Continuous debug session not found"), "REJECTED"),
    "500": (refusal(500), "REJECTED"),
    "401": (refusal(401), "UNAUTHORIZED"),
}


@pytest.mark.parametrize("name", SAVES)
def test_save(platform, name):
    """The session goes on whatever happens to a save; nothing is called saved that cannot be found again."""
    answer, status = SAVES[name]
    platform.on("save", answer)
    result = run(
        platform,
        """
        init()
        start(CONTINUOUS, {"tags": ["t"]})
        out["save"], out["info"] = save(), info()
    """,
    )
    assert (result["save"], result["info"]["state"]) == (status, "started")
    assert "saved" not in result["info"]
    assert platform.of("update") == [], "a PATCH to an id that the platform cannot have given"


def test_nulls_in_the_answer_of_a_save(platform):
    platform.on("save", Answer(json={"_id": ID, "shortId": None, "tags": None, "url": None, "userAttributes": None}))
    result = run(platform, "init(); start(CONTINUOUS); out['save'] = save(); out['saved'] = info()['saved']")
    assert result["save"] == "OK" and result["saved"]["id"] == ID and result["saved"]["url"] is None


def test_a_hosts_short_id_serves_where_the_server_gives_none(platform):
    platform.on("start", Answer(json={"_id": ID, "shortId": None}))
    result = run(platform, "init(); out['start'] = start(MANUAL, {'shortId': '0a1b2c3d'}); out['id'] = trace_id()")
    assert result["start"] == "OK" and result["id"].startswith("debdeb0a1b2c3d")


# ---- a start that fails here after it succeeded there ----


def test_a_session_that_cannot_be_used_is_not_left_open(platform):
    """A continuous session has no end of its own at the platform: one whose short id is unusable is cancelled."""
    platform.on("continuous_start", Answer(json={"_id": "abcdef01", "shortId": "NOT-ONE!"}))
    result = run(platform, "init(); out['start'] = start(CONTINUOUS)")
    assert result["start"] == "REJECTED"
    assert [r.id for r in platform.of("continuous_cancel")] == ["abcdef01"]


# ---- the remote check ----


def check_answer(mode="MANUAL", start=True, **backend):
    return Answer(json={"shouldStart": start, "mode": mode, "recordingOptions": {"frontend": {}, "backend": backend}})


CHECKS = {
    "no": (check_answer(start=False), "SKIPPED", "stopped"),
    "manual": (check_answer("MANUAL"), "OK", "MANUAL"),
    "continuous": (check_answer("CONTINUOUS"), "OK", "CONTINUOUS"),
    "without options": (Answer(json={"shouldStart": True, "mode": "MANUAL"}), "OK", "MANUAL"),
    "options null": (Answer(json={"shouldStart": True, "mode": "MANUAL", "recordingOptions": None}), "OK", "MANUAL"),
    "500": (refusal(500), "SKIPPED", "stopped"),
    "junk": (JUNK, "REJECTED", "stopped"),
    "204": (Answer(204), "REJECTED", "stopped"),
    "not a boolean": (Answer(json={"shouldStart": "true"}), "REJECTED", "stopped"),
    "old form": (Answer(json={"state": "START"}), "REJECTED", "stopped"),
    "401": (refusal(401), "UNAUTHORIZED", "stopped"),
    "409": (refusal(409), "REJECTED", "stopped"),
    "404": (Answer(404, body=b"Not found"), "REJECTED", "stopped"),
    "503": (Answer(503), "NETWORK", "stopped"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_remote_check(platform, name):
    answer, status, then = CHECKS[name]
    platform.on("check", answer)
    result = run(platform, "init(); out['check'] = check_remote({'name': 'n'}); out['info'] = info()")
    assert (result["check"], result["info"].get("type", result["info"]["state"])) == (status, then)
    if then in ("MANUAL", "CONTINUOUS"):
        assert result["info"]["name"] == "n"


def test_a_check_never_ends_what_runs(platform):
    platform.on("check", check_answer(start=True), check_answer(start=False))
    result = run(platform, "init(); start(); out['checks'] = [check_remote(), check_remote()]; out['state'] = state()")
    assert result["checks"] == ["SKIPPED", "SKIPPED"] and result["state"] == "started"
    assert len(platform.of("start")) == 1


def test_checks_from_many_threads_start_one_session(platform):
    platform.always("check", check_answer())
    result = run(platform, "init(); out['all'] = together(16, lambda n: check_remote()); out['state'] = state()")
    assert result["all"].count("OK") == 1 and result["state"] == "started" and len(platform.of("start")) == 1
    # For the others there is nothing to do.
    assert set(result["all"]) == {"OK", "SKIPPED"}


def test_a_check_whose_start_fails(platform):
    platform.on("check", check_answer())
    platform.on("start", refusal(401))
    result = run(platform, "init(); out['check'] = check_remote(); out['state'] = state()")
    assert (result["check"], result["state"]) == ("UNAUTHORIZED", "stopped")


RECORD = """
    init()
    out["check"] = check_remote()
    span = Span("s")
    out["body"] = span.body(MPR_PAYLOAD_HTTP_REQUEST, b"Content-Type: application/json", b'{"a": 1}')
    span.end()
    for severity in (1, 5, 9, 13, 17, 21):
        write_log(f"severity {severity}", severity)
    trace = span.trace_id
    out["export"] = export_traces(otlp.export_traces(otlp.span(trace, "exported")))
    out["logs"] = export_logs(otlp.export_logs(otlp.log(trace, "no number", severity=0, text="debug")))
    stop()
"""


def recorded(platform, **backend):
    platform.on("check", check_answer(**backend))
    result = run(platform, RECORD)
    assert result["check"] == "OK"
    return result, {s["name"]: s["attributes"] for s in platform.spans}, [r["body"] for r in platform.logs]


def test_recording_options_all_on(platform):
    result, spans, logs = recorded(platform, traces=True, logs=True, content=True, logLevel="debug")
    assert set(spans) == {"s", "exported"} and spans["s"]["multiplayer.http.request.body"] == '{"a": 1}'
    assert logs == [f"severity {n}" for n in (5, 9, 13, 17, 21)] + ["no number"]
    assert result.stats["filtered"] == 1


def test_recording_options_without_traces(platform):
    result, spans, logs = recorded(platform, traces=False)
    assert not spans and len(logs) == 7 and result["export"] == "SKIPPED" and result.stats["filtered"] == 2


def test_recording_options_without_logs(platform):
    result, spans, logs = recorded(platform, logs=False)
    assert len(spans) == 2 and not logs and result["logs"] == "SKIPPED" and result.stats["filtered"] == 7


def test_recording_options_without_content(platform):
    result, spans, _ = recorded(platform, content=False)
    assert result["body"] == "SKIPPED"
    assert not [key for key in spans["s"] if key.startswith("multiplayer.http")]


@pytest.mark.parametrize("level,kept", [("warn", 3), ("ERROR", 2), ("fatal", 1), ("info", 4)])
def test_recording_options_log_level(platform, level, kept):
    """A record of a host's SDK with a severity text and no number is measured by its text."""
    _, _, logs = recorded(platform, logLevel=level)
    assert logs == [f"severity {n}" for n in (1, 5, 9, 13, 17, 21)][-kept:]


def test_recording_options_count_to_the_end_of_the_last_span(platform):
    """What the platform did not want is not wanted after the stop either, from spans that were open then."""
    platform.on("check", check_answer(traces=False, content=False))
    result = run(
        platform,
        """
        init()
        check_remote()
        span = Span("open")
        stop()
        out["body"] = span.body(MPR_PAYLOAD_HTTP_REQUEST, b"", b'{"a": 1}')
        span.end()
        flush()
    """,
    )
    assert platform.spans == [] and result["body"] == "SKIPPED"


def test_the_key_in_an_answer_that_hangs_up_is_not_shown(platform):
    platform.on("start", Answer(500, json={"message": json.dumps({"headers": {"x-api-key": KEY}})}))
    gate = threading.Event()
    gate.set()
    platform.on("start", Answer(403, body=KEY.encode(), gate=gate))
    result = run(platform, "init(); out['start'] = [start(), start()]")
    assert result["start"] == ["REJECTED", "UNAUTHORIZED"]
