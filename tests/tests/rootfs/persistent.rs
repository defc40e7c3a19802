//! A root filesystem that outlives its jobs, from the job file to `host-runner rootfs`.

use std::fs;

use rustix::process::Signal;
use testbench::harness::{ARTIFACTS_URL, Definition, Finished, Job, Testbench};

fn job(steps: &[&str]) -> Job {
    let url = format!("url: {ARTIFACTS_URL}rootfs.tar");
    Job::new().nfsrootfs(&[&url, "persistent: build"]).definitions(&[Definition::new("work", steps)])
}

/// A job that leaves `/root/state`. The fake board writes it back before the shell's prompt, for which the second tests wait.
fn leaves_one() -> Job {
    job(&["echo one > $HOME/state"]).then(&[Definition::new("after", &["true"])])
}

/// A job that passes if `/root/state` holds `word`.
fn looks_for(word: &str) -> Job {
    job(&[&format!("lava-test-case state --shell grep -q {word} $HOME/state")])
}

/// Runs a job in the place of the one before.
fn run(bench: &Testbench, job: &Job) -> Finished {
    match fs::remove_dir_all(bench.path().join("out")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => bench.run(job),
    }
}

fn rootfs(bench: &Testbench, words: &[&str]) -> Finished {
    bench.start_with(&[&["rootfs"], words].concat()).finish()
}

fn printed(bench: &Testbench, words: &[&str]) -> String {
    let command = rootfs(bench, words);
    assert_eq!(command.code, Some(0), "{command}");
    command.stdout
}

#[test]
fn the_next_job_goes_on_with_what_the_last_has_left() {
    let bench = Testbench::new();
    let first = run(&bench, &leaves_one());
    assert_eq!(first.code, Some(0), "{first}");
    let second = run(&bench, &looks_for("one"));
    assert_eq!(second.code, Some(0), "{second}");

    let diff = printed(&bench, &["diff", "@build"]);
    assert!(diff.contains("added      /root/state\n"), "{diff}");
    let overlays = |diff: &str| {
        let top = diff.lines().filter_map(|line| line.strip_prefix("added      /lava-"));
        top.filter(|rest| !rest.contains('/')).count()
    };
    assert_eq!(overlays(&diff), 1, "that of the first job is gone:\n{diff}");
    assert_eq!(printed(&bench, &["cat", "@build", "/root/state"]), "one\n");
    assert!(printed(&bench, &["ls", "@build", "/root"]).contains(" state\n"));
    printed(&bench, &["export", "@build", "--tar", "after.tar"]);

    let list: serde_json::Value =
        serde_json::from_str(&printed(&bench, &["list", "--json"])).expect("one line of JSON");
    assert_eq!((list["name"].as_str(), list["holder"].is_null()), (Some("build"), true), "{list}");
    assert_eq!(list["url"], format!("{ARTIFACTS_URL}rootfs.tar"));
    assert!(list["changed_bytes"].as_u64().is_some_and(|bytes| bytes > 4096), "{list}");

    printed(&bench, &["rm", "@build"]);
    let empty = rootfs(&bench, &["list"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (Some(0), ""), "{empty}");
    assert!(empty.stderr.starts_with("there is no persistent root filesystem in /"), "{empty}");
    let gone = rootfs(&bench, &["diff", "@build"]);
    assert!(gone.code == Some(2) && gone.stderr.contains("rootfs list"), "{gone}");
    let fresh = run(&bench, &looks_for("one"));
    assert_eq!(fresh.code, Some(1), "{fresh}");
}

#[test]
fn it_belongs_to_one_run_at_a_time_and_a_killed_run_leaves_it_usable() {
    let data = tempfile::tempdir().expect("writable");
    let shared = |bench: Testbench| bench.environment("XDG_DATA_HOME", &data.path().display().to_string());
    let (bench, other) = (shared(Testbench::new()), shared(Testbench::new()));
    let stays = Definition::new("stays", &["lava-test-case there --result pass", "sleep 60"]);
    let first = bench.start(&job(&["echo one > $HOME/state"]).then(&[stays]));
    first.wait_for("pass    there");

    let refused = run(&other, &looks_for("one"));
    assert_eq!(refused.code, Some(3), "{refused}");
    let said = format!(
        "persistent root filesystem build is in use by {} `one-board` (process ",
        bench.run_of("out")
    );
    assert!(refused.stderr.contains(&said), "{refused}");
    assert_eq!(refused.power(), Vec::<String>::new(), "no board was touched");
    assert!(printed(&other, &["list"]).contains(&format!("in use by {} `one-board`", bench.run_of("out"))));
    for words in [["diff", "@build"], ["rm", "@build"]] {
        let refused = rootfs(&other, &words);
        assert!(refused.code == Some(3) && refused.stderr.contains(&said), "{refused}");
    }

    first.signal(Signal::KILL);
    assert_eq!(first.finish().code, None);
    let next = run(&bench, &looks_for("one"));
    assert_eq!(next.code, Some(0), "{next}");

    // The other bench's tar has another host key in it.
    let other_tar = run(&other, &looks_for("one"));
    assert_eq!(other_tar.code, Some(3), "{other_tar}");
    let fault = &other_tar.results()["fault"];
    let message = fault["message"].as_str().unwrap_or_default();
    assert!(message.contains("was made on another tar, https://artifacts.example.org/rootfs.tar"), "{fault}");
    assert!(fault["help"].as_str().unwrap_or_default().contains("rootfs rm @build"), "{fault}");
    assert_eq!(other_tar.power(), Vec::<String>::new(), "no board was touched");
}
