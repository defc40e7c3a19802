//! A port of a USB hub that can switch its ports, by the program `uhubctl`.

use std::fmt;
use std::time::Duration;

use super::{PowerErrorKind, Time};
use crate::program::{ProgramError, run_program};

/// The program.
pub(super) const PROGRAM: &str = "uhubctl";

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
    use super::{help, state};
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
