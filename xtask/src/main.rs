//! `cargo xtask demo | test | agent | lab`.
fn main() {}
