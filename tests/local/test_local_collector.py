"""An OpenTelemetry Collector, which is not ours, passes on to the local recorder: over gRPC and over HTTP."""

import http.client
import json

import local_recorder as c
import pytest
from collectors import free_port, needs_otelcol, otelcol
from local_recorder import until

CONFIG = """
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:LISTEN"}}}}
exporters:
  otlp: {endpoint: "127.0.0.1:LOCAL", tls: {insecure: true}, headers: {authorization: local}}
  otlphttp: {endpoint: "http://127.0.0.1:LOCAL", headers: {authorization: local}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [USED]}
    logs: {receivers: [otlp], exporters: [USED]}
"""


@needs_otelcol
@pytest.mark.parametrize("exporter", ["otlp", "otlphttp"])
def test_a_collector_passes_on(local, tmp_path, exporter):
    port, config, session = free_port(), tmp_path / "config.yaml", local.start()
    config.write_text(CONFIG.replace("LISTEN", str(port)).replace("LOCAL", str(local.port)).replace("USED", exporter))
    with otelcol(config, [port]):
        for path, body in (("/v1/traces", c.traces(c.span(c.manual(session), "through"))), ("/v1/logs", c.logs(c.record(c.manual(session), "too")))):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            assert connection.getresponse().status == 200
            connection.close()
        until(lambda: local.span_names(session["_id"]) == ["through"] and local.log_bodies(session["_id"]) == ["too"], 30)
