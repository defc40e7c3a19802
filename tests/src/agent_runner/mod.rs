//! A runner in small: starts an agent, holds the other end of its link, and answers its helpers.

mod calls;
mod home;
mod runner;
mod served;
mod trace;

pub use calls::{CALLS, MeasuredCall};
pub use home::{Build, Home, built_for, emulator};
pub use runner::{Ran, Runner};
pub use served::Served;
pub use trace::Trace;
