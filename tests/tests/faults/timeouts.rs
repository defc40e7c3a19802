//! Times that the job names: what was waited for, which limit was over, and where that is written.

use std::net::TcpListener;

use testbench::harness::{ARTIFACTS_URL, Definition, Job, Testbench, fake_board};

use crate::evidence::{Expected, assert_power_cycled, assert_power_untouched};

#[test]
fn the_limit_of_a_boot_part_is_named_with_its_place_in_the_job() {
    let run = Testbench::new().fault("silent").run(&Job::new().timeout("bootloader-interrupt", 1));
    let said = [
        "no autoboot prompt `",
        "` within 1 s (at most 1 s: `timeouts.actions.bootloader-interrupt`, job.yaml:10:5)",
        "the board said nothing",
    ];
    Expected { class: "infrastructure", phase: "boot-u-boot", said: &said }.assert(&run);
    assert_power_cycled(&run);
}

#[test]
fn the_time_of_all_boot_commands_ends_one_that_hangs() {
    // A prompt that never comes again, behind a command that U-Boot has done long ago.
    let bench = Testbench::new().board_line("[boards.fake1.uboot]\nfinal_message = \"Never said\"");
    let run = bench.fault("no-login").run(&Job::new().timeout("bootloader-commands", 15));
    let said = [
        "no `Never said` after `bootz ",
        "(at most 15 s: `timeouts.actions.bootloader-commands`, job.yaml:10:5)",
    ];
    Expected { class: "infrastructure", phase: "boot-u-boot", said: &said }.assert(&run);
}

#[test]
fn every_boot_has_its_share_and_the_last_tells_what_the_first_died_of() {
    let job =
        Job::new().boot("timeout: {seconds: 2}").boot("failure_retry: 2").boot("failure_retry_interval: 0");
    let run = Testbench::new().fault("silent").run(&job);
    let said = [
        "boot 2 of 2 failed: no autoboot prompt `",
        "the share of boot 2 of 2 in `timeout` of `boot`, job.yaml:",
        "boot 1 of 2 failed before: no autoboot prompt `",
        "` within 1 s (at most 1 s: the share of boot 1 of 2 in `timeout` of `boot`, job.yaml:",
    ];
    Expected { class: "infrastructure", phase: "boot-u-boot", said: &said }.assert(&run);
    assert_eq!(run.power(), ["reset", "reset", "off"], "{run}");
}

#[test]
fn a_boot_that_hangs_is_followed_by_one_that_works() {
    let bench = Testbench::new();
    let mark = bench.path().join("hung");
    let board = format!("{} --address {}", fake_board().display(), bench.addresses().board);
    let script = format!(
        "[ -e {mark} ] && exec {board}; touch {mark}; exec {board} --fault silent",
        mark = mark.display()
    );
    let bench = bench.console(&format!("[\"sh\", \"-c\", {script:?}]"));
    let job = Job::new().boot("failure_retry: 2").boot("timeouts: {bootloader-interrupt: {seconds: 15}}");
    let run = bench.run(&job);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(run.power(), ["reset", "reset", "off"], "{run}");
    let told = "boot 1 of 2 failed, trying again: no autoboot prompt";
    assert!(run.stdout.contains(told), "{run}");
    assert!(run.stdout.contains("(at most 15 s: `boot: timeouts.bootloader-interrupt`, job.yaml:"), "{run}");
}

#[test]
fn a_download_that_does_not_come_has_the_time_of_its_name() {
    // Takes connections and says nothing.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}/", server.local_addr().unwrap());
    let bench = Testbench::new().mirror("https://artifacts.example.org/remote/", &to);
    let url = format!("url: {ARTIFACTS_URL}remote/zImage");
    let job =
        Job::new().kernel(&[&url, "type: zimage"]).timeout("http-download", 1).timeout("download-retry", 50);
    let run = bench.run(&job);
    let said = [
        "remote/zImage",
        "not there after ",
        "(at most 1 s: `timeouts.actions.http-download`, job.yaml:10:5)",
    ];
    Expected { class: "infrastructure", phase: "deploy-tftp", said: &said }.assert(&run);
    assert_power_untouched(&run);
}

#[test]
fn an_agent_that_does_not_answer_has_the_connections_time() {
    // Started with the agent's arguments, it complains and ends.
    let bench = Testbench::new().board_option(&["--agent", "/bin/sleep"]);
    let job = Job::new().definitions(&[Definition::new("never", &["true"])]).to_yaml();
    let named = "  connections: {lava-test-shell: {seconds: 1}}\nactions:\n";
    let run = bench.start_text(&job.replacen("actions:\n", named, 1)).finish();
    let said = [
        "s for the agent to come up; no frame ever came",
        "(at most 1 s: `timeouts.connections.lava-test-shell`, job.yaml:9:17)",
    ];
    Expected { class: "infrastructure", phase: "test-0", said: &said }.assert(&run);
    assert_power_cycled(&run);
}
