//! The owner's end of [`control`](super::control).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::board::lease::{Handover, Process};

use super::control::{Answer, Attached, MAX_LINE, Question, line};
use super::{MAX_WATCHERS, Order, Shared, Typed, descriptors, peer_of, refusal};

/// How long a question may take to come, and an answer to be taken.
const LINE_TIME: Duration = Duration::from_secs(5);

/// How long the console's reader may take to begin with a break.
const BREAK_TIME: Duration = Duration::from_secs(3);

/// How long the owner may take for an order; whoever asks has a shorter limit of its own.
const ORDER_TIME: Duration = Duration::from_secs(3600);

/// What goes back.
enum Reply {
    Text(Answer),
    Board(Handover),
}

/// Answers the question of a connection. The answer may take longer than the console is shared: a board is given away
/// when it is closed.
pub(super) fn answer(stream: UnixStream, shared: &Arc<Shared>) {
    // Who asks too much at once sees the end of the connection.
    let Ok(permit) = Arc::clone(&shared.questions).try_acquire_owned() else { return };
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let refused = refusal(&stream);
        // Whoever asked may be gone.
        let _ = serve(stream, refused, &shared).await;
        drop(permit);
    });
}

async fn serve(mut stream: UnixStream, refused: Option<String>, shared: &Shared) -> std::io::Result<()> {
    let who = peer_of(&stream);
    let mut text = Vec::new();
    let mut question = BufReader::new((&mut stream).take(MAX_LINE));
    timeout(LINE_TIME, question.read_until(b'\n', &mut text)).await??;
    let reply = match (refused, serde_json::from_slice(&text)) {
        (Some(why), _) => Reply::Text(Answer::Refused(why)),
        (None, Err(error)) => {
            Reply::Text(Answer::Refused(format!("the question is not understood: {error}")))
        }
        (None, Ok(Question::Next)) => {
            let mut next = shared.next();
            // The end of the connection says that there is no place.
            if next.len() < MAX_WATCHERS {
                next.push(stream.into_std()?);
            }
            return Ok(());
        }
        (None, Ok(question)) => reply(question, Process { pid: who.pid, user: who.user }, shared).await,
    };
    match reply {
        Reply::Text(answer) => timeout(LINE_TIME, stream.write_all(&line(&answer)?)).await?,
        Reply::Board(board) => {
            let (has_line, sent) = board.into_descriptors();
            descriptors::send(&stream, &line(&Answer::Given { has_line })?, &sent)
        }
    }
}

async fn reply(question: Question, who: Process, shared: &Shared) -> Reply {
    let refused = |why: &str| Reply::Text(Answer::Refused(why.to_owned()));
    let text = |told: Result<String, String>| Reply::Text(told.map_or_else(Answer::Refused, Answer::Done));
    match question {
        Question::Attached => {
            let watchers = shared.attached().clone();
            let is_full = watchers.len() >= MAX_WATCHERS;
            let agent_has_line = shared.agent_has_line.load(Ordering::Relaxed);
            Reply::Text(Answer::Attached(Attached { gives: shared.gives, is_full, watchers, agent_has_line }))
        }
        Question::Break => {
            let (told, done) = oneshot::channel();
            // Whoever does not read the line does not make one either.
            let made = timeout(BREAK_TIME, async {
                shared.typed.send(Typed::Break(told)).await.ok()?;
                done.await.ok()
            });
            match made.await {
                Ok(Some(Ok(()))) => text(Ok("break sent".to_owned())),
                Ok(Some(Err(error))) => text(Err(format!("no break was sent: {error}"))),
                Ok(None) | Err(_) => refused("no break was sent: nobody reads the console at the moment"),
            }
        }
        Question::Switch(switch) => {
            let (answer, done) = oneshot::channel();
            match ordered(shared, Order::Switch { who, switch, answer }, done).await {
                Some(told) => text(told),
                None => refused("whoever has the board does not switch its power now"),
            }
        }
        Question::Give(_) if !shared.gives => refused("a run does not give its board away"),
        Question::Give(to) => {
            let (answer, given) = oneshot::channel();
            match ordered(shared, Order::Give { to, answer }, given).await {
                Some(board) => Reply::Board(board),
                None => refused("the board is given away, or back, just now"),
            }
        }
        Question::Next => refused("there is no place"),
    }
}

/// What the owner answers to an order, if it does.
async fn ordered<T>(shared: &Shared, order: Order, answer: oneshot::Receiver<T>) -> Option<T> {
    let answered = timeout(ORDER_TIME, async {
        shared.orders.send(order).await.ok()?;
        answer.await.ok()
    });
    answered.await.ok().flatten()
}
