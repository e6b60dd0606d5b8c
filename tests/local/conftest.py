"""Fixtures for the tests of the local recorder."""

import pytest
from local_recorder import start_local


@pytest.fixture
def start(tmp_path):
    """Starts recorders and ends them with the test."""
    running = []

    def start_one(*args):
        running.append(start_local(tmp_path, *args))
        return running[-1]

    yield start_one
    for one in running:
        one.process.kill()
        one.process.wait()


@pytest.fixture
def local(start):
    """A recorder with a database of its own."""
    return start()
