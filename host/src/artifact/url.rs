//! Where an artifact is: what URLs mean here.

use std::path::PathBuf;

/// Where an artifact's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// A file of this PC.
    File(PathBuf),
    /// Behind `http://` or `https://`; the whole URL.
    Http(String),
    /// A file of another computer, behind SSH.
    Scp(Remote),
}

/// A file of another computer: `scp://[user@]host[:port]/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// User and host, as `ssh` takes them.
    pub(super) destination: String,
    /// The port, where it is not the usual one.
    pub(super) port: Option<u16>,
    /// The absolute path.
    pub(super) path: String,
}

impl Remote {
    fn parse(rest: &str) -> Option<Self> {
        let (authority, path) = rest.split_at(rest.find('/')?);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or(rest)),
            None => host.split_once(':').unwrap_or((host, "")),
        };
        let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        let named = !host.is_empty() && !host.starts_with('-');
        named.then(|| Self { destination: format!("{user}{host}"), port, path: percent_decode(path) })
    }
}

impl Location {
    /// Reads a URL (`http`, `https`, `file`, `scp`) or an absolute path; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return Some(Self::File(text.into()));
        }
        // RFC 8089 §2: without an authority the slashes before it may be left out.
        if let Some(path) =
            text.strip_prefix("file:").filter(|path| path.starts_with('/') && !path.starts_with("//"))
        {
            return Some(Self::File(percent_decode(path).into()));
        }
        let (scheme, rest) = text.split_once("://")?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => Some(Self::Http(text.to_owned())),
            "scp" => Remote::parse(rest).map(Self::Scp),
            "file" => {
                let path = rest.strip_prefix("localhost").unwrap_or(rest);
                path.starts_with('/').then(|| Self::File(percent_decode(path).into()))
            }
            _ => None,
        }
    }
}

/// Replaces `%XX` by its byte (RFC 3986 §2.1); what is no such triple, or would not be UTF-8, stays.
pub(super) fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>().filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let decoded = digits
            .filter(|_| *byte == b'%')
            .and_then(|digits| str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match decoded {
            Some(decoded) => {
                out.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// Host and port in what follows `//` in a URL (RFC 3986 §3.2), without the user.
pub(crate) fn host_and_port(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

/// A URL as it may be shown and stored: without user, password and query.
pub(crate) fn without_secrets(url: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, ""), |(before, _)| (before, "?…"));
    let Some((scheme, rest)) = before.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::{Location, Remote, percent_decode, without_secrets};

    #[test]
    fn what_may_be_secret_in_a_url_is_left_out() {
        for (url, shown) in [
            ("http://h/a@b", "http://h/a@b"),
            ("https://user:p@ss@h:80/a?token=1#x", "https://h:80/a?…"),
            ("http://user@h", "http://h"),
            ("file:///a", "file:///a"),
            ("/srv/what?", "/srv/what?"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn urls_and_absolute_paths_are_located() {
        let file = |path: &str| Some(Location::File(path.into()));
        assert_eq!(Location::parse("/a/b%20c"), file("/a/b%20c"));
        assert_eq!(Location::parse("file:///a/b%20c"), file("/a/b c"));
        assert_eq!(Location::parse("file://localhost/a"), file("/a"));
        assert_eq!(Location::parse("file:/a/b%20c"), file("/a/b c"));
        assert_eq!(Location::parse("HTTP://h/a"), Some(Location::Http("HTTP://h/a".into())));
        for other in ["ftp://h/a", "file://host/a", "a/b", "", "://"] {
            assert_eq!(Location::parse(other), None, "{other}");
        }
    }

    #[test]
    fn files_of_other_computers_have_a_host_and_an_absolute_path() {
        let remote = |url: &str| match Location::parse(url) {
            Some(Location::Scp(Remote { destination, port, path })) => Some((destination, port, path)),
            _ => None,
        };
        let file = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
        assert_eq!(remote("scp://build/srv/a%20b"), file("build", None, "/srv/a b"));
        assert_eq!(remote("scp://me@build:2222/a"), file("me@build", Some(2222), "/a"));
        assert_eq!(remote("scp://me@build:/a"), file("me@build", None, "/a"));
        assert_eq!(remote("scp://[2001:db8::1]:22/a"), file("2001:db8::1", Some(22), "/a"));
        for other in ["scp://build", "scp:///a", "scp://-oProxyCommand=x/a", "scp://h:x/a", "scp://h:70000/a"]
        {
            assert_eq!(remote(other), None, "{other}");
        }
    }

    #[test]
    fn percent_signs_that_are_no_triples_stay() {
        for (text, decoded) in
            [("%41b", "Ab"), ("100%", "100%"), ("%4", "%4"), ("%zz", "%zz"), ("%ff", "%ff")]
        {
            assert_eq!(percent_decode(text), decoded);
        }
    }
}
