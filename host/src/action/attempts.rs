//! Several attempts at a step, each with a deadline of its own.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::event::EventKind;
use crate::fault::{Class, Fault};
use crate::job::Part;
use crate::limit::{Limit, share};
use crate::plan::{Action, Step};
use crate::run::Phase;

/// What an attempt may take beyond its deadline to tell by itself that it is over: its own message says more.
const GRACE: Duration = Duration::from_secs(1);

/// LAVA's `failure_retry` and `failure_retry_interval`.
///
/// LAVA gives each attempt the time of the block divided by their number. So does this, and what an attempt leaves
/// goes to those after it. An attempt whose time the job names has that time instead.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    /// What is tried, a word.
    what: &'static str,
    count: u32,
    pause: Duration,
    limit: Option<Limit>,
    /// Whose faults another attempt may mend.
    mends: fn(Class) -> bool,
    /// Number of the current one, from 1.
    number: u32,
    /// What those before it died of.
    earlier: Vec<String>,
}

impl Attempts {
    /// Those of a step, each of which may take what the job names for one.
    pub(crate) fn of(step: &Step) -> Self {
        let (what, mends): (_, fn(Class) -> bool) = match &step.action {
            Action::DeployTftp(_) | Action::DeploySsh(_) => ("deployment", infrastructure),
            Action::BootUboot(_) | Action::BootBootloader(_) | Action::BootMinimal(_) => {
                ("boot", infrastructure)
            }
            Action::NewConnection(_) | Action::BootSsh(_) => ("login", infrastructure),
            // LAVA tries these again whatever went wrong.
            Action::Test(_) | Action::Interactive(_) | Action::Monitors(_) => ("test", any_but_bugs),
            Action::Command(_) => ("command", infrastructure),
        };
        Self::new(what, step.attempts, step.retry_interval, step.timeouts.part(Part::Attempt), mends)
    }

    /// Up to `count` attempts with `pause` between them, each of which may take `limit` if that is given.
    fn new(
        what: &'static str,
        count: u32,
        pause: Duration,
        limit: Option<&Limit>,
        mends: fn(Class) -> bool,
    ) -> Self {
        let (count, limit) = (count.max(1), limit.cloned());
        Self { what, count, pause, limit, mends, number: 0, earlier: Vec::new() }
    }

    /// Whether another attempt may follow the current one.
    pub(crate) fn left(&self) -> bool {
        self.number < self.count
    }

    /// The event that tells that the current attempt does not count.
    pub(crate) fn event(&self, phase: &str, reason: String) -> EventKind {
        EventKind::AttemptFailed { phase: phase.to_owned(), attempt: self.number, of: self.count, reason }
    }

    /// Begins the next attempt: the part of `phase` that it may take.
    pub(crate) fn begin(&mut self, phase: &Phase) -> Phase {
        self.number += 1;
        if self.limit.is_some() || self.count == 1 {
            return phase.part(self.limit.as_ref());
        }
        let left = phase.left();
        let time = share(left, self.count.saturating_sub(self.number) + 1, self.pause);
        let origin =
            format!("the share of {} {} of {} in {}", self.what, self.number, self.count, phase.limit.origin);
        let deadline = phase.deadline.min(Instant::now() + time);
        Phase { deadline, limit: Limit::new(time, origin), ..phase.clone() }
    }

    /// Says that the current attempt has failed. Another follows, after a pause, unless this is an error; the text is
    /// about the failure.
    ///
    /// # Errors
    /// The fault that ends the step: of several attempts it says which this was, and what those before it died of.
    pub(crate) fn failed(&mut self, phase: &Phase, fault: Fault) -> Result<String, Fault> {
        if self.number >= self.count || !(self.mends)(fault.class) {
            return Err(self.last(fault, None));
        }
        if phase.left() <= self.pause {
            let text = format!("no time is left for {} {} ({})", self.what, self.number + 1, phase.limit);
            return Err(self.last(fault, Some(text)));
        }
        self.earlier.push(fault.headline().to_owned());
        Ok(format!("{} {} of {} failed, trying again: {}", self.what, self.number, self.count, fault.message))
    }

    /// The fault that ends the step before its last attempt, with the reason for that.
    pub(crate) fn given_up(&self, fault: Fault, why: &str) -> Fault {
        self.last(fault, Some(why.to_owned()))
    }

    fn last(&self, fault: Fault, remark: Option<String>) -> Fault {
        let (what, count) = (self.what, self.count);
        if count == 1 {
            return fault;
        }
        let mut message = format!("{what} {} of {count} failed: {}", self.number, fault.message);
        for (cause, number) in self.earlier.iter().zip(1..) {
            message += &format!("\n{what} {number} of {count} failed before: {cause}");
        }
        if let Some(remark) = remark {
            message += &format!("\n{remark}");
        }
        Fault { message, ..fault }
    }
}

/// Waits for an attempt that has `part`, until shortly after the end of that.
pub(crate) async fn within_attempt<T>(
    part: &Phase,
    attempt: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    timeout_at(part.deadline + GRACE, attempt).await.unwrap_or_else(|_| {
        let text = format!("it had not ended when its time was over (at most {})", part.limit);
        Err(part.fault(Class::Infrastructure, text))
    })
}

const fn infrastructure(class: Class) -> bool {
    matches!(class, Class::Infrastructure)
}

const fn any_but_bugs(class: Class) -> bool {
    matches!(class, Class::Infrastructure | Class::Job | Class::Test)
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn phase(seconds: u32) -> Phase {
        let limit = Limit::new(seconds * SECOND, "`timeout` of `boot`, job.yaml:9:5");
        let deadline = Instant::now() + limit.time;
        let place = "board, boot".to_owned();
        Phase { name: "boot".to_owned(), place, asked_at: None, deadline, limit }
    }

    fn boots(count: u32, pause: Duration, limit: Option<&Limit>) -> Attempts {
        Attempts::new("boot", count, pause, limit, infrastructure)
    }

    /// Tries until the end: each attempt hangs, or fails after the time that is given for it.
    async fn run(
        mut attempts: Attempts,
        phase: &Phase,
        fails_after: &[Option<u32>],
    ) -> (Vec<Duration>, Fault) {
        let mut took = Vec::new();
        loop {
            let part = attempts.begin(phase);
            let begun = Instant::now();
            let fails = fails_after.get(took.len()).copied().flatten();
            let attempt =
                async {
                    match fails {
                        Some(seconds) => {
                            sleep(seconds * SECOND).await;
                            Err::<(), _>(part.fault(
                                Class::Infrastructure,
                                "TFTP error; the board last said:\n  Loading: T",
                            ))
                        }
                        None => part.bound("prompt", std::future::pending()).await,
                    }
                };
            let fault = within_attempt(&part, attempt).await.unwrap_err();
            took.push(begun.elapsed());
            match attempts.failed(phase, fault) {
                Err(fault) => return (took, fault),
                Ok(_) => sleep(attempts.pause).await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_leaves_the_next_its_share() {
        let phase = phase(61);
        let (took, fault) = run(boots(2, SECOND, None), &phase, &[None, None]).await;
        assert_eq!(took, [30 * SECOND, 30 * SECOND]);
        insta::assert_snapshot!(fault.message, @"
        boot 2 of 2 failed: no prompt within 30 s (at most 30 s: the share of boot 2 of 2 in `timeout` of `boot`, job.yaml:9:5)
        boot 1 of 2 failed before: no prompt within 30 s (at most 30 s: the share of boot 1 of 2 in `timeout` of `boot`, job.yaml:9:5)
        ");
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_attempt_leaves_goes_to_those_after_it() {
        let phase = phase(60);
        let (took, fault) = run(boots(3, Duration::ZERO, None), &phase, &[Some(4), None, None]).await;
        assert_eq!(took, [4 * SECOND, 28 * SECOND, 28 * SECOND]);
        assert!(
            fault.message.contains("\nboot 1 of 3 failed before: TFTP error\nboot 2 of 3 "),
            "{}",
            fault.message
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_named_time_stands_for_the_share_and_may_leave_no_time_for_the_rest() {
        let phase = phase(60);
        let named = Limit::new(40 * SECOND, "`timeouts.actions.uboot-commands`, job.yaml:7:5");
        let (took, _) = run(boots(2, Duration::ZERO, Some(&named)), &phase, &[None, None]).await;
        assert_eq!(took, [40 * SECOND, 20 * SECOND]);

        let phase = self::phase(60);
        let named = Limit::new(60 * SECOND, "`timeouts.actions.uboot-commands`, job.yaml:7:5");
        let (took, fault) = run(boots(2, Duration::ZERO, Some(&named)), &phase, &[None, None]).await;
        assert_eq!(took, [60 * SECOND]);
        assert!(
            fault.message.ends_with("no time is left for boot 2 (60 s: `timeout` of `boot`, job.yaml:9:5)")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_does_not_end_by_itself_is_ended() {
        let part = phase(5);
        let fault = within_attempt(&part, std::future::pending::<Result<(), Fault>>()).await.unwrap_err();
        assert_eq!(Instant::now(), part.deadline + GRACE);
        let text = "it had not ended when its time was over (at most 5 s: `timeout` of `boot`, job.yaml:9:5)";
        assert_eq!(fault.message, text);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_of_the_job_is_not_tried_again_and_a_single_boot_is_not_counted() {
        let phase = phase(60);
        let mut attempts = boots(3, SECOND, None);
        attempts.begin(&phase);
        let fault = attempts.failed(&phase, phase.fault(Class::Job, "no such user")).unwrap_err();
        assert_eq!(fault.message, "boot 1 of 3 failed: no such user");
        let mut attempts = boots(1, SECOND, None);
        let part = attempts.begin(&phase);
        assert_eq!((part.deadline, &part.limit), (phase.deadline, &phase.limit));
        let fault = attempts.failed(&phase, phase.fault(Class::Infrastructure, "no prompt")).unwrap_err();
        assert_eq!(fault.message, "no prompt");
    }
}
