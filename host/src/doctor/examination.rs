//! The checks of a bench that touch no board.

use std::path::Path;

use super::finding::Findings;
use super::{
    agents, clock, console_server, emulator, firewall, network, nfs_call, ports, programs, serial, storage,
    switches,
};
use crate::board::{Bench, Board, ConsoleTarget};

/// Checks all that the boards of a bench need that can be checked without touching a board: no serial port of this PC is opened, no power is
/// switched.
///
/// `directory` is where `runs/` would be made.
pub async fn examine_bench(bench: &Bench, directory: &Path, findings: &mut Findings<'_>) {
    if bench.boards.iter().any(|board| is_served(board)) {
        let interface = network::check(bench, findings);
        if let Some(address) = bench.address.filter(|_| interface.is_some()) {
            ports::check(address, findings).await;
            nfs_call::check(address, findings).await;
        }
        if let (Some(interface), Some(server)) = (&interface, bench.address) {
            let boards = bench.boards.iter().filter(|board| is_served(board));
            let way = firewall::Way {
                interface: &interface.name,
                server,
                boards: boards.filter_map(|board| board.address).collect(),
            };
            firewall::check(&way, findings).await;
        }
    }
    storage::check(bench, directory, findings);
    clock::check(findings).await;
    agents::check(bench, findings);
    let consoles = console_server::try_all(bench).await;
    for (board, tried) in bench.boards.iter().zip(consoles) {
        serial::check(bench, board, findings);
        tried.into_iter().for_each(|finding| findings.add(finding));
        programs::check(board, findings);
    }
    switches::check(bench, findings).await;
    emulator::check(bench, findings).await;
}

/// Whether a board of this PC's own is served by TFTP and NFS.
pub(super) fn is_served(board: &Board) -> bool {
    matches!(board.console, ConsoleTarget::Line(_)) && board.uboot.is_some()
}
