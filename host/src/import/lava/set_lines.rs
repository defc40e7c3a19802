//! A device's Jinja2 file without the templates that it extends: what its `set` lines say, as far as that is known.
//!
//! The values get the places in the device dictionary that LAVA's templates give them, so that all that follows is the
//! same for both.

use std::sync::LazyLock;

use minijinja::Value as Jinja;
use minijinja::value::ValueKind;
use regex::Regex;

use super::template::{Problem, Templates, run};
use crate::diagnostic::{Source, Span};
use crate::document::{Key, Node, Value};

/// Deepest nesting of lists and mappings.
const MAX_DEPTH: usize = 8;

/// Below this key are variables whose meaning only LAVA's template knows.
pub(super) const UNKNOWN: &str = "set";

/// Variables of LAVA's templates, and where their values go.
const PLACES: [(&str, &[&str]); 40] = [
    ("baud_rate", &["baud_rate"]),
    ("boot_character_delay", &["character_delays", "boot"]),
    ("bootloader_prompt", &["actions", "boot", "methods", "u-boot", "parameters", "bootloader_prompt"]),
    ("connection_command", &["commands", "connect"]),
    ("console_device", &["console_device"]),
    ("device_info", &["device_info"]),
    ("device_ip", &["parameters", "interfaces", "target", "ip"]),
    ("device_mac", &["parameters", "interfaces", "target", "mac"]),
    ("environment", &["environment"]),
    ("extra_kernel_args", &["extra_kernel_args"]),
    ("hard_reset_command", &["commands", "hard_reset"]),
    ("interrupt_char", &["actions", "boot", "methods", "u-boot", "parameters", "interrupt_char"]),
    ("interrupt_ctrl_list", &["constants", "u-boot", "interrupt_ctrl_list"]),
    ("interrupt_prompt", &["actions", "boot", "methods", "u-boot", "parameters", "interrupt_prompt"]),
    ("kernel_start_message", &["constants", "kernel-start-message"]),
    ("power_off_command", &["commands", "power_off"]),
    ("power_on_command", &["commands", "power_on"]),
    ("pre_os_command", &["commands", "pre_os_command"]),
    ("pre_power_command", &["commands", "pre_power_command"]),
    ("sata_uuid", &["parameters", "media", "sata", "uuid"]),
    ("sd_uuid", &["parameters", "media", "sd", "uuid"]),
    ("shutdown_message", &["constants", "shutdown-message"]),
    ("soft_reboot_command", &["commands", "soft_reboot"]),
    ("soft_reset_command", &["commands", "soft_reset"]),
    ("ssh_host", &["actions", "deploy", "methods", "ssh", "host"]),
    ("ssh_identity_file", &["actions", "deploy", "methods", "ssh", "identity_file"]),
    ("ssh_port", &["actions", "deploy", "methods", "ssh", "port"]),
    ("ssh_user", &["actions", "deploy", "methods", "ssh", "user"]),
    ("static_info", &["static_info"]),
    ("storage_info", &["storage_info"]),
    ("test_character_delay", &["character_delays", "test"]),
    ("uboot_autoboot_prompt", &["constants", "u-boot", "interrupt-prompt"]),
    ("uboot_final_message", &["constants", "u-boot", "final-message"]),
    ("uboot_interrupt_character", &["constants", "u-boot", "interrupt-character"]),
    ("uboot_interrupt_newline", &["constants", "u-boot", "interrupt-newline"]),
    ("uboot_mac_addr", &["uboot_mac_addr"]),
    ("uboot_needs_interrupt", &["actions", "boot", "methods", "u-boot", "parameters", "needs_interrupt"]),
    ("uboot_set_mac", &["uboot_set_mac"]),
    ("usb_uuid", &["parameters", "media", "usb", "uuid"]),
    ("user_commands", &["commands", "users"]),
];

static SET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{%[-+]?\s*set\s+(?<name>\w+)\s*(=|[-+]?%\})").expect("a constant pattern is valid")
});

static EXTENDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\{%[-+]?\s*extends\s+['"](?<name>[^'"]+?)(\.jinja2)?['"]"#)
        .expect("a constant pattern is valid")
});

/// The device type that `source` extends, and the place of its name.
pub(super) fn device_type(source: &Source) -> Option<(String, Span)> {
    let name = EXTENDS.captures(&source.text)?.name("name")?;
    Some((name.as_str().to_owned(), Span { offset: name.start(), len: name.len() }))
}

/// The device dictionary as far as the `set` lines of `source` say it.
///
/// # Errors
/// It is no template.
pub(super) fn read(source: &Source) -> Result<Node, Box<Problem>> {
    let written = variables(source);
    let (names, values) = run(source, &Templates::Nowhere, |captured| {
        let state = captured.state();
        // Those that one tag sets together, `{% set a, b = … %}`, have no place of their own.
        let more = state.exports().into_iter().filter(|name| written.iter().all(|(known, _)| known != name));
        let more: Vec<_> = more.map(|name| (name.to_owned(), Span::default())).collect();
        let names = [written.as_slice(), &more].concat();
        let values: Vec<Option<Jinja>> = names.iter().map(|(name, _)| state.lookup(name)).collect();
        (names, values)
    })?;
    let mut root = mapping(Vec::new());
    let value_of = |wanted: &str| {
        let named = names.iter().zip(&values).find(|((name, _), _)| name == wanted)?;
        Some((named.0.1, named.1.as_ref()?))
    };
    for ((name, span), value) in names.iter().zip(&values) {
        let Some(value) = value else { continue };
        let place = PLACES.iter().find(|(variable, _)| variable == name).map(|(_, place)| *place);
        match (name.as_str(), place) {
            ("connection_list", _) => {
                let connections = connections(value, *span, &value_of);
                insert(&mut root, &["commands", "connections"], connections, *span);
            }
            ("connection_commands" | "connection_tags", _) => {}
            (_, Some(place)) => insert(&mut root, place, node(value, *span, 0), *span),
            (name, None) => insert(&mut root, &[UNKNOWN, name], node(value, *span, 0), *span),
        }
    }
    Ok(root)
}

/// The variables that are set, each with the place of its last `set`.
fn variables(source: &Source) -> Vec<(String, Span)> {
    let mut variables: Vec<(String, Span)> = Vec::new();
    for name in SET.captures_iter(&source.text).filter_map(|set| set.name("name")) {
        let span = Span { offset: name.start(), len: name.len() };
        variables.retain(|(known, _)| known != name.as_str());
        variables.push((name.as_str().to_owned(), span));
    }
    variables
}

/// `connections` of the device dictionary: each connection of the list with its command and tags.
fn connections<'v>(list: &Jinja, span: Span, value_of: &impl Fn(&str) -> Option<(Span, &'v Jinja)>) -> Node {
    let part = |variable: &str, connection: &Jinja| {
        let (span, value) = value_of(variable)?;
        let value = value.get_item(connection).ok().filter(|value| !value.is_undefined())?;
        Some(node(&value, span, 0))
    };
    let mut entries = Vec::new();
    for connection in list.try_iter().into_iter().flatten() {
        let connect = part("connection_commands", &connection).map(|node| (key("connect", node.span), node));
        let tags = part("connection_tags", &connection).map(|node| (key("tags", node.span), node));
        let span = connect.as_ref().map_or(span, |(key, _)| key.span);
        let value = mapping(connect.into_iter().chain(tags).collect());
        entries.push((key(&connection.to_string(), span), Node { span, ..value }));
    }
    Node { span, ..mapping(entries) }
}

/// A value of a template as one of a document.
fn node(value: &Jinja, span: Span, depth: usize) -> Node {
    let deeper = |value: &Jinja| node(value, span, depth + 1);
    let value = match value.kind() {
        _ if depth > MAX_DEPTH => Value::Null,
        ValueKind::Undefined | ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number => {
            i128::try_from(value.clone()).map_or_else(|_| Value::Text(value.to_string()), Value::Integer)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            Value::Sequence(value.try_iter().into_iter().flatten().map(|item| deeper(&item)).collect())
        }
        ValueKind::Map => {
            let keys = value.try_iter().into_iter().flatten();
            let entry =
                |name: Jinja| Some((key(&name.to_string(), span), deeper(&value.get_item(&name).ok()?)));
            Value::Mapping(keys.filter_map(entry).collect())
        }
        _ => Value::Text(value.to_string()),
    };
    Node { value, span }
}

fn key(name: &str, span: Span) -> Key {
    Key { name: name.to_owned(), span }
}

fn mapping(entries: Vec<(Key, Node)>) -> Node {
    Node { value: Value::Mapping(entries), span: Span::default() }
}

/// Puts `node` at `path` below `root`, in mappings that are made where they are missing.
fn insert(root: &mut Node, path: &[&str], node: Node, span: Span) {
    let Some((name, rest)) = path.split_first() else {
        *root = node;
        return;
    };
    let Value::Mapping(entries) = &mut root.value else { return };
    let index = entries.iter().position(|(key, _)| key.name == *name).unwrap_or_else(|| {
        entries.push((key(name, span), Node { span, ..mapping(Vec::new()) }));
        entries.len() - 1
    });
    if let Some((_, child)) = entries.get_mut(index) {
        insert(child, rest, node, span);
    }
}
