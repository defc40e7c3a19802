//! Files to fetch.

use crate::artifact::{Checksums, Compression, Headers, host_and_port};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Fields, Node, Reader, Value};
use crate::job::model::{ArtifactSpec, OverlayFormat, OverlaySpec};

const SCHEMES: [&str; 4] = ["http://", "https://", "file://", "scp://"];

/// What all artifacts have, and what some have beside it.
#[derive(Debug)]
pub(crate) struct ArtifactKeys<T> {
    /// The file.
    pub(crate) artifact: ArtifactSpec,
    /// `overlays`.
    pub(crate) overlays: Vec<OverlaySpec>,
    /// `overlays: lava`: whether the tests are put into it.
    pub(crate) takes_lava: Option<bool>,
    /// What only this kind of artifact has.
    pub(crate) extra: T,
}

/// Reads an artifact; `extra` sees the mapping first, to ask for keys that only this kind of artifact has. `format` is
/// what LAVA calls the files of this kind that overlays can be put into, if there are such.
pub(crate) fn read<T: Default>(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &'static str,
    format: Option<&'static str>,
    extra: impl FnOnce(&mut Reader<'_>, &Fields<'_>) -> T,
) -> Option<ArtifactKeys<T>> {
    if let Value::Text(text) = &node.value {
        let problem = reader.wrong_type(node, what, "a mapping");
        reader.report(problem.with_help(format!("write `{what}: {{ url: {text} }}`")));
        return None;
    }
    if let (Value::Sequence(_), "dtb") = (&node.value, what) {
        let problem = reader.wrong_type(node, what, "a mapping");
        reader.report(problem.with_help("a board has one device tree; what is put over it goes to `dtbo`"));
        return None;
    }
    let fields = reader.fields(node, what)?;
    let extra = extra(reader, &fields);
    let artifact = base(reader, &fields);
    let (mut overlays, mut takes_lava) = (Vec::new(), None);
    match format {
        Some(format) => {
            if let Some(node) = fields.get("format") {
                reader.choice(node, "format", &[(format, ())]);
            }
            if let Some(node) = fields.get("overlays") {
                (overlays, takes_lava) = self::overlays(reader, node);
            }
        }
        None => fields.refuse(
            reader,
            &["format", "overlays"],
            "overlays can be part of `nfsrootfs` and `ramdisk`",
        ),
    }
    fields.finish(reader);
    Some(ArtifactKeys { artifact: artifact?, overlays, takes_lava, extra })
}

/// The keys that every artifact has.
fn base(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<ArtifactSpec> {
    let url_node = fields.require(reader, "url");
    let url = url_node.and_then(|node| url(reader, node, "url"));
    let compression = fields.get("compression").and_then(|node| compression(reader, node));
    let of_name = url.as_deref().and_then(Compression::of_name);
    if let (Some(given), Some(other)) = (compression, of_name.filter(|other| Some(*other) != compression)) {
        let span = fields.key_span("compression").unwrap_or(fields.span);
        let message =
            format!("`compression` is `{}`, and the file's name says `{}`", given.name(), other.name());
        let help = format!("write `compression: {}` if the name is right", other.name());
        reader.report(Diagnostic::warning(Code::SurprisingValue, span, message).with_help(help));
    }
    let checksums = Checksums {
        md5: checksum(reader, fields, "md5sum", 32),
        sha256: checksum(reader, fields, "sha256sum", 64),
        sha512: checksum(reader, fields, "sha512sum", 128),
    };
    let in_tar = fields.get("archive").and_then(|node| reader.choice(node, "archive", &[("tar", ())]));
    let headers = headers(reader, fields);
    let filename = fields.get("filename").and_then(|node| {
        let name = reader.non_empty(node, "filename")?;
        reader.check_name(&name, node.span, "file").then_some(name)
    });
    let use_cache =
        fields.get("use_cache").and_then(|node| reader.boolean(node, "use_cache")).unwrap_or(true);
    let place = reader.place(url_node?.span);
    Some(ArtifactSpec {
        url: url?,
        filename,
        compression,
        in_tar: in_tar.is_some(),
        checksums,
        headers,
        use_cache,
        place,
    })
}

/// `headers`: names and values, the latter perhaps names of the bench's tokens.
pub(crate) fn headers(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Headers {
    let Some(node) = fields.get("headers") else { return Headers::default() };
    let mut headers = Vec::new();
    for (name, value) in reader.pairs(node, "headers") {
        if Headers::is_name(&name) && Headers::is_value(&value) {
            headers.push((name, value));
            continue;
        }
        let message = format!("`{name}` cannot be sent as a header");
        let help = "a name has letters, digits and `-`, and a value is one line of ASCII text";
        reader.report(Diagnostic::error(Code::InvalidName, node.span, message).with_help(help));
    }
    Headers::new(headers)
}

/// A URL that can be fetched.
pub(crate) fn url(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let url = reader.non_empty(node, what)?;
    let lower = url.to_ascii_lowercase();
    let is_short = lower.starts_with("file:/") && !lower.starts_with("file://");
    let lower = if is_short { lower.replacen("file:/", "file:///", 1) } else { lower };
    let rest = SCHEMES.iter().find_map(|scheme| lower.strip_prefix(scheme));
    let (message, help) = match rest {
        None => {
            let help = if lower.starts_with("downloads://") {
                "it comes from a `deploy` with `to: downloads`, which is not supported"
            } else if url.contains("{{") || url.contains("{%") {
                "this is a template of a job: let the program that it is for fill it in first"
            } else {
                "begin the URL with `http://`, `https://`, `scp://` or `file://`"
            };
            (format!("`{url}` cannot be fetched"), help)
        }
        Some(_) if url.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            (format!("`{url}` is no URL: it has blanks"), "write `%20` for a blank")
        }
        Some(rest) if !lower.starts_with("file") && host(rest).is_empty() => {
            (format!("`{url}` names no host"), "write the name of the server behind `//`")
        }
        Some(rest) if lower.starts_with("file") && !rest.trim_start_matches("localhost").starts_with('/') => {
            (format!("`{url}` is no file of this PC"), "write an absolute path, as in `file:///srv/zImage`")
        }
        Some(rest) if lower.starts_with("scp") && !rest.contains('/') => {
            (format!("`{url}` names no file"), "write `scp://user@host/absolute/path`")
        }
        Some(_) => return Some(url),
    };
    reader.report(Diagnostic::error(Code::UnsupportedUrl, node.span, message).with_help(help));
    None
}

/// The host in what follows `//` in a URL (RFC 3986 §3.2).
fn host(rest: &str) -> &str {
    let host = host_and_port(rest);
    if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() }
}

/// `compression`: LAVA's names, some of which are not those of the programs.
pub(crate) fn compression(reader: &mut Reader<'_>, node: &Node) -> Option<Compression> {
    const OTHERS: [(&str, &str); 5] =
        [("gzip", "gz"), ("bzip2", "bz2"), ("zst", "zstd"), ("lzma", "xz"), ("tgz", "gz")];
    let text = reader.string(node, "compression")?;
    if let Some((_, name)) = OTHERS.iter().find(|(other, _)| *other == text) {
        let message = format!("`compression` cannot be `{text}`");
        let problem = Diagnostic::error(Code::UnknownValue, node.span, message);
        reader.report(problem.with_help(format!("LAVA calls it `{name}`")));
        return None;
    }
    let compressions = Compression::ALL.map(|compression| (compression.name(), compression));
    reader.choice(node, "compression", &compressions)
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
    reader.report(Diagnostic::error(Code::InvalidChecksum, node.span, message));
    None
}

/// `overlays`: files to put in, by their names, and `lava`, which stands for the tests.
fn overlays(reader: &mut Reader<'_>, node: &Node) -> (Vec<OverlaySpec>, Option<bool>) {
    let Some(fields) = reader.fields(node, "overlays") else { return Default::default() };
    let takes_lava = fields.get("lava").and_then(|node| reader.boolean(node, "lava"));
    let overlays = fields.rest().filter_map(|(name, node)| overlay(reader, name, node)).collect();
    (overlays, takes_lava)
}

fn overlay(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<OverlaySpec> {
    if !matches!(node.value, Value::Mapping(_)) {
        let problem = reader.wrong_type(node, name, "a mapping");
        reader.report(problem.with_help("give it `url`, `format` and `path`"));
        return None;
    }
    let fields = reader.fields(node, name)?;
    let artifact = base(reader, &fields);
    let formats = [("tar", OverlayFormat::Tar), ("file", OverlayFormat::File)];
    let format = fields.require(reader, "format").and_then(|node| reader.choice(node, "format", &formats));
    let path = fields.require(reader, "path").and_then(|node| target_path(reader, node));
    fields.finish(reader);
    Some(OverlaySpec { name: name.to_owned(), artifact: artifact?, format: format?, path: path? })
}

/// A path on the target, with or without `/` before it.
fn target_path(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let path = reader.non_empty(node, "path")?;
    if path.split('/').any(|part| part == "..") {
        let message = "`path` cannot have `..` in it";
        reader.report(Diagnostic::error(Code::InvalidPath, node.span, message));
        return None;
    }
    Some(path)
}
