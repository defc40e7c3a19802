//! The boot loader: U-Boot's banner, autoboot, prompt and the commands that boot from the network.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::hush::{self, Words};
use super::options::{Fault, Options};
use super::tftp::{self, TftpError};
use super::uart::Uart;

const PROMPT: &str = "=> ";
/// `CONFIG_SYS_CBSIZE` less one.
const LINE_LIMIT: usize = 1023;
const AUTOBOOT: Duration = Duration::from_secs(5);
const CONTROL_C: u8 = 0x03;
/// Offset and value of a zImage's magic number (Linux, Documentation/arch/arm/booting.rst).
const MAGIC: (usize, [u8; 4]) = (0x24, 0x016f_2818_u32.to_le_bytes());

/// How U-Boot ended.
pub(super) enum Exit {
    /// It started a kernel with these boot arguments.
    Kernel(String),
    /// The board starts again.
    Reset,
}

/// What U-Boot does after a command.
enum Next {
    Prompt,
    Exit(Exit),
}

pub(super) struct Uboot<'a> {
    uart: &'a mut Uart,
    options: &'a Options,
    environment: HashMap<String, String>,
    memory: HashMap<u64, Vec<u8>>,
}

/// Runs U-Boot until it starts a kernel or resets.
pub(super) fn run(uart: &mut Uart, options: &Options) -> io::Result<Exit> {
    uart.raw()?;
    let mut uboot =
        Uboot { uart, options, environment: default_environment(options), memory: HashMap::new() };
    uboot.banner()?;
    if options.fault == Some(Fault::NoPrompt) {
        while uboot.uart.byte(None)?.is_some() {}
    }
    if uboot.autoboot()? {
        return uboot.boot();
    }
    loop {
        uboot.uart.say(PROMPT)?;
        let line = uboot.line()?;
        if options.fault == Some(Fault::ResetLoop) && !line.is_empty() {
            uboot.uart.say("data abort\nresetting ...\n")?;
            return Ok(Exit::Reset);
        }
        if let Next::Exit(exit) = uboot.execute(&line, 0)? {
            return Ok(exit);
        }
    }
}

fn default_environment(options: &Options) -> HashMap<String, String> {
    [
        ("arch", "arm"),
        ("board", "fake"),
        ("cpu", "armv8"),
        ("kernel_addr_r", "0x82000000"),
        ("fdt_addr_r", "0x88000000"),
        ("ramdisk_addr_r", "0x88080000"),
        ("loadaddr", "0x82000000"),
        ("tftpdstp", &options.tftp_port.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

impl Uboot<'_> {
    fn banner(&mut self) -> io::Result<()> {
        self.uart
            .say("\nU-Boot SPL 2023.01 (Jan 09 2023 - 16:07:33 +0000)\nTrying to boot from MMC1\n\n\n")?;
        self.uart.say("U-Boot 2023.01 (Jan 09 2023 - 16:07:33 +0000)\n\nModel: Fake Board\nDRAM:  512 MiB\nNet:   eth0: ethernet@4a100000\n")
    }

    /// Counts down; true when nobody stopped it.
    fn autoboot(&mut self) -> io::Result<bool> {
        self.uart.say("Hit any key to stop autoboot:  5 ")?;
        let stopped = self.uart.byte(Some(AUTOBOOT))?.is_some();
        self.uart.say("\u{8}\u{8}\u{8} 0 \n")?;
        Ok(!stopped)
    }

    /// What an undisturbed autoboot does: a kernel from the board's own storage.
    fn boot(&mut self) -> io::Result<Exit> {
        self.uart.say("switch to partitions #0, OK\n\nStarting kernel ...\n\n")?;
        Ok(Exit::Kernel("root=/dev/mmcblk0p2".to_owned()))
    }

    /// Reads a line with U-Boot's own echo.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while let Some(byte) = self.uart.byte(None)? {
            match byte {
                b'\r' | b'\n' => break,
                CONTROL_C => {
                    self.uart.say("<INTERRUPT>\n")?;
                    return Ok(String::new());
                }
                0x08 | 0x7f => {
                    if line.pop().is_some() {
                        self.uart.send(b"\x08 \x08")?;
                    }
                }
                _ if line.len() == LINE_LIMIT => self.uart.send(b"\x07")?,
                _ => {
                    line.push(byte);
                    self.uart.send(&[byte])?;
                }
            }
        }
        self.uart.say("\n")?;
        Ok(String::from_utf8_lossy(&line).trim().to_owned())
    }

    fn variable(&self, name: &str) -> String {
        self.environment.get(name).cloned().unwrap_or_default()
    }

    fn execute(&mut self, line: &str, depth: usize) -> io::Result<Next> {
        if depth > 8 {
            self.uart.say("run: recursion too deep\n")?;
            return Ok(Next::Prompt);
        }
        // Each command sees the variables that the one before has set.
        for index in 0..hush::parse(line, |name| self.variable(name)).len() {
            let words = hush::parse(line, |name| self.variable(name)).swap_remove(index);
            if let Next::Exit(exit) = self.command(&words, depth)? {
                return Ok(Next::Exit(exit));
            }
        }
        Ok(Next::Prompt)
    }

    fn command(&mut self, words: &Words, depth: usize) -> io::Result<Next> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["setenv", name] => {
                self.environment.remove(*name);
            }
            ["setenv", name, value @ ..] => {
                self.environment.insert((*name).to_owned(), value.join(" "));
            }
            ["printenv" | "print", names @ ..] if !names.is_empty() => {
                for name in names {
                    let text = match self.environment.get(*name) {
                        Some(value) => format!("{name}={value}\n"),
                        None => format!("## Error: \"{name}\" not defined\n"),
                    };
                    self.uart.say(&text)?;
                }
            }
            ["printenv" | "print"] => {
                let mut lines: Vec<String> =
                    self.environment.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
                lines.sort();
                self.uart.say(&lines.concat())?;
            }
            ["echo", text @ ..] => self.uart.say(&format!("{}\n", text.join(" ")))?,
            ["version"] => self.uart.say("U-Boot 2023.01 (Jan 09 2023 - 16:07:33 +0000)\n")?,
            ["dhcp"] => {
                let address = self.options.address;
                self.environment.insert("ipaddr".to_owned(), address.to_string());
                self.uart
                    .say(&format!("BOOTP broadcast 1\nDHCP client bound to address {address} (1 ms)\n"))?;
            }
            ["tftp" | "tftpboot", address, file] => self.tftp(address, file)?,
            ["tftp" | "tftpboot", file] => self.tftp("0x82000000", file)?,
            ["crc32", address, length] => self.crc32(address, length)?,
            ["bootz", arguments @ ..] => return self.bootz(arguments),
            ["run", names @ ..] => {
                for name in names {
                    let script = self.variable(name);
                    if let Next::Exit(exit) = self.execute(&script, depth + 1)? {
                        return Ok(Next::Exit(exit));
                    }
                }
            }
            ["reset"] => {
                self.uart.say("resetting ...\n")?;
                return Ok(Next::Exit(Exit::Reset));
            }
            ["true" | "saveenv" | "fdt" | "usb" | "mmc", ..] => {}
            [unknown, ..] => self.uart.say(&format!("Unknown command '{unknown}' - try 'help'\n"))?,
            [] => {}
        }
        Ok(Next::Prompt)
    }

    fn tftp(&mut self, address: &str, file: &str) -> io::Result<()> {
        let Some(address) = parse_address(address) else { return self.uart.say("Wrong address\n") };
        let (server, file) = match file.split_once(':') {
            Some((server, file)) => (server.to_owned(), file),
            None => (self.variable("serverip"), file),
        };
        let port = self.variable("tftpdstp").parse().unwrap_or(self.options.tftp_port);
        let Ok(ip) = server.parse::<IpAddr>() else {
            return self.uart.say("*** ERROR: `serverip' not set\n");
        };
        self.uart.say(&format!(
            "Using ethernet@4a100000 device\nTFTP from server {server}; our IP address is {}\nFilename '{file}'.\nLoad address: {address:#x}\nLoading: ",
            self.variable("ipaddr")
        ))?;
        let result = match self.options.fault {
            Some(Fault::TftpError) => Err(TftpError::Refused(1, "File not found".to_owned())),
            Some(Fault::TftpBlocked) => Err(TftpError::Io(io::ErrorKind::TimedOut.into())),
            _ => tftp::fetch(self.options.address, SocketAddr::new(ip, port), file),
        };
        match result {
            Ok(mut content) => {
                if self.options.fault == Some(Fault::TftpDamage)
                    && let Some(byte) = content.last_mut()
                {
                    *byte ^= 1;
                }
                let size = content.len();
                self.environment.insert("filesize".to_owned(), format!("{size:x}"));
                self.environment.insert("fileaddr".to_owned(), format!("{address:x}"));
                self.memory.insert(address, content);
                self.uart
                    .say(&format!("#################\ndone\nBytes transferred = {size} ({size:x} hex)\n"))
            }
            Err(TftpError::Refused(code, text)) => {
                self.uart.say(&format!("*\nTFTP error: '{text}' ({code})\nNot retrying...\n"))
            }
            Err(TftpError::Io(error)) => self
                .uart
                .say(&format!("T T T T T T T T T T \nRetry count exceeded; starting again ({error})\n")),
        }
    }

    fn crc32(&mut self, address: &str, length: &str) -> io::Result<()> {
        let (Some(begin), Some(length)) = (parse_address(address), parse_address(length)) else {
            return self.uart.say("crc32 - checksum calculation\n");
        };
        let content = self.memory.get(&begin).map(Vec::as_slice).unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(content.len());
        let (sum, end) = (crc32fast::hash(&content[..length]), begin + length as u64 - 1);
        self.uart.say(&format!("crc32 for {begin:08x} ... {end:08x} ==> {sum:08x}\n"))
    }

    fn bootz(&mut self, arguments: &[&str]) -> io::Result<Next> {
        let kernel = arguments.first().and_then(|address| parse_address(address));
        let image = kernel.and_then(|address| self.memory.get(&address));
        let (offset, magic) = MAGIC;
        let good = image.and_then(|image| image.get(offset..offset + 4)).is_some_and(|found| found == magic);
        if !good || self.options.fault == Some(Fault::BadMagic) {
            self.uart.say("zimage: Bad magic!\nBad Linux ARM zImage magic!\n")?;
            return Ok(Next::Prompt);
        }
        if self.options.fault == Some(Fault::PromptFallback) {
            self.uart.say("ERROR: image is not a fdt - must RESET the board to recover.\n")?;
            return Ok(Next::Prompt);
        }
        let size = image.map_or(0, Vec::len);
        let bootargs = self.variable("bootargs");
        self.uart.say(&format!(
            "Kernel image @ 0x82000000 [ 0x000000 - {size:#08x} ]\n\nStarting kernel ...\n\n"
        ))?;
        Ok(Next::Exit(Exit::Kernel(bootargs)))
    }
}

fn parse_address(text: &str) -> Option<u64> {
    let digits = text.split(':').next()?;
    u64::from_str_radix(digits.trim_start_matches("0x"), 16).ok()
}
