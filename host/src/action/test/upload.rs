//! The agent brought onto a board whose root filesystem is not ours, through its shell.

use tokio::time::Instant;

use crate::action::Overlay;
use crate::agent_link::random_id;
use crate::dialog::{Upload, UploadError, UploadSettings, Uploaded};
use crate::event::EventKind;
use crate::fault::{Class, Fault};
use crate::link::{Console, DriveError, drive};
use crate::run::{NodeContext, Phase};

/// Where a target may have room besides `/`, which is often read-only: on file systems in memory.
const ELSEWHERE: [&str; 3] = ["/run", "/tmp", "/dev/shm"];

/// Uploads the agent at a shell's prompt; returns its directory on the board.
pub(super) async fn upload_agent(
    node: &NodeContext,
    phase: &Phase,
    overlay: &Overlay,
    console: &mut Console,
    bytes_per_s: Option<u32>,
) -> Result<String, Fault> {
    let agent = overlay.agent().ok_or_else(|| phase.fault(Class::Bug, "there is no agent to upload"))?;
    let directory = node.agent_directory();
    let elsewhere = ELSEWHERE.iter().map(|place| format!("{place}{directory}"));
    let settings = UploadSettings {
        directories: std::iter::once(directory.clone()).chain(elsewhere).collect(),
        file: agent.path.clone(),
        content: agent.content.clone(),
        bytes_per_s,
        nonce: random_id(),
    };
    let emitter = node.emitter.clone();
    let on_progress = move |done, total| {
        emitter.emit(EventKind::Progress { what: "upload agent".to_owned(), done, total: Some(total) });
    };
    let upload = Upload::new(settings, phase.end(), Box::new(on_progress), Instant::now().into_std());
    let uploaded = drive(console, upload).await.map_err(|error| fault(phase, &error))?;
    node.emitter.note(description(&uploaded));
    Ok(uploaded.directory)
}

fn description(uploaded: &Uploaded) -> String {
    let Uploaded { directory, decoder, unpacker, checksum, length, sent, repeated, took } = uploaded;
    let unpacked = unpacker.map(|unpacker| format!(" and `{unpacker}`")).unwrap_or_default();
    let again = if *repeated > 0 { format!(", {repeated} pieces sent again") } else { String::new() };
    format!(
        "agent uploaded to {directory} over the console in {:.1} s: {length} bytes as {sent} characters, decoded by \
         {decoder}{unpacked}, checked by {checksum}{again}",
        took.as_secs_f64()
    )
}

fn fault(phase: &Phase, error: &DriveError<UploadError>) -> Fault {
    let help = match error {
        DriveError::Dialog(UploadError::NoDecoder { .. }) => {
            "add `base64` to the target's system, or serve its root filesystem by NFS"
        }
        DriveError::Dialog(UploadError::NoRoom { .. }) => {
            "mount a tmpfs without `noexec` at /run, by `login_commands` for example"
        }
        _ => return phase.error(Class::Infrastructure, error),
    };
    phase.error(Class::Infrastructure, error).with_help(help)
}
