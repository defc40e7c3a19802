//! Placeholders in U-Boot commands, such as `{KERNEL_ADDR}`: their names, and where they are in a command.

/// Every placeholder that LAVA or this program knows. A line with one that has no value is left out.
pub(crate) const PLACEHOLDERS: [&str; 32] = [
    "APPLY_DTBO_COMMANDS",
    "BOARD_IP",
    "BOOTX",
    "CONSOLE",
    "DTB",
    "DTBO_ADDR",
    "DTB_ADDR",
    "DTB_BASE_ADDR",
    "DTB_BASE_RESIZE",
    "EXTRA_FILES_DIR",
    "EXTRA_KERNEL_ARGS",
    "EXTRA_NFSROOT_ARGS",
    "INITRD",
    "KERNEL",
    "KERNEL_ADDR",
    "LAVA_DISPATCHER_IP",
    "LAVA_JOB_ID",
    "LAVA_MAC",
    "NBDSERVERIP",
    "NBDSERVERPORT",
    "NFSROOTFS",
    "NFS_PORT",
    "NFS_SERVER_IP",
    "PRESEED_CONFIG",
    "PRESEED_LOCAL",
    "RAMDISK",
    "RAMDISK_ADDR",
    "ROOT",
    "ROOT_PART",
    "SERVER_IP",
    "TEE",
    "TEE_ADDR",
];

/// Those of them that never have a value: what they stand for is not supported.
const NEVER_GIVEN: [&str; 5] = ["NBDSERVERIP", "NBDSERVERPORT", "PRESEED_LOCAL", "ROOT", "ROOT_PART"];

/// Whether something may replace the placeholder `name`, or its line is left out. Those of the device tree's overlays have
/// numbers.
pub(crate) fn is_known(name: &str) -> bool {
    let number = name.strip_prefix("DTBO");
    PLACEHOLDERS.contains(&name)
        || number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether lines with the placeholder `name` are always left out.
pub(crate) fn is_never_given(name: &str) -> bool {
    NEVER_GIVEN.contains(&name)
}

/// The placeholders of `command`, in its order.
pub(crate) fn names(command: &str) -> Vec<&str> {
    pieces(command)
        .filter_map(|piece| match piece {
            Piece::Placeholder { name, .. } => Some(name),
            Piece::Text(_) => None,
        })
        .collect()
}

/// The placeholders of `command` that nobody knows.
pub(crate) fn unknown(command: &str) -> Vec<&str> {
    names(command).into_iter().filter(|name| !is_known(name)).collect()
}

/// A piece of a command.
pub(crate) enum Piece<'a> {
    /// Text that stays.
    Text(&'a str),
    /// The name of a placeholder.
    Placeholder {
        /// Its name.
        name: &'a str,
        /// With the brackets.
        written: &'a str,
    },
}

/// Splits a command at its placeholders: `{NAME}`, but not `${NAME}`, which is U-Boot's own variable.
pub(crate) fn pieces(command: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = command;
    let mut pieces = Vec::new();
    let mut searched = 0;
    while let Some(found) = rest.get(searched..).and_then(|text| text.find('{')) {
        let start = searched + found;
        let (before, after) = rest.split_at(start);
        let name = after[1..].split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
        match name {
            Some(name) if !before.ends_with('$') => {
                let (written, behind) = after.split_at(name.len() + 2);
                pieces.extend([Piece::Text(before), Piece::Placeholder { name, written }]);
                rest = behind;
                searched = 0;
            }
            _ => searched = start + 1,
        }
    }
    pieces.push(Piece::Text(rest));
    pieces.into_iter()
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::unknown;

    #[test]
    fn misspelt_placeholders_are_found() {
        assert_eq!(unknown("tftp {KERNEL_ADR} {KERNEL} ${FOO}"), ["KERNEL_ADR"]);
        assert_eq!(unknown("{DTBO12} {DTBO} {DTBOX}"), ["DTBO", "DTBOX"]);
    }
}
