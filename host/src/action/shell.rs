//! From the kernel's first words, or on a line where a system is up, to a shell.

use std::sync::Arc;
use std::time::Instant;

use regex::bytes::Regex;

use crate::action::boot_help;
use crate::action::boot_uboot::drive_fault;
use crate::dialog::{AutoLogin, Complaint, Complaints, Login, LoginError, LoginLimits, LoginSettings};
use crate::event::EventKind;
use crate::fault::Fault;
use crate::job::{Part, Timeouts};
use crate::link::{Console, drive};
use crate::plan::{ShellPlan, Step};
use crate::run::{Line, NodeContext, Phase};

/// What asks for a password, where the job does not say.
const PASSWORD_PROMPT: &str = "[Pp]assword:";

/// The note of a system that was started and has not come up to a shell.
pub(crate) const KERNEL_FAILED: &str = "the system did not come up to a shell";

/// Waits for the shell, and logs in where that is wanted. Without a prompt nothing is waited for. A board that was just
/// switched on has a boot loader that speaks first.
pub(super) async fn log_in(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    shell: &ShellPlan,
    from_power_on: bool,
    console: &mut Console,
) -> Result<(), Fault> {
    if shell.prompts.is_empty() {
        return Ok(());
    }
    let pattern = |text: &str| phase.pattern(text);
    let auto_login = match &shell.auto_login {
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
        from_power_on,
        kernel_start: shell.kernel_start_message.as_deref().map(pattern).transpose()?,
        prompts: patterns(phase, &shell.prompts)?,
        auto_login,
        failure_message: shell.failure_message.as_deref().map(pattern).transpose()?,
        limits: limits(&step.timeouts),
    };
    let logged_in =
        drive(console, Login::new(settings, &phase.end(), Instant::now())).await.map_err(|error| {
            if error.dialog().is_some_and(LoginError::is_of_kernel) {
                node.emitter.note(KERNEL_FAILED);
            }
            let board = node.plan.kind.board().map(Arc::as_ref);
            let help = board
                .zip(error.dialog())
                .and_then(|(board, error)| boot_help::of_login(error, board, shell.auto_login.is_some()));
            drive_fault(phase, console, board, &error, LoginError::class).with_optional_help(help)
        })?;
    if !shell.ignore_kernel_messages {
        report_complaints(node, logged_in.complaints);
    }
    node.emitter.note(format!("shell prompt {:?}", logged_in.prompt));
    Ok(())
}

fn report_complaints(node: &NodeContext, complaints: Complaints) {
    let Complaints { first, more } = complaints;
    for Complaint { kind, text } in first {
        let event = EventKind::Kernel { complaint: kind, text, definition: None, step: None, case: None };
        node.emitter.emit(event);
    }
    if more > 0 {
        node.emitter.warn(format!("the kernel complained {more} times more than is reported"));
    }
}

fn limits(timeouts: &Timeouts) -> LoginLimits {
    LoginLimits {
        whole: timeouts.part(Part::Login).cloned(),
        answer: timeouts.answer(Part::Login).cloned(),
        shell: timeouts.part(Part::Shell).cloned(),
    }
}

/// A line on which a shell was reached; `name` is that of the connection.
pub(super) fn line(
    phase: &Phase,
    shell: &ShellPlan,
    console: Console,
    name: Option<String>,
) -> Result<Line, Fault> {
    let prompts = patterns(phase, &shell.prompts)?;
    let transfer = shell.transfer.clone();
    Ok(Line { console, prompts, name, at_loader: false, owes_prompt: false, transfer })
}

/// Regular expressions of the job or the board type.
pub(super) fn patterns(phase: &Phase, patterns: &[String]) -> Result<Vec<Regex>, Fault> {
    patterns.iter().map(|pattern| phase.pattern(pattern)).collect()
}
