"""include/mpr.h by itself: every compiler and standard takes it, its layout holds, and what its top comment says works."""

import json
import shutil
import subprocess

import header
import pytest
from environment import recorder_env

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
COMPILERS = [
    (compiler, standard)
    for c, cpp in (("gcc", "g++"), ("clang", "clang++"))
    for compiler, standards in ((c, ("c11", "c17")), (cpp, ("c++11", "c++17", "c++20")))
    for standard in standards
]


@pytest.mark.parametrize("compiler,standard", COMPILERS)
def test_alone_and_twice(tmp_path, include, compiler, standard):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    source = tmp_path / ("unit.cpp" if "++" in compiler else "unit.c")
    source.write_text("#include <mpr.h>\n#include <mpr.h>\nint unit(void);\nint unit(void) { return MPR_OK; }\n")
    command = [compiler, f"-std={standard}", *WARNINGS, f"-I{include}", "-fsyntax-only", source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler,standard,end", [("gcc", "c11", "c"), ("g++", "c++11", "cpp")])
def test_in_two_units(tmp_path, compile_c, run_c, compiler, standard, end):
    """Nothing in it is defined twice; from C++ the names are C's."""
    one, two = tmp_path / f"one.{end}", tmp_path / f"two.{end}"
    one.write_text("#include <mpr.h>\nint other(void);\nint main(void) { return other() != (int)mpr_abi_version(); }\n")
    two.write_text("#include <mpr.h>\nint other(void);\nint other(void) { return (int)mpr_abi_version(); }\n")
    run_c(compile_c([one, two], compiler=compiler, standard=standard))


def test_layout(tmp_path, compile_c, run_c):
    """Programs that are compiled already have these numbers in them."""
    stats = """struct_size accepted exported queued queued_bytes dropped_queue_full dropped_rejected dropped_too_large
        dropped_shutdown dropped_internal filtered requests retries payloads_captured payloads_masked_whole
        payload_fields_masked payloads_truncated mask_callback_failures panics fork_generation open_spans open_bytes
        spooled recovered dropped_expired dropped_consent dropped_spool spool_bytes spool_written spool_damaged
        spool_failures""".split()
    lines = [f"_Static_assert(offsetof(mpr_stats, {name}) == {8 * at}, \"{name}\");" for at, name in enumerate(stats)]
    for name, at in (("trace_id", 0), ("span_id", 16), ("trace_flags", 24), ("reserved", 25)):
        lines.append(f"_Static_assert(offsetof(mpr_span_context, {name}) == {at}, \"{name}\");")
    lines.append('_Static_assert(sizeof(mpr_span_context) == 32 && _Alignof(mpr_span_context) == 1, "context");')
    lines.append(f'_Static_assert(sizeof(mpr_stats) >= {8 * len(stats)}, "members are only added");')
    lines.append('_Static_assert(sizeof(mpr_status) == 4 && (mpr_status)-1 < 0, "status");')
    source = tmp_path / "layout.c"
    source.write_text("#include <mpr.h>\n" + "\n".join(lines) + "\nint main(void) { return 0; }\n")
    run_c(compile_c(source))


def test_comments():
    """What a manual needs: every function says since when it is, and what it returns when it can fail."""
    import re

    for function in header.functions():
        found = re.search(rf"((?://[^\n]*\n)+)[^\n/;]*\b{function.name}\(", header.text())
        assert found, function.name
        comment = re.sub(r"\s*//\s*", " ", found[1])
        assert "Since 0." in comment, function.name
        if function.result == "mpr_status":
            assert re.search(r"Returns? |MPR_OK|without waiting; see|as mpr_export_traces\(\) takes", comment), function.name
    assert '\\"' not in header.text().split("*/")[0].replace(header.quick_start(), "").split("RESULTS")[1], "escapes in prose"


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_quick_start(tmp_path, compile_c, run_c, build, local, static):
    """The program in the top comment, word for word, linked in both ways that it names, against the local recorder."""
    source = tmp_path / "quick.c"
    source.write_text(header.quick_start())
    libraries = [build / "lib" / "libmpr.a", *header.static_line()] if static else None
    program = compile_c(source, libraries=libraries)
    if static:
        linked = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        assert "libmpr" not in linked
    done = run_c(program, env=recorder_env(local.base))
    assert done.stdout == ""
    sessions = local.request("GET", "/api/sessions").json
    sessions = sessions if isinstance(sessions, list) else sessions["sessions"]
    assert [s["name"] for s in sessions] == ["first"]
    session = local.session(sessions[0]["_id"])
    assert [s["name"] for s in session["spans"]] == ["GET /cart"]
    text = json.dumps(session)
    assert "ann" in text and "secret" not in text and "Bearer abc" not in text
