"""What all test folders share: where the built files are, C programs compiled and run, servers.

MPR_BUILD names the build directory (default: build/ of the project); it has lib/libmpr.so, lib/libmpr.so.0, lib/libmpr.a
and bin/mpr-local. Nothing here builds the library.

With a runtime.a in it, it is a build for ThreadSanitizer (make tsan, tools/tsan.sh): programs get that runtime, and whatever
it reports fails their test.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("MPR_BUILD") or ROOT / "build").resolve()
# The recorder's helpers find it by a variable of their own.
os.environ.setdefault("MPR_LOCAL_BIN", str(BUILD / "bin" / "mpr-local"))
sys.path.insert(0, str(ROOT / "tests" / "support"))

from environment import TSAN, clean_env  # noqa: E402
from local_recorder import start_local  # noqa: E402
from platform_server import PlatformServer  # noqa: E402

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"]
# "Possibly lost" is not an error: Rust keeps pointers into the middle of its blocks (Arc, thread handles).
VALGRIND = [
    *("valgrind", "-q", "--error-exitcode=99", "--track-fds=no"),
    *("--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"),
    f"--suppressions={ROOT / 'tests' / 'support' / 'valgrind.supp'}",
]


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds (leave out with -m 'not slow')")
    config.addinivalue_line("markers", "valgrind: runs under valgrind (leave out with -m 'not valgrind')")
    config.addinivalue_line("markers", "not_tsan(reason): cannot be told under ThreadSanitizer")


def pytest_collection_modifyitems(items):
    for item in items if TSAN else []:
        for mark in item.iter_markers("not_tsan"):
            item.add_marker(pytest.mark.skip(reason=mark.args[0]))


@pytest.fixture(scope="session")
def build():
    """The build directory."""
    # (Of a build for ThreadSanitizer there is no more.)
    for name in ("lib/libmpr.so", "lib/libmpr.so.0", "lib/libmpr.a", "bin/mpr-local")[: 2 if TSAN else 4]:
        assert (BUILD / name).exists(), f"{BUILD / name} is not there: build first, or set MPR_BUILD"
    return BUILD


@pytest.fixture(scope="session")
def include():
    """The directory of mpr.h."""
    return ROOT / "include"


@pytest.fixture(scope="session")
def plain_symbols(build, tmp_path_factory):
    """A directory with libmpr.so.0 without its debug information, for valgrind: it reads all of that at each start,
    which takes many times as long as the test. Names of functions stay."""
    folder = tmp_path_factory.mktemp("stripped")
    subprocess.run(["strip", "-g", "-o", folder / "libmpr.so.0", build / "lib" / "libmpr.so"], check=True)
    return folder


@pytest.fixture(scope="session")
def compile_c(build, include, tmp_path_factory):
    """compile_c(sources, flags=(), compiler="gcc", standard="c11", libraries=None) → the program's path.

    `sources` is one path or several. `libraries` replaces -lmpr (e.g. for static linking). The same call twice compiles
    once. A warning fails the test."""
    folder, made = tmp_path_factory.mktemp("c"), {}

    def compile_one(sources, flags=(), compiler="gcc", standard="c11", libraries=None):
        sources = [Path(s) for s in ([sources] if isinstance(sources, (str, Path)) else sources)]
        key = (tuple(sources), tuple(flags), compiler, standard, tuple(libraries or ()))
        if key not in made:
            out = folder / f"{sources[0].stem}-{len(made)}"
            lib = build / "lib"
            if libraries is None:
                libraries = [f"-L{lib}", "-lmpr", f"-Wl,-rpath,{lib}", "-lpthread"]
            command = [compiler, f"-std={standard}", *WARNINGS, f"-I{include}", *flags, *sources, "-o", out, *libraries]
            # (What is preloaded stands below the runtime, and has none of its own.)
            if TSAN and "-shared" not in flags:
                command += for_tsan(compiler)
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
            assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stderr}"
            made[key] = out
        return made[key]

    return compile_one


def for_tsan(compiler):
    """What has a program checked by ThreadSanitizer: instrumented by gcc, which is the same, over the runtime of Rust."""
    # Without the default libraries, or gcc would add a runtime of its own.
    system = ["-lpthread", "-ldl", "-lm", "-lrt", "-lresolv", *(["-lstdc++"] if compiler == "g++" else []), "-lgcc_s", "-lgcc", "-lc"]
    runtime = ["-Wl,--whole-archive", TSAN, "-Wl,--no-whole-archive", "-rdynamic", "-nodefaultlibs", *system]
    return ["-fsanitize=thread", ROOT / "tests" / "support" / "tsan.c", *runtime]


@pytest.fixture
def run_c(request, tmp_path):
    """run_c(program, *args, env=None, valgrind=False, status=0, silent=True, timeout=60) → CompletedProcess.

    Without `env` the program runs in clean_env(). Fails the test unless the program ends with `status`, and, when `silent`,
    writes nothing to stderr: our programs write there only what failed, so anything else would be the library's."""

    def run(program, *args, env=None, valgrind=False, status=0, silent=True, timeout=60, **options):
        command, env = [str(program), *map(str, args)], clean_env() if env is None else dict(env)
        if valgrind:
            if not shutil.which("valgrind"):
                pytest.skip("valgrind is not installed")
            # LD_LIBRARY_PATH does not win over rpath; a preload of the same SONAME does.
            folder = request.getfixturevalue("plain_symbols")
            env["LD_PRELOAD"] = str(folder / "libmpr.so.0")
            command, timeout = [*VALGRIND, *command], timeout * 3
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout, cwd=tmp_path, **options)
        said = f"{' '.join(command)}\nstatus {done.returncode}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
        assert done.returncode == status, said
        assert not silent or not done.stderr, said
        return done

    return run


@pytest.fixture
def platform():
    """A fake platform; see platform_server.py."""
    with PlatformServer() as server:
        yield server


@pytest.fixture
def local(tmp_path):
    """A local recorder with a database of its own; see local_recorder.py. Programs use it with env=recorder_env(local.base)."""
    if TSAN:
        pytest.skip("there is no local recorder in a build for ThreadSanitizer")
    recorder = start_local(tmp_path)
    yield recorder
    recorder.process.kill()
    recorder.process.wait()
