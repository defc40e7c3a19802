//! The bench file: which boards there are and how they are reached.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::board_type::{LinuxSettings, SerialConsole, UbootSettings};
use super::power::Power;
use super::tokens::Tokens;
use crate::artifact::Mirrors;
use crate::diagnostic::{Diagnostics, ReadError};
use crate::link::Target;

/// A checked bench file. Relative paths of the file are resolved against its directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Bench {
    /// The bench file.
    pub path: PathBuf,
    /// `[network] address`: where real boards reach this PC.
    pub address: Option<IpAddr>,
    /// The network of the virtual boards.
    pub virtual_network: VirtualNetwork,
    /// `[agent] directory`: holds `<arch>/lava-agent`.
    pub agent_directory: Option<PathBuf>,
    /// `[cache] directory`; without it, the user's cache.
    pub cache_directory: Option<PathBuf>,
    /// `[rootfs] directory`: the persistent root filesystems; without it, a directory of the user's data.
    pub rootfs_directory: Option<PathBuf>,
    /// Rules that rewrite URLs.
    pub mirrors: Mirrors,
    /// `[scp] config`: a configuration of OpenSSH's client for `scp` URLs, instead of the user's.
    pub ssh_config: Option<PathBuf>,
    /// `[tokens]`: secrets that headers of jobs name.
    pub tokens: Tokens,
    /// The boards, by name.
    pub boards: Vec<Arc<Board>>,
}

/// The network of the virtual boards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualNetwork {
    /// The runner's own address in it.
    pub address: Ipv4Addr,
    /// Length of its prefix, in bits.
    pub prefix: u8,
}

/// A board of the bench: its type and what the bench file says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    /// Its name on the bench.
    pub name: String,
    /// Name of its type.
    pub board_type: String,
    /// Device types that jobs may ask for.
    pub device_types: Vec<String>,
    /// Words that jobs may ask for with `tags`.
    pub tags: Vec<String>,
    /// Architecture of the agent, such as `armv7`.
    pub arch: String,
    /// How its console is reached.
    pub console: ConsoleTarget,
    /// Further connections to it, by the names that `boot: method: new_connection` gives.
    pub consoles: Vec<(String, Target)>,
    /// How it is reached over SSH without another role's help, for `boot: method: ssh`.
    pub ssh: Option<SshAccess>,
    /// Commands that a job's `command` actions name.
    pub commands: Vec<BenchCommand>,
    /// What `{NAME}` in the URLs of jobs stands for, LAVA's `static_info`.
    pub static_info: Vec<(String, String)>,
    /// Its console, seen from Linux.
    pub linux_console: SerialConsole,
    /// What the link to the agent on it runs over.
    pub agent_link: AgentLink,
    /// Its IP address, if it is fixed: TFTP and NFS answer only it.
    pub address: Option<IpAddr>,
    /// Port of its SSH server.
    pub ssh_port: u16,
    /// How U-Boot's own tests get at it.
    pub u_boot_test: UBootTest,
    /// What tests may be told of it.
    pub info: BoardInfo,
    /// Variables of the test scripts on it, in the file's order; those of a job win.
    pub environment: Vec<(String, String)>,
    /// How its power is switched; `None` for a virtual board, and where it is done by hand.
    pub power: Option<Power>,
    /// Bytes of changed data that a job may write into its root filesystem; what exceeds them fails with ENOSPC.
    pub rootfs_budget: u64,
    /// U-Boot on it, if it has one.
    pub uboot: Option<UbootSettings>,
    /// Linux on it.
    pub linux: LinuxSettings,
}

impl Board {
    /// Whether the runner emulates it.
    pub fn is_virtual(&self) -> bool {
        self.qemu().is_some()
    }

    /// Variables for the test scripts, from which the helpers tell what is known of the board.
    pub fn test_variables(&self) -> Vec<(String, String)> {
        let BoardInfo { mac, probe_ip, probe_channel, storage } = &self.info;
        let storage: Vec<_> = storage.iter().map(|(method, id)| format!("{method}={id}")).collect();
        [
            ("LAVA_TARGET_IP", self.address.map(|address| address.to_string())),
            ("LAVA_TARGET_MAC", mac.clone()),
            ("LAVA_TARGET_STORAGE", Some(storage.join(" ")).filter(|storage| !storage.is_empty())),
            ("LAVA_PROBE_IP", probe_ip.clone()),
            ("LAVA_PROBE_CHANNEL", probe_channel.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }

    /// What the emulator needs, if the runner emulates it.
    pub fn qemu(&self) -> Option<&QemuSettings> {
        match &self.console {
            ConsoleTarget::None | ConsoleTarget::Line(_) => None,
            ConsoleTarget::Qemu(settings) => Some(settings),
        }
    }
}

/// How a board that is up by itself is reached over SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshAccess {
    /// Its name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// The private key, in a file that OpenSSH can read.
    pub identity_file: PathBuf,
    /// The keys that it may show: lines such as `ssh-ed25519 AAAA…`; at least one.
    pub host_keys: Vec<String>,
}

/// A command of the bench, run on this PC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BenchCommand {
    /// Its name.
    pub name: String,
    /// `do`: a program and its arguments.
    pub run: Vec<String>,
    /// `undo`: what is run at the end of a job that has run the command; may be empty.
    pub undo: Vec<String>,
}

/// What U-Boot's own tests need of a board (U-Boot's `doc/develop/py_testing.rst`, "Hook scripts").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UBootTest {
    /// Writes the U-Boot that was built to the board: a program and its arguments. Without one, the board keeps what it
    /// has.
    pub flash: Option<Vec<String>>,
    /// How long that may take.
    pub flash_timeout: Duration,
}

impl Default for UBootTest {
    fn default() -> Self {
        Self { flash: None, flash_timeout: Duration::from_secs(300) }
    }
}

/// What the bench file lets tests know of a board, by helpers such as `lava-target-mac`. No value has spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardInfo {
    /// Hardware address of its network interface.
    pub mac: Option<String>,
    /// Address of the energy probe at it.
    pub probe_ip: Option<String>,
    /// Its channel of that probe.
    pub probe_channel: Option<String>,
    /// Storage devices: the way to reach them, such as `UMS` or `SATA`, and their names there.
    pub storage: Vec<(String, String)>,
}

/// What the link to the agent on a board runs over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentLink {
    /// The console, which the kernel writes to as well: needs nothing else.
    #[default]
    Console,
    /// A TCP connection that the agent makes: as fast as the network, which must be up when the tests begin.
    Tcp,
}

/// How a board's console is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleTarget {
    /// It has none: a board that is reached over SSH only.
    None,
    /// A line of the bench; its power is switched by [`Board::power`].
    Line(Target),
    /// The emulator that the runner starts and ends: that is its power.
    Qemu(QemuSettings),
}

/// What the emulator needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QemuSettings {
    /// The board's own initial RAM disk, for jobs that bring none.
    pub initrd: Option<PathBuf>,
    /// U-Boot.
    pub firmware: PathBuf,
    /// Size of its memory in MiB.
    pub memory_mb: u32,
}

/// Why a bench file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Files have problems; the bench file's come first.
    #[error("{}", join(.0))]
    Invalid(Vec<Diagnostics>),
}

impl VirtualNetwork {
    /// The network if the bench file names none.
    pub const DEFAULT: Self = Self { address: Ipv4Addr::new(10, 77, 0, 1), prefix: 24 };

    /// Whether `address` is in the network.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
        (self.address.to_bits() ^ address.to_bits()) & mask == 0
    }
}

fn join(files: &[Diagnostics]) -> String {
    files.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
