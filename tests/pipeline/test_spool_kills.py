"""Processes with a spool are killed at random moments: whatever they had told to be safe arrives, whole.

MPR_KILLS sets how many (`make spool-torture`)."""

import json
import os
import random
import shutil
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pytest
from driver import run
from environment import clean_env
from platform_server import Answer, PlatformServer

HERE = Path(__file__).parent
KILLS = int(os.environ.get("MPR_KILLS") or 200)
AT_ONCE = 3


@pytest.fixture(scope="module")
def victim(compile_c):
    return compile_c(HERE / "spool_victim.c", flags=[f"-I{HERE.parent / 'abi'}"])


class Killer(threading.Thread):
    """Starts victims and kills them, some ms after they first told that something is safe."""

    def __init__(self, victim, options, name, kills, longest_ms):
        super().__init__()
        self.command, self.name_, self.kills = [str(victim), json.dumps(options)], name, kills
        self.longest_ms, self.random = longest_ms, random.Random(name)
        self.safe, self.failed = set(), None
        self.start()

    def run(self):
        try:
            for kill in range(self.kills):
                self._one(f"{self.name_}{kill}")
        except BaseException as e:  # noqa: B036 (told in the test's thread)
            self.failed = e

    def _one(self, run):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen([*self.command, run], env=clean_env(), **pipes)
        timer = threading.Timer(20, process.kill)
        timer.start()
        # Some die before they have told anything.
        first = b"" if self.random.random() < 0.2 else process.stdout.readline()
        pause = threading.Timer(self.random.uniform(0, self.longest_ms / 1000), process.kill)
        pause.start()
        told = first + process.stdout.read()
        timer.cancel(), pause.cancel()
        assert (process.wait(), process.stderr.read()) == (-9, b""), run
        # The last line may be half written.
        safe = [int(line) for line in told.split(b"\n")[:-1]]
        self.safe.update(f"{run}-{n}" for n in range(max(safe, default=0)))


def checked(spans):
    """How often each span came; every one is whole."""
    for span in spans:
        sum = 2166136261
        for byte in span["name"].encode():
            sum = (sum ^ byte) * 16777619 % 2**32
        attributes = span["attributes"]
        assert attributes["sum"] == sum and set(attributes["padding"]) <= {"x"}, span["name"]
        assert span["resource"]["service.name"] == "victim"
    return Counter(span["name"] for span in spans)


def kill_all(victim, options, kills, longest_ms):
    killers = [Killer(victim, options, f"k{n}-", kills // AT_ONCE + 1, longest_ms) for n in range(AT_ONCE)]
    for killer in killers:
        killer.join()
    for killer in killers:
        if killer.failed:
            raise killer.failed
    return set().union(*(killer.safe for killer in killers))


def drain(platform, spool, base):
    """The last process finds what is left."""
    result = run(
        platform,
        f"""
        init(spool_dir={str(spool)!r}, sample_ratio=1, queue_max_bytes=1 << 20, api_base_url={base!r})
        import pathlib
        files = lambda: list(pathlib.Path({str(spool)!r}).glob("*.spool"))
        wait_until(lambda: not files() and flush() == "OK", 60)
        out["end"] = stats()
        """,
        OTEL_SERVICE_NAME="other",
    )
    assert not list(spool.glob("*.spool")), "nothing is left"
    return result["end"]


def options(endpoint, spool):
    return {
        "api_key": "key-5f3a9c-never-to-be-seen",
        "api_base_url": endpoint,
        "traces_endpoint": f"{endpoint}/v1/traces",
        "service_name": "victim",
        "spool_dir": str(spool),
        "sample_ratio": 1,
        "flush_interval_ms": 10,
        "timeout_ms": 1000,
    }


@pytest.mark.slow
def test_killed_while_nobody_answers(victim, tmp_path, platform):
    """Each process takes over what the ones before have left, and is killed in the middle of that, too."""
    platform.always("traces", Answer(503))
    safe = kill_all(victim, options(platform.url, tmp_path / "spool"), KILLS // 2, longest_ms=60)
    assert len(safe) > KILLS, "something was recorded"
    # Another one: a request of a process that is dead may still be waiting there for its answer.
    with PlatformServer() as receiver:
        end = drain(receiver, tmp_path / "spool", base=platform.url)
        came = checked(receiver.spans)
    assert not safe - set(came)
    assert set(came.values()) == {1}, "nothing was delivered before, so nothing comes twice"
    assert end["recovered"] == len(came) == end["exported"] and end["dropped_spool"] == 0
    shutil.rmtree(tmp_path / "spool")


@pytest.mark.slow
def test_killed_while_a_receiver_answers_now_and_then(victim, tmp_path, platform):
    """At least once: a process that dies between the receiver's answer and the note of it has sent in vain."""
    dice, script = random.Random(5), []
    for _ in range(100 * KILLS):
        script.append(dice.choice([None, Answer(503), Answer(429)]) if dice.random() < 0.5 else None)
    platform.on("traces", *(answer or Answer(200) for answer in script))
    safe = kill_all(victim, options(platform.url, tmp_path / "spool"), KILLS // 2, longest_ms=60)
    platform._scripts.clear()
    drain(platform, tmp_path / "spool", base=platform.url)
    came = checked(platform.spans)
    assert not safe - set(came)
    twice = sum(count - 1 for count in came.values())
    print(f"{len(came)} spans, {twice} came again")
    assert twice < len(came), "most of what is delivered is not sent again"
