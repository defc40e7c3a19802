//! Root filesystems that are no tar: each becomes one, once, and from there on is what a tar is.
//!
//! ```text
//! directory of this PC ─▶ directory ─┐
//! squashfs image ──────▶ squashfs ───┴▶ tar_writer ─▶ a tar in the cache
//! ```

mod directory;
mod error;
mod image;
mod notes;
mod squashfs;

pub use directory::DirectoryTree;
pub use error::{ImageProblem, SourceError};
pub use image::ImageFormat;

/// Called again and again while something is read; an error ends the reading.
pub type Proceed<'p> = &'p dyn Fn() -> std::io::Result<()>;

/// Files and directories that a root filesystem may have: as many as a tar may have members.
const MAX_FILES: usize = super::tar_index::MAX_MEMBERS as usize;
