use super::*;

fn report<'a>(id: &'a str, result: &'a str, measurement: Option<&'a str>) -> Report<'a> {
    Report { id, result, measurement, units: None, reference: None }
}

fn case(kind: EventKind) -> TestCase {
    match kind {
        EventKind::TestCase(case) => case,
        other => panic!("not a case: {other:?}"),
    }
}

#[test]
fn a_case_runs_until_its_result_comes() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    assert_eq!(book.running_case(), None);
    book.start_case("outer");
    book.start_case("inner");
    assert_eq!(book.running_case(), Some("inner"));
    book.case(report("other", "pass", None)).unwrap();
    assert_eq!(book.running_case(), Some("inner"));
    book.case(report("inner", "pass", None)).unwrap();
    assert_eq!(book.running_case(), Some("outer"));
    book.case(report("outer", "fail", None)).unwrap();
    assert_eq!(book.running_case(), None);
}

#[test]
fn cases_that_never_end_do_not_pile_up() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    for number in 0..1_000 {
        book.start_case(&number.to_string());
    }
    assert_eq!((book.running.len(), book.running_case()), (MAX_RUNNING, Some("999")));
}

#[test]
fn a_good_report_is_kept_as_it_is() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    let kept =
        case(book.case(Report { units: Some("MB/s"), ..report("speed", "pass", Some("12.5")) }).unwrap());
    assert_eq!(
        (kept.result, kept.measurement, kept.units.as_deref()),
        (TestResult::Pass, Some(12.5), Some("MB/s"))
    );
    assert_eq!(kept.comment, None);
}

#[test]
fn a_malformed_report_is_a_failed_case_that_says_why() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    for (id, result, measurement, why) in [
        ("two words", "pass", None, "the test case id has spaces or control characters"),
        ("", "pass", None, "the test case id is empty"),
        ("odd", "maybe", None, "result `maybe` is none of pass, fail, skip, unknown"),
        ("speed", "pass", Some("fast"), "measurement `fast` is not a number"),
        ("speed", "pass", Some("inf"), "measurement `inf` is no finite number"),
        ("speed", "pass", Some("1e400"), "measurement `1e400` is no finite number"),
    ] {
        let kept = case(book.case(report(id, result, measurement)).unwrap());
        assert_eq!((kept.result, kept.comment.as_deref()), (TestResult::Fail, Some(why)));
    }
}

#[test]
fn cases_belong_to_the_set_that_is_open() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    book.start_set("network").unwrap();
    assert_eq!(book.start_set("disk"), Err("test set `network` is still open".to_owned()));
    assert_eq!(case(book.case(report("ping", "pass", None)).unwrap()).set.as_deref(), Some("network"));
    book.stop_set().unwrap();
    assert_eq!(case(book.case(report("df", "pass", None)).unwrap()).set, None);
    assert_eq!(book.stop_set(), Err("no test set is open".to_owned()));
}

#[test]
fn signals_in_the_output_are_results_and_a_malformed_one_is_a_failed_case() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    let output =
        b"+ echo <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n<LAVA_SIGNAL_TESTSET START net>\n\
        <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RES\n";
    let events = book.printed(output);
    assert_eq!(events.len(), 3, "{events:?}");
    let kept = case(events[1].clone());
    assert_eq!((kept.case.as_str(), kept.set.as_deref(), kept.result), ("a", Some("net"), TestResult::Pass));
    let cut = case(events[2].clone());
    let comment = "malformed signal: <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RES";
    assert_eq!((cut.result, cut.comment.as_deref()), (TestResult::Fail, Some(comment)));
}

#[test]
fn a_case_runs_from_its_begin_to_its_result() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    book.printed(b"<LAVA_SIGNAL_STARTTC disk>\n");
    assert_eq!(book.running_case(), Some("disk"));
    book.case(report("other", "pass", None)).unwrap();
    assert_eq!(book.running_case(), Some("disk"));
    book.case(report("disk", "pass", None)).unwrap();
    assert_eq!(book.running_case(), None);
    book.start_case("ping");
    book.printed(b"<LAVA_SIGNAL_ENDTC ping>\n");
    assert_eq!(book.running_case(), None);
}

#[test]
fn expected_cases_that_never_came_fail_and_so_do_others_that_came() {
    let expected = Some(vec!["ping".to_owned(), "df".to_owned()]);
    let mut book = CaseBook::new("0_smoke", &ResultRules { expected, ..ResultRules::default() });
    assert_eq!(case(book.case(report("ping", "pass", None)).unwrap()).result, TestResult::Pass);
    assert_eq!(case(book.case(report("more", "pass", None)).unwrap()).result, TestResult::Fail);
    let missing = book.missing();
    assert_eq!(missing.len(), 1);
    assert_eq!(case(missing[0].clone()).case, "df");
}

#[test]
fn printed_results_are_found_and_translated() {
    let rules = ResultRules {
        fixups: vec![("PASSED".to_owned(), "pass".to_owned())],
        pattern: Some(Regex::new(r"^(?P<test_case_id>\w+)=(?P<result>\w+)$").unwrap()),
        ..ResultRules::default()
    };
    let mut book = CaseBook::new("0_smoke", &rules);
    let found = book.printed(b"ping=PASSED\ndf=ODD\n").into_iter().map(case);
    let found: Vec<_> = found.map(|case| (case.case, case.result)).collect();
    let pair = |name: &str, result| (name.to_owned(), result);
    assert_eq!(found, [pair("ping", TestResult::Pass), pair("df", TestResult::Fail)]);
}

#[test]
fn what_is_printed_belongs_to_the_set_that_was_told_before_it() {
    let pattern = Some(Regex::new(r"^(?P<test_case_id>\w+)=(?P<result>\w+)$").unwrap());
    let mut book = CaseBook::new("0_smoke", &ResultRules { pattern, ..ResultRules::default() });
    let set_of = |events: Vec<EventKind>| {
        events.into_iter().map(|event| case(event).set).next().expect("a result is printed")
    };
    // The call that begins the set overtakes what was printed before it.
    let begins = book.start_set("late").unwrap();
    assert_eq!(set_of(book.printed(b"early=pass\n")), None);
    assert_eq!(case(book.case(report("called", "pass", None)).unwrap()).set.as_deref(), Some("late"));
    book.told(&begins);
    assert_eq!(set_of(book.printed(b"on=pass\n")).as_deref(), Some("late"));
    let ends = book.stop_set().unwrap();
    assert_eq!(set_of(book.printed(b"still=pass\n")).as_deref(), Some("late"));
    book.told(&ends);
    assert_eq!(set_of(book.printed(b"after=pass\n")), None);
    // A text signal is printed itself.
    let printed = book.printed(b"<LAVA_SIGNAL_TESTSET START shown>\nin=pass\n");
    assert_eq!(printed.len(), 2, "{printed:?}");
    assert_eq!(case(book.case(report("called", "pass", None)).unwrap()).set.as_deref(), Some("shown"));
}

#[test]
fn a_signal_that_was_only_shown_is_told_at_the_end_and_does_not_count() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    let shown = "+ grep '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=pass>' log\n\
                 + echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>'\n";
    assert_eq!(book.printed(shown.repeat(2).as_bytes()), []);
    // It may come another way than it was shown, as through `/dev/kmsg`.
    let a = parse("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>").unwrap();
    assert_eq!(case(book.signal(&a).unwrap()).case, "a");
    let told = book.end_output();
    let [EventKind::Note { text }] = told.as_slice() else { panic!("{told:?}") };
    assert!(text.starts_with("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=pass> does not count: "), "{text}");
    assert_eq!(book.end_output(), []);
}

#[test]
fn signals_that_were_only_shown_take_bounded_memory() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    for number in 0..1_000 {
        book.printed(format!("+ true '<LAVA_SIGNAL_TESTEVENT {number}>'\n").as_bytes());
    }
    assert_eq!(book.shown.len(), MAX_SHOWN);
}

#[test]
fn results_that_are_too_many_are_refused_and_told_at_the_end() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    for _ in 0..MAX_RESULTS {
        book.case(report("a", "pass", None)).unwrap();
    }
    let problem = "the definition has reported 100000 results, and no more are kept";
    assert_eq!(book.case(report("b", "pass", None)), Err(problem.to_owned()));
    assert_eq!(book.printed(b"<LAVA_SIGNAL_TESTRAISE c>"), []);
    let missing: Vec<_> = book.missing().into_iter().map(case).collect();
    assert_eq!(missing.len(), 1);
    let told = (missing[0].result, missing[0].comment.as_deref());
    assert_eq!(told, (TestResult::Fail, Some("2 results behind the first 100000 are not kept")));
}

#[test]
fn what_came_too_fast_fails_where_it_may_have_been_a_result() {
    let mut book = CaseBook::new("0_smoke", &ResultRules::default());
    let warning = "the kernel complained 7 times more than is reported".to_owned();
    let complaints = Lost { signals: 0, complaints: 7 };
    assert_eq!(book.lost(complaints), [EventKind::Warning { text: warning }]);
    let events = book.lost(Lost { signals: 2, ..complaints });
    assert_eq!(events.len(), 2);
    assert_eq!(case(events[0].clone()).case, "lava-signal");
}

#[test]
fn only_what_is_expected_is_remembered() {
    let expected = Some(vec!["ping".to_owned()]);
    let mut book = CaseBook::new("0_smoke", &ResultRules { expected, ..ResultRules::default() });
    for id in ["ping", "ping", "df"] {
        book.case(report(id, "pass", None)).unwrap();
    }
    assert_eq!(book.reported, ["ping"]);
}
