//! What is mounted: an export, or a directory below it.

use std::sync::Arc;

use nfs3_types::mount::{dirpath, mountbody, mountres3};
use nfs3_types::nfs3::nfs_fh3;
use nfs3_types::xdr_codec::{List, Opaque, Void};

use super::client::{BOARD, Client, MOUNT, tree};
use crate::rootfs::testing::{TarBuilder, layer_of};

/// The handle of `path`, or the number of the status.
fn mount(client: &Client, path: &str) -> Result<nfs_fh3, u32> {
    match client.mount(path) {
        mountres3::Ok(mounted) => Ok(nfs_fh3 { data: mounted.fhandle.0 }),
        mountres3::Err(stat) => Err(stat as u32),
    }
}

fn unmount(client: &Client, path: &str) {
    client.call::<Void>(MOUNT, 3, &dirpath(Opaque::borrowed(path.as_bytes())));
}

/// The paths of what is mounted.
fn mounted(client: &Client) -> Vec<String> {
    let list = client.call::<List<mountbody<'static, 'static>>>(MOUNT, 2, &Void).0;
    list.iter().map(|one| String::from_utf8(one.ml_directory.0.to_vec()).unwrap()).collect()
}

#[test]
fn a_directory_below_an_export_is_mounted_by_its_path() {
    let client = Client::of(Arc::new(layer_of(
        tree().dir("etc/deep", 0o700).dir("etc/deep/er", 0o755).symlink("to", "etc"),
    )));
    assert_eq!(mount(&client, "/job/1/etc"), Ok(client.lookup("etc")));
    assert_eq!(mount(&client, "//job/1/etc//deep/./er/"), Ok(client.lookup("etc/deep/er")));
    let long = format!("/job/1/{}", "n".repeat(256));
    for (path, stat) in [
        ("/job/1/missing", 2),
        ("/job/1/missing/etc", 2),
        ("/job/1/etc/..", 2),
        ("/job/1/etc/../etc", 2),
        ("/job/1/etc/hostname", 20),
        ("/job/1/etc/hostname/x", 20),
        ("/job/1/to", 20),
        ("/job/1/to/deep", 20),
        ("/job/1/a\0", 13),
        (&long, 63),
        ("/job/12", 13),
        ("/job", 13),
        ("/", 13),
        ("", 13),
        ("job/1/etc", 13),
        ("/job/../job/1", 13),
    ] {
        assert_eq!(mount(&client, path), Err(stat), "{path}");
    }
}

#[test]
fn the_export_that_leads_furthest_has_the_path() {
    let client = Client::new();
    let of = |path: &str| {
        let layer = Arc::new(layer_of(TarBuilder::new().dir("etc", 0o755).dir("inner", 0o755)));
        client.exports.add(BOARD, path.into(), layer)
    };
    let outer = client.lookup("etc");
    let inner = of("/job/1/etc/");
    assert_ne!(mount(&client, "/job/1/etc"), Ok(outer.clone()));
    mount(&client, "/job/1/etc/inner").unwrap();
    assert!(inner.activity().mounted);
    assert_eq!(mount(&client, "/job/1/etc/hostname"), Err(2), "it is hidden");
    assert_eq!(mounted(&client), ["/job/1/etc/", "/job/1/etc/inner", "/job/1"]);
    drop(inner);
    assert_eq!(mount(&client, "/job/1/etc"), Ok(outer));
}

#[test]
fn each_mount_ends_by_its_own_path() {
    let client = Client::new();
    let is_mounted = || client.guard.as_ref().unwrap().activity().mounted;
    assert!(!is_mounted());
    mount(&client, "/job/1/missing").unwrap_err();
    assert!(!is_mounted());
    for path in ["/job/1", "/job/1/etc", "/job/1/etc/"] {
        mount(&client, path).unwrap();
    }
    assert_eq!(mounted(&client), ["/job/1", "/job/1/etc"]);
    unmount(&client, "/job/1/tmp");
    unmount(&client, "/job/1");
    assert_eq!(mounted(&client), ["/job/1/etc"]);
    assert!(is_mounted());
    unmount(&client, "/job/1//etc");
    assert!(!is_mounted());
}

#[test]
fn a_board_that_mounts_without_end_is_remembered_to_a_bound() {
    let names: Vec<_> = (0..100).map(|index| format!("d{index}")).collect();
    let tar = names.iter().fold(TarBuilder::new(), |tar, name| tar.dir(name, 0o755));
    let client = Client::of(Arc::new(layer_of(tar)));
    for name in &names {
        mount(&client, &format!("/job/1/{name}")).unwrap();
    }
    assert_eq!(mounted(&client).len(), 64);
    client.call::<Void>(MOUNT, 4, &Void);
    assert!(mounted(&client).is_empty());
}
