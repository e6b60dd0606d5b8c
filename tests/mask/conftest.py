"""The library is turned on once for the folder; what it said meanwhile is searched at the end of every test."""

import mask_helpers
import pytest


@pytest.fixture(scope="session", autouse=True)
def recorder():
    mask_helpers.init()
    yield
    mask_helpers.lib.mpr_shutdown(2000)


@pytest.fixture(autouse=True)
def says_nothing(recorder):
    """No secret in a log line or a message, and no defect caught inside, whatever the test did."""
    before = len(mask_helpers.log_lines)
    yield
    mask_helpers.no_leak(b"\n".join(mask_helpers.log_lines[before:]), "log callback")
    mask_helpers.no_leak(mask_helpers.last_error(), "last error")
    assert mask_helpers.stats()["panics"] == 0
