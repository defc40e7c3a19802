//! What the other hooks ask of `u-boot-test-console`, over a Unix socket with an abstract name (unix(7)).
//!
//! A request is a word on a line; the answer is a line of JSON, `{"Ok":null}` or `{"Err":FAULT}`. One is served at a
//! time, until it closes its connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::abstract_socket;
use crate::board::bench_file::MAX_FLASH_S;
use crate::fault::Fault;
use crate::link::{attach, may_attach};

/// How long whoever has connected may take to say what it wants.
const SAY_TIME: Duration = Duration::from_secs(5);

/// How long one may have the board: the longest that a bench file can give to a command, and some more.
const TURN: Duration = Duration::from_secs(MAX_FLASH_S as u64 + 60);

/// Longest request, in bytes.
const MAX_REQUEST: u64 = 32;

/// Longest answer, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

/// How long to wait where no connection can be taken for the moment.
const BREATH: Duration = Duration::from_millis(100);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Restart the virtual board.
    Reset,
    /// Let whoever asks switch or write the board, until it closes the connection.
    Use,
    /// Switch a virtual board off, and end. The end of the connection is the answer.
    Release,
}

impl Request {
    const ALL: [Self; 3] = [Self::Reset, Self::Use, Self::Release];

    const fn word(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Use => "use",
            Self::Release => "release",
        }
    }
}

/// Whether it is done.
pub(super) type Answer = Result<(), Fault>;

/// A request, and where its answer goes.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// The end of the socket that is asked. Dropping it ends the connections.
pub(super) struct Control {
    pub(super) requests: mpsc::Receiver<Asked>,
    _server: AbortOnDropHandle<()>,
}

impl Control {
    /// Takes requests at the abstract name `name`, from processes of the same user, or of root.
    ///
    /// # Errors
    /// Where the name is taken, or the system refuses a socket.
    pub(super) fn open(name: &str) -> io::Result<Self> {
        let listener = UnixListener::from_std(abstract_socket::listen(name)?)?;
        let (sender, requests) = mpsc::channel(1);
        let server = AbortOnDropHandle::new(tokio::spawn(serve(listener, sender)));
        Ok(Self { requests, _server: server })
    }
}

async fn serve(listener: UnixListener, sender: mpsc::Sender<Asked>) {
    loop {
        match listener.accept().await {
            // One that is late or gone is no error of the console.
            Ok((stream, _)) if may_attach(&stream) => drop(timeout(TURN, answer(stream, &sender)).await),
            Ok(_) => {}
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn answer(stream: UnixStream, sender: &mpsc::Sender<Asked>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    timeout(SAY_TIME, (&mut stream).take(MAX_REQUEST).read_line(&mut line)).await??;
    let Some(request) = Request::ALL.into_iter().find(|request| request.word() == line.trim_end()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (answer, answered) = oneshot::channel();
    sender.send(Asked { request, answer }).await.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
    let Ok(answer) = answered.await else { return Err(io::ErrorKind::BrokenPipe.into()) };
    let text = serde_json::to_string(&answer)? + "\n";
    stream.get_mut().write_all(text.as_bytes()).await?;
    // The board is its own until then.
    stream.read(&mut [0]).await.map(drop)
}

/// Asks the console that takes requests at `name`. The connection comes with the answer: what was asked for lasts as long.
/// `None` if there is no console, or it ended before it answered.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] where it does not answer within `limit`, and what goes wrong on the way.
pub(super) async fn ask(
    name: &str,
    request: Request,
    limit: Duration,
) -> io::Result<Option<(Answer, UnixStream)>> {
    let Ok(stream) = attach(name) else { return Ok(None) };
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let asked = async {
        stream.get_mut().write_all(format!("{}\n", request.word()).as_bytes()).await?;
        (&mut stream).take(MAX_ANSWER).read_line(&mut line).await
    };
    match timeout(limit, asked).await? {
        Ok(1..) => Ok(Some((serde_json::from_str(&line)?, stream.into_inner()))),
        // It has ended.
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Class;

    const SOON: Duration = Duration::from_secs(20);

    fn name(what: &str) -> String {
        format!("host-runner/test-{}-{what}", std::process::id())
    }

    #[tokio::test]
    async fn whoever_asks_is_answered_and_has_the_board_until_it_is_done() {
        let name = name("turns");
        assert!(ask(&name, Request::Use, SOON).await.unwrap().is_none(), "there is no console yet");
        let mut control = Control::open(&name).unwrap();
        let answers = tokio::spawn(async move {
            let mut asked = Vec::new();
            while let Some(Asked { request, answer }) = control.requests.recv().await {
                asked.push(request);
                let told = match request {
                    Request::Reset => Err(Fault::new(Class::Infrastructure, "here", "no")),
                    Request::Use => Ok(()),
                    Request::Release => return asked,
                };
                answer.send(told).unwrap();
            }
            asked
        });
        let (answer, turn) = ask(&name, Request::Use, SOON).await.unwrap().unwrap();
        answer.unwrap();
        let late = ask(&name, Request::Reset, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut, "it is not its turn");
        drop(turn);
        let (answer, _turn) = ask(&name, Request::Reset, SOON).await.unwrap().unwrap();
        assert_eq!(answer.unwrap_err().message, "no");
        drop(_turn);
        assert!(ask(&name, Request::Release, SOON).await.unwrap().is_none(), "the end is the answer");
        let asked = answers.await.unwrap();
        // The one that did not wait is asked all the same.
        assert_eq!(asked.first(), Some(&Request::Use));
        assert_eq!(asked.last(), Some(&Request::Release));
    }

    #[tokio::test]
    async fn nonsense_and_silence_are_no_end_of_the_console() {
        let name = name("nonsense");
        let mut control = Control::open(&name).unwrap();
        for nonsense in [&b"dance\n"[..], &[b'x'; 100], b""] {
            let mut stream = attach(&name).unwrap();
            stream.write_all(nonsense).await.unwrap();
            stream.shutdown().await.unwrap();
            // Its end is an error or nothing.
            let _ = stream.read(&mut [0]).await;
        }
        let asks = tokio::spawn(async move { ask(&name, Request::Use, SOON).await });
        let asked = control.requests.recv().await.unwrap();
        assert_eq!(asked.request, Request::Use);
        asked.answer.send(Ok(())).unwrap();
        assert!(asks.await.unwrap().unwrap().unwrap().0.is_ok());
    }
}
