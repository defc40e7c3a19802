//! `boot` by `ssh`: connects to the board of another node, or to one that is up by itself, and brings the agent there.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::action::Overlay;
use crate::board::Board;
use crate::fault::{Chain, Class, Fault};
use crate::job::{BootSsh, Part, SshAddress};
use crate::net::Net;
use crate::plan::{NodeKind, Step};
use crate::run::{NodeContext, Phase, Resources};
use crate::shell::quote;
use crate::ssh::{self, ExecStatus, HostKeys, KeyPair, SshError, SshSession, SshTarget};

/// The user that secondary connections log in as; LAVA's default.
const USER: &str = "root";

/// How long removing the agent's directory may take.
const CLEAR_TIME: Duration = Duration::from_secs(10);

/// How long a connection may take to end.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// Connects to the host and puts the agent into the node's own directory there.
pub(crate) async fn boot_ssh(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    boot: &BootSsh,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let part = phase.part(step.timeouts.part(Part::SshConnect));
    let target = match (&node.plan.kind, &boot.address) {
        (NodeKind::Secondary { host }, SshAddress::Message { host_id, host_key }) => {
            let address = resources.host_address(phase, &host_id.value, &host_key.value)?;
            secondary(node, &part, host, address)?
        }
        (NodeKind::Board { board }, SshAddress::Board) => own_board(&part, board).await?,
        (NodeKind::Secondary { .. }, SshAddress::Board) | (NodeKind::Board { .. }, _) => {
            return Err(phase.fault(Class::Job, "`boot` does not say to which address"));
        }
    };
    let session = connect(node, &part, &target).await?;
    if let Some(agent) = overlay.agent() {
        let path = format!("{}/{}", node.agent_directory(), agent.path);
        let part = phase.part(step.timeouts.part(Part::SshUpload));
        let upload = async {
            let done = session.upload(&path, agent.mode, &agent.content).await;
            done.map_err(|error| part.error(Class::Infrastructure, &error))
        };
        part.bound("end of the agent's upload", upload).await?;
    }
    resources.space().ssh = Some((target, Some(session)));
    Ok(())
}

/// The board of another node, at the address that it has told.
fn secondary(node: &NodeContext, phase: &Phase, host: &str, address: IpAddr) -> Result<SshTarget, Fault> {
    let access = node.run.host(host).ok_or_else(|| {
        phase
            .fault(Class::Job, format!("`{host}` was not deployed for secondary connections"))
            .with_help(format!("add `authorize: ssh` and an `nfsrootfs` to the deployment of `{host}`"))
    })?;
    let host_keys = access.host_keys().map_err(|error| phase.error(Class::Infrastructure, &*error))?;
    Ok(SshTarget {
        net: access.net.clone(),
        address: SocketAddr::new(address, access.port),
        user: USER.to_owned(),
        key: node.run.key.clone(),
        host_keys,
    })
}

/// The node's own board, which is up by itself: what the bench file says of it.
async fn own_board(phase: &Phase, board: &Board) -> Result<SshTarget, Fault> {
    let access = board.ssh.as_ref().ok_or_else(|| phase.fault(Class::Bug, "the board has no SSH access"))?;
    let name = (access.host.as_str(), access.port);
    let lookup = async {
        let found = tokio::net::lookup_host(name).await.map(|mut addresses| addresses.next());
        let host = &access.host;
        found.map_err(|error| {
            phase.fault(Class::Infrastructure, format!("cannot find host `{host}`: {error}"))
        })
    };
    let address = phase.bound("address of the host", lookup).await?.ok_or_else(|| {
        phase.fault(Class::Infrastructure, format!("host `{}` has no address", access.host))
    })?;
    let key = KeyPair::read(&access.identity_file).map_err(|error| {
        let file = access.identity_file.display();
        phase.fault(Class::Bench, format!("cannot use the key `{file}`: {}", Chain(&error)))
    })?;
    let lines: Vec<(&str, &[u8])> =
        access.host_keys.iter().map(|line| ("`host_key` of the bench file", line.as_bytes())).collect();
    let host_keys =
        HostKeys::from_public_key_files(&lines).map_err(|error| phase.error(Class::Bench, &error))?;
    Ok(SshTarget { net: Net::Host, address, user: access.user.clone(), key, host_keys })
}

/// Ends a connection. From a board of the node's own, which would keep it for good, the agent's directory is removed, with
/// the job's secrets in it: if the connection was lost, over another one.
pub(crate) async fn leave(
    node: &NodeContext,
    phase: &Phase,
    target: &SshTarget,
    session: Option<SshSession>,
) {
    let is_own = matches!(node.plan.kind, NodeKind::Board { .. });
    let session = match session {
        Some(session) => Ok(session),
        None if is_own => connect(node, phase, target).await,
        None => return,
    };
    let directory = node.agent_directory();
    match session {
        Ok(session) => {
            if is_own {
                clear_board(node, &session, &directory).await;
            }
            // The agent has ended or is beyond reach; either way the connection goes.
            let _ = tokio::time::timeout(CLOSE_TIME, session.close()).await;
        }
        Err(fault) => node.emitter.warn(format!("{directory} stays on the board: {fault}")),
    }
}

/// The results are there: that it cannot be done is a warning.
async fn clear_board(node: &NodeContext, session: &SshSession, directory: &str) {
    let cleared = async {
        let command = session.exec(&format!("rm -rf {}", quote(directory))).await?;
        command.finish(CLEAR_TIME).await
    };
    let reason = match cleared.await {
        Ok(ended) if ended.status == ExecStatus::Code(0) => return,
        Ok(ended) => format!("rm has failed ({}): {}", ended.status, ended.stderr.trim()),
        Err(error) => Chain(&error).to_string(),
    };
    node.emitter.warn(format!("{directory} stays on the board: {reason}"));
}

/// Connects to a host within the phase.
pub(super) async fn connect(
    node: &NodeContext,
    phase: &Phase,
    target: &SshTarget,
) -> Result<SshSession, Fault> {
    let (emitter, address) = (node.emitter.clone(), target.address);
    let on_retry = move |error: &SshError| {
        emitter.note(format!("ssh to {address}: {}; trying again", Chain(error)));
    };
    let session = ssh::connect(target, phase.deadline, on_retry)
        .await
        .map_err(|error| phase.late_error(Class::Infrastructure, &error, error.is_late()))?;
    node.emitter.note(format!("ssh to {address} is up, host key checked"));
    Ok(session)
}
