//! Calls of helpers: answered at once, or when the group has decided.

use protocol::helper::{Call, Pairs, Reply};
use protocol::limits::MAX_CHUNK;
use std::collections::HashMap;
use tokio::task::{AbortHandle, JoinSet};

use crate::event::EventKind;
use crate::group::{Released, Request};
use crate::limit::Limit;
use crate::run::{Emitter, GroupMember};

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

    /// Handles a call; its answer, if it has one already.
    pub(super) fn handle(
        &mut self,
        call: u32,
        request: &Call<'_>,
        book: &mut CaseBook,
        emitter: &Emitter,
    ) -> Option<Answer> {
        let emit = |event: EventKind| {
            emitter.emit(event);
            Some(Answer::Done)
        };
        let tell = |event: Result<EventKind, String>| match event {
            Ok(event) => emit(event),
            Err(reason) => Some(Answer::Refused(reason)),
        };
        match *request {
            Call::TestCase { id, result, measurement, units } => {
                tell(book.case(Report { id, result, measurement, units, reference: None }))
            }
            Call::TestReference { id, result, url } => {
                tell(book.case(Report { id, result, measurement: None, units: None, reference: Some(url) }))
            }
            Call::TestSetStart { name } => tell(book.start_set(name)),
            Call::TestSetStop => tell(book.stop_set()),
            Call::TestRaise { message } => tell(book.raised(message)),
            Call::TestEvent { message } => {
                emit(EventKind::Note { text: format!("lava-test-event: {message}") })
            }
            Call::TestCaseStarted { id } => {
                book.start_case(id);
                Some(Answer::Done)
            }
            // LAVA reads a console when it is told to; here all are read all the time.
            Call::TestFeedback { namespace } => {
                emit(EventKind::Note { text: format!("lava-test-feedback: namespace {namespace}") })
            }
            Call::BadCall { helper, problem } => tell(book.bad_call(helper, problem)),
            // Kept by whoever runs the script, which tells it when the script fails.
            Call::Failed { .. } => Some(Answer::Done),
            Call::Group => Some(self.members()),
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
                Some(Answer::Refused("the agent has steps begin, not the runner".to_owned()))
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

    fn ask(&mut self, call: u32, request: Request) -> Option<Answer> {
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
        None
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
