//! Binds a job's roles to a bench's boards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::assign::assign;
use super::step::{Action, BootUboot, NodeKind, NodePlan, Plan, PrepareTimeouts, Step, TestAction};
use super::substitute::{PLACEHOLDERS, unknown_placeholders};
use crate::board::{Bench, Board};
use crate::diagnostic::{Span, did_you_mean};
use crate::fault::{Class, Fault};
use crate::job::{Block, BlockKind, BootCommands, BootImage, Job, Located, Part, Role, RoleKind};
use crate::limit::Limit;

/// Time to fetch and check what a node's tests need, where the job does not name it.
const PREPARE: Duration = Duration::from_secs(300);

/// Time to switch a board off, where the job does not name it.
const POWER_OFF: Duration = Duration::from_secs(60);

impl Plan {
    /// Binds `job` to the boards of `bench`.
    ///
    /// # Errors
    /// Every fault at once: of class bench where boards are missing or cannot be reached, of class job where the job
    /// asks of a board what its type does not have.
    pub fn bind(job: &Job, bench: &Bench) -> Result<Self, Vec<Fault>> {
        let mut binder = Binder { job, bench, faults: Vec::new() };
        let boards = binder.boards();
        let nodes: Vec<_> = job.roles.iter().flat_map(|role| binder.nodes(role, &boards)).collect();
        binder.check_persistent(&nodes);
        if !binder.faults.is_empty() {
            return Err(binder.faults);
        }
        let place = |warning: &crate::diagnostic::Diagnostic| job.source.place(warning.span());
        Ok(Self {
            job_name: job.name.clone(),
            job_timeout: job.timeout.clone(),
            nodes,
            secrets: job.secrets.clone(),
            warnings: job.warnings.iter().map(|w| format!("{}: {}", place(w), w.message)).collect(),
        })
    }
}

/// Name of the `index`th node of a role, from 0: the role, with a number from 1 if it has several nodes.
fn node_name(role: &Role, index: u32) -> String {
    match role.count {
        1 => role.name.value.clone(),
        _ => format!("{}-{}", role.name.value, index + 1),
    }
}

/// The device type that a role asks for, or the role whose board it connects to.
fn device_type<'j>(job: &'j Job, role: &'j Role) -> Option<&'j str> {
    match &role.kind {
        RoleKind::Device { device_type } => Some(&device_type.value),
        RoleKind::Connection { host_role } => {
            let host = job.roles.iter().find(|host| host.name.value == host_role.value)?;
            let RoleKind::Device { device_type } = &host.kind else { return None };
            Some(&device_type.value)
        }
    }
}

/// How long the tests of a node of `role` may take to be ready: what its deployments say, shortest first.
fn prepare_timeouts(job: &Job, role: &Role) -> PrepareTimeouts {
    let shortest = |part| {
        let blocks = job.blocks.iter().filter(|block| block.roles.contains(&role.name.value));
        blocks.filter_map(|block| block.timeouts.part(part)).min_by_key(|limit| limit.time).cloned()
    };
    let whole = shortest(Part::Overlay);
    PrepareTimeouts {
        whole: whole.unwrap_or_else(|| Limit::new(PREPARE, "a fixed limit of getting tests ready")),
        repository: shortest(Part::Repository),
    }
}

/// Boards by the name of their node.
type Boards = BTreeMap<String, Arc<Board>>;

struct Binder<'a> {
    job: &'a Job,
    bench: &'a Bench,
    faults: Vec<Fault>,
}

impl Binder<'_> {
    fn fault(&mut self, class: Class, span: Span, message: impl Into<String>, help: Option<String>) {
        let fault = Fault::new(class, self.job.source.place(span), message.into());
        self.faults.push(Fault { help, ..fault });
    }

    /// Gives every node with a device type a board of its own.
    fn boards(&mut self) -> Boards {
        let job = self.job;
        let mut wanted: Vec<(String, &Located<String>)> = Vec::new();
        for role in &job.roles {
            let RoleKind::Device { device_type } = &role.kind else { continue };
            if self.bench.boards.iter().any(|board| board.device_types.contains(&device_type.value)) {
                wanted.extend((0..role.count).map(|index| (node_name(role, index), device_type)));
            } else {
                self.report_unserved(role, device_type);
            }
        }
        let candidates: Vec<Vec<usize>> = wanted
            .iter()
            .map(|(_, device_type)| {
                self.bench
                    .boards
                    .iter()
                    .enumerate()
                    .filter(|(_, board)| board.device_types.contains(&device_type.value))
                    .map(|(index, _)| index)
                    .collect()
            })
            .collect();
        let assigned = assign(&candidates, self.bench.boards.len());
        let mut boards = Boards::new();
        for ((node, device_type), board) in wanted.into_iter().zip(assigned) {
            match board.and_then(|index| self.bench.boards.get(index)) {
                Some(board) => {
                    boards.insert(node, Arc::clone(board));
                }
                None => {
                    let message = format!("no board is left for node `{node}`, a `{}`", device_type.value);
                    let help = format!("add another such board to {}", self.bench.path.display());
                    self.fault(Class::Bench, device_type.span, message, Some(help));
                }
            }
        }
        boards
    }

    fn report_unserved(&mut self, role: &Role, device_type: &Located<String>) {
        let served: Vec<&str> =
            self.bench.boards.iter().flat_map(|board| &board.device_types).map(String::as_str).collect();
        let help = did_you_mean(&device_type.value, served.iter().copied()).unwrap_or_else(|| {
            format!("the bench has boards for: {}; see `device_types` of a board", served.join(", "))
        });
        let message = format!(
            "no board of {} serves device type `{}` of role `{}`",
            self.bench.path.display(),
            device_type.value,
            role.name.value
        );
        self.fault(Class::Bench, device_type.span, message, Some(help));
    }

    fn nodes(&mut self, role: &Role, boards: &Boards) -> Vec<NodePlan> {
        let mut nodes = Vec::new();
        for index in 0..role.count {
            let name = node_name(role, index);
            let kind = match &role.kind {
                RoleKind::Device { .. } => boards.get(&name).cloned().map(|board| NodeKind::Board { board }),
                RoleKind::Connection { host_role } => {
                    Some(NodeKind::Secondary { host: host_role.value.clone() })
                }
            };
            // Without a board, a fault was reported.
            let Some(kind) = kind else { continue };
            let steps = self.steps(role, &kind);
            let device_type =
                device_type(self.job, role).map(|name| ("LAVA_DEVICE_TYPE".to_owned(), name.to_owned()));
            let environment = device_type.into_iter().chain(self.job.environment.iter().cloned());
            let environment = environment.chain(role.environment.iter().cloned()).collect();
            nodes.push(NodePlan {
                name,
                role: role.name.value.clone(),
                kind,
                delayed_start: role.delayed_start.clone(),
                group_timeout: role.group_timeout.clone(),
                prepare: prepare_timeouts(self.job, role),
                power_off: self
                    .job
                    .power_off
                    .clone()
                    .unwrap_or_else(|| Limit::new(POWER_OFF, "a fixed limit of switching off")),
                steps,
                environment,
            });
        }
        nodes
    }

    /// A persistent root filesystem belongs to one board at a time.
    fn check_persistent(&mut self, nodes: &[NodePlan]) {
        let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
        for node in nodes {
            for rootfs in node.persistent_rootfs() {
                let Some(other) = taken.insert(&rootfs.value, &node.name) else { continue };
                let message = format!(
                    "`{other}` and `{}` both want the persistent root filesystem `{}`",
                    node.name, rootfs.value
                );
                let help = "it belongs to one deployment of one board: give each a name of its own";
                self.fault(Class::Job, rootfs.span, message, Some(help.to_owned()));
            }
        }
    }

    fn steps(&mut self, role: &Role, kind: &NodeKind) -> Vec<Step> {
        let job = self.job;
        let mut state = NodeState { kind, os: None, kernel_type: None, stage: 0 };
        let mut steps: Vec<Step> = Vec::new();
        for block in job.blocks.iter().filter(|block| block.roles.contains(&role.name.value)) {
            let Some((base, action)) = self.action(block, &mut state) else { continue };
            let same = |step: &&Step| step.phase == base || step.phase.starts_with(&format!("{base}-"));
            let phase = match steps.iter().filter(same).count() {
                0 => base,
                count => format!("{base}-{}", count + 1),
            };
            let place = job.source.place(block.span);
            steps.push(Step { phase, timeouts: block.timeouts.clone(), place, action });
        }
        steps
    }

    /// The name of a block's phase, and what is done in it.
    fn action(&mut self, block: &Block, state: &mut NodeState<'_>) -> Option<(String, Action)> {
        Some(match &block.kind {
            BlockKind::DeployTftp(deploy) => {
                state.os.clone_from(&deploy.os);
                state.kernel_type = deploy.kernel_type;
                self.check_reachable(block, state);
                ("deploy-tftp".to_owned(), Action::DeployTftp(deploy.clone()))
            }
            BlockKind::DeploySsh(deploy) => {
                state.os.clone_from(&deploy.os);
                ("deploy-ssh".to_owned(), Action::DeploySsh(deploy.clone()))
            }
            BlockKind::BootUboot(boot) => {
                let NodeKind::Board { board } = state.kind else { return None };
                let boot = self.boot_uboot(boot, block, board, state.kernel_type)?;
                ("boot-u-boot".to_owned(), Action::BootUboot(Box::new(boot)))
            }
            BlockKind::BootSsh(boot) => ("boot-ssh".to_owned(), Action::BootSsh(boot.clone())),
            BlockKind::Test(test) => {
                let stage = state.stage;
                state.stage += 1;
                let definitions = test.definitions.clone();
                let action = Action::Test(TestAction { stage, definitions, os: state.os.clone() });
                (format!("test-{stage}"), action)
            }
        })
    }

    /// A real board fetches its files from this PC's address, which nobody but the bench file knows.
    fn check_reachable(&mut self, block: &Block, state: &NodeState<'_>) {
        let NodeKind::Board { board } = state.kind else { return };
        if !board.is_virtual() && self.bench.address.is_none() {
            let message =
                format!("board `{}` cannot fetch files: the bench file does not say from where", board.name);
            let help = "add `[network]` with `address`, this PC's address on the board's network";
            self.fault(Class::Bench, block.span, message, Some(help.to_owned()));
        }
    }

    fn boot_uboot(
        &mut self,
        boot: &crate::job::BootUboot,
        block: &Block,
        board: &Board,
        kernel_type: Option<BootImage>,
    ) -> Option<BootUboot> {
        let commands = self.commands(&boot.commands, board);
        let images = &board.uboot.images;
        let image = kernel_type.or(boot.image).or(images.first().copied());
        if let Some(image) = image.filter(|image| !images.contains(image)) {
            let message =
                format!("board type `{}` cannot start a kernel of type {image:?}", board.board_type);
            self.fault(Class::Job, block.span, message, None);
        }
        let or_default = |own: &Option<String>, default: &str| own.clone().unwrap_or(default.to_owned());
        Some(BootUboot {
            commands: commands?,
            image: image?,
            prompts: boot.prompts.clone(),
            auto_login: boot.auto_login.clone(),
            shutdown_message: or_default(&boot.shutdown_message, &board.linux.shutdown_message),
            kernel_start_message: or_default(&boot.kernel_start_message, &board.linux.kernel_start_message),
            bootloader_final_message: or_default(&boot.bootloader_final_message, &board.uboot.final_message),
            failure_message: boot.failure_message.clone(),
            soft_reboot: boot.soft_reboot.clone(),
            ignore_kernel_messages: boot.ignore_kernel_messages,
            attempts: boot.attempts,
            retry_interval: boot.retry_interval,
        })
    }

    fn commands(&mut self, commands: &Located<BootCommands>, board: &Board) -> Option<Vec<String>> {
        let lists = &board.uboot.commands;
        let list = match &commands.value {
            BootCommands::Inline(list) => list,
            BootCommands::Named(name) => match lists.get(name) {
                Some(list) => list,
                None => {
                    let names: Vec<&str> = lists.keys().map(String::as_str).collect();
                    let help = did_you_mean(name, names.iter().copied())
                        .unwrap_or_else(|| format!("it has: {}", names.join(", ")));
                    let message = format!("board type `{}` has no commands `{name}`", board.board_type);
                    self.fault(Class::Job, commands.span, message, Some(help));
                    return None;
                }
            },
        };
        for name in list.iter().flat_map(|command| unknown_placeholders(command)) {
            let message = format!("nothing replaces `{{{name}}}` in the commands");
            self.fault(Class::Job, commands.span, message, did_you_mean(name, PLACEHOLDERS));
        }
        Some(list.clone())
    }
}

/// What earlier blocks of a node mean for later ones.
struct NodeState<'a> {
    kind: &'a NodeKind,
    os: Option<String>,
    kernel_type: Option<BootImage>,
    stage: u32,
}
