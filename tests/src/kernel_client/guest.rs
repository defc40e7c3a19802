//! User-mode Linux: booted, given scripts, asked for what came of them.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, PipeWriter, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::network::{CLIENT, Network, PREFIX, Process, argv};
use crate::harness::target_directory;
use crate::printed::{Printed, read};

/// Where the export is mounted in the guest: a directory that every Debian has, empty.
pub const MOUNT_POINT: &str = "/srv";

/// How long it may take to boot: three seconds on a machine with nothing else to do, and far more where others want its
/// processors.
const BOOT: Duration = Duration::from_secs(120);
/// How long a mount may take.
const MOUNT: Duration = Duration::from_secs(60);
/// Begins the lines that tell where the output of a step begins and ends; init.sh writes it.
const MARK: char = '\u{1e}';
/// What of the console goes into an error, in characters.
const TAIL: usize = 4000;

/// A running kernel; killed when dropped.
#[derive(Debug)]
pub struct Guest {
    _process: Process,
    console: Arc<Printed>,
    input: PipeWriter,
    /// With the scripts.
    directory: TempDir,
    steps: usize,
}

/// How a script ended.
#[derive(Debug)]
pub struct Step {
    /// Its exit status.
    pub status: i32,
    /// What it wrote, to standard output and standard error.
    pub output: String,
}

impl Guest {
    /// Boots a kernel in `network`.
    ///
    /// # Errors
    /// When the lab has none, or it does not come up in time.
    pub fn boot(network: &Network) -> io::Result<Self> {
        let uml = target_directory().join("lab/uml");
        let kernel = uml.join("linux.uml");
        if !kernel.is_file() {
            let text = format!("{} is missing: `cargo xtask lab` fetches it", kernel.display());
            return Err(io::Error::other(text));
        }
        let directory = tempfile::tempdir()?;
        symlink(uml.join("modules"), directory.path().join("modules"))?;
        let init = directory.path().join("init");
        fs::write(&init, include_str!("init.sh"))?;
        fs::set_permissions(&init, Permissions::from_mode(0o755))?;
        let (theirs, input) = io::pipe()?;
        let (output, their_output) = io::pipe()?;
        let arguments = [
            "mem=512M quiet con=null con0=fd:0,fd:1 root=/dev/root rootfstype=hostfs rootflags=/ ro"
                .to_owned(),
            format!("init={}", init.display()),
            format!("uml_dir={}", directory.path().display()),
            format!("vec0:transport=tap,ifname={},depth=128,gro=1", network.tap()),
            format!("client={CLIENT}/{PREFIX}"),
        ]
        .join(" ");
        // Beside the kernel, for processors that it does not know; the file says more.
        let mut preload = OsString::from("LD_PRELOAD=");
        preload.push(uml.join("ptrace.so"));
        let program = argv(&kernel, arguments.split(' '));
        let argv: Vec<_> = [OsString::from("env"), preload].into_iter().chain(program).collect();
        let process = network.spawn(&argv, theirs.into(), their_output.into())?;
        let console = Arc::new(Printed::default());
        read(output, Arc::clone(&console));
        let guest = Self { _process: process, console, input, directory, steps: 0 };
        guest.await_line("READY\n", BOOT, "it to boot")?;
        Ok(guest)
    }

    /// Mounts `export` of the server at `address`, NFS and MOUNT on one port, as a board's boot line does.
    ///
    /// # Errors
    /// When that fails.
    pub fn mount(&mut self, address: SocketAddr, export: &str) -> io::Result<()> {
        self.mount_from(address, address.port(), export)
    }

    /// As [`mount`](Self::mount), from a server with a port of its own for MOUNT.
    ///
    /// # Errors
    /// When that fails.
    pub fn mount_from(&mut self, address: SocketAddr, mount_port: u16, export: &str) -> io::Result<()> {
        self.mount_at(MOUNT_POINT, address, mount_port, export)
    }

    /// As [`mount_from`](Self::mount_from), at another place, which is made.
    ///
    /// # Errors
    /// When that fails.
    pub fn mount_at(
        &mut self,
        place: &str,
        address: SocketAddr,
        mount_port: u16,
        export: &str,
    ) -> io::Result<()> {
        let options = format!(
            "vers=3,proto=tcp,mountproto=tcp,nolock,port={},mountport={mount_port},rsize=262144,wsize=262144",
            address.port()
        );
        let server = address.ip();
        let mount = format!("mkdir -p {place} && mount -t nfs -o {options} {server}:{export} {place}");
        self.run_well(&mount, MOUNT)?;
        Ok(())
    }

    /// Runs a script of the shell to its end.
    ///
    /// # Errors
    /// When it takes longer than `patience`, or the kernel ends.
    pub fn run(&mut self, script: &str, patience: Duration) -> io::Result<Step> {
        let step = self.start(script)?;
        self.finish(step, patience)
    }

    /// As [`run`](Self::run), and what the script wrote; a status other than 0 is an error as well.
    ///
    /// # Errors
    /// When it fails.
    pub fn run_well(&mut self, script: &str, patience: Duration) -> io::Result<String> {
        let Step { status, output } = self.run(script, patience)?;
        if status == 0 {
            return Ok(output);
        }
        Err(io::Error::other(format!("in the guest, status {status}:\n{script}\n{}", tail(&output))))
    }

    /// Starts a script of the shell, to be [finished](Self::finish) before the next one.
    ///
    /// # Errors
    /// When it cannot be given to the guest.
    pub fn start(&mut self, script: &str) -> io::Result<usize> {
        self.steps += 1;
        self.put(&format!("step-{}", self.steps), script)?;
        writeln!(self.input, "{}", self.steps)?;
        Ok(self.steps)
    }

    /// Whether a script has ended.
    pub fn has_finished(&self, step: usize) -> bool {
        self.console.wait_for(&end_of(step), Duration::ZERO).is_ok()
    }

    /// Waits for the end of a script.
    ///
    /// # Errors
    /// When it takes longer than `patience`, or the kernel ends.
    pub fn finish(&self, step: usize, patience: Duration) -> io::Result<Step> {
        let end = end_of(step);
        self.await_line(&end, patience, &format!("step {step}"))?;
        let text = self.console.text();
        let begin = format!("{MARK}begin {step}\n");
        let output = text.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
        let (output, rest) = output.ok_or_else(|| io::Error::other(tail(&text)))?;
        let status = rest.lines().next().unwrap_or_default();
        let status = status.parse().map_err(|_| io::Error::other(tail(&text)))?;
        Ok(Step { status, output: output.to_owned() })
    }

    /// Writes a file that the guest can read, and tells where it is in the guest as on this machine.
    ///
    /// # Errors
    /// Those of the file.
    pub fn put(&self, name: &str, content: &str) -> io::Result<PathBuf> {
        let path = self.directory.path().join(name);
        File::create(&path)?.write_all(content.as_bytes())?;
        Ok(path)
    }

    /// The directory of such files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn await_line(&self, text: &str, patience: Duration, what: &str) -> io::Result<()> {
        self.console.wait_for(text, patience).map_err(|console| {
            let text = format!("waited {patience:?} for {what}; the guest's console:\n{}", tail(&console));
            io::Error::other(text)
        })
    }
}

/// What follows the output of a step.
fn end_of(step: usize) -> String {
    format!("{MARK}end {step} ")
}

/// The end of a long text.
fn tail(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(TAIL);
    text.chars().skip(skipped).collect()
}
