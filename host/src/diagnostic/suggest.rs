//! "Did you mean …?"

/// The one of `known` that `word` was most likely meant to be, as a help text; `None` if none is near.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// A help text of what was most likely meant, if that is known, and of `all` that there is.
pub fn meant(near: Option<&str>, all: &str) -> String {
    near.map_or_else(|| all.to_owned(), |near| format!("did you mean `{near}`? {all}"))
}

/// The one of `known` that `word` was most likely meant to be; `None` if none is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = (length / 3).clamp(1, 3);
    known
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|&(distance, _)| distance <= limit)
        // Letters are left out more often than replaced.
        .min_by_key(|&(distance, candidate)| {
            let longer = candidate.len().abs_diff(word.len());
            (distance, !has_letters_of(candidate, word), longer)
        })
        .map(|(_, candidate)| candidate)
}

/// Whether `candidate` has all letters of `word`, in their order.
fn has_letters_of(candidate: &str, word: &str) -> bool {
    let mut letters = candidate.chars();
    word.chars().all(|letter| letters.any(|other| other == letter))
}

/// Edit distance: insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
/// Separators count as equal, so that `nfs-rootfs` is near `nfs_rootfs`.
fn distance(a: &str, b: &str) -> usize {
    let normal = |text: &str| text.replace('-', "_").chars().collect::<Vec<_>>();
    let (a, b) = (normal(a), normal(b));
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(left != right);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *right && *left == b[j - 1] {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["nfsrootfs", "kernel", "dtb"];
        assert_eq!(did_you_mean("nfsroofts", known).as_deref(), Some("did you mean `nfsrootfs`?"));
        assert_eq!(did_you_mean("kernle", known).as_deref(), Some("did you mean `kernel`?"));
        assert_eq!(did_you_mean("nfs-rootfs", known).as_deref(), Some("did you mean `nfsrootfs`?"));
        assert_eq!(did_you_mean("actios", ["action", "actions"]).as_deref(), Some("did you mean `actions`?"));
        assert_eq!(did_you_mean("of", ["on", "off"]).as_deref(), Some("did you mean `off`?"));
        assert_eq!(did_you_mean("completely", known), None);
        assert_eq!(did_you_mean("", known), None);
    }
}
