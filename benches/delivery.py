"""Spans from a program to a receiver: libmpr beside OpenTelemetry C++ and Rust. `make bench-delivery`, which builds what this
starts: the sink (benches/sink.c) and a producer for each library (benches/workload.h tells what they do).

Each run is a process of its own with a fresh sink. What counts as delivered is what the sink got, not what a library says.
Libraries take turns within a round; the tables have medians over the rounds. A run that other processes of the machine disturb
is made again. In the environment: ROUNDS=5 rounds, PARTS="cost delivery faults", PATIENCE=600 seconds for runs that are made again."""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILD = Path(sys.argv[1])
ROUNDS = int(os.environ.get("ROUNDS", "5"))
PARTS = os.environ.get("PARTS", "cost delivery faults").split()
PROGRAMS = {"libmpr": "libmpr", "C++": "otel-cpp", "Rust": "otel-rust/release/otel-rust"}
PROGRAMS = {name: BUILD / file for name, file in PROGRAMS.items() if (BUILD / file).exists()}
PEERS = ("C++", "Rust")
SPANS = {"small": 200_000, "2 x 2 KB": 50_000}
FAULTS = {
    "none": "none",
    "receiver down for 3 s": "down 3000",
    "503, five times": "503 0 5",
    "503, every other answer": "every-other-503",
    "429 with Retry-After 2, twice": "429 0 2",
    "connection reset, three times": "reset 0 3",
    "answer lost, three times": "answer-lost 0 3",
    "500 ms latency, default queue": "latency 500",
    "one request hangs for 15 s": "hang 15000 1",
}
FAULT_SPANS, FAULT_RATE = 20_001, 4_000
# What others may take of all processors during a run.
DISTURBED = 0.05
patience = float(os.environ.get("PATIENCE", "600"))
others = []  # what they took of the runs that count


class Run:
    """A producer and its sink, from start to end."""

    def __init__(self, library, sink="none", arena_mb=320, spool=False, **arguments):
        self.spans = arguments.get("spans", 0)
        self.spool = tempfile.mkdtemp(prefix="spool-", dir=BUILD) if spool else None
        sink = sink.split() + ["0"] * (3 - len(sink.split())) + [str(arena_mb)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.sink = subprocess.Popen([BUILD / "sink", *sink], **pipes)
        port = int(self.sink.stdout.readline())
        arguments |= {"endpoint": f"http://127.0.0.1:{port}/v1/traces"} | ({"spool": self.spool} if spool else {})
        words = [f"{name}={value}" for name, value in arguments.items()]
        # What a library says on standard error is not measured.
        self.producer = subprocess.Popen(
            [PROGRAMS[library], *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def result(self):
        lines = self.producer.communicate(timeout=300)[0].splitlines()
        got = json.loads(self.sink.communicate(timeout=60)[0])
        if self.spool:
            shutil.rmtree(self.spool)
        if self.producer.returncode or not lines or got["broken"]:
            sys.exit(f"{self.producer.args}: ended with {self.producer.returncode}, sink got {got}")
        said = [json.loads(line) for line in lines]
        result = {name: statistics.median(line[name] for line in said) for name in said[0]} | got
        result["lost"] = self.spans - got["spans"]
        return result


def busy():
    """Seconds that all processors together have worked, whoever for, and were taken by other machines on this hardware."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def measured(*arguments, **more):
    """A run alone, made again while others disturb it; the least disturbed one counts."""
    global patience
    runs = []
    while True:
        begin, before = time.monotonic(), busy()
        own = [sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        result = Run(*arguments, **more).result()
        own = sum(resource.getrusage(who)[0] + resource.getrusage(who)[1] for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) - sum(own)
        took = time.monotonic() - begin
        share = max(0.0, busy() - before - own) / (took * os.cpu_count())
        runs.append((share, len(runs), result))
        if share < DISTURBED or patience <= 0:
            break
        patience -= took + 3
        time.sleep(3)
    others.append(min(runs)[0])
    return min(runs)[2]


class Table:
    """Rows of samples; ratios say how many times better libmpr is, so that above 1 is better in every row."""

    def __init__(self, columns):
        self.columns = list(columns)
        self.rows, self.units = {}, {}

    def add(self, row, column, value, unit, better="less", show=None):
        self.rows.setdefault(row, {}).setdefault(column, []).append(value)
        self.units[row] = (unit, better, show)

    def text(self):
        lines = [["", *self.columns, *(f"vs {peer}" for peer in PEERS)]]
        spread = []
        for row, samples in self.rows.items():
            unit, better, show = self.units[row]
            middle = {column: statistics.median(values) for column, values in samples.items()}
            for values in samples.values():
                if len(values) >= 3 and statistics.median(values):
                    low, _, high = statistics.quantiles(values, n=4)
                    spread.append((high - low) / statistics.median(values))
            cells = [shown(middle[column], show) if column in middle else "–" for column in self.columns]
            ratios = []
            for peer in PEERS:
                ours, theirs = middle.get("libmpr"), middle.get(peer)
                if better is None or not ours or not theirs:
                    ratios.append("–")
                else:
                    ratios.append(f"{theirs / ours if better == 'less' else ours / theirs:.2f}x")
            lines.append([f"{row} ({unit})" if unit else row, *cells, *ratios])
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
        aligned = [
            [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))]
            for line in [lines[0], rule, *lines[1:]]
        ]
        out = "\n".join("| " + " | ".join(line) + " |" for line in aligned)
        if spread:
            out += f"\nHalf of the rounds lie within {statistics.median(spread):.0%} of the median's value (typical cell), {max(spread):.0%} (worst cell)."
        return out


def shown(value, show):
    return (show or ("{:,.0f}" if value >= 100 else "{:.3g}")).format(value)


def progress(text):
    print(f"  … {text}", file=sys.stderr, flush=True)


def cost():
    """What a span costs the thread that makes it."""
    table = Table(PROGRAMS)
    for number in range(ROUNDS):
        progress(f"cost, round {number + 1} of {ROUNDS}")
        for mode, large, row in (
            ("discard", 0, "span with 10 attributes, recorded"),
            ("discard", 1, "the same with 2 x 2 KB"),
            ("unrecorded", 0, "not recorded"),
        ):
            for library in PROGRAMS:
                got = measured(library, arena_mb=16, mode=mode, large=large, spans=20_000, queue=21_000, rounds=5)
                table.add(row, library, got["producer_us"], "µs")
        for library in PROGRAMS:
            got = measured(library, arena_mb=64, spans=30_000, queue=30_000, rate=10_000)
            for name, row in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")):
                table.add(f"paced 10,000/s while exporting, {row}", library, got[name], "µs")
    return table


def delivery():
    """Full speed, with a queue that holds all and with each library's default."""
    variants = [("libmpr", "libmpr", {}), ("libmpr gzip", "libmpr", {"compression": "gzip"}), ("libmpr spool", "libmpr", {"spool": True})]
    variants += [(peer, peer, {}) for peer in PEERS if peer in PROGRAMS]
    table = Table([name for name, _, _ in variants])
    for number in range(ROUNDS):
        for large, (shape, spans) in enumerate(SPANS.items()):
            for producers in (1, 4):
                progress(f"delivery, round {number + 1} of {ROUNDS}, {shape}, {producers} producers")
                what = f"{shape}, {producers} producer{'s' * (producers > 1)}"
                for column, library, more in variants:
                    got = measured(library, spans=spans, producers=producers, large=large, queue=spans, **more)
                    if got["lost"]:
                        table.add(f"{what}: lost though the queue is large enough", column, 100 * got["lost"] / spans, "%", None)
                    each = 100_000 / got["spans"]
                    table.add(f"{what}: delivered", column, got["spans"] / (got["last"] - got["begin"]), "spans/s", "more", "{:,.0f}")
                    table.add(f"{what}: CPU of the process", column, got["cpu_s"] * each, "s per 100,000")
                    table.add(f"{what}: a span on the producer's thread", column, got["producer_us"], "µs")
                    table.add(f"{what}: peak memory", column, got["peak_kb"] / 1024, "MB", "less", "{:.0f}")
                    got = measured(library, spans=spans, producers=producers, large=large, **more)
                    table.add(f"{what}, default queue: dropped", column, 100 * got["lost"] / spans, "%", None, "{:.1f}")
                    table.add(f"{what}, default queue: peak memory", column, got["peak_kb"] / 1024, "MB", "less", "{:.0f}")
    table.rows = dict(sorted(table.rows.items(), key=lambda row: "default queue" in row[0]))
    return table


def faults():
    """Spans lost of 20,001, paced; the libraries at the same time, each with its own sink."""
    columns = {"libmpr": ("libmpr", {}), "libmpr spool": ("libmpr", {"spool": True})}
    columns |= {peer: (peer, {}) for peer in PEERS if peer in PROGRAMS}
    lines = [["spans lost (+ doubled), half of them received within", *columns]]
    for fault, sink in FAULTS.items():
        progress(f"faults: {fault}")
        runs = {}
        for column, (library, more) in columns.items():
            # The peers' default queue holds half a second of this; libmpr's default is what is measured.
            queue = {} if library == "libmpr" or "default queue" in fault else {"queue": FAULT_SPANS}
            runs[column] = Run(library, sink, arena_mb=64, spans=FAULT_SPANS, rate=FAULT_RATE, gentle=1, **queue, **more)
        results = [run.result() for run in runs.values()]
        cells = [
            f"{got['lost']:,}" + (f" (+{got['doubled']:,})" if got["doubled"] else "") + f", {got['age_median']:.1f} s" for got in results
        ]
        lines.append([fault, *cells])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]])
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths))) + " |"
        for line in lines
    )


def main():
    say(
        f"libmpr beside OpenTelemetry C++ 1.19 and Rust 0.33 over OTLP/HTTP with protobuf to a local sink; {os.cpu_count()} processors, which "
        f"the sink shares; medians of {ROUNDS} rounds that take turns."
    )
    say("“vs” tells how many times better libmpr (uncompressed, as the peers send) is: above 1 it wins, in every row.")
    for peer in PEERS:
        if peer not in PROGRAMS:
            say(f"OpenTelemetry {peer} is not here: its column is missing.")
    if "cost" in PARTS:
        text = cost().text()
        say("\nProducer's thread (processor time; paced: elapsed). libmpr masks each text and queues the span encoded for a receiver that is not there;")
        say("OTel C++ makes its OTLP recordable, OTel Rust its SpanData, and both throw it away.")
        say(text)
    if "delivery" in PARTS:
        text = delivery().text()
        say(f"\nFull speed: {SPANS['small']:,} small spans (10 attributes), {SPANS['2 x 2 KB']:,} with two attributes of 2 KB more; all counted at the sink.")
        say("The queue is large enough for all, but in the rows that say default (libmpr: 32 MB; peers: 2,048 spans).")
        say(text)
    if others:
        say(
            f"Other processes took {statistics.median(others):.0%} of the processors during a typical run and {max(others):.0%} during the worst "
            f"one; {sum(share >= DISTURBED for share in others)} of {len(others)} runs had {DISTURBED:.0%} or more of it."
        )
    if "faults" in PARTS:
        text = faults()
        say(f"\nA sink that misbehaves: {FAULT_SPANS:,} spans at {FAULT_RATE:,}/s. libmpr with its default queue, the peers with room for all.")
        say(text)


def say(text):
    print(text, flush=True)


main()
