//! Placeholders in U-Boot commands: `{KERNEL_ADDR}` and the like become values.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::board::{SerialConsole, UbootSettings};
use crate::job::BootImage;

/// Every placeholder that LAVA or this program knows. A line with one that has no value is left out.
pub(super) const PLACEHOLDERS: [&str; 30] = [
    "APPLY_DTBO_COMMANDS",
    "BOARD_IP",
    "BOOTX",
    "CONSOLE",
    "DTB",
    "DTBO_ADDR",
    "DTB_ADDR",
    "DTB_BASE_ADDR",
    "DTB_BASE_RESIZE",
    "EXTRA_FILES_DIR",
    "INITRD",
    "KERNEL",
    "KERNEL_ADDR",
    "LAVA_DISPATCHER_IP",
    "LAVA_JOB_ID",
    "LAVA_MAC",
    "NBDSERVERIP",
    "NBDSERVERPORT",
    "NFSROOTFS",
    "NFS_PORT",
    "NFS_SERVER_IP",
    "PRESEED_CONFIG",
    "PRESEED_LOCAL",
    "RAMDISK",
    "RAMDISK_ADDR",
    "ROOT",
    "ROOT_PART",
    "SERVER_IP",
    "TEE",
    "TEE_ADDR",
];

/// What is known of a boot once its files are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootValues<'a> {
    /// The runner's address on the board's network.
    pub server_ip: IpAddr,
    /// The board's address, if it is fixed.
    pub board_ip: Option<IpAddr>,
    /// The run's number.
    pub job_id: &'a str,
    /// TFTP path of the kernel.
    pub kernel: &'a str,
    /// TFTP path of the device tree.
    pub dtb: Option<&'a str>,
    /// The RAM disk: the job's, or the board's own.
    pub ramdisk: Option<RamdiskValues<'a>>,
    /// The root filesystem.
    pub nfs: Option<NfsValues<'a>>,
}

/// A served RAM disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RamdiskValues<'a> {
    /// Its TFTP path.
    pub path: &'a str,
    /// Whether it has U-Boot's header, which tells its size.
    pub has_header: bool,
}

/// A served root filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NfsValues<'a> {
    /// The server's address.
    pub server_ip: IpAddr,
    /// The server's port, for NFS and MOUNT.
    pub port: u16,
    /// Path of the export.
    pub export: &'a str,
}

/// The commands with their placeholders replaced; lines with a placeholder that has no value are left out.
pub fn substitute(
    commands: &[String],
    uboot: &UbootSettings,
    console: &SerialConsole,
    image: BootImage,
    boot: &BootValues<'_>,
) -> Vec<String> {
    let values = values(uboot, console, image, boot);
    commands.iter().filter_map(|command| replace(command, &values)).collect()
}

/// The placeholders of `command` that nobody knows.
pub(super) fn unknown_placeholders(command: &str) -> Vec<&str> {
    pieces(command)
        .filter_map(|piece| match piece {
            Piece::Placeholder(name) if !PLACEHOLDERS.contains(&name) => Some(name),
            _ => None,
        })
        .collect()
}

fn values(
    uboot: &UbootSettings,
    console: &SerialConsole,
    image: BootImage,
    boot: &BootValues<'_>,
) -> BTreeMap<&'static str, String> {
    let server_ip = boot.server_ip.to_string();
    let mut values = BTreeMap::from([
        ("BOOTX", bootx(uboot, image, boot)),
        ("CONSOLE", format!("{},{}n8", console.device, console.baud)),
        ("DTB_ADDR", uboot.dtb_addr.clone()),
        ("KERNEL", boot.kernel.to_owned()),
        ("KERNEL_ADDR", uboot.kernel_addr.clone()),
        ("LAVA_DISPATCHER_IP", server_ip.clone()),
        ("LAVA_JOB_ID", boot.job_id.to_owned()),
        ("RAMDISK_ADDR", uboot.ramdisk_addr.clone()),
        ("SERVER_IP", server_ip),
    ]);
    values.extend(boot.board_ip.map(|address| ("BOARD_IP", address.to_string())));
    values.extend(boot.dtb.map(|path| ("DTB", path.to_owned())));
    if let Some(ramdisk) = boot.ramdisk {
        values.extend([("RAMDISK", ramdisk.path.to_owned()), ("INITRD", ramdisk.path.to_owned())]);
    }
    if let Some(nfs) = boot.nfs {
        values.extend([
            ("NFSROOTFS", nfs.export.to_owned()),
            ("NFS_PORT", nfs.port.to_string()),
            ("NFS_SERVER_IP", nfs.server_ip.to_string()),
        ]);
    }
    values
}

/// The command that starts the kernel: kernel, RAM disk or `-`, device tree.
fn bootx(uboot: &UbootSettings, image: BootImage, boot: &BootValues<'_>) -> String {
    let command = match image {
        BootImage::Zimage => "bootz",
        BootImage::Image => "booti",
        BootImage::Uimage => "bootm",
    };
    let ramdisk = match boot.ramdisk {
        None => "-".to_owned(),
        Some(RamdiskValues { has_header: true, .. }) => uboot.ramdisk_addr.clone(),
        Some(_) => format!("{}:${{initrd_size}}", uboot.ramdisk_addr),
    };
    let dtb = uboot.boot_dtb_addr.as_ref().or(boot.dtb.map(|_| &uboot.dtb_addr));
    let kernel = &uboot.kernel_addr;
    match (dtb, boot.ramdisk) {
        (Some(dtb), _) => format!("{command} {kernel} {ramdisk} {dtb}"),
        (None, Some(_)) => format!("{command} {kernel} {ramdisk}"),
        (None, None) => format!("{command} {kernel}"),
    }
}

fn replace(command: &str, values: &BTreeMap<&str, String>) -> Option<String> {
    pieces(command)
        .map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Placeholder(name) => values.get(name).map(String::as_str),
        })
        .collect()
}

/// A piece of a command.
enum Piece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

/// Splits a command at its placeholders: `{NAME}`, but not `${NAME}`, which is U-Boot's own variable.
fn pieces(command: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = command;
    let mut pieces = Vec::new();
    let mut searched = 0;
    while let Some(found) = rest.get(searched..).and_then(|text| text.find('{')) {
        let start = searched + found;
        let (before, after) = rest.split_at(start);
        let name = after[1..].split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
        match name {
            Some(name) if !before.ends_with('$') => {
                pieces.extend([Piece::Text(before), Piece::Placeholder(name)]);
                rest = &after[name.len() + 2..];
                searched = 0;
            }
            _ => searched = start + 1,
        }
    }
    pieces.push(Piece::Text(rest));
    pieces.into_iter()
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::{BootValues, NfsValues, RamdiskValues, substitute, unknown_placeholders};
    use crate::board::BoardType;
    use crate::job::BootImage;

    fn board_type(name: &str) -> BoardType {
        BoardType::parse(&BoardType::built_in(name).unwrap()).unwrap()
    }

    fn nfs_boot() -> BootValues<'static> {
        BootValues {
            server_ip: [10, 0, 0, 1].into(),
            board_ip: None,
            job_id: "7",
            kernel: "7/zImage",
            dtb: Some("7/am335x-bone.dtb"),
            ramdisk: None,
            nfs: Some(NfsValues { server_ip: [10, 0, 0, 1].into(), port: 2049, export: "/7" }),
        }
    }

    #[test]
    fn beaglebone_boots_over_nfs_without_a_ramdisk() {
        let board = board_type("beaglebone-black");
        let lines = substitute(
            &board.uboot.commands["nfs"],
            &board.uboot,
            &board.console,
            BootImage::Zimage,
            &nfs_boot(),
        );
        insta::assert_snapshot!(lines.join("\n"), @r"
        setenv autoload no
        setenv initrd_high 0xffffffff
        setenv fdt_high 0xffffffff
        dhcp
        setenv serverip 10.0.0.1
        setenv tftpblocksize 1468
        setenv tftpwindowsize 4
        tftp 0x82000000 7/zImage
        setenv initrd_size ${filesize}
        tftp 0x88000000 7/am335x-bone.dtb
        setenv bootargs 'console=ttyS0,115200n8 root=/dev/nfs rw nfsroot=10.0.0.1:/7,vers=3,tcp,nolock,port=2049,mountport=2049,rsize=262144,wsize=262144 ip=dhcp'
        bootz 0x82000000 - 0x88000000
        ");
    }

    #[test]
    fn virtual_board_boots_with_its_own_ramdisk_and_device_tree() {
        let board = board_type("qemu-virt-arm");
        let boot = BootValues {
            board_ip: Some([10, 0, 0, 2].into()),
            ramdisk: Some(RamdiskValues { path: "7/initrd.img", has_header: false }),
            ..nfs_boot()
        };
        let lines =
            substitute(&board.uboot.commands["nfs"], &board.uboot, &board.console, BootImage::Zimage, &boot);
        insta::assert_snapshot!(lines.join("\n"), @r"
        setenv autoload no
        setenv ipaddr 10.0.0.2
        setenv netmask 255.255.255.0
        setenv serverip 10.0.0.1
        setenv tftpblocksize 1468
        setenv tftpwindowsize 2
        tftp 0x40400000 7/zImage
        tftp 0x43000000 7/am335x-bone.dtb
        tftp 0x44000000 7/initrd.img
        setenv initrd_size ${filesize}
        setenv bootargs 'console=ttyAMA0 root=/dev/nfs rw nfsroot=10.0.0.1:/7,vers=3,tcp,nolock,port=2049,mountport=2049,rsize=262144,wsize=262144 ip=10.0.0.2:10.0.0.1::255.255.255.0:debian:eth0:off'
        bootz 0x40400000 0x44000000:${initrd_size} ${fdtcontroladdr}
        ");
    }

    #[test]
    fn a_ramdisk_with_a_header_needs_no_size_and_uimages_start_with_bootm() {
        let board = board_type("beaglebone-black");
        let commands = vec!["{BOOTX}".to_owned()];
        let ramdisk = Some(RamdiskValues { path: "7/rd", has_header: true });
        let mut boot = BootValues { ramdisk, ..nfs_boot() };
        let line = |image, boot: &BootValues<'_>| {
            substitute(&commands, &board.uboot, &board.console, image, boot).concat()
        };
        assert_eq!(line(BootImage::Uimage, &boot), "bootm 0x82000000 0x83000000 0x88000000");
        boot.dtb = None;
        assert_eq!(line(BootImage::Image, &boot), "booti 0x82000000 0x83000000");
        boot.ramdisk = None;
        assert_eq!(line(BootImage::Zimage, &boot), "bootz 0x82000000");
    }

    #[test]
    fn lines_with_an_unset_placeholder_are_left_out_and_variables_of_uboot_stay() {
        let board = board_type("beaglebone-black");
        let commands =
            ["tftp {TEE_ADDR} {TEE}", "echo ${KERNEL_ADDR} {lower} {", "{SERVER_IP}{LAVA_JOB_ID}é"];
        let commands = commands.map(str::to_owned);
        let lines = substitute(&commands, &board.uboot, &board.console, BootImage::Zimage, &nfs_boot());
        assert_eq!(lines, ["echo ${KERNEL_ADDR} {lower} {", "10.0.0.17é"]);
    }

    #[test]
    fn misspelt_placeholders_are_found() {
        assert_eq!(unknown_placeholders("tftp {KERNEL_ADR} {KERNEL} ${FOO}"), ["KERNEL_ADR"]);
    }
}
