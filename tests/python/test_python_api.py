"""init() with any spelling, errors of one class, session calls with and without await, names of 1.x."""

import pytest

HOST = """
def error(call, *arguments, **keywords):
    try:
        call(*arguments, **keywords)
    except SessionRecorderError as e:
        return [e.name, e.code, e.message]
"""


@pytest.mark.parametrize(
    "options, says",
    [
        ({"apikey": "k"}, "did you mean 'api_key'?"),
        ({"apiKey": "k", "apiBaseURL": "x"}, "did you mean 'apiBaseUrl'?"),
        ({"apiKey": "k", "maskBodyFieldList": []}, "did you mean 'maskBodyFieldsList'?"),
        ({"apiKey": "k", "api_key": "other"}, "api_key is given twice"),
        ({"apiKey": "k", "traceIdGenerator": "object()"}, "SessionRecorderRandomIdGenerator"),
        ({"apiKey": "k", "headers": {"a": b"b"}}, "headers: bytes"),
        ({"apiKey": "k", "resourceAttributes": {"a": "object()"}}, "resourceAttributes: object"),
        ({"apiKey": "k", "log_callback": 5}, "log_callback"),
        ({5: "k"}, "option names are text"),
    ],
)
def test_init_says_what_is_wrong(run_python, options, says):
    told = run_python(
        HOST
        + f"""
def real(value):
    if isinstance(value, dict): return {{k: real(v) for k, v in value.items()}}
    return object() if value == "object()" else value
tell(error=error(session_recorder.init, real({options!r})), after=error(session_recorder.init, apiKey="k"))
session_recorder.shutdown()
"""
    )
    name, code, message = told["error"]
    assert (name, code) == ("MPR_ERR_INVALID_ARGUMENT", -1) and says in message
    assert told["after"] is None


def test_every_spelling_reaches_the_library(run_python, platform):
    """camelCase, snake_case, the peers' names, an object, and keywords beside it."""
    told = run_python(
        """
        from multiplayer.session_recorder import SessionRecorderConfig
        seen = []
        for given, more in [
            ({"apiKey": "key-1", "maxPayloadSizeBytes": 50, "isMaskBodyEnabled": True, "maskBodyFieldsList": ["zonk"]}, {}),
            ({"api_key": "key-1", "max_payload_bytes": 50, "mask_body": True}, {"mask_body_fields": ["zonk"]}),
            (SessionRecorderConfig(apiKey="key-1"), {"maxPayloadBytes": 50, "maskBodyFields": "zonk"}),
            (None, {"apiKey": "key-1", "max_payload_size_bytes": 50, "maskBodyFields": ("zonk",)}),
        ]:
            session_recorder.init(given, **more, resourceAttributes={"serviceName": "a", "version": "1", "x": "y", "none": None})
            out = ctypes.create_string_buffer(500); needed = c_size_t()
            check(lib.mpr_mask(b"application/json", b'{"zonk": 1, "b": 2}', 19, out, 500, needed))
            session_recorder.start(SessionType("PLAIN"), {"name": "n"})
            seen.append([out.raw[:needed.value].decode()])
            session_recorder.shutdown()
        tell(seen=seen)
        """,
        to=platform,
    )
    assert told["seen"] == [['{"zonk": "***MASKED***", "b": 2}']] * 4
    starts = platform.of("start")
    assert len(starts) == 4 and all(call.headers["x-api-key"] == "key-1" for call in starts)


def test_wrong_python_types_are_the_same_error(run_python, local):
    """Not a ctypes.ArgumentError, a TypeError or a ValueError of json."""
    told = run_python(
        HOST
        + """
session_recorder.init()
loop = {}; loop["a"] = loop
errors = [
    error(session_recorder.start, "weekly"), error(session_recorder.start, None), error(session_recorder.start, 1.5),
    error(session_recorder.start, SessionType.PLAIN, "name"), error(session_recorder.start, SessionType.PLAIN, {"name": object()}),
    error(session_recorder.start, SessionType.PLAIN, loop), error(session_recorder.stop, 5), error(session_recorder.save, []),
    error(session_recorder.check_remote_continuous_session, "x"), error(session_recorder.flush, "soon"),
    error(session_recorder.flush, -1), error(session_recorder.shutdown, None), error(session_recorder.shutdown, 2**40),
    error(session_recorder.set_consent, "yes"),
]
# What is hot does not raise at all.
session_recorder.start("MANUAL")
import logging
lines = []
class Lines(logging.Handler):
    def emit(self, record): lines.append(record.getMessage())
logger = logging.getLogger("multiplayer.session_recorder"); logger.addHandler(Lines()); logger.propagate = False
with session_recorder.span(5, kind="server") as span: span.set_attribute(None, object())
with session_recorder.span("x") as span:
    span.set_status("bad"); span.capture_payload("http", {"a": 1}, b"x"); span.set_attribute(1, 2**100)
    session_recorder.log(5, "high"); session_recorder.log("x", 9, {1: 2, (1, 2): 3}, span=7)
session_recorder.stop(); session_recorder.shutdown()
tell(errors=errors, lines=lines)
""",
        to=local,
    )
    assert all(e and e[0] == "MPR_ERR_INVALID_ARGUMENT" and "\n" not in e[2] for e in told["errors"]), told["errors"]
    assert "PLAIN, MANUAL or CONTINUOUS" in told["errors"][0][2]
    assert all("MPR_ERR_INVALID_ARGUMENT" in line for line in told["lines"]) and len(told["lines"]) >= 4


def test_errors_are_what_1_x_raised(run_python):
    run_python(
        """
        for call, old in ((lambda: session_recorder.init(), ValueError), (lambda: session_recorder.stop(), RuntimeError)):
            try:
                call()
            except old as e:
                assert isinstance(e, SessionRecorderError)
            else:
                raise AssertionError
        """
    )


def test_await(run_python, local):
    """In a loop, with asyncio.run(), create_task() and gather(); the value and the error come with the await."""
    told = run_python(
        HOST
        + """
import asyncio
session_recorder.init()
asyncio.run(session_recorder.start(SessionType.PLAIN, {"name": "by run"}))
asyncio.run(session_recorder.stop())

async def main():
    await session_recorder.start(SessionType.CONTINUOUS, {"name": "rolling"})
    with session_recorder.span("work"): pass
    await asyncio.wait_for(session_recorder.save({"name": "kept"}), 20)
    started = await session_recorder.check_remote_continuous_session()
    task = asyncio.create_task(session_recorder.stop())
    await task
    failed = await asyncio.gather(session_recorder.stop(), session_recorder.save(), return_exceptions=True)
    try:
        await session_recorder.start(SessionType.PLAIN, {"nmae": 1})
    except SessionRecorderError as e:
        named = e.message
    return started, [e.name for e in failed], named
started, failed, named = asyncio.run(main())
tell(started=started, failed=failed, named=named)
session_recorder.shutdown()
""",
        to=local,
    )
    assert told["started"] is False and told["failed"] == ["MPR_ERR_INVALID_STATE"] * 2 and "nmae" in told["named"]
    sessions = local.request("GET", "/api/sessions").json["sessions"]
    assert sorted(s["name"] for s in sessions if s["kind"] != "continuous") == ["by run", "kept"]


def test_a_loop_is_not_blocked(run_python, platform):
    """While the platform thinks, the loop turns."""
    from platform_server import Answer

    platform.on("start", Answer(delay=1.0, json={"_id": "a" * 24, "shortId": "1234abcd"}))
    told = run_python(
        """
        import asyncio
        session_recorder.init()
        async def main():
            turns, longest, before = 0, 0, time.monotonic()
            call = session_recorder.start()
            made = time.monotonic() - before
            task = asyncio.ensure_future(call)
            while not task.done():
                before = time.monotonic()
                await asyncio.sleep(0.01)
                turns, longest = turns + 1, max(longest, time.monotonic() - before)
            await task
            return made, turns, longest
        made, turns, longest = asyncio.run(main())
        tell(made=made, turns=turns, longest=longest, state=session_recorder.session_info()["state"])
        session_recorder.shutdown()
        """,
        to=platform,
    )
    assert told["state"] == "started" and told["made"] < 0.3
    assert told["turns"] >= 20 and told["longest"] < 0.5


def test_calls_that_nobody_awaits(run_python, local):
    """They take effect, in their order, before the interpreter ends; their errors are logged."""
    told = run_python(
        """
        import asyncio, logging
        lines = []
        class Lines(logging.Handler):
            def emit(self, record): lines.append(record.getMessage())
        logger = logging.getLogger("multiplayer.session_recorder"); logger.addHandler(Lines()); logger.propagate = False
        session_recorder.init()
        async def main():
            for n in range(3):
                session_recorder.start(SessionType.PLAIN, {"name": "turn %d" % n})
                session_recorder.stop()
            session_recorder.stop()
            session_recorder.start(SessionType.PLAIN, {"name": "last"})
        asyncio.run(main())
        end = time.monotonic() + 20
        while session_recorder.session_info().get("name") != "last" or session_recorder.session_info()["state"] != "started":
            assert time.monotonic() < end
            time.sleep(0.02)
        session_recorder.shutdown()
        tell(lines=lines)
        """,
        to=local,
    )
    names = [s["name"] for s in local.request("GET", "/api/sessions").json["sessions"]]
    assert sorted(names) == ["last", "turn 0", "turn 1", "turn 2"]
    assert len(told["lines"]) == 1 and "not awaited failed" in told["lines"][0] and "INVALID_STATE" in told["lines"][0]


def test_a_call_in_a_forked_child(run_python, local):
    """The thread that the parent's calls wait for is not there in the child."""
    told = run_python(
        """
        import asyncio
        session_recorder.init()
        async def main():
            call = session_recorder.start()
            child = os.fork()
            if child == 0:
                try:
                    session_recorder.check_remote_continuous_session().result(10)
                    os._exit(0)
                except SessionRecorderError:
                    os._exit(0)
                except BaseException:
                    os._exit(1)
            _, status = os.waitpid(child, 0)
            await call
            return status
        tell(status=asyncio.run(main()))
        session_recorder.shutdown()
        """,
        to=local,
    )
    assert told["status"] == 0


def test_nothing_runs_on_the_librarys_threads(run_python, local):
    """Unless somebody wants the lines."""
    told = run_python(
        """
        seen = []
        def watch(frame, event, argument):
            seen.append(threading.current_thread().name)
        threading.setprofile(watch)
        from multiplayer.session_recorder import _native, _recorder
        callbacks = [v for v in vars(_recorder).values() if isinstance(v, ctypes._CFuncPtr)]
        session_recorder.init()
        kept = len(_recorder._kept)
        session_recorder.start(); session_recorder.stop(); session_recorder.shutdown()
        lines = []
        session_recorder.init(log_callback=lambda level, text: lines.append([level, text]), log_level="debug")
        session_recorder.start(); session_recorder.stop(); session_recorder.shutdown()
        tell(callbacks=len(callbacks), kept=kept, lines=len(lines), seen=[n for n in seen if n.startswith("Dummy")])
        """,
        to=local,
    )
    assert told["callbacks"] == 0 and told["kept"] == 0 and told["lines"] > 0


def test_losses_are_told_without_a_log_callback(run_python, platform):
    from platform_server import Answer

    platform.always("traces", Answer(status=400))
    told = run_python(
        """
        import logging
        lines = []
        class Lines(logging.Handler):
            def emit(self, record): lines.append(record.getMessage())
        logger = logging.getLogger("multiplayer.session_recorder"); logger.addHandler(Lines()); logger.propagate = False
        session_recorder.init(); session_recorder.start()
        with session_recorder.span("refused"): pass
        session_recorder.stop(); session_recorder.shutdown()
        tell(lines=lines)
        """,
        to=platform,
    )
    assert len(told["lines"]) == 1 and "dropped_rejected 1" in told["lines"][0]


def test_names_of_1_x(run_python):
    """Every module of the published package, and every name that it has for others to use."""
    run_python(
        """
        import importlib
        published = {
            "": ["SessionRecorderSdk", "SessionRecorder", "SessionRecorderRandomIdGenerator", "SessionRecorderTraceIdRatioBasedSampler",
                 "SessionType", "create_django_middleware", "create_flask_middleware", "is_django_available", "is_flask_available",
                 "session_recorder", "DjangoOtelHttpPayloadRecorderMiddleware", "FlaskOtelHttpPayloadRecorderMiddleware"],
            "constants": ["MASK_PLACEHOLDER", "MULTIPLAYER_BASE_API_URL", "MULTIPLAYER_TRACE_DEBUG_PREFIX",
                          "ATTR_MULTIPLAYER_HTTP_REQUEST_BODY", "MULTIPLAYER_OTEL_DEFAULT_TRACES_EXPORTER_HTTP_URL"],
            "exporter": ["HTTPOTLPSpanExporter", "HTTPOTLPLogExporter", "GRPCOTLPSpanExporter", "GRPCOTLPLogExporter",
                         "OTLPSpanExporterWrapper", "OTLPLogExporterWrapper"],
            "exporter.helpers": ["filter_spans_include_debug", "filter_logs_include_debug", "should_export_data",
                                 "filter_spans_exclude_debug", "filter_logs_exclude_debug"],
            "exporter.http": ["OTLPSpanExporter", "OTLPLogExporter"], "exporter.grpc": ["OTLPSpanExporter", "OTLPLogExporter"],
            "exporter.http.trace_exporter": ["OTLPSpanExporter", "create_http_span_exporter"],
            "exporter.http.log_exporter": ["OTLPLogExporter", "create_http_log_exporter"],
            "exporter.grpc.trace_exporter": ["OTLPSpanExporter", "create_grpc_span_exporter"],
            "exporter.grpc.log_exporter": ["OTLPLogExporter", "create_grpc_log_exporter"],
            "exporter.log_wrapper": ["OTLPLogExporterWrapper"], "exporter.span_wrapper": ["OTLPSpanExporterWrapper"],
            "middleware": ["create_django_middleware", "create_flask_middleware", "is_django_available", "is_flask_available"],
            "middleware.django_http_payload_recorder": ["DjangoOtelHttpPayloadRecorderMiddleware"],
            "middleware.flask_http_payload_recorder": ["FlaskOtelHttpPayloadRecorderMiddleware"],
            "sdk": ["SessionRecorderSdk", "capture_exception", "mask", "set_attribute", "set_message_body"],
            "sdk.capture_exception": ["capture_exception"], "sdk.mask": ["mask"], "sdk.truncate": ["truncate"],
            "sdk.session_id_generator": ["generate_session_short_id"],
            "sdk.set_attribute": ["set_attribute", "set_http_request_body", "set_grpc_response_message"],
            "session_recorder": ["SessionRecorder"], "trace.id_generator": ["SessionRecorderRandomIdGenerator"],
            "trace.sampler": ["SessionRecorderTraceIdRatioBasedSampler"], "types.middleware_config": ["HttpMiddlewareConfig"],
            "types.session_recorder_config": ["SessionRecorderConfig"], "types.session_type": ["SessionType"],
        }
        for module, names in published.items():
            found = importlib.import_module("multiplayer_session_recorder" + ("." + module if module else ""))
            for name in names:
                getattr(found, name)
        import multiplayer_session_recorder as old
        import multiplayer.session_recorder as new
        assert old.session_recorder is new.session_recorder is session_recorder
        for name in new.__all__:
            assert getattr(old, name) is getattr(new, name), name
        assert set(old.__all__) == set(new.__all__) <= set(dir(new))
        assert SessionType("PLAIN") == SessionType.PLAIN == SessionType.MANUAL and SessionType["CONTINUOUS"] == 1
        """
    )


def test_without_opentelemetry(run_python, local, tmp_path):
    """Sessions and spans work; what needs it says so."""
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text("raise ModuleNotFoundError('No opentelemetry', name='opentelemetry')")
    told = run_python(
        """
        session_recorder.init(); session_recorder.start()
        with session_recorder.span("alone"): pass
        session_recorder.stop(); session_recorder.shutdown()
        from multiplayer.session_recorder import SessionRecorderSdk, SessionRecorderWSGIMiddleware
        SessionRecorderSdk.set_attribute("a", 1)
        try:
            from multiplayer.session_recorder import SessionRecorderRandomIdGenerator
        except ImportError as e:
            tell(says=str(e))
        """,
        to=local,
    )
    assert "pip install opentelemetry-sdk" in told["says"]
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    assert local.span_names(session["_id"]) == ["alone"]


def test_the_environments_resource_attributes_stay(run_python, local):
    """Those given to init lie over OTEL_RESOURCE_ATTRIBUTES, as OpenTelemetry has it; and the service is one of Python."""
    run_python(
        """
        session_recorder.init(resourceAttributes={"serviceName": "cart", "team": "blue", "nothing": None})
        session_recorder.start(); session_recorder.stop(); session_recorder.shutdown()
        """,
        to=local,
        OTEL_RESOURCE_ATTRIBUTES="team=red,region=eu",
    )
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    found = session["resourceAttributes"]
    assert (found["team"], found["region"], found["service.name"]) == ("blue", "eu", "cart")
    assert found["telemetry.sdk.language"] == "python" and found["process.runtime.name"] == "cpython"
