"""Receivers that are not ours: a real OpenTelemetry Collector, and Rotel, another collector, in Rust.

    with otelcol(config, {"http": port}, AGENT_PORT=str(port)) as process: …     # config: a path; the rest its environment
    with rotel(sink_url) as url: …                                              # url("grpc"), url("http/json")

The Collector is that of MPR_OTELCOL, else the one that `make otelcol` built, else `otelcol` of the PATH. `OTELCOL` is its path, or None:
tests mark themselves with `needs_otelcol` and `needs_rotel`, which say what is missing.
"""

import contextlib
import ctypes
import importlib.util
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from environment import clean_env

_BUILT = Path(os.environ.get("MPR_BUILD") or Path(__file__).resolve().parents[2] / "build") / "otelcol"


def _find_otelcol():
    given = os.environ.get("MPR_OTELCOL")
    if given:
        assert shutil.which(given), f"MPR_OTELCOL={given} is not a program"
        return given
    built = _BUILT / "otelcol"
    return str(built) if built.exists() else shutil.which("otelcol") or shutil.which("otelcol-contrib")


def _why_no_otelcol():
    why = _BUILT / "missing"
    return why.read_text().strip() if why.exists() else "no OpenTelemetry Collector: `make otelcol` builds one, MPR_OTELCOL names one"


def _find_rotel():
    """(path, None) or (None, why not)"""
    package = importlib.util.find_spec("rotel")
    if not package:
        return None, "Rotel is not installed (tests/requirements.txt)"
    program = Path(package.origin).with_name("rotel-agent")
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    return (program, None) if done.returncode == 0 else (None, f"Rotel does not start: {done.stderr.strip()}")


OTELCOL = _find_otelcol()
ROTEL, _why_no_rotel = _find_rotel()
needs_otelcol = pytest.mark.skipif(not OTELCOL, reason=_why_no_otelcol())
needs_rotel = pytest.mark.skipif(not ROTEL, reason=_why_no_rotel or "")


_given = set()


def free_port():
    """A port that is free on all addresses, to be named in a configuration. It is none of those that the system gives to outgoing
    connections, any of which could take it before the collector does, and none that was given before."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, max(first, 20_000))
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("", port))
            if port not in _given:
                _given.add(port)
                return port


_libc = ctypes.CDLL(None)


def _with_its_parent():
    """In the child: PR_SET_PDEATHSIG, so that it ends with the test run, however that ends."""
    _libc.prctl(1, 9)


@contextlib.contextmanager
def _running(command, listening, env):
    """The process, once it listens on all of (host, port); ended afterwards."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env, preexec_fn=_with_its_parent)
        try:
            deadline = time.monotonic() + 30
            for address in listening:
                while True:
                    try:
                        socket.create_connection(address).close()
                        break
                    except OSError:
                        log.seek(0)
                        assert process.poll() is None and time.monotonic() < deadline, log.read()
                        time.sleep(0.02)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def otelcol(config, ports, host="127.0.0.1", **env):
    """A Collector with this configuration, which listens on these ports."""
    listening = [(host, port) for port in ports]
    return _running([OTELCOL, "--config", str(config)], listening, clean_env(**env))


@contextlib.contextmanager
def rotel(sink, protocol="http", **env):
    """Rotel, which passes everything on to the receiver at `sink`, by OTLP over http or grpc. Gives url(protocol)."""
    ports = {"grpc": free_port(), "http": free_port()}
    with tempfile.TemporaryDirectory() as folder:
        options = {
            "pid-file": f"{folder}/pid", "otlp-grpc-endpoint": f"127.0.0.1:{ports['grpc']}",
            "otlp-http-endpoint": f"127.0.0.1:{ports['http']}", "batch-timeout": "50ms", "exporter": "otlp",
            "otlp-exporter-endpoint": sink, "otlp-exporter-protocol": protocol,
            "otlp-exporter-retry-initial-backoff": "100ms",
        }  # fmt: skip
        command = [str(ROTEL), "start", *(f"--{name}={value}" for name, value in options.items())]
        with _running(command, [("127.0.0.1", port) for port in ports.values()], clean_env(**env)):
            yield lambda name: f"http://127.0.0.1:{ports['grpc' if name == 'grpc' else 'http']}"
