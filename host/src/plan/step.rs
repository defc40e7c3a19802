//! The plan's types.

use std::sync::Arc;
use std::time::Duration;

use crate::board::Board;
use crate::job::{
    AutoLogin, BootImage, BootSsh, DefinitionSpec, DelayedStart, DeploySsh, DeployTftp, Located, Timeouts,
};
use crate::limit::Limit;

/// A job bound to a bench.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `job_name`.
    pub job_name: String,
    /// Time of the whole job.
    pub job_timeout: Limit,
    /// The nodes, in the order of the job's roles: a MultiNode group, or one node alone.
    pub nodes: Vec<NodePlan>,
    /// `secrets`: names and values; masked wherever they are shown.
    pub secrets: Vec<(String, String)>,
    /// What should be looked at, one line each.
    pub warnings: Vec<String>,
}

/// What one node does.
#[derive(Clone, Debug)]
pub struct NodePlan {
    /// Unique name: the role, or role and number from 1 (`guest-1`) where `count` is more than one.
    pub name: String,
    /// Its role.
    pub role: String,
    /// What it runs on.
    pub kind: NodeKind,
    /// When it may begin.
    pub delayed_start: Option<DelayedStart>,
    /// How long one call of a helper such as `lava-wait` or `lava-sync` may wait.
    pub group_timeout: Limit,
    /// How long getting its tests ready may take.
    pub prepare: PrepareTimeouts,
    /// How long switching its board off may take.
    pub power_off: Limit,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// Variables for the test scripts: the job's, then the role's.
    pub environment: Vec<(String, String)>,
}

impl NodePlan {
    /// The persistent root filesystems that it deploys, each time that it does.
    pub fn persistent_rootfs(&self) -> impl Iterator<Item = &Located<String>> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::DeployTftp(deploy) => deploy.persistent.as_ref(),
            _ => None,
        })
    }
}

/// How long fetching and checking a node's tests may take, before its first step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepareTimeouts {
    /// All of it.
    pub whole: Limit,
    /// One git repository.
    pub repository: Option<Limit>,
}

/// What a node runs on.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// A board.
    Board {
        /// The board.
        board: Arc<Board>,
    },
    /// An SSH connection to another node's board.
    Secondary {
        /// Name of the node that runs on the board.
        host: String,
    },
}

/// One step of a node.
#[derive(Clone, Debug)]
pub struct Step {
    /// Name, unique on the node: `deploy-tftp`, `boot-u-boot`, `test-0`, …
    pub phase: String,
    /// Its time and that of its parts.
    pub timeouts: Timeouts,
    /// `file:line:column` in the job.
    pub place: String,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Fetches files and serves them by TFTP and NFS.
    DeployTftp(Box<DeployTftp>),
    /// Makes the requests that an SSH connection needs.
    DeploySsh(DeploySsh),
    /// Boots a board through U-Boot.
    BootUboot(Box<BootUboot>),
    /// Logs in over SSH.
    BootSsh(BootSsh),
    /// Runs test definitions.
    Test(TestAction),
}

/// A boot by U-Boot commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootUboot {
    /// Templates of the commands: `{KERNEL_ADDR}` and the like are still in.
    pub commands: Vec<String>,
    /// Kind of the kernel image, which decides `{BOOTX}`.
    pub image: BootImage,
    /// Shell prompts: regular expressions that compile.
    pub prompts: Vec<String>,
    /// How to log in; without it, a shell comes up by itself.
    pub auto_login: Option<AutoLogin>,
    /// What the kernel says when it restarts, a regular expression.
    pub shutdown_message: String,
    /// The kernel's first words, a regular expression.
    pub kernel_start_message: String,
    /// U-Boot's last words, a regular expression.
    pub bootloader_final_message: String,
    /// Text that means that the boot failed, a regular expression.
    pub failure_message: Option<String>,
    /// Commands that restart a running Linux; the first that does is enough. For boards without power commands.
    pub soft_reboot: Vec<String>,
    /// Whether kernel warnings are left alone.
    pub ignore_kernel_messages: bool,
    /// How often the boot is tried in all, at least 1.
    pub attempts: u32,
    /// How long to wait before it is tried again.
    pub retry_interval: Duration,
}

/// A run of test definitions.
#[derive(Clone, Debug)]
pub struct TestAction {
    /// Ordinal of the test step on its node, from 0.
    pub stage: u32,
    /// The definitions, in order; at least one.
    pub definitions: Vec<DefinitionSpec>,
    /// `os` of the node, such as `debian`: decides which packages `install: deps` names.
    pub os: Option<String>,
}
