"""bindings/cpp/mpr.hpp: every function of it, every standard, with sanitizers, with and without what compilers may lack."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CPP = ROOT / "bindings" / "cpp"
FLAGS = [f"-I{CPP}", "-Wshadow", "-Wconversion", "-Wnon-virtual-dtor", "-Wold-style-cast"]
STANDARDS = ["c++11", "c++17", "c++20"]


@pytest.mark.parametrize("standard", STANDARDS)
def test_every_function(compile_c, run_c, platform, standard):
    program = compile_c(HERE / "every.cpp", flags=FLAGS, compiler="g++", standard=standard)
    run_c(program, env=platform.env())
    if standard != "c++17":
        return
    span = platform.span("POST /order")
    seen = span["attributes"]
    assert (seen["int"], seen["long"], seen["unsigned"], seen["char"]) == (1, 1 << 40, 7, 99)
    assert (seen["huge"], seen["double"], seen["float"], seen["bool"]) == (str(2**64 - 1), 1.5, 0.5, True)
    assert (seen["literal"], seen["string"], seen["text"], seen["view"]) == ("a", "b", "c", "d")
    exception = next(e for e in span["events"] if e["name"] == "exception")["attributes"]
    assert exception["exception.type"] == "shop::OutOfStock" and exception["exception.message"] == "no bread"
    assert (seen["enum"], seen["long double"], seen["caf\ufffd"], seen["n\ufffd"]) == (1, 2.5, "\ufffd!", 1)
    mended = platform.span("GET /caf\ufffd")
    assert mended["parent_span_id"] == span["span_id"] and set(mended["status"]["message"]) == {"\ufffd"}
    exceptions = [e["attributes"]["exception.message"] for s in platform.spans for e in s["events"] if e["name"] == "exception"]
    assert "no caf\ufffd: \u20ac" in exceptions
    captured = str(seen)
    assert "X-Injected: b" in captured and "'X-Injected'" not in captured, "a line break makes no second header"
    assert "mmmm" in captured and "the body" not in captured and "Bearer abc" not in captured
    child = platform.span("query")
    assert child["trace_id"] == span["trace_id"] and child["parent_span_id"] == span["span_id"]
    assert platform.span("remote")["parent_span_id"] == span["span_id"]
    assert any(log["body"] == "of the span" and log["trace_id"] == span["trace_id"] for log in platform.logs)


@pytest.mark.parametrize("sanitizers", ["address,undefined"])
def test_under_sanitizers(compile_c, run_c, platform, sanitizers):
    flags = [*FLAGS, f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-O0"]
    program = compile_c(HERE / "every.cpp", flags=flags, compiler="g++", standard="c++17")
    run_c(program, env=platform.env(ASAN_OPTIONS="detect_stack_use_after_return=1"))


@pytest.mark.valgrind
def test_under_valgrind(compile_c, run_c, platform):
    run_c(compile_c(HERE / "every.cpp", flags=FLAGS, compiler="g++", standard="c++11"), env=platform.env(), valgrind=True)


@pytest.mark.parametrize("without", ["-fno-exceptions", "-fno-rtti"])
def test_without_what_a_host_may_switch_off(compile_c, run_c, tmp_path, without):
    source = tmp_path / "small.cpp"
    source.write_text(
        "#include <mpr.hpp>\n#include <mpr.hpp>\n"
        "struct E : std::exception {};\n"
        'int main() { mpr::Span span("x"); span.record_exception(E()); mpr::Options options;\n'
        "  options.log_callback([](int32_t, const char *) {}); return mpr::log(9, \"x\").skipped() ? 0 : 1; }\n"
    )
    run_c(compile_c(source, flags=[*FLAGS, without], compiler="g++", standard="c++11"))


@pytest.mark.parametrize("standard", STANDARDS)
def test_with_another_compiler(tmp_path, include, standard):
    if not shutil.which("clang++"):
        pytest.skip("clang++ is not installed")
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
    command = ["clang++", f"-std={standard}", *warnings, f"-I{include}", f"-I{CPP}", "-fsyntax-only", HERE / "every.cpp"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_in_two_units(compile_c, run_c, tmp_path):
    one, two = tmp_path / "one.cpp", tmp_path / "two.cpp"
    one.write_text('#include <mpr.hpp>\nmpr::Span other();\nint main() { return other() ? 0 : 1; }\n')
    two.write_text('#include <mpr.hpp>\nmpr::Span other();\nmpr::Span other() { return mpr::Span("x"); }\n')
    run_c(compile_c([one, two], flags=FLAGS, compiler="g++", standard="c++11"))


def test_in_two_units_with_other_flags(compile_c, run_c, include, tmp_path, platform):
    """A callback that throws is caught in the unit that has exceptions, whatever the linker sees first."""
    without, main = tmp_path / "without.cpp", tmp_path / "main.cpp"
    without.write_text(
        "#include <mpr.hpp>\nvoid unused(); void unused() { mpr::Options options; options.log_callback([](int32_t, const char *) {}); }\n"
    )
    main.write_text(
        "#include <mpr.hpp>\nint main() { int calls = 0; mpr::Options options;\n"
        '  options.log_level(\"debug\").log_callback([&](int32_t, const char *) { calls++; throw 1; });\n'
        "  { mpr::Recorder recorder(options); if (recorder.status().failed() || mpr::start().failed()) return 1; }\n"
        "  return calls ? 0 : 2; }\n"
    )
    other = tmp_path / "without.o"
    command = ["g++", "-std=c++11", "-O0", "-fno-exceptions", "-fno-rtti", f"-I{include}", f"-I{CPP}", "-c", without, "-o", other]
    subprocess.run(command, check=True)
    run_c(compile_c([other, main], flags=[*FLAGS, "-O0"], compiler="g++", standard="c++11"), env=platform.env())


def test_a_result_that_nobody_looks_at_is_a_warning(tmp_path, include):
    source = tmp_path / "careless.cpp"
    source.write_text("#include <mpr.hpp>\nint main() { mpr::start(); }\n")
    for standard in STANDARDS:
        command = ["g++", f"-std={standard}", "-Werror", f"-I{include}", f"-I{CPP}", "-fsyntax-only", source]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode != 0 and "unused" in done.stderr + done.stdout or "nodiscard" in done.stderr


def test_no_option_is_missing(include):
    """Each setter of mpr.h has its method: a new option is not forgotten here."""
    c = set(re.findall(r"mpr_options_set_(\w+)\(", (include / "mpr.h").read_text()))
    text = (CPP / "mpr.hpp").read_text()
    cpp = set(re.findall(r"MPR_HPP_(?:TEXT|NUMBER|BOOL)\((\w+)[,)]", text)) | set(re.findall(r"mpr_options_set_(\w+)[,(]", text))
    assert c - cpp == set()


def test_no_static_state(compile_c, tmp_path):
    """Only what is called is in the program, and nothing writable of ours."""
    source = tmp_path / "unit.cpp"
    source.write_text("#include <mpr.hpp>\nint main() { return mpr::stats().panics != 0; }\n")
    program = compile_c(source, flags=FLAGS, compiler="g++", standard="c++11")
    symbols = subprocess.run(["nm", "-C", program], capture_output=True, text=True, check=True).stdout
    assert not [line for line in symbols.splitlines() if re.search(r" [bBdD] mpr::", line)]
