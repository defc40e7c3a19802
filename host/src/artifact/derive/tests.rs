use std::fs;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{DeriveError, Derived, Proceed, Recipe};
use crate::artifact::{Cache, Reason};

struct Bench {
    _directory: tempfile::TempDir,
    cache: Cache,
}

fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::open(&directory.path().join("cache")).unwrap();
    Bench { _directory: directory, cache }
}

/// Writes `text` and counts how often.
#[derive(Clone)]
struct Text {
    text: Vec<u8>,
    made: Arc<AtomicU32>,
    endless: bool,
}

fn recipe(text: &str) -> Text {
    Text { text: text.into(), made: Arc::default(), endless: false }
}

impl Recipe for Text {
    type Error = io::Error;
    const KIND: &'static str = "text";

    fn key(&self) -> String {
        format!("{:x}", self.text.len())
    }

    fn total(&self) -> Option<u64> {
        Some(self.text.len() as u64)
    }

    fn make(&self, out: &mut dyn Write, _: Proceed<'_>) -> io::Result<Vec<String>> {
        self.made.fetch_add(1, Ordering::SeqCst);
        loop {
            out.write_all(&self.text)?;
            if !self.endless {
                return Ok(vec!["a note".to_owned()]);
            }
        }
    }
}

impl Bench {
    async fn derive(&self, recipe: &Text, time: Duration) -> Result<Derived, DeriveError<io::Error>> {
        let recipe = recipe.clone();
        self.cache.derive(move |_| Ok(recipe), Instant::now() + time, |_, _| ()).await
    }

    fn is_clean(&self) -> bool {
        ["tmp", "blobs", "records"]
            .iter()
            .all(|name| fs::read_dir(self.cache.directory().join(name)).unwrap().count() == 0)
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_was_made_is_found_again_with_its_notes() {
    let bench = bench();
    let recipe = recipe("some text");
    let first = bench.derive(&recipe, MINUTE).await.unwrap();
    assert_eq!(
        (fs::read(&first.artifact.path).unwrap(), first.artifact.from_cache),
        (b"some text".to_vec(), false)
    );
    let second = bench.derive(&recipe, MINUTE).await.unwrap();
    assert!(second.artifact.from_cache);
    assert_eq!(
        (&second.artifact.path, &second.artifact.sha256),
        (&first.artifact.path, &first.artifact.sha256)
    );
    assert_eq!(second.notes, ["a note"]);
    assert_eq!(recipe.made.load(Ordering::SeqCst), 1);
    let other = bench.derive(&Text { text: b"another text".to_vec(), ..recipe }, MINUTE).await.unwrap();
    assert_ne!(other.artifact.sha256, first.artifact.sha256);
}

#[tokio::test]
async fn two_at_once_make_it_once() {
    let bench = bench();
    let recipe = recipe("some text");
    let (one, other) = tokio::join!(bench.derive(&recipe, MINUTE), bench.derive(&recipe, MINUTE));
    assert_ne!(one.unwrap().artifact.from_cache, other.unwrap().artifact.from_cache);
    assert_eq!(recipe.made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_grows_beyond_the_limit_is_not_kept() {
    let mut bench = bench();
    bench.cache.max_size = 1_000_000;
    let endless = Text { endless: true, ..recipe("some text") };
    let error = bench.derive(&endless, MINUTE).await.unwrap_err();
    assert!(matches!(error, DeriveError::Cache(Reason::TooLarge { limit: 1_000_000 })), "{error:?}");
    assert!(bench.is_clean());
}

#[tokio::test]
async fn what_takes_too_long_ends_with_its_time() {
    let bench = bench();
    let endless = Text { endless: true, ..recipe("x") };
    let error = bench.derive(&endless, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, DeriveError::Cache(Reason::Timeout { .. })), "{error:?}");
    assert!(bench.is_clean());
    let searching = |proceed: Proceed<'_>| -> io::Result<Text> {
        loop {
            proceed()?;
        }
    };
    let stopped = bench.cache.derive(searching, Instant::now() + Duration::from_millis(50), |_, _| ());
    assert!(matches!(stopped.await, Err(DeriveError::Cache(Reason::Timeout { .. }))));
}

#[tokio::test]
async fn an_error_of_the_recipe_is_its_own() {
    let bench = bench();
    let failing = |_: Proceed<'_>| Err::<Text, _>(io::Error::other("no such luck"));
    let error = bench.cache.derive(failing, Instant::now() + MINUTE, |_, _| ()).await.unwrap_err();
    assert!(matches!(&error, DeriveError::Recipe(error) if error.to_string() == "no such luck"), "{error:?}");
}
