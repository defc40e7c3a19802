//! The built program on a fake board: what passes, and every fault with its exit code, words and traces.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

mod artifacts;
mod boot;
mod consoles;
mod evidence;
mod files;
mod passing;
mod serial;
mod timeouts;
