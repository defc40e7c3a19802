//! The kernel: its log, and the root file system that it mounts.

use std::io;
use std::thread;

use super::options::{Fault, Options};
use super::rootfs::{NfsRoot, Rootfs};
use super::uart::Uart;

/// How the kernel's part ended.
pub(super) enum Outcome {
    /// Root is mounted; a login may follow.
    Mounted(Rootfs),
    /// Nothing more comes.
    Dead,
    /// The line is to be closed.
    HangUp,
}

/// Boots with `bootargs`.
pub(super) fn boot(uart: &mut Uart, options: &Options, bootargs: &str) -> io::Result<Outcome> {
    uart.cooked(true)?;
    uart.say("[    0.000000] Booting Linux on physical CPU 0x0\n")?;
    uart.say(
        "[    0.000000] Linux version 6.1.0-fake (board@tests) (arm-linux-gnueabihf-gcc 12.2.0) #1 SMP\n",
    )?;
    uart.say(&format!("[    0.000000] Kernel command line: {bootargs}\n"))?;
    match options.fault {
        Some(Fault::HangUp) => return Ok(Outcome::HangUp),
        Some(Fault::Panic) => {
            uart.say(
                "[    1.003000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\n",
            )?;
            uart.say("[    1.004000] ---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b ]---\n")?;
            return Ok(Outcome::Dead);
        }
        Some(Fault::NoRootfs) => return no_root(uart, "-101"),
        _ => {}
    }
    let rootfs = match NfsRoot::parse(bootargs) {
        None => match &options.own_rootfs {
            None => Rootfs::empty(&options.directory)?,
            Some(source) => Rootfs::copy(&options.directory, source)?,
        },
        Some(source) => {
            match Rootfs::fetch(&options.directory, options.address, &source, options.portmap_port) {
                Ok(rootfs) => rootfs,
                Err(error) => return no_root(uart, &error.to_string()),
            }
        }
    };
    if let Some(agent) = &options.agent {
        rootfs.replace_agent(agent)?;
    }
    uart.say("[    1.500000] VFS: Mounted root (nfs filesystem) on device 0:15.\n")?;
    thread::sleep(options.boot_time);
    uart.say("[    1.600000] systemd[1]: Hostname set to <debian>.\n\nDebian GNU/Linux 12 debian ttyO0\n\n")?;
    Ok(if options.fault == Some(Fault::NoLogin) { Outcome::Dead } else { Outcome::Mounted(rootfs) })
}

fn no_root(uart: &mut Uart, reason: &str) -> io::Result<Outcome> {
    uart.say(&format!("[    1.002000] VFS: Unable to mount root fs via NFS. ({reason})\n"))?;
    uart.say(
        "[    1.003000] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,255)\n",
    )?;
    Ok(Outcome::Dead)
}
