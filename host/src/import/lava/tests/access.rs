//! Further ways to a board: connections beside the console, SSH, commands, what URLs name.

use std::path::Path;

use super::{
    DICTIONARY, bench, errors, import_text, only_board, options, options_without_type, problems, text,
};
use crate::board::{BenchCommand, ConsoleTarget};
use crate::link::Target;

/// The dictionary with `new` in place of `old`, which is in it.
fn with(old: &str, new: &str) -> String {
    assert!(DICTIONARY.contains(old), "{old}");
    DICTIONARY.replace(old, new)
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn connections_beside_the_primary_one_have_names_that_jobs_ask_for() {
    let connections = "connections: {
    uart1: {connect: telnet ser1 7002},
    uart0: {connect: telnet ser1 7001, tags: [primary]},
    uart2: {connect: conmux bbb-1, tags: [slow]},
    uart3: {tags: [dead]},
    'uart 4': {connect: telnet ser1 7004}}";
    let imported = import_text("b.yaml", &with("connect: telnet ser1 7001", connections), &options());
    let bench = bench(&imported);
    let board = only_board(&bench);
    let telnet = |port| Target::Telnet { host: "ser1".to_owned(), port };
    assert_eq!(board.console, ConsoleTarget::Line(telnet(7001)));
    let [first, second] = board.consoles.as_slice() else { panic!("{:?}", board.consoles) };
    assert_eq!(*first, ("uart1".to_owned(), telnet(7002)));
    assert_eq!(*second, ("uart2".to_owned(), Target::Command(words("conmux bbb-1"))));
    let told = problems(&imported);
    for left in ["`commands.connections.uart3`", "`commands.connections.uart 4`"] {
        assert!(told.contains(&format!("not carried over: {left}")), "{told}");
    }
}

#[test]
fn an_ssh_host_is_carried_over_and_its_key_asked_for() {
    let ssh = "host: desk.lab, port: 2222, user: tester, identity_file: /lab/key, options: ['-o', x]";
    let text = with("host: '', port: 22, user: root, identity_file: dynamic_vm_keys/lava", ssh);
    let imported = import_text("b.yaml", &text, &options());
    let bench = bench(&imported);
    let board = only_board(&bench);
    let ssh = board.ssh.as_ref().unwrap();
    assert_eq!((ssh.host.as_str(), ssh.port, ssh.user.as_str()), ("desk.lab", 2222, "tester"));
    assert_eq!((ssh.identity_file.as_path(), board.ssh_port), (Path::new("/lab/key"), 2222));
    assert_eq!(board.address, Some([192, 168, 7, 2].into()));
    let told = problems(&imported);
    assert!(told.contains("import-check: the host key of `desk.lab` is not known"), "{told}");
    assert!(told.contains("not carried over: `actions.deploy.methods.ssh.options`"), "{told}");
    assert!(!told.contains("has no absolute path"), "{told}");
    // The stand-in is no key: a board is never trusted unknown.
    let files: Vec<_> = ssh.host_keys.iter().map(|key| ("bench.toml", key.as_bytes())).collect();
    assert!(crate::ssh::HostKeys::from_public_key_files(&files).is_err());
}

#[test]
fn a_device_without_u_boot_that_ssh_reaches_is_of_the_type_ssh() {
    let dictionary = "actions:
  deploy: {methods: {ssh: {host: 192.168.7.3, port: 22, user: root, identity_file: dynamic_vm_keys/lava}}}
  boot: {methods: {ssh: , schroot: {name: [sid]}}}
constants: {u-boot: {interrupt-prompt: x}}
";
    let imported = import_text("rack-1.yaml", dictionary, &options_without_type());
    assert!(errors(&imported).is_empty(), "{}", problems(&imported));
    let rendered = bench(&imported);
    let board = only_board(&rendered);
    assert_eq!((board.board_type.as_str(), board.arch.as_str()), ("ssh", "aarch64"));
    assert_eq!((&board.console, &board.uboot), (&ConsoleTarget::None, &None));
    assert_eq!((board.device_types[0].as_str(), board.address), ("rack", Some([192, 168, 7, 3].into())));
    assert!(text(&imported).contains("# A guess: LAVA does not say it."), "{}", text(&imported));
    let told = problems(&imported);
    for message in ["`dynamic_vm_keys/lava` has no absolute path", "`constants.u-boot`", "methods.schroot`"] {
        assert!(told.contains(message), "{message}\n{told}");
    }
    let set =
        "{% extends 'ssh.jinja2' %}{% set ssh_host = '192.168.7.3' %}{% set bootloader_prompt = '=>' %}";
    let imported = import_text("rack-1.jinja2", set, &options_without_type());
    assert_eq!(only_board(&bench(&imported)).ssh.as_ref().unwrap().host, "192.168.7.3");
    assert!(problems(&imported).contains("nothing boots them"), "{}", problems(&imported));
}

#[test]
fn commands_for_jobs_keep_their_names() {
    let users = "hard_reset: relay 'port 3' cycle
  users:
    usb-on: {do: hub 3 on, undo: hub 3 off}
    log: {do: logger 'a b'}
    many: {do: [a, b]}
    none: {undo: c}
    piped: {do: echo x | nc pdu 23, undo: 'hub \"3'}";
    let text = with("hard_reset: relay 'port 3' cycle", users);
    let imported = import_text("b.yaml", &text, &options());
    let bench = bench(&imported);
    let command = |name: &str, run: &[String], undo: &str| BenchCommand {
        name: name.to_owned(),
        run: run.to_vec(),
        undo: if undo.is_empty() { Vec::new() } else { words(undo) },
    };
    assert_eq!(
        only_board(&bench).commands,
        [
            command("usb-on", &words("hub 3 on"), "hub 3 off"),
            command("log", &["logger".to_owned(), "a b".to_owned()], ""),
            command("piped", &words("echo x | nc pdu 23"), ""),
        ]
    );
    let told = problems(&imported);
    for left in ["users.many`", "users.none`", "users.piped.undo`"] {
        assert!(told.contains(left), "{left}\n{told}");
    }
    assert!(told.contains("`|` in a command means nothing without a shell"), "{told}");
}

#[test]
fn static_info_has_what_urls_name_and_the_energy_probe() {
    let info = "{board_id: '7'}, {board_id: '8', 'no name': x, tool: [y]}]";
    let imported = import_text("b.yaml", &with("{board_id: '7'}]", info), &options());
    let bench = bench(&imported);
    let board = only_board(&bench);
    assert_eq!(board.static_info, [("board_id".to_owned(), "7".to_owned())]);
    let probe = (board.info.probe_ip.as_deref(), board.info.probe_channel.as_deref());
    assert_eq!(probe, (Some("192.168.7.9"), Some("1")));
    let told = problems(&imported);
    for left in ["static_info.2.board_id`", "static_info.2.no name`", "static_info.2.tool`"] {
        assert!(told.contains(left), "{left}\n{told}");
    }
}

#[test]
fn addresses_of_other_images_are_one_for_all_kinds() {
    let text = with(
        "dtb: '0x88000000', tee: '0x84000000'}",
        "dtb: '0x88000000', tee: '0x84000000', dtbo: '0x88400000'}",
    )
    .replace(
        "bootm: {kernel: '0x80200000', ",
        "text_offset: '0x00208000'\n  bootm: {tee: '0x85000000', kernel: '0x80200000', ",
    );
    let imported = import_text("b.yaml", &text, &options());
    let bench = bench(&imported);
    let uboot = super::uboot(&bench);
    assert_eq!(
        (uboot.tee_addr.as_deref(), uboot.dtbo_addr.as_deref()),
        (Some("0x84000000"), Some("0x88400000"))
    );
    assert_eq!(uboot.uimage_addr, "0x00208000");
    assert!(
        problems(&imported).contains("not carried over: `parameters.bootm.tee`"),
        "{}",
        problems(&imported)
    );
}
