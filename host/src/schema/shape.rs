//! Pieces that schemas are made of: JSON Schema, draft 7, which editors know best.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// Text that is not empty.
pub(super) fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

/// Text that may be empty; a number or a truth value is taken as it is written.
pub(super) fn any_text() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

/// Text, or nothing.
pub(super) fn text_or_nothing() -> Value {
    json!({ "type": ["string", "number", "boolean", "null"] })
}

/// A mapping of names to texts.
pub(super) fn values() -> Value {
    names(&text_or_nothing())
}

/// `true` or `false`.
pub(super) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

/// A whole number from `min` to `max`.
pub(super) fn integer(min: u32, max: u32) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// One of these words.
pub(super) fn word(words: impl IntoIterator<Item = &'static str>) -> Value {
    json!({ "enum": words.into_iter().collect::<Vec<_>>() })
}

/// A value that has another one where it is not given.
pub(super) fn or(mut value: Value, default: impl Into<Value>) -> Value {
    value["default"] = default.into();
    value
}

/// The same, where what stands in for it is not a value: for people.
pub(super) fn or_else(mut value: Value, default: &str) -> Value {
    value["$comment"] = format!("{DEFAULT}{default}").into();
    value
}

/// What the comment of a value begins with that has a default which is not a value.
pub(super) const DEFAULT: &str = "default: ";

/// A list that may be empty.
pub(super) fn list(item: &Value) -> Value {
    json!({ "type": "array", "items": item })
}

/// A list that has something in it.
pub(super) fn some(item: &Value) -> Value {
    json!({ "type": "array", "items": item, "minItems": 1 })
}

/// One thing, or a list of them.
pub(super) fn one_or_some(item: &Value) -> Value {
    json!({ "anyOf": [item, some(item)] })
}

/// One thing, or a list of them that may be empty.
pub(super) fn one_or_list(item: &Value) -> Value {
    json!({ "anyOf": [item, list(item)] })
}

/// A mapping of any names to values of one kind.
pub(super) fn names(value: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": value })
}

/// Exactly one of these.
pub(super) fn one_of(kinds: impl IntoIterator<Item = Value>) -> Value {
    json!({ "oneOf": kinds.into_iter().collect::<Vec<_>>() })
}

/// Anything.
pub(super) fn anything() -> Value {
    Value::Bool(true)
}

/// A mapping with keys of its own.
#[derive(Debug, Default)]
pub(super) struct Keys {
    properties: Map<String, Value>,
    required: Vec<&'static str>,
    others: Option<Value>,
    one_of: Vec<&'static str>,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A key that may be left out; `about` is what an editor shows of it.
    pub(super) fn may(mut self, name: &str, about: &str, value: Value) -> Self {
        self.properties.insert(name.to_owned(), described(about, value));
        self
    }

    /// A key that must be there.
    pub(super) fn needs(mut self, name: &'static str, about: &str, value: Value) -> Self {
        self.required.push(name);
        self.may(name, about, value)
    }

    /// A key that tells this kind of mapping from others.
    pub(super) fn is(self, name: &'static str, word: &'static str, about: &str) -> Self {
        self.needs(name, about, json!({ "const": word }))
    }

    /// Keys that have no effect: any value is taken.
    pub(super) fn idle(self, names: &[&str], why: &str) -> Self {
        names.iter().fold(self, |keys, name| keys.may(name, why, anything()))
    }

    /// Further keys of any name.
    pub(super) fn others(mut self, value: Value) -> Self {
        self.others = Some(value);
        self
    }

    /// Exactly one of these keys must be there.
    pub(super) fn needs_one_of(mut self, names: &[&'static str]) -> Self {
        self.one_of.extend(names);
        self
    }

    /// The mapping.
    pub(super) fn schema(self) -> Value {
        let mut schema = json!({
            "type": "object",
            "properties": self.properties,
            "additionalProperties": self.others.unwrap_or(Value::Bool(false)),
        });
        if !self.required.is_empty() {
            schema["required"] = self.required.into();
        }
        if !self.one_of.is_empty() {
            let choices: Vec<_> = self.one_of.iter().map(|name| json!({ "required": [name] })).collect();
            schema["oneOf"] = choices.into();
        }
        schema
    }
}

/// `value` with what an editor shows of it.
pub(super) fn described(about: &str, mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            object.insert("description".to_owned(), about.into());
            value
        }
        _ => json!({ "description": about }),
    }
}

/// What the schema defines under `name`. In draft 7 nothing else may stand beside the reference itself.
pub(super) fn defined(name: &str) -> Value {
    json!({ "allOf": [{ "$ref": format!("#/definitions/{name}") }] })
}

/// A whole schema.
pub(super) fn document(title: &str, schema: Value) -> Schema {
    let mut document = match schema {
        Value::Object(keys) => Schema::from(keys),
        other => Schema::from(other.as_bool().unwrap_or(true)),
    };
    document.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
    document.insert("title".to_owned(), title.into());
    document
}
