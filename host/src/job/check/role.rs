//! Roles of a group, or the one node of a job without.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::context;
use super::protocol::{self, Multinode};
use super::timeout;
use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean, nearest};
use crate::document::{Fields, Key, Node, Reader, Value};
use crate::job::model::{Context, DelayedStart, Located, Role, RoleKind};
use crate::limit::Limit;

/// Name of the role of a job without roles.
const ONLY_ROLE: &str = "board";

/// Most nodes of one role.
pub(crate) const MAX_COUNT: u32 = 100;

/// Most places of one name that are told.
const MAX_PLACES: usize = 5;

/// The roles of a job.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    /// Those without errors.
    pub(crate) checked: Vec<Role>,
    /// Names of all that are declared, errors or not.
    declared: Vec<Located<String>>,
    form: Form,
    named: RefCell<Named>,
}

/// The roles that are named by actions and by other roles.
#[derive(Debug, Default)]
struct Named {
    known: BTreeSet<String>,
    /// What is no role: the names, and where and by which key each is named.
    unknown: BTreeMap<String, Vec<(Span, &'static str)>>,
}

/// What a job is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// One board: blocks name no role.
    Single,
    /// A group: blocks name their roles.
    Group,
    /// Neither is written, or not so that it can be read.
    #[default]
    Unknown,
}

impl Roles {
    /// Whether all that are declared are there.
    pub(crate) fn is_complete(&self) -> bool {
        !self.checked.is_empty() && self.checked.len() == self.declared.len()
    }

    /// Whether no role is called `name`; never if the table of roles itself could not be read.
    fn is_unknown(&self, name: &str) -> bool {
        !self.declared.is_empty() && self.names().all(|declared| declared != name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(|declared| declared.value.as_str())
    }

    /// Takes note that `key` names `name`; whether it is a role.
    fn name(&self, name: &str, span: Span, key: &'static str) -> bool {
        let is_known = !self.is_unknown(name);
        let mut named = self.named.borrow_mut();
        if is_known {
            named.known.insert(name.to_owned());
        } else {
            named.unknown.entry(name.to_owned()).or_default().push((span, key));
        }
        is_known
    }

    /// Notes each name that is no role: at the role that was meant, if nothing names that, or else where it is named.
    pub(crate) fn report_unknown(&self, reader: &mut Reader<'_>) {
        let Named { known, unknown } = &*self.named.borrow();
        for (name, places) in unknown {
            let Some((&(first, key), others)) = places.split_first() else { continue };
            let idle = || self.declared.iter().filter(|declared| !known.contains(&declared.value));
            let meant = nearest(name, idle().map(|declared| declared.value.as_str()));
            let misspelt = idle().find(|declared| Some(declared.value.as_str()) == meant);
            let (problem, others) = match misspelt.filter(|_| !others.is_empty()) {
                Some(Located { value, span }) => {
                    let message = format!(
                        "nothing names the role `{value}`, and {} places name a role `{name}`",
                        places.len()
                    );
                    let problem = Diagnostic::error(Code::UnknownRole, *span, message);
                    (problem.with_help(format!("did you mean `{name}`?")), places.as_slice())
                }
                None => {
                    let message = format!("`{key}` names no role of this job: `{name}`");
                    let help = did_you_mean(name, self.names());
                    let problem = Diagnostic::error(Code::UnknownRole, first, message);
                    (problem.with_optional_help(help), others)
                }
            };
            let label = |problem: Diagnostic, (span, _): &(Span, _)| problem.with_label(*span, "named here");
            reader.report(others.iter().take(MAX_PLACES).fold(problem, label));
        }
    }
}

/// Reads the roles, or makes the only one from `device_type`.
pub(crate) fn read(reader: &mut Reader<'_>, top: &Fields<'_>, multinode: Option<&Multinode<'_>>) -> Roles {
    let device_type = top.get("device_type");
    let Some(multinode) = multinode else {
        // A group whose table could not be read was reported already.
        if top.key_span("protocols").is_some() && device_type.is_none() {
            return Roles::default();
        }
        let Some(role) = only_role(reader, top) else { return Roles::default() };
        return Roles {
            declared: vec![role.name.clone()],
            checked: vec![role],
            form: Form::Single,
            ..Roles::default()
        };
    };
    if let Some(node) = device_type {
        let message = "`device_type` at the top level and `roles` exclude each other";
        let help = "give each role its `device_type`";
        reader.report(Diagnostic::error(Code::DeviceTypeAndRoles, node.span, message).with_help(help));
    }
    let roles = all_roles(reader, multinode);
    for role in &roles.checked {
        check_references(reader, role, &roles);
    }
    roles
}

fn only_role(reader: &mut Reader<'_>, top: &Fields<'_>) -> Option<Role> {
    let node = top.require(reader, "device_type")?;
    let device_type = located(reader, node, "device_type")?;
    Some(Role {
        name: Located { value: ONLY_ROLE.to_owned(), span: device_type.span },
        kind: RoleKind::Device { device_type },
        count: 1,
        delayed_start: None,
        group_timeout: timeout::default_limit(),
        environment: Vec::new(),
        context: Context::default(),
        essential: false,
        tags: Vec::new(),
    })
}

/// The `context` of each role that has one.
pub(crate) fn contexts<'n>(multinode: Option<&Multinode<'n>>) -> impl Iterator<Item = &'n Node> + use<'n> {
    let entries = |node: &'n Node| match &node.value {
        Value::Mapping(entries) => entries.as_slice(),
        _ => &[],
    };
    let roles = multinode.map(|multinode| entries(multinode.roles)).unwrap_or_default();
    let of_role =
        move |(_, role): &'n (Key, Node)| entries(role).iter().find(|(key, _)| key.name == "context");
    roles.iter().filter_map(of_role).map(|(_, context)| context)
}

fn all_roles(reader: &mut Reader<'_>, multinode: &Multinode<'_>) -> Roles {
    let mut roles = Roles { form: Form::Group, ..Roles::default() };
    let Some(fields) = reader.fields(multinode.roles, "roles") else { return roles };
    for (name, node) in fields.rest() {
        let span = fields.key_span(name).unwrap_or(fields.span);
        reader.check_name(name, span, "role");
        let name = Located { value: name.to_owned(), span };
        roles.declared.push(name.clone());
        roles.checked.extend(role(reader, name, node, multinode.timeout.clone()));
    }
    if fields.rest().next().is_none() {
        reader.report(Diagnostic::error(Code::NoRoles, fields.span, "`roles` names no role"));
    }
    roles
}

fn role(
    reader: &mut Reader<'_>,
    name: Located<String>,
    node: &Node,
    group_timeout: Option<Limit>,
) -> Option<Role> {
    let fields = reader.fields(node, &name.value)?;
    // For LAVA's scheduler, as at the top level.
    fields.accept(&["device", "worker"]);
    let context = fields.get("context").map(|node| context::read(reader, node)).unwrap_or_default();
    let tags = fields.get("tags").map(|node| tags(reader, node)).unwrap_or_default();
    let count = fields.get("count").map_or(Some(1), |node| reader.integer(node, "count", 1, MAX_COUNT));
    let own_timeout = protocol::limit(reader, &fields, &format!("role `{}`", name.value));
    let kind = kind(reader, &fields);
    let delayed_start = delayed_start(reader, &fields, own_timeout.clone());
    let environment = fields.get("environment").map(|node| reader.variables(node, "environment"));
    let essential = fields.get("essential").and_then(|node| reader.boolean(node, "essential"));
    fields.finish(reader);
    Some(Role {
        name,
        kind: kind?,
        count: count?,
        delayed_start,
        group_timeout: group_timeout.or(own_timeout).unwrap_or_else(timeout::default_limit),
        environment: environment.unwrap_or_default(),
        context,
        essential: essential.unwrap_or(false),
        tags,
    })
}

/// `tags`: words that a board must have.
pub(crate) fn tags(reader: &mut Reader<'_>, node: &Node) -> Vec<Located<String>> {
    reader.list(node, |reader, item| located(reader, item, "tags"))
}

fn kind(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<RoleKind> {
    let device_type = fields.get_misspelt(reader, "device_type");
    let host_role = fields.get_misspelt(reader, "host_role");
    if let Some(node) = fields.get("connection") {
        reader.choice(node, "connection", &[("ssh", ())])?;
    }
    match (device_type, host_role) {
        (Some(node), None) => Some(RoleKind::Device { device_type: located(reader, node, "device_type")? }),
        (None, Some(node)) => Some(RoleKind::Connection { host_role: located(reader, node, "host_role")? }),
        (Some(_), Some(node)) => {
            let message = format!("role `{}` has both `device_type` and `host_role`", fields.what);
            let help = "a role runs either on a board of its own or on a connection to another role's board";
            reader.report(Diagnostic::error(Code::DeviceTypeAndHostRole, node.span, message).with_help(help));
            None
        }
        (None, None) => {
            if let Some(key) = ["device_type", "host_role"].into_iter().find(|key| fields.is_written(key)) {
                fields.require(reader, key);
                return None;
            }
            let message = format!("role `{}` has neither `device_type` nor `host_role`", fields.what);
            let help = "give it a `device_type`, or `connection: ssh` and the `host_role` to connect to";
            reader.report(Diagnostic::error(Code::MissingKey, fields.span, message).with_help(help));
            None
        }
    }
}

/// `request: lava-start` with its `expect_role`.
fn delayed_start(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    timeout: Option<Limit>,
) -> Option<DelayedStart> {
    let request = fields.get_misspelt(reader, "request");
    let expected = fields.get_misspelt(reader, "expect_role");
    let Some(request) = request else {
        if let Some(node) = expected.filter(|_| !fields.is_written("request")) {
            let message = "`expect_role` without `request: lava-start` has no effect";
            reader.report(Diagnostic::warning(Code::IgnoredKey, node.span, message));
        }
        return None;
    };
    reader.choice(request, "request", &[("lava-start", ())])?;
    let expect_role = match expected {
        Some(node) => node,
        None => fields.require(reader, "expect_role")?,
    };
    let expect_role = located(reader, expect_role, "expect_role")?;
    Some(DelayedStart { expect_role, timeout: timeout.unwrap_or_else(timeout::default_limit) })
}

fn check_references(reader: &mut Reader<'_>, role: &Role, roles: &Roles) {
    if let Some(delayed) = &role.delayed_start {
        check_reference(
            reader,
            role,
            roles,
            "expect_role",
            &delayed.expect_role.value,
            delayed.expect_role.span,
        );
    }
    let RoleKind::Connection { host_role } = &role.kind else { return };
    if !check_reference(reader, role, roles, "host_role", &host_role.value, host_role.span) {
        return;
    }
    let Some(host) = roles.checked.iter().find(|other| other.name.value == host_role.value) else { return };
    let problem = if host.count != 1 {
        format!("`host_role` needs a role with one node, and `{}` has {}", host.name.value, host.count)
    } else if matches!(host.kind, RoleKind::Connection { .. }) {
        format!("`host_role` needs a role with a board, and `{}` is a connection itself", host.name.value)
    } else {
        return;
    };
    reader.report(
        Diagnostic::error(Code::HostRole, host_role.span, problem).with_label(host.name.span, "that role"),
    );
}

/// Whether `target` is another role; notes it if not.
fn check_reference(
    reader: &mut Reader<'_>,
    role: &Role,
    roles: &Roles,
    key: &'static str,
    target: &str,
    span: Span,
) -> bool {
    if target == role.name.value {
        let message = format!("`{key}` of role `{target}` names the role itself");
        reader.report(Diagnostic::error(Code::OwnRole, span, message));
        return false;
    }
    roles.name(target, span, key)
}

/// Reads an action block's `role`: a name or a list of names. Without it, all roles, which is right only for a job
/// that has none of its own.
pub(crate) fn of_block(reader: &mut Reader<'_>, block: &Fields<'_>, roles: &Roles) -> Vec<String> {
    let Some(node) = block.get_misspelt(reader, "role") else {
        if roles.form == Form::Group {
            let message = format!("`{}` needs `role`: every action of a job with roles does", block.what);
            reader.report(Diagnostic::error(Code::MissingKey, block.span, message));
            return Vec::new();
        }
        return roles.names().map(str::to_owned).collect();
    };
    if roles.form == Form::Single {
        let message = "`role` needs roles in `protocols: lava-multinode`, and this job has none";
        reader.report(Diagnostic::error(Code::UnknownRole, node.span, message));
        return Vec::new();
    }
    let items: Vec<&Node> = match &node.value {
        Value::Sequence(items) => items.iter().collect(),
        _ => vec![node],
    };
    if items.is_empty() && !roles.declared.is_empty() {
        let message = format!("`role` of `{}` is empty: nobody would do it", block.what);
        reader.report(Diagnostic::error(Code::EmptyValue, node.span, message));
    }
    let mut names = Vec::new();
    for item in items {
        let Some(name) = reader.string(item, "role") else { continue };
        if !roles.name(&name, item.span, "role") {
            // The block is taken for that of the role that was meant, so that the others are told what is true of them.
            names.extend(nearest(&name, roles.names()).map(str::to_owned));
        } else if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn located(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Located<String>> {
    Some(Located { value: reader.non_empty(node, what)?, span: node.span })
}
