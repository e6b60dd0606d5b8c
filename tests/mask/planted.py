"""Bodies and headers with a secret under a sensitive name, in every format: FORMS {title: (content type or None, bytes)}
and HEADERS {title: [(name, value), …]}. Nothing of the secret may be told of any of them, whole or cut anywhere."""

import base64
import json
from html import escape
from urllib.parse import quote, quote_plus

from mask_helpers import PARTS, SECRET, TRICKY

FORMS = {}
A, B, C = PARTS
LINE = f"{A} {B}"


def form(title, content_type, body):
    assert title not in FORMS, title
    FORMS[title] = (content_type, body.encode() if isinstance(body, str) else body)


def dumps(value, **more):
    return json.dumps(value, ensure_ascii=False, **more)


def all_escaped(text):
    return '"%s"' % "".join("\\u%04x" % ord(c) for c in text)


# ---- JSON ----

JSON = "application/json"
DOCUMENT = {"user": "ann", "password": TRICKY, "n": 1, "deep": [{"Access-Token": {"a": [SECRET, TRICKY]}, "b": True}], "pin": 12}
form("json", JSON, dumps(DOCUMENT))
form("json, no type", None, dumps(DOCUMENT))
form("json, indented", "application/json; charset=utf-8", dumps(DOCUMENT, indent=2))
form("json as text/plain", "text/plain", dumps(DOCUMENT))
form("json as text/html", "text/html", dumps(DOCUMENT))
form("json as octets", "application/octet-stream", dumps(DOCUMENT))
form("json as something", "application/x-whatever", dumps(DOCUMENT))
form("json as form", "application/x-www-form-urlencoded", dumps(DOCUMENT))
form("json, all escaped", JSON, '{%s: %s, "b": [%s]}' % (all_escaped("apiKey"), all_escaped(SECRET), '{"otp":%s}' % all_escaped(B)))
form("json, several", JSON, dumps(DOCUMENT) + dumps(DOCUMENT))
form("json with a bom", JSON, "\ufeff" + dumps(DOCUMENT))
form("json lines", "application/x-ndjson", "\n".join([dumps({"a": 1}), dumps(DOCUMENT), dumps({"token": SECRET})]) + "\n")
form("json sequence", "application/json-seq", "".join("\x1e%s\n" % dumps(d) for d in ({"a": 1}, DOCUMENT)))
form("json with an array first", None, dumps([1, 2, DOCUMENT]))
form("json, single quotes", JSON, "{'password': '%s'}" % LINE)
form("json with comments", JSON, '{"a": 1, /* "password": "%s" */ "b": 2}' % A)
form("json with a trailing comma", JSON, '{"a": [1,], "password": "%s"}' % A)
form("json behind a guard", JSON, ")]}',\n" + dumps(DOCUMENT))
form("json in a call", "application/javascript", "callback(%s);" % dumps({"password": LINE, "a": 1}))
form("json5", JSON, '{a: 1, password: "%s"}' % LINE)
form("json with NaN", JSON, '{"a": NaN, "password": "%s"}' % A)
form("json and garbage", JSON, '{"a": 1} garbage password=%s' % A)
form("json in a string", JSON, dumps({"a": dumps(DOCUMENT), "b": 1}))
form("json in a string, twice", JSON, dumps({"a": dumps({"b": dumps(DOCUMENT)})}))
form("json in a string, thrice", JSON, dumps({"a": dumps({"b": dumps({"c": dumps(DOCUMENT)})})}))
form("json in a string, with blanks", JSON, dumps({"a": " \n\t" + dumps(DOCUMENT) + " ", "b": "\ufeff" + dumps(DOCUMENT)}))
form("json in a string, cut", JSON, dumps({"a": dumps(DOCUMENT)[:-30], "b": 1}))
form("json in a string, in text", JSON, dumps({"a": "body was " + dumps({"password": LINE, "x": 1}) + " at noon"}))
form("json string alone", JSON, dumps(dumps(DOCUMENT)))
form("json lines in a string", JSON, dumps({"a": dumps({"b": 1}) + "\n" + dumps(DOCUMENT)}))
form("json, numbers and more", JSON, '{"pin": 71234567, "otp": -1.5e9, "password": [["%s"], {"%s": "%s"}], "cvv": null}' % (A, B, C))
form("json, repeated names", JSON, '{"password": 1, "a": 2, "password": "%s", "PassWord": "%s"}' % (A, B))
form("json, escaped backslashes", JSON, r'{"password": "\\\"%s\\\\", "a": "\\", "token": "\\\\\"%s"}' % (A, B))
form("json, full width", JSON, dumps({"ｐａｓｓｗｏｒｄ": A, "pass\u200bword": B, "API＿KEY": C}))
form("json text in a value", JSON, dumps({"message": f"cannot log in with password={A}: token: {B}"}))
form("query in a value", JSON, dumps({"next": f"/cb?a=1&token={A}&b=2", "url": f"https://h/p?api_key={B}#access_token={C}"}))
form("form in a value", JSON, dumps({"body": f"user=ann&password={A}&x=1"}))
form("header lines in a value", JSON, dumps({"dump": f"POST / HTTP/1.1\r\nAuthorization: Basic {A}\r\nCookie: a={B}; b={C}\r\n\r\n"}))
form("variables of GraphQL", JSON, dumps({"query": "mutation($p: String!) { login(password: $p) { id } }", "variables": {"password": TRICKY}}))
form("literals of GraphQL in JSON", JSON, dumps({"query": 'mutation { login(user: "ann", password: "%s", o: {token: "%s"}) { id } }' % (A, B)}))

# ---- pairs ----

PAIR_NAMES = [("name", "value"), ("key", "value"), ("field", "value"), ("header", "value"), ("id", "value"), ("type", "value"),
              ("path", "value"), ("Name", "Value"), ("Key", "Value"), ("k", "v"), ("name", "values"), ("name", "data"),
              ("field", "old"), ("field", "new"), ("fieldName", "fieldValue"), ("headerName", "headerValue"),
              ("ParameterKey", "ParameterValue"), ("field_name", "field_value"), ("param", "value")]
for named, valued in PAIR_NAMES:
    form(f"pair {named}/{valued}", JSON, dumps([{named: "password", valued: TRICKY, "a": 1}, {"a": 1, valued: [SECRET], named: "X-Api-Key"}]))
form("pair, old and new", JSON, dumps({"changes": [{"field": "password", "old": A, "new": B}, {"new": C, "old": A, "field": "card_pin"}]}))
form("pair, patch", "application/json-patch+json", dumps([{"op": "replace", "path": "/user/password", "value": TRICKY}]))
form("pair, of two", JSON, dumps({"headers": [["Accept", "x"], ["Cookie", f"sid={A}"], ["X-Api-Key", B], ["Authorization", C]]}))
form("pair, flat", JSON, dumps({"rawHeaders": ["Accept", "x", "Authorization", A, "X-Api-Key", B, "Cookie", f"a={C}"]}))
form("pair, flat with numbers", JSON, dumps(["user", 1, "password", A, "token", B, "x", 2]))
form("pair, flat with flags", JSON, dumps(["HMSET", "user:1", "password", A]))
form("pair, arguments", JSON, dumps({"args": ["--user", "ann", "--password", A, "--api-key=" + B]}))
form("pair, table", JSON, dumps({"columns": ["id", "password", "x"], "rows": [[1, A, "x"], [2, TRICKY, "y"]]}))
form("pair, table of fields", JSON, dumps({"fields": [{"name": "id"}, {"name": "password"}], "rows": [[1, A], [2, B]]}))
form("pair, table, rows first", JSON, dumps({"rows": [[1, A, "x"], [2, TRICKY, "y"]], "columns": ["id", "password", "x"]}))

# ---- forms ----

FORM = "application/x-www-form-urlencoded"
form("form", FORM, f"user=ann&password={quote_plus(TRICKY)}&n=1&token={A}")
form("form, no type", None, f"user=ann&password={quote(TRICKY)}&n=1")
form("form, names in the many ways", FORM, f"user%5Bpassword%5D={A}&a[token]={B}&%70assword={C}&p%61ss+word={A}&X-Api-Key={B}&=&&a&pin={C}")
form("form, semicolons", FORM, f"a=1;password={A};{B}&c=2;token={C}")
form("form, repeated", FORM, f"password={A}&password={B}&PASSWORD={C}&password")
form("form with JSON", FORM, f"payload={quote_plus(dumps(DOCUMENT))}&x=1")
form("form with a query", FORM, f"next={quote('https://h/?token=' + A, safe='')}&state={quote('a=1&password=' + B, safe='')}")
form("form, all escaped", FORM, "%70%61%73%73%77%6f%72%64=" + "".join("%%%02x" % b for b in A.encode()))
form("form, code", FORM, f"grant_type=authorization_code&code={A}&code_verifier={B}&client_secret={C}&refresh_token={A}&assertion={B}")
form("form, pairs over fields", FORM, f"f[0][name]=password&f[0][value]={A}")
form("form as text", "text/plain", f"user=ann&password={quote(TRICKY)}&n=1")
form("form, utf-16 escapes", FORM, f"password=%u0041{A}&a=1")

# ---- multipart ----


def multipart(parts, boundary="x7", end="--"):
    out = b""
    for headers, body in parts:
        out += b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), "\r\n".join(headers).encode(), body if isinstance(body, bytes) else body.encode())
    return out + b"--%s%s\r\n" % (boundary.encode(), end.encode())


def disposition(name, more=""):
    return f'Content-Disposition: form-data; name="{name}"{more}'


MULTIPART = "multipart/form-data; boundary=x7"
PART = [([disposition("user")], "ann"), ([disposition("password")], f"{A}\r\n{B}--x\r\n{C}"), ([disposition("note")], "hello")]
form("multipart", MULTIPART, multipart(PART))
form("multipart, quoted boundary", 'multipart/form-data; charset=utf-8; boundary="x7"', multipart(PART))
form("multipart, bare name", MULTIPART, multipart([(["content-disposition: form-data; name=password"], A)]))
form("multipart, escaped name", MULTIPART, multipart([([disposition('pass\\word')], A), ([disposition("api%5Fkey")], B)]))
form("multipart, encoded name", MULTIPART, multipart([(["Content-Disposition: form-data; name*=UTF-8''pass%77ord"], A)]))
form("multipart, two names", MULTIPART, multipart([(['Content-Disposition: form-data; name="a"; name="password"'], A), (['Content-Disposition: form-data; name="token"; name="a"'], B)]))
form("multipart, folded", MULTIPART, multipart([(["Content-Disposition: form-data;", ' name="password"'], A)]))
form("multipart, JSON", MULTIPART, multipart([([disposition("data"), "Content-Type: application/json"], dumps(DOCUMENT)), ([disposition("raw")], dumps(DOCUMENT))]))
form("multipart, base64", MULTIPART, multipart([([disposition("data"), "Content-Type: application/json", "Content-Transfer-Encoding: base64"], base64.b64encode(dumps(DOCUMENT).encode()))]))
form("multipart, quoted-printable", MULTIPART, multipart([([disposition("data"), "Content-Type: text/plain", "Content-Transfer-Encoding: quoted-printable"], f"pass=77ord=3D{A}")]))
form("multipart, file", MULTIPART, multipart([([disposition("file", '; filename="a.txt"'), "Content-Type: text/plain"], f"{A} {B}"), ([disposition("f2", f"; filename*=UTF-8''b.bin")], b"\0\1" + C.encode())]))
form("multipart, headers of a part", MULTIPART, multipart([([disposition("a"), f"X-Api-Key: {A}", f"Cookie: s={B}"], "x")]))
form("multipart, before and after", MULTIPART, b"password=%s\r\n" % A.encode() + multipart(PART) + b"password: %s" % B.encode())
form("multipart, no end", MULTIPART, multipart(PART, end=""))
form("multipart, other boundary", "multipart/form-data; boundary=other", multipart(PART))
form("multipart, no boundary", "multipart/form-data", multipart(PART))
form("multipart, no type", None, multipart(PART))
form("multipart, line feeds", MULTIPART, multipart(PART).replace(b"\r\n", b"\n"))
INNER = multipart([(["Content-Type: application/json"], dumps(DOCUMENT)), ([disposition("password")], A)], boundary="y8")
form("multipart, nested", MULTIPART, multipart([([disposition("a")], "b"), ([disposition("files"), "Content-Type: multipart/mixed; boundary=y8"], INNER)]))
form("multipart, nested under a name", MULTIPART, multipart([([disposition("token"), "Content-Type: multipart/mixed; boundary=y8"], INNER)]))
form("multipart, mixed", "multipart/mixed; boundary=x7", multipart([(["Content-Type: application/json"], dumps(DOCUMENT)), (["Content-Type: text/plain"], f"password={A}")]))
form("multipart, batch", "multipart/mixed; boundary=x7", multipart([(["Content-Type: application/http"], f"POST /a?token={A} HTTP/1.1\r\nAuthorization: Bearer {B}\r\n\r\n" + dumps({"password": C}))]))
form("multipart, related", 'multipart/related; boundary=x7; type="application/json"', multipart([(["Content-Type: application/json"], dumps(DOCUMENT)), (["Content-Type: image/png"], b"\x89PNG" + A.encode())]))

# ---- event streams ----

EVENTS = "text/event-stream"
form("events", EVENTS, f"event: x\ndata: {dumps(DOCUMENT)}\n\n: hi\ndata:{dumps({'token': A})}\n\ndata: password={B}\nid: 5\n\n")
form("events, CRLF", EVENTS, f"data: {dumps(DOCUMENT)}\r\n\r\ndata: {dumps({'token': A})}\r\rdata: {dumps({'token': B})}\n\n")
form("events, JSON over lines", EVENTS, "data: {\"a\": 1,\ndata:  \"password\":\ndata:  \"%s\"}\n\ndata: {\"b\": 2}\n\n" % A)
form("events, JSON cut in a string", EVENTS, "data: {\"password\": \"%s\ndata: %s\"}\n\n" % (A, B))
form("events, text over lines", EVENTS, f"data: password=\ndata: {A}\n\ndata: Authorization:\ndata:  Bearer {B}\n\n")
form("events, other fields", EVENTS, f"password: {A}\nid: token={B}\nevent: api_key={C}\ndata: 1\n\n")
form("events, comments", EVENTS, f": password={A}\n: {dumps({'token': B})}\n\n")
form("events with a bom", EVENTS, f"\ufeffdata: {dumps({'token': A})}\n\n")
form("events, no colon", EVENTS, f"data\ndata: {dumps({'token': A})}\ndatapassword={B}\n\n")

# ---- markup ----

XML = "application/xml"
XML_BODY = f"<login><user>ann</user><password>{escape(TRICKY)}</password><n>1</n></login>"
form("xml", XML, '<?xml version="1.0" encoding="UTF-8"?>\n' + XML_BODY)
form("xml, no type", None, XML_BODY)
form("xml as text/xml", "text/xml; charset=utf-8", XML_BODY)
form("xml as +xml", "application/atom+xml", XML_BODY)
form("xml as text/plain", "text/plain", XML_BODY)
form("xml, attributes", XML, f"<login password='{A}' user=\"ann\" api-key = \"{escape(B)}>\n{C}\"/>")
form("xml, CDATA", XML, f"<a><password><![CDATA[{A}</password>]]><![CDATA[{B}]]></password><b><![CDATA[password={C}]]></b></a>")
form("xml, namespaces", XML, f'<w:a xmlns:w="u"><w:Password>{A}</w:Password><wsse:BinarySecurityToken w:x="1">{B}</wsse:BinarySecurityToken></w:a>')
form("xml, nested", XML, f"<a><password><old>{A}</old><new x='{B}'>{C}</new></password></a>")
form("xml, entities", XML, "<a><pass&#119;ord>" + A + "</pass&#119;ord><password>" + "".join("&#%d;" % ord(c) for c in A) + f"</password><t k='pass&#x77;ord={B}'/></a>")
form("xml, own entities", XML, f'<!DOCTYPE a [<!ENTITY password "{A}"><!ENTITY e SYSTEM "file:///?token={B}">]><a>&password;</a>')
form("xml, comment and instruction", XML, f"<!-- password={A} --><?pi token=\"{B}\"?><a><!-- <password>{C}</password> --></a>")
form("xml, broken", XML, f"<a><password>{A}</a><b>{B}</b>")
form("xml, broken open", XML, f"<a><b token={A} x><password >{B}</password\n></a>")
form("xml, pairs", XML, f'<config><property><name>password</name><value>{A}</value></property><add key="ApiKey" value="{B}"/><entry key="db.password">{C}</entry></config>')
form("xml, pairs of attributes", XML, f'<params><param value="{A}" name="password"/><member><name>token</name><value><string>{B}</string></value></member></params>')
form("xml, plist", XML, f"<plist><dict><key>password</key><string>{A}</string><key>a</key><integer>1</integer><key>token</key><data>{B}</data></dict></plist>")
form("xml with JSON", XML, f"<a><b>{escape(dumps(DOCUMENT))}</b><c><![CDATA[{dumps({'token': A})}]]></c></a>")
form("xml, case and accents", XML, f"<A><PASSWORD>{A}</PASSWORD><api.key>{B}</api.key><user_pin-code>{C}</user_pin-code></A>")
form("xml, xml in text", XML, f"<a><b>{escape(XML_BODY)}</b></a>")
form("soap", "application/soap+xml; action=\"urn:login\"",
     f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header><wsse:Security><wsse:UsernameToken><wsse:Username>ann</wsse:Username>'
     f'<wsse:Password Type="PasswordText">{escape(TRICKY)}</wsse:Password></wsse:UsernameToken></wsse:Security></s:Header><s:Body><m:Login><m:pin>{A}</m:pin></m:Login></s:Body></s:Envelope>')
form("xml-rpc", "text/xml", f"<methodCall><methodName>login</methodName><params><param><value><struct><member><name>password</name><value><string>{A}</string></value></member></struct></value></param></params></methodCall>")
form("saml", FORM, f"SAMLResponse={quote_plus(base64.b64encode(XML_BODY.encode()).decode())}{A}&RelayState=x")
HTML = "text/html; charset=utf-8"
form("html", HTML, f'<!DOCTYPE html><html><head><meta name="csrf-token" content="{A}"><title>x</title></head><body><form><input type="hidden" name="authenticity_token" value="{B}">'
     f"<input value={C} name=password type=password></form></body></html>")
form("html, scripts", HTML, f"<html><script>window.__STATE__ = {dumps({'token': A, 'a': 1})}; var apiKey = '{B}';</script><script type=\"application/json\">{dumps(DOCUMENT)}</script></html>")
form("html, links and data", HTML, f'<html><a href="/reset?token={A}&amp;x=1">x</a><div data-api-key="{B}" data-config="{escape(dumps({"password": C}))}"></div></html>')
form("html, text", HTML, f"<html><dl><dt>Password</dt><dd>{A}</dd></dl><table><tr><th>api_key</th><td>{B}</td></tr></table></html>")
form("html, broken", HTML, f'<html><input name="password" value="{A}\n<p token="{B}')
form("html, textarea", HTML, f'<html><textarea name="private_key">{A}\n{B}</textarea><input name=pin value={C}></html>')

# ---- tables, configuration, code ----

CSV = "text/csv"
form("csv", CSV, f'id,password,note\r\n1,{A},x\r\n2,"{B}, ""{C}""\r\n{A}",y\r\n')
form("csv, no heads", CSV, f"password={A},1\ntoken: {B},2\n")
form("csv, semicolons", CSV, f"id;Api Key;x\n1;{A};x\n")
form("csv, tabs", "text/tab-separated-values", f"id\tpassword\n1\t{A}\n2\t{B}\n")
form("csv, quoted heads", CSV, f'"id","pass\u200bword","a\nb"\n"1","{A}","x"\n')
form("csv, upright", CSV, f"name,value\npassword,{A}\ntoken,{B}\n")
form("csv, too many fields", CSV, f"id,password\n1,{A},{B}\n2\n3,{C}\n")
form("csv with JSON", CSV, 'id,data\n1,"%s"\n' % dumps({"password": A}).replace('"', '""'))
form("csv with a bom", CSV, f"\ufeffpassword,id\n{A},1\n")
form("yaml", "application/yaml", f"user: ann\npassword: {A}\ntoken: |\n  {B}\n  {C}\napi_key: >-\n  {A}\n")
form("yaml as text", "text/plain", f"user: ann\npassword: {A}\nx: 1\n")
form("toml", "application/toml", f'[db]\npassword = "{A}"\ntoken = """\n{B}\n"""\n')
form("ini", "text/plain", f"[db]\nuser = ann\npassword = {A}\nDB_PASSWORD={B}\nexport API_KEY='{C}'\n")
form("graphql", "application/graphql", 'mutation {\n login(user: "ann", password: "%s", pin: 123) { id token }\n}' % A)
form("graphql, blocks", "application/graphql", 'mutation { a(password: """%s\n"%s""", input: {apiKey: "%s", list: ["x"]}) { id } }' % (A, B, C))
form("graphql, lists", "application/graphql", 'query($t: String = "x", $token: String = "%s") { a(tokens: ["%s", "%s"]) { id } }' % (A, B, C))
form("graphql, objects", "application/graphql", 'mutation { a(password: {value: "%s", b: ["%s"]}, x: 1) { id } }' % (A, B))
form("javascript", "text/javascript", f"const password = '{A}';\nlet o = {{apiKey: \"{B}\", 'token': `{C}`}};\n")
form("text", "text/plain", f"user=ann password={A} token: {B}\nAuthorization: Bearer {C}\n")
form("text, a line", "text/plain", f"Password: {A} {B}\nCookie: sid={A}; b={C}\nhello\n")
form("text, quotes", "text/plain", f"password=\"{A} {B}\" secret='{A} {C}' \"api_key\": \"{B}\\\"{C}\" x\n")
form("text, a request", "text/plain", f"GET /a?token={A} HTTP/1.1\r\nX-Api-Key: {B}\r\nSet-Cookie: a={C}; Path=/\r\n\r\nuser=1&password={A}")
form("text, sql", "text/plain", f"UPDATE users SET password = 'it''s {A}', x = 1 WHERE token = '{B}'")
form("text, sql insert", "text/plain", f"INSERT INTO users (id, password, x) VALUES (1, '{A}', 'x'), (2, '{B}', 'y')")
form("text, urls", "text/plain", f"see https://ann:{A}@h.example/p?access_token={B}#id_token={C} and redis://:{A}@h:6379/0\n")
form("text, dsn", "text/plain", f"dsn root:{A}@tcp(h:3306)/db and Server=h;User Id=sa;Password={B};Encrypt=no and host=h password={C} user=x\n")
form("text, userinfo", "text/plain", f"proxy ann:{A}@proxy.example:8080 is used\n")
form("text, pem", "text/plain", f"x\n-----BEGIN RSA PRIVATE KEY-----\n{A}{B}{C}\n{A}\n-----END RSA PRIVATE KEY-----\ny\n")
form("text, xml inside", "text/plain", f"answer: <x><password>{A}</password></x>\n")
form("text, bearer", None, f"curl -H 'Authorization: Bearer {A}.{B}' -H \"X-Api-Key: {C}\" https://h/")

# ---- bytes and character sets ----

form("bytes", "application/octet-stream", b"\0\1\2password=" + A.encode())
form("protobuf", "application/x-protobuf", b"\x0a\x08password\x12\x1e" + (A + B + C).encode())
form("grpc", "application/grpc", b"\0\0\0\0\x20\x0a\x1e" + (A + B + C).encode())
form("msgpack", "application/msgpack", b"\x81\xa8password\xbe" + (A + B + C).encode())
form("image", "image/png", b"\x89PNG\r\n\x1a\n" + A.encode())
form("bytes as json", JSON, b'{"a": "\xff\xfe", "password": "%s"}' % A.encode())
form("bytes as text", "text/plain", b"\xffpassword=%s\n\0" % A.encode())
CHARSET_DOCUMENT = {"user": "änn", "password": A + "é" + B, "x": 1}
for charset in ("utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be", "iso-8859-1", "windows-1252", "us-ascii"):
    encoded = dumps(CHARSET_DOCUMENT).encode(charset, "ignore")
    form(f"json in {charset}", f"application/json; charset={charset}", encoded)
    form(f"text in {charset}", f"text/plain; charset=\"{charset.upper()}\"", f"password={A}\nAuthorization: Bearer {B}é\n".encode(charset, "ignore"))
    form(f"json in {charset}, not told", JSON, encoded)
for charset in ("utf-16", "iso-8859-1"):
    form(f"form in {charset}", f"{FORM}; charset={charset}", f"a=1&password={A}".encode(charset))
    form(f"xml in {charset}", f"text/xml; charset={charset}", f"<?xml version='1.0' encoding='{charset}'?><a><password>{A}é</password></a>".encode(charset))
form("xml that tells utf-16", XML, f"<?xml version='1.0' encoding='UTF-16'?><a><password>{A}é</password></a>".encode("utf-16"))
form("json in utf-7", "application/json; charset=utf-7", f"+AHs-+ACI-password+ACI-: +ACI-{A}+ACI-+AH0-")
form("json in shift_jis", "application/json; charset=shift_jis", dumps({"password": A + "ソ", "x": "表"}).encode("shift_jis"))
form("json in nonsense", "application/json; charset=nonsense", dumps(CHARSET_DOCUMENT))
form("type with two charsets", "application/json; charset=utf-8; charset=utf-16", dumps(CHARSET_DOCUMENT).encode("utf-16"))

# ---- headers ----

HEADERS = {
    "known": [("Authorization", f"Bearer {A}"), ("X-Api-Key", B), ("Proxy-Authorization", f"Basic {C}"), ("X-Auth-Token", A), ("DPoP", B),
              ("Authentication-Info", A), ("X-CSRF-Token", A), ("X-XSRF-Token", B), ("X-Amz-Security-Token", C), ("X-Amzn-Oidc-Data", A),
              ("X-Client-Cert", B), ("Sec-WebSocket-Protocol", f"chat, {C}")],
    "case": [("authorization", A), ("X-API-KEY", B), ("AUTHORIZATION", C)],
    "by word": [("X-Session-Token", A), ("X-Hub-Signature-256", f"sha256={B}"), ("My-Password", C), ("Api_Key", A), ("X-Vault-Token", B),
                ("X-Shopify-Access-Token", C), ("Stripe-Signature", f"t=1,v1={A}"), ("Ocp-Apim-Subscription-Key", B), ("x-functions-key", C),
                ("PRIVATE-TOKEN", A), ("X-Secret", B), ("X-User-Email", C)],
    "cookies": [("Cookie", f"sid={A}; theme=\"{B}\"; flag; a=b={C}")],
    "set-cookie": [("Set-Cookie", f"sid={A}; Path=/; HttpOnly"), ("Set-Cookie", f"b={B}; Domain=h"), ("set-cookie", f"{C}; Path=/")],
    "cookie odd": [("Cookie", A), ("Cookie", f"={B}"), ("Cookie", f"a={A},b={C};;c")],
    "urls": [("Referer", f"https://ann:{A}@h/p?token={B}&a=1#access_token={C}"), ("Location", f"/cb?code={A}&state=1&session={B}"),
             ("Origin", f"https://u:{A}@h"), (":path", f"/p?api_key={A}&x=1"), ("X-Original-URL", f"/p?password={B}"), ("Destination-URI", f"http://h/?sig={C}"),
             ("Content-Location", f"/p?token={A}"), ("X-Forwarded-Uri", f"/p?token={B}"), ("Link", f'<https://h/?page=2&access_token={C}>; rel="next"'),
             ("Refresh", f"0; url=https://h/?token={A}"), ("X-Rewrite-Url", f"/a;jsessionid={B}?x")],
    "challenges": [("WWW-Authenticate", f"Negotiate {A}"), ("Proxy-Authenticate", f"NTLM {B}")],
    "binary metadata": [("x-bin", A), ("grpc-status-details-bin", B)],
    "text": [("X-Debug", f"password={A}"), ("X-Info", f'{{"token": "{B}"}}'), ("X-Trace", f"Bearer {C}"), ("Warning", f'199 - "token={A}"')],
    "forwarded": [("Forwarded", f"for=1.2.3.4;secret={A}"), ("Via", f"1.1 u:{B}@proxy"), ("X-Forwarded-For", f"1.2.3.4, token={C}")],
    "type": [("Content-Type", f"application/json; token={A}"), ("Content-Disposition", f'attachment; filename="a?token={B}"'), ("Accept", f"x/y; api_key={C}")],
}
