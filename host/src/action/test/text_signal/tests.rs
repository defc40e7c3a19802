use super::*;

fn case(id: &str, result: &str) -> TextSignal {
    TextSignal::TestCase { id: id.to_owned(), result: result.to_owned(), measurement: None, units: None }
}

fn found(text: &str) -> Vec<TextSignal> {
    TextSignals::default().push(text.as_bytes())
}

#[test]
fn signals_are_found_however_the_text_is_cut() {
    let text = "noise <LAVA<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass> more\r\n\
                [   12.345678] <LAVA_SIGNAL_TESTCASE test_case_id=speed result=fail measurement=1.5 UNITS=MB/s>\n\
                <LAVA_SIGNAL_STARTRUN 0_x 1_2><LAVA_SIGNAL_TESTSET START net><LAVA_SIGNAL_TESTSET STOP>";
    let speed = TextSignal::TestCase {
        id: "speed".to_owned(),
        result: "fail".to_owned(),
        measurement: Some("1.5".to_owned()),
        units: Some("MB/s".to_owned()),
    };
    let set = TextSignal::TestSet(Some("net".to_owned()));
    let expected = [case("a", "pass"), speed, set, TextSignal::TestSet(None)];
    for size in 1..80 {
        let mut signals = TextSignals::default();
        let found: Vec<_> = text.as_bytes().chunks(size).flat_map(|part| signals.push(part)).collect();
        assert_eq!(found, expected, "in pieces of {size}");
    }
}

#[test]
fn a_command_that_is_shown_before_it_runs_is_no_signal() {
    let text = "+ echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>'\n\
                <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n\
                ++ echo <LAVA_SIGNAL_TESTRAISE no>\n+ echo <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RES\n";
    let shown = |text: &str| TextSignal::Shown(text.to_owned());
    assert_eq!(found("+ + cat\necho '<LAVA_SIGNAL_TESTRAISE no>'\n"), [shown("<LAVA_SIGNAL_TESTRAISE no>")]);
    for quote in [r"'\''", "'\"'\"'", "'"] {
        let text = format!("+ echo '<LAVA_SIGNAL_TESTEVENT it{quote}s>'\n");
        assert_eq!(found(&text), [shown("<LAVA_SIGNAL_TESTEVENT it's>")]);
    }
    let of_case = shown("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>");
    assert_eq!(found(text), [of_case, case("a", "pass"), shown("<LAVA_SIGNAL_TESTRAISE no>")]);
}

#[test]
fn a_signal_behind_a_plus_that_no_command_follows_counts() {
    for text in [
        "+ <LAVA_SIGNAL_TESTEVENT x>\n",
        "+<LAVA_SIGNAL_TESTEVENT x>\n",
        "+x <LAVA_SIGNAL_TESTEVENT x>\n",
        "a + b <LAVA_SIGNAL_TESTEVENT x>\n",
    ] {
        assert_eq!(found(text), [TextSignal::TestEvent("x".to_owned())], "{text}");
    }
}

/// Scripts, and what counts of what a shell prints that runs them with `set -x`.
const TRACED: [(&str, &[&str]); 10] = [
    ("echo '<LAVA_SIGNAL_TESTEVENT x>'", &["x"]),
    ("echo 'first\n<LAVA_SIGNAL_TESTEVENT x>\nthird'", &["x"]),
    ("printf '%s\\n' 'first\nit'\\''s <LAVA_SIGNAL_TESTEVENT x>\n<LAVA_SIGNAL_TESTEVENT y>'", &["x", "y"]),
    ("echo '\n<LAVA_SIGNAL_TESTEVENT x>'", &["x"]),
    ("printf 'checking '; echo '<LAVA_SIGNAL_TESTEVENT x>'", &["x"]),
    ("say() { echo \"<LAVA_SIGNAL_TESTEVENT $1>\"; }; say x; X=$(say x); say y", &["x", "y"]),
    ("X='<LAVA_SIGNAL_TESTEVENT x>'; echo \"$X\" | cat; case $X in *x*) echo no;; esac", &["x"]),
    ("for i in 1 2; do printf 'a\n<LAVA_SIGNAL_TESTEVENT x>\n'; done", &["x", "x"]),
    (
        "x() { { set +x; } 2>/dev/null; echo '<LAVA_SIGNAL_TESTEVENT x>'; set -x; }; x 'a\nb'; x 'a\nb'",
        &["x", "x"],
    ),
    ("echo '+ <LAVA_SIGNAL_TESTEVENT x>'", &["x"]),
];

#[test]
fn what_shells_show_before_they_run_it_counts_once() {
    for (script, expected) in TRACED {
        for shell in [&["dash"][..], &["bash"], &["busybox", "sh"]] {
            let mut command = std::process::Command::new("sh");
            let command =
                command.args(["-c", "exec \"$@\" 2>&1", "sh"]).args(shell).args(["-x", "-c", script]);
            let output = command.output().unwrap().stdout;
            let counted: Vec<_> = TextSignals::default()
                .push(&output)
                .into_iter()
                .filter_map(|signal| match signal {
                    TextSignal::TestEvent(text) => Some(text),
                    TextSignal::Shown(_) => None,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(counted, expected, "{shell:?} of {script}:\n{}", String::from_utf8_lossy(&output));
        }
    }
}

/// All ways in which two writers may take turns.
fn turns(first: &[&str], second: &[&str]) -> Vec<String> {
    let (Some(a), Some(b)) = (first.first(), second.first()) else {
        return vec![first.concat() + &second.concat()];
    };
    let with_first = turns(&first[1..], second).into_iter().map(|rest| format!("{a}{rest}"));
    with_first.chain(turns(first, &second[1..]).into_iter().map(|rest| format!("{b}{rest}"))).collect()
}

#[test]
fn what_the_shells_of_a_pipeline_show_word_by_word_counts_once() {
    for word in
        [" <LAVA_SIGNAL_TESTEVENT x>", " '<LAVA_SIGNAL_TESTEVENT x>'", " 'a <LAVA_SIGNAL_TESTEVENT x>'"]
    {
        let all = turns(&["+ ", "echo", word, "\n"], &["+ ", "cat", "\n"]);
        assert_eq!(all.len(), 35);
        for shown in all {
            let text = format!("{shown}{}\n", word.replace('\'', "").trim());
            let counted =
                found(&text).iter().filter(|signal| matches!(signal, TextSignal::TestEvent(_))).count();
            assert_eq!(counted, 1, "{text}");
        }
    }
}

#[test]
fn the_same_signal_again_is_another_unless_it_prints_a_command() {
    for text in [
        "<LAVA_SIGNAL_TESTEVENT x>\n<LAVA_SIGNAL_TESTEVENT x>\n",
        "+ ./test\n<LAVA_SIGNAL_TESTEVENT x>\n<LAVA_SIGNAL_TESTEVENT x>\n",
        "+ ./test a\n<LAVA_SIGNAL_TESTEVENT x>\n+ ./test a\n<LAVA_SIGNAL_TESTEVENT x>\n",
        "a <LAVA_SIGNAL_TESTEVENT x>\na <LAVA_SIGNAL_TESTEVENT x>\n",
    ] {
        assert_eq!(found(text).len(), 2, "{text}");
    }
}

#[test]
fn a_signal_that_is_cut_in_a_command_of_several_lines_is_told_once() {
    let cut = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RES";
    let text = format!("+ echo a\n{cut}\na\n{cut}\n");
    assert_eq!(found(&text), [TextSignal::Malformed(cut.to_owned())]);
}

#[test]
fn the_kernels_signal_in_a_command_that_is_shown_on_the_console_counts() {
    let text = "+ ec[   12.345678] <LAVA_SIGNAL_TESTEVENT x>\r\nho <LAVA_SIGNAL_TESTEVENT y>\r\n";
    let event = |text: &str| TextSignal::TestEvent(text.to_owned());
    assert_eq!(TextSignals::on_console().push(text.as_bytes()), [event("x"), event("y")]);
    let shown = found("+ echo [ 1.5] <LAVA_SIGNAL_TESTEVENT x> >/dev/kmsg\n");
    assert_eq!(shown, [TextSignal::Shown("<LAVA_SIGNAL_TESTEVENT x>".to_owned())]);
}

#[test]
fn a_signal_in_a_damaged_frame_comes_again_in_a_whole_one() {
    let event = |text: &str| TextSignal::TestEvent(text.to_owned());
    let text = "\x1eD01<LAVA_SIGNAL_TESTEVENT x>\x10J<LAVA_SIGNAL_TES[   12.345678] <LAVA_SIGNAL_TESTEVENT y>\r\n\
                TEVENT z>\x1f<LAVA_SIGNAL_TESTEVENT z>\n";
    let shown = TextSignal::Shown("<LAVA_SIGNAL_TESTEVENT x>".to_owned());
    assert_eq!(TextSignals::on_console().push(text.as_bytes()), [shown, event("y"), event("z")]);
}

#[test]
fn every_other_signal_of_a_test_is_read() {
    let text = "<LAVA_SIGNAL_STARTTC a><LAVA_SIGNAL_ENDTC a><LAVA_SIGNAL_TESTREFERENCE a pass http://x/>\
                <LAVA_SIGNAL_TESTRAISE no more><LAVA_SIGNAL_TESTFEEDBACK ns><LAVA_SIGNAL_ENDRUN 0_x 1_2>";
    let running = |begins| TextSignal::Running { id: "a".to_owned(), begins };
    let reference = TextSignal::TestReference {
        id: "a".to_owned(),
        result: "pass".to_owned(),
        url: "http://x/".to_owned(),
    };
    let raised = TextSignal::TestRaise("no more".to_owned());
    assert_eq!(found(text), [running(true), running(false), reference, raised]);
}

#[test]
fn what_is_cut_or_unknown_is_told_with_its_text() {
    for text in [
        "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RES\n",
        "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a>",
        "<LAVA_SIGNAL_TESTCASE boot>",
        "<LAVA_SIGNAL_TESTSET>",
        "<LAVA_SIGNAL_NEWS of today>",
        "<LAVA_SIGNAL_TESTREFERENCE a pass>",
    ] {
        assert_eq!(found(text), [TextSignal::Malformed(text.trim_end().to_owned())]);
    }
    let cut = TextSignal::Malformed("<LAVA_SIGNAL_TESTCASE TEST_CA".to_owned());
    assert_eq!(
        found("<LAVA_SIGNAL_TESTCASE TEST_CA<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>"),
        [cut, case("a", "pass")]
    );
    assert_eq!(
        found("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=two words RESULT=pass>"),
        [case("two words", "pass")]
    );
}

#[test]
fn a_signal_that_the_output_ends_in_is_told() {
    let mut signals = TextSignals::default();
    assert_eq!(signals.push(b"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RES"), []);
    let cut = TextSignal::Malformed("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RES".to_owned());
    assert_eq!((signals.finish(), signals.finish()), (Some(cut), None));
    signals.push(b"<LAVA_SI");
    assert_eq!(signals.finish(), None);
}

#[test]
fn a_signal_without_an_end_takes_bounded_memory_and_is_told() {
    let mut signals = TextSignals::default();
    let mut told = signals.push(b"<LAVA_SIGNAL_TESTCASE ");
    told.extend(signals.push(&[b'x'; 10_000]));
    assert!(matches!(told.as_slice(), [TextSignal::Malformed(text)] if text.len() == MAX_SIGNAL));
    assert!(signals.begun.len() <= BEGIN.len());
}
