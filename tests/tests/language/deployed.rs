//! What a deployment puts into a root filesystem, and takes from it.

use std::io::Read as _;

use testbench::harness::{ARTIFACTS_URL, Finished, Job, Testbench, tar_of};

/// The tar with every name below `prefix`.
fn below(prefix: &str, tar: &[u8]) -> Vec<u8> {
    let mut moved = tar::Builder::new(Vec::new());
    for entry in tar::Archive::new(tar).entries().expect("a tar") {
        let mut entry = entry.expect("a tar");
        let mut header = entry.header().clone();
        let path = format!("{prefix}{}", entry.path().expect("a path").display());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("a tar");
        moved.append_data(&mut header, path, content.as_slice()).expect("memory takes it");
    }
    moved.into_inner().expect("memory takes it")
}

fn keep(bench: &Testbench, job: &Job) -> Finished {
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", job.to_yaml());
    bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-rootfs"]).finish()
}

#[test]
fn a_prefix_is_the_root_and_overlays_and_modules_are_put_below_it() {
    let bench = Testbench::new();
    let rootfs = std::fs::read(bench.path().join("artifacts/rootfs.tar")).expect("it was made");
    bench.artifact("prefixed.tar", &below("jessie/", &rootfs));
    bench.artifact("motd", b"hello\n");
    bench.artifact("keys.tar", &tar_of(&[("keys/one", 0o600, "key")]));
    let lines = [
        format!("url: {ARTIFACTS_URL}prefixed.tar"),
        "prefix: jessie/".to_owned(),
        "overlays:".to_owned(),
        format!("  motd: {{url: {ARTIFACTS_URL}motd, format: file, path: /etc/motd}}"),
        format!("  keys: {{url: {ARTIFACTS_URL}keys.tar, format: tar, path: /etc}}"),
    ];
    let job = Job::new().nfsrootfs(&lines.each_ref().map(String::as_str));
    let run = keep(&bench, &job);
    assert_eq!(run.code, Some(0), "{run}");
    for (path, content) in [("/etc/motd", "hello\n"), ("/etc/keys/one", "key"), ("/etc/hostname", "debian\n")]
    {
        let shown = bench.start_with(&["rootfs", "cat", "out", path]).finish();
        assert_eq!((shown.code, shown.stdout.as_str()), (Some(0), content), "{path}: {shown}");
    }
    let changed = bench.start_with(&["rootfs", "diff", "out"]).finish();
    assert!(changed.stdout.contains(" /etc/motd\n") && !changed.stdout.contains("jessie"), "{changed}");
}

#[test]
fn a_prefix_that_the_tar_does_not_have_is_named() {
    let bench = Testbench::new();
    let url = format!("url: {ARTIFACTS_URL}rootfs.tar");
    let run = bench.run(&Job::new().nfsrootfs(&[&url, "prefix: jessie/"]));
    assert_ne!(run.code, Some(0), "{run}");
    assert!(run.results()["fault"].to_string().contains("jessie"), "{run}");
}

#[test]
fn a_deployment_can_be_repeated() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    let text = Job::new().to_yaml();
    assert!(text.contains("\n- deploy:\n"), "{text}");
    bench.write("job.yaml", text.replacen("\n- deploy:\n", "\n- deploy:\n    repeat: 2\n", 1));
    let run = bench.start_with(&["run", "job.yaml", "--out", "out"]).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.file("console/board.log").contains("-2/kernel/"), "the second one is booted: {run}");
}

#[test]
fn a_kernel_can_be_the_only_file_of_a_tar() {
    let bench = Testbench::new();
    let kernel = std::fs::read(bench.path().join("artifacts/zImage")).expect("it was made");
    bench.artifact("kernel.tar", &tar_of(&[("boot/zImage-6.12", 0o644, &kernel)]));
    let url = format!("url: {ARTIFACTS_URL}kernel.tar");
    let run = bench.run(&Job::new().kernel(&[&url, "type: zimage", "archive: tar"]));
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn every_file_of_a_deployment_is_served_and_has_its_placeholder() {
    let bench = Testbench::new();
    for name in ["one.dtbo", "two.dtbo", "tee.bin", "preseed.cfg", "logo.bmp"] {
        bench.artifact(name, name.as_bytes());
    }
    let url = |name: &str| format!("{{url: '{ARTIFACTS_URL}{name}'}}");
    let files = format!(
        "    dtbo: [{}, {}]\n    tee: {}\n    preseed: {}\n    extra_files: {{splash.bmp: {}}}\n    kernel:\n",
        url("one.dtbo"),
        url("two.dtbo"),
        url("tee.bin"),
        url("preseed.cfg"),
        url("logo.bmp")
    );
    let commands = "
    - dhcp
    - setenv serverip {SERVER_IP}
    - tftp 0x88000000 {DTBO0}
    - tftp 0x88100000 {DTBO1}
    - tftp 0x88200000 {TEE}
    - tftp 0x88300000 {PRESEED_CONFIG}
    - tftp 0x88400000 {EXTRA_FILES_DIR}/splash.bmp
    - tftp {KERNEL_ADDR} {KERNEL}
    - tftp {DTB_ADDR} {DTB}
    - setenv bootargs 'console=ttyS0 root=/dev/nfs nfsroot={NFS_SERVER_IP}:{NFSROOTFS},vers=3,tcp,nolock,port={NFS_PORT},mountport={NFS_PORT}'
    - '{BOOTX}'";
    let text = Job::new().to_yaml();
    assert!(text.contains("    kernel:\n") && text.contains("    commands: nfs\n"), "{text}");
    let text = text
        .replace("    kernel:\n", &files)
        .replace("    commands: nfs\n", &format!("    commands:{commands}\n"));
    let run = bench.start_text(&text).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let console = run.file("console/board.log");
    for name in ["one.dtbo", "two.dtbo", "tee.bin", "preseed.cfg", "splash.bmp"] {
        let asked = console.lines().any(|line| line.contains("tftp 0x88") && line.contains(name));
        assert!(asked, "{name}: {console}");
    }
    assert!(!console.contains("not found"), "{console}");
}

/// A shell with all that an upload needs; what it writes is seen by nobody else.
const SHELL: [&str; 2] = [
    "--shell",
    "exec unshare --mount sh -c 'mount -t tmpfs tmpfs /run && mount -o remount,bind,ro / && \
     PS1=\"root@debian:~# \" exec busybox sh -i'",
];

#[test]
fn a_root_filesystem_that_takes_neither_tests_nor_modules_gets_none() {
    let url = format!("url: {ARTIFACTS_URL}rootfs.tar");
    let job = |keys: &[&str]| {
        let text = Job::new().nfsrootfs(&[&[url.as_str()], keys].concat()).to_yaml();
        let modules = format!("    modules: {{url: '{ARTIFACTS_URL}modules.tar'}}\n    kernel:\n");
        text.replace("    kernel:\n", &modules)
    };
    for (keys, has) in [
        (&[][..], [true, true]),
        (&["install_modules: false", "install_overlay: false"], [false, false]),
        (&["overlays: {lava: false}"], [true, false]),
    ] {
        let bench = if has[1] { Testbench::new() } else { Testbench::new().board_option(&SHELL) };
        bench.artifact("modules.tar", &tar_of(&[("lib/modules/6.12/answer", 0o644, "42")]));
        bench.write("bench.toml", bench.to_toml());
        bench.write("job.yaml", job(keys));
        let run = bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-rootfs"]).finish();
        assert_eq!(run.code, Some(0), "{keys:?}: {run}");
        let is_uploaded = run.file("run.jsonl").contains("agent uploaded to ");
        let diff = bench.start_with(&["rootfs", "diff", "out"]).finish().stdout;
        let found = [diff.contains("/lib/modules/6.12/answer"), !is_uploaded];
        assert_eq!(found, has, "{keys:?}: {diff}");
    }
}

#[test]
fn a_root_filesystem_of_another_server_is_mounted_and_not_written_to() {
    let bench = Testbench::new().board_option(&SHELL);
    let kept = keep(
        &bench,
        &Job::new().nfsrootfs(&[&format!("url: {ARTIFACTS_URL}rootfs.tar"), "install_overlay: false"]),
    );
    assert_eq!(kept.code, Some(0), "{kept}");
    std::fs::rename(bench.path().join("out"), bench.path().join("kept")).expect("an own directory");
    let addresses = bench.addresses();
    let [a, b, c, _] = addresses.server.octets();
    let other = std::net::Ipv4Addr::new(a, b, c, 3);
    let server = bench.start_with(&["rootfs", "serve", "kept", "--listen", &format!("{other}:2049")]);
    server.wait_for("serving ");
    let printed = server.printed();
    let export = printed.split_whitespace().find(|word| word.starts_with('/') && word.ends_with("/rootfs"));
    let export = export.unwrap_or_else(|| panic!("no export in {printed}"));
    let text = Job::new().to_yaml();
    let (before, after) = text.split_once("    nfsrootfs:\n").expect("the job has one");
    let after = after.split_once('\n').expect("its URL is one line").1;
    let text = format!("{before}    persistent_nfs: {{address: '{other}:{export}'}}\n{after}");
    let run = bench.start_text(&text).finish();
    assert_eq!(run.code, Some(0), "{text}\n{run}");
    let console = run.file("console/board.log");
    assert!(console.contains(&format!("nfsroot={other}:{export}")), "{console}");
    assert!(run.file("run.jsonl").contains("agent uploaded to "), "{run}");
    drop(server);
    let diff = bench.start_with(&["rootfs", "diff", "kept"]).finish();
    assert_eq!((diff.code, diff.stdout.as_str()), (Some(0), ""), "{diff}");
}
