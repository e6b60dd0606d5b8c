"""A slow masker of JSON, written from docs/masking.md alone and not from the library: what the library must agree with.

names:  sensitive(name) by the documented lists, as words.
bodies: masked(text) gives the text with the values of sensitive names replaced; documents may follow one another.
It knows neither pairs nor patterns in text: documents that are compared have none (see the tests of those).
"""

import re
import unicodedata

MASKED = '"***MASKED***"'

# ---- names ----


def words_of(name):
    """The words of a name, in lower case: cut at what is neither letter nor digit, at humps, beside digits."""
    name = unicodedata.normalize("NFKC", name)
    name = "".join(c for c in unicodedata.normalize("NFD", name) if unicodedata.category(c) not in ("Mn", "Cf"))
    words = []
    for part in re.findall(r"[^\W_]+", name):
        for piece in re.findall(r"\d+|[^\d]+", part):
            hump = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", piece)
            words += hump.lower().split()
    return words


def _entries(text):
    return {entry.lower().replace(" ", "").replace("-", "") for entry in map(str.strip, text.split(",")) if entry}


#: What logs in: facts about it are told (FACTS below).
LOGIN = _entries(
    "password, passwd, pwd, psw, passphrase, passcode, passkey, pass hash, pass salt,"
    "token, tokens, jwt, bearer, authorization, credential, credentials, creds, csrf, xsrf,"
    "session id, session key, session cookie, session secret, jsessionid, phpsessid, auth key, auth code, auth hash,"
    "auth header, authorization code, code verifier, device code, client assertion, SAML response,"
    "secret, secrets, api key, app key, access key, account key, private key, public key, encryption key, signing key,"
    "master key, shared key, license key, ssh key, consumer key, subscription key, functions key, storage key,"
    "service key, client key, connection string, seed phrase, recovery phrase, mnemonic, keystore,"
    "otp, totp, hotp, one-time code, 2fa code, mfa code, sms code, verification code, security code, confirmation code,"
    "activation code, backup code, recovery code, reset code, pin code, pin number, pin block"
)
ANYWHERE = LOGIN | _entries(
    "security question, security answer, maiden name,"
    "credit card, debit card, card number, card num, card no, card code, cc number, ccn, cvv, cvc, cvn, csc,"
    "iban, account number, bank account, routing number, sort code, swift code, bic code,"
    "ssn, social security, social insurance, tax id, passport, national id, id number, driver license, license number,"
    "email address, phone number, mobile number, date of birth, street address, home address, billing address,"
    "shipping address, address line"
)
LOGIN_AT_END = _entries("pass, auth, oauth, cookie, cookies, sid, signature, sig, pin, mfa, 2fa")
AT_END = LOGIN_AT_END | _entries(
    "routing, bic,"
    "email, phone, telephone, cellphone, msisdn, dob, birthday, address, addresses"
)
WHOLE = _entries("key, pan, cc, swift, sin, tin, nin, tel, mobile")
TOGETHER = _entries("password, apikey, creditcard")
TOGETHER_AT_END = _entries("token, secret, pwd, csrf")
HARMLESS = _entries(
    "token type, token count, token limit, token usage, token endpoint, max tokens, total tokens, prompt tokens,"
    "completion tokens, input tokens, output tokens, authorization url, allow credentials, password policy,"
    "tokens used, tokens remaining, tokens per second, tokens per minute, remaining tokens, audio tokens, text tokens,"
    "image tokens, prediction tokens, thinking tokens, budget tokens, max new tokens, eos token,"
    "next token, next page token, previous page token, next sync token, next continuation token, pagination token, skip token,"
    "token name, token issuer, token source, credential type, otp length, passwordless, min password length,"
    "max password length, secret arn, secret ref, secret key ref, secret type, secret version, image pull secrets,"
    "authorization status, phone number verified, remote address, peer address, node address, network address,"
    "secret name, ip address, ipv4 address, ipv6 address, mac address, host address, bind address, listen address,"
    "server address, memory address, base address"
)
#: Names of what logs in that begin or end so tell a fact about it; FACTS only where it is one, not several.
BEGINNINGS = _entries("has, is, was, needs, requires, require, must, should, show, hide")
ENDINGS = _entries(
    "expires in, expires at, expires, expiry, expiration, expiration date, ttl, lifetime, lifespan, validity, max age, timeout,"
    "seconds, minutes, hours, days, timestamp, created at, updated at, changed at, rotated at, issued at, last changed,"
    "last used, last rotated, count, status, algorithm, alg"
)
FACTS = _entries("required, enabled, disabled, valid, expired, verified, revoked, missing, allowed, supported")


def _runs(words):
    for begin in range(len(words)):
        for end in range(begin + 1, len(words) + 1):
            yield begin, end, "".join(words[begin:end])


def sensitive(name):
    words = words_of(name)
    last = len(words)
    while last and words[last - 1].isdigit():
        last -= 1
    harmless = [(begin, end) for begin, end, letters in _runs(words) if letters in HARMLESS]
    hits = [(begin, end) for begin, end, letters in _runs(words) if letters in ANYWHERE]
    hits += [(begin, end) for begin, end, letters in _runs(words) if letters in AT_END and end in (last, len(words))]
    hits += [(0, len(words)) for _ in [0] if "".join(words) in WHOLE or "".join(words[:last]) in WHOLE]
    for at, word in enumerate(words):
        if any(letters in word for letters in TOGETHER) or any(word.endswith(letters) for letters in TOGETHER_AT_END):
            hits.append((at, at + 1))
    starts = any(begin == 0 and letters in BEGINNINGS for begin, _, letters in _runs(words))
    tails = [begin for begin, end, letters in _runs(words) if letters in ENDINGS and end in (last, len(words))]
    facts = [begin for begin, end, letters in _runs(words) if letters in FACTS and end in (last, len(words))]

    def told(begin, end):
        letters = "".join(words[begin:end])
        at_end = letters in LOGIN_AT_END and end in (last, len(words))
        word = end == begin + 1 and any(part in letters for part in TOGETHER | TOGETHER_AT_END) and "creditcard" not in letters
        if not (letters in LOGIN or at_end or word):
            return False
        one = not letters.endswith("s") or letters.endswith("pass")
        return (starts and begin > 0) or any(end <= tail for tail in tails) or (one and any(end <= fact for fact in facts))

    return any(not told(*hit) and not any(b <= hit[0] and hit[1] <= e for b, e in harmless) for hit in hits)


# ---- documents ----

_TOKEN = re.compile(
    r'(?P<blank>[ \t\r\n\x1e\ufeff]+)|(?P<mark>[{}\[\]:,])|(?P<string>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*")'
    r"|(?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>true|false|null)"
)


def unescape(string):
    """The text of a JSON string with its quotes."""
    simple = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
    plain = re.sub(
        r"\\(?:u([0-9A-Fa-f]{4})|(.))",
        lambda m: chr(int(m[1], 16)) if m[1] else simple.get(m[2], m[2]),
        string[1:-1],
    )
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Walk:
    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            assert found, f"the generator made no JSON: {text[at:at + 40]!r}"
            self.tokens.append((found.lastgroup, found[0]))
            at = found.end()
        self.at, self.out = 0, []

    def blank(self):
        while self.at < len(self.tokens) and self.tokens[self.at][0] == "blank":
            self.take()

    def take(self):
        kind, text = self.tokens[self.at]
        self.at += 1
        self.out.append(text)
        return kind, text

    def value(self):
        self.blank()
        kind, text = self.take()
        if text not in "{[" or kind != "mark":
            assert kind != "mark", text
            return
        closing = {"{": "}", "[": "]"}[text]
        self.blank()
        if self.tokens[self.at][1] == closing:
            self.take()
            return
        while True:
            self.blank()
            hide = False
            if closing == "}":
                kind, name = self.take()
                assert kind == "string"
                hide = sensitive(unescape(name))
                self.blank()
                assert self.take()[1] == ":"
            self.blank()
            begin = len(self.out)
            self.value()
            if hide:
                self.out[begin:] = [MASKED]
            self.blank()
            kind, text = self.take()
            if text == closing:
                return
            assert text == ","


def masked(text):
    """The documents of `text` (one or several, one after the other) with the values of sensitive names masked."""
    walk = _Walk(text)
    walk.blank()
    while walk.at < len(walk.tokens):
        walk.value()
        walk.blank()
    return "".join(walk.out)
