//! Raw load: NFSv3 calls of a client that does nothing with the answers.

use std::error::Error;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::Path;

use testbench::harness::usage;
use testbench::kernel_client::Network;
use testbench::nfs_client::{Client, Xdr};

use crate::servers::{self, FILE, FILE_SIZE, Place, Program, Server, Took};
use crate::table::{self, Row};

/// One kind of load.
struct Load {
    name: &'static str,
    depth: usize,
    calls: u64,
    /// Bytes of file data of one call; 0 for GETATTR.
    bytes: u64,
    writes: bool,
}

const LOADS: [Load; 6] = [
    Load { name: "GETATTR, depth 1", depth: 1, calls: 20_000, bytes: 0, writes: false },
    Load { name: "GETATTR, depth 16", depth: 16, calls: 100_000, bytes: 0, writes: false },
    Load { name: "READ 64 KiB, depth 4", depth: 4, calls: 8192, bytes: 64 << 10, writes: false },
    Load { name: "READ 1 MiB, depth 4", depth: 4, calls: 512, bytes: 1 << 20, writes: false },
    Load { name: "WRITE 64 KiB, depth 4", depth: 4, calls: 4096, bytes: 64 << 10, writes: true },
    Load { name: "WRITE 1 MiB, depth 4", depth: 4, calls: 256, bytes: 1 << 20, writes: true },
];

/// Measures all loads on all programs, and prints the table; returns where a peer is ahead.
pub(crate) fn measure(
    out: &mut impl Write,
    programs: &[(&'static str, Program)],
    directory: &Path,
    rounds: usize,
) -> Result<Vec<String>, Box<dyn Error>> {
    let network = servers::network()?;
    let directory = tempfile::tempdir_in(directory)?;
    let (address, client) = (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST.into());
    let place = Place { network: &network, address, client, directory: directory.path() };
    let servers = servers::start(&place, programs)?;
    let mut figures = vec![vec![Vec::new(); servers.len()]; LOADS.len()];
    for round in 0..rounds {
        for (load, figures) in LOADS.iter().zip(&mut figures) {
            for (server, figures) in servers.iter().zip(figures) {
                let took = run(&network, server, load);
                if let Err(error) = &took {
                    writeln!(out, "round {round}: {}, {}: {error}", server.name, load.name)?;
                }
                figures.push(took.ok());
            }
        }
    }
    let rows = LOADS.iter().zip(&figures).map(|(load, rounds)| Row {
        name: load.name,
        rounds,
        show: Box::new(|wall, cpu| load.show(wall, cpu)),
    });
    Ok(table::print(out, "raw load, loopback", &servers, &rows.collect::<Vec<_>>())?)
}

impl Load {
    /// What is shown for seconds, and for seconds of CPU time.
    fn show(&self, wall: f64, cpu: f64) -> (String, String) {
        if self.bytes == 0 {
            let calls = self.calls as f64;
            return (format!("{:.1} k/s", calls / wall / 1e3), format!("{:.1} us", cpu / calls * 1e6));
        }
        let mib = (self.calls * self.bytes) as f64 / f64::from(1 << 20);
        (format!("{:.0} MiB/s", mib / wall), format!("{:.2} ms/MiB", cpu / mib * 1e3))
    }
}

/// One load on one server.
fn run(network: &Network, server: &Server, load: &Load) -> io::Result<Took> {
    let directory = Client::over(network.connect(server.mount)?)?.mount(&server.path)?;
    let mut client = Client::over(network.connect(server.nfs)?)?;
    let handle =
        if load.writes { client.create(&directory, "written")? } else { client.lookup(&directory, FILE)? };
    let (procedure, data) = match (load.bytes, load.writes) {
        (0, _) => (1, Vec::new()),
        (_, false) => (6, Vec::new()),
        (bytes, true) => (7, vec![b'y'; bytes as usize]),
    };
    let arguments = (0..load.calls).map(|call| {
        let file = Xdr::default().opaque(&handle);
        let offset = call * load.bytes % FILE_SIZE;
        match procedure {
            1 => file,
            6 => file.u64(offset).u32(load.bytes as u32),
            // UNSTABLE.
            _ => file.u64(offset).u32(load.bytes as u32).u32(0).opaque(&data),
        }
    });
    let before = usage::cpu_time(server.process.id())?;
    let mut wall = client.load(procedure, load.depth, arguments)?;
    if load.writes {
        let all = Xdr::default().opaque(&handle).u64(0).u32(0);
        wall += client.load(21, 1, std::iter::once(all))?;
    }
    Ok(Took { wall, cpu: usage::cpu_time(server.process.id())?.saturating_sub(before) })
}
