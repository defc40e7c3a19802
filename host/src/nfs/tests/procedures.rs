use std::sync::Arc;

use nfs3_types::mount::{export_node, mountbody, mountres3};
use nfs3_types::nfs3::{
    ACCESS3args, ACCESS3resfail, ACCESS3resok, COMMIT3args, COMMIT3resfail, COMMIT3resok, CREATE3args,
    CREATE3resfail, CREATE3resok, FSINFO3args, FSINFO3resfail, FSINFO3resok, FSSTAT3args, FSSTAT3resfail,
    FSSTAT3resok, LINK3args, LINK3resfail, LINK3resok, LOOKUP3args, LOOKUP3resfail, LOOKUP3resok, MKDIR3args,
    MKNOD3args, Nfs3Option, PATHCONF3args, PATHCONF3resfail, PATHCONF3resok, READ3args, READ3resfail,
    READ3resok, READDIR3args, READDIR3resfail, READDIR3resok, READDIRPLUS3args, READDIRPLUS3resfail,
    READDIRPLUS3resok, READLINK3args, READLINK3resfail, READLINK3resok, REMOVE3args, REMOVE3resfail,
    REMOVE3resok, RENAME3args, RENAME3resfail, RENAME3resok, SETATTR3args, SETATTR3resfail, SETATTR3resok,
    SYMLINK3args, WRITE3args, WRITE3resfail, WRITE3resok, cookieverf3, createhow3, createverf3, devicedata3,
    ftype3, mknoddata3, nfs_fh3, nfspath3, nfsstat3, nfstime3, sattr3, set_atime, set_mtime, specdata3,
    stable_how, symlinkdata3,
};
use nfs3_types::portmap::mapping;
use nfs3_types::xdr_codec::{List, Opaque, Void};

use super::client::{BOARD, Client, MOUNT, PORTMAP, STRANGER, mode, transport, tree};
use crate::rootfs::testing::{layer_of, new_directory};
use crate::rootfs::{Layer, LayerOptions};

fn create(client: &Client, dir: &nfs_fh3, name: &str, how: createhow3) -> Result<nfs_fh3, nfsstat3> {
    let arguments = CREATE3args { where_: Client::at(dir, name), how };
    client.nfs::<CREATE3resok, CREATE3resfail>(8, &arguments).map(|made| made.obj.unwrap())
}

fn write(client: &Client, file: &nfs_fh3, offset: u64, data: &[u8]) -> Result<WRITE3resok, nfsstat3> {
    let arguments = WRITE3args {
        file: file.clone(),
        offset,
        count: data.len() as u32,
        stable: stable_how::UNSTABLE,
        data: Opaque::borrowed(data),
    };
    client.nfs::<_, WRITE3resfail>(7, &arguments)
}

fn read(client: &Client, file: &nfs_fh3, offset: u64, count: u32) -> Result<(Vec<u8>, bool), nfsstat3> {
    let arguments = READ3args { file: file.clone(), offset, count };
    let result = client.nfs::<READ3resok<'static>, READ3resfail>(6, &arguments)?;
    assert_eq!(result.count as usize, result.data.len());
    Ok((result.data.into_owned(), result.eof))
}

#[test]
fn null_answers_in_all_programs() {
    let client = Client::new();
    client.call::<Void>(super::client::NFS, 0, &Void);
    client.call::<Void>(MOUNT, 0, &Void);
    client.call::<Void>(PORTMAP, 0, &Void);
}

#[test]
fn the_port_mapper_knows_both_programs_on_tcp() {
    let client = Client::new();
    let port = |prog, vers, prot| client.call::<u32>(PORTMAP, 3, &mapping { prog, vers, prot, port: 0 });
    assert_eq!(port(100_003, 3, 6), 2049);
    assert_eq!(port(100_005, 3, 6), 2049);
    assert_eq!(port(100_003, 3, 17), 0);
    assert_eq!(port(100_003, 4, 6), 2049, "as with rpcbind, any version does");
    assert_eq!(port(100_021, 4, 6), 0);
    assert_eq!(client.call::<List<mapping>>(PORTMAP, 4, &Void).0.len(), 2);
    let one = mapping { prog: 1, vers: 1, prot: 6, port: 1 };
    assert!(!client.call::<bool>(PORTMAP, 1, &one));
}

#[test]
fn an_address_mounts_its_own_export_only() {
    let mut client = Client::new();
    assert!(matches!(client.mount("/job/1/"), mountres3::Ok(_)));
    assert!(matches!(client.mount("/job/2"), mountres3::Err(stat) if stat as u32 == 13));
    let root = client.root();
    let mounted = client.call::<List<mountbody<'static, 'static>>>(MOUNT, 2, &Void);
    assert_eq!(mounted.0[0].ml_directory.0.as_ref(), b"/job/1");
    assert_eq!(client.call::<List<export_node<'static, 'static>>>(MOUNT, 5, &Void).0.len(), 1);
    client.call::<Void>(MOUNT, 4, &Void);
    assert!(client.call::<List<mountbody<'static, 'static>>>(MOUNT, 2, &Void).is_empty());
    client.transport = transport(STRANGER);
    assert!(matches!(client.mount("/job/1"), mountres3::Err(stat) if stat as u32 == 13));
    assert_eq!(client.attributes(&root).unwrap_err(), nfsstat3::NFS3ERR_STALE);
    assert!(client.call::<List<export_node<'static, 'static>>>(MOUNT, 5, &Void).is_empty());
}

#[test]
fn an_address_is_known_in_its_ipv6_form_too() {
    let mut client = Client::new();
    client.transport = transport("::ffff:10.77.0.2".parse().unwrap());
    client.attributes(&client.root()).unwrap();
}

#[test]
fn handles_are_stale_once_the_export_has_ended() {
    let mut client = Client::new();
    let root = client.root();
    client.guard = None;
    assert_eq!(client.attributes(&root).unwrap_err(), nfsstat3::NFS3ERR_STALE);
    let layer = Arc::new(layer_of(tree()));
    client.guard = Some(client.exports.add(BOARD, "/job/1".into(), layer));
    assert_eq!(client.attributes(&root).unwrap_err(), nfsstat3::NFS3ERR_STALE);
    client.attributes(&client.root()).unwrap();
    let bad = nfs_fh3 { data: Opaque::borrowed(b"short") };
    assert_eq!(client.attributes(&bad).unwrap_err(), nfsstat3::NFS3ERR_BADHANDLE);
}

#[test]
fn getattr_lookup_access_and_readlink_tell_what_is_there() {
    let mut client = Client::new();
    let root = client.attributes(&client.root()).unwrap();
    assert_eq!((root.type_, root.fileid, root.nlink), (ftype3::NF3DIR, 2, 4));
    let hostname = client.lookup("etc/hostname");
    let file = client.attributes(&hostname).unwrap();
    assert_eq!((file.type_, file.size, file.mode, file.mtime.seconds), (ftype3::NF3REG, 6, 0o644, 1_000_000));
    assert_eq!(client.lookup("etc/../etc/./hostname"), hostname);
    let missing = LOOKUP3args { what: Client::at(&client.root(), "missing") };
    assert_eq!(client.nfs::<LOOKUP3resok, LOOKUP3resfail>(3, &missing).unwrap_err(), nfsstat3::NFS3ERR_NOENT);
    let link = READLINK3args { symlink: client.lookup("link") };
    let target = client.nfs::<READLINK3resok<'static>, READLINK3resfail>(5, &link).unwrap();
    assert_eq!(target.data.as_ref(), b"etc/hostname");
    let access = |client: &Client, object: nfs_fh3| {
        client.nfs::<ACCESS3resok, ACCESS3resfail>(4, &ACCESS3args { object, access: 0x3f }).unwrap().access
    };
    assert_eq!(access(&client, client.lookup("etc")), 0x1f);
    assert_eq!(access(&client, hostname.clone()), 0x0d);
    client.uid = 1000;
    assert_eq!(access(&client, client.lookup("etc")), 0x03);
    assert_eq!(access(&client, hostname), 0x01);
    assert_eq!(access(&client, client.lookup("etc/shadow")), 0);
}

#[test]
fn data_is_written_read_committed_and_counted() {
    let mut client = Client::new();
    let file = client.lookup("etc/hostname");
    assert_eq!(read(&client, &file, 0, 4).unwrap(), (b"boar".to_vec(), false));
    assert_eq!(read(&client, &file, 4, 100).unwrap(), (b"d\n".to_vec(), true));
    assert_eq!(read(&client, &file, 100, 100).unwrap(), (vec![], true));
    let written = write(&client, &file, 5, b"-1\n").unwrap();
    assert_eq!((written.count, written.committed), (3, stable_how::FILE_SYNC));
    assert_eq!(read(&client, &file, 0, u32::MAX).unwrap(), (b"board-1\n".to_vec(), true));
    let commit = |client: &Client, file: &nfs_fh3| {
        let arguments = COMMIT3args { file: file.clone(), offset: 0, count: 0 };
        client.nfs::<COMMIT3resok, COMMIT3resfail>(21, &arguments)
    };
    let committed = commit(&client, &file).unwrap();
    assert_eq!(committed.verf, written.verf);
    let (before, after) = (committed.file_wcc.before.unwrap(), committed.file_wcc.after.unwrap());
    assert_eq!((before.size, before.ctime), (after.size, after.ctime));
    assert_eq!(commit(&client, &client.root()).unwrap_err(), nfsstat3::NFS3ERR_INVAL);
    let activity = client.guard.as_ref().unwrap().activity();
    assert_eq!((activity.mounted, activity.read_bytes, activity.written_bytes), (true, 14, 3));
    assert!(activity.calls >= 7 && activity.last_call.is_some());
    assert!(
        activity.to_string().starts_with("root filesystem by NFS: 14 B read, 3 B written, "),
        "{activity}"
    );
    assert_eq!(read(&client, &client.root(), 0, 1).unwrap_err(), nfsstat3::NFS3ERR_INVAL);
    assert_eq!(write(&client, &client.root(), 0, b"x").unwrap_err(), nfsstat3::NFS3ERR_INVAL);
    client.uid = 1000;
    assert_eq!(write(&client, &file, 0, b"x").unwrap_err(), nfsstat3::NFS3ERR_ACCES);
    assert_eq!(commit(&client, &file).unwrap_err(), nfsstat3::NFS3ERR_ACCES);
    assert_eq!(read(&client, &client.lookup("etc/shadow"), 0, 1).unwrap_err(), nfsstat3::NFS3ERR_ACCES);
}

#[test]
fn setattr_sets_all_and_keeps_the_guard() {
    let client = Client::new();
    let object = client.lookup("etc/hostname");
    let set = |guard| {
        let arguments = SETATTR3args {
            object: object.clone(),
            new_attributes: sattr3 {
                uid: Nfs3Option::Some(1),
                gid: Nfs3Option::Some(2),
                size: Nfs3Option::Some(2),
                mtime: set_mtime::SET_TO_CLIENT_TIME(nfstime3 { seconds: 9, nseconds: 8 }),
                ..mode(0o600)
            },
            guard,
        };
        client.nfs::<SETATTR3resok, SETATTR3resfail>(2, &arguments)
    };
    let wrong = nfstime3 { seconds: 1, nseconds: 1 };
    assert_eq!(set(Nfs3Option::Some(wrong)).unwrap_err(), nfsstat3::NFS3ERR_NOT_SYNC);
    let right = client.attributes(&object).unwrap().ctime;
    let changed = set(Nfs3Option::Some(right)).unwrap().obj_wcc;
    assert_eq!(changed.before.unwrap().size, 6);
    let after = changed.after.unwrap();
    assert_eq!((after.uid, after.gid, after.size, after.mode), (1, 2, 2, 0o600));
    assert_eq!(after.mtime, nfstime3 { seconds: 9, nseconds: 8 });
}

#[test]
fn objects_of_every_kind_are_made_linked_moved_and_removed() {
    let client = Client::new();
    let tmp = client.lookup("tmp");
    let file = create(&client, &tmp, "f", createhow3::GUARDED(mode(0o640))).unwrap();
    assert_eq!(client.attributes(&file).unwrap().mode, 0o640);
    let again = create(&client, &tmp, "f", createhow3::GUARDED(mode(0o640)));
    assert_eq!(again.unwrap_err(), nfsstat3::NFS3ERR_EXIST);
    assert_eq!(create(&client, &tmp, "f", createhow3::UNCHECKED(mode(0))).unwrap(), file);
    let exclusive = || createhow3::EXCLUSIVE(createverf3([3; 8]));
    let made = create(&client, &tmp, "x", exclusive()).unwrap();
    assert_eq!(create(&client, &tmp, "x", exclusive()).unwrap(), made);
    let dir = MKDIR3args { where_: Client::at(&tmp, "d"), attributes: mode(0o700) };
    let dir = client.nfs::<CREATE3resok, CREATE3resfail>(9, &dir).unwrap().obj.unwrap();
    let symlink =
        symlinkdata3 { symlink_attributes: mode(0o777), symlink_data: nfspath3(Opaque::borrowed(b"f")) };
    let symlink = SYMLINK3args { where_: Client::at(&tmp, "s"), symlink };
    client.nfs::<CREATE3resok, CREATE3resfail>(10, &symlink).unwrap();
    let data = || devicedata3 { dev_attributes: mode(0o600), spec: specdata3 { specdata1: 8, specdata2: 1 } };
    for (name, what, kind) in [
        ("c", mknoddata3::NF3CHR(data()), ftype3::NF3CHR),
        ("b", mknoddata3::NF3BLK(data()), ftype3::NF3BLK),
        ("k", mknoddata3::NF3SOCK(mode(0o600)), ftype3::NF3SOCK),
        ("p", mknoddata3::NF3FIFO(mode(0o600)), ftype3::NF3FIFO),
    ] {
        let node = MKNOD3args { where_: Client::at(&tmp, name), what };
        let made = client.nfs::<CREATE3resok, CREATE3resfail>(11, &node).unwrap().obj_attributes.unwrap();
        assert_eq!(made.type_, kind);
        assert_eq!(made.rdev.specdata1, if name < "d" { 8 } else { 0 });
    }
    let link = LINK3args { file: file.clone(), link: Client::at(&dir, "hard") };
    let linked = client.nfs::<LINK3resok, LINK3resfail>(15, &link).unwrap();
    assert_eq!(linked.file_attributes.unwrap().nlink, 2);
    let rename = RENAME3args { from: Client::at(&tmp, "f"), to: Client::at(&dir, "moved") };
    client.nfs::<RENAME3resok, RENAME3resfail>(14, &rename).unwrap();
    assert_eq!(client.lookup("tmp/d/moved"), file);
    let remove = |procedure, dir: &nfs_fh3, name| {
        let arguments = REMOVE3args { object: Client::at(dir, name) };
        client.nfs::<REMOVE3resok, REMOVE3resfail>(procedure, &arguments).map(drop)
    };
    assert_eq!(remove(13, &tmp, "d"), Err(nfsstat3::NFS3ERR_NOTEMPTY));
    assert_eq!(remove(12, &tmp, "d"), Err(nfsstat3::NFS3ERR_ISDIR));
    remove(12, &dir, "moved").unwrap();
    remove(12, &dir, "hard").unwrap();
    remove(13, &tmp, "d").unwrap();
    assert_eq!(client.attributes(&file).unwrap_err(), nfsstat3::NFS3ERR_STALE);
}

#[test]
fn a_nanosecond_beyond_the_second_is_invalid_wherever_a_time_is_set() {
    let client = Client::new();
    let (root, file) = (client.root(), client.lookup("etc/hostname"));
    let time = |nseconds| nfstime3 { seconds: 7, nseconds };
    let set = |mtime, guard| {
        let new_attributes = sattr3 { mtime: set_mtime::SET_TO_CLIENT_TIME(mtime), ..mode(0o644) };
        let arguments = SETATTR3args { object: file.clone(), new_attributes, guard };
        client.nfs::<SETATTR3resok, SETATTR3resfail>(2, &arguments).map(drop)
    };
    assert_eq!(set(time(1_000_000_000), Nfs3Option::None), Err(nfsstat3::NFS3ERR_INVAL));
    assert_eq!(set(time(0), Nfs3Option::Some(time(u32::MAX))), Err(nfsstat3::NFS3ERR_INVAL));
    assert_eq!(set(time(999_999_999), Nfs3Option::None), Ok(()));
    assert_eq!(client.attributes(&file).unwrap().mtime.nseconds, 999_999_999);
    let bad = || sattr3 { atime: set_atime::SET_TO_CLIENT_TIME(time(u32::MAX)), ..mode(0o644) };
    let made = create(&client, &root, "made", createhow3::GUARDED(bad()));
    assert_eq!(made, Err(nfsstat3::NFS3ERR_INVAL));
    let dir = MKDIR3args { where_: Client::at(&root, "made"), attributes: bad() };
    let made = client.nfs::<CREATE3resok, CREATE3resfail>(9, &dir).map(drop);
    assert_eq!(made, Err(nfsstat3::NFS3ERR_INVAL));
}

#[test]
fn listings_come_in_pieces_of_the_size_asked_for() {
    let client = Client::new();
    let tmp = client.lookup("tmp");
    let mut expected = vec![".".to_owned(), "..".to_owned()];
    for index in 0..300 {
        expected.push(format!("file-{index:03}"));
        create(&client, &tmp, &expected[index + 2], createhow3::UNCHECKED(mode(0o644))).unwrap();
    }
    let (mut plain, mut plus) = (Vec::new(), Vec::new());
    let (mut cookie, mut eof) = (0, false);
    while !eof {
        let arguments =
            READDIR3args { dir: tmp.clone(), cookie, cookieverf: cookieverf3::default(), count: 1000 };
        let part = client.nfs::<READDIR3resok<'static>, READDIR3resfail>(16, &arguments).unwrap().reply;
        eof = part.eof;
        plain.extend(
            part.entries.0.iter().map(|entry| String::from_utf8_lossy(entry.name.as_ref()).into_owned()),
        );
        cookie = part.entries.0.last().unwrap().cookie;
        assert!(cookie < 1 << 31);
    }
    (cookie, eof) = (0, false);
    while !eof {
        let (dir, cookieverf) = (tmp.clone(), cookieverf3::default());
        let arguments = READDIRPLUS3args { dir, cookie, cookieverf, dircount: 512, maxcount: 4096 };
        let part =
            client.nfs::<READDIRPLUS3resok<'static>, READDIRPLUS3resfail>(17, &arguments).unwrap().reply;
        eof = part.eof;
        for entry in &part.entries.0 {
            plus.push(String::from_utf8_lossy(entry.name.as_ref()).into_owned());
            assert_eq!(entry.name_attributes.clone().unwrap().fileid, entry.fileid);
            client.attributes(&entry.name_handle.clone().unwrap()).unwrap();
        }
        cookie = part.entries.0.last().unwrap().cookie;
    }
    assert_eq!(plain, expected);
    assert_eq!(plus, expected);
    let tiny = READDIR3args { dir: tmp, cookie: 0, cookieverf: cookieverf3::default(), count: 50 };
    let refused = client.nfs::<READDIR3resok<'static>, READDIR3resfail>(16, &tiny);
    assert_eq!(refused.unwrap_err(), nfsstat3::NFS3ERR_TOOSMALL);
}

#[test]
fn a_cookie_counts_with_the_verifier_that_it_was_given_out_with() {
    let client = Client::new();
    let list = |cookie, verifier| {
        let (dir, cookieverf) = (client.root(), cookieverf3([verifier; 8]));
        let plus = READDIRPLUS3args { dir, cookie, cookieverf, dircount: 512, maxcount: 4096 };
        let plus = client.nfs::<READDIRPLUS3resok<'static>, READDIRPLUS3resfail>(17, &plus).map(drop);
        let (dir, cookieverf) = (client.root(), cookieverf3([verifier; 8]));
        let plain = READDIR3args { dir, cookie, cookieverf, count: 4096 };
        let plain = client.nfs::<READDIR3resok<'static>, READDIR3resfail>(16, &plain);
        assert_eq!(plain.as_ref().map(drop), plus.as_ref().copied());
        plain.map(|listed| listed.cookieverf.0)
    };
    assert_eq!(list(0, 0), Ok([0; 8]));
    assert_eq!(list(0, 7), Ok([0; 8]), "it begins anew");
    assert_eq!(list(2, 0), Ok([0; 8]));
    assert_eq!(list(2, 7), Err(nfsstat3::NFS3ERR_BAD_COOKIE));
}

#[test]
fn the_file_system_states_its_limits_and_true_figures() {
    let client = Client::new();
    let fsroot = client.root();
    let stat =
        || client.nfs::<FSSTAT3resok, FSSTAT3resfail>(18, &FSSTAT3args { fsroot: client.root() }).unwrap();
    let before = stat();
    assert!(before.tbytes >= before.fbytes && before.ffiles > 0);
    let file = create(&client, &client.lookup("tmp"), "big", createhow3::UNCHECKED(mode(0o644))).unwrap();
    write(&client, &file, 0, &vec![1; 1 << 20]).unwrap();
    let after = stat();
    assert_eq!((after.tfiles - after.ffiles) - (before.tfiles - before.ffiles), 1, "one more in use");
    // What is free is memory: a changed directory takes some too.
    assert!(after.ffiles < before.ffiles);
    let info =
        client.nfs::<FSINFO3resok, FSINFO3resfail>(19, &FSINFO3args { fsroot: fsroot.clone() }).unwrap();
    assert_eq!((info.rtmax, info.wtmax, info.properties), (1 << 20, 1 << 20, 0x1b));
    let conf = PATHCONF3args { object: fsroot };
    let conf = client.nfs::<PATHCONF3resok, PATHCONF3resfail>(20, &conf).unwrap();
    assert_eq!((conf.name_max, conf.no_trunc, conf.chown_restricted), (255, true, true));
}

#[test]
fn a_full_layer_says_so_and_has_room_again_once_files_are_removed() {
    let options = LayerOptions { budget: 1 << 20, ..LayerOptions::default() };
    let layer = Layer::new(Arc::new(tree().index().unwrap()), new_directory(), options).unwrap();
    let client = Client::of(Arc::new(layer));
    let free = || {
        let fsroot = client.root();
        let stat = client.nfs::<FSSTAT3resok, FSSTAT3resfail>(18, &FSSTAT3args { fsroot }).unwrap();
        assert_eq!(stat.fbytes, stat.abytes);
        stat.fbytes
    };
    assert_eq!(free(), 1 << 20);
    let tmp = client.lookup("tmp");
    let file = create(&client, &tmp, "big", createhow3::UNCHECKED(mode(0o644))).unwrap();
    write(&client, &file, 0, &vec![1; 1 << 20]).unwrap();
    assert_eq!(free(), 0);
    assert_eq!(write(&client, &file, 1 << 20, b"more").unwrap_err(), nfsstat3::NFS3ERR_NOSPC);
    let other = create(&client, &tmp, "other", createhow3::UNCHECKED(mode(0o644))).unwrap();
    assert_eq!(write(&client, &other, 0, b"more").unwrap_err(), nfsstat3::NFS3ERR_NOSPC);
    let remove = REMOVE3args { object: Client::at(&tmp, "big") };
    client.nfs::<REMOVE3resok, REMOVE3resfail>(12, &remove).unwrap();
    assert_eq!(free(), 1 << 20);
    write(&client, &other, 0, b"more").unwrap();
    assert_eq!(free(), (1 << 20) - 4096);
}
