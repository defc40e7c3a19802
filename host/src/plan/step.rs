//! The plan's types.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::board::power::Switch;
use crate::board::{AgentLink, Board};
use crate::job::{
    AutoLogin, BootImage, BootSsh, DefinitionSpec, DelayedStart, DeploySsh, DeployTftp, InteractiveScript,
    Located, Monitor, ProtocolCall, Timeouts, TransferCommands,
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

impl Plan {
    /// The nodes that run on a board each, and that.
    pub fn boards(&self) -> impl Iterator<Item = (&NodePlan, &Arc<Board>)> {
        self.nodes.iter().filter_map(|node| Some((node, node.kind.board()?)))
    }
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
    /// Whether all others end when it ends without a result.
    pub essential: bool,
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
    /// The agent's directory on the target, an absolute path; `%s` in it is the node's id.
    pub directory: String,
}

impl NodePlan {
    /// Whether its `board` fetches something from this PC, or connects to it.
    pub fn needs_services(&self, board: &Board) -> bool {
        self.steps.iter().any(|step| match &step.action {
            Action::DeployTftp(_) => true,
            Action::Test(_) => board.agent_link == AgentLink::Tcp,
            _ => false,
        })
    }

    /// The persistent root filesystems that it deploys, each time that it does.
    pub fn persistent_rootfs(&self) -> impl Iterator<Item = &Located<String>> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::DeployTftp(deploy) => deploy.spec.rootfs.as_ref()?.persistent.as_ref(),
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

impl NodeKind {
    /// The board; none of a connection to another node's.
    pub const fn board(&self) -> Option<&Arc<Board>> {
        match self {
            Self::Board { board } => Some(board),
            Self::Secondary { .. } => None,
        }
    }
}

/// One step of a node.
#[derive(Clone, Debug)]
pub struct Step {
    /// Name, unique on the node: `deploy-tftp`, `boot-u-boot`, `test-0`, …
    pub phase: String,
    /// Whose files and connections it works with; empty in a job without namespaces.
    pub namespace: String,
    /// Requests to the group that come first, with times of their own.
    pub calls: Vec<ProtocolCall>,
    /// How often it is tried in all, at least 1.
    pub attempts: u32,
    /// How long to wait before it is tried again.
    pub retry_interval: Duration,
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
    DeployTftp(Box<TftpDeployment>),
    /// Gets ready for an SSH connection.
    DeploySsh(DeploySsh),
    /// Boots a board through U-Boot.
    BootUboot(Box<BootUboot>),
    /// Boots a board to U-Boot's prompt.
    BootBootloader(Box<BootBootloader>),
    /// Boots what is on a board.
    BootMinimal(Box<BootMinimal>),
    /// Opens another connection to a board.
    NewConnection(Box<NewConnection>),
    /// Logs in over SSH.
    BootSsh(BootSsh),
    /// Runs test definitions.
    Test(TestAction),
    /// Types scripts on a connection.
    Interactive(TestLine<InteractiveScript>),
    /// Listens for results on a connection.
    Monitors(TestLine<Monitor>),
    /// Runs a command of the bench.
    Command(UserCommand),
}

impl Action {
    /// Whether it runs tests over a connection.
    pub const fn is_test(&self) -> bool {
        matches!(self, Self::Test(_) | Self::Interactive(_) | Self::Monitors(_))
    }
}

/// Files for a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TftpDeployment {
    /// What is fetched.
    pub spec: DeployTftp,
    /// The board's address: TFTP and NFS answer nobody else.
    pub peer: IpAddr,
    /// Whether the kernel, which the board's U-Boot does not start as it is, is given U-Boot's header, and for which
    /// address in the board's memory.
    pub kernel_header: Option<String>,
}

/// A boot by U-Boot commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootUboot {
    /// What is typed.
    pub loader: LoaderCommands,
    /// U-Boot's last words, a regular expression.
    pub bootloader_final_message: String,
    /// How the board is restarted before.
    pub reset: ResetPlan,
    /// How a shell is reached.
    pub shell: ShellPlan,
}

/// A boot that ends at U-Boot's prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootBootloader {
    /// What is typed.
    pub loader: LoaderCommands,
    /// U-Boot's prompts: regular expressions that compile, at least one.
    pub prompts: Vec<String>,
    /// How the board is restarted before.
    pub reset: ResetPlan,
}

/// What is typed into U-Boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderCommands {
    /// Templates of the commands: `{KERNEL_ADDR}` and the like are still in.
    pub commands: Vec<String>,
    /// Kind of the kernel image, which decides `{BOOTX}`.
    pub image: BootImage,
    /// What of the templates' values does not come from the deployment.
    pub settings: LoaderSettings,
}

/// Values for templates of U-Boot's commands that do not come from the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderSettings {
    /// Where the kernel is loaded.
    pub kernel_addr: String,
    /// Where the RAM disk is loaded.
    pub ramdisk_addr: String,
    /// Where the device tree is loaded.
    pub dtb_addr: String,
    /// The device tree that the kernel is started with, where it is not the job's: an address or `${variable}`.
    pub boot_dtb_addr: Option<String>,
    /// Where other files are loaded, by the names of their placeholders: `TEE_ADDR`, `DTBO_ADDR`.
    pub other_addrs: Vec<(String, String)>,
    /// `ttyS0,115200n8`.
    pub console: String,
    /// `context: extra_kernel_args`, with a blank before it; may be empty.
    pub extra_kernel_args: String,
    /// `context: extra_nfsroot_args`; may be empty.
    pub extra_nfsroot_args: String,
}

/// A boot of what is on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootMinimal {
    /// How the board is restarted before.
    pub reset: ResetPlan,
    /// How a shell is reached.
    pub shell: ShellPlan,
}

/// Another connection to a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConnection {
    /// Its name in the bench file.
    pub connection: String,
    /// How a shell is reached.
    pub shell: ShellPlan,
}

/// How a board is restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetPlan {
    /// Whether it is at all.
    pub wanted: bool,
    /// Commands that restart a running Linux; the first that does is enough. For boards without power commands.
    pub soft_reboot: Vec<String>,
    /// What the kernel says when it restarts, a regular expression.
    pub shutdown_message: String,
}

/// How a shell is reached. Texts are regular expressions that compile, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellPlan {
    /// The shell's prompts. Empty if no shell is waited for.
    pub prompts: Vec<String>,
    /// How to log in; without it, a shell comes up by itself.
    pub auto_login: Option<AutoLogin>,
    /// The kernel's first words; `None` where no kernel starts.
    pub kernel_start_message: Option<String>,
    /// What means that the boot failed.
    pub failure_message: Option<String>,
    /// Whether kernel warnings are left alone.
    pub ignore_kernel_messages: bool,
    /// How the board fetches the tests, where its root filesystem is not ours.
    pub transfer: Option<TransferCommands>,
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

/// A test that runs on a connection alone.
#[derive(Clone, Debug)]
pub struct TestLine<T> {
    /// What its results' names begin with: ordinal of the node's next test step with definitions, from 0.
    pub stage: u32,
    /// Its scripts or monitors, in order; at least one.
    pub items: Vec<T>,
}

/// A command of the bench.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCommand {
    /// Its name.
    pub name: String,
    /// The program and its arguments; empty where it is the board's power that is switched.
    pub run: Vec<String>,
    /// What undoes it at the end of the job; may be empty.
    pub undo: Vec<String>,
    /// What is done to the board's power.
    pub power: Option<Switch>,
}
