//! Connections to the host: refused, not authorised, not to whom they should lead, lost.

use testbench::harness::{Definition, Testbench, rootfs_tar};

use crate::bench::{bench, job, without_sshd};
use crate::job::GroupJob;
use crate::outcome::Results;

fn run(bench: &Testbench, job: &GroupJob) -> testbench::harness::Finished {
    bench.start_text(&job.to_yaml()).finish()
}

#[test]
fn host_and_guests_meet_at_a_barrier_and_pass() {
    let bench = bench();
    let run = run(&bench, &job(&bench).guests(2));
    assert_eq!(run.code, Some(0), "{run}");
    let results = Results::of(&run);
    assert_eq!(results.tests("host"), ["0_announce/first pass"]);
    assert_eq!(results.tests("guest-1"), ["0_guest/there pass"]);
    assert_eq!(results.tests("guest-2"), ["0_guest/there pass"]);
}

#[test]
fn a_refused_connection_is_told_in_the_systems_words_after_the_time_of_the_boot() {
    let bench = without_sshd();
    let run = run(&bench, &job(&bench).boot_seconds(3));
    assert_eq!(run.code, Some(3), "{run}");
    let results = Results::of(&run);
    let (class, message) = results.fault();
    assert_eq!(class, "infrastructure", "{run}");
    assert!(message.contains("Connection refused"), "{message}");
    assert!(results.place().starts_with("guest, boot-ssh (job.yaml:"), "{}", results.place());
    assert_eq!(results.tests("host"), ["0_announce/first pass"], "results so far are kept");
    let (class, told) = results.fault_of("host");
    assert_eq!(class, "test");
    assert!(
        told.contains(
            "`host` waits for every member at `clients`, but `guest` ended (error) before it got there"
        ),
        "{told}"
    );
}

#[test]
fn all_others_end_with_an_essential_node_that_has_no_result() {
    let bench = without_sshd();
    let announce = format!("lava-send ipv4 ipaddr={}", bench.addresses().board);
    let steps =
        [announce.as_str(), "lava-send lava_start", "lava-test-case first --result pass", "sleep 1000"];
    let job = job(&bench)
        .boot_seconds(3)
        .host(&[Definition::new("announce", &steps)])
        .guest(&[Definition::new("guest", &["lava-test-case there --result pass"])]);
    let yaml = job
        .to_yaml()
        .replace("        host_role: host\n", "        host_role: host\n        essential: true\n");
    let run = bench.start_text(&yaml).finish();
    assert_eq!(run.code, Some(3), "{run}");
    let results = Results::of(&run);
    assert!(results.place().starts_with("guest, boot-ssh"), "{}", results.place());
    let (class, told) = results.fault_of("host");
    assert_eq!(class, "infrastructure");
    assert!(told.starts_with("the essential node `guest` failed: "), "{told}");
    assert_eq!(results.tests("host"), ["0_announce/first pass"], "results so far are kept");
    assert_eq!(run.power().last().map(String::as_str), Some("off"), "{run}");
}

#[test]
fn a_key_that_the_host_does_not_take_is_an_error_with_sshs_own_words() {
    // sshd of the fake board reads this file instead of the one that the runner has written to.
    let bench = bench();
    let forget = Definition::new(
        "announce",
        &[
            ": > \"$HOME/.ssh/authorized_keys\"",
            &format!("lava-send ipv4 ipaddr={}", bench.addresses().board),
            "lava-send lava_start",
            "lava-sync clients",
        ],
    );
    let run = run(&bench, &job(&bench).host(&[forget]));
    assert_eq!(run.code, Some(3), "{run}");
    let results = Results::of(&run);
    let (class, message) = results.fault();
    assert_eq!(class, "infrastructure");
    assert!(message.contains("Permission denied (publickey)"), "{message}");
    assert!(results.place().contains("boot-ssh"), "{}", results.place());
}

#[test]
fn a_host_that_was_not_deployed_for_guests_is_the_jobs_fault() {
    let bench = bench();
    let run = run(&bench, &job(&bench).without_authorize());
    assert_eq!(run.code, Some(2), "{run}");
    assert!(format!("{run}").contains("authorize: ssh"), "{run}");
}

#[test]
fn a_host_without_a_host_key_in_its_root_filesystem_is_not_trusted() {
    let bench = bench();
    bench.artifact("rootfs.tar", &rootfs_tar(&[]));
    let run = run(&bench, &job(&bench));
    assert_eq!(run.code, Some(3), "{run}");
    let results = Results::of(&run);
    assert_eq!(results.fault().0, "infrastructure");
    assert!(results.place().contains("boot-ssh"), "{}", results.place());
}

#[test]
fn a_guest_whose_connection_dies_is_named_to_the_others_at_once() {
    let bench = bench();
    let dies = Definition::new(
        "guest",
        &[
            "lava-test-case there --result pass",
            // The agent, and the session of sshd that it belongs to.
            "kill -9 $(ps -o ppid= -p $PPID) $PPID",
            "sleep 60",
            "lava-sync clients",
        ],
    );
    let run = run(&bench, &job(&bench).guest(&[dies]));
    assert_eq!(run.code, Some(3), "{run}");
    let results = Results::of(&run);
    let (class, message) = results.fault();
    assert_eq!(class, "infrastructure", "{message}");
    assert!(results.place().starts_with("guest, test-0"), "{}", results.place());
    assert_eq!(results.tests("guest"), ["0_guest/there pass"], "results so far are kept");
    let (class, told) = results.fault_of("host");
    assert_eq!(class, "test", "{told}");
    assert!(told.contains("0_announce"), "{told}");
    assert!(
        run.stdout.contains("`host` waits for every member at `clients`, but `guest` ended (error)"),
        "{run}"
    );
}

/// Each step kills the session of sshd that carries the agent's bytes, as a test of the network would.
#[test]
fn a_guests_results_arrive_once_and_in_order_over_connections_that_die() {
    let bench = bench();
    let session = "$(ps -o ppid= -p $(ps -o ppid= -p $(cat ${LAVA_AGENT_SOCKET%/*}/line.pid)))";
    let kill = format!(
        "for n in $(seq 6); do kill -9 {session} || :; lava-test-case case-$n --result pass; echo line-$n; done"
    );
    let dies = Definition::new("guest", &[&kill, "seq 1 5000", "lava-sync clients"]);
    let run = run(&bench, &job(&bench).guest(&[dies]));
    assert_eq!(run.code, Some(0), "{run}");
    let expected: Vec<String> = (1..=6).map(|n| format!("0_guest/case-{n} pass")).collect();
    assert_eq!(Results::of(&run).tests("guest"), expected);
    let again = run.file("run.jsonl").matches(" is up again").count();
    assert!((4..=6).contains(&again), "connected again {again} times\n{run}");
}

#[test]
fn a_host_that_shows_another_key_than_its_root_filesystem_has_is_not_trusted() {
    let bench = bench();
    let impostor = bench.path().join("impostor");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&impostor)
        .status();
    assert!(made.expect("ssh-keygen runs").success());
    // sshd has the one half of a pair, and what the runner goes by is half of another.
    let private = std::fs::read(&impostor).expect("ssh-keygen wrote it");
    let public =
        std::fs::read(bench.path().join("keys/ssh_host_ed25519_key.pub")).expect("the bench made it");
    let keys =
        [("ssh_host_ed25519_key".to_owned(), private), ("ssh_host_ed25519_key.pub".to_owned(), public)];
    bench.artifact("rootfs.tar", &rootfs_tar(&keys));
    let run = run(&bench, &job(&bench));
    assert_eq!(run.code, Some(3), "{run}");
    let results = Results::of(&run);
    let (class, message) = results.fault();
    assert_eq!(class, "infrastructure");
    assert!(results.place().contains("boot-ssh"), "{}", results.place());
    assert_eq!(message.matches("SHA256:").count(), 2, "expected and offered: {message}");
}
