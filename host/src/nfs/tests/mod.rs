//! Tests at the level of RPC messages, made with another codec than the server's own.

mod client;
mod connection;
mod corpus;
mod fuzz;
mod procedures;
mod reconnect;
mod restart;
mod robustness;
mod server;
