//! What will be done: job and bench bound together into typed steps per node. Pure.

mod step;

pub use step::{Action, BootUboot, NodeKind, NodePlan, Plan, Step, TestAction};
