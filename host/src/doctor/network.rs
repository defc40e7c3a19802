//! Addresses: that of the bench is this PC's, those of the boards are in its network.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

use super::finding::{BENCH, Check, Finding, Findings};
use crate::board::{Bench, Board};
use crate::fault::Class;

/// An address of this PC, and the card that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    address: IpAddr,
    /// Length of the network's prefix, in bits.
    prefix: u8,
    is_up: bool,
    /// A cable is plugged in, and the other end is on.
    has_carrier: bool,
    is_loopback: bool,
}

impl Interface {
    /// All addresses of this PC.
    fn all() -> Vec<Self> {
        getifaddrs().into_iter().flatten().filter_map(|entry| Self::of(&entry)).collect()
    }

    fn of(entry: &InterfaceAddress) -> Option<Self> {
        Some(Self {
            name: entry.interface_name.clone(),
            address: ip(entry.address.as_ref()?)?,
            prefix: prefix_length(ip(entry.netmask.as_ref()?)?),
            is_up: entry.flags.contains(InterfaceFlags::IFF_UP),
            has_carrier: entry.flags.contains(InterfaceFlags::IFF_RUNNING),
            is_loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
        })
    }

    /// Whether `address` is in its network.
    fn reaches(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && (bits(self.address) ^ bits(address)).leading_zeros() >= self.prefix_of_128().into()
    }

    /// The prefix in the bits of [`bits`].
    const fn prefix_of_128(&self) -> u8 {
        match self.address {
            IpAddr::V4(_) => 96 + self.prefix,
            IpAddr::V6(_) => self.prefix,
        }
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

fn prefix_length(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    };
    u8::try_from(ones).unwrap_or(128)
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => Ipv6Addr::to_bits(address),
    }
}

/// Checks `[network] address` and the addresses of the boards; the interface that has it, if it can be served on.
pub(super) fn check(bench: &Bench, findings: &mut Findings<'_>) -> Option<Interface> {
    let Some(address) = bench.address else {
        let text = "the bench file does not say at which address the boards reach this PC";
        let finding = Finding::fault(Check::NetworkAddress, BENCH, Class::Bench, text);
        findings.add(finding.with_help("add `[network]` with `address = \"…\"`"));
        return None;
    };
    let all = Interface::all();
    let exact = all.iter().find(|interface| interface.address == address);
    // All of 127.0.0.0/8 is this PC's, without being listed.
    let looped = || all.iter().find(|interface| interface.is_loopback && interface.reaches(address));
    let Some(interface) = exact.or_else(looped).filter(|_| is_ours(address)) else {
        findings.add(not_ours(address, &all));
        return None;
    };
    findings.add(of_interface(address, interface));
    for board in bench.boards.iter().filter(|board| super::examination::is_served(board)) {
        findings.add(of_board(board, interface, &all));
    }
    interface.is_up.then(|| interface.clone())
}

/// The address of this PC that boards most likely reach it at: of a network card that is no way to everywhere, if there is
/// one; `None` if there is none but loopback.
pub fn network_address() -> Option<IpAddr> {
    let all = Interface::all();
    let cards = all
        .iter()
        .filter(|interface| !interface.is_loopback && interface.is_up && interface.address.is_ipv4());
    let defaults = default_interfaces();
    let (ways_out, others): (Vec<_>, Vec<_>) =
        cards.partition(|interface| defaults.contains(&interface.name));
    others.into_iter().chain(ways_out).map(|interface| interface.address).next()
}

/// The network cards that lead to everywhere.
fn default_interfaces() -> Vec<String> {
    let routes = procfs::net::route().unwrap_or_default();
    routes.into_iter().filter(|route| route.destination.is_unspecified()).map(|route| route.iface).collect()
}

/// Whether the system lets sockets have it.
fn is_ours(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

fn not_ours(address: IpAddr, all: &[Interface]) -> Finding {
    let known: Vec<_> = all
        .iter()
        .filter(|interface| !interface.is_loopback)
        .map(|interface| format!("{} ({})", interface.address, interface.name))
        .collect();
    let known = if known.is_empty() { "none but loopback".to_owned() } else { known.join(", ") };
    let text = format!("{address} is no address of this PC, which has {known}");
    Finding::fault(Check::NetworkAddress, BENCH, Class::Bench, text).with_help(format!(
        "set `[network] address` to that of the network card that leads to the boards, or give the card this one: \
         `sudo ip address add {address}/24 dev CARD`"
    ))
}

fn of_interface(address: IpAddr, interface: &Interface) -> Finding {
    let name = &interface.name;
    if !interface.is_up {
        let text = format!("{address} is of {name}, which is down");
        return Finding::fault(Check::NetworkAddress, BENCH, Class::Infrastructure, text)
            .with_help(format!("`sudo ip link set dev {name} up`"));
    }
    if !interface.has_carrier {
        let text = format!("{address} is of {name}, on which there is no carrier");
        return Finding::warning(Check::NetworkAddress, BENCH, text)
            .with_help("is its cable plugged in, and is the switch or the board at the other end on?");
    }
    Finding::ok(Check::NetworkAddress, BENCH, format!("{address}/{} on {name}", interface.prefix))
}

fn of_board(board: &Board, interface: &Interface, all: &[Interface]) -> Finding {
    let name = &board.name;
    let check = Check::BoardAddress;
    let Some(address) = board.address else {
        let text = "the bench file does not give it: jobs that deploy by TFTP or NFS are refused";
        let help = format!("reserve one with your DHCP server and set `address` in `[boards.{name}]`");
        return Finding::warning(check, name, text).with_help(help);
    };
    if let Some(own) = all.iter().find(|own| own.address == address) {
        let text = format!("{address} is this PC's own, on {}", own.name);
        let help = format!("give the board another one, and `[boards.{name}] address` with it");
        return Finding::fault(check, name, Class::Bench, text).with_help(help);
    }
    if !interface.reaches(address) {
        let Interface { name: card, address: own, prefix, .. } = interface;
        let text = format!("{address} is not in the network of {own}/{prefix} on {card}");
        let help =
            "it is reached through a router alone, if there is one; is one of the two addresses wrong?";
        return Finding::warning(check, name, text).with_help(help);
    }
    Finding::ok(check, name, address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(address: &str, prefix: u8) -> Interface {
        Interface {
            name: "eth1".to_owned(),
            address: address.parse().unwrap(),
            prefix,
            is_up: true,
            has_carrier: true,
            is_loopback: false,
        }
    }

    #[test]
    fn a_network_reaches_the_addresses_of_its_prefix() {
        let cases = [
            ("192.168.7.1", 24, "192.168.7.254", true),
            ("192.168.7.1", 24, "192.168.8.2", false),
            ("10.0.0.1", 30, "10.0.0.3", true),
            ("10.0.0.1", 30, "10.0.0.4", false),
            ("10.0.0.1", 32, "10.0.0.1", true),
            ("10.0.0.1", 0, "192.0.2.1", true),
            ("fd00::1", 64, "fd00::ffff:2", true),
            ("fd00::1", 64, "fd00:0:0:1::2", false),
            ("fd00::1", 0, "10.0.0.1", false),
        ];
        for (own, prefix, other, expected) in cases {
            assert_eq!(interface(own, prefix).reaches(other.parse().unwrap()), expected, "{own} {other}");
        }
    }

    #[test]
    fn an_interface_without_power_or_cable_is_told() {
        let address = "192.168.7.1".parse().unwrap();
        let down = of_interface(address, &Interface { is_up: false, ..interface("192.168.7.1", 24) });
        assert_eq!(
            (down.class, down.help.as_deref()),
            (Some(Class::Infrastructure), Some("`sudo ip link set dev eth1 up`"))
        );
        let open = of_interface(address, &Interface { has_carrier: false, ..interface("192.168.7.1", 24) });
        assert!(open.class.is_none() && open.message.contains("no carrier"), "{open:?}");
    }

    #[test]
    fn the_loopback_interface_is_listed_with_its_network() {
        let all = Interface::all();
        let own = all.iter().find(|interface| interface.is_loopback && interface.address.is_ipv4()).unwrap();
        assert_eq!((own.prefix, own.is_up), (8, true));
    }
}
