"""How many spans a second the local recorder takes without losing any: real requests of 512 spans (as the SDKs batch them),
protobuf, several connections, counted afterwards in the session.

    python3 benches/local_intake.py build/bin/mpr-local [--requests 400] [--connections 4]

A span has eight attributes, among them a body of 300 bytes: some 700 bytes. The requests are made before the clock starts.
"""

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from otlp import field, fixed64, number_field  # noqa: E402

BATCH = 512


def attribute(key, value):
    return field(9, field(1, key) + field(2, field(1, value)))


def request(short_id, number):
    """An export of BATCH spans of a session, 16 to a trace."""
    body = json.dumps({"items": list(range(40)), "note": "x" * 150})
    attributes = b"".join(attribute(f"http.attribute.{i}", f"value {i}") for i in range(6))
    attributes += attribute("multiplayer.http.response.body", body) + attribute("http.status_code", "200")
    now, spans = time.time_ns(), []
    for i in range(BATCH):
        trace = bytes.fromhex(f"debdeb{short_id}{number:08x}{i // 16:010x}")
        spans.append(field(2, field(1, trace) + field(2, (number << 20 | i + 1).to_bytes(8, "big")) + field(5, f"GET /{i % 40}")
                     + number_field(6, 2) + fixed64(7, now) + fixed64(8, now + 1_000_000) + attributes))  # fmt: skip
    resource = field(1, field(1, field(1, "service.name") + field(2, field(1, "bench"))))
    return field(1, resource + field(2, b"".join(spans)))


def send(port, bodies, sent, errors):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": "local", "Content-Type": "application/x-protobuf"}
    for body in bodies:
        connection.request("POST", "/v1/traces", body, headers)
        reply = connection.getresponse()
        reply.read()
        if reply.status == 200:
            sent.append(BATCH)
        else:
            errors.append(reply.status)
    connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--requests", type=int, default=400, help=f"of {BATCH} spans each")
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([options.binary, "--port", "0", "--db", f"{folder}/x.sqlite"], stdout=subprocess.PIPE, text=True)
        try:
            port = int(re.search(r":(\d+)$", process.stdout.readline().strip())[1])
            def call(method, path, body=None, **headers):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request(method, path, body, {"Content-Type": "application/json", **headers})
                return json.loads(connection.getresponse().read())
            session = call("POST", "/v0/radar/debug-sessions/start", "{}", **{"X-Api-Key": "local"})
            bodies = [request(session["shortId"], n) for n in range(options.requests)]
            sent, errors = [], []
            parts = [bodies[n :: options.connections] for n in range(options.connections)]
            threads = [threading.Thread(target=send, args=(port, part, sent, errors)) for part in parts]
            began = time.monotonic()
            [t.start() for t in threads]
            [t.join() for t in threads]
            took = time.monotonic() - began
            kept = call("GET", f"/api/sessions/{session['_id']}/summary")["session"]["counts"]["spans"]
            size = os.path.getsize(f"{folder}/x.sqlite")
        finally:
            process.kill()
            process.wait()
    print(f"{sum(sent)} spans in {took:.2f} s: {sum(sent) / took:,.0f} spans/s, {sum(map(len, bodies)) / took / 1e6:.1f} MB/s, "
          f"{options.connections} connections; {kept} kept, {sum(sent) - kept} lost, {len(errors)} refused; database {size / 1e6:.0f} MB")  # fmt: skip
    return 0 if kept == sum(sent) and not errors else 1


if __name__ == "__main__":
    sys.exit(main())
