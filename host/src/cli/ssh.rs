//! `host-runner ssh BOARD`: OpenSSH's client with what the bench file knows of a board.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::board::lease::Key;
use crate::board::{Bench, Board, SshAccess};
use crate::cli::args::BenchArgs;
use crate::cli::completions;
use crate::cli::message::Failure;
use crate::cli::run::{find_bench, find_board, load_bench};
use crate::fault::{Class, Fault};
use crate::run::{LetIn, cache_directory};

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner ssh bbb1
  host-runner ssh bbb1 uname -a
  host-runner ssh bbb1 --user debian -L 8080:localhost:80

Host, port, user, key and host keys are those of [boards.NAME.ssh] in the bench file; a board without that table is reached
at its `address` as root, with your own keys. On a board that `host-runner run --keep-on` has left on, the run lets you in. The exit code is that of ssh: the command's, or 255.";

/// The user where the bench file names none.
const USER: &str = "root";

/// `host-runner ssh`.
#[derive(Debug, Args)]
pub(super) struct SshArgs {
    /// The board, by its name in the bench file
    #[arg(add = completions::boards())]
    board: String,
    #[command(flatten)]
    bench: BenchArgs,
    /// Who logs in [default: what the bench file says, else root]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Options of ssh, and a command for the board; from the first of them on, all is for ssh
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Becomes `ssh`; only its absence comes back.
pub(super) fn ssh(args: &SshArgs) -> Result<Option<Class>, Failure> {
    let bench = load_bench(&find_bench(&args.bench)?)?;
    let board = find_board(&bench, &args.board)?;
    let mut words = access(&bench, &board, args.user.as_deref())?;
    // ssh takes options behind the host as well, up to the command's first word.
    words.extend(args.arguments.iter().cloned());
    let error = Command::new("ssh").args(words).exec();
    let fault = Fault::from_error(Class::Infrastructure, "ssh", &error);
    Err(fault.with_help("install OpenSSH's client (Debian package openssh-client)").into())
}

/// The words that reach the board.
fn access(bench: &Bench, board: &Board, user: Option<&str>) -> Result<Vec<String>, Fault> {
    let place = || format!("board `{}`", board.name);
    if let Some(access) = &board.ssh {
        let known = known_hosts(bench, board, access)?;
        let mut words = ["-p".to_owned(), access.port.to_string()].to_vec();
        words.extend(with_keys(&access.identity_file, &known));
        words.push(format!("{}@{}", user.unwrap_or(&access.user), access.host));
        return Ok(words);
    }
    let Some(address) = board.address else {
        let fault = Fault::new(Class::Bench, place(), "the bench file does not say how it is reached");
        let help =
            format!("add `address = \"…\"` to `[boards.{0}]`, or a table `[boards.{0}.ssh]`", board.name);
        return Err(fault.with_help(help));
    };
    let (port, user) = (board.ssh_port.to_string(), user.unwrap_or(USER));
    let mut words = ["-p".to_owned(), port].to_vec();
    if let Some(kept) = LetIn::find(bench, board)? {
        words.extend(with_keys(&kept.identity(), &kept.known_hosts()));
    }
    words.push(format!("{user}@{address}"));
    Ok(words)
}

/// Options by which one key logs in, and none but known hosts are believed.
fn with_keys(identity: &Path, known_hosts: &Path) -> [String; 8] {
    [
        "-i",
        &identity.display().to_string(),
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        &format!("UserKnownHostsFile={}", known_hosts.display()),
    ]
    .map(str::to_owned)
}

/// Writes the host keys of the bench file as ssh wants them.
fn known_hosts(bench: &Bench, board: &Board, access: &SshAccess) -> Result<PathBuf, Fault> {
    let directory = cache_directory(Some(bench))?.join("known_hosts");
    let failed = |error: std::io::Error| {
        Fault::from_error(Class::Infrastructure, directory.display().to_string(), &error)
    };
    let key = Key::board(&bench.path, &board.name).map_err(failed)?;
    let path = directory.join(key.file_name());
    let SshAccess { host, port, .. } = access;
    let lines = access.host_keys.iter().map(|key| format!("[{host}]:{port} {key}\n{host} {key}\n"));
    fs::create_dir_all(&directory).map_err(failed)?;
    fs::write(&path, lines.collect::<String>()).map_err(failed)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::SshArgs;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        ssh: SshArgs,
    }

    #[test]
    fn a_command_needs_nothing_before_it_and_keeps_its_options() {
        let of = |words: &str| {
            let words = Words::try_parse_from(words.split(' ')).unwrap().ssh;
            (words.user.unwrap_or_default(), words.arguments.join(" "))
        };
        let is = |user: &str, arguments: &str| (user.to_owned(), arguments.to_owned());
        assert_eq!(of("ssh bbb1"), is("", ""));
        assert_eq!(of("ssh bbb1 id"), is("", "id"));
        assert_eq!(of("ssh bbb1 ls -l --user x"), is("", "ls -l --user x"));
        assert_eq!(of("ssh bbb1 --user a ls -h"), is("a", "ls -h"));
        assert_eq!(of("ssh --user a bbb1 -L 1:b:2 --bench"), is("a", "-L 1:b:2 --bench"));
        assert_eq!(of("ssh bbb1 -- uname -a"), is("", "uname -a"));
        assert_eq!(of("ssh bbb1 -- --user a"), is("", "--user a"));
        assert_eq!(of("ssh bbb1 grep -- -x"), is("", "grep -- -x"));
    }
}
