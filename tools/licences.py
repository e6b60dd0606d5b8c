"""Every crate that is linked into something of ours has a licence that we may redistribute under.

Reads `cargo metadata`; exit status 1 names the crates that do not.

    python3 tools/licences.py --texts [PACKAGE …]    what their licences ask to be passed on with libmpr and mpr-local, as one text
"""

import json
import re
import subprocess
import sys
from pathlib import Path

# Permissive licences, and the two that cover data: Unicode tables and Mozilla's list of certificate authorities.
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "Zlib", "BSL-1.0", "Unlicense", "CC0-1.0",
    "Unicode-3.0", "CDLA-Permissive-2.0", "Apache-2.0 WITH LLVM-exception",
}  # fmt: skip
# Only builds and tests with them: nothing of theirs is in what we ship.
TOOLS = {"cbindgen": "MPL-2.0"}


def allowed(expression):
    """Whether an SPDX expression can be met from ALLOWED: one branch of an OR, all parts of an AND."""
    expression = expression.replace("/", " OR ").strip()
    while match := re.search(r"\(([^()]*)\)", expression):
        expression = expression.replace(match.group(0), "MIT" if allowed(match.group(1)) else "none")
    branches = re.split(r"\s+OR\s+", expression)
    return any(all(part.strip() in ALLOWED for part in re.split(r"\s+AND\s+", branch)) for branch in branches)


def linked(metadata, roots):
    """The packages that end up in our programs: by dependencies that are neither for the build nor for tests."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [package["id"] for package in metadata["packages"] if package["name"] in roots and package["source"] is None]
    seen = set()
    while waiting:
        if (id := waiting.pop()) not in seen:
            seen.add(id)
            deps = nodes[id]["deps"]
            waiting += [dep["pkg"] for dep in deps if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    return [package for package in metadata["packages"] if package["id"] in seen and package["source"]]


def texts(metadata, roots):
    """The notices: each licence text once, below the names of those who have it."""
    found, without = {}, []
    sysroot = Path(subprocess.check_output(["rustc", "--print", "sysroot"], text=True).strip())
    rust = subprocess.check_output(["rustc", "--version"], text=True).split()[1]
    sources = [(f"{p['name']} {p['version']}", p["license"], Path(p["manifest_path"]).parent, p) for p in linked(metadata, roots)]
    sources.append((f"the Rust standard library {rust}", "MIT OR Apache-2.0", sysroot / "share" / "doc" / "rust", None))
    for name, licence, folder, package in sources:
        files = [f for f in folder.glob("*") if re.match(r"(?i)(licen[cs]e|copying|copyright|notice|unlicense)", f.name)]
        files = [f for f in files if f.is_file() and f.suffix not in (".html", ".rs")]
        # Of a choice, the shortest: it is ours.
        if licence in ("MIT OR Apache-2.0", "Apache-2.0 OR MIT", "MIT/Apache-2.0", "Apache-2.0/MIT"):
            files = [f for f in files if "MIT" in f.name] or files
        # The C library inside a crate that only calls it.
        files += [f for f in folder.glob("*/LICENSE") if package and package["name"].endswith("-sys")]
        for file in sorted(files):
            text = file.read_text(errors="replace").strip().replace("\r\n", "\n")
            found.setdefault(text, []).append(f"{name} ({licence}), {file.relative_to(folder)}")
        if not files:
            # The expression names a text that is here, with other crates; who wrote it is all that is left to say.
            authors = ", ".join(package["authors"]) if package else "The Rust Project contributors"
            without.append(f"{name} ({licence}){', by ' + authors if authors else ''}")
    out = ["libmpr and mpr-local contain the works below, each under the licence that stands with it.\n"]
    if without:
        out += ["Without a licence text of their own:\n", *(f"  {line}" for line in sorted(without)), ""]
    for text, names in sorted(found.items(), key=lambda item: item[1][0]):
        out += ["-" * 100, *(f"  {name}" for name in sorted(names)), "-" * 100, "", text, ""]
    if "mpr-local" in roots:
        page = Path(__file__).parents[1] / "local" / "src" / "page" / "vendor" / "LICENSES.txt"
        out += ["-" * 100, "  in the page of mpr-local", "-" * 100, "", page.read_text()]
    return "\n".join(out)


def main():
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    if sys.argv[1:2] == ["--texts"]:
        host = re.search(r"host: (\S+)", subprocess.check_output(["rustc", "-vV"], text=True))[1]
        metadata = json.loads(subprocess.check_output([*command, "--filter-platform", host]))
        print(texts(metadata, set(sys.argv[2:]) or {"mpr", "mpr-local"}))
        return 0
    metadata = json.loads(subprocess.check_output(command))
    bad = []
    for package in metadata["packages"]:
        licence = package["license"] or "none stated"
        if not allowed(licence) and TOOLS.get(package["name"]) != licence:
            bad.append(f"{package['name']} {package['version']}: {licence}")
    for line in bad:
        print(f"licence not allowed: {line}", file=sys.stderr)
    print(f"licences: {len(metadata['packages'])} packages, {len(bad)} not allowed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
