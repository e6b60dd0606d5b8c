"""Fixtures for the tests of the Python binding. `local`, `platform` and `build` come from tests/conftest.py.

The recorder is one per process, so each test that turns it on runs a script in a process of its own."""

import json
import subprocess
import sys
import textwrap

import pytest

from python_package import OLDEST, python_env

PRELUDE = """\
import ctypes, gc, json, os, sys, threading, time, weakref
from multiplayer.session_recorder import (
    PayloadKind, SessionRecorder, SessionRecorderError, SessionType, Severity, Span, SpanKind, SpanStatus, session_recorder,
)
from multiplayer.session_recorder._native import *

def tell(**values):
    print(json.dumps(values), flush=True)

def raw_stats():
    numbers = mpr_stats()
    check(lib.mpr_get_stats(numbers))
    return {name: getattr(numbers, name) for name, _ in numbers._fields_}

def nothing_lost(stats):
    dropped = sum(n for name, n in stats.items() if name.startswith("dropped_"))
    return stats["accepted"] == stats["exported"] and dropped == 0 and stats["queued"] == 0 and stats["panics"] == 0
"""


@pytest.fixture(params=["current", "oldest"])
def python(request):
    """A Python with each OpenTelemetry."""
    if request.param == "oldest" and not OLDEST.exists():
        pytest.skip("the venv with the oldest OpenTelemetry is not there: make venv")
    return OLDEST if request.param == "oldest" else sys.executable


@pytest.fixture
def run_python(build, tmp_path):
    """run_python(script, *args, to=None, status=0, silent=True, python=None, **environment) → what the script gave to tell().

    `to` is a local recorder or a fake platform that the environment names. Fails the test unless the process ends with
    `status` and, when `silent`, writes nothing to stderr: the library never prints."""

    def run(script, *args, to=None, status=0, silent=True, timeout=90, python=None, **environment):
        env = python_env(build, to, **environment)
        program = tmp_path / "program.py"
        program.write_text(PRELUDE + textwrap.dedent(script))
        done = subprocess.run(
            [str(python or sys.executable), str(program), *map(str, args)],
            env=env, cwd=tmp_path, capture_output=True, text=True, timeout=timeout,
        )
        said = f"status {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
        assert done.returncode == status, said
        assert not silent or not done.stderr, said
        told = {}
        for line in done.stdout.splitlines():
            told.update(json.loads(line))
        told["stderr"] = done.stderr
        return told

    return run


class Recorded:
    """One session as the local recorder has it."""

    def __init__(self, local, id):
        everything = local.session(id)
        self.session, self.spans, self.logs = everything["session"], everything["spans"], everything["logs"]

    def span(self, name):
        found = [s for s in self.spans if s["name"] == name]
        assert len(found) == 1, f"{len(found)} spans named {name!r} among {[s['name'] for s in self.spans]}"
        return found[0]


@pytest.fixture
def recorded(local):
    """recorded() → the one session of the local recorder; recorded(kind="saved") → the one of that kind."""

    def read(**wanted):
        sessions = local.request("GET", "/api/sessions").json["sessions"]
        found = [s for s in sessions if all(s.get(key) == value for key, value in wanted.items())]
        assert len(found) == 1, sessions
        return Recorded(local, found[0]["_id"])

    return read
