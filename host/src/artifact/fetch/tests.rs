use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::super::mirror::Rule;
use super::super::retry::Retry;
use super::{Artifact, ArtifactError, Cache, Checksums, Compression, Mirrors, Request};
use crate::fault::{Chain, Class};

mod headers;
mod local;

struct Bench {
    directory: tempfile::TempDir,
    cache: Cache,
    mirrors: Mirrors,
}

fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let mut cache = Cache::open(&directory.path().join("cache")).unwrap();
    cache.retry = Retry { attempts: 3, delay: Duration::ZERO };
    Bench { directory, cache, mirrors: Mirrors::default() }
}

impl Bench {
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    async fn fetch_within(&self, request: &Request, time: Duration) -> Result<Artifact, ArtifactError> {
        self.cache.fetch(request, &self.mirrors, Instant::now() + time, |_, _| ()).await
    }

    async fn fetch(&self, request: &Request) -> Result<Artifact, ArtifactError> {
        self.fetch_within(request, Duration::from_secs(60)).await
    }

    async fn failure(&self, request: &Request) -> (Class, String) {
        let error = self.fetch(request).await.unwrap_err();
        (error.class(), Chain(&error).to_string())
    }
}

fn request(url: impl Into<String>) -> Request {
    Request { url: url.into(), ..Request::default() }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An HTTP server that gives each request, lines of its head, to `answer`, which writes what it likes.
fn http_server(answer: impl Fn(u32, &[String], &mut TcpStream) + Send + 'static) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    let count = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let head: Vec<String> = head.collect();
            answer(counter.fetch_add(1, Ordering::SeqCst) + 1, &head, &mut stream);
        }
    });
    (url, count)
}

fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    // A client that has what it wants may close first.
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    );
}

#[tokio::test]
async fn a_file_url_and_a_mirror_lead_to_the_same_blob() {
    let mut bench = bench();
    let path = bench.file("a b", b"content");
    let root = bench.directory.path().to_str().unwrap().to_owned();
    bench.mirrors = Mirrors::new(vec![Rule { from: "https://dead.example/".into(), to: format!("{root}/") }]);
    let plain = bench.fetch(&request(path.to_str().unwrap())).await.unwrap();
    let url = bench.fetch(&request(format!("file://{root}/a%20b"))).await.unwrap();
    let mirrored = bench.fetch(&request("https://dead.example/a%20b")).await.unwrap();
    assert_eq!(plain.path, url.path);
    assert_eq!(plain.path, mirrored.path);
}

#[tokio::test]
async fn a_compressed_file_is_decompressed_once() {
    let bench = bench();
    let path = bench.file("f.gz", &gzip(b"kernel"));
    let request = Request { compression: Some(Compression::Gzip), ..request(path.to_str().unwrap()) };
    let first = bench.fetch(&request).await.unwrap();
    assert_eq!(fs::read(&first.path).unwrap(), b"kernel");
    assert!(!first.from_cache);
    let second = bench.fetch(&request).await.unwrap();
    assert!(second.from_cache);
    assert_eq!((second.path, second.sha256), (first.path, first.sha256));
}

#[tokio::test]
async fn what_is_not_compressed_as_the_job_says_is_named_with_its_origin() {
    let mut bench = bench();
    let path = bench.file("f", b"<html>");
    bench.mirrors =
        Mirrors::new(vec![Rule { from: "https://a/f".into(), to: path.to_str().unwrap().to_owned() }]);
    let request = Request { compression: Some(Compression::Gzip), ..request("https://a/f") };
    let text = format!(
        "cannot get https://a/f (mirrored to {}): not a valid gzip file: begins with 3c 68 74 6d 6c 3e (\"<html>\")",
        path.display()
    );
    assert_eq!(bench.failure(&request).await, (Class::Infrastructure, text));
}

#[tokio::test]
async fn checksums_are_of_the_file_as_it_is_downloaded() {
    let bench = bench();
    let path = bench.file("f", b"abc");
    let good = Checksums {
        md5: Some("900150983cd24fb0d6963f7d28e17f72".into()),
        sha256: Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into()),
        sha512: None,
    };
    let request =
        |checksums: &Checksums| Request { checksums: checksums.clone(), ..request(path.to_str().unwrap()) };
    bench.fetch(&request(&Checksums::default())).await.unwrap();
    assert!(
        bench.fetch(&request(&good)).await.unwrap().from_cache,
        "a digest that was not kept is made up for"
    );
    let bad = Checksums { md5: Some("0".repeat(32)), ..good };
    let (class, text) = bench.failure(&request(&bad)).await;
    assert_eq!(class, Class::Infrastructure);
    assert!(
        text.ends_with(&format!("expected {}, got 900150983cd24fb0d6963f7d28e17f72", "0".repeat(32))),
        "{text}"
    );
    let malformed = Checksums { sha512: Some("12".into()), ..Checksums::default() };
    assert_eq!(bench.failure(&request(&malformed)).await.0, Class::Job);
}

#[tokio::test]
async fn a_file_that_is_known_by_its_sha256_needs_no_origin() {
    let bench = bench();
    let path = bench.file("f", b"abc");
    let known = bench.fetch(&request(path.to_str().unwrap())).await.unwrap();
    let checksums = Checksums { sha256: Some(known.sha256.to_uppercase()), ..Checksums::default() };
    let found =
        bench.fetch(&Request { checksums, ..request("https://unreachable.invalid/f") }).await.unwrap();
    assert!(found.from_cache);
    assert_eq!(found.path, known.path);
}

#[tokio::test]
async fn a_missing_file_a_directory_and_a_foreign_url_are_named() {
    let bench = bench();
    let (class, text) = bench.failure(&request("file:///nowhere/zImage")).await;
    assert_eq!(class, Class::Infrastructure);
    assert!(text.contains("cannot read /nowhere/zImage: No such file"), "{text}");
    let (_, text) = bench.failure(&request("/")).await;
    assert!(text.ends_with("/ is not a regular file"), "{text}");
    let (class, text) = bench.failure(&request("ftp://host/zImage")).await;
    assert_eq!(class, Class::Job);
    assert!(text.contains("ftp://host/zImage: only http://"), "{text}");
}

#[tokio::test]
async fn the_second_download_is_conditional() {
    let bench = bench();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let (url, _) = http_server(move |_, head, stream| {
        seen.lock().unwrap().push(head.join("\n").to_ascii_lowercase());
        if head.iter().any(|line| line.eq_ignore_ascii_case("if-none-match: \"v1\"")) {
            let _ = stream.write_all(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
        } else {
            let headers = "ETag: \"v1\"\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n";
            respond(stream, "200 OK", headers, "content");
        }
    });
    assert!(!bench.fetch(&request(&url)).await.unwrap().from_cache);
    let second = bench.fetch(&request(&url)).await.unwrap();
    assert!(second.from_cache);
    assert_eq!(fs::read(second.path).unwrap(), b"content");
    assert!(heads.lock().unwrap()[1].contains("if-modified-since: wed, 21 oct 2015"));
}

#[tokio::test]
async fn a_missing_file_is_asked_for_once_and_a_struggling_server_again() {
    let bench = bench();
    let (url, count) = http_server(|_, _, stream| respond(stream, "404 Not Found", "", "sorry"));
    let text = format!("cannot get {url}: the server answered 404 Not Found");
    assert_eq!(bench.failure(&request(&url)).await, (Class::Infrastructure, text));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let (url, count) = http_server(|attempt, _, stream| match attempt {
        1 => respond(stream, "503 Service Unavailable", "", ""),
        _ => respond(stream, "200 OK", "", "content"),
    });
    bench.fetch(&request(&url)).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_file_that_ends_early_is_never_kept() {
    let bench = bench();
    let (url, count) = http_server(|_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nshort");
    });
    let (class, text) = bench.failure(&request(&url)).await;
    assert_eq!(class, Class::Infrastructure);
    assert!(
        text.contains("given up after 3 attempts: the download broke off after 5 of 100 bytes"),
        "{text}"
    );
    assert_eq!(count.load(Ordering::SeqCst), 3);
    for directory in ["blobs", "tmp", "records"] {
        assert_eq!(fs::read_dir(bench.cache.directory().join(directory)).unwrap().count(), 0, "{directory}");
    }
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let bench = bench();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/f", listener.local_addr().unwrap());
    drop(listener);
    let (_, text) = bench.failure(&request(&url)).await;
    assert!(text.contains("given up after 3 attempts") && text.contains("refused"), "{text}");
}

#[tokio::test]
async fn a_server_that_falls_silent_ends_with_the_deadline() {
    let bench = bench();
    let held = Mutex::new(Vec::new());
    let (url, _) = http_server(move |_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
        held.lock().unwrap().push(stream.try_clone().unwrap());
    });
    let error = bench.fetch_within(&request(&url), Duration::from_secs(5)).await.unwrap_err();
    let text = Chain(&error).to_string();
    assert!(text.contains("not there after ") && text.contains("broke off after 5 of 100 bytes"), "{text}");
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_not_kept() {
    let mut bench = bench();
    bench.cache.max_size = 4;
    let path = bench.file("f", b"12345");
    let (_, text) = bench.failure(&request(path.to_str().unwrap())).await;
    assert!(text.ends_with("it is larger than the limit of 4 bytes"), "{text}");
}

#[tokio::test]
async fn two_runs_at_once_download_once() {
    let bench = bench();
    let (url, count) = http_server(|_, head, stream| {
        if head.iter().any(|line| line.to_ascii_lowercase().starts_with("if-none-match")) {
            let _ = stream.write_all(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
        } else {
            respond(stream, "200 OK", "ETag: \"1\"\r\n", "content");
        }
    });
    let request = request(&url);
    let (a, b) = tokio::join!(bench.fetch(&request), bench.fetch(&request));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.path, b.path);
    assert_ne!(a.from_cache, b.from_cache);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_dropped_fetch_stops() {
    let bench = bench();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let (url, _) = http_server(move |_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        sender.send("started").unwrap();
        // Endless, until the client closes the connection.
        while stream.write_all(&[0; 4096]).is_ok() {}
        sender.send("stopped").unwrap();
    });
    let request = request(&url);
    tokio::select! {
        result = bench.fetch(&request) => panic!("{result:?}"),
        started = receiver.recv() => assert_eq!(started, Some("started")),
    }
    let stopped = tokio::time::timeout(Duration::from_secs(30), receiver.recv()).await.unwrap();
    assert_eq!(stopped, Some("stopped"));
}

#[tokio::test]
async fn a_root_filesystem_can_be_compressed_in_every_way() {
    use crate::rootfs::testing::{TarBuilder, new_layer};
    use crate::rootfs::{Credential, Ino, Lower};

    let tar = TarBuilder::new().file("etc/hostname", &[b'b'; 5000]).bytes();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&tar).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    xz.write_all(&tar).unwrap();
    let compressed = [
        (Compression::Gzip, gzip(&tar)),
        (Compression::Bzip2, bzip2.finish().unwrap()),
        (Compression::Xz, xz.finish().unwrap()),
        (Compression::Zstd, zstd::encode_all(tar.as_slice(), 1).unwrap()),
    ];
    let mut bench = bench();
    for (compression, bytes) in &compressed {
        let file = bench.file(&format!("rootfs.tar.{}", compression.name()), bytes);
        let request = Request { compression: Some(*compression), ..request(file.display().to_string()) };
        let artifact = bench.fetch(&request).await.unwrap();
        let layer = new_layer(Arc::new(Lower::from_tar(&artifact.path).unwrap()));
        let root = Credential::root();
        let etc = layer.lookup(Ino::ROOT, b"etc", &root).unwrap().ino;
        let hostname = layer.lookup(etc, b"hostname", &root).unwrap().ino;
        let mut data = [0; 5000];
        assert_eq!(layer.read(hostname, 0, &mut data, &root).unwrap().count, 5000, "{compression}");
        assert_eq!(data, [b'b'; 5000]);
    }
    bench.cache = Cache::open(&bench.directory.path().join("small")).unwrap();
    bench.cache.max_size = 4000;
    for (compression, _) in compressed {
        let file = bench.directory.path().join(format!("rootfs.tar.{}", compression.name()));
        let request = Request { compression: Some(compression), ..request(file.display().to_string()) };
        let (class, text) = bench.failure(&request).await;
        assert_eq!(class, Class::Infrastructure);
        assert!(text.ends_with("it is larger than the limit of 4000 bytes"), "{compression}: {text}");
    }
}

#[tokio::test]
async fn a_compression_bomb_of_every_kind_ends_at_the_limit_and_leaves_nothing() {
    let zeros = vec![0; 64 << 20];
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    bzip2.write_all(&zeros).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    xz.write_all(&zeros).unwrap();
    let bombs = [
        (Compression::Gzip, gzip(&zeros)),
        (Compression::Bzip2, bzip2.finish().unwrap()),
        (Compression::Xz, xz.finish().unwrap()),
        (Compression::Zstd, zstd::encode_all(zeros.as_slice(), 1).unwrap()),
    ];
    let mut bench = bench();
    bench.cache.max_size = 1_000_000;
    for (count, (compression, bytes)) in bombs.iter().enumerate() {
        let file = bench.file(&format!("bomb.{}", compression.name()), bytes);
        let request = Request { compression: Some(*compression), ..request(file.display().to_string()) };
        let (class, text) = bench.failure(&request).await;
        assert_eq!(class, Class::Infrastructure);
        assert!(text.ends_with("it is larger than the limit of 1000000 bytes"), "{compression}: {text}");
        let files = |name: &str| fs::read_dir(bench.cache.directory().join(name)).unwrap().count();
        assert_eq!((files("tmp"), files("blobs")), (0, count + 1), "{compression}: the bomb alone is kept");
    }
}
