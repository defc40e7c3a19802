//! The job, typed: everything in it has been checked as far as that is possible without a bench.

use std::collections::BTreeMap;
use std::time::Duration;

use super::part::Part;
use super::testdef::TestDefinition;
use crate::artifact::{Checksums, Compression};
use crate::diagnostic::{Diagnostic, Source, Span};
use crate::limit::Limit;

/// A checked job file.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The file it came from.
    pub source: Source,
    /// `job_name`.
    pub name: String,
    /// `timeouts: job`.
    pub timeout: Limit,
    /// Time to switch a board off, if the job names it.
    pub power_off: Option<Limit>,
    /// The roles, in the file's order; a job without `lava-multinode` has one.
    pub roles: Vec<Role>,
    /// The action blocks, in the file's order.
    pub blocks: Vec<Block>,
    /// `environment`: names and values, in the file's order.
    pub environment: Vec<(String, String)>,
    /// `secrets`: names and values, in the file's order; masked wherever they are shown.
    pub secrets: Vec<(String, String)>,
    /// What does not stop the job but should be looked at.
    pub warnings: Vec<Diagnostic>,
}

/// A value and its place in the job file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub span: Span,
}

/// A role of a MultiNode job, or the only node of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// Its name; `board` in a job without roles.
    pub name: Located<String>,
    /// What its nodes run on.
    pub kind: RoleKind,
    /// Number of nodes, at least 1.
    pub count: u32,
    /// `request: lava-start`: when its nodes may begin.
    pub delayed_start: Option<DelayedStart>,
    /// How long one call of a helper such as `lava-wait` or `lava-sync` may wait.
    pub group_timeout: Limit,
    /// The role's own `environment`, in the file's order.
    pub environment: Vec<(String, String)>,
}

/// What the nodes of a role run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleKind {
    /// A board of this type.
    Device {
        /// `device_type`.
        device_type: Located<String>,
    },
    /// An SSH connection to the board of another role.
    Connection {
        /// `host_role`.
        host_role: Located<String>,
    },
}

/// A wait for another role's `lava_start`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayedStart {
    /// The role whose `lava_start` releases the node.
    pub expect_role: String,
    /// How long to wait for it.
    pub timeout: Limit,
}

/// One entry of `actions`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// What it does.
    pub kind: BlockKind,
    /// The roles that do it; all roles of the job if it names none.
    pub roles: Vec<String>,
    /// Its time and that of its parts.
    pub timeouts: Timeouts,
    /// Where it is written.
    pub span: Span,
}

/// What an action block does.
#[derive(Clone, Debug, PartialEq)]
pub enum BlockKind {
    /// `deploy` with `to: tftp`.
    DeployTftp(Box<DeployTftp>),
    /// `deploy` with `to: ssh`.
    DeploySsh(DeploySsh),
    /// `boot` with `method: u-boot`.
    BootUboot(Box<BootUboot>),
    /// `boot` with `method: ssh`.
    BootSsh(BootSsh),
    /// `test` with `definitions`.
    Test(TestBlock),
}

/// Time of an action block and of its parts, LAVA's precedence resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The whole block; never more than the job's.
    pub total: Limit,
    /// One answer on a connection, for parts that the job does not name.
    pub connection: Limit,
    /// The parts that the job names. One that is longer than the block ends with the block.
    pub parts: BTreeMap<Part, Limit>,
    /// One answer on a connection in the parts that the job names.
    pub answers: BTreeMap<Part, Limit>,
}

impl Timeouts {
    /// Time of a part, if the job names it.
    pub fn part(&self, part: Part) -> Option<&Limit> {
        self.parts.get(&part)
    }

    /// Time of one answer in a part, if the job names it.
    pub fn answer(&self, part: Part) -> Option<&Limit> {
        self.answers.get(&part)
    }
}

/// Files for U-Boot to fetch, and a root filesystem to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployTftp {
    /// The kernel.
    pub kernel: ArtifactSpec,
    /// `type` of the kernel: what kind of image it is. Without it, `type` of the boot block decides.
    pub kernel_type: Option<BootImage>,
    /// The device tree blob.
    pub dtb: Option<ArtifactSpec>,
    /// The initial RAM disk.
    pub ramdisk: Option<ArtifactSpec>,
    /// Whether the RAM disk comes with a U-Boot header (`header: u-boot`).
    pub ramdisk_has_header: bool,
    /// A tar of the root filesystem.
    pub nfsrootfs: Option<ArtifactSpec>,
    /// `persistent` of `nfsrootfs`, an extension of LAVA's language: the name under which what jobs change in it is kept
    /// for the next job.
    pub persistent: Option<Located<String>>,
    /// A tar of kernel modules, to be unpacked over the root filesystem.
    pub modules: Option<ArtifactSpec>,
    /// `authorize: ssh`: whether the job's public key goes into the root filesystem.
    pub authorize_ssh: bool,
    /// `os`, such as `debian`: decides how packages are installed.
    pub os: Option<String>,
}

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactSpec {
    /// Where from: http, https or file.
    pub url: String,
    /// How it is compressed, if it is to be decompressed.
    pub compression: Option<Compression>,
    /// What its bytes, as fetched, must hash to.
    pub checksums: Checksums,
    /// `file:line:column` of the URL.
    pub place: String,
}

/// Kind of a kernel image, and with it the U-Boot command that starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BootImage {
    /// A 32-bit Arm `zImage`: `bootz`.
    Zimage,
    /// An arm64 or RISC-V `Image`: `booti`.
    Image,
    /// An image with U-Boot's header: `bootm`.
    Uimage,
}

impl BootImage {
    /// The kinds, by their names in job files and board types.
    pub(crate) const NAMES: [(&str, Self); 3] =
        [("zimage", Self::Zimage), ("image", Self::Image), ("uimage", Self::Uimage)];
}

/// Set-up of an SSH connection to a board that another role booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploySsh {
    /// `os`.
    pub os: Option<String>,
    /// Requests to the group, in the file's order.
    pub protocol_calls: Vec<ProtocolCall>,
}

/// A request to the group from an action block's `protocols: lava-multinode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolCall {
    /// The part of the block that makes it, such as `prepare-scp-overlay`.
    pub action: String,
    /// What is asked.
    pub request: GroupRequest,
    /// `messageID`.
    pub message_id: String,
    /// `message`: keys and values in the file's order; a value that begins with `$` is replaced from the answer.
    pub message: Vec<(String, String)>,
    /// `role`, for `lava-wait-all`.
    pub role: Option<String>,
    /// How long it may wait.
    pub timeout: Limit,
    /// `file:line:column` of the call.
    pub place: String,
}

/// Requests that a job may make of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupRequest {
    /// `lava-send`.
    Send,
    /// `lava-wait`.
    Wait,
    /// `lava-wait-all`.
    WaitAll,
    /// `lava-sync`.
    Sync,
}

/// A boot by U-Boot commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootUboot {
    /// What is typed.
    pub commands: Located<BootCommands>,
    /// `type: bootz` and the like, an older form of the kernel's `type`.
    pub image: Option<BootImage>,
    /// Shell prompts: regular expressions that compile.
    pub prompts: Vec<String>,
    /// How to log in; without it, a shell comes up by itself.
    pub auto_login: Option<AutoLogin>,
    /// `parameters: shutdown-message`: what the kernel says when it restarts.
    pub shutdown_message: Option<String>,
    /// `parameters: kernel-start-message`: the kernel's first words, a regular expression.
    pub kernel_start_message: Option<String>,
    /// `parameters: bootloader-final-message`: U-Boot's last words, a regular expression.
    pub bootloader_final_message: Option<String>,
    /// `failure_message`: text that means that the boot failed, a regular expression.
    pub failure_message: Option<String>,
    /// `soft_reboot`: commands that restart a running Linux; the first that does is enough. For boards without power
    /// commands.
    pub soft_reboot: Vec<String>,
    /// `ignore_kernel_messages`: whether kernel warnings are left alone.
    pub ignore_kernel_messages: bool,
    /// `failure_retry`: how often the boot is tried in all, at least 1.
    pub attempts: u32,
    /// `failure_retry_interval`: how long to wait before it is tried again.
    pub retry_interval: Duration,
}

/// U-Boot commands of a boot block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootCommands {
    /// The name of a list of the board type, such as `nfs`.
    Named(String),
    /// The commands themselves.
    Inline(Vec<String>),
}

/// How to log in at a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoLogin {
    /// A regular expression.
    pub login_prompt: String,
    /// The user.
    pub username: String,
    /// A regular expression; only with `password`.
    pub password_prompt: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// Commands typed after the first shell prompt.
    pub login_commands: Vec<String>,
}

/// A login over SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootSsh {
    /// `parameters: hostID`: the message that holds the address.
    pub host_id: String,
    /// `parameters: host_key`: the message's key whose value is the address.
    pub host_key: String,
}

/// A run of test definitions.
#[derive(Clone, Debug, PartialEq)]
pub struct TestBlock {
    /// `name`, an older form; only shown.
    pub name: Option<String>,
    /// The definitions, in order; at least one.
    pub definitions: Vec<DefinitionSpec>,
}

/// One test definition of a test block.
#[derive(Clone, Debug, PartialEq)]
pub struct DefinitionSpec {
    /// Its name, unique in the block.
    pub name: String,
    /// `<n>_<name>`, `n` from 0 within the block: name of its directory and of its results.
    pub dir: String,
    /// Where it comes from.
    pub source: DefinitionSource,
    /// `params` or `parameters` of the job: they win over the definition's own.
    pub params: Vec<(String, String)>,
    /// Parts of `install` that are left out.
    pub skip_install: Vec<InstallPart>,
    /// `expected`: cases that must be reported.
    pub expected: Option<Vec<String>>,
    /// How long its run may take, instead of what the definition says; an extension of LAVA's language.
    pub timeout: Option<Limit>,
    /// `file:line:column` of the definition.
    pub place: String,
}

impl DefinitionSpec {
    /// Whether `part` of the definition's `install` is left out.
    pub fn skips(&self, part: InstallPart) -> bool {
        self.skip_install.iter().any(|&skip| skip == part || skip == InstallPart::All)
    }
}

/// Where a test definition comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum DefinitionSource {
    /// Written in the job.
    Inline(Box<TestDefinition>),
    /// A file of a git repository.
    Git {
        /// The repository.
        url: String,
        /// The branch; the repository's own choice without it.
        branch: Option<String>,
        /// The commit; the branch's newest without it.
        revision: Option<String>,
        /// The file within the repository.
        path: String,
    },
}

/// A part of a definition's `install`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstallPart {
    /// Package keys.
    Keys,
    /// Package sources.
    Sources,
    /// Packages.
    Deps,
    /// Commands.
    Steps,
    /// Git repositories.
    GitRepos,
    /// All of them.
    All,
}
