//! Device dictionaries as labs have them, and what becomes of them.

mod access;
mod templates;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Options, import};
use crate::board::{Bench, Board, ConsoleTarget, UbootSettings};
use crate::diagnostic::{Severity, Source};
use crate::import::{BENCH_FILE, Imported, write};
use crate::job::{BootImage, Job};
use crate::link::Target;
use crate::plan::Plan;

const DICTIONARY: &str = r#"
commands:
  connect: telnet ser1 7001
  hard_reset: relay 'port 3' cycle
  power_on: [relay on 3, hub on]
  power_off: relay off 3
character_delays:
  boot: 20
  test: 5
constants:
  u-boot:
    interrupt-prompt: Hit any key
    interrupt-character: ' '
    final-message: Starting kernel
    error-messages: ['TIMEOUT', 'code \d+', 'not in time.']
  grub: {interrupt-prompt: menu}
  kernel-start-message: 'Linux version [0-9]'
parameters:
  bootz: {kernel: '0x82000000', ramdisk: '0x83000000', dtb: '0x88000000', tee: '0x84000000'}
  bootm: {kernel: '0x80200000', ramdisk: '0x83000000', dtb: '0x88000000'}
  interfaces:
    target: {ip: 192.168.7.2, mac: '02:00:00:00:00:02'}
    eth1: {mac: '02:00:00:00:00:03'}
environment: {RACK: 3, 'NO-NAME': x}
static_info: [{probe_ip: 192.168.7.9, probe_channel: 1}, {board_id: '7'}]
storage_info: [{SATA: /dev/sda}]
actions:
  deploy:
    parameters: {mkimage_arch: arm, append_dtb: false}
    methods:
      tftp:
      image:
      ssh: {host: '', port: 22, user: root, identity_file: dynamic_vm_keys/lava}
  boot:
    methods:
      grub:
      u-boot:
        parameters: {bootloader_prompt: '=>', send_char: false}
        nfs:
          commands:
          - dhcp
          - tftp {KERNEL_ADDR} {KERNEL}
          - tftp {RAMDISK_ADDR} {RAMDISK}
          - tftp {DTB_ADDR} {DTB}
          - setenv bootargs 'console=ttyO0,57600n8 nfsroot={NFS_SERVER_IP}:{NFSROOTFS}'
          - '{BOOTX}'
        usb: {commands: ['load usb 0:{ROOT_PART} {KERNEL_ADDR} {KERNEL}', 'echo {NONE}', boot]}
timeouts: {actions: {bootloader-commands: {minutes: 3}}}
"#;

fn options() -> Options {
    let device_type = Some("beaglebone-black".to_owned());
    Options { device_type, address: Some([192, 168, 7, 1].into()), ..Options::default() }
}

fn import_text(name: &str, text: &str, options: &Options) -> Imported {
    import(&[Source::new(name, text)], options)
}

/// The bench that the files are, read by this program's own loader.
fn bench(imported: &Imported) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    write(&imported.files, directory.path(), false).unwrap();
    Bench::load(&directory.path().join(BENCH_FILE))
        .unwrap_or_else(|error| panic!("{error}\n{}", text(imported)))
}

fn text(imported: &Imported) -> String {
    imported.files.iter().map(|file| format!("{}\n{}", file.name, file.text)).collect()
}

/// All problems, one a line: code, message, help.
fn problems(imported: &Imported) -> String {
    let problems = imported.reported.iter().flat_map(|reported| &reported.problems);
    let line = |problem: &crate::diagnostic::Diagnostic| {
        format!("{}: {} ({})\n", problem.code, problem.message, problem.help.as_deref().unwrap_or("-"))
    };
    problems.map(line).collect()
}

fn errors(imported: &Imported) -> Vec<&'static str> {
    let problems = imported.reported.iter().flat_map(|reported| &reported.problems);
    problems
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| problem.code.name())
        .collect()
}

fn only_board(bench: &Bench) -> &Board {
    assert_eq!(bench.boards.len(), 1);
    &bench.boards[0]
}

fn uboot(bench: &Bench) -> &UbootSettings {
    only_board(bench).uboot.as_ref().unwrap()
}

fn example(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/import/lava")).join(name)
}

#[test]
fn a_rendered_dictionary_becomes_a_board_with_console_power_and_what_tests_may_know() {
    let bench = bench(&import_text("lab/bbb-01.yaml", DICTIONARY, &options()));
    let board = only_board(&bench);
    assert_eq!((board.name.as_str(), bench.address), ("bbb-01", Some([192, 168, 7, 1].into())));
    let telnet = Target::Telnet { host: "ser1".to_owned(), port: 7001 };
    assert_eq!(board.console, ConsoleTarget::Line(telnet));
    assert_eq!(board.device_types, ["beaglebone-black"]);
    assert_eq!(board.address, Some([192, 168, 7, 2].into()));
    let power = board.power.as_ref().unwrap().commands().unwrap();
    assert_eq!(power.on, [vec!["relay", "on", "3"], vec!["hub", "on"]]);
    assert_eq!(power.off, [["relay", "off", "3"]]);
    assert_eq!(power.reset, [["relay", "port 3", "cycle"]]);
    assert_eq!(board.environment, [("RACK".to_owned(), "3".to_owned())]);
    let variables: Vec<_> =
        board.test_variables().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let expected = [
        "LAVA_TARGET_IP=192.168.7.2",
        "LAVA_TARGET_MAC=02:00:00:00:00:02",
        "LAVA_TARGET_STORAGE=SATA=/dev/sda",
        "LAVA_PROBE_IP=192.168.7.9",
        "LAVA_PROBE_CHANNEL=1",
    ];
    assert_eq!(variables, expected);
}

#[test]
fn what_u_boot_needs_becomes_a_board_type_beside_the_bench_file() {
    let imported = import_text("bbb-01.yaml", DICTIONARY, &options());
    let names: Vec<_> = imported.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["bench.toml", "beaglebone-black.toml"]);
    let bench = bench(&imported);
    let board = only_board(&bench);
    let uboot = board.uboot.as_ref().unwrap();
    assert_eq!((board.arch.as_str(), board.board_type.as_str()), ("armv7", "beaglebone-black"));
    assert_eq!((board.linux_console.device.as_str(), board.linux_console.baud), ("ttyO0", 57600));
    assert_eq!((uboot.autoboot_prompt.as_str(), uboot.interrupt.as_str()), ("Hit any key", " \n"));
    assert_eq!(
        (uboot.prompts.as_slice(), uboot.character_delay),
        (["=>".to_owned()].as_slice(), Duration::from_millis(20))
    );
    assert_eq!(uboot.images, [BootImage::Zimage, BootImage::Uimage]);
    assert_eq!(uboot.addresses(BootImage::Zimage).kernel, "0x82000000");
    assert_eq!(uboot.addresses(BootImage::Uimage).kernel, "0x80200000");
    assert_eq!((uboot.tee_addr.as_deref(), uboot.uimage_addr.as_str()), (Some("0x84000000"), "0x82000000"));
    assert_eq!(uboot.errors, ["TIMEOUT", "not in time."]);
    assert_eq!(uboot.commands.keys().collect::<Vec<_>>(), ["nfs", "usb"]);
    assert_eq!(uboot.commands["nfs"][0], "dhcp");
    assert!(imported.files[1].text.contains("# Lines with {ROOT_PART} are left out"), "{}", text(&imported));
}

#[test]
fn nothing_is_dropped_silently() {
    let imported = import_text("bbb-01.yaml", DICTIONARY, &options());
    let (told, bench) = (problems(&imported), &imported.files[0].text);
    for (key, line) in [
        ("character_delays.test", 9),
        ("constants.u-boot.error-messages.1", 15),
        ("constants.grub", 16),
        ("parameters.interfaces.eth1", 23),
        ("environment.NO-NAME", 24),
        ("actions.deploy.parameters.append_dtb", 29),
        ("actions.deploy.methods.image", 32),
        ("actions.deploy.methods.ssh.identity_file", 33),
        ("actions.boot.methods.grub", 36),
        ("actions.boot.methods.u-boot.parameters.send_char", 38),
        ("timeouts", 48),
    ] {
        assert!(told.contains(&format!("`{key}`")), "{key}\n{told}");
        let unwrapped = bench.replace("\n#       ", " ").replace("\n#     ", " ");
        assert!(unwrapped.contains(&format!("{key} (line {line})")), "{key} {line}\n{bench}");
    }
    for code in [
        "import-check: nothing replaces `{NONE}`",
        "import-check: the commands `nfs`",
        "leave it to the port mapper",
    ] {
        assert!(told.contains(code), "{code}\n{told}");
    }
    assert!(errors(&imported).is_empty());
}

#[test]
fn linuxs_console_is_carried_over_and_the_speed_of_a_console_server_is_told() {
    let with = |command: &str| {
        let set = format!("{{% set baud_rate = 57600 %}}{{% set connection_command = '{command}' %}}");
        let text =
            format!("{{% extends 'beaglebone-black.jinja2' %}}{{% set console_device = 'ttyO0' %}}{set}");
        import_text("b.jinja2", &text, &options_without_type())
    };
    let told = problems(&with("telnet ser1 7001"));
    assert!(told.contains("not carried over: `baud_rate`"), "{told}");
    let bench = bench(&with("telnet ser1 7001"));
    assert_eq!(
        (only_board(&bench).linux_console.device.as_str(), only_board(&bench).linux_console.baud),
        ("ttyO0", 115_200)
    );
    assert!(problems(&with("cu -l /dev/ttyUSB0")).contains("import-check: `cu` wants a terminal"));
}

#[test]
fn addresses_that_lava_does_not_use_stay_behind() {
    let others = "  zimage: {kernel: '0x81000000', ramdisk: '0x83000000', dtb: '0x88000000'}\n  bootz:";
    let imported = import_text("b.yaml", &DICTIONARY.replace("  bootz:", others), &options());
    assert_eq!(uboot(&bench(&imported)).kernel_addr, "0x82000000");
    assert!(problems(&imported).contains("not carried over: `parameters.zimage`"), "{}", problems(&imported));
}

#[test]
fn addresses_may_be_variables_of_u_boot() {
    let text = DICTIONARY.replace("'0x80200000'", "'${loadaddr}'");
    let bench = bench(&import_text("b.yaml", &text, &options()));
    assert_eq!(uboot(&bench).addresses(BootImage::Uimage).kernel, "${loadaddr}");
    let text = DICTIONARY.replace("ramdisk: '0x83000000'", "ramdisk: '-'");
    assert_eq!(errors(&import_text("b.yaml", &text, &options())), ["import-no-board"]);
}

#[test]
fn a_job_binds_to_what_was_imported() {
    let bench = bench(&import_text("bbb-01.yaml", DICTIONARY, &options()));
    let jobs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/jobs"));
    let job = Job::parse(&Source::read(&jobs.join("single-node.yaml")).unwrap()).unwrap();
    let plan = Plan::bind(&job, &bench).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(plan.nodes[0].on(), "bbb-01");
}

#[test]
fn a_dictionary_that_says_what_the_built_in_type_says_needs_no_other() {
    let built_in =
        crate::board::BoardType::parse(&crate::board::BoardType::built_in("beaglebone-black").unwrap())
            .unwrap();
    let uboot = built_in.uboot.as_ref().unwrap();
    let list = |texts: &[String]| serde_json::to_string(texts).unwrap();
    let addresses = format!(
        "{{kernel: '{}', ramdisk: '{}', dtb: '{}', dtbo: '{}'}}",
        uboot.kernel_addr,
        uboot.ramdisk_addr,
        uboot.dtb_addr,
        uboot.dtbo_addr.as_deref().unwrap()
    );
    let commands: String = uboot
        .commands
        .iter()
        .map(|(name, commands)| {
            format!(
                "{name}: {{commands: {}}}, ",
                list(commands).replace("{CONSOLE}", "console=ttyS0,115200n8")
            )
        })
        .collect();
    let text = format!(
        "commands: {{connect: telnet ser1 7001}}
constants:
  u-boot:
    interrupt-prompt: '{}'
    interrupt-character: ' '
    interrupt-newline: false
    error-messages: {}
  shutdown-message: '{}'
parameters: {{bootz: {addresses}, bootm: {addresses}}}
actions:
  deploy: {{parameters: {{mkimage_arch: arm}}}}
  boot: {{methods: {{u-boot: {{{commands} parameters: {{bootloader_prompt: {}}}}}}}}}
",
        uboot.autoboot_prompt,
        list(&uboot.errors.iter().map(|error| regex::escape(error)).collect::<Vec<_>>()),
        built_in.linux.shutdown_message,
        list(&uboot.prompts),
    );
    let imported = import_text("b.yaml", &text, &options());
    // `{CONSOLE}` is written out above: that alone is different.
    let told = imported.files.iter().find(|file| file.name == "beaglebone-black.toml").unwrap();
    assert!(told.text.contains("built-in board type `beaglebone-black`: commands."), "{}", told.text);
    let same = text.replace("console=console=ttyS0,115200n8", "console={CONSOLE}");
    let imported = import_text("b.yaml", &same, &options());
    assert_eq!(imported.files.len(), 1, "{}", self::text(&imported));
    assert!(imported.files[0].text.contains("type = \"beaglebone-black\"\n"));
}

#[test]
fn a_board_type_that_the_user_names_is_used_as_it_is() {
    let board_type = Some("beaglebone-black".to_owned());
    let imported = import_text("bbb-01.yaml", DICTIONARY, &Options { board_type, ..options() });
    assert_eq!(imported.files.len(), 1);
    let bench = bench(&imported);
    let built_in = crate::board::BoardType::built_in("beaglebone-black").unwrap();
    assert_eq!(only_board(&bench).uboot, crate::board::BoardType::parse(&built_in).unwrap().uboot);
    let told = problems(&imported);
    assert!(told.contains("`actions.boot.methods.u-boot` (line 37)"), "{told}");
}

fn options_without_type() -> Options {
    Options { device_type: None, ..options() }
}

#[test]
fn without_templates_the_set_lines_change_a_built_in_type() {
    let device = Source::read(&example("bbb-01.jinja2")).unwrap();
    let imported = import(&[device], &options_without_type());
    assert!(errors(&imported).is_empty(), "{}", problems(&imported));
    assert_eq!(imported.files.len(), 1);
    let bench = bench(&imported);
    let board = only_board(&bench);
    assert_eq!(
        (board.board_type.as_str(), uboot(&bench).prompts.as_slice()),
        ("beaglebone-black", ["=>".to_owned()].as_slice())
    );
    assert_eq!(uboot(&bench).kernel_addr, "0x82000000");
    for commands in uboot(&bench).commands.values() {
        assert!(
            commands.iter().any(|line| line.starts_with("setenv bootargs '") && line.ends_with(" panic=5'"))
        );
    }
    assert!(problems(&imported).contains("not carried over: `set.usb_label`"), "{}", problems(&imported));
}

#[test]
fn set_lines_of_a_type_that_is_not_built_in_need_templates_or_a_board_type() {
    let device =
        [Source::new("x-1.jinja2", "{% extends 'x.jinja2' %}{% set connection_command = 'telnet a 1' %}")];
    let imported = import(&device, &options_without_type());
    assert_eq!((errors(&imported), imported.files.len()), (vec!["import-no-board"], 0));
    let board_type = Some("qemu-virt-arm".to_owned());
    let bench = bench(&import(&device, &Options { board_type, ..options_without_type() }));
    assert_eq!(
        (only_board(&bench).board_type.as_str(), only_board(&bench).device_types[0].as_str()),
        ("qemu-virt-arm", "x")
    );
}

#[test]
fn control_characters_texts_and_newlines_interrupt_as_lava_sends_them() {
    let interrupt = |constants: &str, parameters: &str| {
        let text = DICTIONARY
            .replace("    interrupt-character: ' '\n", constants)
            .replace("send_char: false", parameters);
        let bench = bench(&import_text("b.yaml", &text, &options()));
        uboot(&bench).interrupt.clone()
    };
    assert_eq!(interrupt("    interrupt_ctrl_list: [c, C]\n", "send_char: false"), "\u{3}\u{3}");
    assert_eq!(
        interrupt("    interrupt-character: x\n    interrupt-newline: False\n", "send_char: false"),
        "x"
    );
    assert_eq!(interrupt("    interrupt-character: x\n", "interrupt_char: ''"), "\n");
    assert_eq!(interrupt("    interrupt_ctrl_list: [esc]\n", "send_char: false"), " ");
}

#[test]
fn devices_that_cannot_be_boards_are_told_and_the_others_are_imported() {
    let without = |key: &str| DICTIONARY.replace(key, "unknown");
    let files = [
        Source::new("a.yaml", without("connect:").replace("unknown", "unknown:")),
        Source::new(
            "b.yaml",
            without("u-boot:\n        parameters").replace("unknown", "grub:\n        parameters"),
        ),
        Source::new("c.yaml", without("relay off 3").replace("unknown", "relay 'off 3")),
        Source::new("d.yaml", "commands: [\n"),
        Source::new("e.yaml", DICTIONARY.replace("bootz:", "x:").replace("bootm:", "y:")),
        Source::new("good.yaml", DICTIONARY),
        Source::new("other/good.yaml", DICTIONARY),
    ];
    let imported = import(&files, &options());
    assert_eq!(
        errors(&imported),
        [
            "import-no-board",
            "import-no-board",
            "invalid-power",
            "yaml-syntax",
            "import-no-board",
            "duplicate-board"
        ]
    );
    let told = problems(&imported);
    for message in ["no command connects", "does not boot by U-Boot", "has no addresses"] {
        assert!(told.contains(message), "{message}\n{told}");
    }
    assert_eq!(imported.files.len(), 2);
    let device_type = Some("../type".to_owned());
    let imported_as_type = import_text("a.yaml", DICTIONARY, &Options { device_type, ..options() });
    assert_eq!(errors(&imported_as_type), ["invalid-name"]);
    assert_eq!(only_board(&bench(&imported)).name, "good");
}
