//! Tests at the level of RPC messages, made with another codec than the server's own.

mod client;
mod connection;
mod corpus;
mod fuzz;
mod mount;
mod port_mapper;
mod procedures;
mod reconnect;
mod restart;
mod robustness;
mod server;
