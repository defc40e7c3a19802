//! The server, and runs that it can show.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;

use testbench::harness::{Running, Testbench};

/// The server on a bench whose directory has the directories of the runs.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    /// What the link that it prints has behind `/`.
    pub(crate) fragment: String,
    _running: Running,
}

/// Serves the runs in the bench's directory at any free port.
pub(crate) fn serve(bench: &Testbench) -> Served {
    serve_with(bench, &[])
}

/// As [`serve`], with more `arguments`.
pub(crate) fn serve_with(bench: &Testbench, arguments: &[&str]) -> Served {
    bench.write("bench.toml", bench.to_toml());
    let usual = ["serve", "--runs", ".", "--listen", "127.0.0.1:0"];
    let running = bench.start_with(&[&usual, arguments].concat());
    running.wait_for("serving http://");
    let printed = running.printed();
    let link = printed.trim().trim_start_matches("serving http://");
    let (address, fragment) = link.split_once('/').expect("a path");
    let address = address.parse().expect("an address");
    Served { address, fragment: fragment.to_owned(), _running: running }
}

/// The events of a run that another process seems to write: this one.
pub(crate) struct Written {
    file: File,
    next: u64,
}

impl Written {
    /// Begins the run `id` in the bench's directory, with the nodes `a` and `b`; `b` says and does nothing.
    pub(crate) fn begin(bench: &Testbench, id: &str) -> Self {
        let directory = bench.path().join(id);
        fs::create_dir(&directory).expect("an own directory");
        let file = File::create_new(directory.join("run.jsonl")).expect("an own directory");
        file.lock().expect("the file system has locks");
        let mut written = Self { file, next: 0 };
        written.event(r#""event":"run-started","job":"by hand","version":"0","nodes":[{"name":"a","role":"a","board":"fake1"},{"name":"b","role":"b","board":"fake2"}]"#);
        written
    }

    /// Writes an event of the node `a`.
    pub(crate) fn event(&mut self, rest: &str) {
        let (seq, at) = (self.next, "2026-01-02T03:04:05Z");
        self.next += 1;
        writeln!(self.file, r#"{{"seq":{seq},"at":"{at}","elapsed_s":{seq}.5,"node":"a",{rest}}}"#)
            .expect("an own file");
    }

    /// Writes what the console of the node said.
    pub(crate) fn console(&mut self, text: &str) {
        let text = serde_json::Value::from(text);
        self.event(&format!(r#""event":"console","direction":"rx","text":{text}"#));
    }

    /// The last event; nobody writes any more.
    pub(crate) fn finish(mut self) {
        self.event(r#""event":"node-finished","outcome":"pass""#);
        self.event(r#""event":"run-finished","outcome":"pass""#);
    }
}
