//! A board that is switched on, its console, and switching it off again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::board::power::{PowerCommands, PowerError};
use crate::board::qemu::{self, QemuBoard, QemuConfig};
use crate::board::{Board, ConsoleTarget, QemuSettings};
use crate::dialog::Shutdown;
use crate::event::Direction;
use crate::fault::{Class, Fault};
use crate::link::{self, Console, Notice, Tap, Target, drive};
use crate::plan::BootUboot;
use crate::run::{NodeContext, Phase, Resources};

/// How long a power command may take.
const POWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long one `soft_reboot` command may take until the kernel says that it restarts.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(60);

/// A board that is, or may be, switched on.
pub(crate) enum PoweredBoard {
    /// A virtual board: the emulator runs.
    Virtual(QemuBoard),
    /// A real board, with the commands that switch it.
    Commands(PowerCommands),
}

impl PoweredBoard {
    /// Switches the board off.
    pub(crate) async fn off(self, phase: &Phase) -> Result<(), Fault> {
        let off = match self {
            Self::Virtual(board) => {
                board.power_off().await.map_err(|error| phase.error(Class::Infrastructure, &error))
            }
            Self::Commands(commands) => {
                commands.off(POWER_TIMEOUT).await.map_err(|error| power_fault(phase, &error))
            }
        };
        off.map_err(|fault| fault.with_help("look at the board: it may still be on"))
    }
}

/// Switches the node's board on, or resets it, with its console open; what is acquired goes into `resources`.
pub(super) async fn power_on(
    node: &NodeContext,
    phase: &Phase,
    boot: &BootUboot,
    board: &Board,
    resources: &mut Resources,
) -> Result<Console, Fault> {
    let target = match &board.console {
        ConsoleTarget::Qemu(settings) => {
            return start_virtual(node, phase, board, settings, resources).await;
        }
        ConsoleTarget::Line(target) => target,
    };
    // The console first: the boot loader speaks at once, and does not wait.
    let mut console = match resources.console.take() {
        Some(console) => console,
        None => open_console(node, phase, target).await?,
    };
    match &board.power {
        Some(commands) => {
            // Counts as switched on even if that fails half-way.
            resources.power = Some(PoweredBoard::Commands(commands.clone()));
            commands.reset(POWER_TIMEOUT).await.map_err(|error| power_fault(phase, &error))?;
            node.emitter.note(format!("board `{}` is switched on", board.name));
        }
        None if !boot.soft_reboot.is_empty() => soft_reboot(phase, boot, &mut console).await?,
        None => node.emitter.warn(format!(
            "the bench file has no power commands for board `{}`: switch it on or reset it now",
            board.name
        )),
    }
    Ok(console)
}

/// Types the job's `soft_reboot` commands, one after the other, until the board goes down.
async fn soft_reboot(phase: &Phase, boot: &BootUboot, console: &mut Console) -> Result<(), Fault> {
    let message = phase.pattern(&boot.shutdown_message)?;
    let mut last = Ok(());
    for command in &boot.soft_reboot {
        let limit = SHUTDOWN_TIMEOUT.min(phase.left());
        last = drive(console, Shutdown::new(command, message.clone(), limit, Instant::now())).await;
        if last.is_ok() {
            break;
        }
    }
    last.map_err(|error| phase.error(Class::Infrastructure, &error))
}

async fn start_virtual(
    node: &NodeContext,
    phase: &Phase,
    board: &Board,
    settings: &QemuSettings,
    resources: &mut Resources,
) -> Result<Console, Fault> {
    if let Some(power) = resources.power.take() {
        power.off(phase).await?;
    }
    let (network, seat) =
        node.run.networks.seat(&node.plan.name).ok_or_else(|| {
            phase.fault(Class::Bug, "the virtual boards' network has no place for this one")
        })?;
    let config = QemuConfig {
        binary: qemu::BINARY.into(),
        firmware: settings.firmware.clone(),
        memory_mb: settings.memory_mb,
        seat: seat.clone(),
    };
    let (stream, machine) = QemuBoard::power_on(network, &config)
        .await
        .map_err(|error| phase.error(Class::Infrastructure, &error).with_optional_help(error.help()))?;
    resources.power = Some(PoweredBoard::Virtual(machine));
    node.emitter.note(format!("board `{}` is switched on", board.name));
    Ok(Console::new(stream, tap_of(node)))
}

async fn open_console(node: &NodeContext, phase: &Phase, target: &Target) -> Result<Console, Fault> {
    let emitter = node.emitter.clone();
    let notice: Notice = Arc::new(move |text: &str| emitter.warn(text));
    link::open(target, &crate::net::Net::Host, tap_of(node), notice)
        .await
        .map_err(|error| phase.error(error.class(), &error))
}

/// Everything that crosses a node's console is an event.
pub(super) fn tap_of(node: &NodeContext) -> Tap {
    let emitter = node.emitter.clone();
    Arc::new(move |direction: Direction, bytes: &[u8]| emitter.console(direction, bytes))
}

fn power_fault(phase: &Phase, error: &PowerError) -> Fault {
    phase.error(error.class(), error)
}
