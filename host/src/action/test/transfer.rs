//! `transfer_overlay`: the board fetches the tests itself, with commands of the job, where its root filesystem is not ours.

use std::io;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use regex::bytes::Regex;

use crate::action::Overlay;
use crate::agent_link::random;
use crate::board::Board;
use crate::dialog::{Answer, Exchange, ExchangeSettings};
use crate::fault::Chain;
use crate::http_file::HttpFile;
use crate::job::TransferCommands;
use crate::link::{Console, drive};
use crate::run::{NodeContext, Phase};

/// The file's name, as in LAVA: what comes behind `unpack`.
const NAME: &str = "overlay.tar.gz";

/// What the shell says when it is done; the number is the commands' exit code.
const DONE: &str = "overlay-transferred-";

/// Has the board fetch the agent and all of its files; its directory there.
///
/// # Errors
/// Why the board has not got them. Nothing is lost: they can still go over the console.
pub(super) async fn transfer(
    node: &NodeContext,
    phase: &Phase,
    board: &Board,
    overlay: &Overlay,
    commands: &TransferCommands,
    console: &mut Console,
    prompts: &[Regex],
) -> Result<String, String> {
    let directory = node.agent_directory();
    let peer = board.address.ok_or("the bench file does not give the board's address")?;
    let services = node.services(board, phase).map_err(|fault| fault.message)?;
    let archive = pack(overlay, &directory).map_err(|error| error.to_string())?;
    let size = archive.len();
    // Nobody guesses where the job's secrets are.
    let path = format!("/{:016x}{:016x}/{NAME}", random(), random());
    let file = HttpFile::serve(&services.net, services.address, peer, path, archive);
    let file = file.await.map_err(|error| format!("cannot listen at {}: {error}", services.address))?;
    let TransferCommands { download, unpack } = commands;
    let started = Instant::now();
    let settings = ExchangeSettings {
        command: Some(format!(
            "cd /tmp || cd /; rm -f {NAME}; {download} {} && {unpack} {NAME}; echo {DONE}$?; rm -f {NAME}",
            file.url()
        )),
        character_delay: board.uboot.as_ref().map(|uboot| uboot.character_delay).unwrap_or_default(),
        discard_echo: false,
        prompts: prompts.to_vec(),
        successes: vec![pattern("0")?],
        failures: vec![pattern("[1-9]")?],
        wait_for_prompt: true,
    };
    let answer = drive(console, Exchange::new(settings, phase.end(), Instant::now())).await;
    match answer.map_err(|error| Chain(&error).to_string())? {
        Answer::Success(_) => {
            node.emitter.note(format!(
                "the board has fetched the agent and its files from {} in {:.1} s: {size} bytes",
                file.url(),
                started.elapsed().as_secs_f64()
            ));
            Ok(directory)
        }
        Answer::Failure(..) | Answer::Unanswered | Answer::Prompt => {
            Err("its commands have failed: see the console".to_owned())
        }
    }
}

fn pattern(code: &str) -> Result<Regex, String> {
    Regex::new(&format!("{DONE}{code}")).map_err(|error| error.to_string())
}

/// A tar of all files, to be unpacked in `/`.
fn pack(overlay: &Overlay, directory: &str) -> io::Result<Bytes> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    for file in overlay.files() {
        let mut header = tar::Header::new_gnu();
        header.set_mode(file.mode);
        header.set_size(file.content.len() as u64);
        header.set_mtime(now);
        let path = format!("{directory}/{}", file.path);
        tar.append_data(&mut header, path.trim_start_matches('/'), file.content.as_slice())?;
    }
    tar.into_inner()?.finish().map(Bytes::from)
}
