//! A port of a USB hub that can switch its ports, by the program `uhubctl`.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::{PowerErrorKind, Time};
use crate::program::{ProgramError, run_program};

/// The program.
pub(crate) const PROGRAM: &str = "uhubctl";

/// How long one call may take: it looks at all hubs of the PC.
const CALL: Duration = Duration::from_secs(20);

/// A port of a USB hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uhubctl {
    /// The hub, as `uhubctl` names it: `1-1`, `2-1.4`.
    pub location: String,
    /// Its port, from 1.
    pub port: u32,
}

impl fmt::Display for Uhubctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {PROGRAM} (hub {}, port {})", self.location, self.port)
    }
}

impl Uhubctl {
    /// Switches the port.
    pub(super) async fn set(&self, on: bool, time: &Time) -> Result<(), PowerErrorKind> {
        self.call(&["-a", if on { "on" } else { "off" }], time).await.map(drop)
    }

    /// Whether the port has power.
    pub(super) async fn is_on(&self, time: &Time) -> Result<bool, PowerErrorKind> {
        let printed = self.call(&[], time).await?;
        state(&printed, self.port).ok_or_else(|| {
            ProgramError::Answer { wanted: "the state of the port, such as `Port 2: 0100 power`", printed }
                .into()
        })
    }

    async fn call(&self, action: &[&str], time: &Time) -> Result<String, PowerErrorKind> {
        let port = self.port.to_string();
        let words = [&[PROGRAM, "-l", &self.location, "-p", &port][..], action].concat();
        let argv: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Ok(run_program(&argv, time.part(CALL).left()).await?)
    }
}

/// The state of `port` in what `uhubctl` prints, of which every line is `  Port 2: 0103 power enable connect [0bda:8153 …]`.
///
/// A USB 3 hub is two hubs to the system, and a port has power as long as one of the two gives it.
///
/// Source: uhubctl's README.md, "Usage".
fn state(printed: &str, port: u32) -> Option<bool> {
    let of_port = |line: &str| {
        let (number, rest) = line.trim().strip_prefix("Port ")?.split_once(':')?;
        let mut words = rest.split_whitespace();
        let status = words.next()?;
        let is_status = status.len() == 4 && status.bytes().all(|byte| byte.is_ascii_hexdigit());
        match words.next() {
            _ if number.parse() != Ok(port) || !is_status => None,
            Some("power") => Some(true),
            Some("off") => Some(false),
            _ => None,
        }
    };
    printed.lines().filter_map(of_port).reduce(|one, other| one || other)
}

/// A USB hub that can switch its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbHub {
    /// Where it is, as `uhubctl` names it.
    pub location: String,
    /// What it is.
    pub description: String,
    /// How many ports it has.
    pub ports: u32,
}

/// Most bytes of the list of hubs that are looked at.
const MOST: u64 = 1 << 16;

/// The hubs that `uhubctl` sees, of which it lists those alone that can switch their ports.
///
/// # Errors
/// `uhubctl` is not there, fails, or takes too long.
pub async fn usb_hubs() -> Result<Vec<UsbHub>, ProgramError> {
    let mut child = Command::new(PROGRAM)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(ProgramError::Run)?;
    let mut output = child.stdout.take().map(|output| output.take(MOST));
    let listed = async {
        let mut printed = Vec::new();
        if let Some(output) = &mut output {
            output.read_to_end(&mut printed).await?;
        }
        // Without a hub it fails; the list is empty then.
        child.wait().await?;
        Ok(printed)
    };
    let late = |_| ProgramError::Timeout { timeout: CALL, output: String::new() };
    let printed = timeout(CALL, listed).await.map_err(late)?.map_err(ProgramError::Run)?;
    Ok(hubs(&String::from_utf8_lossy(&printed)))
}

/// The hubs of what `uhubctl` prints: `Current status for hub 1-1 [0bda:5411 Generic USB2.1 Hub, USB 2.10, 5 ports, ppps]`.
fn hubs(printed: &str) -> Vec<UsbHub> {
    let hub = |line: &str| {
        let (location, rest) = line.strip_prefix("Current status for hub ")?.split_once(" [")?;
        let description = rest.trim_end().strip_suffix(']')?;
        let mut parts = description.split(", ");
        let ports = parts.find_map(|part| part.strip_suffix(" ports")?.parse().ok())?;
        Some(UsbHub { location: location.to_owned(), description: description.to_owned(), ports })
    };
    printed.lines().filter_map(hub).collect()
}

/// What to do about an error of the program.
pub(super) fn help(by: &str, error: &ProgramError) -> Option<String> {
    if !by.contains(PROGRAM) {
        return None;
    }
    match error {
        error if error.is_missing() => Some("install it: `sudo apt install uhubctl`".to_owned()),
        ProgramError::Status { output, .. } if output.contains("No compatible devices") => Some(
            "`sudo uhubctl` lists the hubs that can switch their ports, with their locations; who is not root sees none of \
             them before uhubctl's udev rules are there"
                .to_owned(),
        ),
        ProgramError::Status { output, .. } if output.to_ascii_lowercase().contains("permission") => {
            Some("write access to the hub is what uhubctl's udev rules give".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{help, hubs, state};
    use crate::program::ProgramError;

    /// From uhubctl's README.md.
    const LIST: &str = "\
Current status for hub 1-1 [0bda:5411 Generic USB2.1 Hub, USB 2.10, 5 ports, ppps]
  Port 1: 0100 power
  Port 2: 0103 power enable connect [0781:558c SanDisk Extreme SSD 33343932]
  Port 3: 0000 off
  Port 11: 0000 off
";

    #[test]
    fn the_state_of_a_port_is_read_from_its_line() {
        assert_eq!(state(LIST, 1), Some(true));
        assert_eq!(state(LIST, 2), Some(true));
        assert_eq!(state(LIST, 3), Some(false));
        assert_eq!(state(LIST, 4), None);
        assert_eq!(state("Port 3: power\nPort 3: 00 off\nPort 3: 0000 odd\n", 3), None);
    }

    #[test]
    fn hubs_are_read_from_their_first_lines() {
        let found = hubs(LIST);
        assert_eq!((found.len(), found[0].location.as_str(), found[0].ports), (1, "1-1", 5));
        assert!(found[0].description.starts_with("0bda:5411 Generic USB2.1 Hub"), "{found:?}");
        assert_eq!(hubs("No compatible devices detected!\n"), []);
    }

    #[test]
    fn a_port_of_a_usb_3_hub_is_off_when_both_of_its_halves_are() {
        let halves = |two: &str, three: &str| {
            format!(
                "Current status for hub 1-1 [USB 2.10, 4 ports, ppps]\n  Port 2: {two}\n\
                 Current status for hub 2-1 [USB 3.20, 4 ports, ppps]\n  Port 2: {three}\n"
            )
        };
        assert_eq!(state(&halves("0000 off", "00a0 off"), 2), Some(false));
        assert_eq!(state(&halves("0000 off", "02a0 power 5gbps Rx.Detect"), 2), Some(true));
        assert_eq!(state(&halves("0100 power", "00a0 off"), 2), Some(true));
    }

    #[test]
    fn words_of_a_device_are_no_state() {
        let named = "  Port 2: 0103 power enable connect [1234:5678 Port 2: 0000 off]\n";
        assert_eq!(state(named, 2), Some(true));
    }

    #[test]
    fn help_is_for_this_program_alone() {
        assert!(help("by uhubctl (hub 1-1, port 2)", &ProgramError::Empty).unwrap().contains("apt install"));
        assert_eq!(help("command `relay`", &ProgramError::Empty), None);
    }
}
