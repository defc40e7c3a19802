//! A USB hub: this PC has none that can switch its ports, and the program says so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{bench, done, refused};

const POWER: &str = "driver = \"uhubctl\"\nlocation = \"99-1.4\"\nport = 2\noff_s = 0";

#[test]
fn a_hub_that_is_not_there_is_told_in_the_programs_words() {
    let words = [
        "by uhubctl (hub 99-1.4, port 2)",
        "No compatible devices detected",
        "`sudo uhubctl` lists the hubs",
    ];
    refused(&bench(POWER), "on", 3, &words);
}

#[test]
fn a_program_that_is_not_there_is_the_benchs_fault() {
    let bench = bench(POWER).environment("PATH", "/nowhere");
    refused(&bench, "on", 4, &["by uhubctl (hub 99-1.4, port 2)", "sudo apt install uhubctl"]);
}

#[test]
fn the_program_is_called_as_it_documents_and_its_words_are_read() {
    let bench = bench(POWER);
    let programs = bench.path().join("programs");
    fs::create_dir(&programs).expect("an own directory");
    let script = "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho \"$*\" >> calls\n\
                  case \"$*\" in *'-a on') echo 0100 power > port ;; *'-a off') echo 0000 off > port ;; esac\n\
                  echo 'Current status for hub 99-1.4 [0bda:5411 Generic USB2.1 Hub, USB 2.10, 5 ports, ppps]'\n\
                  echo \"  Port 2: $(cat port)\"\n";
    fs::write(programs.join("uhubctl"), script).expect("an own directory");
    fs::set_permissions(programs.join("uhubctl"), fs::Permissions::from_mode(0o755)).expect("an own file");
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let bench = bench.environment("PATH", &path);
    done(&bench, "cycle");
    let calls = fs::read_to_string(programs.join("calls")).expect("it was called");
    let one = "-l 99-1.4 -p 2";
    assert_eq!(calls, format!("{one} -a off\n{one}\n{one} -a on\n{one}\n"));
    assert_eq!(done(&bench, "status"), "fake1: on\n");
}
