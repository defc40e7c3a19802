//! `lava-install-packages` around a package manager that does what the test wants; real ones are on the virtual board.

use std::os::unix::fs::PermissionsExt;

use protocol::agent_to_host::ExitStatus;

use crate::{done, home};
use testbench::agent_runner::{Home, Runner};

/// Makes `text` the only package manager in the directory `managers`.
fn manager(home: &Home, text: &str) {
    std::fs::create_dir(home.path().join("managers")).expect("writable");
    home.script("managers/apk", text);
    let executable = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(home.path().join("managers/apk"), executable).expect("own file");
}

#[test]
fn an_installation_that_fails_names_the_packages_to_the_runner() {
    let home = home();
    manager(&home, "#!/bin/sh\necho apk $*\nexit 7\n");
    home.script("run.sh", "PATH=$PWD/managers bin/lava-install-packages jq tree\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, done);
    // The other test's installations are on the same machine.
    let lines = ran.output.lines().filter(|line| !line.contains(": waiting for another installation"));
    assert_eq!(
        lines.map(|line| format!("{line}\n")).collect::<String>(),
        "apk update\nlava-install-packages: apk could not update its lists (exit code 7)\n\
         apk add jq tree\nlava-install-packages: apk ended with exit code 7; not installed: jq tree\n"
    );
    let told = r#"Failed { helper: "lava-install-packages", problem: "apk ended with exit code 7; not installed: jq tree" }"#;
    assert_eq!(ran.calls, [told]);
    assert_eq!(ran.status, ExitStatus::Code(7));
}

#[test]
fn installations_on_one_board_take_turns() {
    let home = home();
    // Whoever comes first goes on when both others wait for it.
    manager(
        &home,
        "#!/bin/sh\nPATH=/usr/bin:/bin\necho begin $1 >>log\n\
         until [ $(grep -c waiting errors) -ge 2 ]; do sleep 0.01; done\necho end $1 >>log\n",
    );
    home.script(
        "run.sh",
        "for package in a b c; do PATH=$PWD/managers bin/lava-install-packages $package 2>>errors & done\nwait\ncat log\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 60, done);
    assert_eq!(ran.output, "begin update\nend update\nbegin add\nend add\n".repeat(3));
    assert_eq!((ran.calls.len(), ran.status), (0, ExitStatus::Code(0)));
}
