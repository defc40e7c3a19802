//! Extended headers: records that add to a member's header, or replace what it says.
//!
//! Source: POSIX.1-2017, pax, "pax Extended Header"; GNU tar manual, "Storing Sparse Files"; `SCHILY.*` is star's.

use crate::rootfs::Timestamp;
use crate::rootfs::error::MemberProblem;

const BAD: MemberProblem = MemberProblem::BadField("pax");
/// Longest name and value of an extended attribute that are kept, in bytes; Linux allows 255 and 65 536.
const MAX_KEY: usize = 512;
const MAX_VALUE: usize = 64 << 10;

/// A record of an extended attribute as it stands: key and value.
pub(super) type Attribute = (Box<str>, Box<[u8]>);

/// What records say of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) atime: Option<Timestamp>,
    pub(super) ctime: Option<Timestamp>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) sparse: PaxSparse,
}

/// What `GNU.sparse.*` says.
#[derive(Clone, Debug, Default)]
pub(super) struct PaxSparse {
    /// Whether the map is in the data (format 1.0) and not in the records (0.0 and 0.1).
    pub(super) in_data: bool,
    /// The file's own name; `path` is an invented one.
    pub(super) name: Option<Vec<u8>>,
    /// Size of the file with its holes, in bytes; there if the member is sparse.
    pub(super) size: Option<u64>,
    /// Offsets and lengths of what is in the archive, in bytes.
    pub(super) map: Vec<(u64, u64)>,
    /// The first half of a pair of format 0.0.
    offset: Option<u64>,
}

impl Extended {
    /// Applies the records in `data`; later ones win.
    pub(super) fn apply(&mut self, data: &[u8]) -> Result<(), MemberProblem> {
        for_each_record(data, &mut |key, value| self.record(key, value))
    }

    /// Applies the records of a global header, which hold for all members that follow.
    pub(super) fn apply_global(&mut self, data: &[u8]) -> Result<(), MemberProblem> {
        self.apply(data)?;
        // Maps are of one file.
        self.sparse = PaxSparse::default();
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), MemberProblem> {
        let key = str::from_utf8(key).map_err(|_| BAD)?;
        // An empty value takes back what a global header said.
        let set = |value: &[u8]| (!value.is_empty()).then(|| value.to_vec());
        match key {
            "path" => self.path = set(value),
            "linkpath" => self.link = set(value),
            "size" => self.size = given(value, decimal, "size")?,
            "uid" => self.uid = given(value, id, "uid")?,
            "gid" => self.gid = given(value, id, "gid")?,
            "mtime" => self.mtime = given(value, time, "pax time")?,
            "atime" => self.atime = given(value, time, "pax time")?,
            "ctime" => self.ctime = given(value, time, "pax time")?,
            _ => {
                if let Some(key) = key.strip_prefix("GNU.sparse.") {
                    return self.sparse.record(key, value).ok_or(MemberProblem::BadSparseMap);
                }
                let extended = key.starts_with("SCHILY.xattr.") || key.starts_with("SCHILY.acl.");
                if extended || key == "RHT.security.selinux" {
                    if key.len() > MAX_KEY || value.len() > MAX_VALUE {
                        return Err(MemberProblem::BadField("extended attribute"));
                    }
                    self.attributes.retain(|(other, _)| **other != *key);
                    self.attributes.push((key.into(), value.into()));
                }
            }
        }
        Ok(())
    }
}

impl PaxSparse {
    fn record(&mut self, key: &str, value: &[u8]) -> Option<()> {
        match key {
            "major" => self.in_data = decimal(value)? >= 1,
            "name" => self.name = Some(value.to_vec()),
            "size" | "realsize" => self.size = Some(decimal(value)?),
            "offset" => self.offset = Some(decimal(value)?),
            "numbytes" => self.map.push((self.offset.take()?, decimal(value)?)),
            "map" => {
                let mut numbers = value.split(|byte| *byte == b',');
                self.map.clear();
                while let Some(offset) = numbers.next() {
                    self.map.push((decimal(offset)?, decimal(numbers.next()?)?));
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// Takes key and value of a record.
type EachRecord<'e> = dyn FnMut(&[u8], &[u8]) -> Result<(), MemberProblem> + 'e;

/// Calls `each` with key and value of every record: `LENGTH KEY=VALUE\n`, the length counting all of it.
fn for_each_record(mut data: &[u8], each: &mut EachRecord<'_>) -> Result<(), MemberProblem> {
    // Padding ends the records, too.
    while data.first().is_some_and(|byte| *byte != 0) {
        let space = data.iter().take(20).position(|byte| *byte == b' ').ok_or(BAD)?;
        let length = data.get(..space).and_then(decimal).and_then(|length| usize::try_from(length).ok());
        let (record, rest) = data.split_at_checked(length.ok_or(BAD)?).ok_or(BAD)?;
        let line = record.get(space + 1..).and_then(|line| line.strip_suffix(b"\n")).ok_or(BAD)?;
        let equals = line.iter().position(|byte| *byte == b'=').ok_or(BAD)?;
        let (key, value) = line.split_at(equals);
        each(key, value.get(1..).unwrap_or_default())?;
        data = rest;
    }
    Ok(())
}

fn given<T>(
    value: &[u8],
    parse: fn(&[u8]) -> Option<T>,
    field: &'static str,
) -> Result<Option<T>, MemberProblem> {
    if value.is_empty() {
        return Ok(None);
    }
    parse(value).map(Some).ok_or(MemberProblem::BadField(field))
}

/// A number in decimal digits.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    let digits =
        str::from_utf8(digits).ok().filter(|text| text.bytes().all(|digit| digit.is_ascii_digit()))?;
    digits.parse().ok()
}

fn id(value: &[u8]) -> Option<u32> {
    u32::try_from(decimal(value)?).ok()
}

/// Seconds with an optional fraction; before 1970 and after 2106 is clamped, digits below a nanosecond are cut.
fn time(value: &[u8]) -> Option<Timestamp> {
    let (negative, value) = value.strip_prefix(b"-").map_or((false, value), |value| (true, value));
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let seconds = decimal(parts.next()?)?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if negative {
        return Some(Timestamp::default());
    }
    let digits = fraction.iter().chain(b"000000000").take(9);
    let nanoseconds = digits.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    Some(Timestamp { seconds: u32::try_from(seconds).unwrap_or(u32::MAX), nanoseconds })
}
