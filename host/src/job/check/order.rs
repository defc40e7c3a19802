//! What must come before what on a node.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::document::Reader;
use crate::job::model::{
    Block, BlockKind, BootCommands, BootSsh, BootUboot, GroupRequest, ProtocolCall, Role, RoleKind,
    ShellSpec, SshAddress,
};

/// Checks that each role's blocks can follow each other.
pub(crate) fn check(reader: &mut Reader<'_>, roles: &[Role], blocks: &[Block]) {
    for role in roles {
        let mut order = Order::new(role);
        for block in blocks.iter().filter(|block| block.roles.contains(&role.name.value)) {
            if let Some(problem) = order.follow(block) {
                reader.report(problem);
            }
        }
        if !order.busy && !blocks.is_empty() {
            let message = format!("role `{}` has no actions", role.name.value);
            reader.report(Diagnostic::error(Code::IdleRole, role.name.span, message));
        }
    }
}

/// What the blocks of a role have come to.
struct Order<'a> {
    name: &'a str,
    secondary: bool,
    busy: bool,
    /// Whether the board was started.
    started: bool,
    /// By namespace.
    spaces: BTreeMap<&'a str, Space<'a>>,
}

/// What the blocks of a namespace have come to.
#[derive(Default)]
struct Space<'a> {
    has_files: bool,
    /// Requests of the last deployment over SSH.
    calls: Option<&'a [ProtocolCall]>,
    line: Option<Line>,
}

/// A connection, and who answers on it.
#[derive(Clone, Copy)]
enum Line {
    Shell,
    /// U-Boot, since this block.
    Loader(Span),
    /// Nobody that this block has waited for.
    Unknown(Span),
}

impl<'a> Order<'a> {
    fn new(role: &'a Role) -> Self {
        Self {
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
            BlockKind::DeployTftp(_) => {
                space.has_files = true;
                None
            }
            BlockKind::DeploySsh(_) => {
                space.calls = Some(&block.calls);
                None
            }
            BlockKind::BootUboot(boot) => {
                self.started = true;
                space.line = Some(line(&boot.shell, block.span));
                (!space.has_files && needs_files(boot)).then(|| {
                    let message = format!("role `{name}` boots before it deploys");
                    Diagnostic::error(Code::MissingDeploy, block.span, message)
                        .with_help("put the `deploy` with the kernel before it")
                })
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
                space.line = Some(Line::Shell);
                let problem = address_problem(boot, space.calls, self.secondary, name);
                problem.map(|message| Diagnostic::error(Code::MissingAddress, block.span, message))
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
            Some(Line::Shell | Line::Loader(_) | Line::Unknown(_)) => None,
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

/// Whether a boot asks for files of a deployment: by their placeholders, or by a list that has them on every board. What
/// another list of the board type asks for is known when it is bound to a bench.
fn needs_files(boot: &BootUboot) -> bool {
    let names = ["{KERNEL}", "{RAMDISK}", "{DTB}", "{NFSROOTFS}", "{BOOTX}"];
    match &boot.commands.value {
        BootCommands::Named(name) => matches!(name.as_str(), "nfs" | "ramdisk"),
        BootCommands::Inline(commands) => {
            commands.iter().any(|command| names.iter().any(|name| command.contains(name)))
        }
    }
}

/// Why a login over SSH cannot know its address, if so.
fn address_problem(
    boot: &BootSsh,
    calls: Option<&[ProtocolCall]>,
    secondary: bool,
    role: &str,
) -> Option<String> {
    let (host_id, host_key) = match &boot.address {
        SshAddress::Message { host_id, host_key } => (host_id, host_key),
        SshAddress::Board if secondary => {
            return Some(format!(
                "role `{role}` is a connection, and `boot` does not say to which address: \
                 it needs `parameters` with `hostID` and `host_key`"
            ));
        }
        SshAddress::Board => return None,
    };
    let Some(calls) = calls else { return Some(format!("role `{role}` logs in before it deploys")) };
    let waits = |request| matches!(request, GroupRequest::Wait | GroupRequest::WaitAll);
    let mut waiting = calls.iter().filter(|call| waits(call.request));
    let Some(call) = waiting.find(|call| call.message_id == *host_id) else {
        let others: Vec<_> = calls.iter().map(|call| format!("`{}`", call.message_id)).collect();
        let others = match others.as_slice() {
            [] => String::new(),
            _ => format!("; it waits for {}", others.join(", ")),
        };
        return Some(format!(
            "no `lava-wait` of role `{role}` waits for the message `{host_id}` (`hostID`){others}"
        ));
    };
    let known = call.message.is_empty() || call.message.iter().any(|(key, _)| key == host_key);
    (!known).then(|| format!("the message `{host_id}` has no key `{host_key}` (`host_key`)"))
}
