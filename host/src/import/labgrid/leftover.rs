//! Why the rest of an environment file is not carried over.

use crate::import::findings::Findings;
use crate::import::keys::{Item, Keys};

/// Notes what was not taken of `target`.
pub(super) fn leave_of_target(target: &Item<'_>, keys: &Keys<'_>, findings: &mut Findings) {
    let begin = target.path();
    for item in keys.left().iter().filter(|item| item.path().starts_with(&begin)) {
        keys.mark(item);
        for part in parts(item, begin.len()) {
            findings.leave(&part, of_target(&part, begin.len()));
        }
    }
}

/// `item` of a target, whose own path has `begin` keys; if it is a list of resources or drivers, or an element of one: each of
/// those.
fn parts<'n>(item: &Item<'n>, begin: usize) -> Vec<Item<'n>> {
    let is_group = match item.path().get(begin..).unwrap_or_default() {
        [] | ["resources" | "drivers"] => true,
        ["resources" | "drivers", key] => {
            key.bytes().all(|byte| byte.is_ascii_digit()) && item.get("cls").is_none()
        }
        _ => false,
    };
    match is_group {
        true => item.entries().iter().flat_map(|entry| parts(entry, begin)).collect(),
        false => vec![item.clone()],
    }
}

/// Notes what belongs to no target.
pub(super) fn leave_common(keys: &Keys<'_>, findings: &mut Findings) {
    for item in keys.left() {
        let why = match item.path().first() {
            Some(&"targets") => continue,
            Some(&"options") => "settings of labgrid's own machinery",
            Some(&"features") => "what a board has is in its `tags`",
            Some(&"images" | &"paths") => {
                "files are the job's: `url` of what it deploys, `[[mirror]]` of the bench file"
            }
            Some(&"tools") => "the runner finds programs by `PATH`",
            Some(&"imports") => "the runner has no code of its users",
            _ => "it has no counterpart here",
        };
        findings.leave(&item, why);
    }
}

fn of_target(item: &Item<'_>, begin: usize) -> &'static str {
    let path = item.path();
    let path = path.get(begin..).unwrap_or_default();
    let class = path.iter().skip(1).find(|key| key.starts_with(|c: char| c.is_ascii_uppercase()));
    let class = class.map(|&class| class.to_owned()).or_else(|| item.get("cls")?.text()).unwrap_or_default();
    match (path.first(), class.as_str()) {
        (Some(&"features" | &"options"), _) => "settings of labgrid's own machinery",
        (
            _,
            "SerialDriver" | "ManualPowerDriver" | "NetworkPowerDriver" | "USBPowerDriver"
            | "PDUDaemonDriver",
        ) => "how labgrid drives a resource; the runner has its own way",
        (_, "YKUSHPowerDriver" | "SiSPMPowerDriver" | "TasmotaPowerDriver") => {
            "how labgrid drives a resource; the runner has its own way"
        }
        (_, "SSHDriver") => "each run makes an SSH key of its own, and checks the host's",
        (_, "NetworkService") => "each run makes an SSH key of its own: no password is needed",
        (_, "UBootDriver" | "ShellDriver") => "the runner does not do this",
        (_, "RawSerialPort" | "NetworkSerialPort" | "USBSerialPort") => {
            "the runner does not do this with a serial port"
        }
        (_, class) if class.ends_with("Provider") || class.ends_with("ProviderDriver") => {
            "the runner serves TFTP and NFS itself"
        }
        (_, "BareboxDriver" | "SmallUBootDriver" | "GRUBDriver") => {
            "another boot loader, or another way to speak to one: the runner boots by U-Boot"
        }
        (_, class) if class.ends_with("Strategy") => {
            "strategies are programs; here the job says what is done"
        }
        _ => "it has no counterpart here",
    }
}
