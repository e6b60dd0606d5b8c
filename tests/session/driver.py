"""Runs scenarios: snippets of Python that drive it, each in a process of its own (the recorder is process-wide).

    result = run(platform, '''
        init()
        out["start"] = start(MANUAL, {"name": "first"})
    ''')
    assert result["start"] == "OK"

The snippet's helpers are in scenario.py. After every scenario is checked, here or there: nothing on stderr, no panic,
the API key in no message and no log line, and accepted = exported + dropped + queued.
"""

import json
import os
import queue
import subprocess
import textwrap
import threading
from pathlib import Path

from environment import PYTHON

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("MPR_BUILD") or ROOT / "build").resolve()
KEY = "key-5f3a9c-never-to-be-seen"
_PATH = [ROOT / "bindings" / "python", ROOT / "tests" / "support"]


class Result(dict):
    """What the snippet put into `out`, with the library's log lines and messages and the last numbers."""

    def __init__(self, line):
        super().__init__(line["out"])
        self.stats, self.messages = line["stats"], line["messages"]
        self.log = [text for _, text in line["log"]]


class Running:
    """A scenario under way."""

    def __init__(self, platform, code, key=KEY, **env):
        env = platform.env(key=key, MPR_LIBRARY=str(BUILD / "lib" / "libmpr.so"), **env)
        env["PYTHONPATH"] = os.pathsep.join(map(str, _PATH))
        command = [PYTHON, str(Path(__file__).with_name("scenario.py")), textwrap.dedent(code)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.key, self._said, self._seen = key, queue.Queue(), []
        self._process = subprocess.Popen(command, env=env, text=True, **pipes)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            self._said.put(line)
        self._said.put(None)

    def _next(self, seconds):
        try:
            line = self._said.get(timeout=seconds)
        except queue.Empty:
            self._process.kill()
            raise AssertionError(f"the scenario says nothing for {seconds} s; it said {self._seen}") from None
        if line is None:
            raise AssertionError(f"the scenario ended with {self._process.wait()}: {self._process.stderr.read()}")
        self._seen.append(line)
        line = json.loads(line)
        if line.get("failed"):
            raise AssertionError(f"in the scenario: {line['failed']}\nlog: {line['log']}\nmessages: {line['messages']}")
        return line

    def wait_for(self, word, seconds=20):
        """Waits until the snippet tells this word; what it told with it."""
        line = self._next(seconds)
        assert line.get("tell") == word, f"{word!r} expected: {line}"
        return line

    def go(self):
        """Lets the snippet go on from its pause()."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def result(self, seconds=60):
        line = self._next(seconds)
        assert "out" in line, f"the end expected: {line}"
        status = self._process.wait(seconds)
        errors = self._process.stderr.read()
        assert (status, errors) == (0, "")
        # A key that is a common word (the local recorder takes any) may stand in the library's own words.
        shown = len(self.key) > 8 and self.key in "".join(self._seen)
        assert not shown, "the API key is in a message, a log line or a result"
        return Result(line)


def launch(platform, code, **env):
    return Running(platform, code, **env)


def run(platform, code, **env):
    return Running(platform, code, **env).result()
