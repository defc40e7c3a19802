//! The measured programs.

use std::error::Error;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use host_runner::net::Net;
use host_runner::tftp::{Server, Source, Table};
use rustix::process::{Pid, Signal, WaitOptions, kill_process};
use testbench::harness::{bench_peer, installed_peer};
use testbench::tftp::Client;
use tokio_util::sync::CancellationToken;

/// Most clients of a load; each has an address of its own, as boards do.
pub(crate) const MAX_CLIENTS: u8 = 50;
/// How long a server may take to answer its first request.
const START: Duration = Duration::from_secs(10);

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    kind: Kind,
    /// Where it is, or why it is not here.
    path: Result<PathBuf, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Limit,
    Ours,
    AsyncTftp,
    Tftpd,
    Hpa,
    Atftpd,
    Dnsmasq,
}

/// All of them.
const KINDS: [Kind; 7] =
    [Kind::Limit, Kind::Ours, Kind::AsyncTftp, Kind::Tftpd, Kind::Hpa, Kind::Atftpd, Kind::Dnsmasq];

/// The programs whose names are `wanted`, found or built; those that are not here among them.
pub(crate) fn programs(wanted: impl Fn(&str) -> bool) -> Vec<Program> {
    let kinds = KINDS.into_iter().filter(|kind| wanted(kind.name()));
    kinds.map(|kind| Program { kind, path: kind.find().map_err(|error| error.to_string()) }).collect()
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Limit => "bare sendto/recvfrom",
            Self::Ours => "host-runner",
            Self::AsyncTftp => "async-tftp",
            Self::Tftpd => "rs-tftpd",
            Self::Hpa => "tftpd-hpa",
            Self::Atftpd => "atftpd",
            Self::Dnsmasq => "dnsmasq",
        }
    }

    /// Finds the program, or builds it.
    fn find(self) -> io::Result<PathBuf> {
        match self {
            Self::Limit | Self::Ours => std::env::current_exe(),
            Self::AsyncTftp => bench_peer("async-tftp"),
            Self::Tftpd => installed_peer("tftpd", "1.0.0"),
            Self::Hpa => installed("in.tftpd"),
            Self::Atftpd => installed("atftpd"),
            Self::Dnsmasq => installed("dnsmasq"),
        }
    }
}

/// A program of a Debian package, installed or extracted.
fn installed(name: &str) -> io::Result<PathBuf> {
    let extracted = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/usr/sbin");
    let places = [&extracted, Path::new("/usr/sbin"), Path::new("/usr/bin")];
    // atftpd's package has an in.tftpd as well, a link to its own program.
    let is_itself = |path: &PathBuf| fs::canonicalize(path).is_ok_and(|path| path.ends_with(name));
    let found = places.iter().map(|place| place.join(name)).find(is_itself);
    found.ok_or_else(|| io::Error::other(format!("{name} is not installed")))
}

impl Program {
    pub(crate) fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.kind == Kind::Ours
    }

    pub(crate) fn is_peer(&self) -> bool {
        !self.is_ours() && !self.is_limit()
    }

    /// Whether it ignores the end of its children (SIGCHLD), so that the system drops the time that they took.
    pub(crate) fn hides_cpu_time(&self) -> bool {
        self.kind == Kind::Hpa
    }

    pub(crate) fn is_here(&self) -> bool {
        self.path.is_ok()
    }

    /// Why it is not here.
    pub(crate) fn missing(&self) -> Option<&str> {
        self.path.as_ref().err().map(String::as_str)
    }

    pub(crate) fn is_limit(&self) -> bool {
        self.kind == Kind::Limit
    }

    /// Starts it for the only file of `directory`, and waits until it answers.
    pub(crate) fn start(&self, directory: &Path) -> io::Result<Running> {
        // dnsmasq knows no other port than 69.
        let (host, port) = match self.kind {
            Kind::Dnsmasq => (Ipv4Addr::new(127, 69, 0, 1), 69),
            _ => (Ipv4Addr::LOCALHOST, free_port()?),
        };
        let address = SocketAddr::new(host.into(), port);
        let root = directory.display();
        let arguments = match self.kind {
            Kind::Limit => vec![format!("--pong={address}")],
            Kind::Ours => vec!["--serve".into(), address.to_string(), format!("{root}/{FILE}")],
            Kind::Hpa => words("--foreground --user root --secure --address", &[&address, &root]),
            Kind::Atftpd => words(
                &format!(
                    "--daemon --no-fork --user root --group root --maxthread 200 --bind-address {host} --port"
                ),
                &[&port, &root],
            ),
            Kind::Dnsmasq => words(
                "--keep-in-foreground --conf-file=/dev/null --pid-file= --port=0 --user=root --enable-tftp \
                 --tftp-max=200 --bind-interfaces",
                &[&format!("--listen-address={host}"), &format!("--tftp-root={root}")],
            ),
            Kind::AsyncTftp => words("", &[&address, &root]),
            Kind::Tftpd => {
                words("--read-only --quiet --ip-address", &[&host, &"--port", &port, &"--directory", &root])
            }
        };
        let path = self.path.as_ref().map_err(|reason| io::Error::other(reason.as_str()))?;
        let mut command = Command::new(path);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Running { child: command.spawn()?, address };
        if !self.is_limit() {
            running.wait()?;
        }
        Ok(running)
    }
}

/// Name of the served file.
pub(crate) const FILE: &str = "file";
/// Name of a file that is there to see whether a server answers.
pub(crate) const PROBE: &str = "probe";

/// A started server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Running {
    fn wait(&mut self) -> io::Result<()> {
        let start = Instant::now();
        let client = Client { patience: Duration::from_millis(20), ..Client::new(self.address) };
        while client.answers(PROBE).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the server ended before its first answer: {status}")));
            }
            if start.elapsed() > START {
                return Err(io::Error::other(format!("no answer from {} for {START:?}", self.address)));
            }
        }
        Ok(())
    }

    /// Kills it, unless that was done before, and waits until it is gone.
    fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Ends it, and the processes that it started, and waits for all of them.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        self.kill()?;
        // Its children are ours now; those of a finished transfer have ended.
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => kill_children()?,
                Err(rustix::io::Errno::CHILD) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody is there to be told.
        let _ = self.kill();
    }
}

/// Ends what a server left running.
fn kill_children() -> io::Result<()> {
    let own = std::process::id();
    for child in fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?.split_whitespace() {
        if let Some(pid) = child.parse().ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    Ok(())
}

fn words(text: &str, more: &[&dyn std::fmt::Display]) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).chain(more.iter().map(ToString::to_string)).collect()
}

fn free_port() -> io::Result<u16> {
    Ok(std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Serves `file` until it is killed, with the runtime that host-runner has.
pub(crate) fn serve(address: SocketAddr, file: PathBuf) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let table = Table::new();
        let mut guards = Vec::new();
        let probe = file.with_file_name(PROBE);
        for client in 1..=MAX_CLIENTS {
            let peer = Ipv4Addr::new(127, 0, 0, client).into();
            guards.push(table.add(peer, FILE, Source::File(file.clone())));
            guards.push(table.add(peer, PROBE, Source::File(probe.clone())));
        }
        let server = Server::bind(Net::Host, address, Arc::clone(&table)).await?;
        Ok(server.run(|_| {}, CancellationToken::new()).await?)
    })
}
