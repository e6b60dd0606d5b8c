"""The page in Debian's Chromium, driven by Playwright. Where one of the two is missing, the tests are skipped and say so.

Whatever a page does that ours must not, fails its test: a dialog of JavaScript's, an error, a refusal of the content policy,
a request to elsewhere.
"""

import contextlib
import os
import shutil
from pathlib import Path

import pytest

WIDE, NARROW = (1280, 900), (390, 844)
# Pictures are kept where this says, to be looked at.
PICTURES = os.environ.get("MPR_PICTURES")


def chromium():
    """A running Chromium, to be closed."""
    program = os.environ.get("MPR_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.skip("Chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (tests/requirements.txt)")
    return started(sync_api, program)


@contextlib.contextmanager
def started(sync_api, program):
    with sync_api.sync_playwright() as playwright:
        # Without its own sandbox, which root and containers do not have.
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
        with contextlib.closing(playwright.chromium.launch(executable_path=program, args=quiet)) as browser:
            yield browser


@contextlib.contextmanager
def opened(browser, base, size=WIDE, scheme="light", **options):
    """A page whose every misdeed fails the test at its end."""
    context = browser.new_context(
        base_url=base, viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"], locale="en-GB", timezone_id="UTC", **options,
    )  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(10_000)
    misdeeds = []
    page.on("dialog", lambda dialog: (misdeeds.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: misdeeds.append(f"error: {error}"))
    page.on("console", lambda said: misdeeds.append(f"console: {said.text}") if is_misdeed(said) else None)
    page.on("request", lambda request: misdeeds.append(f"request: {request.url}") if not is_own(request.url, base) else None)
    try:
        yield page
        # What was still on its way when the test ended is heard.
        page.wait_for_timeout(20)
        assert not misdeeds, misdeeds
    finally:
        context.close()


def is_misdeed(said):
    # A refusal (404, 409) is told on the console, too: that is the recorder's answer and no fault of the page.
    return said.type in ("error", "warning") and "Failed to load resource" not in said.text


def is_own(url, base):
    return url.startswith((f"{base}/", "blob:", "data:", "about:"))


def picture(page, name):
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{PICTURES}/{name}.png")


def axe_problems(page):
    """What axe-core finds, as text."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed (tests/requirements.txt)")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text()
    # (Evaluated by the debugger, which no content policy concerns.)
    page.evaluate(script)
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [f"{v['id']}: {v['help']}: {n['html'][:200]} {n['failureSummary']}" for v in found for n in v["nodes"][:4]]
