//! Lists of U-Boot commands: carried over as they are, with what the runner makes of them.

use std::sync::LazyLock;

use regex::Regex;

use super::uboot::{METHOD, Reader};
use crate::action::UBOOT_LINE_LIMIT;
use crate::board::UbootSettings;
use crate::diagnostic::Code;
use crate::import::draft;
use crate::import::keys::{Item, Keys};
use crate::job::placeholder;

static CONSOLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\bconsole=(?<device>tty[A-Za-z]+[0-9]+)(?:,(?<baud>[0-9]+))?")
        .expect("a constant pattern is valid")
});

/// Reads all lists of commands.
pub(super) fn read(reader: &mut Reader<'_, '_>) {
    for method in lists(reader.keys) {
        let Some(list) = method.get("commands") else { continue };
        let name = method.key().to_owned();
        reader.keys.mark(&list);
        let commands: Option<Vec<_>> = list.entries().iter().map(Item::text).collect();
        let Some(commands) = commands.filter(|commands| !commands.is_empty()) else {
            reader.findings.leave(&list, "it is no list of commands");
            continue;
        };
        let comment = format!("{}{}", list.origin(), remarks(reader, &list, &commands));
        reader.set(&["uboot", "commands", &name], draft::list(&commands, true), &comment);
    }
    if let Some(base) = reader.scope.base.and_then(|base| base.uboot.clone()) {
        add_to_lists_of(reader, &base);
    }
}

/// The parts of the method that may have commands.
fn lists<'n>(keys: &Keys<'n>) -> Vec<Item<'n>> {
    keys.look(&METHOD).map(|method| method.entries()).unwrap_or_default()
}

/// What is different when the runner types `commands`, for a comment; what needs a look is reported as well.
fn remarks(reader: &mut Reader<'_, '_>, list: &Item<'_>, commands: &[String]) -> String {
    let mut remarks = String::new();
    let names = || commands.iter().flat_map(|command| placeholder::names(command));
    let mut never: Vec<_> = names().filter(|name| placeholder::is_never_given(name)).collect();
    never.sort_unstable();
    never.dedup();
    if !never.is_empty() {
        remarks += &format!(
            "\nLines with {{{}}} are left out: nothing has a value for that here.",
            never.join("}, {")
        );
    }
    for name in names().filter(|name| !placeholder::is_known(name)) {
        let message = format!("nothing replaces `{{{name}}}` in the commands `{}`", list_name(list));
        reader.findings.warn(
            Code::ImportCheck,
            list.span,
            message,
            "a job that asks for this list is refused",
        );
    }
    let uses = |name: &str| names().any(|placeholder| placeholder == name);
    let tells_size =
        reader.added_header().is_some() || commands.iter().any(|command| command.contains("initrd_size"));
    if uses("RAMDISK") && uses("BOOTX") && !tells_size {
        let message =
            format!("the commands `{}` load a RAM disk and do not set `initrd_size`", list_name(list));
        let help = "the size of a RAM disk without U-Boot's header is not known to U-Boot: add `setenv initrd_size \
                    ${filesize}` behind the line that loads it, or `ramdisk_header = true`";
        reader.findings.warn(Code::ImportCheck, list.span, message, help);
        remarks += "\nAdd `setenv initrd_size ${filesize}` behind the line that loads the RAM disk.";
    }
    if uses("NFSROOTFS") && !uses("NFS_PORT") {
        let message = format!("the commands `{}` leave it to the port mapper where NFS is", list_name(list));
        let help = "the runner has one on port 111 if it may and nobody else does; to do without, add \
                    `vers=3,nolock,port={NFS_PORT},mountport={NFS_PORT}` to `nfsroot=…`";
        reader.findings.warn(Code::ImportCheck, list.span, message, help);
    }
    if let Some(long) = commands.iter().find(|command| command.len() > UBOOT_LINE_LIMIT) {
        let message = format!("a command of `{}` has {} characters", list_name(list), long.len());
        reader.findings.warn(
            Code::ImportCheck,
            list.span,
            message,
            "lines of up to 511 are typed; put it into several variables",
        );
    }
    remarks
}

/// The name of the list: `nfs` of `….u-boot.nfs.commands`.
fn list_name<'i>(list: &'i Item<'_>) -> &'i str {
    list.path().iter().rev().nth(1).copied().unwrap_or_default()
}

/// Puts the kernel arguments and the hardware address of a Jinja2 file into the lists of a built-in board type, as LAVA's
/// templates put them into theirs.
fn add_to_lists_of(reader: &mut Reader<'_, '_>, base: &UbootSettings) {
    let arguments = reader.keys.take(&["extra_kernel_args"]);
    let is_set = reader.keys.take(&["uboot_set_mac"]).and_then(|item| item.is_true()).unwrap_or(false);
    let mac = reader.keys.take(&["uboot_mac_addr"]);
    if let Some(mac) = mac.as_ref().filter(|_| !is_set) {
        reader.findings.leave(mac, "U-Boot gets it where `uboot_set_mac` is true");
    }
    let mac = mac.filter(|_| is_set).and_then(|item| Some((item.non_empty()?, item)));
    let arguments = arguments.and_then(|item| Some((item.non_empty()?, item)));
    let items = arguments.iter().chain(&mac).map(|(_, item)| item.origin());
    let comment = items.collect::<Vec<_>>().join("; ");
    if comment.is_empty() {
        return;
    }
    for (name, commands) in &base.commands {
        let with_arguments = |command: &String| match (&arguments, command.strip_suffix('\'')) {
            (Some((arguments, _)), Some(head)) if head.starts_with("setenv bootargs '") => {
                format!("{head} {arguments}'")
            }
            _ => command.clone(),
        };
        let mac = mac.iter().map(|(mac, _)| format!("setenv ethaddr {mac}"));
        let commands: Vec<_> = mac.chain(commands.iter().map(with_arguments)).collect();
        reader.set(&["uboot", "commands", name], draft::list(&commands, true), &comment);
    }
}

/// Device and speed of the console in the first kernel command line that names one, and where that is.
pub(super) fn console_of(keys: &Keys<'_>) -> Option<(String, u32, String)> {
    lists(keys).iter().filter_map(|method| method.get("commands")).find_map(|list| {
        let command = list
            .entries()
            .into_iter()
            .find(|command| command.text().is_some_and(|text| CONSOLE.is_match(&text)))?;
        let text = command.text()?;
        let found = CONSOLE.captures(&text)?;
        let baud = found.name("baud").and_then(|baud| baud.as_str().parse().ok()).unwrap_or(115_200);
        Some((found["device"].to_owned(), baud, format!("line {}, console=", command.line())))
    })
}
