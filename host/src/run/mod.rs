//! Carrying out a plan: one task per node, deadlines, cancellation, clean-up.
