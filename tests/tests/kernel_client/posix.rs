//! What POSIX promises of files, asked through a 64-bit kernel, case by case (`fixtures/posix`); the virtual board asks the
//! same through a 32-bit one.

use std::path::Path;

use testbench::kernel_client::MOUNT_POINT;

use crate::{Bench, FILE, PATIENCE};

/// Cases that there are at least.
const CASES: usize = 250;

#[test]
fn every_posix_case_passes_over_nfs() {
    let bench = Bench::new();
    let _server = bench.serve();
    let mut client = bench.client();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/posix/main.py");
    // One case changes a file of the root filesystem, where the client itself would have it.
    let script =
        format!("mount --bind {MOUNT_POINT}/{FILE} /{FILE} && exec python3 -B '{}'", program.display());
    let ended = client.run(&script, PATIENCE).unwrap();
    let results: Vec<&str> = ended.output.lines().filter(|line| line.starts_with("posix ")).collect();
    let failed: Vec<&&str> = results.iter().filter(|line| !line.trim_end().ends_with(" pass")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(ended.status, 0, "{}", ended.output);
    assert!(results.len() >= CASES, "{} cases", results.len());
}
