//! The keys of a `boot` block that tell how a shell is reached.

use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{AutoLogin, ShellSpec, TransferCommands};

/// `transfer_method`: whether it is by HTTP.
const METHODS: [(&str, bool); 3] = [("http", true), ("nfs", false), ("zmodem", false)];

/// `parameters`, of which each kind of boot knows some.
pub(super) struct Parameters<'n>(Option<Fields<'n>>);

impl<'n> Parameters<'n> {
    pub(super) fn read(reader: &mut Reader<'_>, fields: &Fields<'n>) -> Self {
        Self(fields.get("parameters").and_then(|node| reader.fields(node, "parameters")))
    }

    /// A message, which is a regular expression.
    pub(super) fn message(&self, reader: &mut Reader<'_>, key: &'static str) -> Option<String> {
        let node = self.0.as_ref()?.get(key)?;
        reader.regex_or_empty(node, key)
    }

    pub(super) fn finish(&self, reader: &mut Reader<'_>) {
        let Some(fields) = &self.0 else { return };
        // Where no kernel is started these say nothing.
        fields.accept(&["bootloader-final-message", "kernel-start-message", "shutdown-message"]);
        fields.finish(reader);
    }
}

/// `prompts`, `auto_login` and what else belongs to a login.
pub(super) fn shell(reader: &mut Reader<'_>, fields: &Fields<'_>, parameters: &Parameters<'_>) -> ShellSpec {
    let mut prompts = prompts(reader, fields);
    if fields.get_or_null("auto_login").is_some_and(|node| node.value == Value::Null) {
        let span = fields.key_span("auto_login").unwrap_or(fields.span);
        let problem = Diagnostic::error(Code::EmptyValue, span, "`auto_login` has no value");
        reader.report(problem.with_help("indent its keys below it, or leave it out"));
    }
    let auto_login = fields.get("auto_login").and_then(|node| auto_login(reader, node));
    let (auto_login, ignore_in_login) = auto_login.unzip();
    if prompts.is_empty() && fields.get("auto_login").is_some() && fields.get("prompts").is_none() {
        let message = format!("`auto_login` of `{}` needs `prompts`", fields.what);
        let help = "without the shell's prompt nobody knows when the login is done";
        let span = fields.key_span("auto_login").unwrap_or(fields.span);
        reader.report(Diagnostic::error(Code::MissingKey, span, message).with_help(help));
        // Told once.
        prompts.push(String::new());
    }
    let transfer = fields.get("transfer_overlay").and_then(|node| transfer_overlay(reader, fields, node));
    let failure = fields.get("failure_message").and_then(|node| reader.regex(node, "failure_message"));
    let ignore = fields.get("ignore_kernel_messages");
    let ignore = ignore.and_then(|node| reader.boolean(node, "ignore_kernel_messages"));
    ShellSpec {
        prompts,
        auto_login,
        kernel_start_message: parameters.message(reader, "kernel-start-message"),
        failure_message: failure,
        ignore_kernel_messages: ignore.or(ignore_in_login).unwrap_or(false),
        transfer,
    }
}

/// `prompts`: one or more regular expressions; none if the key is not there. One that cannot be read leaves its place
/// empty, so that it is not told to be missing as well.
pub(super) fn prompts(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<String> {
    let Some(node) = fields.get_misspelt(reader, "prompts") else { return Vec::new() };
    if matches!(&node.value, Value::Sequence(items) if items.is_empty()) {
        reader.report(Diagnostic::error(Code::EmptyValue, node.span, "`prompts` is empty"));
        return vec![String::new()];
    }
    reader.list(node, |reader, item| Some(reader.regex(item, "prompts").unwrap_or_default()))
}

/// How to log in, and `ignore_kernel_messages`, which older jobs have here.
fn auto_login(reader: &mut Reader<'_>, node: &Node) -> Option<(AutoLogin, bool)> {
    let fields = reader.fields(node, "auto_login")?;
    let login_prompt =
        fields.require(reader, "login_prompt").and_then(|node| reader.regex(node, "login_prompt"));
    let username = fields.require(reader, "username").and_then(|node| reader.text(node, "username"));
    let password_prompt =
        fields.get("password_prompt").and_then(|node| reader.regex(node, "password_prompt"));
    let password = fields.get("password").and_then(|node| reader.text(node, "password"));
    let login_commands = fields.get("login_commands").map(|node| reader.strings(node, "login_commands"));
    let written = |key: &'static str| fields.get(key).and_then(|_| fields.key_span(key));
    match (written("password_prompt"), written("password")) {
        (Some(span), None) => {
            let message = "`password_prompt` needs a `password`";
            reader.report(Diagnostic::error(Code::MissingKey, span, message));
        }
        (None, Some(span)) => {
            let message = "`password` without `password_prompt` has no effect";
            let problem = Diagnostic::warning(Code::IgnoredKey, span, message);
            reader.report(problem.with_help("name the prompt if one comes, such as `Password:`"));
        }
        _ => {}
    }
    let ignore = fields.get("ignore_kernel_messages");
    let ignore = ignore.and_then(|node| reader.boolean(node, "ignore_kernel_messages"));
    fields.finish(reader);
    let login = AutoLogin {
        login_prompt: login_prompt?,
        username: username?,
        password_prompt,
        password,
        login_commands: login_commands.unwrap_or_default(),
    };
    Some((login, ignore.unwrap_or(false)))
}

/// `transfer_overlay`: commands by which a board fetches the tests. Other ways than HTTP say nothing: the tests come over the
/// console by themselves.
fn transfer_overlay(reader: &mut Reader<'_>, block: &Fields<'_>, node: &Node) -> Option<TransferCommands> {
    let fields = reader.fields(node, "transfer_overlay")?;
    let method = fields.get("transfer_method");
    let method = method.and_then(|node| reader.choice(node, "transfer_method", &METHODS));
    let mut command = |key: &'static str| match method {
        Some(false) => fields.get(key).and_then(|node| reader.non_empty(node, key)),
        _ => fields.require(reader, key).and_then(|node| reader.non_empty(node, key)),
    };
    let (download, unpack) = (command("download_command"), command("unpack_command"));
    fields.finish(reader);
    if method == Some(false) {
        let span = block.key_span("transfer_overlay").unwrap_or(node.span);
        let message =
            "this `transfer_method` has no effect here: the tests come over the console by themselves";
        reader.report(Diagnostic::warning(Code::IgnoredKey, span, message));
        return None;
    }
    Some(TransferCommands { download: download?, unpack: unpack? })
}
