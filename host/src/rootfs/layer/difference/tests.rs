use super::*;
use crate::rootfs::testing::{TarBuilder, layer_of, tree_of_depth};
use crate::rootfs::{CreateMode, Credential, SetAttributes};

/// Size of a file that is nearly all hole.
const SPARSE: u64 = 1 << 40;

fn told(layer: &Layer) -> Vec<String> {
    let mut told = Vec::new();
    layer
        .differences(&mut |difference| {
            told.push(format!("{} {}", difference.kind, String::from_utf8_lossy(&difference.path)));
            ControlFlow::Continue(())
        })
        .unwrap();
    told
}

fn resize(layer: &Layer, ino: Ino, size: u64) {
    let to = SetAttributes { size: Some(size), ..SetAttributes::default() };
    layer.set_attributes(ino, &to, None, &Credential::root()).unwrap();
}

#[test]
fn a_tree_of_20000_levels_is_compared_on_a_small_stack() {
    const LEVELS: usize = 20_000;
    let layer = layer_of(TarBuilder::new().dir("etc", 0o755));
    tree_of_depth(&layer, LEVELS);
    let compare = move || {
        let (mut count, mut longest) = (0, 0);
        let mut show = |difference: &Difference| {
            assert_eq!(difference.kind, DifferenceKind::Added);
            count += 1;
            longest = longest.max(difference.path.len());
            ControlFlow::Continue(())
        };
        layer.differences(&mut show).unwrap();
        (count, longest)
    };
    let compared = std::thread::Builder::new().stack_size(128 << 10).spawn(compare).unwrap();
    assert_eq!(compared.join().unwrap(), (LEVELS + 1, 2 * LEVELS + "/file".len()));
}

#[test]
fn who_has_seen_enough_is_shown_no_more() {
    let layer = layer_of(TarBuilder::new().dir("etc", 0o755));
    tree_of_depth(&layer, 10);
    let mut count = 0;
    layer
        .differences(&mut |_| {
            count += 1;
            if count < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .unwrap();
    assert_eq!(count, 3);
}

/// Reading all of them would take hours.
#[test]
fn holes_are_not_read() {
    let mut header = TarBuilder::header(tar::EntryType::GNUSparse, 0o644);
    header.set_size(512);
    let sparse = header.as_gnu_mut().unwrap();
    sparse.set_real_size(SPARSE);
    sparse.sparse[0].set_offset(SPARSE - 4096);
    sparse.sparse[0].set_length(512);
    let layer = layer_of(
        TarBuilder::new()
            .raw(b"same", header.clone(), &[7; 512])
            .raw(b"changed", header.clone(), &[7; 512])
            .raw(b"cut", header, &[7; 512]),
    );
    let root = Credential::root();
    let ino = |name: &[u8]| layer.lookup(Ino::ROOT, name, &root).unwrap().ino;
    let [same, changed, cut] = [&b"same"[..], b"changed", b"cut"].map(ino);
    layer.write(same, 1 << 30, &[0; 4096], &root).unwrap();
    layer.write(same, SPARSE - 4096, &[7; 512], &root).unwrap();
    layer.write(changed, 1 << 30, b"x", &root).unwrap();
    // The data at the end goes, though the size is the same again.
    resize(&layer, cut, 4096);
    resize(&layer, cut, SPARSE);
    let touched = "attributes /same";
    assert_eq!(told(&layer), ["modified /changed", "modified /cut", touched]);
}

#[test]
fn a_file_in_the_place_of_another_is_compared_with_it() {
    let lower = TarBuilder::new()
        .file("one", b"same bytes")
        .file("other", b"other byte")
        .file("third", b"same bytes");
    let layer = layer_of(lower);
    let root = Credential::root();
    for (name, data) in [(&b"one"[..], b"same bytes"), (b"other", b"new  bytes")] {
        layer.remove(Ino::ROOT, name, &root).unwrap();
        let made = layer.create(Ino::ROOT, name, CreateMode::Guarded(SetAttributes::with_mode(0o644)), &root);
        layer.write(made.unwrap().object.ino, 0, data, &root).unwrap();
    }
    // Copied up, and as long as before: nothing but its time has changed.
    let third = layer.lookup(Ino::ROOT, b"third", &root).unwrap().ino;
    layer.write(third, 0, b"same", &root).unwrap();
    assert_eq!(told(&layer), ["attributes /one", "modified /other", "attributes /third"]);
}
