//! Uploads to a target that is played: it does what the lines ask for, as far as it hears them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proptest::prelude::*;

use super::*;

const NONCE: u32 = 0xab;
const MARK: &str = "UP000000ab:";

/// A target with base64, gzip and md5sum.
struct Target {
    pieces: BTreeMap<String, String>,
    is_receiving: bool,
    file: Option<Vec<u8>>,
    is_clean: bool,
    /// Characters of the line so far.
    line: Vec<u8>,
    said: String,
    /// Programs that are not there.
    absent: Vec<&'static str>,
    /// What the target refuses, by a part of the question.
    refuses: Vec<&'static str>,
    /// Damages what is typed, as the target hears it, and what it answers.
    hears: Box<dyn FnMut(&str) -> String>,
    says: Box<dyn FnMut(String) -> String>,
}

impl Target {
    fn new() -> Self {
        Self {
            pieces: BTreeMap::new(),
            is_receiving: false,
            file: None,
            is_clean: false,
            line: Vec::new(),
            said: String::new(),
            absent: Vec::new(),
            refuses: Vec::new(),
            hears: Box::new(str::to_owned),
            says: Box::new(|said| said),
        }
    }

    fn handle(&mut self, typed: &[u8]) -> Vec<u8> {
        for &byte in typed {
            match byte {
                0x03 => {
                    self.line.clear();
                    self.is_receiving = false;
                }
                b'\n' => {
                    let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
                    let line = (self.hears)(&line);
                    for line in line.split('\n') {
                        self.handle_line(line);
                    }
                }
                byte => self.line.push(byte),
            }
        }
        std::mem::take(&mut self.said).into_bytes()
    }

    fn answer(&mut self, token: &str, value: &str) {
        let said = (self.says)(format!("{MARK}{token}:{value}\r\n"));
        self.said.push_str(&said);
    }

    fn handle_line(&mut self, line: &str) {
        if self.is_receiving {
            match line.split_once(' ') {
                Some((name, text)) if name.len() == 3 && name.bytes().all(|byte| byte.is_ascii_digit()) => {
                    let (tag, text) = text.split_once(' ').unwrap_or((text, ""));
                    self.pieces.insert(name.to_owned(), text.to_owned());
                    let sum = Checksum::Md5.of(format!("{text}\n").as_bytes());
                    self.answer(&format!("{name}{tag}"), &format!("{sum} -"));
                }
                _ if line == "q" => self.is_receiving = false,
                _ if line.is_empty() => (),
                _ => self.answer("x", ""),
            }
            return;
        }
        // As a terminal and a shell do.
        self.said.push_str(&format!("{line}\r\n"));
        let Some((_, token)) = line.rsplit_once("\"UP\"\"000000ab:k") else { return };
        let token = format!("k{}", token.split(':').next().unwrap());
        let refused = self.refuses.iter().any(|part| line.contains(part));
        let status = if refused { "1" } else { "0" };
        if let Some((programs, _)) = line.strip_prefix("l=;for p in ").and_then(|line| line.split_once(';')) {
            let there: Vec<_> = programs.split(' ').filter(|name| !self.absent.contains(name)).collect();
            self.answer(&token, &format!("{} end", there.join(" ")));
        } else if let Some(place) = line.strip_prefix("a=") {
            let place = place.split(';').next().unwrap();
            self.answer(&token, &format!("{status} {place}"));
        } else if line.contains("sum") && !line.starts_with("lava_up") {
            let sum = |command, bytes: &[u8]| match command {
                _ if refused || !line.contains("md5sum") => String::new(),
                _ => format!("{} -", Checksum::Md5.of(bytes)),
            };
            let file = self.file.clone().unwrap_or_default();
            let said = if line.contains("</") { sum("md5sum", &file) } else { sum("md5sum", SAMPLE) };
            self.answer(&token, &said);
        } else {
            self.answer(&token, status);
            if line.contains("cat ") && line.contains("[0-9]*") {
                self.assemble();
            }
            self.is_receiving |= line.starts_with("(s=$(stty -g);");
            self.is_clean |= line.starts_with("rm -f ");
        }
        self.said.push_str("# ");
    }

    fn assemble(&mut self) {
        let text: Vec<u8> = self.pieces.values().flat_map(|text| BASE64.decode(text).unwrap()).collect();
        let mut file = Vec::new();
        flate2::read::GzDecoder::new(text.as_slice()).read_to_end(&mut file).unwrap();
        self.file = Some(file);
    }
}

/// Bytes that gzip makes little of: some twenty pieces.
fn content() -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..16_000).map(|_| next()).collect()
}

fn settings() -> UploadSettings {
    UploadSettings {
        directories: vec!["/lava-7".to_owned(), "/run/lava-7".to_owned()],
        file: "bin/lava-agent".to_owned(),
        content: content(),
        bytes_per_s: Some(11_520),
        nonce: NONCE,
    }
}

/// Runs an upload to its end, in virtual time; with its outcome, how long it took.
fn run(target: &mut Target) -> (Result<Uploaded, UploadError>, Duration) {
    let start = Instant::now();
    let deadline = Limit::new(Duration::from_secs(300), "a test").after(start);
    let mut upload = Upload::new(settings(), deadline, Box::new(|_, _| ()), start);
    let mut now = start;
    let mut outcome = None;
    loop {
        let mut said = Vec::new();
        while let Some(bytes) = upload.poll_transmit() {
            said.extend(target.handle(&bytes));
        }
        outcome = outcome.or(upload.poll_done());
        if let Some(outcome) = outcome {
            return (outcome, now - start);
        }
        if said.is_empty() {
            now = upload.poll_timeout().unwrap();
            upload.handle_timeout(now);
        }
        for bytes in said.chunks(7) {
            upload.handle_input(now, bytes);
        }
    }
}

fn assert_arrived(target: &mut Target) -> Uploaded {
    let (outcome, _) = run(target);
    let uploaded = outcome.unwrap();
    assert!(target.file.as_ref() == Some(&content()), "the file is another");
    assert!(!target.is_receiving && target.is_clean);
    uploaded
}

fn error(target: &mut Target) -> String {
    let (outcome, _) = run(target);
    assert!(!target.is_receiving, "the terminal is given back");
    outcome.unwrap_err().to_string()
}

/// Applies `change` to the lines of `numbers`, counted from 1.
fn on(
    numbers: &'static [u32],
    matches: fn(&str) -> bool,
    mut change: impl FnMut(&str) -> String + 'static,
) -> Box<dyn FnMut(&str) -> String> {
    let mut count = 0;
    Box::new(move |line| {
        count += u32::from(matches(line));
        if matches(line) && numbers.contains(&count) { change(line) } else { line.to_owned() }
    })
}

fn is_piece(line: &str) -> bool {
    line.as_bytes().first().is_some_and(u8::is_ascii_digit) && line.as_bytes().get(3) == Some(&b' ')
}

#[test]
fn a_file_arrives_with_what_there_is() {
    let uploaded = assert_arrived(&mut Target::new());
    assert_eq!(
        (uploaded.decoder, uploaded.unpacker, uploaded.checksum),
        (Decoder::Base64, Some("gzip -dc"), Checksum::Md5)
    );
    assert_eq!((uploaded.directory.as_str(), uploaded.length, uploaded.repeated), ("/lava-7", 16_000, 0));
}

#[test]
fn progress_ends_with_the_whole_file() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = Arc::clone(&told);
    let now = Instant::now();
    let deadline = Limit::new(Duration::from_secs(300), "a test").after(now);
    let on_progress: OnProgress = Box::new(move |done, all| teller.lock().unwrap().push((done, all)));
    let (mut upload, mut target) = (Upload::new(settings(), deadline, on_progress, now), Target::new());
    while upload.poll_done().is_none() {
        while let Some(bytes) = upload.poll_transmit() {
            upload.handle_input(now, &target.handle(&bytes));
        }
    }
    let told = told.lock().unwrap();
    assert!(told.is_sorted() && told.len() > 20, "{told:?}");
    assert_eq!((told.first(), told.last()), (Some(&(0, 16_000)), Some(&(16_000, 16_000))));
}

#[test]
fn lost_characters_damaged_headers_and_joined_lines_are_sent_again() {
    let changes: [fn(&str) -> String; 4] = [
        |line| line.replacen(&line[100..105], "", 1),
        |line| line[2..].to_owned(),
        |line| format!("{}\n{}", &line[..500], &line[500..]),
        |line| line[..300].to_owned(),
    ];
    for change in changes {
        let mut target = Target::new();
        target.hears = on(&[2, 5, 6, 9], is_piece, change);
        let uploaded = assert_arrived(&mut target);
        assert!((4..=8).contains(&uploaded.repeated), "{}", uploaded.repeated);
    }
}

#[test]
fn a_line_that_is_lost_whole_is_noticed_by_the_next_answer_or_by_silence() {
    let mut target = Target::new();
    target.hears = on(&[3, 24], is_piece, |_| String::new());
    let (outcome, took) = run(&mut target);
    assert_eq!(outcome.unwrap().repeated, 2);
    // The last of all is followed by no answer.
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn kernel_messages_in_answers_cost_a_repeat_and_no_more() {
    let mut target = Target::new();
    let mut count = 0;
    target.says = Box::new(move |said| {
        count += 1;
        let (head, tail) = said.split_at(said.len() / 2);
        match count % 5 {
            0 => format!("{head}[   12.345678] usb 1-1: new high-speed USB device\r\n{tail}"),
            1 => format!("[   12.345678] random: crng init done\r\n{said}"),
            _ => said,
        }
    });
    let uploaded = assert_arrived(&mut target);
    assert!((1..=8).contains(&uploaded.repeated), "{}", uploaded.repeated);
    // What was asked before is not taken for absent.
    assert_eq!((uploaded.unpacker, uploaded.checksum), (Some("gzip -dc"), Checksum::Md5));
}

#[test]
fn a_question_that_is_not_heard_is_asked_again_after_an_interrupt() {
    let mut target = Target::new();
    target.hears = on(&[1, 4, 6, 7, 9], |line| line.contains("\"UP\"\""), |line| line[..20].to_owned());
    assert_arrived(&mut target);
}

#[test]
fn what_is_absent_is_replaced_and_a_place_that_is_refused_is_not_used() {
    let mut target = Target::new();
    target.absent = vec!["base64", "sha256sum"];
    target.refuses = vec!["gzip -dc", "a=/lava-7;"];
    let uploaded = assert_arrived(&mut target);
    assert_eq!(
        (uploaded.decoder, uploaded.unpacker, uploaded.directory.as_str()),
        (Decoder::BusyboxBase64, Some("gunzip -c"), "/run/lava-7")
    );
}

#[test]
fn a_target_without_decoder_or_place_is_told_so() {
    let mut target = Target::new();
    target.refuses = vec!["= AB ]"];
    let text = error(&mut target);
    let expected = "the target's shell has nothing that decodes an upload: none of base64, busybox base64, openssl, \
                    uudecode, python3, perl, printf works; the board last said:\n";
    assert!(text.starts_with(expected), "{text}");

    let mut target = Target::new();
    target.refuses = vec!["mkdir "];
    let text = error(&mut target);
    let expected = "the target has no place for 187 KiB that can be written and executed from \
                    (tried /lava-7, /run/lava-7); the board last said:\n";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_line_that_always_damages_is_given_up() {
    let mut target = Target::new();
    target.hears =
        Box::new(|line| if line.starts_with("004 ") { line[..99].to_owned() } else { line.to_owned() });
    let text = error(&mut target);
    assert!(text.starts_with("piece 5 of 23 came damaged 9 times: the line loses characters; "), "{text}");
}

#[test]
fn a_file_that_is_put_together_wrongly_is_told_so() {
    let mut target = Target::new();
    target.refuses = vec!["md5sum</"];
    let text = error(&mut target);
    assert!(text.starts_with("the uploaded file is not the one that was sent: by md5sum it is ``"), "{text}");
    let mut target = Target::new();
    target.refuses = vec!["cat /"];
    let text = error(&mut target);
    assert!(text.contains("could not put the pieces of an upload together (status 1)"), "{text}");
}

#[test]
fn a_silent_shell_and_a_silent_receiver_are_not_waited_for_for_ever() {
    let mut target = Target::new();
    target.says = Box::new(|_| String::new());
    let (outcome, took) = run(&mut target);
    let text = outcome.unwrap_err().to_string();
    let expected = "no answer of the shell to which programs it has within 45 s \
                    (at most 45 s: a fixed limit of a shell's answers); ";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(took, Duration::from_secs(45));

    let mut target = Target::new();
    target.hears = Box::new(|line| if line.starts_with("01") { String::new() } else { line.to_owned() });
    let (outcome, took) = run(&mut target);
    let text = outcome.unwrap_err().to_string();
    assert!(text.starts_with("no answer to piece 11 of 23 within 3 s "), "{text}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn the_whole_has_a_deadline() {
    let now = Instant::now();
    let deadline = Limit::new(Duration::from_secs(1), "a test").after(now);
    let mut upload = Upload::new(settings(), deadline, Box::new(|_, _| ()), now);
    assert_eq!(upload.poll_timeout(), Some(now + Duration::from_secs(1)));
    upload.handle_timeout(now + Duration::from_secs(1));
    let error = upload.poll_done().unwrap().unwrap_err().to_string();
    assert!(error.contains("within 1 s (at most 1 s: a test)"), "{error}");
    assert_eq!(upload.poll_timeout(), None);
}

proptest! {
    #[test]
    fn garbage_never_panics(chunks in prop::collection::vec("(UP000000ab:(k1|k2|0010):)?[0-9 \r\n]{0,9}", 0..64)) {
        let now = Instant::now();
        let deadline = Limit::new(Duration::from_secs(1), "a test").after(now);
        let mut upload = Upload::new(settings(), deadline, Box::new(|_, _| ()), now);
        for chunk in chunks {
            upload.handle_input(now, chunk.as_bytes());
            while upload.poll_transmit().is_some() {}
        }
    }
}
