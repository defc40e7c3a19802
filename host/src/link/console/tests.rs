//! Tests of the owner of a line.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

#[tokio::test]
async fn every_chunk_is_reported_once_in_each_direction() {
    let (near, mut far) = tokio::io::duplex(64);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tap: Tap = {
        let seen = seen.clone();
        Arc::new(move |direction, bytes| seen.lock().unwrap().push((direction, bytes.to_vec())))
    };
    let mut console = Console::new(near, tap);

    far.write_all(b"=> ").await.unwrap();
    let mut buffer = [0; 16];
    let count = console.read(&mut buffer).await.unwrap();
    console.unread(&buffer[..count]);
    assert_eq!(console.read(&mut buffer[..2]).await.unwrap(), 2);
    assert_eq!(console.read(&mut buffer[2..]).await.unwrap(), 1);
    assert_eq!(&buffer[..3], b"=> ");
    console.write_all(b"boot\n").await.unwrap();

    let expected = [(Direction::Rx, b"=> ".to_vec()), (Direction::Tx, b"boot\n".to_vec())];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn what_comes_while_something_else_is_waited_for_is_told_at_once_and_read_later() {
    let (near, mut far) = tokio::io::duplex(64);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tap: Tap = {
        let seen = seen.clone();
        Arc::new(move |_, bytes| seen.lock().unwrap().extend_from_slice(bytes))
    };
    let mut console = Console::new(near, tap);
    console.unread(b"before\n");
    let said: Vec<u8> = (0..5000).flat_map(|line| format!("line {line}\n").into_bytes()).collect();
    console.listen_while(far.write_all(&said)).await.unwrap();
    drop(far);
    // It ends with the line, which the next reader learns.
    assert!(tokio::time::timeout(Duration::from_millis(1), console.listen()).await.is_err());
    let mut read = Vec::new();
    console.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, [b"before\n", said.as_slice()].concat());
    assert_eq!(*seen.lock().unwrap(), said);
}

#[tokio::test]
async fn of_what_nobody_reads_the_end_is_kept() {
    let (near, mut far) = tokio::io::duplex(64);
    let mut console = Console::new(near, Arc::new(|_, _: &[u8]| {}));
    let said: Vec<u8> = (0..2 * MAX_UNREAD).map(|at| u8::try_from(at % 251).unwrap()).collect();
    console.listen_while(far.write_all(&said)).await.unwrap();
    drop(far);
    let mut read = Vec::new();
    console.read_to_end(&mut read).await.unwrap();
    assert!(read.len() >= MAX_UNREAD && said.ends_with(&read), "{}", read.len());
}
