//! `boot` by `ssh`: opens a secondary connection to the board of another node and brings the agent there.

use std::net::SocketAddr;

use crate::action::Overlay;
use crate::fault::{Chain, Class, Fault};
use crate::job::{BootSsh, Part};
use crate::plan::{NodeKind, Step};
use crate::run::{HostAccess, NodeContext, Phase, Resources};
use crate::ssh::{self, HostKeys, SshError, SshSession, SshTarget};

/// The user that secondary connections log in as; LAVA's default.
const USER: &str = "root";

/// Largest host key file that is believed to be one, in bytes.
const MAX_KEY_FILE: usize = 16 << 10;

/// Connects to the host and puts the agent into the guest's own directory.
pub(crate) async fn boot_ssh(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    boot: &BootSsh,
    overlay: &Overlay,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let NodeKind::Secondary { host } = &node.plan.kind else {
        return Err(phase.fault(Class::Job, "only roles with `connection: ssh` are booted by ssh"));
    };
    let access = node.run.host(host).ok_or_else(|| {
        phase
            .fault(Class::Job, format!("`{host}` was not deployed for secondary connections"))
            .with_help(format!("add `authorize: ssh` and an `nfsrootfs` to the deployment of `{host}`"))
    })?;
    let address = resources.host_address(phase, &boot.host_id, &boot.host_key)?;
    let part = phase.part(step.timeouts.part(Part::SshConnect));
    let target = SshTarget {
        net: access.net.clone(),
        address: SocketAddr::new(address, access.port),
        user: USER.to_owned(),
        key: node.run.key.clone(),
        host_keys: host_keys(&part, &access)?,
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
    resources.ssh = Some((target, Some(session)));
    Ok(())
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

/// The keys that the host may show: those in its root filesystem, as it is now.
///
/// They may have been made during this very boot; the layer has what the board wrote.
fn host_keys(phase: &Phase, access: &HostAccess) -> Result<HostKeys, Fault> {
    let directory = "/etc/ssh";
    let mut files = Vec::new();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let path = format!("{directory}/ssh_host_{kind}_key.pub");
        match access.layer.read_file(&path, MAX_KEY_FILE) {
            Ok(Some(content)) => files.push((path, content)),
            Ok(None) => (),
            Err(error) => return Err(phase.error(Class::Infrastructure, &error)),
        }
    }
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    HostKeys::from_public_key_files(&files).map_err(|error| phase.error(Class::Infrastructure, &error))
}
