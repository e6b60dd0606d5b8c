"""_native.py against include/mpr.h, by reading the header: neither can change alone."""

import ctypes
import ctypes.util
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def native(build):
    """The module, loaded here: nothing in this file turns recording on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPR_LIBRARY", os.environ.get("MPR_LIBRARY", str(build / "lib" / "libmpr.so.0")))
        patch.syspath_prepend(str(ROOT / "bindings" / "python"))
        patch.setattr(sys, "dont_write_bytecode", True)
        yield importlib.import_module("multiplayer.session_recorder._native")


class Header:
    """What include/mpr.h declares, C types as text with const, struct and spaces taken out."""

    def __init__(self, text):
        self.constants = {name: int(value) for name, value in re.findall(r"^#define (MPR_\w+) (-?\d+)$", text, re.M)}
        self.defines = re.findall(r"^#define (MPR_\w+)", text, re.M)
        code = re.sub(r"/\*.*?\*/|//[^\n]*|^#[^\n]*", "", text, flags=re.S | re.M)
        self.structs = {
            name: [self.member(field) for field in body.split(";") if field.strip()]
            for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", code, re.S)
        }
        self.callbacks = {
            name: [self.type(result), *self.parameters(given)]
            for result, name, given in re.findall(r"typedef ([\w ]+?) \(\*(\w+)\)\((.*?)\);", code, re.S)
        }
        self.handles = re.findall(r"typedef struct (\w+) \1;", code)
        code = re.sub(r"typedef[^{;]*(\{.*?\})?[^;]*;", "", code, flags=re.S)
        self.functions = {
            name: [self.type(result), *self.parameters(given)]
            for result, name, given in re.findall(r"([\w \*]+?)\b(mpr_\w+)\((.*?)\);", code, re.S)
        }

    @staticmethod
    def type(text):
        return re.sub(r"\b(const|struct)\b|\s+", "", text)

    def parameters(self, text):
        return [] if text.strip() == "void" else [self.member(one)[1] for one in text.split(",")]

    def member(self, text):
        """(name, type) of a field or parameter; an array parameter counts as a pointer."""
        found = re.fullmatch(r"(.*?)(\w+)(\[\d+\])?", text.strip(), re.S)
        return found[2], self.type(found[1]) + ("*" if found[3] else "")


@pytest.fixture(scope="module")
def header():
    return Header((ROOT / "include" / "mpr.h").read_text())


@pytest.fixture(scope="module")
def types(native, header):
    """C type → the ctypes types that may stand for it in a function."""
    known = {
        "void": [None],
        "int32_t": [ctypes.c_int32],
        "mpr_status": [ctypes.c_int32],
        "uint32_t": [ctypes.c_uint32],
        "int64_t": [ctypes.c_int64],
        "uint64_t": [ctypes.c_uint64],
        "size_t": [ctypes.c_size_t],
        "double": [ctypes.c_double],
        "void*": [ctypes.c_void_p],
        "char*": [ctypes.c_char_p],
        "uint8_t*": [native._Bytes],
    }
    for name in ("int32_t", "uint32_t", "uint64_t", "size_t", "double"):
        known[name + "*"] = [ctypes.POINTER(known[name][0])]
    for name in header.structs:
        known[name + "*"] = [ctypes.POINTER(getattr(native, name))]
    for name in header.handles:
        known[name + "*"] = [ctypes.c_void_p]
    for name in header.callbacks:
        known[name] = [getattr(native, name)]
    return known


def test_the_header_is_read_whole(header):
    """A parser that overlooks things would let the others pass."""
    text = (ROOT / "include" / "mpr.h").read_text()
    assert len(header.functions) == len(re.findall(r"^[a-z][\w \*]*\bmpr_\w+\(", text, re.M)) > 120
    assert len(header.callbacks) == len(re.findall(r"\(\*mpr_\w+_fn\)\(", text)) >= 8
    assert set(header.structs) == {"mpr_stats", "mpr_span_context"}
    assert set(header.handles) == {"mpr_options", "mpr_span", "mpr_capture"}
    assert [name for name in header.defines if name not in header.constants] == ["MPR_H"]


def test_constants(native, header):
    ours = {name: value for name, value in vars(native).items() if re.match("MPR_", name)}
    assert ours == header.constants


def test_functions_are_the_same(native, header):
    assert set(native.FUNCTIONS) == set(header.functions)


def test_parameters_and_results(native, header, types):
    for name, expected in header.functions.items():
        function = getattr(native.lib, name)
        ours = [function.restype, *(getattr(one, "function_type", one) for one in function.argtypes)]
        assert len(ours) == len(expected), f"{name}: {expected}"
        for position, (mine, wanted) in enumerate(zip(ours, expected)):
            assert mine in types[wanted], f"{name}, {'result' if position == 0 else f'parameter {position}'}: {wanted}"


def test_callbacks(native, header, types):
    # Text with a length must come as an address (bytes would end at a NUL), content as something to index.
    types = {**types, "char*": [ctypes.c_char_p, ctypes.c_void_p], "uint8_t*": [ctypes.POINTER(ctypes.c_uint8)]}
    for name, expected in header.callbacks.items():
        function_type = getattr(native, name)
        ours = [function_type._restype_, *function_type._argtypes_]
        assert len(ours) == len(expected), f"{name}: {expected}"
        for mine, wanted in zip(ours, expected):
            assert mine in types[wanted], f"{name}: {wanted}"
    assert ctypes.c_char_p not in native.mpr_attribute_fn._argtypes_


def test_struct_layouts(native, header, build, tmp_path):
    """Sizes and offsets as the C compiler has them."""
    lines = []
    for name, members in header.structs.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for field, _ in members:
            lines.append(
                f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));'
            )
    source = tmp_path / "layout.c"
    source.write_text("#include <stdio.h>\n#include <mpr.h>\nint main(void) {\n%s\nreturn 0;\n}\n" % "\n".join(lines))
    subprocess.run(["gcc", f"-I{ROOT / 'include'}", source, "-o", tmp_path / "layout"], check=True)
    theirs = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True).stdout.splitlines()
    ours = []
    for name in header.structs:
        struct = getattr(native, name)
        ours.append(f"{name} {ctypes.sizeof(struct)}")
        for field, *_ in struct._fields_:
            place = getattr(struct, field)
            ours.append(f"{name}.{field} {place.offset} {place.size}")
    assert ours == theirs


def test_versions(native):
    version = "%d.%d.%d" % (native.MPR_VERSION_MAJOR, native.MPR_VERSION_MINOR, native.MPR_VERSION_PATCH)
    assert native.lib.mpr_version().decode() == version
    assert native.lib.mpr_abi_version() == native.MPR_ABI_VERSION


def test_status_names(native, header):
    errors = [name for name in header.constants if re.match("MPR_(OK|SKIPPED|ERR_)", name)]
    assert [native.lib.mpr_status_name(header.constants[name]).decode() for name in errors] == errors
    assert native.lib.mpr_status_name(-99) == b"MPR_UNKNOWN"


def test_import_errors_say_what_to_do(run_python):
    """A library that is named but not there, not a library, or not found at all."""
    script = """
    import subprocess
    def attempt(**environment):
        env = {**os.environ, **environment}
        done = subprocess.run([sys.executable, "-c", "import multiplayer.session_recorder"], env=env,
                              capture_output=True, text=True)
        return done.stderr.splitlines()[-1]
    tell(missing=attempt(MPR_LIBRARY="/nowhere/libmpr.so"), wrong=attempt(MPR_LIBRARY=__file__), none=attempt(MPR_LIBRARY=""))
    """
    told = run_python(script)
    assert "ImportError: libmpr: MPR_LIBRARY is '/nowhere/libmpr.so', which cannot be loaded" in told["missing"]
    assert "ImportError: libmpr: MPR_LIBRARY is" in told["wrong"]
    if ctypes.util.find_library("mpr") is None:
        assert "ImportError: libmpr is not found. Looked for " in told["none"]
        assert "set the environment variable MPR_LIBRARY" in told["none"]


def test_multiplayer_is_a_namespace(run_python):
    run_python("import multiplayer; assert multiplayer.__file__ is None")
