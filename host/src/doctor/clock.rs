//! The time of this PC, which boards, results and certificates depend on.

use std::time::Duration;

use jiff::Timestamp;

use super::finding::{BENCH, Check, Finding, Findings};
use crate::fault::Class;
use crate::program::run_program;

/// 2025-01-01: this program is younger.
const EARLIEST: i64 = 1_735_689_600;

/// How long the question may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Checks that the clock can be right, and whether something sets it.
pub(super) async fn check(findings: &mut Findings<'_>) {
    let now = Timestamp::now();
    if now.as_second() < EARLIEST {
        findings.add(too_early(now));
        return;
    }
    // systemd's tool asks the kernel, whatever program it is that sets the clock.
    let question = ["timedatectl", "show", "--property=NTPSynchronized", "--value"].map(str::to_owned);
    let answer = run_program(&question, LIMIT).await;
    findings.add(of_answer(now, answer.as_deref().ok()));
}

fn too_early(now: Timestamp) -> Finding {
    let text = format!("it is not {now:.0}: certificates are refused, and results have wrong dates");
    Finding::fault(Check::Clock, BENCH, Class::Infrastructure, text)
        .with_help("`sudo timedatectl set-ntp true`, or `sudo date --set=…`")
}

/// What `timedatectl` says; `None` if it is not there or does not know.
fn of_answer(now: Timestamp, answer: Option<&str>) -> Finding {
    match answer.map(str::trim) {
        Some("yes") => Finding::ok(Check::Clock, BENCH, format!("{now:.0}, synchronised")),
        Some("no") => Finding::warning(Check::Clock, BENCH, format!("{now:.0}, but nothing synchronises it"))
            .with_help("boards are given this time: `sudo timedatectl set-ntp true`, or install chrony"),
        _ => Finding::unknown(
            Check::Clock,
            BENCH,
            format!("{now:.0}; whether it is synchronised is not known without systemd's timedatectl"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn a_clock_before_this_program_is_wrong() {
        let finding = too_early(Timestamp::UNIX_EPOCH);
        assert_eq!(finding.status, Status::Fault);
        assert!(finding.message.starts_with("it is not 1970-01-01T00:00:00Z"), "{finding:?}");
    }

    #[test]
    fn an_answer_that_is_none_is_no_warning() {
        for (answer, status) in [
            (Some("yes"), Status::Ok),
            (Some("no\n"), Status::Warning),
            (Some(""), Status::Unknown),
            (None, Status::Unknown),
        ] {
            assert_eq!(of_answer(Timestamp::UNIX_EPOCH, answer).status, status, "{answer:?}");
        }
    }
}
