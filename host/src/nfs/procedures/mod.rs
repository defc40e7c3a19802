//! The procedures of NFSv3 (RFC 1813 §3.3), by what they work on.

mod attributes;
mod context;
mod create;
mod data;
mod directory;
mod file_system;
mod lookup;
mod number;
mod remove;
mod repeated;

pub(super) use context::{Context, call, is_non_idempotent, moves_data};
pub(super) use data::{Waits, waits};
pub(super) use repeated::has_effect;
