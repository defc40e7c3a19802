//! A small NFSv3 client: as much as a board needs to read files from its root, and to write some back.

mod client;
mod rpc;
mod xdr;

pub(super) use client::{Kind, Mount, Node};

#[cfg(test)]
pub(super) mod testing;
