"""The Python package of the source tree, for tests that start programs with it. (Not in conftest.py, of which each folder has
one: `import conftest` is the first that was collected.)"""

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "bindings" / "python"
BUILD = Path(os.environ.get("MPR_BUILD") or ROOT / "build").resolve()


def python_env(build, to=None, **environment):
    """The environment of a Python program that uses the package of the source tree, and records into `to`."""
    ours = re.compile("OTEL_|MULTIPLAYER_|MPR_|SSL_CERT_|.*_PROXY$", re.IGNORECASE)
    env = {name: value for name, value in os.environ.items() if not ours.match(name)}
    env.update(
        PYTHONPATH=str(PACKAGE),
        # Compiled once for all these processes, and not into the tree.
        PYTHONPYCACHEPREFIX=str(BUILD / "pycache"),
        PYTHONFAULTHANDLER="1",
        # From 3.12 on Python warns of any fork of a process with threads, and the library has one.
        PYTHONWARNINGS="ignore:This process:DeprecationWarning",
        MPR_LIBRARY=str(build / "lib" / "libmpr.so.0"),
    )
    if to is not None:
        base = getattr(to, "url", None) or to.base
        env.update(
            MULTIPLAYER_API_KEY="local",
            MULTIPLAYER_BASE_API_URL=base,
            OTEL_EXPORTER_OTLP_ENDPOINT=base,
            OTEL_SERVICE_NAME="shop",
        )
    env.update(environment)
    return env


# The OpenTelemetry of tests/requirements.txt, and the oldest that the package takes.
OLDEST = ROOT / ".venv" / "oldest" / "bin" / "python"
