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
    let share = ConsoleShare::open(&name).unwrap();
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
async fn what_watchers_type_goes_out_while_the_owner_reads_and_the_tap_sees_it() {
    let name = name();
    let share = ConsoleShare::open(&name).unwrap();
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
    assert_eq!(ConsoleShare::open(&name).unwrap_err().kind(), io::ErrorKind::AddrInUse);
}
