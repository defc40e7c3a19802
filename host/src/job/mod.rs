//! What was asked: the job file, read and checked. Pure.
//!
//! ```text
//! text ─▶ document (values with places) ─▶ check (all problems at once) ─▶ model (typed) ─▶ plan
//! ```

pub(crate) mod check;
mod model;
pub mod part;
pub(crate) mod placeholder;
pub mod testdef;
mod text;

pub use model::{
    ArtifactSpec, AutoLogin, Block, BlockKind, BootBootloader, BootCommands, BootImage, BootMinimal, BootSsh,
    BootUboot, Context, DefinitionSource, DefinitionSpec, DelayedStart, DeploySsh, DeployTftp, GroupRequest,
    InstallPart, InteractiveAction, InteractiveCommand, InteractiveFailure, InteractiveScript,
    InteractiveStep, Job, Located, Moment, Monitor, NewConnection, OverlayFormat, OverlaySpec, PersistentNfs,
    ProtocolCall, RamdiskSpec, Reset, Retries, Role, RoleKind, RootfsSpec, ShellSpec, SshAddress, TestBlock,
    Timeouts, TransferCommands,
};
pub use part::Part;
pub use testdef::TestDefinition;
pub use text::JobText;
