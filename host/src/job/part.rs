//! The names of actions and connections that LAVA's `timeouts` can hold, and what each of them bounds here.
//!
//! Source: the `name` of LAVA's actions, as `lava-run` writes them into a job's pipeline description.

mod table;

use std::fmt::Write as _;

use table::{BOUNDS, Bound, IDLE, Idle};

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
    /// Fetching one file over SSH, with all attempts.
    ScpDownload,
    /// Making a root filesystem ready to be served, once it is fetched.
    PrepareRootfs,
    /// Reading the tar of a root filesystem, once it is fetched.
    ExtractRootfs,
    /// Unpacking kernel modules over a root filesystem, once they are fetched.
    ExtractModules,
    /// Putting modules, overlays and tests into a RAM disk, once they are fetched.
    PrepareRamdisk,
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
    /// A `boot: method: bootloader` block.
    BootBootloader,
    /// A `boot: method: minimal` block.
    BootMinimal,
    /// A `boot: method: new_connection` block.
    NewConnection,
    /// A `test` block.
    Test,
    /// The definitions of a `test` block.
    TestShell,
    /// A `test` block with `interactive`.
    Interactive,
    /// A `test` block with `monitors`.
    Monitors,
    /// A `command` block.
    Command,
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
    /// `boot: method: bootloader`.
    BootBootloader,
    /// `boot: method: minimal`.
    BootMinimal,
    /// `boot: method: new_connection`.
    NewConnection,
    /// `boot: method: ssh`.
    BootSsh,
    /// `test` with `definitions`.
    Test,
    /// `test` with `interactive`.
    Interactive,
    /// `test` with `monitors`.
    Monitors,
    /// `command`.
    Command,
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
            Self::BootBootloader => "`boot: method: bootloader`",
            Self::BootMinimal => "`boot: method: minimal`",
            Self::NewConnection => "`boot: method: new_connection`",
            Self::BootSsh => "`boot: method: ssh`",
            Self::Test => "`test: definitions`",
            Self::Interactive => "`test: interactive`",
            Self::Monitors => "`test: monitors`",
            Self::Command => "`command`",
            Self::End => "the end of the job",
        }
    }

    /// The part that is the whole block: a limit that names it stands for the block's own `timeout`.
    pub(crate) const fn whole(self) -> Part {
        match self {
            Self::DeployTftp => Part::DeployTftp,
            Self::DeploySsh => Part::DeploySsh,
            Self::BootUboot => Part::BootUboot,
            Self::BootBootloader => Part::BootBootloader,
            Self::BootMinimal => Part::BootMinimal,
            Self::NewConnection => Part::NewConnection,
            Self::BootSsh => Part::BootSsh,
            Self::Test => Part::Test,
            Self::Interactive => Part::Interactive,
            Self::Monitors => Part::Monitors,
            Self::Command => Part::Command,
            Self::End => Part::PowerOff,
        }
    }

    /// The name that jobs usually give for the whole block.
    pub(crate) const fn usual_caller(self) -> &'static str {
        match self {
            Self::DeployTftp => "tftp-deploy",
            Self::DeploySsh => "prepare-scp-overlay",
            Self::BootUboot => "uboot-action",
            Self::BootBootloader => "bootloader-action",
            Self::BootMinimal => "minimal-boot",
            Self::NewConnection => "new-connection",
            Self::BootSsh => "login-ssh",
            Self::Test => "multinode-test",
            Self::Interactive => "lava-test-interactive",
            Self::Monitors => "lava-test-monitor",
            Self::Command => "user-command",
            Self::End => "finalize",
        }
    }

    /// Whether it is a test.
    pub(crate) const fn is_test(self) -> bool {
        matches!(self, Self::Test | Self::Interactive | Self::Monitors)
    }
}

/// The names of actions that a block of the kind `owner` has in LAVA: those at which it can ask something of the group.
pub(crate) fn callers(owner: Owner) -> impl Iterator<Item = &'static str> {
    let bounds = BOUNDS.iter().filter(move |bound| bound.owners.contains(&owner)).map(|bound| bound.name);
    let idle = IDLE.iter().filter(move |idle| idle.owners.contains(&owner));
    bounds.chain(idle.flat_map(|idle| idle.names.iter().copied()))
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
        /// The part in words.
        what: &'static str,
        /// What its time in `timeouts: connections` bounds, if anything.
        answer: Option<&'static str>,
    },
    /// Nothing, because of this.
    Nothing(&'static str),
}

/// What the name `name` of LAVA's does here; `None` if LAVA has no such name.
pub(crate) fn effect(name: &str) -> Option<Effect> {
    if let Some(bound) = BOUNDS.iter().find(|bound| bound.name == name) {
        let Bound { part, owners, what, answer, .. } = *bound;
        return Some(Effect::Bounds { part, owners, what, answer });
    }
    IDLE.iter().find(|idle| idle.names.contains(&name)).map(|idle| Effect::Nothing(idle.reason))
}

/// All names that are known.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let idle = IDLE.iter().flat_map(|idle| idle.names.iter().copied());
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
    for Idle { names, reason, .. } in IDLE {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "| {} | {reason} |", names.join(", "));
    }
    text
}

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
        for owner in [
            Owner::DeployTftp,
            Owner::DeploySsh,
            Owner::BootUboot,
            Owner::BootBootloader,
            Owner::BootMinimal,
            Owner::NewConnection,
            Owner::BootSsh,
            Owner::Test,
            Owner::Interactive,
            Owner::Monitors,
            Owner::Command,
            Owner::End,
        ] {
            assert!(callers(owner).any(|caller| caller == owner.usual_caller()), "{owner:?}");
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
