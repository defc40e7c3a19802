//! `lava-send`, `lava-wait`, `lava-wait-all`, `lava-sync`, `lava-group`, `lava-role`, `lava-self`.
//!
//! Where LAVA's exit with 0 although the wait failed or was refused, these exit with 1.

use heapless::String;
use protocol::helper::{Call, Pairs, Reply};
use protocol::limits::MAX_MESSAGE;

use crate::failure::Failure;
use crate::helper::Context;
use crate::helper::client::{self, Client};
use crate::helper::message_cache::{Kind, Writer};
use crate::helper::target;
use crate::stdio;

/// Environment variable with the node's own name in its group.
const NAME_VARIABLE: &str = "LAVA_NODE_NAME";

/// Pairs that a helper collects for one message.
pub(crate) type PairText = String<MAX_MESSAGE>;

/// Appends a pair.
///
/// # Errors
/// If the pairs do not fit into one message.
pub(crate) fn push_pair(pairs: &mut PairText, key: &str, value: &str) -> Result<(), Failure> {
    [key, "\0", value, "\0"]
        .iter()
        .try_for_each(|piece| pairs.push_str(piece))
        .map_err(|()| Failure::Plain("the data is too long for one message (2 KiB in all)"))
}

pub(crate) fn send(context: &Context<'_>) -> Result<u8, Failure> {
    let (id, data) = context.arguments.split_first().ok_or(Failure::Usage("the message id is missing"))?;
    check_id(id)?;
    let mut pairs = PairText::new();
    for pair in data {
        let (key, value) = pair.split_once('=').ok_or(Failure::Usage("data must be KEY=VALUE"))?;
        if key.is_empty() {
            return Err(Failure::Usage("data must be KEY=VALUE, with a key"));
        }
        push_pair(&mut pairs, key, value)?;
    }
    client::tell(context.invocation, &Call::Send { id, data: Pairs(&pairs) })
}

pub(crate) fn wait(context: &Context<'_>) -> Result<u8, Failure> {
    let id = only_id(context)?;
    collect(context, &Call::Wait { id }, &Kind::Messages)
}

pub(crate) fn wait_all(context: &Context<'_>) -> Result<u8, Failure> {
    let (id, role) = match context.arguments {
        [] => return Err(Failure::Usage("the message id is missing")),
        [id] => (*id, None),
        [id, role] => (*id, Some(*role)),
        _ => return Err(Failure::Usage("at most an id and a role")),
    };
    check_id(id)?;
    collect(context, &Call::WaitAll { id, role }, &Kind::Messages)
}

pub(crate) fn sync(context: &Context<'_>) -> Result<u8, Failure> {
    let id = only_id(context)?;
    client::tell(context.invocation, &Call::Sync { id })
}

/// Waits, and leaves the messages in a cache.
///
/// # Errors
/// As [`Client::call`], or the cache's.
pub(crate) fn collect(context: &Context<'_>, call: &Call<'_>, kind: &Kind) -> Result<u8, Failure> {
    let client = Client::connect(context.invocation)?;
    let mut cache = Writer::new(context.invocation, kind)?;
    client.call(call, &mut |reply| match reply {
        Reply::Messages { lines, .. } => cache.append(lines),
        _ => Ok(()),
    })?;
    Ok(0)
}

pub(crate) fn group(context: &Context<'_>) -> Result<u8, Failure> {
    let wanted = match context.arguments {
        [] => None,
        [role] => Some(*role),
        _ => return Err(Failure::Usage("at most one role")),
    };
    let mut found = false;
    for_each_member(context, &mut |name, role| {
        match wanted {
            None => stdio::say(stdio::stdout(), &[name, "\t", role, "\n"]),
            Some(wanted) if wanted == role => stdio::say(stdio::stdout(), &[name, "\n"]),
            Some(_) => return Ok(()),
        }
        found = true;
        Ok(())
    })?;
    if found { Ok(0) } else { Err(Failure::Plain("nobody in the group has that role")) }
}

pub(crate) fn role(context: &Context<'_>) -> Result<u8, Failure> {
    let own = match context.arguments {
        [] => Some(target::setting(context.invocation, NAME_VARIABLE).ok_or(NO_NAME)?),
        ["list"] => None,
        _ => return Err(Failure::Usage("no argument but `list`")),
    };
    let mut found = false;
    for_each_member(context, &mut |name, role| {
        match &own {
            None => stdio::say(stdio::stdout(), &[role, "\n"]),
            Some(own) if own.as_str() == name => stdio::say(stdio::stdout(), &[role]),
            Some(_) => return Ok(()),
        }
        found = true;
        Ok(())
    })?;
    if found { Ok(0) } else { Err(Failure::Plain("this node is not in the group")) }
}

pub(crate) fn own_name(context: &Context<'_>) -> Result<u8, Failure> {
    let name = target::setting(context.invocation, NAME_VARIABLE).ok_or(NO_NAME)?;
    stdio::say(stdio::stdout(), &[&name, "\n"]);
    Ok(0)
}

const NO_NAME: Failure = Failure::Plain("LAVA_NODE_NAME is not set: this works only inside a run");

/// Calls `take` with name and role of every member, in group order.
///
/// # Errors
/// As [`Client::call`], or that of `take`.
pub(crate) fn for_each_member(
    context: &Context<'_>,
    take: &mut dyn FnMut(&str, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    Client::connect(context.invocation)?.call(&Call::Group, &mut |reply| match reply {
        Reply::Members { members, .. } => members.iter().try_for_each(|(name, role)| take(name, role)),
        _ => Ok(()),
    })
}

fn only_id<'a>(context: &Context<'a>) -> Result<&'a str, Failure> {
    match context.arguments {
        [id] => check_id(id).map(|()| *id),
        [] => Err(Failure::Usage("the id is missing")),
        _ => Err(Failure::Usage("one id and nothing else")),
    }
}

fn check_id(id: &str) -> Result<(), Failure> {
    match id {
        "" => Err(Failure::Usage("the id is empty")),
        id if id.contains('=') => Err(Failure::Usage("the id comes first; it has no `=`")),
        _ => Ok(()),
    }
}
