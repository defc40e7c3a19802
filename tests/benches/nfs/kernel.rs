//! Programs on a mounted root filesystem, through a kernel's NFS client.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use testbench::harness::usage;
use testbench::kernel_client::{CLIENT, Guest, MOUNT_POINT, SERVER};
use testbench::tree_tar;

use crate::servers::{self, Place, Program, Server, Took};
use crate::table::{self, Row};

/// What is done, in this order, in the mounted directory: name, and script of the shell. The kernel has forgotten all that
/// it knew of the file system before each.
const STEPS: [(&str, &str); 6] = [
    ("read 128 MiB", "dd if=file of=/dev/null bs=1M"),
    ("write 128 MiB + fsync", "dd if=/dev/zero of=written bs=1M count=128 conv=fsync"),
    ("untar 2,000 files", "mkdir tree && tar --extract --file /run/files.tar --directory tree"),
    ("find + stat", "find tree -printf %s"),
    ("read all", "find tree -type f -exec cat {} +"),
    ("rm -r", "rm -r tree"),
];

/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures all steps on all programs, and prints the table; returns where a peer is ahead.
pub(crate) fn measure(
    out: &mut impl Write,
    programs: &[(&'static str, Program)],
    directory: &Path,
    rounds: usize,
) -> Result<Vec<String>, Box<dyn Error>> {
    let network = servers::network()?;
    let directory = tempfile::tempdir_in(directory)?;
    let place =
        Place { network: &network, address: SERVER, client: CLIENT.into(), directory: directory.path() };
    let servers = servers::start(&place, programs)?;
    let mut client = Guest::boot(&network)?;
    let tar = client.directory().join("files.tar");
    tree_tar::write(&tar)?;
    client.run_well(&format!("cp {} /run/files.tar", tar.display()), PATIENCE)?;
    let mut figures = vec![vec![Vec::new(); servers.len()]; STEPS.len()];
    for round in 0..rounds {
        for (index, server) in servers.iter().enumerate() {
            client.mount_from(server.nfs, server.mount.port(), &server.path)?;
            for ((name, script), figures) in STEPS.iter().zip(&mut figures) {
                let took = run(&mut client, server, script);
                if let Err(error) = &took {
                    writeln!(out, "round {round}: {}, {name}: {error}", server.name)?;
                }
                figures[index].push(took.ok());
            }
            // What a failed step left behind would be in the way of the next round.
            client.run_well(
                &format!("rm -rf {MOUNT_POINT}/tree {MOUNT_POINT}/written; umount {MOUNT_POINT}"),
                PATIENCE,
            )?;
        }
    }
    let rows = STEPS.iter().zip(&figures).map(|((name, _), rounds)| Row {
        name,
        rounds,
        show: Box::new(|wall, cpu| (format!("{:.0} ms", wall * 1e3), format!("{:.0} ms", cpu * 1e3))),
    });
    Ok(table::print(out, "kernel client", &servers, &rows.collect::<Vec<_>>())?)
}

/// One step on one server, timed by the client's clock.
fn run(client: &mut Guest, server: &Server, script: &str) -> io::Result<Took> {
    let before = usage::cpu_time(server.process.id())?;
    let timed = format!(
        "cd {MOUNT_POINT} && sync && echo 3 >/proc/sys/vm/drop_caches || exit\n\
         begin=$(date +%s%N)\n\
         {{ {script}; }} >/dev/null 2>/run/errors || {{ tail -n 3 /run/errors; exit 1; }}\n\
         end=$(date +%s%N)\n\
         echo $((end - begin))"
    );
    let output = client.run_well(&timed, PATIENCE)?;
    let nanoseconds = output.trim().parse().map_err(|_| io::Error::other(output.clone()))?;
    let cpu = usage::cpu_time(server.process.id())?.saturating_sub(before);
    Ok(Took { wall: Duration::from_nanos(nanoseconds), cpu })
}
