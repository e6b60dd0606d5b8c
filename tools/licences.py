"""Every crate that is linked into something of ours has a licence that we may redistribute under.

Reads `cargo metadata`; exit status 1 names the crates that do not.
"""

import json
import re
import subprocess
import sys

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


def main():
    metadata = json.loads(subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--locked"]))
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
