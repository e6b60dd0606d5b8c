"""Environments for the programs under test."""

import os
import re
import sys
from pathlib import Path

_BUILD = Path(os.environ.get("MPR_BUILD") or Path(__file__).resolve().parents[2] / "build").resolve()
#: ThreadSanitizer's runtime, when the build is one for it (tools/tsan.sh); else None.
TSAN = _BUILD / "runtime.a" if (_BUILD / "runtime.a").exists() else None
#: The interpreter for what loads the library.
PYTHON = str(_BUILD / "python" / "bin" / "python") if TSAN else sys.executable


def clean_env(**more):
    """The environment without anything that the library reads."""
    ours = re.compile(r"OTEL_|MULTIPLAYER_|MPR_LOG$|MPR_EXIT_TIMEOUT_MS$|SSL_CERT_|(HTTPS?|NO|ALL)_PROXY$", re.IGNORECASE)
    return {**{k: v for k, v in os.environ.items() if not ours.match(k)}, **more}


def recorder_env(url, key="test-key", **more):
    """For a program whose mpr_init(NULL) shall use the platform, fake platform or local recorder at `url`."""
    env = clean_env(
        MULTIPLAYER_API_KEY=key,
        MULTIPLAYER_BASE_API_URL=url,
        OTEL_EXPORTER_OTLP_ENDPOINT=url,
        OTEL_SERVICE_NAME="shop",
    )
    return {**env, **more}
