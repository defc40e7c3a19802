//! Requests that are not granted.

use super::*;

#[tokio::test]
async fn refusals_are_answered_and_reported() {
    let mut bench = bench().await;
    let directory = tempfile::tempdir().unwrap();
    let _directory = bench.table.add(LOCALHOST.ip(), "directory", Source::File(directory.path().into()));
    let large = tempfile::NamedTempFile::new().unwrap();
    large.as_file().set_len((16 << 20) + 1).unwrap();
    let _large = bench.table.add(LOCALHOST.ip(), "large", Source::File(large.path().into()));
    let request = Request { name: "directory".into(), mode: Mode::Octet, options: Options::default() };
    let cases = [
        (read_request("../../etc/passwd", Mode::Octet, Options::default()), "1 no such file"),
        (Packet::WriteRequest(request.clone()).to_vec(), "2 the server is read-only"),
        (Packet::ReadRequest(request).to_vec(), "0 the file cannot be opened"),
        (b"\0\x01f\0mail\0".to_vec(), "4 not a request: the mode is neither octet nor netascii"),
        (
            b"\0\x01\xff\0octet\0".to_vec(),
            "1 not a request: the file name is empty, longer than 255 bytes or not UTF-8",
        ),
        (
            read_request("large", Mode::Netascii, Options::default()),
            "0 files of more than 16777216 bytes are served in octet mode only",
        ),
    ];
    for (request, answer) in cases {
        assert_eq!(refused(bench.address, &request).await, answer);
        let event = bench.event().await;
        assert!(matches!(event.kind, TftpEventKind::Refused(_)), "{event:?}");
    }
}

#[tokio::test]
async fn an_error_is_not_answered_though_it_is_cut() {
    let bench = bench().await;
    let _bytes = bench.table.add(LOCALHOST.ip(), "f", Source::Bytes(pattern(1000).into()));
    let (board, stranger) = (client().await, client().await);
    board.send_to(b"\0\x05", bench.address).await.unwrap();
    ask(&board, "f", bench.address).await;
    let (datagram, transfer) = receive(&board).await;
    assert!(matches!(Packet::parse(&datagram).unwrap(), Packet::Data { block: 1, .. }), "{datagram:?}");
    for error in [&b"\0\x05"[..], b"\0\x05\0", b"\0\x05\0\x01gone"] {
        stranger.send_to(error, transfer).await.unwrap();
    }
    acknowledge(&stranger, 1, transfer).await;
    let (datagram, _) = receive(&stranger).await;
    assert!(matches!(Packet::parse(&datagram).unwrap(), Packet::Error { .. }), "{datagram:?}");
    let another = tokio::time::timeout(Duration::from_millis(200), receive(&stranger)).await;
    assert!(another.is_err(), "of four datagrams, the one that is no ERROR is answered: {another:?}");
    bench.stop.cancel();
    within(bench.task).await.unwrap().unwrap();
}

/// A pipe without a writer, which cannot be opened until there is one: the slowest disk of all.

#[tokio::test]
async fn an_unknown_address_gets_no_answer_but_is_reported() {
    let mut bench = bench().await;
    let _guard = bench.table.add([10, 9, 9, 9].into(), "f", Source::Bytes(Arc::from([])));
    let socket = client().await;
    ask(&socket, "f", bench.address).await;
    let event = bench.event().await;
    assert_eq!(event.name, "f");
    assert!(matches!(event.kind, TftpEventKind::Refused(Refusal::UnknownPeer)), "{event:?}");
    // It is told once; then the next stranger is.
    let other = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    for asks in [&socket, &socket, &other] {
        ask(asks, "f", bench.address).await;
    }
    assert_eq!(bench.event().await.peer, other.local_addr().unwrap());
    // Nothing that was sent to it is in front of the first file that it may have.
    let _own = bench.table.add(LOCALHOST.ip(), "own", Source::Bytes(Arc::from([])));
    ask(&socket, "own", bench.address).await;
    let (datagram, _) = receive(&socket).await;
    assert!(matches!(Packet::parse(&datagram), Ok(Packet::Data { block: 1, .. })), "{datagram:?}");
}
