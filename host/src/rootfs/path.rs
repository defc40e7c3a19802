//! Paths: bytes with `/` between the components.

/// Symbolic links that may be followed on the way to one file, as Linux allows.
pub(crate) const MAX_SYMLINKS: u32 = 40;

/// The components of `path`, without empty ones and `.`.
pub(crate) fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}
