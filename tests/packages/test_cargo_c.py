"""`cargo cinstall`: the header, the pkg-config name and the SONAME come out as bindings/c/install.sh has them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from consumers import PROGRAM, run, works  # noqa: F401 (works is a fixture)

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_installs_what_others_expect(build, tmp_path, works):
    if not shutil.which("cargo-cinstall"):
        pytest.skip("cargo-c is not installed (cargo install --locked cargo-c)")
    # A quick build, kept for the next time; its own folder, since its flags are not those of ours.
    env = {**os.environ, "CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_TARGET_DIR": str(build / "cargo-c-debug")}
    command = ["cargo", "cinstall", "--locked", "--debug", "-p", "mpr", "--prefix", "/usr/local", "--libdir", "/usr/local/lib"]
    done = subprocess.run([*command, "--destdir", tmp_path / "stage"], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    prefix = tmp_path / "stage" / "usr" / "local"
    lib = prefix / "lib"
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    files = {str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir()}
    headers = {f"include/{path.name}" for path in (ROOT / "bindings" / "cpp").glob("*.hpp")}
    libraries = {f"lib/{name}" for name in ("libmpr.a", "libmpr.so", "libmpr.so.0", f"libmpr.so.{version}", "pkgconfig/libmpr.pc")}
    assert files == {"include/mpr.h", *headers, *libraries}
    assert (prefix / "include" / "mpr.h").read_text() == (ROOT / "include" / "mpr.h").read_text()
    assert re.search(r"\(SONAME\).*\[libmpr\.so\.0\]", run("readelf", "-d", lib / "libmpr.so"))
    assert "NODELETE" in run("readelf", "-d", lib / "libmpr.so")
    exported = {line.split()[-1] for line in run("nm", "-D", "--defined-only", lib / "libmpr.so").splitlines()}
    assert exported and all(name.startswith("mpr_") for name in exported)

    (tmp_path / "app.c").write_text(PROGRAM)
    env = {**os.environ, "PKG_CONFIG_LIBDIR": str(lib / "pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": str(tmp_path / "stage")}
    assert run("pkg-config", "--modversion", "libmpr", env=env).strip() == version
    flags = run("pkg-config", "--cflags", "--libs", "libmpr", env=env).split()
    run("cc", tmp_path / "app.c", *flags, "-o", tmp_path / "app")
    works(tmp_path / "app", shared=True, LD_LIBRARY_PATH=str(lib))
