//! `lava-install-packages` around a package manager that does what the test wants; real ones are on the virtual board.
//! `lava-add-keys` and `lava-add-sources` around this machine's apt, told to keep both in the test's directory.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use protocol::agent_to_host::ExitStatus;

use crate::{done, home};
use testbench::agent_runner::{Home, Runner};

/// The beginning of a key, as far as it is looked at.
const ARMOURED: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----\n";

/// Makes `text` the only package manager in the directory `managers`.
fn manager(home: &Home, name: &str, text: &str) {
    fs::create_dir(home.path().join("managers")).expect("writable");
    home.program(&format!("managers/{name}"), text);
}

/// What was printed, without what the other tests' installations on this machine add.
fn without_waiting(output: &str) -> String {
    let lines = output.lines().filter(|line| !line.contains(": waiting for another installation"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn an_installation_that_fails_names_the_packages_to_the_runner() {
    let home = home();
    manager(&home, "apk", "#!/bin/sh\necho apk $*\n[ $1 = update ] || exit 7\n");
    home.script("run.sh", "PATH=$PWD/managers bin/lava-install-packages jq tree\n");
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 30, done);
    assert_eq!(
        without_waiting(&ran.output),
        "apk update\napk add jq tree\nlava-install-packages: apk ended with exit code 7; not installed: jq tree\n"
    );
    let told = r#"Failed { helper: "lava-install-packages", problem: "apk ended with exit code 7; not installed: jq tree" }"#;
    assert_eq!(ran.calls, [told]);
    assert_eq!(ran.status, ExitStatus::Code(7));
}

#[test]
fn without_fresh_lists_an_installation_is_tried_five_times() {
    let home = home();
    manager(&home, "opkg", "#!/bin/sh\necho opkg $*\nexit 1\n");
    std::os::unix::fs::symlink("/bin/sleep", home.path().join("managers/sleep")).expect("writable");
    home.script("run.sh", "export LAVA_PACKAGES_PAUSE=0; PATH=$PWD/managers bin/lava-install-packages jq\n");
    let ran = Runner::over_pipes(&home).run("run.sh", 60, done);
    let (again, last) =
        ("trying again in 0 s\n", "lava-install-packages: opkg ended with exit code 1; not installed: jq\n");
    let one = "opkg update\nlava-install-packages: opkg could not update its lists (exit code 1)\nopkg install jq\n";
    assert_eq!(
        without_waiting(&ran.output),
        [one, "lava-install-packages: ", again].concat().repeat(4) + one + last
    );
    assert_eq!(ran.status, ExitStatus::Code(1));
}

#[test]
fn each_package_manager_is_called_as_its_distribution_wants_it() {
    for (name, expected) in [
        ("dnf", "install -y jq\n"),
        ("yum", "install -y jq\n"),
        ("zypper", "--non-interactive install jq\n"),
        ("pacman", "-Syu --noconfirm --needed jq\n"),
        ("apk", "update\nadd jq\n"),
        ("opkg", "update\ninstall jq\n"),
        ("slackpkg", "-batch=on -default_answer=y update\n-batch=on -default_answer=y install jq\n"),
    ] {
        let home = home();
        manager(&home, name, "#!/bin/sh\necho $*\n");
        home.script("run.sh", "PATH=$PWD/managers bin/lava-install-packages jq\n");
        let ran = Runner::over_pipes(&home).run("run.sh", 30, done);
        assert_eq!(
            (without_waiting(&ran.output).as_str(), ran.status),
            (expected, ExitStatus::Code(0)),
            "{name}"
        );
    }
}

#[test]
fn packages_are_listed_in_one_format_whatever_lists_them() {
    for (name, list, expected) in [
        ("dpkg-query", "installed zlib1g 1:1.2.13\\nconfig-files old 1\\n", "package: zlib1g : 1:1.2.13\n"),
        (
            "rpm",
            "gpg-pubkey a-b\\nzlib 1.2.13-3.fc38\\n",
            "package: gpg-pubkey : a-b\npackage: zlib : 1.2.13-3.fc38\n",
        ),
        ("pacman", "zlib 1:1.2.13-2\\n", "package: zlib : 1:1.2.13-2\n"),
        ("apk", "ca-certificates-bundle-20230506-r0\\n", "package: ca-certificates-bundle : 20230506-r0\n"),
        ("opkg", "lib-z - 1.2.11-r0\\n", "package: lib-z : 1.2.11-r0\n"),
    ] {
        let home = home();
        manager(&home, name, &format!("#!/bin/sh\nprintf '{list}'\n"));
        std::os::unix::fs::symlink("/bin/sed", home.path().join("managers/sed")).expect("writable");
        home.script("run.sh", "PATH=$PWD/managers bin/lava-installed-packages\n");
        let ran = Runner::over_pipes(&home).run("run.sh", 30, done);
        assert_eq!((ran.output.as_str(), ran.status), (expected, ExitStatus::Code(0)), "{name}");
    }
}

/// A home whose scripts' apt keeps keys in `keys` and sources in `sources`.
fn home_with_apt() -> Home {
    let home = home();
    for directory in ["keys", "sources"] {
        fs::create_dir(home.path().join(directory)).expect("writable");
    }
    let path = home.path().display();
    home.script(
        "apt.conf",
        &format!(
            "Dir::Etc::trustedparts \"{path}/keys\";\nDir::Etc::sourceparts \"{path}/sources\";\n\
             Acquire::http::Proxy::127.0.0.1 \"DIRECT\";\n"
        ),
    );
    home
}

#[test]
fn sources_are_added_once() {
    let home = home_with_apt();
    home.script(
        "run.sh",
        "export APT_CONFIG=$PWD/apt.conf\nlava-add-sources 'deb http://a.example stable main'\n\
         lava-add-sources deb http://b.example ./\nlava-add-sources deb http://a.example stable main\n\
         PATH=$PWD/bin; lava-add-sources deb x y || echo code $?\n",
    );
    let ran = Runner::over_pipes(&home).run("run.sh", 30, done);
    assert_eq!(ran.output, "lava-add-sources: only for systems with apt\ncode 1\n");
    assert_eq!(ran.calls, [r#"Failed { helper: "lava-add-sources", problem: "exit code 1" }"#]);
    let list = fs::read_to_string(home.path().join("sources/host-runner.list")).expect("made");
    assert_eq!(list, "deb http://a.example stable main\ndeb http://b.example ./\n");
}

#[test]
fn keys_are_fetched_checked_and_kept() {
    let home = home_with_apt();
    home.script("own.key", ARMOURED);
    home.script("page.html", "<html>");
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = server.local_addr().expect("bound");
    home.script(
        "run.sh",
        &format!(
            "export APT_CONFIG=$PWD/apt.conf LAVA_KEYSERVER=http://{address}\n\
             lava-add-keys 0x7F438280EF8D349F $PWD/own.key >apt.log 2>&1\n\
             lava-add-keys EF8D349F || echo code $?\nlava-add-keys $PWD/page.html || echo code $?\n"
        ),
    );
    let serving = std::thread::spawn(move || {
        let (mut client, _) = server.accept().expect("apt asks");
        let mut request = vec![0; 4096];
        let count = client.read(&mut request).expect("it asks");
        let length = ARMOURED.len();
        write!(client, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{ARMOURED}")
            .expect("it listens");
        String::from_utf8_lossy(&request[..count]).lines().next().map(str::to_owned)
    });
    let ran = Runner::over_pipes(&home).run("run.sh", 60, done);
    let page = home.path().join("page.html").display().to_string();
    let expected = format!(
        "lava-add-keys: EF8D349F: an id so short can be forged\ncode 1\n\
         lava-add-keys: {page}: not an OpenPGP key\ncode 1\n"
    );
    assert_eq!(ran.output, expected);
    // If nobody has asked, the server is to end all the same.
    let _ = TcpStream::connect(address);
    let request = serving.join().expect("it was asked");
    assert_eq!(
        request.as_deref(),
        Some("GET /pks/lookup?op=get&options=mr&search=0x7F438280EF8D349F HTTP/1.1")
    );
    let mut names: Vec<_> = fs::read_dir(home.path().join("keys"))
        .expect("there")
        .map(|entry| entry.expect("there").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    let path = home.path().join("own.key").display().to_string();
    let path = path.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    // Keys of one name from several places do not replace each other.
    let expected = [format!("host-runner-{path}.asc"), "host-runner-0x7F438280EF8D349F.asc".to_owned()];
    assert_eq!(names, expected);
}

#[test]
fn installations_on_one_board_take_turns() {
    let home = home();
    // Whoever comes first goes on when both others wait for it.
    manager(
        &home,
        "apk",
        "#!/bin/sh\nPATH=/usr/bin:/bin\necho begin $1 >>log\n\
         until [ $(grep -c waiting errors) -ge 2 ]; do sleep 0.01; done\necho end $1 >>log\n",
    );
    home.script(
        "run.sh",
        "for package in a b c; do PATH=$PWD/managers bin/lava-install-packages $package 2>>errors & done\nwait\ncat log\n",
    );
    let mut runner = Runner::over_pipes(&home);
    let ran = runner.run("run.sh", 60, done);
    assert_eq!(ran.output, "begin update\nend update\nbegin add\nend add\n".repeat(3));
    assert_eq!((ran.calls.len(), ran.status), (0, ExitStatus::Code(0)));
}
