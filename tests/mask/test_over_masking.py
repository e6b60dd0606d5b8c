"""What must stay readable: a recording in which everything is masked helps nobody."""

import importlib.util
import json
import os
import random
from pathlib import Path

import pytest
from json_reference import masked, sensitive
from mask_helpers import BODY, HEADERS as HEADERS_KEY, MASKED, capture, text

# ---- whole bodies ----

STRINGS = ["id", "name", "title", "description", "status", "type", "currency", "createdAt", "updated_at", "city", "country", "sku", "url", "note", "locale",
           "timezone", "category", "brand", "color", "role", "comment", "ip", "userAgent", "reference", "state", "label", "message", "source", "path", "method"]
NUMBERS = ["quantity", "price", "total", "discount", "score", "lat", "lng", "count", "version", "weight", "duration_ms", "rank", "attempts", "size", "page", "limit"]
SENSITIVE = ["password", "token", "access_token", "refreshToken", "secret", "api_key", "apiKey", "authorization", "sessionId", "client_secret", "privateKey",
             "creditCard", "card_number", "cvv", "ssn", "pin", "iban", "otp", "phone_number", "phoneNumber", "email", "address", "dob", "passport_number", "cookie"]
WORDS = ("lorem ipsum dolor sit amet order shipped warehouse north blue large standard express pending invoice customer support ticket closed open review great "
         "quality fast delivery returned partial stock reserved online store checkout gateway retry succeeded failed timeout request response").split()
FOREIGN = ["žluťoučký", "naïve café", "東京都", "Grüße", "señor", "😀 ok", "Łódź"]


def words(r):
    kind = r.random()
    if kind < 0.2:
        return "%08x-%04x-4%03x-%04x-%012x" % (r.getrandbits(32), r.getrandbits(16), r.getrandbits(12), r.getrandbits(16), r.getrandbits(48))
    if kind < 0.35:
        return "20%02d-%02d-%02dT%02d:%02d:%02d.%03dZ" % tuple(r.randint(a, b) for a, b in ((18, 26), (1, 12), (1, 28), (0, 23), (0, 59), (0, 59), (0, 999)))
    if kind < 0.42:
        return f"{r.choice(FOREIGN)} {r.choice(WORDS)}"
    if kind < 0.47:
        return f'said "{r.choice(WORDS)}"\n\tthen C:\\{r.choice(WORDS)}'
    if kind < 0.53:
        return f"https://example.com/{r.choice(WORDS)}/{r.getrandbits(30)}?q={r.choice(WORDS)}"
    return " ".join(r.choice(WORDS) for _ in range(r.randint(1, 9)))


def number(r):
    return r.choice([r.randint(0, 10), r.randint(0, 100_000), round(r.uniform(0, 1000), 2), round(r.uniform(-180, 180), 6), r.randint(10**9, 10**12)])


def thing(r, depth):
    made = {}
    for _ in range(r.randint(6, 12)):
        kind = r.random()
        if kind < 0.06:
            made[r.choice(SENSITIVE)] = r.choice([words(r), number(r), {"a": words(r)}])
        elif kind < 0.5:
            made[r.choice(STRINGS)] = words(r)
        elif kind < 0.72:
            made[r.choice(NUMBERS)] = number(r)
        elif kind < 0.8:
            made["is" + r.choice(WORDS).title()] = r.choice([True, False, None])
        elif depth:
            made[r.choice(["customer", "shipping", "profile", "settings", "metadata", "audit"])] = thing(r, depth - 1)
        else:
            made[r.choice(["tags", "events", "history"])] = [words(r), number(r)]
    return made


@pytest.mark.parametrize("seed", range(6))
def test_ordinary_bodies(seed):
    """The shapes of the corpus that speed is measured with: nothing but what is under a sensitive name is touched."""
    r = random.Random(f"ordinary-{seed}")
    for _ in range(40):
        # A pair (a name and a value side by side) is another matter.
        body = json.dumps({"data": [thing(r, r.randint(0, 3)) for _ in range(3)]}, ensure_ascii=r.random() < 0.5, indent=r.choice([None, 1, 2, "\t"]))
        assert text(body, "application/json") == masked(body)


def cards_hidden(one, other):
    """The same, but where a random number of the first happens to be a card's."""
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(cards_hidden, one.values(), other.values()))
    if isinstance(one, list):
        return len(one) == len(other) and all(map(cards_hidden, one, other))
    if other == MASKED and type(one) is int and 13 <= len(str(one)) <= 19:
        return sum(sum(divmod(int(d) * (1 + n % 2), 10)) for n, d in enumerate(reversed(str(one)))) % 10 == 0
    return one == other


def test_the_corpus():
    """The corpus itself: MPR_CORPUS names its generator, gen_corpus.py."""
    path = Path(os.environ.get("MPR_CORPUS", ""))
    if not path.is_file():
        pytest.skip("MPR_CORPUS is not set")
    spec = importlib.util.spec_from_file_location("gen_corpus", path)
    corpus = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(corpus)
    for seed, size in [*((f"1k-{n}", 1024) for n in range(16)), *((f"10k-{n}", 10_240) for n in range(8)), ("100k-0", 102_400)]:
        body = corpus.body(seed, size).decode()
        assert cards_hidden(json.loads(masked(body)), json.loads(text(body, "application/json"))), seed


# ---- names ----

HARMLESS_NAMES = """
author authors authored_by authority author_id passenger passengers passed passing pass_rate compass bypass passage passive
keyboard keyword keywords monkey turkey keynote hockey primary_key foreign_key idempotency_key sort_key partition_key cache_key
object_key i18n_key tokenize tokenizer token_type token_count token_limit token_usage max_tokens total_tokens prompt_tokens
completion_tokens input_tokens output_tokens pinned pinning pin_color opinion spin spinning pinterest pint email_sent email_verified
addressable addressee ip_address mac_address host_address server_address bind_address memory_address auth_method authenticated
cookie_consent secretary secretariat assassin session sessions session_count code error_code status_code country_code zip_code
postal_code code_name state nonce cursor page page_number next previous offset limit etag hash checksum sha256 md5 digest
signature_algorithm design designer assign assigned assignment consign sidebar side inside president sin_wave sinus sync since
tins tinted meeting nine nintendo cc_list success access accessible accessory accuracy account account_id accounts balance
card cards cardinality discard cardboard postcard pan_left panel expand company panorama swiftly swift_version taylor_swift
ssnow business routing_table routing_rule router route telephone_verified telemetry telescope hotel motel mobile_app automobile
mobile_view automobiles immobile phone_verified phonetic microphone_on dobby adobe birthday_count url uri path method host port
user username user_id login name first_name last_name description comment message title subject body content data value key_count
has_password is_secret needs_token must_change_password password_required password_enabled token_valid otp_required
password_changed_at password_expires_at password_last_changed token_expires_in access_token_expires_in refresh_token_expires_at
token_ttl token_timeout token_created_at session_key_expiry api_key_last_used api_key_count secret_version secret_arn secret_ref
token_status jwt_alg api_key_status tokens_used tokens_remaining max_new_tokens audio_tokens thinking_tokens prediction_tokens
next_token next_page_token pagination_token password_policy min_password_length phone_number_verified remote_address node_address
number_of_items count total amount price credit debit bank_name iban_valid cvv_result_code
""".split()
#: Names as above, that are masked today, or that some list could well have: told in the report, not judged.
DEBATABLE = {"iban_valid", "cvv_result_code", "pan_left", "tins", "telephone_verified"}


@pytest.mark.parametrize(
    "name",
    "credit_card_expiry card_number_last_used passport_expires_at tokens_revoked credentials_enabled passwords_allowed page_token"
    " password_expires_at_token token_id password_attempts new_tokens reset_tokens has_pass_word_email verify_password"
    " enable_password password_changed token_expires_in_secret reset_password continuation_token client_address".split(),
)
def test_what_only_begins_or_ends_like_a_fact_is_masked(name):
    assert sensitive(name), "the reference itself"
    assert json.loads(text(json.dumps({name: "blue"}))) == {name: MASKED}


@pytest.mark.parametrize("name", [n for n in HARMLESS_NAMES if n not in DEBATABLE])
def test_harmless_names(name):
    camel = "".join(part.capitalize() if at else part for at, part in enumerate(name.split("_")))
    for spelled in (name, camel, camel[0].upper() + camel[1:], name.upper(), name.replace("_", "-")):
        assert not sensitive(spelled), "the reference itself"
        body = json.dumps({spelled: "blue", "n": {spelled: 5}})
        assert text(body) == body
        if name not in ("session", "code"):  # by the page masked in forms
            assert text(f"a=1&{spelled}=blue", "application/x-www-form-urlencoded") == f"a=1&{spelled}=blue"
        assert text(f"{spelled}: blue", "text/plain") == f"{spelled}: blue" or name == "code"


def test_words_of_other_scripts_stay():
    body = json.dumps({"jméno": "x", "имя": "Иван", "名前": "山田", "größe": 5, "naïve": "é", "ключ": 1, "مفتاح": 2}, ensure_ascii=False)
    assert text(body) == body


# ---- values ----

READABLE = [
    "Unexpected token } in JSON at position 5", "Unexpected token < in JSON", "SyntaxError: Unexpected token 'a', \"abc\" is not valid JSON", "invalid token at line 3, column 7",
    "password must have 8 characters", "The password field is required.", "Your password has been changed", "Enter your e-mail and password", "token expired", "token is invalid or has expired", "No API key found in request",
    "api key is missing", "session expired, please log in again", "Your card was declined.", "the secret of success", "forgot your password?", "Invalid credentials", "2024-05-01", "2024-05-01T10:00:00Z", "10:30:45", "12:30",
    "550e8400-e29b-41d4-a716-446655440000", "507f1f77bcf86cd799439011", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "d41d8cd98f00b204e9800998ecf8427e", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "https://example.com/a/b/c?q=shoes&page=2#top", "/api/v1/users/42/orders?sort=asc", "https://example.com/@ann/post-1", "user@host:~/dir",
    "1.2.3-beta+build.5", "127.0.0.1:8080", "[::1]:80", "+1 (555) 010-0199", "CZK 1,234.50", "a=b", "x: y", "key is not unique", "duplicate key value violates unique constraint \"users_pkey\"", "Key (id)=(5) already exists.",
    "SELECT * FROM orders WHERE id = 5 AND status = 'open'", "SELECT password_hash FROM users WHERE id = 5", "SELECT id, name FROM users WHERE email = $1", "UPDATE t SET name = 'ann' WHERE id = 1", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "data:image/png;base64,iVBORw0KGgo=", "W/\"0815\"", "max-age=3600, must-revalidate", "text/html; charset=utf-8", "Traceback (most recent call last):\n  File \"a.py\", line 5, in f\nKeyError: 'id'", "at Foo.bar (Foo.java:42)", "authored by ann",
    "a passenger's keyboard", "author: ann", "passenger: bob", "keyboard: qwerty", "monkey=1", "compass=north", "{not json}", "[x] done", "<b>bold</b>", "1 < 2 > 0", "50% off", "100%", "C:\\Users\\ann", "\\d+\\s*", "${name}", "{{name}}",
]


@pytest.mark.parametrize("value", READABLE)
def test_readable_values(value):
    for body, content_type in (
        (json.dumps({"message": value, "list": [value], "deep": [{"note": value}]}), "application/json"),
        (json.dumps([value], ensure_ascii=False), None),
        (f"note {value}", "text/plain"),
    ):
        assert text(body, content_type) == body
    # One line in a header and a form.
    if "\n" not in value and value.isascii():
        got = json.loads(capture(None, [("X-Note", value)])[HEADERS_KEY])
        assert got == {"X-Note": value}


@pytest.mark.parametrize(
    "messages",
    [
        ["Password is too short", "Email is invalid"], ["password must be longer than or equal to 8 characters", "name should not be empty"],
        ["The password field is required.", "The name field is required.", "The email must be a valid email address.", "The city field is required."],
        ["No API key found in request", {"status": 401}], ["token expired at noon", "log in again"],
    ],
    ids=str,
)
def test_lists_of_messages(messages):
    """A sentence is no name, so what follows it is no value."""
    for body in (json.dumps({"errors": messages}), json.dumps({"errors": {"base": messages}}), json.dumps(messages)):
        assert text(body) == body


def test_unexpected_token_alone():
    for value in ("Unexpected token: }", "Unexpected token } in JSON at position 5"):
        assert text(value, "text/plain") == value
        assert json.loads(text(json.dumps({"error": value}))) == {"error": value}


NUMBERS_AS_WRITTEN = ["0", "-0", "1.0", "1.10", "1e5", "1E+5", "-1.5e-10", "12345678901234567890", "0.1", "1714557600000", "1714557600.123456", "3.141592653589793238"]


def test_numbers_and_blanks_as_written():
    body = "\r\n{ \"a\" :\t[ %s ]\n,\n\"password\" : 1 , \"b\"\n:\n{ } }\n" % " ,\n".join(NUMBERS_AS_WRITTEN)
    assert text(body, "application/json") == body.replace(": 1 ,", ': "***MASKED***" ,')


# ---- pagination, errors, API answers ----


def test_pagination():
    """Cursors, links and the tokens of a next page stay; names that some use for a login's token are masked."""
    for name in ("cursor", "next_cursor", "nextCursor", "after", "before", "next", "continuation", "page", "offset", "startCursor", "endCursor"):
        body = json.dumps({name: "b2Zmc2V0OjEw"})
        assert text(body) == body
    for name in ("nextToken", "next_page_token", "nextPageToken", "NextToken", "NextContinuationToken", "$skiptoken"):
        body = json.dumps({name: "b2Zmc2V0OjEw"})
        assert text(body) == body
    for name in ("pageToken", "page_token", "continuationToken", "syncToken", "resumeToken"):
        assert sensitive(name) and json.loads(text(json.dumps({name: "b2Zmc2V0OjEw"}))) == {name: MASKED}
    assert text("https://h/?cursor=b2Zm&limit=5", "text/plain") == "https://h/?cursor=b2Zm&limit=5"


def test_validation_errors():
    """By the page whatever is under the name is masked, also the messages."""
    assert json.loads(text('{"errors":{"password":["too short"],"name":["missing"]}}')) == {"errors": {"password": MASKED, "name": ["missing"]}}
    # A list of errors says what is wrong without a value.
    body = json.dumps({"errors": [{"field": "password", "code": "too_short", "message": "must have 8 characters"}]})
    assert text(body) == body
    body = json.dumps({"error": {"code": "token_expired", "type": "auth_error", "message": "Log in again"}, "status": 401})
    assert text(body) == body


def test_pairs_that_are_none():
    for body in (
        '{"key": "color", "value": "blue"}', '{"name": "size", "value": 5}', '["user", "ann"]', '["a", "b", "c"]', '{"id": "token-ring", "label": "x"}', '{"type": "object", "data": {"a": 1}}',
        '{"field": "name", "old": "a", "new": "b"}', '[["Accept", "x"], ["Host", "h"]]', '{"columns": ["id", "name"], "rows": [[1, "ann"]]}', '{"fieldName": "color", "fieldValue": "blue"}', '["SET", "user:1", "ann"]',
        '{"type": "password", "label": "Enter it", "required": true}', '{"name": "password", "type": "text", "required": true}', '{"required": ["user", "password"]}', '{"fields": ["id", "token"]}', '{"scopes": ["read", "secret"]}',
    ):
        got = json.loads(text(body))
        # A schema's list of names may be read as name and value; what is no secret by any reading stays.
        assert got == json.loads(body), (body, got)


def test_graphql_keeps_its_shape():
    query = "query Cart($id: ID!, $first: Int = 10) { cart(id: $id) { items(first: $first, after: null) { id name price } } }"
    assert text(query, "application/graphql") == query
    body = json.dumps({"operationName": "Login", "query": "mutation Login($password: String!) { login(password: $password) { token } }", "variables": {"id": 5}})
    got = json.loads(text(body))
    assert got["operationName"] == "Login" and got["variables"] == {"id": 5}
    assert "mutation Login" in got["query"] and "String!" in got["query"], got["query"]


def test_openai_and_the_like():
    body = json.dumps({"id": "chatcmpl-1", "model": "m", "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}, "max_tokens": 100, "choices": [{"message": {"role": "assistant", "content": "hi"}}]})
    assert text(body) == body
    body = json.dumps({"access_token": "x", "token_type": "Bearer", "expires_in": 3600, "scope": "read"})
    assert json.loads(text(body)) == {"access_token": MASKED, "token_type": "Bearer", "expires_in": 3600, "scope": "read"}


# ---- headers ----


def test_ordinary_headers_stay():
    headers = {
        "Host": "h.example:8080", "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "Accept-Encoding": "gzip, deflate, br, zstd", "Accept-Language": "cs,en;q=0.5",
        "Content-Type": "application/json; charset=utf-8", "Content-Length": "12", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Cache-Control": "max-age=0, private", "ETag": "W/\"33a64df5\"",
        "If-None-Match": "\"33a64df551425fcc55e4d42a148795d9f25f89d4\"", "Date": "Wed, 01 May 2024 10:00:00 GMT", "X-Request-Id": "550e8400-e29b-41d4-a716-446655440000", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "X-Forwarded-For": "203.0.113.7, 10.0.0.1", "X-Forwarded-Proto": "https", "Vary": "Accept, Cookie, Authorization", "Access-Control-Allow-Headers": "Authorization, X-Api-Key", "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Origin": "*", "Content-Security-Policy": "default-src 'self'; script-src 'nonce-x'", "Strict-Transport-Security": "max-age=31536000", "Server": "nginx/1.25.3", "Location": "/orders/5?page=2", "Link": '</a?page=2>; rel="next"',
        "Idempotency-Key": "550e8400-e29b-41d4-a716-446655440001", "Retry-After": "30", "X-RateLimit-Remaining": "59", "Content-Disposition": 'attachment; filename="a.pdf"', "Range": "bytes=0-99", "Connection": "keep-alive", "Sec-Fetch-Mode": "cors",
        "WWW-Authenticate": 'Bearer realm="x", error="invalid_token"', "Keep-Alive": "timeout=5, max=100", "Transfer-Encoding": "chunked", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "X-Powered-By": "Express", "grpc-timeout": "1S",
    }
    for name, value in headers.items():
        got = json.loads(capture(None, [(name, value)])[HEADERS_KEY])
        assert got == {name: value}
    assert json.loads(capture(None, list(headers.items()))[HEADERS_KEY]) == headers


def test_cookies_keep_names_and_attributes():
    got = json.loads(capture(None, [("Set-Cookie", "sid=abc; Path=/a; Domain=h.example; Max-Age=3600; Expires=Wed, 01 May 2024 10:00:00 GMT; HttpOnly; Secure; SameSite=Lax")])[HEADERS_KEY])["Set-Cookie"]
    assert got == f"sid={MASKED}; Path=/a; Domain=h.example; Max-Age=3600; Expires=Wed, 01 May 2024 10:00:00 GMT; HttpOnly; Secure; SameSite=Lax"
    assert json.loads(capture(None, [("Cookie", "a=1; theme=dark; c")])[HEADERS_KEY])["Cookie"].startswith(f"a={MASKED}; theme={MASKED}")


# ---- other bodies ----


def test_ordinary_bodies_of_other_types_stay():
    for body, content_type in (
        ("user=ann&size=5&q=a+b%20c&tags%5B%5D=x&tags%5B%5D=y&empty=&flag", "application/x-www-form-urlencoded"),
        ('--x\r\nContent-Disposition: form-data; name="user"\r\n\r\nann\r\n--x--\r\n', "multipart/form-data; boundary=x"),
        ("event: message\nid: 5\nretry: 1000\ndata: {\"a\": 1}\n\ndata: hello\n\n: ping\n\n", "text/event-stream"),
        ('{"a":1}\n{"b":[2]}\n', "application/x-ndjson"),
        ("Hello, world.\nSecond line: ok\n", "text/plain"),
        ("function f(a) { return a.length > 5 ? `x${a}` : 'y'; } // done\n", "application/javascript"),
        ("query { cart(id: 5) { items { id name } } }", "application/graphql"),
        ("OK", "text/plain"), ("", "text/plain"), ("true", None), ("5", None), ("pong", None),
    ):
        assert text(body, content_type) == body


def test_ordinary_markup_and_tables_stay():
    """Needs XML, HTML and CSV to be masked instead of described."""
    for body, content_type in (
        ('<?xml version="1.0"?>\n<order id="5"><item sku="a-1">Blue &amp; green</item><n/></order>', "application/xml"),
        ("<html><head><title>Shop</title></head><body><p class='x'>Hello &lt;you&gt;</p></body></html>", "text/html"),
        ("id,name,city\n1,ann,\"Ústí, CZ\"\n2,bob,Brno\n", "text/csv"),
    ):
        assert text(body, content_type) == body


def test_one_secret_in_markup_and_tables_leaves_the_rest():
    """Needs XML, HTML and CSV to be masked instead of described."""
    assert text("<a><user>ann</user><password>x</password><n>5</n></a>", "application/xml") == f"<a><user>ann</user><password>{MASKED}</password><n>5</n></a>"
    got = text("id,password,city\n1,x,Brno\n2,y,Praha\n", "text/csv")
    assert got == f"id,password,city\n1,{MASKED},Brno\n2,{MASKED},Praha\n"
