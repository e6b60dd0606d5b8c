"""Sessions through session_recorder, end to end into a real local recorder."""

import json

SECRETS = ["hunter2", "sk_live_4242", "4111111111111111", "abc.def.ghi"]


def no_secret(local):
    """Nothing secret is in any file of the recorder, its write-ahead log included."""
    files = list(local.database.parent.iterdir())
    assert local.database in files
    content = b"".join(f.read_bytes() for f in files)
    return [secret for secret in SECRETS if secret.encode() in content]


def test_manual_session(run_python, local, recorded):
    told = run_python(
        """
        base = os.environ.pop("MULTIPLAYER_BASE_API_URL")
        session_recorder.init({
            "apiKey": "local",
            "apiBaseUrl": base,
            "resourceAttributes": {"serviceName": "cart", "version": "1.2.3", "environment": "test", "team": "blue"},
            "maxPayloadBytes": 5000,
        }, mask_body_fields=["nickname"])
        before = session_recorder.session_info()
        session_recorder.start(SessionType.PLAIN, {
            "name": "Cart is empty", "sessionAttributes": {"accountName": "Acme"}, "tags": ["fast"],
        })
        running = session_recorder.session_info()
        remote = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
        with session_recorder.span("GET /cart", kind=SpanKind.SERVER) as span:
            span.set_attribute("http.route", "/cart")
            span.set_attribute("items", 3)
            span.set_attribute("big", 2**70)
            span.set_attribute("share", 0.5)
            span.set_attribute("ready", True)
            span.set_attribute("nul", "a\\0b")
            span.capture_payload(PayloadKind.HTTP_REQUEST,
                {"Content-Type": "application/json", "Authorization": "Bearer abc.def.ghi", "X-Forged": "a\\r\\nX-B: c"},
                '{"user": "ann", "password": "hunter2", "nickname": "sk_live_4242", "card": "4111111111111111"}')
            with session_recorder.span("SELECT", kind=SpanKind.CLIENT):
                session_recorder.log("reading the cart, password=hunter2", Severity.WARN, {"rows": 3, "when": object})
            span.capture_payload(PayloadKind.HTTP_RESPONSE,
                [("Content-Type", "application/json"), (b"Set-Cookie", b"sid=sk_live_4242"), ("Content-Length", 12)], b'{"ok": true}')
            ids = [span.trace_id, span.span_id, span.traceparent]
        with session_recorder.span("of another service", parent=ids[2]):
            pass
        try:
            with session_recorder.span("POST /pay", kind=SpanKind.SERVER):
                raise LookupError("no card for token=sk_live_4242")
        except LookupError:
            pass
        try:
            raise ZeroDivisionError("by zero")
        except ZeroDivisionError as error:
            session_recorder.capture_exception(error)
        with session_recorder.span("GET /gone") as span:
            span.set_status(SpanStatus.ERROR, "gone")
        session_recorder.log("outside of any span")
        session_recorder.flush()
        counts = session_recorder.session_info()["counts"]
        session_recorder.stop({"sessionAttributes": {"result": "seen"}})
        stats = session_recorder.stats()
        session_recorder.shutdown()
        tell(before=before, running=running, ids=ids, counts=counts, stats=stats, whole=nothing_lost(stats))
        """,
        to=local,
    )
    assert told["before"]["state"] == "stopped"
    running = told["running"]
    assert (running["state"], running["type"], running["name"]) == ("started", "MANUAL", "Cart is empty")
    assert told["whole"], told["stats"]
    assert told["counts"] == {"spans": 6, "logs": 2, "errors": 3}

    one = recorded()
    assert one.session["_id"] == running["id"] and one.session["shortId"] == running["shortId"]
    assert one.session["name"] == "Cart is empty" and one.session["stoppedAt"] and not one.session["live"]
    assert one.session["sessionAttributes"] == {"accountName": "Acme", "result": "seen"}
    assert one.session["services"] == ["cart"]
    assert len(one.spans) == 6 and len(one.logs) == 2

    cart = one.span("GET /cart")
    trace, span_id, traceparent = told["ids"]
    assert trace.startswith("debdeb" + running["shortId"]) and traceparent == f"00-{trace}-{span_id}-01"
    assert (cart["traceId"], cart["spanId"], cart["parentSpanId"]) == (trace, span_id, "")
    assert cart["kind"] == "SERVER" and cart["service"] == "cart" and cart["status"]["code"] == "UNSET"
    resource = cart["resource"]
    assert resource["service.version"] == "1.2.3" and resource["deployment.environment"] == "test"
    assert resource["team"] == "blue"
    attributes = cart["attributes"]
    plain = {key: attributes[key] for key in ("http.route", "items", "big", "share", "ready", "nul")}
    assert plain == {"http.route": "/cart", "items": 3, "big": str(2**70), "share": 0.5, "ready": True, "nul": "a\ufffdb"}
    headers = json.loads(attributes["multiplayer.http.request.headers"])
    assert headers["Content-Type"] == "application/json" and headers["X-Forged"] == "a X-B: c" and "X-B" not in headers
    body = json.loads(attributes["multiplayer.http.request.body"])
    assert body["user"] == "ann" and set(body) == {"user", "password", "nickname", "card"}
    assert json.loads(attributes["multiplayer.http.response.body"]) == {"ok": True}
    headers = json.loads(attributes["multiplayer.http.response.headers"])
    assert headers["Content-Length"] == "12" and "Set-Cookie" in headers

    select = one.span("SELECT")
    assert (select["traceId"], select["parentSpanId"], select["kind"]) == (trace, span_id, "CLIENT")
    warning = next(log for log in one.logs if log["body"].startswith("reading the cart"))
    assert (warning["traceId"], warning["spanId"]) == (trace, select["spanId"])
    assert warning["severityText"] == "warn" and warning["attributes"]["rows"] == 3

    other = one.spans[[s["name"] for s in one.spans].index("POST /pay")]
    assert other["traceId"] != trace and other["status"]["code"] == "ERROR"
    event = other["events"][0]
    assert event["name"] == "exception" and event["attributes"]["exception.type"] == "LookupError"
    assert "program.py" in event["attributes"]["exception.stacktrace"]
    assert one.span("ZeroDivisionError")["status"]["code"] == "ERROR"
    assert one.span("GET /gone")["status"] == {"code": "ERROR", "message": "gone"}
    assert no_secret(local) == []


def test_a_foreign_trace_is_filtered(run_python, local, recorded):
    """A traceparent of no session is followed, but its spans belong to no session."""
    told = run_python(
        """
        session_recorder.init()
        session_recorder.start()
        parent = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
        with session_recorder.span("elsewhere", parent=parent) as elsewhere: pass
        with session_recorder.span("garbage", parent="no traceparent"): pass
        with session_recorder.span("outer") as outer:
            with session_recorder.span("new trace", parent=None) as fresh: pass
            with session_recorder.span("given", parent=elsewhere) as given: pass
        session_recorder.stop()
        session_recorder.shutdown()
        tell(elsewhere=elsewhere.trace_id, outer=outer.trace_id, fresh=fresh.trace_id, given=given.trace_id)
        """,
        to=local,
    )
    assert told["elsewhere"] == told["given"] == "ab" * 16
    assert told["fresh"] != told["outer"]
    assert sorted(s["name"] for s in recorded().spans) == ["garbage", "new trace", "outer"]


def test_current_span_follows_threads_and_tasks(run_python, local, recorded):
    """The span of a `with` block is the parent in its own thread and task, not in others."""
    run_python(
        """
        import asyncio
        session_recorder.init()
        session_recorder.start()

        async def work(n):
            with session_recorder.span("task %d" % n):
                await asyncio.sleep(0)
                with session_recorder.span("in task %d" % n):
                    await asyncio.sleep(0)

        async def main():
            with session_recorder.span("main"):
                await asyncio.gather(*(work(n) for n in range(5)))

        def alone():
            with session_recorder.span("thread"): pass

        def numbers():
            with session_recorder.span("generator"):
                yield 1

        with session_recorder.span("around the thread"):
            thread = threading.Thread(target=alone); thread.start(); thread.join()
        asyncio.run(main())
        for _ in numbers(): pass
        unfinished = numbers(); next(unfinished); unfinished.close()
        with session_recorder.span("last"): pass
        session_recorder.stop()
        session_recorder.shutdown()
        """,
        to=local,
    )
    one = recorded()
    main = one.span("main")["spanId"]
    for n in range(5):
        assert one.span(f"task {n}")["parentSpanId"] == main
        assert one.span(f"in task {n}")["parentSpanId"] == one.span(f"task {n}")["spanId"]
    for root in ("thread", "around the thread", "last"):
        assert one.span(root)["parentSpanId"] == ""


def test_continuous_session_and_save(run_python, local, recorded):
    told = run_python(
        """
        session_recorder.init()
        session_recorder.start(SessionType.CONTINUOUS, {"name": "rolling"})
        with session_recorder.span("in the window") as span:
            session_recorder.log("a line")
        session_recorder.save({"name": "kept"})
        info = session_recorder.session_info()
        with session_recorder.span("after the save"): pass
        session_recorder.stop()
        session_recorder.shutdown()
        tell(info=info, trace=span.trace_id)
        """,
        to=local,
    )
    info = told["info"]
    assert info["state"] == "started" and info["type"] == "CONTINUOUS"
    assert told["trace"].startswith("cdbcdb" + info["shortId"])
    saved = recorded(kind="saved")
    assert saved.session["name"] == "kept" and saved.session["_id"] == info["saved"]["id"]
    assert saved.span("in the window")["traceId"] == told["trace"]
    assert [log["body"] for log in saved.logs] == ["a line"]


def test_an_error_saves_a_continuous_session(run_python, local, recorded):
    """By itself, without a call of the host."""
    run_python(
        """
        session_recorder.init()
        session_recorder.start(SessionType.CONTINUOUS)
        try:
            with session_recorder.span("fails"):
                raise ValueError("bad")
        except ValueError:
            pass
        end = time.monotonic() + 20
        while "saved" not in session_recorder.session_info() and time.monotonic() < end:
            time.sleep(0.02)
        session_recorder.shutdown()
        """,
        to=local,
    )
    assert recorded(kind="saved").span("fails")["status"]["code"] == "ERROR"


def test_cancel_throws_away(run_python, local):
    told = run_python(
        """
        session_recorder.init()
        session_recorder.start()
        with session_recorder.span("unwanted"): pass
        session_recorder.cancel()
        tell(state=session_recorder.session_info()["state"])
        session_recorder.shutdown()
        """,
        to=local,
    )
    assert told["state"] == "stopped"
    assert local.request("GET", "/api/sessions").json["sessions"] == []


def test_remote_check(run_python, local):
    """Nothing to do, then the platform wants a session."""
    script = """
        session_recorder.init()
        tell(started=bool(session_recorder.check_remote_continuous_session({"sessionAttributes": {"account": "acme"}})),
             type=session_recorder.session_info().get("type"))
        session_recorder.shutdown()
        """
    assert run_python(script, to=local)["started"] is False
    wanted = json.dumps({"shouldStart": True, "mode": "CONTINUOUS", "recordingOptions": {}})
    assert local.request("PUT", "/api/remote-check", wanted, {"Content-Type": "application/json"}).status == 200
    told = run_python(script, to=local)
    assert (told["started"], told["type"]) == (True, "CONTINUOUS")


def test_recording_off(run_python):
    """Without init everything of the hot path works and does nothing."""
    told = run_python(
        """
        with session_recorder.span("off") as span:
            span.set_attribute("a", 1)
            span.capture_payload(PayloadKind.HTTP_REQUEST, {"A": "b"}, b"c")
            with session_recorder.span("inner") as inner: pass
            session_recorder.log("line")
            session_recorder.capture_exception(ValueError("x"))
        session_recorder.shutdown()
        tell(traceparent=span.traceparent, trace=span.trace_id, inner=inner.trace_id, stats=session_recorder.stats())
        """
    )
    assert told["traceparent"].startswith(f"00-{told['trace']}-") and int(told["trace"], 16) != 0
    assert told["inner"] == told["trace"] and not any(told["stats"].values())


def test_exit_delivers(run_python, local, recorded):
    """A program that forgets shutdown() loses nothing at a normal exit, nor when an exception ends it."""
    run_python(
        """
        session_recorder.init(flush_interval_ms=60000)
        session_recorder.start()
        with session_recorder.span("last words"): pass
        raise SystemExit(3)
        """,
        to=local,
        status=3,
    )
    one = recorded()
    assert one.span("last words") and not one.session["live"]


def test_init_after_shutdown(run_python, local):
    told = run_python(
        """
        numbers = []
        for turn in range(3):
            session_recorder.init()
            session_recorder.start(session={"name": "turn %d" % turn})
            with session_recorder.span("work"): pass
            session_recorder.shutdown()
            numbers.append(nothing_lost(session_recorder.stats()))
        tell(numbers=numbers)
        """,
        to=local,
    )
    assert told["numbers"] == [True, True, True]
    sessions = local.request("GET", "/api/sessions").json["sessions"]
    assert sorted(s["name"] for s in sessions) == ["turn 0", "turn 1", "turn 2"]
    assert all(local.span_names(s["_id"]) == ["work"] for s in sessions)


def test_diagnostics_go_to_logging(run_python, local):
    told = run_python(
        """
        import logging
        lines = []
        class Lines(logging.Handler):
            def emit(self, record): lines.append([record.levelname, record.getMessage()])
        logger = logging.getLogger("multiplayer.session_recorder")
        logger.addHandler(Lines()); logger.setLevel("DEBUG"); logger.propagate = False
        session_recorder.init(log_level="info")
        session_recorder.start()
        span = session_recorder.span("ended"); span.end(); span.end(); span.set_attribute("late", 1)
        with session_recorder.span("ok") as span:
            span.capture_payload(99, None, b"")
        session_recorder.shutdown()
        tell(lines=lines)
        """,
        to=local,
    )
    levels = [level for level, _ in told["lines"]]
    assert "INFO" in levels
    warnings = [text for level, text in told["lines"] if level == "WARNING"]
    assert len(warnings) == 2 and all("MPR_ERR_INVALID_ARGUMENT" in text for text in warnings), warnings
