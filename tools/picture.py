"""Writes the README's picture: the page of a session of a small shop (tests/support/shop_session.py), as Chromium shows it.

    .venv/bin/python tools/picture.py docs/session.png
    .venv/bin/python tools/picture.py --check docs/session.png    status 1 when the page has changed since

The picture tells in a text of its own (PNG's tEXt) what it was made from.
"""

import hashlib
import struct
import sys
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
NAME = b"Source"


def sources():
    """A hash of what the picture shows: the page's files, and what is recorded for it."""
    found = hashlib.sha256()
    page = ROOT / "local" / "src" / "page"
    for file in [*sorted(f for f in page.rglob("*.*")), ROOT / "tests" / "support" / "shop_session.py"]:
        found.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest().encode()


def told(png):
    """What a picture was made from."""
    at = 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        if kind == b"tEXt" and data.startswith(NAME + b"\0"):
            return data[len(NAME) + 1 :]
        at += 12 + size
    return None


def with_source(png):
    data = b"tEXt" + NAME + b"\0" + sources()
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]


def take(path):
    import local_recorder
    from browser import chromium, opened
    from shop_session import Shop

    local_recorder.BINARY = local_recorder.BINARY or str(ROOT / "build" / "bin" / "mpr-local")
    with tempfile.TemporaryDirectory() as folder:
        local = local_recorder.start_local(folder)
        try:
            session = local.start(name="Checkout fails for Ann", tags=[{"key": "build", "value": "1042"}])
            trace, span = Shop(local, session).all()
            with chromium() as browser, opened(browser, local.base, (1280, 960)) as page:
                page.goto(f"/sessions/{session['_id']}#{trace}/{span}")
                page.get_by_role("region", name="Response").wait_for()
                page.get_by_text("values masked").click()
                page.wait_for_timeout(300)
                path.write_bytes(with_source(page.screenshot()))
        finally:
            local.process.kill()
            local.process.wait()
    print(path)


def main():
    path = Path(sys.argv[-1])
    if "--check" not in sys.argv:
        take(path)
    elif told(path.read_bytes()) != sources():
        sys.exit(f"{path} shows an earlier page: make picture")


if __name__ == "__main__":
    main()
