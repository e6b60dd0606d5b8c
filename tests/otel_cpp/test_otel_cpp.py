"""bindings/cpp/mpr_opentelemetry.hpp with real OpenTelemetry C++: Debian trixie's 1.19 (tools/otel-cpp), and one that MPR_OTEL_CPP names,
a folder that another version was installed into (with MPR_OTEL_CPP_FLAGS, e.g. -DOPENTELEMETRY_ABI_VERSION_NO=2)."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STRICT = ["-Wpedantic", "-Wshadow", "-Werror"]


SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


@pytest.fixture(scope="session")
def compiled(build, include, tmp_path_factory):
    """Compiles the program with every part, with these flags."""

    def make(*flags):
        out = tmp_path_factory.mktemp("otel-cpp") / ("sanitized" if flags else "plain")
        if prefix := os.environ.get("MPR_OTEL_CPP"):
            libraries = [f"-lopentelemetry_{name}" for name in ("exporter_in_memory", "trace", "logs", "resources", "common")]
            command = [
                *("g++", "-O1", "-std=c++17", "-Wall", "-Wextra", *STRICT, f"-I{include}", f"-I{ROOT / 'bindings' / 'cpp'}"),
                *("-isystem", f"{prefix}/include", *shlex.split(os.environ.get("MPR_OTEL_CPP_FLAGS", ""))),
                *(HERE / "adapters.cpp", "-o", out, f"-L{build / 'lib'}", "-lmpr", f"-Wl,-rpath,{build / 'lib'}"),
                *(f"-L{prefix}/lib", f"-Wl,-rpath,{prefix}/lib", *libraries, "-lpthread"),
            ]
        else:
            root = build / "otel-cpp"
            if not (root / ".made").exists():
                pytest.skip("OpenTelemetry C++ is not there: make otel-cpp says why")
            compiler = ROOT / "tools" / "otel-cpp" / "compile.sh"
            command = [compiler, root, out, HERE / "adapters.cpp", *STRICT, *flags, "-lmpr"]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return out

    return make


@pytest.fixture(scope="session")
def adapters(compiled):
    return compiled(*SANITIZERS)


def test_everything_that_a_span_has(adapters, run_c, platform):
    run_c(adapters, "everything", env=platform.env())
    names = [span["name"] for span in platform.spans]
    assert sorted(names) == ["POST /order/:id", "linked", "own", "query"]
    span = platform.span("POST /order/:id")
    seen = span["attributes"]
    assert span["kind"] == 2 and span["end"] > span["start"] > 0
    assert (seen["n"], seen["bool"], seen["int64"], seen["uint32"], seen["negative"]) == (2, True, 1 << 40, 7, -1)
    assert (seen["uint64"], seen["double"], seen["text"]) == (str(2**64 - 1), 1.5, "café")
    assert (seen["bools"], seen["ints"], seen["doubles"], seen["texts"]) == ([True, False], [1, -2], [0.5], ["a", "b"])
    assert {key: seen[key] for key in seen if key.startswith("many.")} == {f"many.{i}": i + 100 for i in range(100)}
    assert seen["password"] == "***MASKED***"
    assert span["status"] == {"code": 2, "message": "no bread"}
    events = {event["name"]: event["attributes"] for event in span["events"]}
    assert events["sold"] == {"count": 3}
    assert events["exception"]["exception.type"] == "std::runtime_error"
    assert events["exception"]["exception.stacktrace"] == "main (shop.cpp:1)"
    linked = platform.span("linked")
    assert span["links"][0]["span_id"] == linked["span_id"] and span["links"][0]["attributes"] == {"why": "retry"}
    query, own = platform.span("query"), platform.span("own")
    assert query["parent_span_id"] == own["parent_span_id"] == span["span_id"]
    assert query["trace_id"] == own["trace_id"] == span["trace_id"]
    assert span["resource"]["service.name"] == "shop" and span["resource"]["deployment.environment.name"] == "test"
    assert span["scope"]["name"] == "shop.checkout" and span["scope"]["version"] == "1.2"
    content = str(seen)
    assert "4111111111111111" not in content and "Bearer abc" not in content and "abcdef" not in content
    assert '"ok": true' in content and '"n": 1' in content
    logs = {log["body"]: log for log in platform.logs}
    assert set(logs) == {"own log", "sold out of bread", "short-lived token=***MASKED***"}
    assert all(log["trace_id"] == span["trace_id"] and log["span_id"] == span["span_id"] for log in logs.values())
    assert logs["sold out of bread"]["severity"] == 9 and logs["sold out of bread"]["attributes"]["left"] == 0


def test_beside_other_exporters(adapters, run_c, platform):
    run_c(adapters, "beside", env=platform.env())
    assert [span["name"] for span in platform.spans] == ["in the session"]


def test_exporters_under_the_sdks_processors(adapters, run_c, platform):
    run_c(adapters, "exporters", env=platform.env())
    assert sorted(span["name"] for span in platform.spans) == sorted(f"span {i}" for i in range(300))
    assert {span["scope"]["name"] for span in platform.spans} == {"first", "second"}
    assert len(platform.logs) == 300


def test_text_that_is_not_utf8(adapters, run_c, platform):
    run_c(adapters, "not utf-8", env=platform.env())
    names = [span["name"] for span in platform.spans]
    assert (names.count("caf\ufffd"), names.count("good")) == (2, 98)
    assert all(span["attributes"]["note\ufffd"] == "value\ufffd" for span in platform.spans if span["name"] != "logs")
    assert sorted(log["body"] for log in platform.logs) == ["caf\ufffd", *["good"] * 49]


def test_threads_and_forked_children(compiled, run_c, platform):
    """Without sanitizers: ASan's allocator has locks that a child forked beside busy threads may find held for ever."""
    run_c(compiled(), "threads and forks", env=platform.env())
    of = [(span["name"], *sorted(span["attributes"].items())) for span in platform.spans]
    assert len(of) == len(set(of)) == 2031
    assert len({span["span_id"] for span in platform.spans}) == 2031


def test_without_a_recorder(adapters, run_c):
    run_c(adapters, "recording off")
