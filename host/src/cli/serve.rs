//! `host-runner serve`: the bench and its runs as web pages.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use crate::cli::args::{BenchArgs, address_and_port};
use crate::cli::message::{Failure, note};
use crate::cli::output::print;
use crate::cli::run::load_bench_if_any;
use crate::cli::runtime::block_on;
use crate::fault::{Class, Fault};
use crate::serve::{self, HostNames, Site, Token};

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner serve                                    http://127.0.0.1:8080/
  host-runner serve --bench lab/bench.toml --runs lab/runs
  host-runner serve --listen 127.0.0.1:0               any free port; the first line says which
  ssh -L 8080:127.0.0.1:8080 bench-pc                  from another PC: by a tunnel
  curl http://127.0.0.1:8080/api/runs                  for programs; /api/openapi.json has the rest
  host-runner serve --control                          prints a link with a token: power, typing, starting runs

Nobody is asked who they are: at an address that others reach, all of them may read. Nothing can be changed, unless with the
token of --control. Ctrl-C ends it.";

/// `host-runner serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    bench: BenchArgs,
    /// The directory with the directories of the runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Address and port
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8080",
        value_parser = address_and_port
    )]
    listen: SocketAddr,
    /// A further name under which this server is reached, such as bench.example.org
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    host_name: Vec<String>,
    /// Lets those who know its token, a new one each time, switch boards, type on consoles, and start and end runs
    #[arg(long)]
    control: bool,
    /// As --control, with the token in FILE, which nobody but its owner may read
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Reads a name of a host, without a port.
fn host_name(text: &str) -> Result<String, String> {
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || "-._".contains(character);
    match !text.is_empty() && text.chars().all(is_of_name) {
        true => Ok(text.to_owned()),
        false => Err("it is a name such as bench.example.org, without a port or a path".to_owned()),
    }
}

/// Whether the runs can be in `directory`; one that is not there may still be made.
fn check_runs(directory: &Path) -> Result<(), Fault> {
    if !directory.exists() {
        note(&format!("warning: {} is not there (yet): there are no runs to show", directory.display()));
        return Ok(());
    }
    if directory.is_dir() {
        return Ok(());
    }
    let fault = Fault::new(Class::Usage, directory.display().to_string(), "it is no directory");
    Err(fault.with_help("--runs DIR is the directory in which the directories of the runs are"))
}

/// The token, and what the link to take control with has of it.
fn token(args: &ServeArgs) -> Result<(Option<Token>, String), Fault> {
    if let Some(path) = &args.token_file {
        let token = Token::read(path)
            .map_err(|error| Fault::from_error(Class::Usage, path.display().to_string(), &error))?;
        return Ok((Some(token), String::new()));
    }
    if !args.control {
        return Ok((None, String::new()));
    }
    let (token, text) =
        Token::random().map_err(|error| Fault::from_error(Class::Infrastructure, "token", &error))?;
    Ok((Some(token), format!("#token={text}")))
}

/// Serves until Ctrl-C.
pub(super) fn serve(args: &ServeArgs) -> Result<Option<Class>, Failure> {
    let bench = load_bench_if_any(&args.bench)?;
    check_runs(&args.runs)?;
    let (token, fragment) = token(args)?;
    let has_token = token.is_some();
    let names = HostNames::new(args.listen.ip(), &args.host_name);
    let site = Arc::new(Site::new(bench, args.runs.clone(), names, token));
    block_on(async |cancel| {
        let refused = |error: io::Error| {
            let place = format!("address {}", args.listen);
            Fault::from_error(Class::Infrastructure, place, &error).with_optional_help(listen_help(&error))
        };
        let listener = TcpListener::bind(args.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        if !address.ip().is_loopback() {
            note("warning: whoever reaches this address may read all runs; 127.0.0.1 is for this PC alone");
            if has_token {
                note(
                    "warning: the token is not encrypted on its way: whoever listens in the network has it then",
                );
            }
        }
        print(|out| writeln!(out, "serving http://{address}/{fragment}"))?;
        serve::serve(listener, site, cancel)
            .await
            .map_err(|error| Fault::from_error(Class::Infrastructure, "connections", &error))?;
        Ok(None)
    })
}

/// What to do where pages cannot be served at an address, if that can be said.
pub(super) fn listen_help(error: &io::Error) -> Option<String> {
    let program = || {
        std::env::current_exe().map_or_else(|_| "host-runner".to_owned(), |path| path.display().to_string())
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            Some("another program has the port; with 0 as the port a free one is taken".to_owned())
        }
        io::ErrorKind::AddrNotAvailable => {
            Some("this PC has no such address: `ip address` lists those that it has".to_owned())
        }
        // The port service hands over those of TFTP, NFS and SNTP alone.
        io::ErrorKind::PermissionDenied => Some(format!(
            "ports below 1024 need a privilege, and the port service has none for web pages: take a port above, such as \
             8080, with a reverse proxy in front of it if it must be this one; or once \
             `sudo setcap cap_net_bind_service=+ep {}` (again after each new release)",
            program()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::listen_help;

    #[test]
    fn help_is_for_what_has_happened() {
        for (kind, part) in [
            (io::ErrorKind::PermissionDenied, "the port service has none for web pages"),
            (io::ErrorKind::AddrInUse, "another program has the port"),
            (io::ErrorKind::AddrNotAvailable, "this PC has no such address"),
        ] {
            let help = listen_help(&kind.into());
            assert!(help.as_ref().is_some_and(|help| help.contains(part)), "{kind:?}: {help:?}");
        }
        assert_eq!(listen_help(&io::ErrorKind::Other.into()), None);
    }
}
