//! What will be done: job and bench bound together into typed steps per node. Pure.

mod assign;
mod bind;
mod blocks;
mod boot;
mod outline;
mod phase;
mod script;
mod step;
mod substitute;
#[cfg(test)]
mod tests;

pub(crate) use boot::loader_settings;
pub use outline::{NodeOutline, StepOutline, outline};
pub use script::{
    Script, ScriptStep, definition_directory, environment_script, install_script, run_script, secrets_script,
};
pub use step::{
    Action, BootBootloader, BootMinimal, BootUboot, LoaderCommands, LoaderSettings, NewConnection, NodeKind,
    NodePlan, Plan, PrepareTimeouts, ResetPlan, ShellPlan, Step, TestAction, TestLine, TftpDeployment,
    UserCommand,
};
pub use substitute::{BootValues, NfsValues, RamdiskValues, replace, substitute, values};
