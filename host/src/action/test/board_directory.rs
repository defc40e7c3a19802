//! The agent's directory on a board that keeps it: it is removed at the end, with the job's secrets in it.

use std::time::{Duration, Instant};

use regex::bytes::Regex;
use tokio::io::AsyncWriteExt as _;

use crate::dialog::ShellPrompt;
use crate::fault::{Class, Fault};
use crate::limit::Limit;
use crate::link::{Console, drive};
use crate::run::{NodeContext, Phase};

/// How long the shell may take to show its prompt again.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Removes `directory` through the shell on the console. The results are there: that it cannot be done is a warning.
pub(crate) async fn clear_over_console(
    node: &NodeContext,
    phase: &Phase,
    console: &mut Console,
    prompts: &[Regex],
    directory: &str,
) {
    let cleared = async {
        await_prompt(phase, console, prompts).await?;
        let sent = console.write_all(format!("rm -rf {directory}\n").as_bytes()).await;
        sent.map_err(|error| phase.error(Class::Infrastructure, &error))?;
        await_prompt(phase, console, prompts).await
    };
    if let Err(fault) = cleared.await {
        node.emitter.warn(format!("{directory} stays on the board: {fault}"));
    }
}

/// Waits until the shell has the terminal back from an agent: what is typed before is lost.
pub(crate) async fn await_prompt(
    phase: &Phase,
    console: &mut Console,
    prompts: &[Regex],
) -> Result<(), Fault> {
    let part = phase.part(Some(&Limit::new(PROMPT_TIMEOUT, "a fixed limit of a shell's prompt")));
    let prompt = ShellPrompt::new(prompts.to_vec(), part.end(), Instant::now());
    match drive(console, prompt).await {
        Ok(_) => Ok(()),
        Err(error) => Err(phase.error(Class::Infrastructure, &error)),
    }
}
