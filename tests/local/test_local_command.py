"""The command: how it starts and ends, and what it shows in a terminal."""

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess

import local_recorder as c
from local_recorder import expect, run_command


def test_what_it_says(local):
    lines = []
    for line in local.process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("export MULTIPLAYER_API_KEY"):
            break
    assert f"mpr-local: sessions are shown at {local.base}/" in lines
    assert lines[-3:] == [
        f"export MULTIPLAYER_BASE_API_URL={local.base}",
        f"export OTEL_EXPORTER_OTLP_ENDPOINT={local.base}",
        "export MULTIPLAYER_API_KEY=local",
    ]


def test_signals_end_it_cleanly(start):
    for number in (signal.SIGTERM, signal.SIGINT):
        local = start()
        # A connection that is kept open does not hold it up.
        with socket.create_connection(("127.0.0.1", local.port)):
            local.process.send_signal(number)
            assert local.process.wait(10) == 0


def test_it_listens_on_this_machine_only(local):
    with open("/proc/net/tcp") as table:
        listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
    assert f"0100007F:{local.port:04X}" in listening
    assert f"00000000:{local.port:04X}" not in listening


def test_a_taken_port(local, tmp_path):
    done = run_command("serve", "--port", str(local.port), "--db", str(tmp_path / "other.sqlite"))
    assert done.returncode == 1 and done.stdout == ""
    assert f"port {local.port} is taken" in done.stderr and "--port" in done.stderr


def test_the_default_database(tmp_path):
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "share")}
    process = subprocess.Popen([c.BINARY, "serve", "--port", "0"], stdout=subprocess.PIPE, env=environment)
    process.stdout.readline()
    process.terminate()
    assert process.wait(10) == 0
    file = tmp_path / "share" / "mpr-local" / "sessions.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    listed = run_command("list", env=environment)
    assert (listed.returncode, listed.stdout) == (0, "no sessions yet\n")


def test_files_are_private_while_it_runs(local):
    local.start()
    for file in local.database.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_database_that_cannot_be(tmp_path):
    text = tmp_path / "text"
    text.write_text("this is no database\n" * 99)
    text.chmod(0o644)
    before = text.read_text()
    for bad in ("/dev/null/x/sessions.sqlite", str(tmp_path), str(text)):
        done = run_command("serve", "--port", "0", "--db", bad)
        assert done.returncode == 1, bad
        assert bad in done.stderr and "--db" in done.stderr and "panicked" not in done.stderr
    assert text.read_text() == before and stat.S_IMODE(text.stat().st_mode) == 0o644


def test_a_database_of_another_version(local):
    local.stop()
    with sqlite3.connect(local.database) as db:
        db.execute("PRAGMA user_version = 99")
    done = run_command("serve", "--port", "0", "--db", str(local.database))
    assert done.returncode == 1 and "another version" in done.stderr


def test_bad_arguments():
    for arguments in (["--port", "70000"], ["nonsense"], ["--session-max-seconds", "0"], ["export"]):
        assert run_command(*arguments).returncode == 2
    assert "--port" in run_command("--help").stdout


def recorded(local):
    """A session with two traces, nested spans, an error, content and a log."""
    session = local.start(name="Checkout", sessionAttributes={"user": "Ada"})
    start = c.now_ns(-1)
    content = {
        "http.method": "POST",
        "multiplayer.http.request.headers": '{"accept":"*/*"}',
        "multiplayer.http.request.body": json.dumps({"card": "***", "note": "x" * 1000}),
    }
    one, two = c.manual(session), c.manual(session, tail="0" * 17 + "2")
    exception = {"exception.type": "Declined", "exception.message": "no funds"}
    local.send_spans(
        c.span(one, "POST /checkout", start, spanId="1" * 16, attributes=c.attributes(content)),
        c.span(one, "charge", start + 1000, spanId="2" * 16, parentSpanId="1" * 16,
               status={"code": 2, "message": "card\ndeclined"},
               events=[{"name": "exception", "timeUnixNano": "1", "attributes": c.attributes(exception)}]),
        c.span(one, "query", start + 2000, spanId="3" * 16, parentSpanId="2" * 16),
        c.span(two, "GET /health-page", start + 9_000_000, spanId="4" * 16),
    )  # fmt: skip
    local.send_logs(c.record(one, "checkout failed", start + 5_000_000, severityText="error", severityNumber=17))
    return session


def test_show(local):
    session = recorded(local)
    database = str(local.database)
    by_id = run_command("show", session["_id"], "--db", database)
    assert by_id.returncode == 0, by_id.stderr
    assert run_command("show", session["shortId"], "--db", database).stdout == by_id.stdout
    assert run_command("show", "--db", database).stdout == by_id.stdout
    lines = by_id.stdout.splitlines()
    assert lines[0] == f"session {session['_id']}"
    assert lines[1].startswith("Checkout  manual recording") and "4 spans, 1 error, 1 log" in lines[1]
    assert "  session: user = Ada" in lines
    text = by_id.stdout
    places = [text.index(part) for part in (
        f"trace {c.manual(session)}", "POST /checkout [shop] 1.5 ms", "http.request.headers: {\"accept\":\"*/*\"}",
        "    +1.0 µs charge [shop] 1.5 ms ERROR card declined", "* exception Declined: no funds",
        "      +2.0 µs query [shop]", "trace ", "GET /health-page", "logs\n", "error [shop] checkout failed",
    )]  # fmt: skip
    assert places[:6] == sorted(places[:6]) and places[7:] == sorted(places[7:])
    assert "x" * 1000 not in text and re.search(r"xxx… \(10\d\d characters\)", text)
    assert "http.method" not in text


def test_show_without_a_server(local):
    session = recorded(local)
    local.stop()
    shown = run_command("show", "--db", str(local.database)).stdout
    assert "charge" in shown
    assert session["_id"] in run_command("list", "--db", str(local.database)).stdout


def test_list_and_show_in_a_folder_that_is_read_only_to_them(local):
    recorded(local)
    before = local.database.stat().st_mtime_ns
    run_command("list", "--db", str(local.database))
    run_command("show", "--db", str(local.database))
    assert local.database.stat().st_mtime_ns == before


def test_export(local, tmp_path):
    session = recorded(local)
    database = str(local.database)
    file = tmp_path / "out.json"
    assert run_command("export", session["_id"], "-o", str(file), "--db", database).returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    whole = json.loads(file.read_text())
    assert json.loads(run_command("export", session["shortId"], "--db", database).stdout) == whole
    served = local.session(session["_id"])
    assert served["session"].pop("url")
    assert whole == served


def test_circles_of_parents(local):
    session = local.start()
    trace = c.manual(session)
    local.send_spans(
        c.span(trace, "a", spanId="a" * 16, parentSpanId="b" * 16),
        c.span(trace, "b", spanId="b" * 16, parentSpanId="a" * 16),
        c.span(trace, "self", spanId="c" * 16, parentSpanId="c" * 16),
    )
    chain = [c.span(trace, f"deep{i}", spanId=f"{i + 1:016x}", parentSpanId=f"{i:016x}") for i in range(3000)]
    local.send_spans(*chain)
    shown = run_command("show", "--db", str(local.database)).stdout
    for name in (" a [", " b [", " self [", " deep0 [", " deep2999 ["):
        assert shown.count(name) == 1


def test_what_is_not_there(local, tmp_path):
    database = str(local.database)
    for command in (["show"], ["show", "abcdabcd"], ["export", "abcdabcd"]):
        done = run_command(*command, "--db", database)
        assert done.returncode == 1 and done.stderr.startswith("mpr-local: ")
    missing = tmp_path / "nothing" / "x.sqlite"
    done = run_command("list", "--db", str(missing))
    assert done.returncode == 1 and "nothing was recorded yet" in done.stderr
    assert not missing.parent.exists()


def test_a_reader_that_leaves_early(local):
    session = recorded(local)
    command = f"'{c.BINARY}' export {session['_id']} --db '{local.database}' | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stdout.endswith("0\n") and done.stderr == ""
    expect(200, local.request("GET", "/"))
