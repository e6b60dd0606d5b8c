"""Writes the README's picture: the page of a session that the demo's server recorded, as headless Chromium shows it.

    python3 tools/picture.py docs/session.png
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

BUILD = Path(os.environ.get("MPR_BUILD", Path(__file__).parent.parent / "build"))


def first_url(process):
    """The address that a server prints when it listens."""
    for line in process.stdout:
        if "listening on " in line:
            return line.split("listening on ")[1].split()[0]
    raise SystemExit("the server ended before it listened")


def use_the_shop(url):
    """What a person would do before pressing stop."""
    connection = HTTPConnection(urlsplit(url).netloc)
    as_json = {"Content-Type": "application/json"}
    steps = [
        ("POST", "/login", '{"user": "ann", "password": "correct horse"}', as_json),
        ("POST", "/cart", '{"item": "tea"}', as_json),
        ("GET", "/cart", None, {"Authorization": "Bearer abc.def"}),
        ("POST", "/checkout", '{"card_number": "4111111111111111", "password": "correct horse"}', as_json),
        ("GET", "/fail", None, {}),
    ]
    for method, path, body, headers in steps:
        connection.request(method, path, body, headers)
        connection.getresponse().read()


def main(picture):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or sys.exit("missing: chromium")
    started = []
    try:
        take(picture, chromium, started)
    finally:
        for process in started:
            process.kill()
            process.wait()
    print(picture)


def take(picture, chromium, started):
    with tempfile.TemporaryDirectory() as folder:
        local = subprocess.Popen(
            [BUILD / "bin/mpr-local", "--port", "0", "--db", f"{folder}/db"], stdout=subprocess.PIPE, text=True
        )
        started.append(local)
        url = first_url(local)
        env = {
            **os.environ,
            "MULTIPLAYER_API_KEY": "local",
            "MULTIPLAYER_BASE_API_URL": url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        }
        shop = subprocess.Popen(
            [BUILD / "examples/c-http-server", "A cup of tea", "0"], stdout=subprocess.PIPE, text=True, env=env
        )
        started.append(shop)
        use_the_shop(first_url(shop))
        shop.send_signal(signal.SIGTERM)
        shop.communicate(timeout=30)
        with urllib.request.urlopen(f"{url}/api/sessions") as answer:
            newest = json.load(answer)["sessions"][0]["_id"]
        with urllib.request.urlopen(f"{url}/api/sessions/{newest}") as answer:
            spans = json.load(answer)["spans"]
        checkout = next(span for span in spans if span["name"] == "POST /checkout")
        subprocess.run(
            [
                chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
                f"--user-data-dir={folder}/chromium", "--window-size=1280,1000", "--virtual-time-budget=4000",
                f"--screenshot={picture}",
                f"{url}/sessions/{newest}#{checkout['traceId']}/{checkout['spanId']}",
            ],
            check=True, stderr=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
