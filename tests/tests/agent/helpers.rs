//! The helpers' arguments, output and exit codes, where they differ from call to call.

use std::process::{Command, Output};

use protocol::agent_to_host::ExitStatus;
use protocol::helper::{Call, NAMES, Reply};

use crate::{done, home};
use testbench::agent_runner::{Build, Home, Runner};

/// Runs a helper outside a run.
fn by_hand(home: &Home, words: &[&str]) -> Output {
    let mut command = Command::new(home.path().join("bin").join(words[0]));
    command.args(&words[1..]).env_remove("LAVA_AGENT_SOCKET").env_remove("LAVA_TEST_RUNNER");
    command.output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_agent_makes_links_under_all_names_and_lists_them() {
    let home = home();
    NAMES.iter().for_each(|name| std::fs::remove_file(home.path().join("bin").join(name)).expect("a link"));
    home.script("run.sh", "ls bin; lava-agent --help\n");
    let ran = Runner::over_pipes(&home).run("run.sh", 30, done);
    for name in NAMES {
        let lines = ran.output.lines().filter(|line| line.split_ascii_whitespace().next() == Some(name));
        assert_eq!(lines.count(), 2, "{name} in {}", ran.output);
    }
}

#[test]
fn wrong_arguments_of_every_helper_exit_with_1_and_say_how_to_call_it() {
    let home = home();
    let wrong: [&[&str]; 21] = [
        &["lava-send"],
        &["lava-send", "k=v"],
        &["lava-wait"],
        &["lava-wait-all", "a", "b", "c"],
        &["lava-sync", "a", "b"],
        &["lava-group", "a", "b"],
        &["lava-role", "lists"],
        &["lava-network", "broadcasts", "eth0"],
        &["lava-echo-ipv4"],
        &["lava-test-case", "--result", "pass"],
        &["lava-test-case", "id", "--result"],
        &["lava-test-set", "start"],
        &["lava-test-reference", "id", "--result", "pass"],
        &["lava-test-raise", "two", "words"],
        &["lava-test-event"],
        &["lava-test-feedback", "ns"],
        &["lava-test-shell", "true"],
        &["lava-test-runner"],
        &["lava-install-packages", "--force"],
        &["lava-add-keys"],
        &["lava-add-sources"],
    ];
    for words in wrong {
        let Output { status, stdout, stderr } = by_hand(&home, words);
        assert_eq!((status.code(), text(&stdout).as_str()), (Some(1), ""), "{words:?}");
        assert!(text(&stderr).contains(&format!("\nusage: {}", words[0])), "{words:?}: {}", text(&stderr));
    }
}

#[test]
fn one_word_behind_shell_is_a_line_and_several_are_kept_apart() {
    let home = home();
    home.script(
        "run.sh",
        "lava-test-case line --shell 'a=\"x  y\"; echo \"$a\" | tr x z > out; cat out'\n\
         lava-test-case words --shell printf '[%s]' 'a  b' '$HOME' 'c>d'; echo\n\
         lava-test-case built-in --shell command -v sh\n\
         lava-test-case signal --shell 'kill -KILL $$'\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 30, done);
    let lines: Vec<&str> = ran.output.lines().collect();
    assert_eq!(lines[..2], ["z  y", "[a  b][$HOME][c>d]"]);
    assert!(lines[2].ends_with("/sh"), "{lines:?}");
    let results: Vec<bool> = ran.calls.iter().map(|call| call.contains(r#"result: "pass""#)).collect();
    assert_eq!(results, [false, true, false, true, false, true, false, false], "{:?}", ran.calls);
    assert_eq!(ran.status, ExitStatus::Code(0));
}

#[test]
fn a_command_of_a_case_that_fails_says_how() {
    let home = home();
    home.script(
        "run.sh",
        "lava-test-case code --shell 'exit 42'; lava-test-case signal --shell 'kill -SEGV $$'; \
         lava-test-case good --shell true\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 30, |_| vec![Reply::Done]);
    let told = "lava-test-case: the command has ended with";
    assert_eq!(ran.output, format!("{told} exit code 42\n{told} signal 11\n"));
}

#[test]
fn the_runner_knows_of_a_case_before_its_command_runs() {
    let home = home();
    home.script("run.sh", "lava-test-case slow --shell 'cat told; echo ran'\n");
    let told = home.path().join("told");
    let ran = Runner::over_pipes(&home).run("run.sh", 30, |call| {
        if matches!(call, Call::TestCaseStarted { id: "slow" }) {
            std::fs::write(&told, "told\n").expect("writable");
        }
        vec![Reply::Done]
    });
    assert_eq!((ran.output.as_str(), ran.calls.len()), ("told\nran\n", 2));
}

/// As many as the agent serves wait for the group; one more is refused, and served again when they have gone.
#[test]
fn a_helper_is_refused_while_as_many_wait_as_the_agent_serves() {
    let home = home();
    home.script(
        "run.sh",
        "while lava-test-event more; do lava-wait go & waiters=\"$waiters $!\"; done\n\
         kill $waiters 2>/dev/null || :; wait || :\n\
         until lava-test-case after --result pass; do :; done\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 60, |call| match call {
        Call::Wait { .. } => Vec::new(),
        _ => done(call),
    });
    assert_eq!(ran.status, ExitStatus::Code(0), "{}", ran.output);
    let count = |what: &str| ran.calls.iter().filter(|call| call.starts_with(what)).count();
    // One that was killed may not yet have said what it waits for, and one have come in its place.
    assert!((60..=68).contains(&count("Wait")), "{} wait", count("Wait"));
    assert_eq!(count("TestCase"), 1);
    assert!(ran.output.contains("lava-test-event: 64 helpers are waiting already\n"), "{}", ran.output);
}

#[test]
fn the_file_of_output_is_shown_and_its_absence_does_not_cost_the_result() {
    let home = home();
    home.script(
        "run.sh",
        "seq 1 2000 > log; lava-test-case a --output log --result pass\n\
         lava-test-case b --result fail --output none || echo code $?\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 30, done);
    let numbers: String = (1..=2000).map(|number| format!("{number}\n")).collect();
    let complaint =
        "lava-test-case: cannot read the file of --output: no such file or directory (errno 2)\ncode 1\n";
    assert_eq!(ran.output, numbers + complaint);
    let expected = [("a", "pass"), ("b", "fail")].map(|(id, result)| {
        format!("TestCase {{ id: {id:?}, result: {result:?}, measurement: None, units: None }}")
    });
    assert_eq!(ran.calls, expected);
}

#[test]
fn feedback_and_groups_of_virtual_machines_reach_the_runner() {
    let home = home();
    home.script(
        "run.sh",
        "lava-test-feedback --namespace probes\n\
         lava-start-vms\n_LAVA_VM_GROUP_HOST_IP=10.0.0.1 lava-start-vms\n\
         lava-wait-for-vms; cat $LAVA_MULTI_NODE_CACHE\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 30, |call| match call {
        Call::WaitAll { .. } => vec![Reply::Messages { lines: "vm-1:state=off\0", more: false }],
        _ => vec![Reply::Done],
    });
    let expected = [
        r#"TestFeedback { namespace: "probes" }"#,
        r#"Send { id: "lava_vm_start", data: Pairs("") }"#,
        r#"Send { id: "lava_vm_start", data: Pairs("host_ip\010.0.0.1\0") }"#,
        r#"Send { id: "lava_vm_stop", data: Pairs("") }"#,
        r#"WaitAll { id: "lava_vm_stop", role: None }"#,
    ];
    assert_eq!((ran.calls, ran.output.as_str()), (expected.map(str::to_owned).to_vec(), "vm-1:state=off\n"));
}

#[test]
fn the_bench_files_words_are_printed_with_and_without_the_environment() {
    let home = home();
    let settings = "export LAVA_TARGET_IP='10.0.0.2'\nexport LAVA_TARGET_STORAGE='UMS=/dev/x SATA=/dev/y'\n\
                    export LAVA_PROBE_IP='10.0.0.9'\nexport LAVA_PROBE_CHANNEL='3'\n";
    std::fs::write(home.path().join("environment"), settings).expect("writable");
    home.script(
        "run.sh",
        "lava-target-ip; lava-target-mac; lava-target-storage; lava-target-storage SATA; lava-probe-ip\n\
         LAVA_PROBE_CHANNEL=4 lava-probe-channel; lava-probe-channel\n\
         lava-target-storage NVME || echo code $?; lava-echo-config || echo code $?\n\
         LAVA_SHARED_CONFIG='a=1 b=2' lava-echo-config b\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 30, done);
    let expected = "10.0.0.2\n\n\tUMS\t/dev/x\n\tSATA\t/dev/y\n/dev/y\n10.0.0.9\n4\n3\n\
                    lava-target-storage: there is none of that name\ncode 1\n\
                    lava-echo-config: there is no shared config\ncode 1\n2\n";
    assert_eq!(ran.output, expected);
}

#[test]
fn definitions_are_run_by_hand() {
    let home = home();
    for (name, run) in [
        ("good", "lava-test-case ping --result pass --measurement 2 --units ms\n"),
        ("bad", "lava-test-case ping --shell false; lava-test-raise enough; echo not reached\n"),
        ("uninstalled", "echo not reached\n"),
    ] {
        std::fs::create_dir_all(home.path().join("0/tests").join(name)).expect("writable");
        home.script(&format!("0/tests/{name}/run.sh"), run);
    }
    home.script("0/tests/good/install.sh", "echo installing\n");
    home.script("0/tests/uninstalled/install.sh", "exit 3\n");
    let list = format!("tests/good\n\n{}/0/tests/bad\ntests/uninstalled\n", home.path().display());
    home.script("0/lava-test-runner.conf", &list);
    let directory = home.path().join("0").display().to_string();
    for _ in ["once", "and again"] {
        let output = by_hand(&home, &["lava-test-runner", &directory]);
        let expected = "lava-test-runner: good: install.sh\ninstalling\nlava-test-runner: good: run.sh\n\
                        lava-test-case: ping pass 2 ms\nlava-test-runner: bad: run.sh\n\
                        lava-test-case: ping fail\nlava-test-raise: enough\n\
                        lava-test-runner: bad: run.sh ended with exit code 1\n\
                        lava-test-runner: uninstalled: install.sh\n\
                        lava-test-runner: uninstalled: install.sh ended with exit code 3\n";
        let printed: Vec<String> =
            text(&output.stdout).lines().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(printed, expected.lines().collect::<Vec<_>>(), "{}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(1));
    }
    home.script("0/lava-test-runner.conf", "tests/good\n");
    assert_eq!(by_hand(&home, &["lava-test-runner", &directory]).status.code(), Some(0));
    home.script("0/lava-test-runner.conf", "\n");
    assert_eq!(by_hand(&home, &["lava-test-runner", &directory]).status.code(), Some(1));
}

#[test]
fn a_commands_exit_code_is_left_beside_its_results() {
    let home = home();
    let directory = home.path().display().to_string();
    std::fs::write(home.path().join("victim"), "precious\n").expect("writable");
    std::os::unix::fs::symlink("victim", home.path().join("return_code")).expect("writable");
    let shell = ["lava-test-shell", "--output_dir", &directory, "sh", "-c", "echo $LAVA_RESULT_DIR; exit 7"];
    let output = by_hand(&home, &shell);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), format!("{directory}\n")));
    let read = |name| std::fs::read_to_string(home.path().join(name)).expect("there");
    assert_eq!((read("return_code").as_str(), read("victim").as_str()), ("7\n", "precious\n"));
}

#[test]
fn the_system_and_its_packages_are_named() {
    let home = home();
    let release = std::fs::read_to_string("/etc/os-release").expect("every system of today has one");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).expect("named");
    let build = by_hand(&home, &["lava-os-build"]);
    assert_eq!(
        (build.status.code(), text(&build.stdout)),
        (Some(0), name.trim_matches('"').to_owned() + "\n")
    );
    let packages = by_hand(&home, &["lava-installed-packages"]);
    let is_package = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        matches!(words[..], ["package:", _, ":", _])
    };
    assert!(text(&packages.stdout).lines().all(is_package), "{}", text(&packages.stdout));
    assert!(text(&packages.stdout).contains("package: dpkg : "));
}

#[test]
fn a_helper_under_emulation_does_what_the_native_one_does() {
    let home = Home::new(Build::Board("armv7"));
    std::fs::write(home.path().join("environment"), "export LAVA_NODE_NAME='guest-1'\n").expect("writable");
    home.script(
        "run.sh",
        "lava-self; lava-test-case a --shell command -v true; lava-test-set start s; lava-echo-ipv4 lo\n\
         lava-start-vms; lava-background-process-start b --cmd 'echo up; sleep 1000'\n\
         until [ -s background-b.log ]; do sleep 0.05; done; lava-background-process-stop b\n\
         lava-background-process-stop b || echo code $?\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 60, done);
    let path = ran.output.lines().nth(1).unwrap_or_default();
    let expected = format!(
        "guest-1\n{path}\n127.0.0.1\nlava-background-process-stop: no background process of that name runs\ncode 1\n"
    );
    assert_eq!((ran.output.as_str(), ran.calls.len()), (expected.as_str(), 4), "{:?}", ran.calls);
    assert_eq!(ran.status, ExitStatus::Code(0));
}
