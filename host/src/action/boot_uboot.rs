//! `boot` by `u-boot`: power, boot loader, kernel, login.

use std::time::Instant;

use regex::bytes::Regex;

use crate::action::power::power_on;
use crate::action::{Deployed, boot_help, call_group, shell};
use crate::board::{self, Board};
use crate::dialog::{Goal, LastOutput, Start, Uboot, UbootError, UbootLimits, UbootSettings};
use crate::fault::{Chain, Class, Fault};
use crate::job::{Moment, Part, Timeouts};
use crate::link::{Console, DriveError, drive};
use crate::plan::{self, BootBootloader, BootUboot, BootValues, LoaderCommands, ResetPlan, Step, substitute};
use crate::run::{Line, NodeContext, Phase, Resources};

/// Longest command line that every U-Boot takes: `CONFIG_SYS_CBSIZE` is 512 or more on boards with a network.
pub(crate) const UBOOT_LINE_LIMIT: usize = 511;

/// How often a board may start over in the boot loader before that counts as a loop.
const MAX_RESETS: u32 = 3;

/// Boots the node's board to a shell prompt, or as far as the job waits for it.
pub(crate) async fn boot_uboot(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    boot: &BootUboot,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let board = node.own_board(phase)?;
    let commands = commands(node, phase, &boot.loader, board, resources)?;
    let start = start(&boot.reset, resources);
    let mut console = power_on(node, phase, step, &boot.reset, board, resources).await?;
    let settings = uboot_settings(phase, step, board, &[], &boot.bootloader_final_message)?;
    talk(
        node,
        phase,
        board,
        &mut console,
        Uboot::new(settings, commands, start, Goal::Kernel, phase.end(), Instant::now()),
    )
    .await?;
    node.emitter.note("U-Boot started the kernel");
    console.listen_while(call_group(node, phase, step, Moment::Login, resources)).await?;
    shell::log_in(node, phase, step, &boot.shell, false, &mut console).await?;
    let deployed = resources.space().deployed.as_ref();
    let tests = deployed.map(|deployed| deployed.tests).unwrap_or_default();
    if let Some(activity) = deployed.and_then(Deployed::activity) {
        node.emitter.note(activity.to_string());
    }
    resources.tests = tests;
    resources.brought = None;
    resources.space().line = Some(shell::line(phase, &boot.shell, console, None)?);
    Ok(())
}

/// Boots the node's board to U-Boot's prompt.
pub(crate) async fn boot_bootloader(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    boot: &BootBootloader,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let board = node.own_board(phase)?;
    let commands = commands(node, phase, &boot.loader, board, resources)?;
    let start = start(&boot.reset, resources);
    let mut console = power_on(node, phase, step, &boot.reset, board, resources).await?;
    let final_message = &uboot_of(phase, board)?.final_message;
    let settings = uboot_settings(phase, step, board, &boot.prompts, final_message)?;
    talk(
        node,
        phase,
        board,
        &mut console,
        Uboot::new(settings, commands, start, Goal::Prompt, phase.end(), Instant::now()),
    )
    .await?;
    node.emitter.note("U-Boot is at its prompt");
    let prompts = shell::patterns(phase, &boot.prompts)?;
    resources.space().line =
        Some(Line { console, prompts, name: None, at_loader: true, owes_prompt: false, transfer: None });
    Ok(())
}

/// Where the conversation begins: at the prompt, if an earlier block has left the board there.
fn start(reset: &ResetPlan, resources: &Resources) -> Start {
    if resources.at_loader() && !reset.wanted { Start::Prompt } else { Start::PowerOn }
}

async fn talk(
    node: &NodeContext,
    phase: &Phase,
    board: &Board,
    console: &mut Console,
    dialog: Result<Uboot, UbootError>,
) -> Result<(), Fault> {
    let dialog = dialog.map_err(|error| phase.error(error.class(), &error))?;
    let report = drive(console, dialog).await.map_err(|error| {
        let asked = || Some(node.services(board, phase).ok()?.files.requests_of(board.address?));
        let help = error.dialog().and_then(|error| boot_help::of_uboot(error, board, asked));
        drive_fault(phase, console, Some(board), &error, UbootError::class).with_optional_help(help)
    })?;
    if report.resets > 0 {
        node.emitter.warn(format!("the board reset {} times in U-Boot", report.resets));
    }
    Ok(())
}

fn uboot_of<'b>(phase: &Phase, board: &'b Board) -> Result<&'b board::UbootSettings, Fault> {
    board.uboot.as_ref().ok_or_else(|| phase.fault(Class::Bug, "the board has no U-Boot"))
}

/// How the board's U-Boot talks; `prompts` are those of the job, beside its own.
fn uboot_settings(
    phase: &Phase,
    step: &Step,
    board: &Board,
    prompts: &[String],
    final_message: &str,
) -> Result<UbootSettings, Fault> {
    let limits = uboot_limits(&step.timeouts);
    dialog_settings(uboot_of(phase, board)?, prompts, final_message, limits)
        .map_err(|error| phase.error(Class::Bug, &error))
}

/// How a U-Boot of the bench talks; `prompts` are others beside its own.
///
/// # Errors
/// A pattern that does not compile, which none of a checked bench file is.
pub(crate) fn dialog_settings(
    uboot: &board::UbootSettings,
    prompts: &[String],
    final_message: &str,
    limits: UbootLimits,
) -> Result<UbootSettings, regex::Error> {
    let prompts = [prompts, &uboot.prompts].concat();
    Ok(UbootSettings {
        autoboot_prompt: Regex::new(&uboot.autoboot_prompt)?,
        interrupt: uboot.interrupt.clone().into_bytes(),
        prompt: Regex::new(&any_of(&prompts))?,
        errors: uboot.errors.clone(),
        final_message: Regex::new(final_message)?,
        line_limit: UBOOT_LINE_LIMIT,
        character_delay: uboot.character_delay,
        limits,
        max_resets: MAX_RESETS,
    })
}

fn uboot_limits(timeouts: &Timeouts) -> UbootLimits {
    UbootLimits {
        interrupt: timeouts.part(Part::Interrupt).cloned(),
        interrupt_answer: timeouts.answer(Part::Interrupt).cloned(),
        commands: timeouts.part(Part::Commands).cloned(),
        command_answer: timeouts.answer(Part::Commands).cloned(),
    }
}

/// The boot commands with the `{NAMES}` in them replaced; what these stand for is kept for tests.
fn commands(
    node: &NodeContext,
    phase: &Phase,
    loader: &LoaderCommands,
    board: &Board,
    resources: &mut Resources,
) -> Result<Vec<String>, Fault> {
    let services = node.run.networks.services(board);
    let space = resources.space();
    let deployed = space.deployed.as_ref();
    let values = BootValues {
        server_ip: services.map(|services| services.address),
        board_ip: board.address,
        mac: board.info.mac.as_deref(),
        job_id: &node.id,
        ..deployed.map(|deployed| deployed.values(services)).unwrap_or_default()
    };
    let commands = substitute(loader, &values);
    space.values = plan::values(loader, &values);
    if commands.is_empty() && !loader.commands.is_empty() {
        let text = "none of the commands can be typed: each has a `{NAME}` for which nothing was deployed";
        return Err(phase.fault(Class::Job, text));
    }
    Ok(commands)
}

/// One pattern for several.
fn any_of(patterns: &[String]) -> String {
    patterns.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|")
}

/// Why a conversation over `console` has failed; `board` is the one whose console it may be.
pub(super) fn drive_fault<E: std::error::Error + 'static>(
    phase: &Phase,
    console: &Console,
    board: Option<&Board>,
    error: &DriveError<E>,
    class: impl Fn(&E) -> Class,
) -> Fault {
    match error {
        DriveError::Dialog(error) => phase.error(class(error), error),
        // The line does not know what crossed it.
        line => {
            let text = format!("{}; {}", Chain(line), LastOutput(&console.last_output()));
            phase
                .fault(Class::Infrastructure, text)
                .with_optional_help(boot_help::of_line(line, board).map(str::to_owned))
        }
    }
}
