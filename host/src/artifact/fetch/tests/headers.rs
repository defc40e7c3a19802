//! Headers of a job: who gets them.

use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use super::super::super::headers::Headers;
use super::{Request, bench, http_server, request, respond};
use crate::fault::Class;

/// Answers with the file if the request has the token, and tells which requests had it.
fn private(path: &'static str, location: Option<String>) -> (String, Arc<Mutex<Vec<bool>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let (url, _) = http_server(move |_, head, stream| {
        let has_token = head.iter().any(|line| line.eq_ignore_ascii_case("private-token: s3cret"));
        log.lock().unwrap().push(has_token);
        let here = head[0].contains(path);
        match &location {
            Some(location) if !here => respond(stream, "302 Found", &format!("Location: {location}\r\n"), ""),
            _ => respond(stream, "200 OK", "", "file"),
        }
    });
    (url, seen)
}

#[tokio::test]
async fn headers_go_to_the_server_of_the_url_and_to_no_other() {
    let bench = bench();
    let headers = Headers::new(vec![("PRIVATE-TOKEN".to_owned(), "s3cret".to_owned())]);
    let with_token = |url: &str| Request { headers: headers.clone(), ..request(url) };
    let (other, at_other) = private("/", None);
    let (plain, at_plain) = private("/file", None);
    let (within, at_within) = private("/moved", Some("/moved".to_owned()));
    let (away, at_away) = private("/never", Some(other.clone()));
    for url in [&plain, &within, &away] {
        let file = bench.fetch(&with_token(url)).await.unwrap();
        assert_eq!(fs::read(&file.path).unwrap(), b"file");
    }
    assert_eq!(*at_plain.lock().unwrap(), [true]);
    assert_eq!(*at_within.lock().unwrap(), [true, true]);
    assert_eq!((&*at_away.lock().unwrap(), &*at_other.lock().unwrap()), (&vec![true], &vec![false]));
    assert_eq!(format!("{headers:?}"), r#"["PRIVATE-TOKEN"]"#);
}

#[tokio::test]
async fn servers_that_lead_to_each_other_are_left() {
    let bench = bench();
    let headers = Headers::new(vec![("X".to_owned(), "y".to_owned())]);
    let (url, count) = http_server(|_, _, stream| respond(stream, "302 Found", "Location: /again\r\n", ""));
    let (class, text) = bench.failure(&Request { headers, ..request(&url) }).await;
    assert_eq!(class, Class::Infrastructure);
    assert!(text.contains("too many redirects"), "{text}");
    assert_eq!(count.load(Ordering::SeqCst), 10);
}
