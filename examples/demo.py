"""The demonstration behind `make demo`: the local recorder, a server in C, real HTTP requests, and what came of them.

Needs what make has built: MPR_BUILD (default: build/ of the project) with bin/mpr-local and the C server, which is
examples/c-http-server there unless the first argument or MPR_DEMO_SERVER names another. Standard library only.
Ends with status 0 when the session was recorded whole and no secret that was sent is in it.
"""

import contextlib
import http.client
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("MPR_BUILD") or ROOT / "build").resolve()

PASSWORD = "correct-horse-battery-staple"
CARD = "4111 1111 1111 1111"
BEARER = "demo-bearer-5f1d7c0a93"
COOKIE = "demo-cookie-77b0e2c4d1"
API_KEY = "demo-api-key-e19c22ab07"
QUERY_TOKEN = "demo-query-token-0c6f3a"
SECRETS = {PASSWORD, CARD, CARD.replace(" ", ""), CARD.replace(" ", "+"), BEARER, COOKIE, API_KEY, QUERY_TOKEN}


class Failed(Exception):
    """The demonstration did not work out; the text says why."""


class Process:
    """A program whose first lines are waited for, and which never outlives the `with`."""

    def __init__(self, *command, **options):
        self.command = [str(part) for part in command]
        self.options = options

    def __enter__(self):
        # A session of its own: Ctrl-C comes to this script alone, which then ends the programs in order.
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, text=True, start_new_session=True, **self.options
        )
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        return self

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def wait_for(self, pattern):
        """The first group of the line that matches."""
        try:
            while (line := self.lines.get(timeout=30)) is not None:
                if found := re.search(pattern, line):
                    return found[1]
        except queue.Empty:
            pass
        raise Failed(f"{self.command[0]} did not say what was waited for: {pattern}")

    def stop(self):
        """Asks it to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __exit__(self, *_):
        try:
            self.stop()
        finally:  # also when a second Ctrl-C comes in the middle
            self.process.kill()
            self.process.wait()
            self.reader.join()
            self.process.stdout.close()


class Client:
    """Speaks to the server over one connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.sent = 0

    def __call__(self, status, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, dict):
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        text = response.read().decode()
        if response.status != status:
            raise Failed(f"{method} {path}: {response.status} {text}, expected {status}")
        self.sent += 1
        return text


def ann(ask):
    """Logs in with JSON and buys: secrets in bodies and headers."""
    token = json.loads(ask(200, "POST", "/login", {"user": "ann", "password": PASSWORD}))["access_token"]
    SECRETS.add(token)  # one that the server made
    signed_in = {"Authorization": f"Bearer {token}", "Cookie": f"session={token}"}
    ask(201, "POST", "/cart", {"item": "tea"}, **signed_in)
    ask(201, "POST", "/cart", {"item": "kettle"}, **signed_in)
    ask(200, "GET", "/cart", **signed_in)
    ask(201, "POST", "/checkout", {"card_number": CARD, "password": PASSWORD}, **signed_in)


def bob(ask):
    """Logs in with a form, sends secrets where they do not belong, and meets an error."""
    form = urlencode({"user": "bob", "password": PASSWORD, "card_number": CARD})
    ask(200, "POST", "/login", form, Content_Type="application/x-www-form-urlencoded", X_API_Key=API_KEY)
    ask(200, "GET", f"/cart?access_token={QUERY_TOKEN}&page=1", Cookie=f"session={COOKIE}; theme=dark")
    ask(500, "GET", "/fail", Authorization=f"Bearer {BEARER}")
    ask(404, "GET", "/nothing-here")
    ask(200, "GET", "/download")


def in_parallel(*jobs):
    """Runs the jobs at once; the first failure is raised."""
    failures = []

    def run(job):
        try:
            job()
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read()


def title(text):
    print(f"\n== {text}", flush=True)


def demonstrate(recorder_path, server_path, folder):
    database = folder / "sessions.sqlite"
    # What the library reads from the environment must not lead anywhere else than here.
    ours = re.compile(r"OTEL_|MULTIPLAYER_|(HTTPS?|ALL|NO)_PROXY$", re.IGNORECASE)
    clean = {name: value for name, value in os.environ.items() if not ours.match(name)}

    title("Starting the local recorder")
    with Process(recorder_path, "--port", "0", "--db", database, env=clean) as recorder:
        recorder_url = recorder.wait_for(r"listening on (http://127\.0\.0\.1:\d+)")
        recorder_port = int(recorder_url.rsplit(":", 1)[1])
        print(recorder_url)

        title("Starting the C server, which starts a session")
        environment = {
            **clean,
            "MULTIPLAYER_API_KEY": "local",
            "MULTIPLAYER_BASE_API_URL": recorder_url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": recorder_url,
        }
        with Process(server_path, "make demo", "0", env=environment) as server:
            page = server.wait_for(r"^(?:recording: (http\S+)|listening)")
            if not page:
                raise Failed("the server does not record; see above why")
            server_url = server.wait_for(r"listening on (http://127\.0\.0\.1:\d+)")
            port = int(server_url.rsplit(":", 1)[1])
            print(server_url)

            title("Two clients at once, with secrets in headers, JSON, a form and a query; then another service")
            clients = [Client(port), Client(port), Client(port)]
            in_parallel(lambda: ann(clients[0]), lambda: bob(clients[1]))
            # Another service of the same session calls: its trace id carries the session, and the span goes below its own.
            short_id = json.loads(get(recorder_port, "/api/sessions"))["sessions"][0]["shortId"]
            trace, caller = f"debdeb{short_id}{os.urandom(9).hex()}", os.urandom(8).hex()
            clients[2](200, "GET", "/cart", traceparent=f"00-{trace}-{caller}-01")
            for client in clients:
                client.connection.close()
            sent = sum(client.sent for client in clients)
            print(f"{sent} requests answered as expected")

            title("Ending the server (SIGTERM): it delivers what is left and ends the session")
            status = server.stop()
            if status != 0:
                raise Failed(f"the server ended with status {status}")

        title("The session (mpr-local show)")
        subprocess.run([str(recorder_path), "show", "--db", str(database)], env=clean, check=True)

        session_text = get(recorder_port, f"/api/sessions/{page.rsplit('/', 1)[1]}")
        session = json.loads(session_text)
        requests = [span for span in session["spans"] if span["kind"] == "SERVER"]
        continued = [span for span in requests if span.get("parentSpanId") == caller and span["traceId"] == trace]
        if len(requests) != sent or len(continued) != 1:
            raise Failed(f"{sent} requests were sent, {len(requests)} recorded, {len(continued)} below the other service")

        title("Result")
        # The files beside the database are its journal.
        stored = b"".join(file.read_bytes() for file in folder.iterdir() if file.name.startswith(database.name))
        if b"***MASKED***" not in stored:
            raise Failed("there is nothing masked in the database: is this the right file?")
        # In the file a long text may be cut by a page's border; in what the page shows it is whole.
        if leaked := [secret for secret in SECRETS if secret.encode() in stored or secret.encode() in session_text]:
            raise Failed(f"{len(leaked)} of {len(SECRETS)} secrets are in the database")
        print(f"{sent} requests sent, {len(requests)} recorded, with {len(session['spans'])} spans in all")
        print(f"{len(SECRETS)} secrets sent, none of them among the {len(stored)} bytes of the database")
        print(f"The page: {page}", flush=True)
        if sys.stdin.isatty() and not os.environ.get("CI"):
            with contextlib.suppress(EOFError, KeyboardInterrupt):
                input("Press Enter to end the recorder and remove what it recorded. ")


def main():
    server = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MPR_DEMO_SERVER")
    server_path = Path(server).resolve() if server else BUILD / "examples" / "c-http-server"
    recorder_path = BUILD / "bin" / "mpr-local"
    for path, what in ((recorder_path, "the local recorder"), (server_path, "the C server")):
        if not os.access(path, os.X_OK) or not path.is_file():
            print(f"demo: {what} is not at {path}; `make demo` builds it", file=sys.stderr)
            return 1
    # A request to end is handled like Ctrl-C: by leaving every `with`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory(prefix="mpr-demo-") as folder:
            demonstrate(recorder_path, server_path, Path(folder))
    except (Failed, OSError, http.client.HTTPException, subprocess.SubprocessError) as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
