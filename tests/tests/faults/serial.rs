//! Serial ports: how they work and how they fail. A pseudo-terminal stands for the adapter.

use std::path::PathBuf;

use testbench::fake_board::PtyPair;
use testbench::harness::{Adapter, Job, Testbench};

use crate::evidence::{Expected, assert_power_cycled, assert_power_untouched};

/// A bench whose board is on a serial port that is not there yet.
fn serial_bench() -> (Testbench, PathBuf) {
    let bench = Testbench::new();
    let port = bench.path().join("ttyBOARD");
    let bench = bench.console(&format!("{:?}", port.display().to_string()));
    (bench, port)
}

#[test]
fn a_serial_port_serves_as_console() {
    let (bench, port) = serial_bench();
    let mut adapter = Adapter::plug_in(&port, bench.options()).unwrap();
    let run = bench.start(&Job::new());
    adapter.carry().unwrap();
    let run = run.finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_power_cycled(&run);
}

#[test]
fn an_absent_serial_port_is_named() {
    let (bench, port) = serial_bench();
    let run = bench.run(&Job::new());
    let port = port.display().to_string();
    let said = [port.as_str(), "is absent", "is the adapter plugged in"];
    Expected { class: "infrastructure", phase: "boot-u-boot", said: &said }.assert(&run);
    assert_power_untouched(&run);
}

#[test]
fn a_serial_port_that_another_program_has_open_is_told_with_its_process() {
    let (bench, port) = serial_bench();
    let adapter = PtyPair::linked(&port).unwrap();
    let terminal = adapter.open().unwrap();
    let run = bench.run(&Job::new());
    drop(terminal);
    let holder = format!("(pid {})", std::process::id());
    let said = ["is busy", holder.as_str(), "end that program first"];
    Expected { class: "infrastructure", phase: "boot-u-boot", said: &said }.assert(&run);
    assert_power_untouched(&run);
}

#[test]
fn an_adapter_that_is_unplugged_in_mid_boot_and_comes_back_is_used_again() {
    let (bench, port) = serial_bench();
    let mut adapter = Adapter::plug_in(&port, bench.options()).unwrap();
    let run = bench.start(&Job::new());
    adapter.carry_until("Starting kernel ...\r\n\r\n").unwrap();
    run.wait_for("U-Boot started the kernel");
    adapter.unplug().unwrap();
    run.wait_for("was unplugged");
    adapter.replug().unwrap();
    adapter.carry().unwrap();
    let run = run.finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.stdout.contains(&format!("serial port {} is back", port.display())), "{run}");
    assert_power_cycled(&run);
}

#[test]
fn an_adapter_that_stays_away_ends_the_boot_when_its_time_is_over() {
    let (bench, port) = serial_bench();
    let mut adapter = Adapter::plug_in(&port, bench.options()).unwrap();
    let run = bench.start(&Job::new().timeout("uboot-action", 20));
    adapter.carry_until("Starting kernel ...\r\n\r\n").unwrap();
    run.wait_for("U-Boot started the kernel");
    adapter.unplug().unwrap();
    let run = run.finish();
    assert!(run.stdout.contains(&format!("serial port {} was unplugged", port.display())), "{run}");
    Expected {
        class: "infrastructure",
        phase: "boot-u-boot",
        said: &["(at most 20 s: `timeouts.actions.uboot-action`, job.yaml:"],
    }
    .assert(&run);
    assert_power_cycled(&run);
}
