//! The board as a whole: power on, boot loader, kernel, shell, and round again.

use std::io;
use std::net::SocketAddr;

use super::kernel::{self, Outcome};
use super::line::{Line, PtyPair};
use super::options::{Fault, Options};
use super::sshd;
use super::uart::Uart;
use super::{shell, uboot};

/// Bytes of noise: what 115200 baud looks like at the wrong rate.
const NOISE: [u8; 8] = [0xf8, 0x00, 0x80, 0xe6, 0x1e, 0xfe, 0x98, 0x06];

/// Plays a board on the line that `options` name, until the line ends or the board is off.
///
/// # Errors
/// Those of the line.
pub fn run(options: Options) -> io::Result<()> {
    if let Some(path) = &options.pty {
        let pair = PtyPair::linked(path)?;
        // The countdown would be over before a test has found the port.
        pair.wait_for_peer()?;
        return on_line(&options, pair.line()?);
    }
    let line = options.tcp.map_or_else(|| Ok(Line::stdio()), Line::tcp)?;
    on_line(&options, line)
}

/// Plays a board on `line`, until the line ends or the board is off.
///
/// # Errors
/// Those of the board's own tty and temporary files; the end of the line is none.
pub fn on_line(options: &Options, line: Line) -> io::Result<()> {
    let mut uart = Uart::connect(line)?;
    let outcome = play(&mut uart, options);
    uart.disconnect();
    match outcome {
        Err(error) if is_hang_up(&error) => Ok(()),
        result => result,
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
        || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

fn play(uart: &mut Uart, options: &Options) -> io::Result<()> {
    match options.fault {
        Some(Fault::Silent) => return listen(uart),
        Some(Fault::Garbage) => {
            uart.raw()?;
            uart.send(&NOISE.repeat(64))?;
            return listen(uart);
        }
        _ => {}
    }
    loop {
        let uboot::Exit::Kernel(bootargs) = uboot::run(uart, options)? else { continue };
        let rootfs = match kernel::boot(uart, options, &bootargs)? {
            Outcome::Mounted(rootfs) => rootfs,
            Outcome::Dead => return listen(uart),
            Outcome::HangUp => return Ok(()),
        };
        let address = options.sshd_port.map(|port| SocketAddr::new(options.address, port));
        let _sshd = match address.map(|address| sshd::start(&options.sshd, address, &rootfs)).transpose() {
            Ok(sshd) => sshd,
            Err(error) => {
                uart.say(&format!("[FAILED] Failed to start OpenSSH server: {error}\n"))?;
                None
            }
        };
        if let shell::Exit::PowerOff = shell::run(uart, options, &rootfs)? {
            return Ok(());
        }
    }
}

/// Swallows what is typed until the line ends.
fn listen(uart: &mut Uart) -> io::Result<()> {
    uart.raw()?;
    while uart.byte(None)?.is_some() {}
    Ok(())
}
