//! The reliable link over frames.
