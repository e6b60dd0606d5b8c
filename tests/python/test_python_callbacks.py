"""Callbacks from the library into Python, through the raw layer."""

# What the scripts share: options with callbacks whose free_user_data is counted.
HOST = """
freed = []

@mpr_free_fn
def count_free(user_data):
    freed.append(user_data)
    free_held(user_data)

def options(**setters):
    handle = lib.mpr_options_new()
    for name, (fn, user_data) in setters.items():
        check(getattr(lib, "mpr_options_set_" + name)(handle, fn, user_data, count_free))
    return handle

def work(name=b"work"):
    span = lib.mpr_span_begin(name, MPR_SPAN_KIND_SERVER, None)
    status = lib.mpr_span_capture_payload(span, MPR_PAYLOAD_HTTP_REQUEST, JSON, len(JSON), BODY, len(BODY))
    lib.mpr_span_end(span)
    return status

JSON = b"Content-Type: application/json"
BODY = b'{"user": "ann", "password": "hunter2"}'
"""


def test_log_callback(run_python, local):
    """Lines come from any thread; the user_data is the one given; freed exactly once, after the last line."""
    told = run_python(
        HOST
        + """
lines, late = [], []
def line(level, message, user_data):
    (late if freed else lines).append([level, message.decode(), user_data, threading.get_ident()])
fn = mpr_log_fn(line)
key = hold(fn)
alive = weakref.ref(line)
handle = options(log_callback=(fn, key))
check(lib.mpr_options_set_log_level(handle, b"debug"))
del fn, line
gc.collect()
check(lib.mpr_init(handle))
check(lib.mpr_start(MPR_SESSION_MANUAL, None))
work()
held_meanwhile = alive() is not None and freed == []
check(lib.mpr_shutdown(10000))
gc.collect()
tell(lines=lines, late=late, key=key, freed=freed, held=held_meanwhile, gone=alive() is None,
     here=threading.get_ident())
""",
        to=local,
    )
    assert told["lines"] and told["late"] == []
    assert all(1 <= level <= 4 and text and data == told["key"] for level, text, data, _ in told["lines"])
    assert told["held"] and told["freed"] == [told["key"]] and told["gone"]


def test_free_user_data_exactly_once(run_python, local):
    """Replaced, removed, registering failed, options thrown away, init failed, recorder gone."""
    told = run_python(
        HOST
        + """
fn = mpr_log_fn(lambda *_: None)
handle = options(log_callback=(fn, 1))
check(lib.mpr_options_set_log_callback(handle, fn, 2, count_free))
replaced = list(freed)
check(lib.mpr_options_set_log_callback(handle, None, None, None))
removed = list(freed)
refused = lib.mpr_options_set_log_callback(None, fn, 3, count_free)
failed = list(freed)
check(lib.mpr_options_set_log_callback(handle, fn, 4, count_free))
lib.mpr_options_free(handle)
thrown_away = list(freed)
handle = options(log_callback=(fn, 5))
check(lib.mpr_options_set_timeout_ms(handle, 1000))
os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "x"
check(lib.mpr_options_set_json(handle, b'{"ca_file": "/nowhere.pem"}'))
init = lib.mpr_init(handle)
init_failed = list(freed)
os.environ.pop("OTEL_EXPORTER_OTLP_TIMEOUT")
masks = mpr_mask_fn(lambda *_: 1)
ids = mpr_trace_id_fn(lambda *_: 1)
short = mpr_short_id_fn(lambda *_: 1)
sampler = mpr_sampler_fn(lambda *_: MPR_DROP)
check(lib.mpr_init(options(log_callback=(fn, 6), mask_callback=(masks, 7), trace_id_hook=(ids, 8),
                           short_id_hook=(short, 9), sampler_hook=(sampler, 10))))
work()
meanwhile = list(freed)
# A second init is refused, and its options are taken all the same.
second = lib.mpr_init(options(log_callback=(fn, 11)))
second_freed = list(freed)
check(lib.mpr_shutdown(5000))
shut_down = list(freed)
lib.mpr_shutdown(5000)
tell(replaced=replaced, removed=removed, refused=refused, failed=failed, thrown_away=thrown_away, init=init,
     init_failed=init_failed, meanwhile=meanwhile, second=second, second_freed=second_freed, shut_down=shut_down,
     end=freed)
""",
        to=local,
    )
    assert told["replaced"] == [1] and told["removed"] == [1, 2]
    assert told["refused"] == -1 and told["failed"] == [1, 2, 3]
    assert told["thrown_away"] == [1, 2, 3, 4]
    assert told["init"] < 0 and told["init_failed"] == [1, 2, 3, 4, 5]
    assert told["meanwhile"] == [1, 2, 3, 4, 5]
    assert told["second"] == -3 and told["second_freed"] == [1, 2, 3, 4, 5, 11]
    assert sorted(told["shut_down"]) == list(range(1, 12)) and told["end"] == told["shut_down"]


def test_attribute_callback(run_python, local):
    """Called on this thread, before the call returns, with NULs behind key and value; also piece by piece."""
    told = run_python(
        HOST
        + """
check(lib.mpr_init(None)); check(lib.mpr_start(MPR_SESSION_MANUAL, None))
trace = ctypes.create_string_buffer(16)
check(lib.mpr_generate_trace_id(trace))
got = []
def attribute(user_data, key, key_len, value, value_len):
    ends = ctypes.string_at(key + key_len, 1) + ctypes.string_at(value + value_len, 1)
    got.append([user_data, ctypes.string_at(key, key_len).decode(), ctypes.string_at(value, value_len).decode(),
                ends == b"\\0\\0" and threading.current_thread() is threading.main_thread()])
fn = mpr_attribute_fn(attribute)
whole = lib.mpr_capture_payload(MPR_PAYLOAD_HTTP_REQUEST, trace, JSON, len(JSON), BODY, len(BODY), fn, 7)
first, got = got, []
capture = lib.mpr_capture_begin(MPR_PAYLOAD_HTTP_REQUEST, trace)
check(lib.mpr_capture_header(capture, b"Content-Type", 12, b"application/json", 16))
for n in range(len(BODY)):
    check(lib.mpr_capture_body(capture, BODY[n:n + 1], 1))
ended = lib.mpr_capture_end(capture, fn, 7)
lib.mpr_capture_free(capture)
# A callback that raises is Python's to report; the library goes on with the next attribute.
def raises(*_):
    raise RuntimeError("in the callback")
raising = lib.mpr_capture_payload(MPR_PAYLOAD_HTTP_REQUEST, trace, JSON, len(JSON), BODY, len(BODY),
                                  mpr_attribute_fn(raises), None)
# A trace that is not recorded calls nothing.
other = lib.mpr_capture_payload(MPR_PAYLOAD_HTTP_REQUEST, bytes(16), JSON, len(JSON), BODY, len(BODY), fn, 7)
check(lib.mpr_shutdown(5000))
tell(whole=whole, first=first, ended=ended, second=got, raising=raising, other=other)
""",
        to=local,
        silent=False,
    )
    assert told["whole"] == told["ended"] == told["raising"] == 0 and told["other"] == 1
    assert told["stderr"].count("RuntimeError: in the callback") == 2
    first = {key: value for _, key, value, _ in told["first"]}
    assert first["multiplayer.http.request.headers"] == '{"Content-Type":"application/json"}'
    body = first["multiplayer.http.request.body"]
    assert '"ann"' in body and "hunter2" not in body
    assert all(data == 7 and good for data, _, _, good in told["first"])
    assert sorted(told["first"]) == sorted(told["second"])


MASKS = """
import ctypes
def mask_with(function):
    def mask(content_type, given, length, out, capacity, needed, user_data):
        text = function(content_type, ctypes.string_at(given, length))
        needed[0] = len(text)
        if len(text) <= capacity:
            ctypes.memmove(out, text, len(text))
        return MPR_OK
    return mpr_mask_fn(mask)
"""


def test_mask_callback(run_python, local, recorded):
    """Masks in place of the built-in rules, also when its text is much longer than the body; one that raises, fails or
    answers nonsense sends nothing of the body."""
    told = run_python(
        HOST
        + MASKS
        + """
numbers = {}
def turn(name, fn):
    check(lib.mpr_init(options(mask_callback=(fn, hold(fn)))))
    check(lib.mpr_start(MPR_SESSION_MANUAL, json.dumps({"name": name}).encode()))
    work(name.encode())
    check(lib.mpr_stop(None))
    numbers[name] = raw_stats()["mask_callback_failures"]
    check(lib.mpr_shutdown(5000))

asked = []
def longer(content_type, body):
    asked.append([content_type and content_type.decode(), body.decode()])
    return b'"%s"' % (b"x" * 2000)
def raises(content_type, body):
    raise RuntimeError("in the mask")
def says_too_much(content_type, given, length, out, capacity, needed, user_data):
    needed[0] = 2**62
    return MPR_OK
def not_text(content_type, body):
    return b"\\xff\\xfe hunter2"

turn("longer", mask_with(longer))
turn("raises", mask_with(raises))
turn("fails", mpr_mask_fn(lambda *_: MPR_ERR_INTERNAL))
turn("says nothing", mpr_mask_fn(lambda *_: MPR_OK))
turn("says too much", mpr_mask_fn(says_too_much))
turn("not text", mask_with(not_text))
gc.collect()
tell(asked=asked, numbers=numbers, freed=len(freed))
""",
        to=local,
        silent=False,
    )
    assert told["freed"] == 6
    assert told["stderr"].count("RuntimeError: in the mask") >= 1
    assert ["application/json", '{"user": "ann", "password": "hunter2"}'] in told["asked"]
    bodies = {
        name: recorded(name=name).span(name)["attributes"].get("multiplayer.http.request.body", "")
        for name in told["numbers"]
    }
    assert bodies.pop("longer") == '"%s"' % ("x" * 2000)
    assert not [name for name, body in bodies.items() if "hunter2" in body or "ann" in body]
    assert told["numbers"].pop("longer") == 0
    assert told["numbers"]["fails"] == told["numbers"]["says too much"] == told["numbers"]["not text"] == 1
    # ctypes answers 0 for a Python function that raises, which is MPR_OK with nothing written.
    assert b"hunter2" not in b"".join(f.read_bytes() for f in local.database.parent.iterdir())


def test_trace_id_hook(run_python, local, recorded):
    """The session is written into the host's id; a hook that fails leaves it to the library."""
    told = run_python(
        HOST
        + """
calls = []
def hook(out, user_data):
    calls.append(user_data)
    if len(calls) == 3:
        raise RuntimeError("in the hook")
    if len(calls) == 2:
        return MPR_ERR_INTERNAL
    for n in range(16):
        out[n] = 0xA0 + n
    return MPR_OK
fn = mpr_trace_id_fn(hook)
check(lib.mpr_init(options(trace_id_hook=(fn, 7))))
def trace():
    span = lib.mpr_span_begin(b"root", 0, None)
    context = mpr_span_context(); check(lib.mpr_span_get_context(span, context))
    child = lib.mpr_span_begin(b"child", 0, context)
    lib.mpr_span_end(child); lib.mpr_span_end(span)
    return bytes(context.trace_id).hex()
outside = trace()
check(lib.mpr_start(MPR_SESSION_MANUAL, None))
inside = [trace() for _ in range(3)]
check(lib.mpr_shutdown(5000))
tell(outside=outside, inside=inside, calls=calls)
""",
        to=local,
        silent=False,
    )
    assert told["outside"] == bytes(range(0xA0, 0xB0)).hex()
    short = recorded().session["shortId"]
    assert told["calls"] == [7] * 4, "asked for root spans only"
    refused, raised, good = told["inside"]
    assert good == "debdeb" + short + told["outside"][14:]
    for one in (refused, raised):
        assert one.startswith("debdeb" + short) and one[14:] != told["outside"][14:] and int(one[14:], 16) != 0


def test_sampler_hook(run_python, local):
    """Asked about root spans outside a session, with the option's ratio; not inside one; nonsense drops."""
    told = run_python(
        HOST
        + """
calls, answers = [], [MPR_DROP, MPR_RECORD_AND_SAMPLE, 77]
def hook(trace_id, ratio, user_data):
    calls.append([bytes(trace_id[:16]).hex(), ratio, user_data])
    return answers[len(calls) - 1]
fn = mpr_sampler_fn(hook)
handle = options(sampler_hook=(fn, 7))
check(lib.mpr_options_set_sample_ratio(handle, 0.25))
check(lib.mpr_init(handle))
def root():
    span = lib.mpr_span_begin(b"root", 0, None)
    context = mpr_span_context(); check(lib.mpr_span_get_context(span, context))
    status = lib.mpr_span_set_int(span, b"a", 1)
    lib.mpr_span_end(span)
    return [bytes(context.trace_id).hex(), context.trace_flags & 1, status]
outside = [root() for _ in range(3)]
check(lib.mpr_start(MPR_SESSION_MANUAL, None))
inside = root()
check(lib.mpr_shutdown(5000))
tell(calls=calls, outside=outside, inside=inside)
""",
        to=local,
    )
    assert [call[1:] for call in told["calls"]] == [[0.25, 7]] * 3
    assert [call[0] for call in told["calls"]] == [one[0] for one in told["outside"]]
    assert [one[1:] for one in told["outside"]] == [[0, 1], [1, 0], [0, 1]]
    assert told["inside"][1:] == [1, 0]


def test_short_id_hook(run_python, platform):
    """Serves where the server gives no short id."""
    from platform_server import Answer

    document = {"_id": "a" * 24, "sessionType": "MANUAL", "name": "x"}
    platform.on("start", Answer(200, json=document))
    told = run_python(
        HOST
        + """
def hook(out, user_data):
    ctypes.memmove(out, b"0123abcd\\0", 9)
    return MPR_OK
fn = mpr_short_id_fn(hook)
check(lib.mpr_init(options(short_id_hook=(fn, 7))))
check(lib.mpr_start(MPR_SESSION_MANUAL, None))
info = json.loads(read_text(lib.mpr_session_info))
check(lib.mpr_shutdown(5000))
tell(info=info, freed=freed)
""",
        to=platform,
    )
    assert told["info"]["shortId"] == "0123abcd" and told["freed"] == [7]


def test_done_callbacks(run_python, local, recorded):
    """Exactly one result each, on the worker; a blocking call inside one is refused; the message is there."""
    told = run_python(
        HOST
        + """
results, arrived = [], threading.Semaphore(0)
def done(status, user_data):
    # The recorder's own thread: blocking calls would wait for themselves.
    blocking = lib.mpr_stop(None), lib.mpr_flush(10), lib.mpr_start(0, None)
    results.append([user_data, status, list(blocking), threading.current_thread() is threading.main_thread()])
    arrived.release()
messages = []
def failed(status, user_data):
    messages.append([status, lib.mpr_last_error().decode()])
    arrived.release()
fn, failed_fn = mpr_done_fn(done), mpr_done_fn(failed)
def wait():
    assert arrived.acquire(timeout=20)
check(lib.mpr_init(None))
check(lib.mpr_stop_async(None, failed_fn, 1)); wait()
check(lib.mpr_start_async(MPR_SESSION_CONTINUOUS, b'{"name": "async"}', fn, 3)); wait()
work()
check(lib.mpr_save_async(b'{"name": "kept"}', fn, 4)); wait()
check(lib.mpr_check_remote_async(None, fn, 5)); wait()
check(lib.mpr_stop_async(None, fn, 6)); wait()
check(lib.mpr_start_async(MPR_SESSION_MANUAL, None, fn, 7)); wait()
check(lib.mpr_cancel_async(None, None))
while json.loads(read_text(lib.mpr_session_info))["state"] != "stopped":
    time.sleep(0.01)
check(lib.mpr_start_async(MPR_SESSION_MANUAL, None, fn, 8)); wait()
check(lib.mpr_cancel_async(fn, 9)); wait()
wrong = lib.mpr_start_async(99, None, fn, 10), lib.mpr_start_async(0, b"{", fn, 11)
check(lib.mpr_shutdown(5000))
tell(results=results, messages=messages, wrong=wrong)
""",
        to=local,
    )
    assert [result[:2] for result in told["results"]] == [[3, 0], [4, 0], [5, 1], [6, 0], [7, 0], [8, 0], [9, 0]]
    assert all(result[2] == [-4, -4, -4] and not result[3] for result in told["results"])
    status, message = told["messages"][0]
    assert status == -4 and "mpr_stop" in message
    assert told["wrong"] == [-1, -1]
    assert recorded(kind="saved").span("work")


def test_refused_shutdown_changes_nothing(run_python, local, recorded):
    """A shutdown on the worker would wait for itself; it is refused and recording goes on."""
    told = run_python(
        HOST
        + """
arrived, answers = threading.Event(), []
def done(status, user_data):
    answers.append(lib.mpr_shutdown(10))
    arrived.set()
fn = mpr_done_fn(done)
check(lib.mpr_init(None))
check(lib.mpr_start_async(MPR_SESSION_MANUAL, None, fn, None))
assert arrived.wait(20)
tell(answers=answers, second=lib.mpr_start(MPR_SESSION_MANUAL, None), worked=work())
tell(ended=lib.mpr_shutdown(5000))
""",
        to=local,
    )
    assert told["answers"] == [-4] and told["second"] == -4 and told["worked"] == 0 and told["ended"] == 0
    assert recorded().span("work")


def test_callbacks_under_load(run_python, local):
    """All of them at once from 16 threads, with the collector running: nothing is freed too early."""
    told = run_python(
        HOST
        + MASKS
        + """
import collections
calls = collections.Counter()
def setup():
    def line(level, message, user_data):
        calls["log"] += 1
    def hook(out, user_data):
        calls["trace"] += 1
        ctypes.memmove(out, os.urandom(16), 16)
        return MPR_OK
    def masked(content_type, body):
        calls["mask"] += 1
        return b'"masked"'
    log, mask, trace = mpr_log_fn(line), mask_with(masked), mpr_trace_id_fn(hook)
    handle = options(log_callback=(log, hold(log)), mask_callback=(mask, hold(mask)), trace_id_hook=(trace, hold(trace)))
    check(lib.mpr_options_set_log_level(handle, b"debug"))
    check(lib.mpr_init(handle))
    return [weakref.ref(one) for one in (line, hook, masked)]
alive = setup()
check(lib.mpr_start(MPR_SESSION_MANUAL, None))
begin = threading.Barrier(16)
def load():
    begin.wait()
    for n in range(100):
        assert work() == MPR_OK
        if n % 20 == 0:
            gc.collect()
threads = [threading.Thread(target=load) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
check(lib.mpr_stop(None))
stats = raw_stats()
meanwhile = len(freed)
check(lib.mpr_shutdown(10000))
gc.collect()
tell(calls=calls, stats=stats, whole=nothing_lost(stats), meanwhile=meanwhile, freed=len(freed),
     alive=[one() is not None for one in alive])
""",
        to=local,
    )
    assert told["calls"]["trace"] == 1600 and told["calls"]["mask"] >= 1600 and told["calls"]["log"] > 0
    assert told["whole"] and told["stats"]["accepted"] == 1600 and told["stats"]["mask_callback_failures"] == 0
    assert told["meanwhile"] == 0 and told["freed"] == 3 and told["alive"] == [False] * 3
