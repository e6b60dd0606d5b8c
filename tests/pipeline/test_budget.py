"""queue_max_bytes bounds everything that is recorded and not delivered: what waits, what is on its way, what is still open,
and what many items share."""

import threading

import pytest
from driver import launch, run
from platform_server import Answer


def test_open_spans_count(platform):
    result = run(
        platform,
        """
        init(queue_max_bytes=65536)
        start()
        spans = [Span(f"s{n}") for n in range(200)]
        out["open"] = stats()
        [span.end() for span in spans]
        out["flush"], out["closed"] = flush(), stats()
        Span("room again").end()
        out["again"] = flush()
        """,
    )
    now, then = result["open"], result["closed"]
    assert 20 < now["open_spans"] < 150 and 0 < now["open_bytes"] <= 65536
    assert now["dropped_queue_full"] == now["accepted"] == 200 - now["open_spans"]
    assert (then["open_spans"], then["open_bytes"], then["queued_bytes"]) == (0, 0, 0)
    assert then["accepted"] == 200 and then["exported"] == now["open_spans"]
    assert (result["flush"], result["again"]) == ("OK", "OK")
    assert platform.spans[-1]["name"] == "room again"


def test_what_is_set_on_open_spans_counts(platform):
    """An attribute without room is refused and said so; the span is kept, and its exception."""
    result = run(
        platform,
        """
        init(queue_max_bytes=65536)
        start()
        span = Span("full")
        out["said"] = [span.set(f"k{n}", "x " * 500) for n in range(100)]
        out["event"] = span.event("e", {"a": "x " * 1000})
        span.exception("Oops", "it broke")
        body = b'{"a": "' + b"x " * 5000 + b'"}'
        out["body"] = span.body(MPR_PAYLOAD_HTTP_REQUEST, b"Content-Type: application/json", body)
        out["open"] = stats()
        span.end()
        out["flush"] = flush()
        """,
    )
    fitted = result["said"].count("OK")
    assert 40 < fitted < 65 and result["said"] == ["OK"] * fitted + ["QUEUE_FULL"] * (100 - fitted)
    assert result["event"] == result["body"] == "QUEUE_FULL" and result["open"]["open_bytes"] <= 65536
    (span,) = platform.spans
    assert {f"k{n}" for n in range(fitted)} <= set(span["attributes"]) and f"k{fitted}" not in span["attributes"]
    assert span["attributes"]["exception.type"] == "Oops"


def test_a_value_that_replaces_another_takes_its_room(platform):
    result = run(
        platform,
        """
        init(queue_max_bytes=65536)
        start()
        span = Span("counter")
        out["said"] = sorted({span.set("same", "x " * 1000) for _ in range(500)})
        span.end()
        """,
    )
    assert result["said"] == ["OK"]


def test_a_span_without_room_still_carries_its_session_on(platform):
    """Its services are asked to record all the same."""
    result = run(
        platform,
        """
        init(queue_max_bytes=65536)
        start()
        spans = [Span() for _ in range(200)]
        contexts = [(bytes(s.context.trace_id).hex()[:14], s.context.trace_flags) for s in spans]
        out["contexts"] = sorted(set(contexts))
        out["prefix"] = trace_id()[:14]
        [s.end() for s in spans]
        """,
    )
    assert result["contexts"] == [[result["prefix"], 1]]


def test_resources_of_other_sdks_count(platform):
    gate = threading.Event()
    platform.always("traces", Answer(gate=gate))
    running = launch(
        platform,
        """
        init(queue_max_bytes=100_000, timeout_ms=10000)
        start()
        heavy = lambda n: {"service.name": f"other {n}", "long": "x " * 20_000}
        send = lambda n: export_traces(otlp.export_traces(otlp.span(trace_id(), "small"), resource=heavy(n)))
        out["said"] = [send(n) for n in range(4)]
        out["full"] = stats()
        tell("full")
        out["flush"] = flush(8000)
        out["empty"], out["again"] = stats(), send(4)
        out["last"] = flush(8000)
        """,
    )
    running.wait_for("full")
    gate.set()
    platform.always("traces", None)
    result = running.result()
    assert result["said"] == ["OK", "OK", "QUEUE_FULL", "QUEUE_FULL"]
    assert 80_000 < result["full"]["queued_bytes"] <= 100_000 and result["full"]["dropped_queue_full"] == 2
    assert result["empty"]["queued_bytes"] == 0 and (result["flush"], result["again"], result["last"]) == ("OK",) * 3


def test_a_resource_that_comes_again_counts_once(platform):
    """As long as an item of it waits to be sent; what a host's SDK hands over one span at a time repeats it."""
    result = run(
        platform,
        """
        init(queue_max_bytes=100_000, flush_interval_ms=60000)
        start()
        heavy = {"service.name": "other", "long": "x " * 20_000}
        send = lambda: export_traces(otlp.export_traces(otlp.span(trace_id(), "small"), resource=heavy))
        out["said"] = [send() for _ in range(4)]
        out["full"] = stats()
        out["flush"] = flush()
        """,
    )
    assert result["said"] == ["OK"] * 4 and 40_000 < result["full"]["queued_bytes"] < 50_000
    assert result["flush"] == "OK" and len(platform.spans) == 4


def test_resources_count_towards_a_requests_size(platform):
    """A receiver's limit is on the whole request, not on its spans."""
    run(
        platform,
        """
        init(batch_max_bytes=100_000, compression="none", flush_interval_ms=60000)
        start()
        for n in range(20):
            resource = {"service.name": f"s{n}", "long": "x " * 15_000}
            export_traces(otlp.export_traces(otlp.span(trace_id(), f"s{n}"), resource=resource))
        out["flush"] = flush()
        """,
    )
    assert len(platform.spans) == 20
    assert all(len(r.raw_body) < 110_000 for r in platform.of("traces"))


@pytest.mark.not_tsan("too slow for the load")
def test_an_outage_under_load_stays_within_the_budget(platform):
    """Memory is what hosts fear most of a recorder in an outage: 16 threads go on for a while, far over the budget."""
    platform.always("traces", Answer(503))
    result = run(
        platform,
        """
        import resource
        init(queue_max_bytes=8 * 2**20, timeout_ms=1000)
        start()
        memory = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
        body = "x " * 1000
        def work(n):
            end = time.monotonic() + 3
            while time.monotonic() < end:
                Span("s", a=body).end()
        Span("warm", a=body).end()
        before = memory()
        together(4, work)
        out["grown"], out["stats"] = memory() - before, stats()
        cancel()
        shutdown(100)
        """,
    )
    now = result["stats"]
    assert now["accepted"] * 2000 > 5 * 8 * 2**20, "not overloaded"
    assert now["dropped_queue_full"] > 0 and now["queued_bytes"] <= 8 * 2**20
    assert result["grown"] <= (8 + 8) * 2**20
