//! The network of client and server, and processes in it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use host_runner::board::virtual_network::{NamespaceProcess, Stdio, VirtualNetwork};
use host_runner::net::Net;
use tokio::runtime::{Builder, Runtime};

use crate::harness::host_runner;

/// The server's address.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
/// The client's.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);
/// Length of the network's prefix in bits.
pub(super) const PREFIX: u8 = 24;

/// A network namespace with the server's address and a tap for the client, alive as long as this value and its clones.
#[derive(Clone, Debug)]
pub struct Network(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    network: VirtualNetwork,
    /// Behind the network, whose socket is one of its own.
    runtime: Runtime,
}

impl Network {
    /// Makes one.
    ///
    /// # Errors
    /// Where the system refuses it; the text says what to do.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let network =
            runtime.block_on(VirtualNetwork::start(host_runner(), SERVER, PREFIX, 1)).map_err(|error| {
                let help = error.help().unwrap_or_default();
                io::Error::other(format!("no network for the client: {error}: {help}"))
            })?;
        Ok(Self(Arc::new(Inner { network, runtime })))
    }

    /// Lets connections of the network react to loss and delay as `name` does (tcp(7), `tcp_congestion_control`), whatever the
    /// machine's own do.
    ///
    /// # Errors
    /// Where the kernel does not know it.
    pub fn set_congestion_control(&self, name: &str) -> io::Result<()> {
        let script = "cd /proc/sys/net/ipv4 && echo \"$1\" >tcp_congestion_control && echo done";
        let (mut said, output) = io::pipe()?;
        let shell = argv(Path::new("/bin/sh"), ["-c", script, "sh", name]);
        let mut process = self.spawn(&shell, File::open("/dev/null")?.into(), output.into())?;
        let mut text = String::new();
        said.read_to_string(&mut text)?;
        process.kill()?;
        if text == "done\n" {
            Ok(())
        } else {
            Err(io::Error::other(format!("congestion control {name}: {text}")))
        }
    }

    /// The name of the client's tap.
    pub(super) fn tap(&self) -> String {
        self.0.network.seats().map(|seat| seat.tap).next().unwrap_or_default()
    }

    /// Where its sockets are made.
    pub fn net(&self) -> Net {
        self.0.network.net()
    }

    /// Connects to a server in it.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = self.0.runtime.block_on(self.net().connect_tcp(address))?.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// Where the work on its sockets is done.
    pub fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// Starts a program in the network.
    ///
    /// # Errors
    /// Where that is not possible.
    pub fn spawn(&self, argv: &[OsString], stdin: OwnedFd, output: OwnedFd) -> io::Result<Process> {
        let stdio = Stdio { stdin, stderr: output.try_clone()?, stdout: output };
        let spawned = self.0.runtime.block_on(self.0.network.spawn(argv, stdio));
        let process = spawned.map_err(io::Error::other)?;
        Ok(Process { process: Some(process), network: self.clone() })
    }
}

/// A process in the network, and its process group; killed when dropped.
#[derive(Debug)]
pub struct Process {
    process: Option<NamespaceProcess>,
    network: Network,
}

impl Process {
    /// Its id; 0 once it was killed.
    pub fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, NamespaceProcess::pid)
    }

    /// Kills it with SIGKILL, unless that was done before, and waits until it is gone.
    ///
    /// # Errors
    /// When it is not gone in time, or the network was gone before it.
    pub fn kill(&mut self) -> io::Result<()> {
        match self.process.take() {
            Some(process) => self.network.0.runtime.block_on(process.kill()).map(drop),
            None => Ok(()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.kill();
    }
}

/// `program` and its arguments.
pub(super) fn argv<'a>(program: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Vec<OsString> {
    std::iter::once(program.into()).chain(arguments.into_iter().map(OsString::from)).collect()
}
