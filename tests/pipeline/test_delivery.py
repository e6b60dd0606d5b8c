"""Delivery: batches, flush, the full queue, retries, refusals, the shutdown. That nothing is ever unaccounted for is
checked by every stats() of a scenario, and at its end."""

import threading
import time

import otlp
import pytest
from driver import KEY, launch, run
from platform_server import Answer, PlatformServer


def names(platform):
    return [s["name"] for s in platform.spans]


# ---- batches ----


def test_items_wait_for_company_as_long_as_the_interval(platform):
    run(
        platform,
        """
        init(flush_interval_ms=500)
        start()
        [Span(f"s{n}").end() for n in range(5)]
        wait_until(lambda: stats()["exported"] == 5)
    """,
    )
    (request,) = platform.of("traces")
    assert len(request.spans) == 5
    ended = max(s["end"] for s in request.spans) / 1e9
    waited = request.at - (time.monotonic() - (time.time() - ended))
    assert 0.4 < waited < 1.5


def test_a_full_batch_does_not_wait(platform):
    run(
        platform,
        """
        init(flush_interval_ms=60000, batch_max_items=10)
        start()
        [Span(f"s{n}").end() for n in range(30)]
        wait_until(lambda: stats()["exported"] == 30)
    """,
    )
    assert [len(r.spans) for r in platform.of("traces")] == [10, 10, 10]


def test_what_is_left_beside_a_full_batch_waits_for_its_interval(platform):
    result = run(
        platform,
        """
        init(flush_interval_ms=60000, batch_max_items=10)
        start()
        [Span(f"s{n}").end() for n in range(25)]
        wait_until(lambda: stats()["exported"] >= 20)
        time.sleep(0.3)
        out["exported"] = stats()["exported"]
        flush()
    """,
    )
    assert result["exported"] == 20
    assert sorted(len(r.spans) for r in platform.of("traces")) == [5, 10, 10]


def test_a_batch_that_is_full_in_bytes_does_not_wait(platform):
    run(
        platform,
        """
        init(flush_interval_ms=60000, batch_max_bytes=100_000, compression="none")
        start()
        for n in range(30):
            Span(a="x " * 5_000).end()
        wait_until(lambda: stats()["exported"] >= 20)
        flush()
    """,
    )
    assert all(len(r.raw_body) < 110_000 for r in platform.of("traces"))
    assert len(platform.of("traces")) >= 3 and len(platform.spans) == 30


def test_an_item_larger_than_a_batch_goes_alone(platform):
    run(
        platform,
        """
        init(batch_max_bytes=16384)
        start()
        for n in range(3):
            Span(f"s{n}", a="x " * 20_000).end()
        flush()
    """,
    )
    assert [len(r.spans) for r in platform.of("traces")] == [1, 1, 1]


def test_connections_are_used_again(platform):
    run(platform, "init(); start(); [(Span().end(), flush()) for _ in range(20)]; stop()")
    assert len(platform.of("traces")) == 20 and platform.connections <= 4


# ---- flush ----


def test_a_flush_delivers_what_was_recorded_before_it(platform):
    result = run(
        platform,
        """
        init(flush_interval_ms=60000)
        start()
        Span("one").end()
        write_log("two")
        out["flush"], out["stats"] = flush(), stats()
        out["nothing"], out["ms"] = timed(flush, 5000)
    """,
    )
    assert (result["flush"], result["nothing"]) == ("OK", "OK") and result["ms"] < 500
    assert result["stats"]["exported"] == 2 and result["stats"]["queued"] == result["stats"]["queued_bytes"] == 0
    assert names(platform) == ["one"] and len(platform.logs) == 1


def test_the_deadline_of_a_flush(platform):
    gate = threading.Event()
    platform.on("traces", Answer(gate=gate))
    running = launch(
        platform,
        """
        init(timeout_ms=10000)
        start()
        Span("kept").end()
        out["flush"], out["ms"] = timed(flush, 300)
        out["stats"] = stats()
        tell("over")
        out["again"] = flush(5000)
    """,
    )
    running.wait_for("over")
    gate.set()
    result = running.result()
    assert result["flush"] == "TIMEOUT" and 290 <= result["ms"] < 500
    assert result["stats"]["queued"] == 1 and result["stats"]["queued_bytes"] > 0
    assert result["again"] == "OK" and names(platform) == ["kept"]


def test_a_flush_does_not_wait_for_what_comes_after_it(platform):
    """Other threads go on recording; a flush has an end all the same."""
    result = run(
        platform,
        """
        init(flush_interval_ms=20)
        start()
        going = threading.Event()
        def work():
            while not going.is_set():
                Span().end()
        threads = [threading.Thread(target=work) for _ in range(4)]
        [t.start() for t in threads]
        out["flushes"] = [flush(5000) for _ in range(5)]
        going.set()
        [t.join() for t in threads]
        out["last"] = flush(10000)
        out["stats"] = stats()
    """,
    )
    assert result["flushes"] == ["OK"] * 5 and result["last"] == "OK"
    assert result["stats"]["exported"] == len(platform.spans)


def test_flush_from_many_threads(platform):
    result = run(
        platform,
        "init(flush_interval_ms=60000); start(); out['all'] = together(16, lambda n: (Span().end(), flush())[1])",
    )
    assert result["all"] == ["OK"] * 16 and len(platform.spans) == 16


# ---- the full queue ----


def test_a_full_queue_refuses_and_counts(platform):
    gate = threading.Event()
    platform.always("traces", Answer(200, gate=gate))
    running = launch(
        platform,
        """
        init(queue_max_bytes=65536, timeout_ms=10000)
        start()
        for n in range(100):
            Span(f"own {n}", a="x " * 1000).end()
        out["export"] = export_traces(otlp.export_traces(*[otlp.span(trace_id(), attrs={"a": "x" * 2000})] * 5))
        out["log"] = write_log("y " * 1000)
        out["full"] = stats()
        tell("full")
        out["flush"] = flush()
        Span("room again").end()
        out["after"] = flush()
    """,
    )
    running.wait_for("full")
    gate.set()
    platform.always("traces", None)
    result = running.result()
    full = result["full"]
    assert full["dropped_queue_full"] > 60 and full["queued_bytes"] <= 65536 and full["accepted"] == 106
    assert result["export"] == "QUEUE_FULL"
    assert (result["flush"], result["after"]) == ("OK", "OK")
    assert "room again" in names(platform) and "own 0" in names(platform), "the newest is refused, not the oldest"
    assert result.stats["exported"] == len(platform.spans) + len(platform.logs)


def test_bytes_are_given_back(platform):
    result = run(
        platform,
        """
        init(queue_max_bytes=65536)
        start()
        for n in range(50):
            Span(a="x " * 5000).end()
            flush()
        out["stats"] = stats()
    """,
    )
    assert result["stats"]["dropped_queue_full"] == 0 and result["stats"]["exported"] == 50


# ---- retries ----

RETRIED = {
    "408": Answer(408),
    "429": Answer(429),
    "500": Answer(500),
    "502": Answer(502),
    "503": Answer(503),
    "504": Answer(504),
    "reset": Answer(reset=True),
    "close": Answer(close=True),
    "no answer": Answer(hang=True),
    "not HTTP": Answer(raw=b"\0\1\2\3"),
    "cut head": Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Le"),
}


@pytest.mark.parametrize("what", RETRIED)
def test_a_passing_failure_is_retried(platform, what):
    platform.on("traces", RETRIED[what], RETRIED[what])
    platform.on("logs", RETRIED[what])
    result = run(
        platform,
        """
        init(timeout_ms=300)
        start()
        Span("kept").end()
        write_log("kept")
        out["flush"], out["stats"] = flush(8000), stats()
    """,
    )
    assert result["flush"] == "OK" and result["stats"]["exported"] == 2
    assert result["stats"]["retries"] == 3 and result["stats"]["requests"] == 2
    first, second, third = platform.of("traces")
    assert first.raw_body == second.raw_body == third.raw_body
    assert names(platform) == ["kept"] and len(platform.logs) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(platform, status):
    platform.on("traces", Answer(status, {"Retry-After": "1"}))
    run(platform, "init(); start(); Span().end(); flush(200); wait_until(lambda: stats()['exported'] == 1)")
    first, second = platform.of("traces")
    assert 1.0 <= second.at - first.at < 2.0


def test_odd_retry_after_headers(platform):
    for text in ("soon", "-5", "1.5", "", "Wed, 21 Oct 2015 07:28:00 GMT", "99999999999999999999999"):
        platform.on("traces", Answer(503, {"Retry-After": text}))
    result = run(platform, "init(); start(); Span().end(); out['flush'] = flush(9000)")
    assert result["flush"] == "OK" and len(platform.of("traces")) == 7


def test_the_pauses_grow(platform):
    platform.always("traces", Answer(503))
    result = run(
        platform,
        """
        init()
        start()
        Span().end()
        wait_until(lambda: stats()["retries"] >= 5, 20)
        out["pauses"] = pauses()
        cancel()
        shutdown(100)
    """,
    )
    for pause, most in zip(result["pauses"], (250, 500, 1000, 2000, 4000)):
        assert most / 10 <= pause <= most, result["pauses"]


def test_a_flush_cuts_a_long_pause_short(platform):
    """The receiver is back, and the host wants to end: it shall not lose its data to a pause that began before."""
    platform.always("traces", Answer(503))
    running = launch(
        platform,
        """
        init()
        start()
        Span("kept").end()
        wait_until(lambda: pauses() and pauses()[-1] > 2500, 40)
        tell("long pause")
        pause()
        out["flush"], out["ms"] = timed(flush, 2000)
    """,
    )
    running.wait_for("long pause", 45)
    platform.always("traces", None)
    running.go()
    result = running.result()
    assert result["flush"] == "OK" and names(platform) == ["kept"]


def test_a_receiver_that_is_down_and_comes_back(platform):
    with PlatformServer() as gone:
        port = gone.port
    running = launch(
        platform,
        f"""
        init(traces_endpoint="http://127.0.0.1:{port}/v1/traces")
        start()
        for n in range(500):
            Span(f"s{{n}}").end()
        wait_until(lambda: stats()["retries"] >= 2)
        tell("down")
        Span("later").end()
        out["flush"] = flush(10000)
    """,
    )
    running.wait_for("down")
    with PlatformServer(port=port) as back:
        result = running.result()
        assert sorted(names(back)) == sorted([f"s{n}" for n in range(500)] + ["later"])
    assert result["flush"] == "OK" and result.stats["exported"] == 501


def test_one_request_that_hangs_delays_no_other(platform):
    platform.on("traces", Answer(hang=True))
    result = run(
        platform,
        """
        init(timeout_ms=10000)
        start()
        Span("hangs").end()
        wait_until(lambda: stats()["queued"] == 1)
        time.sleep(0.2)  # until it is on its way
        begin = time.monotonic()
        for n in range(20):
            Span(f"s{n}").end()
            write_log(f"l{n}")
        wait_until(lambda: stats()["exported"] == 40)
        out["ms"] = (time.monotonic() - begin) * 1000
        cancel()
        out["end"] = shutdown(300)
    """,
    )
    assert result["ms"] < 2000 and result["end"] == "TIMEOUT"
    assert result.stats["dropped_shutdown"] == 1 and result.stats["exported"] == 40


# ---- final answers ----


@pytest.mark.parametrize("status", [401, 403, 404, 409, 415, 302])
def test_a_refusal_is_final(platform, status):
    platform.on("traces", Answer(status, {"Location": "/elsewhere"} if status == 302 else {}, KEY.encode()))
    result = run(
        platform,
        """
        init()
        start()
        [Span().end() for _ in range(3)]
        out["flush"] = flush()
        Span("next").end()
        flush()
        out["told"] = logged("3 items were dropped")
    """,
    )
    assert result["flush"] == "OK" and result["told"][0] == 1 and f"HTTP {status}" in result["told"][1]
    assert (result.stats["dropped_rejected"], result.stats["exported"], result.stats["retries"]) == (3, 1, 0)
    assert names(platform) == ["next"]


def test_a_malformed_item_costs_only_itself(platform):
    """A receiver answers 400 for the whole request: halved, until the one that it cannot read stands alone."""
    platform.always("traces", Answer(400))
    result = run(
        platform,
        """
        init()
        start()
        [Span().end() for _ in range(3)]
        out["flush"] = flush()
    """,
    )
    assert result["flush"] == "OK"
    assert (result.stats["dropped_rejected"], result.stats["exported"], result.stats["retries"]) == (3, 0, 0)
    # 3 → 1 + 2 → 1 + 1
    assert len(platform.of("traces")) == 5


def test_too_large_requests_are_halved_until_they_fit(platform):
    """413 for every request with the large span in it: the others arrive, it alone is dropped."""
    platform.always("traces", None)
    # 8 spans, one after the other halved: 8 → 4, 4 → … the order of the halves is scripted.
    platform.on("traces", Answer(413), Answer(413), Answer(413), Answer(413))
    result = run(
        platform,
        """
        init(flush_interval_ms=60000)
        start()
        [Span(f"s{n}").end() for n in range(8)]
        out["flush"] = flush()
    """,
    )
    counts = [len(r.spans) for r in platform.of("traces")]
    assert counts == [8, 4, 2, 1, 1, 2, 4]
    assert (result.stats["dropped_too_large"], result.stats["exported"]) == (1, 7)
    assert sorted(names(platform)) == [f"s{n}" for n in range(1, 8)]


def test_a_receiver_for_which_everything_is_too_large(platform):
    platform.always("traces", Answer(413))
    result = run(platform, "init(); start(); [Span().end() for _ in range(20)]; out['flush'] = flush()")
    assert result["flush"] == "OK" and result.stats["dropped_too_large"] == 20


@pytest.mark.parametrize("rejected,counted", [(2, 2), (0, 0), (99, 5), (-1, 0)])
def test_partial_success(platform, rejected, counted):
    platform.on("traces", Answer(200, {}, otlp.partial_success(rejected, "too old")))
    result = run(
        platform,
        """
        init(flush_interval_ms=60000)
        start()
        [Span().end() for _ in range(5)]
        out["flush"], out["told"] = flush(), logged("too old")
    """,
    )
    assert (result.stats["dropped_rejected"], result.stats["exported"]) == (counted, 5 - counted)
    assert bool(result["told"]) == (counted > 0)


def test_partial_success_of_logs(platform):
    platform.on("logs", Answer(200, {}, otlp.partial_success(1)))
    result = run(platform, "init(flush_interval_ms=60000); start(); write_log('a'); write_log('b'); flush()")
    assert (result.stats["dropped_rejected"], result.stats["exported"]) == (1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"Content-Type": "application/json"}, b'{"partialSuccess":{}}'),
        Answer(202),
        Answer(204),
        Answer(200, {}, b"\xff\xff\xff"),
        Answer(200, huge=10_000_000),
    ],
)
def test_any_success_confirms(platform, answer):
    platform.on("traces", answer)
    result = run(platform, "init(); start(); Span().end(); out['flush'] = flush()")
    assert result["flush"] == "OK" and result.stats["exported"] == 1 and result.stats["retries"] == 0


# ---- the shutdown ----


@pytest.mark.parametrize("deadline", [0, 100, 700])
def test_a_black_hole_does_not_hold_the_shutdown(platform, deadline):
    platform.always("*", Answer(hang=True))
    result = run(
        platform,
        f"""
        init(sample_ratio=1.0, timeout_ms=10000)
        [Span().end() for _ in range(100)]
        wait_until(lambda: stats()["queued"] == 100)
        out["end"], out["ms"] = timed(shutdown, {deadline})
    """,
    )
    assert result["end"] == "TIMEOUT" and result["ms"] <= deadline + 100
    assert result.stats["dropped_shutdown"] == 100 and result.stats["queued_bytes"] == 0


def test_a_black_hole_does_not_hold_the_shutdown_of_a_session(platform):
    running = launch(
        platform,
        """
        init(timeout_ms=10000)
        start()
        tell("started")
        pause()
        [Span().end() for _ in range(100)]
        out["end"], out["ms"] = timed(shutdown, 700)
    """,
    )
    running.wait_for("started")
    platform.always("*", Answer(hang=True))
    running.go()
    result = running.result()
    assert result["end"] == "TIMEOUT" and result["ms"] <= 800
    assert result.stats["dropped_shutdown"] == 100


def test_an_address_that_swallows_connections(platform):
    """A full backlog: the connect itself gets no answer."""
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port, fillers = listener.getsockname()[1], []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        result = run(
            platform,
            f"""
            init(traces_endpoint="http://127.0.0.1:{port}/v1/traces", sample_ratio=1.0, timeout_ms=10000)
            Span().end()
            out["flush"], out["end"] = flush(300), timed(shutdown, 300)
        """,
        )
        assert result["flush"] == "TIMEOUT" and result["end"][0] == "TIMEOUT" and result["end"][1] <= 400
        for filler in fillers:
            filler.close()


def test_shutdown_delivers_within_its_time(platform):
    result = run(
        platform,
        """
        init(flush_interval_ms=3600000, sample_ratio=1.0)
        [Span().end() for _ in range(3000)]
        out["end"], out["ms"] = timed(shutdown, 10000)
    """,
    )
    assert result["end"] == "OK" and result["ms"] < 5000 and len(platform.spans) == 3000


def test_shutdown_retries_while_it_has_time(platform):
    platform.on("traces", *[Answer(503)] * 4)
    result = run(platform, "init(sample_ratio=1.0); Span('kept').end(); out['end'] = shutdown(5000)")
    assert result["end"] == "OK" and names(platform) == ["kept"]


def test_spans_that_end_after_the_shutdown_are_harmless(platform):
    """Also when the recorder had recorded nothing before: no thread of the library comes back."""
    result = run(
        platform,
        """
        init()
        start()
        spans = [Span(f"s{n}", a="b") for n in range(20)]
        out["end"] = shutdown()
        out["said"] = [spans[0].set("late", 1), spans[0].event("late"), spans[0].exception()]
        [s.end() for s in spans]
        child = Span("child", parent=spans[0]).end()
        out["stats"] = stats()
        wait_until(lambda: not worker_threads(), 3)
        out["init"] = init()
        Span("of the next recorder", parent=child).end()
    """,
    )
    assert result["end"] == "OK" and result["init"] == "OK"
    assert platform.of("traces") == [] or names(platform) == ["of the next recorder"]
    # The header: "Came after the shutdown".
    assert result["stats"]["dropped_shutdown"] == 20


# ---- many at once ----


def test_sixteen_threads_with_two_thousand_spans_each(platform):
    result = run(
        platform,
        """
        init(flush_interval_ms=100, queue_max_bytes=2**28)
        start()
        def work(n):
            for i in range(2000):
                handle = lib.mpr_span_begin(b"%d-%d" % (n, i), 1, None)
                lib.mpr_span_end(handle)
        together(16, work)
        out["flush"], out["stats"], out["info"] = flush(30000), stats(), info()
        stop()
    """,
    )
    spans = platform.spans
    assert result["flush"] == "OK" and len(spans) == 32_000
    assert {s["name"] for s in spans} == {f"{n}-{i}" for n in range(16) for i in range(2000)}
    assert len({s["span_id"] for s in spans}) == len({s["trace_id"] for s in spans}) == 32_000
    assert result["stats"]["exported"] == 32_000 == result["info"]["counts"]["spans"]
    assert len({s["trace_id"][:14] for s in spans}) == 1


def test_everything_from_sixteen_threads_with_an_unsteady_receiver(platform):
    """Own spans, logs and a host's OTLP at once, while the receiver refuses, fails and hangs up: every item is
    delivered once or counted."""
    bad = [
        Answer(503),
        Answer(reset=True),
        Answer(429, {"Retry-After": "0"}),
        Answer(403),
        Answer(413),
        Answer(close=True),
    ]
    platform.on("traces", *bad * 3)
    platform.on("logs", *bad)
    result = run(
        platform,
        """
        init(flush_interval_ms=10, batch_max_items=50, timeout_ms=1000)
        start()
        def work(n):
            for i in range(50):
                Span(f"{n}-{i}").end()
                write_log(f"{n}-{i}")
                export_traces(otlp.export_traces(otlp.span(trace_id(), f"x{n}-{i}")))
                if i % 10 == 0:
                    stats()
        together(16, work)
        out["flush"] = flush(20000)
        out["stats"] = stats()
    """,
    )
    now, got = result["stats"], names(platform) + [r["body"] for r in platform.logs]
    assert result["flush"] == "OK" and now["accepted"] == 16 * 150 and now["queued"] == 0
    assert now["exported"] == len(got) and now["dropped_rejected"] > 0
    assert now["exported"] + now["dropped_rejected"] + now["dropped_too_large"] == now["accepted"]


def test_no_file_descriptor_left(platform):
    """Neither a thread's poll nor a connection can be opened. What is recorded waits, and goes when there are some again."""
    result = run(
        platform,
        """
        import resource
        init(sample_ratio=1)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        Span("kept").end()
        out["none"] = timed(flush, 300)
        out["between"] = stats()
        out["start"] = name_of(lib.mpr_start(1, None))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        out["some"] = flush(20_000)
        Span("then").end()
        out["end"] = shutdown(20_000)
        """,
    )
    (status, took), between = result["none"], result["between"]
    assert status == "TIMEOUT" and took < 3_000 and between["queued"] == 1
    assert result["start"] not in ("OK", "INTERNAL")
    assert (result["some"], result["end"]) == ("OK", "OK")
    assert sorted(span["name"] for span in platform.spans) == ["kept", "then"]
    assert result.stats["exported"] == 2 and result.stats["panics"] == 0
