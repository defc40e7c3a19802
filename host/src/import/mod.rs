//! What a lab has already, as a bench file and board types: LAVA's device dictionaries, labgrid's environment files.
//!
//! ```text
//! device.yaml ───────────────▶ document ─▶ Keys ─▶ lava ────┐
//! device.jinja2 ─▶ template ─┘                              ├─▶ Draft (TOML with comments) ─▶ files
//! env.yaml ──────────────────▶ document ─▶ Keys ─▶ labgrid ─┘
//!                                            └─ what nobody took ─▶ Findings ─▶ comments, diagnostics
//! ```
//!
//! Nothing is dropped silently: a key that has no counterpart here is told with its line, in the TOML and as a diagnostic.

mod console;
mod draft;
mod findings;
mod keys;
pub mod labgrid;
pub mod lava;
mod output;
mod power;
mod regexes;
mod ssh;

pub use output::{BENCH_FILE, Imported, OutputFile, Reported, WriteError, write};
