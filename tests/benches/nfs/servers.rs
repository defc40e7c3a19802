//! The servers that are measured, each with the same two files.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use testbench::kept_run;

/// Size of the file that is read and of the one that is written, in bytes.
pub(crate) const FILE_SIZE: u64 = 128 << 20;
/// Name of the file that is read.
pub(crate) const FILE: &str = "file";

/// How long a server may take to answer.
const START: Duration = Duration::from_secs(15);

/// A running server; killed when dropped.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) nfs: SocketAddr,
    pub(crate) mount: SocketAddr,
    pub(crate) path: String,
    pub(crate) process: Child,
    /// Others that it needs.
    helpers: Vec<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in self.helpers.iter_mut().chain([&mut self.process]) {
            // Ended already is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn await_port(address: SocketAddr, what: &str) -> io::Result<()> {
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        if started.elapsed() > START {
            return Err(io::Error::other(format!("{what} does not listen on {address} after {START:?}")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// `host-runner rootfs serve` with a root filesystem of one file.
pub(crate) fn ours(directory: &Path) -> io::Result<Server> {
    let data = io::Read::take(io::repeat(b'x'), FILE_SIZE);
    let (_, origin) = kept_run::make(directory, loopback(12049), [(FILE, FILE_SIZE, data)])?;
    let server = origin.server;
    let process = Command::new(testbench::harness::host_runner())
        .args(["rootfs", "serve"])
        .arg(directory.join("run"))
        .stdout(Stdio::null())
        .spawn()?;
    let server = Server {
        name: "host-runner",
        nfs: server,
        mount: server,
        path: origin.export,
        process,
        helpers: Vec::new(),
    };
    await_port(server.nfs, server.name)?;
    Ok(server)
}

/// Debian's nfs-ganesha with the same file in a directory; `None` if it is not installed.
pub(crate) fn ganesha(directory: &Path) -> io::Result<Option<Server>> {
    if !Path::new("/usr/bin/ganesha.nfsd").exists() || !Path::new("/usr/sbin/rpcbind").exists() {
        return Ok(None);
    }
    let export = directory.join("export");
    fs::create_dir(&export)?;
    io::copy(&mut io::Read::take(io::repeat(b'x'), FILE_SIZE), &mut File::create(export.join(FILE))?)?;
    let config = directory.join("ganesha.conf");
    let path = export.display().to_string();
    fs::write(
        &config,
        format!(
            "NFS_CORE_PARAM {{ Protocols = 3; NFS_Port = 13049; MNT_Port = 13050; Enable_NLM = false; \
             Enable_RQUOTA = false; }}\n\
             EXPORT {{ Export_Id = 1; Path = {path}; Pseudo = /rootfs; Access_Type = RW; \
             Squash = No_Root_Squash; Protocols = 3; Transports = TCP; SecType = sys; FSAL {{ Name = VFS; }} }}\n"
        ),
    )?;
    let quiet = |program: &str| {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let rpcbind = quiet("/usr/sbin/rpcbind").arg("-f").spawn()?;
    let mut helpers = vec![rpcbind];
    if let Err(error) = await_port(loopback(111), "rpcbind") {
        helpers.iter_mut().for_each(|child| drop(child.kill()));
        return Err(error);
    }
    let process = quiet("/usr/bin/ganesha.nfsd")
        .arg("-F")
        .arg("-f")
        .arg(&config)
        .arg("-L")
        .arg(directory.join("ganesha.log"))
        .arg("-p")
        .arg(directory.join("ganesha.pid"))
        .spawn()?;
    let (nfs, mount) = (loopback(13049), loopback(13050));
    let server = Server { name: "nfs-ganesha", nfs, mount, path, process, helpers };
    await_port(nfs, server.name)?;
    await_port(mount, server.name)?;
    Ok(Some(server))
}
