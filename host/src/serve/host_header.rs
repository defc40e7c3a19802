//! The `Host` header against DNS rebinding: a page of somebody else's whose name suddenly leads to this PC cannot read
//! what is served here.

use std::net::IpAddr;

use hyper::header::HOST;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Response, StatusCode};

use super::answer::{Body, text};

/// The names under which is served.
#[derive(Debug, Default)]
pub struct HostNames {
    /// Only this PC is served.
    only_local: bool,
    /// Further names, in lower case.
    names: Vec<String>,
}

impl HostNames {
    /// Those of a server at `address`: addresses, this PC's own name, also with `.local`, and `more`. At a loopback address
    /// only those of this PC alone, and `more`.
    pub fn new(address: IpAddr, more: &[String]) -> Self {
        let only_local = address.is_loopback();
        let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let own = [format!("{own}.local"), own].into_iter().filter(|_| !only_local);
        let names = own.chain(more.iter().cloned()).map(|name| name.to_ascii_lowercase()).collect();
        Self { only_local, names }
    }

    /// The answer to a request by another name; `None` if the name is right.
    pub(super) fn refusal(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        let names: Vec<_> = headers.get_all(HOST).iter().collect();
        let is_right = match names.as_slice() {
            [name] => name.to_str().is_ok_and(|name| self.has(name)),
            _ => false,
        };
        if is_right {
            return None;
        }
        let served = match self.only_local {
            true => "localhost, 127.0.0.1 and [::1]",
            false => "IP addresses and this PC's own name",
        };
        let words = format!(
            "This server answers under {served} only; the Host header has another name. `--host-name NAME` allows one.\n"
        );
        Some(text(StatusCode::MISDIRECTED_REQUEST, words))
    }

    /// Any port is right: a tunnel may have given it another one.
    fn has(&self, name: &str) -> bool {
        let Ok(authority) = name.parse::<Authority>() else { return false };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            Ok(address) => !self.only_local || address.is_loopback(),
            Err(_) => host == "localhost" || self.names.contains(&host),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_give_are_served() {
        let local = HostNames::new(Ipv4Addr::LOCALHOST.into(), &["Bench.example.org".to_owned()]);
        for name in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]:8080",
            "127.0.0.9",
            "bench.example.org:80",
        ] {
            assert!(local.has(name), "{name}");
        }
        let others = ["", "example.org", "localhost.example.org", "127.0.0.1.example.org"];
        for name in others.into_iter().chain(["192.168.7.1:8080"]) {
            assert!(!local.has(name), "{name}");
        }
        let open = HostNames::new(Ipv4Addr::UNSPECIFIED.into(), &[]);
        let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
        for name in ["192.168.7.1:8080", "[fe80::1]:8080", "localhost", &own, &format!("{own}.local:8080")] {
            assert!(open.has(name), "{name}");
        }
        for name in others {
            assert!(!open.has(name), "{name}");
        }
    }
}
