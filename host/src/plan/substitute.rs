//! Placeholders in U-Boot commands: `{KERNEL_ADDR}` and the like become values.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::step::{LoaderCommands, LoaderSettings};
use crate::job::BootImage;
use crate::job::placeholder::{Piece, is_known, pieces};

/// Bytes by which a device tree is made larger for its overlays, as in LAVA.
const DTB_BASE_RESIZE: &str = "1048576";

/// What is known of a boot once its files are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootValues<'a> {
    /// The runner's address on the board's network.
    pub server_ip: Option<IpAddr>,
    /// The board's address, if it is fixed.
    pub board_ip: Option<IpAddr>,
    /// Hardware address of the board's network interface, if it is known.
    pub mac: Option<&'a str>,
    /// The run's number.
    pub job_id: &'a str,
    /// TFTP path of the kernel.
    pub kernel: Option<&'a str>,
    /// TFTP path of the device tree.
    pub dtb: Option<&'a str>,
    /// TFTP paths of its overlays, in order.
    pub dtbo: Vec<&'a str>,
    /// TFTP path of a trusted execution environment's image.
    pub tee: Option<&'a str>,
    /// The RAM disk: the job's, or the board's own.
    pub ramdisk: Option<RamdiskValues<'a>>,
    /// The root filesystem.
    pub nfs: Option<NfsValues<'a>>,
    /// TFTP path of the answers for an installer.
    pub preseed: Option<&'a str>,
    /// TFTP path of the directory with the extra files.
    pub extra_files: Option<&'a str>,
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
///
/// The line `{APPLY_DTBO_COMMANDS}` becomes two for each overlay of the device tree.
pub fn substitute(loader: &LoaderCommands, boot: &BootValues<'_>) -> Vec<String> {
    let values = values(loader, boot);
    let overlays: Vec<String> = (0..boot.dtbo.len())
        .flat_map(|index| [format!("tftp {{DTBO_ADDR}} {{DTBO{index}}}"), "fdt apply {DTBO_ADDR}".to_owned()])
        .collect();
    let lines = loader.commands.iter().flat_map(|line| match line.trim() {
        "{APPLY_DTBO_COMMANDS}" => overlays.as_slice(),
        _ => std::slice::from_ref(line),
    });
    // What is none of them is the board's own text.
    lines.filter_map(|line| replace_all(line, &values, |name| !is_known(name))).collect()
}

/// The values of the placeholders that have one, by their names.
pub fn values(loader: &LoaderCommands, boot: &BootValues<'_>) -> BTreeMap<String, String> {
    let settings = &loader.settings;
    let mut values = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        values.insert(name.to_owned(), value);
    };
    set("CONSOLE", settings.console.clone());
    set("DTB_ADDR", settings.dtb_addr.clone());
    set("EXTRA_KERNEL_ARGS", settings.extra_kernel_args.clone());
    set("EXTRA_NFSROOT_ARGS", settings.extra_nfsroot_args.clone());
    set("KERNEL_ADDR", settings.kernel_addr.clone());
    set("LAVA_JOB_ID", boot.job_id.to_owned());
    set("RAMDISK_ADDR", settings.ramdisk_addr.clone());
    for (name, address) in &settings.other_addrs {
        set(name, address.clone());
    }
    let mut set_if = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            values.insert(name.to_owned(), value);
        }
    };
    for name in ["LAVA_DISPATCHER_IP", "SERVER_IP"] {
        set_if(name, boot.server_ip.map(|address| address.to_string()));
    }
    set_if("BOARD_IP", boot.board_ip.map(|address| address.to_string()));
    set_if("BOOTX", bootx(settings, loader.image, boot));
    let paths = [
        ("KERNEL", boot.kernel),
        ("DTB", boot.dtb),
        ("TEE", boot.tee),
        ("RAMDISK", boot.ramdisk.map(|ramdisk| ramdisk.path)),
        ("INITRD", boot.ramdisk.map(|ramdisk| ramdisk.path)),
        ("PRESEED_CONFIG", boot.preseed),
        ("EXTRA_FILES_DIR", boot.extra_files),
        ("LAVA_MAC", boot.mac),
    ];
    for (name, path) in paths {
        set_if(name, path.map(str::to_owned));
    }
    set_if("NFSROOTFS", boot.nfs.map(|nfs| nfs.export.to_owned()));
    set_if("NFS_PORT", boot.nfs.map(|nfs| nfs.port.to_string()));
    set_if("NFS_SERVER_IP", boot.nfs.map(|nfs| nfs.server_ip.to_string()));
    if !boot.dtbo.is_empty() {
        set_if("DTB_BASE_ADDR", Some(settings.dtb_addr.clone()));
        set_if("DTB_BASE_RESIZE", Some(DTB_BASE_RESIZE.to_owned()));
    }
    for (index, path) in boot.dtbo.iter().enumerate() {
        set_if(&format!("DTBO{index}"), Some((*path).to_owned()));
    }
    values
}

/// The command that starts the kernel, if there is one: kernel, RAM disk or `-`, device tree.
fn bootx(settings: &LoaderSettings, image: BootImage, boot: &BootValues<'_>) -> Option<String> {
    boot.kernel?;
    let command = image.command();
    let ramdisk = match boot.ramdisk {
        None => "-".to_owned(),
        Some(RamdiskValues { has_header: true, .. }) => settings.ramdisk_addr.clone(),
        Some(_) => format!("{}:${{initrd_size}}", settings.ramdisk_addr),
    };
    let dtb = settings.boot_dtb_addr.as_ref().or(boot.dtb.map(|_| &settings.dtb_addr));
    let kernel = &settings.kernel_addr;
    Some(match (dtb, boot.ramdisk) {
        (Some(dtb), _) => format!("{command} {kernel} {ramdisk} {dtb}"),
        (None, Some(_)) => format!("{command} {kernel} {ramdisk}"),
        (None, None) => format!("{command} {kernel}"),
    })
}

/// `text` with its placeholders replaced; `None` if one has no value.
pub fn replace(text: &str, values: &BTreeMap<String, String>) -> Option<String> {
    replace_all(text, values, |_| false)
}

/// `text` with its placeholders replaced, but for those that may stay; `None` if another has no value.
fn replace_all(
    text: &str,
    values: &BTreeMap<String, String>,
    may_stay: impl Fn(&str) -> bool,
) -> Option<String> {
    pieces(text)
        .map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Placeholder { name, written } => match values.get(name) {
                Some(value) => Some(value.as_str()),
                None => may_stay(name).then_some(written),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{BootValues, NfsValues, RamdiskValues, substitute};
    use crate::board::BoardType;
    use crate::job::BootImage;
    use crate::job::placeholder::{PLACEHOLDERS, is_never_given};
    use crate::plan::{LoaderCommands, LoaderSettings};

    /// The list of commands `nfs` of a board type, with its addresses.
    fn loader(name: &str) -> LoaderCommands {
        let board = BoardType::parse(&BoardType::built_in(name).unwrap()).unwrap();
        let uboot = board.uboot.unwrap();
        let settings = LoaderSettings {
            kernel_addr: uboot.kernel_addr,
            ramdisk_addr: uboot.ramdisk_addr,
            dtb_addr: uboot.dtb_addr,
            boot_dtb_addr: uboot.boot_dtb_addr,
            other_addrs: vec![("DTBO_ADDR".to_owned(), "0x89000000".to_owned())],
            console: format!("{},{}n8", board.console.device, board.console.baud),
            extra_kernel_args: String::new(),
            extra_nfsroot_args: String::new(),
        };
        LoaderCommands { commands: uboot.commands["nfs"].clone(), image: BootImage::Zimage, settings }
    }

    fn nfs_boot() -> BootValues<'static> {
        BootValues {
            server_ip: Some([10, 0, 0, 1].into()),
            job_id: "7",
            kernel: Some("7/zImage"),
            dtb: Some("7/am335x-bone.dtb"),
            nfs: Some(NfsValues { server_ip: [10, 0, 0, 1].into(), port: 2049, export: "/7" }),
            ..BootValues::default()
        }
    }

    #[test]
    fn beaglebone_boots_over_nfs_without_a_ramdisk() {
        let lines = substitute(&loader("beaglebone-black"), &nfs_boot());
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
        let boot = BootValues {
            board_ip: Some([10, 0, 0, 2].into()),
            ramdisk: Some(RamdiskValues { path: "7/initrd.img", has_header: false }),
            ..nfs_boot()
        };
        let lines = substitute(&loader("qemu-virt-arm"), &boot);
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
        let commands = vec!["{BOOTX}".to_owned()];
        let ramdisk = Some(RamdiskValues { path: "7/rd", has_header: true });
        let mut boot = BootValues { ramdisk, ..nfs_boot() };
        let line = |image, boot: &BootValues<'_>| {
            substitute(
                &LoaderCommands { commands: commands.clone(), image, ..loader("beaglebone-black") },
                boot,
            )
            .concat()
        };
        assert_eq!(line(BootImage::Uimage, &boot), "bootm 0x82000000 0x83000000 0x88000000");
        boot.dtb = None;
        assert_eq!(line(BootImage::Image, &boot), "booti 0x82000000 0x83000000");
        boot.ramdisk = None;
        assert_eq!(line(BootImage::Zimage, &boot), "bootz 0x82000000");
    }

    #[test]
    fn placeholders_have_a_value_in_some_boot_or_never() {
        let mut loader = loader("beaglebone-black");
        loader.settings.other_addrs.push(("TEE_ADDR".to_owned(), "0x84000000".to_owned()));
        let boot = BootValues {
            board_ip: Some([10, 0, 0, 2].into()),
            mac: Some("02:00:00:00:00:02"),
            dtbo: vec!["7/a.dtbo"],
            tee: Some("7/tee.bin"),
            ramdisk: Some(RamdiskValues { path: "7/rd", has_header: false }),
            preseed: Some("7/preseed.cfg"),
            extra_files: Some("7/extra"),
            ..nfs_boot()
        };
        for name in PLACEHOLDERS {
            loader.commands = vec![format!("{{{name}}}")];
            assert_eq!(substitute(&loader, &boot).is_empty(), is_never_given(name), "{name}");
        }
    }

    #[test]
    fn lines_with_an_unset_placeholder_are_left_out_and_variables_of_uboot_stay() {
        let commands =
            ["tftp {TEE_ADDR} {TEE}", "echo ${KERNEL_ADDR} {lower} {OTHER} {", "{SERVER_IP}{LAVA_JOB_ID}é"];
        let commands = commands.map(str::to_owned).to_vec();
        let lines = substitute(&LoaderCommands { commands, ..loader("beaglebone-black") }, &nfs_boot());
        assert_eq!(lines, ["echo ${KERNEL_ADDR} {lower} {OTHER} {", "10.0.0.17é"]);
    }

    #[test]
    fn overlays_of_the_device_tree_and_extra_arguments_have_placeholders() {
        let commands =
            ["fdt resize {DTB_BASE_RESIZE}", "{APPLY_DTBO_COMMANDS}", "{DTBO1}", "x{EXTRA_KERNEL_ARGS}"];
        let mut loader =
            LoaderCommands { commands: commands.map(str::to_owned).to_vec(), ..loader("beaglebone-black") };
        loader.settings.extra_kernel_args = " quiet".to_owned();
        let boot = BootValues { dtbo: vec!["7/a.dtbo"], ..nfs_boot() };
        let lines = ["fdt resize 1048576", "tftp 0x89000000 7/a.dtbo", "fdt apply 0x89000000", "x quiet"];
        assert_eq!(substitute(&loader, &boot), lines);
        assert_eq!(substitute(&loader, &nfs_boot()), ["x quiet"]);
    }
}
