//! What is typed on a console that a run or command has open.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::board::lease::Key;
use crate::board::{Bench, Board};
use crate::link::{attach, control};

use super::Refusal;

/// Most bytes of one request.
const MAX_KEYS: usize = 4096;
/// Requests that wait for a console that takes nothing.
const MAX_WAITING: usize = 16;
/// How long a connection stays on which nothing happens. What was typed last has arrived by then.
const IDLE: Duration = Duration::from_secs(60);
/// How long whoever has a console may take to say whether keys are lost on it; whoever types does not wait for longer.
const WARNING_TIME: Duration = Duration::from_millis(300);
/// How long a console may take what is typed.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// The consoles on which something is being typed, each with a task of its own, so that keys stay in their order.
#[derive(Debug, Default)]
pub(super) struct Typists(Mutex<HashMap<String, mpsc::Sender<Bytes>>>);

impl Typists {
    /// Types `keys` on the console of `board`.
    ///
    /// # Errors
    /// Where nobody has the console open, or it takes nothing.
    pub(super) fn type_in(&self, bench: &Bench, board: &Board, keys: Bytes) -> Result<(), Refusal> {
        if keys.len() > MAX_KEYS {
            let text = format!("at most {MAX_KEYS} bytes at a time");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        let mut typists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        typists.retain(|_, sender| !sender.is_closed());
        let busy =
            || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the console takes nothing at the moment");
        let keys = match typists.get(&board.name).map(|sender| sender.try_send(keys.clone())) {
            Some(Ok(())) => return Ok(()),
            Some(Err(mpsc::error::TrySendError::Full(_))) => return Err(busy()),
            Some(Err(mpsc::error::TrySendError::Closed(keys))) => keys,
            None => keys,
        };
        let refused = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::ConnectionRefused => {
                Refusal::new(StatusCode::CONFLICT, "no run and no command has the console of this board open")
            }
            _ => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        };
        let name = Key::board(&bench.path, &board.name).map_err(refused)?.console_name();
        let stream = attach(&name).map_err(refused)?;
        let (sender, typed) = mpsc::channel(MAX_WAITING);
        sender.try_send(keys).map_err(|_| busy())?;
        typists.insert(board.name.clone(), sender);
        tokio::spawn(type_all(stream, typed));
        Ok(())
    }
}

/// Why the board does not get what is typed on its console now, where whoever has that says so.
pub(super) async fn warning(bench: &Bench, board: &Board) -> Option<&'static str> {
    let name = Key::board(&bench.path, &board.name).ok()?.console_name();
    // Whoever cannot be asked is not typed to either, and that is told.
    let asked = spawn_blocking(move || control::attached(&name));
    let attached = timeout(WARNING_TIME, asked).await.ok()?.ok()?.ok()?;
    attached.agent_has_line.then_some(control::KEYS_ARE_LOST)
}

/// Types until nothing more comes, or the console is closed.
async fn type_all(mut stream: UnixStream, mut typed: mpsc::Receiver<Bytes>) {
    // A watcher that does not read is told how much it has missed, once it does; so it reads.
    let mut shown = vec![0; 64 << 10];
    loop {
        tokio::select! {
            keys = typed.recv() => {
                let Some(keys) = keys else { return };
                if !matches!(timeout(WRITE_TIME, stream.write_all(&keys)).await, Ok(Ok(()))) {
                    return;
                }
            }
            count = stream.read(&mut shown) => if !matches!(count, Ok(1..)) {
                return;
            },
            () = sleep(IDLE) => return,
        }
    }
}
