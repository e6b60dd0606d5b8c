"""docs/scale: the printed configurations, run by real OpenTelemetry Collectors. An agent, two gateways behind one name, and for
each gateway an intake of its own, so that it shows what came through which."""

import contextlib
import socket
import struct
import threading
from collections import Counter
from pathlib import Path

import pytest
from collectors import free_port, needs_otelcol, otelcol
from driver import KEY, launch, run
from environment import recorder_env
from platform_server import Answer, PlatformServer

pytestmark = needs_otelcol

CONFIGS = Path(__file__).resolve().parents[2] / "docs" / "scale"
HOSTS = ["127.0.0.1", "127.0.0.2"]


@contextlib.contextmanager
def name_server(addresses):
    """A DNS server that has these addresses for every name; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer():
            while True:
                query, client = server.recvfrom(512)
                if len(query) < 12:
                    return
                end = query.index(b"\0", 12) + 5
                wanted = addresses if query[end - 4 : end - 2] == b"\0\1" else []
                records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(one) for one in wanted)
                head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, len(wanted), 0, 0)
                server.sendto(head + query[12:end] + records, client)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join(10)


class Tiers:
    """intakes: what each gateway's platform got; rest: where the rest goes; env: for a process of the agent's host."""

    def __init__(self, stack, intakes, rest):
        self.intakes, self.rest = intakes, rest
        port, ports = free_port(), [free_port() for _ in range(4)]
        self.gateways = [
            stack.enter_context(
                otelcol(
                    CONFIGS / "gateway.yaml", [port], host, LISTEN=f"{host}:{port}",
                    MULTIPLAYER_OTLP_ENDPOINT=url, MULTIPLAYER_OTLP_KEY=key,
                )
            )
            for host, (url, key) in zip(HOSTS, intakes)
        ]  # fmt: skip
        dns = stack.enter_context(name_server(HOSTS[: len(intakes)]))
        names = ["SESSIONS_GRPC_PORT", "SESSIONS_HTTP_PORT", "REST_GRPC_PORT", "REST_HTTP_PORT"]
        more = {"GATEWAYS": f"dns://127.0.0.1:{dns}/gateways:{port}", "REST_ENDPOINT": rest}
        self.ports = dict(zip(names, ports))
        stack.enter_context(otelcol(CONFIGS / "agent.yaml", ports, **more, **{k: str(v) for k, v in self.ports.items()}))

    def env(self, protocol="http/protobuf"):
        port = self.ports["SESSIONS_GRPC_PORT" if protocol == "grpc" else "SESSIONS_HTTP_PORT"]
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}


@pytest.fixture
def two():
    """(tiers, intakes, rest): two gateways with an intake each."""
    with contextlib.ExitStack() as stack:
        intakes = [stack.enter_context(PlatformServer()) for _ in HOSTS]
        rest = stack.enter_context(PlatformServer())
        yield Tiers(stack, [(one.url, KEY) for one in intakes], rest.url), intakes, rest


SHOP = """
    import urllib.request
    init()
    start()
    body = b'{"user": "ann", "password": "open sesame"}'
    made = []
    for n in range(40):
        span = Span(f"shop {n}", SERVER)
        span.body(MPR_PAYLOAD_HTTP_REQUEST, b"Content-Type: application/json\\r\\nAuthorization: Bearer open-sesame\\r\\n", body)
        span.end()
        write_log("served", of=span)
        made.append([span.trace_id, span.span_id])
        if n % 8 == 7:
            assert flush() == "OK"
    # The rest of the process's telemetry goes its own way, as an SDK's own exporter sends it.
    other = otlp.export_traces(otlp.span("1" * 32, "the rest", attrs={"password": "open sesame"}))
    head = {"Content-Type": "application/x-protobuf"}
    urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:REST/v1/traces", other, head)).read()
    out["made"] = made
"""

BILLING = """
    from types import SimpleNamespace
    init()
    made = []
    for trace, parent in CALLS:
        context = mpr_span_context(trace_flags=1)
        context.trace_id[:], context.span_id[:] = bytes.fromhex(trace), bytes.fromhex(parent)
        span = Span("billing", SERVER, parent=SimpleNamespace(context=context)).end()
        made.append([span.trace_id, span.span_id])
        if len(made) % 8 == 0:
            assert flush() == "OK"
    out["made"] = made
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_a_session_arrives_once_masked_and_in_its_place(platform, two, protocol):
    """Two services, every trace in both of them, and each gateway has some of it: the platform has all of it."""
    tiers, intakes, rest = two
    shop = run(platform, SHOP.replace("REST", str(tiers.ports["REST_HTTP_PORT"])), **tiers.env(protocol))
    env = {**tiers.env(protocol), "OTEL_SERVICE_NAME": "billing"}
    billing = run(platform, BILLING.replace("CALLS", repr(shop["made"])), **env)
    assert (shop.stats["exported"], billing.stats["exported"]) == (80, 40)
    assert shop.stats["retries"] == billing.stats["retries"] == 0

    spans = [span for intake in intakes for span in intake.spans]
    logs = [log for intake in intakes for log in intake.logs]
    for service, result in (("shop", shop), ("billing", billing)):
        arrived = [(s["trace_id"], s["span_id"]) for s in spans if s["resource"]["service.name"] == service]
        assert Counter(arrived) == Counter(map(tuple, result["made"]))
    assert [trace for trace, _ in billing["made"]] == [trace for trace, _ in shop["made"]]
    assert Counter((log["trace_id"], log["span_id"]) for log in logs) == Counter(map(tuple, shop["made"]))
    assert all(intake.spans and intake.logs for intake in intakes), "each gateway has its share"
    for request in (r for intake in intakes for r in intake.of("traces", "logs")):
        assert request.headers["authorization"] == KEY and request.headers["content-encoding"] == "gzip"
        assert b"sesame" not in request.body
    bodies = [s["attributes"]["multiplayer.http.request.body"] for s in spans if s["name"].startswith("shop")]
    assert all('"ann"' in body for body in bodies)

    assert not platform.spans and not platform.logs
    rest.wait_for(lambda: rest.spans)
    assert [s["name"] for s in rest.spans] == ["the rest"] and not rest.logs
    assert all("authorization" not in r.headers for r in rest.requests)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_nothing_is_taken_before_the_platform_has_it(platform, two, protocol):
    """The platform's no comes back through both collectors, and libmpr tries again."""
    tiers, intakes, _ = two
    for intake in intakes:
        intake.on("traces", Answer(503), Answer(503))
    code = "init(); start(); [Span(f's{n}').end() for n in range(50)]; out['flush'] = flush(20000)"
    result = run(platform, code, **tiers.env(protocol))
    assert result["flush"] == "OK" and result.stats["exported"] == 50 and result.stats["retries"] >= 1
    assert Counter(s["name"] for intake in intakes for s in intake.spans) == Counter(f"s{n}" for n in range(50))


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_gateway_that_is_killed_costs_nothing(platform, two, protocol):
    """Both intakes hold their answers, so that requests are under way in both gateways when one of them dies."""
    tiers, intakes, _ = two
    gate = threading.Event()
    for intake in intakes:
        intake.on("traces", Answer(gate=gate))
    code = """
        init(flush_interval_ms=20, batch_max_items=20)
        start()
        for n in range(200):
            Span(f"s{n}").end()
            time.sleep(0.01)
        out["flush"] = flush(30000)
    """
    running = launch(platform, code, **tiers.env(protocol))
    busy = next(iter(platform.wait_for(lambda: [n for n, one in enumerate(intakes) if one.requests])))
    tiers.gateways[busy].kill()
    gate.set()
    result = running.result()
    assert result["flush"] == "OK" and result.stats["exported"] == 200 and result.stats["dropped_rejected"] == 0
    # More than once at most for what the killed one had under way.
    arrived = Counter(s["span_id"] for intake in intakes for s in intake.spans)
    assert len(arrived) == 200 and set(arrived.values()) <= {1, 2}
    assert len(intakes[1 - busy].spans) > 100


def test_what_is_merged_stays_below_the_limits_of_the_platform(platform, two):
    """Requests of several processes leave a gateway together, and never with more than 4 MB."""
    tiers, intakes, _ = two
    code = """
        import random
        init(flush_interval_ms=10, queue_max_bytes=1 << 28)
        start()
        tell("ready")
        pause()
        # First small requests one after the other, of which those of several processes meet, then as large ones as there are.
        for n in range(100):
            Span(f"{os.getpid()}-{n}").end()
            time.sleep(0.01)
        for n in range(100, 200):
            Span(f"{os.getpid()}-{n}", a=random.randbytes(20).hex() + " x" * 60_000).end()
        out["flush"], out["pid"] = flush(30000), os.getpid()
    """
    processes = [launch(platform, code, **tiers.env("grpc")) for _ in range(3)]
    for process in processes:
        process.wait_for("ready")
    for process in processes:
        process.go()
    results = [process.result() for process in processes]
    assert all(r["flush"] == "OK" and r.stats["exported"] == 200 and r.stats["dropped_rejected"] == 0 for r in results)
    names = Counter(s["name"] for intake in intakes for s in intake.spans)
    assert names == Counter(f"{r['pid']}-{n}" for r in results for n in range(200))
    requests = [r for intake in intakes for r in intake.of("traces")]
    assert 1_000_000 < max(len(r.body) for r in requests) <= 4_000_000
    assert any(len({s["name"].split("-")[0] for s in r.spans}) > 1 for r in requests), "of several processes"
    # One trace type for each ResourceSpans, as the platform needs it: merging leaves them apart.
    for request in requests:
        groups = {(s["group"], s["trace_id"][:14]) for s in request.spans}
        assert len(groups) == len({group for group, _ in groups})


def test_into_the_local_recorder(local):
    """The same two files, and mpr-local in the place of the platform."""

    class Recorder:
        def env(self, key, **more):
            return recorder_env(local.base, "local", **more)

    with contextlib.ExitStack() as stack:
        tiers = Tiers(stack, [(local.base, "local")], "http://127.0.0.1:9")
        code = """
            init(); start(details={"name": "far away"})
            parent = Span("GET /a", SERVER, password="open sesame")
            Span("child", parent=parent).end()
            parent.end()
            write_log("hello", of=parent)
            out["flush"], out["stop"] = flush(), stop()
        """
        result = run(Recorder(), code, **tiers.env())
    assert (result["flush"], result["stop"]) == ("OK", "OK")
    (listed,) = local.request("GET", "/api/sessions").json["sessions"]
    session = local.session(listed["_id"])
    assert sorted(s["name"] for s in session["spans"]) == ["GET /a", "child"] and len(session["logs"]) == 1
    assert "sesame" not in str(session)
