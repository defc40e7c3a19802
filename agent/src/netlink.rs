//! The addresses of a network interface, from the kernel's route netlink socket.
//!
//! Not an ioctl, because those know no IPv6, and not a program's output, because that changes.
//!
//! Source: rtnetlink(7); structures in `linux/netlink.h`, `linux/rtnetlink.h`, `linux/if_addr.h`.

use core::net::{Ipv4Addr, Ipv6Addr};

use rustix::io::{Errno, Result, retry_on_intr};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const SCOPE_GLOBAL: u8 = 0;
const HEADER: usize = 16;

/// Addresses of one interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The first IPv4 address.
    pub(crate) ipv4: Option<Ipv4>,
    /// The first IPv6 address, a global one if there is any.
    pub(crate) ipv6: Option<Ipv6Addr>,
    ipv6_is_global: bool,
}

/// An IPv4 address and its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ipv4 {
    /// The address.
    pub(crate) address: Ipv4Addr,
    /// The network's broadcast address, if it has one.
    pub(crate) broadcast: Option<Ipv4Addr>,
    /// Leading one bits of the network mask, 0 to 32.
    pub(crate) prefix: u8,
}

impl Ipv4 {
    /// Returns the network mask.
    pub(crate) fn mask(&self) -> Ipv4Addr {
        let host_bits = 32 - u32::from(self.prefix.min(32));
        Ipv4Addr::from_bits(u32::MAX.checked_shl(host_bits).unwrap_or(0))
    }
}

/// Asks the kernel for the addresses of an interface; none at all if it has none.
///
/// # Errors
/// `ENODEV` if there is no such interface, or the errno of the system call that failed.
pub(crate) fn addresses(interface: &str) -> Result<Addresses> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    let index = index_of(interface)?;
    // Header (length, type, flags, sequence, port), then `struct rtgenmsg` with the family "any", padded.
    let mut request = [0; HEADER + 4];
    let length = request.len() as u32;
    put(&mut request, 0, &length.to_ne_bytes());
    put(&mut request, 4, &RTM_GETADDR.to_ne_bytes());
    put(&mut request, 6, &REQUEST_DUMP.to_ne_bytes());
    let kernel = SocketAddrNetlink::new(0, 0);
    retry_on_intr(|| rustix::net::sendto(&socket, &request, SendFlags::empty(), &kernel))?;
    let mut addresses = Addresses::default();
    let mut buffer = [0; 8192];
    loop {
        let (count, _) = retry_on_intr(|| rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty()))?;
        if count == 0 || addresses.read(buffer.get(..count).unwrap_or_default(), index)? {
            return Ok(addresses);
        }
    }
}

fn index_of(interface: &str) -> Result<u32> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    rustix::net::netdevice::name_to_index(&socket, interface)
}

fn put(buffer: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = buffer.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

impl Addresses {
    /// Takes one datagram of the kernel's answer; whether it was the last.
    ///
    /// # Errors
    /// `EPROTO` if the kernel reports an error or the datagram is malformed.
    fn read(&mut self, mut datagram: &[u8], index: u32) -> Result<bool> {
        while !datagram.is_empty() {
            let length = read_u32(datagram, 0).ok_or(Errno::PROTO)? as usize;
            let kind = read_u16(datagram, 4).ok_or(Errno::PROTO)?;
            let body = datagram.get(HEADER..length).ok_or(Errno::PROTO)?;
            match kind {
                NLMSG_DONE => return Ok(true),
                NLMSG_ERROR => return Err(Errno::PROTO),
                RTM_NEWADDR if read_u32(body, 4) == Some(index) => self.take(body),
                _ => {}
            }
            datagram = datagram.get(aligned(length)..).unwrap_or_default();
        }
        Ok(false)
    }

    /// Takes one address: `struct ifaddrmsg` (family, prefix length, flags, scope, index) and attributes.
    fn take(&mut self, body: &[u8]) {
        let [family, prefix, _, scope, _, _, _, _, attributes @ ..] = body else {
            return;
        };
        if *family == AF_INET && self.ipv4.is_none() {
            // On point-to-point links IFA_ADDRESS is the other end; IFA_LOCAL is always one's own.
            let own = attribute(attributes, IFA_LOCAL).or_else(|| attribute(attributes, IFA_ADDRESS));
            self.ipv4 = own.map(|own: [u8; 4]| Ipv4 {
                address: own.into(),
                broadcast: attribute(attributes, IFA_BROADCAST).map(|octets: [u8; 4]| octets.into()),
                prefix: *prefix,
            });
        }
        let is_global = *scope == SCOPE_GLOBAL;
        if *family == AF_INET6 && (self.ipv6.is_none() || (is_global && !self.ipv6_is_global)) {
            self.ipv6 = attribute(attributes, IFA_ADDRESS).map(|octets: [u8; 16]| octets.into());
            self.ipv6_is_global = is_global;
        }
    }
}

/// Finds an attribute (length, type, value) of exactly `N` bytes.
fn attribute<const N: usize>(mut attributes: &[u8], wanted: u16) -> Option<[u8; N]> {
    loop {
        let length = usize::from(read_u16(attributes, 0)?);
        let value = attributes.get(4..length)?;
        if read_u16(attributes, 2)? == wanted {
            return value.try_into().ok();
        }
        attributes = attributes.get(aligned(length)..)?;
    }
}

fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute_bytes(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = (HEADER as u32 + body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(body);
        bytes
    }

    fn address(head: [u8; 4], index: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = head.to_vec();
        body.extend(index.to_ne_bytes());
        body.extend(attributes.concat());
        message(RTM_NEWADDR, &body)
    }

    #[test]
    fn the_addresses_of_one_interface_are_picked_from_a_dump() {
        let mut dump = address([AF_INET, 8, 0, 254], 1, &[attribute_bytes(IFA_LOCAL, &[127, 0, 0, 1])]);
        let v4 = [
            attribute_bytes(IFA_ADDRESS, &[10, 77, 0, 9]),
            attribute_bytes(IFA_LOCAL, &[10, 77, 0, 2]),
            attribute_bytes(IFA_BROADCAST, &[10, 77, 0, 255]),
            attribute_bytes(3, b"eth0\0"),
        ];
        dump.extend(address([AF_INET, 24, 0, 0], 2, &v4));
        let link_local: Ipv6Addr = "fe80::1".parse().expect("an address");
        let global: Ipv6Addr = "2001:db8::2".parse().expect("an address");
        dump.extend(address(
            [AF_INET6, 64, 0, 253],
            2,
            &[attribute_bytes(IFA_ADDRESS, &link_local.octets())],
        ));
        dump.extend(address([AF_INET6, 64, 0, 0], 2, &[attribute_bytes(IFA_ADDRESS, &global.octets())]));
        let mut found = Addresses::default();
        assert_eq!(found.read(&dump, 2), Ok(false));
        assert_eq!(found.read(&message(NLMSG_DONE, &[0; 4]), 2), Ok(true));
        let ipv4 = found.ipv4.expect("eth0 has one");
        assert_eq!((ipv4.address, ipv4.mask()), ([10, 77, 0, 2].into(), [255, 255, 255, 0].into()));
        assert_eq!(ipv4.broadcast, Some([10, 77, 0, 255].into()));
        assert_eq!(found.ipv6, Some(global));
    }

    #[test]
    fn every_truncation_of_a_dump_is_taken_or_refused_without_a_panic() {
        let dump = address([AF_INET, 24, 0, 0], 2, &[attribute_bytes(IFA_LOCAL, &[10, 77, 0, 2])]);
        for length in 1..dump.len() {
            assert_eq!(Addresses::default().read(&dump[..length], 2), Err(Errno::PROTO), "{length}");
        }
    }

    #[test]
    fn the_mask_of_every_prefix_is_right() {
        let mask = |prefix| Ipv4 { address: Ipv4Addr::LOCALHOST, broadcast: None, prefix }.mask().to_bits();
        assert_eq!((mask(0), mask(1), mask(20), mask(32)), (0, 1 << 31, 0xffff_f000, u32::MAX));
    }

    #[test]
    fn the_loopback_interface_has_the_loopback_address() {
        let found = addresses("lo").expect("every machine has one");
        assert_eq!(found.ipv4.map(|ipv4| ipv4.address), Some(Ipv4Addr::LOCALHOST));
        assert_eq!(addresses("no-such-if"), Err(Errno::NODEV));
    }
}
