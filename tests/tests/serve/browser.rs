//! The pages as a browser shows them.

use rustix::process::Signal;
use testbench::browser::Browser;
use testbench::harness::{Job, Testbench, on_outlet};

use crate::served::{Written, serve, serve_with};

/// What the terminal of a node shows.
const SCREEN: &str =
    "(document.querySelector('#terminals .xterm-rows')?.innerText ?? '').replaceAll('\\u00a0', ' ')";

#[test]
fn a_stored_run_is_shown_with_its_console_in_a_terminal() {
    let bench = Testbench::new();
    assert_eq!(bench.run(&Job::new()).code, Some(0));
    let served = serve(&bench);
    let mut browser = Browser::start(1200);
    browser.go(&format!("http://{}/", served.address));
    browser.wait_for("document.title === 'Boards and runs · host-runner'");
    browser.value("document.querySelector('#runs tbody a').click()");
    browser.wait_for("document.documentElement.dataset.followed === 'to the end'");
    assert_eq!(browser.value("document.title"), "pass: one-board · host-runner");
    browser.wait_for("document.querySelector('#terminals .xterm-rows')?.innerText.trim().length > 100");
    assert_eq!(
        browser.value("document.querySelector('#console').hidden"),
        true,
        "the text is not shown twice"
    );
    let screen = browser.value(SCREEN);
    let screen = screen.as_str().unwrap_or_default();
    assert!(!screen.contains('\u{fffd}'), "no frames of the agent: {screen}");
    let local = browser.value("(() => { const time = document.querySelector('time[datetime]'); return time.title === time.dateTime && !time.textContent.includes('UTC') })()");
    assert_eq!(local, true, "times are in the reader's zone");
    browser.go(&format!("http://{}/boards/fake1", served.address));
    browser.wait_for("document.querySelector('#history td.number')");
    browser.go(&format!("http://{}/absent", served.address));
    browser.wait_for("document.querySelector('h1').innerText === 'There is no such page'");
    let complaints = browser.complaints();
    // The browser reports the status of the page that is not there.
    assert!(complaints.len() == 1 && complaints[0].contains("404"), "{complaints:#?}");
}

#[test]
fn a_run_grows_on_its_page_and_what_the_reader_has_opened_stays_open() {
    let bench = Testbench::new();
    let served = serve(&bench);
    let mut run = Written::begin(&bench, "hand");
    let mut browser = Browser::start(1200);
    browser.go(&format!("http://{}/runs/hand/", served.address));
    assert_eq!(browser.value("document.title"), "running: by hand · host-runner");
    // A terminal that nobody sees draws nothing.
    browser.value("document.querySelector('#terminals').scrollIntoView()");
    let shown = "[...document.querySelectorAll('.terminal > :not(h3)')].filter((part) => part.checkVisibility()).map((part) => part.innerText)";
    assert_eq!(browser.value(shown), serde_json::json!(["It has said nothing.", "It has said nothing."]));
    run.console("U-Boot \u{1b}[1;38;2;10;200;30m2025.01\u{1b}[0m\r\n=> ");
    browser.wait_for(&format!("{SCREEN}.includes('=> ')"));
    // In a frame, and behind it.
    run.console("\u{1e}not for people\u{1f}boot");
    browser.wait_for(&format!("{SCREEN}.includes('=> boot')"));
    browser.value("document.querySelector('#timeline summary').click()");
    run.event(r#""event":"phase-started","phase":"boot-u-boot","timeout_s":60.0"#);
    browser.wait_for("document.querySelector('#timeline').textContent.includes('boot-u-boot')");
    assert_eq!(browser.value("document.querySelector('#timeline .bar').classList.contains('running')"), true);
    assert_eq!(browser.value("document.querySelector('#live').textContent.includes('unfinished')"), false);
    let silent = browser.value("document.querySelector('.terminal[data-node=b] .xterm') === null");
    assert_eq!(silent, true, "a node that has said nothing has no terminal");
    assert_eq!(browser.value("document.querySelector('#timeline details').open"), true);
    run.event(r#""event":"definition-started","definition":"0_smoke""#);
    run.event(r#""event":"test-case","definition":"0_smoke","case":"speed","result":"pass","measurement":42.5,"units":"MB/s""#);
    browser.wait_for("document.querySelector('#measurements')?.textContent.includes('42.5')");
    run.event(r#""event":"group","text":"lava-send ready""#);
    browser.wait_for("document.querySelector('#group svg.sequence')");
    let order = browser
        .value("[...document.querySelectorAll('#live > section')].map((section) => section.id).join(' ')");
    assert_eq!(order, "facts verdict timeline results measurements group files");
    run.finish();
    browser.wait_for("document.title === 'pass: by hand · host-runner'");
    browser.wait_for("document.documentElement.dataset.followed === 'to the end'");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_run_with_a_board_is_seen_on_the_first_page_as_it_begins_and_ends() {
    let bench = Testbench::new();
    let served = serve(&bench);
    let mut browser = Browser::start(400);
    browser.go(&format!("http://{}/", served.address));
    browser.wait_for("document.querySelector('#boards .badge').innerText === 'free'");
    let run = bench.start_staying();
    browser.wait_for("document.querySelector('#boards .badge').innerText === 'used'");
    browser.wait_for("document.querySelector('#runs .badge.running')");
    let is_narrow = browser.value("document.documentElement.scrollWidth <= innerWidth");
    assert_eq!(is_narrow, true, "on a phone only tables are moved sideways");
    run.signal(Signal::TERM);
    run.finish();
    browser.wait_for("document.querySelector('#boards .badge').innerText === 'free'");
    browser.wait_for("document.querySelector('#runs .badge.cancelled')");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn pages_are_whole_without_scripts() {
    let bench = Testbench::new();
    assert_eq!(bench.run(&Job::new()).code, Some(0));
    let served = serve(&bench);
    let mut browser = Browser::start(1200);
    browser.disable_scripts(true);
    browser.go(&format!("http://{}/runs/out/", served.address));
    browser.disable_scripts(false);
    let shown = browser.value("[document.querySelector('#console pre').textContent.includes('Starting kernel'), document.querySelector('#terminals').checkVisibility()]");
    assert_eq!(shown, serde_json::json!([true, false]));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn whoever_has_the_link_with_the_token_switches_types_and_starts_runs() {
    let (bench, outlet) = on_outlet(Testbench::new(), |power| power);
    let served = serve_with(&bench, &["--control"]);
    let mut browser = Browser::start(1200);
    browser.go(&format!("http://{}/", served.address));
    let buttons = "[...document.querySelectorAll('button[data-power], #start button')].filter((button) => button.checkVisibility()).length";
    browser.wait_for("document.querySelector('#sign-in').checkVisibility()");
    assert_eq!(browser.value(buttons), 0, "nothing is offered to those who do not have the token");
    browser.go("about:blank");
    browser.go(&format!("http://{}/{}", served.address, served.fragment));
    browser.wait_for(&format!("{buttons} === 4"));
    assert_eq!(browser.value("location.hash"), "", "the history does not have the token");
    browser.wait_for("document.querySelector('#boards tbody td.nowrap').innerText.startsWith('off')");
    browser.value("document.querySelector('button[data-power=on]').click()");
    browser.wait_for("document.querySelector('#told').innerText === 'fake1: switched on'");
    assert!(outlet.is_on().expect("a file"));
    browser.wait_for("document.querySelector('#boards tbody td.nowrap').innerText.startsWith('on')");
    let job = Job::staying().to_yaml();
    let fill = |text: &str| {
        format!(
            "document.querySelector('#start textarea').value = {}; document.querySelector('#start form button').click()",
            serde_json::Value::from(text)
        )
    };
    browser.value(&fill("job_name: nothing more"));
    browser.wait_for("document.querySelector('#problems').innerText.includes('actions')");
    browser.value(&fill(&job));
    browser.wait_for("document.querySelector('#started .badge.running')");
    browser.value("document.querySelector('#started a').click()");
    browser.wait_for(&format!("{SCREEN}.includes('hello from the test')"));
    browser.value("document.querySelector('button[data-type]').click()");
    browser.wait_for("document.activeElement.classList.contains('xterm-helper-textarea')");
    browser.type_in("hello");
    browser.wait_for("document.querySelector('#live').textContent.includes('somebody who is attached to the console types on it')");
    browser.value("window.confirm = () => true; document.querySelector('button[data-cancel]').click()");
    browser.wait_for("document.title.startsWith('cancelled: one-board')");
    // The refused job was one.
    let complaints = browser.complaints();
    assert!(complaints.len() == 1 && complaints[0].contains("422"), "{complaints:#?}");
}
