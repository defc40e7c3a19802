//! Checksums: those that a job demands, and the one that names a file in the cache.

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512};

/// Checksums that a job demands of the file as it is downloaded, in hexadecimal digits of either case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checksums {
    /// `md5sum`, 32 digits.
    pub md5: Option<String>,
    /// `sha256sum`, 64 digits.
    pub sha256: Option<String>,
    /// `sha512sum`, 128 digits.
    pub sha512: Option<String>,
}

/// A checksum of a job that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{algorithm} must be {digits} hexadecimal digits, not `{value}`")]
pub struct MalformedChecksum {
    /// `md5`, `sha256` or `sha512`.
    pub algorithm: &'static str,
    /// How many digits it has.
    pub digits: usize,
    /// What the job says.
    pub value: String,
}

/// A file that is not the one that the job means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{algorithm} does not match: expected {expected}, got {got}")]
pub struct Mismatch {
    /// `md5`, `sha256` or `sha512`.
    pub algorithm: &'static str,
    /// The job's.
    pub expected: String,
    /// The file's.
    pub got: String,
}

impl Checksums {
    /// Checks that each checksum can be one.
    ///
    /// # Errors
    /// [`MalformedChecksum`] for the first that cannot.
    pub fn check(&self) -> Result<(), MalformedChecksum> {
        let all = [("md5", 32, &self.md5), ("sha256", 64, &self.sha256), ("sha512", 128, &self.sha512)];
        for (algorithm, digits, value) in all {
            if let Some(value) = value
                && (value.len() != digits || !value.bytes().all(|byte| byte.is_ascii_hexdigit()))
            {
                return Err(MalformedChecksum { algorithm, digits, value: value.clone() });
            }
        }
        Ok(())
    }

    /// Returns the demanded SHA-256, as the cache spells it.
    pub(crate) fn sha256(&self) -> Option<String> {
        self.sha256.as_ref().map(|digits| digits.to_ascii_lowercase())
    }

    /// Checks a file's digests; `None` in `digests` for a demanded one is a mismatch.
    pub(super) fn verify(&self, digests: &Digests) -> Result<(), Mismatch> {
        let all = [
            ("md5", &self.md5, digests.md5.as_deref()),
            ("sha256", &self.sha256, Some(digests.sha256.as_str())),
            ("sha512", &self.sha512, digests.sha512.as_deref()),
        ];
        for (algorithm, expected, got) in all {
            if let Some(expected) = expected
                && !got.is_some_and(|got| got.eq_ignore_ascii_case(expected))
            {
                let got = got.unwrap_or("none").to_owned();
                return Err(Mismatch { algorithm, expected: expected.clone(), got });
            }
        }
        Ok(())
    }
}

/// Digests of a file, in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Digests {
    pub(super) sha256: String,
    #[serde(default)]
    pub(super) md5: Option<String>,
    #[serde(default)]
    pub(super) sha512: Option<String>,
}

impl Digests {
    /// Returns whether there is a digest for each checksum.
    pub(super) fn cover(&self, checksums: &Checksums) -> bool {
        (checksums.md5.is_none() || self.md5.is_some())
            && (checksums.sha512.is_none() || self.sha512.is_some())
    }

    /// Adds what only `other` has, which is of the same file.
    pub(super) fn or(self, other: Self) -> Self {
        Self { md5: self.md5.or(other.md5), sha512: self.sha512.or(other.sha512), ..self }
    }
}

/// Computes SHA-256, and what else is demanded, in one pass.
#[derive(Debug)]
pub(super) struct Hasher {
    sha256: Sha256,
    md5: Option<Md5>,
    sha512: Option<Sha512>,
}

impl Hasher {
    pub(super) fn new(demanded: &Checksums) -> Self {
        Self {
            sha256: Sha256::new(),
            md5: demanded.md5.is_some().then(Md5::new),
            sha512: demanded.sha512.is_some().then(Sha512::new),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    pub(super) fn finish(self) -> Digests {
        Digests {
            sha256: hex(&self.sha256.finalize()),
            md5: self.md5.map(|md5| hex(&md5.finalize())),
            sha512: self.sha512.map(|sha512| hex(&sha512.finalize())),
        }
    }
}

/// Returns the SHA-256 of `text`, as a name for files.
pub(super) fn name_of(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Checksums, Hasher};

    fn all() -> Checksums {
        Checksums {
            md5: Some("900150983CD24FB0D6963F7D28E17F72".into()),
            sha256: Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into()),
            sha512: Some(
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
                    .into(),
            ),
        }
    }

    #[test]
    fn the_published_digests_of_abc_match() {
        let mut hasher = Hasher::new(&all());
        hasher.update(b"a");
        hasher.update(b"bc");
        all().verify(&hasher.finish()).unwrap();
    }

    #[test]
    fn a_mismatch_says_what_was_expected_and_what_came() {
        let demanded = Checksums { md5: Some("0".repeat(32)), ..Checksums::default() };
        let mut hasher = Hasher::new(&demanded);
        hasher.update(b"abc");
        let error = demanded.verify(&hasher.finish()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "md5 does not match: expected 00000000000000000000000000000000, got 900150983cd24fb0d6963f7d28e17f72"
        );
    }

    #[test]
    fn a_checksum_that_cannot_be_one_is_named() {
        all().check().unwrap();
        let error = Checksums { sha256: Some("12g4".into()), ..Checksums::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "sha256 must be 64 hexadecimal digits, not `12g4`");
    }
}
