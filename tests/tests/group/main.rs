//! A host on the fake board with guests that log in to it: what passes, and what the others are told when one fails.

mod agent_tcp;
mod bench;
mod cancel;
mod connection;
mod definitions;
mod job;
mod messages;
mod outcome;
mod steps;
