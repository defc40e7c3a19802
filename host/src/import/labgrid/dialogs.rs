//! U-Boot and the login shell: what the bench file has of them, and what jobs say.

use super::board::Board;
use super::part::Part;
use crate::import::draft;
use crate::import::keys::Item;
use crate::import::regexes;

/// Name of the list of commands that `boot_command` and `init_commands` become.
const LIST: &str = "labgrid";

/// Reads `UBootDriver` and `ShellDriver`.
pub(super) fn read(board: &mut Board<'_, '_>) {
    if let Some(driver) = board.parts.first("UBootDriver") {
        if board.is_up_by_itself {
            board.parts.keys.mark(&driver.item);
            let why = "boards of this type are up by themselves: nothing boots them";
            board.findings.leave(&driver.item, why);
        } else {
            uboot(board, &driver);
        }
    }
    if let Some(driver) = board.parts.first("ShellDriver") {
        shell(board, &driver);
    }
}

fn uboot<'n>(board: &mut Board<'_, 'n>, driver: &Part<'n>) {
    if let Some((text, item)) = board.text(driver, "prompt").filter(|(text, _)| !text.is_empty()) {
        match regexes::prompt(&text) {
            Ok(prompt) => board.set(&["uboot", "prompts"], draft::list(&[prompt], false), &item.origin()),
            Err(why) => board.findings.leave(&item, no_regex(&why)),
        }
    }
    pattern(board, driver, "autoboot", &["uboot", "autoboot_prompt"]);
    if let Some((text, item)) = board.text(driver, "interrupt").filter(|(text, _)| !text.is_empty()) {
        board.set(&["uboot", "interrupt"], draft::text(&text), &item.origin());
    }
    pattern(board, driver, "bootstring", &["linux", "kernel_start_message"]);
    commands(board, driver);
    for argument in ["password", "password_prompt"] {
        if let Some(item) = board.parts.take(driver, argument) {
            board.findings.leave(&item, "a U-Boot that asks for a password is not supported");
        }
    }
    for argument in ["login_timeout", "boot_timeout"] {
        if let Some(item) = board.parts.take(driver, argument) {
            let why = "time-outs are the job's: `bootloader-interrupt` and `bootloader-commands` of `timeouts` (docs/timeouts.md)";
            board.findings.leave(&item, why);
        }
    }
}

fn pattern<'n>(board: &mut Board<'_, 'n>, driver: &Part<'n>, argument: &str, path: &[&str]) {
    let Some((text, item)) = board.text(driver, argument) else { return };
    match regexes::pattern(&text) {
        Ok(pattern) => board.set(path, pattern, &item.origin()),
        Err(why) => board.findings.leave(&item, no_regex(&why)),
    }
}

fn no_regex(why: &str) -> String {
    format!("it is no regular expression here: {why}")
}

/// What labgrid types at the prompt, as a list that a job may ask for.
fn commands<'n>(board: &mut Board<'_, 'n>, driver: &Part<'n>) {
    let init = board.parts.take(driver, "init_commands");
    let boot = board.parts.take(driver, "boot_command");
    let mut typed = Vec::new();
    for item in init.iter().chain(&boot) {
        match item.texts() {
            Some(commands) => typed.extend(commands),
            None => board.findings.leave(item, "it is neither a command nor a list of commands"),
        }
    }
    let origins: Vec<_> = init.iter().chain(&boot).map(Item::origin).collect();
    if !typed.is_empty() {
        let comment = format!("{}; a job asks for it with `commands: {LIST}`", origins.join("; "));
        board.set(&["uboot", "commands", LIST], draft::list(&typed, true), &comment);
    }
    if let Some(item) = board.parts.take(driver, "boot_commands") {
        board.findings.leave(&item, "write each as a list of commands into `[uboot.commands]`");
    }
}

/// How to log in is the job's; a password is not copied.
fn shell<'n>(board: &mut Board<'_, 'n>, driver: &Part<'n>) {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let prompt = board.text(driver, "prompt").map(|(text, _)| quoted(&text));
    let login = board.text(driver, "login_prompt");
    let username = board.text(driver, "username").map(|(text, _)| quoted(&text));
    if let Some((text, item)) = &login {
        match regexes::pattern(text) {
            Ok(pattern) => board.set(&["linux", "login_prompt"], pattern, &item.origin()),
            Err(why) => board.findings.leave(item, no_regex(&why)),
        }
    }
    let has_password = board.parts.take(driver, "password").is_some_and(|item| item.non_empty().is_some());
    let mut lines = vec!["Jobs say how to log in, in their `boot` block:".to_owned()];
    lines.extend(prompt.map(|prompt| format!("  prompts: [{prompt}]")));
    if let Some(username) = username {
        let login = login.map_or_else(|| quoted("login:"), |(text, _)| quoted(&text));
        let password = if has_password { ", password_prompt: '[Pp]assword:', password: …" } else { "" };
        lines.push(format!("  auto_login: {{login_prompt: {login}, username: {username}{password}}}"));
    }
    if lines.len() > 1 {
        board.remarks.push(lines.join("\n"));
    }
    for argument in ["login_timeout", "await_login_timeout", "post_login_settle_time"] {
        if let Some(item) = board.parts.take(driver, argument) {
            board.findings.leave(
                &item,
                "time-outs are the job's: `auto-login-action` of `timeouts` (docs/timeouts.md)",
            );
        }
    }
}
