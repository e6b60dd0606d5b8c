"""The built files: what they export, and that a host can load and leave them."""

import os
import re
import subprocess
from pathlib import Path

import header
import pytest
from environment import clean_env

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def tool(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def library(build):
    return build / "lib" / "libmpr.so.0"


def test_exports_are_the_headers_prototypes(library):
    exported = {line.split()[-1] for line in tool("nm", "-D", "--defined-only", library).splitlines()}
    assert exported == {f.name for f in header.functions()}


def test_the_static_library_has_them_too(build):
    # Its index, which is what a linker reads.
    listed = tool("nm", "-s", "--quiet", build / "lib" / "libmpr.a")
    found = set(re.findall(r"^(mpr_\w+) in ", listed, re.M))
    assert found == {f.name for f in header.functions()}


def test_dynamic_section(library):
    dynamic = tool("readelf", "-dW", library)
    assert "[libmpr.so.0]" in re.search(r"\(SONAME\).*", dynamic)[0]
    assert "NODELETE" in dynamic
    assert "STATIC_TLS" not in dynamic  # dlopen would fail in hosts that have used up theirs
    assert "TEXTREL" not in dynamic and "RPATH" not in dynamic and "RUNPATH" not in dynamic
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    # No other file is needed at run time, beyond what every glibc system has.
    assert needed <= {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2"}, needed
    stack = re.search(r"GNU_STACK.*", tool("readelf", "-lW", library))[0]
    assert "RWE" not in stack


def test_glibc(library, record_property, capsys):
    """The oldest that it runs with, and that the README says so."""
    versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_(2\.\d+)", tool("objdump", "-T", library))}
    oldest = ".".join(map(str, max(versions)))
    record_property("glibc", oldest)
    with capsys.disabled():
        print(f"\nlibmpr.so needs glibc {oldest}")
    stated = re.search(r"needs glibc (2\.\d+) or newer", (ROOT / "README.md").read_text())[1]
    assert oldest == stated


@pytest.mark.parametrize("file", ["lib/libmpr.so", "lib/libmpr.a", "bin/mpr-local"])
def test_names_no_folder_of_the_machine_that_built_it(build, file):
    if ".debug_info" in tool("readelf", "-SW", build / "lib" / "libmpr.so"):
        pytest.skip("a quick build (PROFILE=dev)")
    content = (build / file).read_bytes()
    # Panics do name source files.
    assert re.search(rb"crates/\w+-\d+\.\d+", content)
    for folder in (Path.home(), ROOT, os.environ.get("CARGO_HOME") or Path.home() / ".cargo", "/registry/src/"):
        # Texts stand one behind the other in there: the folder and what is below it.
        found = re.findall(re.escape(str(folder).rstrip("/").encode()) + rb"/[\w./-]{1,60}", content)
        assert not found, set(found)


def test_make_size_tells_what_it_costs(build, tmp_path):
    """The table of `make size`, with its figures where they belong."""
    tool("gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", ROOT / "benches" / "start.c", "-o", tmp_path / "start", "-ldl")
    env = clean_env(ROUNDS="3")
    said = subprocess.run([ROOT / "tools" / "size.sh", build / "lib" / "libmpr.so", tmp_path / "start"], env=env, capture_output=True, text=True)
    assert said.returncode == 0 and not said.stderr, said
    figures = dict(re.findall(r"^(\S.*?)  +\+?([\d.]+)", said.stdout, re.M))
    assert float(figures["stripped"]) < 4.5  # the ceiling; the others depend on what else the machine does
    assert 0 < float(figures["dlopen"]) and 0 < float(figures["mpr_init"])
    assert 0 < float(figures["memory after dlopen"]) <= float(figures["memory after mpr_init"]) < 8
    assert int(figures["exported functions"]) == len(header.functions())


def test_loaded_and_left_a_hundred_times(compile_c, run_c, library, platform):
    program = compile_c(HERE / "dlopen.c", libraries=["-ldl", "-lpthread"])
    done = run_c(program, library, env=platform.env())
    assert done.stdout == ""
    assert len(platform.of("start")) == len(platform.of("stop")) == 10
    assert [s["name"] for s in platform.spans] == ["plugin"] * 10
