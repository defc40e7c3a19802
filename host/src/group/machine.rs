//! The machine itself.

use std::collections::{BTreeMap, HashMap};

use super::{Refusal, Released, Request, Waiter};
use crate::event::Outcome;

/// Open calls that one member may have.
const MAX_CALLS: usize = 64;

/// Messages that the group keeps, by id and sender.
const MAX_MESSAGES: usize = 4096;

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Unique name.
    pub name: String,
    /// Role.
    pub role: String,
}

/// What is to be done after a call to the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A call is answered; it is no longer open.
    Reply {
        /// The caller's number.
        member: usize,
        /// The call.
        call_id: u64,
        /// The answer.
        result: Result<Released, Refusal>,
    },
}

/// The group. Members are numbered as they were given, from 0.
#[derive(Debug)]
pub struct Group {
    members: Vec<Member>,
    /// How each member ended.
    ended: Vec<Option<Outcome>>,
    /// Data by message id and sender.
    messages: BTreeMap<String, BTreeMap<usize, Vec<(String, String)>>>,
    /// Open waits in the order of their calls.
    waits: Vec<Wait>,
}

#[derive(Clone, Debug)]
struct Wait {
    member: usize,
    call_id: u64,
    request: Request,
    background: bool,
}

/// Where an open wait stands.
enum Standing {
    Waits,
    Fulfilled(Released),
    /// This member can no longer do its part.
    Hopeless(usize, Outcome),
}

impl Group {
    /// A group of `members`, none of which has ended.
    pub fn new(members: Vec<Member>) -> Self {
        let ended = vec![None; members.len()];
        Self { members, ended, messages: BTreeMap::new(), waits: Vec::new() }
    }

    /// The members, in group order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Everyone who waits, and for what, in the order of the calls.
    pub fn waiters(&self) -> Vec<Waiter> {
        self.waits.iter().map(|wait| self.waiter(wait)).collect()
    }

    /// A member makes a call; `call_id` must be unique among its open ones. Every call is answered once, here or later,
    /// unless it is cancelled.
    pub fn call(&mut self, member: usize, call_id: u64, request: Request) -> Vec<Effect> {
        if let Err(refusal) = self.check(member, call_id, &request) {
            return vec![Effect::Reply { member, call_id, result: Err(refusal) }];
        }
        for wait in self.waits.iter_mut().filter(|wait| wait.member == member) {
            wait.background = true;
        }
        let mut effects = Vec::new();
        if let Request::Send { id, data } = request {
            self.messages.entry(id.clone()).or_default().insert(member, data);
            effects.push(Effect::Reply { member, call_id, result: Ok(Released::default()) });
            self.settle(|request| request.waits_for(&id), &mut effects);
        } else {
            self.waits.push(Wait { member, call_id, request: request.clone(), background: false });
            self.settle(|other| *other == request, &mut effects);
        }
        effects
    }

    /// A call is not wanted any more: its time is over or its helper is gone. It is not answered.
    pub fn cancel(&mut self, member: usize, call_id: u64) {
        self.waits.retain(|wait| (wait.member, wait.call_id) != (member, call_id));
    }

    /// A member has ended. Its own open calls are refused, and so are all waits that needed it.
    pub fn member_ended(&mut self, member: usize, how: Outcome) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(ended @ None) = self.ended.get_mut(member) {
            *ended = Some(how);
            for wait in self.waits.extract_if(.., |wait| wait.member == member) {
                effects.push(reply(&wait, Err(Refusal::CallerEnded)));
            }
            self.settle(|_| true, &mut effects);
        }
        effects
    }

    fn check(&self, member: usize, call_id: u64, request: &Request) -> Result<(), Refusal> {
        match self.ended.get(member) {
            None => return Err(Refusal::NoSuchMember(member)),
            Some(Some(_)) => return Err(Refusal::CallerEnded),
            Some(None) => request.check()?,
        }
        let own = self.waits.iter().filter(|wait| wait.member == member);
        if own.clone().any(|wait| wait.call_id == call_id) {
            return Err(Refusal::DuplicateCall(call_id));
        }
        if own.count() >= MAX_CALLS {
            return Err(Refusal::TooManyCalls(MAX_CALLS));
        }
        match request {
            Request::WaitAll { role: Some(role), .. }
                if self.members.iter().all(|member| member.role != *role) =>
            {
                let mut known: Vec<String> =
                    self.members.iter().map(|member| format!("`{}`", member.role)).collect();
                known.sort();
                known.dedup();
                Err(Refusal::UnknownRole { role: role.clone(), known })
            }
            Request::Send { id, .. }
                if !self.messages.get(id).is_some_and(|by_sender| by_sender.contains_key(&member))
                    && self.messages.values().map(BTreeMap::len).sum::<usize>() >= MAX_MESSAGES =>
            {
                Err(Refusal::TooManyMessages(MAX_MESSAGES))
            }
            _ => Ok(()),
        }
    }

    /// Answers the `concerned` waits that are fulfilled or hopeless, and all waits in a deadlock.
    fn settle(&mut self, concerned: impl Fn(&Request) -> bool, effects: &mut Vec<Effect>) {
        // All are judged before one is removed: those at a barrier are released together. Equal requests stand alike, so
        // that a barrier of a thousand members is looked at once.
        let mut standings: HashMap<Request, Standing> = HashMap::new();
        for wait in self.waits.iter().filter(|wait| concerned(&wait.request)) {
            if !standings.contains_key(&wait.request) {
                standings.insert(wait.request.clone(), self.standing(&wait.request));
            }
        }
        if standings.values().any(|standing| !matches!(standing, Standing::Waits)) {
            for wait in std::mem::take(&mut self.waits) {
                match standings.get(&wait.request) {
                    None | Some(Standing::Waits) => self.waits.push(wait),
                    Some(Standing::Fulfilled(released)) => effects.push(reply(&wait, Ok(released.clone()))),
                    Some(Standing::Hopeless(missing, how)) => {
                        let ended =
                            self.members.get(*missing).map(|member| member.name.clone()).unwrap_or_default();
                        let refusal = Refusal::Hopeless { waiter: self.waiter(&wait), ended, how: *how };
                        effects.push(reply(&wait, Err(refusal)));
                    }
                }
            }
        }
        if self.is_deadlocked() {
            let names = self.members.iter().map(|member| member.name.clone());
            let ended = names.zip(&self.ended).filter_map(|(name, how)| Some((name, (*how)?))).collect();
            let refusal = Refusal::Deadlock { waiters: self.waiters(), ended };
            for wait in self.waits.drain(..) {
                effects.push(reply(&wait, Err(refusal.clone())));
            }
        }
    }

    fn standing(&self, request: &Request) -> Standing {
        let done = match request {
            Request::Send { id, .. } | Request::Wait { id } => {
                return if self.messages.contains_key(id) { self.fulfilled(id) } else { Standing::Waits };
            }
            Request::WaitAll { id, .. } => {
                self.marked(self.messages.get(id).into_iter().flat_map(BTreeMap::keys).copied())
            }
            Request::Sync { .. } => {
                self.marked(self.waits.iter().filter(|wait| wait.request == *request).map(|wait| wait.member))
            }
        };
        let missing = done.iter().enumerate().filter(|(_, done)| !**done).map(|(member, _)| member);
        let mut all_done = true;
        for member in missing.filter(|&member| self.is_needed(member, request)) {
            if let Some(Some(how)) = self.ended.get(member) {
                return Standing::Hopeless(member, *how);
            }
            all_done = false;
        }
        match request {
            _ if !all_done => Standing::Waits,
            Request::WaitAll { id, .. } => self.fulfilled(id),
            _ => Standing::Fulfilled(Released::default()),
        }
    }

    /// For each member whether it is among `chosen`.
    fn marked(&self, chosen: impl Iterator<Item = usize>) -> Vec<bool> {
        let mut marks = vec![false; self.members.len()];
        for member in chosen {
            if let Some(mark) = marks.get_mut(member) {
                *mark = true;
            }
        }
        marks
    }

    fn is_needed(&self, member: usize, request: &Request) -> bool {
        let role = self.members.get(member).map(|member| &member.role);
        !matches!(request, Request::WaitAll { role: Some(wanted), .. } if role != Some(wanted))
    }

    fn fulfilled(&self, id: &str) -> Standing {
        let mut messages = Vec::new();
        for (sender, data) in self.messages.get(id).into_iter().flatten() {
            if let Some(sender) = self.members.get(*sender) {
                messages.extend(
                    data.iter().map(|(key, value)| (sender.name.clone(), key.clone(), value.clone())),
                );
            }
        }
        Standing::Fulfilled(Released { messages })
    }

    fn is_deadlocked(&self) -> bool {
        let foreground = self.waits.iter().filter(|wait| !wait.background);
        let blocked = self.marked(foreground.map(|wait| wait.member));
        let mut living = self.ended.iter().zip(blocked).filter(|(ended, _)| ended.is_none()).peekable();
        living.peek().is_some() && living.all(|(_, blocked)| blocked)
    }

    fn waiter(&self, wait: &Wait) -> Waiter {
        let member = self.members.get(wait.member).map(|member| member.name.clone()).unwrap_or_default();
        Waiter { member, request: wait.request.clone() }
    }
}

fn reply(wait: &Wait, result: Result<Released, Refusal>) -> Effect {
    Effect::Reply { member: wait.member, call_id: wait.call_id, result }
}
