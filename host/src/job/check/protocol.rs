//! `protocols: lava-multinode`: the group, and the requests that action blocks make of it.

use crate::diagnostic::Diagnostic;
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{GroupRequest, ProtocolCall};
use crate::limit::Limit;

const REQUESTS: [(&str, GroupRequest); 4] = [
    ("lava-send", GroupRequest::Send),
    ("lava-wait", GroupRequest::Wait),
    ("lava-wait-all", GroupRequest::WaitAll),
    ("lava-sync", GroupRequest::Sync),
];

/// Parts of an SSH deployment at which a request can be made.
const CALLERS: [(&str, ()); 2] = [("prepare-scp-overlay", ()), ("scp-overlay", ())];

/// The top level's `protocols: lava-multinode`.
#[derive(Debug)]
pub(crate) struct Multinode<'n> {
    /// `roles`.
    pub(crate) roles: &'n Node,
    /// `timeout`: of every helper's wait; wins over the roles' own.
    pub(crate) timeout: Option<Limit>,
}

/// Reads the top level's `protocols`; `None` for a job without a group.
pub(crate) fn multinode<'n>(reader: &mut Reader<'_>, top: &Fields<'n>) -> Option<Multinode<'n>> {
    let node = lava_multinode(reader, top)?;
    let fields = reader.fields(node, "lava-multinode")?;
    let timeout = limit(reader, &fields, "lava-multinode");
    let roles = fields.require(reader, "roles");
    fields.finish(reader);
    Some(Multinode { roles: roles?, timeout })
}

/// Reads the requests of an action block. One without a time of its own may wait for `limit`.
pub(crate) fn calls(reader: &mut Reader<'_>, block: &Fields<'_>, limit: &Limit) -> Vec<ProtocolCall> {
    let Some(node) = lava_multinode(reader, block) else { return Vec::new() };
    if !matches!(node.value, Value::Sequence(_)) {
        let problem = reader.wrong_type(node, "lava-multinode", "a list of requests");
        reader.report(problem.with_help("begin each request with `- action:`"));
        return Vec::new();
    }
    reader.list(node, |reader, item| call(reader, item, limit))
}

/// `timeout` of `what`.
pub(super) fn limit(reader: &mut Reader<'_>, fields: &Fields<'_>, what: &str) -> Option<Limit> {
    let duration = fields.get("timeout").and_then(|node| reader.duration(node, "timeout"))?;
    let place = reader.place(fields.key_span("timeout").unwrap_or(fields.span));
    Some(Limit::new(duration, format!("`timeout` of {what}, {place}")))
}

/// Refuses the requests of a block that cannot make any.
pub(crate) fn refuse_calls(reader: &mut Reader<'_>, block: &Fields<'_>) {
    if let Some(node) = block.get("protocols") {
        let message = format!("`protocols` of `{}` is not supported", block.what);
        let help = "requests to the group can be made in `deploy: to: ssh`, and by test steps";
        reader.report(Diagnostic::error("unsupported-key", node.span, message).with_help(help));
    }
}

fn lava_multinode<'n>(reader: &mut Reader<'_>, parent: &Fields<'n>) -> Option<&'n Node> {
    let fields = reader.fields(parent.get("protocols")?, "protocols")?;
    fields.refuse(reader, &["lava-lxc", "lava-xnbd", "lava-vland"]);
    let node = fields.get("lava-multinode");
    if fields.get("timeout").is_some() {
        let span = fields.key_span("timeout").unwrap_or(fields.span);
        let message = "`timeout` beside `lava-multinode` belongs to no request and has no effect";
        let help = "move it into the list entry, to the column of `action:`";
        reader.report(Diagnostic::warning("misplaced-timeout", span, message).with_help(help));
    }
    fields.finish(reader);
    node
}

fn call(reader: &mut Reader<'_>, node: &Node, otherwise: &Limit) -> Option<ProtocolCall> {
    let fields = reader.fields(node, "lava-multinode")?;
    let action = fields.require(reader, "action").and_then(|node| {
        reader.choice(node, "action", &CALLERS)?;
        reader.string(node, "action")
    });
    let request =
        fields.require(reader, "request").and_then(|node| reader.choice(node, "request", &REQUESTS));
    let message_id = fields.require(reader, "messageID").and_then(|node| reader.non_empty(node, "messageID"));
    let message = fields.get("message").map(|node| reader.pairs(node, "message")).unwrap_or_default();
    let role = fields.get("role").and_then(|node| reader.string(node, "role"));
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
    })
}
