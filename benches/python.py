"""The Python package beside the published one (multiplayer-session-recorder 1.0.6), each in a venv of its own with the same
OpenTelemetry, Flask and Django: what becomes of the same programs, CPU per request, import time and memory. `make bench-python`,
which makes the venvs; benches/python_app.py is what runs in them.

The processes take turns; the tables have medians over ROUNDS=7 rounds of REQUESTS=2000 requests. CPU is that of all threads
of the process until all spans are delivered (ours go to a local recorder, the published package's exporter delivers none); of the
thread that answers it is the tenth percentile of blocks of 50 requests, since the machine may be shared.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD = Path(sys.argv[1])
ROOT = Path(__file__).resolve().parent.parent
os.environ["MPR_LOCAL_BIN"] = str(BUILD / "bin" / "mpr-local")
sys.path.insert(0, str(ROOT / "tests" / "support"))

from environment import recorder_env  # noqa: E402
from local_recorder import start_local  # noqa: E402

ROUNDS, REQUESTS = int(os.environ.get("ROUNDS", "7")), os.environ.get("REQUESTS", "2000")
VENVS = {"ours": BUILD / "benches" / "python" / "ours", "peer": BUILD / "benches" / "python" / "peer"}
APP = ROOT / "benches" / "python_app.py"


def run(which, local, *arguments):
    """What the process said, or its last line of error."""
    env = recorder_env(local.base, "local", PYTHONWARNINGS="ignore", MULTIPLAYER_OTLP_KEY="local")
    env.pop("PYTHONPATH", None)
    env.pop("MPR_LIBRARY", None)
    done = subprocess.run([VENVS[which] / "bin" / "python", APP, *arguments], env=env, capture_output=True, text=True, timeout=300)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["?"])[-1][:90]}
    return json.loads(done.stdout.splitlines()[-1])


def fresh(call):
    """call(local) with a local recorder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        local = start_local(folder)
        try:
            return call(local)
        finally:
            local.process.kill()
            local.process.wait()


def spans(local):
    sessions = local.request("GET", "/api/sessions").json["sessions"]
    return sum(len(local.session(s["_id"])["spans"]) for s in sessions)


def behaviour():
    print("What becomes of the same program\n")
    print("| | published 1.0.6 | ours |\n|---|---|---|")

    def row(title, case, tell):
        cells = []
        for which in ("peer", "ours"):
            def one(local):
                said = run(which, local, "behave", case)
                return tell(said, local) if "failed" not in said else "fails: " + said["failed"]

            cells.append(fresh(one))
        print("| %s | %s | %s |" % (title, *cells), flush=True)

    row("Flask, 100 requests in a session: errors / spans at the receiver", "requests", lambda s, l: "%d / %d" % (s["errors"], spans(l)))
    row("a continuous session", "continuous", lambda s, l: "starts")
    row("bodies with a password that leave as they came", "leaks", lambda s, l: "%d of %d%s" % (len(s["leaks"]), s["bodies"], (": " + ", ".join(s["leaks"])) if s["leaks"] else ""))
    row("the attribute of the headers", "leaks", lambda s, l: "JSON" if s["headers_are_json"] else "not JSON")
    row("a Flask view that reads its upload as a stream, of 100,000 bytes", "upload", lambda s, l: "reads {:,}".format(s["read"]))
    row("Django, isMaskHeadersEnabled=False", "headers_unmasked", lambda s, l: "answers %d" % s["status"])
    row("Django under ASGI", "asgi", lambda s, l: "answers %d" % s["status"])
    row("another exporter, wrapped: ordinary spans that come through", "wrapper", lambda s, l: "%d of %d" % (s["through"], s["ordinary"]))
    print()


def costs(local):
    wanted = [("ours", "bare"), ("ours", "otel"), ("ours", "session"), ("ours", "otlp"), ("ours", "captured"), ("ours", "ordinary"), ("peer", "session"), ("peer", "captured"), ("peer", "otel"), ("peer", "ordinary")]
    for framework in ("flask", "django"):
        taken = {key: [] for key in wanted}
        for _ in range(ROUNDS):
            for key in wanted:
                said = run(key[0], local, "cost", framework, key[1], REQUESTS)
                if "failed" in said:
                    raise SystemExit("%s %s: %s" % (*key, said["failed"]))
                taken[key].append(said["cpu_us"])
        # Beside each other within a round, so that what slows a round down does not count.
        def over(a, b):
            return statistics.median(x - y for x, y in zip(taken[a], taken[b]))

        middle = {key: statistics.median(values) for key, values in taken.items()}
        ours, peer = over(("ours", "captured"), ("ours", "session")), over(("peer", "captured"), ("peer", "session"))
        print("%s: CPU per request, us (%d rounds of %s requests, POST 2 KB, answer 2 KB)\n" % (framework.capitalize(), ROUNDS, REQUESTS))
        print("| | us |\n|---|---|")
        print("| the application alone | %.0f |" % middle["ours", "bare"])
        print("| OpenTelemetry on top, spans recorded and exported nowhere | %+.0f |" % over(("ours", "session"), ("ours", "bare")))
        print("| and with its own OTLP exporter, delivered without content | %+.0f |" % over(("ours", "otlp"), ("ours", "session")))
        print("| published 1.0.6 on top of OpenTelemetry: content, no delivery | %+.0f |" % peer)
        print("| ours on top of OpenTelemetry: content, masked and delivered | **%+.0f** (%.2f of the published) |" % (ours, ours / peer))
        print("| ordinary trace, published on top | %+.1f |" % over(("peer", "ordinary"), ("peer", "otel")))
        print("| ordinary trace, ours on top | %+.1f |" % over(("ours", "ordinary"), ("ours", "otel")))
        print(flush=True)


def imports(local):
    print("Import of what an application imports, above OpenTelemetry's SDK\n\n| | ms | MB |\n|---|---|---|")
    for which, name in (("peer", "published 1.0.6"), ("ours", "ours")):
        said = [run(which, local, "import") for _ in range(max(ROUNDS, 5) + 2)]
        print("| %s | %.0f | %.1f |" % (name, statistics.median(s["ms"] for s in said), statistics.median(s["mb"] for s in said)))
    print(flush=True)


if __name__ == "__main__":
    parts = os.environ.get("PARTS", "behaviour import cost").split()
    if "behaviour" in parts:
        behaviour()
    if "import" in parts:
        fresh(imports)
    if "cost" in parts:
        fresh(costs)
