"""What bindings/c installs, used from outside the tree: pkg-config, CMake and by hand, shared and static, and run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from consumers import CMAKE, PROGRAM, environment, run, works  # noqa: F401 (works is a fixture)

ROOT = Path(__file__).resolve().parents[2]
INSTALL = ROOT / "bindings" / "c" / "install.sh"
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

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


def pkg_config(prefix, *arguments):
    if not shutil.which("pkg-config"):
        pytest.skip("pkg-config is not installed")
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    return run("pkg-config", *arguments, "libmpr", env=env).split()


# ---- what is installed -----------------------------------------------------------------


def test_the_files_are_where_they_belong(prefix):
    files = sorted(str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir())
    headers = sorted(f"include/{path.name}" for path in (ROOT / "bindings" / "cpp").glob("*.hpp"))
    version = pkg_config(prefix, "--modversion")[0]
    assert files == [
        "include/mpr.h",
        *headers,
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
    assert pc.startswith("prefix=${pcfiledir}/../..\n") and "opt" not in pc
    assert "stage" not in pc
    assert not list(placed.rglob("*.new"))


def test_below_usr_the_names_are_plain(build, tmp_path):
    """Else pkg-config would tell every compiler to look into /usr/include, which it does by itself, and in its own order."""
    install(build, "/usr", DESTDIR=str(tmp_path), LIBDIR="lib/x86_64-linux-gnu")
    lib = tmp_path / "usr" / "lib" / "x86_64-linux-gnu"
    assert (lib / "libmpr.so.0").exists() and not (tmp_path / "usr" / "lib" / "libmpr.so.0").exists()
    env = {**os.environ, "PKG_CONFIG_LIBDIR": str(lib / "pkgconfig")}
    assert run("pkg-config", "--cflags", "--libs", "libmpr", env=env).split() == ["-lmpr"]


@pytest.mark.parametrize("libdir", ["/lib", "lib/", "../lib", "a//b"])
def test_install_refuses_other_folders(build, tmp_path, libdir):
    env = {**os.environ, "MPR_BUILD": str(build), "LIBDIR": libdir}
    done = subprocess.run([INSTALL, tmp_path / "prefix"], env=env, capture_output=True, text=True)
    assert done.returncode == 2 and "LIBDIR" in done.stderr and not (tmp_path / "prefix").exists()


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


@pytest.mark.parametrize("libdir", ["lib", "lib/x86_64-linux-gnu"])
def test_pkg_config_where_it_was_moved_to(build, source, tmp_path, works, libdir):
    install(build, tmp_path / "first", LIBDIR=libdir)
    lib = (tmp_path / "first").rename(tmp_path / "second") / libdir
    env = {**os.environ, "PKG_CONFIG_PATH": str(lib / "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "libmpr", env=env).split()
    run("cc", *STRICT, source, *flags, "-o", tmp_path / "app")
    works(tmp_path / "app", shared=True, LD_LIBRARY_PATH=str(lib))


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
