//! `host-runner u-boot-test HOOK`, and the program under the names `u-boot-test-console`, `-flash`, `-reset` and
//! `-release`: the hooks through which U-Boot's own test suite gets at a board (U-Boot's `doc/develop/py_testing.rst`).
//!
//! ```text
//! test/py ─── pty ──▶ u-boot-test-console ──▶ board, or emulator
//!    │                   ▲  has the lease, the console, and the emulator
//!    │                   │ control socket
//!    └──────────────▶ u-boot-test-reset, -flash, -release ──▶ power, flash command
//! ```
//!
//! `test/py` starts `u-boot-test-console` and, at the same time, `u-boot-test-reset`: that waits for the console, so that
//! nothing of the boot is lost. The console has the board; the other hooks ask it before they do something to the board.

mod console;
mod control;
mod emulator;
mod flash;
mod install;
mod place;
mod reset;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::cli::args::BenchArgs;
use crate::cli::message::Failure;
use crate::fault::Class;

use place::Place;

/// What the names of all hooks begin with.
const PREFIX: &str = "u-boot-test-";

/// The environment variable in which `test/py` names the directory where U-Boot was built.
const BUILD_DIRECTORY: &str = "U_BOOT_BUILD_DIR";

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner u-boot-test install ~/ubtest/bin
  cd u-boot
  export PATH=~/ubtest/bin:$PATH HOST_RUNNER_BENCH=~/lab/bench.toml
  ./test/py/test.py --bd am335x_evm --id bbb1 --build-dir build-am335x_evm

test/py calls the links by their names. Its board identity (--id) is the board's name in the bench file; its board type
(--bd) is U-Boot's own, and does not matter here. What writes U-Boot to a board is in the bench file:

  [boards.bbb1.u_boot_test]
  flash = [\"sh\", \"-c\", \"usbsdmux-write $U_BOOT_BUILD_DIR/u-boot.img\"]

A virtual board starts u-boot.bin of the build directory. docs/u-boot-tests.md tells more.";

/// `host-runner u-boot-test`.
#[derive(Debug, Subcommand)]
pub(super) enum UBootTestCommand {
    /// Puts links with the hooks' names into a directory, which is then put into PATH
    Install(InstallArgs),
    /// Connects standard input and output to the board's console, until it is killed
    Console(HookArgs),
    /// Writes the U-Boot in $U_BOOT_BUILD_DIR to the board, by the bench file's command
    Flash(HookArgs),
    /// Resets the board, whose u-boot-test-console goes on
    Reset(HookArgs),
    /// Ends the board's u-boot-test-console, if there is one, and switches the board off
    Release(HookArgs),
}

/// `host-runner u-boot-test install`.
#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    /// The directory, which is made if it is not there
    directory: PathBuf,
}

/// What `test/py` gives to each hook.
#[derive(Debug, Args)]
pub(super) struct HookArgs {
    /// U-Boot's name for this kind of board, such as `am335x_evm`
    board_type: String,
    /// The board, by its name in the bench file; `na` is the only one
    #[arg(default_value = "na")]
    board_identity: String,
    #[command(flatten)]
    bench: BenchArgs,
}

/// A hook, as its lease tells others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    Console,
    Flash,
    Reset,
    Release,
}

impl Hook {
    const ALL: [Self; 4] = [Self::Console, Self::Flash, Self::Reset, Self::Release];

    /// What it is called as an argument.
    const fn word(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Flash => "flash",
            Self::Reset => "reset",
            Self::Release => "release",
        }
    }

    /// What `test/py` calls it.
    fn name(self) -> String {
        format!("{PREFIX}{}", self.word())
    }
}

/// The arguments of this process; those of `host-runner u-boot-test HOOK` where it was started under a hook's name.
pub(super) fn arguments(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut given: Vec<OsString> = given.collect();
    let name = given.first().map(Path::new).and_then(Path::file_name);
    if let Some(hook) = Hook::ALL.into_iter().find(|hook| name == Some(OsStr::new(&hook.name()))) {
        given.splice(..1, ["host-runner", "u-boot-test", hook.word()].map(OsString::from));
    }
    given
}

/// Runs a hook, or installs them.
pub(super) fn u_boot_test(command: &UBootTestCommand) -> Result<Option<Class>, Failure> {
    match command {
        UBootTestCommand::Install(args) => install::install(&args.directory),
        UBootTestCommand::Console(args) => console::console(&Place::find(args)?),
        UBootTestCommand::Flash(args) => flash::flash(&Place::find(args)?),
        UBootTestCommand::Reset(args) => reset::reset(&Place::find(args)?),
        UBootTestCommand::Release(args) => reset::release(&Place::find(args)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(given: &[&str]) -> Vec<String> {
        let given = given.iter().map(OsString::from);
        arguments(given).into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn the_name_that_it_is_started_under_is_the_subcommand() {
        let reset = words(&["/home/me/bin/u-boot-test-reset", "qemu_arm", "vb1"]);
        assert_eq!(reset, ["host-runner", "u-boot-test", "reset", "qemu_arm", "vb1"]);
        assert_eq!(words(&["u-boot-test-console"]), ["host-runner", "u-boot-test", "console"]);
        assert_eq!(words(&["/usr/bin/host-runner", "boards"]), ["/usr/bin/host-runner", "boards"]);
        assert_eq!(words(&["u-boot-test-getrole", "x"]), ["u-boot-test-getrole", "x"]);
    }
}
