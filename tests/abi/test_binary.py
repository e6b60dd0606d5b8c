"""The built files: what they export, and that a host can load and leave them."""

import re
import subprocess
from pathlib import Path

import header
import pytest

HERE = Path(__file__).parent


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
    """Told, not judged: which systems it runs on is the packaging's matter."""
    versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_(2\.\d+)", tool("objdump", "-T", library))}
    newest = ".".join(map(str, max(versions)))
    record_property("glibc", newest)
    with capsys.disabled():
        print(f"\nlibmpr.so needs glibc {newest}")


def test_loaded_and_left_a_hundred_times(compile_c, run_c, library, platform):
    program = compile_c(HERE / "dlopen.c", libraries=["-ldl", "-lpthread"])
    done = run_c(program, library, env=platform.env())
    assert done.stdout == ""
    assert len(platform.of("start")) == len(platform.of("stop")) == 10
    assert [s["name"] for s in platform.spans] == ["plugin"] * 10
