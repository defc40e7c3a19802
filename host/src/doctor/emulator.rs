//! What virtual boards need: the emulator, its firmware, a network of their own.

use std::collections::BTreeSet;
use std::fs::File;

use super::finding::{Check, Finding, Findings};
use crate::board::virtual_network::VirtualNetwork;
use crate::board::{Bench, qemu};
use crate::fault::{Chain, Class};
use crate::program::find;

/// What findings are about here.
const ABOUT: &str = "virtual boards";

/// Checks all that the virtual boards of the bench need, if there are any.
pub(super) async fn check(bench: &Bench, findings: &mut Findings<'_>) {
    let firmwares: BTreeSet<_> =
        bench.boards.iter().filter_map(|board| board.qemu()).map(|settings| &settings.firmware).collect();
    if firmwares.is_empty() {
        return;
    }
    let fault = |text: String| Finding::fault(Check::Emulator, ABOUT, Class::Infrastructure, text);
    findings.add(match find(qemu::BINARY) {
        Some(path) => Finding::ok(Check::Emulator, ABOUT, path.display()),
        None => fault(format!("`{}` is not installed", qemu::BINARY))
            .with_help(format!("`sudo apt-get install {}`", qemu::BINARY)),
    });
    for firmware in firmwares {
        let shown = firmware.display();
        findings.add(match File::open(firmware) {
            Ok(_) => Finding::ok(Check::Emulator, ABOUT, format!("firmware {shown}")),
            Err(error) => fault(format!("firmware {shown}: {error}"))
                .with_help("install u-boot-qemu, or set `firmware` in the board's [qemu] table"),
        });
    }
    findings.add(network(bench).await);
}

/// Makes the network, and lets it go.
async fn network(bench: &Bench) -> Finding {
    let settings = bench.virtual_network;
    let count = bench.boards.iter().filter(|board| board.is_virtual()).count();
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return Finding::unknown(Check::Emulator, ABOUT, error),
    };
    match VirtualNetwork::start(&program, settings.address, settings.prefix, count).await {
        Ok(_) => Finding::ok(
            Check::Emulator,
            ABOUT,
            format!("a network of {}/{} can be made for them", settings.address, settings.prefix),
        ),
        Err(error) => {
            let finding = Finding::fault(Check::Emulator, ABOUT, Class::Infrastructure, Chain(&error));
            match error.help() {
                Some(help) => finding.with_help(help),
                None => finding,
            }
        }
    }
}
