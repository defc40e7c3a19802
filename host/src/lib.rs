//! host-runner: runs LAVA job files on real boards.
//!
//! ```text
//! job.yaml ─▶ job ─▶ plan ─▶ run ─▶ action ─▶ dialog ─▶ link / tftp / nfs / ssh ─▶ board
//!                             │ Event
//!                             ▼
//!                           report: terminal · run.jsonl · results.json · HTML · JUnit · TAP · LAVA · console logs · CI
//! ```

mod abstract_socket;
pub mod action;
pub mod agent_install;
pub mod agent_link;
pub mod artifact;
pub mod board;
pub mod cli;
mod codec;
pub mod diagnostic;
pub mod dialog;
pub mod doctor;
mod document;
pub mod event;
pub mod fault;
pub mod group;
mod http_file;
pub mod import;
pub mod init;
pub mod job;
pub mod limit;
pub mod link;
pub mod net;
pub mod nfs;
mod pace;
mod packet;
pub mod plan;
pub mod playback;
mod ports;
mod process_group;
pub mod program;
pub mod ramdisk;
pub mod report;
pub mod rootfs;
pub mod run;
pub mod schema;
pub mod serve;
mod shell;
pub mod sntp;
pub mod ssh;
mod text;
pub mod tftp;

/// What fuzz targets look into (`cargo xtask fuzz`).
#[cfg(fuzzing)]
pub mod fuzzing {
    use crate::rootfs::Lower;

    /// Whether every number in an index leads to what it should.
    pub fn is_sound(lower: &Lower) -> bool {
        lower.is_sound()
    }

    /// The RPC messages of a stream that comes in `pieces`, and whether it ends between two.
    pub fn messages<'p>(
        pieces: impl Iterator<Item = &'p [u8]>,
        may_be_large: bool,
        take: bool,
    ) -> (Vec<Vec<u8>>, bool) {
        crate::nfs::messages(pieces, may_be_large, take)
    }
}
