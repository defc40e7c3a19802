//! `u-boot-test-flash`: the U-Boot that was built gets onto the board.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::emulator::built_firmware;
use super::place::Place;
use super::reset::or_cancelled;
use super::{BUILD_DIRECTORY, Hook};
use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::cli::runtime::block_on;
use crate::fault::{Class, Fault};
use crate::process_group::ProcessGroup;

/// Runs what the bench file says, or tells that nothing is to be done.
pub(super) fn flash(place: &Place) -> Result<Option<Class>, Failure> {
    let name = &place.board.name;
    if place.board.is_virtual() {
        let Some(path) = built_firmware(&place.name())? else {
            let text = format!("{BUILD_DIRECTORY} is not set: nobody says where U-Boot was built");
            let help = "test/py sets it; by hand, set it to the directory in which u-boot.bin is";
            return Err(Fault::new(Class::Usage, place.name(), text).with_help(help).into());
        };
        return print(|out| writeln!(out, "board `{name}` starts {} at its next reset", path.display()));
    }
    let settings = &place.board.u_boot_test;
    let Some(command) = &settings.flash else {
        return print(|out| {
            writeln!(
                out,
                "nothing is written to board `{name}`, as `[boards.{name}.u_boot_test]` has no `flash`: \
                 what is on it is tested"
            )
        });
    };
    block_on(async |cancel| {
        let work = async {
            let _permit = place.permit(Hook::Flash, Duration::ZERO).await?;
            run(place, command, settings.flash_timeout).await
        };
        or_cancelled(place, &cancel, work).await
    })?;
    Ok(None)
}

/// Runs `command` with this process's environment and output, for at most `limit`.
async fn run(place: &Place, command: &[String], limit: Duration) -> Result<(), Fault> {
    let words = command.join(" ");
    let failed = |class, what: String| Fault::new(class, place.name(), format!("`flash` {what}: `{words}`"));
    let [program, arguments @ ..] = command else {
        return Err(failed(Class::Bench, "names no program".to_owned()));
    };
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = started.map_err(|error: io::Error| {
        failed(Class::Bench, format!("cannot be run ({error})")).with_help("is it installed, and in PATH?")
    })?;
    let group = ProcessGroup::of(&child);
    match timeout(limit, child.wait()).await {
        Ok(Ok(status)) if status.success() => {
            // What it left running, such as a daemon, lives on.
            group.release();
            Ok(())
        }
        Ok(Ok(status)) => {
            group.release();
            Err(failed(Class::Infrastructure, format!("failed with {status}")))
        }
        Ok(Err(error)) => Err(failed(Class::Infrastructure, format!("cannot be waited for ({error})"))),
        Err(_) => {
            let fault = failed(Class::Infrastructure, format!("did not end within {} s", limit.as_secs()));
            Err(fault.with_help("`flash_timeout_s` gives it more time"))
        }
    }
}
