"""The example server in C, for real: built by its own Makefile, driven over HTTP, recorded by mpr-local."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "c-http-server"
CARD = "4111 1111 1111 1111"
MASKED = "***MASKED***"


@pytest.fixture(scope="session")
def server_binary(build, include, tmp_path_factory):
    """The example as its Makefile builds it, warnings being errors."""
    out = tmp_path_factory.mktemp("example") / "c-http-server"
    lib = build / "lib"
    subprocess.run(
        ["make", "-s", "-C", EXAMPLE, f"OUT={out}", f"CPPFLAGS=-I{include}", f"LDFLAGS=-L{lib} -Wl,-rpath,{lib}"],
        check=True,
    )
    return out


class Server:
    """The running example."""

    def __init__(self, command, env):
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.stderr, self.output = "", []
        # Read all along: a full pipe would stop the server.
        self.reader = threading.Thread(target=self._read_stderr)
        self.reader.start()
        self.port = None
        for line in self.process.stdout:
            self.output.append(line)
            if found := re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line):
                self.port = int(found[1])
                break

    def _read_stderr(self):
        self.stderr = self.process.stderr.read()

    def __call__(self, method, path, body=None, **headers):
        """One request on a connection of its own: status, headers, text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            return ask(connection, method, path, body, **headers)
        finally:
            connection.close()

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def begun(self, path, length):
        """A connection with a POST whose headers the server has taken: it asks for the body."""
        connection = self.raw()
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        return connection

    def end(self, signal_number=signal.SIGTERM):
        """Asks it to end; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        self.output += self.process.stdout.readlines()
        status = self.process.wait(60)
        self.reader.join()
        return status

    @property
    def session_id(self):
        return re.search(r"^recording: http\S+/sessions/(\w+)$", "".join(self.output), re.MULTILINE)[1]


def ask(connection, method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict):
        headers["Content-Type"], body = "application/json", json.dumps(body)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.headers, response.read().decode()


def environment(url, **more):
    ours = re.compile(r"OTEL_|MULTIPLAYER_|MPR_LOG$|(HTTPS?|ALL|NO)_PROXY$", re.IGNORECASE)
    clean = {name: value for name, value in os.environ.items() if not ours.match(name)}
    if url:
        clean |= {"MULTIPLAYER_API_KEY": "local", "MULTIPLAYER_BASE_API_URL": url, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
    return {**clean, **more}


@pytest.fixture
def start(server_binary):
    """start(url, before=(), name=…, **env) → a running Server; all end with the test."""
    running = []

    def start_one(url, *before, name="test", port=0, **more):
        running.append(Server([*before, str(server_binary), name, str(port)], environment(url, **more)))
        return running[-1]

    yield start_one
    for server in running:
        server.process.kill()
        server.end()


@pytest.fixture
def server(start, local):
    """One that records into a recorder of its own."""
    return start(local.base)


def finish(server, local):
    """Ends the server and gives the recorded session; nothing was lost or complained about."""
    assert server.end() == 0, server.stderr
    assert server.stderr == ""
    whole = local.session(server.session_id)
    assert whole["session"]["live"] is False
    stats = local.stats
    assert stats["spans"]["dropped"] == stats["logs"]["dropped"] == {}
    assert stats["spans"]["stored"] == len(whole["spans"])
    assert stats["logs"]["stored"] == len(whole["logs"])
    return whole


def requests_of(whole):
    return [span for span in whole["spans"] if span["kind"] == "SERVER"]


def children(whole, parent):
    return [span for span in whole["spans"] if span.get("parentSpanId") == parent["spanId"]]


def captured(span, what):
    return span["attributes"].get(f"multiplayer.http.{what}")


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


# ---- what is recorded ------------------------------------------------------------------


def test_a_request_has_opentelemetrys_attributes(server, local):
    assert server("GET", "/cart?access_token=query-secret&page=2", User_Agent="tester/1")[0] == 200
    [span] = requests_of(finish(server, local))
    assert span["name"] == "GET /cart"
    assert span.get("parentSpanId") in (None, "")
    assert span["resource"]["service.name"] == "c-http-server"
    assert span["resource"]["service.version"] == "1.0"
    expected = {
        "http.request.method": "GET",
        "url.scheme": "http",
        "url.path": "/cart",
        "url.query": f"access_token={MASKED}&page=2",
        "http.route": "/cart",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "network.protocol.version": "1.1",
        "user_agent.original": "tester/1",
    }
    assert {key: span["attributes"].get(key) for key in expected} == expected
    assert span["status"]["code"] == "UNSET"


def test_login_masks_headers_and_bodies_both_ways(server, local):
    status, headers, text = server(
        "POST",
        "/login",
        {"user": "ann \"the\" first", "password": "hunter2hunter2"},
        Authorization="Bearer secret-bearer",
        Cookie="session=secret-cookie; theme=secret-dark",
        X_API_Key="secret-key",
    )
    assert status == 200
    token = json.loads(text)["access_token"]
    assert json.loads(text)["user"] == "ann \"the\" first"
    assert token in headers["Set-Cookie"]
    whole = finish(server, local)
    [span] = requests_of(whole)
    sent = json.loads(captured(span, "request.headers"))
    assert sent["Authorization"] == sent["X-API-Key"] == MASKED
    assert sent["Cookie"] == f"session={MASKED}; theme={MASKED}"
    assert sent["Content-Type"] == "application/json"
    assert json.loads(captured(span, "request.body")) == {"user": "ann \"the\" first", "password": MASKED}
    answered = json.loads(captured(span, "response.headers"))
    assert answered["Content-Type"] == "application/json"
    assert answered["Set-Cookie"] == f"session={MASKED}; HttpOnly; Path=/"
    assert json.loads(captured(span, "response.body")) == {"user": "ann \"the\" first", "access_token": MASKED}
    everything = json.dumps(whole)
    for secret in ("hunter2", "secret-", token):
        assert secret not in everything
    [log] = whole["logs"]
    assert log["body"] == "ann \"the\" first logged in"
    assert (log["traceId"], log["spanId"]) == (span["traceId"], span["spanId"])
    assert log["severityNumber"] == 9


def test_a_form_is_understood_and_masked(server, local):
    body = "user=b%6Fb&password=hunter2+hunter2"
    status, _, text = server("POST", "/login", body, Content_Type="application/x-www-form-urlencoded")
    assert (status, json.loads(text)["user"]) == (200, "bob")
    [span] = requests_of(finish(server, local))
    assert captured(span, "request.body") == f"user=b%6Fb&password={MASKED}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"user": "ann", "password": "short"}, 401),
        ({"user": "ann"}, 400),
        ("", 400),
        ("{\"user\": \"ann\", \"password\": \"cut o", 400),
    ],
)
def test_a_refused_login_is_no_failure_of_the_service(server, local, body, status):
    assert server("POST", "/login", body)[0] == status
    [span] = requests_of(finish(server, local))
    assert span["attributes"]["http.response.status_code"] == status
    assert span["status"]["code"] == "UNSET"
    assert "cut o" not in str(captured(span, "request.body"))


def test_checkout_has_its_work_below_it(server, local):
    assert server("POST", "/cart", {"item": "tea"})[0] == 201
    assert server("POST", "/cart", "item=kettle")[0] == 201
    _, _, cart = server("GET", "/cart")
    assert json.loads(cart) == {
        "items": [{"item": "tea", "quantity": 1}, {"item": "kettle", "quantity": 1}],
        "cents": 4440,
    }
    order = {"card_number": CARD, "password": "correct horse"}
    assert server("POST", "/checkout", {**order, "card_number": "4111 1111 1111 1112"})[0] == 402
    assert server("POST", "/checkout", order)[::2] == (201, '{"order": 1, "cents": 4440}')
    assert server("POST", "/checkout", order)[0] == 409
    whole = finish(server, local)
    declined, paid, empty = (span for span in requests_of(whole) if span["name"] == "POST /checkout")

    price, charge = children(whole, paid)
    assert [price["name"], charge["name"]] == ["price cart", "charge card"]
    assert price["attributes"] == {"cart.items": 2, "cart.cents": 4440}
    assert charge["attributes"] == {"payment.cents": 4440}
    assert price["kind"] == charge["kind"] == "INTERNAL"
    assert price["traceId"] == charge["traceId"] == paid["traceId"]
    assert int(paid["startTimeUnixNano"]) <= int(price["startTimeUnixNano"])
    assert int(charge["endTimeUnixNano"]) <= int(paid["endTimeUnixNano"])
    assert json.loads(captured(paid, "request.body")) == {"card_number": MASKED, "password": MASKED}

    assert children(whole, declined)[1]["status"] == {"code": "ERROR", "message": "the card was declined"}
    assert declined["status"]["code"] == "UNSET"
    assert [span["name"] for span in children(whole, empty)] == ["price cart"]
    assert [log["body"] for log in whole["logs"]] == ["a card was declined", "order 1 paid: 4440 cents"]
    assert "4111 1111" not in json.dumps(whole)


def test_a_failure_has_its_exception(server, local):
    assert server("GET", "/fail")[::2] == (500, '{"error": "internal error"}')
    whole = finish(server, local)
    [span] = requests_of(whole)
    assert span["status"] == {"code": "ERROR", "message": "the stock of tea is -1"}
    assert span["attributes"]["http.response.status_code"] == 500
    assert span["attributes"]["error.type"] == "StockError"
    [event] = span["events"]
    assert event["name"] == "exception"
    assert event["attributes"]["exception.type"] == "StockError"
    assert re.fullmatch(r"at fail \(server\.c:\d+\)", event["attributes"]["exception.stacktrace"])
    [log] = whole["logs"]
    assert (log["severityNumber"], log["spanId"]) == (17, span["spanId"])


def test_a_download_is_recorded_whole(server, local):
    status, _, text = server("GET", "/download")
    assert (status, len(text)) == (200, 295_000)
    [span] = requests_of(finish(server, local))
    assert captured(span, "response.body") == text


def test_unknown_routes_and_methods_make_no_new_names(server, local):
    assert server("GET", "/nothing/here")[0] == 404
    assert server("BREW", "/pot")[0] == 404
    first, second = requests_of(finish(server, local))
    assert (first["name"], second["name"]) == ("GET", "HTTP")
    assert second["attributes"]["http.request.method"] == "_OTHER"
    assert second["attributes"]["http.request.method_original"] == "BREW"
    assert "http.route" not in first["attributes"]


def test_a_body_in_pieces_is_gathered(server, local):
    pieces = [b'{"user": "ann", "pass', b'word": "hunter2', b'hunter2"}']
    with server.raw() as connection:
        connection.sendall(b"POST /login HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    [span] = requests_of(finish(server, local))
    assert json.loads(captured(span, "request.body")) == {"user": "ann", "password": MASKED}


def test_a_large_body_is_refused_and_kept_in_part(server, local):
    notes = [f"note {number}" for number in range(20_000)]
    assert server("POST", "/login", {"notes": notes, "password": "hunter2hunter2"})[0] == 413
    [span] = requests_of(finish(server, local))
    kept = captured(span, "request.body")
    assert kept.startswith('{"notes": ["note 0", "note 1", "note 2"')
    assert 60_000 < len(kept) < 70_000


def test_bytes_that_are_no_text_harm_nothing(server, local):
    with server.raw() as connection:
        connection.sendall(b"POST /cart\xff?x=\xfe HTTP/1.1\r\nHost: here\r\nX-Odd: \xff\xfe\r\nContent-Length: 3\r\n\r\n\xff\0\1")
        assert connection.recv(100).startswith(b"HTTP/1.1 404")
    assert server("GET", "/cart")[0] == 200
    assert server.end() == 0
    assert len(requests_of(local.session(server.session_id))) == 2


def test_a_client_that_goes_away_leaves_a_failed_span(server, local):
    with server.begun("/login", 100) as connection:
        connection.sendall(b'{"password": "hunter2')
    [gone] = requests_of(finish(server, local))
    assert gone["status"] == {"code": "ERROR", "message": "the answer was not sent in full"}


# ---- traces that others began ----------------------------------------------------------


def test_a_caller_of_the_session_is_the_parent(server, local):
    short_id = local.request("GET", "/api/sessions").json["sessions"][0]["shortId"]
    trace, caller = f"debdeb{short_id}{'0' * 16}42", "00000000000000ab"
    assert server("GET", "/cart", traceparent=f"00-{trace}-{caller}-01")[0] == 200
    whole = finish(server, local)
    [span] = requests_of(whole)
    assert (span["traceId"], span["parentSpanId"]) == (trace, caller)
    assert children(whole, span)[0]["traceId"] == trace


def test_a_trace_of_no_session_is_served_and_not_recorded(server, local):
    assert server("GET", "/cart", traceparent=f"00-{'1' * 32}-{'2' * 16}-00")[0] == 200
    assert server("POST", "/login", {"user": "ann", "password": "p" * 8}, traceparent=f"00-{'3' * 32}-{'2' * 16}-00")[0] == 200
    whole = finish(server, local)
    assert whole["spans"] == whole["logs"] == []


@pytest.mark.parametrize("traceparent", ["", "nonsense", f"00-{'0' * 32}-{'0' * 16}-01", f"ff-{'1' * 32}-{'2' * 16}-01"])
def test_a_broken_traceparent_begins_a_new_trace(server, local, traceparent):
    assert server("GET", "/cart", traceparent=traceparent)[0] == 200
    [span] = requests_of(finish(server, local))
    assert span["traceId"].startswith("debdeb")
    assert span.get("parentSpanId") in (None, "")


# ---- load, ends, and nobody to record ---------------------------------------------------


def test_nothing_is_lost_under_parallel_clients(server, local):
    clients, each = 8, 50
    jobs = [
        ("GET", "/cart", None, {200}),
        ("POST", "/cart", {"item": "mug"}, {201}),
        ("POST", "/checkout", {"card_number": CARD, "password": "correct horse"}, {201, 409}),
        ("POST", "/login", {"user": "ann", "password": "hunter2hunter2"}, {200}),
        ("GET", "/fail", None, {500}),
    ]
    wrong = []

    def run(client):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for number in range(each):
            method, path, body, statuses = jobs[(client + number) % len(jobs)]
            try:
                status, _, text = ask(connection, method, path, body, X_Request=f"{client}/{number}")
            except OSError as failure:
                status, text = None, failure
            if status not in statuses:
                wrong.append((method, path, status, text))
        connection.close()

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    whole = finish(server, local)
    recorded = requests_of(whole)
    names = {json.loads(captured(span, "request.headers"))["X-Request"] for span in recorded}
    assert len(recorded) == len(names) == clients * each
    assert len({span["traceId"] for span in recorded}) == clients * each
    # What a request did is below that request and no other.
    by_id = {span["spanId"]: span for span in recorded}
    for span in whole["spans"]:
        if span["kind"] == "INTERNAL":
            assert by_id[span["parentSpanId"]]["traceId"] == span["traceId"]
    assert "hunter2" not in json.dumps(whole)


def test_the_session_has_the_name_and_its_url_is_printed(start, local):
    server = start(local.base, name='a "name" with \\ and ü')
    whole = finish(server, local)
    assert whole["session"]["name"] == 'a "name" with \\ and ü'
    url = f"{local.base}/sessions/{server.session_id}"
    assert server.output == [f"recording: {url}\n", f"listening on http://127.0.0.1:{server.port}\n", f"recorded: {url}\n"]


def test_an_interrupt_is_a_clean_end(server, local):
    assert server("GET", "/cart")[0] == 200
    assert server.end(signal.SIGINT) == 0
    assert len(requests_of(local.session(server.session_id))) == 1


def test_a_request_that_runs_at_the_end_is_answered_and_recorded(server, local):
    body = b'{"item": "tea"}'
    with server.begun("/cart", len(body)) as connection:
        connection.sendall(body[:5])
        server.process.send_signal(signal.SIGTERM)

        def refused():
            try:
                server.raw().close()
            except OSError:
                return True
            return False

        until(refused)
        connection.sendall(body[5:])
        assert connection.recv(100).startswith(b"HTTP/1.1 201")
    [span] = requests_of(finish(server, local))
    assert captured(span, "request.body") == body.decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_without_a_recorder_it_serves(start):
    server = start(f"http://127.0.0.1:{free_port()}")
    assert server("GET", "/cart")[0] == 200
    assert server("GET", "/fail")[0] == 500
    assert server.end() == 0
    assert "recording is off: MPR_ERR_NETWORK" in server.stderr
    assert "recorded" not in "".join(server.output)


def test_without_a_key_it_serves(start):
    server = start(None)
    assert server("POST", "/login", {"user": "ann", "password": "hunter2hunter2"})[0] == 200
    assert server.end() == 0
    assert "recording is off: MPR_ERR_INVALID_ARGUMENT" in server.stderr


def test_a_recorder_that_dies_stops_nobody(start, local):
    server = start(local.base, OTEL_EXPORTER_OTLP_TIMEOUT="1500")
    local.process.kill()
    local.process.wait()
    for _ in range(20):
        assert server("GET", "/cart")[0] == 200
    assert server.end() == 0
    assert "stop: MPR_ERR_" in server.stderr
    assert "40 of 40 spans and logs were lost" in server.stderr


def test_a_port_in_use_is_told(start, local):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = start(local.base, port=taken.getsockname()[1])
        assert server.port is None
        assert server.end() == 1
    assert re.search(r"cannot listen on 127\.0\.0\.1:\d+: Address already in use", server.stderr)


@pytest.mark.parametrize("arguments", [[], ["name", "port"], ["name", "65536"], ["name", "-1"], ["name", "1", "2"]])
def test_usage(server_binary, arguments):
    done = subprocess.run([server_binary, *arguments], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")


@pytest.mark.valgrind
@pytest.mark.slow
def test_valgrind_has_nothing_to_say(start, local, plain_symbols):
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    # Rust keeps pointers into the middle of its blocks: "possibly lost" is not an error.
    valgrind = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite"]
    server = start(
        local.base, *valgrind, "--errors-for-leak-kinds=definite", LD_PRELOAD=str(plain_symbols / "libmpr.so.0")
    )
    assert server("POST", "/login", {"user": "ann", "password": "hunter2hunter2"}, Cookie="a=b")[0] == 200
    assert server("POST", "/cart", {"item": "tea"})[0] == 201
    assert server("POST", "/checkout", {"card_number": CARD, "password": "correct horse"})[0] == 201
    assert server("GET", "/fail")[0] == 500
    assert server("GET", "/download")[0] == 200
    assert server("POST", "/login", "x" * 100_000)[0] == 413
    with server.begun("/login", 100) as connection:
        connection.sendall(b"user=")
    whole = finish(server, local)
    assert len(requests_of(whole)) == 7
