//! Carrying out a plan: one task per node, deadlines, cancellation, clean-up.
//!
//! ```text
//! job_run   the whole run: networks, group, one task per node, the verdict
//! node      one node: its steps in order under their deadlines, and clean-up on every way out
//! keep_on   a board of a node that failed, for a person to look at
//! let_in    the way in on such a board over SSH
//! clean_up  what a node gives back, and how it leaves its board
//! context   what the actions of a node work with
//! resources what they have acquired: power, connections, served files
//! unreached tests that a node has not come to
//! phase     one action of a node: its name, its place in the job, its time
//! networks  TFTP, NFS and SNTP for the boards of the run
//! group     the MultiNode group, as the nodes' tasks use it
//! lowers    the indexes of root filesystems that the nodes share
//! ```

mod bench;
mod clean_up;
mod context;
mod emitter;
mod group;
mod handover;
mod host_access;
mod idle_lines;
mod job_run;
mod keep_on;
mod last_run;
mod lease;
mod let_in;
mod lowers;
mod mask;
mod networks;
mod node;
mod out_directory;
mod phase;
mod power;
mod preflight;
mod resources;
mod scratch;
mod signals;
mod unreached;
mod verdict;

pub(crate) use bench::{agent_directories, agent_file, usual_agent_directories};
pub use bench::{cache_directory, persistent_directory};
pub(crate) use context::NodeContext;
pub use emitter::Emitter;
pub use group::{GroupHandle, GroupMember};
pub use handover::{Handover, give_board, give_to_first, nobody_waits};
pub(crate) use host_access::HostAccess;
pub(crate) use idle_lines::Reads;
pub use job_run::{JobRun, run};
pub use last_run::{BegunRun, LastRun};
pub use lease::{
    Queue, Taken, Wait, board_held, take_board, take_board_from_person, take_given_board, take_leases,
};
pub use let_in::LetIn;
pub(crate) use networks::{NFS_PORT, NTP_PORT, Services, TFTP_PORT, udp_sockets};
pub use out_directory::{OutDirectory, Reserved, out_directory, start_time};
pub(crate) use phase::Phase;
pub use power::power_of;
pub use preflight::{absent_files, preflight};
pub(crate) use resources::{Brought, Line, Resources};
pub use signals::cancel_on_signals;
