//! `boot` blocks.

use serde_json::{Value, json};

use super::block;
use crate::job::BootImage;
use crate::job::part::Owner;
use crate::schema::shape::{Keys, any_text, boolean, one_of, one_or_list, one_or_some, text, word};

const METHOD: &str = "How the board is booted.";
const NO_EFFECT: &str = "It has no effect here.";
const RESET: &str = "Whether the board is restarted first; without it, U-Boot must be at its prompt.";
const COMMANDS: &str = "The name of a list of the board type, such as `nfs`, or the commands themselves.";

pub(super) fn schema() -> Value {
    one_of([uboot(), bootloader(), minimal(), new_connection(), ssh()])
}

fn uboot() -> Value {
    let keys = block::common(Keys::new(), Owner::BootUboot)
        .is("method", "u-boot", METHOD)
        .needs("commands", COMMANDS, commands())
        .may("type", "How U-Boot starts the kernel.", word(["bootz", "booti", "bootm"]))
        .may("kernel_type", "What kind of image the kernel is.", word(BootImage::NAMES.map(|(name, _)| name)))
        .idle(&["connection", "use_bootscript"], NO_EFFECT);
    let own = parameters().may("bootloader-final-message", "U-Boot's last words.", text());
    reset(shell(keys, own)).schema()
}

fn bootloader() -> Value {
    let keys = block::common(Keys::new(), Owner::BootBootloader)
        .is("method", "bootloader", METHOD)
        .needs("bootloader", "Which boot loader.", word(["u-boot"]))
        .may("commands", COMMANDS, commands())
        .may("prompts", "What is waited for after them: regular expressions.", prompts())
        .may("parameters", "Messages to look for.", parameters().schema())
        .may("reset_device", RESET, boolean())
        .idle(&["connection", "reset_connection", "use_bootscript"], NO_EFFECT);
    reset(keys).schema()
}

fn minimal() -> Value {
    let keys = block::common(Keys::new(), Owner::BootMinimal)
        .is("method", "minimal", METHOD)
        .idle(&["connection", "pre_power_command", "pre_os_command"], NO_EFFECT);
    reset(shell(keys, parameters())).schema()
}

fn new_connection() -> Value {
    let keys = block::common(Keys::new(), Owner::NewConnection).is("method", "new_connection", METHOD).needs(
        "connection",
        "Its name in the board's `consoles`.",
        text(),
    );
    shell(keys, parameters()).schema()
}

fn ssh() -> Value {
    let keys = block::common(Keys::new(), Owner::BootSsh)
        .is("method", "ssh", METHOD)
        .may("prompts", "Not waited for: the agent has a channel of its own.", prompts())
        .may("parameters", "Where a secondary connection goes; a primary one has none.", address())
        .idle(
            &["connection", "auto_login", "ignore_kernel_messages", "soft_reboot", "transfer_overlay"],
            NO_EFFECT,
        );
    keys.schema()
}

fn address() -> Value {
    let both = Keys::new()
        .may("hostID", "The message whose sender is connected to.", text())
        .may("host_key", "The value of that message that is the address.", text())
        .idle(&["kernel-start-message", "shutdown-message", "bootloader-final-message"], NO_EFFECT);
    let mut address = both.schema();
    address["dependencies"] = json!({ "hostID": ["host_key"], "host_key": ["hostID"] });
    address
}

fn commands() -> Value {
    json!({ "anyOf": [text(), { "type": "array", "items": any_text() }] })
}

fn prompts() -> Value {
    one_or_some(&text())
}

/// Messages that every kind of boot takes.
fn parameters() -> Keys {
    Keys::new()
        .may("kernel-start-message", "The kernel's first words.", text())
        .may("shutdown-message", "What Linux says when it restarts.", text())
        .idle(&["bootloader-final-message"], NO_EFFECT)
}

/// How a shell is reached.
fn shell(keys: Keys, parameters: Keys) -> Keys {
    keys.may("prompts", "The shell's prompts: regular expressions.", prompts())
        .may("auto_login", "How to log in.", auto_login())
        .may("failure_message", "What means that the boot has failed: a regular expression.", text())
        .may("ignore_kernel_messages", "Whether a kernel that panics is no failure.", boolean())
        .may("parameters", "Messages to look for.", parameters.schema())
        .may(
            "transfer_overlay",
            "How the board fetches the tests; without it they come over the console.",
            transfer_overlay(),
        )
}

fn auto_login() -> Value {
    let keys = Keys::new()
        .needs("login_prompt", "A regular expression.", text())
        .needs("username", "What is typed at it.", any_text())
        .may("password_prompt", "A regular expression.", text())
        .may("password", "What is typed at it.", any_text())
        .may("login_commands", "What is typed at the shell's first prompt.", one_or_list(&any_text()))
        .may("ignore_kernel_messages", "As in `boot`.", boolean());
    let mut login = keys.schema();
    login["dependencies"] = json!({ "password": ["password_prompt"], "password_prompt": ["password"] });
    login
}

fn transfer_overlay() -> Value {
    Keys::new()
        .may("transfer_method", "Other ways than `http` have no effect.", word(["http", "nfs", "zmodem"]))
        .may("download_command", "Fetches the URL that is written behind it.", text())
        .may("unpack_command", "Unpacks the file that is written behind it, in `/`.", text())
        .schema()
}

fn reset(keys: Keys) -> Keys {
    keys.may("reset", RESET, boolean()).may(
        "soft_reboot",
        "Commands that restart a running Linux.",
        one_or_list(&any_text()),
    )
}
