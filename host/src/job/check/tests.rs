//! Tests.
use crate::diagnostic::Source;
use crate::job::Job;
use std::path::Path;

#[test]
fn probe() {
    let mut dir: Vec<_> =
        std::fs::read_dir("/work/shared/sample-jobs").unwrap().map(|e| e.unwrap().path()).collect();
    dir.push(Path::new("/work/shared/seed-job.yaml").to_owned());
    for path in dir {
        let source = Source::read(&path).unwrap();
        match Job::parse(&source) {
            Ok(job) => {
                println!("OK {path:?}");
                for w in &job.warnings {
                    println!("  {} {}", source.place(w.span()), w.message);
                }
                if path.ends_with("seed-job.yaml") {
                    println!("{job:#?}");
                }
            }
            Err(e) => println!("{e}"),
        }
    }
}
