//! `replay --console NODE`: the recorded console of a node as a board.

use std::io::{self, Write as _};
use std::path::Path;

use tokio::net::TcpListener;

use crate::cli::message::Failure;
use crate::cli::runtime::block_on;
use crate::event::EventKind;
use crate::fault::{Class, Fault};
use crate::playback::{Script, ScriptError, ServeError, serve};
use crate::report::jsonl::{self, ReadError};

use super::args::Listen;
use super::no_run;

/// Plays the console to the first who connects and talks; `speed` is that of the board, `None` at once.
pub(super) fn play(
    path: &Path,
    node: &str,
    listen: &Listen,
    speed: Option<f64>,
) -> Result<Option<Class>, Failure> {
    let script = read(path, node)?;
    block_on(async |cancel| {
        let place = format!("console of {node}");
        let infrastructure = |error: &dyn std::error::Error, place: &str| {
            Fault::from_error(Class::Infrastructure, place, error)
        };
        let listener = TcpListener::bind((listen.host.as_str(), listen.port))
            .await
            .map_err(|error| infrastructure(&error, &listen.to_string()))?;
        let bound = listener.local_addr().map_err(|error| infrastructure(&error, &listen.to_string()))?;
        // Whoever waits for it reads a pipe, perhaps.
        let told = writeln!(io::stdout(), "{place}: tcp://{bound}").and_then(|()| io::stdout().flush());
        told.map_err(|error| infrastructure(&error, "standard output"))?;
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Fault::new(Class::Cancelled, place, "the replay was stopped").into()),
            played = serve(&listener, &script, speed) => match played {
                Ok(()) => Ok(None),
                Err(error) => Err(fault(&place, &error).into()),
            }
        }
    })
}

fn fault(place: &str, error: &ServeError) -> Fault {
    match error {
        ServeError::Accept(_) | ServeError::Line(_) => Fault::from_error(Class::Infrastructure, place, error),
        ServeError::Diverged(_) | ServeError::HungUp { .. } => Fault::from_error(Class::Test, place, error)
            .with_help("the recording fits the job that it was made of, on a bench with the same addresses"),
    }
}

/// What crossed the console of `node`.
fn read(path: &Path, node: &str) -> Result<Script, Fault> {
    let mut script = Script::default();
    let mut nodes: Vec<String> = Vec::new();
    let result = jsonl::read::<Unusable>(path, |event| {
        if let EventKind::RunStarted { nodes: all, .. } = &event.kind {
            nodes = all.iter().map(|node| node.name.clone()).collect();
        }
        if event.node.as_deref() == Some(node) { Ok(script.add(&event)?) } else { Ok(()) }
    });
    let place = path.display().to_string();
    match result {
        Err(Unusable::Read(error)) => Err(no_run(path, &error)),
        Err(Unusable::Script(error)) => Err(Fault::from_error(Class::Usage, place, &error)),
        Ok(()) if !nodes.iter().any(|name| name == node) => {
            let names: Vec<_> = nodes.iter().map(|name| format!("`{name}`")).collect();
            Err(Fault::new(Class::Usage, place, format!("the run has no node `{node}`"))
                .with_help(format!("its nodes are {}", names.join(", "))))
        }
        Ok(()) if script.is_empty() => {
            Err(Fault::new(Class::Usage, place, format!("nothing crossed a console of node `{node}`"))
                .with_help("name a node that has a board of its own"))
        }
        Ok(()) => Ok(script),
    }
}

/// Why a run cannot be played.
enum Unusable {
    Read(ReadError),
    Script(ScriptError),
}

impl From<ReadError> for Unusable {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<ScriptError> for Unusable {
    fn from(error: ScriptError) -> Self {
        Self::Script(error)
    }
}
