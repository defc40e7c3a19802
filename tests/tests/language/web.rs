//! Files of a job that come from a web server: with headers that it asks for, after an error of it, and past the cache.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use testbench::harness::{Job, PATIENCE, Testbench};

/// Longest request that is read, in bytes.
const MAX_REQUEST: u64 = 8192;

/// What a server does with requests, and those that it had.
struct Site {
    file: Vec<u8>,
    /// A header line without which there is no file, in lower case.
    secret: Option<&'static str>,
    /// How many requests are refused first.
    refused: usize,
    /// Head of each request, in lower case.
    requests: Mutex<Vec<String>>,
}

/// A server (RFC 9110) with one file under every name, which has not changed since anybody asked.
struct Server {
    address: SocketAddr,
    site: Arc<Site>,
}

impl Server {
    fn start(file: Vec<u8>, secret: Option<&'static str>, refused: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let site = Arc::new(Site { file, secret, refused, requests: Mutex::default() });
        let theirs = Arc::clone(&site);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that has gone wants no answer.
                let _ = theirs.answer(stream);
            }
        });
        Self { address, site }
    }

    fn url(&self) -> String {
        format!("http://{}/rootfs.tar", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.site.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Site {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = String::new();
        let mut lines = BufReader::new(stream.try_clone()?.take(MAX_REQUEST));
        while lines.read_line(&mut head)? > 2 {}
        let head = head.to_ascii_lowercase();
        let number = {
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push(head.clone());
            requests.len()
        };
        let (status, body) = if self.secret.is_some_and(|secret| !head.contains(secret)) {
            ("401 Unauthorized", &b""[..])
        } else if number <= self.refused {
            ("404 Not Found", &b""[..])
        } else if head.contains("if-none-match:") {
            ("304 Not Modified", &b""[..])
        } else {
            ("200 OK", self.file.as_slice())
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nETag: \"1\"\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        )?;
        stream.write_all(body)
    }
}

fn rootfs(bench: &Testbench) -> Vec<u8> {
    std::fs::read(bench.path().join("artifacts/rootfs.tar")).expect("it was made")
}

#[test]
fn a_token_of_the_bench_is_sent_and_is_in_no_file_of_the_run() {
    let bench = Testbench::new();
    let server = Server::start(rootfs(&bench), Some("private-token: s3cr3t-of-the-bench\r\n"), 0);
    bench.write("gitlab.token", "s3cr3t-of-the-bench\n");
    bench.write(
        "bench.toml",
        format!("{}[tokens]\ngitlab = {{ file = \"gitlab.token\" }}\n", bench.to_toml()),
    );
    let lines = [format!("url: {}", server.url()), "headers: {PRIVATE-TOKEN: gitlab}".to_owned()];
    bench.write("job.yaml", Job::new().nfsrootfs(&lines.each_ref().map(String::as_str)).to_yaml());
    let run = bench.start_with(&["run", "job.yaml", "--out", "out"]).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let out = bench.path().join("out");
    let files_with = |text: &str| {
        let found =
            std::process::Command::new("grep").args(["-rl", text]).arg(&out).output().expect("grep runs");
        (found.status.code(), String::from_utf8_lossy(&found.stdout).into_owned())
    };
    assert_eq!(files_with("rootfs.tar").0, Some(0));
    assert_eq!(files_with("s3cr3t"), (Some(1), String::new()));
    assert!(!run.stdout.contains("s3cr3t") && !run.stderr.contains("s3cr3t"), "{run}");
}

#[test]
fn a_deployment_is_tried_again_after_an_error_of_the_server() {
    let bench = Testbench::new();
    let run = |retries: &str| {
        let server = Server::start(rootfs(&bench), None, 1);
        let text = Job::new().nfsrootfs(&[&format!("url: {}", server.url())]).to_yaml();
        let text = text.replacen("\n- deploy:\n", &format!("\n- deploy:\n{retries}"), 1);
        let run = bench.start_text(&text).finish();
        std::fs::remove_dir_all(bench.path().join("out")).expect("an own directory");
        (run.code, server.requests().len())
    };
    assert_eq!(run(""), (Some(3), 1));
    assert_eq!(run("    failure_retry: 2\n"), (Some(0), 2));
}

#[test]
fn a_file_that_shall_not_come_from_the_cache_is_fetched_anew() {
    let bench = Testbench::new();
    let server = Server::start(rootfs(&bench), None, 0);
    let bench = bench.mirror("http://mirrored.invalid/", &format!("http://{}/", server.address));
    let run = |use_cache: bool| {
        let lines = [format!("url: {}", server.url()), format!("use_cache: {use_cache}")];
        let run = bench.run(&Job::new().nfsrootfs(&lines.each_ref().map(String::as_str)));
        assert_eq!(run.code, Some(0), "{run}");
        std::fs::remove_dir_all(bench.path().join("out")).expect("an own directory");
        server.requests().last().is_some_and(|request| request.contains("if-none-match:"))
    };
    assert_eq!([run(true), run(true), run(false), run(true)], [false, true, false, true]);
    // With its sum, nobody is asked for a file that is there; and a mirror is where it is, unless that is not wanted.
    let sum = std::process::Command::new("sha256sum").arg(bench.path().join("artifacts/rootfs.tar")).output();
    let sum = String::from_utf8(sum.expect("sha256sum runs").stdout).expect("it prints text");
    let sum = sum.split_whitespace().next().expect("it prints a sum").to_owned();
    let mirrored = "http://mirrored.invalid/rootfs.tar".to_owned();
    let with_sum = format!("sha256sum: {sum}");
    for (url, sum, use_cache, code, requests) in [
        (server.url(), Some(&with_sum), true, Some(0), 0),
        (server.url(), Some(&with_sum), false, Some(0), 1),
        (mirrored.clone(), None, true, Some(0), 1),
        (mirrored, None, false, Some(3), 0),
    ] {
        let before = server.requests().len();
        let mut lines = vec![format!("url: {url}"), format!("use_cache: {use_cache}")];
        lines.extend(sum.cloned());
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let run = bench.run(&Job::new().nfsrootfs(&lines).timeout("tftp-deploy", 5));
        std::fs::remove_dir_all(bench.path().join("out")).expect("an own directory");
        assert_eq!(
            (run.code, server.requests().len() - before),
            (code, requests),
            "{url} {use_cache}: {run}"
        );
    }
}
