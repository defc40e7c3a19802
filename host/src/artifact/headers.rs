//! Headers that a job wants to be sent with a request, such as the token of a private server.

use std::fmt;

use ureq::http::{HeaderName, HeaderValue};

/// Headers of a request (RFC 9110 §5). Their values may be secret: they are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Headers by their names. Those that [`Self::is_name`] and [`Self::is_value`] refuse are not sent.
    pub const fn new(headers: Vec<(String, String)>) -> Self {
        Self(headers)
    }

    /// Whether a header can have the name (RFC 9110 §5.1).
    pub fn is_name(name: &str) -> bool {
        HeaderName::from_bytes(name.as_bytes()).is_ok()
    }

    /// Whether a header can have the value (RFC 9110 §5.5).
    pub fn is_value(value: &str) -> bool {
        HeaderValue::from_str(value).is_ok()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The headers with other values.
    ///
    /// # Errors
    /// The first of `value`.
    pub fn try_map<E>(&self, mut value: impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        self.0.iter().map(|(name, old)| Ok((name.clone(), value(old)?))).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}
