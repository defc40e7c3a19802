//! NFSv3 and MOUNT server (RFC 1813) on ONC RPC (RFC 5531), for root filesystems of boards.
//!
//! ```text
//! TCP ─▶ server ─▶ stream ─▶ record ─▶ service::call(transport, record) ─▶ rpc ─┬▶ procedures/* ─▶ rootfs::Layer
//!                                            │                                  ├▶ mount ─▶ exports
//!                                       reply_cache                             └▶ portmap, rpcbind
//! ```
//!
//! A call is a pure function of the connection it came on and the record; only `server`, `stream` and `record` know sockets.
//! A connection has threads of its own, which block: without another thread to wake up, a small call costs two system
//! calls, and the data of a READ goes from the archive to the socket without a copy. Arguments are decoded
//! in place by `xdr`, which allocates nothing on a length from outside; results are packed by `nfs3_types`.
//! An address sees only its own exports. AUTH_SYS is believed: whoever may use a board's address is that board.

mod attributes;
mod connections;
mod credential;
mod exports;
mod mount;
mod port_mapper;
mod portmap;
mod procedures;
mod record;
mod reply;
mod reply_cache;
mod rpc;
mod rpcbind;
mod server;
mod service;
mod stream;
mod transport;
mod xdr;

pub use exports::{Activity, ExportGuard, Exports};
pub use port_mapper::{PORT_MAPPER_PORT, serve_port_mapper};
#[cfg(fuzzing)]
pub(crate) use record::fuzzing::messages;
pub use reply::Reply;
pub use server::serve;
pub use service::Service;
pub use transport::Transport;

#[cfg(test)]
mod tests;
