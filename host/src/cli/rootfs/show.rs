//! What `host-runner rootfs ls` and `diff` print.

use std::fmt::Write as _;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::rootfs::{Attributes, Change, Difference, DifferenceKind, Kind, Timestamp};
use crate::text::steers;

/// A name as it can be printed: what would steer a terminal, and bytes that are no UTF-8, as `\n`, `\u{1b}`, `\xff`.
pub(super) fn printable(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if steers(c) || c == '\n' { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Something that is listed.
pub(super) struct Listed {
    pub(super) name: Vec<u8>,
    pub(super) is: Attributes,
    /// Where a symbolic link leads.
    pub(super) target: Option<Vec<u8>>,
}

/// Prints lines as of `ls -ln`, with times in UTC.
pub(super) fn print_list(out: &mut dyn Write, all: &[Listed]) -> io::Result<()> {
    let rows: Vec<[String; 4]> = all.iter().map(|listed| numbers(&listed.is)).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let [links, owner, group, size] = [width(0), width(1), width(2), width(3)];
    for (listed, [nlink, uid, gid, bytes]) in all.iter().zip(&rows) {
        let (mode, time, name) = (mode(&listed.is), minute(listed.is.mtime), printable(&listed.name));
        write!(out, "{mode} {nlink:>links$} {uid:>owner$} {gid:>group$} {bytes:>size$} {time} {name}")?;
        if let Some(target) = &listed.target {
            write!(out, " -> {}", printable(target))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Links, owner, group, and size or device number.
fn numbers(is: &Attributes) -> [String; 4] {
    let size = match is.kind {
        Kind::CharacterDevice | Kind::BlockDevice => format!("{}, {}", is.device.0, is.device.1),
        _ => is.size.to_string(),
    };
    [is.nlink.to_string(), is.uid.to_string(), is.gid.to_string(), size]
}

fn minute(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_second(time.seconds.into());
    time.map(|time| time.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
}

fn instant(time: &Timestamp) -> String {
    let time = jiff::Timestamp::new(time.seconds.into(), time.nanoseconds.cast_signed());
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// Kind and permissions as `ls` writes them.
fn mode(is: &Attributes) -> String {
    let kind = match is.kind {
        Kind::Regular => '-',
        Kind::Directory => 'd',
        Kind::Symlink => 'l',
        Kind::CharacterDevice => 'c',
        Kind::BlockDevice => 'b',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    };
    let mut text = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = is.mode >> shift & 7;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (is.mode & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// Prints a difference: `attributes /etc/shadow (mode 0640 -> 0600)`.
pub(super) fn print_difference(out: &mut dyn Write, difference: &Difference) -> io::Result<()> {
    write!(out, "{:<10} {}", difference.kind, printable(&difference.path))?;
    let changes = &difference.attributes;
    let octal = |mode: &u32| format!("{mode:04o}");
    let told = [
        told("mode", changes.mode.as_ref(), octal),
        told("uid", changes.uid.as_ref(), u32::to_string),
        told("gid", changes.gid.as_ref(), u32::to_string),
        told("mtime", changes.mtime.as_ref(), instant),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    if told.is_empty() { writeln!(out) } else { writeln!(out, " ({})", told.join(", ")) }
}

fn told<T>(what: &str, change: Option<&Change<T>>, show: impl Fn(&T) -> String) -> Option<String> {
    change.map(|Change { before, now }| format!("{what} {} -> {}", show(before), show(now)))
}

/// Prints a difference as a line of JSON.
pub(super) fn print_json(out: &mut dyn Write, difference: &Difference) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        /// Bytes that are no UTF-8 are replaced.
        path: &'a str,
        /// All bytes of such a path.
        #[serde(skip_serializing_if = "Option::is_none")]
        path_base64: Option<String>,
        change: DifferenceKind,
        #[serde(skip_serializing_if = "Option::is_none")]
        mode: Option<[String; 2]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        uid: Option<[u32; 2]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        gid: Option<[u32; 2]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        mtime: Option<[String; 2]>,
    }
    let path = String::from_utf8_lossy(&difference.path);
    let is_text = str::from_utf8(&difference.path).is_ok();
    let changes = &difference.attributes;
    let line = Line {
        path: &path,
        path_base64: (!is_text).then(|| STANDARD.encode(&difference.path)),
        change: difference.kind,
        mode: changes.mode.as_ref().map(|is| [is.before, is.now].map(|mode| format!("{mode:04o}"))),
        uid: changes.uid.as_ref().map(|is| [is.before, is.now]),
        gid: changes.gid.as_ref().map(|is| [is.before, is.now]),
        mtime: changes.mtime.as_ref().map(|is| [&is.before, &is.now].map(instant)),
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn names_cannot_steer_a_terminal() {
        for (name, shown) in [
            (&b"plain \xc3\xa9"[..], "plain é"),
            (b"a\nb\x1b[2J", r"a\nb\u{1b}[2J"),
            (b"\xff\xfe-latin", r"\xff\xfe-latin"),
            ("\u{202e}gpj.exe".as_bytes(), r"\u{202e}gpj.exe"),
            (br"dev-disk\x2dby", r"dev-disk\x2dby"),
        ] {
            assert_eq!(printable(name), shown);
        }
    }
}
