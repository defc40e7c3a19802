//! `lava-echo-ipv4` and `lava-network`.
//!
//! LAVA's `lava-echo-ipv4` exits with 0 and prints nothing for an unknown interface; this one exits with 1. LAVA dropped
//! `lava-network` in 2017; jobs that call it are still around.

use heapless::String;
use protocol::helper::{Call, Pairs};
use rustix::fd::AsFd;
use rustix::io::Errno;

use crate::decimal::{self as shown, decimal};
use crate::failure::Failure;
use crate::helper::Context;
use crate::helper::client;
use crate::helper::message_cache::{self, Kind};
use crate::helper::multinode::{self, PairText, push_pair};
use crate::path::PathText;
use crate::{netlink, stdio, text_file};

/// Arguments of `lava-network`.
pub(crate) const USAGE: &str =
    "broadcast INTERFACE | collect INTERFACE [ROLE] | query HOST KEY | hosts FILE | alias-hosts FILE";

/// Message id that `broadcast` sends and `collect` waits for.
const MESSAGE_ID: &str = "network_info";

/// Longest cache, in bytes: that of a group of some hundred members.
const MAX_CACHE: usize = 128 * 1024;

/// Bytes of the roles of all members, one after the other.
const MAX_ROLES: usize = 8 * 1024;

pub(crate) fn echo_ipv4(context: &Context<'_>) -> Result<u8, Failure> {
    let [interface] = context.arguments else {
        return Err(Failure::Usage("the interface to query is missing"));
    };
    let ipv4 = addresses(interface)?.ipv4.ok_or(Failure::Plain("the interface has no IPv4 address"))?;
    stdio::say(stdio::stdout(), &[&shown::ipv4(ipv4.address), "\n"]);
    Ok(0)
}

pub(crate) fn network(context: &Context<'_>) -> Result<u8, Failure> {
    match context.arguments {
        ["broadcast", interface] => broadcast(context, interface),
        ["collect", _interface] => collect(context, None),
        ["collect", _interface, role] => collect(context, Some(role)),
        ["query", host, key] => query(context, host, key),
        ["hosts", file] => hosts(context, file, false),
        ["alias-hosts", file] => hosts(context, file, true),
        _ => Err(Failure::Usage("unknown sub-command, or arguments missing")),
    }
}

fn broadcast(context: &Context<'_>, interface: &str) -> Result<u8, Failure> {
    let addresses = addresses(interface)?;
    let mut pairs = PairText::new();
    let mut push =
        |key, value: &str| if value.is_empty() { Ok(()) } else { push_pair(&mut pairs, key, value) };
    if let Some(ipv4) = addresses.ipv4 {
        push("ipv4", &shown::ipv4(ipv4.address))?;
        push("netmask", &shown::ipv4(ipv4.mask()))?;
        push("broadcast", &ipv4.broadcast.map(shown::ipv4).unwrap_or_default())?;
    }
    push("ipv6", &addresses.ipv6.map(shown::ipv6).unwrap_or_default())?;
    let mut buffer = [0; 4096];
    let hardware = PathText::join(&[b"/sys/class/net/", interface.as_bytes(), b"/address"]);
    push("mac", hardware.map_or("", |path| first_line(path.as_c_str(), &mut buffer)))?;
    let mut name: String<256> = String::new();
    // A host name has at most 64 bytes (gethostname(2)).
    let _ = name.push_str(first_line(c"/proc/sys/kernel/hostname", &mut buffer));
    push("hostname", &name)?;
    push("hostname-full", full_name(text_file::read(c"/etc/hosts", &mut buffer).unwrap_or_default(), &name))?;
    let routes = text_file::read(c"/proc/net/route", &mut buffer).unwrap_or_default();
    push("default-gateway", &default_gateway(routes, interface).map(shown::ipv4).unwrap_or_default())?;
    let resolvers = text_file::read(c"/etc/resolv.conf", &mut buffer).unwrap_or_default();
    for (key, server) in ["dns_1", "dns_2", "dns_3"].into_iter().zip(name_servers(resolvers)) {
        push(key, server)?;
    }
    client::tell(context.invocation, &Call::Send { id: MESSAGE_ID, data: Pairs(&pairs) })
}

fn collect(context: &Context<'_>, role: Option<&str>) -> Result<u8, Failure> {
    multinode::collect(context, &Call::WaitAll { id: MESSAGE_ID, role }, &Kind::Network)
}

fn query(context: &Context<'_>, host: &str, key: &str) -> Result<u8, Failure> {
    let mut buffer = [0; MAX_CACHE];
    let value = lookup(cache(context, &mut buffer)?, host, key)
        .ok_or(Failure::Plain("that host did not broadcast that key"))?;
    stdio::say(stdio::stdout(), &[value, "\n"]);
    Ok(0)
}

/// Appends a line for every host that broadcast an address, an IPv6 one if it has no other, with a name after role and number if `alias` is set.
fn hosts(context: &Context<'_>, file: &str, alias: bool) -> Result<u8, Failure> {
    let mut buffer = [0; MAX_CACHE];
    let cache = cache(context, &mut buffer)?;
    let path = PathText::join(&[file.as_bytes()]).ok_or(Failure::Usage("the file's name is too long"))?;
    let output = text_file::append(path.as_c_str()).map_err(Failure::system("cannot open the hosts file"))?;
    let mut roles = String::new();
    multinode::for_each_member(context, &mut |member, role| {
        let number = count(&mut roles, role)?;
        let Some(address) = address_of(cache, member) else { return Ok(()) };
        let name = lookup(cache, member, "hostname").unwrap_or(member);
        let digits = decimal(number);
        let padding = if number < 10 { "0" } else { "" };
        let alias: &[&str] = if alias { &["\t", role, padding, &digits] } else { &[] };
        stdio::say(output.as_fd(), &[address, "\t", name]);
        stdio::say(output.as_fd(), alias);
        stdio::say(output.as_fd(), &["\n"]);
        Ok(())
    })?;
    Ok(0)
}

/// Returns the number of a role's next member, from 1. `seen` lists the roles so far, each ended by NUL.
fn count(seen: &mut String<MAX_ROLES>, role: &str) -> Result<u32, Failure> {
    let before = seen.split_terminator('\0').filter(|earlier| *earlier == role).count();
    seen.push_str(role)
        .and_then(|()| seen.push('\0'))
        .map_err(|()| Failure::Plain("the group is too large for alias-hosts"))?;
    Ok(before as u32 + 1)
}

fn addresses(interface: &str) -> Result<netlink::Addresses, Failure> {
    netlink::addresses(interface).map_err(Failure::system("cannot get the addresses of the interface"))
}

fn cache<'b>(context: &Context<'_>, buffer: &'b mut [u8]) -> Result<&'b str, Failure> {
    let path = message_cache::path(context.invocation, &Kind::Network)?;
    text_file::read_whole(path.as_c_str(), buffer).map_err(|errno| match errno {
        Errno::FBIG => Failure::Plain("more than 128 KiB was collected"),
        errno => Failure::System("cannot read what was collected (run `lava-network collect` first)", errno),
    })
}

fn first_line<'b>(path: &core::ffi::CStr, buffer: &'b mut [u8]) -> &'b str {
    text_file::read(path, buffer).ok().and_then(|text| text.lines().next()).unwrap_or_default()
}

/// Finds the value in the line `host:key=value`.
fn lookup<'t>(cache: &'t str, host: &str, key: &str) -> Option<&'t str> {
    cache
        .lines()
        .find_map(|line| line.strip_prefix(host)?.strip_prefix(':')?.strip_prefix(key)?.strip_prefix('='))
}

/// Finds the address that a host can be reached at: an IPv6 address of one link alone says too little.
fn address_of<'t>(cache: &'t str, host: &str) -> Option<&'t str> {
    let ipv6 = || lookup(cache, host, "ipv6").filter(|address| !address.starts_with("fe80:"));
    lookup(cache, host, "ipv4").or_else(ipv6)
}

/// Finds the name with a domain that `/etc/hosts` gives a host, else returns the host's name.
fn full_name<'t>(hosts: &'t str, name: &'t str) -> &'t str {
    for line in hosts.lines() {
        for word in line.split_ascii_whitespace().skip(1).take_while(|word| !word.starts_with('#')) {
            if word.strip_prefix(name).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.')) {
                return word;
            }
        }
    }
    name
}

/// Finds the gateway of the default route in `/proc/net/route`: fields interface, destination, gateway (hexadecimal, in
/// the machine's byte order).
fn default_gateway(routes: &str, interface: &str) -> Option<core::net::Ipv4Addr> {
    routes.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let is_default = fields.next()? == interface && fields.next()? == "00000000";
        let gateway = u32::from_str_radix(fields.next()?, 16).ok()?;
        (is_default && gateway != 0).then(|| gateway.to_ne_bytes().into())
    })
}

fn name_servers(resolvers: &str) -> impl Iterator<Item = &str> {
    resolvers.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_host_and_key() {
        let cache = "host:ipv4=10.0.0.2\nguest-1:ipv4=10.0.0.3\nguest-1:hostname-full=g.lab\n";
        assert_eq!(lookup(cache, "guest-1", "ipv4"), Some("10.0.0.3"));
        assert_eq!(lookup(cache, "guest-1", "hostname-full"), Some("g.lab"));
        assert_eq!(lookup(cache, "guest-1", "hostname"), None);
    }

    #[test]
    fn an_ipv6_address_serves_where_there_is_no_other() {
        let cache = "a:ipv6=2001:db8::1\na:ipv4=10.0.0.1\nb:ipv6=2001:db8::2\nc:ipv6=fe80::3\n";
        let found = ["a", "b", "c", "d"].map(|host| address_of(cache, host));
        assert_eq!(found, [Some("10.0.0.1"), Some("2001:db8::2"), None, None]);
    }

    #[test]
    fn the_default_gateway_is_that_of_the_interface() {
        let routes = "Iface\tDestination\tGateway\neth1\t00000000\t0104A8C0\neth0\t00000000\t0107A8C0\n";
        let expected = if cfg!(target_endian = "little") { [192, 168, 7, 1] } else { [1, 7, 168, 192] };
        assert_eq!(default_gateway(routes, "eth0"), Some(expected.into()));
        assert_eq!(default_gateway(routes, "eth2"), None);
    }

    #[test]
    fn the_full_name_is_the_one_with_a_domain() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1 board.lab.example board # board.not\n";
        assert_eq!(full_name(hosts, "board"), "board.lab.example");
        assert_eq!(full_name(hosts, "other"), "other");
    }

    #[test]
    fn only_name_server_lines_name_servers() {
        let found: Vec<&str> =
            name_servers("search lab\nnameserver 10.0.0.1\n# nameserver x\nnameserver ::1\n").collect();
        assert_eq!(found, ["10.0.0.1", "::1"]);
    }

    #[test]
    fn members_of_a_role_are_numbered_from_one() {
        let mut roles = String::new();
        assert_eq!(["a", "b", "a"].map(|role| count(&mut roles, role).expect("room")), [1, 1, 2]);
    }
}
