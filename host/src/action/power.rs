//! A board that is switched on, its console, and switching it off again.

use std::time::{Duration, Instant};

use crate::action::TestsIn;
use crate::action::console::{open_board_console, share_console};
use crate::action::test::await_prompt;
use crate::board::power::{Power, PowerError};
use crate::board::qemu::{self, QemuBoard, QemuConfig};
use crate::board::{Board, ConsoleTarget, QemuSettings};
use crate::dialog::Shutdown;
use crate::fault::{Class, Fault};
use crate::job::Part;
use crate::limit::Limit;
use crate::link::{Console, drive};
use crate::plan::{ResetPlan, Step};
use crate::run::{NodeContext, Phase, Resources};

/// How long starting a virtual board may take, where the job does not name it.
const POWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long one `soft_reboot` command may take until the kernel says that it restarts.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(60);

/// A board that is, or may be, switched on.
pub(crate) enum PoweredBoard {
    /// A virtual board: the emulator runs.
    Virtual(QemuBoard),
    /// A real board, with what switches it.
    Switch(Box<Power>),
}

impl PoweredBoard {
    /// Switches the board off.
    pub(crate) async fn off(self, node: &NodeContext, phase: &Phase) -> Result<(), Fault> {
        let off = match self {
            Self::Virtual(board) => {
                board.power_off().await.map_err(|error| phase.error(Class::Infrastructure, &error))
            }
            Self::Switch(power) => {
                let say = |text: &str| node.emitter.warn(text);
                power.off(phase.left(), &say).await.map_err(|error| power_fault(phase, &error))
            }
        };
        off.map_err(|fault| {
            let help = fault.help.as_ref().map(|help| format!("{help}; ")).unwrap_or_default();
            fault.with_help(format!("{help}look at the board: it may still be on"))
        })
    }
}

/// Switches the node's board on, or resets it, with its console open; what is acquired goes into `resources`.
pub(super) async fn power_on(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    reset: &ResetPlan,
    board: &Board,
    resources: &mut Resources,
) -> Result<Console, Fault> {
    let limit = |part| step.timeouts.part(part);
    let open = resources.take_line(None);
    let owed_prompts = open.as_ref().filter(|line| line.owes_prompt).map(|line| line.prompts.clone());
    let open = open.map(|line| line.console);
    let target = match (&board.console, open) {
        (ConsoleTarget::Qemu(_), Some(console)) if !reset.wanted => return Ok(console),
        (ConsoleTarget::Qemu(settings), _) => {
            let fixed = Limit::new(POWER_TIMEOUT, "a fixed limit of starting the emulator");
            let part = phase.part(Some(limit(Part::Reset).unwrap_or(&fixed)));
            let start = start_virtual(node, &part, board, settings, resources);
            return part.bound("running emulator", start).await;
        }
        (ConsoleTarget::Line(_), Some(console)) => Ok(console),
        (ConsoleTarget::Line(target), None) => Err(target),
        (ConsoleTarget::None, _) => {
            let text = format!("board `{}` has no console: it is reached over SSH only", board.name);
            return Err(phase.fault(Class::Bench, text));
        }
    };
    // The console first: the boot loader speaks at once, and does not wait.
    let mut console = match target {
        Ok(mut console) => {
            if reset.wanted && board.power.is_some() {
                // What the board has said in earlier steps is nothing of the boot to come.
                console.read_waiting().await.map_err(|error| phase.error(Class::Infrastructure, &error))?;
            }
            console
        }
        Err(target) => {
            let part = phase.part(limit(Part::Connect));
            part.bound("open console", open_board_console(node, &part, board, target, resources)).await?
        }
    };
    if !reset.wanted {
        // It is on: the job, or somebody else, has seen to that.
        return Ok(console);
    }
    resources.tests = TestsIn::Nowhere;
    resources.brought = None;
    match &board.power {
        Some(power) => {
            // Counts as switched on even if that fails half-way.
            resources.power = Some(PoweredBoard::Switch(Box::new(power.clone())));
            let usual = power.usual_limit().map(|time| Limit::new(time, "a fixed limit of switching power"));
            let part = phase.part(limit(Part::Reset).or(usual.as_ref()));
            let say = |text: &str| node.emitter.warn(text);
            let reset = console.listen_while(power.reset(part.left(), &say)).await;
            reset.map_err(|error| power_fault(&part, &error))?;
            node.emitter.note(format!("board `{}` is {}", board.name, power.reset_is().done()));
        }
        None if !reset.soft_reboot.is_empty() => {
            let part = phase.part(limit(Part::Reset)).part(limit(Part::SoftReset));
            if let Some(prompts) = owed_prompts {
                // The commands are typed all the same: whoever does not show a prompt may still take them.
                let _ = await_prompt(&part, &mut console, &prompts).await;
            }
            soft_reboot(&part, reset, &mut console).await?;
        }
        None => node.emitter.warn(format!(
            "the bench file has no power commands for board `{}`: switch it on or reset it now",
            board.name
        )),
    }
    Ok(console)
}

/// Types the job's `soft_reboot` commands, one after the other, until the board goes down.
async fn soft_reboot(phase: &Phase, reset: &ResetPlan, console: &mut Console) -> Result<(), Fault> {
    let message = phase.pattern(&reset.shutdown_message)?;
    let mut last = Ok(());
    for command in &reset.soft_reboot {
        let limit = Limit::new(SHUTDOWN_TIMEOUT, "a fixed limit of a `soft_reboot` command");
        let now = Instant::now();
        let deadline = phase.end().of_part(now, Some(&limit));
        last = drive(console, Shutdown::new(command, message.clone(), deadline, now)).await;
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
    resources.tests = TestsIn::Nowhere;
    resources.brought = None;
    if let Some(power) = resources.power.take() {
        power.off(node, phase).await?;
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
    Ok(share_console(node, board, stream, resources))
}

/// What a switch could not do, as a fault of `phase`.
pub(super) fn power_fault(phase: &Phase, error: &PowerError) -> Fault {
    phase.late_error(error.class(), error, error.is_late).with_optional_help(error.help())
}
