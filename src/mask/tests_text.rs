//! Tests of free text: what programs print into it.

use super::tests::Random;
use super::tests_formats::is_linear;
use super::*;

const SECRET: &str = "hunter2";

fn plain(text: &str) -> String {
    mask_body(&Rules::default(), Some("text/plain"), text.as_bytes()).text
}

/// Is the secret gone from this text as a body, as an exception's message, and where the text is a value of JSON?
fn hides(text: &str) {
    assert!(text.contains(SECRET), "{text}");
    for kind in [Some("text/plain"), None] {
        let out = mask_body(&Rules::default(), kind, text.as_bytes()).text;
        assert!(!out.contains(SECRET) && out.contains(PLACEHOLDER), "{kind:?} {out}");
        let lead = format!("2026-05-21 10:00:00 INFO started\n{text}\ndone in 5 ms\n");
        let out = mask_body(&Rules::default(), kind, lead.as_bytes()).text;
        assert!(!out.contains(SECRET) && out.contains("INFO started"), "{kind:?} {out}");
    }
    assert!(!mask_text(&Rules::default(), text).contains(SECRET), "{text}");
    let body = serde_json::to_string(&serde_json::json!({ "message": text, "n": 1 })).unwrap();
    let out = mask_body(&Rules::default(), Some("application/json"), body.as_bytes()).text;
    assert!(!out.contains(SECRET), "{out}");
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
    // Cut anywhere, it is the same text up to there.
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        let _ = mask_text(&Rules::default(), &text[..end]);
    }
}

fn stays(text: &str) {
    assert_eq!(plain(text), text);
    assert_eq!(mask_text(&Rules::default(), text), text);
    let body = serde_json::to_string(&serde_json::json!({ "message": text, "n": 1 })).unwrap();
    assert_eq!(mask_body(&Rules::default(), Some("application/json"), body.as_bytes()).text, body);
}

#[test]
fn pairs_that_are_printed_are_masked() {
    for text in [
        r#"got field {"name":"password","value":"hunter2"} from client"#,
        r#"got field {"value":"hunter2","name":"password"} from client"#,
        r#"x {name: "password", value: "hunter2"} y"#,
        r#"x {name: 'password', type: 'text', required: true, value: 'hunter2'} y"#,
        "x {\n  \"name\": \"password\",\n  \"value\": \"hunter2\"\n} y",
        r#"x {\"name\":\"password\",\"value\":\"hunter2\"} y"#,
        "x name=password value=hunter2 y",
        "x value=hunter2 name=password y",
        "x <name: password, value: hunter2> y",
        "x key=password val=hunter2",
        "x param=api_key, val=hunter2",
        "header: Authorization, content: hunter2 hunter2",
        "x field='password' input='hunter2'",
        "Header [name=Cookie, value=a=b; c=hunter2]",
        "BasicHeader{name=Authorization, value=Own a, b hunter2}",
        r#"{fieldName: "password", fieldValue: ["a", "hunter2"]}"#,
        "name=password&value=hunter2 x",
        r#"[{"key":"a","value":1},{"key":"db_password","value":"hunter2"}] x"#,
    ] {
        hides(text);
    }
    assert_eq!(plain("x name=password value=hunter2 y"), "x name=password value=***MASKED*** y");
    assert_eq!(
        plain("- name: DB_PASSWORD\n  value: hunter2\n- name: A\n  value: b"),
        "- name: DB_PASSWORD\n  value: ***MASKED***\n- name: A\n  value: b"
    );
    assert_eq!(
        plain("x {value: \"hunter2\", name: \"password\"}, {name: \"a\", value: 1}"),
        "x {value: \"***MASKED***\", name: \"password\"}, {name: \"a\", value: 1}"
    );
}

#[test]
fn logs_are_no_pairs() {
    for text in [
        "2026-05-21T10:00:00Z INFO user id=5 name=token event=login type=session value=3",
        "level=info msg=\"rotated\" id=token-service value=1",
        "name: token-service\nversion: 1.0\ndata: x",
        "event=token.refreshed data=abc id=5",
        "input=5 output=6 name=key",
        "name=password_policy value=5",
        "for key in keys: print(\"key\", key)",
        "hand over the pass \"home\"",
        "Usage: cmd [--token <token>] [--password=<password>] <file>",
        "Vec<Token> and Map<String, Token>, done",
    ] {
        stays(text);
    }
}

#[test]
fn tables_that_are_printed_are_masked() {
    for text in [
        "a\n| id | password |\n|----|----|\n| 1 | hunter2 |\n| 2 | hunter2 |\nb",
        "a\n| id | password |\n| --- | --- |\n| 1 | hunter2 |\nb",
        "| **id** | `password` | x |\n| --- | --- |---|\n| 1 | hunter2 | 2 |\nb",
        " id | password \n----+----------\n  1 | hunter2\n  2 | hunter2\n(2 rows)",
        "+----+----------+\n| id | password |\n+----+----------+\n|  1 | hunter2  |\n+----+----------+\n1 row in set",
        "+----+----------+\n| id | password |\n+----+----------+\n|  1 | a\nhunter2  |\n+----+----------+\n1 row in set",
        "id|password\n1|hunter2\n2|hunter2",
        "x\nid|password|y\n1|a|hunter2|2\n",
        "-[ RECORD 1 ]------\nid       | 1\npassword | hunter2\n-[ RECORD 2 ]------\nid       | 1\npassword | hunter2",
        "id       | 1\npassword | hunter2",
        "id       | 1\npassword | a +\n         | hunter2",
        "+---------------+----------+\n| Variable_name | Value    |\n+---------------+----------+\n| root_password | hunter2  |\n",
        "| Key | Value |\n| db.password | hunter2 |\n| db.user | jo |",
    ] {
        hides(text);
    }
    let rows = "| id | password |\n| --- | --- |\n";
    assert_eq!(
        plain(&format!("a\n{rows}| 4111 1111 1111 1111 | hunter2 |\n\n| id | x |\n| 1 | hunter2 |")),
        format!("a\n{rows}| ***MASKED*** | ***MASKED*** |\n\n| id | x |\n| 1 | hunter2 |")
    );
    for text in [
        "2026-05-21 10:00:00 | INFO | auth | started\n2026-05-21 10:00:00 | INFO | token | done",
        "cat password | base64",
        "usage: a|b|token|c",
        "| Field | Type | Description |\n| --- | --- | --- |\n| password | string | at least 8 |",
        "a || b && token | c",
        "pass | fail",
        "(password|token)",
    ] {
        stays(text);
    }
}

#[test]
fn values_that_validators_echo_are_masked() {
    for text in [
        "1 validation error for User\npassword\n  String should have at least 8 characters [type=string_too_short, input_value='hunter2', input_type=str]",
        "2 validation errors for User\nname\n  x [type=a, input_value='b', input_type=str]\nuser.email.str\n  x [type=a, input_value='hunter2', input_type=str]",
        "x\nbody -> password\n  Too short [type=a, input=hunter2, x=1]",
        "Variable \"$input\" got invalid value \"hunter2\" at \"input.password\"; Expected type \"Int\". Int cannot represent non-integer value: \"hunter2\"",
        "Variable \"$input\" got invalid value 12hunter2 at \"input.users[0].pin\"; String cannot represent a non string value: 12hunter2",
        "Duplicate entry 'hunter2' for key 'users.email'",
        "Duplicate entry 'it's hunter2' for key 'users.email'",
        "Duplicate entry 'hunter2' for key 'users_email_unique'",
        "Duplicate entry 'hunter2-5' for key 'users.uk_email_tenant'",
        "Key (email)=(hunter2) already exists.",
        "Key (email, tenant_id)=(hunter2, 5) already exists.",
        "DETAIL: Key (lower(email::text))=(hunter2) already exists.",
        "ERROR:  null value in column \"x\"\nDETAIL:  Failing row contains (1, hunter2, null).",
        "DETAIL:  Failing row contains (1, a) hunter2, null).",
        "DETAIL:  Failing row contains (1, a\nhunter2, null).",
    ] {
        hides(text);
    }
    for text in [
        "Duplicate entry '5' for key 'orders.PRIMARY'",
        "Key (id)=(5) already exists.",
        "1 validation error for User\nname\n  x [type=missing, input_value='a', input_type=str]",
        "Variable \"$input\" got invalid value \"a\" at \"input.name\"; Expected type \"Int\".",
        "the list contains (1, 2)",
    ] {
        stays(text);
    }
}

#[test]
fn serialized_data_in_text_is_masked() {
    for text in [
        r#"x a:1:{s:8:"password";s:7:"hunter2";}"#,
        r#"x a:2:{s:8:"password";s:9:"a"hunter2";s:1:"b";i:1;}"#,
        r#"x a:1:{s:8:"password";a:1:{i:0;s:7:"hunter2";}}"#,
        r#"x O:4:"User":1:{s:5:"*pass";s:7:"hunter2";}"#,
        r#"x password|s:7:"hunter2";user|s:2:"jo";"#,
        r#"x {:user 1 :password "hunter2"}"#,
        r#"x {:password {:a "hunter2"}}"#,
        "dn: uid=jo\nuserPassword:: aHVudGVyMg=\n hunter2=\ncn: jo",
        "DATA key=-----BEGIN KEY-----\nhunter2\n-----END KEY-----",
        "x private_key: -----BEGIN KEY-----\nhunter2\n-----END KEY-----",
        "x-----BEGIN KEY-----\nhunter2\n-----END KEY-----",
    ] {
        hides(text);
    }
    assert_eq!(
        plain(r#"x a:2:{s:8:"password";i:12;s:4:"name";s:2:"jo";}"#),
        r#"x a:2:{s:8:"password";i:***MASKED***;s:4:"name";s:2:"jo";}"#
    );
    assert_eq!(plain(r#"x password|s:7:"hunter2";user|s:2:"jo";"#), r#"x password|s:7:"***MASKED***";user|s:2:"jo";"#);
    for text in [
        "undefined method :password for nil",
        "Foo::token check",
        "s:4:\"name\";s:2:\"jo\";",
        "validates :password, presence: true",
    ] {
        stays(text);
    }
}

#[test]
fn values_beside_a_statement_are_masked() {
    for text in [
        "[SQL: INSERT INTO users (email, password) VALUES (%(email)s, %(password)s)]\n[parameters: {'email': 'x', 'password': 'hunter2'}]",
        "[SQL: INSERT INTO users (email, password) VALUES (%s, %s)]\n[parameters: ('a@b', 'hunter2')]",
        "[SQL: INSERT INTO users (email, password) VALUES (?, ?)]\n[parameters: [('a@b', 'hunter2'), ('c', 'hunter2')  ... displaying 2 of 9 total bound parameter sets ...  ('a', 'hunter2')]]",
        r#"query: INSERT INTO "users"("email","password") VALUES ($1, $2) -- PARAMETERS: ["a","hunter2"]"#,
        "(0.001) INSERT INTO u (password) VALUES (%s); args=('hunter2',); alias=default",
        r#"Executing (default): UPDATE "Users" SET "password"=$1 WHERE "id" = $2; {"bind":["hunter2",1]}"#,
        r#"INSERT INTO users (email, password) VALUES (?, ?) (parameters: array{"1":"a","2":"hunter2"}, types: array{"1":2})"#,
        r#"INSERT INTO "users" ("email", "password") VALUES ($1, $2)  [["email", "a"], ["password", "hunter2"]]"#,
    ] {
        hides(text);
    }
    assert_eq!(
        plain(r#"INSERT INTO "users"("email","password") VALUES ($1, $2) -- PARAMETERS: ["a","hunter2"]"#),
        r#"INSERT INTO "users"("email","password") VALUES ($1, $2) -- PARAMETERS: [***MASKED***]"#
    );
    stays("SELECT id FROM t WHERE a = $1 -- PARAMETERS: [\"a\",5]");
    stays("deploy parameters: [1, 2] values=(3, 4)");
}

#[test]
fn literals_of_sql_are_masked() {
    for text in [
        "INSERT INTO users (password) SELECT 'hunter2'",
        "INSERT INTO users (id, password) SELECT id, 'hunter2' FROM old",
        "INSERT INTO users (id, password) (SELECT 1, concat('hunter2', x))",
        "INSERT INTO users (id, password) OUTPUT inserted.id VALUES (1, 'hunter2')",
        "INSERT INTO users (id, password) OUTPUT inserted.id INTO @t (id) VALUES (1, 'hunter2')",
        "INSERT INTO users (id, password) OVERRIDING SYSTEM VALUE VALUES (1, 'hunter2')",
        "INSERT INTO users (id, password) VALUES ROW(1, 'hunter2'), ROW(2, 'hunter2')",
        "INSERT INTO users (id, password) VALUES (1, \"hunter2\")",
        "INSERT INTO users (id, password) VALUES (1, $$hunter2$$), (2, $x$hunter2$x$)",
        "INSERT INTO users (a, b, c, password) VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 2, 3, 'hunter2')",
        "ALTER USER jo PASSWORD $$hunter2$$",
        "ALTER USER jo WITH PASSWORD $a$hunter2$a$ x",
        "CREATE USER jo IDENTIFIED BY \"hunter2\"",
        "CREATE USER jo IDENTIFIED WITH ed25519 BY 'hunter2'",
        "SET PASSWORD FOR 'jo'@'localhost' = 'hunter2'",
        "SET PASSWORD FOR jo@localhost = 'hunter2'",
        "SQLSTATE[23000]: x (SQL: insert into `users` (`email`, `password`) values (x@y, hunter2))",
        "(SQL: insert into `users` (`email`, `password`) values (x@y, a, hunter2))",
        "(SQL: insert into `users` (`email`, `password`) values (x@y, a)hunter2))",
        "(SQL: insert into `users` (`email`, `password`) values (x@y, it's hunter2))",
    ] {
        hides(text);
    }
    assert_eq!(
        plain("INSERT INTO t (id, pin) VALUES (1, 123456), (2, 34)"),
        "INSERT INTO t (id, pin) VALUES (1, ***MASKED***), (2, ***MASKED***)"
    );
    assert_eq!(
        plain("INSERT INTO t (note, pin) VALUES ('4111 1111 1111 1111', '1')"),
        "INSERT INTO t (note, pin) VALUES ('***MASKED***', '***MASKED***')"
    );
    for text in [
        "INSERT INTO t (id, password) VALUES ($1, $2) RETURNING id",
        "INSERT INTO t (id, password) VALUES (?, ?), (%s, %s)",
        "INSERT INTO t (id, password) VALUES (:id, :password)",
        "INSERT INTO \"t\" (\"email\", \"password\") VALUES (@email, @p1)",
        "INSERT INTO t (id, password) SELECT id, password FROM old WHERE a > 5",
        "INSERT INTO t (id, x) VALUES (1, 'a')",
        "SET PASSWORD FOR jo",
        "cost $5 and $10 per token",
    ] {
        stays(text);
    }
}

#[test]
fn what_yaml_has_below_a_name_is_masked() {
    for text in [
        "x\npasswords:\n  - hunter2\n  - hunter2\ny: 1",
        "passwords:\n- hunter2\n- a: 1\n  b: hunter2\ny: 1",
        "credentials:\n  user: jo\n  x: hunter2\ny: 1",
        "a:\n  credentials:\n    user: jo\n\n    x:\n      - hunter2\n  y: 1",
        "- credentials:\n    x: 1\n    y: hunter2\n- z: 1",
        "password: |\n  a\n  hunter2\ny: 1",
    ] {
        hides(text);
    }
    assert_eq!(plain("x\npasswords:\n  - hunter2\n  - a\ny: 1"), "x\npasswords:\n  ***MASKED***\ny: 1");
}

#[test]
fn angle_brackets_make_no_markup_of_text() {
    assert_eq!(plain("<Response [404]> for password=hunter2"), "<Response [404]> for password=***MASKED***");
    for text in [
        "usage: x --password <password> --user <user>",
        "usage: x --password <password>",
        "<Response [404]> in 5 ms",
        "<none> of it",
        "Vec<String> is not Foo<T>",
        "a <b and c> d",
        "Jo <jo@x.org> wrote to <ann@x.org>",
        "<jo@x.org>",
        "<module> at 0x7f",
        "curl -u <user>:<password> http://h",
    ] {
        stays(text);
    }
    hides("<password>hunter2");
    hides("a <password>hunter2</password>");
    hides("<login><user>jo</user><password>\n hunter2");
}

/// What is found must not depend on where the pass began.
#[test]
fn the_signs_miss_nothing_that_every_word_shows() {
    const PIECES: &[&str] = &[
        "password",
        "email",
        "name",
        "value",
        "key",
        "input_value",
        "id",
        "=",
        ":",
        ": ",
        " = ",
        "=>",
        " ",
        " ",
        "\n",
        "\n  ",
        "\"",
        "'",
        "\\\"",
        ", ",
        ";",
        "&",
        "|",
        " | ",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "<",
        ">",
        "hunter2",
        "x",
        "12",
        "values ",
        "VALUES (",
        "select ",
        "INSERT INTO t (id, password) ",
        "s:8:\"password\";",
        "s:3:\"abc\";",
        "|s:2:",
        ":password ",
        "- ",
        "---+---",
        "| id | password |\n",
        "| 1 | x |\n",
        " at \"input.password\"",
        "invalid value ",
        "Duplicate entry '",
        "' for key 'users.email'",
        "Key (",
        ")=(",
        "row contains (",
        "parameters: ",
        "bind",
        "$$",
        "$a$",
        "identified by ",
        "for ",
        "by ",
        ":: ",
        "4111 1111 1111 1111",
        "https://jo:pw@h/",
        "%70in",
        "é",
        "-----BEGIN K-----",
        "Bearer ab",
        "0",
        "_",
        "-",
        ".",
        "@",
        "\\n",
        "\t",
        "token",
        "credit card",
        "[0]",
        " --password ",
        "--token",
        " -p",
        "mysql ",
        "curl ",
        " -u jo:x ",
        "htpasswd -b ",
        "sqlplus jo/x@h",
        "CREATE USER jo ",
        "SET PASSWORD FOR jo ",
        "BY ",
        "net use ",
        " /user:jo ",
        "binding parameter [1] as [A] - [x]",
        "simple bind ",
        "}}",
        "&quot;",
        "\\u0022",
        "#",
        "N",
    ];
    let rules = Rules::default();
    let mut random = Random(0x7e87_1234_5678_9abc);
    let rounds = std::env::var("MPR_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let mut wrong = Vec::new();
    for _ in 0..rounds {
        let text: String = (0..random.next(12) + 1).map(|_| random.pick(PIECES)).collect();
        let quick = text::mask(&rules, &text, Place::Field);
        let slow = text::mask_everywhere(&rules, &text);
        if quick != slow {
            wrong.push((text, quick, slow));
        }
    }
    wrong.sort_by_key(|(text, ..)| text.len());
    println!("{} differ", wrong.len());
    wrong.truncate(8);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is called quiet is never looked at again.
#[test]
fn what_is_quiet_holds_no_secret() {
    const PIECES: &[&str] = &[
        "a",
        "B",
        "z9",
        "0",
        "12",
        "411",
        "4111",
        "-",
        "--",
        " ",
        " ",
        "/",
        ".",
        "_",
        ",",
        "!",
        "*",
        "+",
        "#",
        "~",
        "be",
        "Bearer",
        "basic",
        "tok",
        "token",
        "api",
        "key",
        "APIKEY",
        "Digest",
        "negotiate",
        "password",
        "secret",
        "AKIA",
        "ghp_",
        "sk-",
        "sk_live_",
        "eyJ",
        "xoxb-",
        "DE89",
        "NO93",
        "BEGIN",
        "--token",
        "-p",
        "-u",
        "mysql ",
        "curl ",
        "CREATE USER jo",
        "ALTER USER jo PASSWORD ",
        "SET PASSWORD TO ",
        "x1",
        "PRIVATE KEY",
        "user",
        "by",
        "IDENTIFIED BY",
        "select",
        "é",
        ":",
        "=",
        "\"",
        "'",
        "<b>",
        "%41",
        "\t",
        "\n",
        "{",
        "}",
        "{id}",
        "query",
        "query {a}",
        "[",
        "(",
        "$",
        "@",
        "|",
        "\\",
    ];
    let rules = Rules::default();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut quiet = 0;
    for _ in 0..200_000 {
        let text: String = (0..random.next(6)).map(|_| random.pick(PIECES)).collect();
        if hints::quiet(&text) {
            quiet += 1;
            assert_eq!(json::clean_string(&rules, &text, 0), None, "{text}");
            assert_eq!(text::mask_everywhere(&rules, &text), None, "{text}");
        }
    }
    assert!(quiet > 10_000, "{quiet}");
    for text in ["GET", "/cart", "GET /cart/{id}", "https", "shop.example.com", "curl/8.1", "blue mug, 2", ""] {
        assert!(hints::quiet(text), "{text}");
    }
    for text in [
        "token abc",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "AKIAIOSFODNN7EXAMPLE",
        "----",
        "a:b",
        "p=x",
        "é",
        "\u{1}",
    ] {
        assert!(!hints::quiet(text), "{text}");
    }
}

#[test]
fn hostile_prints_cost_linear_time() {
    let rules = Rules::default();
    for (lead, piece) in [
        ("", "name=password "),
        ("", "name=password value=1 "),
        ("", "value=1 name=password "),
        ("", "value=1,name=password,"),
        ("", "{name:password,"),
        ("", "value={[ name=password "),
        ("", "|password"),
        ("", "|password\n"),
        ("| id | password |\n", "| 1 | x |\n"),
        ("| id | password |\n", "| name=password | value=1 |\n"),
        ("", "password | x\n"),
        ("", "| Key | Value |\n"),
        ("", "(password) values ("),
        ("", "(password) values (1) "),
        ("", "(password) values 'x' "),
        ("", "(password) select 'x' "),
        ("", "(password) select ("),
        ("(id,password) values ", "(1,2),"),
        ("", "values ('x "),
        ("", "parameters: ["),
        ("", "password parameters: [1] "),
        ("", "s:8:\"password\";"),
        ("", "s:8:\"password\";a:1:{"),
        ("", "password|s:1:\""),
        ("", ":password \""),
        ("", ":password {"),
        ("", " at \"a.password\""),
        ("", "\ninvalid value at \"a.password\" "),
        ("", "password\ninput_value=1 "),
        ("", "password\n input_value=[ "),
        ("", "Duplicate entry 'a' "),
        ("", "Duplicate entry 'a' for key 'email' "),
        ("", "Failing row contains ("),
        ("", "Failing row contains (\n"),
        ("", "Key (a, email)=(1 "),
        ("", "Key (a)=("),
        ("", "insert into t values ("),
        ("", "insert into t values ('a' "),
        ("", "t (a, password) values (?) - ["),
        ("", "t (a, password) values (?) [1, "),
        ("", "t (a, password) values (?)\nbinding parameter [1] - ["),
        ("", "t (a, password) values (?)\nparameters: '"),
        ("", "t (a, password) values (?) @p0='"),
        ("t (a, password) values (?) ", "[[\"password\", "),
        ("", "binding parameter (1:a) <- [1 "),
        ("", "binding parameter (1:a) <- [1]\" "),
        ("", "args=[update "),
        ("", "args=[1] "),
        ("", "pin in (1 "),
        ("", "pin in (?) "),
        ("", "crypt('a' "),
        ("", "sp_password 'a' "),
        ("", "PDO->__construct('a' "),
        ("", "password=> string(1) \""),
        ("", "password={a}"),
        ("", "password $a$ "),
        ("", "password $$"),
        ("", "password for 'a'@"),
        ("", "passwords:\n - a\n"),
        ("", "passwords:\n a:\n"),
        ("passwords:\n", " a:\n"),
        ("", " passwords:\n  -\n"),
        ("", "userPassword:: a\n b\n"),
        ("", "[\"password\", "),
        ("", "<password> "),
        ("", "a_b_"),
        ("Duplicate entry 'a' for key '", "a_"),
        ("", "\"[0]"),
        ("", "'&#34;"),
        ("", "x-----BEGIN "),
        ("", "--password \""),
        ("", "--password --"),
        ("", " --password is"),
        ("", " -p"),
        ("mysql", " -p "),
        ("", "mysql -p\""),
        ("", "curl -u a "),
        ("", "curl -u \""),
        ("", "htpasswd -b "),
        ("htpasswd -b ", "-b "),
        ("", "htpasswd -b \""),
        ("", "by "),
        ("", "IDENTIFIED BY "),
        ("ALTER USER jo ", "PASSWORD "),
        ("", "SET PASSWORD FOR a = "),
        ("", "net use /user: "),
        ("net use ", "/user:a \""),
        ("", "sqlplus a/@"),
        ("", "a/@"),
        ("", "simple bind \"a=\" \""),
        ("", "binding parameter [1] as [A] - ["),
        ("", "Pwd={}}"),
        ("", ";Pwd={a}} "),
    ] {
        // (What bounds a search is some thousand bytes long: below that, more text may cost more a byte.)
        let text = |len: usize| format!("{lead}{}", piece.repeat(3 * len / piece.len()));
        assert!(is_linear(|text| drop(text::mask(&rules, text, Place::Field)), text), "{lead}{piece}");
    }
}

#[test]
fn values_are_found_that_are_logged_beside_a_statement() {
    let insert = "insert into users (name, password) values (?, ?)";
    for text in [
        // Hibernate 5 and 6.
        "Hibernate: §\n12:00 TRACE o.h.t.d.s.BasicBinder : binding parameter [1] as [VARCHAR] - [jo]\n12:00 TRACE x : binding parameter [2] as [VARCHAR] - [a] hunter2]",
        "Hibernate: select u from users u where u.password=?\nTRACE org.hibernate.orm.jdbc.bind : binding parameter (1:VARCHAR) <- [hunter2]",
        "TRACE x binding parameter (2:VARCHAR) <- [a\nhunter2]",
        // SQLAlchemy.
        "Engine §\n12:00 Engine [generated in 0.00012s] ('jo', 'hunter2')",
        "Engine §\n12:00 Engine [generated in 0.00012s] [('jo', 'hunter2'), ('al', 'hunter2')]",
        "Engine §\n12:00 Engine [cached since 0.1s ago] ('jo', 'hunter2')",
        "Engine §\n12:00 Engine [no key 0.00012s] {'name': 'jo', 'password': 'hunter2'}",
        // Prisma, Laravel, MyBatis, PostgreSQL, Spring.
        "prisma:query INSERT INTO u (email, password) VALUES ($1,$2)\nprisma:params [\"jo\",\"hunter2\"]",
        "[sql] § [\"jo\",\"hunter2\"]",
        "§ [[\"jo\", \"hunter2\"], [\"al\", \"hunter2\"]]",
        "==>  Preparing: §\n==> Parameters: jo(String), hunter2(String)",
        "LOG:  execute <unnamed>: UPDATE u SET password = $1 WHERE id = $2\nDETAIL:  parameters: $1 = 'a\nhunter2', $2 = '5'",
        "Executing prepared SQL statement [§]\nSetting value: column index 2, parameter value [hunter2], value class [java.lang.String]",
        "select 1 from u where password in (?, ?) [\"jo\",\"hunter2\"]",
        // NHibernate, Entity Framework, Knex.
        "INSERT INTO u (name, password) VALUES (@p0, @p1);@p0 = 'jo' [Type: String (0)], @p1 = 'hunter2' [Type: String (0)]",
        "UPDATE u SET password = @p__linq__0\n-- p__linq__0: 'hunter2' (Type = String, Size = 4000)",
        "Executed DbCommand (4ms) [Parameters=[@p0='jo' (Size = 4000), @p1='hunter2'], CommandType='Text'] INSERT INTO [U] ([Name], [Password]) VALUES (@p0, @p1);",
        "Knex: { bindings: [ 'jo', 'hunter2' ], sql: '§' }",
        "INSERT INTO users VALUES (?, ?)\n[generated in 0.1s] ('jo', 'hunter2')",
    ] {
        hides(&text.replace('§', insert));
    }
    // What names tell, and what belongs to no secret.
    assert_eq!(
        plain("INSERT INTO \"u\" (\"name\", \"password\") VALUES ($1, $2)  [[\"name\", \"jo\"], [\"password\", \"x\"], [\"id\", 1]]"),
        "INSERT INTO \"u\" (\"name\", \"password\") VALUES ($1, $2)  [[\"name\", \"jo\"], [\"password\", \"***MASKED***\"], [\"id\", 1]]"
    );
    for text in [
        "Hibernate: insert into orders (name, price) values (?, ?)\nTRACE x : binding parameter (1:VARCHAR) <- [blue]\nTRACE x : binding parameter [2] as [INTEGER] - [5]",
        "insert into orders (name, price) values (?, ?)\n[generated in 0.1s] ('blue', 5)",
        "Executed DbCommand [Parameters=[@p0='blue'], CommandType='Text'] UPDATE orders SET name = @p0;",
        "task mail.send args: [1, 2], then with a new token update the password",
        "binding parameter names, see [docs]",
    ] {
        if text.starts_with("task") {
            assert!(plain(text).contains("new token update"), "{}", plain(text));
        } else {
            stays(text);
        }
    }
}

#[test]
fn templates_are_no_graphql() {
    for text in ["{src} -> {dst}", "{user_id}/{order}", "{id}#{part}", "{name} has {count} of {total}"] {
        stays(text);
    }
    hides("{user} -> {password: \"hunter2\"}");
    hides("{user}: https://jo:hunter2@host/{path}");
}

#[test]
fn statements_that_name_no_column_are_masked() {
    for text in [
        "INSERT INTO users VALUES (1,'jo','hunter2')",
        "INSERT INTO users VALUES (1,\"jo\",\"hunter2\"), (2,'al','hunter2');",
        "REPLACE INTO `db`.`users` VALUES (1, N'hunter2')",
        "insert into [dbo].[users] select 1, 'jo', 'hunter2' from x",
        "INSERT INTO users VALUES (1, $$hunter2$$)",
        "WITH t (id, password) AS (VALUES (1, 'hunter2')) SELECT 1",
        "ALTER USER jo IDENTIFIED BY VALUES 'S:hunter2'",
        "select crypt('hunter2', gen_salt('bf'))",
        "SELECT pgp_sym_encrypt(note, 'hunter2') FROM t",
        "EXEC sp_addlogin 'jo', 'hunter2'",
        "WHERE pin IN (1234, 'hunter2')",
    ] {
        hides(text);
    }
    assert_eq!(plain("SELECT 1 WHERE pin IN (1234, 5678)"), "SELECT 1 WHERE pin IN (***MASKED***)");
    assert_eq!(plain("INSERT INTO t VALUES (1, 'a', -5, NULL)"), "INSERT INTO t VALUES (1, '***MASKED***', -5, NULL)");
    for text in [
        "INSERT INTO archive SELECT * FROM orders WHERE status = 'done'",
        "INSERT INTO orders (id, name) VALUES (1, 'blue')",
        "SELECT 1 FROM t WHERE id IN (1, 2) AND size IN ('a', 'b')",
        "the values ('a', 'b') are in (1, 2)",
        "WHERE pin IN (?, ?)",
        "INSERT INTO t VALUES (1, 2, NULL)",
    ] {
        stays(text);
    }
}

#[test]
fn what_mutation_testing_found_in_text_is_hidden() {
    hides(r#"log {"url":"postgres:\/\/jo:hunter2@h\/x"} end"#);
    hides("password                              : hunter2");
    let out = plain("sent Bearer 'hunter2abc' on");
    assert_eq!(out, "sent Bearer '***MASKED***' on");
}

#[test]
fn a_value_that_is_a_name_has_a_value_of_its_own() {
    for text in [
        "asi\"password\n\"client_secret\": \"hunter2\"\n\":d Basic[tok",
        "\"password\":\"client_secret\": \"hunter2\"",
        "password: \"client_secret\": \"hunter2\"",
    ] {
        assert!(!plain(text).contains(SECRET), "{}", plain(text));
    }
}

#[test]
fn what_programs_print_of_themselves_is_masked() {
    for text in [
        "array(2) { [\"user\"]=> string(2) \"jo\" [\"password\"]=> string(7) \"hunter2\" }",
        "array(2) {\n  [\"password\"]=>\n  string(9) \"a\\\"hunter2\"\n}",
        "userPassword: {SSHA}hunter2+/==",
        "x userPassword={CRYPT}$1$hunter2 y",
        "#0 /app/x.php(12): PDO->__construct('mysql:host=h;dbn...', 'jo', 'hunter2')",
        "#1 x.php(3): mysqli_connect('h', 'jo', 'hunter2')",
        "#1 x.php(3): ldap_bind(Resource id #5, 'cn=jo', 'hunter2')",
        "#1 x.php(3): password_verify('hunter2', '$2y$10$abc')",
    ] {
        hides(text);
    }
    for text in ["#0 /app/x.php(12): App\\Order->__construct('blue', 5)", "array(1) { [\"user\"]=> string(2) \"jo\" }"]
    {
        stays(text);
    }
    assert_eq!(plain("x token={a} y"), "x token=***MASKED*** y");
}

#[test]
fn what_products_send_is_masked() {
    for body in [
        // Keys as JSON has them; arguments; Kubernetes, Auth0, WordPress, Vault, Kafka's registry.
        r#"{"keys":[{"kty":"RSA","n":"a","e":"AQAB","d":"hunter2","p":"hunter2","q":"hunter2","dp":"hunter2","dq":"hunter2","qi":"hunter2"}]}"#,
        r#"{"d":"hunter2","x":"a","crv":"P-256","kty":"EC"}"#,
        r#"{"oth":[{"r":"hunter2"}],"kty":"RSA"}"#,
        r#"{"args":["--token=a","--password","hunter2"]}"#,
        r#"{"kind":"Secret","type":"Opaque","stringData":{"db":"hunter2"},"data":{"db":"hunter2"}}"#,
        r#"{"oob_code":"hunter2","binding_code":"hunter2","loginCode":"hunter2"}"#,
        r#"{"pass1-text":"hunter2","basic.auth.user.info":"jo:hunter2","unseal_keys_b64":["hunter2"]}"#,
        r#"{"Plaintext":"hunter2","wifi":{"psk":"hunter2"},"serverKey":"hunter2","privKey":"hunter2"}"#,
        r#"{"mot_de_passe":"hunter2","motDePasse":"hunter2","contraseña":"hunter2","senha":"hunter2","userPasswort":"hunter2"}"#,
        r#"{"пароль":"hunter2","Новый пароль":"hunter2","密码":"hunter2","パスワード":"hunter2","비밀번호":"hunter2","ŞİFRE":"hunter2","lösenord":"hunter2"}"#,
    ] {
        let out = mask_body(&Rules::default(), Some("application/json"), body.as_bytes()).text;
        assert!(!out.contains(SECRET) && serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
    }
    hides("Contraseña: hunter2");
    hides("x пароль=hunter2 y");
    for body in [
        r#"{"kty":"RSA","n":"abc","e":"AQAB","alg":"RS256","use":"sig","kid":"1"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"a","y":"b"}"#,
        r#"{"d":1,"p":2,"q":"shoes","k":5,"name":"a"}"#,
        r#"{"kty":"other","d":"x"}"#,
        r#"{"args":["--color=red","--size","5"]}"#,
        r#"["PATH=/bin","A=b"]"#,
    ] {
        assert_eq!(mask_body(&Rules::default(), Some("application/json"), body.as_bytes()).text, body);
    }
    let env = mask_body(&Rules::default(), None, br#"{"Env":["DB_PASSWORD=hunter2","PATH=/bin","a"]}"#).text;
    assert_eq!(env, r#"{"Env":["DB_PASSWORD=***MASKED***","PATH=/bin","a"]}"#);
    // A part of a key is no value of a pair: the bare key stays a secret.
    assert!(!mask_body(&Rules::default(), None, br#"{"key":"hunter2","q":"shoes"}"#).text.contains(SECRET));
}

#[test]
fn what_command_lines_hold_is_masked() {
    for text in [
        "deploy --password hunter2 --verbose",
        "deploy --password 'a hunter2' x",
        "deploy --password \"a hunter2\" x",
        "deploy --token\thunter2 x",
        "--api-key hunter2",
        "sh -c \"deploy --api-key hunter2\" failed",
        "argv: java -jar x.jar -password hunter2",
        "keytool -genkey -keypassword hunter2",
        "a\\n--password hunter2",
        "deploy --password a\"hunter2",
        "mysql -h db -uroot -phunter2 shop",
        "/usr/bin/mysqldump -phunter2",
        "mysql -p'a hunter2' shop",
        "curl -s -u jo:hunter2 https://h/",
        "curl -ujo:hunter2 https://h/",
        "curl --user jo:hunter2 https://h/",
        "curl --user=jo:hunter2 https://h/",
        "curl --proxy-user 'jo:a hunter2' https://h/",
        "curl -U jo:hunter2 https://h/",
        "sshpass -p hunter2 ssh h",
        "sshpass -phunter2 ssh h",
        "docker login -u jo -p hunter2 r.io",
        "ldapsearch -x -D cn=jo -w hunter2",
        "redis-cli -h h -a hunter2 ping",
        "sqlcmd -S h -U sa -P hunter2",
        "htpasswd -b .htpasswd jo hunter2",
        "htpasswd -bc .htpasswd jo hunter2",
        "htpasswd -nb jo hunter2",
        "sqlplus -s jo/hunter2@orcl",
        "net use \\\\srv\\share /user:jo hunter2",
        "net use z: \\\\srv\\share hunter2 /user:dom\\jo",
        "ldap_bind: simple bind \"cn=jo\" \"hunter2\"",
        "x simple_bind_s('cn=jo', 'hunter2')",
        "PGPASSWORD=hunter2 psql",
    ] {
        hides(text);
    }
    assert_eq!(plain("curl -u jo:x https://h/"), "curl -u ***MASKED*** https://h/");
    assert_eq!(plain("x --password y z"), "x --password ***MASKED*** z");
    assert_eq!(plain("x --password=y z"), "x --password=***MASKED*** z");
    assert_eq!(plain("mysql -px y"), "mysql -p***MASKED*** y");
    assert_eq!(plain("docker login -p x r.io"), "docker login -p ***MASKED*** r.io");
    assert_eq!(plain("sqlplus jo/x@orcl y"), "sqlplus jo/***MASKED***@orcl y");
    assert_eq!(plain("htpasswd -nb jo x y"), "htpasswd -nb jo ***MASKED*** y");
    assert_eq!(plain("net use z: \\\\s\\h x /user:jo"), "net use z: \\\\s\\h ***MASKED*** /user:jo");
    assert_eq!(
        plain("log {\"cmd\":\"x --token y\",\"ok\":1} z"),
        "log {\"cmd\":\"x --token ***MASKED***\",\"ok\":1} z"
    );
    assert_eq!(plain("ldap_bind: simple bind \"cn=jo\" \"x\""), "ldap_bind: simple bind \"cn=jo\" \"***MASKED***\"");
}

#[test]
fn options_that_take_no_secret_stay() {
    for text in [
        "use the --password option",
        "--password is required",
        "the --token flag and the --api-key flag",
        "usage: x [--password PASSWORD] [--token TOKEN]",
        "usage: x --password <password>",
        "  -p, --password string   Password",
        "      --token             the token",
        "docker login --password-stdin r.io",
        "x --password-file /run/x",
        "x --token --verbose",
        "x --no-password jo",
        "git commit --author jo --no-verify",
        "- token handling",
        "-token handling",
        "a--password b",
        "mkdir -p /tmp/x",
        "docker run -p 80:80 x",
        "mysql -p shop",
        "echo mysql | grep -p x",
        "ssh -p 22 h",
        "curl -u jo https://h/",
        "curl -u <user>:<password> https://h/",
        "sudo -u jo:x ls",
        "redis-cli -p 6379 ping",
        "htpasswd -c .htpasswd jo",
        "npm i @scope/x a/b@1.2",
        "net start x /user:jo y",
        "bind \"a=b\" to c",
        "range 2026-a to -b",
    ] {
        stays(text);
    }
}

#[test]
fn statements_without_quotes_are_masked() {
    for text in [
        "CREATE USER jo IDENTIFIED BY hunter2",
        "alter user jo@h identified with p by hunter2 default role x",
        "grant all on t to jo identified by hunter2",
        "ALTER USER jo IDENTIFIED BY a1 REPLACE hunter2",
        "CREATE DATABASE LINK l CONNECT TO jo IDENTIFIED BY hunter2 USING 'x'",
    ] {
        hides(text);
    }
    // In the middle of a text, or where it begins.
    for text in
        ["SET PASSWORD FOR jo = hunter2", "SET PASSWORD FOR 'jo'@'%' = hunter2;", "SET PASSWORD FOR jo@h = hunter2 x"]
    {
        hides(text);
        hides(&format!("ran {text}"));
    }
    for text in [
        "SET PASSWORD FOR jo TO hunter2",
        "ALTER USER jo PASSWORD hunter2",
        "CREATE USER jo PASSWORD hunter2 NO FORCE_FIRST_PASSWORD_CHANGE",
        "alter role jo with password hunter2;",
    ] {
        assert!(!plain(text).contains(SECRET) && !mask_text(&Rules::default(), text).contains(SECRET), "{text}");
        let body = serde_json::json!({ "q": text, "n": [text] }).to_string();
        let out = mask_body(&Rules::default(), Some("application/json"), body.as_bytes()).text;
        assert!(!out.contains(SECRET), "{out}");
        let form = format!("q={}&n=1", text.replace(' ', "%20"));
        let out = mask_body(&Rules::default(), Some("application/x-www-form-urlencoded"), form.as_bytes()).text;
        assert!(!out.contains(SECRET), "{out}");
    }
    assert_eq!(
        plain("ALTER USER jo IDENTIFIED BY a1 REPLACE b1;"),
        "ALTER USER jo IDENTIFIED BY ***MASKED*** REPLACE ***MASKED***;"
    );
    assert_eq!(plain("ALTER USER jo PASSWORD x;"), "ALTER USER jo PASSWORD ***MASKED***;");
    for text in [
        "he was identified by the team",
        "a user is identified by id 5",
        "a role that users of it are identified by name",
        "IDENTIFIED BY RANDOM PASSWORD",
        "SET PASSWORD FOR jo = ?",
        "ALTER USER jo PASSWORD EXPIRE",
        "ALTER USER jo WITH PASSWORD NULL",
        "create user form password field",
        "Create user with password reset",
        "set password to continue",
        "settings for jo = x",
    ] {
        stays(text);
    }
}

#[test]
fn braces_of_connection_strings_are_masked_to_their_end() {
    for text in ["x;Pwd={a}}hunter2};Uid=jo", "cmd: Pwd={a}}hunter2};Uid=jo", "\"Pwd={a;}}hunter2}\" x"] {
        hides(text);
    }
    assert_eq!(plain("cmd: Pwd={a}}b};Uid=jo"), "cmd: Pwd=***MASKED***;Uid=jo");
    assert_eq!(plain("{a={password={b}}, user=jo}"), "{a={password=***MASKED***}, user=jo}");
    hides("Server=h;Password='a;hunter2';Db=x");
}

#[test]
fn bound_values_without_their_statement_are_masked() {
    hides("TRACE x - binding parameter [1] as [VARCHAR] - [hunter2]");
    hides("TRACE x - binding parameter [2] as [TIMESTAMP_WITH_TIMEZONE] - [a hunter2]");
    for text in ["binding parameter names - [docs]", "a parameter [1] as [b] - [c]"] {
        stays(text);
    }
}

#[test]
fn what_json_says_is_a_secret_is_masked() {
    let json = |body: &str| mask_body(&Rules::default(), Some("application/json"), body.as_bytes()).text;
    let m = "***MASKED***";
    for (body, out) in [
        (r#"{"kty":"oct","k":"x","alg":"A"}"#, format!(r#"{{"kty":"oct","k":"{m}","alg":"A"}}"#)),
        (
            r#"[{"k":"x","kty":"oct"},{"k":"x","kty":"EC"}]"#,
            format!(r#"[{{"k":"{m}","kty":"oct"}},{{"k":"x","kty":"EC"}}]"#),
        ),
        (
            r#"{"a":{"sensitive":true,"type":"string","value":"x"}}"#,
            format!(r#"{{"a":{{"sensitive":true,"type":"string","value":"{m}"}}}}"#),
        ),
        (
            r#"{"value" : {"a":["x"]},"n":[1,2], "sensitive" : true}"#,
            format!(r#"{{"value" : "{m}","n":[1,2], "sensitive" : true}}"#),
        ),
        (
            r#"{"password":"a","value":5,"isSecret":true}"#,
            format!(r#"{{"password":"{m}","value":"{m}","isSecret":true}}"#),
        ),
    ] {
        assert_eq!(json(body), out);
    }
    for body in [
        r#"{"k":"color","v":"blue"}"#,
        r#"{"kty":"oct","d":"x","kid":"1"}"#,
        r#"{"a":{"sensitive":false,"value":"x"},"sensitive":true}"#,
        r#"{"sensitive":true,"content":"<p>x</p>","text":"a"}"#,
        r#"{"sensitive":"true","value":"x"}"#,
        r#"[true,{"value":"x"}]"#,
    ] {
        assert_eq!(json(body), body);
    }
    // Cut before it says what it is.
    assert!(!mask_body(&Rules::default(), Some("application/json"), br#"{"k":"hunter2","alg"#).text.contains(SECRET));
    // In pieces it is the same.
    assert!(!json(&format!(r#"{{"k":"hunter2","x":"{}","kty":"oct"}}"#, "a ".repeat(50_000))).contains(SECRET));
}
