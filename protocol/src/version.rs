//! Which protocol versions this build speaks.

/// Version that this build speaks.
pub const CURRENT: u8 = 1;

/// Oldest version that this build still understands.
pub const MIN: u8 = 1;
