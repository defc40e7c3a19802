//! RAM disks: cpio archives, compressed or not, with or without U-Boot's header before them.
//!
//! ```text
//! file ─▶ uimage (header) ─▶ packing ─▶ cpio ─▶ base, tree ─▶ Ramdisk ◀─ put_file, unpack (a tar), …
//!                                                               │
//! file ◀─ uimage ◀─ packing ◀─ cpio ◀─────────────── write ◀────┘
//! ```
//!
//! The kernel takes several archives one after the other and unpacks each over those before it; the last one is the root
//! filesystem. Those before it (microcode) are left alone, and nothing is looked for in them. What nobody changes stays byte for
//! byte as it is, device nodes too, and the compression is the one that was there.

mod base;
mod cpio;
mod disk;
mod error;
mod inode;
mod lz4;
mod packing;
mod tree;
pub mod uimage;
mod unpack;
mod write;

pub use cpio::CpioError;
pub use disk::{Found, Ramdisk};
pub use error::RamdiskError;
pub use inode::Meta;
pub(crate) use packing::{begins_ramdisk, unsupported};

#[cfg(test)]
mod tests;
