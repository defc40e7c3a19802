//! Secondary connections over SSH.
