"""The Python contestants of benches/masking.rs, which says on standard input what to measure.

A line holds contestant, folder of bodies, content type, and how many times to mask them all; the answer is nanoseconds of
processor time for once. For 0 times it is how many placeholders the output has. Who takes str gets str: decoding is not
counted.
"""
import json, os, sys, time

PLACEHOLDER = "***MASKED***"
contestants = {"json": lambda body: json.dumps(json.loads(body[1]))}

try:
    from multiplayer_session_recorder.sdk.mask import mask, sensitive_fields
    peer = mask(sensitive_fields)
    contestants["peer"] = lambda body: peer(body[1])
except Exception as e:
    print("absent peer: multiplayer-session-recorder is not installed", f"({e})")

try:
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bindings", "python"))
    from multiplayer.session_recorder import _native as native
    options = native.lib.mpr_options_new()
    native.lib.mpr_options_set_api_key(options, b"bench")
    native.lib.mpr_options_set_api_base_url(options, b"http://127.0.0.1:9")
    native.check(native.lib.mpr_init(options))
    out = native.ctypes.create_string_buffer(1 << 23)
    needed = native.ctypes.c_size_t()

    def libmpr(body):
        native.lib.mpr_mask(content_type, body[0], len(body[0]), out, len(out), native.ctypes.byref(needed))
        return native.ctypes.string_at(out, needed.value).decode()
    contestants["libmpr"] = libmpr
except Exception as e:
    print("absent libmpr:", e)

folders = {}


def bodies(folder):
    if folder not in folders:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".in"))
        raw = [open(os.path.join(folder, name), "rb").read() for name in names]
        folders[folder] = [(body, body.decode()) for body in raw]
    return folders[folder]


print(*(f"ready {name}" for name in contestants), "go", sep="\n", flush=True)
for line in sys.stdin:
    name, folder, content_type, times = line.rstrip("\n").split("\t")
    content_type, times = content_type.encode(), int(times)
    one, all_bodies = contestants[name], bodies(folder)
    if times == 0:
        print(sum(one(body).count(PLACEHOLDER) for body in all_bodies), flush=True)
        continue
    for body in all_bodies: one(body)
    begin = time.process_time_ns()
    for _ in range(times):
        for body in all_bodies: one(body)
    print((time.process_time_ns() - begin) / times, flush=True)
