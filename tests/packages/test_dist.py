"""`make dist` from the outside: unpacked in an empty folder, used as its README says, and moved."""

import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
from consumers import CMAKE, PROGRAM, run, works  # noqa: F401 (works is a fixture)

ROOT = Path(__file__).resolve().parents[2]


def make(build, out, **env):
    return Path(run(ROOT / "packaging" / "dist.sh", out, cwd="/", env={**os.environ, "MPR_BUILD": str(build), **env}).strip())


@pytest.fixture(scope="module")
def tarball(build, tmp_path_factory):
    return make(build, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def unpacked(tarball, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    run("tar", "xzf", tarball, "-C", folder)
    # Not where it was made, nor where it was unpacked.
    [top] = folder.iterdir()
    return top.rename(folder / "moved here")


def test_is_what_it_says(tarball, unpacked):
    env = {**os.environ, "PKG_CONFIG_PATH": str(unpacked / "lib" / "pkgconfig")}
    version = run("pkg-config", "--modversion", "libmpr", env=env).strip()
    assert re.fullmatch(rf"libmpr-{re.escape(version)}-linux-\w+\.tar\.gz", tarball.name)
    run("sha256sum", "-c", f"{tarball.name}.sha256", cwd=tarball.parent)
    with tarfile.open(tarball) as tar:
        for member in tar:
            assert (member.uid, member.gid) == (0, 0) and member.name.startswith(tarball.name.removesuffix(".tar.gz"))
            assert member.isdir() or member.issym() or member.mode in (0o644, 0o755), member.name
    top = {path.name for path in unpacked.iterdir()}
    assert top == {"include", "lib", "bin", "share", "doc", "examples", "README.md", "LICENSE", "CHANGELOG.md", "THIRD-PARTY-LICENSES"}
    texts = [path for path in unpacked.rglob("*") if path.suffix in (".pc", ".cmake", ".md", ".h", ".hpp", "")]
    for path in texts:
        if path.is_file() and path.parent.name not in ("bin", "lib"):
            assert not re.search(rf"@[A-Z]+@|{re.escape(str(ROOT))}/", path.read_text()), path
    notices = (unpacked / "THIRD-PARTY-LICENSES").read_text()
    for name in ("ring ", "rustls ", "zstd-sys ", "libsqlite3-sys ", "the Rust standard library ", "Permission is hereby granted"):
        assert name in notices, name
    assert (unpacked / "examples" / "php-ffi" / "first.php").exists() and not list(unpacked.rglob("node_modules"))


def test_the_same_input_gives_the_same_bytes(build, tmp_path):
    one, two = (make(build, tmp_path / folder, SOURCE_DATE_EPOCH="86400") for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as tar:
        assert {member.mtime for member in tar} == {86400}


def test_its_readme_works(unpacked, works, tmp_path):
    """Its lines, word for word."""
    lines = re.findall(r"^    (\S.*)$", (unpacked / "README.md").read_text(), re.M)
    assert len(lines) == 4
    (unpacked / "app.c").write_text(PROGRAM)
    # $PWD is put in as it is; whoever has a space in it writes quotes.
    here = unpacked.rename(unpacked.parent / "libmpr")
    try:
        for line, shared in zip(lines[:3], (True, True, False)):
            (here / "app").unlink(missing_ok=True)
            run("sh", "-c", line, cwd=here)
            works(here / "app", shared=shared)
        (here / "CMakeLists.txt").write_text(CMAKE.format(language="C", suffix="c"))
        run("sh", "-c", lines[3], cwd=here)
        works(here / "build" / "shared", shared=True)
        works(here / "build" / "static", shared=False)
    finally:
        here.rename(unpacked)


def test_its_cpp_header_compiles(unpacked, tmp_path):
    """Alone. (That for OpenTelemetry C++ needs an SDK.)"""
    names = {path.name for path in (unpacked / "include").iterdir()}
    assert names == {"mpr.h", *(path.name for path in (ROOT / "bindings" / "cpp").glob("*.hpp"))}
    (tmp_path / "app.cpp").write_text("#include <mpr.hpp>\nint main() { return mpr_abi_version() == 0; }\n")
    run("g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{unpacked / 'include'}", tmp_path / "app.cpp")


def test_its_recorder_runs(unpacked):
    program = unpacked / "bin" / "mpr-local"
    assert re.fullmatch(r"mpr-local \d+\.\d+\.\d+\n", run(program, "--version"))
    # Its manual has every option and command that it has.
    manual = (unpacked / "share" / "man" / "man1" / "mpr-local.1").read_text().replace("\\-", "-")
    told = run(program, "--help") + run(program, "show", "--help") + run(program, "export", "--help")
    for word in re.findall(r"--[a-z-]+", told) + re.findall(r"^  ([a-z]+)  ", told, re.M):
        assert word in manual, word


def test_says_what_it_wants(tmp_path):
    done = subprocess.run([ROOT / "packaging" / "dist.sh"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("usage: ")


def test_notices_are_of_everything_that_is_linked(unpacked):
    """Each crate of the two programs, by cargo's own word."""
    notices = (unpacked / "THIRD-PARTY-LICENSES").read_text()
    for package in ("mpr", "mpr-local"):
        command = ["cargo", "tree", "--locked", "-p", package, "-e", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]
        for line in set(run(*command, cwd=ROOT).splitlines()):
            name, version = line.split()[:2]
            if not line.endswith(")"):
                assert f"  {name} {version.removeprefix('v')} (" in notices, line
