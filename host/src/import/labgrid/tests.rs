//! Environment files as labs have them, and what becomes of them.

use std::path::Path;
use std::time::Duration;

use super::{Options, import};
use crate::board::power::{Driver, SnmpVersion};
use crate::board::{Bench, Board, ConsoleTarget};
use crate::diagnostic::{Severity, Source};
use crate::import::{BENCH_FILE, Imported, write};
use crate::link::Target;

fn options() -> Options {
    Options {
        board_types: vec![(None, "beaglebone-black".to_owned())],
        address: Some([192, 168, 7, 1].into()),
        base: "/lab".into(),
        variables: vec![("LG_TOOLS".to_owned(), "/opt/tools".to_owned())],
    }
}

fn import_text(text: &str) -> Imported {
    import(&Source::new("env.yaml", text), &options())
}

/// A target called `main` of these resources and drivers, which are mappings in flow style.
fn target(resources: &str, drivers: &str) -> Imported {
    import_text(&format!("targets: {{main: {{resources: {resources}, drivers: {drivers}}}}}\n"))
}

/// The board of the bench that the files are, read by this program's own loader.
fn board(imported: &Imported) -> Board {
    let directory = tempfile::tempdir().unwrap();
    write(&imported.files, directory.path(), false).unwrap();
    let bench = Bench::load(&directory.path().join(BENCH_FILE)).unwrap_or_else(|error| panic!("{error}"));
    Board::clone(&bench.boards[0])
}

fn problems(imported: &Imported) -> String {
    let problems = imported.reported.iter().flat_map(|reported| &reported.problems);
    let line = |problem: &crate::diagnostic::Diagnostic| {
        format!("{}: {} ({})\n", problem.code, problem.message, problem.help.as_deref().unwrap_or("-"))
    };
    problems.map(line).collect()
}

fn errors(imported: &Imported) -> Vec<&'static str> {
    let problems = imported.reported.iter().flat_map(|reported| &reported.problems);
    let mut codes: Vec<_> = problems
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| problem.code.name())
        .collect();
    codes.sort_unstable();
    codes
}

#[test]
fn every_target_of_the_example_becomes_a_board() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/import/labgrid/env.yaml"));
    let imported = import(&Source::read(path).unwrap(), &options());
    assert!(errors(&imported).is_empty(), "{}", problems(&imported));
    let main = board(&imported);
    assert_eq!(main.console, ConsoleTarget::Line(Target::Telnet { host: "ser1".to_owned(), port: 4001 }));
    assert_eq!(
        (main.address, main.linux.login_prompt.as_str()),
        (Some([192, 168, 7, 41].into()), " login: ")
    );
    let power = main.power.unwrap();
    assert_eq!(power.off_time, Some(Duration::from_millis(3500)));
    let power = power.commands().unwrap();
    assert_eq!(power.on, [["/lab/relay", "3", "on"]]);
    assert_eq!(power.off, [["relay", "3", "off"]]);
    let text = &imported.files[0].text;
    assert!(
        text.contains("# SUBSYSTEM==\"tty\", ENV{ID_SERIAL_SHORT}==\"LAB00007\", SYMLINK+=\"spare\"\n"),
        "{text}"
    );
    assert!(text.contains("#   prompts: ['root@\\w+:[^ ]+ ']\n"), "{text}");
    let told = problems(&imported);
    for key in [
        "UBootDriver.boot_timeout",
        "main.drivers.SSHDriver",
        "NetworkPowerPort",
        "NetworkPowerDriver",
        "`images`",
    ] {
        assert!(told.contains(key), "{key}\n{told}");
    }
}

#[test]
fn serial_ports_of_every_kind_are_consoles() {
    let console = |resource: &str| {
        let board = board(&target(resource, "{SerialDriver: {}}"));
        (board.console, board.linux_console.baud)
    };
    let serial = |path: &str, baud| (ConsoleTarget::Line(Target::Serial { path: path.into(), baud }), baud);
    assert_eq!(console("{RawSerialPort: {port: /dev/ttyUSB0, speed: 57600}}"), serial("/dev/ttyUSB0", 57600));
    assert_eq!(console("{USBSerialPort: {match: {sys_name: ttyUSB1}}}"), serial("/dev/main", 115_200));
    let raw = ConsoleTarget::Line(Target::Tcp { host: "s".to_owned(), port: 3000 });
    assert_eq!(console("{NetworkSerialPort: {host: s, port: 3000, protocol: raw}}").0, raw);
    let listed = "[{cls: NetworkSerialPort, name: a, host: s, port: 3000, protocol: raw}]";
    assert_eq!(console(listed).0, raw);
    let two = target(
        "[{RawSerialPort: {port: /dev/ttyS0}}, {RawSerialPort: {port: /dev/ttyS1}}]",
        "{SerialDriver: {}}",
    );
    assert!(problems(&two).contains("write others into `consoles`"), "{}", problems(&two));
}

#[test]
fn pdudaemon_is_switched_by_its_client_and_other_switches_are_told() {
    let serial = "RawSerialPort: {port: /dev/ttyS0}";
    let power = board(&target(
        &format!("{{{serial}, PDUDaemonPort: {{host: pdu, pdu: apc, index: 3}}}}"),
        "{SerialDriver: {txdelay: 0.05}}",
    ));
    assert_eq!(power.uboot.as_ref().unwrap().character_delay, Duration::from_millis(50));
    let power = power.power.unwrap();
    let power = power.commands().unwrap();
    let words = ["pduclient", "--daemon", "pdu", "--hostname", "apc", "--port", "3", "--command", "off"];
    assert_eq!(power.off, [words]);
    let usb = target(
        &format!("{{{serial}, USBPowerPort: {{match: {{ID_PATH: x}}, index: 2}}}}"),
        "{ManualPowerDriver: {}}",
    );
    assert!(board(&usb).power.is_none());
    assert!(problems(&usb).contains("uhubctl"), "{}", problems(&usb));
}

#[test]
fn a_network_switch_that_is_known_becomes_its_driver() {
    let port = |arguments: &str| {
        let resources = format!("{{RawSerialPort: {{port: /dev/ttyS0}}, NetworkPowerPort: {{{arguments}}}}}");
        target(&resources, "{NetworkPowerDriver: {}}")
    };
    let power = |arguments: &str| board(&port(arguments)).power.map(|power| power.driver);
    let Some(Driver::Snmp(pdu)) = power("model: raritan, host: pdu1, index: 3") else { panic!("no SNMP") };
    assert_eq!((pdu.host.as_str(), pdu.version), ("pdu1", SnmpVersion::V1));
    assert_eq!(pdu.outlet.on.oid.to_string(), "1.3.6.1.4.1.13742.6.4.1.2.1.2.1.3");
    let shelly = power("model: shelly_gen1, host: 'http://192.168.7.31', index: 0");
    assert!(matches!(shelly, Some(Driver::Shelly(shelly)) if shelly.device.host == "192.168.7.31"));
    assert_eq!(power("model: netio, host: netio1, index: 2"), None);
    let told = problems(&port("model: netio, host: netio1, index: 2"));
    assert!(told.contains("driver = \"snmp\"") && told.contains("netio1"), "{told}");
}

#[test]
fn u_boots_settings_are_the_boards_and_its_commands_a_list() {
    let driver = r#"{UBootDriver: {prompt: "\\w+# ", autoboot: stop autoboot, interrupt: "\x03", password: x, init_commands: [setenv a b], boot_command: run netboot}}"#;
    let imported = target("{RawSerialPort: {port: /dev/ttyS0}}", driver);
    let uboot = board(&imported).uboot.unwrap();
    assert_eq!((uboot.prompts[0].as_str(), uboot.interrupt.as_str()), (r"\w+# ", "\u{3}"));
    assert_eq!(
        (uboot.autoboot_prompt.as_str(), uboot.commands["labgrid"].as_slice()),
        ("stop autoboot", ["setenv a b".to_owned(), "run netboot".to_owned()].as_slice())
    );
    assert!(problems(&imported).contains("a U-Boot that asks for a password"), "{}", problems(&imported));
}

#[test]
fn templates_have_the_files_directory_and_labgrids_variables_alone() {
    let port = |text: &str| target(&format!("{{RawSerialPort: {{port: {text}}}}}"), "{SerialDriver: {}}");
    let path = |text: &str| match board(&port(text)).console {
        ConsoleTarget::Line(Target::Serial { path, .. }) => path.display().to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(path("!template '$BASE/tty'"), "/lab/tty");
    assert_eq!(path("!template '${LG_TOOLS}/$$x'"), "/opt/tools/$x");
    assert_eq!(path("'/dev/$BASE'"), "/dev/$BASE");
    assert_eq!(errors(&port("!template '$HOME/tty'")), ["import-no-board", "import-template"]);
}

#[test]
fn targets_that_cannot_be_boards_are_told_and_the_others_are_imported() {
    let text = "targets:
  remote: {resources: {RemotePlace: {name: desk}}}
  empty:
  good: {resources: {RawSerialPort: {port: /dev/ttyS0}}, drivers: [{MyStrategy: {}}, {cls: OtherDriver, name: x}], features: [x]}
  bad name: {resources: {RawSerialPort: {port: /dev/ttyS0}}}
";
    let imported = import_text(text);
    assert_eq!(errors(&imported), ["import-no-board", "import-no-board", "invalid-name"]);
    let told = problems(&imported);
    assert!(
        told.contains("labgrid-client -p desk show") && told.contains("strategies are programs"),
        "{told}"
    );
    let good = board(&imported);
    assert_eq!((good.name.as_str(), good.tags), ("good", vec!["x".to_owned()]));
    assert_eq!(errors(&import_text("a: 1\n")), ["import-no-board"]);
    let twice = "targets: {a: {resources: {RawSerialPort: {port: /dev/ttyS0}}}, a: {resources: {RawSerialPort: {port: /dev/ttyS1}}}}";
    let imported = import_text(twice);
    assert_eq!(errors(&imported), ["duplicate-board"]);
    assert_eq!(board(&imported).name, "a");
}

#[test]
fn the_board_type_is_the_users_to_say() {
    let text = "targets: {a: {resources: {RawSerialPort: {port: /dev/ttyS0}}}}";
    let with = |board_types: &[(Option<&str>, &str)]| {
        let board_types =
            board_types.iter().map(|(target, name)| (target.map(str::to_owned), (*name).to_owned()));
        let options = Options { board_types: board_types.collect(), ..options() };
        import(&Source::new("env.yaml", text), &options)
    };
    assert_eq!(errors(&with(&[])), ["import-no-board"]);
    assert_eq!(errors(&with(&[(None, "panda")])), ["unknown-board-type"]);
    let own = with(&[(None, "panda"), (Some("a"), "qemu-virt-arm")]);
    assert_eq!(board(&own).board_type, "qemu-virt-arm");
}

#[test]
fn targets_that_are_up_by_themselves_are_reached_over_ssh() {
    let import_ssh = |resources: &str, drivers: &str| {
        let text = format!("targets: {{main: {{resources: {resources}, drivers: {drivers}}}}}\n");
        let options = Options { board_types: vec![(None, "ssh".to_owned())], ..options() };
        import(&Source::new("env.yaml", text), &options)
    };
    let service = "{NetworkService: {address: desk.lab, port: 2222, username: tester}}";
    let imported = import_ssh(service, "{SSHDriver: {keyfile: /lab/key}, UBootDriver: {prompt: '=> '}}");
    let main = board(&imported);
    let ssh = main.ssh.unwrap();
    assert_eq!((ssh.host.as_str(), ssh.port, ssh.user.as_str()), ("desk.lab", 2222, "tester"));
    assert_eq!((ssh.identity_file.as_path(), main.ssh_port), (Path::new("/lab/key"), 2222));
    assert_eq!((main.console, main.address, main.uboot), (ConsoleTarget::None, None, None));
    let told = problems(&imported);
    assert!(told.contains("`host_key` must be filled in") && told.contains("drivers.UBootDriver"), "{told}");
    for (resources, drivers) in [(service, "{SSHDriver: {}}"), ("{}", "{SSHDriver: {keyfile: /lab/key}}")] {
        assert_eq!(errors(&import_ssh(resources, drivers)), ["import-no-board"], "{resources}");
    }
}
