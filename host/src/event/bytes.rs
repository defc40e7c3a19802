//! Bytes of consoles and tests, as they are stored.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are kept exactly: `"text"` where they are UTF-8, `"base64"` where not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// Bytes as they are stored.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum EncodedBytes {
    /// Bytes that are UTF-8.
    Text(String),
    /// Bytes that are not, in base64 (RFC 4648, with padding).
    Base64(String),
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => EncodedBytes::Text(text.to_owned()),
            Err(_) => EncodedBytes::Base64(BASE64.encode(&self.0)),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match EncodedBytes::deserialize(deserializer)? {
            EncodedBytes::Text(text) => Ok(Self(text.into_bytes())),
            EncodedBytes::Base64(text) => BASE64.decode(text).map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        EncodedBytes::json_schema(generator)
    }
}
