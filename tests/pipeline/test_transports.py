"""How requests travel: OTLP over HTTP as JSON, over gRPC, in TLS, through proxies. The receivers are not ours: grpcio, and
the local recorder's strict reader of JSON in tests/local."""

import http.server
import json
import select
import socket
import threading

import otlp
import pytest
from certificates import Authority
from driver import KEY, launch, run
from fault_proxy import Fault, FaultProxy
from platform_server import Answer, PlatformServer

ALL_KINDS = """
    init(PLACEHOLDER)
    start()
    span = Span("GET /a", SERVER, text='a "quoted" \\\\ \\x01 \\U0001f600', big=2**62, low=-5, ratio=0.25, yes=True)
    span.event("e", {"n": 1})
    child = Span("child", parent=span)
    child.exception("Oops", "it broke")
    child.end()
    span.end()
    data = {"list": [1, "a", [True]], "map": {"k": {"n": -1}}, "bytes": b"\\0\\xff", "double": 1e300}
    export_traces(otlp.export_traces(otlp.span(trace_id(), "foreign", attrs=data)))
    write_log("hello", 17, {"a": 1})
    out["flush"] = flush()
"""


@pytest.fixture
def grpc():
    pytest.importorskip("grpc", reason="grpcio is not installed (tests/requirements.txt)")
    from grpc_server import GrpcServer

    with GrpcServer() as receiver:
        yield receiver


def grpc_answer(*arguments, **more):
    from grpc_server import GrpcAnswer

    return GrpcAnswer(*arguments, **more)


# ---- JSON ----


def attributes_of(item):
    return {kv["key"]: kv["value"] for kv in item["attributes"]}


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_json(platform, compression):
    """The form that OTLP has for JSON: ids in hex, 64-bit numbers as text, enums as numbers."""
    code = ALL_KINDS.replace("PLACEHOLDER", f"protocol='http/json', compression={compression!r}, flush_interval_ms=60000")
    assert run(platform, code)["flush"] == "OK"
    (traces,), (logs,) = platform.of("traces"), platform.of("logs")
    for request in (traces, logs):
        assert request.headers["content-type"] == "application/json"
        assert request.headers.get("content-encoding", "none") == compression
        assert request.headers["authorization"] == KEY
    spans = {
        span["name"]: span
        for resource in traces.json["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }
    span = spans["GET /a"]
    assert len(bytes.fromhex(span["traceId"])) == 16 and len(bytes.fromhex(span["spanId"])) == 8
    assert spans["child"]["parentSpanId"] == span["spanId"]
    assert span["kind"] == 2 and spans["child"]["status"]["code"] == 2
    assert span["startTimeUnixNano"].isdigit() and int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"])
    assert attributes_of(span) == {
        "text": {"stringValue": 'a "quoted" \\ \x01 \U0001f600'},
        "big": {"intValue": str(2**62)},
        "low": {"intValue": "-5"},
        "ratio": {"doubleValue": 0.25},
        "yes": {"boolValue": True},
    }
    assert span["events"][0]["name"] == "e"
    foreign = attributes_of(spans["foreign"])
    assert foreign["list"]["arrayValue"]["values"][0] == {"intValue": "1"}
    assert foreign["map"]["kvlistValue"]["values"][0]["key"] == "k" and foreign["double"] == {"doubleValue": 1e300}
    resource = attributes_of(traces.json["resourceSpans"][0]["resource"])
    assert resource["service.name"] == {"stringValue": "shop"} and resource["process.pid"]["intValue"].isdigit()
    (record,) = logs.json["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert record["body"] == {"stringValue": "hello"} and record["severityNumber"] == 17


def test_json_to_a_strict_reader(local):
    """The local recorder reads JSON as strictly as the collector."""
    code = ALL_KINDS.replace("PLACEHOLDER", "protocol='http/json'") + "\n    stop()"

    class Here:
        env = staticmethod(lambda key, **more: recorder_env(local.base, key, **more))

    from environment import recorder_env

    result = run(Here, code, key="local")
    assert result["flush"] == "OK" and result.stats["exported"] == 4 and result.stats["retries"] == 0


@pytest.mark.parametrize(
    "answer,refused",
    [
        ({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}, 2),
        ({"partialSuccess": {"rejectedSpans": 99}}, 5),
        ({"partialSuccess": {"rejectedSpans": "-1"}}, 0),
        ({"partialSuccess": {}}, 0),
        ({}, 0),
    ],
)
def test_partial_success_in_json(platform, answer, refused):
    platform.on("traces", Answer(json=answer))
    result = run(platform, "init(protocol='http/json', flush_interval_ms=60000); start(); [Span().end() for _ in range(5)]; flush()")
    assert (result.stats["dropped_rejected"], result.stats["exported"]) == (refused, 5 - refused)


# ---- gRPC ----


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_grpc(platform, grpc, compression):
    code = ALL_KINDS.replace("PLACEHOLDER", f"compression={compression!r}, headers={{'x-own': 'yes'}}, flush_interval_ms=60000")
    result = run(platform, code, **grpc.env())
    assert result["flush"] == "OK" and result.stats["exported"] == 4 and result.stats["retries"] == 0
    assert sorted(s["name"] for s in grpc.spans) == ["GET /a", "child", "foreign"]
    assert grpc.logs[0]["body"] == "hello"
    for request in grpc.requests:
        assert request.metadata["authorization"] == KEY and request.metadata["x-own"] == "yes"
        assert "libmpr/" in request.metadata["user-agent"]
    assert {r.route for r in platform.requests} == {"start", "stop"}, "sessions go over HTTP, telemetry does not"
    assert len({r.peer for r in grpc.requests}) == 1, "one connection carries all"


def test_grpc_has_its_endpoints_and_ignores_their_paths(platform, grpc):
    env = {**grpc.env(), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": grpc.url + "/v1/traces?x=1"}
    run(platform, "init(); start(); Span('a').end(); write_log('b'); out['flush'] = flush()", **env)
    assert [s["name"] for s in grpc.spans] == ["a"] and len(grpc.logs) == 1


@pytest.mark.parametrize("code", ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"])
def test_grpc_failures_that_pass(platform, grpc, code):
    grpc.on(grpc_answer(code), grpc_answer(code))
    result = run(platform, "init(); start(); Span('kept').end(); out['flush'] = flush()", **grpc.env())
    assert result["flush"] == "OK" and (result.stats["exported"], result.stats["retries"]) == (1, 2)


FINAL = ["UNKNOWN", "NOT_FOUND", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "INTERNAL", "UNAUTHENTICATED"]


@pytest.mark.parametrize("code", FINAL)
def test_grpc_failures_that_are_final(platform, grpc, code):
    grpc.on(grpc_answer(code, f"no: {KEY}"))
    result = run(
        platform,
        """
        init(flush_interval_ms=60000)
        start()
        [Span().end() for _ in range(3)]
        out["flush"], out["told"] = flush(), logged("3 items were dropped")
        Span("next").end()
        flush()
        """,
        **grpc.env(),
    )
    assert result["flush"] == "OK" and code in result["told"][1]
    assert (result.stats["dropped_rejected"], result.stats["exported"], result.stats["retries"]) == (3, 1, 0)


def test_grpc_retry_info(platform, grpc):
    grpc.on(grpc_answer("UNAVAILABLE", retry_after=1.2), grpc_answer("RESOURCE_EXHAUSTED", "quota", retry_after=0.5))
    result = run(platform, "init(); start(); Span().end(); flush(100); wait_until(lambda: stats()['exported'] == 1)", **grpc.env())
    first, second, third = grpc.requests
    assert 1.2 <= second.at - first.at < 2.2 and 0.5 <= third.at - second.at < 1.5
    assert result.stats["retries"] == 2


def test_grpc_malformed_items_cost_only_themselves(platform, grpc):
    grpc.on(*[grpc_answer("INVALID_ARGUMENT")] * 5)
    result = run(
        platform, "init(flush_interval_ms=60000); start(); [Span().end() for _ in range(3)]; flush()", **grpc.env()
    )
    assert (result.stats["dropped_rejected"], len(grpc.requests)) == (3, 5)


def test_grpc_partial_success(platform, grpc):
    grpc.on(grpc_answer(body=otlp.partial_success(2, "too old")))
    code = "init(flush_interval_ms=60000); start(); [Span().end() for _ in range(5)]; flush(); out['told'] = logged('too old')"
    result = run(platform, code, **grpc.env())
    assert (result.stats["dropped_rejected"], result.stats["exported"]) == (2, 3) and result["told"]


def test_a_grpc_request_over_the_receivers_limit_is_halved(platform):
    pytest.importorskip("grpc")
    from grpc_server import GrpcServer

    with GrpcServer(max_bytes=100_000) as receiver:
        result = run(
            platform,
            """
            init(flush_interval_ms=60000)
            start()
            [Span(f"s{n}", a="x " * 10_000).end() for n in range(20)]
            Span("giant", a="x " * 100_000).end()
            out["flush"] = flush(10000)
            """,
            **receiver.env(),
        )
        assert result["flush"] == "OK"
        assert (result.stats["dropped_too_large"], result.stats["exported"]) == (1, 20)
        assert sorted(s["name"] for s in receiver.spans) == sorted(f"s{n}" for n in range(20))


def test_a_grpc_connection_that_answers_no_more_is_left(platform, grpc):
    """All requests share one connection: a dead one must not swallow every attempt."""
    with FaultProxy(grpc.port) as net:
        net.on(Fault(black_hole=True))
        code = "init(timeout_ms=400); start(); Span('kept').end(); out['flush'] = flush(8000)"
        result = run(platform, code, **grpc.env(net.url))
        assert result["flush"] == "OK" and net.connections >= 2 and result.stats["exported"] == 1


def test_a_grpc_request_that_hangs_delays_no_other(platform, grpc):
    grpc.on(grpc_answer(hang=True))
    result = run(
        platform,
        """
        init(timeout_ms=10000)
        start()
        Span("hangs").end()
        wait_until(lambda: stats()["queued"] == 1)
        time.sleep(0.3)  # until it is on its way
        for n in range(20):
            Span(f"s{n}").end()
        wait_until(lambda: stats()["exported"] == 20, 4)
        cancel()
        out["end"] = timed(shutdown, 300)
        """,
        **grpc.env(),
    )
    assert result["end"][0] == "TIMEOUT" and result["end"][1] <= 400


@pytest.mark.parametrize("body", [b" " * 3_000_000, b"\xff" * 5, otlp.partial_success(2**63, "x" * 100_000)])
def test_odd_grpc_answers_confirm_all(platform, grpc, body):
    """The status is the receiver's word; an answer of any size is read with little memory."""
    grpc.on(grpc_answer(body=body))
    result = run(platform, "init(flush_interval_ms=60000); start(); Span().end(); out['flush'] = flush()", **grpc.env())
    assert result["flush"] == "OK" and (result.stats["exported"], result.stats["retries"]) == (1, 0)


GARBAGE = [b"\0" * 9, b"\xff" * 100, b"HTTP/1.1 200 OK\r\n\r\n", b"\0\0\0\4\0\0\0\0\0" + b"\0\0\x01\x01\x04\0\0\0\x01\xff"]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_in_the_place_of_http_2(platform, grpc, garbage):
    with FaultProxy(grpc.port) as net:
        net.on(Fault(answer=garbage), Fault(answer=garbage))
        code = "init(timeout_ms=800); start(); Span('kept').end(); out['flush'] = flush(8000)"
        result = run(platform, code, **grpc.env(net.url))
        assert result["flush"] == "OK" and result.stats["exported"] == 1 and result.stats["retries"] >= 2


def test_a_server_that_speaks_no_grpc(platform):
    """HTTP/1 only: no HTTP/2 connection comes about, which is told and retried; nothing is lost in silence."""
    code = "init(timeout_ms=500); start(); Span().end(); out['flush'] = flush(1200); out['told'] = logged('export failed')"
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    result = run(platform, code, **env)
    assert result["flush"] == "TIMEOUT" and result["told"] and result.stats["dropped_shutdown"] == 1


def test_grpc_receiver_that_restarts(platform):
    pytest.importorskip("grpc")
    from grpc_server import GrpcServer

    with GrpcServer() as first:
        running = launch(
            platform,
            """
            init()
            start()
            Span("one").end()
            out["one"] = flush()
            tell("one")
            pause()
            Span("two").end()
            wait_until(lambda: stats()["retries"] >= 2)
            tell("down")
            out["two"] = flush(10000)
            """,
            **first.env(),
        )
        running.wait_for("one")
        port = first.port
    running.go()
    running.wait_for("down")
    with GrpcServer(port=port) as second:
        result = running.result()
        assert (result["one"], result["two"]) == ("OK", "OK") and [s["name"] for s in second.spans] == ["two"]


# ---- TLS ----

DELIVER = "start(); Span('kept').end(); write_log('kept'); out['flush'] = flush({}); out['told'] = logged('export failed')"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def test_tls_with_an_authority_of_ones_own(platform, authority):
    with PlatformServer(tls=authority.server()) as receiver:
        code = f"init(ca_file={str(authority.ca)!r}); " + DELIVER.format(5000)
        result = run(platform, code, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        assert result["flush"] == "OK" and [s["name"] for s in receiver.spans] == ["kept"]
        # The same by the environment's name, and all of it over TLS.
        env = receiver.env(KEY, OTEL_EXPORTER_OTLP_CERTIFICATE=str(authority.ca))
        result = run(receiver, "init(); " + DELIVER.format(5000), **env)
        assert result["flush"] == "OK" and len(receiver.spans) == 2


def test_the_systems_bundle_can_be_another_one(platform, authority):
    with PlatformServer(tls=authority.server()) as receiver:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "SSL_CERT_FILE": str(authority.ca)}
        result = run(platform, "init(); " + DELIVER.format(5000), **env)
        assert result["flush"] == "OK" and len(receiver.spans) == 1


@pytest.mark.parametrize("what", ["unknown authority", "another host", "system roots", "expired"])
def test_tls_that_is_not_to_be_trusted(platform, authority, tmp_path, what):
    """No certificate, no data; it may be mended, so what is recorded waits."""
    context = authority.server("DNS:elsewhere.test") if what == "another host" else authority.server()
    if what == "expired":
        pair = authority.cert("expired", days=-1)
        context.load_cert_chain(*pair)
    ca = Authority(tmp_path, "other").ca if what == "unknown authority" else authority.ca
    option = "" if what == "system roots" else f"ca_file={str(ca)!r}"
    with PlatformServer(tls=context) as receiver:
        result = run(platform, f"init({option}); " + DELIVER.format(700), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        assert result["flush"] == "TIMEOUT" and "certificate" in result["told"][1].lower()
        assert receiver.requests == [] and result.stats["dropped_shutdown"] == 2


@pytest.mark.parametrize("with_certificate", [True, False])
def test_client_certificates(platform, authority, with_certificate):
    cert, key = authority.cert("client")
    options = f"client_cert={str(cert)!r}, client_key={str(key)!r}, " if with_certificate else ""
    with PlatformServer(tls=authority.server(clients=True)) as receiver:
        code = f"init({options}ca_file={str(authority.ca)!r}); " + DELIVER.format(5000 if with_certificate else 700)
        result = run(platform, code, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        assert result["flush"] == ("OK" if with_certificate else "TIMEOUT")
        assert len(receiver.spans) == int(with_certificate)


def test_tls_1_2(platform, authority):
    import ssl

    context = authority.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with PlatformServer(tls=context) as receiver:
        code = f"init(ca_file={str(authority.ca)!r}); " + DELIVER.format(5000)
        assert run(platform, code, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)["flush"] == "OK"


@pytest.mark.parametrize("mutual", [False, True])
def test_grpc_over_tls(platform, authority, mutual):
    grpc = pytest.importorskip("grpc")
    from grpc_server import GrpcServer

    cert, key = authority.cert("server")
    pair = (key.read_bytes(), cert.read_bytes())
    credentials = grpc.ssl_server_credentials([pair], authority.ca.read_bytes() if mutual else None, mutual)
    own = authority.cert("client")
    options = f", client_cert={str(own[0])!r}, client_key={str(own[1])!r}" if mutual else ""
    with GrpcServer(credentials=credentials) as receiver:
        code = f"init(ca_file={str(authority.ca)!r}{options}); " + DELIVER.format(5000)
        result = run(platform, code, **receiver.env())
        assert result["flush"] == "OK", result.log
        assert [s["name"] for s in receiver.spans] == ["kept"] and len(receiver.logs) == 1


# ---- proxies ----


class Proxy:
    """An HTTP proxy: CONNECT, and requests with a whole URL. `asked` has what it was asked for."""

    def __init__(self, password=None):
        proxy = self
        self.asked, self.authorizations = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def allowed(self):
                proxy.asked.append((self.command, self.path))
                proxy.authorizations.append(self.headers.get("Proxy-Authorization"))
                if password and not self.headers.get("Proxy-Authorization"):
                    self.send_response(407)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return False
                return True

            def do_CONNECT(self):
                if not self.allowed():
                    return
                host, port = self.path.rsplit(":", 1)
                self.send_response(200)
                self.end_headers()
                self.close_connection = True
                with socket.create_connection((host, int(port))) as server:
                    pair = [self.connection, server]
                    while True:
                        for source in select.select(pair, [], [], 20)[0]:
                            data = source.recv(65536)
                            if not data:
                                return
                            pair[pair.index(source) ^ 1].sendall(data)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not self.allowed():
                    return
                host, _, path = self.path.removeprefix("http://").partition("/")
                connection = http.client.HTTPConnection(host)
                connection.request("POST", "/" + path, body, dict(self.headers))
                answer = connection.getresponse()
                body = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize("how", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "option"])
def test_https_goes_through_the_proxy_in_a_tunnel(platform, authority, how):
    with PlatformServer(tls=authority.server()) as receiver, Proxy() as proxy:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        option = ""
        if how == "option":
            option, env["NO_PROXY"] = f"proxy='http://{proxy.address}', ", platform.url.removeprefix("http://").split(":")[0] + ".not"
        else:
            env[how], env["no_proxy"] = f"http://{proxy.address}", ""
        code = f"init({option}ca_file={str(authority.ca)!r}); " + DELIVER.format(5000)
        result = run(platform, code, **env)
        assert result["flush"] == "OK" and len(receiver.spans) == 1
        assert ("CONNECT", receiver.url.removeprefix("https://")) in proxy.asked


def test_http_goes_through_the_proxy_by_its_whole_url(platform):
    with Proxy() as proxy:
        result = run(platform, "init(); " + DELIVER.format(5000), HTTP_PROXY=f"http://{proxy.address}")
        assert result["flush"] == "OK" and len(platform.spans) == 1
        assert ("POST", f"{platform.url}/v1/traces") in proxy.asked


@pytest.mark.parametrize("how", ["environment", "option"])
@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "127.0.0.0/8", "*", "elsewhere.test, 127.0.0.1"])
def test_no_proxy(platform, no_proxy, how):
    with Proxy() as proxy:
        option = f"proxy='http://{proxy.address}'" if how == "option" else ""
        env = {} if option else {"HTTP_PROXY": f"http://{proxy.address}"}
        result = run(platform, f"init({option}); " + DELIVER.format(5000), NO_PROXY=no_proxy, **env)
        assert result["flush"] == "OK" and len(platform.spans) == 1 and proxy.asked == []


def test_a_proxy_with_a_password(platform, authority):
    with PlatformServer(tls=authority.server()) as receiver, Proxy(password=True) as proxy:
        code = f"init(ca_file={str(authority.ca)!r}); " + DELIVER.format(5000)
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "HTTPS_PROXY": f"http://user:s3cret@{proxy.address}"}
        result = run(platform, code, **env)
        assert result["flush"] == "OK" and set(proxy.authorizations) == {"Basic dXNlcjpzM2NyZXQ="}
        assert not any("s3cret" in line for line in result.log)
        # Without it: told, and what is recorded waits.
        env["HTTPS_PROXY"] = f"http://{proxy.address}"
        result = run(platform, f"init(ca_file={str(authority.ca)!r}); " + DELIVER.format(700), **env)
        assert result["flush"] == "TIMEOUT" and result["told"]


def test_grpc_over_tls_goes_through_the_proxy(platform, authority):
    grpc = pytest.importorskip("grpc")
    from grpc_server import GrpcServer

    cert, key = authority.cert("server")
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())])
    with GrpcServer(credentials=credentials) as receiver, Proxy() as proxy:
        code = f"init(ca_file={str(authority.ca)!r}); " + DELIVER.format(5000)
        result = run(platform, code, HTTPS_PROXY=f"http://{proxy.address}", **receiver.env())
        assert result["flush"] == "OK" and len(receiver.spans) == 1
        assert ("CONNECT", receiver.url.removeprefix("https://")) in proxy.asked


def test_grpc_without_tls_goes_direct(platform, grpc):
    with Proxy() as proxy:
        env = {"HTTP_PROXY": f"http://{proxy.address}", **grpc.env()}
        result = run(platform, "init(); " + DELIVER.format(5000), **env)
        assert result["flush"] == "OK" and len(grpc.spans) == 1
        assert not any(grpc.url in path for _, path in proxy.asked)


# ---- redirects ----


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_never_carries_the_key_elsewhere(platform, status, protocol):
    with PlatformServer() as elsewhere:
        platform.always("traces", Answer(status, {"Location": f"{elsewhere.url}/v1/traces"}))
        result = run(platform, f"init(protocol={protocol!r}); start(); Span().end(); out['flush'] = flush()")
        assert elsewhere.requests == [] and result.stats["dropped_rejected"] == 1


# ---- faults on the wire ----


@pytest.mark.parametrize("side", ["cut_answer", "cut_request"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_connection_cut_at_any_byte_loses_nothing(platform, side, protocol):
    """At least once: whatever the moment, what is not confirmed is sent again."""
    if protocol == "grpc":
        pytest.importorskip("grpc")
        from grpc_server import GrpcServer

        receiver = GrpcServer()
    else:
        receiver = PlatformServer()
    with receiver, FaultProxy(receiver.port) as net:
        places = [*range(0, 60), *range(60, 700, 23)]
        net.on(*[Fault(fin=place % 2 == 0, **{side: place}) for place in places])
        result = run(
            platform,
            """
            init(timeout_ms=2000, flush_interval_ms=60000)
            start()
            for n in range(40):
                Span(f"s{n}").end()
                out.setdefault("flushes", []).append(flush(20000))
            """,
            OTEL_EXPORTER_OTLP_ENDPOINT=net.url,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        )
        assert set(result["flushes"]) == {"OK"}
        assert {s["name"] for s in receiver.spans} == {f"s{n}" for n in range(40)}
        assert result.stats["exported"] == 40 and net.connections > 20


def test_a_receiver_that_reads_slowly(platform):
    """A large request in small pieces; what is smaller passes it."""
    with FaultProxy(platform.port) as net:
        net.on(Fault(slow=0.02, piece=4096))
        result = run(
            platform,
            """
            import random
            init(compression="none", batch_max_bytes=200_000, flush_interval_ms=60000)
            start()
            [Span(f"large {n}", a=random.randbytes(5000).hex()).end() for n in range(20)]
            time.sleep(0.2)  # until it is on its way
            Span("small").end()
            out["flush"], out["ms"] = timed(flush, 10000)
            """,
            OTEL_EXPORTER_OTLP_ENDPOINT=net.url,
        )
        assert result["flush"] == "OK" and result.stats["exported"] == 21 and result.stats["retries"] == 0
        assert "small" in {s["name"] for s in platform.of("traces")[0].spans}


@pytest.mark.parametrize("fault", [Fault(deaf=True), Fault(black_hole=True), Fault(answer=b"\0\1\2" * 1000)])
def test_a_network_that_swallows_or_babbles(platform, fault):
    with FaultProxy(platform.port) as net:
        net.on(fault, fault)
        result = run(
            platform,
            """
            import random
            init(timeout_ms=400)
            start()
            [Span(a=random.randbytes(200_000).hex()).end() for n in range(10)]
            out["flush"] = flush(15000)
            """,
            OTEL_EXPORTER_OTLP_ENDPOINT=net.url,
        )
        assert result["flush"] == "OK" and result.stats["exported"] == 10 and result.stats["retries"] >= 1


# ---- retry ----


def test_retry_after_as_a_date(platform):
    """By the receiver's own clock, which need not be ours."""
    platform.on(
        "traces",
        Answer(503, {"Retry-After": "Sun, 22 Nov 2026 10:00:02 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}),
    )
    run(platform, "init(); start(); Span().end(); flush(100); wait_until(lambda: stats()['exported'] == 1)")
    first, second = platform.of("traces")
    assert 1.0 <= second.at - first.at < 3.5


def test_a_receiver_that_wants_to_be_left_alone_is(platform):
    """Its word counts for all requests of the signal, not only for the one that heard it; the other signal goes on."""
    platform.on("traces", Answer(429, {"Retry-After": "2"}))
    result = run(
        platform,
        """
        init(flush_interval_ms=20)
        start()
        Span("first").end()
        wait_until(lambda: stats()["retries"] == 1)
        for n in range(5):
            Span(f"s{n}").end()
            write_log(f"l{n}")
            time.sleep(0.05)
        wait_until(lambda: stats()["exported"] == 11, 8)
        """,
    )
    first, *others = platform.of("traces")
    assert all(request.at - first.at >= 2.0 for request in others) and result.stats["retries"] == 1
    assert platform.of("logs")[0].at - first.at < 2.0


def test_retry_after_nothing_does_not_become_a_storm(platform):
    platform.always("traces", Answer(429, {"Retry-After": "0"}))
    result = run(platform, "init(); start(); Span().end(); time.sleep(1.0); cancel(); shutdown(50)")
    assert result.stats["retries"] < 15


def test_an_outage_is_told_of_now_and_then(platform):
    platform.always("traces", Answer(503))
    running = launch(
        platform,
        """
        init(log_level="warn", flush_interval_ms=10)
        start()
        Span("kept").end()
        # Somebody in a hurry: many attempts.
        [flush(100) for _ in range(20)]
        out["lines"], out["retries"] = len([1 for _, text in log_lines if "export failed" in text]), stats()["retries"]
        tell("tried")
        out["flush"] = flush(5000)
        """,
    )
    running.wait_for("tried")
    platform.always("traces", None)
    result = running.result()
    assert result["retries"] >= 8 and result["lines"] == 1 and result["flush"] == "OK"


def test_drops_are_told_of_now_and_then(platform):
    platform.always("traces", Answer(401))
    result = run(platform, "init(); start(); [(Span().end(), flush()) for _ in range(30)]; out['told'] = len(log_lines)")
    lines = [line for line in result.log if "were dropped" in line]
    assert result.stats["dropped_rejected"] == 30 and len(lines) == 1
