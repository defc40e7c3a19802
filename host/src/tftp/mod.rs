//! TFTP server (RFC 1350, 2347, 2348, 2349, 7440): read-only, of files that are in a table and nothing else.
//!
//! ```text
//! datagram ─▶ server ─▶ packet::parse ─▶ table (peer, name) ─▶ source ─▶ transfer ─▶ datagrams
//! ```
//!
//! [`packet`] is the codec, [`transfer`] the pure machine of one transfer, [`table`] says who may read what, and
//! [`server`] gives them sockets and time.

mod burst;
mod event;
pub mod packet;
pub mod server;
mod session;
mod shared_thread;
mod source;
pub mod table;
pub mod transfer;

pub use event::{Refusal, TftpEvent, TftpEventKind};
pub use server::{BindError, Server};
pub use source::Source;
pub use table::{Guard, Table};
pub use transfer::{Failure, Policy};
