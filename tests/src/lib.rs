//! Fakes and harness for the end-to-end tests.

pub mod fake_board;
pub mod harness;
pub mod kept_run;
pub mod nfs_client;
pub mod tftp;
