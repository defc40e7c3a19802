//! The MultiNode group: one pure state machine.
//!
//! All requests, made by helpers on the boards or by a job's `protocols:`, meet in one [`Group`]; each returns the
//! replies that it causes. Nothing polls: a wait is answered by the call that fulfils it or makes it hopeless.
//!
//! | | LAVA | here |
//! |---|---|---|
//! | send | kept per sender; sending again replaces the sender's data | the same |
//! | wait ID | any member's message, the caller's too; at once if there is one | the same |
//! | wait-all ID | refused while nobody has sent ID | waits for every member |
//! | wait-all ID ROLE | the first member of ROLE, or every member of the caller's own role | every member of ROLE |
//! | data of a wait | all that was sent as ID | the same |
//! | unknown role | the coordinator dies | refused to the caller |
//! | sync | reusable; released at the next poll | reusable; released by the last arrival |
//! | a member ends | nobody is told; waits run into their time-outs | waits that need it are refused at once, with its name |
//! | all wait for each other | time-out | refused as a deadlock that names every waiter |
//! | values | no `>`, no spaces | any text |
//!
//! # Who is blocked
//!
//! A deadlock needs every living member to be blocked. A member is blocked while it has a wait in the foreground. A wait
//! is taken to be in the foreground until the same member makes another call: that shows that its script went on,
//! so the older wait belongs to a background process (`lava-wait x &`).

mod machine;
mod refusal;
mod request;
#[cfg(test)]
mod tests;

pub use machine::{Effect, Group, Member};
pub use refusal::{Refusal, Waiter};
pub use request::{Released, Request};
