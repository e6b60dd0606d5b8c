"""The examples of languages that call the library through a foreign function interface: each run for real, recorded by
mpr-local; the same small service in each. One whose language is not installed is skipped."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from environment import clean_env, recorder_env

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
MASKED = "***MASKED***"
SECRETS = [b"correct-horse", b"7f3a9c0d11e2", b"e1c5a8f03b77", b"5e551d2f"]

sys.path.insert(0, str(ROOT / "tests" / "abi"))
import header  # noqa: E402

# What an exception is called there, and what its trace names.
KINDS = {
    "php-ffi": ("RangeException", "query_replica"),
    "ruby-fiddle": ("IndexError", "query_replica"),
    "luajit-ffi": ("NoReplica", "query_replica"),
    "perl-ffi": ("NoReplica", "main::query_replica"),
    "node-koffi": ("RangeError", "queryReplica"),
    "go-cgo": ("main.NoReplica", "queryReplica"),
}


def works(*command):
    """Whether a command is there and does what it should."""
    return shutil.which(command[0]) is not None and not subprocess.run(command, capture_output=True).returncode


def command_of(host, build, folder):
    """How the example is run, or a skip that says what is missing. Variables come second."""
    library = {"MPR_LIBRARY": str(build / "lib" / "libmpr.so.0")}
    file = EXAMPLES / host
    if host == "php-ffi":
        if not works("php", "-r", "exit(class_exists('FFI') ? 0 : 1);"):
            pytest.skip("PHP with FFI is not installed (package php-cli)")
        return ["php", file / "first.php"], library
    if host == "ruby-fiddle":
        if not works("ruby", "-e", "require 'fiddle'"):
            pytest.skip("Ruby with Fiddle is not installed (package ruby)")
        return ["ruby", "-w", file / "first.rb"], library
    if host == "luajit-ffi":
        if not works("luajit", "-v"):
            pytest.skip("LuaJIT is not installed (package luajit)")
        return ["luajit", file / "first.lua"], library
    if host == "perl-ffi":
        if not works("perl", "-MFFI::Platypus 2.00", "-e1"):
            pytest.skip("Perl's FFI::Platypus is not installed (package libffi-platypus-perl)")
        return ["perl", file / "first.pl"], library
    if host == "node-koffi":
        installed = build / "examples" / "node-koffi"
        if not shutil.which("node") or not (installed / ".installed").exists():
            pytest.skip("Node with koffi from npm is not installed (make does it in build/examples/node-koffi)")
        # Modules are looked for beside the file.
        (folder / "node_modules").symlink_to(installed / "node_modules")
        return ["node", shutil.copy(file / "first.mjs", folder)], library
    if not works("go", "version") or not shutil.which("pkg-config"):
        pytest.skip("Go is not installed (package golang-go)")
    # The same place each time: Go keeps what pkg-config said in its cache, and does not ask again.
    prefix = build / "examples" / "go-cgo"
    env = {**os.environ, "MPR_BUILD": str(build), "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    env["GOCACHE"] = str(build / "examples" / "go-cache")
    for step in ([ROOT / "bindings" / "c" / "install.sh", prefix], ["go", "vet", "first.go"], ["go", "build", "-o", folder, "first.go"]):
        done = subprocess.run(step, env=env, cwd=file, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return [folder / "first"], {"LD_LIBRARY_PATH": str(prefix / "lib")}


@pytest.fixture(scope="module", params=KINDS)
def example(request, build, tmp_path_factory):
    """(name, command, variables)."""
    return request.param, *command_of(request.param, build, tmp_path_factory.mktemp(request.param))


def test_records_a_request(example, local):
    host, command, variables = example
    done = subprocess.run(command, env=recorder_env(local.base, key="local", **variables), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    (listed,) = local.request("GET", "/api/sessions").json["sessions"]
    assert done.stdout == f"recorded into {local.base}/sessions/{listed['_id']}\n"
    assert listed["name"] == host and not listed["live"]

    recorded = local.session(listed["_id"])
    login, query = sorted(recorded["spans"], key=lambda span: span["name"])
    assert (login["name"], login["kind"], login["status"]["code"]) == ("POST /login", "SERVER", "UNSET")
    assert (query["name"], query["kind"], query["status"]["code"]) == ("SELECT users", "CLIENT", "ERROR")
    assert login["traceId"] == query["traceId"] and query["parentSpanId"] == login["spanId"] and not login["parentSpanId"]

    seen = {key.removeprefix("multiplayer.http."): json.loads(value) for key, value in login["attributes"].items()}
    assert seen == {
        "request.headers": {"Content-Type": "application/json", "Authorization": MASKED},
        "request.body": {"user": "ann", "password": MASKED},
        "response.headers": {"Content-Type": "application/json", "Set-Cookie": f"sid={MASKED}"},
        "response.body": {"user": "ann", "token": MASKED},
    }
    (event,) = query["events"]
    exception = {key.removeprefix("exception."): value for key, value in event["attributes"].items()}
    kind, function = KINDS[host]
    assert (exception["type"], exception["message"]) == (kind, "no replica for ann")
    assert function in exception["stacktrace"]
    (line,) = recorded["logs"]
    assert line["body"] == f"no replica for ann; password={MASKED}" and line["attributes"] == {"user": "ann"}
    assert (line["traceId"], line["spanId"]) == (login["traceId"], login["spanId"])

    kept = b"".join(file.read_bytes() for file in local.database.parent.iterdir())
    assert b"SELECT users" in kept and not [secret for secret in SECRETS if secret in kept]


def test_what_is_wrong_is_an_exception_there(example):
    _, command, variables = example
    nobody = "http://127.0.0.1:1"
    done = subprocess.run(command, env=recorder_env(nobody, key="local", **variables), capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2, 111, 255), done  # no signal
    assert "recorded" not in done.stdout
    assert "mpr_start: " in done.stdout + done.stderr  # PHP tells on stdout

    # With nothing said about where to record.
    done = subprocess.run(command, env=clean_env(**variables), capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2, 111, 255) and "mpr_init: " in done.stdout + done.stderr, done


@pytest.mark.parametrize("file", ["php-ffi/first.php", "ruby-fiddle/first.rb", "luajit-ffi/first.lua", "node-koffi/first.mjs"])
def test_declares_what_the_header_declares(file):
    """C declarations in another language's text: each has the header's result, and its parameters by type and name, where
    the language can say the type."""
    functions = {function.name: function for function in header.functions()}
    text = (EXAMPLES / file).read_text()
    # From a type on: not the calls.
    declared = re.findall(r"((?:const )?\b(?:int32_t|void|char|mpr_span) \*?)(mpr_\w+)\(([^()]*)\)", text)
    assert len(declared) == 12, declared
    for result, name, parameters in declared:
        function = functions[name]
        assert same(result, function.result), name
        given = [] if parameters == "void" else [re.fullmatch(r"(.*?)(\w+)", one.strip()).groups() for one in parameters.split(",")]
        assert [name_of for _, name_of in given] == [parameter.name for parameter in function.parameters], name
        for (kind, _), parameter in zip(given, function.parameters):
            assert same(kind, parameter.type), (name, parameter)


def same(here, there):
    """Whether two C types are passed alike: the same number, or both a pointer."""
    plain = " ".join(here.replace("_Out_", "").split())
    return "*" in plain and "*" in there or plain == there.replace("mpr_status", "int32_t")
