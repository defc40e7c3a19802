//! The runner's end of the link to an agent.
//!
//! [`AgentSession`] drives one [`protocol::link::Link`] over any byte stream: a console, an SSH channel. Bytes that
//! belong to no frame, such as kernel messages on a console, go to the text callback as they came. A [`TcpLine`] is the stream
//! of an agent that connects by itself, and the console beside it.

mod error;
mod message;
mod pump;
mod session;
mod tcp_line;
#[cfg(test)]
mod tests;

pub use error::{AgentLinkError, LastHeard};
pub use message::Message;
pub use pump::OnText;
pub use session::{AgentSession, Config, Ended, Ready};
pub(crate) use session::{random, random_id};
pub use tcp_line::{AgentPort, Invitation, TcpLine};
