//! What is asked for: the path in its parts, and the query.

use hyper::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stands for itself in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Most parts of a path.
const MAX_PARTS: usize = 16;

/// A path and query, decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ask {
    parts: Vec<String>,
    query: Vec<(String, String)>,
}

impl Ask {
    /// `None` if it is no text, or has more parts than any path here.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let path = uri.path().strip_prefix('/')?;
        let parts: Vec<_> = path.split('/').map(decode).collect::<Option<_>>()?;
        let pairs = uri.query().unwrap_or_default().split('&').take(MAX_PARTS);
        let query = pairs
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| Some((decode(name)?, decode(value)?)))
            .collect::<Option<_>>()?;
        (parts.len() <= MAX_PARTS).then_some(Self { parts, query })
    }

    /// The parts between the slashes.
    pub(super) fn parts(&self) -> Vec<&str> {
        self.parts.iter().map(String::as_str).collect()
    }

    /// The first value of that name.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn decode(text: &str) -> Option<String> {
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

/// A name as one part of a path.
pub(super) fn part(name: &str) -> String {
    utf8_percent_encode(name, PART).to_string()
}

/// A name with slashes as several parts of a path.
pub(super) fn path(name: &str) -> String {
    name.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_decoded_after_it_was_cut_out() {
        let uri: Uri = "/runs/a%2Fb/..%2fc?from=1%202&x&page=3".parse().unwrap();
        let ask = Ask::of(&uri).unwrap();
        assert_eq!(ask.parts(), ["runs", "a/b", "../c"]);
        assert_eq!((ask.query("from"), ask.query("page"), ask.query("x")), (Some("1 2"), Some("3"), None));
        assert_eq!(Ask::of(&"/%ff".parse().unwrap()), None);
    }

    #[test]
    fn every_name_is_a_part_again() {
        for name in ["20260102T030405Z-my-job", "ä/b c", "?#%", "..."] {
            let uri: Uri = format!("/{}", part(name)).parse().unwrap();
            assert_eq!(Ask::of(&uri).unwrap().parts(), [name]);
        }
        assert_eq!(path("console/a b.log"), "console/a%20b.log");
    }
}
