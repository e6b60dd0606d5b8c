"""Writes local/src/page/vendor: the two small libraries of the local recorder's page, from npm, in the versions below.

    python3 tools/page_vendor.py            write them anew
    python3 tools/page_vendor.py --check    exit status 1 and the names of those that are not what npm has; 2 when npm cannot be asked

The page is not built: its own files are served as they are written. These come minified from their authors. All that is
changed in them is the address of one import, which no browser knows by name, and the mention of a source map.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "local" / "src" / "page" / "vendor"
PACKAGES = {"preact": "11.2.0", "htm": "3.1.1"}
FILES = {
    "preact.js": ("preact", "dist/preact.mjs"),
    "hooks.js": ("preact", "hooks/dist/hooks.mjs"),
    "htm.js": ("htm", "dist/htm.mjs"),
}


def download(folder):
    """The packages' files, by package and path."""
    if not shutil.which("npm"):
        return None
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    if subprocess.run(["npm", "pack", "--silent", *wanted], cwd=folder, capture_output=True).returncode:
        return None
    found = {}
    for name, version in PACKAGES.items():
        with tarfile.open(f"{folder}/{name}-{version}.tgz") as archive:
            for member in archive.getmembers():
                if member.isfile():
                    found[name, member.name.removeprefix("package/")] = archive.extractfile(member).read().decode()
    return found


def texts(found):
    made = {}
    for file, source in FILES.items():
        text = re.sub(r"\n?//# sourceMappingURL=.*\n?", "", found[source])
        made[file] = text.replace('from"preact"', 'from"./preact.js"').rstrip() + "\n"
    licences = [f"{name} {version}\n\n{found[name, 'LICENSE'].strip()}\n" for name, version in PACKAGES.items()]
    made["LICENSES.txt"] = f"\n{'-' * 100}\n\n".join(licences)
    return made


def main():
    with tempfile.TemporaryDirectory() as folder:
        found = download(folder)
    if found is None:
        print("npm, or its registry, cannot be asked")
        return 2
    stale = []
    for file, text in texts(found).items():
        path = VENDOR / file
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(file)
    if stale:
        print("not what npm has:", *stale)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
