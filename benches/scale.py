"""What a span costs on its way to the platform: in the process that records it, in an agent, in a gateway (docs/scale/*.yaml, run by
a real OpenTelemetry Collector), in CPU and in bytes. `make bench-scale`. The platform is a server that reads and answers 200;
it is not in the figures, but shares the machine with all else."""

import contextlib
import http.server
import json
import multiprocessing
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from collectors import OTELCOL, free_port, otelcol  # noqa: E402
from environment import recorder_env  # noqa: E402

BUILD = Path(os.environ.get("MPR_BUILD") or ROOT / "build")
PROCESSES = 4
TICK = os.sysconf("SC_CLK_TCK")


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        size = int(self.headers.get("Content-Length") or 0)
        left = size
        while left and (piece := self.rfile.read(min(left, 1 << 20))):
            left -= len(piece)
        answer = b""
        if self.path.startswith("/v1/"):
            with self.server.counts.get_lock():
                self.server.counts[0] += 1
                self.server.counts[1] += size
        else:
            ids = {"_id": secrets.token_hex(12), "shortId": secrets.token_hex(4)}
            answer = json.dumps({**ids, "sessionType": "MANUAL", "name": "bench", "url": ""}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PATCH = do_POST

    def log_message(self, *_):
        pass


def serve(port, counts):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Sink)
    server.counts = counts
    server.serve_forever()


class Usage:
    """CPU seconds and bytes read and written by a process between two looks."""

    def __init__(self, process):
        self.pid = process.pid
        self.cpu, self.read, self.written = self.look()

    def look(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        io = dict(line.split(": ") for line in Path(f"/proc/{self.pid}/io").read_text().splitlines())
        return (int(fields[11]) + int(fields[12])) / TICK, int(io["rchar"]), int(io["wchar"])

    def since(self):
        return [after - before for after, before in zip(self.look(), (self.cpu, self.read, self.written))]

    def peak_mb(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def produce(platform, port, protocol, compression, spans, large):
    """Several processes at once; (spans, seconds, their CPU, their requests)."""
    otlp = {"ENDPOINT": f"http://127.0.0.1:{port}", "PROTOCOL": protocol, "COMPRESSION": compression}
    env = recorder_env(f"http://127.0.0.1:{platform}", **{f"OTEL_EXPORTER_OTLP_{name}": value for name, value in otlp.items()})
    command = [BUILD / "benches" / "scale", str(spans // PROCESSES), str(int(large))]
    begin = time.monotonic()
    running = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    results = [json.loads(process.communicate()[0]) for process in running]
    assert all(one["flushed"] == 0 for one in results), results
    total = lambda field: sum(one[field] for one in results)
    assert total("exported") == spans, results
    return total("exported"), time.monotonic() - begin, total("cpu"), total("requests")


def measure(tiers, protocol, compression, large, port, counts):
    spans = 40_000 if large else 200_000
    with contextlib.ExitStack() as stack:
        target, watched = port, {}
        if tiers:
            gateway, ports = free_port(), [free_port() for _ in range(4)]
            watched["gateway"] = stack.enter_context(
                otelcol(
                    ROOT / "docs/scale/gateway.yaml", [gateway], LISTEN=f"127.0.0.1:{gateway}", MEMORY_MIB="4096",
                    MULTIPLAYER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", MULTIPLAYER_OTLP_KEY="key",
                )
            )  # fmt: skip
            names = ["SESSIONS_GRPC_PORT", "SESSIONS_HTTP_PORT", "REST_GRPC_PORT", "REST_HTTP_PORT"]
            env = {"GATEWAYS": f"127.0.0.1:{gateway}", "REST_ENDPOINT": "http://127.0.0.1:9", "MEMORY_MIB": "4096"}
            env.update(zip(names, map(str, ports)))
            watched["agent"] = stack.enter_context(otelcol(ROOT / "docs/scale/agent.yaml", ports, **env))
            target = ports[0 if protocol == "grpc" else 1]
        produce(port, target, protocol, compression, spans // 10, large)  # warm
        before = list(counts)
        usage = {name: Usage(process) for name, process in watched.items()}
        spans, seconds, cpu, requests = produce(port, target, protocol, compression, spans, large)
        used = {name: one.since() for name, one in usage.items()}
        peak = {name: one.peak_mb() for name, one in usage.items()}
    got, wire = counts[0] - before[0], counts[1] - before[1]
    per = 1e5 / spans
    row = [f"{protocol}, {compression}", "agent, gateway" if tiers else "direct", "with bodies" if large else "small"]
    row += [f"{spans / seconds:,.0f}", f"{cpu * per:.2f}"]
    for name in ("agent", "gateway"):
        row += [f"{used[name][0] * per:.2f} ({peak[name]:.0f} MB)" if tiers else ""]
    first = used["agent"][1] / spans if tiers else wire / spans
    row += [f"{first:.0f}", f"{used['gateway'][1] / spans:.0f}" if tiers else "", f"{wire / spans:.0f}", f"{requests} → {got}"]
    print("| " + " | ".join(row) + " |", flush=True)


def main():
    assert OTELCOL, "no OpenTelemetry Collector: make otelcol"
    port, counts = free_port(), multiprocessing.Array("q", [0, 0])
    sink = multiprocessing.Process(target=serve, args=(port, counts), daemon=True)
    sink.start()
    time.sleep(0.5)
    head = ["libmpr sends", "by", "spans", "spans/s", "CPU s for 100,000: process", "agent", "gateway"]
    head += ["bytes a span: from the process", "to the gateway", "to the platform", "requests: processes → platform"]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for large in (False, True):
        for tiers, protocol, compression in (
            (False, "http/protobuf", "gzip"),
            (True, "http/protobuf", "gzip"),
            (True, "http/protobuf", "none"),
            (True, "grpc", "none"),
            (True, "http/json", "none"),
        ):
            measure(tiers, protocol, compression, large, port, counts)
    sink.terminate()


if __name__ == "__main__":
    main()
