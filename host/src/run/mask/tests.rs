use super::*;

fn console(text: &str) -> EventKind {
    event(&Stream::FromBoard, text.as_bytes().to_vec())
}

fn note(text: &str) -> EventKind {
    EventKind::Note { text: text.to_owned() }
}

fn end() -> EventKind {
    let outcome = crate::event::Outcome::Pass;
    EventKind::PhaseFinished { phase: "test".to_owned(), took: std::time::Duration::ZERO, outcome }
}

fn seen(events: &[EventKind]) -> String {
    let bytes = events.iter().filter_map(|event| match event {
        EventKind::Console { data, .. } | EventKind::Output { data, .. } => Some(data.0.clone()),
        _ => None,
    });
    String::from_utf8(bytes.flatten().collect()).unwrap()
}

#[test]
fn a_secret_is_masked_however_its_bytes_arrive() {
    let text = "token=s3cr3t, tokens=s3cr3t-two.";
    for size in 1..text.len() {
        let mut mask = Mask::new(["s3cr3t".to_owned(), "s3cr3t-two".to_owned()]);
        let mut events = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            events.extend(mask.apply(Some("host"), console(str::from_utf8(piece).unwrap())));
        }
        events.extend(mask.apply(Some("host"), end()));
        assert_eq!(seen(&events), "token=[secret], tokens=[secret].", "in pieces of {size}");
    }
}

#[test]
fn forms_that_a_shell_shows_and_single_lines_are_masked() {
    let mut mask = Mask::new(["pa'ss".to_owned(), "-----BEGIN-----\nAAAABBBB\nx\n".to_owned()]);
    let shown = "+ P='pa'\\''ss'\r\nAAAABBBB\r\nx\n";
    let mut events = mask.apply(Some("host"), console(shown));
    events.extend(mask.apply(Some("host"), end()));
    assert_eq!(seen(&events), "+ P='[secret]'\r\n[secret]\r\nx\n");
}

#[test]
fn what_only_begins_like_a_secret_is_not_lost() {
    let mut mask = Mask::new(["root-password".to_owned()]);
    let mut events = mask.apply(Some("host"), console("login: roo"));
    assert_eq!(seen(&events), "login: ");
    assert_eq!(mask.apply(Some("guest"), end()).len(), 1);
    events.extend(mask.apply(Some("host"), end()));
    assert_eq!(seen(&events), "login: roo");
}

#[test]
fn a_secret_in_output_is_masked_whatever_happens_between_its_pieces() {
    let mut mask = Mask::new(["s3cr3t".to_owned()]);
    let stream = Stream::Output("0_smoke".to_owned(), None);
    let mut events = mask.apply(Some("host"), event(&stream, b"token=s3c".to_vec()));
    events.extend(mask.apply(Some("host"), note("a result was reported")));
    events.extend(mask.apply(Some("host"), console("[  1.0] kernel: s3c")));
    events.extend(mask.apply(Some("host"), event(&stream, b"r3t;\n".to_vec())));
    assert_eq!(seen(&events), "token=[  1.0] kernel: [secret];\n");
}

#[test]
fn frames_that_may_hold_parts_of_a_secret_are_not_reported() {
    use protocol::frame::{END, Header, Kind, MAX_ENCODED, START, Side, encode};
    let header = Header { version: 1, kind: Kind::Data, from: Side::Agent, session: 1, seq: 0, ack: 0 };
    let mut frame = [0; MAX_ENCODED];
    let length = encode(&header, b"token=s3c", &mut frame).unwrap();
    let line = [b"before ", &frame[..length], b"after ", &[START], b"not one"].concat();
    let mut mask = Mask::new(["s3cr3t".to_owned()]);
    let mut events = Vec::new();
    for piece in line.chunks(5) {
        let data = Bytes(piece.to_vec());
        events.extend(mask.apply(Some("host"), EventKind::Console { direction: Direction::Rx, data }));
    }
    events.extend(mask.apply(Some("host"), end()));
    assert_eq!(seen(&events), "before after [8 bytes of a damaged frame]");
    assert_eq!(frame[length - 1], END);
}

#[test]
fn what_may_be_the_begin_of_a_secret_is_masked_where_its_stream_ends() {
    for (said, seen_of_it) in [("login: root", "login: [secret]"), ("login: roo", "login: roo")] {
        let mut mask = Mask::new(["root-password".to_owned()]);
        let mut events = mask.apply(Some("host"), console(said));
        events.extend(mask.apply(Some("host"), end()));
        assert_eq!(seen(&events), seen_of_it);
    }
    let mut mask = Mask::new(["s3cr3t".to_owned(), "s3cr3t-two".to_owned()]);
    let mut events = mask.apply(Some("host"), console("s3cr3t-t"));
    events.extend(mask.apply(Some("host"), end()));
    assert_eq!(seen(&events), "[secret]");
}

#[test]
fn parts_of_a_secret_beside_a_cut_are_masked() {
    let mut mask = Mask::new(["abcdefgh".to_owned()]);
    for (text, masked) in [
        ("x abcdefg… y", "x [secret]… y"),
        ("x abcd…", "x [secret]…"),
        ("x abc… and …fgh", "x abc… and …fgh"),
        ("the last text was \"…defgh$ \"", "the last text was \"…[secret]$ \""),
        ("… abcdefgh …", "… [secret] …"),
        ("…cdefgh-abcde…", "…[secret]-[secret]…"),
        ("abcde and cdefgh", "abcde and cdefgh"),
    ] {
        assert_eq!(mask.apply(None, note(text)), [note(masked)]);
    }
}

#[test]
fn texts_that_are_clipped_never_show_a_part_of_a_secret() {
    let secret = "pässwörd\t\"0123\"";
    let mut mask = Mask::new([secret.to_owned()]);
    let said = format!("{} {secret} {}", "x".repeat(40), "y".repeat(40));
    for limit in 0..=said.len() {
        let texts = [
            crate::text::clip(&said, limit),
            crate::text::tail(said.as_bytes(), limit),
            format!("{:?}", crate::text::tail(said.as_bytes(), limit)),
            crate::text::clip(&said, limit).chars().map(printable).collect(),
        ];
        for text in texts {
            let events = mask.apply(None, note(&text));
            let [EventKind::Note { text: masked }] = events.as_slice() else { panic!("{events:?}") };
            let left = masked.replace(MASK, "").replace([' ', 'x', 'y', CUT, '"'], "");
            assert!(left.len() <= MAX_SHOWN + 1, "{text} became {masked}");
        }
    }
}

#[test]
fn a_damaged_frame_is_left_out_and_what_the_kernel_wrote_into_it_stays() {
    use protocol::frame::{Header, Kind, MAX_ENCODED, Side, encode};
    let header = Header { version: 1, kind: Kind::Data, from: Side::Agent, session: 1, seq: 0, ack: 0 };
    let mut frame = [0; MAX_ENCODED];
    let length = encode(&header, b"token=s3cr3t and s3", &mut frame).unwrap();
    let mut mask = Mask::new(["s3cr3t".to_owned()]);
    for torn in 1..length {
        let kernel = b"[   12.345678] s3cr3t: x\r\n";
        let line = [b"before ", &frame[..torn], kernel, &frame[torn..length], b"after\n"].concat();
        let mut events = Vec::new();
        for piece in line.chunks(7) {
            let data = Bytes(piece.to_vec());
            events.extend(mask.apply(Some("host"), EventKind::Console { direction: Direction::Rx, data }));
        }
        let seen = seen(&events);
        let rest = length - torn;
        let expected = format!(
            "before [{torn} bytes of a damaged frame][   12.345678] [secret]: x\r\n[{rest} bytes of a damaged \
             frame]after\n"
        );
        assert_eq!(seen, expected);
    }
}

#[test]
fn texts_and_faults_are_masked() {
    let mut mask = Mask::new(["s3cr3t".to_owned(), String::new()]);
    assert_eq!(mask.apply(None, note("it is s3cr3t")), [note("it is [secret]")]);
    let fault = Fault::new(crate::fault::Class::Job, "host", "wrong password s3cr3t");
    let outcome = crate::event::Outcome::of(Some(&fault));
    let events = mask.apply(None, EventKind::RunFinished { outcome, fault: Some(fault) });
    let [EventKind::RunFinished { fault: Some(fault), .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(fault.message, "wrong password [secret]");
}
