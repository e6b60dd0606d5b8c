"""`make deb`: the packages as dpkg sees them, and a program that is built and run with what they install."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from consumers import CMAKE, PROGRAM, run, works  # noqa: F401 (works is a fixture)

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["libmpr-dev", "libmpr0", "mpr-local"]

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-shlibdeps"), reason="dpkg-shlibdeps is not installed (package dpkg-dev)")


def make(build, out, **env):
    made = run(ROOT / "packaging" / "deb.sh", out, cwd="/", env={**os.environ, "MPR_BUILD": str(build), **env}).split()
    return {Path(path).name.split("_")[0]: Path(path) for path in made}


@pytest.fixture(scope="module")
def debs(build, tmp_path_factory):
    """Package → file."""
    return make(build, tmp_path_factory.mktemp("debs"), COMPRESSION="gzip")  # in a third of the time


@pytest.fixture(scope="module")
def system(debs, tmp_path_factory):
    """A root in which they are installed: by dpkg itself, where that is allowed."""
    root = tmp_path_factory.mktemp("system")
    if os.getuid() == 0:
        for folder in ("updates", "info", "triggers"):
            (root / "var" / "lib" / "dpkg" / folder).mkdir(parents=True)
        (root / "var" / "lib" / "dpkg" / "status").touch()
        run("dpkg", f"--root={root}", "--force-depends", "-i", *debs.values())
        listed = run("dpkg-query", f"--admindir={root / 'var/lib/dpkg'}", "-W", "-f", "${Package} ${Status}\n").splitlines()
        assert listed == [f"{name} install ok installed" for name in NAMES]
    else:
        for deb in debs.values():
            run("dpkg-deb", "-x", deb, root)
    return root


def field(deb, name):
    return run("dpkg-deb", "-f", deb, name).strip()


def control_file(deb, name):
    return run("dpkg-deb", "-I", deb, name)


def test_control(debs):
    assert sorted(debs) == NAMES
    version = field(debs["libmpr0"], "Version")
    assert re.fullmatch(r"\d+\.\d+\.\d+-1", version)
    for name, deb in debs.items():
        assert deb.name == f"{name}_{version}_{field(deb, 'Architecture')}.deb"
        # What is in md5sums is what is in there.
        sums = control_file(deb, "md5sums")
        assert {line.split("  ")[1] for line in sums.splitlines()} == {
            found for found in re.findall(r"^-\S+ .*? \./(usr/\S+)$", run("dpkg-deb", "-c", deb), re.M)
        }
    assert field(debs["libmpr-dev"], "Depends") == f"libmpr0 (= {version})"
    depends = field(debs["libmpr0"], "Depends")
    assert re.search(r"libc6 \(>= 2\.34\)", depends) and "libgcc-s1" in depends
    assert field(debs["libmpr0"], "Multi-Arch") == field(debs["libmpr-dev"], "Multi-Arch") == "same"
    assert control_file(debs["libmpr0"], "triggers") == "activate-noawait ldconfig\n"


def test_symbols(debs, build):
    """What dpkg-shlibdeps reads when others are packaged: each function with the version that it came with."""
    first, *lines = control_file(debs["libmpr0"], "symbols").splitlines()
    assert first == "libmpr.so.0 libmpr0 #MINVER#"
    exported = {line.split()[-1] for line in run("nm", "-D", "--defined-only", build / "lib" / "libmpr.so").splitlines()}
    assert {re.fullmatch(r" (mpr_\w+)@Base \d+\.\d+", line)[1] for line in lines} == exported
    assert re.fullmatch(r"libmpr 0 libmpr0 \(>= \d+\.\d+\)\n", control_file(debs["libmpr0"], "shlibs"))


def test_a_package_of_somebody_else_depends_on_it(system, debs, tmp_path):
    """By a program that is linked with the library, and no more than it needs."""
    [lib] = (system / "usr" / "lib").glob("*-linux-gnu*")
    (tmp_path / "app.c").write_text(PROGRAM)
    run("cc", tmp_path / "app.c", f"-I{system}/usr/include", f"-L{lib}", "-lmpr", "-o", tmp_path / "app")
    (tmp_path / "debian").mkdir()
    (tmp_path / "debian" / "control").write_text("Source: app\n\nPackage: app\nArchitecture: any\n")
    run("dpkg-deb", "-R", debs["libmpr0"], tmp_path / "libmpr0")
    said = run("dpkg-shlibdeps", "-O", f"-S{tmp_path / 'libmpr0'}", "app", cwd=tmp_path)
    assert re.search(r"\blibmpr0 \(>= 0\.1\)", said), said


def test_a_program_is_built_and_runs(system, tmp_path, works):
    [lib] = (system / "usr" / "lib").glob("*-linux-gnu*")
    (tmp_path / "app.c").write_text(PROGRAM)
    env = {**os.environ, "PKG_CONFIG_LIBDIR": str(lib / "pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": str(system)}
    env.update(PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1", PKG_CONFIG_ALLOW_SYSTEM_LIBS="1")  # they are not this system's
    flags = run("pkg-config", "--cflags", "--libs", "libmpr", env=env).split()
    run("cc", tmp_path / "app.c", *flags, "-o", tmp_path / "app")
    works(tmp_path / "app", shared=True, LD_LIBRARY_PATH=str(lib))

    (tmp_path / "CMakeLists.txt").write_text(CMAKE.format(language="C", suffix="c"))
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={system}/usr")
    run("cmake", "--build", tmp_path / "build")
    works(tmp_path / "build" / "shared", shared=True)
    works(tmp_path / "build" / "static", shared=False)


def test_the_recorder_runs(system):
    assert run(system / "usr" / "bin" / "mpr-local", "--version").startswith("mpr-local ")


def test_the_same_input_gives_the_same_bytes(build, tmp_path):
    own = dict(COMPRESSION="none", REVISION="2~me1", DEBFULLNAME="Ann", DEBEMAIL="ann@example.org")
    one, two = (make(build, tmp_path / folder, **own) for folder in ("one", "two"))
    for name, deb in one.items():
        assert deb.read_bytes() == two[name].read_bytes(), name
        assert field(deb, "Maintainer") == "Ann <ann@example.org>" and field(deb, "Version").endswith("-2~me1")


def test_lintian_has_nothing_to_say(debs):
    """But of libmpr-dev, whose static library it reads for half a minute: that is left to `make deb`."""
    if not shutil.which("lintian"):
        pytest.skip("lintian is not installed")
    command = ["lintian", "--suppress-tags", "initial-upload-closes-no-bugs", "--fail-on", "warning,error"]
    command += ["--allow-root"] if os.getuid() == 0 else []
    done = subprocess.run([*command, debs["libmpr0"], debs["mpr-local"]], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
