//! Starting and ending the network.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio as ProcessStdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::net::UnixStream;

use super::links::tap_name;
use super::wire::{Answer, Request};
use super::{HELPER_COMMAND, Layout, Namespace, NamespaceProcess, Refusal, Stdio, namespaces};
use crate::net::Net;

/// How long the helper may take to end before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest error text taken from a helper that did not start, in bytes.
const MAX_STDERR: u64 = 4096;

/// Why there is no virtual network, or why it did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VirtualNetworkError {
    /// The prefix is longer than an address.
    #[error("network prefix /{0} is longer than 32 bits")]
    Prefix(u8),
    /// `unshare` could not be started.
    #[error("`unshare` cannot be run")]
    Start(#[source] io::Error),
    /// The helper ended before it answered.
    #[error("the system refuses a network namespace: {stderr}")]
    Namespace {
        /// What was printed, or how it ended.
        stderr: String,
    },
    /// The helper could not do what it was asked.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The conversation with the helper failed.
    #[error("virtual network")]
    Conversation(#[from] io::Error),
}

impl VirtualNetworkError {
    /// What to do about it, where that can be said.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Start(_) => Some("install util-linux".to_owned()),
            Self::Namespace { .. } => Some(namespaces::help()),
            Self::Refused(Refusal::TunDevice { .. }) => Some(
                "load the module (`sudo modprobe tun`) and make the device usable for everybody, as distributions do \
                 (`sudo chmod 0666 /dev/net/tun`), or run as root"
                    .to_owned(),
            ),
            Self::Refused(Refusal::Program { program, .. }) if program == "ip" => Some("install iproute2".to_owned()),
            Self::Refused(Refusal::Program { .. }) => Some("install util-linux".to_owned()),
            Self::Refused(Refusal::Bridge { .. }) => {
                Some("load the module (`modprobe bridge`), or run with one virtual board".to_owned())
            }
            Self::Refused(Refusal::Link { .. }) => Some(namespaces::help()),
            Self::Refused(Refusal::Socket { .. } | Refusal::Unexpected) | Self::Prefix(_) | Self::Conversation(_) => None,
        }
    }
}

/// The network of the virtual boards, alive as long as this value.
///
/// Dropping it ends helper, processes, taps, bridge and namespace, and waits for that (milliseconds; at most 2 s).
#[derive(Debug)]
pub struct VirtualNetwork {
    namespace: Namespace,
    helper: Child,
    pidfd: OwnedFd,
    layout: Layout,
}

/// Where one virtual board is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The name of its tap.
    pub tap: String,
    /// Its Ethernet address.
    pub mac: [u8; 6],
}

impl Seat {
    /// The place of board `index`, from 0; addresses are in the range that QEMU uses for its guests.
    fn new(index: u16) -> Self {
        let [high, low] = index.wrapping_add(1).to_be_bytes();
        Self { tap: tap_name(usize::from(index)), mac: [0x52, 0x54, 0x00, 0x00, high, low] }
    }
}

impl VirtualNetwork {
    /// Starts `program` as the helper and sets up a network with the runner at `address`/`prefix` and `boards` taps.
    ///
    /// `program` must call [`helper_main`](super::helper_main) when its first argument is [`HELPER_COMMAND`]. As root
    /// a network namespace is made; as an ordinary user it lies in a user namespace, in which the user may use low ports.
    ///
    /// # Errors
    /// Where the system refuses a part of it; [`VirtualNetworkError::help`] says what to do.
    pub async fn start(
        program: &Path,
        address: Ipv4Addr,
        prefix: u8,
        boards: usize,
    ) -> Result<Self, VirtualNetworkError> {
        if prefix > 32 {
            return Err(VirtualNetworkError::Prefix(prefix));
        }
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(io::Error::from)?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(io::Error::from)?;
        let helper = spawn_helper(program, theirs).map_err(VirtualNetworkError::Start)?;
        let pidfd = pidfd_open(Pid::from_child(&helper), PidfdFlags::empty()).map_err(io::Error::from)?;
        let layout = Layout { address, prefix, boards };
        let mut network = Self { namespace: Namespace::new(ours)?, helper, pidfd, layout };
        match network.namespace.request(Request::SetUp(layout), Vec::new()).await {
            Ok((Answer::Ready, _)) => Ok(network),
            Ok((answer, _)) => Err(unexpected(answer)),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                Err(network.last_words())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Where the sockets of this network are made.
    pub fn net(&self) -> Net {
        Net::Namespace(self.namespace.clone())
    }

    /// The runner's address, prefix and the number of boards.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The places of its boards.
    pub fn seats(&self) -> impl Iterator<Item = Seat> {
        (0..=u16::MAX).take(self.layout.boards).map(Seat::new)
    }

    /// The process id of the helper, in whose network namespace the network is: `nsenter --target` enters it.
    pub fn helper_pid(&self) -> u32 {
        self.helper.id()
    }

    /// Starts a program inside the network, in a process group of its own.
    ///
    /// `argv` is the program, looked up in `PATH`, and its arguments. A program that does not exist shows as
    /// [`Exit::Code`](super::Exit::Code)(127) with a text on its standard error.
    ///
    /// # Errors
    /// Where no process could be made or the network has ended.
    pub async fn spawn(
        &self,
        argv: &[OsString],
        stdio: Stdio,
    ) -> Result<NamespaceProcess, VirtualNetworkError> {
        let (lifeline, theirs) = UnixStream::pair()?;
        let theirs = theirs.into_std()?;
        let fds = vec![stdio.stdin, stdio.stdout, stdio.stderr, theirs.into()];
        match self.namespace.request(Request::Spawn { argv: argv.to_vec() }, fds).await? {
            (Answer::Spawned { pid }, _) => Ok(NamespaceProcess::new(pid, lifeline)),
            (answer, _) => Err(unexpected(answer)),
        }
    }

    /// What a helper that ended early printed.
    fn last_words(&mut self) -> VirtualNetworkError {
        let mut text = Vec::new();
        if self.ends_in_time()
            && let Some(stderr) = self.helper.stderr.take()
        {
            // What could be read is said.
            let _ = stderr.take(MAX_STDERR).read_to_end(&mut text);
        }
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        let stderr = if text.is_empty() { "the helper ended without a word".to_owned() } else { text };
        VirtualNetworkError::Namespace { stderr }
    }

    fn ends_in_time(&self) -> bool {
        let timeout = Timespec { tv_sec: END_TIMEOUT.as_secs().cast_signed(), tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&timeout)).is_ok_and(|ready| ready > 0)
    }
}

impl Drop for VirtualNetwork {
    fn drop(&mut self) {
        self.namespace.shut_down();
        if !self.ends_in_time() {
            // Its processes are killed with it by their parent-death signal.
            let _ = self.helper.kill();
        }
        let _ = self.helper.wait();
    }
}

/// The command `unshare`, from util-linux, enters the namespaces and becomes the helper: same process, nothing between.
fn spawn_helper(program: &Path, socket: OwnedFd) -> io::Result<Child> {
    use std::os::unix::process::CommandExt as _;

    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--net", "--"])
        .arg(program)
        .arg(HELPER_COMMAND)
        .env("PATH", path_with_sbin())
        .stdin(socket)
        .stdout(ProcessStdio::null())
        .stderr(ProcessStdio::piped())
        // Ctrl-C is for the runner, which still needs its boards to end well.
        .process_group(0)
        .spawn()
}

/// `PATH` with the directories where `ip` may be; ordinary users often lack them.
fn path_with_sbin() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    path.push(":/usr/sbin:/sbin");
    path
}

fn unexpected(answer: Answer) -> VirtualNetworkError {
    match answer {
        Answer::Refused(refusal) => refusal.into(),
        _ => Refusal::Unexpected.into(),
    }
}
