//! What must come before what on a node.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Span, meant, nearest};
use crate::document::Reader;
use crate::job::model::{
    Block, BlockKind, BootCommands, BootSsh, BootUboot, DeployTftp, GroupRequest, ProtocolCall, Role,
    RoleKind, ShellSpec, SshAddress,
};

/// Checks that each role's blocks can follow each other. `has_all_calls` says whether all that they ask of the group could
/// be read.
pub(crate) fn check(reader: &mut Reader<'_>, roles: &[Role], blocks: &[Block], has_all_calls: bool) {
    let is_whole = reader.error_count() == 0;
    for role in roles {
        let mut order = Order { is_whole, has_all_calls, ..Order::new(role) };
        for block in blocks.iter().filter(|block| block.roles.contains(&role.name.value)) {
            if let Some(problem) = order.follow(block) {
                reader.report(problem);
            }
        }
        check_authorized(reader, role, roles, blocks);
        if !order.busy && !blocks.is_empty() {
            let message = format!("role `{}` has no actions", role.name.value);
            reader.report(Diagnostic::error(Code::IdleRole, role.name.span, message));
        }
    }
}

/// A connection logs in with the job's key, which the host's deployment has to let in.
fn check_authorized(reader: &mut Reader<'_>, role: &Role, roles: &[Role], blocks: &[Block]) {
    let RoleKind::Connection { host_role } = &role.kind else { return };
    let Some(host) = roles.iter().find(|host| host.name.value == host_role.value) else { return };
    let of_host = blocks.iter().filter(|block| block.roles.contains(&host.name.value));
    let deployed: Vec<_> = of_host
        .filter_map(|block| match &block.kind {
            BlockKind::DeployTftp(deploy) => Some((deploy, block.span)),
            _ => None,
        })
        .collect();
    let Some((_, span)) =
        deployed.first().filter(|_| deployed.iter().all(|(deploy, _)| !deploy.authorize_ssh))
    else {
        return;
    };
    let (host, name) = (&host.name.value, &role.name);
    let message = format!("no `deploy` of role `{host}` lets role `{}` in", name.value);
    let problem =
        Diagnostic::error(Code::MissingKey, *span, message).with_label(name.span, "it logs in there");
    reader.report(problem.with_help("add `authorize: ssh` to it"));
}

/// What the blocks of a role have come to.
struct Order<'a> {
    name: &'a str,
    secondary: bool,
    /// Whether all of the file could be read: only then what is not there was not written.
    is_whole: bool,
    has_all_calls: bool,
    busy: bool,
    /// Whether the board was started.
    started: bool,
    /// By namespace.
    spaces: BTreeMap<&'a str, Space<'a>>,
}

/// What the blocks of a namespace have come to.
#[derive(Default)]
struct Space<'a> {
    /// The last deployment of files.
    files: Option<&'a DeployTftp>,
    /// Requests of the last deployment over SSH.
    calls: Option<&'a [ProtocolCall]>,
    line: Option<Line>,
}

/// A connection, and who answers on it.
#[derive(Clone, Copy)]
enum Line {
    Shell,
    /// The agent over SSH: no terminal.
    Ssh(Span),
    /// U-Boot, since this block.
    Loader(Span),
    /// Nobody that this block has waited for.
    Unknown(Span),
}

impl<'a> Order<'a> {
    fn new(role: &'a Role) -> Self {
        Self {
            is_whole: true,
            has_all_calls: true,
            name: &role.name.value,
            secondary: matches!(role.kind, RoleKind::Connection { .. }),
            busy: false,
            started: false,
            spaces: BTreeMap::new(),
        }
    }

    /// The next block; what is wrong with it here.
    fn follow(&mut self, block: &'a Block) -> Option<Diagnostic> {
        self.busy = true;
        let name = self.name;
        let error = |code, message: String| Some(Diagnostic::error(code, block.span, message));
        let space = self.spaces.entry(namespace(block)).or_default();
        match &block.kind {
            BlockKind::DeployTftp(_)
            | BlockKind::BootUboot(_)
            | BlockKind::BootBootloader(_)
            | BlockKind::BootMinimal(_)
            | BlockKind::NewConnection(_)
                if self.secondary =>
            {
                let message =
                    format!("role `{name}` is a connection: it has no board to deploy to or to boot");
                let help = "it has `deploy: to: ssh`, `boot: method: ssh` and tests";
                error(Code::NeedsBoard, message).map(|problem| problem.with_help(help))
            }
            BlockKind::DeployTftp(deploy) => {
                space.files = Some(deploy);
                None
            }
            BlockKind::DeploySsh(_) => {
                space.calls = Some(&block.calls);
                None
            }
            BlockKind::BootUboot(boot) => {
                self.started = true;
                space.line = Some(line(&boot.shell, block.span));
                missing_files(boot, space.files, self.is_whole, name, block.span)
            }
            BlockKind::BootBootloader(_) => {
                self.started = true;
                space.line = Some(Line::Loader(block.span));
                None
            }
            BlockKind::BootMinimal(boot) => {
                self.started = true;
                space.line = Some(line(&boot.shell, block.span));
                None
            }
            BlockKind::NewConnection(boot) => {
                space.line = Some(line(&boot.shell, block.span));
                if self.started { None } else { error(Code::MissingBoot, not_started(name)) }
            }
            BlockKind::BootSsh(boot) => {
                self.started = true;
                space.line = Some(Line::Ssh(block.span));
                match &boot.address {
                    // What could not be read may be what it waits for.
                    SshAddress::Message { .. } if !self.has_all_calls => None,
                    _ => address_problem(boot, space.calls, self.secondary, name, block.span),
                }
            }
            BlockKind::Test(_) | BlockKind::Interactive(_) | BlockKind::Monitors(_) => self.test(block),
            BlockKind::Command(_) => None,
        }
    }

    fn test(&self, block: &Block) -> Option<Diagnostic> {
        let name = self.name;
        let space = block.connection_namespace.as_ref().map_or_else(|| namespace(block), |name| &name.value);
        let problem = |code, message: String| Diagnostic::error(code, block.span, message);
        let needs_shell = matches!(block.kind, BlockKind::Test(_));
        match self.spaces.get(space).and_then(|space| space.line) {
            None => Some(problem(Code::MissingBoot, format!("role `{name}` tests before it boots"))),
            Some(Line::Loader(span)) if needs_shell => Some(
                problem(
                    Code::MissingBoot,
                    "`definitions` need a shell, and this boot ends in U-Boot".to_owned(),
                )
                .with_label(span, "this boot")
                .with_help("use an `interactive` test, or boot with `method: u-boot`"),
            ),
            Some(Line::Unknown(span)) if needs_shell => Some(
                Diagnostic::error(Code::MissingKey, span, "`boot` needs `prompts`: definitions follow it")
                    .with_label(block.span, "these need a shell")
                    .with_help("write the shell's prompt, such as `prompts: ['root@debian:~#']`"),
            ),
            Some(Line::Ssh(span)) if !needs_shell => Some(
                problem(
                    Code::UnsupportedTest,
                    "`interactive` and `monitors` over SSH are not supported: they need a console".to_owned(),
                )
                .with_label(span, "this boot")
                .with_help(
                    "run `definitions` over SSH, or test on the connection of a `u-boot` or `minimal` boot",
                ),
            ),
            Some(Line::Shell | Line::Ssh(_) | Line::Loader(_) | Line::Unknown(_)) => None,
        }
    }
}

fn namespace(block: &Block) -> &str {
    block.namespace.as_ref().map_or("", |name| &name.value)
}

fn not_started(role: &str) -> String {
    format!("role `{role}` opens another connection before its board is started")
}

fn line(shell: &ShellSpec, span: Span) -> Line {
    if shell.prompts.is_empty() { Line::Unknown(span) } else { Line::Shell }
}

/// What a boot asks for, by the placeholders of its commands or by a list that has them on every board, and was not deployed.
/// What another list of the board type asks for is known when it is bound to a bench.
fn missing_files(
    boot: &BootUboot,
    files: Option<&DeployTftp>,
    is_whole: bool,
    role: &str,
    span: Span,
) -> Option<Diagnostic> {
    let BootCommands::Named(list) = &boot.commands.value else {
        let BootCommands::Inline(commands) = &boot.commands.value else { return None };
        let names = ["{KERNEL}", "{RAMDISK}", "{DTB}", "{NFSROOTFS}", "{BOOTX}"];
        let asks = commands.iter().any(|command| names.iter().any(|name| command.contains(name)));
        return (asks && files.is_none()).then(|| boots_first(role, span));
    };
    if !matches!(list.as_str(), "nfs" | "ramdisk") {
        return None;
    }
    let Some(files) = files else { return Some(boots_first(role, span)) };
    let has_root = files.rootfs.is_some() || files.persistent_nfs.is_some();
    let has_ramdisk = files.ramdisk.is_some();
    // Without a RAM disk the kernel may have one of its own.
    let (missing, problem): (_, fn(_, _, String) -> _) = match list.as_str() {
        _ if !is_whole => return None,
        _ if files.kernel.is_none() => ("kernel", Diagnostic::error),
        "nfs" if !has_root && !has_ramdisk => ("nfsrootfs", Diagnostic::error),
        "nfs" if !has_root => ("nfsrootfs", Diagnostic::warning),
        "ramdisk" if !has_ramdisk => ("ramdisk", Diagnostic::warning),
        _ => return None,
    };
    let message = format!("the commands `{list}` need a `{missing}`, and none is deployed");
    let problem = problem(Code::MissingDeploy, boot.commands.span, message);
    let help = format!("add `{missing}` to the `deploy` before this boot");
    Some(match problem.is_error() {
        true => problem.with_help(help),
        false => problem.with_help(format!("lines with it are left out; {help} if it is meant")),
    })
}

fn boots_first(role: &str, span: Span) -> Diagnostic {
    let message = format!("role `{role}` boots before it deploys");
    Diagnostic::error(Code::MissingDeploy, span, message)
        .with_help("put the `deploy` with the kernel before it")
}

/// What is wrong with the address of a login over SSH.
fn address_problem(
    boot: &BootSsh,
    calls: Option<&[ProtocolCall]>,
    secondary: bool,
    role: &str,
    span: Span,
) -> Option<Diagnostic> {
    let error = |span: Span, message: String| Diagnostic::error(Code::MissingAddress, span, message);
    let (host_id, host_key) = match &boot.address {
        SshAddress::Message { host_id, host_key } => (host_id, host_key),
        SshAddress::Board if secondary => {
            let message = format!(
                "role `{role}` is a connection, and `boot` does not say to which address: \
                 it needs `parameters` with `hostID` and `host_key`"
            );
            return Some(error(span, message));
        }
        SshAddress::Board => return None,
    };
    let Some(calls) = calls else {
        return Some(error(span, format!("role `{role}` logs in before it deploys")));
    };
    let waits = |call: &&ProtocolCall| matches!(call.request, GroupRequest::Wait | GroupRequest::WaitAll);
    let Some(call) = calls.iter().filter(waits).find(|call| call.message_id == host_id.value) else {
        let id = &host_id.value;
        let message = format!("no `lava-wait` of role `{role}` waits for the message `{id}` (`hostID`)");
        let problem = error(host_id.span, message);
        let ids = || calls.iter().filter(waits).map(|call| call.message_id.as_str());
        let others: Vec<_> = ids().map(|id| format!("`{id}`")).collect();
        let help = match others.as_slice() {
            [] => format!("let its `deploy` wait for `{id}`"),
            _ => meant(nearest(id, ids()), &format!("it waits for {}", others.join(", "))),
        };
        let problem = problem.with_help(help);
        return Some(match calls.iter().find(waits) {
            Some(call) => problem.with_label(call.span, "what it waits for"),
            None => problem,
        });
    };
    let known = call.message.is_empty() || call.message.iter().any(|(key, _)| *key == host_key.value);
    (!known).then(|| {
        let (id, key) = (&host_id.value, &host_key.value);
        let keys = || call.message.iter().map(|(key, _)| key.as_str());
        let all: Vec<_> = keys().map(|key| format!("`{key}`")).collect();
        error(host_key.span, format!("the message `{id}` has no key `{key}` (`host_key`)"))
            .with_label(call.span, "the message")
            .with_help(meant(nearest(key, keys()), &format!("it has {}", all.join(", "))))
    })
}
