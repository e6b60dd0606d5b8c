"""Calls that are wrong: generated from the header, and from 16 threads at once. Nothing crashes, hangs or prints."""

from pathlib import Path

import header
import pytest

HERE = Path(__file__).parent
BOTH = pytest.mark.parametrize("valgrind", [False, pytest.param(True, marks=pytest.mark.valgrind)], ids=["plain", "valgrind"])


@BOTH
def test_every_function_with_every_argument_wrong(compile_c, run_c, platform, tmp_path_factory, valgrind):
    source = tmp_path_factory.mktemp("misuse") / "misuse.c"
    source.write_text(header.misuse_program())
    done = run_c(compile_c(source, [f"-I{HERE}"]), env=platform.env(), valgrind=valgrind)
    assert done.stdout == ""


@BOTH
@pytest.mark.slow
def test_16_threads(compile_c, run_c, platform, valgrind):
    done = run_c(compile_c(HERE / "threads.c"), 2000, env=platform.env(), valgrind=valgrind)
    assert done.stdout == ""
