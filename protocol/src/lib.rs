//! What host-runner and the agent on the board say to each other.
//!
//! ```text
//!   HostToAgent / AgentToHost   messages, by direction (postcard)       host_to_agent.rs, agent_to_host.rs
//!   helper::Call / Reply        what a helper asks of the runner        helper.rs
//!   Link                        reliable, ordered, resumable            link.rs
//!   Frame                       checked, numbered, byte-stuffed         frame.rs
//!   bytes of a serial line, an SSH channel, a socket
//! ```
//!
//! Nothing here does I/O or reads a clock: bytes and milliseconds come in as arguments.
//!
//! # Version policy
//!
//! The protocol version travels in the frame header, outside the payload. Messages are append-only: variants are
//! never removed, reordered or changed, and their bytes are pinned by `tests/wire`. A version is closed by the release that
//! has it first: what is appended later is sent only to an end that speaks the version it came with.
#![no_std]
#![forbid(unsafe_code)]

pub mod agent_to_host;
pub mod fifo;
pub mod frame;
pub mod helper;
pub mod host_to_agent;
pub mod limits;
pub mod link;
pub mod message;
pub mod version;

pub use agent_to_host::AgentToHost;
pub use host_to_agent::HostToAgent;
