//! What will be done: job and bench bound together into typed steps per node. Pure.

mod assign;
mod bind;
mod script;
mod step;
mod substitute;
#[cfg(test)]
mod tests;

pub use script::{
    Script, ScriptStep, definition_directory, environment_script, install_script, run_script, secrets_script,
};
pub use step::{Action, BootUboot, NodeKind, NodePlan, Plan, PrepareTimeouts, Step, TestAction};
pub use substitute::{BootValues, NfsValues, RamdiskValues, substitute};
