//! Binds a job's roles to a bench's boards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::assign::assign;
use super::step::{NodeKind, NodePlan, Plan, PrepareTimeouts};
use crate::board::{Bench, Board};
use crate::diagnostic::{Span, did_you_mean};
use crate::fault::{Class, Fault};
use crate::job::{Context, Job, Located, Part, Role, RoleKind};
use crate::limit::Limit;

/// Time to fetch and check what a node's tests need, where the job does not name it.
const PREPARE: Duration = Duration::from_secs(300);

/// Directory of the agent and the tests, where the job does not name it.
const DIRECTORY: &str = "/lava-%s";

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
pub(super) fn node_name(role: &Role, index: u32) -> String {
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

/// Whether `board` can be the board of `role`.
fn serves(board: &Board, role: &Role, device_type: &Located<String>) -> bool {
    let tagged = role.tags.iter().all(|tag| board.tags.contains(&tag.value));
    tagged && board.device_types.contains(&device_type.value)
}

/// `board` with what the job says of it.
fn with_context(board: &Arc<Board>, context: &Context) -> Arc<Board> {
    let mut changed = Board::clone(board);
    if let Some(uboot) = &mut changed.uboot {
        if let Some(prompt) = &context.bootloader_prompt {
            uboot.prompts = vec![prompt.clone()];
        }
        uboot.errors.extend(context.uboot_extra_error_message.clone());
        uboot.character_delay = context.boot_character_delay.unwrap_or(uboot.character_delay);
    }
    if let Some(message) = &context.kernel_start_message {
        changed.linux.kernel_start_message.clone_from(message);
    }
    if let Some(device) = &context.console_device {
        changed.linux_console.device.clone_from(device);
    }
    Arc::new(changed)
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

/// Binds a job to a bench, and collects what is wrong.
pub(super) struct Binder<'a> {
    pub(super) job: &'a Job,
    pub(super) bench: &'a Bench,
    faults: Vec<Fault>,
}

impl Binder<'_> {
    pub(super) fn fault(
        &mut self,
        class: Class,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.fault_at(class, self.job.source.place(span), message, help);
    }

    /// The same for what has its place as text.
    pub(super) fn fault_at(
        &mut self,
        class: Class,
        place: String,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let fault = Fault::new(class, place, message.into());
        let fault = Fault { help, ..fault };
        // Nodes of one role and times of one block have the same ones.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Gives every node with a device type a board of its own.
    fn boards(&mut self) -> Boards {
        let job = self.job;
        let mut wanted: Vec<(String, &Role, &Located<String>)> = Vec::new();
        for role in &job.roles {
            let RoleKind::Device { device_type } = &role.kind else { continue };
            if !self.bench.boards.iter().any(|board| board.device_types.contains(&device_type.value)) {
                self.report_unserved(role, device_type);
            } else if !self.bench.boards.iter().any(|board| serves(board, role, device_type)) {
                self.report_untagged(role, device_type);
            } else {
                wanted.extend((0..role.count).map(|index| (node_name(role, index), role, device_type)));
            }
        }
        let candidates: Vec<Vec<usize>> = wanted
            .iter()
            .map(|(_, role, device_type)| {
                self.bench
                    .boards
                    .iter()
                    .enumerate()
                    .filter(|(_, board)| serves(board, role, device_type))
                    .map(|(index, _)| index)
                    .collect()
            })
            .collect();
        let assigned = assign(&candidates, self.bench.boards.len());
        let mut boards = Boards::new();
        for ((node, role, device_type), board) in wanted.into_iter().zip(assigned) {
            match board.and_then(|index| self.bench.boards.get(index)) {
                Some(board) => {
                    boards.insert(node, with_context(board, &role.context));
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

    /// ` of role …`, in a job that has several; the only role of others has no name of the user's.
    fn of_role(&self, role: &Role) -> String {
        if self.job.roles.len() > 1 { format!(" of role `{}`", role.name.value) } else { String::new() }
    }

    fn report_unserved(&mut self, role: &Role, device_type: &Located<String>) {
        let served: Vec<&str> =
            self.bench.boards.iter().flat_map(|board| &board.device_types).map(String::as_str).collect();
        let help = did_you_mean(&device_type.value, served.iter().copied()).unwrap_or_else(|| {
            format!("the bench has boards for: {}; see `device_types` of a board", served.join(", "))
        });
        let message = format!(
            "no board of {} serves device type `{}`{}",
            self.bench.path.display(),
            device_type.value,
            self.of_role(role)
        );
        self.fault(Class::Bench, device_type.span, message, Some(help));
    }

    fn report_untagged(&mut self, role: &Role, device_type: &Located<String>) {
        let tags: Vec<_> = role.tags.iter().map(|tag| format!("`{}`", tag.value)).collect();
        let message = format!(
            "no board of {} that serves device type `{}` has the tags {}{}",
            self.bench.path.display(),
            device_type.value,
            tags.join(", "),
            self.of_role(role)
        );
        let span = role.tags.first().map_or(device_type.span, |tag| tag.span);
        let help = "give the board that they are about `tags = [\"…\"]` in the bench file";
        self.fault(Class::Bench, span, message, Some(help.to_owned()));
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
            let board = match &kind {
                NodeKind::Board { board } => board.environment.as_slice(),
                NodeKind::Secondary { .. } => &[],
            };
            let environment = device_type.into_iter().chain(board.iter().cloned());
            let environment = environment.chain(self.job.environment.iter().cloned());
            let environment = environment.chain(role.environment.iter().cloned()).collect();
            nodes.push(NodePlan {
                name,
                role: role.name.value.clone(),
                kind,
                essential: role.essential,
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
                directory: role.context.results_directory.clone().unwrap_or(DIRECTORY.to_owned()),
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
}
