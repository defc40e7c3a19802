//! The MultiNode group, as the nodes' tasks use it: calls that resolve when the group has decided.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::event::{EventKind, Outcome};
use crate::fault::{Class, Fault};
use crate::group::{Effect, Group, Member, Refusal, Released, Request};
use crate::run::Emitter;

type Answer = Result<Released, Refusal>;

/// Member, and number of its call.
type CallId = (usize, u64);

/// The group of a run.
#[derive(Clone)]
pub struct GroupHandle {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    group: Group,
    waiting: HashMap<CallId, oneshot::Sender<Answer>>,
    next_call: u64,
    first_failure: Option<Class>,
}

/// A member of the group.
#[derive(Clone)]
pub struct GroupMember {
    handle: GroupHandle,
    index: usize,
    emitter: Emitter,
}

impl GroupHandle {
    /// A group of `members`, none of which has ended.
    pub fn new(members: Vec<Member>) -> Self {
        let shared =
            Shared { group: Group::new(members), waiting: HashMap::new(), next_call: 0, first_failure: None };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// The member of this number, from 0; `emitter` is told of its calls.
    pub fn member(&self, index: usize, emitter: Emitter) -> GroupMember {
        GroupMember { handle: self.clone(), index, emitter }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn apply(&mut self, effects: Vec<Effect>) {
        for Effect::Reply { member, call_id, result } in effects {
            if let Some(waiting) = self.waiting.remove(&(member, call_id)) {
                // A caller that has gone meanwhile needs no answer.
                let _ = waiting.send(result);
            }
        }
    }
}

impl GroupMember {
    /// Asks the group and waits for its answer; dropping the future takes the question back.
    ///
    /// # Errors
    /// [`Refusal`], in words for the author of the test.
    pub async fn call(&self, request: Request) -> Result<Released, Refusal> {
        let what = request.to_string();
        self.emitter.emit(EventKind::Group { text: what.clone() });
        let (waiting, answer) = oneshot::channel();
        let call = {
            let mut shared = self.handle.lock();
            let call = shared.next_call;
            shared.next_call += 1;
            shared.waiting.insert((self.index, call), waiting);
            let effects = shared.group.call(self.index, call, request);
            shared.apply(effects);
            call
        };
        let open = OpenCall { member: self, call };
        let answer = answer.await;
        drop(open);
        match answer {
            Ok(Ok(released)) => {
                self.emitter.emit(EventKind::Group { text: format!("{what}: done") });
                Ok(released)
            }
            Ok(Err(refusal)) => {
                self.emitter.emit(EventKind::Group { text: format!("{what}: refused: {refusal}") });
                Err(refusal)
            }
            // The sender goes only with its answer, or with the caller.
            Err(_) => Err(Refusal::CallerEnded),
        }
    }

    /// Tells the group that the member has ended, and how.
    pub(crate) fn ended(&self, fault: Option<&Fault>) {
        let mut shared = self.handle.lock();
        shared.first_failure = shared.first_failure.or(fault.map(|fault| fault.class));
        let effects = shared.group.member_ended(self.index, Outcome::of(fault));
        shared.apply(effects);
    }

    /// Whose fault it is that the group refused something: that of the first member that failed, else the job's.
    pub(crate) fn refusal_class(&self) -> Class {
        self.handle.lock().first_failure.unwrap_or(Class::Job)
    }

    /// The members of the group, in its order.
    pub(crate) fn members(&self) -> Vec<Member> {
        self.handle.lock().group.members().to_vec()
    }
}

/// Takes a call back when its caller goes away.
struct OpenCall<'a> {
    member: &'a GroupMember,
    call: u64,
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        let mut shared = self.member.handle.lock();
        if shared.waiting.remove(&(self.member.index, self.call)).is_some() {
            shared.group.cancel(self.member.index, self.call);
        }
    }
}
