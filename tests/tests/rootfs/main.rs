//! Root filesystems of whole runs: what a job may write into them, and what the next job finds.

mod budget;
mod modules;
mod persistent;
