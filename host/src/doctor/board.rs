//! A board that is switched on, brought to U-Boot's prompt, has it fetch a file, and is switched off.

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
use crate::board::power::{Power, Switch};
use crate::board::qemu::{self, QemuBoard, QemuConfig};
use crate::board::virtual_network::VirtualNetwork;
use crate::board::{self, Bench, Board, ConsoleTarget, QemuSettings};
use crate::fault::{Chain, Class, Fault};
use crate::link::{self, Console, Target};
use crate::net::Net;
use crate::run::take_board_from_person;

/// How long the commands of one switch may take.
const POWER_LIMIT: Duration = Duration::from_secs(60);

/// Why nothing more of a board can be checked: a finding says so.
#[derive(Debug)]
struct Stopped;

/// Where a board is served: the network, and this PC's address in it.
struct Place {
    net: Net,
    address: Option<IpAddr>,
}

/// Switches `board` on, has its U-Boot fetch a file, and switches it off again; it may take `patience` from power on to
/// U-Boot's prompt. The board is leased meanwhile.
pub async fn examine_board(
    bench: &Bench,
    board: &Board,
    patience: Duration,
    cancel: &CancellationToken,
    findings: &mut Findings<'_>,
) {
    for check in [Check::Console, Check::Programs] {
        if findings.has_fault(check, &board.name) {
            let text = format!("not tried, because of its {}", check.name());
            return findings.add(Finding::unknown(Check::PowerOn, &board.name, text));
        }
    }
    let _lease = match take_board_from_person(bench, board, "host-runner doctor".to_owned()) {
        Ok(lease) => lease,
        Err(fault) => return findings.add(Finding::from_fault(Check::Lease, &board.name, fault)),
    };
    let examined = match &board.console {
        ConsoleTarget::None => {
            let text = "no console: a board that is reached over SSH is not switched";
            findings.add(Finding::unknown(Check::PowerOn, &board.name, text));
            return;
        }
        ConsoleTarget::Line(target) => examine_real(bench, board, target, patience, cancel, findings).await,
        ConsoleTarget::Qemu(settings) => {
            examine_virtual(bench, board, settings, patience, cancel, findings).await
        }
    };
    if let Err(fault) = examined {
        findings.add(Finding::from_fault(Check::Console, &board.name, fault));
    }
}

async fn examine_real(
    bench: &Bench,
    board: &Board,
    target: &Target,
    patience: Duration,
    cancel: &CancellationToken,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let heard = Heard::new();
    let place = Place { net: Net::Host, address: bench.address };
    let opened = link::open(target, &Net::Host, heard.tap(), heard.notice()).await;
    let console = opened
        .map_err(|error| Fault::from_error(error.class(), format!("board `{}`", board.name), &error))?;
    let mut line = Line { board, console, heard, patience };
    let work = async {
        power::switch_on(&mut line, findings).await?;
        let start = uboot::reach_prompt(&mut line, findings).await?;
        transfer::check(&mut line, &place, start, findings).await
    };
    until_cancelled(work, cancel).await;
    if cancel.is_cancelled() {
        findings.add(cancelled(board));
    }
    // Whatever was found: the board is left as a run leaves it.
    if let Some(power) = &board.power
        && !power.is_by_hand()
        && power.can(Switch::Off)
    {
        leave_off(board, power, findings).await;
    }
    Ok(())
}

/// Checks until `work` has ended, or is not wanted any more. What stopped it, a finding says.
async fn until_cancelled(work: impl Future<Output = Result<(), Stopped>>, cancel: &CancellationToken) {
    tokio::select! {
        _ = work => {}
        () = cancel.cancelled() => {}
    }
}

async fn leave_off(board: &Board, power: &Power, findings: &mut Findings<'_>) {
    if let Err(error) = power.off(POWER_LIMIT, &|_| {}).await {
        let finding = Finding::fault(Check::PowerOff, &board.name, error.class(), Chain(&error));
        findings.add(finding.with_help("look at the board: it may still be on"));
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
