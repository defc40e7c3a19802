//! Artifacts: mirrors, fetching, checksums, decompression, the content-addressed cache, git.
//!
//! ```text
//! URL ─▶ mirror ─▶ url ─┬▶ http / ssh / local file ─▶ checksum ─▶ decompress ─▶ cache ─▶ path
//!                       ├▶ git ─▶ tree of a commit
//!                       ├▶ tar of one file ─▶ derive (the file) ─▶ cache ─▶ path
//!                       └▶ directory or image ─▶ derive (a tar) ─▶ cache ─▶ path
//! ```

mod blob_writer;
mod cache;
mod checksum;
mod copy;
mod decompress;
mod derive;
mod error;
mod fetch;
pub mod git;
mod headers;
mod http;
mod mirror;
mod retry;
mod scp;
mod tar_file;
mod url;
mod zip;

pub use cache::{Cache, CacheError, CachedFile, CachedRepository, Inventory, Pruned};
pub use checksum::{Checksums, MalformedChecksum, Mismatch};
pub use decompress::Compression;
pub use derive::{DeriveError, Derived, Recipe};
pub use error::{ArtifactError, Members, Reason};
pub use fetch::{Artifact, Request};
pub use headers::Headers;
pub use mirror::{Mirrors, Rule};
pub use tar_file::TarFileError;
pub(crate) use url::{host_and_port, without_secrets};
