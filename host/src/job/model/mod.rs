//! The job, typed: everything in it has been checked as far as that is possible without a bench.

mod boot;
mod context;
mod deploy;
mod group;
mod test;

use std::collections::BTreeMap;
use std::time::Duration;

pub use boot::{
    AutoLogin, BootBootloader, BootCommands, BootMinimal, BootSsh, BootUboot, NewConnection, Reset,
    ShellSpec, SshAddress, TransferCommands,
};
pub use context::Context;
pub use deploy::{
    ArtifactSpec, BootImage, DeploySsh, DeployTftp, OverlayFormat, OverlaySpec, PersistentNfs, RamdiskSpec,
    RootfsSpec,
};
pub use group::{DelayedStart, GroupRequest, Moment, ProtocolCall};
pub use test::{
    DefinitionSource, DefinitionSpec, InstallPart, InteractiveAction, InteractiveCommand, InteractiveFailure,
    InteractiveScript, InteractiveStep, Monitor, TestBlock,
};

use super::part::Part;
use super::text::Hidden;
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
    /// Where `secrets` is written, from its name to the next key of the file.
    pub secrets_at: Option<Span>,
    /// Values that are not for everybody.
    pub hidden: Vec<Hidden>,
    /// Keys that say something to LAVA's server and nothing here, such as `priority`.
    pub recorded: Vec<Located<String>>,
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
    /// `context`: what the job says of its boards.
    pub context: Context,
    /// `essential`: whether the end of one of its nodes without a result ends all others.
    pub essential: bool,
    /// `tags` that its boards must have.
    pub tags: Vec<Located<String>>,
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

/// One entry of `actions`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// What it does.
    pub kind: BlockKind,
    /// The roles that do it; all roles of the job if it names none.
    pub roles: Vec<String>,
    /// `namespace`: whose files and connections it works with. Either all blocks of a job have one or none.
    pub namespace: Option<Located<String>>,
    /// `connection-namespace`: the namespace whose connection a test runs on, instead of its own.
    pub connection_namespace: Option<Located<String>>,
    /// Requests to the group that come before the block's own work, in the file's order.
    pub calls: Vec<ProtocolCall>,
    /// How often it is tried, and done.
    pub retries: Retries,
    /// Its time and that of its parts.
    pub timeouts: Timeouts,
    /// Where it is written.
    pub span: Span,
}

/// How often a block is tried, and how often it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// `failure_retry`: how often it is tried in all until it succeeds, at least 1.
    pub attempts: u32,
    /// `failure_retry_interval`: how long to wait before it is tried again.
    pub interval: Duration,
    /// `repeat`: how often it is done, one after the other, at least 1.
    pub repeat: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 1, interval: Duration::from_secs(1), repeat: 1 }
    }
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
    /// `boot` with `method: bootloader`.
    BootBootloader(Box<BootBootloader>),
    /// `boot` with `method: minimal`.
    BootMinimal(Box<BootMinimal>),
    /// `boot` with `method: new_connection`.
    NewConnection(Box<NewConnection>),
    /// `boot` with `method: ssh`.
    BootSsh(BootSsh),
    /// `test` with `definitions`.
    Test(TestBlock),
    /// `test` with `interactive`.
    Interactive(Vec<InteractiveScript>),
    /// `test` with `monitors`.
    Monitors(Vec<Monitor>),
    /// `command`: the name of a command of the bench.
    Command(Located<String>),
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
    /// `timeout: skip`: whether the job goes on with the next block when the time of this one is over.
    pub skip: bool,
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
