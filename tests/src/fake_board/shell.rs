//! Login and a minimal root shell, which runs what lies under `/lava-*` and `/usr/lib/lava-agent` for real.

use std::io;
use std::process::Command;

use super::agent_line::AgentLine;
use super::options::{Fault, Options};
use super::rootfs::Rootfs;
use super::uart::Uart;

/// How the shell ended.
pub(super) enum Exit {
    /// The board goes down and starts again.
    Reboot,
    /// The board is off.
    PowerOff,
}

/// Asks for a login where the options want one, then runs shells until the board goes down.
pub(super) fn run(uart: &mut Uart, options: &Options, rootfs: &Rootfs) -> io::Result<Exit> {
    loop {
        login(uart, options)?;
        if let Some(command) = &options.shell {
            real(uart, command)?;
            continue;
        }
        if let Some(exit) = session(uart, options, rootfs)? {
            return Ok(exit);
        }
    }
}

fn login(uart: &mut Uart, options: &Options) -> io::Result<()> {
    let refuse = options.fault == Some(Fault::WrongPassword);
    if !options.login && !refuse {
        return Ok(());
    }
    loop {
        uart.cooked(true)?;
        uart.say("debian login: ")?;
        let name = uart.line()?;
        if name.trim().is_empty() {
            continue;
        }
        if !refuse && options.password.is_none() {
            return Ok(());
        }
        uart.cooked(false)?;
        uart.say("Password: ")?;
        let password = uart.line()?;
        uart.say("\n")?;
        if !refuse && Some(&password) == options.password.as_ref() {
            return Ok(());
        }
        uart.say("\nLogin incorrect\n")?;
    }
}

/// One real shell, until it is left.
fn real(uart: &mut Uart, command: &str) -> io::Result<()> {
    uart.cooked(true)?;
    let status = Command::new("setsid")
        .args(["--ctty", "--wait", "sh", "-c", command])
        .stdin(uart.stdio()?)
        .stdout(uart.stdio()?)
        .stderr(uart.stdio()?)
        .status()?;
    if status.success() {
        return Ok(());
    }
    // One that cannot start would be started for ever.
    uart.say(&format!("{command}: {status}\n"))?;
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// One shell; `None` when it was left by `exit`.
fn session(uart: &mut Uart, options: &Options, rootfs: &Rootfs) -> io::Result<Option<Exit>> {
    let mut status = 0;
    loop {
        uart.cooked(true)?;
        uart.say("\x1b[?2004hroot@debian:~# ")?;
        let line = uart.line()?;
        uart.say("\x1b[?2004l\r")?;
        for command in line.split(';').map(str::trim).filter(|command| !command.is_empty()) {
            match command.split_whitespace().next() {
                Some("exit" | "logout") => return Ok(None),
                Some("reboot") => {
                    uart.say("[   20.000000] reboot: Restarting system\n")?;
                    return Ok(Some(Exit::Reboot));
                }
                Some("poweroff") => {
                    uart.say("[   20.000000] reboot: Power down\n")?;
                    return Ok(Some(Exit::PowerOff));
                }
                _ => status = execute(uart, options, rootfs, command, status)?,
            }
        }
    }
}

fn execute(
    uart: &mut Uart,
    options: &Options,
    rootfs: &Rootfs,
    command: &str,
    last_status: i32,
) -> io::Result<i32> {
    let words: Vec<String> = command.split_whitespace().map(|word| word.replace(['"', '\''], "")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_variable = |word: &&&str| word.split_once('=').is_some_and(|(name, _)| name.starts_with("LAVA_"));
    let (variables, words) = words.split_at(words.iter().take_while(is_variable).count());
    match words {
        ["echo", text @ ..] => {
            uart.say(&format!("{}\n", text.join(" ").replace("$?", &last_status.to_string())))?;
            Ok(0)
        }
        ["true" | ":" | "stty" | "export" | "sync", ..] => Ok(0),
        ["false"] => Ok(1),
        ["rm", "-rf", path] if is_ours(path) => {
            std::fs::remove_dir_all(rootfs.place(path))?;
            Ok(0)
        }
        ["uname", "-m"] => {
            uart.say("armv7l\n")?;
            Ok(0)
        }
        ["test", "-x" | "-e", path] => Ok(i32::from(!rootfs.place(path).exists())),
        [program, arguments @ ..] if is_ours(program) && rootfs.place(program).exists() => {
            let line = AgentLine::of(options, arguments)?;
            let arguments: Vec<&str> = arguments.iter().map(|argument| line.through(argument)).collect();
            run_program(uart, rootfs, program, &arguments, variables)
        }
        [unknown, ..] => {
            uart.say(&format!("-bash: {unknown}: command not found\n"))?;
            Ok(127)
        }
        [] => Ok(last_status),
    }
}

/// Whether it is a program of the runner's, which is run for real.
fn is_ours(path: &str) -> bool {
    path.starts_with("/lava-") || path.starts_with("/usr/lib/lava-agent/")
}

fn run_program(
    uart: &mut Uart,
    rootfs: &Rootfs,
    program: &str,
    arguments: &[&str],
    variables: &[&str],
) -> io::Result<i32> {
    // There is no chroot without privileges: what is in the board's root is named where it really is.
    let arguments = arguments.iter().map(|argument| match is_ours(argument) {
        true => rootfs.place(argument),
        false => argument.into(),
    });
    let status = Command::new(rootfs.place(program))
        .args(arguments)
        .current_dir(rootfs.path())
        .env("HOME", rootfs.path().join("root"))
        .envs(variables.iter().filter_map(|variable| variable.split_once('=')))
        .stdin(uart.stdio()?)
        .stdout(uart.stdio()?)
        .stderr(uart.stdio()?)
        .status();
    if let Err(error) = rootfs.write_back() {
        uart.say(&format!("-bash: {error}\n"))?;
    }
    match status {
        Ok(status) => Ok(status.code().unwrap_or(128)),
        Err(error) => {
            uart.say(&format!("-bash: {program}: {error}\n"))?;
            Ok(126)
        }
    }
}
