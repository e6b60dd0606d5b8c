"""Bodies to measure masking on, seeded, so that every run and every machine has the same ones. `make bench-mask`.

    python3 benches/corpus.py build/benches/corpus

A row of the table is a folder of bodies `00.in`, `01.in`, …, each with what masking must make of it, `00.masked`: written
here by another program in another language, so that a masker which is fast because it does nothing is found out. The
ordinary bodies are nested 4 to 6 deep, with about 30 kinds of text keys, 16 of number keys, some escapes, some non-ASCII,
and one key in twenty that is on every peer's list in that spelling; the hard ones are each one thing in excess.
"""
import json, os, random, sys
from urllib.parse import quote_plus

PLACEHOLDER = "***MASKED***"
SENSITIVE = """password token access_token refreshToken secret api_key apiKey authorization sessionId client_secret privateKey
creditCard card_number cvv ssn pin iban otp phone_number phoneNumber email address dob passport_number cookie""".split()
TEXT = """id name title description status type currency createdAt updated_at city country sku url note locale timezone category
brand color role comment ip userAgent reference state label message source path method""".split()
NUMBER = "quantity price total discount score lat lng count version weight duration_ms rank attempts size page limit".split()
OBJECT = """customer shipping billing profile settings metadata dimensions payment preferences audit location product""".split()
ARRAY = "items tags events history variants reviews".split()
WORDS = """lorem ipsum dolor sit amet order shipped warehouse north blue large standard express pending invoice customer support
ticket closed open review great quality fast delivery returned partial stock reserved online store checkout gateway retry
succeeded failed timeout request response""".split()
FOREIGN = ["žluťoučký", "naïve café", "東京都", "Grüße", "señor", "😀 ok", "Łódź"]
LOWER = {name.lower() for name in SENSITIVE}
SIZES = (("1 KB", 1024, 16), ("2 KB", 2048, 8), ("10 KB", 10240, 8), ("100 KB", 102400, 2), ("1 MB", 1048576, 1))
HARD = 102400
LEVELS = 150


# ---- values

def word(r): return r.choice(WORDS)
def words(r, most=9): return " ".join(word(r) for _ in range(r.randint(1, most)))
def secret(r): return "%024x" % r.getrandbits(96)


def text(r):
    x = r.random()
    if x < .18:
        return "%08x-%04x-4%03x-%04x-%012x" % tuple(r.getrandbits(bits) for bits in (32, 16, 12, 16, 48))
    if x < .32:
        return "20%02d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (
            r.randint(18, 26), r.randint(1, 12), r.randint(1, 28), r.randint(0, 23), r.randint(0, 59), r.randint(0, 59),
            r.randint(0, 999))
    if x < .36: return r.choice(FOREIGN) + " " + word(r)
    if x < .41: return 'said "' + word(r) + '"\n\tthen C:\\' + word(r)
    if x < .46: return "https://example.com/" + word(r) + "/" + str(r.getrandbits(30)) + "?q=" + word(r)
    return words(r)


def is_card(number):
    """Has Luhn's sum: may be masked as a card number, which is not what is counted here."""
    digits = [int(digit) for digit in reversed(str(number))]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


def number(r):
    value = r.choice([r.randint(0, 10), r.randint(0, 100000), round(r.uniform(0, 1000), 2),
                      round(r.uniform(-180, 180), 6), r.randint(10**9, 2**53 - 1)])
    while isinstance(value, int) and value > 10**12 and is_card(value):
        value += 1
    return value


# ---- bodies

def record(r, depth, deepest, hits=True):
    out = {}
    for _ in range(r.randint(6, 12)):
        x = r.random()
        if x < .055 and hits:
            value = (text(r) if r.random() < .85 else number(r) if r.random() < .7
                     else {"a": text(r)} if depth < deepest else text(r))
            out[r.choice(SENSITIVE)] = value
        elif x < .50: out[r.choice(TEXT)] = text(r)
        elif x < .72: out[r.choice(NUMBER)] = number(r)
        elif x < .80: out["is" + word(r).title()] = r.choice([True, False, None])
        elif depth < deepest and x < .92: out[r.choice(OBJECT)] = record(r, depth + 1, deepest, hits)
        elif depth < deepest:
            nested = depth + 2 <= deepest and r.random() < .5
            out[r.choice(ARRAY)] = (
                [record(r, depth + 2, deepest, hits) for _ in range(r.randint(1, 2))] if nested
                else [r.choice([text, number])(r) for _ in range(r.randint(1, 6))])
        else: out[r.choice(TEXT)] = text(r)
    return out


def compact(value): return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
def indented(value): return json.dumps(value, ensure_ascii=False, indent=2)
def ascii_only(value): return json.dumps(value, separators=(",", ":"))
def length(value): return len(compact(value).encode())


def ordinary(seed, size, hits=True):
    """Records until the size is reached, a note for what is left."""
    r = random.Random(seed)
    records = []
    body = {"data": {"items": records}, "requestId": text(r)}
    used = 40
    while True:
        one = record(r, 4, 6 if size > 3000 else 5, hits)
        used += length(one) + 1
        if used <= size: records.append(one)
        elif records: break
        else: used -= length(one) + 1
    left = size - length(body) - len(',"note":""')
    if left > 0: body["note"] = " ".join(word(r) for _ in range(left // 3 + 2))[:left]
    return body


def fill(r, one, dump=compact):
    """A list of what `one` makes, as long as the hard shapes are."""
    out, used = [], 2
    while used < HARD:
        out.append(one(r))
        used += len(dump(out[-1]).encode()) + 1
    return out


def short_keys(r):
    keys = [a + b for a in "abdefghkmn" for b in ("", "x", "1", "2")]
    return {r.choice(("pin", "otp", "cvv", "ssn")) if r.random() < .05 else r.choice(keys): r.randint(0, 99)
            for _ in range(20)}


def escapes(r):
    piece = lambda: r.choice(('"', "\\", "\n", "\t", "/", "é", "東", "😀", word(r), " "))
    return {r.choice(SENSITIVE if r.random() < .05 else TEXT): "".join(piece() for _ in range(30)) for _ in range(8)}


def deep(r):
    inner = {"id": r.randint(0, 99)}
    for level in range(LEVELS - 3):
        if level % 3 == 2: inner = [inner]
        elif level % 10 == 4: inner = {r.choice(SENSITIVE): text(r), "child": inner}
        else: inner = {"child": inner}
    return inner


def numbers(r): return {"pin": r.randint(1000, 9999), "readings": [number(r) for _ in range(40)]}


# ---- what masking must make of them

def masked(value):
    if isinstance(value, dict):
        return {key: PLACEHOLDER if key.lower() in LOWER else masked(item) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def shape(value, depth=1):
    """Keys, sensitive keys, depth; none of it below a sensitive key."""
    if isinstance(value, dict):
        parts = [(1, 1, depth) if key.lower() in LOWER else shape(item, depth + 1) for key, item in value.items()]
        keys, hits = len(value), sum(hits for _, hits, _ in parts)
        keys += sum(part[0] for key, part in zip(value, parts) if key.lower() not in LOWER)
    elif isinstance(value, list):
        parts = [shape(item, depth + 1) for item in value]
        keys, hits = sum(part[0] for part in parts), sum(part[1] for part in parts)
    else:
        return 0, 0, depth - 1
    return keys, hits, max([depth] + [part[2] for part in parts])


def lines(r):
    """Log lines, plain and masked; every fourth holds a secret."""
    plain, hidden = [], []
    while sum(map(len, plain)) + len(plain) < HARD:
        stamp = "2026-%02d-%02dT%02d:%02d:%02d.%03dZ" % (
            r.randint(1, 12), r.randint(1, 28), r.randint(0, 23), r.randint(0, 59), r.randint(0, 59), r.randint(0, 999))
        line = f"{stamp} {r.choice(('INFO', 'WARN', 'DEBUG'))} [{word(r)}] {words(r)} status={r.choice((200, 404, 500))} "
        end = f" duration_ms={r.randint(1, 999)}"
        middle = f"sku={r.getrandbits(20)}"
        if len(plain) % 4 == 0:
            name = r.choice(("token", "password", "api_key", "client_secret"))
            hidden.append(line + f"{name}={PLACEHOLDER}" + end)
            middle = f"{name}={secret(r)}"
        else:
            hidden.append(line + middle + end)
        plain.append(line + middle + end)
    return "\n".join(plain) + "\n", "\n".join(hidden) + "\n"


def form(r):
    plain, hidden = [], []
    while sum(map(len, plain)) + len(plain) < HARD:
        hit = r.random() < .05
        name = r.choice(SENSITIVE if hit else TEXT)
        value = quote_plus(text(r))
        plain.append(f"{name}={value}")
        hidden.append(f"{name}={PLACEHOLDER}" if hit else plain[-1])
    return "&".join(plain), "&".join(hidden)


def rows():
    """Name, content type, bodies as (plain, masked), keys, sensitive keys, depth."""
    def of_json(name, values, dump):
        keys, hits, depth = (list(column) for column in zip(*map(shape, values)))
        pairs = [(dump(value), dump(masked(value))) for value in values]
        return name, "application/json", pairs, sum(keys), sum(hits), max(depth)

    def of_text(name, content_type, pair):
        return name, content_type, [pair], None, pair[1].count(PLACEHOLDER), None

    for name, size, count in SIZES:
        values = [ordinary(f"{name.replace(' ', '').lower().rstrip('b')}-{i}", size) for i in range(count)]
        yield of_json(f"{name}, compact", values, compact)
        yield of_json(f"{name}, indented", values, indented)
    for name, one, dump in (("short keys", short_keys, compact), ("escapes", escapes, ascii_only),
                            (f"{LEVELS} levels", deep, compact), ("numbers", numbers, compact)):
        yield of_json(name, [{"data": fill(random.Random(name), one, dump)}], dump)
    r = random.Random("one string")
    long = {"id": 7, "password": secret(r), "note": " ".join(word(r) for _ in range(HARD // 7))}
    yield of_json("one long string", [long], compact)
    yield of_json("no key hit", [ordinary("no key hit", HARD, hits=False)], compact)
    yield of_text("log lines", "text/plain", lines(random.Random("log lines")))
    yield of_text("form", "application/x-www-form-urlencoded", form(random.Random("form")))


def main(folder):
    manifest = []
    for name, content_type, pairs, keys, hits, depth in rows():
        row = name.replace(",", "").replace(" ", "-").lower()
        os.makedirs(os.path.join(folder, row), exist_ok=True)
        for i, pair in enumerate(pairs):
            for content, kind in zip(pair, ("in", "masked")):
                with open(os.path.join(folder, row, f"{i:02d}.{kind}"), "wb") as out: out.write(content.encode())
        ordinary_row = name.startswith(tuple(size[0] for size in SIZES))
        if ordinary_row:
            # The properties that the figures are told with. A few small bodies scatter more.
            assert 4 <= depth <= 6, (name, depth)
            assert keys < 1000 or .04 < hits / keys < .065, (name, hits / keys)
        size = sum(len(pair[0].encode()) for pair in pairs)
        manifest.append(dict(name=name, folder=row, content_type=content_type, files=len(pairs), bytes=size, masked=hits))
        share = f"{hits / keys:6.1%} of {keys} keys, {depth} deep" if keys else ""
        print(f"{name:16} {len(pairs):2} x {size // len(pairs):7} bytes {hits:6} to mask {share}", file=sys.stderr)
    with open(os.path.join(folder, "manifest.json"), "w") as out:
        json.dump(dict(sensitive=SENSITIVE, rows=manifest), out, indent=1)


if __name__ == "__main__":
    main(sys.argv[1])
