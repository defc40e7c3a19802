//! A board that is reset, brought to U-Boot's prompt, has it fetch a file, and is switched off.

mod heard;
mod line;
mod power;
mod transfer;
mod uboot;

use std::net::IpAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub(crate) use self::heard::Heard;
use self::line::Line;
use super::finding::{Check, Finding, Findings};
use crate::board::power::Say;
use crate::board::qemu::{self, QemuBoard, QemuConfig};
use crate::board::virtual_network::VirtualNetwork;
use crate::board::{self, Bench, Board, ConsoleTarget, QemuSettings};
use crate::fault::{Class, Fault};
use crate::link::{self, Console, Target};
use crate::net::Net;
use crate::run::take_board_from_person;

/// Why nothing more of a board can be checked: a finding says so.
#[derive(Debug)]
struct Stopped;

/// How a board is tried.
#[derive(Clone, Copy)]
pub struct Trial<'a> {
    /// From the reset to U-Boot's prompt.
    pub patience: Duration,
    /// Asks a person to switch the board.
    pub say: Say<'a>,
}

/// Where a board is served: the network, and this PC's address in it.
struct Place {
    net: Net,
    address: Option<IpAddr>,
}

/// Resets `board` as runs do, has its U-Boot fetch a file, and switches it off. The board is leased meanwhile. A person who
/// switches it is asked by `say`. Whether it was tried; if not, a finding says why.
pub async fn examine_board(
    bench: &Bench,
    board: &Board,
    Trial { patience, say }: Trial<'_>,
    cancel: &CancellationToken,
    findings: &mut Findings<'_>,
) -> bool {
    for check in [Check::Console, Check::Programs] {
        if findings.has_fault(check, &board.name) {
            let text = format!("not tried, because of its {}", check.name());
            findings.add(Finding::unknown(Check::PowerOn, &board.name, text));
            return false;
        }
    }
    let _lease = match take_board_from_person(bench, board, "host-runner doctor".to_owned()) {
        Ok(lease) => lease,
        Err(fault) => {
            findings.add(Finding::from_fault(Check::Lease, &board.name, fault));
            return false;
        }
    };
    let examined = match &board.console {
        ConsoleTarget::None => {
            let text = "no console: a board that is reached over SSH is not switched";
            let help = format!("`host-runner ssh {}` logs in, as jobs do", board.name);
            findings.add(Finding::unknown(Check::PowerOn, &board.name, text).with_help(help));
            return false;
        }
        ConsoleTarget::Line(target) => {
            examine_real(bench, board, target, Trial { patience, say }, cancel, findings).await
        }
        ConsoleTarget::Qemu(settings) => {
            examine_virtual(bench, board, settings, patience, cancel, findings).await
        }
    };
    examined.map_err(|fault| findings.add(Finding::from_fault(Check::Console, &board.name, fault))).is_ok()
}

async fn examine_real(
    bench: &Bench,
    board: &Board,
    target: &Target,
    Trial { patience, say }: Trial<'_>,
    cancel: &CancellationToken,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let heard = Heard::new();
    let place = Place { net: Net::Host, address: bench.address };
    let opened = link::open(target, &Net::Host, heard.tap(), heard.notice()).await;
    let console = opened
        .map_err(|error| Fault::from_error(error.class(), format!("board `{}`", board.name), &error))?;
    let mut line = Line { board, console, heard, patience };
    let mut at_prompt = false;
    let work = async {
        power::reset(&mut line, say, findings).await?;
        let start = uboot::reach_prompt(&mut line, findings).await?;
        at_prompt = true;
        transfer::check(&mut line, &place, start, findings).await
    };
    until_cancelled(work, cancel).await;
    if cancel.is_cancelled() {
        findings.add(cancelled(board));
    }
    power::off(&mut line, at_prompt, cancel, findings).await;
    Ok(())
}

/// Checks until `work` has ended, or is not wanted any more. What stopped it, a finding says.
async fn until_cancelled(work: impl Future<Output = Result<(), Stopped>>, cancel: &CancellationToken) {
    tokio::select! {
        _ = work => {}
        () = cancel.cancelled() => {}
    }
}

fn cancelled(board: &Board) -> Finding {
    Finding::fault(Check::PowerOn, &board.name, Class::Cancelled, "cancelled")
}

async fn examine_virtual(
    bench: &Bench,
    board: &Board,
    settings: &QemuSettings,
    patience: Duration,
    cancel: &CancellationToken,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let place = format!("board `{}`", board.name);
    let fault =
        |error: &dyn std::error::Error| Fault::from_error(Class::Infrastructure, place.clone(), error);
    let program = std::env::current_exe().map_err(|error| fault(&error))?;
    let board::VirtualNetwork { address, prefix } = bench.virtual_network;
    let network = VirtualNetwork::start(&program, address, prefix, 1)
        .await
        .map_err(|error| fault(&error).with_optional_help(error.help()))?;
    let Some(seat) = network.seats().next() else {
        return Err(Fault::new(Class::Bug, place, "the virtual boards' network has no place for this one"));
    };
    let config = QemuConfig {
        binary: qemu::BINARY.into(),
        firmware: settings.firmware.clone(),
        memory_mb: settings.memory_mb,
        seat,
    };
    let (stream, machine) = QemuBoard::power_on(&network, &config)
        .await
        .map_err(|error| fault(&error).with_optional_help(error.help()))?;
    let heard = Heard::new();
    let mut line = Line { board, console: Console::new(stream, heard.tap()), heard, patience };
    let place = Place { net: network.net(), address: Some(address.into()) };
    let work = async {
        let start = uboot::reach_prompt(&mut line, findings).await?;
        transfer::check(&mut line, &place, start, findings).await
    };
    until_cancelled(work, cancel).await;
    if cancel.is_cancelled() {
        findings.add(cancelled(board));
    }
    machine.power_off().await.map_err(|error| fault(&error))
}
