//! Calls of helpers: answered at once, or when the group has decided.

use protocol::helper::{Call, Pairs, Reply};
use protocol::limits::MAX_CHUNK;
use std::collections::HashMap;
use tokio::task::{AbortHandle, JoinSet};

use crate::event::EventKind;
use crate::group::{Released, Request};
use crate::limit::Limit;
use crate::run::GroupMember;

use super::case_book::{CaseBook, Report};

/// An answer, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Messages { lines: String, more: bool },
    Members { members: String, more: bool },
    Refused(String),
}

impl Answer {
    /// The answer as it goes over the link.
    pub(super) fn as_wire(&self) -> Reply<'_> {
        match self {
            Self::Done => Reply::Done,
            Self::Messages { lines, more } => Reply::Messages { lines, more: *more },
            Self::Members { members, more } => Reply::Members { members: Pairs(members), more: *more },
            Self::Refused(reason) => Reply::Refused { reason: clip(reason) },
        }
    }
}

/// What comes of a call.
#[derive(Debug, Default)]
pub(super) struct Handled {
    /// Its answer, if it has one already.
    pub(super) answer: Option<Answer>,
    /// What it tells.
    pub(super) event: Option<EventKind>,
}

impl From<Answer> for Handled {
    fn from(answer: Answer) -> Self {
        Self { answer: Some(answer), event: None }
    }
}

impl From<EventKind> for Handled {
    fn from(event: EventKind) -> Self {
        Self { answer: Some(Answer::Done), event: Some(event) }
    }
}

impl From<Result<EventKind, String>> for Handled {
    fn from(told: Result<EventKind, String>) -> Self {
        told.map_or_else(|reason| Answer::Refused(reason).into(), Self::from)
    }
}

/// The calls of a node's helpers that wait for the group.
pub(super) struct Calls {
    member: GroupMember,
    timeout: Limit,
    waiting: JoinSet<(u32, Vec<Answer>)>,
    handles: HashMap<u32, AbortHandle>,
}

impl Calls {
    pub(super) fn new(member: GroupMember, timeout: Limit) -> Self {
        Self { member, timeout, waiting: JoinSet::new(), handles: HashMap::new() }
    }

    /// Handles a call.
    pub(super) fn handle(&mut self, call: u32, request: &Call<'_>, book: &mut CaseBook) -> Handled {
        match *request {
            Call::TestCase { id, result, measurement, units } => {
                book.case(Report { id, result, measurement, units, reference: None }).into()
            }
            Call::TestReference { id, result, url } => {
                book.case(Report { id, result, measurement: None, units: None, reference: Some(url) }).into()
            }
            Call::TestSetStart { name } => book.start_set(name).into(),
            Call::TestSetStop => book.stop_set().into(),
            Call::TestRaise { message } => book.raised(message).into(),
            Call::TestEvent { message } => {
                EventKind::Note { text: format!("lava-test-event: {message}") }.into()
            }
            Call::TestCaseStarted { id } => {
                book.start_case(id);
                Answer::Done.into()
            }
            // LAVA reads a console when it is told to; here all are read all the time.
            Call::TestFeedback { namespace } => {
                EventKind::Note { text: format!("lava-test-feedback: namespace {namespace}") }.into()
            }
            Call::BadCall { helper, problem } => book.bad_call(helper, problem).into(),
            // Kept by whoever runs the script, which tells it when the script fails.
            Call::Failed { .. } => Answer::Done.into(),
            Call::Group => self.members().into(),
            Call::Send { id, data } => {
                let data = data.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                self.ask(call, Request::Send { id: id.to_owned(), data })
            }
            Call::Wait { id } => self.ask(call, Request::Wait { id: id.to_owned() }),
            Call::WaitAll { id, role } => {
                self.ask(call, Request::WaitAll { id: id.to_owned(), role: role.map(str::to_owned) })
            }
            Call::Sync { id } => self.ask(call, Request::Sync { id: id.to_owned() }),
            Call::Step { .. } => {
                Answer::Refused("the agent has steps begin, not the runner".to_owned()).into()
            }
        }
    }

    /// The next call that the group has decided; never resolves while none waits. Cancel-safe.
    pub(super) async fn answered(&mut self) -> (u32, Vec<Answer>) {
        loop {
            match self.waiting.join_next().await {
                Some(Ok((call, answers))) => {
                    self.handles.remove(&call);
                    return (call, answers);
                }
                // The helper has gone; nobody wants the answer.
                Some(Err(_)) => (),
                None => std::future::pending().await,
            }
        }
    }

    /// The helper of a call has gone.
    pub(super) fn gone(&mut self, call: u32) {
        if let Some(handle) = self.handles.remove(&call) {
            handle.abort();
        }
    }

    /// Takes back all calls that wait, and returns them: the script has ended, but helpers that it left behind may
    /// still be there.
    pub(super) fn abandon(&mut self) -> Vec<u32> {
        self.waiting.abort_all();
        self.handles.drain().map(|(call, _)| call).collect()
    }

    /// Asks the group, which answers later.
    fn ask(&mut self, call: u32, request: Request) -> Handled {
        let (member, timeout) = (self.member.clone(), self.timeout.clone());
        let handle = self.waiting.spawn(async move {
            let what = request.to_string();
            let answers = match tokio::time::timeout(timeout.time, member.call(request)).await {
                Ok(Ok(released)) => messages(&released),
                Ok(Err(refusal)) => vec![Answer::Refused(refusal.to_string())],
                Err(_) => vec![Answer::Refused(format!("{what}: timed out after {timeout}"))],
            };
            (call, answers)
        });
        self.handles.insert(call, handle);
        Handled::default()
    }

    fn members(&self) -> Answer {
        let members = self
            .member
            .members()
            .iter()
            .map(|member| format!("{}\0{}\0", member.name, member.role))
            .collect();
        Answer::Members { members, more: false }
    }
}

/// What a call reports to the definition that it was made from, if it does.
pub(super) fn report(call: &Call<'_>) -> Option<String> {
    match call {
        Call::TestCase { id, result, .. } | Call::TestReference { id, result, .. } => {
            Some(format!("test case `{id}` ({result})"))
        }
        Call::TestCaseStarted { id } => Some(format!("the begin of test case `{id}`")),
        Call::TestSetStart { name } => Some(format!("the begin of test set `{name}`")),
        Call::TestSetStop => Some("the end of a test set".to_owned()),
        Call::BadCall { helper, problem } | Call::Failed { helper, problem } => {
            Some(format!("`{helper}: {problem}`"))
        }
        Call::TestRaise { message } => Some(format!("`lava-test-raise {message}`")),
        _ => None,
    }
}

/// The messages that a wait was released with, cut into answers that fit.
fn messages(released: &Released) -> Vec<Answer> {
    let mut answers = vec![String::new()];
    for (sender, key, value) in &released.messages {
        let line = format!("{sender}:{key}={value}\0");
        match answers.last_mut() {
            Some(last) if last.len() + line.len() <= MAX_CHUNK => last.push_str(&line),
            _ => answers.push(line),
        }
    }
    if released.messages.is_empty() {
        return vec![Answer::Done];
    }
    let count = answers.len();
    answers
        .into_iter()
        .enumerate()
        .map(|(index, lines)| Answer::Messages { lines, more: index + 1 < count })
        .collect()
}

/// The text, cut to what fits into one message.
fn clip(text: &str) -> &str {
    match text.char_indices().find(|(at, c)| at + c.len_utf8() > MAX_CHUNK) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
