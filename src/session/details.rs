//! What a host says about a session (`session_json`), checked once and turned into the bodies that the platform takes.

use serde_json::{json, Map, Value};

use crate::status::{Error, Result};
use crate::trace::parse_short_id;

const FIELDS: &[&str] =
    &["name", "sessionAttributes", "resourceAttributes", "userAttributes", "tags", "shortId", "comment"];

/// The platform hashes the end user's attributes as they are written, so one person is one end user only in one order.
const USER_FIELDS: &[&str] = &[
    "type",
    "id",
    "name",
    "groupId",
    "groupName",
    "environment",
    "userEmail",
    "userId",
    "userName",
    "accountId",
    "accountName",
    "orgId",
    "orgName",
];
const MAX_TAGS: usize = 32;
const MAX_TAG_LENGTH: usize = 200;

/// The checked parts; empty ones were not given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// Title of the session.
    pub name: Option<String>,
    /// Free attributes, with the comment.
    pub session_attributes: Map<String, Value>,
    /// Free attributes of the resource.
    pub resource_attributes: Map<String, Value>,
    /// The end user.
    pub user_attributes: Map<String, Value>,
    /// Objects of value and maybe key.
    pub tags: Vec<Value>,
    /// Serves only where the server gives none; never sent.
    pub short_id: Option<String>,
}

impl Details {
    /// From the JSON text of a host; None is empty.
    ///
    /// # Errors
    /// MPR_ERR_INVALID_ARGUMENT with the field, the value and what would be right.
    pub fn parse(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self::default()) };
        let mut given = crate::config::options::parse_object("session_json", text)?;
        given.retain(|_, value| !value.is_null());
        if let Some(unknown) = given.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            let unknown: String = unknown.chars().take(80).collect();
            return Err(wrong(&unknown, &format!("no such field; the fields are {}", FIELDS.join(", "))));
        }
        let mut details = Self {
            name: text_field(&given, "name")?,
            session_attributes: attributes(&mut given, "sessionAttributes")?,
            resource_attributes: attributes(&mut given, "resourceAttributes")?,
            user_attributes: user_attributes(attributes(&mut given, "userAttributes")?)?,
            tags: tags(given.get("tags"))?,
            short_id: text_field(&given, "shortId")?,
        };
        if details.short_id.as_deref().is_some_and(|id| parse_short_id(id).is_none()) {
            return Err(wrong("shortId", "not a short id; use 8 lower-case hex digits"));
        }
        if let Some(comment) = text_field(&given, "comment")? {
            details.session_attributes.insert("comment".into(), json!(comment));
        }
        Ok(details)
    }

    /// These details with `newer` laid over them; its keys win, its tags replace.
    pub fn with(mut self, newer: Details) -> Self {
        self.name = newer.name.or(self.name);
        self.session_attributes.extend(newer.session_attributes);
        self.resource_attributes.extend(newer.resource_attributes);
        self.user_attributes.extend(newer.user_attributes);
        if !newer.tags.is_empty() {
            self.tags = newer.tags;
        }
        self.short_id = newer.short_id.or(self.short_id);
        self
    }

    /// The given parts under the platform's names. Empty ones are left out: the platform refuses empty text and null.
    pub fn body(&self, fields: &[&str]) -> Value {
        let all = [
            ("name", self.name.clone().map(Value::from)),
            ("tags", Some(Value::Array(self.tags.clone()))),
            ("sessionAttributes", Some(Value::Object(self.session_attributes.clone()))),
            ("resourceAttributes", Some(Value::Object(self.resource_attributes.clone()))),
            ("userAttributes", Some(Value::Object(ordered_user(self.user_attributes.clone())))),
        ];
        let is_empty =
            |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
        let kept = all.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let kept = kept.filter(|(key, value)| fields.contains(key) && !is_empty(value));
        Value::Object(kept.map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// The body of the remote check: conditions there compare text, so every value is text.
    pub fn check_body(&self) -> Value {
        let mut body = self.body(&["sessionAttributes", "resourceAttributes", "userAttributes"]);
        for map in body.as_object_mut().into_iter().flat_map(|body| body.values_mut()).filter_map(Value::as_object_mut)
        {
            for value in map.values_mut().filter(|value| !value.is_string()) {
                *value = json!(value.to_string());
            }
        }
        body
    }
}

fn wrong(field: &str, why: &str) -> Error {
    Error::invalid(format!("session_json: {field}: {why}"))
}

fn text_field(given: &Map<String, Value>, field: &str) -> Result<Option<String>> {
    match given.get(field) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(wrong(field, "use text with at least one character")),
    }
}

fn attributes(given: &mut Map<String, Value>, field: &str) -> Result<Map<String, Value>> {
    let mut map = match given.remove(field) {
        None => return Ok(Map::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(wrong(field, "use an object: {\"key\": value}")),
    };
    if map.keys().any(|key| key.is_empty() || key.starts_with('$')) {
        return Err(wrong(field, "a key is empty or starts with '$', which the platform's store does not take"));
    }
    map.retain(|_, value| !value.is_null());
    Ok(map)
}

fn user_attributes(mut given: Map<String, Value>) -> Result<Map<String, Value>> {
    given.retain(|_, value| value.as_str() != Some(""));
    match given.get("type").map(Value::as_str) {
        None | Some(Some("USER" | "API_CLIENT")) => Ok(given),
        Some(_) => Err(wrong("userAttributes.type", "use USER or API_CLIENT")),
    }
}

/// Complete and in the platform's order: its own fields first, others after them by name.
fn ordered_user(mut given: Map<String, Value>) -> Map<String, Value> {
    if given.is_empty() {
        return given;
    }
    given.entry("type").or_insert_with(|| json!("USER"));
    let mut ordered = Map::new();
    for field in USER_FIELDS {
        if let Some(value) = given.remove(*field) {
            ordered.insert((*field).to_owned(), value);
        }
    }
    let mut rest: Vec<_> = given.into_iter().collect();
    rest.sort_by(|a, b| a.0.cmp(&b.0));
    ordered.extend(rest);
    ordered
}

fn tags(given: Option<&Value>) -> Result<Vec<Value>> {
    let list = match given {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= MAX_TAGS => list,
        Some(_) => return Err(wrong("tags", "use an array of at most 32 tags")),
    };
    let text = |value: Option<&Value>| {
        let text = value?.as_str()?;
        (!text.is_empty() && text.chars().count() <= MAX_TAG_LENGTH).then(|| json!(text))
    };
    let tag = |tag: &Value| match tag {
        Value::String(_) => Some(json!({"value": text(Some(tag))?})),
        Value::Object(map) if map.keys().all(|key| key == "key" || key == "value") => {
            let value = text(map.get("value"))?;
            match map.get("key") {
                None | Some(Value::Null) => Some(json!({ "value": value })),
                key => Some(json!({"key": text(key)?, "value": value})),
            }
        }
        _ => None,
    };
    list.iter()
        .map(|given| {
            tag(given)
                .ok_or_else(|| wrong("tags", "a tag is text or {\"key\", \"value\"}, each of 1 to 200 characters"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_hold_only_what_the_platform_takes() {
        let text = r#"{"name":"n","comment":"c","shortId":"0a1b2c3d","tags":["a",{"key":"k","value":"v"},{"key":null,"value":"w"}],
            "sessionAttributes":{"a":1,"b":null},"userAttributes":{"userName":"u","orgName":"","id":"7","zz":1}}"#;
        let details = Details::parse(Some(text)).unwrap();
        let start = details.body(&["name", "tags", "sessionAttributes", "resourceAttributes", "userAttributes"]);
        assert_eq!(
            start.to_string(),
            r#"{"name":"n","tags":[{"value":"a"},{"key":"k","value":"v"},{"value":"w"}],"sessionAttributes":{"a":1,"comment":"c"},"userAttributes":{"type":"USER","id":"7","userName":"u","zz":1}}"#
        );
        assert_eq!(details.check_body()["sessionAttributes"]["a"], json!("1"));
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (text, message) in [
            (r#"{"title":"x"}"#, "session_json: title: no such field"),
            (r#"{"name":""}"#, "session_json: name: use text"),
            (r#"{"tags":[1]}"#, "session_json: tags: a tag is"),
            (r#"{"shortId":"XYZ"}"#, "session_json: shortId: not a short id"),
            (r#"{"userAttributes":{"type":"VISITOR"}}"#, "session_json: userAttributes.type: use USER"),
            (r#"{"sessionAttributes":{"$a":1}}"#, "session_json: sessionAttributes: a key"),
            ("[]", "session_json: the JSON is not an object"),
            ("{\n", "session_json: not valid JSON: EOF while parsing an object at line 2"),
        ] {
            let error = Details::parse(Some(text)).unwrap_err();
            assert!(error.message.starts_with(message), "{error}");
        }
    }
}
