//! The names that mean something in markup.

use super::Slot;

pub(super) fn slot_of(local: &str) -> Slot {
    let joined: String = local.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match joined.as_str() {
        "name" | "key" | "field" | "fieldname" | "header" | "headername" | "param" | "parameter" | "paramname"
        | "property" | "attribute" | "attributename" | "attr" | "id" | "type" | "label" | "path" | "k" | "n"
        | "variable" | "var" | "setting" | "option" | "column" | "columnname" | "question" | "kind" | "itemprop"
        | "httpequiv" | "for" | "autocomplete" | "ref" | "term" | "dt" => Slot::Name,
        "value" | "values" | "val" | "v" | "old" | "new" | "oldvalue" | "newvalue" | "before" | "after" | "from"
        | "to" | "previous" | "current" | "data" | "content" | "text" | "default" | "defaultvalue" | "input"
        | "answer" | "response" | "string" | "definition" | "dd" => Slot::Value,
        "username" | "filename" | "hostname" | "classname" | "nickname" | "surname" | "firstname" | "lastname" => {
            Slot::None
        }
        j if j.ends_with("name") || (j.ends_with("key") && j.len() > 3) => Slot::Name,
        j if j.ends_with("value") => Slot::Value,
        _ => Slot::None,
    }
}

/// Elements of WS-Security, SAML and XML signatures that are as good as a login, beside those whose names tell it.
pub(super) const SECURITY: &str =
    "SignatureValue|Assertion|EncryptedAssertion|CipherValue|EncryptedKey|EncryptedData|BinarySecret|\
    Nonce|RSAKeyValue|DSAKeyValue|PrivateKeyValue";

/// Elements that have no content in HTML.
pub(super) const VOID: &str = "area|base|br|col|embed|frame|hr|img|input|link|meta|param|source|track|wbr|keygen";

/// Elements in which HTML reads no tags.
pub(super) const RAW_TEXT: &str = "script|style|textarea|title";

/// Elements that hold parts of a page, not one value.
pub(super) const BLOCKS: &str =
    "html|head|body|div|form|fieldset|section|article|main|nav|header|footer|aside|table|ul|ol|dl|h1|h2|\
    h3|h4|h5|h6|hr|pre|blockquote|details|template";

/// Elements that are part of a line of text.
pub(super) const INLINE: &str =
    "a|b|i|u|s|em|strong|span|wbr|br|mark|code|font|small|big|sub|sup|kbd|samp|var|tt|q|ins|del|cite|bdi|\
    bdo|time|data|abbr";

/// Elements whose text is about what follows, not its name.
pub(super) const HEADINGS: &str = "head|title|h1|h2|h3|h4|h5|h6|a|button|legend|caption|option|summary|nav";

/// Attributes of HTML that hold no value of a field.
pub(super) const HARMLESS: &str =
    "type|id|class|name|for|itemprop|http-equiv|autocomplete|required|disabled|readonly|autofocus|\
    checked|selected|hidden|multiple|novalidate|maxlength|minlength|size|rows|cols|tabindex|method|role|\
    lang|dir|form|colspan|rowspan";

/// Is the name one of a list, in any case?
pub(super) fn one_of(list: &str, name: &str) -> bool {
    list.split('|').any(|one| one.eq_ignore_ascii_case(name))
}

pub(super) fn is_html(name: &str) -> bool {
    const MORE: &str =
        "p|li|dt|dd|td|th|tr|tbody|thead|tfoot|caption|label|select|option|optgroup|button|legend|iframe|svg|\
    video|audio|canvas|figure|figcaption|img|center|noscript|output|progress|dialog|picture|object|\
    address";
    [VOID, RAW_TEXT, BLOCKS, INLINE, MORE].iter().any(|list| one_of(list, name))
}
