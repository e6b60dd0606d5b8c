"""OTLP over gRPC, with grpcio, which is not ours."""

import json
import socket

import grpc
import local_recorder as c
import pytest
from local_recorder import expect, run_command

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


def send(port, method, body, key="local", compression=None, metadata=()):
    with grpc.insecure_channel(f"127.0.0.1:{port}", compression=compression) as channel:
        sent = [*metadata] if key is None else [("authorization", key), *metadata]
        call = channel.unary_unary(method)
        return call.with_call(body, metadata=sent, timeout=20)


def refusal(*args, **kwargs):
    with pytest.raises(grpc.RpcError) as failed:
        send(*args, **kwargs)
    return failed.value.code().name, failed.value.details()


def span(session, name):
    return c.pb_traces(c.pb_span(c.manual(session), b"\x01" * 8, name, c.now_ns()))


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
def test_spans_and_logs(local, compression):
    session = local.start()
    answer, call = send(local.port, TRACES, span(session, "x" * 5000), compression=compression)
    assert answer == b"" and call.code() is grpc.StatusCode.OK
    assert ("mpr-stats", "1") in call.initial_metadata()
    record = c.fixed64(1, c.now_ns()) + c.field(5, c.field(1, "text")) + c.field(9, bytes.fromhex(c.manual(session)))
    send(local.port, LOGS, c.pb_logs(record), compression=compression)
    assert local.span_names(session["_id"]) == ["x" * 5000] and local.log_bodies(session["_id"]) == ["text"]
    assert local.stats["spans"]["requests"] == 1 and local.stats["logs"]["requests"] == 1


def test_refusals(local):
    session = local.start()
    good = span(session, "a")
    assert refusal(local.port, TRACES, good, key=None) == ("UNAUTHENTICATED", "missing authorization header")
    assert refusal(local.port, TRACES, good, key="Bearer x")[0] == "UNAUTHENTICATED"
    assert refusal(local.port, TRACES, good, key=c.jwt(type="OTHER"))[0] == "UNAUTHENTICATED"
    assert refusal(local.port, TRACES, b"\xff")[0] == "INTERNAL"
    short_id = c.pb_traces(c.field(1, b"\x01" * 3) + c.field(2, b"\x01" * 8))
    assert refusal(local.port, TRACES, short_id) == ("INVALID_ARGUMENT", "invalid length for TraceID")
    assert refusal(local.port, TRACES, b"\0" * 5_000_000)[0] == "RESOURCE_EXHAUSTED"
    bomb = span(session, "x" * 6_000_000)
    assert refusal(local.port, TRACES, bomb, compression=grpc.Compression.Gzip)[0] == "RESOURCE_EXHAUSTED"
    assert refusal(local.port, "/opentelemetry.proto.collector.trace.v1.TraceService/Import", good)[0] == "UNIMPLEMENTED"
    assert refusal(local.port, TRACES, good, compression=grpc.Compression.Deflate)[0] == "UNIMPLEMENTED"
    assert local.span_names(session["_id"]) == []
    refused = local.stats["spans"]["refused"]
    assert refused["16"] == 3 and refused["8"] == 2 and refused["3"] == 1


def test_metrics_are_taken_and_forgotten(local):
    send(local.port, METRICS, b"anything")
    assert local.stats["metrics"] == {"requests": 1}


def test_the_statistics_of_a_process(local):
    told = {"pid": 9, "service": "shop", "accepted": 1}
    send(local.port, TRACES, span(local.start(), "a"), metadata=[("mpr-stats", json.dumps(told))])
    [process] = expect(200, local.request("GET", "/api/processes")).json["processes"]
    assert process["stats"] == told and process["pid"] == 9


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_a_port_of_its_own(start, tmp_path):
    port = free_port()
    local = start("--grpc-port", str(port))
    session = local.start()
    send(port, TRACES, span(session, "here"))
    assert local.span_names(session["_id"]) == ["here"]
    # There is nothing else on it.
    import urllib.error
    import urllib.request
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/api/sessions", timeout=10)
    assert failed.value.code == 404
    taken = run_command("serve", "--port", "0", "--grpc-port", str(port), "--db", str(tmp_path / "x.sqlite"))
    assert taken.returncode == 1 and f"port {port} is taken" in taken.stderr
