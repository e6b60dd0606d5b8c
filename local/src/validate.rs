//! A small validator with the semantics and the words of Joi 17, as the platform runs it:
//! `abortEarly`, unknown keys refused, conversions tried but thrown away. Schemas are data.

use serde_json::{Map, Value};

use crate::clock;

/// The largest integer that a JavaScript number holds exactly.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

pub enum Schema {
    Any,
    Bool,
    Number,
    Date,
    Str(Str),
    Object(Object),
    /// An object with any keys whose values all match.
    MapOf(&'static Schema),
    Array(Array),
    /// `Joi.alternatives()`
    OneOf(&'static [Schema]),
}

pub struct Str {
    pub allow_empty: bool,
    pub hex: bool,
    pub length: Option<usize>,
    pub max: Option<usize>,
    pub email: bool,
    pub valid: &'static [&'static str],
}

pub struct Object {
    pub keys: &'static [Key],
    pub unknown: bool,
    /// `.with(a, b)`: a needs b beside it.
    pub with: &'static [(&'static str, &'static str)],
}

pub struct Array {
    pub items: &'static Schema,
    pub min: usize,
    pub max: usize,
}

pub struct Key {
    pub name: &'static str,
    pub schema: Schema,
    pub required: bool,
}

const PLAIN: Str = Str { allow_empty: false, hex: false, length: None, max: None, email: false, valid: &[] };

pub const STRING: Schema = Schema::Str(PLAIN);
pub const EMAIL: Schema = Schema::Str(Str { email: true, ..PLAIN });
pub const MAYBE_EMPTY: Schema = Schema::Str(Str { allow_empty: true, ..PLAIN });
/// `Joi.object().keys({}).unknown(true)`
pub const FREE_OBJECT: Schema = Schema::Object(Object { keys: &[], unknown: true, with: &[] });

pub const fn hex(length: usize) -> Schema {
    Schema::Str(Str { hex: true, length: Some(length), ..PLAIN })
}

pub const fn up_to(max: usize) -> Schema {
    Schema::Str(Str { max: Some(max), ..PLAIN })
}

pub const fn one_of(valid: &'static [&'static str]) -> Schema {
    Schema::Str(Str { valid, ..PLAIN })
}

pub const fn object(keys: &'static [Key]) -> Schema {
    Schema::Object(Object { keys, unknown: false, with: &[] })
}

pub const fn array(items: &'static Schema) -> Schema {
    Schema::Array(Array { items, min: 0, max: usize::MAX })
}

pub const fn key(name: &'static str, schema: Schema) -> Key {
    Key { name, schema, required: false }
}

pub const fn required(name: &'static str, schema: Schema) -> Key {
    Key { name, schema, required: true }
}

/// The first problem; `base` names the type when the value was not even of that type.
struct Problem {
    message: String,
    depth: usize,
    base: Option<&'static str>,
}

/// The first problem as the platform words it, or nothing.
pub fn check(schema: &Schema, root: &str, value: &Value) -> Result<(), String> {
    let mut path = vec![root.to_owned()];
    run(schema, value, &mut path).map_err(|p| p.message)
}

fn run(schema: &Schema, value: &Value, path: &mut Vec<String>) -> Result<(), Problem> {
    match schema {
        Schema::Any => Ok(()),
        Schema::Bool => match value {
            Value::Bool(_) => Ok(()),
            Value::String(s) if matches!(s.to_lowercase().as_str(), "true" | "false") => Ok(()),
            _ => Err(base(path, "boolean", "must be a boolean")),
        },
        Schema::Number => run_number(value, path),
        Schema::Date => match clock::parse_date(value) {
            Some(_) => Ok(()),
            None => Err(base(path, "date", "must be a valid date")),
        },
        Schema::Str(rules) => run_string(rules, value, path),
        Schema::Object(rules) => run_object(rules, value, path),
        Schema::MapOf(values) => {
            let map = as_object(value, path)?;
            map.iter().try_for_each(|(name, value)| nested(values, value, format!(".{name}"), path))
        }
        Schema::Array(rules) => run_array(rules, value, path),
        Schema::OneOf(schemas) => run_alternatives(schemas, value, path),
    }
}

fn run_number(value: &Value, path: &[String]) -> Result<(), Problem> {
    let number = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse::<f64>().ok().filter(|n| n.is_finite()),
        _ => None,
    };
    match number {
        Some(n) if n.abs() > MAX_SAFE => Err(problem(path, "must be a safe number")),
        Some(_) => Ok(()),
        None => Err(base(path, "number", "must be a number")),
    }
}

fn run_string(rules: &Str, value: &Value, path: &[String]) -> Result<(), Problem> {
    let text = value.as_str();
    if !rules.valid.is_empty() && !text.is_some_and(|t| rules.valid.contains(&t)) {
        let list = rules.valid.join(", ");
        return Err(problem(path, &format!("must be one of [{list}]")));
    }
    let Some(text) = text else {
        return Err(base(path, "string", "must be a string"));
    };
    if text.is_empty() {
        return match rules.allow_empty {
            true => Ok(()),
            false => Err(problem(path, "is not allowed to be empty")),
        };
    }
    if rules.hex && !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(problem(path, "must only contain hexadecimal characters"));
    }
    // JavaScript counts UTF-16 units.
    let length = text.encode_utf16().count();
    if let Some(n) = rules.length.filter(|n| *n != length) {
        return Err(problem(path, &format!("length must be {n} characters long")));
    }
    if let Some(n) = rules.max.filter(|n| length > *n) {
        return Err(problem(path, &format!("length must be less than or equal to {n} characters long")));
    }
    if rules.email && !looks_like_email(text) {
        return Err(problem(path, "must be a valid email"));
    }
    Ok(())
}

fn looks_like_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let segments: Vec<&str> = domain.split('.').collect();
    !local.is_empty()
        && !text.contains(char::is_whitespace)
        && segments.len() >= 2
        && segments.iter().all(|s| !s.is_empty())
}

fn run_object(rules: &Object, value: &Value, path: &mut Vec<String>) -> Result<(), Problem> {
    let map = as_object(value, path)?;
    for key in rules.keys {
        match map.get(key.name) {
            Some(value) => nested(&key.schema, value, format!(".{}", key.name), path)?,
            None if key.required => {
                path.push(format!(".{}", key.name));
                return Err(problem(path, "is required"));
            }
            None => {}
        }
    }
    if !rules.unknown {
        let stranger = map.keys().find(|k| !rules.keys.iter().any(|r| r.name == *k));
        if let Some(name) = stranger {
            path.push(format!(".{name}"));
            return Err(problem(path, "is not allowed"));
        }
    }
    for (main, peer) in rules.with {
        if map.contains_key(*main) && !map.contains_key(*peer) {
            return Err(Problem {
                message: format!("\"{main}\" missing required peer \"{peer}\""),
                depth: path.len(),
                base: None,
            });
        }
    }
    Ok(())
}

fn run_array(rules: &Array, value: &Value, path: &mut Vec<String>) -> Result<(), Problem> {
    let Value::Array(items) = value else {
        return Err(base(path, "array", "must be an array"));
    };
    for (i, item) in items.iter().enumerate() {
        nested(rules.items, item, format!("[{i}]"), path)?;
    }
    let (min, max) = (rules.min, rules.max);
    if items.len() > max {
        return Err(problem(path, &format!("must contain less than or equal to {max} items")));
    }
    if items.len() < min {
        return Err(problem(path, &format!("must contain at least {min} items")));
    }
    Ok(())
}

/// Joi's summary of several failures: one list of types when no alternative had the
/// right type, the one real complaint when there is only one, else a shrug.
fn run_alternatives(schemas: &[Schema], value: &Value, path: &mut Vec<String>) -> Result<(), Problem> {
    let mut types = Vec::new();
    let mut complaints = Vec::new();
    for schema in schemas {
        let depth = path.len();
        let Err(found) = run(schema, value, path) else {
            return Ok(());
        };
        path.truncate(depth);
        match found.base.filter(|_| found.depth == depth) {
            Some(name) => types.push(name),
            None => complaints.push(found),
        }
    }
    match (complaints.len(), complaints.pop()) {
        (0, _) => Err(problem(path, &format!("must be one of [{}]", types.join(", ")))),
        (1, Some(only)) => Err(only),
        _ => Err(problem(path, "does not match any of the allowed types")),
    }
}

fn nested(schema: &Schema, value: &Value, step: String, path: &mut Vec<String>) -> Result<(), Problem> {
    path.push(step);
    run(schema, value, path)?;
    path.pop();
    Ok(())
}

fn as_object<'v>(value: &'v Value, path: &[String]) -> Result<&'v Map<String, Value>, Problem> {
    value.as_object().ok_or_else(|| base(path, "object", "must be of type object"))
}

fn problem(path: &[String], complaint: &str) -> Problem {
    Problem { message: format!("\"{}\" {complaint}", path.concat()), depth: path.len(), base: None }
}

fn base(path: &[String], name: &'static str, complaint: &str) -> Problem {
    Problem { base: Some(name), ..problem(path, complaint) }
}
