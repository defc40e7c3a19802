//! The checkouts of a run: nodes that ask for the same commit share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::OnceCell;

use super::super::cache::Cache;
use super::super::mirror::Mirrors;
use super::{GitError, GitRequest, GitTree, checkout};

/// Checkouts by what was asked for. All nodes of a run see the same commit of a branch, whoever pushes meanwhile.
#[derive(Debug, Default)]
pub struct Checkouts {
    trees: Mutex<HashMap<GitRequest, Arc<OnceCell<Arc<GitTree>>>>>,
}

impl Checkouts {
    /// Gets the tree of a commit as [`checkout`] does, or as somebody else already got it.
    ///
    /// Who asks while somebody else is at it waits for him; who asks after a failure tries again.
    ///
    /// # Errors
    /// Those of [`checkout`].
    pub async fn get(
        &self,
        request: &GitRequest,
        mirrors: &Mirrors,
        cache: &Cache,
        deadline: Instant,
    ) -> Result<Arc<GitTree>, GitError> {
        let cell = {
            let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(trees.entry(request.clone()).or_default())
        };
        let first = || async { checkout(request, mirrors, cache, deadline).await.map(Arc::new) };
        cell.get_or_try_init(first).await.map(Arc::clone)
    }
}
