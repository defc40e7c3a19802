//! What a job will do, for people and programs to read: nodes, steps, and what each step works with. No bench is needed.

use serde::Serialize;

use super::bind::node_name;
use super::blocks::numbered;
use super::phase::PhaseNames;
use crate::job::{
    ArtifactSpec, Block, BlockKind, BootCommands, DefinitionSource, DeployTftp, InteractiveAction, Job,
    Located, ProtocolCall, Role, RoleKind, ShellSpec, SshAddress,
};

/// A node and its steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeOutline {
    /// Unique name: the role, with a number where it has several nodes.
    pub node: String,
    /// Its role.
    pub role: String,
    /// What it runs on: `a beaglebone-black`, or `ssh to host`.
    pub runs_on: String,
    /// Its steps, in order.
    pub steps: Vec<StepOutline>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepOutline {
    /// Name, unique on the node.
    pub phase: String,
    /// The namespace, in a job that has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How long it may take, in seconds.
    pub timeout_s: u64,
    /// Where that is written.
    pub timeout_from: String,
    /// How often it is tried at most.
    pub attempts: u32,
    /// `file:line:column` in the job.
    pub place: String,
    /// What it works with, a line each.
    pub details: Vec<String>,
}

/// The nodes of `job` in the order of its roles.
pub fn outline(job: &Job) -> Vec<NodeOutline> {
    let mut nodes = Vec::new();
    for role in &job.roles {
        let runs_on = match &role.kind {
            RoleKind::Device { device_type } => format!("a {}", device_type.value),
            RoleKind::Connection { host_role } => format!("ssh to {}", host_role.value),
        };
        let steps = steps(job, role);
        nodes.extend((0..role.count).map(|index| NodeOutline {
            node: node_name(role, index),
            role: role.name.value.clone(),
            runs_on: runs_on.clone(),
            steps: steps.clone(),
        }));
    }
    nodes
}

fn steps(job: &Job, role: &Role) -> Vec<StepOutline> {
    let (mut steps, mut phases) = (Vec::new(), PhaseNames::default());
    let (mut stage, mut definitions) = (0, 0);
    if let Some(start) = &role.delayed_start {
        steps.push(StepOutline {
            phase: "lava-start".to_owned(),
            namespace: None,
            timeout_s: start.timeout.time.as_secs(),
            timeout_from: start.timeout.origin.clone(),
            attempts: 1,
            place: job.source.place(role.name.span),
            details: vec![format!("waits for `lava_start` of {}", start.expect_role.value)],
        });
    }
    for block in job.blocks.iter().filter(|block| block.roles.contains(&role.name.value)) {
        let mut block = block.clone();
        if let BlockKind::Test(test) = &mut block.kind {
            test.definitions = numbered(&test.definitions, &mut definitions);
        }
        for _ in 0..block.retries.repeat {
            let phase = phases.next(&block, stage);
            stage += u32::from(matches!(block.kind, BlockKind::Test(_)));
            steps.push(StepOutline {
                phase,
                namespace: block.namespace.as_ref().map(|name| name.value.clone()),
                timeout_s: block.timeouts.total.time.as_secs(),
                timeout_from: block.timeouts.total.origin.clone(),
                attempts: block.retries.attempts,
                place: job.source.place(block.span),
                details: block.calls.iter().map(call).chain(details(&block)).collect(),
            });
        }
    }
    steps
}

fn call(call: &ProtocolCall) -> String {
    let role = call.role.as_ref().map(|role| format!(" {role}")).unwrap_or_default();
    let values: String = call.message.iter().map(|(key, value)| format!(" {key}={value}")).collect();
    format!(
        "{} {}{role}{values} (at most {} s)",
        call.request.name(),
        call.message_id,
        call.timeout.time.as_secs()
    )
}

fn details(block: &Block) -> Vec<String> {
    match &block.kind {
        BlockKind::DeployTftp(deploy) => deploy_tftp(deploy),
        BlockKind::DeploySsh(_) => Vec::new(),
        BlockKind::BootUboot(boot) => {
            let mut lines = vec![commands(&boot.commands)];
            lines.extend(reset(boot.reset.wanted));
            lines.extend(shell(&boot.shell));
            lines
        }
        BlockKind::BootBootloader(boot) => {
            boot.commands.iter().map(commands).chain(reset(boot.reset.wanted)).collect()
        }
        BlockKind::BootMinimal(boot) => reset(boot.reset.wanted).chain(shell(&boot.shell)).collect(),
        BlockKind::NewConnection(boot) => std::iter::once(format!("connection {}", boot.connection.value))
            .chain(shell(&boot.shell))
            .collect(),
        BlockKind::BootSsh(boot) => vec![match &boot.address {
            SshAddress::Message { host_id, host_key } => {
                format!("to the address `{}` of the message `{}`", host_key.value, host_id.value)
            }
            SshAddress::Board => "to the board's address in the bench file".to_owned(),
        }],
        BlockKind::Test(test) => test
            .definitions
            .iter()
            .map(|spec| format!("{} from {}", spec.dir, source(&spec.source)))
            .collect(),
        BlockKind::Interactive(scripts) => scripts
            .iter()
            .map(|script| {
                let typed = |action: &InteractiveAction| matches!(action, InteractiveAction::Command(_));
                let count = script.steps.iter().filter(|step| typed(&step.action)).count();
                format!("{}: {count} of {} steps are typed", script.name, script.steps.len())
            })
            .collect(),
        BlockKind::Monitors(monitors) => monitors
            .iter()
            .map(|monitor| format!("{}: from `{}` to `{}`", monitor.name, monitor.start, monitor.end))
            .collect(),
        BlockKind::Command(name) => vec![format!("the bench's command {}", name.value)],
    }
}

fn deploy_tftp(deploy: &DeployTftp) -> Vec<String> {
    let mut lines = Vec::new();
    let mut file = |what: &str, spec: &ArtifactSpec| lines.push(format!("{what} {}", spec.url));
    let plain = [
        ("kernel", &deploy.kernel),
        ("dtb", &deploy.dtb),
        ("tee", &deploy.tee),
        ("preseed", &deploy.preseed),
    ];
    for (what, spec) in plain {
        if let Some(spec) = spec {
            file(what, spec);
        }
    }
    deploy.dtbo.iter().for_each(|spec| file("dtbo", spec));
    if let Some(ramdisk) = &deploy.ramdisk {
        file("ramdisk", &ramdisk.artifact);
    }
    if let Some(rootfs) = &deploy.rootfs {
        file("nfsrootfs", &rootfs.artifact);
    }
    if let Some(modules) = &deploy.modules {
        file("modules", modules);
    }
    for (name, spec) in &deploy.extra_files {
        file(&format!("extra file {name}"), spec);
    }
    if let Some(nfs) = &deploy.persistent_nfs {
        lines.push(format!("NFS root {}:{}", nfs.server, nfs.path));
    }
    lines
}

fn commands(commands: &Located<BootCommands>) -> String {
    match &commands.value {
        BootCommands::Named(name) => format!("the board type's commands `{name}`"),
        BootCommands::Inline(list) => format!("{} commands of the job", list.len()),
    }
}

fn reset(wanted: bool) -> impl Iterator<Item = String> {
    (!wanted).then(|| "without a reset".to_owned()).into_iter()
}

fn shell(shell: &ShellSpec) -> Vec<String> {
    let login = shell.auto_login.as_ref().map(|login| format!("logs in as {}", login.username));
    let prompts: Vec<_> = shell.prompts.iter().map(|prompt| format!("`{prompt}`")).collect();
    let prompts = match prompts.as_slice() {
        [] => "waits for no shell".to_owned(),
        _ => format!("until the prompt {}", prompts.join(" or ")),
    };
    login.into_iter().chain([prompts]).collect()
}

fn source(source: &DefinitionSource) -> String {
    match source {
        DefinitionSource::Inline(_) => "the job".to_owned(),
        DefinitionSource::Git { url, path, .. } => format!("{path} of git {url}"),
        DefinitionSource::Tar { artifact, path, .. } => format!("{path} of {}", artifact.url),
        DefinitionSource::Directory { directory, path } => format!("{path} of directory {directory}"),
    }
}
