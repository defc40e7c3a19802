//! Valid calls of every procedure, changed: whatever comes, the server answers within bounds and the tree stays whole.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use nfs3_types::rpc::{accept_stat_data, msg_body, reply_body, rpc_msg};
use nfs3_types::xdr_codec::Unpack;
use proptest::prelude::*;
use proptest::sample::Index;

use super::client::{Client, tree};
use super::corpus::corpus;
use crate::nfs::record::MAX_RECORD;
use crate::rootfs::testing::new_directory;
use crate::rootfs::{Attributes, Credential, Ino, Kind, Layer, LayerOptions, Lower};

/// Numbers that lengths, sizes, offsets and kinds go wrong at.
const EDGES: [u32; 12] = [0, 1, 2, 3, 16, 17, 0xff, 4096, 0x10_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/// What is done to a record.
#[derive(Clone, Debug)]
enum Mutation {
    Byte(Index, u8),
    /// One of the aligned words becomes one of [`EDGES`].
    Word(Index, Index),
    Cut(Index),
    Insert(Index, Vec<u8>),
    /// A piece is taken from another call.
    Splice(Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, value)| Mutation::Byte(at, value)),
        4 => (any::<Index>(), any::<Index>()).prop_map(|(at, value)| Mutation::Word(at, value)),
        1 => any::<Index>().prop_map(Mutation::Cut),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..64))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(call, at)| Mutation::Splice(call, at)),
    ]
}

fn apply(mutation: &Mutation, record: &mut Vec<u8>, others: &[Vec<u8>]) {
    if record.len() < 4 {
        return;
    }
    match mutation {
        Mutation::Byte(at, value) => {
            let at = at.index(record.len());
            record[at] = *value;
        }
        Mutation::Word(at, value) => {
            let at = at.index(record.len() / 4) * 4;
            record[at..at + 4].copy_from_slice(&EDGES[value.index(EDGES.len())].to_be_bytes());
        }
        Mutation::Cut(at) => record.truncate(at.index(record.len())),
        Mutation::Insert(at, bytes) => {
            let at = at.index(record.len());
            record.splice(at..at, bytes.iter().copied());
        }
        Mutation::Splice(call, at) => {
            let other = &others[call.index(others.len())];
            let at = at.index(record.len().min(other.len()));
            record.truncate(at);
            record.extend_from_slice(&other[at..]);
        }
    }
}

/// Everything that can be seen of a layer: path, attributes, content or target.
fn sight(layer: &Layer) -> Vec<(Vec<u8>, Attributes, Vec<u8>)> {
    let who = Credential::root();
    let mut seen = Vec::new();
    let mut left = vec![(Vec::new(), Ino::ROOT)];
    while let Some((path, dir)) = left.pop() {
        let mut show = |entry: crate::rootfs::DirectoryEntry<'_>| {
            seen.push(([&path, &b"/"[..], entry.name].concat(), entry.attributes, Vec::new()));
            ControlFlow::Continue(())
        };
        layer.read_directory(dir, 2, &who, &mut show).unwrap();
        let child = |name: &[u8]| name.rsplitn(2, |byte| *byte == b'/').nth(1) == Some(&path);
        let below = seen.iter().filter(|(name, is, _)| is.kind == Kind::Directory && child(name));
        let below: Vec<_> = below.map(|(name, is, _)| (name.clone(), is.ino)).collect();
        left.extend(below);
    }
    for (_, is, content) in &mut seen {
        match is.kind {
            Kind::Regular => {
                // Sizes may be absurd; what is stored lies at the start.
                content.resize(usize::try_from(is.size).unwrap_or(usize::MAX).min(1 << 16), 0);
                layer.read(is.ino, 0, content, &who).unwrap();
            }
            Kind::Symlink => *content = layer.read_link(is.ino).unwrap().0,
            _ => {}
        }
        // Whether a hole was stored is not for the board to see.
        is.used = 0;
    }
    seen
}

/// A client whose layer can be opened again.
struct Kept {
    client: Client,
    lower: Arc<Lower>,
    directory: PathBuf,
}

impl Kept {
    fn new() -> Self {
        let lower = Arc::new(tree().index().unwrap());
        let directory = new_directory();
        let layer = Layer::new(Arc::clone(&lower), directory.clone(), LayerOptions::default()).unwrap();
        layer.keep();
        Self { client: Client::of(Arc::new(layer)), lower, directory }
    }

    /// Ends the layer, opens it again, and asserts that nothing was wrong with it and nothing has changed.
    fn assert_whole(self) {
        let before = sight(&self.client.layer);
        drop(self.client);
        let (layer, repairs) = Layer::open(self.lower, self.directory, LayerOptions::default()).unwrap();
        assert_eq!(repairs, []);
        assert_eq!(sight(&layer), before);
    }
}

#[test]
fn the_corpus_has_a_call_of_every_procedure_and_all_are_carried_out() {
    let kept = Kept::new();
    let calls = corpus(&kept.client);
    let mut procedures: Vec<_> = calls.iter().map(|call| (call.program.0, call.procedure)).collect();
    procedures.sort_unstable();
    let of = |program, count| (0..count).map(move |procedure| (program, procedure));
    let expected: Vec<_> = of(100_000, 5).chain(of(100_003, 22)).chain(of(100_005, 6)).collect();
    assert_eq!(procedures, expected);
    for call in calls {
        let (stat, results) = kept.client.send(&call.record);
        assert!(matches!(stat, accept_stat_data::SUCCESS), "{} {stat:?}", call.procedure);
        if call.program.0 == 100_003 && call.procedure != 0 {
            assert_eq!(results[..4], [0; 4], "procedure {}", call.procedure);
        }
    }
    kept.assert_whole();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_calls_are_answered_within_bounds_and_leave_the_tree_whole(
        calls in prop::collection::vec((any::<Index>(), prop::collection::vec(mutation(), 0..4)), 1..80),
    ) {
        let kept = Kept::new();
        let corpus: Vec<Vec<u8>> = corpus(&kept.client).into_iter().map(|call| call.record).collect();
        for (index, (call, mutations)) in calls.iter().enumerate() {
            let mut record = corpus[call.index(corpus.len())].clone();
            // A call of its own, and not a repetition.
            record[..4].copy_from_slice(&(index as u32 + 1000).to_be_bytes());
            for mutation in mutations {
                apply(mutation, &mut record, &corpus);
            }
            let Some(reply) = kept.client.service.call(&kept.client.transport, &record) else { continue };
            prop_assert!(reply.length() <= MAX_RECORD, "a reply of {} bytes", reply.length());
            prop_assert_eq!(&reply.bytes[..4], &record[..4]);
            let message = rpc_msg::unpack(&mut &reply.bytes[..]).unwrap().0;
            prop_assert!(matches!(message.body, msg_body::REPLY(
                reply_body::MSG_ACCEPTED(_) | reply_body::MSG_DENIED(_))));
        }
        kept.assert_whole();
    }

    #[test]
    fn changed_credentials_never_become_root(
        changes in prop::collection::vec((0..20_usize, any::<u8>()), 1..8),
    ) {
        let mut client = Client::new();
        client.uid = 1000;
        let shadow = client.lookup("etc/shadow");
        let mut record = client.record(super::client::NFS, 6, &nfs3_types::nfs3::READ3args {
            file: shadow, offset: 0, count: 100,
        });
        // Flavour, lengths, stamp and the machine's name, but not the user that is claimed.
        for (at, value) in changes {
            record[24 + at] = value;
        }
        let reply = client.service.call(&client.transport, &record).map(|reply| reply.bytes).unwrap_or_default();
        prop_assert!(!reply.windows(6).any(|window| window == b"secret"));
    }
}
