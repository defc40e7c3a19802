//! The links inside the namespace: which there are, and the `ip` commands that make them.

use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::Refusal;

/// Name of the bridge.
const BRIDGE: &str = "br0";

/// What the network looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The runner's address.
    pub address: Ipv4Addr,
    /// Length of the network's prefix in bits, 0..=32.
    pub prefix: u8,
    /// Number of taps, one per virtual board.
    pub boards: usize,
}

/// The name of the tap of board `index`, from 0.
pub(super) fn tap_name(index: usize) -> String {
    format!("tap{index}")
}

impl Layout {
    /// Makes the links in the network of the calling process.
    ///
    /// A single board gets along without a bridge where the system has none.
    pub(super) fn set_up(&self) -> Result<(), Refusal> {
        if self.boards > 0 {
            // `ip` opens it as well, but its message does not name the file.
            OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/net/tun")
                .map_err(|error| Refusal::TunDevice { reason: error.to_string() })?;
        }
        ip("link set dev lo up")?;
        let carrier = match ip(&format!("link add name {BRIDGE} type bridge")) {
            Ok(()) => None,
            Err(Refusal::Link { .. }) if self.boards == 1 => Some(tap_name(0)),
            Err(Refusal::Link { reason, .. }) => return Err(Refusal::Bridge { boards: self.boards, reason }),
            Err(other) => return Err(other),
        };
        self.commands(carrier.as_deref()).iter().try_for_each(|command| ip(command))
    }

    /// The commands that follow once it is known what carries the address: the bridge, or the tap `bare`.
    fn commands(&self, bare: Option<&str>) -> Vec<String> {
        let mut commands = Vec::new();
        for tap in (0..self.boards).map(tap_name) {
            commands.push(format!("tuntap add dev {tap} mode tap"));
            if bare.is_none() {
                commands.push(format!("link set dev {tap} master {BRIDGE} up"));
            }
        }
        let carrier = bare.unwrap_or(BRIDGE);
        commands.push(format!("address add {}/{} dev {carrier}", self.address, self.prefix));
        commands.push(format!("link set dev {carrier} up"));
        commands
    }
}

/// Runs `ip` with `arguments`, separated by spaces.
fn ip(arguments: &str) -> Result<(), Refusal> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .map_err(|error| Refusal::Program { program: "ip".to_owned(), reason: error.to_string() })?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let reason =
        if stderr.trim().is_empty() { output.status.to_string() } else { stderr.trim().replace('\n', "; ") };
    Err(Refusal::Link { command: format!("ip {arguments}"), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { address: Ipv4Addr::new(10, 77, 0, 1), prefix: 24, boards: 1 };

    #[test]
    fn every_board_gets_a_tap_on_the_bridge() {
        let commands = Layout { boards: 2, ..LAYOUT }.commands(None);
        assert_eq!(
            commands,
            [
                "tuntap add dev tap0 mode tap",
                "link set dev tap0 master br0 up",
                "tuntap add dev tap1 mode tap",
                "link set dev tap1 master br0 up",
                "address add 10.77.0.1/24 dev br0",
                "link set dev br0 up",
            ]
        );
    }

    #[test]
    fn without_a_bridge_the_single_tap_carries_the_address() {
        assert_eq!(
            LAYOUT.commands(Some("tap0")),
            ["tuntap add dev tap0 mode tap", "address add 10.77.0.1/24 dev tap0", "link set dev tap0 up"]
        );
    }
}
