//! A list that keeps its first items and counts the others.

/// The first items of a sequence.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    kept: Vec<T>,
    limit: usize,
    more: u64,
}

impl<T> Bounded<T> {
    /// Keeps the first `limit` items.
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: Vec::new(), limit, more: 0 }
    }

    /// Of a sequence that is there already.
    pub(super) fn of(limit: usize, items: impl IntoIterator<Item = T>) -> Self {
        let mut bounded = Self::new(limit);
        items.into_iter().for_each(|item| bounded.push(item));
        bounded
    }

    pub(super) fn push(&mut self, item: T) {
        if self.kept.len() < self.limit {
            self.kept.push(item);
        } else {
            self.more += 1;
        }
    }

    /// Those that are kept.
    pub(super) fn kept(&self) -> &[T] {
        &self.kept
    }

    /// How many came after them.
    pub(super) fn more(&self) -> u64 {
        self.more
    }
}
