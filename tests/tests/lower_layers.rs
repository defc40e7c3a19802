//! What lies below the layers: a directory of this PC, an image that is compressed, one tar for two runs at once.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use testbench::harness::{ARTIFACTS_URL, Finished, Job, Testbench};

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// Unpacks the bench's root filesystem beside its tar.
fn unpack(bench: &Testbench) -> std::path::PathBuf {
    let artifacts = bench.path().join("artifacts");
    let directory = artifacts.join("rootfs");
    fs::create_dir(&directory).expect("an own directory");
    run(Command::new("tar").arg("-xf").arg(artifacts.join("rootfs.tar")).arg("-C").arg(&directory));
    directory
}

/// What the run said about the tar of its root filesystem.
fn told(run: &Finished) -> String {
    let events = run.events();
    let notes = events.iter().map(ToString::to_string).filter(|event| event.contains("tar of nfsrootfs"));
    notes.collect()
}

/// Runs the job with its root filesystem kept, and looks into it.
fn hostname_after(bench: &Testbench, job: &Job) -> (Finished, String) {
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", job.to_yaml());
    let out = bench.path().join("out");
    if out.exists() {
        fs::remove_dir_all(&out).expect("an own directory");
    }
    let finished = bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-rootfs"]).finish();
    assert_eq!(finished.code, Some(0), "{finished}");
    let cat = bench.host_runner(&["rootfs", "cat", "out", "/etc/hostname"]).output().expect("it runs");
    assert!(cat.status.success(), "{}", String::from_utf8_lossy(&cat.stderr));
    (finished, String::from_utf8_lossy(&cat.stdout).into_owned())
}

#[test]
fn a_directory_is_read_once_and_again_when_it_has_changed() {
    let bench = Testbench::new();
    let directory = unpack(&bench);
    let job = Job::new().nfsrootfs(&[&format!("url: {ARTIFACTS_URL}rootfs/")]);
    let (first, hostname) = hostname_after(&bench, &job);
    assert_eq!(hostname, "debian\n");
    assert!(told(&first).contains(" made, "), "{}", told(&first));
    let (second, _) = hostname_after(&bench, &job);
    assert!(told(&second).contains(" from the cache, "), "{}", told(&second));
    fs::write(directory.join("etc/hostname"), "other!\n").expect("an own file");
    let (third, hostname) = hostname_after(&bench, &job);
    assert_eq!(hostname, "other!\n");
    assert!(told(&third).contains(" made, "), "{}", told(&third));
    assert_eq!(fs::read_to_string(directory.join("etc/hostname")).expect("it is there"), "other!\n");
    assert!(!directory.join("lava-1").exists() && directory_names(&directory) == directory_names_of_tar());
}

fn directory_names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("an own directory")
        .map(|entry| entry.expect("an own directory").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What a board changes stays out of the directory.
fn directory_names_of_tar() -> Vec<String> {
    ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "var"].map(str::to_owned).to_vec()
}

#[test]
fn a_compressed_squashfs_image_is_told_by_its_content_whatever_its_name() {
    let bench = Testbench::new();
    let directory = unpack(&bench);
    let image = bench.path().join("artifacts/image.tar");
    run(Command::new("mksquashfs").arg(&directory).arg(&image).args(["-quiet", "-no-progress", "-all-root"]));
    run(Command::new("gzip").arg(&image));
    let url = format!("url: {ARTIFACTS_URL}image.tar.gz");
    let job = Job::new().nfsrootfs(&[&url, "compression: gz"]);
    let (first, hostname) = hostname_after(&bench, &job);
    assert_eq!(hostname, "debian\n");
    assert!(told(&first).contains(" made, "), "{}", told(&first));
    let (second, _) = hostname_after(&bench, &job);
    assert!(told(&second).contains(" from the cache, "), "{}", told(&second));
}

#[test]
fn what_makes_no_sense_for_a_directory_is_refused() {
    let bench = Testbench::new();
    unpack(&bench);
    let job = Job::new().nfsrootfs(&[&format!("url: {ARTIFACTS_URL}rootfs"), "compression: gz"]);
    let finished = bench.run(&job);
    assert_eq!(finished.code, Some(2), "{finished}");
    let fault = finished.results()["fault"].to_string();
    assert!(fault.contains("is a directory") && fault.contains("remove `compression`"), "{fault}");
}

/// An HTTP server with one file, which does not change. Counts how often it sends the file.
fn http_server(file: Vec<u8>) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let sent = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&sent);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let known = head.iter().any(|line| line.to_ascii_lowercase().starts_with("if-none-match"));
            let status = if known { "304 Not Modified" } else { "200 OK" };
            let body = if known { &[][..] } else { &file };
            counter.fetch_add(u32::from(!known), Ordering::SeqCst);
            let length = body.len();
            // A client that has what it wants may close first.
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nETag: \"1\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(body);
        }
    });
    (address, sent)
}

#[test]
fn two_runs_at_once_fetch_and_index_their_root_filesystem_once() {
    let benches = [Testbench::new(), Testbench::new()];
    let tar = fs::read(benches[0].path().join("artifacts/rootfs.tar")).expect("it is there");
    let (address, sent) = http_server(tar);
    let cache = format!("directory = {:?}", benches[0].path().join("cache"));
    let job = Job::new().nfsrootfs(&[&format!("url: http://{address}/rootfs.tar")]);
    let runs = benches.map(|bench| {
        let text = bench.to_toml().replace("directory = \"cache\"", &cache);
        let bench = bench.bench_text(&text);
        (bench.start(&job), bench)
    });
    // The one's cache is the other's as well: both benches stay until both runs have ended.
    for (finished, _) in runs.map(|(run, bench)| (run.finish(), bench)) {
        assert_eq!(finished.code, Some(0), "{finished}");
    }
    assert_eq!(sent.load(Ordering::SeqCst), 1, "how often the file was sent");
}
