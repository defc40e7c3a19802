//! Large directories, as the kernel reads them.

use testbench::kernel_client::{Guest, MOUNT_POINT, Server};

use crate::{Bench, PATIENCE};

/// Names of the large directory.
const NAMES: usize = 100_000;

/// The names that the client finds in the directory, once each, and the number of those found twice.
fn names(client: &mut Guest) -> (usize, usize) {
    let list = format!(
        "ls -1AU {MOUNT_POINT}/large >names && sort names | uniq | wc -l && sort names | uniq --repeated | wc -l"
    );
    let counts = client.run_well(&list, PATIENCE).unwrap();
    let mut counts = counts.lines().map(|line| line.parse().unwrap());
    (counts.next().unwrap(), counts.next().unwrap())
}

#[test]
fn a_directory_of_100000_names_is_listed_whole_and_changed() {
    let bench = Bench::with_files((0..NAMES).map(|number| format!("large/name-{number}")));
    let _server: Server = bench.serve();
    let mut client = bench.client();
    assert_eq!(names(&mut client), (NAMES, 0));
    let change = format!(
        "cd {MOUNT_POINT}/large && seq -f name-%g 0 100 99999 | xargs rm && seq -f new-%g 0 499 | xargs touch"
    );
    client.run_well(&change, PATIENCE).unwrap();
    assert_eq!(names(&mut client), (NAMES - 1000 + 500, 0));
    // Deep in the directory, and not by reading it.
    let found =
        client.run(&format!("ls {MOUNT_POINT}/large/name-99999 {MOUNT_POINT}/large/name-99900"), PATIENCE);
    let found = found.unwrap().output;
    assert!(found.contains("name-99999\n") && found.contains("name-99900': No such file"), "{found}");
}

#[test]
fn names_that_stay_are_found_once_while_others_come_and_go() {
    const STAY: usize = 5000;
    let bench = Bench::with_files((0..STAY).map(|number| format!("large/name-{number}")));
    let _server = bench.serve();
    let mut client = bench.client();
    let script = format!(
        "cd {MOUNT_POINT}/large\n\
         (n=0; while [ ! -e /run/stop ]; do n=$((n + 1)); : >come-$n; [ $n -le 50 ] || rm come-$((n - 50)); done; echo $n >/run/churn) &\n\
         for round in 1 2 3 4 5; do\n\
             echo 3 >/proc/sys/vm/drop_caches\n\
             find . -name 'name-*' >/run/found 2>/run/complaints\n\
             # Of names that went before it looked at them find does complain.\n\
             grep -v /come- /run/complaints && exit 1\n\
             echo \"$(sort /run/found | uniq | wc -l) $(wc -l </run/found)\"\n\
         done\n\
         : >/run/stop; wait\n\
         cat /run/churn"
    );
    let output = client.run_well(&script, PATIENCE).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    let expected = format!("{STAY} {STAY}");
    let (churn, rounds) = lines.split_last().unwrap();
    assert_eq!(rounds, [expected.as_str(); 5], "{output}");
    let churn: usize = churn.parse().unwrap();
    assert!(churn > 100, "only {churn} names came while the directory was read");
}
