"""What bindings/c installs, used from outside the tree: pkg-config, CMake and by hand, shared and static, and run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALL = ROOT / "bindings" / "c" / "install.sh"
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# Records a span into the session that the environment leads to, so that all of the library is linked and works.
PROGRAM = r"""
#include <mpr.h>
#include <stdio.h>

int main(void) {
    if (mpr_abi_version() < MPR_ABI_VERSION)
        return 3;
    mpr_status status = mpr_init(NULL);
    if (status == MPR_OK)
        status = mpr_start(MPR_SESSION_MANUAL, "{\"name\": \"consumer\"}");
    if (status != MPR_OK) {
        fprintf(stderr, "%s: %s\n", mpr_status_name(status), mpr_last_error());
        return 1;
    }
    mpr_span_end(mpr_span_begin("linked", MPR_SPAN_KIND_INTERNAL, NULL));
    status = mpr_stop(NULL);
    printf("libmpr %s\n", mpr_version());
    return status == MPR_OK && mpr_shutdown(5000) == MPR_OK ? 0 : 1;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.13)
project(consumer LANGUAGES {language})
find_package(mpr 0.1 REQUIRED)
add_executable(shared app.{suffix})
target_link_libraries(shared PRIVATE mpr::mpr)
add_executable(static app.{suffix})
target_link_libraries(static PRIVATE mpr::mpr_static)
"""


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def install(build, prefix, **env):
    return run(INSTALL, prefix, cwd="/", env={**os.environ, "MPR_BUILD": str(build), **env})


@pytest.fixture(scope="session")
def prefix(build, tmp_path_factory):
    """A prefix with everything in it."""
    prefix = tmp_path_factory.mktemp("installed") / "mpr"
    assert str(prefix) in install(build, prefix)
    return prefix


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "app.c"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def works(local):
    """works(program, shared=…): it runs, records, and needs libmpr.so or not."""
    seen = set()

    def check(program, shared, **env):
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program))
        assert ("libmpr.so.0" in needed) == shared
        said = run(program, env=environment(local.base, **env))
        assert re.fullmatch(r"libmpr \d+\.\d+\.\d+\n", said)
        [new] = {session["_id"] for session in local.request("GET", "/api/sessions").json["sessions"]} - seen
        seen.add(new)
        assert local.span_names(new) == ["linked"]

    return check


def environment(url, **more):
    ours = re.compile(r"OTEL_|MULTIPLAYER_|MPR_LOG$|LD_|(HTTPS?|ALL|NO)_PROXY$", re.IGNORECASE)
    clean = {name: value for name, value in os.environ.items() if not ours.match(name)}
    ours = {"MULTIPLAYER_API_KEY": "local", "MULTIPLAYER_BASE_API_URL": url, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
    return {**clean, **ours, **more}


def pkg_config(prefix, *arguments):
    if not shutil.which("pkg-config"):
        pytest.skip("pkg-config is not installed")
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    return run("pkg-config", *arguments, "libmpr", env=env).split()


# ---- what is installed -----------------------------------------------------------------


def test_the_files_are_where_they_belong(prefix):
    files = sorted(str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir())
    version = pkg_config(prefix, "--modversion")[0]
    assert files == [
        "include/mpr.h",
        "lib/cmake/mpr/mprConfig.cmake",
        "lib/cmake/mpr/mprConfigVersion.cmake",
        "lib/libmpr.a",
        "lib/libmpr.so",
        "lib/libmpr.so.0",
        f"lib/libmpr.so.{version}",
        "lib/pkgconfig/libmpr.pc",
    ]
    lib = prefix / "lib"
    assert os.readlink(lib / "libmpr.so") == "libmpr.so.0"
    assert os.readlink(lib / "libmpr.so.0") == f"libmpr.so.{version}"
    assert (lib / f"libmpr.so.{version}").stat().st_mode & 0o777 == 0o755
    assert (lib / "libmpr.a").stat().st_mode & 0o777 == 0o644
    assert not [path for path in prefix.rglob("*") if path.suffix in (".pc", ".cmake") and "@" in path.read_text()]


def test_names_and_numbers_agree(prefix):
    dynamic = run("readelf", "-d", prefix / "lib" / "libmpr.so")
    assert re.search(r"\(SONAME\).*\[libmpr\.so\.0\]", dynamic)
    header = (prefix / "include" / "mpr.h").read_text()
    numbers = re.findall(r"^#define MPR_VERSION_\w+ (\d+)$", header, re.MULTILINE)
    assert ".".join(numbers) == pkg_config(prefix, "--modversion")[0]


def test_installing_again_and_as_a_package(build, tmp_path):
    for _ in range(2):
        install(build, "/opt/mpr & co", DESTDIR=str(tmp_path / "stage"))
    assert [path.name for path in tmp_path.iterdir()] == ["stage"]
    placed = tmp_path / "stage" / "opt" / "mpr & co"
    pc = (placed / "lib" / "pkgconfig" / "libmpr.pc").read_text()
    assert pc.startswith("prefix=/opt/mpr & co\n")
    assert "stage" not in pc
    assert not list(placed.rglob("*.new"))


@pytest.mark.parametrize("arguments", [[], ["relative/path"], ["/tmp/a", "/tmp/b"]])
def test_install_tells_what_it_wants(arguments):
    done = subprocess.run([INSTALL, *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert "PREFIX" in done.stderr


def test_install_tells_what_is_missing(tmp_path):
    env = {**os.environ, "MPR_BUILD": str(tmp_path)}
    done = subprocess.run([INSTALL, tmp_path / "prefix"], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "libmpr.so is not there" in done.stderr
    assert not (tmp_path / "prefix").exists()


# ---- how it is used --------------------------------------------------------------------


def test_pkg_config_shared(prefix, source, tmp_path, works):
    flags = pkg_config(prefix, "--cflags", "--libs")
    run("cc", *STRICT, source, *flags, "-o", tmp_path / "app")
    works(tmp_path / "app", shared=True, LD_LIBRARY_PATH=str(prefix / "lib"))


def test_pkg_config_static_library(prefix, source, tmp_path, works):
    flags = pkg_config(prefix, "--cflags") + pkg_config(prefix, "--variable=static_libs")
    run("cc", *STRICT, source, *flags, "-o", tmp_path / "app")
    works(tmp_path / "app", shared=False)


def test_pkg_config_static_program(prefix, source, tmp_path, works):
    flags = pkg_config(prefix, "--static", "--cflags", "--libs")
    run("cc", *STRICT, "-static", source, *flags, "-o", tmp_path / "app")
    works(tmp_path / "app", shared=False)


@pytest.mark.parametrize(("language", "suffix"), [("C", "c"), ("CXX", "cpp")])
def test_cmake(prefix, tmp_path, source, works, language, suffix):
    if not shutil.which("cmake"):
        pytest.skip("cmake is not installed")
    folder = tmp_path / "consumer"
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(CMAKE.format(language=language, suffix=suffix))
    shutil.copy(source, folder / f"app.{suffix}")
    # From where it was moved to: the package names no path.
    moved = tmp_path / "moved"
    shutil.copytree(prefix, moved, symlinks=True)
    run("cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={moved}")
    run("cmake", "--build", folder / "build")
    works(folder / "build" / "shared", shared=True)
    works(folder / "build" / "static", shared=False)



def test_cmake_takes_the_versions_that_it_should(prefix, tmp_path):
    if not shutil.which("cmake"):
        pytest.skip("cmake is not installed")
    lines = ["cmake_minimum_required(VERSION 3.13)", "project(versions LANGUAGES C)"]
    for wanted in ("", "0", "0.1", "0.1.0", "0.2", "1.0"):
        lines += [f"find_package(mpr {wanted} QUIET)", f'message(STATUS "<{wanted}>=${{mpr_FOUND}}")', "unset(mpr_DIR CACHE)"]
    (tmp_path / "CMakeLists.txt").write_text("\n".join(lines))
    said = run("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    found = dict(re.findall(r"<(.*)>=(\d)", said))
    assert found == {"": "1", "0": "1", "0.1": "1", "0.1.0": "1", "0.2": "0", "1.0": "0"}


def test_by_hand(prefix, source, tmp_path, works):
    lib = prefix / "lib"
    run("cc", *STRICT, source, f"-I{prefix / 'include'}", f"-L{lib}", "-lmpr", f"-Wl,-rpath,{lib}", "-o", tmp_path / "app")
    works(tmp_path / "app", shared=True)


def test_by_hand_static(prefix, source, tmp_path, works):
    libraries = [prefix / "lib" / "libmpr.a", "-lpthread", "-ldl", "-lm"]
    run("cc", *STRICT, source, f"-I{prefix / 'include'}", *libraries, "-o", tmp_path / "app")
    works(tmp_path / "app", shared=False)


def test_the_header_has_a_static_line_that_links(prefix, source, tmp_path, works):
    line = re.search(r"Static \(on Linux\): cc app\.c libmpr\.a (.*)", (prefix / "include" / "mpr.h").read_text())[1]
    run("cc", *STRICT, source, f"-I{prefix / 'include'}", prefix / "lib" / "libmpr.a", *line.split(), "-o", tmp_path / "app")
    works(tmp_path / "app", shared=False)


def test_the_example_builds_against_an_installed_library(prefix, tmp_path):
    out = tmp_path / "c-http-server"
    run("make", "-s", "-C", ROOT / "examples" / "c-http-server", f"PREFIX={prefix}", f"OUT={out}")
    done = subprocess.run([out], env=environment("http://127.0.0.1"), capture_output=True, text=True)
    assert done.stderr.startswith("usage: ")
