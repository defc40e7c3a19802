//! `host-runner init`: from plugged-in adapters to a bench file that the doctor reads.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::termios::tcgetattr;
use testbench::fake_board::PtyPair;
use testbench::harness::{OnTerminal, Outlet, Testbench};

/// Runs `init` in the bench's directory, with these answers.
fn init(bench: &Testbench, arguments: &[&str], answers: &str) -> (Output, String) {
    let usual: &[&str] = if arguments.contains(&"--listen") { &[] } else { &["--listen", "2"] };
    let mut command = bench.host_runner(&[&["init"], usual, arguments].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child.stdin.take().expect("piped").write_all(answers.as_bytes()).expect("it reads them, or not");
    let output = child.wait_with_output().expect("a child");
    let said = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
    (output, said)
}

/// A directory like /sys and one like /dev with a USB adapter whose port is `port`.
fn plug_in(bench: &Testbench, port: &Path, number: Option<&str>) -> [String; 4] {
    let (sysfs, dev) = (bench.path().join("sys"), bench.path().join("dev"));
    let usb = sysfs.join("devices/usb1/1-2");
    let interface = usb.join("1-2:1.0/ttyUSB0");
    let names = ["serial/by-id", "serial/by-path"].map(|name| dev.join(name));
    for directory in
        [&interface, &sysfs.join("class/tty/ttyUSB0"), &sysfs.join("drivers/ch341"), &names[0], &names[1]]
    {
        fs::create_dir_all(directory).expect("an own directory");
    }
    symlink(&interface, sysfs.join("class/tty/ttyUSB0/device")).expect("an own directory");
    symlink(sysfs.join("drivers/ch341"), interface.join("driver")).expect("an own directory");
    let attributes = [
        ("idVendor", Some("1a86")),
        ("idProduct", Some("7523")),
        ("product", Some("USB Serial")),
        ("serial", number),
    ];
    for (name, value) in attributes {
        if let Some(value) = value {
            fs::write(usb.join(name), format!("{value}\n")).expect("an own directory");
        }
    }
    symlink(port, dev.join("ttyUSB0")).expect("an own directory");
    symlink(dev.join("ttyUSB0"), names[0].join("usb-1a86_USB_Serial-if00-port0")).expect("an own directory");
    symlink(dev.join("ttyUSB0"), names[1].join("pci-0000:00:14.0-usb-0:2:1.0-port0"))
        .expect("an own directory");
    ["--sysfs".to_owned(), sysfs.display().to_string(), "--dev".to_owned(), dev.display().to_string()]
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn written(bench: &Testbench) -> String {
    fs::read_to_string(bench.path().join("bench.toml")).expect("it is written")
}

#[test]
fn an_adapter_without_a_number_gets_a_name_by_its_port_and_a_rule() {
    let bench = Testbench::new();
    let pair = PtyPair::new().expect("a pseudo-terminal");
    let places = plug_in(&bench, pair.path(), None);
    let (_, said) = init(&bench, &[words(&places), vec!["--non-interactive"]].concat(), "");
    let text = written(&bench);
    assert!(text.contains("serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0\""), "{text}");
    assert!(text.contains("# USB Serial, 1a86:7523, driver ch341"), "{text}");
    for part in [
        "nothing was heard",
        "left to fill in: `[boards.board1] type`",
        "left to fill in: `[boards.board1] address`",
        "ATTRS{port_number}==\"0\", ENV{ID_PATH}==\"pci-0000:00:14.0-usb-0:2:1.0\", SYMLINK+=\"board1\"",
        "/etc/udev/rules.d/71-host-runner-local.rules",
        "what `host-runner doctor` says of it",
        "ok       bench file     bench: ",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[test]
fn an_adapter_with_a_number_has_a_name_by_it_and_needs_no_rule() {
    let bench = Testbench::new();
    let pair = PtyPair::new().expect("a pseudo-terminal");
    let places = plug_in(&bench, pair.path(), Some("FT000001"));
    let (_, said) = init(&bench, &[words(&places), vec!["--non-interactive"]].concat(), "");
    assert!(written(&bench).contains("serial/by-id/usb-1a86_USB_Serial-if00-port0\""), "{said}");
    assert!(!said.contains("udev") && said.contains("serial number FT000001"), "{said}");
}

#[test]
fn a_board_that_starts_meanwhile_is_known_by_its_banner() {
    let bench = Testbench::new();
    let outlet = Outlet::new(bench.path(), bench.options()).expect("a pseudo-terminal");
    fs::write(bench.path().join("outlet"), "on").expect("an own file");
    let port = outlet.port().display().to_string();
    let (_, said) = init(&bench, &["--non-interactive", "--device", &port], "");
    assert!(said.contains("115200 baud: Fake Board"), "{said}");
    assert!(!said.contains("baud`: 115200 is the usual speed"), "{said}");
}

#[test]
fn what_is_asked_stands_in_the_file_and_wrong_answers_are_asked_again() {
    let bench = Testbench::new();
    let pair = PtyPair::linked(&bench.path().join("ttyBOARD")).expect("a pseudo-terminal");
    let (server, board) = (bench.addresses().server, bench.addresses().board);
    let answers = format!(
        "{server}\nn\nmy board\nbbb1\nbeaglebone-blak\nown.toml\nbeaglebone-black\n{board}\n\\
         relay\ncommands\nsh -c 'echo on\nsh -c 'echo on'\nsh -c 'echo off'\n"
    );
    let port = pair.path().display().to_string();
    let (output, said) = init(&bench, &["--device", &port], &answers);
    assert!(said.contains("letters, digits") && said.contains("did you mean `beaglebone-black`?"), "{said}");
    for part in ["own.toml", "No such file", "one of commands, uhubctl", "a quotation mark is not closed"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let text = written(&bench);
    for part in [
        format!("address = \"{server}\""),
        "[boards.bbb1]".to_owned(),
        format!("console = \"{port}\""),
        format!("address = \"{board}\""),
        "off = [\"sh\", \"-c\", \"echo off\"]".to_owned(),
    ] {
        assert!(text.contains(&part), "no {part:?} in {text}");
    }
    // Beside the bench no agent for the board is built.
    assert!(matches!(output.status.code(), Some(0 | 4)), "{said}");
    let (again, said) = init(&bench, &["--device", &port], &answers);
    assert_eq!((again.status.code(), said.contains("it is there already")), (Some(2), true), "{said}");
}

/// The bench file that `init` writes to `out` with these answers, for a port that says nothing.
fn answered(bench: &Testbench, out: &str, answers: &str) -> (String, String) {
    let pair = PtyPair::linked(&bench.path().join("ttyBOARD")).expect("a pseudo-terminal");
    let port = pair.path().display().to_string();
    let (_, said) = init(bench, &["--device", &port, "--out", out], answers);
    let text = fs::read_to_string(bench.path().join(out)).unwrap_or_else(|error| panic!("{error}: {said}"));
    (text, said)
}

#[test]
fn a_board_type_may_be_a_file_and_the_directory_of_the_bench_file_is_made() {
    let bench = Testbench::new();
    let (text, _) = answered(&bench, "lab/new/bench.toml", "\nn\n\n../../board-type.toml\n\nnone\n");
    assert!(text.contains("type = \"../../board-type.toml\""), "{text}");
    let blocked = bench.write("file", "");
    let (output, said) = init(&bench, &["--device", "/dev/null", "--out", "file/bench.toml"], "");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("name another file with --out") && !said.contains("address"),
        "nothing is asked: {said}"
    );
    assert!(blocked.is_file());
}

#[test]
fn each_switch_has_its_questions() {
    let cases = [
        (
            "snmp\npdu\nno\napc-rpdu2\nprivate\n3\n",
            "driver = \"snmp\"\nhost = \"pdu\"\nmodel = \"apc-rpdu2\"\ncommunity = \"private\"\noutlet = 3\n",
        ),
        ("tasmota\nplug\n0\n1\n\n", "driver = \"tasmota\"\nhost = \"plug\"\nrelay = 1\n"),
        (
            "shelly\nplug\n0\ns3cret\n",
            "driver = \"shelly\"\nhost = \"plug\"\nrelay = 0\npassword = \"s3cret\"\n",
        ),
        ("gpio\n17\ngpiochip0\n\n", "driver = \"gpio\"\nchip = \"gpiochip0\"\nline = 17\n"),
        ("gpio\nRESET\n200\n", "driver = \"gpio\"\nline = \"RESET\"\npulse_ms = 200\n"),
        ("ask\n", "driver = \"ask\"\n"),
    ];
    for (answers, power) in cases {
        let bench = Testbench::new();
        let (text, said) = answered(&bench, "bench.toml", &format!("\nn\n\n\n\n{answers}"));
        assert!(text.contains(&format!("\n[boards.board1.power]\n{power}")), "{text}\n{said}");
        let mode = fs::metadata(bench.path().join("bench.toml")).expect("it is written").mode() & 0o777;
        let has_password = power.contains("password") || power.contains("community");
        assert!(!has_password || mode == 0o600, "others may read a password: {mode:o}");
    }
}

#[test]
fn usb_hubs_are_those_that_uhubctl_lists() {
    let bench = Testbench::new();
    let listed = "Current status for hub 2-1.4 [05e3:0608 USB2.0 Hub, USB 2.00, 4 ports, ppps]\n  Port 1: 0100 power\n";
    bench.write("listed", listed);
    let program =
        bench.write("tmp/uhubctl", format!("#!/bin/sh\ncat {}\n", bench.path().join("listed").display()));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("an own file");
    let path =
        format!("{}:{}", bench.path().join("tmp").display(), std::env::var("PATH").unwrap_or_default());
    let bench = bench.environment("PATH", &path);
    let (text, said) = answered(&bench, "bench.toml", "\nn\n\n\n\nuhubctl\n\n2\n");
    assert!(said.contains("hub 2-1.4: 05e3:0608 USB2.0 Hub"), "{said}");
    assert!(text.contains("driver = \"uhubctl\"\nlocation = \"2-1.4\"\nport = 2\n"), "{text}");
}

#[test]
fn a_board_is_asked_at_its_prompt_what_it_is() {
    let bench = Testbench::new();
    let outlet = Outlet::new(bench.path(), bench.options()).expect("a pseudo-terminal");
    fs::write(bench.path().join("outlet"), "on").expect("an own file");
    let port = outlet.port().display().to_string();
    let (_, said) = init(&bench, &["--device", &port], "\ny\n\n\n\nnone\n");
    assert!(said.contains("115200 baud: Fake Board"), "{said}");
    assert!(said.contains("own) [u-boot-arm64]"), "it has said that it is an armv8: {said}");
    assert!(written(&bench).contains("type = \"u-boot-arm64\""), "{said}");
}

/// A board on `pair` that says `said` whenever its speed is set, as a person resets it at each speed.
fn resets(pair: &PtyPair, said: &'static [(u32, &'static [u8])]) -> thread::JoinHandle<()> {
    let mut board = pair.board().expect("a pseudo-terminal");
    thread::spawn(move || {
        for (baud, words) in said {
            let deadline = Instant::now() + Duration::from_secs(30);
            while tcgetattr(&board).map(|modes| modes.output_speed()) != Ok(*baud) {
                assert!(Instant::now() < deadline, "nobody listens at {baud} baud");
                thread::sleep(Duration::from_millis(5));
            }
            board.write_all(words).expect("a pseudo-terminal");
        }
    })
}

#[test]
fn a_board_at_another_speed_is_reset_at_each() {
    let bench = Testbench::new();
    let pair = PtyPair::linked(&bench.path().join("ttyBOARD")).expect("a pseudo-terminal");
    let board = resets(
        &pair,
        &[
            (115_200, &[0xf8; 64]),
            (1_500_000, b"U-Boot 2024.01 (Jan 08 2024)\r\nModel: Pine64 RockPro64\r\n"),
        ],
    );
    let port = pair.path().display().to_string();
    let (_, said) = init(&bench, &["--non-interactive", "--device", &port], "");
    board.join().expect("it has spoken");
    assert!(said.contains("at 115200 baud: reset or switch on the board now"), "{said}");
    assert!(said.contains("at 1500000 baud: reset the board again now"), "{said}");
    assert!(said.contains("1500000 baud: Pine64 RockPro64"), "{said}");
    assert!(written(&bench).contains("baud = 1500000"), "{said}");
}

#[test]
fn a_board_that_was_not_reset_at_each_speed_is_not_said_to_lack_a_ground_wire() {
    let bench = Testbench::new();
    let pair = PtyPair::linked(&bench.path().join("ttyBOARD")).expect("a pseudo-terminal");
    let board = resets(&pair, &[(115_200, &[0xf8; 64])]);
    let port = pair.path().display().to_string();
    let (_, said) = init(&bench, &["--non-interactive", "--listen", "1", "--device", &port], "");
    board.join().expect("it has spoken");
    let told = "noise at 115200 baud, nothing at 1500000, 921600, 57600, 9600: its speed was not found. Was the board reset at each?";
    assert!(said.contains(told), "{said}");
}

#[test]
fn without_an_adapter_or_an_answer_nothing_is_written() {
    let bench = Testbench::new();
    let empty = bench.path().join("tmp").display().to_string();
    let (output, said) = init(&bench, &["--non-interactive", "--sysfs", &empty], "");
    assert_eq!(
        (output.status.code(), said.contains("there is no USB serial adapter")),
        (Some(3), true),
        "{said}"
    );
    let pair = PtyPair::linked(&bench.path().join("ttyBOARD")).expect("a pseudo-terminal");
    let (output, said) = init(&bench, &["--device", &pair.path().display().to_string()], "");
    assert_eq!(
        (output.status.code(), said.contains("--non-interactive asks nothing")),
        (Some(2), true),
        "{said}"
    );
    assert!(!bench.path().join("bench.toml").exists());
}

#[test]
fn what_is_no_serial_port_is_not_written() {
    let bench = Testbench::new();
    let file = bench.write("file", "").display().to_string();
    for (device, what) in [
        ("/dev/ttyNONE9", "/dev/ttyNONE9\n  it is not there"),
        ("/dev/null", "/dev/null\n  it is another kind of device and no serial port"),
        ("/dev", "/dev\n  it is a directory and no serial port"),
        (file.as_str(), "file\n  it is a file and no serial port"),
    ] {
        let (output, said) = init(&bench, &["--non-interactive", "--device", device], "");
        assert_eq!((output.status.code(), said.contains(what)), (Some(2), true), "{device}: {said}");
    }
    assert!(!bench.path().join("bench.toml").exists());
}

#[test]
fn a_console_in_the_network_is_listened_to_and_has_no_speed() {
    let bench = Testbench::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of this PC");
    let device = format!("tcp://{}", listener.local_addr().expect("a port"));
    let board = thread::spawn(move || {
        let (mut board, _) = listener.accept().expect("init connects");
        board
            .write_all(b"U-Boot 2024.01 (Jan 08 2024)\r\nModel: Pine64 RockPro64\r\n")
            .expect("init listens");
        // What comes after is the doctor's look.
        listener.accept().map(drop).expect("the doctor connects");
    });
    let (_, said) = init(&bench, &["--non-interactive", "--device", &device], "");
    board.join().expect("both came");
    assert!(said.contains("listening for 2 s: reset or switch on") && !said.contains(" baud"), "{said}");
    assert!(said.contains("  Pine64 RockPro64\n"), "{said}");
    let text = written(&bench);
    assert!(text.contains(&format!("console = \"{device}\"")) && !text.contains("baud"), "{text}");
    let (wrong, said) = init(&bench, &["--out", "other.toml", "--device", "tcp://ser2net"], "");
    assert_eq!(
        (wrong.status.code(), said.contains("is tcp://HOST:PORT or telnet://HOST:PORT")),
        (Some(2), true)
    );
}

/// `init` on a terminal at the question for a password, in a shell that then tells how it ended and how the terminal is.
fn asked_for_a_password(bench: &Testbench) -> (OnTerminal, PtyPair) {
    let pair = PtyPair::linked(&bench.path().join("ttyBOARD")).expect("a pseudo-terminal");
    let script = format!(
        "trap : INT; \"$HOST_RUNNER\" init --device {} --listen 1; echo \"code $?\"; stty -a",
        pair.path().display()
    );
    let mut terminal = bench.start_script_on_terminal(&script, 40, 120);
    for (question, answer) in [
        ("leads to the boards", ""),
        ("May keys be typed", "n"),
        ("Its name", ""),
        ("Its type", ""),
        ("Its address", ""),
        ("Its power [none]", "shelly"),
        ("The relay's name", "plug"),
        ("Which of its relays", ""),
    ] {
        terminal.sees(question);
        terminal.types(&format!("{answer}\n"));
    }
    terminal.sees("Its password, which is not shown; empty if it has none:");
    (terminal, pair)
}

#[test]
fn a_password_is_not_shown_and_the_terminal_shows_keys_again_behind_it() {
    let bench = Testbench::new();
    let (mut terminal, _pair) = asked_for_a_password(&bench);
    terminal.types("s3cret\n");
    let (_, rows) = terminal.finish();
    let shown = rows.join("\n");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains(" echo ") && written(&bench).contains("password = \"s3cret\""), "{shown}");
}

#[test]
fn ctrl_c_at_a_question_ends_init_as_cancelled_and_leaves_the_terminal_as_it_was() {
    let bench = Testbench::new();
    let (mut terminal, _pair) = asked_for_a_password(&bench);
    terminal.types("s3c");
    terminal.press_ctrl_c();
    let (_, rows) = terminal.finish();
    let shown = rows.join("\n");
    for part in ["cancelled error: init", "cancelled: nothing is written", "code 5", " echo "] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    assert!(!bench.path().join("bench.toml").exists());
}
