//! `boot` by `u-boot`: power, boot loader, kernel, login.

use std::time::Instant;

use regex::bytes::Regex;

use crate::action::Deployed;
use crate::action::attempts::{Attempts, within};
use crate::action::power::power_on;
use crate::board::Board;
use crate::dialog::{
    AutoLogin, Complaint, Complaints, Goal, LastOutput, Login, LoginError, LoginLimits, LoginSettings, Start,
    Uboot, UbootError, UbootLimits, UbootSettings,
};
use crate::event::EventKind;
use crate::fault::{Chain, Class, Fault};
use crate::job::{Part, Timeouts};
use crate::link::{Console, DriveError, drive};
use crate::plan::{BootUboot, BootValues, NfsValues, NodeKind, RamdiskValues, Step, substitute};
use crate::run::{NodeContext, Phase, Resources};

/// Longest command line that every U-Boot takes: `CONFIG_SYS_CBSIZE` is 512 or more on boards with a network.
const LINE_LIMIT: usize = 511;

/// How often a board may start over in the boot loader before that counts as a loop.
const MAX_RESETS: u32 = 3;

/// What asks for a password, where the job does not say.
const PASSWORD_PROMPT: &str = "[Pp]assword:";

/// Boots the node's board to a shell prompt.
pub(crate) async fn boot_uboot(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    boot: &BootUboot,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let NodeKind::Board { board } = &node.plan.kind else {
        return Err(phase.fault(Class::Job, "a secondary connection has no U-Boot; use `method: ssh`"));
    };
    let mut attempts = Attempts::new(boot.attempts, boot.retry_interval, step.timeouts.part(Part::Attempt));
    loop {
        let part = attempts.begin(phase);
        let boot_once = boot_once(node, &part, step, boot, board, resources);
        let Err(fault) = within(&part, boot_once).await else { return Ok(()) };
        node.emitter.warn(attempts.failed(phase, fault)?);
        tokio::time::sleep(boot.retry_interval).await;
    }
}

async fn boot_once(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    boot: &BootUboot,
    board: &Board,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let commands = commands(node, phase, boot, board, resources)?;
    let mut console = power_on(node, phase, step, boot, board, resources).await?;
    let settings = uboot_settings(phase, step, boot, board)?;
    let dialog = Uboot::new(settings, commands, Start::PowerOn, Goal::Kernel, phase.end(), Instant::now())
        .map_err(|error| phase.error(error.class(), &error))?;
    let report = drive(&mut console, dialog)
        .await
        .map_err(|error| drive_fault(phase, &console, &error, UbootError::class))?;
    if report.resets > 0 {
        node.emitter.warn(format!("the board reset {} times in U-Boot", report.resets));
    }
    node.emitter.note("U-Boot started the kernel");
    log_in(node, phase, step, boot, &mut console).await?;
    if let Some(activity) = resources.deployed.as_ref().and_then(Deployed::activity) {
        node.emitter.note(activity.to_string());
    }
    resources.prompts = patterns(phase, &boot.prompts)?;
    resources.uploaded = None;
    resources.console = Some(console);
    Ok(())
}

async fn log_in(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    boot: &BootUboot,
    console: &mut Console,
) -> Result<(), Fault> {
    let pattern = |text: &str| phase.pattern(text);
    let auto_login = match &boot.auto_login {
        None => None,
        Some(login) => Some(AutoLogin {
            login_prompt: pattern(&login.login_prompt)?,
            username: login.username.clone(),
            password_prompt: pattern(login.password_prompt.as_deref().unwrap_or(PASSWORD_PROMPT))?,
            password: login.password.clone(),
            login_commands: login.login_commands.clone(),
        }),
    };
    let settings = LoginSettings {
        kernel_start: Some(pattern(&boot.kernel_start_message)?),
        prompts: patterns(phase, &boot.prompts)?,
        auto_login,
        failure_message: boot.failure_message.as_deref().map(pattern).transpose()?,
        limits: login_limits(&step.timeouts),
    };
    let logged_in = drive(console, Login::new(settings, &phase.end(), Instant::now()))
        .await
        .map_err(|error| drive_fault(phase, console, &error, LoginError::class))?;
    if !boot.ignore_kernel_messages {
        let Complaints { first, more } = logged_in.complaints;
        for Complaint { kind, text } in first {
            node.emitter.emit(EventKind::Kernel {
                complaint: kind,
                text,
                definition: None,
                step: None,
                case: None,
            });
        }
        if more > 0 {
            node.emitter.warn(format!("the kernel complained {more} times more than is reported"));
        }
    }
    node.emitter.note(format!("shell prompt {:?}", logged_in.prompt));
    Ok(())
}

fn uboot_settings(
    phase: &Phase,
    step: &Step,
    boot: &BootUboot,
    board: &Board,
) -> Result<UbootSettings, Fault> {
    let pattern = |text: &str| phase.pattern(text);
    let uboot = &board.uboot;
    Ok(UbootSettings {
        autoboot_prompt: pattern(&uboot.autoboot_prompt)?,
        interrupt: uboot.interrupt.clone().into_bytes(),
        prompt: pattern(&any_of(&uboot.prompts))?,
        errors: uboot.errors.clone(),
        final_message: pattern(&boot.bootloader_final_message)?,
        line_limit: LINE_LIMIT,
        character_delay: uboot.character_delay,
        limits: uboot_limits(&step.timeouts),
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

fn login_limits(timeouts: &Timeouts) -> LoginLimits {
    LoginLimits {
        whole: timeouts.part(Part::Login).cloned(),
        answer: timeouts.answer(Part::Login).cloned(),
        shell: timeouts.part(Part::Shell).cloned(),
    }
}

/// The boot commands with the `{NAMES}` in them replaced.
fn commands(
    node: &NodeContext,
    phase: &Phase,
    boot: &BootUboot,
    board: &Board,
    resources: &Resources,
) -> Result<Vec<String>, Fault> {
    let services = node.services(board, phase)?;
    let deployed = resources
        .deployed
        .as_ref()
        .ok_or_else(|| phase.fault(Class::Job, "nothing was deployed: there is no kernel to boot"))?;
    let values = BootValues {
        server_ip: services.address,
        board_ip: board.address,
        job_id: &node.id,
        kernel: &deployed.kernel,
        dtb: deployed.dtb.as_deref(),
        ramdisk: deployed
            .ramdisk
            .as_deref()
            .map(|path| RamdiskValues { path, has_header: deployed.ramdisk_has_header }),
        nfs: deployed.export.as_deref().map(|export| NfsValues {
            server_ip: services.address,
            port: services.nfs_port,
            export,
        }),
    };
    Ok(substitute(&boot.commands, &board.uboot, &board.linux_console, boot.image, &values))
}

fn patterns(phase: &Phase, patterns: &[String]) -> Result<Vec<Regex>, Fault> {
    patterns.iter().map(|pattern| phase.pattern(pattern)).collect()
}

/// One pattern for several.
fn any_of(patterns: &[String]) -> String {
    patterns.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|")
}

fn drive_fault<E: std::error::Error + 'static>(
    phase: &Phase,
    console: &Console,
    error: &DriveError<E>,
    class: impl Fn(&E) -> Class,
) -> Fault {
    match error {
        DriveError::Dialog(error) => phase.error(class(error), error),
        // The line does not know what crossed it.
        line => phase
            .fault(Class::Infrastructure, format!("{}; {}", Chain(line), LastOutput(&console.last_output()))),
    }
}
