//! The `host-runner` program.

fn main() {}
