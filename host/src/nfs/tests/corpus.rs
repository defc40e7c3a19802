//! One valid call of every procedure.

use nfs3_types::mount::dirpath;
use nfs3_types::nfs3::{
    ACCESS3args, COMMIT3args, CREATE3args, FSINFO3args, FSSTAT3args, GETATTR3args, LINK3args, LOOKUP3args,
    MKDIR3args, MKNOD3args, Nfs3Option, PATHCONF3args, READ3args, READDIR3args, READDIRPLUS3args,
    READLINK3args, REMOVE3args, RENAME3args, SETATTR3args, SYMLINK3args, WRITE3args, cookieverf3, createhow3,
    mknoddata3, nfspath3, sattr3, stable_how, symlinkdata3,
};
use nfs3_types::portmap::mapping;
use nfs3_types::xdr_codec::{Opaque, Pack, Void};

use super::client::{Client, MOUNT, NFS, PORTMAP, mode};

/// A call, and what it is.
pub(super) struct Call {
    pub(super) program: (u32, u32),
    pub(super) procedure: u32,
    pub(super) record: Vec<u8>,
}

/// A valid call of each procedure of the three programs. All succeed on a fresh [`super::client::tree`], one after the
/// other.
pub(super) fn corpus(client: &Client) -> Vec<Call> {
    let numbered = |program, records: Vec<Vec<u8>>| {
        let records = records.into_iter().zip(0..);
        records.map(move |(record, procedure)| Call { program, procedure, record })
    };
    let nfs = looking(client).into_iter().chain(changing(client));
    let nfs = nfs.map(|(procedure, record)| Call { program: NFS, procedure, record });
    numbered(MOUNT, mount_calls(client)).chain(numbered(PORTMAP, portmap_calls(client))).chain(nfs).collect()
}

fn mount_calls(client: &Client) -> Vec<Vec<u8>> {
    let path = dirpath(Opaque::borrowed(b"/job/1"));
    vec![
        client.record(MOUNT, 0, &Void),
        client.record(MOUNT, 1, &path),
        client.record(MOUNT, 2, &Void),
        client.record(MOUNT, 3, &path),
        client.record(MOUNT, 4, &Void),
        client.record(MOUNT, 5, &Void),
    ]
}

fn portmap_calls(client: &Client) -> Vec<Vec<u8>> {
    let asked = mapping { prog: NFS.0, vers: NFS.1, prot: 6, port: 0 };
    let mut records = vec![client.record(PORTMAP, 0, &Void)];
    records.extend((1..4).map(|procedure| client.record(PORTMAP, procedure, &asked)));
    records.push(client.record(PORTMAP, 4, &Void));
    records
}

/// Calls that change nothing.
fn looking(client: &Client) -> Vec<(u32, Vec<u8>)> {
    let (root, file, link) = (client.root(), client.lookup("etc/hostname"), client.lookup("link"));
    let record = |procedure, arguments: &dyn Fn(&mut Vec<u8>)| {
        let mut record = client.record(NFS, procedure, &Void);
        arguments(&mut record);
        (procedure, record)
    };
    let verifier = cookieverf3::default;
    vec![
        record(0, &|_| ()),
        record(1, &|out| pack(&GETATTR3args { object: file.clone() }, out)),
        record(3, &|out| pack(&LOOKUP3args { what: Client::at(&root, "etc") }, out)),
        record(4, &|out| pack(&ACCESS3args { object: file.clone(), access: 0x3f }, out)),
        record(5, &|out| pack(&READLINK3args { symlink: link.clone() }, out)),
        record(6, &|out| pack(&READ3args { file: file.clone(), offset: 0, count: 4096 }, out)),
        record(16, &|out| {
            pack(&READDIR3args { dir: root.clone(), cookie: 0, cookieverf: verifier(), count: 4096 }, out);
        }),
        record(17, &|out| {
            let (dir, cookieverf) = (root.clone(), verifier());
            pack(&READDIRPLUS3args { dir, cookie: 0, cookieverf, dircount: 4096, maxcount: 8192 }, out);
        }),
        record(18, &|out| pack(&FSSTAT3args { fsroot: root.clone() }, out)),
        record(19, &|out| pack(&FSINFO3args { fsroot: root.clone() }, out)),
        record(20, &|out| pack(&PATHCONF3args { object: root.clone() }, out)),
        record(21, &|out| pack(&COMMIT3args { file: file.clone(), offset: 0, count: 0 }, out)),
    ]
}

/// Calls that change the tree. All but WRITE must not be carried out twice.
pub(super) fn changing(client: &Client) -> Vec<(u32, Vec<u8>)> {
    let (root, etc, file) = (client.root(), client.lookup("etc"), client.lookup("etc/hostname"));
    let sized = || sattr3 { size: Nfs3Option::Some(3), ..mode(0o600) };
    let symlink =
        symlinkdata3 { symlink_attributes: mode(0o777), symlink_data: nfspath3(Opaque::borrowed(b"f")) };
    let guard = || Nfs3Option::Some(client.attributes(&file).unwrap().ctime);
    let data = WRITE3args {
        file: file.clone(),
        offset: 4,
        count: 8,
        stable: stable_how::FILE_SYNC,
        data: Opaque::borrowed(b"new data"),
    };
    let set = SETATTR3args { object: file.clone(), new_attributes: sized(), guard: guard() };
    let node = MKNOD3args { where_: Client::at(&root, "node"), what: mknoddata3::NF3FIFO(mode(0o600)) };
    let create = CREATE3args { where_: Client::at(&root, "file"), how: createhow3::GUARDED(mode(0o644)) };
    vec![
        (2, client.record(NFS, 2, &set)),
        (7, client.record(NFS, 7, &data)),
        (8, client.record(NFS, 8, &create)),
        (9, client.record(NFS, 9, &MKDIR3args { where_: Client::at(&root, "dir"), attributes: mode(0o755) })),
        (10, client.record(NFS, 10, &SYMLINK3args { where_: Client::at(&root, "sym"), symlink })),
        (11, client.record(NFS, 11, &node)),
        (15, client.record(NFS, 15, &LINK3args { file, link: Client::at(&root, "hard") })),
        (12, client.record(NFS, 12, &REMOVE3args { object: Client::at(&etc, "shadow") })),
        (13, client.record(NFS, 13, &REMOVE3args { object: Client::at(&root, "tmp") })),
        (
            14,
            client.record(
                NFS,
                14,
                &RENAME3args { from: Client::at(&etc, "hostname"), to: Client::at(&root, "moved") },
            ),
        ),
    ]
}

fn pack(arguments: &impl Pack, out: &mut Vec<u8>) {
    arguments.pack(out).unwrap();
}
