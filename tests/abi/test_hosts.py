"""Hosts that are not as tidy as the examples: late calls, small stacks, rude callbacks, no file descriptors."""

import time
from pathlib import Path

import pytest
from platform_server import Answer

HERE = Path(__file__).parent


THREAD_EXIT = pytest.param("thread exit", marks=pytest.mark.not_tsan("the thread calls when it is over for ThreadSanitizer"))


@pytest.mark.parametrize("mode", ["atexit", "atexit first", THREAD_EXIT, "small stack", "errno and signals", "no more files"])
def test_works(compile_c, run_c, platform, mode):
    done = run_c(compile_c(HERE / "hosts.c"), mode, env=platform.env())
    assert done.stdout == ""
    assert "work" in [s["name"] for s in platform.spans] or mode == "no more files"
    assert platform.of("stop")


@pytest.mark.valgrind
@pytest.mark.parametrize("mode", ["atexit", "thread exit"])
def test_late_calls_under_valgrind(compile_c, run_c, platform, mode):
    run_c(compile_c(HERE / "hosts.c"), mode, env=platform.env(), valgrind=True)


def test_rude_callbacks(compile_c, run_c, platform):
    """Whatever a callback calls, nothing waits for itself."""
    run_c(compile_c(HERE / "hosts.c"), "rude callbacks", env=platform.env(), timeout=30)


def test_exit_without_shutdown_waits_for_a_moment_only(compile_c, run_c, platform):
    platform.always("*", Answer(hang=True))
    begin = time.monotonic()
    run_c(compile_c(HERE / "hosts.c"), "exit without shutdown", env=platform.env(), timeout=15)
    assert time.monotonic() - begin < 4  # exit_timeout_ms is 2000


@pytest.mark.slow
def test_sizes_that_nobody_means(compile_c, run_c, platform):
    done = run_c(compile_c(HERE / "limits.c"), env=platform.env())
    assert done.stdout == ""
    # The platform drops a span above 1,000,000 bytes, and its proxy a request above 20 MiB.
    for request in platform.of("traces"):
        assert len(request.body) <= 20 << 20
    spans = {}
    for request in platform.of("traces"):
        spans.update((span["name"], span) for span in request.spans)
        if "h" in spans:
            break  # from here on it is the 100000 empty ones
    for name, span in spans.items():
        assert len(name + str(span["attributes"]) + str(span["events"]) + span["status"]["message"]) < 1_000_000, name[:100]
    # What is too long is cut or left out; what stands beside it stays.
    assert spans["big attribute"]["attributes"]["small"] == 7
    assert spans["big key"]["attributes"]["small"] == 7
    assert spans["big exception"]["events"][0]["attributes"]["exception.type"] == "T"
