//! Fakes and harness for the end-to-end tests.

pub mod agent_runner;
pub mod browser;
pub mod fake_board;
pub mod fake_relay;
pub mod harness;
pub mod http_client;
pub mod kept_run;
pub mod kernel_client;
pub mod nfs_client;
pub mod numbers;
pub mod pacer;
pub mod printed;
pub mod target_shell;
pub mod tcp_relay;
pub mod tftp;
pub mod tree_tar;
