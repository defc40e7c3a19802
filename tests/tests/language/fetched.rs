//! Files of a job that come from another computer, with OpenSSH's own client and server.

use testbench::harness::{Finished, Job, Testbench};

use crate::sshd::{Sshd, make_key, user};

/// Runs a job whose root filesystem is `file` of the server.
fn run(bench: &Testbench, sshd: &Sshd, file: &str) -> Finished {
    let path = |name: &str| bench.path().join(name).display().to_string();
    let known = format!("[127.0.0.1]:{} {}\n", sshd.port, sshd.host_key);
    bench.write("known_hosts", known);
    bench.write(
        "ssh_config",
        format!(
            "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {}\nGlobalKnownHostsFile none\n\
             StrictHostKeyChecking yes\n",
            path("id"),
            path("known_hosts")
        ),
    );
    bench.write("bench.toml", format!("{}\n[scp]\nconfig = \"ssh_config\"\n", bench.to_toml()));
    let url = format!("url: scp://{}@127.0.0.1:{}{}", user(), sshd.port, path(file));
    bench.write("job.yaml", Job::new().nfsrootfs(&[&url]).to_yaml());
    bench.start_with(&["run", "job.yaml", "--out", "out"]).finish()
}

#[test]
fn a_root_filesystem_comes_over_ssh() {
    let bench = Testbench::new();
    let sshd = Sshd::start(&bench);
    let run = run(&bench, &sshd, "artifacts/rootfs.tar");
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.stdout.contains("rootfs.tar fetched"), "{run}");
}

#[test]
fn a_file_that_the_other_side_does_not_have_is_told_in_its_words() {
    let bench = Testbench::new();
    let sshd = Sshd::start(&bench);
    let run = run(&bench, &sshd, "artifacts/rootfs's.tar");
    assert_eq!(run.code, Some(3), "{run}");
    let fault = run.results()["fault"].to_string();
    assert!(fault.contains("No such file or directory"), "{fault}");
}

#[test]
fn a_server_with_another_key_gives_no_file() {
    let bench = Testbench::new();
    let mut sshd = Sshd::start(&bench);
    sshd.host_key = make_key(&bench.path().join("other"));
    let run = run(&bench, &sshd, "artifacts/rootfs.tar");
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.results()["fault"].to_string().contains("Host key verification failed"), "{run}");
}
