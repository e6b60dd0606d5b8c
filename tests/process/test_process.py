"""Forks and the ends of processes, as real programs: nothing hangs, nothing is lost without being counted, nothing comes twice."""

import subprocess
import time
from collections import Counter
from pathlib import Path

import environment
import pytest
from environment import TSAN, clean_env
from platform_server import Answer

HERE = Path(__file__).parent


def names(platform):
    return Counter(span["name"] for span in platform.spans)


def fork(compile_c, run_c, platform, mode, *args, timeout=120, **env):
    return run_c(compile_c(HERE / "fork.c"), mode, *args, env={**platform.env(), **env}, timeout=timeout)


def test_fork_while_sixteen_threads_are_inside(compile_c, run_c, platform):
    """The children find every lock free, and record at once."""
    done = fork(compile_c, run_c, platform, "under load", 60)
    print(done.stdout)
    seen = names(platform)
    assert {name: n for name, n in seen.items() if name.startswith("child")} == {f"child {n}": 1 for n in range(60)}


@pytest.mark.parametrize(
    "mode, children",
    [
        ("twice", ["child", "child's child", "of a child's thread"]),
        ("in a thread", [f"thread {n}" for n in range(4)]),
        ("in a callback", []),
        ("captures", []),
        ("exec", ["before", "after"]),
    ],
)
def test_fork(compile_c, run_c, platform, mode, children):
    fork(compile_c, run_c, platform, mode)
    seen = names(platform)
    assert {name: seen[name] for name in children} == dict.fromkeys(children, 1)
    assert platform.of("stop")


def test_a_span_that_was_open_is_the_parents(compile_c, run_c, platform):
    fork(compile_c, run_c, platform, "open span")
    (span,) = platform.spans
    assert span["name"] == "open" and "child" not in span["attributes"]


def test_fork_in_the_middle_of_a_request(compile_c, run_c, platform):
    """It does not wait for the receiver, and neither does the child."""
    platform.always("traces", Answer(hang=True))
    done = fork(compile_c, run_c, platform, "in a request")
    print(done.stdout)


def test_fork_in_the_middle_of_init_and_shutdown(compile_c, run_c, platform):
    fork(compile_c, run_c, platform, "in init")
    assert names(platform)["child's own"] == 100


def test_a_child_that_exits(compile_c, run_c, platform):
    """What it recorded is delivered; the session goes on, as it is its parent's."""
    fork(compile_c, run_c, platform, "exits")
    seen = names(platform)
    assert (seen["delivered at exit"], seen["parent"]) == (1, 1)
    assert len(platform.of("stop")) == 1


def exits(compile_c, platform, mode, *args, status=0, **env):
    """The program's end in milliseconds, from when it began."""
    program = compile_c(HERE / "exit.cpp", compiler="g++", standard="c++17")
    env = {**platform.env(), **env}
    with subprocess.Popen([program, mode, *map(str, args)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            said, complaints = run.communicate(timeout=60)
        finally:
            run.kill()
        ended = time.monotonic()
    assert (run.returncode, complaints) == (status, ""), (run.returncode, complaints)
    return ended * 1000 - float(said.split()[-1])


WAYS = ["main", "thread", "signal handled", "handler", "shutdown first"]


@pytest.mark.parametrize("mode", [*(way for way in WAYS if way != "signal handled"), "shutdown in a handler"])
def test_what_is_recorded_is_delivered_at_exit(compile_c, platform, mode):
    exits(compile_c, platform, mode, 20000)
    seen = names(platform)
    assert seen["recorded"] == 1
    # Also what the host records at its very end.
    if mode not in ("shutdown first", "shutdown in a handler"):
        assert (seen["of an early static"], seen["of a late static"]) == (1, 1)
    assert seen["of a handler"] == (1 if mode == "handler" else 0)
    assert platform.of("stop")


@pytest.mark.parametrize("mode", [*WAYS, "flush on another thread", "nothing recorded"])
def test_exit_with_a_receiver_that_never_answers(compile_c, platform, mode):
    """The bound is 700 ms and 100 for the rest; a busy machine gets a second more."""
    platform.always("traces", Answer(hang=True))
    platform.always("stop", Answer(hang=True))
    took = exits(compile_c, platform, mode, 700)
    print(f"{mode}: {took:.0f} ms")
    assert took < 1800


@pytest.mark.parametrize("mode, args, status", [("main", [0], 0), ("_exit", [], 0), ("signal", [], -15)])
def test_ends_that_wait_for_nothing(compile_c, platform, mode, args, status):
    platform.always("traces", Answer(hang=True))
    assert exits(compile_c, platform, mode, *args, status=status) < 1000


def test_exit_in_a_callback_waits_for_nothing(compile_c, platform, tmp_path):
    """The callback is on the thread that would deliver. What it leaves is in the spool."""
    platform.always("traces", Answer(503))
    assert exits(compile_c, platform, "callback", 20000, tmp_path / "spool") < 2000
    assert not platform.spans
    platform.always("traces", None)
    exits(compile_c, platform, "nothing recorded", 20000, tmp_path / "spool")
    assert names(platform)["recorded"] == 1


def test_exit_in_the_middle_of_a_start(compile_c, platform):
    """The session's start is still tried."""
    platform.always("*", Answer(hang=True))
    assert exits(compile_c, platform, "no session", 700) < 1800


@pytest.mark.not_tsan("the next process may be over before it has looked into the spool")
def test_what_an_exit_cannot_deliver_is_sent_by_the_next_process(compile_c, platform, tmp_path):
    platform.always("traces", Answer(hang=True))
    exits(compile_c, platform, "main", 300, tmp_path / "spool")
    assert not platform.spans
    platform.always("traces", None)
    exits(compile_c, platform, "nothing recorded", 20000, tmp_path / "spool")
    assert names(platform)["recorded"] == 1


def test_dlclose(compile_c, run_c, platform, build):
    program = compile_c(HERE / "dlclose.c", libraries=["-ldl"])
    run_c(program, build / "lib" / "libmpr.so.0", env={**platform.env()})
    assert names(platform)["recorded"] == 1


PYTHON = """
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1])
lib.mpr_options_new.restype = lib.mpr_span_begin.restype = ctypes.c_void_p
lib.mpr_span_begin.argtypes = [ctypes.c_char_p, ctypes.c_int32, ctypes.c_char_p]
lib.mpr_span_end.argtypes = [ctypes.c_void_p]
LOG = ctypes.CFUNCTYPE(None, ctypes.c_int32, ctypes.c_char_p, ctypes.c_void_p)
lib.mpr_options_set_log_callback.argtypes = [ctypes.c_void_p, LOG, ctypes.c_void_p, ctypes.c_void_p]
lib.mpr_options_set_log_level.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
lib.mpr_init.argtypes = [ctypes.c_void_p]
lib.mpr_start.argtypes = [ctypes.c_int32, ctypes.c_char_p]
lines = []
callback = LOG(lambda level, line, user: lines.append(line))
options = lib.mpr_options_new()
lib.mpr_options_set_log_level(options, b"debug")
lib.mpr_options_set_log_callback(options, callback, None, None)
assert lib.mpr_init(options) == 0 and lib.mpr_start(0, None) == 0
lib.mpr_span_end(lib.mpr_span_begin(b"recorded", 0, None))
"""


@pytest.mark.parametrize("hang", [False, True])
def test_the_end_of_an_interpreter(platform, build, hang):
    """Its callback is gone before the library's last work."""
    if hang:
        platform.always("traces", Answer(hang=True))
    env = {**clean_env(), **platform.env(), "MPR_EXIT_TIMEOUT_MS": "700" if hang else "20000"}
    done = subprocess.run([environment.PYTHON, "-c", PYTHON, build / "lib" / "libmpr.so.0"], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(platform)["recorded"] == 1 or hang


@pytest.mark.parametrize("mode", ["no threads", "no threads at all", "clock", "no random", "bare"])
def test_a_host_that_lacks_something(compile_c, run_c, platform, mode):
    """No thread to be had, a clock that jumps, no random numbers, no environment: said, counted, and gone on with."""
    shim = compile_c(HERE / "shim.c", flags=["-shared", "-fPIC"], libraries=["-ldl"])
    program = compile_c(HERE / "degraded.c", flags=["-rdynamic"])
    env = {**platform.env(), "LD_PRELOAD": str(shim), "OTEL_TRACES_SAMPLER_ARG": "1.0", "MPR_EXIT_TIMEOUT_MS": "300"}
    if mode == "bare":
        env = {key: value for key, value in env.items() if key.startswith(("MPR_", "MULTIPLAYER_", "OTEL_", "LD_"))}
    run_c(program, mode, env=env)
    seen = names(platform)
    wanted = {"no threads": ["late"], "no threads at all": [], "clock": ["now", "long ago", "far away", "across"]}
    for name in wanted.get(mode, ["all the same"]):
        assert seen[name] == 1
    assert seen["early"] == (1000 if mode == "no threads" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("outage", ["hangs", "refuses"])
def test_an_outage_with_ten_times_what_fits(compile_c, platform, outage):
    """A minute of it in all: memory stays within the budget and 8 MiB, and the numbers add up."""
    command = [compile_c(HERE / "overload.c"), "30"]
    with subprocess.Popen(command, env=platform.env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "down\n"
        platform.always("traces", Answer(hang=True) if outage == "hangs" else Answer(503))
        run.stdin.write("\n")
        run.stdin.flush()
        assert run.stdout.readline() == "up\n"
        platform.always("traces", None)
        said, complaints = run.communicate("\n", timeout=120)
    print(said)
    assert (run.returncode, complaints) == (0, "")


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("seed", range(4))
def test_any_calls_in_any_order(compile_c, run_c, platform, seed, threads):
    env = {**platform.env(), "OTEL_EXPORTER_OTLP_TIMEOUT": "500", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
    run_c(compile_c(HERE / "sequences.c"), seed, 4000 // threads, threads, env=env, timeout=240)


@pytest.mark.valgrind
def test_any_calls_in_any_order_under_valgrind(compile_c, run_c, platform):
    env = {**platform.env(), "OTEL_EXPORTER_OTLP_TIMEOUT": "500", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
    run_c(compile_c(HERE / "sequences.c"), 99, 600, 2, env=env, valgrind=True, timeout=120)


@pytest.mark.skipif(not TSAN, reason="a build for ThreadSanitizer only")
def test_a_race_is_reported(compile_c, run_c):
    """So make tsan sees what the library does; the report of another test would be of a mistake of ours."""
    done = run_c(compile_c(HERE / "race.c"), status=66, silent=False)
    assert "data race" in done.stderr and "mpr_mask" in done.stderr, done.stderr
