//! Files to fetch.

use crate::artifact::{Checksums, Compression};
use crate::diagnostic::Diagnostic;
use crate::document::{Fields, Node, Reader};
use crate::job::model::ArtifactSpec;

const SCHEMES: [&str; 3] = ["http://", "https://", "file://"];

/// Reads an artifact; `extra` sees the mapping first, to ask for keys that only this kind of artifact has.
pub(crate) fn read<T: Default>(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &'static str,
    extra: impl FnOnce(&mut Reader<'_>, &Fields<'_>) -> T,
) -> Option<(ArtifactSpec, T)> {
    let fields = reader.fields(node, what)?;
    let extra = extra(reader, &fields);
    let url_node = fields.require(reader, "url");
    let url = url_node.and_then(|node| url(reader, node));
    let compressions = Compression::ALL.map(|compression| (compression.name(), compression));
    let compression =
        fields.get("compression").and_then(|node| reader.choice(node, "compression", &compressions));
    let checksums = Checksums {
        md5: checksum(reader, &fields, "md5sum", 32),
        sha256: checksum(reader, &fields, "sha256sum", 64),
        sha512: checksum(reader, &fields, "sha512sum", 128),
    };
    fields.accept(&["use_cache"]);
    fields.refuse(reader, &["headers", "format", "overlays"]);
    fields.finish(reader);
    let place = reader.place(url_node?.span);
    Some((ArtifactSpec { url: url?, compression, checksums, place }, extra))
}

fn url(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let url = reader.non_empty(node, "url")?;
    if SCHEMES.iter().any(|scheme| url.to_ascii_lowercase().starts_with(scheme)) {
        return Some(url);
    }
    let message = format!("`{url}` cannot be fetched");
    let help = "begin the URL with `http://`, `https://` or `file://`";
    reader.report(Diagnostic::error("unsupported-url", node.span, message).with_help(help));
    None
}

fn checksum(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    key: &'static str,
    digits: usize,
) -> Option<String> {
    let node = fields.get(key)?;
    let text = reader.string(node, key)?.to_ascii_lowercase();
    if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text);
    }
    let message = format!("`{key}` must be {digits} hexadecimal digits, not {} characters", text.len());
    reader.report(Diagnostic::error("invalid-checksum", node.span, message));
    None
}
