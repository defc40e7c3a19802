//! Root filesystems of whole runs: what a job may write into them.

mod budget;
