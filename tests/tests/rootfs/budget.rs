//! The disk budget of the bench file.

use testbench::harness::{Definition, Job, NODE, Testbench};

/// Writes a file of 8 MiB in the home directory, which the fake board writes back when the tests have ended, before the
/// shell's prompt: the next tests wait for that.
const EIGHT_MIB: &str = "head -c 8388608 /dev/zero > $HOME/big";

fn console_of(bench: &Testbench) -> String {
    let fill = Definition::new("fill", &[EIGHT_MIB]);
    let job = Job::new().definitions(&[fill]).then(&[Definition::new("after", &["true"])]);
    let run = bench.run(&job);
    assert_eq!(run.code, Some(0), "{run}");
    run.file(&format!("console/{NODE}.log"))
}

#[test]
fn a_job_that_writes_more_than_its_boards_budget_gets_enospc() {
    let full = console_of(&Testbench::new().board_line("rootfs.budget_mb = 6"));
    assert!(full.contains("WRITE big: No space left on device"), "{full}");
}

#[test]
fn a_job_that_keeps_to_its_budget_gets_no_error() {
    let fits = console_of(&Testbench::new().board_line("rootfs.budget_mb = 32"));
    assert!(!fits.contains("WRITE big"), "{fits}");
}
