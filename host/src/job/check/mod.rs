//! From values to the typed model, one topic a file. Every problem is noted and the check goes on, so that a file's
//! problems are told all at once.

pub(crate) mod block;
mod boot;
mod command;
pub(crate) mod context;
mod deploy;
mod indent;
#[cfg(test)]
mod lava_tests;
mod messages;
mod namespace;
mod order;
mod places;
mod protocol;
#[cfg(test)]
mod recovery_tests;
pub(crate) mod role;
pub(crate) mod test;
#[cfg(test)]
mod tests;
pub(crate) mod timeout;
mod top_level;
