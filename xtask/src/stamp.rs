//! Stamps: what a product was made from, so that it is made again only when that has changed.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// A digest over everything that a product is made from.
#[derive(Clone, Default)]
pub(crate) struct Inputs(Sha256);

impl Inputs {
    /// Adds a text, such as a list of packages.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
        self
    }

    /// Adds the names and contents of all files under `directory`, in a fixed order, wherever it is.
    ///
    /// # Errors
    /// When something there cannot be read.
    pub(crate) fn tree(self, directory: &Path) -> Result<Self, Error> {
        self.subtree(directory, directory)
    }

    fn subtree(mut self, directory: &Path, root: &Path) -> Result<Self, Error> {
        let entries = fs::read_dir(directory).map_err(Error::file("cannot read", directory))?;
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::file("cannot read", directory))?;
        paths.sort();
        for path in paths {
            if path.is_dir() {
                self = self.subtree(&path, root)?;
            } else {
                let content = fs::read(&path).map_err(Error::file("cannot read", &path))?;
                self = self.text(&path.strip_prefix(root).unwrap_or(&path).to_string_lossy());
                self.0.update((content.len() as u64).to_le_bytes());
                self.0.update(content);
            }
        }
        Ok(self)
    }

    fn digest(&self) -> String {
        self.0.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The stamp of one product.
pub(crate) struct Stamp {
    file: PathBuf,
    digest: String,
}

impl Stamp {
    /// The stamp in `file` of a product made from `inputs`.
    pub(crate) fn new(file: PathBuf, inputs: &Inputs) -> Self {
        Self { file, digest: inputs.digest() }
    }

    /// Whether the product was made from the same inputs and all its `files` are still there.
    pub(crate) fn is_current(&self, files: &[&Path]) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|text| text == self.digest)
            && files.iter().all(|file| file.exists())
    }

    /// Says that the product is there, complete.
    ///
    /// # Errors
    /// When the stamp cannot be written.
    pub(crate) fn set(&self) -> Result<(), Error> {
        if let Some(directory) = self.file.parent() {
            fs::create_dir_all(directory).map_err(Error::file("cannot make", directory))?;
        }
        fs::write(&self.file, &self.digest).map_err(Error::file("cannot write", &self.file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_current_only_for_the_same_inputs_and_while_the_product_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let product = directory.path().join("product");
        let stamp =
            |text: &str| Stamp::new(directory.path().join("stamps/product"), &Inputs::default().text(text));
        assert!(!stamp("one").is_current(&[]));
        stamp("one").set().unwrap();
        assert!(stamp("one").is_current(&[]));
        assert!(!stamp("two").is_current(&[]));
        assert!(!stamp("one").is_current(&[&product]));
        fs::write(&product, "x").unwrap();
        assert!(stamp("one").is_current(&[&product]));
    }

    #[test]
    fn a_changed_file_deep_in_a_tree_changes_the_digest() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("etc/deep/file");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "one").unwrap();
        let before = Inputs::default().tree(directory.path()).unwrap().digest();
        fs::write(&file, "two").unwrap();
        assert_ne!(before, Inputs::default().tree(directory.path()).unwrap().digest());
    }

    #[test]
    fn the_same_tree_elsewhere_has_the_same_digest() {
        let digest = || {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("file"), "one").unwrap();
            Inputs::default().tree(directory.path()).unwrap().digest()
        };
        assert_eq!(digest(), digest());
    }
}
