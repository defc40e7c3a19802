//! Requests that come again.

use super::*;

#[tokio::test]
async fn a_client_may_ask_anew_from_the_same_port_as_soon_as_it_has_everything() {
    for own_threads in [OWN_THREADS, 0] {
        let mut bench = bench_on(own_threads).await;
        let _f = bench.table.add(LOCALHOST.ip(), "f", Source::Bytes(pattern(100).into()));
        let _g = bench.table.add(LOCALHOST.ip(), "g", Source::Bytes(pattern(200).into()));
        let socket = client().await;
        // Twice the same and then another, again and again; nothing is ever sent twice.
        for name in ["f", "f", "g"].into_iter().cycle().take(60) {
            ask(&socket, name, bench.address).await;
            let (datagram, transfer) = receive(&socket).await;
            let size = if name == "f" { 100 } else { 200 };
            assert_eq!(Packet::parse(&datagram).unwrap(), Packet::Data { block: 1, payload: &pattern(size) });
            acknowledge(&socket, 1, transfer).await;
        }
        let mut done = 0;
        while done < 60 {
            match bench.event().await.kind {
                TftpEventKind::Started { .. } => {}
                TftpEventKind::Done { .. } => done += 1,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_repeated_request_that_comes_late_does_not_end_the_transfer() {
    let mut bench = bench().await;
    let _guard = bench.table.add(LOCALHOST.ip(), "f", Source::Bytes(pattern(1000).into()));
    let socket = client().await;
    let request = read_request("f", Mode::Octet, Options::default());
    socket.send_to(&request, bench.address).await.unwrap();
    let (_, transfer) = receive(&socket).await;
    acknowledge(&socket, 1, transfer).await;
    receive(&socket).await;
    socket.send_to(&request, bench.address).await.unwrap();
    // Requests are dealt with in their order: this one after that one.
    assert_eq!(
        refused(bench.address, &read_request("g", Mode::Octet, Options::default())).await,
        "1 no such file"
    );
    acknowledge(&socket, 2, transfer).await;
    let mut kinds = Vec::new();
    while kinds.len() < 3 {
        kinds.push(bench.event().await.kind);
    }
    assert!(kinds.iter().any(|kind| matches!(kind, TftpEventKind::Done { bytes: 1000, .. })), "{kinds:?}");
}

#[tokio::test]
async fn a_new_request_from_the_same_port_replaces_the_old_transfer() {
    for own_threads in [OWN_THREADS, 0] {
        let mut bench = bench_on(own_threads).await;
        let _guard = bench.table.add(LOCALHOST.ip(), "f", Source::Bytes(pattern(2000).into()));
        let socket = client().await;
        let request = read_request("f", Mode::Octet, Options::default());
        socket.send_to(&request, bench.address).await.unwrap();
        let (_, first) = receive(&socket).await;
        acknowledge(&socket, 1, first).await;
        let (datagram, _) = receive(&socket).await;
        assert!(matches!(Packet::parse(&datagram), Ok(Packet::Data { block: 2, .. })));
        // The board was reset: the same request until it is answered, and the answer starts at the beginning, from a new port.
        let second = loop {
            socket.send_to(&request, bench.address).await.unwrap();
            let (datagram, peer) = receive(&socket).await;
            match Packet::parse(&datagram).unwrap() {
                Packet::Data { block: 1, .. } => break peer,
                Packet::Data { block: 2, .. } => assert_eq!(peer, first),
                other => panic!("{other:?}"),
            }
        };
        assert_ne!(first, second);
        let mut kinds = Vec::new();
        while kinds.len() < 3 {
            kinds.push(bench.event().await.kind);
        }
        assert!(
            kinds.iter().any(|kind| matches!(kind, TftpEventKind::Failed(Failure::Replaced))),
            "{kinds:?}"
        );
    }
}

#[tokio::test]
async fn a_repeated_request_is_answered_by_the_same_transfer() {
    for own_threads in [OWN_THREADS, 0] {
        let bench = bench_on(own_threads).await;
        let _guard = bench.table.add(LOCALHOST.ip(), "f", Source::Bytes(pattern(2000).into()));
        let socket = client().await;
        let options = Options { transfer_size: Some(0), ..Options::default() };
        for _ in 0..2 {
            socket.send_to(&read_request("f", Mode::Octet, options), bench.address).await.unwrap();
        }
        let (first, first_peer) = receive(&socket).await;
        let (second, second_peer) = receive(&socket).await;
        assert_eq!((first, first_peer), (second, second_peer));
    }
}
