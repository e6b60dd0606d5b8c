"""Puts the library into the wheel and says in its name which systems it runs on.

MPR_LIBRARY names the library's file, MPR_NOTICES what the licences of its parts ask to be passed on; without it (an installation from the source distribution) the wheel has none, and
importing the package tells where to get one.
"""

import os
import re
import struct
import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def glibc_of(library: Path) -> "tuple[int, int]":
    """The newest version of glibc that any symbol of an ELF file asks for, out of its .gnu.version_r section."""
    data = library.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise SystemExit("%s is no 64-bit little-endian ELF file" % library)
    (sections,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, sections + n * size) for n in range(count)]
    newest = (2, 17)
    for _, kind, _, _, offset, _, link, entries, _, _ in headers:
        if kind != 0x6FFFFFFE:
            continue
        strings, at = headers[link][4], offset
        for _ in range(entries):
            _, versions, _, first, following = struct.unpack_from("<HHIII", data, at)
            one = at + first
            for _ in range(versions):
                name, after = struct.unpack_from("<II", data, one + 8)
                text = data[strings + name : data.index(b"\0", strings + name)].decode()
                found = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", text)
                if found:
                    newest = max(newest, (int(found[1]), int(found[2])))
                one += after
            at += following
    return newest


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version, build_data):
        named = os.environ.get("MPR_LIBRARY")
        if version == "editable" or self.target_name != "wheel" or not named:
            return
        library, notices = Path(named).resolve(), os.environ.get("MPR_NOTICES", "")
        if not Path(notices).is_file():
            raise SystemExit("MPR_NOTICES: no such file: '%s'; tools/licences.py --texts mpr writes one" % notices)
        if not sys.platform.startswith("linux") or os.uname().machine != "x86_64":
            raise SystemExit("wheels with a library are built on Linux on x86-64")
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-manylinux_%d_%d_x86_64" % glibc_of(library)
        build_data["force_include"][str(library)] = "multiplayer/session_recorder/libmpr.so.0"
        build_data["force_include"][notices] = "multiplayer/session_recorder/THIRD-PARTY-LICENSES"
