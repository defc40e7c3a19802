//! The names of actions and connections that LAVA's `timeouts` can hold, and what each of them bounds here.
//!
//! Source: the `name` of LAVA's actions, as `lava-run` writes them into a job's pipeline description.

use std::fmt::Write as _;

/// A part of a run that has a time of its own if the job names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Fetching and checking all that the node's tests need, before the first action.
    Overlay,
    /// Fetching one git repository with test definitions.
    Repository,
    /// A `deploy: to: tftp` block.
    DeployTftp,
    /// Fetching one file, with all attempts.
    Download,
    /// Fetching one file over HTTP, with all attempts.
    HttpDownload,
    /// Reading one local file.
    FileDownload,
    /// Making a root filesystem ready to be served, once it is fetched.
    PrepareRootfs,
    /// Reading the tar of a root filesystem, once it is fetched.
    ExtractRootfs,
    /// Unpacking kernel modules over a root filesystem, once they are fetched.
    ExtractModules,
    /// A `deploy: to: ssh` block.
    DeploySsh,
    /// A request to the group that has no `timeout` of its own.
    Request,
    /// A `boot: method: u-boot` block.
    BootUboot,
    /// One attempt of it.
    Attempt,
    /// Opening the board's console.
    Connect,
    /// Switching the board on, or restarting it.
    Reset,
    /// Restarting the board's running system.
    SoftReset,
    /// From the board's start to the boot loader's prompt.
    Interrupt,
    /// All boot loader commands together.
    Commands,
    /// From the boot loader's last words to the shell.
    Login,
    /// The shell's prompt, from the moment when nothing else is to come before it.
    Shell,
    /// A `boot: method: ssh` block.
    BootSsh,
    /// Connecting and authenticating over SSH, with all attempts.
    SshConnect,
    /// Writing the agent over SSH.
    SshUpload,
    /// A `test` block.
    Test,
    /// The definitions of a `test` block.
    TestShell,
    /// Switching the board off at the end.
    PowerOff,
}

/// Kinds of action block, and the end of the job, that a part can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// `deploy: to: tftp`.
    DeployTftp,
    /// `deploy: to: ssh`.
    DeploySsh,
    /// `boot: method: u-boot`.
    BootUboot,
    /// `boot: method: ssh`.
    BootSsh,
    /// `test`.
    Test,
    /// What follows the last block.
    End,
}

impl Owner {
    /// How it is written in a job.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DeployTftp => "`deploy: to: tftp`",
            Self::DeploySsh => "`deploy: to: ssh`",
            Self::BootUboot => "`boot: method: u-boot`",
            Self::BootSsh => "`boot: method: ssh`",
            Self::Test => "`test`",
            Self::End => "the end of the job",
        }
    }

    /// The part that is the whole block: a limit that names it stands for the block's own `timeout`.
    pub(crate) const fn whole(self) -> Part {
        match self {
            Self::DeployTftp => Part::DeployTftp,
            Self::DeploySsh => Part::DeploySsh,
            Self::BootUboot => Part::BootUboot,
            Self::BootSsh => Part::BootSsh,
            Self::Test => Part::Test,
            Self::End => Part::PowerOff,
        }
    }
}

/// What a name of LAVA's does here.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect {
    /// It bounds a part.
    Bounds {
        /// The part.
        part: Part,
        /// What it belongs to.
        owners: &'static [Owner],
        /// What its time in `timeouts: connections` bounds, if anything.
        answer: Option<&'static str>,
    },
    /// Nothing, because of this.
    Nothing(&'static str),
}

/// What the name `name` of LAVA's does here; `None` if LAVA has no such name.
pub(crate) fn effect(name: &str) -> Option<Effect> {
    if let Some(bound) = BOUNDS.iter().find(|bound| bound.name == name) {
        let Bound { part, owners, answer, .. } = *bound;
        return Some(Effect::Bounds { part, owners, answer });
    }
    IDLE.iter().find(|(names, _)| names.contains(&name)).map(|(_, reason)| Effect::Nothing(reason))
}

/// All names that are known.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let idle = IDLE.iter().flat_map(|(names, _)| names.iter().copied());
    BOUNDS.iter().map(|bound| bound.name).chain(idle)
}

/// The names as the two tables of `docs/timeouts.md`.
pub fn tables() -> String {
    let mut text = "| name | in | it bounds | in `connections`, it bounds |\n|---|---|---|---|\n".to_owned();
    for Bound { name, owners, what, answer, .. } in BOUNDS {
        let owners: Vec<_> = owners.iter().map(|owner| owner.name()).collect();
        let owners = owners.join(", ");
        let _ = writeln!(text, "| `{name}` | {owners} | {what} | {} |", answer.unwrap_or("no effect"));
    }
    text.push_str("\n| names | why they have no effect |\n|---|---|\n");
    for (names, reason) in IDLE {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "| {} | {reason} |", names.join(", "));
    }
    text
}

/// A name that bounds a part.
struct Bound {
    name: &'static str,
    part: Part,
    owners: &'static [Owner],
    what: &'static str,
    answer: Option<&'static str>,
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
const SSH: &[Owner] = &[Owner::BootSsh];
const TEST: &[Owner] = &[Owner::Test];
const END: &[Owner] = &[Owner::End];

const ALL_TESTS: &str = "fetching and checking all that the node's tests need, before the first action";
const RESET: &str = "switching the board on, or restarting it";
const ATTEMPT: &str = "one attempt, instead of its share of the block's time";
const LOGIN: &str = "from U-Boot's last words to the shell: kernel, login, login commands";
const OFF: &str = "switching the board off";
const STEP: &str = "each step: the kernel's first message, login prompt, shell prompt";
const AGENT: &str = "the agent's first answer";

const BOUNDS: &[Bound] = &[
    bound("tftp-deploy", Part::DeployTftp, TFTP, "the whole block"),
    bound("lava-overlay", Part::Overlay, DEPLOY, ALL_TESTS),
    bound("test-definition", Part::Overlay, DEPLOY, ALL_TESTS),
    bound("git-repo-action", Part::Repository, DEPLOY, "fetching one git repository with test definitions"),
    bound("download-retry", Part::Download, TFTP, "fetching one file, with all attempts"),
    bound("http-download", Part::HttpDownload, TFTP, "fetching one `http` or `https` URL, with all attempts"),
    bound("file-download", Part::FileDownload, TFTP, "reading one `file` URL"),
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
    bound("scp-overlay", Part::DeploySsh, SSH_DEPLOY, "the whole block, without its requests to the group"),
    bound("prepare-scp-overlay", Part::Request, SSH_DEPLOY, "a request to the group that has no `timeout`"),
    bound("uboot-action", Part::BootUboot, UBOOT, "the whole block, with all attempts"),
    bound("uboot-commands", Part::Attempt, UBOOT, ATTEMPT),
    bound("uboot-retry", Part::Attempt, UBOOT, ATTEMPT),
    bound("connect-device", Part::Connect, UBOOT, "opening the console"),
    bound("reset-device", Part::Reset, UBOOT, RESET),
    bound("pdu-reboot", Part::Reset, UBOOT, RESET),
    bound("send-reboot-commands", Part::SoftReset, UBOOT, "the `soft_reboot` commands"),
    bound("bootloader-interrupt", Part::Interrupt, UBOOT, "from the board's start to U-Boot's prompt")
        .with_answer("the autoboot prompt, and then U-Boot's, each"),
    bound("bootloader-commands", Part::Commands, UBOOT, "all commands together, to the kernel's start")
        .with_answer("each command"),
    bound("auto-login-action", Part::Login, UBOOT, LOGIN).with_answer(STEP),
    bound("login-action", Part::Login, UBOOT, LOGIN).with_answer(STEP),
    bound(
        "expect-shell-connection",
        Part::Shell,
        UBOOT,
        "the shell's prompt, once nothing else is to come before it",
    ),
    bound("login-ssh", Part::BootSsh, SSH, "the whole block"),
    bound("ssh-connection", Part::SshConnect, SSH, "connecting and authenticating, with all attempts"),
    bound("scp-deploy", Part::SshUpload, SSH, "writing the agent to the target"),
    bound("lava-test-retry", Part::Test, TEST, "the whole block").with_answer(AGENT),
    bound("lava-test-shell", Part::TestShell, TEST, "the definitions of the block").with_answer(AGENT),
    bound("multinode-test", Part::TestShell, TEST, "the definitions of the block").with_answer(AGENT),
    bound("finalize", Part::PowerOff, END, OFF),
    bound("power-off", Part::PowerOff, END, OFF),
];

/// Names that LAVA has and that do nothing here, and why.
const IDLE: &[(&[&str], &str)] = &[
    (
        &[
            "test-overlay",
            "test-install-overlay",
            "test-runscript-overlay",
            "inline-repo-action",
            "compress-overlay",
            "lava-multinode-overlay",
            "ssh-authorize",
            "apply-overlay-tftp",
            "deploy-device-env",
            "bootloader-overlay",
            "uboot-from-media",
            "prepare-ssh",
            "prepare-kernel",
            "uboot-prepare-kernel",
        ],
        "it is done at once, in memory",
    ),
    (
        &["export-device-env", "overlay-unpack", "scp-overlay-unpack"],
        "environment and definitions are part of the root filesystem, or come with the agent: nothing is typed for them",
    ),
    (
        &[
            "extract-overlay-ramdisk",
            "compress-ramdisk",
            "extract-rootfs",
            "configure-preseed-file",
            "persistent-nfs-overlay",
        ],
        "RAM disks and installers are served as they are",
    ),
    (&["read-feedback"], "there are no other namespaces to read from"),
    (&["power-on", "pre-power-command", "pre-os-command"], "the bench file has no such command"),
    (&["scp-download", "rclone-download"], "files are not fetched in that way"),
    (
        &["lava-test-monitor", "lava-test-interactive", "lava-docker-test-shell"],
        "tests of that kind are not supported",
    ),
    (
        &[
            "boot-image-retry",
            "bootloader-action",
            "bootloader-retry",
            "depthcharge-action",
            "depthcharge-retry",
            "fastboot-boot",
            "fastboot-deploy",
            "fastboot-flash-action",
            "grub-main-action",
            "minimal-boot",
            "nbd-deploy",
            "new-connection",
            "schroot-login",
            "storage-deploy",
        ],
        "boots and deployments of that kind are not supported",
    ),
    (&["lava-vland-overlay", "lxc-create-udev-rule-action"], "LAVA itself has dropped it"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_there_once_and_nothing_is_without_an_owner() {
        let mut seen = BTreeSet::new();
        assert!(names().all(|name| seen.insert(name)), "{seen:?}");
        assert!(BOUNDS.iter().all(|bound| !bound.owners.is_empty() && !bound.what.is_empty()));
    }

    #[test]
    fn the_whole_of_every_kind_of_block_has_a_name() {
        for owner in
            [Owner::DeployTftp, Owner::DeploySsh, Owner::BootUboot, Owner::BootSsh, Owner::Test, Owner::End]
        {
            let named =
                BOUNDS.iter().any(|bound| bound.part == owner.whole() && bound.owners.contains(&owner));
            assert!(named, "{owner:?}");
        }
    }

    #[test]
    fn the_page_for_users_has_these_tables() {
        let page = include_str!("../../../docs/timeouts.md");
        assert!(page.contains(&tables()), "docs/timeouts.md needs these tables:\n{}", tables());
    }
}
