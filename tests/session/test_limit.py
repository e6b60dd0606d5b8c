"""The platform ends a manual session by itself: the host is told before, and the recording goes on in a new session
when it asked for that. Here with a limit of two seconds in place of 630."""

import threading
import time

import pytest
from driver import launch, run
from platform_server import Answer

ONE = {"_id": "a" * 24, "shortId": "0a000001", "url": "http://x/1"}
TWO = {"_id": "b" * 24, "shortId": "0b000002", "url": "http://x/2"}
TIMES = "init(session_max_seconds=2, session_rollover=%s)\n"


def test_the_limit(platform):
    platform.on("start", Answer(json=ONE))
    result = run(
        platform,
        TIMES % False
        + """
start(MANUAL, {"name": "n"})
out["begin"] = info()
wait_until(lambda: logged("ends in"))
out["told_at"], out["told"] = info(), logged("ends in")
open_span = Span("open")
wait_until(lambda: state() == "stopped")
out["end"], out["said"] = info(), wait_until(lambda: logged("was ended by the platform's limit"))
open_span.end()
out["id"] = trace_id()
Span("after").end()
out["stop"], out["start"] = stop(), start()
""",
    )
    assert 1500 < result["begin"]["endsInMs"] <= 2000
    # Told while it still runs, as a warning, which is the default level.
    assert result["told_at"]["state"] == "started" and 0 < result["told_at"]["endsInMs"] <= 600
    assert result["told"][0] == 2 and "0a000001" in result["told"][1]
    assert (result["end"]["state"], result["end"]["endedBy"]) == ("stopped", "platform_limit")
    assert result["said"][0] == 2
    assert not result["id"].startswith("debdeb")
    assert (result["stop"], result["start"]) == ("INVALID_STATE", "OK")
    assert [s["name"] for s in platform.spans] == ["open"]


def test_a_stop_or_cancel_before_the_limit_ends_the_watch(platform):
    result = run(
        platform,
        TIMES % False
        + """
start()
out["stop"] = stop()
start(CONTINUOUS)
time.sleep(2.2)  # nothing shall happen, so there is nothing to wait for
out["info"] = info()
""",
    )
    assert result["stop"] == "OK"
    assert result["info"]["state"] == "started" and "endsAt" not in result["info"]
    assert not any("ends in" in line or "limit" in line for line in result.log)


def test_rollover(platform):
    platform.on("start", Answer(json=ONE), Answer(json=TWO))
    result = run(
        platform,
        TIMES % True
        + """
begin = time.monotonic()
start(MANUAL, {"name": "soak", "comment": "c", "tags": ["t"], "userAttributes": {"id": "7"},
               "sessionAttributes": {"k": 1}})
first = Span("first").end()
open_span = Span("open")
wait_until(lambda: info()["part"] == 2)
out["seconds"] = time.monotonic() - begin
out["info"] = info()
second = Span("second").end()
Span("child", parent=open_span).end()
open_span.end()
write_log("log of the second")
wait_until(lambda: logged("goes on as part 2"))
out["ids"] = [s.trace_id for s in (first, open_span, second)]
out["stop"] = stop({"comment": "end"})
out["end"] = info()
""",
    )
    assert 1.2 < result["seconds"] < 2, "before the limit, not after it"
    info = result["info"]
    assert (info["id"], info["shortId"], info["name"], info["part"]) == (TWO["_id"], TWO["shortId"], "soak (part 2)", 2)
    assert info["state"] == "started" and 1500 < info["endsInMs"] <= 2000
    assert [id[:14] for id in result["ids"]] == ["debdeb0a000001", "debdeb0a000001", "debdeb0b000002"]
    assert (result["stop"], result["end"]["state"], result["end"]["endedBy"]) == ("OK", "stopped", "stop")
    first, second = platform.of("start")
    assert second.json == {**first.json, "name": "soak (part 2)"}
    assert [r.id for r in platform.of("stop")] == [ONE["_id"], TWO["_id"]]
    spans = {s["name"]: s for s in platform.spans}
    assert spans["open"]["trace_id"] == spans["child"]["trace_id"] != spans["second"]["trace_id"]
    # Never two sessions in one ResourceSpans.
    for request in platform.of("traces"):
        groups = {}
        for span in request.spans:
            groups.setdefault(span["group"], set()).add(span["trace_id"][:14])
        assert all(len(found) == 1 for found in groups.values())


def test_a_second_rollover_counts_on(platform):
    platform.on(
        "start", Answer(json=ONE), Answer(json=TWO), Answer(json={**ONE, "_id": "c" * 24, "shortId": "0c000003"})
    )
    result = run(
        platform,
        TIMES % True
        + """
start(MANUAL, {"name": "soak"})
wait_until(lambda: info()["part"] == 3)
out["name"] = info()["name"]
""",
    )
    assert result["name"] == "soak (part 3)"
    assert sorted(r.id for r in platform.of("stop")) == ["a" * 24, "b" * 24, "c" * 24]


def test_a_rollover_that_fails_tells_and_the_session_ends_at_the_limit(platform):
    platform.on("start", Answer(json=ONE))
    platform.always("start", Answer(500, json={"message": "no room"}))
    result = run(
        platform,
        TIMES % True
        + """
start()
wait_until(lambda: state() == "stopped")
out["info"], out["failed"], out["told"] = info(), logged("cannot be rolled over"), logged("ends in")
""",
    )
    assert result["info"]["endedBy"] == "platform_limit"
    assert result["failed"] and "no room" in result["failed"][1] and result["told"]


def test_a_rollover_that_hangs_does_not_outlive_the_limit(platform):
    """From the limit on the platform drops what carries the old short id, so nothing new may carry it."""
    platform.on("start", Answer(json=ONE), Answer(hang=True))
    result = run(
        platform,
        TIMES % True
        + """
begin = time.monotonic()
start()
wait_until(lambda: state() == "stopped")
out["seconds"], out["info"] = time.monotonic() - begin, info()
shutdown(200)
""",
    )
    assert result["seconds"] < 3 and result["info"]["endedBy"] == "platform_limit"


@pytest.mark.parametrize("end", ["stop", "cancel", "shutdown"])
def test_an_end_during_a_rollover_leaves_nothing_open(platform, end):
    gate = threading.Event()
    platform.on("start", Answer(json=ONE), Answer(json=TWO, gate=gate))
    running = launch(
        platform,
        TIMES % True
        + f"""
start()
tell("started")
pause()
out["end"], out["id"] = {end}(), trace_id()
out["first"] = shutdown(4000)
""",
    )
    running.wait_for("started")
    platform.wait_for_requests("start", 2)
    running.go()
    # The end has begun by then; whether it waits for the rollover or has it undone is the library's choice.
    threading.Timer(0.3, gate.set).start()
    result = running.result()
    assert result["end"] == "OK" and result["first"] == ("SKIPPED" if end == "shutdown" else "OK")
    assert not result["id"].startswith("debdeb")
    assert {r.id for r in platform.of("stop", "cancel")} == {ONE["_id"], TWO["_id"]}


@pytest.mark.parametrize("end", ["stop", "cancel"])
def test_an_end_during_a_rollover_that_hangs(platform, end):
    """Stopped afterwards, whatever the platform does not answer; and the part that is known is ended there."""
    platform.on("start", Answer(json=ONE), Answer(hang=True))
    running = launch(
        platform,
        TIMES.replace("init(", "init(timeout_ms=400, ").replace("=2", "=4") % True
        + f"""
start()
tell("started")
pause()
out["end"], out["ms"] = timed({end})
out["state"], out["id"] = state(), trace_id()
out["first"] = shutdown(2000)
""",
    )
    running.wait_for("started")
    platform.wait_for_requests("start", 2)
    running.go()
    result = running.result()
    assert result["state"] == "stopped" and not result["id"].startswith("debdeb") and result["ms"] < 1200
    assert ONE["_id"] in {r.id for r in platform.of("stop", "cancel")}


def test_a_shutdown_right_after_a_rollover_stops_both_parts(platform):
    platform.on("start", Answer(json=ONE), Answer(json=TWO))
    platform.on("stop", Answer(json=ONE, delay=0.5))
    result = run(
        platform,
        TIMES % True
        + """
start()
wait_until(lambda: info()["part"] == 2)
out["first"] = shutdown(4000)
""",
    )
    assert result["first"] == "OK"
    assert sorted(r.id for r in platform.of("stop")) == [ONE["_id"], TWO["_id"]]


def test_the_old_part_is_stopped_although_the_intake_hangs(platform):
    platform.on("start", Answer(json=ONE), Answer(json=TWO))
    platform.always("traces", Answer(hang=True))
    run(
        platform,
        TIMES.replace("init(", "init(timeout_ms=1000, ") % True
        + """
start()
Span().end()
wait_until(lambda: info().get("part") == 2)
wait_until(lambda: logged("their delivery goes on"))
shutdown(800)
""",
    )
    platform.wait_for(lambda: any(r.id == ONE["_id"] for r in platform.of("stop")), 3)


def test_endings_in_session_info_are_times_that_agree(platform):
    before = time.time()
    result = run(platform, "init(); start(); out['info'] = info()")
    info = result["info"]
    begin, end = info["startedAt"], info["endsAt"]
    assert abs(_seconds(end) - _seconds(begin) - 630) < 0.01
    assert abs(_seconds(begin) - before) < 5


def _seconds(text):
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
