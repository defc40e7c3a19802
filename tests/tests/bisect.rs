//! `host-runner bisect-step` under git's own `bisect run`.

use std::process::{Command, Output};

use testbench::harness::{Definition, Job, Testbench};

fn git(bench: &Testbench, words: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]);
    command.args(words).current_dir(bench.path().join("source")).output().expect("git runs")
}

/// A repository in which each of `jobs` is a commit of its own.
fn repository(bench: &Testbench, jobs: &[String]) {
    let source = bench.path().join("source");
    std::fs::create_dir(&source).expect("an own directory");
    assert!(git(bench, &["init", "--quiet"]).status.success());
    for (number, job) in jobs.iter().enumerate() {
        std::fs::write(source.join("job.yaml"), format!("# {number}\n{job}")).expect("an own directory");
        assert!(git(bench, &["add", "job.yaml"]).status.success());
        assert!(git(bench, &["commit", "--quiet", "-m", &format!("commit {number}")]).status.success());
    }
}

/// What `bisect-step` says of one job, and its exit code.
fn step(bench: &Testbench, job: &str, more: &[&str]) -> (Option<i32>, String) {
    bench.write("bench.toml", bench.to_toml());
    bench.write("step.yaml", job);
    let ended = bench.start_with(&[&["bisect-step", "step.yaml"], more].concat()).finish();
    let said = ended.stderr.lines().rev().find(|line| line.starts_with("bisect: "));
    (ended.code, said.unwrap_or(&ended.stderr).to_owned())
}

#[test]
fn the_help_names_the_directory_that_is_made() {
    let bench = Testbench::new();
    let (code, said) = step(&bench, &Job::new().to_yaml(), &[]);
    assert_eq!((code, said.as_str()), (Some(0), "bisect: good"));
    let made: Vec<_> = std::fs::read_dir(bench.path().join("runs")).expect("it was made").collect();
    let [Ok(made)] = made.as_slice() else { panic!("one run: {made:?}") };
    let name = made.file_name().into_string().expect("text");
    let (_, behind_time) = name.split_once('-').expect("the time, and what is behind it");
    let help = bench.start_with(&["bisect-step", "--help"]).finish();
    let help = help.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains(&format!("[default: runs/TIME-{behind_time}, the time in UTC]")), "{help}");
}

#[test]
fn git_finds_the_commit_and_passes_those_that_cannot_be_tested() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    let result = |result: &str| {
        let step = format!("lava-test-case works --result {result}");
        Job::new().definitions(&[Definition::new("works", &[&step])]).to_yaml()
    };
    let (good, bad) = (result("pass"), result("fail"));
    let untestable = good.replace("/zImage", "/absent");
    assert_ne!(untestable, good);
    repository(&bench, &[good.clone(), good.clone(), good, untestable, bad.clone(), bad]);
    assert!(git(&bench, &["bisect", "start", "HEAD", "HEAD~5"]).status.success());
    let runner = bench.host_runner(&[]);
    let program = runner.get_program().to_str().expect("text").to_owned();
    let toml = bench.path().join("bench.toml").display().to_string();
    let run = ["bisect", "run", &program, "bisect-step", "job.yaml", "--bench", &toml, "--again", "0"];
    let found = git(&bench, &run);
    let told = String::from_utf8_lossy(&found.stdout).into_owned() + &String::from_utf8_lossy(&found.stderr);
    // The one that cannot be tested is beside the first bad one.
    let candidates = ["commit 3", "commit 4"].map(|commit| {
        let hash = git(&bench, &["log", "--format=%H", "--grep", commit, "main"]);
        String::from_utf8_lossy(&hash.stdout).trim().to_owned()
    });
    assert!(told.contains("only 'skip'ped commits left"), "{told}");
    for candidate in candidates {
        assert!(told.contains(&candidate), "{candidate}: {told}");
    }
}

#[test]
fn every_end_of_a_run_has_its_verdict() {
    let job = Job::new().to_yaml();
    let (panics, toml) = (Testbench::new().fault("panic"), Testbench::new());
    assert_eq!(step(&toml, &job, &[]), (Some(0), "bisect: good".to_owned()));
    let bad = (Some(1), "bisect: bad: the kernel did not come up".to_owned());
    assert_eq!(step(&panics, &job, &[]), bad);
    let skipped = (Some(125), "bisect: skipped: the kernel did not come up".to_owned());
    assert_eq!(step(&panics, &job, &["--boot-failure", "skip"]), skipped);
    let absent = job.replace("/zImage", "/absent");
    let failed = (Some(125), "bisect: skipped: the infrastructure failed".to_owned());
    assert_eq!(step(&toml, &absent, &["--out", "twice"]), failed);
    assert!(toml.path().join("twice-2/results.json").exists(), "it was tried again");
    let wrong = (Some(128), "bisect: ended: the job or the bench file is wrong".to_owned());
    assert_eq!(step(&toml, "actions: []\n", &[]), wrong);
}
