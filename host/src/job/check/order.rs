//! What must come before what on a node.

use crate::diagnostic::Diagnostic;
use crate::document::Reader;
use crate::job::model::{Block, BlockKind, BootSsh, DeploySsh, GroupRequest, Role, RoleKind};

/// Checks that each role's blocks can follow each other.
pub(crate) fn check(reader: &mut Reader<'_>, roles: &[Role], blocks: &[Block]) {
    for role in roles {
        check_role(reader, role, blocks);
    }
}

fn check_role(reader: &mut Reader<'_>, role: &Role, blocks: &[Block]) {
    let name = &role.name.value;
    let secondary = matches!(role.kind, RoleKind::Connection { .. });
    let (mut tftp, mut ssh, mut booted) = (false, None, false);
    let mut busy = false;
    for block in blocks.iter().filter(|block| block.roles.contains(name)) {
        busy = true;
        let error = |code, message: String| Diagnostic::error(code, block.span, message);
        let problem = match &block.kind {
            BlockKind::DeployTftp(_) | BlockKind::BootUboot(_) if secondary => Some(error(
                "needs-board",
                format!("role `{name}` is a connection: it has no board to deploy to or to boot"),
            )),
            BlockKind::DeploySsh(_) | BlockKind::BootSsh(_) if !secondary => Some(
                error("unsupported-boot", format!("role `{name}` has a board: SSH to it is not supported"))
                    .with_help("SSH is for roles with `connection: ssh` and a `host_role`"),
            ),
            BlockKind::DeployTftp(_) => {
                tftp = true;
                None
            }
            BlockKind::BootUboot(_) => {
                booted = true;
                (!tftp).then(|| error("missing-deploy", format!("role `{name}` boots before it deploys")))
            }
            BlockKind::DeploySsh(deploy) => {
                ssh = Some(deploy);
                None
            }
            BlockKind::BootSsh(boot) => {
                booted = true;
                address_problem(boot, ssh, name).map(|message| error("missing-address", message))
            }
            BlockKind::Test(_) => {
                (!booted).then(|| error("missing-boot", format!("role `{name}` tests before it boots")))
            }
        };
        if let Some(problem) = problem {
            reader.report(problem);
        }
    }
    if !busy && !blocks.is_empty() {
        let message = format!("role `{name}` has no actions");
        reader.report(Diagnostic::warning("idle-role", role.name.span, message));
    }
}

/// Why the login over SSH cannot know its address, if so: it comes from a message that the deployment waited for.
fn address_problem(boot: &BootSsh, deploy: Option<&DeploySsh>, role: &str) -> Option<String> {
    let Some(deploy) = deploy else {
        return Some(format!("role `{role}` logs in before it deploys"));
    };
    let BootSsh { host_id, host_key, .. } = boot;
    let waits = |request| matches!(request, GroupRequest::Wait | GroupRequest::WaitAll);
    let mut calls = deploy.protocol_calls.iter().filter(|call| waits(call.request));
    let Some(call) = calls.find(|call| call.message_id == *host_id) else {
        return Some(format!("no `lava-wait` of role `{role}` waits for the message `{host_id}` (`hostID`)"));
    };
    let known = call.message.is_empty() || call.message.iter().any(|(key, _)| key == host_key);
    (!known).then(|| format!("the message `{host_id}` has no key `{host_key}` (`host_key`)"))
}
