//! Consoles on this PC, as far as can be seen without opening one: opening a port may already reset a board.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, geteuid, getgroups};

use super::finding::{Check, Finding, Findings};
use crate::board::lease::Held;
use crate::board::{Bench, Board, ConsoleTarget};
use crate::diagnostic::did_you_mean;
use crate::fault::{Chain, Class};
use crate::link::{Holder, SerialError, Target, check_permission, driver_of};
use crate::run::board_held;

/// Speeds that serial ports are used at, in baud (termios(3), and what USB adapters add to it).
const USUAL_SPEEDS: [u32; 15] = [
    1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 500_000, 921_600, 1_000_000,
    1_500_000, 3_000_000,
];

/// Where systems link serial ports by names that stay.
const STABLE_NAMES: [&str; 2] = ["/dev/serial/by-id", "/dev/serial/by-path"];

/// Checks the board's console and its further connections, as far as they are on this PC.
pub(super) fn check(bench: &Bench, board: &Board, findings: &mut Findings<'_>) {
    let further = board.consoles.iter().map(|(_, target)| target);
    let all = match &board.console {
        ConsoleTarget::Line(target) => Some(target),
        ConsoleTarget::None | ConsoleTarget::Qemu(_) => None,
    };
    // Whoever has the board has opened its lines, and may have them open.
    let held = board_held(bench, board);
    for target in all.into_iter().chain(further) {
        findings.add(match (target, &held) {
            (Target::Serial { path, .. }, Ok(Held::By(holder))) => {
                Finding::ok(Check::Console, &board.name, format!("{}, in use by {holder}", path.display()))
            }
            (Target::Serial { path, baud }, _) => of_port(&board.name, path, *baud),
            (Target::Command(words), _) => {
                Finding::ok(Check::Console, &board.name, format!("the program `{}`", words.join(" ")))
            }
            // `console_server` tries them.
            (Target::Tcp { .. } | Target::Telnet { .. }, _) => continue,
        });
    }
}

fn of_port(board: &str, path: &Path, baud: u32) -> Finding {
    let shown = path.display();
    let port = match driver_of(path) {
        Ok(port) => port,
        Err(SerialError::Absent(_)) => return absent(board, path),
        Err(SerialError::NoPort { what, .. }) => {
            let text = format!("{shown} is {what} and no serial port");
            return Finding::fault(Check::Console, board, Class::Bench, text).with_help(present());
        }
        Err(error) => {
            return Finding::fault(Check::Console, board, Class::Bench, Chain(&error).to_string());
        }
    };
    if check_permission(path).is_err() {
        return no_permission(board, path);
    }
    if let Some(holder) = Holder::of(path) {
        let text = format!("{shown} is held by {holder}");
        return Finding::fault(Check::Console, board, Class::Infrastructure, text)
            .with_help(holder_help(&holder, path));
    }
    let text = format!("{shown}, {baud} baud, {port}");
    if !USUAL_SPEEDS.contains(&baud) {
        return Finding::warning(Check::Console, board, format!("{text}: an unusual speed"))
            .with_help(format!("is `baud` in `[boards.{board}]` right? Nearly all boards have 115200"));
    }
    Finding::ok(Check::Console, board, text)
}

fn absent(board: &str, path: &Path) -> Finding {
    let shown = path.display();
    let text = match fs::read_link(path) {
        Ok(target) => format!("{shown} leads to {}, which is not there", target.display()),
        Err(_) => format!("{shown} is not there"),
    };
    let names = stable_names();
    let texts: Vec<_> = names.iter().map(|name| name.display().to_string()).collect();
    let near = did_you_mean(&shown.to_string(), texts.iter().map(String::as_str));
    let help = near.unwrap_or_else(|| format!("is the adapter plugged in? {}", present()));
    Finding::fault(Check::Console, board, Class::Infrastructure, text).with_help(help)
}

/// The serial ports that there are.
fn present() -> String {
    let names: Vec<_> = stable_names().iter().map(|name| name.display().to_string()).collect();
    match names.is_empty() {
        true => "no USB serial adapter is plugged in".to_owned(),
        false => format!("these are: {}", names.join(", ")),
    }
}

/// Names by serial number; where there are none, by the port that an adapter is plugged into.
fn stable_names() -> Vec<PathBuf> {
    let list = |directory: &str| -> Vec<PathBuf> {
        let mut names: Vec<_> =
            fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        names.sort();
        names
    };
    STABLE_NAMES.iter().map(|directory| list(directory)).find(|names| !names.is_empty()).unwrap_or_default()
}

fn no_permission(board: &str, path: &Path) -> Finding {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Finding::fault(
                Check::Console,
                board,
                Class::Bench,
                format!("{}: {error}", path.display()),
            );
        }
    };
    let gid = Gid::from_raw(metadata.gid());
    let group = Group::from_gid(gid).ok().flatten();
    let group_name = group.as_ref().map_or_else(|| gid.to_string(), |group| group.name.clone());
    let owner = User::from_uid(Uid::from_raw(metadata.uid())).ok().flatten();
    let owner = owner.map_or_else(|| metadata.uid().to_string(), |owner| owner.name);
    let mode = metadata.mode() & 0o777;
    let shown = path.display();
    let text = format!(
        "no permission to open {shown}: it belongs to user {owner} and group {group_name}, mode {mode:04o}"
    );
    let user = User::from_uid(geteuid()).ok().flatten();
    let is_member = group.as_ref().is_some_and(|group| {
        user.is_some_and(|user| user.gid == group.gid || group.mem.contains(&user.name))
    });
    let help = if mode & 0o060 != 0o060 || gid.as_raw() == 0 {
        "no group may use it: `udev/70-host-runner.rules` gives the port to `dialout` (udev/README.md)"
            .to_owned()
    } else if is_member && !getgroups().is_ok_and(|groups| groups.contains(&gid)) {
        format!("you have become a member of {group_name} since you logged in: log in again")
    } else {
        format!("join its group, and log in again: `sudo adduser \"$USER\" {group_name}`")
    };
    Finding::fault(Check::Console, board, Class::Bench, text).with_help(help)
}

/// What to do about whoever has a serial port open.
fn holder_help(holder: &Holder, path: &Path) -> String {
    let port = fs::canonicalize(path).ok();
    let port = port.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    match holder.name.as_str() {
        "ModemManager" => "it takes every adapter for a modem: `udev/70-host-runner.rules` tells it not to \
             (`ID_MM_DEVICE_IGNORE`), or `sudo systemctl disable --now ModemManager`"
            .to_owned(),
        "agetty" | "getty" | "login" => {
            format!(
                "this PC offers a login on it: `sudo systemctl disable --now serial-getty@{port}.service`"
            )
        }
        "brltty" => "it takes the adapter for a Braille display: `sudo apt-get remove brltty`".to_owned(),
        "host-runner" => "another command of host-runner has it; wait for its end".to_owned(),
        name => format!("end {name} first: one program at a time can talk to a board"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn what_takes_serial_ports_by_itself_is_known_by_name() {
        let help =
            |name: &str| holder_help(&Holder { pid: 1, name: name.to_owned() }, Path::new("/dev/null"));
        assert!(help("ModemManager").contains("ID_MM_DEVICE_IGNORE"));
        assert!(help("agetty").contains("serial-getty@null.service"));
        assert!(help("minicom").starts_with("end minicom first"));
    }

    #[test]
    fn a_file_and_a_device_of_another_kind_are_no_serial_ports() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (path, what) in [
            (file.path(), "is a file and no serial port"),
            (Path::new("/"), "is a directory and no serial port"),
        ] {
            let finding = of_port("bbb1", path, 115_200);
            assert_eq!((finding.status, finding.class), (Status::Fault, Some(Class::Bench)));
            assert!(finding.message.contains(what), "{finding:?}");
        }
    }
}
