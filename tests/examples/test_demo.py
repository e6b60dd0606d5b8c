"""examples/demo.py as `make demo` runs it: what it says, how it ends, and that it leaves nothing behind."""

import http.client
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo.py"


@pytest.fixture(scope="session")
def server_binary(build, include, tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "c-http-server"
    lib = build / "lib"
    subprocess.run(
        ["make", "-s", "-C", ROOT / "examples" / "c-http-server", f"OUT={out}"]
        + [f"CPPFLAGS=-I{include}", f"LDFLAGS=-L{lib} -Wl,-rpath,{lib}"],
        check=True,
    )
    return out


class Demo:
    """A run of the demonstration, with a temporary folder and a mark in the environment to find its processes by."""

    def __init__(self, folder, build, *arguments, **options):
        self.folder = folder
        self.mark = f"MPR_DEMO_TEST={os.getpid()}-{time.monotonic_ns()}"
        name, value = self.mark.split("=")
        env = {key: text for key, text in os.environ.items() if key not in ("CI", "MPR_DEMO_SERVER")}
        self.env = {**env, name: value, "TMPDIR": str(folder), "MPR_BUILD": str(build), "PYTHONDONTWRITEBYTECODE": "1"}
        self.command = [sys.executable, str(DEMO), *map(str, arguments)]
        self.options = {"cwd": "/", "stdin": subprocess.DEVNULL, **options}

    def run(self, **env):
        options = {**self.options, "env": {**self.env, **env}}
        return subprocess.run(self.command, capture_output=True, text=True, timeout=120, **options)

    def start(self, **options):
        options = {**self.options, **options}
        return subprocess.Popen(self.command, env=self.env, start_new_session=True, **options)

    def processes(self):
        """Those of this run that are still there."""
        found = []
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and self.mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:
                pass  # gone, or another user's
        return found

    def assert_clean(self):
        assert self.processes() == []
        assert list(self.folder.iterdir()) == []


@pytest.fixture
def demo(build, server_binary, tmp_path):
    made = Demo(tmp_path, build, server_binary)
    yield made
    for process in made.processes():
        os.kill(process, signal.SIGKILL)


def wait_for(file, text):
    """What `file` says until `text` comes."""
    said, deadline = b"", time.monotonic() + 60
    while text not in said:
        assert time.monotonic() < deadline, said
        if select.select([file], [], [], 1)[0]:
            piece = os.read(file, 65536)
            assert piece, said
            said += piece
    return said.decode()


def test_it_shows_a_session_and_cleans_up(demo):
    done = demo.run()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = done.stdout
    for line in ("POST /login", "POST /checkout", "   \\+.* charge card", "\\* exception StockError", "order 1 paid"):
        assert re.search(rf"^ .*{line}", said, re.MULTILINE), line
    assert '"password": "***MASKED***"' in said
    assert "user=bob&password=***MASKED***" in said
    assert re.search(r"^11 requests sent, 11 recorded, with 16 spans in all$", said, re.MULTILINE)
    assert re.search(r"^9 secrets sent, none of them among the \d+ bytes of the database$", said, re.MULTILINE)
    assert re.search(r"^The page: http://127\.0\.0\.1:\d+/sessions/\w+$", said, re.MULTILINE)
    for secret in ("correct-horse", "4111 1111", "demo-bearer", "demo-cookie", "demo-api-key", "demo-query"):
        assert secret not in said
    demo.assert_clean()


def test_the_server_may_be_named_by_the_environment(demo, server_binary):
    demo.command.pop()
    assert demo.run(MPR_DEMO_SERVER=str(server_binary)).returncode == 0
    demo.assert_clean()


def test_the_hosts_own_settings_do_not_matter(demo):
    elsewhere = "http://127.0.0.1:9"
    done = demo.run(
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=elsewhere, MULTIPLAYER_BASE_API_URL=elsewhere, HTTP_PROXY=elsewhere
    )
    assert done.returncode == 0, done.stderr


def test_on_a_terminal_it_waits_until_the_page_was_looked_at(demo):
    ours, theirs = pty.openpty()
    try:
        process = demo.start(stdin=theirs, stdout=theirs, stderr=theirs)
        said = wait_for(ours, b"Press Enter")
        port, path = re.search(r"The page: http://127\.0\.0\.1:(\d+)(\S+)", said).groups()
        assert "<html" in fetch(int(port), path)
        os.write(ours, b"\n")
        assert process.wait(30) == 0
    finally:
        os.close(ours)
        os.close(theirs)
    demo.assert_clean()


def test_on_a_terminal_in_ci_it_does_not_wait(demo):
    demo.env["CI"] = "true"
    ours, theirs = pty.openpty()
    try:
        process = demo.start(stdin=theirs, stdout=theirs, stderr=theirs)
        assert "Press Enter" not in wait_for(ours, b"The page: ")
        assert process.wait(30) == 0
    finally:
        os.close(ours)
        os.close(theirs)
    demo.assert_clean()


def fetch(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode().lower()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
@pytest.mark.parametrize("moment", [b"Starting the C server", b"Two clients", b"Ending the server"])
def test_an_interrupt_cleans_up(demo, number, status, moment):
    process = demo.start(stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with process:
        wait_for(process.stdout.fileno(), moment)
        process.send_signal(number)
        process.stdout.read()
        # It may have come to its end in the meantime.
        assert process.wait(60) in {status, 0}
    demo.assert_clean()


def test_a_server_that_does_not_record_is_told(demo, tmp_path_factory):
    deaf = tmp_path_factory.mktemp("deaf") / "server"
    deaf.write_text("#!/bin/sh\necho listening on http://127.0.0.1:1\nexec sleep 1000\n")
    deaf.chmod(0o755)
    demo.command[-1] = str(deaf)
    done = demo.run()
    assert done.returncode == 1
    assert "the server does not record" in done.stderr
    demo.assert_clean()


def test_a_leak_is_found(demo, server_binary, tmp_path_factory):
    """The proof proves something: a server whose masking is off fails the demonstration."""
    open_server = tmp_path_factory.mktemp("open") / "server"
    source = (ROOT / "examples" / "c-http-server" / "server.c").read_text()
    line = 'check("options", mpr_options_set_service_version(options, "1.0"));'
    assert line in source
    (open_server.parent / "server.c").write_text(source.replace(line, line + " mpr_options_set_mask_body(options, 0);"))
    makefile = ROOT / "examples" / "c-http-server" / "Makefile"
    lib = demo.env["MPR_BUILD"] + "/lib"
    subprocess.run(
        ["make", "-s", "-C", open_server.parent, "-f", makefile, f"OUT={open_server}"]
        + [f"CPPFLAGS=-I{ROOT / 'include'}", f"LDFLAGS=-L{lib} -Wl,-rpath,{lib}"],
        check=True,
    )
    demo.command[-1] = str(open_server)
    done = demo.run()
    assert done.returncode == 1
    assert re.search(r"\d of 9 secrets are in the database", done.stderr)
    demo.assert_clean()


@pytest.mark.parametrize("missing", ["recorder", "server"])
def test_what_is_missing_is_named(demo, tmp_path, missing, server_binary):
    if missing == "recorder":
        demo.env["MPR_BUILD"] = "/nowhere"
        expected = "demo: the local recorder is not at /nowhere/bin/mpr-local; `make demo` builds it\n"
    else:
        demo.command[-1] = "/nowhere/server"
        expected = "demo: the C server is not at /nowhere/server; `make demo` builds it\n"
    done = demo.run()
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
