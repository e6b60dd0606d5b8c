"""The ABI's promise (docs/abi.md) against what there is: include/mpr.h and the built library, beside the header of the last
release in tests/abi/released and docs/symbols-in-versions.

    python3 tests/abi/policy.py                  what `make abi-check` runs; status 1 names what is broken
    python3 tests/abi/policy.py --release 0.2    at a release: keeps the header of it, and its names
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import header

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RELEASED = HERE / "released"
SYMBOLS = ROOT / "docs" / "symbols-in-versions"
# These say which version it is.
MOVING = re.compile(r"MPR_VERSION_\w+|MPR_ABI_VERSION|MPR_H")
# Structs that may get members at their end: they begin with their size.
GROWING = {"mpr_stats"}


class Abi:
    """A header as data: functions, constants, structs with their members, other types."""

    def __init__(self, path):
        self.path = Path(path)
        header.HEADER, before = self.path, header.HEADER
        try:
            self.code = header.code()
            self.functions = {f.name: (f.result, tuple(p.type for p in f.parameters)) for f in header.functions()}
            commented = re.findall(r"((?://[^\n]*\n)+)\w[\w *]*?\b(mpr_\w+)\(", header.text())
            since = {name: re.search(r"Since (\d+\.\d+)\.", comment) for comment, name in commented}
            self.since = {name: found[1] for name, found in since.items() if found}
            self.stub = header_stub(header.functions())
        finally:
            header.HEADER = before
        self.constants = dict(re.findall(r"^#define (MPR_\w+) (\S.*)$", self.code, re.M))
        self.structs = {
            name: [" ".join(member.split()) for member in body.split(";") if member.strip()]
            for body, name in re.findall(r"typedef struct \w* ?\{(.*?)\} (\w+);", self.code, re.S)
        }
        plain = re.findall(r"typedef [^{};]*;", self.code)
        self.types = {re.search(r"\(\*(\w+)\)|(\w+);$", " ".join(t.split())): " ".join(t.split()) for t in plain}
        self.types = {found[1] or found[2]: text for found, text in self.types.items()}

    def names(self):
        """Everything that a program can name, with what is fixed about it beside a prototype."""
        numbers = {name: value for name, value in self.constants.items() if not MOVING.fullmatch(name)}
        return {**dict.fromkeys([*self.functions, *self.structs, *self.types], ""), **numbers}


def header_stub(functions):
    """C that defines every function, for tools that read types out of a compiled library."""
    out = ["#include <mpr.h>"]
    for f in functions:
        parameters = ", ".join(f"{p.type} {p.name}" for p in f.parameters) or "void"
        out.append(f"{f.result} {f.name}({parameters}) {{{'' if f.result == 'void' else ' return 0; '}}}")
    return "\n".join(out) + "\n"


def releases():
    """The kept headers, oldest first."""
    folders = sorted(RELEASED.iterdir(), key=lambda folder: [int(part) for part in folder.name.split(".")])
    return [folder / "mpr.h" for folder in folders]


def only_added(old, new):
    """What of `old` is not in `new` as it was."""
    broken = []
    for name, value in old.constants.items():
        if not MOVING.fullmatch(name) and new.constants.get(name) != value:
            broken.append(f"{name} was {value} and is {new.constants.get(name, 'gone')}")
    for what in ("functions", "types"):
        for name, value in getattr(old, what).items():
            if getattr(new, what).get(name) != value:
                broken.append(f"{name} was {value} and is {getattr(new, what).get(name, 'gone')}")
    for name, members in old.structs.items():
        now = new.structs.get(name, [])
        if now[: len(members)] != members or (len(now) > len(members) and name not in GROWING):
            broken.append(f"struct {name} had other members: {members}, now {now}")
    return broken


def listed():
    """docs/symbols-in-versions: name → (since, number or "")."""
    rows = [line.split() for line in SYMBOLS.read_text().splitlines() if line and not line.startswith("#")]
    return {name: (since, number[0] if number else "") for name, since, *number in rows}


def agrees_with_list(new, table):
    """Whether docs/symbols-in-versions has every name, with its number and the version that the header tells."""
    names, broken = new.names(), []
    for name in sorted(names.keys() | table.keys()):
        if name not in table:
            broken.append(f"{name} is not in docs/symbols-in-versions")
        elif name not in names:
            broken.append(f"{name} is in docs/symbols-in-versions and not in the header")
        elif table[name][1] != names[name]:
            broken.append(f"{name} is {names[name]}, docs/symbols-in-versions says {table[name][1]}")
        elif name in new.functions and table[name][0] != new.since.get(name):
            broken.append(f"{name} is since {new.since.get(name)}, docs/symbols-in-versions says {table[name][0]}")
    return broken


def exports(library, new):
    """Whether the library has what the header declares."""
    nm = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    there = {line.split()[-1] for line in nm.splitlines()}
    return [f"{name} is not in {library}" for name in sorted(new.functions.keys() - there)] + [
        f"{name} is in {library} and not in the header" for name in sorted(there - new.functions.keys())
    ]


def abidiff(old, new):
    """What abidiff says about programs that were compiled against `old`; None where it is not installed."""
    if not shutil.which("abidiff"):
        return None
    code = new.code
    for name in GROWING:
        # Its rules for members at the end let those in the middle pass: it gets the struct without what was added.
        members = old.structs.get(name)
        if members and new.structs.get(name, [])[: len(members)] == members:
            body = "".join(f"    {member};\n" for member in members)
            code = re.sub(rf"(typedef struct {name} \{{).*?(\}} {name};)", rf"\1\n{body}\2", code, flags=re.S)
    with tempfile.TemporaryDirectory() as folder:
        libraries = [compiled(Path(folder, "old"), old.code, old.stub), compiled(Path(folder, "new"), code, new.stub)]
        done = subprocess.run(["abidiff", "--no-added-syms", *libraries], capture_output=True, text=True)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()


def compiled(folder, code, stub):
    """A library of a header's types, for what reads debug information: that of ours is Rust's."""
    folder.mkdir()
    (folder / "mpr.h").write_text(code)
    (folder / "stub.c").write_text(stub)
    command = ["gcc", "-g", "-w", "-shared", "-fPIC", "-Wl,-soname,libmpr.so.0", "-I", folder, folder / "stub.c", "-o", folder / "stub.so"]
    subprocess.run([str(part) for part in command], check=True)
    return str(folder / "stub.so")


def release(version):
    """Keeps the header of a release, without its comments."""
    folder = RELEASED / version
    folder.mkdir(parents=True, exist_ok=True)
    text = re.sub(r"\n\s*\n+", "\n", header.code())
    (folder / "mpr.h").write_text(f"/* include/mpr.h of libmpr {version}, kept by tests/abi/policy.py. SPDX-License-Identifier: Apache-2.0 */\n{text}")
    table = listed() if SYMBOLS.exists() else {}
    new = Abi(header.HEADER)
    rows = {name: (table.get(name, (new.since.get(name) or version,))[0], number) for name, number in new.names().items()}
    width = max(map(len, rows))
    lines = [f"{name:<{width}}  {since:<5}  {number}".rstrip() for name, (since, number) in sorted(rows.items())]
    top = "# Every name of include/mpr.h: since which version it is there, and a constant's number. Checked by `make abi-check`.\n"
    SYMBOLS.write_text(top + "\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--release", metavar="VERSION")
    arguments = parser.parse_args()
    if arguments.release:
        release(arguments.release)
        return 0
    new = Abi(header.HEADER)
    library = Path(os.environ.get("MPR_BUILD") or ROOT / "build") / "lib" / "libmpr.so"
    broken = agrees_with_list(new, listed()) + exports(library, new)
    for path in releases():
        old = Abi(path)
        broken += [f"since {path.parent.name}: {line}" for line in only_added(old, new)]
        judged = abidiff(old, new)
        if judged is None:
            print("abidiff is not installed (package abigail-tools): without its judgement")
        broken += judged or []
    for line in broken:
        print(line, file=sys.stderr)
    kept = ", ".join(path.parent.name for path in releases())
    print(f"ABI: {len(new.functions)} functions, beside {kept}: {'broken' if broken else 'as promised'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
