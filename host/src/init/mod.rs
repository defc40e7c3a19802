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
pub use banner::Banner;
pub use draft::{BoardDraft, Draft, udev_rule};
pub use listen::{Listened, listen};
