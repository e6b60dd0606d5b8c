"""A program of somebody who uses the library as it is installed or packaged, and how it is judged."""

import os
import re
import subprocess

import pytest

# Records a span into the session that the environment leads to, so that all of the library is linked and works.
PROGRAM = r"""
#include <mpr.h>
#include <stdio.h>

int main(void) {
    if (mpr_abi_version() < MPR_ABI_VERSION)
        return 3;
    mpr_status status = mpr_init(NULL);
    if (status == MPR_OK)
        status = mpr_start(MPR_SESSION_MANUAL, "{\"name\": \"consumer\"}");
    if (status != MPR_OK) {
        fprintf(stderr, "%s: %s\n", mpr_status_name(status), mpr_last_error());
        return 1;
    }
    mpr_span_end(mpr_span_begin("linked", MPR_SPAN_KIND_INTERNAL, NULL));
    status = mpr_stop(NULL);
    printf("libmpr %s\n", mpr_version());
    return status == MPR_OK && mpr_shutdown(5000) == MPR_OK ? 0 : 1;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.13)
project(consumer LANGUAGES {language})
find_package(mpr 0.1 REQUIRED)
add_executable(shared app.{suffix})
target_link_libraries(shared PRIVATE mpr::mpr)
add_executable(static app.{suffix})
target_link_libraries(static PRIVATE mpr::mpr_static)
"""


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def works(local):
    """works(program, shared=…): it runs, records, and needs libmpr.so or not."""
    seen = set()

    def check(program, shared, **env):
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program))
        assert ("libmpr.so.0" in needed) == shared
        said = run(program, env=environment(local.base, **env))
        assert re.fullmatch(r"libmpr \d+\.\d+\.\d+\n", said)
        [new] = {session["_id"] for session in local.request("GET", "/api/sessions").json["sessions"]} - seen
        seen.add(new)
        assert local.span_names(new) == ["linked"]

    return check


def environment(url, **more):
    ours = re.compile(r"OTEL_|MULTIPLAYER_|MPR_LOG$|LD_|(HTTPS?|ALL|NO)_PROXY$", re.IGNORECASE)
    clean = {name: value for name, value in os.environ.items() if not ours.match(name)}
    ours = {"MULTIPLAYER_API_KEY": "local", "MULTIPLAYER_BASE_API_URL": url, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
    return {**clean, **ours, **more}
