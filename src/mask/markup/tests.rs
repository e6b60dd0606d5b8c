use super::super::tests_formats::is_linear;
use super::*;

fn xml(src: &str) -> String {
    let out = mask(&Rules::default(), src, false, Dialect::Xml);
    assert_eq!(out.broke_at, None, "{src} -> {}", out.text);
    out.text
}

fn html(src: &str) -> String {
    mask(&Rules::default(), src, false, Dialect::Html).text
}

#[test]
fn sensitive_elements_and_attributes_are_masked() {
    for (src, out) in [
        ("<a><password>x</password>b</a>", "<a><password>***MASKED***</password>b</a>"),
        ("<a><pin n='1'>x<pin>y</pin>z</pin>b</a>", "<a><pin n='***MASKED***'>***MASKED***</pin>b</a>"),
        ("<a><pin/><pin v='1'/>b</a>", "<a><pin/><pin v='***MASKED***'/>b</a>"),
        ("<u pass&#119;ord='x'/>", ""),
        ("<u password='x' n=\"1\"/>", "<u password='***MASKED***' n=\"1\"/>"),
        ("<u><pin><![CDATA[</pin>]]></pin></u>", "<u><pin>***MASKED***</pin></u>"),
        ("<u><pin><!-- </pin> --><b/></pin></u>", "<u><pin>***MASKED***</pin></u>"),
        (
            "<w:Security xmlns:w=\"u\"><w:Password Type=\"http://docs.oasis-open.org/wss/2004/01/x#PasswordText\">x</w:Password></w:Security>",
            "<w:Security xmlns:w=\"u\"><w:Password Type=\"http://docs.oasis-open.org/wss/2004/01/x#PasswordText\">***MASKED***</w:Password></w:Security>",
        ),
        ("<d:SignatureValue>x</d:SignatureValue>", "<d:SignatureValue>***MASKED***</d:SignatureValue>"),
        ("<a x='1' y=\"2\"> t <b/>\n<!-- c --><?p i?></a>", "<a x='1' y=\"2\"> t <b/>\n<!-- c --><?p i?></a>"),
    ] {
        if out.is_empty() {
            let broken = mask(&Rules::default(), src, false, Dialect::Xml);
            assert_eq!(broken.broke_at, Some(0), "{src}");
        } else {
            assert_eq!(xml(src), out, "{src}");
        }
    }
}

#[test]
fn pairs_are_understood() {
    for src in [
        "<input name=\"password\" value=\"@\"/>",
        "<r><input value=\"@\" name=\"password\"/></r>",
        "<r><param name=\"token\">@</param></r>",
        "<r><property key=\"password\" value=\"@\"/></r>",
        "<r><property name=\"password\"><value>@</value></property></r>",
        "<r><add key=\"ApiKey\" value=\"@\"/></r>",
        "<r><entry><key>password</key><value>@</value></entry></r>",
        "<r><entry><value>@</value><key>password</key></entry></r>",
        "<r><Item><Value a=\"@\">@<b>@</b></Value><Name>password</Name></Item></r>",
        "<r><string name=\"api_key\">@</string></r>",
        "<dict><key>n</key><string>v</string><key>password</key><string>@</string></dict>",
        "<dict><key>type</key><string>password</string><key>token</key><data>@</data></dict>",
        "<meta name=\"csrf-token\" content=\"@\"/>",
        "<Item Name=\"password\"><Value>@</Value></Item>",
        "<member><name>password</name><value><string>@</string></value></member>",
        "<member><name>pass<!-- -->word</name><value>@</value></member>",
        "<member><name>pass<![CDATA[word]]></name><value>@</value></member>",
        "<member><name>p&#97;ssw&#x6F;rd</name><value>@</value></member>",
        "<member><name><b>password</b></name><other>@</other></member>",
        "<row><cell>password</cell><cell>@</cell></row>",
        "<row><name v=\"password\"/><value v=\"@\"/></row>",
        "<row><name value=\"password\"/><value v=\"@\"/></row>",
        "<p>password: <b>@</b></p>",
        "<p>Bearer <b>@</b></p>",
        "<p>password=<![CDATA[@]]></p>",
        "<p>{&quot;password&quot;:<![CDATA[\"@\"]]>}</p>",
        "<p>{\"a\":\"{\\\"secret\\\":\\\"@\\\"}\"}</p>",
        "<p>&lt;login&gt;&lt;pin&gt;@&lt;/pin&gt;&lt;/login&gt;</p>",
        "<p>x &lt;input name=\"pin\" value=\"@\"/&gt;</p>",
        "<p><![CDATA[<a><entry key=\"pin\">@</entry></a>]]></p>",
        "<p a=\"https://h/?a=b&amp;token=@&amp;c=d\"/>",
        "<p a=\"{&quot;pin&quot;:&quot;@&quot;}\"/>",
        "<p><!-- <input name=\"pin\" value=\"@\"/> --></p>",
        "<p><?php $password = \"@\"; ?></p>",
        "<!DOCTYPE x [ <!ENTITY p \"@]>\"> <!-- ]> --> ]><x>&p;</x>",
        "<!DOCTYPE x [ <!ENTITY p \"password\"> ]><x name=\"&p;\" value=\"@\"/>",
        "<c key=\"@\"/>",
        "<c><key>@</key></c>",
        "<a:Attribute Name=\"email\"><a:AttributeValue>@</a:AttributeValue></a:Attribute>",
        "<script>var pin = '@'</script>",
        "<c>-----BEGIN KEY-----<br/>@<br/>@<br/>-----END KEY-----</c>",
        "<r><a>email</a><b>password</b><c>@</c></r>",
        "<r><tr><td>x</td></tr><tr><td>Password</td><td>@</td></tr></r>",
        "<r><b>Password</b>: @ </r>",
        "<r><b>\"password\"</b>: <i>\"@\"</i> </r>",
        "<r>password: \"a<b>@</b>@\"</r>",
        "<r>&lt;input name=\"password\" value=\"\" @&gt;</r>",
    ] {
        let src = src.replace('@', "hunter2");
        let inner = json::clean_string(&Rules::default(), &src, 0).map_or_else(|| src.clone(), |(clean, _)| clean);
        for out in [xml(&src), html(&src), inner] {
            assert!(!out.contains("hunter2"), "{src}: {out}");
        }
        assert!(xml(&src).contains("***") || xml(&src).contains("[text/"), "{src}");
        let twice = format!("<z>{}</z>", src.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
        assert!(!xml(&twice).contains("hunter2"), "{}", xml(&twice));
    }
}

#[test]
fn what_is_no_secret_stays() {
    for src in [
        "<?xml version=\"1.0\"?>\n<a xmlns:b=\"urn:x\">\n  <b:c d='1'>t &amp; u</b:c>\n</a>\n",
        "<entry><key>color</key><value>blue</value></entry>",
        "<entry><value>blue</value><key>color</key></entry>",
        "<add key=\"color\" value=\"blue\"/>",
        "<add key=\"color\">blue</add>",
        "<dict><key>color</key><string>blue</string></dict>",
        "<!DOCTYPE html PUBLIC \"-//W3C//DTD\" \"http://www.w3.org/x.dtd\"><html><p>Hello</p></html>",
        "<l><error>password is invalid</error><code>12</code></l>",
        "<a><![CDATA[1 < 2 && 3 > 2]]></a>",
        "<faults><string>author</string><string>b</string></faults>",
        "<a></a><b/>",
    ] {
        assert_eq!(xml(src), src);
        assert_eq!(html(src), src);
    }
}

#[test]
fn html_is_read_as_browsers_read_it() {
    for (src, out) in [
        ("<p>a<p>b<br>c<ul><li>d<li>e</ul>", "<p>a<p>b<br>c<ul><li>d<li>e</ul>"),
        (
            "<form><input type=password name=pw value=x><input name=user value=jo></form>",
            "<form><input type=password name=pw value=***MASKED***><input name=user value=jo></form>",
        ),
        ("<input TYPE='password' VALUE=\"a\"hunter2\" x=hunter2>", "<input TYPE='password' VALUE=\"***MASKED***\">"),
        ("<textarea name=password>x <b></textarea>y", "<textarea name=password>***MASKED***</textarea>y"),
        ("<textarea>pin=x <b></textarea>y", "<textarea>pin=***MASKED*** &lt;b&gt;</textarea>y"),
        ("<script>var a = \"</b>\"</script>x", "<script>[text/javascript, 14 bytes, not captured: script]</script>x"),
        (
            "<script type=application/json>{\"pin\":1,\"u\":\"<\\/script>\"}</script>",
            "<script type=application/json>{\"pin\":\"***MASKED***\",\"u\":\"<\\/script>\"}</script>",
        ),
        ("<select name=pin><option>1<option>2</select>z", "<select name=pin>***MASKED***</select>z"),
        ("<dl><dt>Password<dd>x<dt>Name<dd>Jo</dl>", "<dl><dt>Password<dd>***MASKED***"),
        ("<h1>Reset password</h1><p>Hello</p>", "<h1>Reset password</h1><p>Hello</p>"),
        (
            "<head><title>Reset password</title></head><p>a &lt;b</p>",
            "<head><title>Reset password</title></head><p>a &lt;b</p>",
        ),
        ("<div><pin>x</div>", "<div><pin>***MASKED***"),
        ("1 < 2 <b>x</B>", "1 < 2 <b>x</B>"),
        ("<div id=email-form><p>x</p></div>", "<div id=email-form><p>x</p></div>"),
        (
            "<tr><td>Caf&eacute; 12 &euro;<td>x</tr><p>&copy; 2026</p><p>y</p>",
            "<tr><td>Caf&eacute; 12 &euro;<td>x</tr><p>&copy; 2026</p><p>y</p>",
        ),
        // What a form sends under these names.
        (
            "<form><input name=\"code\" value=\"1\"><input value=2 name=key><select name=session><option>3</select></form>",
            "<form><input name=\"code\" value=\"***MASKED***\"><input value=***MASKED*** name=key><select name=session>***MASKED***</select></form>",
        ),
        ("<a name=code>1</a><code>2</code><input name=q value=code>", "<a name=code>1</a><code>2</code><input name=q value=code>"),
        ("<p>&xyz;</p><p>y</p>", "<p>&xyz;</p><p>***MASKED***</p>"),
        ("<p title=\"Reset password\" id=b>x</p>", "<p title=\"Reset password\" id=b>x</p>"),
        ("<span id=user-email>x</span>", "<span id=user-email>***MASKED***</span>"),
    ] {
        assert_eq!(html(src), out, "{src}");
    }
    assert_eq!(
        xml("<html><input name='code' value='1'/></html>"),
        "<html><input name='code' value='***MASKED***'/></html>"
    );
    assert_eq!(xml("<w><input name='code' value='1'/></w>"), "<w><input name='code' value='1'/></w>");
    // Elements that close themselves in HTML only.
    for src in ["<param name=token>@</param>", "<meta name='token'><value>@</value></meta>", "<token/>@</token>"] {
        assert!(!html(&src.replace('@', "hunter2")).contains("hunter2"), "{src}");
    }
}

#[test]
fn headings_of_a_table_name_its_columns() {
    for src in [
        "<table><tr><th>user</th><th>password</th></tr><tr><td>jo</td><td>@</td></tr></table>",
        "<table><tr><td>user</td><td>password</td></tr><tr><td>jo</td><td>@</td></tr></table>",
        "<table class='x'><thead><tr><th scope='col'>user</th><th><a href='?s=1'>E-Mail</a>&#160;<i class='sort'/></th></tr></thead><tbody><tr><td>jo</td><td>@</td></tr></tbody></table>",
        "<table><thead><tr><td>user</td><td>p&#97;ssword (hashed)</td></tr></thead><tr><td>jo</td><td data-v='@'>@<b>@</b></td></tr></table>",
        "<table><tr><th colspan='2'>Login</th><th>pin</th></tr><tr><td>1</td><td>jo</td><td>@</td></tr></table>",
        "<table><tr><th>id</th><th colspan='2'>pin</th></tr><tr><td>1</td><td>@</td><td>@</td></tr></table>",
        "<table><tr><th>id</th><th>u</th><th>pin</th></tr><tr><td rowspan='2'>1</td><td>jo</td><td>@</td></tr><tr><td>al</td><td>@</td></tr><tr><td>2</td><td/><td>@</td></tr></table>",
        "<table><tr><th rowspan='2'>id</th><th colspan='2'>Access</th></tr><tr><th>u</th><th>pin</th></tr><tr><td>1</td><td>jo</td><td>@</td></tr></table>",
        "<table><tr><th>id</th><th>pin</th></tr><tr><th colspan='2'>Part one</th></tr><tr><th>1</th><td>@</td></tr></table>",
        "<table><tr><th>pin</th><th>id</th></tr><tr><th>@</th><td>1</td></tr></table>",
        "<table><tr><th>pin</th></tr><tr><td>@</td></tr><tr><td>@</td></tr></table>",
        "<table><tr><th>id</th><th>pin</th></tr><tr><td><table><tr><th>a</th></tr><tr><td>b</td></tr></table></td><td>@</td></tr></table>",
        "<Table><Row><Cell><Data>id</Data></Cell><Cell><Data>pin</Data></Cell></Row><Row><Cell x:Index='2'><Data>@</Data></Cell></Row><Row><Cell><Data>1</Data></Cell><Cell><Data>@</Data></Cell></Row></Table>",
        "<table><tr><th id='pin'>N</th><th>id</th></tr><tr><td>@</td><td>1</td></tr></table>",
    ] {
        let src = src.replace('@', "hunter2");
        let inner = json::clean_string(&Rules::default(), &src, 0).map_or_else(|| src.clone(), |(clean, _)| clean);
        for out in [xml(&src), html(&src), inner] {
            assert!(!out.contains("hunter2") && out.to_lowercase().contains("</table>"), "{src}: {out}");
        }
    }
    for (src, out) in [
        (
            "<table><tr><th>user<th>pin<th>x<tr><td>jo<td>1</td><td>y<tr><td>al<td>2</td><td>z</table>",
            "<table><tr><th>user<th>pin<th>x<tr><td>jo<td>***MASKED***</td><td>y<tr><td>al<td>***MASKED***</td><td>z</table>",
        ),
        (
            "<table><tr><td>Email</td><td>jo</td></tr><tr><td>Name</td><td>Jo</td></tr></table>",
            "<table><tr><td>Email</td><td>***MASKED***</td></tr><tr><td>Name</td><td>Jo</td></tr></table>",
        ),
        (
            "<table><tr><th>Email</th><td>jo</td></tr><tr><th>Name</th><td>Jo</td></tr></table>",
            "<table><tr><th>Email</th><td>***MASKED***</td></tr><tr><th>Name</th><td>Jo</td></tr></table>",
        ),
    ] {
        assert_eq!(html(src), out, "{src}");
    }
    assert!(!html("<table><tr><th>id<th>pin<tr><td/>1</td><td/>hunter2</td></table>").contains("hunter2"));
    for (src, out) in [
        (
            "<dl><dt>Password</dt><dd>x</dd><dt>Name</dt><dd>y</dd><dt>Pin</dt><dd>x</dd><dd>x</dd><dt>Z</dt><dd>y</dd></dl>",
            "<dl><dt>Password</dt><dd>***MASKED***</dd><dt>Name</dt><dd>y</dd><dt>Pin</dt><dd>***MASKED***</dd><dd>***MASKED***</dd><dt>Z</dt><dd>y</dd></dl>",
        ),
        ("<dl><dd>x</dd><dt>Password</dt></dl>", "<dl><dd>***MASKED***</dd><dt>Password</dt></dl>"),
    ] {
        assert_eq!(html(src), out, "{src}");
        assert_eq!(xml(src), out, "{src}");
    }
    for src in [
        "<table><tr><th>id</th><th>name</th></tr><tr><td>1</td><td>Jo</td></tr></table>",
        "<table><tr><td>a</td><td>n=1 pin</td></tr><tr><td>a</td><td>b</td></tr></table>",
    ] {
        assert_eq!(html(src), src);
    }
}

#[test]
fn nothing_is_kept_after_a_break() {
    for (src, kept) in [
        ("<a><b>x</c>hunter2</a>", "<a><b>x"),
        ("<a><b>x</b>hunter2", "<a><b>x</b>"),
        ("<a><b>x</b>t<b y=1>hunter2", "<a><b>x</b>t"),
        ("<a><b x=\"hunter2", "<a>"),
        ("<a>t<!-- hunter2 ", "<a>"),
        ("<a>t<![CDATA[hunter2 ", "<a>"),
        ("<a>t</a>hunter2", "<a>t</a>"),
        ("hunter2", ""),
        ("<a><pin><b>hunter2</pin>hunter2</b></a>", "<a><pin>***MASKED***"),
        ("<a x=\"y><pin>hunter2</pin><b z=\"1\"/></a>", ""),
        ("<?xml version='1.0' encoding='utf-7'?><a>+hunter2</a>", ""),
        ("<a><e><value>hunter2</value><na", "<a><e><value>***MASKED***</value>"),
        ("<a><e><value><b>hunter2</b>", "<a><e><value>***MASKED***"),
        ("<a><key>hunter2</key>", "<a><key>***MASKED***</key>"),
    ] {
        let out = mask(&Rules::default(), src, false, Dialect::Xml);
        assert_eq!(out.text, kept, "{src}");
        assert!(out.broke_at.is_some(), "{src}");
    }
    for src in ["<a>hunter2", "<a>t</a> hunter2", "<a>&amp;<", "<a>"] {
        for dialect in [Dialect::Xml, Dialect::Html] {
            let out = mask(&Rules::default(), src, true, dialect);
            assert!(!out.text.contains("hunter2") && out.broke_at.is_some(), "{src}");
        }
    }
}

#[test]
fn hostile_depth_is_masked() {
    let deep = |n: usize| format!("{}x{}", "<a>".repeat(n), "</a>".repeat(n));
    assert_eq!(xml(&deep(150)), deep(150));
    assert!(xml(&deep(100_000)).len() < 2000);
    assert!(html(&"<a>".repeat(100_000)).len() < 2000);
}

#[test]
fn entities_are_decoded() {
    let decoded = |raw| {
        let (text, unknown) = entities::decoded(raw);
        (text.into_owned(), unknown)
    };
    assert_eq!(decoded("a&lt;&#65;&#x42;&#67 &amp&colon;&&;"), ("a<ABC &:&&;".to_owned(), false));
    assert_eq!(decoded("&foo; é&é; &x"), ("&foo; é&é; &x".to_owned(), true));
    assert_eq!(decoded("&euro; &eacute;t&eacute; &copy;&hellip;"), ("€ été ©…".to_owned(), false));
    assert_eq!(decoded("&#0;&#99999999;&#x;"), ("\u{FFFD}\u{FFFD}\u{FFFD}".to_owned(), false));
}

#[test]
fn hostile_markup_costs_linear_time() {
    let rules = Rules::default();
    for (lead, piece) in [
        ("", "<a>"),
        ("", "<p>"),
        ("", "</a>"),
        ("", "<a x='1'"),
        ("<a ", "x='1' "),
        ("<a ", "x "),
        ("", "<pin>"),
        ("<pin>", "</"),
        ("<pin>", "</a>"),
        ("", "<!--"),
        ("", "<!-- <a> -->"),
        ("", "<!-- <!-- <a --!>"),
        ("", "<![CDATA["),
        ("", "<![CDATA[<a>]]>"),
        ("<a>", "&lt;a&gt;"),
        ("<a>", "&"),
        ("<a>", "&#"),
        ("<a>", "&amp;lt;"),
        ("<textarea>", "</textare"),
        ("<script>", "</"),
        ("<script>", "<!--"),
        ("", "<key>a</key>"),
        ("", "<value>a</value>"),
        ("<r>", "<name>pin</name>"),
        ("<r>", "<a>pin</a><b>pin</b>"),
        ("<r>", "<value><name>pin</name>"),
        ("", "<b>pin: "),
        ("", "<?"),
        ("", "<!DOCTYPE a>"),
        ("<!DOCTYPE a [", "<!--"),
        ("<!DOCTYPE a [", "<? ?>"),
        ("<!DOCTYPE ", "'\""),
        ("", "<a name='pin'>"),
        ("", "<a><b></a>"),
        ("", "<table><tr><th>pin"),
        ("<table><tr>", "<th colspan='99'>pin</th>"),
        (
            "<table><tr><td colspan='99'/><td colspan='99'/><td colspan='99'/><td colspan='99' rowspan='0'/></tr>",
            "<tr></tr>",
        ),
        ("<table><tr>", "<td rowspan='0'/></tr><tr>"),
        ("", "<"),
    ] {
        let text = |len: usize| format!("{lead}{}", piece.repeat(len / piece.len()));
        for dialect in [Dialect::Xml, Dialect::Html] {
            let work = |text: &str| drop(mask(&rules, text, false, dialect));
            assert!(is_linear(work, text), "{dialect:?} {lead}{piece}");
        }
    }
}
