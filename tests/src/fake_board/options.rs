//! What kind of board is played.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A scripted board for tests: U-Boot, kernel and root shell that answer at once.
///
/// U-Boot fetches by TFTP from `serverip` (port: variable `tftpdstp`), the kernel reads its NFS root, and typing
/// `/lava-<id>/bin/lava-agent console` runs that program. Every option can also be given in the environment.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "fake-board", version)]
pub struct Options {
    /// Makes a pseudo-terminal and links PATH to it, instead of standard input and output.
    #[arg(long, value_name = "PATH", env = "FAKE_BOARD_PTY", conflicts_with = "tcp")]
    pub pty: Option<PathBuf>,
    /// Serves one TCP connection on ADDRESS:PORT, instead of standard input and output; port 0 picks one and
    /// prints it on standard error.
    #[arg(long, value_name = "ADDRESS", env = "FAKE_BOARD_TCP")]
    pub tcp: Option<SocketAddr>,
    /// Copies the root file system to a directory in DIRECTORY, TMPDIR if none is given. It is removed when the line ends,
    /// but not when the board is killed.
    #[arg(long, value_name = "DIRECTORY", env = "FAKE_BOARD_DIRECTORY",
          default_value_os_t = std::env::temp_dir(), hide_default_value = true)]
    pub directory: PathBuf,
    /// The root file system where the boot arguments name none of NFS: a copy of DIRECTORY, a RAM disk's or the board's own.
    #[arg(long, value_name = "DIRECTORY", env = "FAKE_BOARD_OWN_ROOTFS")]
    pub own_rootfs: Option<PathBuf>,
    /// Runs this agent whatever lies in the root file system: one for this PC's architecture.
    #[arg(long, value_name = "PROGRAM", env = "FAKE_BOARD_AGENT")]
    pub agent: Option<PathBuf>,
    /// The board's IP address, one of this PC's own: TFTP, NFS and sshd use it.
    #[arg(long, value_name = "ADDRESS", env = "FAKE_BOARD_ADDRESS", default_value = "127.0.0.1")]
    pub address: IpAddr,
    /// U-Boot's TFTP server port, until `tftpdstp` is set.
    #[arg(long, value_name = "PORT", env = "FAKE_BOARD_TFTP_PORT", default_value_t = 69)]
    pub tftp_port: u16,
    /// The port mapper's port, asked for NFS ports that the boot arguments do not give.
    #[arg(long, value_name = "PORT", env = "FAKE_BOARD_PORTMAP_PORT", default_value_t = 111)]
    pub portmap_port: u16,
    /// Starts OpenSSH's sshd on PORT with host key and authorized_keys of the root file system.
    #[arg(long, value_name = "PORT", env = "FAKE_BOARD_SSHD_PORT")]
    pub sshd_port: Option<u16>,
    /// Where sshd is.
    #[arg(long, value_name = "PROGRAM", env = "FAKE_BOARD_SSHD", default_value = "/usr/sbin/sshd")]
    pub sshd: PathBuf,
    /// Asks for a login instead of giving a root shell.
    #[arg(long, env = "FAKE_BOARD_LOGIN")]
    pub login: bool,
    /// The password that the login wants; none: the user name is enough.
    #[arg(long, env = "FAKE_BOARD_PASSWORD")]
    pub password: Option<String>,
    /// Runs COMMAND, a line for sh, as the root shell, on a terminal of its own; none: a shell that knows a few commands.
    #[arg(long, value_name = "COMMAND", env = "FAKE_BOARD_SHELL")]
    pub shell: Option<String>,
    /// Milliseconds from the kernel's first message to the prompt.
    #[arg(long, value_name = "MS", env = "FAKE_BOARD_BOOT_MS", default_value = "0", value_parser = milliseconds)]
    pub boot_time: Duration,
    /// Breaks an agent's connection to the runner each time that it is MS milliseconds old.
    #[arg(long, value_name = "MS", env = "FAKE_BOARD_AGENT_CUTS", value_parser = milliseconds)]
    pub agent_cuts: Option<Duration>,
    /// What goes wrong.
    #[arg(long, value_enum, env = "FAKE_BOARD_FAULT")]
    pub fault: Option<Fault>,
}

/// What goes wrong with the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Fault {
    /// Every TFTP transfer ends with an error.
    TftpError,
    /// No kernel image has the right magic.
    BadMagic,
    /// The boot command comes back to U-Boot's prompt.
    PromptFallback,
    /// The board resets at every U-Boot command.
    ResetLoop,
    /// The kernel panics.
    Panic,
    /// The kernel finds no root file system.
    NoRootfs,
    /// Nothing follows the kernel log.
    NoLogin,
    /// The login asks for a password and refuses every one.
    WrongPassword,
    /// The board says nothing at all.
    Silent,
    /// The board sends noise, as with a wrong baud rate.
    Garbage,
    /// U-Boot says its banner and nothing more.
    NoPrompt,
    /// No TFTP request leaves the board.
    TftpBlocked,
    /// TFTP brings files with a flipped bit.
    TftpDamage,
    /// The line is closed in the middle of the kernel log.
    HangUp,
    /// An agent cannot reach the runner.
    AgentUnreachable,
}

fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}
