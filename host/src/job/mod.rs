//! What was asked: the job file, read and checked. Pure.
//!
//! ```text
//! text ─▶ document (values with places) ─▶ check (all problems at once) ─▶ model (typed) ─▶ plan
//! ```

mod check;
mod model;
pub mod part;
pub mod testdef;

pub use model::{
    ArtifactSpec, AutoLogin, Block, BlockKind, BootCommands, BootImage, BootSsh, BootUboot, DefinitionSource,
    DefinitionSpec, DelayedStart, DeploySsh, DeployTftp, GroupRequest, InstallPart, Job, Located,
    ProtocolCall, Role, RoleKind, TestBlock, Timeouts,
};
pub use part::Part;
pub use testdef::TestDefinition;
