//! Servers in the client's network.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::network::{Network, Process, argv};
use crate::harness::host_runner;
use crate::printed::{Printed, read};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(30);

/// A running server; killed with SIGKILL when dropped.
#[derive(Debug)]
pub struct Server {
    process: Process,
    printed: Arc<Printed>,
}

impl Server {
    /// Starts `host-runner rootfs serve` for the root filesystem that `run` has kept, and waits until it serves.
    ///
    /// # Errors
    /// When it does not; the text has what it printed.
    pub fn kept(network: &Network, run: &Path) -> io::Result<Self> {
        let mut argv = argv(host_runner(), ["rootfs", "serve"]);
        argv.push(run.into());
        let server = Self::spawn(network, &argv)?;
        server.printed.wait_for("serving ", START).map_err(|printed| {
            io::Error::other(format!("waited {START:?} for `rootfs serve` to serve; it printed:\n{printed}"))
        })?;
        Ok(server)
    }

    /// Starts another program, and waits until it listens on all of `addresses`.
    ///
    /// # Errors
    /// When it does not; the text has what it printed.
    pub fn other(network: &Network, argv: &[OsString], addresses: &[SocketAddr]) -> io::Result<Self> {
        let server = Self::spawn(network, argv)?;
        let started = Instant::now();
        for address in addresses {
            while let Err(error) = network.connect(*address) {
                if started.elapsed() > START {
                    let printed = server.printed();
                    let text = format!(
                        "waited {START:?} for {argv:?} to listen on {address}: {error}; it printed:\n{printed}"
                    );
                    return Err(io::Error::other(text));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(server)
    }

    fn spawn(network: &Network, argv: &[OsString]) -> io::Result<Self> {
        let (output, theirs) = io::pipe()?;
        let process = network.spawn(argv, File::open("/dev/null")?.into(), theirs.into())?;
        let printed = Arc::new(Printed::default());
        read(output, Arc::clone(&printed));
        Ok(Self { process, printed })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When it is not gone in time.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// What it has printed until now.
    pub fn printed(&self) -> String {
        self.printed.text()
    }
}
