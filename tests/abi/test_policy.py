"""The ABI's promise, docs/abi.md: only additions since the releases whose headers are kept, and their programs still run."""

import shutil
import subprocess

import policy
import pytest

RELEASES = {path.parent.name: path for path in policy.releases()}


@pytest.fixture(scope="module")
def today():
    return policy.Abi(policy.header.HEADER)


def test_every_name_is_in_the_list(today, build):
    assert policy.agrees_with_list(today, policy.listed()) == []
    assert policy.exports(build / "lib" / "libmpr.so", today) == []


@pytest.mark.parametrize("release", RELEASES)
def test_only_added_since(today, release):
    assert policy.only_added(policy.Abi(RELEASES[release]), today) == []


@pytest.mark.parametrize("release", RELEASES)
def test_abidiff_agrees(today, release):
    judged = policy.abidiff(policy.Abi(RELEASES[release]), today)
    if judged is None:
        pytest.skip("abidiff is not installed (package abigail-tools)")
    assert judged == []


@pytest.mark.parametrize("release", RELEASES)
def test_its_programs_run(build, run_c, platform, tmp_path, release):
    """Compiled as they were then: the linker, too, sees the library of today."""
    folder, lib = RELEASES[release].parent, build / "lib"
    program = tmp_path / "client"
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{folder}", folder / "client.c", "-o", program]
    subprocess.run([*map(str, command), f"-L{lib}", "-lmpr", f"-Wl,-rpath,{lib}"], check=True)
    run_c(program, env=platform.env())
    assert sorted(span["name"] for span in platform.spans) == ["Late", "POST /login", "SELECT users"]
    assert platform.of("start")[0].json["name"] == "old client"


# What each change would be told as. The middle of a struct, a number, a parameter, a result, a callback, a name.
BREAKS = {
    "mpr_cancel was": ("mpr_status mpr_cancel(void);", ""),
    "mpr_flush was": ("mpr_status mpr_flush(uint32_t timeout_ms);", "mpr_status mpr_flush(uint64_t timeout_ms);"),
    "mpr_abi_version was": ("uint32_t mpr_abi_version(void);", "int32_t mpr_abi_version(void);"),
    "MPR_ERR_IO was -11 and is -13": ("#define MPR_ERR_IO -11", "#define MPR_ERR_IO -13"),
    "MPR_DROP was 0 and is gone": ("#define MPR_DROP 0", ""),
    "struct mpr_stats had": ("    uint64_t exported;", "    uint64_t exported;\n    uint64_t exported_bytes;"),
    "struct mpr_span_context had": ("    uint8_t reserved[7];", "    uint8_t reserved[7];\n    uint64_t more;"),
    "mpr_log_fn was": ("(*mpr_log_fn)(int32_t level,", "(*mpr_log_fn)(int64_t level,"),
}
# What abidiff cannot see: it knows no macro.
MACROS = {"MPR_ERR_IO was -11 and is -13", "MPR_DROP was 0 and is gone"}


def changed(tmp_path, old, new):
    text = policy.header.text()
    assert text.count(old) == 1, old
    (tmp_path / "mpr.h").write_text(text.replace(old, new))
    return policy.Abi(tmp_path / "mpr.h")


@pytest.mark.parametrize("told", BREAKS)
def test_a_break_is_told(today, tmp_path, told):
    other = changed(tmp_path, *BREAKS[told])
    broken = policy.only_added(today, other)
    assert len(broken) == 1 and broken[0].startswith(told), broken
    if shutil.which("abidiff") and told not in MACROS:
        assert policy.abidiff(today, other), "abidiff sees it as well"


def test_additions_are_fine_and_have_to_be_listed(today, tmp_path):
    function = "// Is new. Returns MPR_OK. Since 0.2.\nmpr_status mpr_new(mpr_span *span);\n"
    other = changed(tmp_path, "mpr_status mpr_cancel(void);", f"mpr_status mpr_cancel(void);\n{function}")
    assert policy.only_added(today, other) == [] and not policy.abidiff(today, other)
    assert policy.agrees_with_list(other, policy.listed()) == ["mpr_new is not in docs/symbols-in-versions"]
    table = {**policy.listed(), "mpr_new": ("0.1", "")}
    assert policy.agrees_with_list(other, table) == ["mpr_new is since 0.2, docs/symbols-in-versions says 0.1"]

    other = changed(tmp_path, "    uint64_t spool_failures;", "    uint64_t spool_failures;\n    uint64_t more;")
    assert policy.only_added(today, other) == [] and not policy.abidiff(today, other)
    other = changed(tmp_path, "#define MPR_DROP 0", "#define MPR_DROP 0\n#define MPR_PERHAPS 1")
    assert policy.only_added(today, other) == []
    assert policy.agrees_with_list(other, policy.listed()) == ["MPR_PERHAPS is not in docs/symbols-in-versions"]


def test_a_library_with_other_functions_is_told(build, tmp_path):
    other = changed(tmp_path, "mpr_status mpr_cancel(void);", "mpr_status mpr_new(void);")
    told = policy.exports(build / "lib" / "libmpr.so", other)
    assert [line.split()[0] for line in told] == ["mpr_new", "mpr_cancel"]
