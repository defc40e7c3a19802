//! The port mapper, versions 3 and 4 (RFC 1833 §2), which tells addresses where version 2 tells ports.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use nfs3_types::portmap::{IPPROTO_UDP, mapping};
use nfs3_types::xdr_codec::{Opaque, Pack};

use super::portmap::{NULL, Programs, SET, UNSET, Version};
use super::rpc::Refusal;
use super::service::RPCBIND_VERSIONS;
use super::xdr::{Reader, XdrError};

/// The largest string of a question, in bytes: network identifiers, addresses and owners are all shorter.
const MAX_STRING: u32 = 255;
/// Who has registered all programs, as rpcbind calls the privileged user.
const OWNER: &str = "superuser";

/// Procedures (RFC 1833 §2.2.1); the last two are of version 4 alone.
const GETADDR: u32 = 3;
const DUMP: u32 = 4;
const GETTIME: u32 = 6;
const GETVERSADDR: u32 = 9;
const GETADDRLIST: u32 = 11;

/// Carries out `procedure` of `version` 3 or 4, and appends its result to `out`.
pub(super) fn call(
    programs: &Programs,
    (version, procedure): (u32, u32),
    arguments: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    match procedure {
        NULL => {}
        SET | UNSET => {
            asked(arguments)?;
            false.pack(out)?;
        }
        GETADDR => get_address(programs, asked(arguments)?, Version::Any, out)?,
        DUMP => dump(programs, out)?,
        // A clock before 1970 tells no time.
        GETTIME => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u32::try_from(now.as_secs()).unwrap_or(u32::MAX).pack(out)?;
        }
        GETVERSADDR if version == RPCBIND_VERSIONS.1 => {
            get_address(programs, asked(arguments)?, Version::Exact, out)?;
        }
        GETADDRLIST if version == RPCBIND_VERSIONS.1 => list_addresses(programs, asked(arguments)?, out)?,
        _ => return Err(Refusal::ProcedureUnavailable),
    }
    Ok(())
}

/// The program and version of an `rpcb`. Its network is not looked at: that by which the question came is meant.
fn asked(arguments: &mut Reader<'_>) -> Result<(u32, u32), XdrError> {
    let asked = (arguments.u32()?, arguments.u32()?);
    for _network_address_owner in 0..3 {
        arguments.opaque(MAX_STRING)?;
    }
    Ok(asked)
}

/// The address of a program, or an empty one.
fn get_address(
    programs: &Programs,
    asked: (u32, u32),
    which: Version,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let found = programs.find(asked, programs.asked_by, which);
    let address = found.map(|at| universal(programs.address, at)).unwrap_or_default();
    text(&address, out)
}

fn dump(programs: &Programs, out: &mut Vec<u8>) -> Result<(), Refusal> {
    for at in &programs.here {
        true.pack(out)?;
        at.prog.pack(out)?;
        at.vers.pack(out)?;
        text(network(programs.address, at), out)?;
        text(&universal(programs.address, at), out)?;
        text(OWNER, out)?;
    }
    false.pack(out)?;
    Ok(())
}

/// All addresses of a version of a program, whatever the protocol.
fn list_addresses(
    programs: &Programs,
    (program, version): (u32, u32),
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    for at in programs.here.iter().filter(|at| (at.prog, at.vers) == (program, version)) {
        // Datagrams, or connections that end in order.
        let (semantics, protocol) = if at.prot == IPPROTO_UDP { (1_u32, "udp") } else { (3, "tcp") };
        true.pack(out)?;
        text(&universal(programs.address, at), out)?;
        text(network(programs.address, at), out)?;
        semantics.pack(out)?;
        text(if programs.address.is_ipv4() { "inet" } else { "inet6" }, out)?;
        text(protocol, out)?;
    }
    false.pack(out)?;
    Ok(())
}

/// The network identifier of where `at` is (RFC 5665 §5.2.4).
fn network(address: IpAddr, at: &mapping) -> &'static str {
    match (address.is_ipv4(), at.prot == IPPROTO_UDP) {
        (true, false) => "tcp",
        (true, true) => "udp",
        (false, false) => "tcp6",
        (false, true) => "udp6",
    }
}

/// The universal address of where `at` is (RFC 5665 §5.2.3): the bytes of the port follow the address.
fn universal(address: IpAddr, at: &mapping) -> String {
    format!("{address}.{}.{}", at.port >> 8, at.port & 0xff)
}

fn text(text: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
    Opaque::borrowed(text.as_bytes()).pack(out)?;
    Ok(())
}
