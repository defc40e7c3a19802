//! The `Host` header against DNS rebinding: a page of somebody else's whose name suddenly leads to this PC cannot read
//! what is served here.

use std::net::IpAddr;

use hyper::header::HOST;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Response, StatusCode};

use super::answer::{Body, text};

/// The answer to a request by another name than this PC's own, where only this PC is served; `None` if the name is right.
pub(super) fn refusal(headers: &HeaderMap, only_local: bool) -> Option<Response<Body>> {
    let names: Vec<_> = headers.get_all(HOST).iter().collect();
    let is_right = match names.as_slice() {
        [name] => name.to_str().is_ok_and(|name| !only_local || is_local(name)),
        _ => false,
    };
    if is_right {
        return None;
    }
    Some(text(
        StatusCode::MISDIRECTED_REQUEST,
        "This server answers under localhost, 127.0.0.1 and [::1] only; the Host header has another name.\n",
    ))
}

/// Any port is right: a tunnel may have given it another one.
fn is_local(name: &str) -> bool {
    let Ok(authority) = name.parse::<Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_names_that_nobody_else_can_give_are_local() {
        for name in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:80", "[::1]:8080", "127.0.0.9"] {
            assert!(is_local(name), "{name}");
        }
        for name in ["", "example.org", "localhost.example.org", "192.168.7.1:8080", "127.0.0.1.example.org"]
        {
            assert!(!is_local(name), "{name}");
        }
    }
}
