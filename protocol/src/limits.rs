//! Sizes that both ends rely on.

/// Longest message after postcard encoding, in bytes. One frame carries one message.
pub const MAX_MESSAGE: usize = 2048;

/// Longest piece of a step's output or of a file in one message, in bytes.
///
/// Leaves room in [`MAX_MESSAGE`] for the fields around it.
pub const MAX_CHUNK: usize = 1536;
