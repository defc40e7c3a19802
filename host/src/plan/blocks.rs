//! From a role's action blocks to the steps of its nodes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::bind::Binder;
use super::phase::PhaseNames;
use super::step::{Action, NodeKind, Step, TestAction, TestLine, TftpDeployment, UserCommand};
use crate::board::Board;
use crate::board::power::Switch;
use crate::diagnostic::did_you_mean;
use crate::fault::Class;
use crate::job::placeholder;
use crate::job::{Block, BlockKind, BootImage, DefinitionSpec, DeployTftp, Located, Role, SshAddress};

/// What earlier blocks of a node mean for later ones.
pub(super) struct NodeState<'a> {
    pub(super) role: &'a Role,
    pub(super) kind: &'a NodeKind,
    /// Ordinal of the next test with definitions.
    stage: u32,
    /// Ordinal of the next definition.
    definitions: u32,
    /// By namespace.
    spaces: BTreeMap<&'a str, Space>,
}

/// What earlier blocks of a namespace mean for later ones.
#[derive(Default)]
struct Space {
    os: Option<String>,
    /// Kind of the kernel image as it is served.
    kernel_type: Option<BootImage>,
    /// Whether files were deployed.
    has_files: bool,
}

impl<'a> NodeState<'a> {
    fn space(&mut self, block: &'a Block) -> &mut Space {
        self.spaces.entry(namespace(block)).or_default()
    }
}

fn namespace(block: &Block) -> &str {
    block.namespace.as_ref().map_or("", |name| &name.value)
}

/// The definitions with their numbers on the node, as in LAVA; `next` is that of the next one.
pub(super) fn numbered(definitions: &[DefinitionSpec], next: &mut u32) -> Vec<DefinitionSpec> {
    let number = |spec: &DefinitionSpec| {
        let dir = format!("{next}_{}", spec.name);
        *next += 1;
        DefinitionSpec { dir, ..spec.clone() }
    };
    definitions.iter().map(number).collect()
}

/// Where a test's connection is.
fn connection_namespace(block: &Block) -> &str {
    block.connection_namespace.as_ref().map_or_else(|| namespace(block), |name| &name.value)
}

impl Binder<'_> {
    /// The steps of a node of `role` that runs on `kind`.
    pub(super) fn steps(&mut self, role: &Role, kind: &NodeKind) -> Vec<Step> {
        let job = self.job;
        let mut state = NodeState { role, kind, stage: 0, definitions: 0, spaces: BTreeMap::new() };
        let mut steps: Vec<Step> = Vec::new();
        let mut phases = PhaseNames::default();
        for block in job.blocks.iter().filter(|block| block.roles.contains(&role.name.value)) {
            let definitions = state.definitions;
            for time in 0..block.retries.repeat {
                // They are the same ones each time.
                state.definitions = definitions;
                let stage = state.stage;
                let Some(action) = self.action(block, &mut state) else { break };
                steps.push(Step {
                    phase: phases.next(block, stage),
                    namespace: connection_namespace(block).to_owned(),
                    // They are made once, whatever is repeated.
                    calls: if time == 0 { block.calls.clone() } else { Vec::new() },
                    attempts: block.retries.attempts,
                    retry_interval: block.retries.interval,
                    timeouts: block.timeouts.clone(),
                    place: job.source.place(block.span),
                    action,
                });
            }
        }
        steps
    }

    /// What is done in a block.
    fn action<'a>(&mut self, block: &'a Block, state: &mut NodeState<'a>) -> Option<Action> {
        Some(match &block.kind {
            BlockKind::DeployTftp(deploy) => {
                let deployment = self.deploy_tftp(deploy, block, state)?;
                Action::DeployTftp(Box::new(deployment))
            }
            BlockKind::DeploySsh(deploy) => {
                state.space(block).os.clone_from(&deploy.os);
                Action::DeploySsh(deploy.clone())
            }
            BlockKind::BootUboot(boot) => {
                let Space { kernel_type, has_files, .. } = *state.space(block);
                self.check_files(boot, state, has_files);
                let boot = self.boot_uboot(boot, block, state, kernel_type)?;
                Action::BootUboot(Box::new(boot))
            }
            BlockKind::BootBootloader(boot) => {
                let kernel_type = state.space(block).kernel_type;
                let boot = self.boot_bootloader(boot, block, state, kernel_type)?;
                Action::BootBootloader(Box::new(boot))
            }
            BlockKind::BootMinimal(boot) => {
                let boot = self.boot_minimal(boot, state)?;
                Action::BootMinimal(Box::new(boot))
            }
            BlockKind::NewConnection(boot) => {
                let connection = self.new_connection(boot, state)?;
                Action::NewConnection(Box::new(connection))
            }
            BlockKind::BootSsh(boot) => {
                if boot.address == SshAddress::Board {
                    self.check_ssh(block, state);
                }
                Action::BootSsh(boot.clone())
            }
            BlockKind::Test(test) => {
                let stage = state.stage;
                state.stage += 1;
                let os = state.space(block).os.clone();
                let definitions = numbered(&test.definitions, &mut state.definitions);
                Action::Test(TestAction { stage, definitions, os })
            }
            BlockKind::Interactive(scripts) => {
                let test = TestLine { stage: state.stage, items: scripts.clone() };
                Action::Interactive(test)
            }
            BlockKind::Monitors(monitors) => {
                let test = TestLine { stage: state.stage, items: monitors.clone() };
                Action::Monitors(test)
            }
            BlockKind::Command(name) => {
                let command = self.command(name, state)?;
                Action::Command(command)
            }
        })
    }

    fn deploy_tftp<'a>(
        &mut self,
        deploy: &DeployTftp,
        block: &'a Block,
        state: &mut NodeState<'a>,
    ) -> Option<TftpDeployment> {
        let NodeKind::Board { board } = state.kind else { return None };
        let peer = self.check_reachable(block, board);
        self.check_urls(deploy, board);
        let uboot = board.uboot.as_ref();
        // LAVA's `mkimage`: for a kernel that the board's U-Boot cannot start as it is.
        let images = uboot.map(|uboot| uboot.images.as_slice()).unwrap_or_default();
        let foreign = deploy.kernel_type.filter(|kind| !images.contains(kind));
        let convert = foreign.is_some() && images.contains(&BootImage::Uimage);
        let header = uboot.filter(|_| convert).map(|uboot| uboot.uimage_addr.clone());
        let space = state.space(block);
        space.os.clone_from(&deploy.os);
        space.has_files = true;
        space.kernel_type = if convert { Some(BootImage::Uimage) } else { deploy.kernel_type };
        Some(TftpDeployment { spec: deploy.clone(), peer: peer?, kernel_header: header })
    }

    /// The address of a board that fetches files. A real one also needs this PC's, which nobody but the bench file knows.
    fn check_reachable(&mut self, block: &Block, board: &Board) -> Option<IpAddr> {
        if !board.is_virtual() && self.bench.address.is_none() {
            let message =
                format!("board `{}` cannot fetch files: the bench file does not say from where", board.name);
            let help = "add `[network]` with `address`, this PC's address on the board's network";
            self.fault(Class::Bench, block.span, message, Some(help.to_owned()));
        }
        if board.address.is_none() {
            let message = format!("the bench file does not give the address of board `{}`", board.name);
            let help = format!(
                "add `address = \"…\"` to `[boards.{}]`: TFTP and NFS answer only boards they know",
                board.name
            );
            self.fault(Class::Bench, block.span, message, Some(help));
        }
        board.address
    }

    /// `{NAME}` in a URL stands for what the bench file says of the board.
    fn check_urls(&mut self, deploy: &DeployTftp, board: &Board) {
        let is_known = |name: &str| board.static_info.iter().any(|(known, _)| known == name);
        for spec in deploy.artifacts() {
            for name in placeholder::names(&spec.url).into_iter().filter(|name| !is_known(name)) {
                let message = format!("board `{}` has no `{name}` for the URL `{}`", board.name, spec.url);
                let help = format!(
                    "add `{name} = \"…\"` to `[boards.{}.static_info]` in the bench file",
                    board.name
                );
                self.fault_at(Class::Bench, spec.place.clone(), message, Some(help));
            }
        }
    }

    /// A login over SSH to a board that is up by itself.
    fn check_ssh(&mut self, block: &Block, state: &NodeState<'_>) {
        let NodeKind::Board { board } = state.kind else { return };
        if board.ssh.is_none() {
            let message =
                format!("the bench file does not say how board `{}` is reached over SSH", board.name);
            let help =
                format!("add `[boards.{}.ssh]` with `host`, `identity_file` and `host_key`", board.name);
            self.fault(Class::Bench, block.span, message, Some(help));
        }
    }

    /// A command of the bench, by its name.
    fn command(&mut self, name: &Located<String>, state: &NodeState<'_>) -> Option<UserCommand> {
        let NodeKind::Board { board } = state.kind else {
            let message = format!("role `{}` is a connection: it has no commands", state.role.name.value);
            self.fault(Class::Job, name.span, message, None);
            return None;
        };
        let Some(command) = board.commands.iter().find(|command| command.name == name.value) else {
            if let Some(command) = power_command(board, &name.value) {
                return Some(command);
            }
            let names: Vec<&str> = board.commands.iter().map(|command| command.name.as_str()).collect();
            let help =
                did_you_mean(&name.value, names.iter().copied()).unwrap_or_else(|| match names.as_slice() {
                    [] => format!(
                        "add it with `[boards.{}.commands.{}]` and `do` in the bench file",
                        board.name, name.value
                    ),
                    _ => format!("it has: {}", names.join(", ")),
                });
            let message = format!("board `{}` has no command `{}`", board.name, name.value);
            self.fault(Class::Bench, name.span, message, Some(help));
            return None;
        };
        let (run, undo) = (command.run.clone(), command.undo.clone());
        Some(UserCommand { name: command.name.clone(), run, undo, power: None })
    }
}

/// The commands that LAVA has wherever the power of a board can be switched.
fn power_command(board: &Board, name: &str) -> Option<UserCommand> {
    let power = board.power.as_ref()?;
    let switch = match name {
        "power_on" => Switch::On,
        "power_off" => Switch::Off,
        "hard_reset" => Switch::Reset,
        _ => return None,
    };
    power.can(switch).then(|| UserCommand {
        name: name.to_owned(),
        run: Vec::new(),
        undo: Vec::new(),
        power: Some(switch),
    })
}
