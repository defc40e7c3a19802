//! The virtual board: QEMU's Arm `virt` machine with U-Boot as its firmware, started and ended like power.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::virtual_network::{Exit, NamespaceProcess, Seat, Stdio, VirtualNetwork, VirtualNetworkError};

/// How long to wait for the first console byte; U-Boot prints within half a second.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for the rest of the errors of a QEMU that has ended.
const STDERR_TIMEOUT: Duration = Duration::from_secs(1);

/// How much of the end of QEMU's errors is kept, in bytes.
const KEPT_STDERR: usize = 4096;

/// Exit status of a program that does not exist.
const NOT_FOUND: i32 = 127;

/// The emulator of virtual boards.
pub const BINARY: &str = "qemu-system-arm";

/// A virtual board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QemuConfig {
    /// QEMU itself; a bare name is looked up in `PATH`. Usually [`BINARY`].
    pub binary: PathBuf,
    /// U-Boot for the `virt` machine, such as `/usr/lib/u-boot/qemu_arm/u-boot.bin`.
    pub firmware: PathBuf,
    /// Memory in MiB.
    pub memory_mb: u32,
    /// Where it is plugged in; one of [`VirtualNetwork::seats`].
    pub seat: Seat,
}

impl QemuConfig {
    /// The command line.
    ///
    /// Without `-no-reboot`: a board that resets shows its boot loader again, as a real one does.
    fn argv(&self) -> Vec<OsString> {
        let mac = self.seat.mac.map(|byte| format!("{byte:02x}")).join(":");
        // The option ROM of the network device comes in a package of its own and is of no use to U-Boot: no `romfile`.
        let device = format!("virtio-net-pci,netdev=n0,mac={mac},romfile=");
        let netdev = format!("tap,id=n0,ifname={},script=no,downscript=no", self.seat.tap);
        let mut argv = vec![self.binary.clone().into_os_string()];
        argv.extend(
            ["-no-user-config", "-nodefaults", "-M", "virt", "-cpu", "cortex-a15"].map(OsString::from),
        );
        argv.extend(["-m".into(), self.memory_mb.to_string().into()]);
        argv.extend(["-display", "none", "-monitor", "none", "-serial", "stdio"].map(OsString::from));
        argv.extend(["-bios".into(), self.firmware.clone().into_os_string()]);
        argv.extend(["-netdev".into(), netdev.into(), "-device".into(), device.into()]);
        argv
    }
}

/// Why a virtual board is not on.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// The firmware cannot be read.
    #[error("firmware {}", .path.display())]
    Firmware {
        /// Its path.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// QEMU is not installed.
    #[error("`{}` is not installed", .binary.display())]
    NotInstalled {
        /// The program asked for.
        binary: PathBuf,
    },
    /// QEMU ended.
    #[error("QEMU ended with {exit}: {stderr}")]
    Ended {
        /// How.
        exit: Exit,
        /// The end of what it printed, or a word that it printed nothing.
        stderr: String,
    },
    /// QEMU could not be started.
    #[error("cannot start QEMU")]
    Start(#[from] VirtualNetworkError),
    /// Its streams could not be made or used.
    #[error("QEMU")]
    Io(#[from] io::Error),
}

impl QemuError {
    /// What to do about it, where that can be said.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Firmware { .. } => {
                Some("install u-boot-qemu, or set `firmware` in the board's [qemu] table".to_owned())
            }
            Self::NotInstalled { .. } => Some(format!("install {BINARY}")),
            Self::Start(error) => error.help(),
            Self::Ended { .. } | Self::Io(_) => None,
        }
    }
}

/// A virtual board that is on. Dropping it switches it off.
#[derive(Debug)]
pub struct QemuBoard {
    binary: PathBuf,
    process: NamespaceProcess,
    stderr: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
    /// This end of its serial console, so that the console outlives whoever reads it.
    console: OwnedFd,
}

impl QemuBoard {
    /// Switches the board on: starts QEMU in `network`. Returns its serial console with it.
    ///
    /// The board waits while nobody reads the console. The console ends when the board switches itself off.
    ///
    /// # Errors
    /// [`QemuError::Ended`] with QEMU's own words if it ends before the console shows a first byte.
    pub async fn power_on(
        network: &VirtualNetwork,
        config: &QemuConfig,
    ) -> Result<(UnixStream, Self), QemuError> {
        let firmware = tokio::fs::File::open(&config.firmware).await;
        firmware.map_err(|source| QemuError::Firmware { path: config.firmware.clone(), source })?;
        let (console, serial) = UnixStream::pair()?;
        let serial = OwnedFd::from(serial.into_std()?);
        let (errors, stderr) = io::pipe()?;
        let stdio = Stdio { stdin: serial.try_clone()?, stdout: serial, stderr: stderr.into() };
        let process = network.spawn(&config.argv(), stdio).await?;
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let reader =
            tokio::spawn(collect(pipe::Receiver::from_owned_fd(errors.into())?, Arc::clone(&stderr)));
        let kept = rustix::io::dup(&console).map_err(io::Error::from)?;
        let mut board = Self { binary: config.binary.clone(), process, stderr, reader, console: kept };
        tokio::select! {
            biased;
            ended = board.ended() => Err(ended),
            // A firmware that stays silent is not QEMU's fault.
            shown = timeout(START_TIMEOUT, console.readable()) => match shown {
                Ok(Ok(())) if is_at_end(&console) => Err(board.ended().await),
                _ => Ok((console, board)),
            },
        }
    }

    /// Waits until QEMU ends by itself, and says how. Can be dropped and called again.
    pub async fn ended(&mut self) -> QemuError {
        let exit = match self.process.wait().await {
            Ok(Exit::Code(NOT_FOUND)) => return QemuError::NotInstalled { binary: self.binary.clone() },
            Ok(exit) => exit,
            Err(error) => return error.into(),
        };
        // The pipe ends with QEMU; what is there already is worth showing even if it did not.
        if !self.reader.is_finished() {
            let _ = timeout(STDERR_TIMEOUT, &mut self.reader).await;
        }
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&stderr).trim().to_owned();
        QemuError::Ended {
            exit,
            stderr: if text.is_empty() { "it printed nothing".to_owned() } else { text },
        }
    }

    /// Switches the board off, and waits until QEMU is gone. A board that went off by itself is off.
    ///
    /// # Errors
    /// `TimedOut` if QEMU is not gone within 5 s.
    pub async fn power_off(self) -> Result<(), QemuError> {
        match self.process.kill().await {
            Ok(_) => Ok(()),
            // The network's end was the board's end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Its serial console once more, where the first one was given up.
    ///
    /// # Errors
    /// That of the system, if it has no descriptor left.
    pub fn console(&self) -> io::Result<UnixStream> {
        let console = std::os::unix::net::UnixStream::from(self.console.try_clone()?);
        console.set_nonblocking(true)?;
        UnixStream::from_std(console)
    }

    /// QEMU's process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Whether `console` is readable because it ended; takes no byte.
fn is_at_end(console: &UnixStream) -> bool {
    let mut byte = [0];
    rustix::net::recv(console, &mut byte, rustix::net::RecvFlags::PEEK).is_ok_and(|(length, _)| length == 0)
}

/// Keeps the end of `stream` in `kept`.
async fn collect(mut stream: pipe::Receiver, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let excess = kept.len().saturating_sub(KEPT_STDERR);
        kept.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_that_of_a_board_with_a_serial_console_and_a_tap() {
        let config = QemuConfig {
            binary: BINARY.into(),
            firmware: "/fw/u-boot.bin".into(),
            memory_mb: 512,
            seat: Seat { tap: "tap1".to_owned(), mac: [0x52, 0x54, 0, 0, 0, 2] },
        };
        let argv: Vec<_> = config.argv().into_iter().map(|word| word.into_string().unwrap()).collect();
        assert_eq!(
            argv.join(" "),
            "qemu-system-arm -no-user-config -nodefaults -M virt -cpu cortex-a15 -m 512 -display none -monitor none \
             -serial stdio -bios /fw/u-boot.bin -netdev tap,id=n0,ifname=tap1,script=no,downscript=no \
             -device virtio-net-pci,netdev=n0,mac=52:54:00:00:00:02,romfile="
        );
    }
}
