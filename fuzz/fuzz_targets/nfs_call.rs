//! Whatever calls a board makes: replies are bounded, and the layer is whole and is there again when it is opened again.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use host_runner::nfs::{Exports, Service, Transport};
use host_runner_fuzz::{LOWER, Scratch, pieces, sight};
use libfuzzer_sys::fuzz_target;

const BOARD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
/// Largest reply, in bytes: a READ of 1 MiB with its headers.
const MAX_REPLY: usize = (1 << 20) + 4096;
/// What stands for the number of the layer in the handles of the corpus.
const LAYER: &[u8; 8] = b"LAYER-ID";

fn with_handles(mut record: Vec<u8>, layer: u64) -> Vec<u8> {
    let places = record.windows(LAYER.len()).enumerate().filter(|(_, bytes)| bytes == LAYER);
    for at in places.map(|(at, _)| at).collect::<Vec<_>>() {
        record[at..at + LAYER.len()].copy_from_slice(&layer.to_be_bytes());
    }
    record
}

fuzz_target!(|stream: &[u8]| {
    let scratch = Scratch::new();
    let layer = Arc::new(scratch.layer(&LOWER));
    let exports = Exports::new();
    let guard = exports.add(BOARD, "/job/1".into(), Arc::clone(&layer));
    let service = Service::new(exports, (Ipv4Addr::new(10, 77, 0, 1), 2049).into());
    let transport = Arc::new(Transport::new(BOARD));
    for record in pieces(stream) {
        let record = with_handles(record.to_vec(), layer.id());
        if let Some(reply) = service.call(&transport, &record) {
            assert!(reply.length() <= MAX_REPLY);
            assert_eq!([&record[..4], &[0, 0, 0, 1]].concat(), reply.bytes[..8]);
        }
    }
    let before = sight(&layer);
    drop((guard, service, layer));
    let (layer, repairs) = scratch.open(&LOWER).expect("a layer that was closed can be opened");
    assert_eq!((sight(&layer), repairs), (before, vec![]));
});
