"""The life of a session: states, calls in any order and from many threads, calls that do not wait, the shutdown."""

import threading

import pytest
from driver import launch, run
from platform_server import Answer

BOTH = pytest.mark.parametrize("kind", ["MANUAL", "CONTINUOUS"])


def test_calls_in_the_wrong_state(platform):
    result = run(
        platform,
        """
        out["before"] = [start(), stop(), save(), cancel(), check_remote(), flush(), shutdown(100)]
        init()
        out["stopped"] = [stop(), message(), save(), cancel(), state()]
        start(MANUAL)
        out["manual"] = [start(MANUAL), message(), start(CONTINUOUS), save(), message(), state()]
        stop()
        start(CONTINUOUS)
        out["continuous"] = [start(MANUAL), save(), state()]
        cancel()
        out["after"] = [stop(), cancel()]
    """,
    )
    off = "NOT_INITIALIZED"
    assert result["before"] == [off] * 6 + ["SKIPPED"]
    assert result["stopped"] == [
        "INVALID_STATE",
        "mpr_stop: no session is running",
        "INVALID_STATE",
        "INVALID_STATE",
        "stopped",
    ]
    assert result["manual"][0::2] == ["INVALID_STATE"] * 2 + ["mpr_save: no continuous session is running"]
    assert "stop or cancel it first" in result["manual"][1] and result["manual"][5] == "started"
    assert result["continuous"] == ["INVALID_STATE", "OK", "started"]
    assert result["after"] == ["INVALID_STATE"] * 2
    assert [r.route for r in platform.requests] == ["start", "stop", "continuous_start", "save", "continuous_cancel"]


@BOTH
@pytest.mark.parametrize("end", ["stop", "cancel"])
def test_info_at_each_point(platform, kind, end):
    gates = {route: threading.Event() for route in ("start", "continuous_start", "stop", "cancel", "continuous_cancel")}
    for route, gate in gates.items():
        document = {"_id": "ab12cd34", "shortId": "ab12cd34", "url": "http://x/1"}
        platform.on(route, Answer(json=document, gate=gate))
    running = launch(
        platform,
        f"""
        out["none"] = name_of(lib.mpr_session_info(None, 0, None))
        init()
        out["stopped"] = info()
        call = later(lib.mpr_start_async, {kind}, {{"name": "n"}})
        wait_until(lambda: state() == "starting")
        out["starting"] = info()
        tell("starting")
        wait_until(lambda: call["calls"])
        before = time.time()
        Span().end()
        error_span()
        write_log()
        out["started"] = info()
        call = later(lib.mpr_{end}_async, *([None] if "{end}" == "stop" else []))
        wait_until(lambda: state() == "ending")
        out["ending"] = info()
        tell("ending")
        wait_until(lambda: call["calls"])
        out["ended"] = info()
        shutdown()
        out["off"] = name_of(lib.mpr_session_info(None, 0, None))
    """,
    )
    running.wait_for("starting")
    gates["start"].set(), gates["continuous_start"].set()
    running.wait_for("ending")
    gates["stop"].set(), gates["cancel"].set(), gates["continuous_cancel"].set()
    result = running.result()
    assert (result["none"], result["off"]) == ("NOT_INITIALIZED", "NOT_INITIALIZED")
    assert result["stopped"] == {"state": "stopped"}
    assert result["starting"] == {"state": "starting"}
    info = result["started"]
    assert {key: info[key] for key in ("state", "type", "id", "shortId", "name", "url")} == {
        "state": "started",
        "type": kind,
        "id": "ab12cd34",
        "shortId": "ab12cd34",
        "name": "n",
        "url": "http://x/1",
    }
    assert info["counts"] == {"spans": 2, "logs": 1, "errors": 1}
    assert info["startedAt"].endswith("Z")
    if kind == "MANUAL":
        assert 620_000 < info["endsInMs"] <= 630_000 and info["endsAt"] > info["startedAt"] and info["part"] == 1
    else:
        assert not {"endsAt", "endsInMs", "part"} & set(info)
    assert result["ending"]["state"] == "ending"
    # What the last session was can still be read, with nothing of a limit that no longer counts.
    ended = result["ended"]
    assert (ended["state"], ended["endedBy"], ended["id"], ended["counts"]) == (
        "stopped",
        end,
        "ab12cd34",
        info["counts"],
    )
    assert not {"endsAt", "endsInMs"} & set(ended)


def test_sixteen_threads_start_and_one_wins(platform):
    result = run(
        platform,
        """
        init()
        out["starts"] = together(16, lambda n: start(n % 2))
        Span().end()
        out["stops"] = together(16, lambda n: stop() if n % 2 else cancel())
        out["state"] = state()
    """,
    )
    for calls in (result["starts"], result["stops"]):
        assert sorted(set(calls)) == ["INVALID_STATE", "OK"] and calls.count("OK") == 1
    assert result["state"] == "stopped"
    assert len(platform.of("start", "continuous_start")) == 1
    assert len(platform.of("stop", "cancel", "continuous_cancel")) == 1


def test_sixteen_threads_start_and_stop_again_and_again(platform):
    result = run(
        platform,
        """
        init()
        def work(n):
            said = []
            for turn in range(5):
                said += [start(n % 2), save(), stop(), cancel()]
                Span().end()
                info()
            return said
        out["said"] = sorted(set(sum(together(16, work), [])))
        out["state"] = state()
    """,
    )
    assert set(result["said"]) <= {"OK", "INVALID_STATE"} and result["state"] == "stopped"
    starts, ends = platform.of("start", "continuous_start"), platform.of("stop", "cancel", "continuous_cancel")
    assert len(starts) == len(ends) and {r.id for r in ends} >= {id for id in platform.sessions if len(id) == 8}


def test_a_new_session_has_new_ids_and_counts(platform):
    result = run(
        platform,
        """
        init()
        out["infos"], out["ids"] = [], []
        for _ in range(2):
            start()
            out["ids"].append(Span().end().trace_id)
            out["infos"].append(info())
            stop()
        out["outside"] = trace_id()
    """,
    )
    first, second = result["infos"]
    assert first["id"] != second["id"] and second["counts"]["spans"] == 1
    assert [id[6:14] for id in result["ids"]] == [first["shortId"], second["shortId"]]
    assert not result["outside"].startswith("debdeb")


def test_a_span_that_is_open_at_the_stop_still_belongs_to_the_session(platform):
    run(platform, "init(); start(); s = Span('open'); stop(); Span('child', parent=s).end(); s.end(); flush()")
    assert {s["name"] for s in platform.spans} == {"open", "child"}


@BOTH
def test_what_was_recorded_is_delivered_before_the_end(platform, kind):
    run(platform, f"init(flush_interval_ms=60000); start({kind}); Span().end(); write_log(); stop()")
    routes = [r.route for r in platform.requests]
    assert sorted(routes[1:3]) == ["logs", "traces"] and routes[3] in ("stop", "continuous_cancel")


# ---- calls that do not wait ----


def test_async_twins(platform):
    result = run(
        platform,
        """
        init()
        def call(*arguments):
            done = later(*arguments)
            wait_until(lambda: done["calls"])
            return [done["accepted"], done["status"], done["thread"] != threading.get_native_id()]
        out["calls"] = [
            call(lib.mpr_start_async, CONTINUOUS, {"name": "n"}), call(lib.mpr_save_async, None),
            call(lib.mpr_stop_async, None), call(lib.mpr_start_async, MANUAL, None), call(lib.mpr_cancel_async),
            call(lib.mpr_check_remote_async, None), call(lib.mpr_stop_async, None),
        ]
        out["null"] = [lib.mpr_start_async(MANUAL, None, None, None), wait_until(lambda: state() == "started")]
    """,
    )
    assert result["calls"] == [["OK", status, True] for status in ["OK"] * 5 + ["SKIPPED", "INVALID_STATE"]]
    assert result["null"] == [0, True]
    assert [r.route for r in platform.requests] == [
        "continuous_start",
        "save",
        "continuous_cancel",
        "start",
        "cancel",
        "check",
        "start",
        "stop",
    ]


def test_an_async_call_that_is_wrong_itself_calls_nobody(platform):
    result = run(
        platform,
        """
        early = later(lib.mpr_start_async, MANUAL, None)
        init()
        calls = [early, later(lib.mpr_start_async, 9, None), later(lib.mpr_start_async, MANUAL, {"x": 1})]
        out["accepted"] = [call["accepted"] for call in calls]
        flush()
        shutdown()
        out["called"] = [call["calls"] for call in calls]
    """,
    )
    assert result["accepted"] == ["NOT_INITIALIZED", "INVALID_ARGUMENT", "INVALID_ARGUMENT"]
    assert result["called"] == [0, 0, 0]


def test_async_calls_return_at_once_and_take_effect_in_order(platform):
    """An event loop that asks for a start and then for a stop wants a stopped recorder, not a session left running."""
    gate = threading.Event()
    platform.on("start", Answer(json={"_id": "a" * 24, "shortId": "0a1b2c3d"}, gate=gate))
    running = launch(
        platform,
        """
        init()
        begin = time.monotonic()
        calls = [later(lib.mpr_start_async, MANUAL, None), later(lib.mpr_stop_async, None)]
        out["ms"] = (time.monotonic() - begin) * 1000
        tell("called")
        wait_until(lambda: all(call["calls"] for call in calls))
        out["done"], out["state"] = [call["status"] for call in calls], state()
    """,
    )
    running.wait_for("called")
    gate.set()
    result = running.result()
    assert result["ms"] < 1000
    assert (result["done"], result["state"]) == (["OK", "OK"], "stopped")


def test_inside_a_callback_blocking_calls_are_refused_and_async_ones_work(platform):
    result = run(
        platform,
        """
        init()
        second = {}
        def again():
            second.update(later(lib.mpr_start_async, MANUAL, {"name": "from the callback"}, then=lambda: state()))
            blocking = [start(), stop(), save(), cancel(), check_remote(), flush(100)]
            return [blocking, state(), Span().end().trace_id[:6]]
        first = later(lib.mpr_stop_async, None, then=again)
        wait_until(lambda: state() == "started")
        out["first"] = first["then"]
    """,
    )
    assert result["first"][0] == ["INVALID_STATE"] * 6
    assert [r.json.get("name") for r in platform.of("start")] == ["from the callback"]


def test_a_shutdown_inside_a_callback_is_refused_and_changes_nothing(platform):
    result = run(
        platform,
        """
        init()
        done = later(lib.mpr_start_async, MANUAL, None, then=lambda: timed(shutdown, 2000))
        wait_until(lambda: done["calls"])
        out["inside"], out["state"] = done["then"], state()
        cancel()
        # Also with no session to end.
        done = later(lib.mpr_cancel_async, then=lambda: timed(shutdown, 2000))
        wait_until(lambda: done["calls"])
        out["idle"], out["idle_state"] = done["then"], name_of(lib.mpr_session_info(None, 0, None))
    """,
    )
    assert result["inside"][0] == "INVALID_STATE" and result["inside"][1] < 1000
    assert result["state"] == "started"
    assert result["idle"][0] == "INVALID_STATE" and result["idle_state"] == "BUFFER_TOO_SMALL"


# ---- the shutdown ----


@BOTH
def test_shutdown_ends_the_session(platform, kind):
    result = run(
        platform,
        f"""
        init(flush_interval_ms=60000)
        start({kind})
        Span("last").end()
        out["shutdown_first"] = shutdown()
        out["again"], out["id"] = shutdown(), trace_id()
    """,
    )
    end = {"MANUAL": "stop", "CONTINUOUS": "continuous_cancel"}[kind]
    assert [r.route for r in platform.requests][1:] == ["traces", end]
    assert (result["shutdown_first"], result["again"]) == ("OK", "SKIPPED")
    assert not result["id"].startswith(("debdeb", "cdbcdb"))
    assert platform.span("last") and result.stats["exported"] == 1


@BOTH
def test_shutdown_with_an_intake_that_hangs_still_ends_the_session(platform, kind):
    """A continuous session has no end of its own at the platform (contract a.4: always cancel on shutdown)."""
    platform.always("traces", Answer(hang=True))
    result = run(
        platform,
        f"""
        init(timeout_ms=10000)
        start({kind})
        Span().end()
        out["first"], out["ms"] = timed(shutdown, 2000)
    """,
    )
    assert len(platform.of("stop", "continuous_cancel")) == 1
    assert result["first"] == "TIMEOUT" and result["ms"] <= 2100
    assert result.stats["dropped_shutdown"] == 1


@pytest.mark.parametrize("end,most", [("stop()", 2300), ("cancel()", 2300), ("shutdown(2000)", 2100)])
@pytest.mark.parametrize("what", ["auto-save", "save", "check"])
def test_an_end_behind_a_call_that_hangs(platform, what, end, most):
    """What is under way may have some of the end's time, but not all of it."""
    platform.always("check" if what == "check" else "save", Answer(hang=True))
    hanging = {"auto-save": "error_span", "save": "save", "check": "check_remote"}[what]
    running = launch(
        platform,
        f"""
        init(timeout_ms=2000)
        start(CONTINUOUS)
        thread = threading.Thread(target={hanging})
        thread.start()
        pause()
        begin = time.monotonic()
        out["end"] = {end}
        out["ms"], out["id"] = (time.monotonic() - begin) * 1000, trace_id()
        thread.join()
    """,
    )
    platform.wait_for(lambda: platform.of("save", "check"))
    running.go()
    result = running.result()
    assert not result["id"].startswith("cdbcdb") and result["ms"] < most
    assert len(platform.of("continuous_cancel")) == 1


def test_a_check_that_hangs_holds_no_start_up(platform):
    platform.on("check", Answer(hang=True))
    running = launch(
        platform,
        """
        init(timeout_ms=2000)
        thread = threading.Thread(target=check_remote)
        thread.start()
        pause()
        out["start"], out["ms"] = timed(start)
        thread.join()
    """,
    )
    platform.wait_for_requests("check")
    running.go()
    result = running.result()
    assert result["start"] == "OK" and result["ms"] < 1000


def test_shutdown_when_the_session_api_hangs(platform):
    platform.always("stop", Answer(hang=True))
    result = run(
        platform,
        """
        init(timeout_ms=10000, flush_interval_ms=60000)
        start()
        Span("last").end()
        out["first"], out["ms"] = timed(shutdown, 1000)
    """,
    )
    assert result["first"] == "TIMEOUT" and result["ms"] <= 1100
    assert platform.span("last") and result.stats["exported"] == 1


def test_shutdown_when_the_platform_refuses_the_end(platform):
    platform.on("stop", Answer(409, json={"message": "no"}))
    result = run(platform, "init(); start(); out['first'] = shutdown(); out['init'] = init()")
    assert (result["first"], result["init"]) == ("REJECTED", "OK")


def test_shutdown_during_a_start_that_hangs(platform):
    platform.on("start", Answer(hang=True))
    running = launch(
        platform,
        """
        init(timeout_ms=10000)
        said = []
        thread = threading.Thread(target=lambda: said.append([start(), message()]))
        thread.start()
        call = later(lib.mpr_start_async, MANUAL, None)
        tell("starting")
        pause()
        out["first"], out["ms"] = timed(shutdown, 800)
        thread.join(2)
        out["start"], out["async"] = said, [call["status"], call["calls"]]
        wait_until(lambda: not worker_threads())
    """,
    )
    running.wait_for("starting")
    platform.wait_for_requests("start")
    running.go()
    result = running.result()
    # Nothing was running, so giving the start up may count as a clean end.
    assert result["first"] in ("OK", "TIMEOUT") and result["ms"] <= 900
    # Whoever waits in the other call is told, and not that the library is broken.
    ((status, message),) = result["start"]
    assert {status, result["async"][0]} <= {"TIMEOUT", "INVALID_STATE", "NOT_INITIALIZED"}, message
    assert result["async"][1] == 1


def test_a_start_that_ends_just_before_the_shutdown_is_undone(platform):
    """The start's answer comes while the shutdown still waits for the delivery: nothing may be left running, neither
    there nor in the ids of a process whose recording is off."""
    gate = threading.Event()
    platform.on("start", Answer(json={"_id": "a" * 24, "shortId": "0a1b2c3d"}, gate=gate))
    platform.always("traces", Answer(hang=True))
    running = launch(
        platform,
        """
        init(timeout_ms=10000, sample_ratio=1.0)
        Span("outside").end()
        call = later(lib.mpr_start_async, MANUAL, None)
        tell("starting")
        pause()
        threading.Timer(1.2, lambda: tell("late")).start()
        out["first"], out["ms"] = timed(shutdown, 2000)
        out["id"], out["status"] = trace_id(), call["status"]
        wait_until(lambda: trace_id()[:6] != "debdeb")
    """,
    )
    running.wait_for("starting")
    platform.wait_for_requests("start")
    running.go()
    running.wait_for("late")
    gate.set()
    result = running.result()
    assert result["ms"] <= 2100
    assert not result["id"].startswith("debdeb")
    assert result["status"] != "OK" or platform.of("stop", "cancel")


def test_init_after_shutdown(platform):
    result = run(
        platform,
        """
        out["rounds"] = []
        for n in range(3):
            out["rounds"].append([init(), init(), start(MANUAL, {"name": str(n)}), info()["counts"]["spans"]])
            Span(str(n)).end()
            shutdown()
            out["rounds"][-1] += [wait_until(lambda: not worker_threads()), stats()["exported"]]
    """,
    )
    assert result["rounds"] == [["OK", "ALREADY_INITIALIZED", "OK", 0, True, 1]] * 3
    assert [r.json["name"] for r in platform.of("start")] == ["0", "1", "2"] and len(platform.of("stop")) == 3


def test_shutdown_from_many_threads(platform):
    result = run(platform, "init(); start(); Span().end(); out['all'] = sorted(together(16, lambda n: shutdown()))")
    assert result["all"] == ["OK"] + ["SKIPPED"] * 15 and len(platform.of("stop")) == 1


def test_before_init_and_after_shutdown_nothing_breaks(platform):
    result = run(
        platform,
        """
        def use():
            span = Span("off")
            said = [span.set("a", "b"), span.exception(), span.body(1, b"", b"{}"), write_log(), span.event("e")]
            said.append(export_traces(otlp.export_traces(otlp.span("debdeb" + "0" * 25 + "1"))))
            said.append(name_of(lib.mpr_capture_exception(b"T", None, None, None)))
            span.end()
            return said + [len(set(trace_id() for _ in range(100)))]
        out["before"] = use()
        init()
        shutdown()
        out["after"] = use()
        out["threads"] = worker_threads()
    """,
    )
    assert result["before"] == result["after"] == ["SKIPPED"] * 7 + [100]
    assert platform.requests == [] and result["threads"] == []
