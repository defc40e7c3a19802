//! Messages of the group: that somebody sends what others wait for, and that all come to a `lava-sync`.
//!
//! Only what is written in the job can be seen. Where a role's tests come from elsewhere, or bring scripts of their own,
//! it may send anything.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean, nearest};
use crate::document::Reader;
use crate::job::model::{
    Block, BlockKind, DefinitionSource, GroupRequest, InteractiveAction, ProtocolCall, Role, RoleKind,
};

/// Most ids that are looked at for the one that was meant.
const MAX_NEAR: usize = 1000;

/// Most ids that a help lists.
const MAX_TOLD: usize = 8;

/// What a role asks of the group, as far as the job says it.
struct Asked<'a> {
    role: &'a Role,
    requests: Vec<Asking<'a>>,
    /// Whether it may ask more than can be seen.
    is_opaque: bool,
    /// The ids of the messages that it sends.
    sends: BTreeSet<&'a str>,
    /// The ids of what it waits for all to come to.
    syncs: BTreeSet<&'a str>,
}

/// One request.
struct Asking<'a> {
    request: GroupRequest,
    id: &'a str,
    role: Option<&'a str>,
    /// The keys that it sends with the message or takes from it, if they are known.
    keys: Option<Vec<&'a str>>,
    span: Span,
}

impl<'a> Asked<'a> {
    fn new(role: &'a Role, blocks: &'a [Block]) -> Self {
        let mut asked = Self {
            role,
            requests: Vec::new(),
            is_opaque: false,
            sends: BTreeSet::new(),
            syncs: BTreeSet::new(),
        };
        for block in blocks.iter().filter(|block| block.roles.contains(&role.name.value)) {
            asked.add(block);
        }
        for asking in &asked.requests {
            match asking.request {
                GroupRequest::Send => asked.sends.insert(asking.id),
                GroupRequest::Sync => asked.syncs.insert(asking.id),
                GroupRequest::Wait | GroupRequest::WaitAll => continue,
            };
            // An id that a shell makes up may be any.
            asked.is_opaque |= asking.is_made_up();
        }
        asked
    }

    /// What the block asks.
    fn add(&mut self, block: &'a Block) {
        self.requests.extend(block.calls.iter().map(|call| Asking {
            request: call.request,
            id: &call.message_id,
            role: call.role.as_deref(),
            keys: Some(keys(call)),
            span: call.id_span,
        }));
        match &block.kind {
            BlockKind::Test(test) => {
                for spec in &test.definitions {
                    let DefinitionSource::Inline(definition) = &spec.source else {
                        self.is_opaque = true;
                        continue;
                    };
                    self.is_opaque |=
                        definition.requests.may_be_more || !definition.install.git_repos.is_empty();
                    self.requests.extend(definition.requests.seen.iter().map(|request| Asking {
                        request: request.request,
                        id: &request.id,
                        role: request.role.as_deref(),
                        keys: request.keys.as_ref().map(|keys| keys.iter().map(String::as_str).collect()),
                        span: request.span,
                    }));
                }
            }
            BlockKind::Interactive(scripts) => {
                for step in scripts.iter().flat_map(|script| &script.steps) {
                    let InteractiveAction::Group { request, words } = &step.action else { continue };
                    let mut words = words.split_whitespace();
                    let id = words.next().unwrap_or_default();
                    let role = words.next().and_then(|word| word.strip_prefix("role="));
                    // It may have a value in quotes.
                    self.requests.push(Asking { request: *request, id, role, keys: None, span: step.span });
                }
            }
            _ => {}
        }
    }

    /// Whether it sends the message, or may do so out of sight.
    fn may_send(&self, id: &str) -> bool {
        self.is_opaque || self.sends.contains(id)
    }

    /// Where it comes to the `lava-sync`, if that can be seen.
    fn sync(&self, id: &str) -> Option<&Asking<'a>> {
        self.requests.iter().find(|asking| asking.request == GroupRequest::Sync && asking.id == id)
    }

    /// Whether it comes to the `lava-sync`, or may do so out of sight.
    fn may_sync(&self, id: &str) -> bool {
        self.is_opaque || self.syncs.contains(id)
    }
}

impl Asking<'_> {
    /// Whether a shell makes its id up.
    fn is_made_up(&self) -> bool {
        self.id.contains(['$', '`', '{'])
    }
}

/// Checks the messages of all roles.
pub(crate) fn check(reader: &mut Reader<'_>, roles: &[Role], blocks: &[Block]) {
    if roles.iter().all(|role| role.count == 1) && roles.len() < 2 {
        return;
    }
    let all: Vec<Asked<'_>> = roles.iter().map(|role| Asked::new(role, blocks)).collect();
    let errors = reader.error_count();
    for asked in &all {
        for asking in asked.requests.iter().filter(|asking| !asking.is_made_up()) {
            check_role(reader, asking, roles);
            match asking.request {
                GroupRequest::Wait | GroupRequest::WaitAll => {
                    check_wait(reader, asking, &all);
                    check_keys(reader, asking, &all);
                }
                GroupRequest::Sync => check_sync(reader, asked, asking, &all),
                GroupRequest::Send => {}
            }
        }
        check_start(reader, asked, &all);
    }
    // Who waits for whom is known only where all of that is right.
    if reader.error_count() == errors {
        all.iter().for_each(|asked| check_end(reader, asked, &all));
    }
}

fn check_role(reader: &mut Reader<'_>, asking: &Asking<'_>, roles: &[Role]) {
    let Some(name) = asking.role.filter(|name| !name.contains('$')) else { return };
    if roles.iter().any(|role| role.name.value == name) {
        return;
    }
    let message = format!("`lava-wait-all {}` names no role of this job: `{name}`", asking.id);
    let help = did_you_mean(name, roles.iter().map(|role| role.name.value.as_str()));
    reader.report(Diagnostic::error(Code::UnknownRole, asking.span, message).with_optional_help(help));
}

fn check_wait(reader: &mut Reader<'_>, asking: &Asking<'_>, all: &[Asked<'_>]) {
    if all.iter().any(|asked| asked.sends.contains(asking.id)) {
        return;
    }
    let is_hidden = all.iter().any(|asked| asked.is_opaque);
    if is_hidden {
        return check_near(reader, asking, all);
    }
    let sent: BTreeSet<&str> = all.iter().flat_map(|asked| &asked.sends).copied().take(MAX_NEAR).collect();
    let message = format!("nobody sends the message `{}`: this would wait for ever", asking.id);
    let help = did_you_mean(asking.id, sent.iter().copied()).unwrap_or_else(|| {
        let shown: Vec<_> = sent.iter().take(MAX_TOLD).map(|id| format!("`{id}`")).collect();
        match shown.as_slice() {
            [] => format!("send it with `lava-send {}` in a test of another role", asking.id),
            _ => format!(
                "messages that are sent: {}{}",
                shown.join(", "),
                if sent.len() > MAX_TOLD { ", …" } else { "" }
            ),
        }
    });
    reader.report(Diagnostic::error(Code::UnsentMessage, asking.span, message).with_help(help));
}

/// What a request takes from a message has to be in it.
fn check_keys(reader: &mut Reader<'_>, asking: &Asking<'_>, all: &[Asked<'_>]) {
    let sends = all.iter().flat_map(|asked| &asked.requests);
    let sends = sends.filter(|other| other.request == GroupRequest::Send && other.id == asking.id);
    let sends: Vec<&Asking<'_>> = sends.take(MAX_NEAR).collect();
    if sends.len() == MAX_NEAR {
        return;
    }
    let Some(sent) = sends.iter().map(|send| send.keys.as_deref()).collect::<Option<Vec<_>>>() else {
        return;
    };
    let has_more = all.iter().any(|asked| asked.is_opaque);
    for key in asking.keys.iter().flatten() {
        let Some(send) = sends.first().filter(|_| sent.iter().all(|keys| !keys.contains(key))) else {
            continue;
        };
        let near = nearest(key, sent.iter().copied().flatten().copied());
        let help = match near {
            Some(near) => format!("it is sent with `{near}`: did you mean that?"),
            // It may be sent once more where it cannot be seen.
            None if has_more => continue,
            None => format!("send it with `lava-send {} {key}=VALUE`", asking.id),
        };
        let message = format!("the message `{}` has no `{key}`, which is taken from it", asking.id);
        let problem = match has_more {
            true => Diagnostic::warning(Code::UnsentMessage, asking.span, message),
            false => Diagnostic::error(Code::UnsentMessage, asking.span, message),
        };
        reader.report(problem.with_label(send.span, "sent here").with_help(help));
    }
}

/// The keys that a job's own request sends, or takes from the answer.
fn keys(call: &ProtocolCall) -> Vec<&str> {
    let is_taken = |value: &str| value.starts_with('$');
    let sends = call.request == GroupRequest::Send;
    let keys = call.message.iter().filter(|(_, value)| sends || is_taken(value));
    keys.map(|(key, _)| key.as_str()).collect()
}

/// Where a message may be sent out of sight: whether one is in sight that nobody waits for and that looks like it.
fn check_near(reader: &mut Reader<'_>, asking: &Asking<'_>, all: &[Asked<'_>]) {
    let waits = |request| matches!(request, GroupRequest::Wait | GroupRequest::WaitAll);
    let is_waited_for = |id: &str| {
        all.iter().flat_map(|asked| &asked.requests).any(|other| waits(other.request) && other.id == id)
    };
    let sent = all.iter().flat_map(|asked| &asked.sends).copied().take(MAX_NEAR);
    let Some(near) = nearest(asking.id, sent).filter(|near| !is_waited_for(near)) else { return };
    let message = format!("nobody visibly sends the message `{}`, and `{near}` is sent to nobody", asking.id);
    let problem = Diagnostic::warning(Code::UnsentMessage, asking.span, message);
    reader.report(problem.with_help(format!("did you mean `{near}`?")));
}

/// A `lava-sync` ends when all nodes have come to it.
fn check_sync(reader: &mut Reader<'_>, own: &Asked<'_>, asking: &Asking<'_>, all: &[Asked<'_>]) {
    let mut lacking = Vec::new();
    for other in all.iter().filter(|other| !other.may_sync(asking.id)) {
        let near = nearest(asking.id, other.syncs.iter().copied().take(MAX_NEAR));
        let counterpart = near.and_then(|near| other.sync(near)).filter(|sync| {
            let back = nearest(sync.id, own.syncs.iter().copied().take(MAX_NEAR));
            !own.may_sync(sync.id) && back == Some(asking.id)
        });
        lacking.push((other, near, counterpart));
    }
    // Each lacks the other's: one of the two is misspelt, which is one mistake, and told where the first of them is.
    let is_earlier = |sync: &Asking<'_>| sync.span.offset < asking.span.offset;
    let was_told = lacking.iter().any(|(.., counterpart)| counterpart.is_some_and(is_earlier));
    for (other, near, counterpart) in lacking {
        if was_told && counterpart.is_some() {
            continue;
        }
        let name = &other.role.name.value;
        let message =
            format!("role `{name}` never comes to `lava-sync {}`: this would wait for ever", asking.id);
        let problem = Diagnostic::error(Code::MissingSync, asking.span, message);
        reader.report(match counterpart {
            Some(counterpart) => {
                let help = format!("write `{}` here, or `{}` at the other place", counterpart.id, asking.id);
                problem.with_label(counterpart.span, "it comes to this one").with_help(help)
            }
            None => {
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("every role of the group must call `lava-sync {}`", asking.id),
                };
                problem.with_label(other.role.name.span, "this role").with_help(help)
            }
        });
    }
}

/// A role that waits for the start of another waits for its `lava_start`.
fn check_start(reader: &mut Reader<'_>, asked: &Asked<'_>, all: &[Asked<'_>]) {
    let Some(start) = &asked.role.delayed_start else { return };
    if start.expect_role.value == asked.role.name.value {
        return;
    }
    let expected = all.iter().find(|other| other.role.name.value == start.expect_role.value);
    let Some(expected) = expected.filter(|other| !other.may_send("lava_start")) else {
        return;
    };
    let message = format!(
        "role `{}` never sends `lava_start`, for which role `{}` waits",
        start.expect_role.value, asked.role.name.value
    );
    let problem = Diagnostic::error(Code::UnsentMessage, start.expect_role.span, message);
    let add = format!("add the step `lava-send lava_start` to a test of `{}`", start.expect_role.value);
    let near = nearest("lava_start", expected.sends.iter().copied().take(MAX_NEAR));
    let help = near.map_or(add, |near| format!("it sends `{near}`: write `lava-send lava_start`"));
    reader.report(problem.with_label(expected.role.name.span, "this role").with_help(help));
}

/// A connection ends with the board that it goes to: the host must wait for its guests.
fn check_end(reader: &mut Reader<'_>, guest: &Asked<'_>, all: &[Asked<'_>]) {
    let RoleKind::Connection { host_role } = &guest.role.kind else { return };
    let Some(host) = all.iter().find(|other| other.role.name.value == host_role.value) else { return };
    if guest.is_opaque || host.is_opaque {
        return;
    }
    let waits = host.requests.iter().any(|asking| match asking.request {
        GroupRequest::Sync => guest.may_sync(asking.id),
        GroupRequest::Wait | GroupRequest::WaitAll => guest.may_send(asking.id),
        GroupRequest::Send => false,
    });
    if waits {
        return;
    }
    let (host, guest_name) = (&host.role.name, &guest.role.name.value);
    let message =
        format!("nothing makes role `{}` wait for `{guest_name}`, whose board it switches off", host.value);
    let help = format!("end the tests of `{}` and of `{guest_name}` with the same `lava-sync`", host.value);
    let problem = Diagnostic::warning(Code::OutlivesHost, guest.role.name.span, message).with_help(help);
    reader.report(problem.with_label(host.span, "the host"));
}
