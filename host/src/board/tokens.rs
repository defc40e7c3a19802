//! Secrets of the bench that jobs name without knowing them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

/// Longest token, in bytes.
const MAX_TOKEN: u64 = 16 * 1024;

/// The communities that power switches are sold with: no secret.
const USUAL: [&str; 2] = ["public", "private"];

/// The tokens of a bench, by their names: LAVA's "remote artifact tokens".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens(Vec<(String, TokenSource)>);

/// Where a token is. The bench file itself has none: it is checked in, and shown to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// A file with nothing else in it.
    File(PathBuf),
    /// A variable of host-runner's environment.
    Variable(String),
}

/// A token cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Its file cannot be read.
    #[error("token `{name}`: cannot read {}", path.display())]
    File {
        /// The token.
        name: String,
        /// Its file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Its variable is not set.
    #[error("token `{name}`: the environment has no variable `{variable}`")]
    Variable {
        /// The token.
        name: String,
        /// Its variable.
        variable: String,
    },
}

impl Tokens {
    /// Tokens by their names.
    pub const fn new(tokens: Vec<(String, TokenSource)>) -> Self {
        Self(tokens)
    }

    /// The token `name`, or `name` itself if there is none: then it is the value.
    ///
    /// # Errors
    /// The token cannot be read.
    pub fn resolve(&self, name: &str) -> Result<String, TokenError> {
        self.secret(name).reveal()
    }

    /// Whether there is a token `name`.
    pub fn is_named(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The token `name`, or `name` itself if there is none, to be read when it is needed.
    pub fn secret(&self, name: &str) -> Secret {
        let source = self.0.iter().find(|(known, _)| known == name).map(|(_, source)| source.clone());
        Secret { name: name.to_owned(), source }
    }
}

/// A password that the bench file names or has. It is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    name: String,
    source: Option<TokenSource>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Whether it stands in the bench file itself, and is one that is not known to everybody.
    pub fn is_written_there(&self) -> bool {
        self.source.is_none() && !USUAL.contains(&self.name.as_str())
    }

    /// What it is.
    ///
    /// # Errors
    /// The token cannot be read.
    pub fn reveal(&self) -> Result<String, TokenError> {
        let name = &self.name;
        let Some(source) = &self.source else { return Ok(name.clone()) };
        match source {
            TokenSource::File(path) => {
                let failed = |source| TokenError::File { name: name.clone(), path: path.clone(), source };
                let mut text = String::new();
                File::open(path)
                    .and_then(|file| file.take(MAX_TOKEN).read_to_string(&mut text))
                    .map_err(failed)?;
                Ok(text.trim().to_owned())
            }
            TokenSource::Variable(variable) => std::env::var(variable)
                .map_err(|_| TokenError::Variable { name: name.clone(), variable: variable.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TokenSource, Tokens};

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Tokens::default().secret("hunter2");
        assert_eq!(
            (format!("{secret:?}").as_str(), secret.reveal().unwrap().as_str()),
            ("Secret", "hunter2")
        );
    }

    #[test]
    fn names_stand_for_tokens_and_everything_else_for_itself() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        let tokens = Tokens::new(vec![
            ("lab".to_owned(), TokenSource::File(path)),
            ("gone".to_owned(), TokenSource::File(directory.path().join("gone"))),
            ("unset".to_owned(), TokenSource::Variable("HOST_RUNNER_NO_SUCH_TOKEN".to_owned())),
        ]);
        assert_eq!(tokens.resolve("lab").unwrap(), "s3cret");
        assert_eq!(tokens.resolve("Bearer abc").unwrap(), "Bearer abc");
        let gone = tokens.resolve("gone").unwrap_err().to_string();
        assert!(gone.starts_with("token `gone`: cannot read ") && gone.ends_with("/gone"), "{gone}");
        assert_eq!(
            tokens.resolve("unset").unwrap_err().to_string(),
            "token `unset`: the environment has no variable `HOST_RUNNER_NO_SUCH_TOKEN`"
        );
    }
}
