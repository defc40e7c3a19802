//! `lava-network`, and what is planted where its files and the message cache are.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use protocol::agent_to_host::ExitStatus;
use protocol::helper::{Call, Pairs, Reply};

use crate::{done, home};
use testbench::agent_runner::{Home, Runner};

const CACHE: &str = "host:ipv4=10.0.0.1\0host:ipv6=2001:db8::1\0host:hostname=bbb\0\
                     guest-0:ipv6=2001:db8::2\0guest-0:hostname=vm\0guest-1:ipv4=10.0.0.3\0\
                     guest-1:hostname-full=g.lab\0silent:mac=x\0";

fn group(call: &Call<'_>) -> Vec<Reply<'static>> {
    match call {
        Call::Group => vec![Reply::Members {
            members: Pairs("host\0host\0guest-0\0guest\0guest-1\0guest\0silent\0guest\0"),
            more: false,
        }],
        _ => vec![Reply::Messages { lines: CACHE, more: false }],
    }
}

#[test]
fn the_networks_words_are_collected_queried_and_made_hosts() {
    let home = home();
    home.script(
        "run.sh",
        "lava-network collect eth0\nlava-network query host ipv6; lava-network query guest-1 hostname-full\n\
         lava-network query guest-1 ipv6 || echo code $?\n\
         lava-network hosts hosts; lava-network alias-hosts hosts; cat hosts\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 30, group);
    let expected = "2001:db8::1\ng.lab\nlava-network: that host did not broadcast that key\ncode 1\n\
                    10.0.0.1\tbbb\n2001:db8::2\tvm\n10.0.0.3\tguest-1\n\
                    10.0.0.1\tbbb\thost01\n2001:db8::2\tvm\tguest01\n10.0.0.3\tguest-1\tguest02\n";
    assert_eq!(ran.output, expected);
    assert_eq!(ran.calls, [r#"WaitAll { id: "network_info", role: None }"#, "Group", "Group"]);
}

#[test]
fn the_loopback_interface_is_broadcast_with_what_it_has() {
    let home = home();
    home.script("run.sh", "lava-network broadcast lo; lava-network broadcast none || echo code $?\n");
    let ran = Runner::over_pipes(&home).run("run.sh", 30, |call| {
        let Call::Send { id: "network_info", data } = call else { panic!("{call:?}") };
        let value = |key| data.iter().find(|(name, _)| *name == key).map(|(_, value)| value.to_owned());
        assert_eq!(value("ipv4").as_deref(), Some("127.0.0.1"));
        assert_eq!(value("netmask").as_deref(), Some("255.0.0.0"));
        let name = fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux");
        assert_eq!(value("hostname").as_deref(), Some(name.trim()));
        assert!(data.iter().all(|(_, value)| !value.is_empty()), "{data:?}");
        vec![Reply::Done]
    });
    let refused =
        "lava-network: cannot get the addresses of the interface: no such device (errno 19)\ncode 1\n";
    assert_eq!((ran.output.as_str(), ran.calls.len()), (refused, 1));
}

#[test]
fn more_than_can_be_searched_is_told_and_not_searched_by_half() {
    let home = home();
    let cache = home.path().join("multi_node_network_cache.txt");
    fs::write(&cache, "a:ipv4=10.0.0.1\n".repeat(8 * 1024)).expect("writable");
    home.script("run.sh", "lava-network query a ipv4 || echo code $?\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, done);
    assert_eq!(ran.output, "lava-network: more than 128 KiB was collected\ncode 1\n");
    fs::write(&cache, "a:ipv4=10.0.0.1\n".repeat(8 * 1024 - 1)).expect("writable");
    assert_eq!(runner.run("run.sh", 30, done).output, "10.0.0.1\n");
}

/// A home with a directory that is open to all, as `/tmp` is, and in it a link to a file outside.
fn home_with_planted_link() -> Home {
    let home = home();
    fs::write(home.path().join("victim"), "precious\n").expect("writable");
    fs::create_dir(home.path().join("open")).expect("writable");
    fs::set_permissions(home.path().join("open"), PermissionsExt::from_mode(0o1777)).expect("own directory");
    symlink("../victim", home.path().join("open/file")).expect("writable");
    home
}

#[test]
fn hosts_are_not_appended_through_a_planted_link() {
    let home = home_with_planted_link();
    symlink("victim", home.path().join("own-link")).expect("writable");
    home.script(
        "run.sh",
        "lava-network collect eth0; lava-network hosts open/file || echo code $?; lava-network hosts own-link\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 30, group);
    let refused = "lava-network: cannot open the hosts file: a symbolic link where anybody may lay one (errno 40)\n\
                   code 1\n";
    assert_eq!((ran.output.as_str(), ran.status), (refused, ExitStatus::Code(0)));
    let victim = fs::read_to_string(home.path().join("victim")).expect("there");
    assert!(victim.starts_with("precious\n10.0.0.1\tbbb\n"), "one's own link is followed: {victim}");
}

#[test]
fn the_message_cache_replaces_a_planted_link() {
    let home = home_with_planted_link();
    home.script("run.sh", "LAVA_MULTI_NODE_CACHE=$PWD/open/file lava-wait-all info\n");
    let ran = Runner::over_pipes(&home).run("run.sh", 30, group);
    assert_eq!(ran.status, ExitStatus::Code(0), "{}", ran.output);
    let read = |name| fs::read_to_string(home.path().join(name)).expect("there");
    assert_eq!(read("open/file"), CACHE.replace('\0', "\n"));
    assert_eq!(read("victim"), "precious\n");
}
