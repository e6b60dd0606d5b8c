"""A real OpenTelemetry Collector as the receiver: what it accepts, it passes on to the fake platform, where it is looked at."""

import pytest
from collectors import free_port, needs_otelcol, otelcol
from driver import run

pytestmark = needs_otelcol

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}", max_recv_msg_size_mib: 1}}
      http: {{endpoint: "127.0.0.1:{http}", max_request_body_size: 1000000}}
exporters:
  otlp_http:
    endpoint: {sink}
    sending_queue: {{enabled: false}}
    retry_on_failure: {{enabled: false}}
service:
  telemetry:
    metrics: {{level: none}}
    logs: {{level: warn}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlp_http]}}
    logs: {{receivers: [otlp], exporters: [otlp_http]}}
"""


@pytest.fixture
def collector(platform, tmp_path):
    """url(protocol) of a collector that passes everything on to the fake platform."""
    ports = {"http": free_port(), "grpc": free_port()}
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(sink=platform.url, **ports))
    with otelcol(config, ports.values()):
        yield lambda protocol: f"http://127.0.0.1:{ports['grpc' if protocol == 'grpc' else 'http']}"


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_it_takes_what_is_sent(platform, collector, protocol, compression):
    result = run(
        platform,
        f"""
        init(protocol={protocol!r}, compression={compression!r}, flush_interval_ms=60000)
        start()
        span = Span("GET /a", SERVER, text='"quoted" \\\\ \\x01 \\U0001f600', big=2**62, low=-5, ratio=0.25, yes=True)
        span.event("e", {{"n": 1}})
        child = Span("child", parent=span)
        child.exception("Oops", "it broke")
        child.end()
        span.end()
        data = {{"list": [1, "a", [True]], "map": {{"k": {{"n": -1}}}}, "double": 1e300, "least": -(2**63)}}
        export_traces(otlp.export_traces(otlp.span(trace_id(), "foreign", attrs=data)))
        write_log("hello", 17, {{"a": 1}})
        out["id"], out["flush"] = span.trace_id, flush()
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector(protocol),
    )
    assert result["flush"] == "OK" and result.stats["retries"] == 0 and result.stats["exported"] == 4
    platform.wait_for(lambda: len(platform.spans) == 3 and len(platform.logs) == 1)
    span = platform.span("GET /a")
    assert span["attributes"] == {"text": '"quoted" \\ \x01 \U0001f600', "big": 2**62, "low": -5, "ratio": 0.25, "yes": True}
    assert span["trace_id"] == result["id"] and span["kind"] == 2 and span["events"][0]["name"] == "e"
    assert platform.span("child")["parent_span_id"] == span["span_id"] and platform.span("child")["status"]["code"] == 2
    foreign = platform.span("foreign")["attributes"]
    assert foreign == {"list": [1, "a", [True]], "map": {"k": {"n": -1}}, "double": 1e300, "least": -(2**63)}
    assert platform.logs[0]["body"] == "hello" and platform.logs[0]["resource"]["service.name"] == "shop"
    assert all("libmpr" not in r.headers["user-agent"] for r in platform.of("traces", "logs"))


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_what_is_over_its_limit_is_halved(platform, collector, protocol):
    result = run(
        platform,
        f"""
        import random
        init(protocol={protocol!r}, compression="none", flush_interval_ms=60000)
        start()
        [Span(f"s{{n}}", a=random.randbytes(100).hex() + " x" * 30_000).end() for n in range(40)]
        out["flush"] = flush(10000)
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector(protocol),
    )
    assert result["flush"] == "OK" and result.stats["exported"] == 40 and result.stats["requests"] >= 3
    platform.wait_for(lambda: len(platform.spans) >= 40)
    assert sorted(s["name"] for s in platform.spans) == sorted(f"s{n}" for n in range(40))


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_what_it_cannot_pass_on_is_sent_again(platform, collector, protocol):
    """The collector's own answer when what is behind it fails for a while."""
    from platform_server import Answer

    platform.on("traces", Answer(503), Answer(503))
    result = run(
        platform,
        f"init(protocol={protocol!r}); start(); Span('kept').end(); out['flush'] = flush(10000)",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector(protocol),
    )
    assert result["flush"] == "OK" and result.stats["exported"] == 1 and result.stats["retries"] >= 1
    assert [s["name"] for s in platform.spans] == ["kept"]
