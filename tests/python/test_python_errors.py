"""Bad input and bad servers: each a clear error, and a host that goes on."""

import time

import pytest

# error(call) → [name, message] of the SessionRecorderError, or None.
HOST = """
def error(call, *arguments, **keywords):
    try:
        call(*arguments, **keywords)
    except SessionRecorderError as e:
        assert e.code < 0 and str(e.code) in str(e) and e.message in str(e)
        return [e.name, e.message]
"""


@pytest.mark.parametrize(
    "options, says",
    [
        ({}, ["api_key", "MULTIPLAYER_API_KEY"]),
        ({"apiKey": ""}, ["api_key"]),
        ({"apiKey": "Bearer s3cretkey"}, ["api_key", "Bearer"]),
        ({"apiKey": "s3cret key"}, ["api_key"]),
        ({"apiKey": "s3cret\nkey"}, ["api_key"]),
        ({"apiKey": "s3cret\0key"}, ["api_key"]),
        ({"apiKey": 7}, ["api_key"]),
        ({"apiKey": "k", "apiBaseUrl": "not a url"}, ["api_base_url"]),
        ({"apiKey": "k", "apiBaseUrl": "ftp://127.0.0.1"}, ["api_base_url"]),
        ({"apiKey": "k", "api_base_url": "http://"}, ["api_base_url"]),
        ({"apiKey": "k", "sampel_ratio": 1}, ["sampel_ratio"]),
        ({"apiKey": "k", "sampleRatio": 2}, ["sample_ratio"]),
        ({"apiKey": "k", "sampleRatio": float("nan")}, ["line 1"]),
        ({"apiKey": "k", "timeoutMs": -1}, ["timeout_ms"]),
        ({"apiKey": "k", "timeoutMs": 2**80}, ["timeout_ms"]),
        ({"apiKey": "k", "captureBody": "maybe"}, ["capture_body"]),
        ({"apiKey": "k", "protocol": "carrier pigeon"}, ["protocol", "http/protobuf"]),
        ({"apiKey": "k", "maskBodyFields": [1, 2]}, ["mask_body_fields"]),
        ({"apiKey": "k", "resourceAttributes": 5}, ["resource_attributes"]),
        ({"apiKey": "k", "logLevel": "shouting"}, ["log_level"]),
    ],
)
def test_options(run_python, options, says):
    told = run_python(
        HOST
        + f"""
nan = float("nan")
tell(error=error(session_recorder.init, {options!r}))
# The failure leaves nothing behind.
tell(after=error(session_recorder.init, apiKey="k"), stopped=error(session_recorder.shutdown))
"""
    )
    name, message = told["error"]
    assert name == "MPR_ERR_INVALID_ARGUMENT"
    for part in says:
        assert part in message, message
    assert "s3cret" not in message and "\n" not in message
    assert told["after"] is None and told["stopped"] is None


def test_broken_environment(run_python):
    for name, value in (("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"), ("MULTIPLAYER_BASE_API_URL", "nonsense"),
                        ("MULTIPLAYER_API_KEY", "Bearer s3cret")):  # fmt: skip
        environment = {"MULTIPLAYER_API_KEY": "k", name: value}
        told = run_python(HOST + "tell(error=error(session_recorder.init))", **environment)
        code, message = told["error"]
        assert code == "MPR_ERR_INVALID_ARGUMENT" and name in message and "s3cret" not in message


def test_order_of_calls(run_python, local):
    told = run_python(
        HOST
        + """
r = session_recorder
before = [error(call) for call in (r.start, r.stop, r.save, r.cancel, r.check_remote_continuous_session, r.session_info, r.flush)]
early = error(r.shutdown)
r.init()
twice = error(r.init)
none_runs = [error(call) for call in (r.stop, r.save, r.cancel)]
r.start()
start_twice = [error(r.start), error(r.start, SessionType.CONTINUOUS), error(r.save)]
unknown = error(r.start, 99)
still = r.session_info()["state"]
r.stop()
stop_twice = error(r.stop)
r.shutdown()
twice_down = error(r.shutdown)
tell(before=before, early=early, twice=twice, none_runs=none_runs, start_twice=start_twice, unknown=unknown, still=still,
     stop_twice=stop_twice, twice_down=twice_down, after=error(r.start))
""",
        to=local,
    )
    assert [name for name, _ in told["before"]] == ["MPR_ERR_NOT_INITIALIZED"] * 7
    assert all("mpr_init" in message for _, message in told["before"])
    assert told["early"] is None and told["twice_down"] is None
    assert told["twice"][0] == "MPR_ERR_ALREADY_INITIALIZED"
    assert [name for name, _ in told["none_runs"] + told["start_twice"]] == ["MPR_ERR_INVALID_STATE"] * 6
    assert told["unknown"][0] in ("MPR_ERR_INVALID_ARGUMENT", "MPR_ERR_INVALID_STATE") and told["still"] == "started"
    assert told["stop_twice"][0] == "MPR_ERR_INVALID_STATE" and told["after"][0] == "MPR_ERR_NOT_INITIALIZED"


def test_broken_json_names_line_and_column(run_python, local):
    told = run_python(
        HOST
        + r"""
options = lib.mpr_options_new()
said = []
for text in (b'{"api_key": "k",\n  oops}', b'', b'[]', b'{"api_key": "k"} x', b'{"api_key": "\xff"}', b'{"a":' * 5000,
             b'{"api_key": "\\ud800"}'):
    said.append([lib.mpr_options_set_json(options, text), lib.mpr_last_error().decode()])
lib.mpr_options_free(options)
session_recorder.init()
for text in (b'{"name":\n\n  oops}', b'{"name": 5}', b'{"nmae": "x"}', b'{"sessionAttributes": []}', b'7', b'\xff'):
    said.append([lib.mpr_start(0, text), lib.mpr_last_error().decode()])
session_recorder.start()
log = lib.mpr_log(9, b"x", 1, b'{"a":\n }', None), lib.mpr_last_error().decode()
span = session_recorder.span("x")
event = lib.mpr_span_add_event(span._handle, b"e", b"[1]"), lib.mpr_last_error().decode()
session_recorder.shutdown()
tell(said=said, log=log, event=event)
""",
        to=local,
    )
    for status, message in told["said"] + [told["log"], told["event"]]:
        assert status == -1 and message and "\n" not in message, message
    first = told["said"][0][1]
    assert "line 2" in first and "column 3" in first, first
    assert "line 3" in told["said"][7][1]
    assert "nmae" in told["said"][9][1]
    assert "line 2" in told["log"][1]


@pytest.mark.parametrize(
    "answer, name",
    [
        (dict(status=401, json={"message": "Authorization failed"}), "MPR_ERR_UNAUTHORIZED"),
        (dict(status=403), "MPR_ERR_UNAUTHORIZED"),
        (dict(status=409, json={"message": '"body.name" is not allowed'}), "MPR_ERR_REJECTED"),
        (dict(status=500, body=b"<html>oops</html>"), "MPR_ERR_REJECTED"),
        (dict(status=503), "MPR_ERR_NETWORK"),
        (dict(body=b"garbage"), "MPR_ERR_REJECTED"),
        (dict(json={"unexpected": True}), "MPR_ERR_REJECTED"),
        (dict(raw=b"\x00\x01 not HTTP\r\n\r\n"), None),
        (dict(close=True), "MPR_ERR_NETWORK"),
        (dict(hang=True), "MPR_ERR_TIMEOUT"),
    ],
)
def test_servers_that_fail(run_python, platform, answer, name):
    """start fails with the right error and within its time; the next start, with the server well again, succeeds."""
    from platform_server import Answer

    platform.on("start", Answer(**answer))
    told = run_python(
        HOST
        + """
session_recorder.init(timeout_ms=1500)
begin = time.monotonic()
failed = error(session_recorder.start)
seconds = time.monotonic() - begin
state = session_recorder.session_info()["state"]
with session_recorder.span("goes on"): pass
tell(failed=failed, seconds=seconds, state=state, again=error(session_recorder.start))
session_recorder.shutdown()
""",
        to=platform,
    )
    if name:
        assert told["failed"][0] == name, told["failed"]
    assert told["failed"] and told["state"] == "stopped" and told["seconds"] < 4
    assert told["again"] is None


def test_server_down(run_python, platform):
    """Nothing listens: start says so at once; the host and its shutdown are not held up."""
    platform.close()
    told = run_python(
        HOST
        + """
session_recorder.init(timeout_ms=2000)
failed = error(session_recorder.start)
with session_recorder.span("goes on"): pass
begin = time.monotonic()
session_recorder.shutdown()
tell(failed=failed, seconds=time.monotonic() - begin)
""",
        to=platform,
    )
    name, message = told["failed"]
    assert name == "MPR_ERR_NETWORK" and str(platform.port) in message
    assert told["seconds"] < 1


def test_shutdown_cuts_off_a_start_that_hangs(run_python, platform):
    """Within its time; both calls answer what happened, which is no defect of the library."""
    from platform_server import Answer

    platform.always("start", Answer(hang=True))
    told = run_python(
        HOST
        + """
session_recorder.init()
started = []
thread = threading.Thread(target=lambda: started.append(error(session_recorder.start)))
thread.start()
while session_recorder.session_info()["state"] != "starting":
    time.sleep(0.01)
begin = time.monotonic()
ended = error(session_recorder.shutdown, 300)
seconds = time.monotonic() - begin
thread.join(5)
tell(started=started, ended=ended, seconds=seconds)
""",
        to=platform,
    )
    assert told["seconds"] < 2 and len(told["started"]) == 1
    assert told["started"][0][0] in ("MPR_ERR_TIMEOUT", "MPR_ERR_INVALID_STATE", "MPR_ERR_NOT_INITIALIZED")


def test_a_body_of_50_mb(run_python, local, recorded):
    """Bounded, masked, and soon over."""
    begin = time.monotonic()
    told = run_python(
        """
        session_recorder.init()
        session_recorder.start()
        body = b'{"password": "hunter2", "rows": [' + b'{"token": "hunter2", "n": 1},' * 1800000 + b'1]}'
        with session_recorder.span("large") as span:
            span.capture_payload(PayloadKind.HTTP_REQUEST, {"Content-Type": "application/json"}, body)
            span.capture_payload(PayloadKind.HTTP_RESPONSE, {"Content-Type": "application/octet-stream"}, os.urandom(50 << 20))
        session_recorder.stop()
        stats = session_recorder.stats()
        session_recorder.shutdown()
        tell(size=len(body), whole=nothing_lost(stats), cut=stats["payloads_truncated"])
        """,
        to=local,
    )
    assert told["size"] > 50_000_000 and told["whole"]
    attributes = recorded().span("large")["attributes"]
    assert len(attributes["multiplayer.http.request.body"]) <= 400_000
    assert len(attributes["multiplayer.http.response.body"]) < 1000
    assert "hunter2" not in str(attributes)
    assert time.monotonic() - begin < 60


RAW = """
def arguments(parameters, fill):
    return [fill(one) for one in parameters]

def null(parameter):
    parameter = getattr(parameter, "function_type", parameter)
    return None if parameter not in (c_int32, c_uint32, c_int64, c_uint64, c_size_t, c_double) else 0

# What ends or blocks is called once, at the end.
late = ["mpr_shutdown", "mpr_cancel", "mpr_stop", "mpr_cancel_async", "mpr_stop_async"]
names = [name for name in FUNCTIONS if name not in late]

def call_all(fill, names=names):
    answers = {}
    for name in names:
        function = getattr(lib, name)
        # init would take the options' place.
        if name == "mpr_init":
            continue
        given = arguments(function.argtypes, lambda parameter: fill(getattr(parameter, "function_type", parameter)))
        # ctypes has no None for a callback type's own from_param, but ours does.
        answers[name] = function(*given)
    return answers
"""


def test_nulls_everywhere(run_python, local):
    """Every function, every pointer NULL and every number 0: before init, in a session, after shutdown."""
    told = run_python(
        RAW
        + """
tell(before=sorted({n: a for n, a in call_all(null).items() if isinstance(a, int)}.items()))
session_recorder.init(); session_recorder.start()
lib.mpr_cancel()
session_recorder.start(SessionType.CONTINUOUS)
tell(during=sorted({n: a for n, a in call_all(null).items() if isinstance(a, int)}.items()))
with session_recorder.span("goes on"): pass
panics = raw_stats()["panics"]
call_all(null, ["mpr_cancel_async", "mpr_stop_async", "mpr_stop", "mpr_cancel", "mpr_shutdown"])
tell(after=sorted({n: a for n, a in call_all(null).items() if isinstance(a, int)}.items()), panics=panics)
""",
        to=local,
    )
    assert told["panics"] == 0
    # NULL options are an error for every setter and getter, not a crash and not a success.
    for moment in ("before", "during", "after"):
        answers = dict(told[moment])
        assert -100 not in answers.values() and -12 not in answers.values()
        for name, status in answers.items():
            if name.startswith("mpr_options_set") or name.startswith("mpr_options_get"):
                assert status == -1, (moment, name, status)
        for name in ("mpr_get_stats", "mpr_generate_trace_id", "mpr_traceparent_parse", "mpr_traceparent_format"):
            assert answers[name] == -1, (moment, name)
        assert answers["mpr_trace_kind"] == 0 and answers["mpr_should_sample"] == 0
    during = dict(told["during"])
    assert during["mpr_log"] in (0, 1, -1) and during["mpr_span_set_string"] == -1
    assert during["mpr_capture_body"] == 1, "NULL is a capture of a trace that is not recorded"


def test_freed_and_foreign_handles(run_python, local):
    """An error for every function that takes one; also a handle of another kind, and any number."""
    told = run_python(
        """
        session_recorder.init(); session_recorder.start()
        trace = ctypes.create_string_buffer(16); lib.mpr_generate_trace_id(trace)
        def freed_handles():
            options = lib.mpr_options_new(); lib.mpr_options_free(options)
            span = lib.mpr_span_begin(b"x", 0, None); lib.mpr_span_end(span)
            capture = lib.mpr_capture_begin(1, trace); lib.mpr_capture_free(capture)
            return {"options": options, "span": span, "capture": capture}
        live = {"options": lib.mpr_options_new(), "span": lib.mpr_span_begin(b"x", 0, None),
                "capture": lib.mpr_capture_begin(1, trace)}
        text, out = b"5", ctypes.create_string_buffer(100)
        def fill(parameter):
            parameter = getattr(parameter, "function_type", parameter)
            if parameter in (c_int32, c_uint32, c_int64, c_uint64, c_size_t): return 1
            if parameter is c_double: return 0.5
            if parameter is c_char_p or parameter.__name__ == "_Bytes": return out
            if hasattr(parameter, "_restype_"): return parameter()
            if hasattr(parameter, "_type_") and parameter is not c_void_p: return ctypes.byref(parameter._type_())
            return None
        accepted, called = [], 0
        for name, (result, *parameters) in FUNCTIONS.items():
            kind = next((k for k in ("options", "span", "capture") if name.startswith("mpr_%s_" % k)), None)
            if not parameters or parameters[0] is not c_void_p or kind is None:
                continue
            others = [handle for k, handle in live.items() if k != kind]
            for handle in [freed_handles()[kind], *others, 1, 8, 0xdeadbeef, 2**63, 2**64 - 1]:
                out.value = b"text"
                given = [fill(one) for one in parameters[1:]]
                if name == "mpr_span_capture_end":
                    given = [live["capture"]]  # with none it has nothing to do, whatever the span
                answer = getattr(lib, name)(handle, *given)
                called += 1
                if result is not None and answer >= 0:
                    accepted.append([name, handle, answer])
        for handle in [freed_handles()["options"], live["span"], 1, 0xdeadbeef]:
            answer = lib.mpr_init(handle)
            if answer >= 0: accepted.append(["mpr_init", handle, answer])
        # The live ones are still well.
        well = [lib.mpr_span_set_int(live["span"], b"a", 1), lib.mpr_options_set_api_key(live["options"], b"k"),
                lib.mpr_capture_body(live["capture"], b"x", 1)]
        lib.mpr_span_end(live["span"]); lib.mpr_span_end(live["span"])
        lib.mpr_capture_free(live["capture"]); lib.mpr_capture_free(live["capture"])
        lib.mpr_options_free(live["options"]); lib.mpr_options_free(live["options"])
        panics = raw_stats()["panics"]
        session_recorder.shutdown()
        tell(accepted=accepted, called=called, well=well, panics=panics)
        """,
        to=local,
    )
    assert told["called"] > 500 and told["accepted"] == [] and told["panics"] == 0
    assert told["well"] == [0, 0, 0]


def test_text_that_is_not_utf8_and_lengths_without_data(run_python, local):
    told = run_python(
        """
        session_recorder.init(); session_recorder.start()
        bad = b"\\xff\\xfe"
        options = lib.mpr_options_new()
        span = lib.mpr_span_begin(b"x", 0, None)
        trace = ctypes.create_string_buffer(16); lib.mpr_generate_trace_id(trace)
        fn = mpr_attribute_fn(lambda *_: None)
        refused = {"set_" + n: getattr(lib, "mpr_options_set_" + n)(options, bad) for n in OPTIONS[c_char_p]}
        refused.update(
            name=lib.mpr_span_begin(bad, 0, None) or -1,
            kind=lib.mpr_span_begin(b"x", 99, None) or -1,
            key=lib.mpr_span_set_string(span, bad, b"x"),
            value=lib.mpr_span_set_string(span, b"x", bad),
            status=lib.mpr_span_set_status(span, 99, None),
            headers=lib.mpr_span_capture_payload(span, 1, None, 5, None, 0),
            body=lib.mpr_span_capture_payload(span, 1, None, 0, None, 5),
            payload=lib.mpr_capture_payload(0, trace, None, 0, None, 0, fn, None),
            no_fn=lib.mpr_capture_payload(1, trace, None, 0, None, 0, None, None),
            huge=lib.mpr_mask(None, None, 2**63, None, 0, None),
            export=lib.mpr_export_traces(None, 5),
            not_otlp=lib.mpr_export_traces(b"\\xff" * 50, 50),
            not_logs=lib.mpr_export_logs(b"\\xff" * 50, 50),
            log=lib.mpr_log(9, None, 5, None, None),
            severity=lib.mpr_log(99, b"x", 1, None, None),
            traceparent=lib.mpr_traceparent_parse(bad, mpr_span_context()),
            stats=lib.mpr_get_stats(ctypes.cast(ctypes.create_string_buffer(200), POINTER(mpr_stats))),
        )
        # Content is any bytes.
        taken = [lib.mpr_log(9, bad, 2, None, None), lib.mpr_span_capture_payload(span, 1, b"A: \\xff", 4, bad, 2),
                 lib.mpr_log(9, None, 0, None, None), lib.mpr_export_traces(None, 0)]
        # A struct of an older, smaller header is written so far and no further.
        space = ctypes.create_string_buffer(b"\\x55" * 200, 200)
        ctypes.cast(space, POINTER(c_size_t))[0] = 16
        check(lib.mpr_get_stats(ctypes.cast(space, POINTER(mpr_stats))))
        untouched = space.raw[16:] == b"\\x55" * 184
        session_recorder.shutdown()
        tell(wrong={n: s for n, s in refused.items() if s != -1}, taken=taken, untouched=untouched)
        """,
        to=local,
    )
    assert told["wrong"] == {}
    assert told["taken"][:2] == [0, 0] and all(status in (0, 1) for status in told["taken"])
    assert told["untouched"]


def test_small_buffers(run_python):
    """The size needed is told, and what is written never passes the end."""
    told = run_python(
        """
        options = lib.mpr_options_new()
        check(lib.mpr_options_set_service_name(options, "käse".encode()))
        needed, seen = c_size_t(), []
        for capacity in range(8):
            out = ctypes.create_string_buffer(b"\\x55" * 16, 16)
            status = lib.mpr_options_get_service_name(options, out, capacity, needed)
            seen.append([status, needed.value, out.raw[capacity:] == b"\\x55" * (16 - capacity)])
        long = "x" * 5000
        check(lib.mpr_options_set_service_name(options, long.encode()))
        tell(seen=seen, grown=read_text(lib.mpr_options_get_service_name, options) == long)
        """
    )
    assert told["grown"]
    assert told["seen"] == [[-10, 6, True]] * 6 + [[0, 6, True]] * 2


def test_str_where_bytes_belong(run_python):
    """A TypeError of ctypes, not a pointer to UTF-32."""
    run_python(
        """
        for call in (lambda: lib.mpr_start(0, "{}"), lambda: lib.mpr_trace_kind("0123456789abcdef"),
                     lambda: lib.mpr_mask(None, "abc", 3, None, 0, None)):
            try:
                call()
            except ctypes.ArgumentError:
                pass
            else:
                raise AssertionError
        """
    )


def test_logging_forwarded_to_the_recorder_does_not_go_in_circles(run_python, local):
    """A handler that records every log line with Python's level numbers, which are no severities: each refusal is told
    once by the binding's own logger, and that line is not recorded and refused again."""
    told = run_python(
        """
        import logging
        class Forward(logging.Handler):
            def emit(self, record):
                lines.append(record.name)
                session_recorder.log(record.getMessage(), record.levelno)
        lines = []
        logging.getLogger().addHandler(Forward())
        session_recorder.init()
        session_recorder.start(SessionType.MANUAL)
        logging.warning("hello")
        session_recorder.shutdown()
        tell(lines=lines)
        """,
        to=local,
    )
    assert told["lines"].count("root") == 1 and len(told["lines"]) <= 3
