//! `host-runner init`: from plugged-in adapters to a bench file that the doctor reads.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Output, Stdio};

use testbench::fake_board::PtyPair;
use testbench::harness::{Outlet, Testbench};

/// Runs `init` in the bench's directory, with these answers.
fn init(bench: &Testbench, arguments: &[&str], answers: &str) -> (Output, String) {
    let mut command = bench.host_runner(&[&["init", "--listen", "2"], arguments].concat());
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
        "ENV{ID_PATH}==\"pci-0000:00:14.0-usb-0:2:1.0\", SYMLINK+=\"board1\"",
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
        "{server}\nn\nmy board\nbbb1\nbeaglebone-blak\nbeaglebone-black\n{board}\nsh -c 'echo on'\nsh -c 'echo off'\n"
    );
    let port = pair.path().display().to_string();
    let (output, said) = init(&bench, &["--device", &port], &answers);
    assert!(said.contains("letters, digits") && said.contains("did you mean `beaglebone-black`?"), "{said}");
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
    let (output, said) = init(&bench, &["--device", "/dev/ttyNONE9"], "");
    assert_eq!(
        (output.status.code(), said.contains("--non-interactive asks nothing")),
        (Some(2), true),
        "{said}"
    );
    assert!(!bench.path().join("bench.toml").exists());
}
