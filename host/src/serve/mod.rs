//! The bench and its runs as web pages and JSON, for `host-runner serve`. It only reads: the bench file, the leases, and what
//! runs write. So it needs no connection to the processes that run jobs, and may be started and ended at any time.
//!
//! ```text
//! runs/*/results.json ─▶ runs ──────────┐
//! runs/*/run.jsonl ────▶ watched, follow ┼─▶ router ─▶ pages · api · metrics · files
//! leases, bench file ──▶ boards ────────┘
//! ```
//!
//! Everything is bounded: connections, followers, the size of requests, of lists and of what is kept in memory of runs.

mod answer;
mod api;
mod ask;
mod assets;
mod boards;
mod connections;
mod files;
mod follow;
mod history;
mod host_header;
mod metrics;
mod openapi;
mod pages;
mod router;
mod runs;
mod watched;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::Semaphore;

use crate::board::Bench;

pub use connections::serve;

/// Most streams of events at the same time.
const MAX_FOLLOWERS: usize = 64;

/// What is served.
#[derive(Debug)]
pub struct Site {
    bench: Option<Bench>,
    runs: runs::Runs,
    watched: watched::WatchedRuns,
    followers: Arc<Semaphore>,
    requests: AtomicU64,
}

impl Site {
    /// The boards of `bench`, if there is one, and the runs whose directories are in `runs`, which need not exist yet.
    pub fn new(bench: Option<Bench>, runs: PathBuf) -> Self {
        Self {
            bench,
            runs: runs::Runs::new(runs),
            watched: watched::WatchedRuns::default(),
            followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
            requests: AtomicU64::new(0),
        }
    }
}
