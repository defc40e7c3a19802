//! Bench and job files that are missing, broken, or do not fit: refused before a board is touched.

use testbench::harness::{Job, Testbench};

use crate::evidence::assert_refused;

#[test]
fn without_a_bench_file_the_places_that_were_looked_at_are_named() {
    let bench = Testbench::new();
    bench.write("job.yaml", Job::new().to_yaml());
    let run = bench.start_with(&["run", "job.yaml", "--out", "out"]).finish();
    assert_refused(&run, "bench", &["there is no bench file", "`bench.toml`", "--bench FILE"]);
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
fn a_job_file_that_does_not_exist_is_named() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    let run = bench.start_with(&["run", "absent.yaml", "--out", "out"]).finish();
    assert_refused(&run, "job", &["absent.yaml", "No such file"]);
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
