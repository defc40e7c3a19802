//! A recorded console as a board: it says again what it said, and waits for what was typed.
//!
//! [`Script`] is what crossed a console, in turns; [`Player`] is the board, without I/O; [`serve()`] gives it a line.

mod id;
mod player;
mod script;
mod serve;

pub use player::{Divergence, Player};
pub use script::{Script, ScriptError, Turn};
pub use serve::{ServeError, serve};
