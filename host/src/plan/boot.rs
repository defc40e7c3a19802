//! Boot blocks, with what the board type and the job's context say of the board.

use super::bind::Binder;
use super::blocks::NodeState;
use super::step::{
    BootBootloader, BootMinimal, BootUboot, LoaderCommands, LoaderSettings, NewConnection, NodeKind,
    ResetPlan, ShellPlan,
};
use crate::board::{Board, UbootSettings};
use crate::diagnostic::did_you_mean;
use crate::fault::Class;
use crate::job::placeholder;
use crate::job::{self, Block, BootCommands, BootImage, Context, Located, Reset, ShellSpec};

impl Binder<'_> {
    pub(super) fn boot_uboot(
        &mut self,
        boot: &job::BootUboot,
        block: &Block,
        state: &NodeState<'_>,
        kernel_type: Option<BootImage>,
    ) -> Option<BootUboot> {
        let (board, uboot) = self.uboot(block, state)?;
        let commands = self.commands(&boot.commands, board, uboot);
        let image = self.image(block, board, uboot, kernel_type.or(boot.image))?;
        let settings = loader_settings(board, uboot, image, &state.role.context);
        let final_message = boot.bootloader_final_message.clone();
        Some(BootUboot {
            loader: LoaderCommands { commands: commands?, image, settings },
            bootloader_final_message: final_message.unwrap_or_else(|| uboot.final_message.clone()),
            reset: reset(&boot.reset, board),
            shell: shell(&boot.shell, board, true),
        })
    }

    /// A list of commands that loads files needs a deployment before it.
    pub(super) fn check_files(&mut self, boot: &job::BootUboot, state: &NodeState<'_>, has_files: bool) {
        let (BootCommands::Named(name), NodeKind::Board { board }) = (&boot.commands.value, state.kind)
        else {
            return;
        };
        let list = board.uboot.as_ref().and_then(|uboot| uboot.commands.get(name));
        let mut used = list.into_iter().flatten().flat_map(|command| placeholder::names(command));
        let file = used.find(|name| matches!(*name, "KERNEL" | "NFSROOTFS" | "BOOTX"));
        if let Some(file) = file.filter(|_| !has_files) {
            let message = format!("the commands `{name}` need `{{{file}}}`, and nothing was deployed before");
            let help = "put the `deploy` with the files before it".to_owned();
            self.fault(Class::Job, boot.commands.span, message, Some(help));
        }
    }

    pub(super) fn boot_bootloader(
        &mut self,
        boot: &job::BootBootloader,
        block: &Block,
        state: &NodeState<'_>,
        kernel_type: Option<BootImage>,
    ) -> Option<BootBootloader> {
        let (board, uboot) = self.uboot(block, state)?;
        let commands = match &boot.commands {
            Some(commands) => self.commands(commands, board, uboot)?,
            None => Vec::new(),
        };
        let image = self.image(block, board, uboot, kernel_type)?;
        let settings = loader_settings(board, uboot, image, &state.role.context);
        let prompts = if boot.prompts.is_empty() { uboot.prompts.clone() } else { boot.prompts.clone() };
        let loader = LoaderCommands { commands, image, settings };
        Some(BootBootloader { loader, prompts, reset: reset(&boot.reset, board) })
    }

    pub(super) fn boot_minimal(
        &mut self,
        boot: &job::BootMinimal,
        state: &NodeState<'_>,
    ) -> Option<BootMinimal> {
        let NodeKind::Board { board } = state.kind else { return None };
        // What starts without a reset is up: no kernel says its first words.
        Some(BootMinimal {
            reset: reset(&boot.reset, board),
            shell: shell(&boot.shell, board, boot.reset.wanted),
        })
    }

    pub(super) fn new_connection(
        &mut self,
        boot: &job::NewConnection,
        state: &NodeState<'_>,
    ) -> Option<NewConnection> {
        let NodeKind::Board { board } = state.kind else { return None };
        let connection = &boot.connection;
        if !board.consoles.iter().any(|(name, _)| *name == connection.value) {
            let names: Vec<&str> = board.consoles.iter().map(|(name, _)| name.as_str()).collect();
            let help = did_you_mean(&connection.value, names.iter().copied())
                .unwrap_or_else(|| format!("add it to `[boards.{}.consoles]` in the bench file", board.name));
            let message = format!("board `{}` has no connection `{}`", board.name, connection.value);
            self.fault(Class::Bench, connection.span, message, Some(help));
            return None;
        }
        let shell = shell(&boot.shell, board, false);
        Some(NewConnection { connection: connection.value.clone(), shell })
    }

    /// The node's board and the U-Boot on it.
    fn uboot<'s>(&mut self, block: &Block, state: &NodeState<'s>) -> Option<(&'s Board, &'s UbootSettings)> {
        let NodeKind::Board { board } = state.kind else { return None };
        if board.uboot.is_none() {
            let message =
                format!("board `{}` has no U-Boot: its type `{}` has none", board.name, board.board_type);
            self.fault(Class::Bench, block.span, message, None);
        }
        Some((board, board.uboot.as_ref()?))
    }

    /// Kind of the kernel image, which the board must be able to start.
    fn image(
        &mut self,
        block: &Block,
        board: &Board,
        uboot: &UbootSettings,
        wanted: Option<BootImage>,
    ) -> Option<BootImage> {
        let image = wanted.or(uboot.images.first().copied());
        if let Some(image) = image.filter(|image| !uboot.images.contains(image)) {
            let message =
                format!("board type `{}` cannot start a kernel of type {image:?}", board.board_type);
            self.fault(Class::Job, block.span, message, None);
        }
        image
    }

    fn commands(
        &mut self,
        commands: &Located<BootCommands>,
        board: &Board,
        uboot: &UbootSettings,
    ) -> Option<Vec<String>> {
        let list = match &commands.value {
            BootCommands::Inline(list) => list,
            BootCommands::Named(name) => match uboot.commands.get(name) {
                Some(list) => list,
                None => {
                    let names: Vec<&str> = uboot.commands.keys().map(String::as_str).collect();
                    let help = did_you_mean(name, names.iter().copied())
                        .unwrap_or_else(|| format!("it has: {}", names.join(", ")));
                    let message = format!("board type `{}` has no commands `{name}`", board.board_type);
                    self.fault(Class::Job, commands.span, message, Some(help));
                    return None;
                }
            },
        };
        if let BootCommands::Named(list_name) = &commands.value {
            for name in list.iter().flat_map(|command| placeholder::unknown(command)) {
                // What looks like none of them may be text for the board.
                let Some(near) = did_you_mean(name, placeholder::PLACEHOLDERS) else { continue };
                let message = format!(
                    "nothing replaces `{{{name}}}` in the commands `{list_name}` of board `{}`",
                    board.name
                );
                self.fault(Class::Bench, commands.span, message, Some(near));
            }
        }
        Some(list.clone())
    }
}

fn reset(reset: &Reset, board: &Board) -> ResetPlan {
    let message = reset.shutdown_message.clone();
    ResetPlan {
        wanted: reset.wanted,
        soft_reboot: match reset.soft_reboot.as_slice() {
            [] => board.linux.soft_reboot.clone(),
            own => own.to_vec(),
        },
        shutdown_message: message.unwrap_or_else(|| board.linux.shutdown_message.clone()),
    }
}

fn shell(shell: &ShellSpec, board: &Board, starts_kernel: bool) -> ShellPlan {
    let message = shell.kernel_start_message.clone();
    let message = starts_kernel.then(|| message.unwrap_or_else(|| board.linux.kernel_start_message.clone()));
    ShellPlan {
        prompts: shell.prompts.clone(),
        auto_login: shell.auto_login.clone(),
        kernel_start_message: message,
        failure_message: shell.failure_message.clone(),
        ignore_kernel_messages: shell.ignore_kernel_messages,
        transfer: shell.transfer.clone(),
    }
}

/// Values for the commands that do not come from the deployment; addresses of the job's context win.
pub(crate) fn loader_settings(
    board: &Board,
    uboot: &UbootSettings,
    image: BootImage,
    context: &Context,
) -> LoaderSettings {
    let usual = uboot.addresses(image);
    let address = |what: &str, usual: String| {
        let key = format!("{}_{what}_addr", image.command());
        context.addresses.get(&key).cloned().unwrap_or(usual)
    };
    let others = [("TEE_ADDR", &uboot.tee_addr), ("DTBO_ADDR", &uboot.dtbo_addr)];
    let others = others.into_iter().filter_map(|(name, addr)| Some((name.to_owned(), addr.clone()?)));
    let console = &board.linux_console;
    LoaderSettings {
        kernel_addr: address("kernel", usual.kernel),
        ramdisk_addr: address("ramdisk", usual.ramdisk),
        dtb_addr: address("dtb", usual.dtb),
        boot_dtb_addr: uboot.boot_dtb_addr.clone(),
        other_addrs: others.collect(),
        console: format!("{},{}n8", console.device, console.baud),
        extra_kernel_args: context
            .extra_kernel_args
            .as_ref()
            .map(|args| format!(" {args}"))
            .unwrap_or_default(),
        extra_nfsroot_args: context.extra_nfsroot_args.clone().unwrap_or_default(),
    }
}
