//! What to do about a command of U-Boot's that failed, by what the command does. Pure.

/// Says that the command was not understood.
const USAGE: &str = "Usage:";
/// A command that this U-Boot was built without.
const UNKNOWN: &str = "Unknown command";

/// What U-Boot says as it resets the board for a fault of the processor. Source: U-Boot's `arch/arm/lib/interrupts*.c`.
const EXCEPTIONS: [&str; 4] = ["data abort", "prefetch abort", "undefined instruction", "Synchronous Abort"];

const NETWORK: &[&str] = &["bootp", "dhcp", "nfs", "ping", "pxe", "rarpboot", "tftp", "tftpboot", "wget"];
const STORAGE: &[&str] = &[
    "ext2load",
    "ext4load",
    "fatload",
    "fsload",
    "ide",
    "load",
    "mmc",
    "nand",
    "nvme",
    "part",
    "sata",
    "scsi",
    "sf",
    "sysboot",
    "ubi",
    "ubifsload",
    "usb",
    "virtio",
];

/// What to do about `command`, which failed with `line`; `last_output` is what the board said last. None where neither
/// the command nor its words tell.
pub(super) fn advice(command: &str, line: &str, last_output: &str) -> Option<String> {
    let name = failed_part(command, line);
    if line.contains(UNKNOWN) {
        return Some(
            "this U-Boot was built without that command, or it is misspelt: `help` at its prompt lists those it has"
                .to_owned(),
        );
    }
    let own_output = last_output.rsplit_once(command).map_or("", |(_, own)| own);
    if line.contains(USAGE) || own_output.contains(USAGE) {
        return Some(
            "U-Boot does not take these arguments: compare them with the usage that it shows; a variable that is not set \
             (`printenv`) is an argument less"
                .to_owned(),
        );
    }
    if EXCEPTIONS.iter().any(|words| line.contains(words)) {
        return Some(
            "U-Boot touched an address that the board does not have, or ran what is no program: compare the addresses of the \
             command with its memory (`bdinfo`) and with where the files were loaded (`printenv`)"
                .to_owned(),
        );
    }
    if let Some(formats) = name.and_then(boot_formats) {
        return Some(format!(
            "{formats}. A RAM disk without U-Boot's header needs its size (`ADDRESS:SIZE`), and the file at each address \
             must be the one that the command expects there"
        ));
    }
    match name {
        None if speaks_of_network(line) => Some(network()),
        Some(name) if NETWORK.contains(&name) => Some(network()),
        Some(name) if STORAGE.contains(&name) => Some(
            "U-Boot's words before it say why: is the medium there (`mmc list`, `usb start`), are device and partition the \
             right ones (`part list mmc 0`), and is the file on it, in a file system that the command reads?"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Of a command line, the part that failed with `line`, if its purpose is known: the last one, unless the words are of the
/// network and a part before it is.
fn failed_part<'c>(command: &'c str, line: &str) -> Option<&'c str> {
    let known =
        |name: &&str| NETWORK.contains(name) || STORAGE.contains(name) || boot_formats(name).is_some();
    let parts =
        command.split([';', '&', '|']).filter_map(|part| part.split_whitespace().next()).filter(known);
    let parts: Vec<&str> = parts.collect();
    let of_network = parts.iter().find(|name| speaks_of_network(line) && NETWORK.contains(name));
    of_network.or(parts.last()).copied()
}

/// Whether U-Boot's words are those of its network commands, whichever command it was that ran them.
/// Source: U-Boot's `net/tftp.c`, `net/bootp.c`, `net/net.c`.
fn speaks_of_network(line: &str) -> bool {
    ["TFTP", "Retry count exceeded", "BOOTP", "ARP Retry"].iter().any(|words| line.contains(words))
}

fn network() -> String {
    "U-Boot's words before it say why: a wrong file name, no address, no answer of the network (cable, firewall, server)"
        .to_owned()
}

/// Which kernels a command boots. Source: U-Boot's documentation, `usage/cmd/{booti,bootm,bootz}`.
fn boot_formats(name: &str) -> Option<&'static str> {
    Some(match name {
        "booti" => "`booti` takes an `Image` of an arm64 or riscv kernel, and no `zImage` or `uImage`",
        "bootz" => "`bootz` takes a `zImage` of a 32-bit ARM kernel, and no `Image` or `uImage`",
        "bootm" => "`bootm` takes a `uImage` or a FIT image, and no bare `Image` or `zImage`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_fits_the_command() {
        let cases = [
            ("dhcp", "TIMEOUT", "no answer of the network"),
            (
                "setenv autoload no; tftp 0x82000000 zImage",
                "TFTP error: 'File not found' (1)",
                "a wrong file name",
            ),
            ("load mmc 0:1 0x82000000 zImage", "** File not found zImage **", "is the medium there"),
            ("usb start", "*** ERROR: x", "is the medium there"),
            ("bootz 0x82000000 - 0x88000000", "zimage: Bad magic!", "`bootz` takes a `zImage`"),
            ("booti 0x82000000", "Bad Linux ARM64 Image magic!", "`booti` takes an `Image`"),
            ("bootm 0x82000000", "Wrong Image Format for bootm command", "`bootm` takes a `uImage`"),
            ("tftp 1 x", "Unknown command 'tftp' - try 'help'", "built without that command"),
            ("tftp 0x82000000 zImage; bootz 0x82000000", "zimage: Bad magic!", "`bootz` takes a `zImage`"),
            ("tftp 0x82000000 zImage; bootz 0x82000000", "TFTP error: 'x' (1)", "a wrong file name"),
            ("run bootcmd_net", "Retry count exceeded; starting again", "a wrong file name"),
        ];
        for (command, line, expected) in cases {
            let help = advice(command, line, "=>").unwrap();
            assert!(help.contains(expected), "{command}: {help}");
            assert_eq!(
                help.contains("network"),
                expected.contains("network") || expected.contains("file name"),
                "{help}"
            );
        }
        let help =
            advice("bootz x", "", "=> bootz x\nbootz - boot Linux zImage\n\nUsage:\nbootz [addr").unwrap();
        assert!(help.contains("does not take these arguments"), "{help}");
        assert!(advice("fdt addr 0x88000000", "data abort", "=>").unwrap().contains("`bdinfo`"));
        assert_eq!(advice("fdt addr 0x88000000", "libfdt: FDT_ERR_BADMAGIC", "=>"), None);
    }
}
