//! LAVA's names of actions, and what each of them bounds here.

use super::{Owner, Part};

/// A name that bounds a part.
pub(super) struct Bound {
    pub(super) name: &'static str,
    pub(super) part: Part,
    pub(super) owners: &'static [Owner],
    pub(super) what: &'static str,
    pub(super) answer: Option<&'static str>,
}

const fn bound(name: &'static str, part: Part, owners: &'static [Owner], what: &'static str) -> Bound {
    Bound { name, part, owners, what, answer: None }
}

impl Bound {
    const fn with_answer(self, answer: &'static str) -> Self {
        Self { answer: Some(answer), ..self }
    }
}

const TFTP: &[Owner] = &[Owner::DeployTftp];
const DEPLOY: &[Owner] = &[Owner::DeployTftp, Owner::DeploySsh];
const SSH_DEPLOY: &[Owner] = &[Owner::DeploySsh];
const UBOOT: &[Owner] = &[Owner::BootUboot];
const BOOTLOADER: &[Owner] = &[Owner::BootBootloader];
const LOADERS: &[Owner] = &[Owner::BootUboot, Owner::BootBootloader];
const MINIMAL: &[Owner] = &[Owner::BootMinimal];
const NEW: &[Owner] = &[Owner::NewConnection];
/// They begin with a reset.
const POWERED: &[Owner] = &[Owner::BootUboot, Owner::BootBootloader, Owner::BootMinimal];
/// They open a console.
const CONSOLES: &[Owner] =
    &[Owner::BootUboot, Owner::BootBootloader, Owner::BootMinimal, Owner::NewConnection];
/// They end at a shell on a console.
const SHELLS: &[Owner] = &[Owner::BootUboot, Owner::BootMinimal, Owner::NewConnection];
const SSH: &[Owner] = &[Owner::BootSsh];
const BOOTS: &[Owner] =
    &[Owner::BootUboot, Owner::BootBootloader, Owner::BootMinimal, Owner::NewConnection, Owner::BootSsh];
const TEST: &[Owner] = &[Owner::Test];
const INTERACTIVE: &[Owner] = &[Owner::Interactive];
const MONITORS: &[Owner] = &[Owner::Monitors];
const COMMAND: &[Owner] = &[Owner::Command];
const END: &[Owner] = &[Owner::End];
const NOBODY: &[Owner] = &[];

const ALL_TESTS: &str = "fetching and checking all that the node's tests need, before the first action";
const RESET: &str = "switching the board on, or restarting it";
const ATTEMPT: &str = "one attempt, instead of its share of the block's time";
const LOGIN: &str = "from U-Boot's last words to the shell: kernel, login, login commands";
const OFF: &str = "switching the board off";
const STEP: &str = "each step: the kernel's first message, login prompt, shell prompt";
const AGENT: &str = "the agent's first answer";

pub(super) const BOUNDS: &[Bound] = &[
    bound("tftp-deploy", Part::DeployTftp, TFTP, "the whole block"),
    bound("lava-overlay", Part::Overlay, DEPLOY, ALL_TESTS),
    bound("test-definition", Part::Overlay, DEPLOY, ALL_TESTS),
    bound("git-repo-action", Part::Repository, DEPLOY, "fetching one git repository with test definitions"),
    bound("download-retry", Part::Download, TFTP, "fetching one file, with all attempts"),
    bound("http-download", Part::HttpDownload, TFTP, "fetching one `http` or `https` URL, with all attempts"),
    bound("file-download", Part::FileDownload, TFTP, "reading one `file` URL"),
    bound("scp-download", Part::ScpDownload, TFTP, "fetching one `scp` URL, with all attempts"),
    bound(
        "prepare-tftp-overlay",
        Part::PrepareRootfs,
        TFTP,
        "making a fetched root filesystem ready to be served",
    ),
    bound("extract-nfsrootfs", Part::ExtractRootfs, TFTP, "reading the tar of a fetched root filesystem"),
    bound(
        "extract-modules",
        Part::ExtractModules,
        TFTP,
        "unpacking fetched modules over the root filesystem",
    ),
    bound(
        "compress-ramdisk",
        Part::PrepareRamdisk,
        TFTP,
        "putting modules, overlays and tests into a fetched RAM disk",
    ),
    bound("scp-overlay", Part::DeploySsh, SSH_DEPLOY, "the whole block, without its requests to the group"),
    bound("prepare-scp-overlay", Part::Request, SSH_DEPLOY, "a request to the group that has no `timeout`"),
    bound("uboot-action", Part::BootUboot, UBOOT, "the whole block, with all attempts"),
    bound("uboot-commands", Part::Attempt, UBOOT, ATTEMPT),
    // As LAVA's documents have it now and then.
    bound("u-boot-commands", Part::Attempt, UBOOT, ATTEMPT),
    bound("uboot-retry", Part::Attempt, UBOOT, ATTEMPT),
    bound("connect-device", Part::Connect, CONSOLES, "opening the console"),
    bound("reset-device", Part::Reset, POWERED, RESET),
    bound("pdu-reboot", Part::Reset, POWERED, RESET),
    bound("send-reboot-commands", Part::SoftReset, POWERED, "the `soft_reboot` commands"),
    bound("bootloader-interrupt", Part::Interrupt, LOADERS, "from the board's start to U-Boot's prompt")
        .with_answer("the autoboot prompt, and then U-Boot's, each"),
    bound("bootloader-commands", Part::Commands, LOADERS, "all commands together, to the kernel's start")
        .with_answer("each command"),
    bound("auto-login-action", Part::Login, SHELLS, LOGIN).with_answer(STEP),
    bound("login-action", Part::Login, SHELLS, LOGIN).with_answer(STEP),
    bound(
        "expect-shell-connection",
        Part::Shell,
        SHELLS,
        "the shell's prompt, once nothing else is to come before it",
    ),
    bound("bootloader-action", Part::BootBootloader, BOOTLOADER, "the whole block, with all attempts"),
    bound("bootloader-retry", Part::Attempt, BOOTLOADER, ATTEMPT),
    bound("minimal-boot", Part::BootMinimal, MINIMAL, "the whole block, with all attempts"),
    bound("new-connection", Part::NewConnection, NEW, "the whole block, with all attempts"),
    bound("login-ssh", Part::BootSsh, SSH, "the whole block"),
    bound("ssh-connection", Part::SshConnect, SSH, "connecting and authenticating, with all attempts"),
    bound("scp-deploy", Part::SshUpload, SSH, "writing the agent to the target"),
    bound("lava-test-retry", Part::Test, TEST, "the whole block").with_answer(AGENT),
    bound("lava-test-shell", Part::TestShell, TEST, "the definitions of the block").with_answer(AGENT),
    bound("multinode-test", Part::TestShell, TEST, "the definitions of the block").with_answer(AGENT),
    bound("lava-test-interactive-retry", Part::Interactive, INTERACTIVE, "the whole block"),
    bound("lava-test-interactive", Part::Interactive, INTERACTIVE, "the whole block"),
    bound("lava-test-monitor-retry", Part::Monitors, MONITORS, "the whole block"),
    bound("lava-test-monitor", Part::Monitors, MONITORS, "the whole block"),
    bound("user-command", Part::Command, COMMAND, "the whole block"),
    bound("finalize", Part::PowerOff, END, OFF),
    bound("power-off", Part::PowerOff, END, OFF),
];

/// Names that LAVA has and that do nothing here.
pub(super) struct Idle {
    pub(super) names: &'static [&'static str],
    /// The blocks that have them in LAVA.
    pub(super) owners: &'static [Owner],
    pub(super) reason: &'static str,
}

const AT_ONCE: &str = "it is done at once, in memory";
const NOT_TYPED: &str = "environment and definitions are part of the root filesystem, or come with the agent: nothing is typed for them";

pub(super) const IDLE: &[Idle] = &[
    Idle {
        names: &[
            "test-overlay",
            "test-install-overlay",
            "test-runscript-overlay",
            "inline-repo-action",
            "compress-overlay",
            "lava-multinode-overlay",
            "multinode-overlay",
            "ssh-authorize",
            "deploy-device-env",
            "prepare-ssh",
        ],
        owners: DEPLOY,
        reason: AT_ONCE,
    },
    Idle {
        names: &[
            "apply-overlay-tftp",
            "prepare-kernel",
            "uboot-prepare-kernel",
            "extract-ramdisk",
            "extract-overlay-ramdisk",
            "extract-rootfs",
            "configure-preseed-file",
        ],
        owners: TFTP,
        reason: AT_ONCE,
    },
    Idle { names: &["bootloader-overlay", "uboot-from-media"], owners: LOADERS, reason: AT_ONCE },
    Idle {
        names: &["export-device-env", "overlay-unpack", "scp-overlay-unpack"],
        owners: BOOTS,
        reason: NOT_TYPED,
    },
    Idle {
        names: &["url-repo-action"],
        owners: DEPLOY,
        reason: "an archive of tests is fetched within the time of `lava-overlay`",
    },
    Idle {
        names: &["persistent-nfs-overlay"],
        owners: TFTP,
        reason: "nothing is written into another server's root filesystem",
    },
    Idle { names: &["read-feedback"], owners: END, reason: "all connections are read all the time" },
    Idle {
        names: &["power-on", "pre-power-command", "pre-os-command"],
        owners: POWERED,
        reason: "the bench file has no such command",
    },
    Idle { names: &["rclone-download"], owners: NOBODY, reason: "files are not fetched in that way" },
    Idle {
        names: &["lava-docker-test-shell"],
        owners: NOBODY,
        reason: "tests of that kind are not supported",
    },
    Idle {
        names: &[
            "boot-image-retry",
            "depthcharge-action",
            "depthcharge-retry",
            "fastboot-boot",
            "fastboot-deploy",
            "fastboot-flash-action",
            "grub-main-action",
            "adb-overlay-unpack",
            "fastboot-reboot",
            "fvp-deploy",
            "lxc-deploy",
            "lxc-download",
            "mps-deploy",
            "musca-deploy",
            "nbd-deploy",
            "nfs-deploy",
            "prepare-fit",
            "uuu-boot-retry",
            "uuu-deploy",
            "schroot-login",
            "storage-deploy",
        ],
        owners: NOBODY,
        reason: "boots and deployments of that kind are not supported",
    },
    Idle {
        names: &["lava-vland-overlay", "lxc-create-udev-rule-action"],
        owners: NOBODY,
        reason: "LAVA itself has dropped it",
    },
];
