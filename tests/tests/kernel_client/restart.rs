//! The server killed and started again under a client at work.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use host_runner::rootfs::Origin;
use testbench::kernel_client::{Guest, MOUNT_POINT, Server};
use testbench::tree_tar;

use crate::{Bench, PATIENCE};

/// Bytes by which the layer's log grows until the server is killed.
const GROWTH: u64 = 16 << 10;
/// How often it is killed while files are unpacked, and while they are removed.
const KILLS: [usize; 2] = [3, 2];

/// The server, killed again and again.
struct Killed<'a> {
    bench: &'a Bench,
    server: Server,
    /// What the servers before it printed.
    printed: String,
}

impl Killed<'_> {
    /// Runs a script, and kills the server `kills` times meanwhile.
    fn during(&mut self, client: &mut Guest, script: &str, kills: usize) {
        let log = self.bench.run().join("rootfs/board/layer/log");
        let step = client.start(script).unwrap();
        for kill in 1..=kills {
            let (before, started) = (size(&log), Instant::now());
            while size(&log).abs_diff(before) < GROWTH {
                assert!(
                    started.elapsed() < PATIENCE && !client.has_finished(step),
                    "kill {kill} of {kills} did not come about: {:?}",
                    client.finish(step, Duration::ZERO)
                );
                std::thread::sleep(Duration::from_millis(1));
            }
            self.printed += &self.server.printed();
            // Two servers cannot have one port.
            self.server.kill().unwrap();
            self.server = self.bench.serve();
        }
        let ended = client.finish(step, PATIENCE).unwrap();
        assert_eq!((ended.status, ended.output.as_str()), (0, ""), "{script}");
    }
}

#[test]
fn a_tree_is_unpacked_and_removed_while_the_server_is_killed_five_times() {
    let bench = Bench::new();
    let mut killed = Killed { bench: &bench, server: bench.serve(), printed: String::new() };
    let mut client = bench.client();
    let tar = client.directory().join("files.tar");
    tree_tar::write(&tar).unwrap();
    let tar = tar.display();
    let unpack =
        format!("mkdir {MOUNT_POINT}/tree && tar --extract --file {tar} --directory {MOUNT_POINT}/tree");
    killed.during(&mut client, &unpack, KILLS[0]);

    // From the server, and not what the client remembers.
    let compare = format!(
        "echo 3 >/proc/sys/vm/drop_caches; tar --compare --file {tar} --directory {MOUNT_POINT}/tree && \
         find {MOUNT_POINT}/tree -type f | wc -l"
    );
    let compared = client.run_well(&compare, PATIENCE).unwrap();
    assert_eq!(compared.trim(), tree_tar::FILES.to_string());

    killed.during(&mut client, &format!("rm -r {MOUNT_POINT}/tree"), KILLS[1]);
    assert_eq!(client.run_well(&format!("ls {MOUNT_POINT}"), PATIENCE).unwrap(), "etc\n");

    let printed = killed.printed + &killed.server.printed();
    let torn = printed.lines().filter(|line| line.starts_with("repaired: "));
    let damage: Vec<&str> = torn.filter(|line| !line.starts_with("repaired: cut ")).collect();
    assert!(damage.is_empty(), "{damage:#?}");
    killed.server.kill().unwrap();
    let kept = bench.run().join("rootfs/board");
    let (_, repairs) = Origin::read(&kept).unwrap().open(&kept).unwrap();
    assert!(repairs.is_empty(), "{repairs:?}");
}

/// Bytes of a file.
fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}
