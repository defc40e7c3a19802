//! Messages and barriers: waits that end in vain, and who is told why.

use testbench::harness::{Definition, Finished, Testbench};

use crate::bench::{bench, job};
use crate::job::GroupJob;
use crate::outcome::Results;

fn run(bench: &Testbench, job: &GroupJob) -> Finished {
    bench.start_text(&job.to_yaml()).finish()
}

/// The host's definition: its address, `lava_start`, then `steps`.
fn announce(bench: &Testbench, steps: &[&str]) -> Definition {
    let send = format!("lava-send ipv4 ipaddr={}", bench.addresses().board);
    Definition::new("announce", &[&[send.as_str(), "lava-send lava_start"], steps].concat())
}

#[test]
fn guests_of_a_host_that_fails_before_lava_start_are_told_and_the_hosts_fault_decides() {
    let bench = bench();
    let after = ["lava-send ipv4 ipaddr=$(hostname -I)", "lava-send lava_start", "lava-sync clients"];
    let fails = ["lava-test-case ready --result pass", "false"];
    let fails = Definition::new("announce", &[fails.as_slice(), &after].concat());
    let run = run(&bench, &job(&bench).host(&[fails]));
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    assert_eq!(
        results.fault(),
        ("test", "definition 0_announce: the run steps ended with exit code 1 in `false`")
    );
    let waits = "`guest` waits for `lava_start` of role `host`, but `host` ended (fail) without sending it";
    assert_eq!(results.fault_of("guest"), ("test", waits));
    assert_eq!(results.tests("host"), ["0_announce/ready pass"]);
}

#[test]
fn a_host_that_cannot_boot_decides_the_run_and_not_its_guests() {
    let bench = bench().fault("panic");
    let run = run(&bench, &job(&bench));
    assert_eq!(run.code, Some(3), "{run}");
    let results = Results::of(&run);
    let (class, message) = results.fault();
    assert_eq!(class, "infrastructure");
    assert!(message.contains("the kernel stopped"), "{message}");
    assert!(results.place().starts_with("host, boot-u-boot"), "{}", results.place());
    let (class, told) = results.fault_of("guest");
    assert_eq!(class, "infrastructure");
    assert!(told.contains("but `host` ended (error) without sending it"), "{told}");
}

#[test]
fn a_host_that_ends_before_its_guests_is_the_jobs_fault_and_says_what_to_do() {
    let bench = bench();
    let job = job(&bench).host(&[announce(&bench, &["lava-wait busy"])]).guest(&[Definition::new(
        "guest",
        &["lava-test-case there --result pass", "lava-send busy", "sleep 100"],
    )]);
    let run = run(&bench, &job);
    assert_eq!(run.code, Some(2), "{run}");
    let results = Results::of(&run);
    let (class, message) = results.fault();
    assert_eq!(class, "job");
    assert_eq!(
        message,
        "its host `host` has done all of its actions, and the board is about to be switched off"
    );
    assert!(run.stdout.contains("guests must end before their host"), "{run}");
    assert_eq!(results.tests("guest"), ["0_guest/there pass"], "results so far are kept");
}

#[test]
fn actions_ask_the_group_before_they_do_their_work() {
    let bench = bench();
    let calls = |calls: &str| format!("    protocols:\n      lava-multinode:\n      - {{{calls}}}\n");
    let send = calls("action: tftp-deploy, request: lava-send, messageID: deployed, message: {by: host}");
    let wait =
        "      - {action: prepare-scp-overlay, request: lava-wait-all, messageID: deployed, role: host}\n";
    let mut yaml = job(&bench).to_yaml();
    for (from, to) in [
        ("    authorize: ssh\n", format!("    authorize: ssh\n{send}")),
        ("      - action: prepare-scp-overlay\n", format!("{wait}      - action: prepare-scp-overlay\n")),
    ] {
        assert!(yaml.contains(from), "{from:?} is not in {yaml}");
        yaml = yaml.replace(from, &to);
    }
    let run = bench.start_text(&yaml).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let asked: Vec<String> = run
        .events()
        .iter()
        .filter(|event| event["event"] == "group")
        .map(|event| {
            format!(
                "{} {}",
                event["node"].as_str().unwrap_or_default(),
                event["text"].as_str().unwrap_or_default()
            )
        })
        .collect();
    let place = |line: &str| {
        asked.iter().position(|asked| asked == line).unwrap_or_else(|| panic!("{line}: {asked:?}"))
    };
    assert!(
        place("host lava-send deployed by=host") < place("guest lava-wait-all deployed host: done"),
        "{asked:?}"
    );
}

#[test]
fn a_request_of_the_login_is_made_when_the_kernel_was_started_and_one_of_the_shell_when_it_is_there() {
    let bench = bench();
    let calls = "    protocols:
      lava-multinode:
      - {action: export-device-env, request: lava-send, messageID: up}
      - {action: auto-login-action, request: lava-send, messageID: started}
      - {action: uboot-action, request: lava-send, messageID: begun}
    commands: nfs
";
    let yaml = job(&bench).to_yaml().replace("    commands: nfs\n", calls);
    let run = bench.start_text(&yaml).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let events = run.events();
    let place = |words: &str| {
        let place = events.iter().position(|event| event["text"].as_str().is_some_and(|text| text == words));
        place.unwrap_or_else(|| panic!("{words}: {events:?}"))
    };
    let order =
        ["lava-send begun", "U-Boot started the kernel", "lava-send started", "lava-send up"].map(place);
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_deadlock_names_who_waits_for_what() {
    let bench = bench();
    let job = job(&bench)
        .host(&[announce(&bench, &["lava-wait from-guest", "lava-send from-host"])])
        .guest(&[Definition::new("guest", &["lava-wait from-host", "lava-send from-guest"])]);
    let run = run(&bench, &job);
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    for (node, definition) in [("host", "0_announce"), ("guest", "0_guest")] {
        let (class, message) = results.fault_of(node);
        assert_eq!(class, "test");
        assert!(message.starts_with(&format!("definition {definition}: ")), "{message}");
        assert!(message.contains("deadlock: "), "{message}");
        assert!(message.contains("`host` waits for `from-guest`"), "{message}");
        assert!(message.contains("`guest` waits for `from-host`"), "{message}");
    }
}

#[test]
fn a_barrier_that_a_failed_member_will_not_reach_is_refused_at_once() {
    let bench = bench();
    let run = run(&bench, &job(&bench).guest(&[Definition::new("guest", &["false", "lava-sync clients"])]));
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    assert_eq!(
        results.fault(),
        ("test", "definition 0_guest: the run steps ended with exit code 1 in `false`")
    );
    let (class, told) = results.fault_of("host");
    assert_eq!(class, "test");
    assert!(told.contains("but `guest` ended (fail) before it got there"), "{told}");
}

#[test]
fn a_wait_for_what_is_not_sent_in_time_ends_after_the_time_of_the_group() {
    let bench = bench();
    // The guest is busy, not waiting: this is no deadlock.
    let wait = "lava-wait never && exit 9; lava-test-case after --result pass; lava-send enough; exit 4";
    let job = job(&bench)
        .group_seconds(3)
        .host(&[announce(&bench, &[wait])])
        .guest(&[Definition::new("guest", &["sleep 5", "lava-send never"])]);
    let run = run(&bench, &job);
    assert_eq!(run.code, Some(1), "{run}");
    let results = Results::of(&run);
    assert_eq!(
        results.definitions("host"),
        [
            "0_announce fail the run steps ended with exit code 4 in `lava-wait never && exit 9; lava-test-case after --result pas…`; a helper was refused: \
          lava-wait never: timed out after 3 s: `timeout` of role `host`, job.yaml:12:9"
        ]
    );
    assert_eq!(results.tests("host"), ["0_announce/after pass"]);
}

#[test]
fn a_wait_for_a_role_that_does_not_exist_is_refused_to_its_caller_alone() {
    let bench = bench();
    // What a shell makes up cannot be checked before.
    let steps = ["id=x role=nobody; lava-wait-all $id $role && exit 9; lava-sync clients"];
    let run = run(&bench, &job(&bench).host(&[announce(&bench, &steps)]));
    assert_eq!(run.code, Some(0), "{run}");
    assert!(
        run.stdout.contains("no member of the group has role `nobody`; there are `guest`, `host`"),
        "{run}"
    );
}

/// The host's board says 64 KiB while the host waits for a message that its guest sends once all of it is recorded.
#[test]
fn what_a_board_says_while_its_node_waits_for_the_group_is_not_lost() {
    let bench = bench();
    let events = bench.path().join("out/run.jsonl").display().to_string();
    // Neither pattern is what it looks for: the steps are among the events, too.
    let noise = format!(
        ": > ../began; until grep -q 'text.:.lava-wait g[o]' {events}; do sleep 0.1; done; \
         for i in $(seq 1 1024); do printf 'noise %04d %048d\\r\\n' $i 0 >&3; done; \
         for i in 1 2 3; do printf 'END-OF-%s\\r\\n' NOISE >&3; done"
    );
    let find_tty = "read -r pid name state agent rest < /proc/$PPID/stat";
    let leaves =
        format!("setsid sh -c \"{}\" 3> /proc/$agent/fd/1 > /dev/null 2>&1 &", noise.replace('$', "\\$"));
    let waits = format!("until grep -q END-OF-NOIS[E] {events}; do sleep 0.1; done");
    let job = job(&bench)
        .host(&[announce(&bench, &[find_tty, &leaves, "until [ -e ../began ]; do sleep 0.1; done"])])
        .guest(&[Definition::new("guest", &[&waits, "lava-send go", "lava-sync clients"])]);
    let after = Definition::new("after", &["lava-test-case there --result pass", "lava-sync clients"]);
    let yaml = format!(
        "{}- test:\n    role: [host]\n    protocols:\n      lava-multinode:\n      - {{action: lava-test-shell, request: \
         lava-wait, messageID: go, timeout: {{minutes: 1}}}}\n    definitions:\n{}",
        job.to_yaml(),
        after.to_yaml(4)
    );
    let run = bench.start_text(&yaml).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(Results::of(&run).tests("host"), ["1_after/there pass"]);
    let said =
        String::from_utf8_lossy(&std::fs::read(run.out.join("console/host.raw")).expect("it is written"))
            .into_owned();
    let lost: Vec<_> =
        (1..=1024).filter(|line| !said.contains(&format!("noise {line:04} {:048}\r", 0))).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
