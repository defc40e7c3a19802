//! The servers that are measured, each with a file to read in a root filesystem of its own.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use testbench::harness::{bench_peer, installed_peer};
use testbench::kept_run;
use testbench::kernel_client::{Network, Server as Running};

/// Size of the file that is read and of the one that is written, in bytes.
pub(crate) const FILE_SIZE: u64 = 128 << 20;
/// Name of the file that is read.
pub(crate) const FILE: &str = "file";

const GANESHA: &str = "/usr/bin/ganesha.nfsd";
const RPCBIND: &str = "/usr/sbin/rpcbind";

/// How a server's program is found or built.
type Find = fn() -> io::Result<Program>;

/// All of them.
pub(crate) const ALL: [(&str, Find); 4] = [
    ("host-runner", || Ok(Program::Ours)),
    ("nfs-ganesha", || {
        if !rustix::process::geteuid().is_root() {
            return Err(io::Error::other("it serves as root only"));
        }
        let absent = [GANESHA, RPCBIND].into_iter().find(|program| !Path::new(program).exists());
        let text = "there is no such file (Debian packages nfs-ganesha, nfs-ganesha-vfs and rpcbind)";
        absent.map_or(Ok(Program::Ganesha), |program| Err(io::Error::other(format!("{program}: {text}"))))
    }),
    ("nfs-mamont", || bench_peer("nfs-mamont").map(Program::Mamont)),
    ("nfs3_server", || installed_peer("cargo-nfs3-server", "0.2.3").map(Program::Nfs3Server)),
];

/// A server that can be started.
pub(crate) enum Program {
    Ours,
    /// Debian's, which needs rpcbind beside it.
    Ganesha,
    /// `tests/benches/peers`.
    Mamont(PathBuf),
    /// cargo-nfs3-server, with nfs3_server 0.11.1.
    Nfs3Server(PathBuf),
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) nfs: SocketAddr,
    pub(crate) mount: SocketAddr,
    /// What is mounted.
    pub(crate) path: String,
    pub(crate) process: Running,
    /// Others that it needs.
    _helpers: Vec<Running>,
}

/// Where a server runs, and for whom.
pub(crate) struct Place<'a> {
    pub(crate) network: &'a Network,
    pub(crate) address: Ipv4Addr,
    /// The client's address.
    pub(crate) client: IpAddr,
    /// For what it serves.
    pub(crate) directory: &'a Path,
}

/// What one load or step took on one server.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// The network of a table. Its connections have Linux's own congestion control, whatever this machine prefers: BBR takes some
/// hundred round trips to find out what a wire can carry, and so makes a server fast or slow by its pauses.
pub(crate) fn network() -> io::Result<Network> {
    let network = Network::start()?;
    network.set_congestion_control("cubic")?;
    Ok(network)
}

/// Starts all programs.
pub(crate) fn start(place: &Place<'_>, programs: &[(&'static str, Program)]) -> io::Result<Vec<Server>> {
    programs.iter().map(|(name, program)| start_one(place, name, program)).collect()
}

fn start_one(place: &Place<'_>, name: &'static str, program: &Program) -> io::Result<Server> {
    let at = |port| SocketAddr::from((place.address, port));
    let directory = place.directory.join(name);
    fs::create_dir(&directory)?;
    let words = |program: &Path, arguments: &[&str]| -> Vec<OsString> {
        std::iter::once(program.into()).chain(arguments.iter().map(OsString::from)).collect()
    };
    let mut helpers = Vec::new();
    let (nfs, mount, path, process) = match program {
        Program::Ours => {
            let files = [(FILE, FILE_SIZE, io::repeat(b'x').take(FILE_SIZE))];
            let (_, origin) = kept_run::make_for(&directory, at(12_049), place.client, files)?;
            (at(12_049), at(12_049), origin.export, Running::kept(place.network, &directory.join("run"))?)
        }
        Program::Ganesha => {
            let export = export(&directory)?;
            let config = directory.join("ganesha.conf");
            fs::write(&config, ganesha_config(&export))?;
            helpers.push(Running::other(place.network, &words(RPCBIND.as_ref(), &["-f"]), &[at(111)])?);
            let (log, pid) = (directory.join("log"), directory.join("pid"));
            let mut argv = words(GANESHA.as_ref(), &["-F", "-f"]);
            argv.extend([config.into(), "-L".into(), log.into(), "-p".into(), pid.into()]);
            let process = Running::other(place.network, &argv, &[at(13_049), at(13_050)])?;
            (at(13_049), at(13_050), export.display().to_string(), process)
        }
        Program::Mamont(program) => {
            let mut argv = words(program, &[&at(14_049).to_string()]);
            argv.push(export(&directory)?.into());
            let process = Running::other(place.network, &argv, &[at(14_049)])?;
            (at(14_049), at(14_049), "/export".to_owned(), process)
        }
        Program::Nfs3Server(program) => {
            let address = place.address.to_string();
            let options =
                ["--bind-ip", &address, "--bind-port", "15049", "--quiet", "--log-level", "error", "--path"];
            let mut argv = words(program, &options);
            argv.push(export(&directory)?.into());
            let process = Running::other(place.network, &argv, &[at(15_049)])?;
            (at(15_049), at(15_049), "/".to_owned(), process)
        }
    };
    Ok(Server { name, nfs, mount, path, process, _helpers: helpers })
}

/// Makes a directory with the file that is read, for a server that has one.
fn export(directory: &Path) -> io::Result<PathBuf> {
    let export = directory.join("export");
    fs::create_dir(&export)?;
    io::copy(&mut io::repeat(b'x').take(FILE_SIZE), &mut File::create(export.join(FILE))?)?;
    Ok(export)
}

fn ganesha_config(export: &Path) -> String {
    format!(
        "NFS_CORE_PARAM {{ Protocols = 3; NFS_Port = 13049; MNT_Port = 13050; Enable_NLM = false; \
         Enable_RQUOTA = false; }}\n\
         EXPORT {{ Export_Id = 1; Path = {}; Pseudo = /rootfs; Access_Type = RW; Squash = No_Root_Squash; \
         Protocols = 3; Transports = TCP; SecType = sys; FSAL {{ Name = VFS; }} }}\n",
        export.display()
    )
}
