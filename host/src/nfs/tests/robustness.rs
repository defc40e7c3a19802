use nfs3_types::mount::mountres3;
use nfs3_types::nfs3::{
    ACCESS3_READ, ACCESS3args, GETATTR3args, REMOVE3args, REMOVE3resfail, REMOVE3resok, WRITE3args,
    WRITE3resfail, WRITE3resok, nfsstat3, stable_how,
};
use nfs3_types::rpc::{accept_stat_data, auth_stat, msg_body, rejected_reply, reply_body, rpc_msg};
use nfs3_types::xdr_codec::{Opaque, Pack, Unpack, Void};

use super::client::{Client, MOUNT, NFS, STRANGER, transport};
use crate::rootfs::{Credential, Ino, SetAttributes};

/// Procedures of NFSv3.
const PROCEDURES: u32 = 22;

/// A call of GETATTR up to and without the credential.
fn head(version: u32) -> Vec<u8> {
    [9, 0, version, NFS.0, NFS.1, 1].iter().flat_map(|word: &u32| word.to_be_bytes()).collect()
}

fn with_credential(flavor: u32, length: u32, body: &[u8]) -> Vec<u8> {
    let mut record = head(2);
    record.extend(flavor.to_be_bytes());
    record.extend(length.to_be_bytes());
    record.extend(body);
    record.extend([0; 8]);
    record
}

/// A call of NULL without a credential and with this verifier.
fn with_verifier(flavor: u32, length: u32, body: &[u8]) -> Vec<u8> {
    let mut record = with_credential(0, 0, &[]);
    record[23] = 0;
    record.truncate(32);
    record.extend(flavor.to_be_bytes());
    record.extend(length.to_be_bytes());
    record.extend(body);
    record
}

fn denial(client: &Client, record: &[u8]) -> rejected_reply {
    let reply = client.service.call(&client.transport, record).unwrap().bytes;
    match rpc_msg::unpack(&mut &reply[..]).unwrap().0 {
        rpc_msg { xid: 9, body: msg_body::REPLY(reply_body::MSG_DENIED(denied)) } => denied,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_absurd_number_of_groups_is_a_bad_credential() {
    let client = Client::new();
    for count in [17, 0xffff, u32::MAX] {
        let mut body = Vec::new();
        for word in [0, 0, 0, 0, count] {
            word.pack(&mut body).unwrap();
        }
        let record = with_credential(1, body.len() as u32, &body);
        let denied = denial(&client, &record);
        assert!(matches!(denied, rejected_reply::AUTH_ERROR(auth_stat::AUTH_BADCRED)), "{denied:?}");
    }
}

#[test]
fn sixteen_groups_are_taken_to_the_last() {
    let mut client = Client::new();
    client.uid = 1000;
    let object = client.lookup("etc/shadow");
    let group = SetAttributes { gid: Some(2015), mode: Some(0o040), ..SetAttributes::default() };
    let ino = Ino::new(u32::from_be_bytes(object.data[8..].try_into().unwrap())).unwrap();
    client.layer.set_attributes(ino, &group, None, &Credential::root()).unwrap();
    let may_read = |last: u32| {
        let mut body = Vec::new();
        for word in [0, 0, 1000, 1000, 16].into_iter().chain(2000..2015).chain([last]) {
            word.pack(&mut body).unwrap();
        }
        let mut record = with_credential(1, body.len() as u32, &body);
        record[23] = 4;
        ACCESS3args { object: object.clone(), access: ACCESS3_READ }.pack(&mut record).unwrap();
        let (stat, results) = client.send(&record);
        assert!(matches!(stat, accept_stat_data::SUCCESS), "{stat:?}");
        results.ends_with(&ACCESS3_READ.to_be_bytes())
    };
    assert!(may_read(2015) && !may_read(2016));
}

#[test]
fn malformed_and_foreign_credentials_are_denied() {
    let client = Client::new();
    let long = denial(&client, &with_credential(1, 401, &[0; 404]));
    assert!(matches!(long, rejected_reply::AUTH_ERROR(auth_stat::AUTH_BADCRED)), "{long:?}");
    let short = denial(&client, &with_credential(1, 4, &[0; 4]));
    assert!(matches!(short, rejected_reply::AUTH_ERROR(auth_stat::AUTH_BADCRED)), "{short:?}");
    let gss = denial(&client, &with_credential(6, 0, &[]));
    assert!(matches!(gss, rejected_reply::AUTH_ERROR(auth_stat::AUTH_TOOWEAK)), "{gss:?}");
    let none = denial(&client, &with_credential(0, 4, &[0; 4]));
    assert!(matches!(none, rejected_reply::AUTH_ERROR(auth_stat::AUTH_BADCRED)), "{none:?}");
    let brief = denial(&client, &with_credential(2, 4, &[0; 4]));
    assert!(matches!(brief, rejected_reply::AUTH_ERROR(auth_stat::AUTH_REJECTEDCRED)), "{brief:?}");
    let mut version = head(3);
    version.extend([0; 16]);
    let version = denial(&client, &version);
    assert!(matches!(version, rejected_reply::RPC_MISMATCH { low: 2, high: 2 }), "{version:?}");
}

#[test]
fn a_verifier_is_empty_and_of_no_flavour() {
    let client = Client::new();
    assert!(matches!(client.send(&with_verifier(0, 0, &[])).0, accept_stat_data::SUCCESS));
    for record in [with_verifier(0, 4, &[0; 4]), with_verifier(1, 0, &[]), with_verifier(0, 401, &[0; 404])] {
        let denied = denial(&client, &record);
        assert!(matches!(denied, rejected_reply::AUTH_ERROR(auth_stat::AUTH_BADVERF)), "{denied:?}");
    }
}

#[test]
fn the_flavours_that_a_mount_lists_are_those_that_nfs_takes() {
    let client = Client::new();
    let mountres3::Ok(mounted) = client.mount("/job/1") else { panic!("it is not mounted") };
    assert_eq!(mounted.auth_flavors, [1, 0], "AUTH_SYS is the one to use");
    let sys: Vec<u8> = [0_u32; 5].iter().flat_map(|word| word.to_be_bytes()).collect();
    for flavor in 0..7 {
        let body = if flavor == 1 { &sys[..] } else { &[] };
        let mut record = with_credential(flavor, body.len() as u32, body);
        record[23] = 0;
        let reply = client.service.call(&client.transport, &record).unwrap().bytes;
        let is_denied = reply[8..12] != [0; 4];
        assert_eq!(is_denied, !mounted.auth_flavors.contains(&flavor), "flavour {flavor}");
    }
}

#[test]
fn what_is_no_call_gets_no_reply() {
    let client = Client::new();
    let record = client.record(NFS, 0, &Void);
    for length in 0..40 {
        assert!(client.service.call(&client.transport, &record[..length]).is_none(), "{length}");
    }
    let mut reply = record;
    reply[7] = 1;
    assert!(client.service.call(&client.transport, &reply).is_none());
}

#[test]
fn unknown_programs_versions_and_procedures_are_told_apart() {
    let client = Client::new();
    let stat = |program, procedure| client.send(&client.record(program, procedure, &Void)).0;
    assert!(matches!(stat((100_021, 4), 0), accept_stat_data::PROG_UNAVAIL));
    assert!(matches!(stat((NFS.0, 4), 0), accept_stat_data::PROG_MISMATCH { low: 3, high: 3 }));
    assert!(matches!(stat((MOUNT.0, 1), 0), accept_stat_data::PROG_MISMATCH { low: 3, high: 3 }));
    assert!(matches!(stat((100_000, 5), 0), accept_stat_data::PROG_MISMATCH { low: 2, high: 4 }));
    assert!(matches!(stat(NFS, 22), accept_stat_data::PROC_UNAVAIL));
    assert!(matches!(stat(MOUNT, 6), accept_stat_data::PROC_UNAVAIL));
}

#[test]
fn cut_arguments_are_garbage_in_every_procedure() {
    let client = Client::new();
    for procedure in 1..PROCEDURES {
        for arguments in [&[][..], &[0xff; 4], &[0, 0, 0, 65], &[0, 0, 0, 12, 1, 2]] {
            let mut record = client.record(NFS, procedure, &Void);
            record.extend(arguments);
            assert!(matches!(client.send(&record).0, accept_stat_data::GARBAGE_ARGS), "{procedure}");
        }
    }
    assert!(matches!(client.send(&client.record(MOUNT, 1, &1025_u32)).0, accept_stat_data::GARBAGE_ARGS));
}

#[test]
fn a_write_whose_lengths_disagree_is_garbage() {
    let client = Client::new();
    let file = client.lookup("etc/hostname");
    let write = WRITE3args {
        file,
        offset: 0,
        count: 9,
        stable: stable_how::UNSTABLE,
        data: Opaque::borrowed(b"abc"),
    };
    assert!(matches!(client.send(&client.record(NFS, 7, &write)).0, accept_stat_data::GARBAGE_ARGS));
}

#[test]
fn a_write_of_more_than_the_limit_is_cut_to_it() {
    let client = Client::new();
    let (file, limit) = (client.lookup("etc/hostname"), 1 << 20);
    let write = |data: &[u8]| {
        let (count, stable) = (data.len() as u32, stable_how::FILE_SYNC);
        let write = WRITE3args { file: file.clone(), offset: 0, count, stable, data: Opaque::borrowed(data) };
        client.nfs::<WRITE3resok, WRITE3resfail>(7, &write).unwrap()
    };
    assert_eq!(write(&vec![b'a'; limit]).count, limit as u32);
    let cut = write(&[vec![b'b'; limit], vec![b'c'; 2000]].concat());
    assert_eq!((cut.count, cut.file_wcc.after.unwrap().size), (limit as u32, limit as u64));
    assert_eq!(client.guard.as_ref().unwrap().activity().written_bytes, 2 * limit as u64);
}

#[test]
fn a_call_that_comes_again_gets_the_same_reply() {
    let client = Client::new();
    let remove = REMOVE3args { object: Client::at(&client.lookup("etc"), "hostname") };
    let record = client.record(NFS, 12, &remove);
    let first = client.service.call(&client.transport, &record).unwrap().bytes;
    assert_eq!(client.service.call(&client.transport, &record).unwrap().bytes, first);
    let fresh = client.nfs::<REMOVE3resok, REMOVE3resfail>(12, &remove);
    assert_eq!(fresh.unwrap_err(), nfsstat3::NFS3ERR_NOENT);
    let stolen = client.service.call(&transport(STRANGER), &record).unwrap().bytes;
    assert_ne!(stolen, first);
}

#[test]
fn without_a_credential_the_caller_is_nobody() {
    let client = Client::new();
    let mut record = with_credential(0, 0, &[]);
    record[23] = 4;
    let object = client.lookup("etc/shadow");
    GETATTR3args { object }.pack(&mut record).unwrap();
    0x3f_u32.pack(&mut record).unwrap();
    let (stat, results) = client.send(&record);
    assert!(matches!(stat, accept_stat_data::SUCCESS), "{stat:?}");
    assert_eq!(results[results.len() - 4..], [0; 4]);
}
