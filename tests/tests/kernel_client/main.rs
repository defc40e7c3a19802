//! The NFS server asked by a real kernel's client, in seconds: [user-mode Linux](testbench::kernel_client).
//!
//! They need x86-64, a usable `/dev/net/tun`, network namespaces, and the lab that `cargo xtask lab` prepares; without
//! them they fail and say so.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

mod posix;
mod reconnect;
mod restart;
mod trees;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use testbench::kept_run;
use testbench::kernel_client::{CLIENT, Guest, Network, SERVER, Server};

/// The server's port.
const PORT: u16 = 2049;
/// A file of the root filesystem, which the machine itself has as well, and what is in it.
const FILE: &str = "etc/issue.net";
const FILE_TEXT: &[u8] = b"Debian GNU/Linux 12\n";

/// A network with a root filesystem to serve in it.
struct Bench {
    network: Network,
    directory: TempDir,
    export: String,
}

impl Bench {
    /// With a root filesystem for the client itself.
    fn new() -> Self {
        Self::for_peer(CLIENT.into())
    }

    /// With a root filesystem for whoever has the address `peer`.
    fn for_peer(peer: IpAddr) -> Self {
        Self::make(peer, [(FILE.to_owned(), FILE_TEXT)])
    }

    /// With a root filesystem of these files, empty ones, for the client itself.
    fn with_files(paths: impl IntoIterator<Item = String>) -> Self {
        Self::make(CLIENT.into(), paths.into_iter().map(|path| (path, &b""[..])))
    }

    fn make(peer: IpAddr, files: impl IntoIterator<Item = (String, &'static [u8])>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = SocketAddr::from((SERVER, PORT));
        let files = files.into_iter().map(|(path, text)| (path, text.len() as u64, text));
        let (_, origin) = kept_run::make_for(directory.path(), server, peer, files).unwrap();
        Self { network: Network::start().unwrap(), directory, export: origin.export }
    }

    /// The directory of the run that has kept the root filesystem.
    fn run(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    fn serve(&self) -> Server {
        Server::kept(&self.network, &self.run()).unwrap()
    }

    /// A client that has the root filesystem mounted.
    fn client(&self) -> Guest {
        let mut guest = Guest::boot(&self.network).unwrap();
        guest.mount(SocketAddr::from((SERVER, PORT)), &self.export).unwrap();
        guest
    }
}

/// For what takes some ten seconds on a machine that has nothing else to do: a kernel that is a process among others gets
/// a tenth of a processor where twenty want one.
const PATIENCE: Duration = Duration::from_secs(300);
