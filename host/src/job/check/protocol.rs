//! `protocols: lava-multinode`: the group, and the requests that action blocks make of it.

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{GroupRequest, ProtocolCall, Timeouts};
use crate::job::part::{self, Owner, Part};
use crate::limit::Limit;

/// The top level's `protocols: lava-multinode`.
#[derive(Debug)]
pub(crate) struct Multinode<'n> {
    /// `roles`.
    pub(crate) roles: &'n Node,
    /// `timeout`: of every helper's wait; wins over the roles' own.
    pub(crate) timeout: Option<Limit>,
}

/// Whether this is one node's part of a job, as LAVA's server gives it to a dispatcher; notes that if so. Its roles are
/// names of nodes, and what belongs to the others is gone.
pub(crate) fn is_servers_form(reader: &mut Reader<'_>, top: &Fields<'_>) -> bool {
    let entry = |node: &'_ Node, key: &str| match &node.value {
        Value::Mapping(entries) => entries.iter().find(|(name, _)| name.name == key).cloned(),
        _ => None,
    };
    let multinode = top.get("protocols").and_then(|node| entry(node, "lava-multinode"));
    let Some((_, multinode)) = multinode else { return false };
    let Some((key, _)) = ["sub_id", "group_size"].iter().find_map(|key| entry(&multinode, key)) else {
        return false;
    };
    let message = format!(
        "this is one node's part of a MultiNode job, as LAVA's server makes it: it has `{}`",
        key.name
    );
    let help = "take the job as it was submitted, with all of its roles (\"MultiNode definition\" on LAVA's page of the job)";
    reader.report(Diagnostic::error(Code::ServersForm, key.span, message).with_help(help));
    true
}

/// Reads the top level's `protocols`; `None` for a job without a group.
pub(crate) fn multinode<'n>(reader: &mut Reader<'_>, top: &Fields<'n>) -> Option<Multinode<'n>> {
    let node = lava_multinode(reader, top)?;
    let fields = reader.fields(node, "lava-multinode")?;
    // For LAVA's scheduler.
    fields.accept(&["pool_pattern", "target_group"]);
    let timeout = limit(reader, &fields, "lava-multinode");
    let roles = fields.require(reader, "roles");
    fields.finish(reader);
    Some(Multinode { roles: roles?, timeout })
}

/// Reads the requests of an action block. One without a time of its own may wait as long as the block.
pub(crate) fn calls(
    reader: &mut Reader<'_>,
    block: &Fields<'_>,
    owner: Owner,
    timeouts: &Timeouts,
) -> Vec<ProtocolCall> {
    let Some(node) = lava_multinode(reader, block) else { return Vec::new() };
    if !matches!(node.value, Value::Sequence(_)) {
        let problem = reader.wrong_type(node, "lava-multinode", "a list of requests");
        reader.report(problem.with_help("begin each request with `- action:`"));
        return Vec::new();
    }
    let limit = timeouts.part(Part::Request).unwrap_or(&timeouts.total);
    reader.list(node, |reader, item| call(reader, item, owner, limit))
}

/// `timeout` of `what`.
pub(super) fn limit(reader: &mut Reader<'_>, fields: &Fields<'_>, what: &str) -> Option<Limit> {
    let duration = fields.get("timeout").and_then(|node| reader.duration(node, "timeout"))?;
    let place = reader.place(fields.key_span("timeout").unwrap_or(fields.span));
    Some(Limit::new(duration, format!("`timeout` of {what}, {place}")))
}

fn lava_multinode<'n>(reader: &mut Reader<'_>, parent: &Fields<'n>) -> Option<&'n Node> {
    let node = parent.get_misspelt(reader, "protocols")?;
    let fields = reader.fields(node, "protocols")?;
    fields.refuse(reader, &["lava-lxc", "lava-xnbd", "lava-vland"], "supported is `lava-multinode`");
    let node = fields.get("lava-multinode");
    if fields.get("timeout").is_some() {
        let span = fields.key_span("timeout").unwrap_or(fields.span);
        let message = "`timeout` beside `lava-multinode` belongs to no request and has no effect";
        let help = "move it into the list entry, to the column of `action:`";
        reader.report(Diagnostic::warning(Code::MisplacedTimeout, span, message).with_help(help));
    }
    fields.finish(reader);
    node
}

fn call(reader: &mut Reader<'_>, node: &Node, owner: Owner, otherwise: &Limit) -> Option<ProtocolCall> {
    let fields = reader.fields(node, "lava-multinode")?;
    // Known before `messageID` is looked for, which it resembles.
    fields.accept(&["message"]);
    let action = fields.require(reader, "action").and_then(|node| action(reader, node, owner));
    let request = fields
        .require(reader, "request")
        .and_then(|node| reader.choice(node, "request", &GroupRequest::NAMES));
    let id = fields.require(reader, "messageID");
    let id_span = id.map_or(node.span, |node| node.span);
    let message_id = id.and_then(|node| reader.non_empty(node, "messageID"));
    let message = fields.get("message").map(|node| message(reader, node)).unwrap_or_default();
    let role = fields.get("role").and_then(|node| reader.string(node, "role"));
    if role.is_some() && !matches!(request, None | Some(GroupRequest::WaitAll)) {
        let span = fields.key_span("role").unwrap_or(fields.span);
        let message = "`role` has an effect for `lava-wait-all` only";
        reader.report(Diagnostic::warning(Code::IgnoredKey, span, message));
    }
    let timeout = limit(reader, &fields, "the request");
    fields.finish(reader);
    Some(ProtocolCall {
        action: action?,
        request: request?,
        message_id: message_id?,
        message,
        role,
        timeout: timeout.unwrap_or_else(|| otherwise.clone()),
        place: reader.place(node.span),
        id_span,
        span: node.span,
    })
}

/// `message`: keys, and the value of each.
fn message(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, String)> {
    if let Value::Mapping(entries) = &node.value {
        for (key, _) in entries.iter().filter(|(_, value)| value.value == Value::Null) {
            let message = format!("`{}` of `message` has no value", key.name);
            reader.report(Diagnostic::error(Code::EmptyValue, key.span, message));
        }
    }
    reader.pairs(node, "message")
}

/// The action of LAVA's that makes a request: one that a block of the kind `owner` has. LAVA never makes the others,
/// which are noted.
fn action(reader: &mut Reader<'_>, node: &Node, owner: Owner) -> Option<String> {
    let name = reader.non_empty(node, "action")?;
    if part::callers(owner).any(|caller| caller == name) {
        return Some(name);
    }
    let message = format!("{} has no action `{name}`: the request would never be made", owner.name());
    let help = did_you_mean(&name, part::callers(owner))
        .unwrap_or_else(|| format!("one that it has is `{}`", owner.usual_caller()));
    reader.report(Diagnostic::error(Code::UnknownCaller, node.span, message).with_help(help));
    Some(name)
}
