//! The MultiNode group: one pure state machine.
