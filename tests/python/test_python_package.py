"""The wheel and the source distribution as users get them: built, installed where there is no compiler, typed."""

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from python_package import ROOT, python_env

SOURCE = ROOT / "bindings" / "python"


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(build, tmp_path_factory):
    """(wheel, sdist), from a copy of the sources: the build leaves nothing in the tree."""
    source, out = tmp_path_factory.mktemp("source") / "python", tmp_path_factory.mktemp("dist")
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", ".mypy_cache"))
    notices = tmp_path_factory.mktemp("notices") / "notices"
    notices.write_text(run(sys.executable, ROOT / "tools" / "licences.py", "--texts", "mpr", cwd=ROOT))
    env = {**os.environ, "MPR_LIBRARY": str(build / "lib" / "libmpr.so"), "MPR_NOTICES": str(notices)}
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", out, source, env=env)
    run(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", out, source, env=env)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def clean_venv(folder, *packages):
    """A venv with these packages, and what they depend on from the tests' own venv (no registry is asked)."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    # No compiler is found.
    env = {"PATH": str(folder / "bin"), "HOME": str(folder)}
    for package in packages:
        run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", "--disable-pip-version-check", package, env=env)  # fmt: skip
    return python


def test_wheel_in_a_clean_venv(built, build, local, tmp_path):
    wheel, _ = built
    # The tag is that of the newest symbol of glibc, as binutils tell it.
    symbols = run("objdump", "-T", build / "lib" / "libmpr.so")
    newest = max(tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_(\d+\.\d+)", symbols))
    assert wheel.name == "multiplayer_session_recorder-2.0.0-py3-none-manylinux_%d_%d_x86_64.whl" % newest

    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        notices = file.read("multiplayer/session_recorder/THIRD-PARTY-LICENSES").decode()
        told = Parser().parsestr(file.read(metadata).decode())
    assert "multiplayer/session_recorder/libmpr.so.0" in names and "multiplayer/__init__.py" not in names
    assert {"multiplayer/session_recorder/py.typed", "multiplayer_session_recorder/py.typed"} <= set(names)
    assert all(part in notices for part in ("ring ", "zstd-sys ", "the Rust standard library "))
    assert any(name.endswith("licenses/LICENSE") for name in names)
    needed = [one for one in told.get_all("Requires-Dist") if "extra ==" not in one]
    assert sorted(re.match("[a-z-]+", one)[0] for one in needed) == ["opentelemetry-api", "opentelemetry-sdk"]
    assert told["Name"] == "multiplayer-session-recorder" and tuple(map(int, told["Version"].split("."))) > (1, 0, 6)

    python = clean_venv(tmp_path / "venv", wheel)
    env = python_env(build, local)
    del env["PYTHONPATH"], env["MPR_LIBRARY"]
    env["PATH"] = ""
    # Packages of others may live in the namespace, too.
    other = tmp_path / "other" / "multiplayer" / "else_where"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    env["PYTHONPATH"] = str(tmp_path / "other")
    script = """
import multiplayer.else_where, multiplayer.session_recorder._native as native, multiplayer_session_recorder
from multiplayer.session_recorder import session_recorder
assert multiplayer.__file__ is None and native._FILE.endswith("multiplayer/session_recorder/libmpr.so.0"), native._FILE
session_recorder.init(); session_recorder.start()
with session_recorder.span("from the wheel"): pass
session_recorder.stop()
"""
    run(python, "-c", script, env=env, cwd=tmp_path)
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    assert local.span_names(session["_id"]) == ["from the wheel"]


def test_source_distribution(built, tmp_path):
    """It installs with no compiler as well, and then says which wheel has the library."""
    binary, sdist = built
    env = {name: value for name, value in os.environ.items() if name not in ("MPR_LIBRARY", "PYTHONPATH")}
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", tmp_path, sdist, env=env)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == "multiplayer_session_recorder-2.0.0-py3-none-any.whl"
    python = clean_venv(tmp_path / "venv", wheel)
    done = subprocess.run([python, "-c", "import multiplayer.session_recorder"], env={}, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert "ImportError: libmpr is not found. Looked for" in last and "MPR_LIBRARY" in last
    assert binary.name.replace("2.0.0", "…") in last, "it names the wheel that there is"


def test_typed(build, tmp_path):
    """mypy --strict finds nothing, neither in the package nor in a program that uses it."""
    program = tmp_path / "program.py"
    program.write_text(
        """
from typing_extensions import assert_type
from multiplayer.session_recorder import (
    DjangoOtelHttpPayloadRecorderMiddleware, SessionRecorderRandomIdGenerator, SessionRecorderSdk, SessionType,
    SessionRecorderTraceIdRatioBasedSampler, create_flask_middleware, session_recorder,
)
from multiplayer_session_recorder import session_recorder as old
from multiplayer_session_recorder.exporter import HTTPOTLPSpanExporter

async def main() -> None:
    await session_recorder.start(SessionType.PLAIN, {"name": "x"})
    assert_type(await session_recorder.check_remote_continuous_session(), bool)
    await old.stop()

session_recorder.init({"apiKey": "k", "traceIdGenerator": SessionRecorderRandomIdGenerator(autoDocTracesRatio=0.1)})
sampler = SessionRecorderTraceIdRatioBasedSampler(rate=0.5)
before, after = create_flask_middleware({"captureBody": True})
SessionRecorderSdk.set_attribute("a", 1)
DjangoOtelHttpPayloadRecorderMiddleware({"captureBody": True})
HTTPOTLPSpanExporter(api_key="k")
"""
    )
    env = {**os.environ, "MYPYPATH": str(SOURCE)}
    packages = ["multiplayer/session_recorder", "multiplayer_session_recorder"]
    run(sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache", *packages, program, cwd=SOURCE, env=env)


def test_import_is_quick(build):
    """Sessions and spans without OpenTelemetry, web frameworks, asyncio, typing's big modules; OpenTelemetry when it is used."""
    script = """
import sys
from multiplayer.session_recorder import session_recorder, SessionType
late = [name for name in ("opentelemetry", "asyncio", "flask", "django", "difflib", "concurrent.futures", "dataclasses", "ctypes.util") if name in sys.modules]
assert not late, late
"""
    run(sys.executable, "-S", "-c", script, env=python_env(build))


PLAIN_APPS = {
    "flask": """
from flask import Flask, request
app = Flask(__name__)
@app.post("/login")
def login(): return {"user": request.get_json()["user"], "token": "s3cret-answer"}
answer = app.test_client().post("/login", json=BODY, headers=HEADERS).json
""",
    "django": """
import os, sys
from django.conf import settings
from django.http import JsonResponse
from django.urls import path
SECRET_KEY, ROOT_URLCONF, ALLOWED_HOSTS, MIDDLEWARE = "x", "settings", ["*"], ["django.middleware.common.CommonMiddleware"]
def login(request): return JsonResponse({"user": json.loads(request.body)["user"], "token": "s3cret-answer"})
urlpatterns = [path("login", login)]
if __name__ == "__main__":
    import django
    django.setup()
    from django.test import Client
    answer = Client(headers=HEADERS).post("/login", json.dumps(BODY), content_type="application/json").json()
""",
    "fastapi": """
import asyncio, httpx
from fastapi import FastAPI
app = FastAPI()
@app.post("/login")
async def login(given: dict): return {"user": given["user"], "token": "s3cret-answer"}
async def ask():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        return (await client.post("/login", json=BODY, headers=HEADERS)).json()
answer = asyncio.run(ask())
""",
}


@pytest.mark.parametrize("framework", PLAIN_APPS)
def test_zero_code(built, build, local, tmp_path, framework):
    """An application that knows nothing of the recorder, started by opentelemetry-instrument."""
    site = tmp_path / "site"
    with zipfile.ZipFile(built[0]) as file:
        file.extractall(site)
    head = 'import json\nBODY = {"user": "ann", "password": "hunter2"}\nHEADERS = {"Authorization": "Bearer s3cret-header"}\n'
    end = '\nif __name__ == "__main__": assert answer == {"user": "ann", "token": "s3cret-answer"}, answer\n'
    (tmp_path / "settings.py").write_text(head + PLAIN_APPS[framework] + end)
    env = python_env(
        build, local, PYTHONPATH=str(site), OTEL_PYTHON_DISTRO="multiplayer", OTEL_PYTHON_CONFIGURATOR="multiplayer",
        MULTIPLAYER_SESSION="manual", PYTHONWARNINGS="ignore", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="httpx",
    )  # fmt: skip
    del env["MPR_LIBRARY"]
    if framework == "django":
        env["DJANGO_SETTINGS_MODULE"] = "settings"
    instrument = Path(sys.executable).parent / "opentelemetry-instrument"
    run(sys.executable, instrument, sys.executable, "settings.py", cwd=tmp_path, env=env)
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    spans = [s for s in local.session(session["_id"])["spans"] if s["kind"] == "SERVER"]
    assert len(spans) == 1 and not session["live"], [s["name"] for s in local.session(session["_id"])["spans"]]
    found = spans[0]["attributes"]
    assert '"ann"' in found["multiplayer.http.request.body"] and '"ann"' in found["multiplayer.http.response.body"]
    kept = b"".join(file.read_bytes() for file in local.database.parent.iterdir())
    assert not [s for s in (b"hunter2", b"s3cret-header", b"s3cret-answer") if s in kept]


def test_zero_code_without_a_key(built, build, tmp_path):
    """The application runs on, and one line says why nothing is recorded."""
    with zipfile.ZipFile(built[0]) as file:
        file.extractall(tmp_path)
    env = python_env(build, PYTHONPATH=str(tmp_path), OTEL_PYTHON_DISTRO="multiplayer", OTEL_PYTHON_CONFIGURATOR="multiplayer")
    instrument = Path(sys.executable).parent / "opentelemetry-instrument"
    done = subprocess.run([sys.executable, instrument, sys.executable, "-c", "print('runs')"], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "runs\n", done.stderr
    assert "multiplayer-session-recorder: nothing is recorded: " in done.stderr and "MULTIPLAYER_API_KEY" in done.stderr
