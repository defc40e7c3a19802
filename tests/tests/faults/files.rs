//! Bench and job files that are missing, broken, or do not fit: refused before a board is touched.

use sha2::{Digest as _, Sha256};
use testbench::harness::{ARTIFACTS_URL, Finished, Job, Testbench};

use crate::evidence::assert_refused;

#[test]
fn without_a_bench_file_the_places_that_were_looked_at_are_named() {
    let bench = Testbench::new();
    bench.write("job.yaml", Job::new().to_yaml());
    let run = bench.start_with(&["run", "job.yaml", "--out", "out"]).finish();
    assert_refused(
        &run,
        "bench",
        &["there is no bench file", "`bench.toml`", "`host-runner init`", "--bench FILE"],
    );
}

#[test]
fn a_bench_file_that_does_not_exist_is_named() {
    let bench = Testbench::new();
    bench.write("job.yaml", Job::new().to_yaml());
    let run = bench.start_with(&["run", "job.yaml", "--out", "out", "--bench", "other.toml"]).finish();
    assert_refused(&run, "bench", &["other.toml"]);
}

#[test]
fn a_bench_file_that_is_no_toml_is_shown_with_line_and_column() {
    let bench = Testbench::new().bench_text("[network]\naddress = 127.0.0.1\n");
    assert_refused(&bench.run(&Job::new()), "bench", &["bench.toml:2:", "1 problem in "]);
}

#[test]
fn all_problems_of_a_bench_file_are_told_at_once() {
    let bench = Testbench::new().board_line("consoel = \"/dev/ttyUSB0\"").board_line("ssh_port = 70000");
    assert_refused(&bench.run(&Job::new()), "bench", &["consoel", "ssh_port", "2 problems in "]);
}

#[test]
fn an_unknown_board_type_is_answered_with_the_known_ones() {
    let toml = "[boards.b]\ntype = \"beaglebone-blak\"\nconsole = \"/dev/ttyUSB0\"\n";
    let bench = Testbench::new().bench_text(toml);
    let said = ["there is no board type `beaglebone-blak`", "beaglebone-black", "bench.toml:2:8"];
    assert_refused(&bench.run(&Job::new()), "bench", &said);
}

#[test]
fn a_role_for_which_there_is_no_board_is_told_what_the_bench_has() {
    let job = Job::new().device_type("cubietruck");
    let said = ["job.yaml:2:14", "cubietruck", "fake-board"];
    assert_refused(&Testbench::new().run(&job), "bench", &said);
}

#[test]
fn a_job_file_that_is_no_yaml_is_shown_with_line_and_column() {
    let run = Testbench::new().start_text("job_name: x\nactions: [\n").finish();
    assert_refused(&run, "job", &["job.yaml:", "1 problem in job.yaml"]);
}

#[test]
fn a_wrong_value_in_a_job_file_is_shown_with_line_and_column() {
    let yaml = Job::new().boot("auto_login: {login_prompt: '(', username: root}").to_yaml();
    let run = Testbench::new().start_text(&yaml).finish();
    assert_refused(&run, "job", &["job.yaml:24:", "login_prompt"]);
}

#[test]
fn a_job_file_that_is_not_there_is_a_mistake_of_the_command_line() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    for command in ["run", "validate", "replay"] {
        let absent = bench.start_with(&[command, "nowhere"]).finish();
        assert_refused(&absent, "usage", &["nowhere", "No such file"]);
    }
    bench.write("job.yaml", b"\xff\xff");
    let not_text = bench.start_with(&["run", "job.yaml"]).finish();
    assert_refused(&not_text, "job", &["`job.yaml` is not UTF-8 text"]);
}

#[test]
fn results_that_can_have_no_directory_are_a_mistake_of_the_command_line() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", Job::new().to_yaml());
    for (out, said) in [
        ("job.yaml", "it is there already"),
        ("job.yaml/out", "the directory that it would be in is not one"),
    ] {
        let refused = bench.start_with(&["run", "job.yaml", "--out", out]).finish();
        assert_refused(&refused, "usage", &[said, "--out DIR"]);
    }
}

#[test]
fn a_bench_file_is_not_named_and_left_out_at_once() {
    let bench = Testbench::new();
    let both = validated(&bench, &["--no-bench", "--bench", "bench.toml"]);
    assert_eq!((both.code, both.stdout.as_str()), (Some(2), ""), "{both}");
    assert!(both.stderr.contains("`--bench` names a bench file all the same"), "{both}");
    // That of the environment is for all commands: this one does without.
    let alone = validated(&bench.environment("HOST_RUNNER_BENCH", "bench.toml"), &["--no-bench"]);
    assert_eq!((alone.code, alone.stderr.as_str()), (Some(0), ""), "{alone}");
}

/// What `validate` makes of the job and the bench.
fn validated(bench: &Testbench, more: &[&str]) -> Finished {
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", Job::new().to_yaml());
    bench.start_with(&[&["validate", "job.yaml"][..], more].concat()).finish()
}

/// Neither does the run touch a board, nor is the job valid on that bench; both say why, in the same words.
#[track_caller]
fn assert_not_for_this_bench(bench: &Testbench, said: &[&str]) {
    assert_refused(&bench.run(&Job::new()), "bench", said);
    let told = validated(bench, &[]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(4), ""), "{told}");
    assert!(told.stderr.starts_with("checked for the bench file `bench.toml`\n"), "{told}");
    for text in said {
        assert!(told.stderr.contains(text), "no {text:?}\n{told}");
    }
    let alone = validated(bench, &["--no-bench"]);
    assert_eq!((alone.code, alone.stderr.as_str()), (Some(0), ""), "{alone}");
}

#[test]
fn a_board_without_an_address_is_refused_by_run_and_validate() {
    let bench = Testbench::new();
    let address = format!("address = \"{}\"\n", bench.addresses().board);
    let toml = bench.to_toml().replace(&address, "");
    let said = ["job.yaml:10:3", "does not give the address of board `fake1`", "`[boards.fake1]`"];
    assert_not_for_this_bench(&bench.bench_text(&toml), &said);
}

#[test]
fn a_power_program_that_is_not_there_is_refused_by_run_and_validate() {
    let bench = Testbench::new();
    let toml = bench.to_toml().replace("reset = [\"sh\"", "reset = [\"no-such-relay\"");
    let said = ["board `fake1`", "`no-such-relay` is not there", "the power command `reset`", "in PATH"];
    assert_not_for_this_bench(&bench.bench_text(&toml), &said);
}

#[test]
fn a_mirror_that_is_not_there_is_refused_by_run_and_validate() {
    let bench = Testbench::new();
    let toml = bench.to_toml().replace("to = \"artifacts/\"", "to = \"artefacts/\"");
    let place = bench.path().join("artefacts/").display().to_string();
    let said = [ARTIFACTS_URL, &place, "which is not there", "change `to` of that `[[mirror]]`"];
    assert_not_for_this_bench(&bench.bench_text(&toml), &said);
}

#[test]
fn a_mirror_that_is_not_there_is_no_hindrance_where_the_cache_has_the_file() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    let mut job = Job::new().to_yaml();
    for name in ["rootfs.tar", "zImage", "board.dtb"] {
        let content = std::fs::read(bench.path().join("artifacts").join(name)).unwrap();
        let sum: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        job = job.replace(&format!("{name}\n"), &format!("{name}\n      sha256sum: {sum}\n"));
    }
    bench.write("job.yaml", &job);
    let first = bench.start_with(&["run", "job.yaml", "--out", "first"]).finish();
    assert_eq!(first.code, Some(0), "{first}");
    std::fs::rename(bench.path().join("artifacts"), bench.path().join("elsewhere")).unwrap();
    let again = bench.start_with(&["run", "job.yaml", "--out", "again"]).finish();
    assert_eq!(again.code, Some(0), "{job}{again}");
}

/// A job that names a file which is not on this PC; a run tells it where it fetches it.
#[track_caller]
fn assert_absent(kernel: &str, said: &[&str]) {
    let bench = Testbench::new();
    let job = Job::new().kernel(&[kernel, "type: zimage"]);
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", job.to_yaml());
    let told = bench.start_with(&["validate", "job.yaml"]).finish();
    assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{told}");
    let run = bench.run(&job);
    for text in said {
        assert!(told.stderr.contains(text), "no {text:?}\n{told}");
        assert!(run.results()["fault"].to_string().contains(text), "no {text:?}\n{run}");
    }
}

#[test]
fn a_file_that_is_not_on_this_pc_is_named_with_the_place_that_the_mirror_led_to() {
    let mirrored =
        ["job.yaml:14:12", "zImage-6.1 (mirrored to /", "No such file or directory", "`[[mirror]]`"];
    assert_absent(&format!("url: {ARTIFACTS_URL}zImage-6.1"), &mirrored);
    let own = ["cannot get file:///srv/none/zImage: cannot read /srv/none/zImage", "under that name"];
    assert_absent("url: file:///srv/none/zImage", &own);
}

#[test]
fn a_command_of_the_bench_may_make_what_is_deployed() {
    let bench = Testbench::new();
    let artifacts = bench.path().join("artifacts");
    let copy = ["cp", "zImage", "zImage-built"].map(|name| match name {
        "cp" => name.to_owned(),
        _ => artifacts.join(name).display().to_string(),
    });
    let bench = bench.board_line(&format!("commands = {{ build = {{ do = {copy:?} }} }}"));
    let job = Job::new().kernel(&[&format!("url: {ARTIFACTS_URL}zImage-built"), "type: zimage"]).to_yaml();
    let run = bench.start_text(&job.replace("actions:\n", "actions:\n- command: {name: build}\n")).finish();
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn an_agent_that_is_not_there_is_refused_by_run_and_validate() {
    let bench = Testbench::new();
    let toml = bench.to_toml().replace("directory = \"agent\"", "directory = \"agents\"");
    let said = ["there is no agent for x86_64", "agents/x86_64/lava-agent", "`[agent] directory`"];
    assert_not_for_this_bench(&bench.bench_text(&toml), &said);
}

#[test]
fn validate_says_for_which_bench_file_a_job_is_valid() {
    let bench = Testbench::new();
    let told = validated(&bench, &[]);
    let valid = told.stdout.starts_with("job.yaml: job `one-board` is valid\n");
    assert!(told.code == Some(0) && valid, "{told}");
    assert_eq!(told.stderr, "checked for the bench file `bench.toml`\n");
    let json = validated(&bench, &["--format", "json"]);
    assert!(json.stdout.contains("\"bench\":\"bench.toml\"") && json.stderr.is_empty(), "{json}");
    std::fs::remove_file(bench.path().join("bench.toml")).unwrap();
    let told = bench.start_with(&["validate", "job.yaml"]).finish();
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), "no bench file: the jobs are checked alone\n"));
}
