"""include/mpr.h as data: its prototypes, callbacks and constants, and C programs made of them."""

import re
from dataclasses import dataclass
from pathlib import Path

HEADER = Path(__file__).resolve().parents[2] / "include" / "mpr.h"


@dataclass
class Parameter:
    type: str  #: as it is written, an array as a pointer
    name: str

    @property
    def is_pointer(self):
        return self.type.endswith("*") or self.is_callback

    @property
    def is_callback(self):
        return self.type.endswith("_fn")

    @property
    def is_handle(self):
        return re.fullmatch(r"(const )?mpr_(options|span|capture) \*", self.type) is not None


@dataclass
class Function:
    result: str
    name: str
    parameters: list


def text():
    return HEADER.read_text()


def code():
    """The header without its comments."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text(), flags=re.S)


def functions():
    """Every prototype."""
    # Without the preprocessor's lines, and without callback types and structs.
    plain = re.sub(r"^\s*#.*$", "", code(), flags=re.M)
    plain = re.sub(r"typedef\b[^;{]*;|typedef struct \w+ \{.*?\} \w+;", "", plain, flags=re.S)
    found = []
    for result, name, parameters in re.findall(r"^(\w[\w ]*[ *]+)(mpr_\w+)\(([^()]*)\);", plain, re.M):
        parsed = []
        for one in parameters.split(",") if parameters.strip() != "void" else []:
            one = " ".join(one.split())
            one = re.sub(r"(\w+)\[\d+\]$", r"*\1", one)
            kind, name_of = re.fullmatch(r"(.*?[\s*])(\w+)", one).groups()
            parsed.append(Parameter(kind.strip(), name_of))
        found.append(Function(" ".join(result.replace('extern "C"', "").split()), name, parsed))
    assert len(found) == len(set(f.name for f in found)) == len(re.findall(r"\bmpr_\w+\(", plain))
    return found


def quick_start():
    """The program in the top comment."""
    comment = text()[: text().index("*/")]
    lines = comment.split("QUICK START")[1].split("RESULTS")[0].splitlines()
    program = [line[7:] for line in lines if line.startswith(" *     ")]
    assert program[0] == "#include <mpr.h>", program
    return "\n".join(program) + "\n"


def static_line():
    """What stands behind libmpr.a in the INSTALL AND LINK part."""
    return re.search(r"Static \(on Linux\): cc app\.c libmpr\.a (.*)", text())[1].split()


# Something that is right, for each type and name. Handles are made anew for each call: several functions end them.
GOOD = {
    "mpr_options *": "mpr_options_new()", "const mpr_options *": "mpr_options_new()",
    "mpr_span *": 'mpr_span_begin("s", 0, NULL)', "const mpr_span *": 'mpr_span_begin("s", 0, NULL)',
    "mpr_capture *": "mpr_capture_begin(1, trace)", "mpr_stats *": "&stats",
    "mpr_span_context *": "&context", "const mpr_span_context *": "&context",
    "size_t *": "&needed", "uint32_t *": "&u32", "uint64_t *": "&u64", "int32_t *": "&i32", "double *": "&f64",
    "char *": "text", "uint8_t *": "bytes", "const uint8_t *": "bytes", "const char *": '"x"', "void *": "bytes",
    "mpr_attribute_fn": "attribute", "mpr_done_fn": "NULL", "mpr_free_fn": "NULL", "mpr_log_fn": "NULL", "mpr_mask_fn": "NULL",
    "mpr_trace_id_fn": "NULL", "mpr_short_id_fn": "NULL", "mpr_sampler_fn": "NULL",
    "size_t": "1", "double": "0.5", "int32_t": "1", "uint32_t": "1", "uint64_t": "1", "int64_t": "1", "mpr_status": "0",
}
NAMED = {"trace_id": "trace", "attributes_json": "NULL", "session_json": "NULL", "traceparent": f'"00-{"1" * 32}-{"2" * 16}-01"'}


def good(function, parameter):
    return NAMED.get(parameter.name, GOOD[parameter.type])


# Pointers that may be NULL, by function (or any) and parameter; what the header says.
OPTIONAL = {
    ("*", "needed"), ("*", "session_json"), ("*", "done"), ("*", "user_data"), ("*", "free_user_data"), ("*", "message"),
    ("*", "stacktrace"), ("*", "attributes_json"), ("*", "content_type"), ("*", "capture"), ("mpr_init", "options"),
    ("mpr_span_begin", "parent"), ("mpr_log", "context"), ("mpr_capture_exception", "context"), ("mpr_session_info", "json"),
    ("mpr_mask", "out"), ("mpr_explain_mask", "out"), ("mpr_options_free", "options"), ("mpr_span_end", "span"),
}
# Content with a length, which need not be UTF-8.
CONTENT = {("mpr_log", "body"), ("*", "headers"), ("mpr_capture_header", "name"), ("mpr_capture_header", "value")}


def listed(table, function, parameter):
    return ("*", parameter.name) in table or (function.name, parameter.name) in table


def may_be_null(function, parameter):
    unset = function.name.startswith("mpr_options_set_") and function.name != "mpr_options_set_json" and parameter.name == "value"
    hook = function.name.startswith("mpr_options_set_") and parameter.is_callback
    return unset or hook or listed(OPTIONAL, function, parameter)


def misuse_program():
    """A C program: every function with nothing, with each pointer NULL in turn, with bad text, and with bad handles."""
    out = []

    def call(function, arguments, what, wanted):
        text = f"{function.name}({', '.join(arguments)})"
        name = f'"{function.name}: {what}"'
        if function.result == "mpr_status":
            out.append(f"    before(); judge({text}, {wanted}, {name});")
        elif function.result == "void":
            out.append(f"    before(); {text};")
        else:
            out.append(f"    before(); (void){text};")

    for function in functions():
        zeros = ["0" if not p.is_pointer else "NULL" for p in function.parameters]
        call(function, zeros, "all zero", "ANY")
        for at, parameter in enumerate(function.parameters):
            right = [good(function, p) for p in function.parameters]

            def instead(value, what, wanted):
                call(function, [*right[:at], value, *right[at + 1 :]], f"{parameter.name} is {what}", wanted)

            if parameter.is_pointer:
                instead("NULL", "NULL", "ANY" if may_be_null(function, parameter) else "INVALID")
            if parameter.type == "const char *":
                content = listed(CONTENT, function, parameter)
                instead('"a\\xff"', "not UTF-8", "ANY" if content else "INVALID")
            if parameter.is_handle:
                own = re.search(r"mpr_(options|span|capture)", parameter.type)[1]
                handles = [(f"freed_{own}()", "freed"), ("(void *)1", "1"), ("(void *)-1", "-1"), ("(void *)0xdeadbeef0", "made up"),
                           ("(void *)&stats", "an address"), ("(void *)(bytes + 1)", "an odd address")]
                for kind in ("options", "span", "capture"):
                    if f"mpr_{kind} " not in parameter.type:
                        handles.append((f"(void *){GOOD[f'mpr_{kind} *']}", f"a {kind}"))
                for value, what in handles:
                    # With recording off there are no captures: that one is NULL.
                    instead(value, what, "session ? INVALID : ANY" if "capture" in value else "INVALID")
    return MISUSE % "\n".join(out)


MISUSE = r"""/* Generated from include/mpr.h by header.py. */
#include "check.h"

#define ANY 0
#define INVALID 1

static mpr_stats stats;
static mpr_span_context context;
static uint8_t trace[16], bytes[4096];
static char text[4096];
static size_t needed;
static uint32_t u32;
static uint64_t u64;
static int32_t i32;
static double f64;
static int session;

static void attribute(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    (void)user, (void)key, (void)key_len, (void)value, (void)value_len;
}

/* Every call meets the same state: recording off, or a session that runs. */
static void before(void) {
    stats.struct_size = sizeof stats;
    memset(bytes, 'x', sizeof bytes);
    memset(&context, 0, sizeof context);
    context.trace_id[3] = context.span_id[3] = 1;
    if (session) {
        mpr_init(NULL);
        mpr_start(MPR_SESSION_MANUAL, NULL);
    } else {
        mpr_shutdown(5000);
    }
    mpr_generate_trace_id(trace);
}

static void *freed_span(void) {
    mpr_span *span = mpr_span_begin("freed", 0, NULL);
    mpr_span_end(span);
    return span;
}

static void *freed_options(void) {
    mpr_options *options = mpr_options_new();
    mpr_options_free(options);
    return options;
}

static void *freed_capture(void) {
    mpr_capture *capture = mpr_capture_begin(1, trace);
    mpr_capture_free(capture);
    return capture;
}

static void judge(mpr_status status, int wanted, const char *what) {
    if (!strcmp(mpr_status_name(status), "MPR_UNKNOWN") || status == MPR_ERR_INTERNAL || status == MPR_ERR_POISONED)
        CHECK_FAIL("%%s is %%d %%s: %%s", what, status, mpr_status_name(status), mpr_last_error());
    /* With recording off some calls look at nothing; in a session every argument counts. */
    if (wanted == INVALID && status != MPR_ERR_INVALID_ARGUMENT && (session || status >= 0) && !(status == MPR_SKIPPED && !session))
        CHECK_FAIL("%%s is %%s", what, mpr_status_name(status));
}

static void calls(void) {
    (void)u32, (void)u64, (void)i32, (void)f64;
%s
}

int main(void) {
    calls();
    session = 1;
    calls();
    mpr_shutdown(5000);
    check_accounting();
    return check_result();
}
"""
