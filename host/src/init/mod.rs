//! The first bench file: which serial adapters this PC has, which board is behind each, and the file that says so.
//!
//! ```text
//! sysfs, /dev ─▶ adapter ─▶ listen ─▶ banner ─▶ draft ─▶ bench.toml, udev rule
//! ```
//!
//! Nothing is typed to a board here unless whoever calls [`listen()`] says so.

mod adapter;
mod banner;
mod draft;
mod listen;

pub use adapter::{Adapter, Places};
pub use banner::{Banner, TakesCommands};
pub(crate) use draft::words;
pub use draft::{BoardDraft, Draft, LOCAL_RULES, PowerDraft, udev_rule};
pub use listen::{Ear, Listened, listen, listen_in_network};
