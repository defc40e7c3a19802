//! Tests of consoles that several processes see.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::link::Console;

/// A name that no other test has.
fn name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("host-runner-test/{}-{number}", std::process::id())
}

/// A shared console, its board, and the name.
fn shared() -> (Console, tokio::io::DuplexStream, ConsoleShare, String) {
    let name = name();
    let (share, _orders) = ConsoleShare::open(&name, false).unwrap();
    let (near, board) = tokio::io::duplex(1 << 20);
    let tap = share.tap(Arc::new(|_, _: &[u8]| {}));
    let console = Console::new(near, tap).shared(&share, Arc::new(|_: &str| {}));
    (console, board, share, name)
}

async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin), count: usize) -> String {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_watcher_sees_what_came_before_it_and_what_comes_until_the_console_is_closed() {
    let (mut console, mut board, share, name) = shared();
    board.write_all(b"U-Boot 2025.01\r\n").await.unwrap();
    read(&mut console, 16).await;
    let mut watcher = attach(&name).unwrap();
    assert_eq!(read(&mut watcher, 16).await, "U-Boot 2025.01\r\n");
    board.write_all(b"=> ").await.unwrap();
    read(&mut console, 3).await;
    assert_eq!(read(&mut watcher, 3).await, "=> ");
    board.write_all(b"the end").await.unwrap();
    read(&mut console, 7).await;
    share.close().await;
    assert_eq!(read(&mut watcher, 7).await, "the end");
    assert_eq!(watcher.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(attach(&name).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn watchers_of_a_run_see_no_frames_and_are_told_things_in_the_middle_of_one() {
    let name = name();
    let (share, _orders) = ConsoleShare::open(&name, false).unwrap();
    let (near, mut board) = tokio::io::duplex(1 << 20);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&seen);
    let tap: Tap = Arc::new(move |_, bytes: &[u8]| recorded.lock().unwrap().extend_from_slice(bytes));
    let mut console = Console::new(near, share.tap_text(tap));
    board.write_all(b"# \x1e01dab").await.unwrap();
    read(&mut console, 8).await;
    (share.teller())("it throws keys away");
    board.write_all(b"cd\x1f$ ").await.unwrap();
    read(&mut console, 5).await;
    let mut watcher = attach(&name).unwrap();
    let shown = "# \r\n[it throws keys away]\r\n$ ";
    assert_eq!(read(&mut watcher, shown.len()).await, shown);
    assert_eq!(*seen.lock().unwrap(), b"# \x1e01dabcd\x1f$ ");
}

#[tokio::test]
async fn what_watchers_type_goes_out_while_the_owner_reads_and_the_tap_sees_it() {
    let name = name();
    let (share, _orders) = ConsoleShare::open(&name, false).unwrap();
    let (near, mut board) = tokio::io::duplex(64);
    let sent = Arc::new(Mutex::new(Vec::new()));
    let tap: Tap = {
        let sent = Arc::clone(&sent);
        Arc::new(move |direction, bytes| {
            if direction == Direction::Tx {
                sent.lock().unwrap().extend_from_slice(bytes);
            }
        })
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let notice = {
        let told = Arc::clone(&told);
        Arc::new(move |text: &str| told.lock().unwrap().push(text.to_owned()))
    };
    let mut console = Console::new(near, share.tap(tap)).shared(&share, notice);
    let mut watcher = attach(&name).unwrap();
    watcher.write_all(b"version\r").await.unwrap();
    let owner = tokio::spawn(async move { read(&mut console, 2).await });
    assert_eq!(read(&mut board, 8).await, "version\r");
    board.write_all(b"ok").await.unwrap();
    assert_eq!(owner.await.unwrap(), "ok");
    assert_eq!(*sent.lock().unwrap(), b"version\r");
    assert_eq!(told.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_later_console_takes_over_what_is_typed() {
    let (first, _old_board, share, name) = shared();
    drop(first);
    let (near, mut board) = tokio::io::duplex(64);
    let tap = share.tap(Arc::new(|_, _: &[u8]| {}));
    let mut second = Console::new(near, tap).shared(&share, Arc::new(|_: &str| {}));
    let mut watcher = attach(&name).unwrap();
    watcher.write_all(b"x").await.unwrap();
    let owner = tokio::spawn(async move { second.read_u8().await });
    assert_eq!(read(&mut board, 1).await, "x");
    board.write_all(b"y").await.unwrap();
    assert_eq!(owner.await.unwrap().unwrap(), b'y');
}

#[tokio::test]
async fn a_name_is_shared_once() {
    let (_console, _board, _share, name) = shared();
    assert_eq!(ConsoleShare::open(&name, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
}

/// Asks as another process does, which blocks.
async fn asked<T: Send + 'static>(
    name: &str,
    ask: impl FnOnce(&str) -> Result<T, control::ControlError> + Send + 'static,
) -> Result<T, control::ControlError> {
    let name = name.to_owned();
    tokio::task::spawn_blocking(move || ask(&name)).await.unwrap()
}

#[tokio::test]
async fn one_more_than_may_attach_is_told_why_not_and_who_is_attached_is_told() {
    let (mut console, mut board, _share, name) = shared();
    board.write_all(b"=> ").await.unwrap();
    read(&mut console, 3).await;
    let mut watchers = Vec::new();
    for _ in 0..MAX_WATCHERS {
        let mut watcher = attach(&name).unwrap();
        assert_eq!(read(&mut watcher, 3).await, "=> ");
        watchers.push(watcher);
    }
    let mut refused = attach(&name).unwrap();
    let mut text = String::new();
    refused.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "\r\n[not attached: 16 are attached already]\r\n");
    let list = asked(&name, control::attached).await.unwrap();
    let own = i32::try_from(std::process::id()).unwrap();
    assert!(
        list.is_full && !list.gives && list.watchers.iter().all(|watcher| watcher.pid == own),
        "{list:?}"
    );
    assert_eq!(list.watchers.len(), MAX_WATCHERS);
}

/// A line that notes its breaks.
struct Breaks(tokio::io::DuplexStream, Arc<Mutex<Vec<bool>>>);

impl super::super::Port for Breaks {
    fn set_break(&mut self, on: bool) -> io::Result<()> {
        self.1.lock().unwrap().push(on);
        Ok(())
    }
}

impl tokio::io::AsyncRead for Breaks {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl tokio::io::AsyncWrite for Breaks {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_break_is_made_and_ended_before_what_is_typed_behind_it() {
    let name = name();
    let (share, _orders) = ConsoleShare::open(&name, false).unwrap();
    let (near, mut board) = tokio::io::duplex(64);
    let made = Arc::new(Mutex::new(Vec::new()));
    let tap = share.tap(Arc::new(|_, _: &[u8]| {}));
    let mut console =
        Console::new(Breaks(near, Arc::clone(&made)), tap).shared(&share, Arc::new(|_: &str| {}));
    let reader = tokio::spawn(async move { console.read_u8().await });
    assert_eq!(asked(&name, control::send_break).await.unwrap(), "break sent");
    assert_eq!(*made.lock().unwrap(), [true, false]);
    let mut watcher = attach(&name).unwrap();
    watcher.write_all(b"t").await.unwrap();
    assert_eq!(read(&mut board, 1).await, "t");
    board.write_all(b"x").await.unwrap();
    assert_eq!(reader.await.unwrap().unwrap(), b'x');
}

#[tokio::test]
async fn a_line_without_breaks_and_one_that_nobody_reads_are_told() {
    let (mut console, mut board, _share, name) = shared();
    let reader = tokio::spawn(async move { console.read_u8().await.map(|byte| (byte, console)) });
    let error = asked(&name, control::send_break).await.unwrap_err().to_string();
    assert!(error.starts_with("no break was sent: "), "{error}");
    board.write_all(b"x").await.unwrap();
    let (_, _unread) = reader.await.unwrap().unwrap();
    let error = asked(&name, control::send_break).await.unwrap_err().to_string();
    assert_eq!(error, "no break was sent: nobody reads the console at the moment");
}

#[tokio::test]
async fn orders_reach_the_owner_and_its_answer_comes_back() {
    let name = name();
    let (share, mut orders) = ConsoleShare::open(&name, true).unwrap();
    let asker = tokio::spawn({
        let name = name.clone();
        async move { asked(&name, |name| control::switch(name, Switch::Reset, REST_TIME)).await }
    });
    let Some(Order::Switch { who, switch, answer }) = orders.recv().await else { panic!("no such order") };
    assert_eq!((who.pid, switch), (i32::try_from(std::process::id()).unwrap(), Switch::Reset));
    answer.send(Err("it is switched by hand".to_owned())).unwrap();
    assert_eq!(asker.await.unwrap().unwrap_err().to_string(), "it is switched by hand");

    // A board that is given goes with its socket and its line, also once the console is closed.
    let asker = tokio::spawn({
        let name = name.clone();
        async move { asked(&name, |name| control::ask_for_board(name, "run out")).await }
    });
    let Some(Order::Give { to, answer }) = orders.recv().await else { panic!("no such order") };
    assert_eq!(to, "run out");
    share.close().await;
    let (line, mut board) = StdUnixStream::pair().unwrap();
    let bench = tempfile::NamedTempFile::new().unwrap();
    let key = crate::board::lease::Key::board(bench.path(), "bbb1").unwrap();
    let holder =
        crate::board::lease::Holder::this("one".to_owned(), String::new(), jiff::Timestamp::UNIX_EPOCH);
    let lease = crate::board::lease::Lease::acquire(std::slice::from_ref(&key), &holder).unwrap();
    let given = lease.give_each(vec![(vec![key.clone()], Some(line.into()))]).pop().unwrap();
    answer.send(given).unwrap();
    let mut given = asker.await.unwrap().unwrap();
    io::Write::write_all(&mut board, b"U-Boot").unwrap();
    let mut came = [0; 6];
    io::Read::read_exact(&mut StdUnixStream::from(given.take_line().unwrap()), &mut came).unwrap();
    assert_eq!(&came, b"U-Boot");
    let other = crate::board::lease::Holder { run: "two".to_owned(), ..holder.clone() };
    let keys = std::slice::from_ref(&key);
    assert!(crate::board::lease::Lease::acquire(keys, &other).is_err(), "it is on its way, and not free");
    let _lease = crate::board::lease::Lease::acquire_given(keys, vec![given], &other).unwrap();
    assert_eq!(key.holder().unwrap().run, "two");
}

#[tokio::test]
async fn whoever_wants_the_board_next_gets_it_at_the_end_or_is_told_that_it_does_not() {
    let (_console, _board, share, name) = shared();
    let first = control::Next::ask(&name).unwrap();
    let second = control::Next::ask(&name).unwrap();
    // What is answered later was taken later.
    asked(&name, control::attached).await.unwrap();
    let mut next = share.close().await;
    assert_eq!(next.len(), 2);
    let given = Handover::from_descriptors(false, Vec::new());
    control::give(&next.remove(0), given).unwrap();
    drop(next);
    assert!(first.wait().await.is_some());
    assert!(second.wait().await.is_none());
}
