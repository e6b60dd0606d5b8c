//! Which names are sensitive: names are cut into words and compared by words, never by substring.
//!
//! A name becomes lower-case words (`X-API-Key` → `x api key`, `accessToken` → `access token`), and a
//! list entry matches a run of whole words whose letters together are the entry's letters. So `PassWord`,
//! `pass_word` and `password` are one name, `apikey` and `API_KEY` too, while `author` is not `auth`.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::explain::Why;
use super::known::{Key, Known};

/// Where in the name the entry must stand.
const ANY: u16 = 1;
/// The entry must be the end of the name (digits after it do not count): `user_pass`, not `pass_rate`.
const END: u16 = 2;
/// The entry must be the whole name.
const WHOLE: u16 = 4;
/// As `WHOLE`, and only for form fields and URL parameters, where the name means one thing.
const PARAM: u16 = 8;
/// Not a secret: a hit inside these words does not count.
const EXCEPT: u16 = 16;
/// The bare name `key`: a secret, unless its object also has a value (then it is the pair's name).
const KEY: u16 = 32;
/// Added by the user: matches anywhere and no exception applies.
const USER: u16 = 64;
/// What logs in. A name that begins with [`HEAD`] or ends in [`TAIL`] tells a fact about it: `has_password`, `token_expires_in`.
/// (Not so of cards, papers and persons: `card_expiry` is the card's own.)
const LOGIN: u16 = 128;
const HEAD: u16 = 256;
const TAIL: u16 = 512;
/// As `TAIL`, but several of them are a list of what logs in: `token_revoked`, not `tokens_revoked`.
const FACT: u16 = 1024;
/// What takes from a list and adds nothing to it.
const TAKES: u16 = EXCEPT | HEAD | TAIL | FACT;

/// The default list. docs/masking.md gives the reason for each group.
const DEFAULTS: &[(u16, &str)] = &[
    // Passwords.
    (ANY | LOGIN, "password|passwords|passwd|passwds|pwd|pwds|psw|pswd|passphrase|passcode|passkey"),
    (ANY | LOGIN, "passwort|passworte|requirepass|masterauth|pass1 text|pass2 text"),
    // The same in other languages.
    (ANY | LOGIN, "kennwort|mot de passe|contrasena|contraseña|senha|wachtwoord|heslo|hasło|haslo|lösenord|losenord|adgangskode|salasana|jelszó|jelszo"),
    (ANY | LOGIN, "lozinka|şifre|sifre|пароль|密码|密碼|パスワード|비밀번호|mật khẩu|mat khau|kata sandi"),
    (END | LOGIN, "mdp"),
    (WHOLE | LOGIN, "parola"),
    (END | LOGIN, "pass|pw|dbpass|userpass|mypass|adminpass|rootpass|loginpass|authpass|mailpass|smtppass|ftppass|sshpass"),
    (ANY | LOGIN, "pass hash|pass salt|pass key"),
    // Tokens, sessions and everything that stands in for a login.
    (ANY | LOGIN, "token|tokens|jwt|jwts|bearer|authorization|credential|credentials|creds|csrf|xsrf"),
    (ANY | LOGIN, "jsessionid|phpsessid|session id|session ids|sess id|session key|session cookie|session secret"),
    (END | LOGIN, "auth|oauth|oauth 2|cookie|cookies|sid|signature|sig"),
    (ANY | LOGIN, "auth key|auth code|auth hash|auth header|auth data|auth string|auth cookie|auth secret|auth signature"),
    (ANY | LOGIN, "cookie header|cookie headers|cookie value|cookie values|cookie string|cookie data"),
    (ANY | LOGIN, "authorization code|code verifier|device code|user code|id assertion|client assertion|saml response|saml assertion"),
    (PARAM, "code|session|ticket|assertion|state token"),
    // Keys and secrets.
    (ANY | LOGIN, "secret|secrets|api key|api keys|api secret|app key|app secret|access key|access keys|account key|private key|private keys"),
    (ANY | LOGIN, "public key|encryption key|decryption key|signing key|master key|shared key|license key|licence key|ssh key|consumer key"),
    (ANY | LOGIN, "subscription key|functions key|storage key|service key|client key|hmac key|aes key|rsa key|connection string|conn str|seed phrase|recovery phrase|mnemonic|keystore"),
    (ANY | LOGIN, "server key|unseal key|unseal keys|recovery key|recovery keys|priv key|xprv|psk|pre shared key|wallet seed|master seed|community string|auth user info"),
    (WHOLE | LOGIN, "plaintext"),
    (KEY, "key"),
    // One-time codes and second factors.
    (ANY | LOGIN, "otp|otps|totp|hotp|one time code|one time password|2fa code|tfa code|mfa code|otp code|sms code|verification code|security code"),
    (ANY | LOGIN, "confirmation code|activation code|backup code|backup codes|recovery code|recovery codes|reset code|pin code|pin number|pin hash|pin block|mfa secret"),
    (ANY | LOGIN, "oob code|binding code|login code|access code|magic code|magic link|reset link|reset url"),
    (END | LOGIN, "pin|mfa|2fa"),
    (ANY, "security question|security answer|secret question|secret answer|maiden name"),
    // Cards and bank accounts.
    (ANY, "credit card|credit cards|debit card|card number|card numbers|card num|card no|cc number|cc num|cc no|ccn|cvv|cvc|cvn|csc|card code|card pin"),
    (WHOLE, "pan|cc"),
    (ANY, "iban|ibans|account number|account numbers|account no|acct number|acct no|acct num|bank account|bank accounts|routing number|sort code|swift code|bic code"),
    (END, "routing|bic"),
    (WHOLE, "swift"),
    // Official identities.
    (ANY, "ssn|ssns|social security|social insurance|tax id|tax number|taxpayer id|passport|passports|national id|national insurance|identity number|id number"),
    (ANY, "driver license|drivers license|driver licence|drivers licence|driving license|driving licence|license number|licence number"),
    (WHOLE, "sin|tin|nin"),
    // Personal data that the peers mask.
    (END, "email|emails|mail address|phone|phones|telephone|telephones|cellphone|msisdn|dob|birthday|address|addresses"),
    (ANY, "email address|email addresses|phone number|phone numbers|mobile number|mobile phone|cell number|telephone number|date of birth|birth date|birthdate"),
    (ANY, "street address|home address|billing address|shipping address|mailing address|postal address|delivery address|address line|address lines"),
    (WHOLE, "tel|mobile"),
    // Words above that are harmless beside these.
    (HEAD, "has|is|was|needs|requires|require|must|should|show|hide"),
    (TAIL, "expires|expires in|expires at|expires on|expire|expires after|expiry|expiry date|expiration|expiration date|expiration time|not after|not before"),
    (TAIL, "ttl|lifetime|lifespan|validity|max age|timeout|seconds|secs|minutes|hours|days|millis|timestamp|max reuse"),
    (TAIL, "created at|updated at|changed at|modified at|rotated at|issued at|revoked at|expired at|used at|sent at|verified at|reset at|confirmed at"),
    (TAIL, "last changed|last changed at|last change|last changed date|last set|last used|last used at|last used date|last rotated|last rotated date|last rotation|last updated|change date|changed date"),
    (TAIL, "count|status|alg|algorithm|signing alg values supported|attempts left|attempts remaining"),
    (FACT, "required|enabled|disabled|valid|expired|verified|revoked|missing|allowed|supported"),
    (EXCEPT, "token type|token types|token count|token counts|token limit|token limits|token usage|token endpoint|token url|token uri|token index"),
    (EXCEPT, "max tokens|min tokens|total tokens|prompt tokens|completion tokens|input tokens|output tokens|reasoning tokens|cached tokens|num tokens|tokens used"),
    (EXCEPT, "audio tokens|text tokens|image tokens|video tokens|prediction tokens|context tokens|thinking tokens|budget tokens|generation tokens|eval tokens|max new tokens"),
    (EXCEPT, "n tokens|remaining tokens|billed tokens|estimated tokens|limit tokens|ratelimit reset tokens|tokens remaining|tokens limit|tokens total|tokens consumed|tokens processed"),
    (EXCEPT, "tokens per second|tokens per sec|tokens per minute|tokens per request|tokens per day|tokens to sample|bos token|bos token id|eos token|eos token id|pad token|pad token id|unk token"),
    (EXCEPT, "next token|next page token|prev page token|previous page token|next continuation token|next sync token|pagination token|skip token"),
    (EXCEPT, "token name|token names|token issuer|token source|token audience|jwt issuer|jwt audience|credential type|otp length|otp digits|passwordless|credentials required"),
    (EXCEPT, "min password length|max password length|minimum password length|maximum password length|password min length|password max length|with credentials|csrf protection"),
    (EXCEPT, "secret arn|secret ref|secret key ref|secret type|secret version|secret path|secrets manager|image pull secret|image pull secrets"),
    (EXCEPT, "authorization status|authorization type|authorization mode|authorization policy|authorization policies|phone number verified|email address verified"),
    (EXCEPT, "authorization url|authorization uri|authorization endpoint|authorization server|allow credentials|password policy|secret name"),
    (EXCEPT, "ip address|ip addresses|ipv4 address|ipv6 address|mac address|mac addresses|host address|bind address|listen address|server address|memory address|base address"),
    (EXCEPT, "remote address|peer address|node address|broker address|upstream address|socket address|network address|gateway address"),
];

/// Parts that are looked for inside a single word, for names written together: `userpassword`.
/// Only letters that stand in no ordinary English word are here. By first letter, since every long word is searched.
fn parts(first: u8) -> &'static [&'static str] {
    match first {
        b'p' => &["password", "passwort", "passwd", "passphrase", "passcode", "privatekey", "phonenumber"],
        b'a' => &["apikey", "accesskey", "accesstoken", "authtoken", "accountnumber"],
        b'c' => &["creditcard", "cardnumber", "credential", "clientsecret"],
        b's' => &["secretkey", "sessionid"],
        b'e' => &["emailaddress"],
        _ => &[],
    }
}

/// The same at the end of a word: `csrftoken`, `appsecret`, `dbpwd`, `phpsessid`, `useremail`.
const SUFFIXES: &[&str] = &["token", "secret", "pwd", "sessid", "csrf", "xsrf", "email", "basicauth"];

/// Those of them that do not log in.
const PERSONAL: &[&str] = &["phonenumber", "accountnumber", "creditcard", "cardnumber", "emailaddress", "email"];

/// The answer about one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// Nothing sensitive.
    No,
    /// The bare word `key`: see [`KEY`].
    Key,
    /// Sensitive.
    Yes,
}

/// What a member's name means for its neighbours in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Slot {
    None = 0,
    /// Its value names something: `{"name": "password", …}`.
    Name = 1,
    /// Its value is what was named: `{…, "value": "x"}`.
    Value = 2,
    /// The bare `key`: a name if the object also has a value, a secret otherwise.
    Key = 3,
    /// As [`Slot::Name`], but more often the type of what stands beside it: `{"type": "token.refreshed", "data": …}`. Only a name
    /// that ends in the sensitive words counts.
    Type = 5,
    /// Names the columns of a table that stands beside it: `{"columns": ["id", "password"], "rows": [[1, "x"]]}`.
    Columns = 4,
    /// Holds the rows of a table, which may be objects: `{"fields": [{"name": "password"}], "rows": [{"f": [{"v": "x"}]}]}`.
    Rows = 6,
    /// Says whether what stands beside it is a secret: `{"sensitive": true, "value": "x"}`.
    Flag = 7,
}

/// All that is known of a name, in one byte.
#[derive(Clone, Copy)]
pub(super) struct Answer(u8);

impl Answer {
    /// Of no name.
    pub(super) const NOTHING: Self = Answer(0);

    /// Is it sensitive as a field's name, or as a parameter's?
    #[inline(always)]
    pub(super) fn hit(self, place: Place) -> Hit {
        match (self.0 & 1 != 0, self.0 & 2 != 0, self.0 & 4 != 0 && place == Place::Param) {
            (true, ..) | (.., true) => Hit::Yes,
            (_, true, _) => Hit::Key,
            _ => Hit::No,
        }
    }

    /// Is it neither sensitive nor of any meaning for its neighbours?
    #[inline(always)]
    pub(super) fn is_plain(self) -> bool {
        self.0 & !4 == 0
    }

    /// Is it of a key as JSON has them? See [`slot_in_key`].
    #[inline(always)]
    pub(super) fn is_of_key(self) -> bool {
        self.0 & 64 != 0
    }

    #[inline(always)]
    pub(super) fn slot(self) -> Slot {
        match self.0 >> 3 & 7 {
            1 => Slot::Name,
            2 => Slot::Value,
            3 => Slot::Key,
            4 => Slot::Columns,
            5 => Slot::Type,
            6 => Slot::Rows,
            7 => Slot::Flag,
            _ => Slot::None,
        }
    }
}

pub(super) fn slot_of(joined: &str) -> Slot {
    match joined {
        "name" | "key" | "field" | "header" | "param" | "parameter" | "property" | "attribute" | "attr" | "id"
        | "system" | "label" | "title" | "path" | "loc" | "instancepath" | "datapath" | "pointer" | "k" | "n"
        | "variable" | "var" | "env" | "setting" | "option" | "column" | "question" => Slot::Name,
        "type" | "kind" | "event" => Slot::Type,
        "value" | "values" | "val" | "v" | "old" | "new" | "before" | "after" | "from" | "to" | "previous"
        | "current" | "data" | "content" | "text" | "default" | "input" | "answer" | "response" | "valuestring"
        | "received" | "actual" | "given" | "got" | "payload" | "result" | "stringdata" => Slot::Value,
        "columns" | "columnnames" | "cols" | "fields" | "fieldnames" | "headers" | "headings" | "names" | "keys"
        | "schema" | "required" | "scopes" | "channels" | "permissions" | "include" | "exclude" | "columninfo"
        | "columnmetadata" | "resultsetmetadata" | "rowtype" | "meta" => Slot::Columns,
        "rows" | "records" => Slot::Rows,
        "sensitive" | "issensitive" | "issecret" | "secured" | "masked" => Slot::Flag,
        // `fieldName` and `fieldValue`, `ParameterKey` and `ParameterValue`.
        _ if joined.ends_with("value") || joined.ends_with("values") => Slot::Value,
        _ if ["name", "key", "path"].iter().any(|end| joined.ends_with(end)) => Slot::Name,
        _ => Slot::None,
    }
}

/// What names mean in a key as JSON has them: its kind, `{"kty": "RSA", …}`, is a type, and its private parts are what that names.
/// They are no values beside a bare `key`.
fn slot_in_key(joined: &str) -> Option<Slot> {
    match joined {
        "kty" => Some(Slot::Type),
        "d" | "p" | "q" | "dp" | "dq" | "qi" | "oth" => Some(Slot::Value),
        // A symmetric key; elsewhere it is a name.
        "k" => Some(Slot::Name),
        _ => None,
    }
}

/// Is this a kind of key as JSON has them, whose private parts have names of a letter or two?
pub(super) fn has_parts(kind: Option<&[u8]>) -> bool {
    matches!(kind, Some(b"RSA" | b"EC" | b"OKP" | b"AKP"))
}

/// What kind of name is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A member of a JSON object, an XML element, a multipart field, a word in text.
    Field,
    /// A form field or a URL parameter.
    Param,
}

/// Words that are on the list.
struct Run {
    first: usize,
    last: usize,
    /// It is what logs in, and only one.
    login: bool,
    one: bool,
}

/// A name cut into words; kept by the caller so that asking allocates nothing.
#[derive(Default)]
pub(super) struct Words {
    /// All words' letters, joined.
    joined: String,
    /// Where each word ends in `joined`.
    ends: Vec<usize>,
    /// Scratch: runs that hit, and runs that are exceptions, as (first word, last word).
    hits: Vec<Run>,
    excepted: Vec<(usize, usize)>,
    /// The letters that made the last name sensitive, as a place in `joined`.
    found: Option<(usize, usize)>,
}

impl Words {
    /// The letters of the last name asked about, without what separates words.
    pub(super) fn joined(&self) -> &str {
        &self.joined
    }

    fn fill(&mut self, name: &str) {
        #[derive(Clone, Copy, PartialEq)]
        enum Class {
            Gap,
            Lower,
            Upper,
            Digit,
        }
        self.joined.clear();
        self.ends.clear();
        let mut last = Class::Gap;
        let mut upper_run = 0usize;
        for raw in name.chars() {
            let c = if raw.is_ascii() { raw } else { fold(raw) };
            if !c.is_ascii() && is_invisible(c) {
                continue;
            }
            let class = if c.is_ascii() {
                match c {
                    'a'..='z' => Class::Lower,
                    'A'..='Z' => Class::Upper,
                    '0'..='9' => Class::Digit,
                    _ => Class::Gap,
                }
            } else if c.is_numeric() {
                Class::Digit
            } else if c.is_uppercase() {
                Class::Upper
            } else if c.is_alphabetic() {
                Class::Lower
            } else {
                Class::Gap
            };
            let at = self.joined.len();
            match (last, class) {
                // `APIKey`: the last capital belongs to the word that the small letter goes on with.
                (Class::Upper, Class::Lower) if upper_run > 1 => {
                    let before = self.joined.char_indices().next_back().map_or(0, |(i, _)| i);
                    if before > self.last_end() {
                        self.ends.push(before);
                    }
                }
                (Class::Gap, _) | (Class::Upper, Class::Lower) => {}
                (a, b) if a != b => self.ends.push(at),
                _ => {}
            }
            upper_run = if class == Class::Upper { upper_run + 1 } else { 0 };
            if c.is_ascii() && class != Class::Gap {
                self.joined.push(c.to_ascii_lowercase());
            } else if class != Class::Gap {
                self.joined.extend(c.to_lowercase().filter(|c| !is_invisible(*c)));
            }
            last = class;
        }
        if self.joined.len() > self.last_end() {
            self.ends.push(self.joined.len());
        }
    }

    fn last_end(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }
}

/// Full-width forms and the few letters that only look like ASCII when lower-cased.
fn fold(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        'ı' => 'i',
        'ſ' => 's',
        _ => c,
    }
}

/// Characters that a reader does not see and that must not hide a name: soft hyphen, zero-width
/// characters, combining marks.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{300}'..='\u{36F}'
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{180E}' | '\u{FE00}'..='\u{FE0F}')
}

/// A hash for the few names of a list; nobody else's keys get into it.
#[derive(Default)]
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

/// A compiled list of names.
#[derive(Clone)]
pub(super) struct NameSet {
    entries: HashMap<Box<str>, u16, BuildHasherDefault<Fnv>>,
    known: Arc<Known>,
    /// For each first byte, which lengths occur (bit 63: 63 and more): most runs are dismissed here.
    lengths: Box<[u64; 256]>,
    longest: usize,
    /// For three letters or digits, whether an entry or a part begins with them: see [`three`].
    threes: Box<[u8]>,
    /// One bit for the last three letters or digits that entries have: see [`last_three`].
    ends: Box<[u64]>,
    /// Whether [`parts`] and [`SUFFIXES`] apply.
    parts: bool,
}

impl NameSet {
    /// The default body list, what the user takes from it and what the user adds to it.
    pub(super) fn body<'a>(
        extra: impl IntoIterator<Item = &'a str>,
        allowed: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut set = Self::empty(true);
        for (mode, names) in DEFAULTS {
            for name in names.split('|') {
                set.add(name, *mode);
            }
        }
        for name in allowed {
            set.add(name, EXCEPT);
        }
        for name in extra {
            set.add(name, USER);
        }
        set
    }

    /// Whole names only (header lists).
    pub(super) fn whole<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self::empty(false);
        for name in names {
            set.add(name, WHOLE);
        }
        set
    }

    fn empty(parts: bool) -> Self {
        let mut set = NameSet {
            entries: HashMap::default(),
            known: Arc::new(Known::new()),
            lengths: Box::new([0; 256]),
            longest: 0,
            threes: vec![0; 1 << 15].into_boxed_slice(),
            ends: vec![0; ENDS.div_ceil(64)].into_boxed_slice(),
            parts,
        };
        if parts {
            let parts = (b'a'..=b'z').flat_map(|first| self::parts(first).iter());
            for part in parts.chain(SUFFIXES) {
                set.begins(part.as_bytes(), PART);
            }
        }
        set
    }

    fn add(&mut self, name: &str, mode: u16) {
        let mut words = Words::default();
        words.fill(name);
        let joined = words.joined;
        let Some(first) = joined.bytes().next() else { return };
        if let Some(lengths) = self.lengths.get_mut(usize::from(first)) {
            *lengths |= 1 << joined.len().min(63);
        }
        self.longest = self.longest.max(joined.len());
        // (A name in which nothing else is found is none anyway.)
        if mode & !TAKES != 0 {
            self.tells(&joined);
        }
        *self.entries.entry(joined.into_boxed_str()).or_insert(0) |= mode;
    }

    /// Notes how the names begin and end that have this entry.
    fn tells(&mut self, joined: &str) {
        for ending in [joined.to_owned(), format!("{joined}s")] {
            // A short entry may have any letter before it.
            let before: &[u8] = if ending.len() == 2 { LETTERS } else { b" " };
            for letter in before {
                match last_three(&[&[*letter], ending.as_bytes()].concat())
                    .and_then(|three| Some((self.ends.get_mut(three / 64)?, three % 64)))
                {
                    Some((bits, bit)) => *bits |= 1 << bit,
                    // Of one letter: nothing can be told from the end. (Of phrases in other scripts it never is.)
                    None if ending.is_ascii() => self.ends.fill(u64::MAX),
                    None => {}
                }
            }
        }
        if joined.is_ascii() {
            self.begins(joined.as_bytes(), BEGIN);
        }
    }

    /// Notes what an entry or a part begins with. A shorter entry may be followed by anything, or by nothing.
    fn begins(&mut self, name: &[u8], kind: u8) {
        let [a, b, c] = [0, 1, 2].map(|i| name.get(i).copied());
        let any = || (0..32).map(Some);
        let seconds: Vec<_> = if b.is_some() { vec![b.map(five)] } else { any().collect() };
        let thirds: Vec<_> = if c.is_some() { vec![c.map(five)] } else { any().collect() };
        for second in &seconds {
            for third in &thirds {
                let at = usize::from(a.map_or(0, five)) << 10
                    | usize::from(second.unwrap_or(0)) << 5
                    | usize::from(third.unwrap_or(0));
                if let Some(three) = self.threes.get_mut(at) {
                    *three |= kind;
                }
            }
        }
    }

    fn get(&self, run: &str) -> u16 {
        let first = run.bytes().next().map_or(0, usize::from);
        let lengths = self.lengths.get(first).copied().unwrap_or(0);
        if lengths & (1 << run.len().min(63)) == 0 {
            return 0;
        }
        self.entries.get(run).copied().unwrap_or(0)
    }

    /// All about the name of a field or parameter, as it is written (without escapes). Cheap for names asked about before.
    #[inline(never)]
    pub(super) fn answer(&self, name: &[u8]) -> Answer {
        self.answer_of(name, Key::of(name))
    }

    /// Does a name end in sensitive words?
    pub(super) fn ends_sensitive(&self, name: &str) -> bool {
        self.ask_phrase(name, &mut Words::default()) == Hit::Yes
    }

    /// The same for a name that lies in a source, which is quicker.
    #[inline(always)]
    pub(super) fn answer_in(&self, source: &[u8], start: usize, end: usize) -> Answer {
        match self.known.get_short(source, start, end) {
            Some(answer) => Answer(answer),
            None => self.answer(source.get(start..end).unwrap_or(&[])),
        }
    }

    fn answer_of(&self, name: &[u8], key: Option<Key>) -> Answer {
        match key.and_then(|key| self.known.get(&key)) {
            Some(answer) => Answer(answer),
            None => self.find_answer(name, key),
        }
    }

    #[cold]
    #[inline(never)]
    fn find_answer(&self, name: &[u8], key: Option<Key>) -> Answer {
        let mut plain = [0; QUICK];
        let slot = |joined: &str| slot_in_key(joined).map_or(slot_of(joined) as u8, |slot| slot as u8 | 8);
        let (hit, param, slot) = match self.quick(name, &mut plain) {
            Some(joined) => (Hit::No, false, slot(joined)),
            None => {
                let name = String::from_utf8_lossy(name);
                let mut words = Words::default();
                let param = self.ask(&name, Place::Param, &mut words) == Hit::Yes;
                let hit = self.ask(&name, Place::Field, &mut words);
                (hit, param, if hit == Hit::Key { Slot::Key as u8 } else { slot(words.joined()) })
            }
        };
        let answer = u8::from(hit == Hit::Yes) | u8::from(hit == Hit::Key) << 1 | u8::from(param) << 2 | slot << 3;
        if let Some(key) = key {
            self.known.put(&key, answer);
        }
        Answer(answer)
    }

    /// The letters of a name that certainly is not sensitive, since no entry begins where its words begin and no part anywhere:
    /// most names are dismissed so.
    fn quick<'a>(&self, name: &[u8], joined: &'a mut [u8; QUICK]) -> Option<&'a str> {
        let mut len = 0;
        // One bit for each letter that begins a word.
        let mut begins = 0u64;
        let mut last = 0u8;
        for b in name {
            let kind = match b {
                b'a'..=b'z' => 1,
                b'A'..=b'Z' => 2,
                b'0'..=b'9' => 3,
                b'%' | 0x80.. => return None,
                _ => 0,
            };
            if kind != 0 {
                *joined.get_mut(len)? = b.to_ascii_lowercase();
                match (last, kind) {
                    // The last of several capitals may begin a word as well.
                    (2, 1) => begins |= (1 << len) >> 1,
                    (before, now) if before != now => begins |= 1 << len,
                    _ => {}
                }
                len += 1;
            }
            last = kind;
        }
        let letters = joined.get(..len)?;
        for at in 0..len {
            let [a, b, c] = [0, 1, 2].map(|i| letters.get(at + i).copied().unwrap_or(0));
            let three = self.threes.get(three(a, b, c)).copied().unwrap_or(0);
            if three & PART != 0 || (three & BEGIN != 0 && begins >> at & 1 == 1) {
                return None;
            }
        }
        std::str::from_utf8(letters).ok()
    }

    /// Could a phrase end with an entry?
    pub(super) fn may_end(&self, phrase: &[u8]) -> bool {
        last_three(phrase)
            .is_none_or(|three| self.ends.get(three / 64).is_none_or(|bits| bits >> (three % 64) & 1 == 1))
    }

    /// Is this name sensitive? Leaves the name's words in `words`.
    pub(super) fn ask(&self, name: &str, place: Place, words: &mut Words) -> Hit {
        if name.contains('%') {
            if let Some(decoded) = super::percent::decode(name, false) {
                if decoded != name {
                    let hit = self.ask_plain(&decoded, place, words);
                    if hit != Hit::No {
                        return hit;
                    }
                }
            }
        }
        self.ask_plain(name, place, words)
    }

    fn ask_plain(&self, name: &str, place: Place, words: &mut Words) -> Hit {
        words.fill(name);
        self.ask_words(place, words, false)
    }

    /// For words in running text: only what the phrase ends with counts.
    pub(super) fn ask_phrase(&self, phrase: &str, words: &mut Words) -> Hit {
        words.fill(phrase);
        self.ask_words(Place::Field, words, true)
    }

    fn ask_words(&self, place: Place, words: &mut Words, end_only: bool) -> Hit {
        let Words { joined, ends, hits, excepted, found } = words;
        hits.clear();
        excepted.clear();
        *found = None;
        // Digits at the end do not count: `address2`, `email[0]`.
        let mut last = ends.len();
        while last > 1 {
            let start = ends.get(last - 2).copied().unwrap_or(0);
            let end = ends.get(last - 1).copied().unwrap_or(0);
            let digits = joined.get(start..end).is_some_and(|w| w.chars().all(char::is_numeric));
            if !digits {
                break;
            }
            last -= 1;
        }
        // Does it begin so that it tells a fact, and from which word on does it end so?
        let (mut head, mut tail, mut fact) = (false, usize::MAX, usize::MAX);
        let mut start = 0usize;
        for (i, first_end) in ends.iter().enumerate() {
            if self.parts {
                let word = joined.get(start..*first_end).unwrap_or("");
                let ends_phrase = !end_only || i + 1 == last;
                if let Some(part) = Some(word).filter(|word| word.len() > 5 && ends_phrase).and_then(part_of) {
                    hits.push(Run { first: i, last: i, login: !PERSONAL.contains(&part), one: !word.ends_with('s') });
                }
            }
            for (j, end) in ends.iter().enumerate().skip(i) {
                if end - start > self.longest + 1 {
                    break;
                }
                let run = joined.get(start..*end).unwrap_or("");
                let mut mode = self.get(run);
                if let (0, Some(one)) = (mode, run.strip_suffix('s')) {
                    // Several of them. (`keys` and `codes` are too common.)
                    mode = self.get(one) & !(KEY | PARAM);
                }
                if mode == 0 {
                    continue;
                }
                let at_end = j + 1 == ends.len() || j + 1 == last;
                let whole = i == 0 && at_end;
                if mode & USER != 0 && (!end_only || at_end) {
                    *found = Some((start, *end));
                    return Hit::Yes;
                }
                if mode & EXCEPT != 0 {
                    excepted.push((i, j));
                }
                head |= mode & HEAD != 0 && i == 0;
                if mode & TAIL != 0 && at_end {
                    tail = tail.min(i);
                }
                if mode & FACT != 0 && at_end {
                    fact = fact.min(i);
                }
                if mode & KEY != 0 && whole && mode & EXCEPT == 0 {
                    // Nothing else can hit: it is the whole name.
                    *found = Some((start, *end));
                    return Hit::Key;
                }
                let hit = (mode & ANY != 0 && (!end_only || at_end))
                    || (mode & END != 0 && at_end)
                    || (mode & WHOLE != 0 && whole)
                    || (mode & PARAM != 0 && whole && place == Place::Param);
                if hit {
                    let one = !run.ends_with('s') || run.ends_with("pass");
                    hits.push(Run { first: i, last: j, login: mode & LOGIN != 0, one });
                }
            }
            start = *first_end;
        }
        let covered = |hit: &Run| {
            let tail = if hit.one { tail.min(fact) } else { tail };
            let told = (head && hit.first > 0) || (tail < ends.len() && hit.last < tail);
            (hit.login && told) || excepted.iter().any(|(first, last)| *first <= hit.first && hit.last <= *last)
        };
        let Some(Run { first, last, .. }) = hits.iter().find(|hit| !covered(hit)) else { return Hit::No };
        let end = |word: usize| ends.get(word).copied().unwrap_or(0);
        *found = Some((first.checked_sub(1).map_or(0, end), end(*last)));
        Hit::Yes
    }

    /// Which entry makes this name sensitive, and whether it is the user's own. For explanations only: it is slow.
    pub(super) fn why(&self, name: &str, place: Place) -> Option<Why> {
        let mut words = Words::default();
        let decoded = super::percent::decode(name, false).filter(|decoded| decoded != name);
        let hit = |name: &str, words: &mut Words| self.ask_plain(name, place, words) != Hit::No;
        if !decoded.is_some_and(|decoded| hit(&decoded, &mut words)) && !hit(name, &mut words) {
            return None;
        }
        let run = words.found.and_then(|(start, end)| words.joined.get(start..end))?;
        Some(self.entry(run))
    }

    /// The same for the end of a phrase in text.
    pub(super) fn why_phrase(&self, phrase: &str) -> Option<Why> {
        let mut words = Words::default();
        if self.ask_phrase(phrase, &mut words) == Hit::No {
            return None;
        }
        let run = words.found.and_then(|(start, end)| words.joined.get(start..end))?;
        Some(self.entry(run))
    }

    /// The entry of these letters as the default list writes it; for a word in which a part was found, the part.
    fn entry(&self, run: &str) -> Why {
        let mode = self.get(run);
        if mode & USER != 0 {
            return (run.to_owned(), true);
        }
        let defaults = DEFAULTS.iter().filter(|(mode, _)| mode & TAKES == 0).flat_map(|(_, names)| names.split('|'));
        let written = defaults.into_iter().find(|entry| entry.split(' ').collect::<String>() == run);
        let part = || part_of(run);
        (written.or_else(part).unwrap_or(run).to_owned(), false)
    }
}

/// Is something on the default list that this entry of the user's would allow?
pub(super) fn can_be_allowed(entry: &str) -> bool {
    NameSet::body([], []).ask(entry, Place::Param, &mut Words::default()) != Hit::No
}

/// Has a name no letter or digit?
pub(super) fn is_empty(name: &str) -> bool {
    let mut words = Words::default();
    words.fill(name);
    words.joined.is_empty()
}

/// An entry begins so.
const BEGIN: u8 = 1;
/// A part begins so.
const PART: u8 = 2;
/// Longer names are not dismissed quickly.
const QUICK: usize = 64;

/// A letter in five bits; digits and letters that are rare in names share theirs.
fn five(b: u8) -> u8 {
    match b {
        b'a'..=b'z' => b - b'a' + 1,
        b'0'..=b'9' => 27 + (b - b'0') % 4,
        _ => 31,
    }
}

fn three(a: u8, b: u8, c: u8) -> usize {
    usize::from(five(a)) << 10 | usize::from(five(b)) << 5 | usize::from(five(c))
}

/// All that a name may have before its last two letters.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// So many ends of three letters there are.
const ENDS: usize = 36 * 36 * 36;

/// A number for the last three letters or digits, without digits at the end. `None` when there are none, or other letters.
fn last_three(name: &[u8]) -> Option<usize> {
    let number = |b: u8| match b {
        b'a'..=b'z' => Some(usize::from(b - b'a')),
        b'A'..=b'Z' => Some(usize::from(b - b'A')),
        b'0'..=b'9' => Some(usize::from(b - b'0') + 26),
        _ => None,
    };
    let mut letters = name.iter().rev().skip_while(|b| b.is_ascii() && !b.is_ascii_alphabetic());
    let last = number(*letters.next()?)?;
    let mut letters = letters.filter(|b| b.is_ascii_alphanumeric() || !b.is_ascii());
    let before = number(*letters.next()?)?;
    let first = number(*letters.next()?)?;
    Some((first * 36 + before) * 36 + last)
}

/// The part that is in a word.
fn part_of(word: &str) -> Option<&'static str> {
    let bytes = word.as_bytes();
    let inside = bytes.iter().enumerate().find_map(|(i, first)| {
        parts(*first).iter().find(|part| bytes.get(i..).is_some_and(|rest| rest.starts_with(part.as_bytes())))
    });
    inside.or_else(|| SUFFIXES.iter().find(|suffix| word.ends_with(**suffix))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str) -> Hit {
        NameSet::body([], []).ask(name, Place::Field, &mut Words::default())
    }

    #[test]
    fn words_are_cut_at_separators_humps_and_digits() {
        let mut words = Words::default();
        let mut cut = |name: &str| {
            words.fill(name);
            let mut start = 0;
            let mut list = Vec::new();
            for end in &words.ends {
                list.push(words.joined[start..*end].to_string());
                start = *end;
            }
            list.join(" ")
        };
        assert_eq!(cut("X-API-Key"), "x api key");
        assert_eq!(cut("accessToken"), "access token");
        assert_eq!(cut("APIKey"), "api key");
        assert_eq!(cut("PassWord"), "pass word");
        assert_eq!(cut("a[b].c d_e"), "a b c d e");
        assert_eq!(cut("__x--y__"), "x y");
        assert_eq!(cut("password1"), "password 1");
        assert_eq!(cut("ABC"), "abc");
        assert_eq!(cut("Ａpi＿Ｋey"), "api key");
        assert_eq!(cut(""), "");
        assert_eq!(cut("--"), "");
        assert_eq!(cut("İd"), "id");
    }

    #[test]
    fn secrets_are_found_in_any_spelling() {
        for name in [
            "password",
            "user_password",
            "X-API-Key",
            "accessToken",
            "API_KEY",
            "apikey",
            "PassWord",
            "PASSWORD",
            "new-password-confirmation",
            "pAsSwOrD",
            "userpassword",
            "csrfmiddlewaretoken",
            "csrftoken",
            "refreshToken",
            "secret",
            "clientSecret",
            "client_secret",
            "authorization",
            "Proxy-Authorization",
            "sessionId",
            "privateKey",
            "creditCard",
            "card_number",
            "cvv",
            "cvv2",
            "ssn",
            "pin",
            "card_pin",
            "iban",
            "otp",
            "phone_number",
            "phoneNumber",
            "email",
            "user[email]",
            "emails[0]",
            "e-mail",
            "address",
            "address2",
            "billingAddress",
            "dob",
            "passport_number",
            "cookie",
            "Set-Cookie",
            "connect.sid",
            "auth",
            "basic_auth",
            "x-auth",
            "authToken",
            "jwt",
            "pass",
            "db.pass",
            "securityCode",
            "bankAccount",
            "swift",
            "bic",
            "sin",
            "routingNumber",
            "licenseKey",
            "mfa_code",
            "taxId",
            "driver_license",
            "public_key",
            "encryptionKey",
            "proxyAuthorization",
            "date_of_birth",
            "pass%77ord",
            "ＰＡＳＳＷＯＲＤ",
            "pass\u{200B}word",
            "secrets",
            "AWS_SECRET_ACCESS_KEY",
            "__RequestVerificationToken",
            "oauth2",
            "X-Hub-Signature-256",
            "pw",
            "db_pw",
            "passwort",
            "benutzerpasswort",
            "dbpass",
            "userpass",
            "cookieHeader",
            "cookieValue",
        ] {
            assert_eq!(ask(name), Hit::Yes, "{name}");
        }
        assert_eq!(ask("key"), Hit::Key);
        assert_eq!(ask("KEY"), Hit::Key);
    }

    #[test]
    fn every_name_of_the_peers_is_found() {
        for name in "password pass passwd pwd token access_token accessToken refresh_token refreshToken secret api_key \
            apiKey authorization auth_token authToken jwt session_id sessionId sessionToken client_secret clientSecret \
            private_key privateKey public_key publicKey key encryption_key encryptionKey credit_card creditCard card_number \
            cardNumber cvv cvc ssn sin pin security_code securityCode bank_account bankAccount iban swift bic routing_number \
            routingNumber license_key licenseKey otp mfa_code mfaCode phone_number phoneNumber email address dob tax_id taxId \
            passport_number passportNumber driver_license driverLicense set-cookie cookie proxyAuthorization"
            .split_whitespace()
        {
            assert_ne!(ask(name), Hit::No, "{name}");
        }
    }

    #[test]
    fn harmless_names_are_left() {
        for name in [
            "author",
            "passenger",
            "keyboard",
            "tokenize",
            "ip_address",
            "ipAddress",
            "ipv4Address",
            "macAddress",
            "passRate",
            "pass_count",
            "compass",
            "monkey",
            "primary_key",
            "keyword",
            "secretary",
            "token_type",
            "max_tokens",
            "authority",
            "pinned",
            "spin",
            "shipping",
            "emailVerified",
            "sinus",
            "business",
            "assassin",
            "addressable",
            "cookiesEnabled",
            "hotpot",
            "idempotency-key",
            "content-type",
            "status",
            "id",
            "name",
            "code",
            "session",
            "authored_by",
            "",
            "…",
            "Access-Control-Allow-Credentials",
            "description",
            "options",
            "currency",
            "classPath",
        ] {
            assert_eq!(ask(name), Hit::No, "{name}");
        }
    }

    #[test]
    fn an_exception_covers_only_its_own_words() {
        assert_eq!(ask("password_token_type"), Hit::Yes);
        assert_eq!(ask("email_ip_address"), Hit::No);
        assert_eq!(ask("max_tokens_secret"), Hit::Yes);
    }

    #[test]
    fn facts_about_a_secret_are_none() {
        for name in [
            "has_password",
            "isSecret",
            "needsToken",
            "must_change_password",
            "password_required",
            "passwordExpired",
            "otp_enabled",
            "password_changed_at",
            "passwordLastChanged",
            "access_token_expires_in",
            "refreshTokenExpiresAt2",
            "tokenExpiry",
            "accessTokenLifespan",
            "api_keys_count",
            "jwt_alg",
            "id_token_signing_alg_values_supported",
            "accepted_prediction_tokens",
            "nextPageToken",
            "NextToken",
            "$skiptoken",
            "imagePullSecrets",
            "secretKeyRef",
            "phone_number_verified",
            "remoteAddress",
        ] {
            assert_eq!(ask(name), Hit::No, "{name}");
        }
        for name in [
            // The card's own, and a person's.
            "creditCardExpiry",
            "card_number_last_used",
            "passport_expires_at",
            // Several: a list of them.
            "tokens_revoked",
            "api_keys_enabled",
            // Names that have been seen with a secret in them.
            "page_token",
            "continuation_token",
            "enable_password",
            "verify_password",
            "reset_tokens",
            "password_attempts",
            "password_changed",
            // A secret of the fact's own.
            "token_expires_in_secret",
            "is_password_email",
            "has",
            "password",
        ] {
            assert_eq!(ask(name), if name == "has" { Hit::No } else { Hit::Yes }, "{name}");
        }
        // What the user adds counts whatever is around it.
        let set = NameSet::body(["token expires in", "badge"], []);
        for name in ["token_expires_in", "has_badge", "badge_required"] {
            assert_eq!(set.ask(name, Place::Field, &mut Words::default()), Hit::Yes, "{name}");
        }
    }

    #[test]
    fn parameters_have_names_of_their_own() {
        let set = NameSet::body([], []);
        assert_eq!(set.ask("code", Place::Param, &mut Words::default()), Hit::Yes);
        assert_eq!(set.ask("zip_code", Place::Param, &mut Words::default()), Hit::No);
    }

    #[test]
    fn the_users_names_are_added() {
        let set = NameSet::body(["favourite colour", "token_type"], []);
        let mut words = Words::default();
        assert_eq!(set.ask("myFavouriteColourCode", Place::Field, &mut words), Hit::Yes);
        assert_eq!(set.ask("token_type", Place::Field, &mut words), Hit::Yes);
        assert_eq!(set.ask("colour", Place::Field, &mut words), Hit::No);
    }

    #[test]
    fn a_hostile_name_costs_linear_time() {
        let name = "a_".repeat(20_000);
        assert_eq!(ask(&name), Hit::No);
    }
}
