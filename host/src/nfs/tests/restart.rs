//! Servers that are killed after a call was carried out and before its reply was sent: the next one is asked again.

use std::sync::Arc;

use nfs3_types::nfs3::{
    CREATE3resfail, CREATE3resok, LINK3resfail, LINK3resok, MKDIR3args, Nfs3Result, REMOVE3args,
    REMOVE3resfail, REMOVE3resok, RENAME3resfail, RENAME3resok, SETATTR3resfail, SETATTR3resok, nfsstat3,
    post_op_fh3,
};
use nfs3_types::rpc::accept_stat_data;
use nfs3_types::xdr_codec::Unpack;

use super::client::{Client, NFS, mode, tree};
use super::corpus::changing;
use crate::rootfs::testing::{killed, new_directory, sight};
use crate::rootfs::{CreateMode, Credential, Ino, Layer, LayerOptions, Lower, SetAttributes};

fn lower() -> Arc<Lower> {
    Arc::new(tree().index().unwrap())
}

/// A server that is killed in the middle of it, and the one that takes its place.
struct Restart {
    directory: std::path::PathBuf,
    client: Client,
}

impl Restart {
    fn new() -> Self {
        let directory = new_directory();
        let layer = Layer::new(lower(), directory.clone(), LayerOptions::default()).unwrap();
        Self { directory, client: Client::of(Arc::new(layer)) }
    }

    /// What the killed process leaves, in the hands of the next one.
    fn next(&self) -> Client {
        let (layer, repairs) =
            Layer::open(lower(), killed(&self.directory), LayerOptions::default()).unwrap();
        assert_eq!(repairs, []);
        Client::of(Arc::new(layer))
    }
}

fn decode<T: Unpack, F: Unpack>(mut results: &[u8]) -> Result<T, nfsstat3> {
    let (result, _) = Nfs3Result::<T, F>::unpack(&mut results).unwrap();
    assert!(results.is_empty(), "{} bytes behind the results", results.len());
    match result {
        Nfs3Result::Ok(result) => Ok(result),
        Nfs3Result::Err((stat, _)) => Err(stat),
    }
}

/// What `client` is told about `call` of `procedure`: a status, and the handle of what was made.
fn ask(client: &Client, procedure: u32, call: &[u8]) -> Result<Option<post_op_fh3>, nfsstat3> {
    let (stat, results) = client.send(call);
    assert!(matches!(stat, accept_stat_data::SUCCESS), "{stat:?}");
    match procedure {
        2 => decode::<SETATTR3resok, SETATTR3resfail>(&results).map(|_| None),
        8..=11 => decode::<CREATE3resok, CREATE3resfail>(&results).map(|made| Some(made.obj)),
        12 | 13 => decode::<REMOVE3resok, REMOVE3resfail>(&results).map(|_| None),
        14 => decode::<RENAME3resok, RENAME3resfail>(&results).map(|_| None),
        _ => decode::<LINK3resok, LINK3resfail>(&results).map(|_| None),
    }
}

#[test]
fn a_call_that_was_carried_out_before_a_kill_succeeds_again_and_changes_nothing() {
    let procedures: Vec<u32> = changing(&Client::new()).into_iter().map(|(procedure, _)| procedure).collect();
    assert_eq!(procedures.len(), 10, "all that change the tree");
    for procedure in procedures.into_iter().filter(|procedure| *procedure != 7) {
        let server = Restart::new();
        let calls = changing(&server.client);
        let (_, call) = calls.into_iter().find(|(of, _)| *of == procedure).unwrap();
        let first = ask(&server.client, procedure, &call).unwrap();
        let next = server.next();
        let seen = sight(&next.layer);
        // Twice: the second time, the reply is the one that this server has given.
        for _ in 0..2 {
            assert_eq!(ask(&next, procedure, &call).as_ref(), Ok(&first), "procedure {procedure}");
        }
        assert_eq!(sight(&next.layer), seen, "procedure {procedure} was carried out twice");
        // The same call with another number is another call: it finds what the first has done.
        let mut fresh = call.clone();
        fresh[0] ^= 0x80;
        let expected = match procedure {
            2 => nfsstat3::NFS3ERR_NOT_SYNC,
            12..=14 => nfsstat3::NFS3ERR_NOENT,
            _ => nfsstat3::NFS3ERR_EXIST,
        };
        assert_eq!(ask(&next, procedure, &fresh), Err(expected), "procedure {procedure}");
        // So is another call with the same number.
        let made = MKDIR3args { where_: Client::at(&next.root(), "another"), attributes: mode(0o755) };
        let mut other = next.record(NFS, 9, &made);
        other[..4].copy_from_slice(&call[..4]);
        ask(&next, 9, &other).unwrap();
        next.layer.lookup(Ino::ROOT, b"another", &Credential::root()).unwrap();
    }
}

#[test]
fn a_call_that_had_failed_is_carried_out_by_the_next_server() {
    let server = Restart::new();
    let remove = REMOVE3args { object: Client::at(&server.client.root(), "late") };
    let call = server.client.record(NFS, 12, &remove);
    assert_eq!(ask(&server.client, 12, &call), Err(nfsstat3::NFS3ERR_NOENT));
    let next = server.next();
    let how = CreateMode::Guarded(SetAttributes::with_mode(0o644));
    next.layer.create(Ino::ROOT, b"late", how, &Credential::root()).unwrap();
    assert_eq!(ask(&next, 12, &call), Ok(None));
    next.layer.lookup(Ino::ROOT, b"late", &Credential::root()).unwrap_err();
}

#[test]
fn a_call_whose_effect_is_gone_is_another_one() {
    let server = Restart::new();
    let made = MKDIR3args { where_: Client::at(&server.client.root(), "short"), attributes: mode(0o755) };
    let call = server.client.record(NFS, 9, &made);
    ask(&server.client, 9, &call).unwrap();
    server.client.layer.remove_directory(Ino::ROOT, b"short", &Credential::root()).unwrap();
    let next = server.next();
    assert!(matches!(ask(&next, 9, &call), Ok(Some(post_op_fh3::Some(_)))));
    next.layer.lookup(Ino::ROOT, b"short", &Credential::root()).unwrap();
}
