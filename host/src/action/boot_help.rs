//! What to do about a board that does not boot, beside what the message says. Pure.

use crate::action::uboot_command;
use crate::board::{Board, ConsoleTarget};
use crate::dialog::{Expired, KernelFailure, LoginError, UbootError};
use crate::link::{CommandError, DriveError, Target};

/// What to do about a conversation with U-Boot that failed; none where the job is wrong. `asked` is how many requests of the
/// board this PC's TFTP server has had, if it serves.
pub(super) fn of_uboot(
    error: &UbootError,
    board: &Board,
    asked: impl FnOnce() -> Option<u64>,
) -> Option<String> {
    let advice = advice(error, board)?;
    let stop = if advice.ends_with('?') { "" } else { "." };
    let seen = match error {
        UbootError::Command { command, .. } if command.contains("tftp") => asked().map(requests),
        _ => None,
    };
    Some(format!(
        "{advice}{stop}{} `host-runner doctor {}` switches it, and checks its power, the speed of its console, U-Boot's prompt \
         and network, and a file by TFTP",
        seen.unwrap_or_default(),
        board.name
    ))
}

/// What this PC's TFTP server has seen of a board, as a sentence.
fn requests(count: u64) -> String {
    match count {
        0 => " No request of the board has arrived at this PC's TFTP server: is `serverip` this PC, and nothing between them?"
            .to_owned(),
        _ => format!(
            " Requests of the board arrive at this PC's TFTP server ({count} so far), so the name or the way back is wrong."
        ),
    }
}

/// What to do about a system that does not get to a shell, where that can be said; `logs_in` is whether the job does.
pub(super) fn of_login(error: &LoginError, board: &Board, logs_in: bool) -> Option<String> {
    let asks_for_login = |text: &str| text.trim_end().ends_with("login:");
    Some(match error {
        LoginError::Expired(Expired { garbage: true, .. }) => {
            let WrongSpeed { text, help } = WrongSpeed::of(board);
            format!("{text}: {help}. `host-runner doctor {}` checks it", board.name)
        }
        LoginError::Expired(Expired { last_output, .. }) if !logs_in && asks_for_login(last_output) => {
            "the board asks who logs in, and the job does not: give its `boot` action `auto_login: {login_prompt: 'login:', \
             username: root}`"
                .to_owned()
        }
        LoginError::Kernel { failure: KernelFailure::NoRoot(_), .. } => {
            "a root file system by NFS needs `root=/dev/nfs`, `nfsroot=` and `ip=` in the kernel's command line, and \
             CONFIG_ROOT_NFS, CONFIG_IP_PNP and the driver of the network in the kernel itself, not as modules; one on a \
             disk needs its driver so, or a RAM disk that loads it"
                .to_owned()
        }
        LoginError::Kernel { failure: KernelFailure::Panic(_), .. } => {
            "the kernel's lines before its panic say why; the whole console is in the run's `console` directory. Of `init`: \
             is the root file system for this processor, and is its `/sbin/init` there?"
                .to_owned()
        }
        LoginError::Kernel { failure: KernelFailure::Reset(_), .. } => format!(
            "a watchdog, the power supply or the kernel itself resets the board: `host-runner console {}` shows what \
             comes before",
            board.name
        ),
        LoginError::Refused { .. } => {
            "correct `username`, `password_prompt` or `password` of the job's `auto_login`; some systems let `root` in by a \
             key alone"
                .to_owned()
        }
        LoginError::PasswordWanted { .. } => {
            "add `password_prompt` and `password` to the job's `auto_login`".to_owned()
        }
        LoginError::Expired(Expired { last_output, .. }) if last_output.is_empty() => {
            "is it on, and does `console=` of the kernel's command line name the serial port that is its console, such as \
             `console=ttyS0,115200`?"
                .to_owned()
        }
        LoginError::Expired(_) => {
            "if it is up, compare what it shows with `prompts` and `auto_login` of the job's `boot` action, which are regular \
             expressions (`\\$`, `\\[`); if it is still on its way, give the action a longer `timeout`"
                .to_owned()
        }
        LoginError::FailureMessage { .. } => return None,
    })
}

/// What to do about a console whose line itself failed, where the line does not say so; `board` is the one whose console it
/// may be.
pub(super) fn of_line<E>(error: &DriveError<E>, board: Option<&Board>) -> Option<&'static str> {
    let is_served = board.is_some_and(|board| {
        matches!(board.console, ConsoleTarget::Line(Target::Tcp { .. } | Target::Telnet { .. }))
    });
    let is_of_command = |error: &std::io::Error| {
        let source = error.get_ref().and_then(|source| source.downcast_ref::<CommandError>());
        matches!(source, Some(CommandError::Ended { .. }))
    };
    match error {
        DriveError::Closed if is_served => Some(
            "look at the console server: does its program still run (`systemctl status ser2net`), is the adapter there that \
             it serves, and did nobody else take the port?",
        ),
        DriveError::Line(error) if is_of_command(error) => Some(
            "run that command in a terminal: it must show the board's console there, and stay until it is stopped",
        ),
        DriveError::Stuck(_) => Some(
            "does what serves the console still run, and does its serial port not wait for flow control (RTS/CTS)?",
        ),
        DriveError::Closed | DriveError::Line(_) | DriveError::Dialog(_) => None,
    }
}

/// The same for whoever has examined the board already.
pub(crate) fn advice(error: &UbootError, board: &Board) -> Option<String> {
    let name = &board.name;
    Some(match error {
        UbootError::LineTooLong { .. } | UbootError::NotPrintable { .. } => return None,
        UbootError::Expired(Expired { garbage: true, .. }) => {
            let WrongSpeed { text, help } = WrongSpeed::of(board);
            format!("{text}: {help}")
        }
        UbootError::Expired(Expired { last_output, .. }) if last_output.is_empty() => {
            "has the board power, and is this its adapter? Are ground, RX and TX in place?".to_owned()
        }
        UbootError::Expired(_) => format!(
            "compare what the board says with `autoboot_prompt`, `interrupt` and `prompts` of its type, which \
             `[boards.{name}.uboot]` can replace; `setenv bootdelay 3; saveenv` in U-Boot if there is no countdown"
        ),
        UbootError::Missed { .. } => {
            "its countdown is too short: `setenv bootdelay 3; saveenv` in U-Boot".to_owned()
        }
        UbootError::Echo { .. } => format!(
            "take a shorter cable, without a hub, or type slower: `character_delay_ms = 5` in `[boards.{name}.uboot]`"
        ),
        UbootError::Command { command, line, last_output, .. } => {
            uboot_command::advice(command, line, last_output)
                .unwrap_or_else(|| "U-Boot's words before it say why".to_owned())
        }
        UbootError::FellBack { command, last_output } => uboot_command::advice(command, "", last_output)
            .unwrap_or_else(|| {
                "U-Boot's words before it say why: is it the right file, at the right address?".to_owned()
            }),
        UbootError::ResetLoop { .. } => "is its power supply strong enough?".to_owned(),
    })
}

/// A speed of a console at which no text comes.
pub(crate) struct WrongSpeed {
    /// What is wrong.
    pub(crate) text: String,
    /// What to do.
    pub(crate) help: String,
}

impl WrongSpeed {
    /// Of the board's console.
    pub(crate) fn of(board: &Board) -> Self {
        let (text, help) = match &board.console {
            ConsoleTarget::Line(Target::Serial { baud, .. }) => (
                format!("{baud} baud is probably the wrong speed"),
                format!("set `baud` in `[boards.{}]`; most boards have 115200, some 1500000 or 9600", board.name),
            ),
            ConsoleTarget::Line(Target::Command(_)) => (
                "the speed of the console is probably wrong".to_owned(),
                format!(
                    "set it in the command that is `console` in `[boards.{}]`, such as `picocom --baud 115200`; most boards \
                     have 115200",
                    board.name
                ),
            ),
            _ => (
                "the speed of the console is probably wrong".to_owned(),
                "set it where the serial port is, such as in ser2net's configuration; most boards have 115200"
                    .to_owned(),
            ),
        };
        Self { text, help: format!("{help}. A missing ground wire looks the same") }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::board::Bench;
    use crate::diagnostic::Source;
    use crate::limit::Limit;

    fn with_board(console: &str, check: impl FnOnce(&Board)) {
        let toml = format!("[boards.bbb1]\ntype = \"beaglebone-black\"\n{console}\n");
        let bench = Bench::parse(&Source::new("bench.toml", toml), Path::new(".")).unwrap();
        check(&bench.boards[0]);
    }

    fn expired(awaited: &str, last_output: &str, garbage: bool) -> Expired {
        Expired {
            awaited: awaited.to_owned(),
            waited: Duration::from_secs(60),
            limit: Limit::new(Duration::from_secs(60), "the boot"),
            last_output: last_output.to_owned(),
            garbage,
        }
    }

    /// One of each kind that is not the job's fault, and the heading of the page of troubles that tells of it.
    fn of_uboot_with_headings() -> Vec<(UbootError, &'static str)> {
        let wait = |awaited: &str| UbootError::Expired(expired(awaited, "U-Boot 2023.01", false));
        let (command, last_output) = ("tftp".to_owned(), "U-Boot 2023.01".to_owned());
        let (line, matched) = ("TFTP error".to_owned(), "TFTP error".to_owned());
        let (sent, echo) = (command.clone(), String::new());
        vec![
            (wait("autoboot prompt `Hit any key`"), "no autoboot prompt"),
            (wait("U-Boot prompt `=>` after the interrupt"), "no U-Boot prompt"),
            (wait("echo of `boot`"), "no echo of"),
            (
                UbootError::Missed { last_output: last_output.clone() },
                "U-Boot started the kernel before its autoboot",
            ),
            (UbootError::Echo { command: command.clone(), sent, echo }, "characters are lost on the line"),
            (
                UbootError::Command {
                    command: command.clone(),
                    line,
                    matched,
                    last_output: last_output.clone(),
                },
                "(known error text",
            ),
            (
                UbootError::FellBack { command, last_output: last_output.clone() },
                "U-Boot fell back to its prompt",
            ),
            (UbootError::ResetLoop { resets: 4, last_output }, "times in U-Boot"),
        ]
    }

    #[test]
    fn the_page_of_troubles_has_every_message_of_a_boot() {
        let page = include_str!("../../../docs/troubleshooting.md");
        let has = |heading: &str| page.lines().any(|line| line.starts_with(&format!("### {heading}")));
        for (error, heading) in of_uboot_with_headings() {
            assert!(error.to_string().contains(heading) && has(heading), "{heading}: {error}");
        }
        for awaited in ["kernel start message `Linux`", "login prompt `login:` or `#`", "shell prompt (`#`)"]
        {
            let error = LoginError::Expired(expired(awaited, "", false)).to_string();
            let heading = format!("no {}", awaited.split([' ', '`']).take(2).collect::<Vec<_>>().join(" "));
            assert!(error.starts_with(&heading) && has(&heading), "{heading}: {error}");
        }
    }

    #[test]
    fn every_fault_of_u_boot_leads_to_the_doctor_and_those_of_the_job_do_not() {
        with_board("console = \"/dev/ttyUSB0\"", |board| {
            for (error, _) in of_uboot_with_headings() {
                let help = of_uboot(&error, board, || None).unwrap();
                assert!(
                    help.contains(" `host-runner doctor bbb1` switches it, and checks its power")
                        && !help.contains("?."),
                    "{help}"
                );
            }
            let wrong = UbootError::NotPrintable { command: "\u{7}".to_owned() };
            assert_eq!(of_uboot(&wrong, board, || None), None);
        });
    }

    #[test]
    fn noise_is_the_speed_of_the_console() {
        let noise = expired("autoboot prompt `Hit any key`", "\u{fffd}x", true);
        with_board("console = \"/dev/ttyUSB0\"\nbaud = 9600", |board| {
            let help = of_uboot(&UbootError::Expired(noise.clone()), board, || None).unwrap();
            let begin = "9600 baud is probably the wrong speed: set `baud` in `[boards.bbb1]`; most boards have 115200";
            assert!(help.starts_with(begin), "{help}");
            let of_wait = |expired: Expired| of_login(&LoginError::Expired(expired), board, true);
            assert!(of_wait(noise.clone()).is_some_and(|help| help.starts_with(begin)));
            assert!(of_wait(expired("kernel", "text", false)).is_some_and(|help| help.contains("`prompts`")));
            assert!(of_wait(expired("kernel", "", false)).is_some_and(|help| help.contains("`console=`")));
        });
        with_board("console = \"tcp://127.0.0.1:4000\"", |board| {
            let help = of_login(&LoginError::Expired(noise.clone()), board, true).unwrap();
            assert!(help.contains("where the serial port is"), "{help}");
        });
        with_board("console = [\"picocom\", \"/dev/ttyUSB0\"]", |board| {
            let help = of_login(&LoginError::Expired(noise.clone()), board, true).unwrap();
            assert!(help.contains("in the command that is `console` in `[boards.bbb1]`"), "{help}");
            assert!(!help.contains("`baud`"), "{help}");
        });
    }

    #[test]
    fn a_console_that_ends_leads_to_what_served_it() {
        let of = |error: DriveError<UbootError>| of_line(&error, None).unwrap_or_default();
        let (command, status) = ("picocom /dev/ttyUSB0".to_owned(), " (exit status: 1)".to_owned());
        let ended = CommandError::Ended { command, status, stderr: Vec::new() };
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            of(DriveError::Line(std::io::Error::other(source)))
        };
        assert!(failed(Box::new(ended)).starts_with("run that command in a terminal"));
        with_board("console = \"telnet://ser2net:2001\"", |board| {
            let help = of_line(&DriveError::<UbootError>::Closed, Some(board)).unwrap();
            assert!(help.contains("systemctl status ser2net"), "{help}");
        });
        assert_eq!(of(DriveError::Closed), "", "a guest's connection, or an emulator's console");
        // A port that is gone says for how long, and what the last attempt to open it said.
        assert_eq!(failed("gone".into()), "");
    }

    #[test]
    fn a_login_that_fails_says_what_is_to_be_changed() {
        let last_output = "Debian GNU/Linux 12 board ttyS0\n\nboard login:".to_owned();
        let waits = LoginError::Expired(expired("shell prompt (`#`)", &last_output, false));
        let kernel = |failure: KernelFailure| LoginError::Kernel { failure, last_output: String::new() };
        let line = || "[    2.0] Kernel panic".to_owned();
        with_board("console = \"/dev/ttyUSB0\"", |board| {
            assert!(of_login(&waits, board, true).is_some_and(|help| help.starts_with("if it is up")));
            for (error, said) in [
                (waits.clone(), "give its `boot` action `auto_login: {"),
                (kernel(KernelFailure::NoRoot(line())), "CONFIG_ROOT_NFS"),
                (kernel(KernelFailure::Panic(line())), "is its `/sbin/init` there?"),
                (kernel(KernelFailure::Reset(line())), "`host-runner console bbb1`"),
                (LoginError::Refused { last_output: String::new() }, "correct `username`"),
                (LoginError::PasswordWanted { username: "root".to_owned() }, "add `password_prompt`"),
            ] {
                let help = of_login(&error, board, false).unwrap();
                assert!(help.contains(said), "{error}: {help}");
            }
        });
    }
}
