"""libmpr.a (and libmpr.so) in a program that holds another Rust library and a libzstd of its own: names do not clash, panics inside are caught,
the host's exceptions pass, and one can find the way up through the library's frames."""

import re
import shutil
import subprocess
from pathlib import Path

import header
import pytest
from environment import recorder_env

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The other Rust library."""
    if not shutil.which("rustc"):
        pytest.skip("rustc is not here")
    out = tmp_path_factory.mktemp("other") / "libother.a"
    run("rustc", "--edition=2021", "--crate-type=staticlib", "-Cpanic=unwind", HERE / "other_rust.rs", "-o", out)
    return out


def global_names(archive):
    listed = run("nm", "-g", "--defined-only", "--quiet", archive)
    return {line.split()[-1] for line in listed.splitlines() if len(line.split()) == 3}


def test_shows_the_headers_functions_and_nothing_else(build):
    assert global_names(build / "lib" / "libmpr.a") == {function.name for function in header.functions()}


def test_is_made_for_every_linker(build):
    sections = run("readelf", "-SW", build / "lib" / "libmpr.a")
    assert re.search(r"\.note\.GNU-stack\s+PROGBITS", sections), "without this the stack would be executable"
    assert "GROUP" not in re.findall(r"\] \S+\s+(\w+) ", sections), "another library's group of that name would be in its place"
    assert not re.search(r"\] \.(debug_|llvm)", sections)
    # What a program does not need can be left out.
    assert len(re.findall(r"\] \.text\.", sections)) > 1000


def linker(name):
    """The flags for a linker that may be there."""
    if name == "lld":
        sysroot = run("rustc", "--print", "sysroot").strip()
        found = list(Path(sysroot, "lib", "rustlib").glob("*/bin/gcc-ld"))
        if found and (found[0] / "ld.lld").exists():
            return [f"-B{found[0]}", "-fuse-ld=lld"]
    if name == "gold" and shutil.which("ld.gold"):
        return ["-fuse-ld=gold"]
    pytest.skip(f"the linker {name} is not installed")


FLAGS = {
    "plain": [],
    "other first": [],
    "shared": ["-rdynamic"],
    "static": ["-static"],
    "sections": ["-Wl,--gc-sections"],
    "sanitizers": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "lld": None,
    "gold": None,
}
ZSTD = Path("/usr/include/zstd.h").exists()


@pytest.fixture(scope="module")
def compiled(include, tmp_path_factory):
    """compiled(flags) → beside.cpp's object file."""
    made = {}

    def compile_with(flags):
        if flags not in made:
            made[flags] = tmp_path_factory.mktemp("beside") / "beside.o"
            zstd = ["-DWITH_ZSTD"] if ZSTD else []
            common = ["-std=c++11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", f"-I{include}"]
            run("g++", *common, *zstd, *flags, "-c", HERE / "beside.cpp", "-o", made[flags])
        return made[flags]

    return compile_with


@pytest.mark.parametrize("how", FLAGS)
def test_lives_beside_another_rust_library(build, compiled, other, local, tmp_path, how):
    flags = linker(how) if FLAGS[how] is None else FLAGS[how]
    libraries = [build / "lib" / "libmpr.a", other]
    if how == "shared":
        # With the other's names there for every library to take.
        libraries = [other, f"-L{build / 'lib'}", "-lmpr", f"-Wl,-rpath,{build / 'lib'}"]
    if how == "other first":
        libraries.reverse()
    program = tmp_path / "beside"
    compiler = tuple(flag for flag in flags if flag.startswith("-fsanitize"))
    zstd = ["-lzstd"] if ZSTD else []
    run("g++", *flags, compiled(compiler), "-o", program, *libraries, *zstd, *header.static_line())

    env = recorder_env(local.base, key="local")
    assert run(program, env=env) == ""
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    (span,) = local.session(session["_id"])["spans"]
    assert span["name"] == "beside" and span["events"][0]["attributes"]["exception.message"] == "item 7"
    # The clock of the process fails: Rust's own reaction is a panic.
    assert run(program, "clock", env=env).startswith("MPR_ERR_INTERNAL mpr_flush: a defect in libmpr: ")


def test_says_what_it_cannot_localise(tmp_path, other):
    done = subprocess.run([ROOT / "tools" / "localise.sh", other, tmp_path / "out.a", "mpr_"], capture_output=True, text=True)
    assert done.returncode == 1 and "has no mpr_*" in done.stderr and not (tmp_path / "out.a").exists()
