//! What could not be kept, by name.

/// Names of one kind that are told.
const TOLD: usize = 5;

/// Files with something in common, of which the first ones are told by name.
#[derive(Debug, Default)]
pub(super) struct Names {
    first: Vec<String>,
    count: usize,
}

impl Names {
    /// Adds a file.
    pub(super) fn push(&mut self, path: &[u8]) {
        self.count += 1;
        if self.first.len() < TOLD {
            self.first.push(String::from_utf8_lossy(path).escape_debug().to_string());
        }
    }

    /// A sentence: `what` and the names; `None` if there are none.
    pub(super) fn note(&self, what: &str) -> Option<String> {
        let names = self.first.join(", ");
        let more = match self.count - self.first.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (self.count > 0).then(|| format!("{what}: {names}{more}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn a_few_names_are_told_and_the_rest_is_counted() {
        let mut names = Names::default();
        assert_eq!(names.note("left out"), None);
        for index in 0..7 {
            names.push(format!("dev/{index}\n").as_bytes());
        }
        let text = r"left out: dev/0\n, dev/1\n, dev/2\n, dev/3\n, dev/4\n and 2 more";
        assert_eq!(names.note("left out").unwrap(), text);
    }
}
