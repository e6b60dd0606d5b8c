"""A continuous session is saved when a span ends in error: the platform's own way does not work (contract d.4)."""

import threading

from driver import launch, run
from platform_server import Answer

ONE = {"_id": "ab12cd34", "shortId": "ab12cd34"}


def test_an_error_saves_the_session_about_a_second_later(platform):
    run(
        platform,
        """
        init()
        start(CONTINUOUS, {"name": "n", "sessionAttributes": {"k": 1}, "tags": ["t"]})
        Span("before").end()
        error_span("failed")
        wait_until(lambda: info().get("saved"))
        Span("after").end()
        stop()
    """,
    )
    (save,) = platform.of("save")
    error_at = next(r.at for r in platform.of("traces") if any(s["name"] == "failed" for s in r.spans))
    assert 0.7 < save.at - error_at < 3
    assert save.json["name"] == "n" and save.json["sessionAttributes"] == {"k": 1}
    assert platform.of("update")[0].json["tags"] == [{"value": "t"}]


def test_a_burst_of_errors_is_one_save(platform):
    run(
        platform,
        """
        init()
        start(CONTINUOUS)
        together(4, lambda n: [error_span() for _ in range(50)])
        wait_until(lambda: info().get("saved"))
        [error_span() for _ in range(10)]
        time.sleep(1.5)  # a second save would come in this time; there is nothing to wait for
        cancel()
    """,
    )
    assert len(platform.of("save")) == 1
    assert len(platform.spans) == 210


def test_the_spans_arrive_before_the_save(platform):
    """The platform keeps what has reached it: the intake is slow here, and the save waits for it."""
    gate = threading.Event()
    platform.on("traces", Answer(gate=gate))
    running = launch(
        platform,
        """
        init(flush_interval_ms=60000)
        start(CONTINUOUS)
        span = error_span("failed")
        Span("sibling", parent=span).end()
        tell("recorded")
        wait_until(lambda: info().get("saved"))
    """,
    )
    running.wait_for("recorded")
    platform.wait_for_requests("traces")
    assert platform.of("save") == []
    gate.set()
    running.result()
    names = [s["name"] for s in platform.spans]
    routes = [r.route for r in platform.requests]
    assert set(names) == {"failed", "sibling"} and routes.index("save") > max(
        i for i, route in enumerate(routes) if route == "traces"
    )


def test_an_exception_saves_too(platform):
    run(
        platform,
        """
        init()
        start(CONTINUOUS)
        out["status"] = name_of(lib.mpr_capture_exception(b"Oops", b"it broke", None, None))
        wait_until(lambda: info().get("saved"))
    """,
    )
    assert len(platform.of("save")) == 1


def test_an_error_of_a_hosts_sdk_saves_too(platform):
    run(
        platform,
        """
        init()
        start(CONTINUOUS)
        status = otlp.field(15, otlp.number_field(3, 2) + otlp.field(2, "it broke"))
        export_traces(otlp.export_traces(otlp.span(trace_id(), "failed", extra=status)))
        wait_until(lambda: info().get("saved"))
    """,
    )
    assert len(platform.of("save")) == 1


def test_errors_of_elsewhere_save_nothing(platform):
    """Another session's spans, a manual session's, and those of no session are none of this session's business."""
    run(
        platform,
        """
        init(sample_ratio=1)
        start(MANUAL)
        old = Span("old")
        error_span("manual")
        stop()
        error_span("outside")
        outside = Span("outside")
        start(CONTINUOUS)
        error_span("child of the outside", parent=outside)
        old.status(ERROR)
        old.end()
        status = otlp.field(15, otlp.number_field(3, 2))
        export_traces(otlp.export_traces(otlp.span("cdbcdb" + "00000001" + "9" * 18, "another's", extra=status)))
        Span("fine").end()
        time.sleep(1.6)  # a save would come in this time
        out["errors"] = info()["counts"]["errors"]
        stop()
        late = Span("late")
        start(CONTINUOUS)
        error_span(parent=late)
        stop()
    """,
    )
    assert platform.of("save") == []
    assert len(platform.spans) == 7


def test_error_spans_travel_after_their_siblings(platform):
    """The platform loses up to five spans of a trace that share a message with its error span (contract d.4)."""
    run(
        platform,
        """
        init(flush_interval_ms=60000)
        start(CONTINUOUS)
        root = Span("root")
        for n in range(4):
            error_span(f"failed {n}", parent=root)
            Span(f"sibling {n}", parent=root).end()
        root.end()
        flush()
        stop()
    """,
    )
    groups = [{s["status"]["code"] == 2 for s in r.spans} for r in platform.of("traces")]
    assert groups == [{False}, {True}]


def test_the_errors_of_a_manual_session_travel_with_the_rest(platform):
    run(platform, "init(flush_interval_ms=60000); start(); error_span(); Span().end(); flush()")
    assert len(platform.of("traces")) == 1


def test_a_save_that_fails_is_told_and_the_session_goes_on(platform):
    platform.on("save", Answer(500, json={"message": "broken there"}))
    result = run(
        platform,
        """
        init()
        start(CONTINUOUS)
        error_span()
        out["said"] = wait_until(lambda: logged("after an error"))
        out["info"], out["save"] = info(), save()
    """,
    )
    assert "broken there" in result["said"][1] and result["said"][0] == 2
    assert result["info"]["state"] == "started" and result["save"] == "OK"


def test_a_stop_before_the_save_still_saves_what_failed(platform):
    """A program that fails and ends within the second: the window with the error is worth more than the second."""
    run(platform, "init(); start(CONTINUOUS); error_span('failed'); stop()")
    assert [r.route for r in platform.requests if r.route not in ("traces", "update")] == [
        "continuous_start",
        "save",
        "continuous_cancel",
    ]


def test_a_cancel_before_the_save_throws_it_away(platform):
    run(platform, "init(); start(CONTINUOUS); error_span('failed'); cancel(); time.sleep(1.3)")
    assert platform.of("save") == []


def test_the_next_session_saves_for_itself(platform):
    platform.on("continuous_start", Answer(json=ONE), Answer(json={"_id": "99999999", "shortId": "99999999"}))
    run(
        platform,
        """
        init()
        for _ in range(2):
            start(CONTINUOUS)
            error_span()
            wait_until(lambda: info().get("saved"))
            stop()
    """,
    )
    assert [r.id for r in platform.of("save")] == ["ab12cd34", "99999999"]
