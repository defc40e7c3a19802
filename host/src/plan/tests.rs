//! Binding jobs to benches.
