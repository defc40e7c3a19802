//! `[rootfs]`: what the boards' root filesystems may take on this PC.

use super::BenchFile;
use crate::document::Fields;

/// Bytes that a job may write into its root filesystem, where the bench file says nothing: 8 GiB.
pub(crate) const DEFAULT_BUDGET: u64 = 8 << 30;

/// Largest budget, in MiB: 4 TiB, the largest file that a layer can hold.
pub(crate) const MAX_BUDGET_MB: u32 = 4 << 20;

impl BenchFile<'_> {
    /// `budget_mb`, in bytes.
    pub(super) fn rootfs_budget(&mut self, fields: &Fields<'_>) -> Option<u64> {
        let node = fields.get("budget_mb")?;
        let budget = self.reader.integer(node, "budget_mb", 1, MAX_BUDGET_MB)?;
        Some(u64::from(budget) << 20)
    }
}
