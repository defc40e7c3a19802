//! Tests at the level of RPC messages, made with another codec than the server's own.

mod client;
mod connection;
mod procedures;
mod robustness;
