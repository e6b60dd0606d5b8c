"""mpr_mask of JSON against json_reference.py, byte for byte, and a list of what is JSON and what is not."""

import json
import random

import pytest
from json_reference import masked, sensitive
from mask_helpers import MASKED, NOTE, mask, text

# ---- generator ----

SENSITIVE = """
password passwd pwd psw passphrase passcode passkey pass_hash pass_salt token tokens jwt bearer authorization credential
credentials creds csrf xsrf session_id session_key session_cookie session_secret jsessionid phpsessid auth_key auth_code
auth_hash auth_header authorization_code code_verifier device_code client_assertion saml_response secret secrets api_key
app_key access_key account_key private_key public_key encryption_key signing_key master_key shared_key license_key ssh_key
consumer_key subscription_key functions_key storage_key service_key client_key connection_string seed_phrase
recovery_phrase mnemonic keystore otp totp hotp one_time_code 2fa_code mfa_code sms_code verification_code security_code
confirmation_code activation_code backup_code recovery_code reset_code pin_code pin_number pin_block security_question
security_answer maiden_name credit_card debit_card card_number card_num card_no card_code cc_number ccn cvv cvc cvn csc
iban account_number bank_account routing_number sort_code swift_code bic_code ssn social_security social_insurance
tax_id passport national_id id_number driver_license license_number email_address phone_number mobile_number
date_of_birth street_address home_address billing_address shipping_address address_line db_pass pass basic_auth oauth
cookie cookies sid signature sig pin card_pin mfa 2fa routing bic user_email email phone telephone cellphone msisdn dob
birthday address addresses userpassword csrftoken accesstoken clientsecret password_token_type
""".split()
HARMLESS = """
author passenger keyboard tokenize pass_rate auth_method primary_key idempotency_key pinned pin_color email_sent
addressable token_type token_count token_limit token_usage token_endpoint max_tokens total_tokens prompt_tokens
completion_tokens input_tokens output_tokens authorization_url password_policy secret_name ip_address ipv4_address
mac_address host_address server_address memory_address id title status currency created_at city country sku note locale
quantity price total lat lng weight attempts items customer profile metadata dimensions color size x y z n unicode_é 東京
zipcode ticket assertion compass bypass_cache encompass spinning opinion panel company success accuracy description
keyword monkey turkey keynote hockey donkey signal assign design sidebar inside president residue
""".split()
WITH_PREFIX = {"basic_auth", "user_email", "db_pass", "card_pin"}
SENSITIVE_TOGETHER = {*SENSITIVE} - WITH_PREFIX
WHOLE = ["key", "pan", "cc", "swift", "sin", "tin", "nin", "tel", "mobile"]
PREFIXES = ["user", "my", "old", "new", "x", "b", "order", "the", "customers", "shop"]


def camel(words):
    return words[0] + "".join(word.capitalize() for word in words[1:])


STYLES = [
    "_".join, "-".join, ".".join, " ".join, "".join, camel, lambda w: camel(["", *w]),
    lambda w: "_".join(w).upper(), lambda w: "-".join(word.capitalize() for word in w), lambda w: "__".join(["", *w, ""]),
    lambda w: f"{w[0]}[{']['.join(w[1:])}]" if len(w) > 1 else f"[{w[0]}]",
]


def name(r):
    kind = r.random()
    if kind < 0.25:
        base = r.choice(SENSITIVE).split("_")
        if r.random() < 0.3:
            base = [r.choice(PREFIXES), *base]
        if r.random() < 0.15:
            base = [*base, str(r.randint(1, 99))]
    elif kind < 0.32:
        base = [r.choice(WHOLE)]
    elif kind < 0.36:
        base = [r.choice(PREFIXES), r.choice(WHOLE)]
    else:
        base = r.choice(HARMLESS).split("_")
        if r.random() < 0.2:
            base = [r.choice(PREFIXES), *base]
    style = r.choice(STYLES)
    # Without any border only an entry alone is documented ("dateofbirth"; but "mypin" is another word than "my_pin").
    return "_".join(base) if style == "".join and "_".join(base) not in SENSITIVE_TOGETHER else style(base)


def written(r, string, ascii_only=False):
    """A JSON string in one of the many ways of writing it."""
    out = []
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    for c in string:
        must = c in short or c < " "
        if must or r.random() < 0.03:
            if c in short and r.random() < 0.8:
                out.append(short[c])
            elif c == "/":
                out.append("\\/")
            else:
                units = c.encode("utf-16-be")
                style = r.choice(["\\u%04x", "\\u%04X"])
                out += [style % int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
        else:
            out.append(c)
    return '"%s"' % "".join(out)


TEXTS = [
    "", " ", "blue", "north wind", "naïve café", "東京都", "😀 ok", "a/b", 'said "hello"\n\tthen C:\\temp', "\\", '"', "\\\"", "]}",
    "2024-05-01T10:00:00.000Z", "9f1b6f0e-3b0a-4f0e-9c36-0d8f0f8e2a11", "https://example.com/a/b?q=shoes", "\u0000\u001f", "x" * 300,
    "{", "[", "{}", "[1,2]", "// no", "/* no */", "12345", "null", "\u2028\u2029", "\ufeff", "\u00a0", "1e5", "e\u0301", "NaN", ",", ":",
]
NUMBERS = [
    "0", "-0", "1", "-1", "12.50", "1e3", "1E+3", "1e-7", "0.1", "-0.0e0", "9007199254740993", "123456789012345678901234567890",
    "1.7976931348623157e309", "0.1000000000000000055511151231257827", "1e999999", "-12", "100", "5e-324",
]
BLANKS = ["", "", "", " ", "\n", "\t", "\r\n", "  ", " \n  ", "\n\n"]


def value(r, depth, blank):
    kind = r.random()
    if depth and kind < 0.28:
        members = [
            f"{blank()}{written(r, name(r))}{blank()}:{blank()}{value(r, depth - 1, blank)}{blank()}"
            for _ in range(r.randint(0, 7))
        ]
        if len(members) > 1 and r.random() < 0.2:
            members.append(r.choice(members))
        return "{%s}" % (",".join(members) or blank())
    if depth and kind < 0.42:
        items = [blank() + value(r, depth - 1, blank) + blank() for _ in range(r.randint(0, 5))]
        return "[%s]" % (",".join(items) or blank())
    if kind < 0.75:
        return written(r, r.choice(TEXTS))
    if kind < 0.92:
        return r.choice(NUMBERS)
    return r.choice(["true", "false", "null"])


def document(r, style=None):
    style = style or r.choice(["none", "any", "pretty"])
    blank = {"none": lambda: "", "any": lambda: r.choice(BLANKS), "pretty": lambda: "\n  "}[style]
    while True:
        made = value(r, r.randint(1, 6), blank)
        if made[0] in "{[":
            return made


def pairs(decoded):
    """json.loads() that keeps repeated names, and numbers as written."""
    return json.loads(decoded, object_pairs_hook=lambda p: ("object", p), parse_float=str, parse_int=str)


def same_shape(one, other):
    """The same structure and values, but where the second has the placeholder."""
    if other == MASKED:
        return True
    if isinstance(one, tuple) and isinstance(other, tuple):
        names = [n for n, _ in one[1]] == [n for n, _ in other[1]]
        return names and all(same_shape(a, b) for (_, a), (_, b) in zip(one[1], other[1]))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_shape, one, other))
    return type(one) is type(other) and one == other


# ---- tests ----


@pytest.mark.parametrize("seed", range(12))
def test_documents(seed):
    r = random.Random(f"documents-{seed}")
    for _ in range(250):
        made = document(r)
        got = text(made, r.choice([None, "application/json", "application/json; charset=utf-8", "application/vnd.api+json"]))
        assert got == masked(made), made
        assert same_shape(pairs(made), pairs(got)), made


def test_several_documents():
    """Concatenated, on lines, and as JSON text sequences; the same with a BOM."""
    r = random.Random("several")
    for n in range(150):
        made = [document(r) for _ in range(r.randint(2, 5))]
        lines = [document(r, "none") for _ in made]
        for body, content_type in (
            ("".join(made), "application/json"),
            (" ".join(made), None),
            ("\n".join(lines) + "\n", "application/x-ndjson"),
            ("\r\n".join(lines), None),
            ("".join(f"\x1e{d}\n" for d in made), "application/json-seq"),
        ):
            got = text(body, content_type)
            assert got.replace("\x1e", "") == masked(body).replace("\x1e", ""), body
        got = text("\ufeff" + made[0], "application/json")
        assert got.lstrip("\ufeff") == masked(made[0])


@pytest.mark.parametrize("name", sorted({*SENSITIVE, *WHOLE}))
def test_a_documented_name_is_masked_in_every_spelling(name):
    assert sensitive(name), "the reference does not know what the table says"
    for style in STYLES[:4] + STYLES[5:]:
        spelled = style(name.split("_"))
        for body in (
            "{%s: 1}" % json.dumps(spelled),
            '{%s: {"a": ["b"]}, "c": 2}' % "".join(["\"", *("\\u%04x" % ord(c) for c in spelled), "\""]),
        ):
            assert text(body) == masked(body), spelled
            assert MASKED in text(body), spelled
    together = "".join(name.split("_"))
    assert name in WITH_PREFIX or json.loads(text(json.dumps({together: "x"}))) == {together: MASKED}


@pytest.mark.parametrize(
    "written_name",
    [
        "PassWord", "user_password", "new-password-confirmation", "a[password]", "PASSWORD2", "pass%77ord", "X-API-Key", "apiKey",
        "API_KEY", "apikey", "ｐａｓｓｗｏｒｄ", "pass\u200bword", "pässword".replace("ä", "a\u0308"), "ＡＰＩ＿ＫＥＹ", "pass\u00adword",
        "pass\ufeffword", "user password", "user.password.old", "passwords", "PASSWORD", "Password1", "myPassword", "password_",
        "%70%61%73%73%77%6f%72%64", "tokenValue", "XAuthToken", "APIKey", "userAPIKey", "OTPCode", "userPIN", "PIN", "pin2", "SSN1",
        "accessTokenSecret", "token_type_token", "password_token_type", "authorization_url_password",
    ],
)
def test_names_that_the_page_tells(written_name):
    body = json.dumps({"a": 1, written_name: "x"}, ensure_ascii=False)
    assert json.loads(text(body))[written_name] == MASKED
    assert json.loads(text(json.dumps({written_name: [1]})))[written_name] == MASKED


@pytest.mark.parametrize(
    "name",
    "passwords otps ssns cvvs cvcs ibans jwts emails phones email_addresses phone_numbers card_numbers credit_cards passports"
    " api_keys access_keys private_keys public_keys license_keys ssh_keys signing_keys client_keys storage_keys session_ids"
    " account_numbers bank_accounts routing_numbers recovery_codes backup_codes security_codes verification_codes pin_codes"
    " security_questions security_answers tax_ids national_ids id_numbers driver_licenses signatures seed_phrases"
    " connection_strings passphrases passcodes passkeys billing_addresses home_addresses".split(),
)
def test_a_list_of_secrets_has_its_name_in_the_plural(name):
    """The page has some plurals only; whoever writes {"ssns": ["078-05-1120"]} means the same."""
    for spelled in (name, camel(name.split("_"))):
        assert json.loads(text(json.dumps({spelled: ["x", "y"]}))) == {spelled: MASKED}


def test_every_type_of_value_is_masked():
    for v in ["1", "-1.5e9", "true", "false", "null", '""', '"x"', "[]", "{}", "[[1],{}]", '{"a":{"b":"]}"}}', '"\\\\"', '"\\""', '"a\\"]}b"']:
        assert text('{"password":%s,"a":1}' % v) == '{"password":"***MASKED***","a":1}', v
        assert text('[{ "password" :\n%s }, {"token": %s}]' % (v, v)) == '[{ "password" :\n"***MASKED***" }, {"token": "***MASKED***"}]'


def test_a_repeated_name_is_masked_each_time():
    assert text('{"pin":1,"pin":2,"a":3,"PIN":[4]}') == '{"pin":"***MASKED***","pin":"***MASKED***","a":3,"PIN":"***MASKED***"}'


def test_key_is_a_name_when_there_is_a_value():
    assert text('{"key":"color","value":"blue"}') == '{"key":"color","value":"blue"}'
    assert text('{"value":"blue","key":"color"}') == '{"value":"blue","key":"color"}'
    assert json.loads(text('{"key":"Zq7Xv"}')) == {"key": MASKED}


def test_json_in_a_string():
    r = random.Random("strings")
    for _ in range(150):
        inner = document(r)
        body = json.dumps({"a": [inner], "b": 1}, ensure_ascii=r.random() < 0.5)
        got = json.loads(text(body))
        assert got["b"] == 1 and got["a"][0] == masked(inner), inner
        twice = json.dumps({"c": json.dumps({"d": inner})})
        assert json.loads(json.loads(text(twice))["c"])["d"] == masked(inner), inner


def test_depth():
    for deep in (10, 150, 199):
        body = '{"a":' * deep + '{"password":1,"b":2}' + "}" * deep
        assert text(body) == masked(body)
    for deep in (201, 210, 500):
        body = "[" * deep + '"Zq7XvKw3Jt"' + "]" * deep
        got = text(body)
        json.loads(got)
        assert "Zq7Xv" not in got and MASKED in got


# ---- what is JSON and what is not ----

ACCEPTED = r"""
[]
{}
[[]]
[{}]
[null]
[true]
[false]
[0]
[-0]
[-0.0]
[1]
[-1]
[10]
[123456789]
[-123]
[1.5]
[0.5]
[1e1]
[1E1]
[1e+1]
[1E+1]
[1e-1]
[1.5e10]
[0e1]
[0e+1]
[-1.5E-10]
[123.456789]
[0.4e00669999999999999999999999999999]
[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]
[1.5e+9999]
[123123e100000]
[-237462374673276894279832749832423479823246327846]
[100000000000000000000]
[20e1]
[1e-2]
[123e65]
[""]
["a"]
["\""]
["\\"]
["\/"]
["\b\f\n\r\t"]
["\u0000"]
["\u0060\u012a\u12AB"]
["\uD801\udc37"]
["\ud83d\ude39\ud83d\udc8d"]
["\uDBFF\uDFFE"]
["\\u0000"]
["\\n"]
["\\a"]
["a/*b*/c/*d//e"]
["asd"]
["\uFDD0"]
["\u002c"]
["\u0123"]
["new\u00A0line"]
["\u0821"]
["\u200B"]
["\u2064"]
["\u005C"]
["\u0022"]
["\ud800"]
["\udc00\ud800"]
["\ud800abc"]
["é"]
["€𝄞"]
["😀"]
["  "]
["DEL:"]
["⍂㈴⍂"]
["aクリス"]
["π"]
[ ]
[1,2]
[1, 2]
[1 , 2]
[ 1 ]
[1,null,null,null,2]
[true,false,null,0,"",[],{}]
["a","b"]
[[],[],[]]
[[[[[[[[[[1]]]]]]]]]]
[{"a":[{"b":[{}]}]}]
{"a":1}
{"a": 1}
{"a" :1}
{ "a":1 }
{"a":[]}
{"a":{}}
{"a":null}
{"":0}
{"":""}
{"a":"b","a":"b"}
{"a":"b","a":"c"}
{"a":1,"b":2,"c":3}
{"min": -1.0e+28, "max": 1.0e+28}
{"asd":"sdf", "dfg":"fgh"}
{"foo\u0000bar": 42}
{"x":[{"id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}], "id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}
{"a":[1,2,{"b":"c"}],"d":true}
{"title":"\u041f\u043e\u043b"}
{"a":"}"}
{"a":"]"}
{"a":"\\"}
{"a":"\\\""}
{"a":"{\"b\":1}"}
{"a":"\\\\","b":1}
"asd"
""
" "
"\""
42
-0.1
0
true
false
null
""".strip("\n").split("\n")

REJECTED = r"""
[1,]
[,1]
[,]
[,
[1,,2]
[1,,]
["a",]
["",]
[1 true]
["a" "b"]
["": 1]
[1:2]
[3[4]]
[1}
[}
[
[1
[1,
["a
["a"
["
[[]
[[1]
[{}
[{
]
[]]
[1]]
[*]
[a]
[a
[\u0061]
[True]
[TRUE]
[tru]
[nul]
[nulll]
[fals]
[truefalse]
[NaN]
[-NaN]
[Infinity]
[-Infinity]
[+Inf]
[undefined]
[0123]
[-012]
[012]
[00]
[-]
[--1]
[+1]
[++1234]
[.1]
[-.1]
[1.]
[-1.]
[1.e1]
[2.e+3]
[0.e1]
[1e]
[1e+]
[1e-]
[1eE2]
[0e]
[0E+]
[1.0e]
[1.0e+]
[1 000]
[1_000]
[0x42]
[0x1]
[1a]
[1.2a-3]
[-1x]
[1.8011670033376514H-308]
[1+2]
[0.1.2]
[0.3e]
[１]
[- 1]
['a']
["\x00"]
["\a"]
["\u"]
["\u0"]
["\u00"]
["\u00A"]
["\uZZZZ"]
["\u00G0"]
["\U0001f600"]
["\'"]
["\ "]
["\
["\"]
["\\\"]
["\uD800\"]
["\u0022]
["\🌀"]
["a\"]
["x", truth]
[<null>]
[1,"a",nul
[1] x
[1] // comment
[1] # comment
[1]/**/
[/*comment*/1]
["a"]#
{
{"a"
{"a":
{"a":1
{"a":1,
{"a":"b
{"a":"b"
{"a":"b",
{"a
{"a"}
{"a":}
{"a"::1}
{"a" 1}
{"a","b"}
{"a":1,}
{"a":1,,"b":2}
{,"a":1}
{:1}
{1:1}
{null:1}
{a:1}
{'a':1}
{'a':'b'}
{"a":'b'}
{"a":b}
{"a":1 "b":2}
{"a":1;"b":2}
{"a":1]
{"a":[1}
{"a":1}}
{"a":"b"}/**/
{"a":"b"}//
{"a":"b"}#
{"a":/*comment*/"b"}
{"a":"b"}x
{[:"x"}
{"x", null}
{"a":"a" 123}
{"a":01}
{"a":+1}
{"a":.5}
{"a":5.}
{"a":0x1}
{"a":NaN}
{"a":undefined}
{"a":True}
{"a":None}
{"a":"\x41"}
{"a":"b"}}
{}}
{]
<html>
<a>1</a>
abc
a=b
'a'
"a
"\"
"\u12
-
+1
.5
1.
1e
01
- 1
tru
nul
truE
NaN
Infinity
undefined
)]}',{"a":1}
while(1);[1]
callback({"a":1})
\
,
:
}
<>
aé
*
""".strip("\n").split("\n")


def test_the_lists_are_what_they_say():
    assert len(ACCEPTED) + len(REJECTED) >= 300 and len(set(ACCEPTED + REJECTED)) == len(ACCEPTED) + len(REJECTED)

    def valid(body):
        try:
            json.loads(body, parse_constant=lambda c: 1 / 0)
            return True
        except (ValueError, ZeroDivisionError):
            return False

    assert all(map(valid, ACCEPTED)) and not any(map(valid, REJECTED))


@pytest.mark.parametrize("body", ACCEPTED)
def test_accepted(body):
    assert text(body, "application/json") == body
    assert text(" \r\n\t" + body + "\n", "application/json") == " \r\n\t" + body + "\n"
    # The same with something to mask around it.
    around = '{"token":%s,"a":%s,"password":[%s]}' % (body, body, body)
    assert text(around, "application/json") == '{"token":"***MASKED***","a":%s,"password":"***MASKED***"}' % body


def check_rejected(body, got, kept=None):
    """Only the masked beginning and a note; what stands before the note is what the note says."""
    decoded = got.decode()
    note = NOTE.search(decoded)
    assert note, f"no note: {decoded!r}"
    before = decoded[: note.start()].encode()
    assert int(note["size"]) == len(body)
    if note["from"] is None:
        assert before == b""
        return before, 0
    assert before.rstrip(b" ") == (body if kept is None else kept)[: len(before)].rstrip(b" ")[: len(before.rstrip(b" "))]
    return before, int(note["from"])


@pytest.mark.parametrize("body", REJECTED)
def test_rejected(body):
    data = body.encode()
    before, at = check_rejected(data, mask(data, "application/json"))
    assert before.rstrip(b" ") == data[:at].rstrip(b" ")
    # A valid part before it stays, and what comes after it does not.
    whole = b'{"ok":"kept"}\n' + data + b'\n@\n{"late":"Zq7XvKw3Jt"}'
    before, at = check_rejected(whole, mask(whole, "application/json"))
    assert before.startswith(b'{"ok":"kept"}')
    assert b"Zq7Xv" not in before and at <= 14 + len(data) + 15


@pytest.mark.parametrize("raw", [b'["\xff"]', b'["\xc3"]', b'["\xed\xa0\x80"]', b'["\xf4\x90\x80\x80"]', b'["\xc0\xaf"]', b'[\xff]', b'\xff[1]', b'["\x00"]', b'["\x1f"]', b'["a\nb"]', b'["\t"]', b"[\x00]", b"\x00", b"[1]\x00", b"[\x0c]", b"\x0c[1]", b"[\xc2\xa0]", b"[1\x0b]", b"\xef\xbb[1]"])
def test_rejected_bytes(raw):
    got = mask(raw, "application/json").decode()
    note = NOTE.search(got)
    assert note and int(note["size"]) == len(raw), got
    before = got[: note.start()].rstrip(" ")
    assert raw.startswith(before.encode())


def test_a_lone_bom_and_nothing():
    assert text("", "application/json") == ""
    assert text("\ufeff[1]", "application/json") in ("\ufeff[1]", "[1]")


def test_every_cut_of_a_document_keeps_a_valid_beginning():
    """Cut at every byte: what is kept is the beginning of the masked whole."""
    r = random.Random("cuts")
    for _ in range(12):
        made = document(r)
        while not 100 < len(made) < 700:
            made = document(r)
        data, whole = made.encode(), masked(made).encode()
        for at in range(len(data)):
            got = mask(data[:at], "application/json")
            note = NOTE.search(got.decode(errors="replace"))
            before = got.decode(errors="replace")[: note.start()].rstrip() if note else got.decode().rstrip()
            assert note or not before, (data[:at], got)
            common = before.encode()
            # A value whose name may be in what is missing is masked, so the end may differ by a placeholder.
            if not whole.startswith(common):
                assert common.endswith(b'"***MASKED***"'), (data[:at], got)
                assert whole.startswith(common[: -len(b'"***MASKED***"')]), (data[:at], got)
