//! The bench and its runs as web pages and JSON, for `host-runner serve` and `run --web`. It reads the bench file, the leases,
//! what runs write, and what power switches tell. So it needs no connection to the processes that run jobs, and may be started
//! and ended at any time. Only whoever knows its token, if it has one, may change something.
//!
//! ```text
//! runs/*/results.json ─▶ runs ──────────┐
//! runs/*/run.jsonl ────▶ watched, follow ┼─▶ router ─▶ pages · api · metrics · files
//! leases, bench file ──▶ boards ────────┘     │
//!                                             └─▶ control: power, keys, runs
//! ```
//!
//! Everything is bounded: connections, followers, the size of requests, of lists and of what is kept in memory of runs.

mod answer;
mod api;
mod ask;
mod assets;
mod boards;
mod connections;
mod control;
mod files;
mod follow;
mod history;
mod host_header;
mod metrics;
mod openapi;
mod pages;
mod powers;
mod router;
mod runs;
mod watched;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::board::Bench;

pub use connections::serve;
pub use control::{Token, TokenFileError};
pub use host_header::HostNames;

/// Most streams of events at the same time.
const MAX_FOLLOWERS: usize = 64;

/// Nobody looks any more who has asked for nothing for so long: pages ask more often.
const UNWATCHED: Duration = Duration::from_secs(4);
/// How long those who look keep pages that are to end.
const WATCHED: Duration = Duration::from_secs(15);

/// The path of a run's page.
pub fn run_path(id: &str) -> String {
    format!("/runs/{}/", ask::part(id))
}

/// What is served.
#[derive(Debug)]
pub struct Site {
    bench: Option<Bench>,
    runs: runs::Runs,
    powers: powers::Powers,
    control: Option<control::Control>,
    names: HostNames,
    watched: watched::WatchedRuns,
    followers: Arc<Semaphore>,
    requests: AtomicU64,
}

impl Site {
    /// The boards of `bench`, if there is one, and the runs whose directories are in `runs`, which need not exist yet, served under `names`.
    /// Who knows `token`, if there is one, may change something.
    pub fn new(bench: Option<Bench>, runs: PathBuf, names: HostNames, token: Option<Token>) -> Self {
        // Whoever reads a page is in another directory.
        let runs = std::path::absolute(&runs).unwrap_or(runs);
        Self {
            bench,
            runs: runs::Runs::new(runs),
            powers: powers::Powers::default(),
            control: token.map(control::Control::new),
            names,
            watched: watched::WatchedRuns::default(),
            followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
            requests: AtomicU64::new(0),
        }
    }

    /// Waits until those who have looked have seen all; at once if nobody has.
    pub async fn until_unwatched(&self) {
        let end = Instant::now() + WATCHED;
        let mut before = 0;
        while Instant::now() < end {
            let requests = self.requests.load(Ordering::Relaxed);
            if requests == before {
                return;
            }
            before = requests;
            tokio::time::sleep(UNWATCHED).await;
        }
    }
}
