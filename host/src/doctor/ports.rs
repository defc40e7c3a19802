//! The ports that boards ask at: free, or whose they are.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};

use super::finding::{BENCH, Check, Finding, Findings};
use super::socket_owner::SocketOwner;
use crate::fault::Class;
use crate::nfs::PORT_MAPPER_PORT;
use crate::ports::{LowPortError, Origin, Protocol, low_port_help, share_udp, try_port};
use crate::run::{NFS_PORT, NTP_PORT, TFTP_PORT};

/// The first port that needs no privilege.
const FIRST_FREE_PORT: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// A port, and what becomes of a run that cannot have it.
struct Port {
    check: Check,
    number: u16,
    protocols: &'static [Protocol],
    /// What a run does without it; `None` if there is no run without it.
    otherwise: Option<&'static str>,
}

const PORTS: [Port; 4] = [
    Port { check: Check::TftpPort, number: TFTP_PORT, protocols: &[Protocol::Udp], otherwise: None },
    Port {
        check: Check::NfsPort,
        number: NFS_PORT,
        protocols: &[Protocol::Tcp],
        otherwise: Some("runs take another port, and tell the boards"),
    },
    Port {
        check: Check::PortMapper,
        number: PORT_MAPPER_PORT,
        protocols: &[Protocol::Udp, Protocol::Tcp],
        otherwise: Some(
            "boards are not told the port of NFS by a port mapper; the board types' own commands do not ask it",
        ),
    },
    Port {
        check: Check::SntpPort,
        number: NTP_PORT,
        protocols: &[Protocol::Udp],
        otherwise: Some("boards keep the time that the agent gives them"),
    },
];

/// Checks that the ports can be bound at `address`.
pub(super) async fn check(address: IpAddr, findings: &mut Findings<'_>) {
    for port in &PORTS {
        findings.add(of_port(port, address).await);
    }
}

async fn of_port(port: &Port, address: IpAddr) -> Finding {
    let at = SocketAddr::new(address, port.number);
    let mut origin = Origin::Own;
    for &protocol in port.protocols {
        match try_port(protocol, at).await {
            Ok(from) => origin = from,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_shared(protocol, at).await => {
                let text = format!(
                    "{protocol} {} of {address} is shared with another run of host-runner",
                    port.number
                );
                return Finding::ok(port.check, BENCH, text);
            }
            Err(error) => return not_free(port, protocol, at, &error),
        }
    }
    let protocols: Vec<_> = port.protocols.iter().map(ToString::to_string).collect();
    let how = match (origin, port.protocols) {
        (Origin::Own, [_]) => "is free",
        (Origin::Own, _) => "are free",
        (Origin::Service, [_]) => "is free, and the port service hands it over",
        (Origin::Service, _) => "are free, and the port service hands them over",
        (Origin::Inherited, [_]) => "was handed over at the start",
        (Origin::Inherited, _) => "were handed over at the start",
    };
    Finding::ok(port.check, BENCH, format!("{} {} of {address} {how}", protocols.join(" and "), port.number))
}

/// Whether whoever has the port is another run, which leaves room for more.
async fn is_shared(protocol: Protocol, at: SocketAddr) -> bool {
    protocol == Protocol::Udp
        && SocketOwner::of(protocol, at).name() == Some("host-runner")
        && share_udp(at).await.is_ok()
}

fn not_free(port: &Port, protocol: Protocol, at: SocketAddr, error: &io::Error) -> Finding {
    let (number, address) = (port.number, at.ip());
    let (text, help) = match error.kind() {
        io::ErrorKind::AddrInUse => {
            let owner = SocketOwner::of(protocol, at);
            let help = owner_help(&owner, number);
            (format!("{protocol} {number} of {address} is held by {owner}"), Some(help))
        }
        io::ErrorKind::PermissionDenied => {
            let first = fs::read_to_string(FIRST_FREE_PORT).unwrap_or_default();
            let first = first.trim();
            let tried = error.get_ref().and_then(|inner| inner.downcast_ref::<LowPortError>());
            let service = tried.map_or_else(String::new, |tried| format!("; {}", tried.service()));
            let text = format!(
                "{protocol} {number} may not be bound: ports below {first} need a privilege{service}"
            );
            (text, Some(low_port_help(error)))
        }
        _ => (format!("{protocol} {number} of {address} cannot be bound: {error}"), None),
    };
    let finding = match port.otherwise {
        None => Finding::fault(port.check, BENCH, Class::Infrastructure, text),
        Some(otherwise) => Finding::warning(port.check, BENCH, format!("{text}; {otherwise}")),
    };
    match help {
        Some(help) => finding.with_help(help),
        None => finding,
    }
}

/// What to do about whoever has a port.
fn owner_help(owner: &SocketOwner, port: u16) -> String {
    match owner.name() {
        Some("host-runner") if port == TFTP_PORT => {
            "another run of host-runner serves boards there that have no `address` in the bench file: give all boards one, \
             then runs share the port"
                .to_owned()
        }
        Some("host-runner") => "nothing: another run of host-runner serves there until it ends".to_owned(),
        Some("dnsmasq") => {
            "remove `enable-tftp` from its configuration (/etc/dnsmasq.conf, /etc/dnsmasq.d/) and \
             `sudo systemctl restart dnsmasq`; it may go on with DHCP and DNS"
                .to_owned()
        }
        Some("in.tftpd") => "`sudo systemctl disable --now tftpd-hpa`".to_owned(),
        Some("atftpd") => "`sudo systemctl disable --now atftpd`".to_owned(),
        Some("inetd" | "xinetd") => {
            "it starts a TFTP server for whoever asks: take the line `tftp` out of its configuration"
                .to_owned()
        }
        Some("systemd" | "rpcbind") if port == PORT_MAPPER_PORT => {
            "nothing, unless commands of a job need it: `sudo systemctl disable --now rpcbind.socket rpcbind`"
                .to_owned()
        }
        Some("systemd") => format!(
            "systemd listens for a service: `systemctl list-sockets | grep ':{port} '` names the unit; \
             `sudo systemctl disable --now` that"
        ),
        Some("chronyd" | "ntpd" | "ntpd-rs" | "ntp-daemon") => {
            "nothing: it serves the time as well, if its configuration allows the boards' network".to_owned()
        }
        Some(_) => "end that program, or have it serve at another address".to_owned(),
        None if port == NFS_PORT => {
            "nothing; the kernel's own server goes by `sudo systemctl disable --now nfs-server`".to_owned()
        }
        None => format!(
            "`sudo ss -lunp 'sport = :{port}'` names it (`-ltnp` for TCP); end it, or have it serve at another address"
        ),
    }
}
