//! One phase of a node, and its time.

use std::future::Future;
use std::time::Duration;

use regex::bytes::Regex;
use tokio::time::Instant;

use crate::fault::{Class, Fault};
use crate::limit::{Deadline, Limit};

/// One phase of a node: its name, where the job asks for it, and when its time is over.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    /// Name such as `boot-u-boot`.
    pub(crate) name: String,
    /// Node, phase and `file:line:column`, for faults.
    pub(crate) place: String,
    /// Where the job asks for it, `file:line:column`.
    pub(crate) asked_at: Option<String>,
    /// When its time is over.
    pub(crate) deadline: Instant,
    /// What sets that.
    pub(crate) limit: Limit,
}

impl Phase {
    /// What is left of its time.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Its deadline, for conversations.
    pub(crate) fn end(&self) -> Deadline {
        Deadline { at: self.deadline.into_std(), limit: self.limit.clone() }
    }

    /// A part of it that begins now and ends with it, or at `limit` if that is earlier.
    pub(crate) fn part(&self, limit: Option<&Limit>) -> Self {
        let Deadline { at, limit } = self.end().of_part(Instant::now().into_std(), limit);
        Self { deadline: at.into(), limit, ..self.clone() }
    }

    /// Waits for `work` until its time is over; `awaited` names what `work` ends with.
    ///
    /// # Errors
    /// That of `work`, or that it took too long.
    pub(crate) async fn bound<T>(
        &self,
        awaited: &str,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let time = self.left();
        match tokio::time::timeout_at(self.deadline, work).await {
            Ok(result) => result,
            Err(_) => {
                let waited = time.as_secs_f64().ceil();
                let text = format!("no {awaited} within {waited} s (at most {})", self.limit);
                Err(self.fault(Class::Infrastructure, text))
            }
        }
    }

    /// A fault of this phase, from an error and its causes; says which limit it was if time was over.
    pub(crate) fn late_error(&self, class: Class, error: &dyn std::error::Error, late: bool) -> Fault {
        let fault = self.error(class, error);
        let message =
            if late { format!("{} (at most {})", fault.message, self.limit) } else { fault.message };
        Fault { message, ..fault }
    }

    /// Compiles a regular expression of the job or the board type: they were checked when they were read, so one that
    /// fails now is our fault.
    pub(crate) fn pattern(&self, text: &str) -> Result<Regex, Fault> {
        Regex::new(text).map_err(|error| self.error(Class::Bug, &error))
    }

    /// The fault of a phase whose time is over; its limit says whose time that was.
    pub(crate) fn timed_out(&self) -> Fault {
        let text = format!("time was over before `{}` had ended (at most {})", self.name, self.limit);
        self.fault(Class::Infrastructure, text)
    }

    /// A fault of this phase.
    pub(crate) fn fault(&self, class: Class, message: impl std::fmt::Display) -> Fault {
        Fault::new(class, self.place.clone(), message)
    }

    /// A fault of this phase, from an error and its causes.
    pub(crate) fn error(&self, class: Class, error: &dyn std::error::Error) -> Fault {
        Fault::from_error(class, self.place.clone(), error)
    }
}
