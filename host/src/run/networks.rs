//! TFTP, NFS and SNTP for the boards of a run, in each network that its boards are in.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::board::Board;
use crate::board::virtual_network::{Seat, VirtualNetwork};
use crate::event::EventKind;
use crate::fault::{Chain, Class, Fault};
use crate::net::Net;
use crate::plan::{Action, Plan};
use crate::ports::low_port_help;
use crate::run::context::node_id;
use crate::run::{Emitter, JobRun};
use crate::text::Size;
use crate::tftp::{TftpEvent, TftpEventKind};
use crate::{nfs, sntp, tftp};

/// Where boards ask for files.
pub(crate) const TFTP_PORT: u16 = 69;
/// Where boards look for NFS unless they are told another port.
pub(crate) const NFS_PORT: u16 = 2049;
/// Where boards ask for the time.
pub(crate) const NTP_PORT: u16 = 123;

/// The networks that a run's boards are in, with what is served there.
pub(crate) struct Networks {
    bench: Option<Services>,
    virtual_boards: Option<VirtualBoards>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The network of the virtual boards.
struct VirtualBoards {
    network: VirtualNetwork,
    services: Services,
    /// Where each node's board is plugged in.
    seats: HashMap<String, Seat>,
}

/// What is served in one network.
#[derive(Clone)]
pub(crate) struct Services {
    /// Makes sockets in it.
    pub(crate) net: Net,
    /// Our own address in it.
    pub(crate) address: IpAddr,
    /// Files for TFTP.
    pub(crate) files: Arc<tftp::Table>,
    /// Root filesystems for NFS.
    pub(crate) exports: Arc<nfs::Exports>,
    /// Port of NFS and MOUNT.
    pub(crate) nfs_port: u16,
}

impl Networks {
    /// Makes the network of the virtual boards if there are any, and starts what is served.
    pub(crate) async fn start(job: &JobRun) -> Result<Self, Fault> {
        let boards = || job.plan.boards();
        let mut networks = Self {
            bench: None,
            virtual_boards: None,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let virtual_boards: Vec<&str> =
            boards().filter(|(_, board)| board.is_virtual()).map(|(node, _)| node.name.as_str()).collect();
        if !virtual_boards.is_empty() {
            let settings = job.bench.virtual_network;
            let program = std::env::current_exe()
                .map_err(|error| Fault::from_error(Class::Infrastructure, "virtual network", &error))?;
            let network =
                VirtualNetwork::start(&program, settings.address, settings.prefix, virtual_boards.len())
                    .await
                    .map_err(|error| {
                        Fault::from_error(Class::Infrastructure, "virtual network", &error)
                            .with_optional_help(error.help())
                    })?;
            let services = networks.serve(network.net(), settings.address.into(), None, job).await?;
            let pid = network.helper_pid();
            job.emitter.note(format!(
                "the virtual boards' network is that of process {pid}: `sudo nsenter --target {pid} --net` enters it"
            ));
            let names = virtual_boards.iter().map(|&name| name.to_owned());
            let seats = names.zip(network.seats()).collect();
            networks.virtual_boards = Some(VirtualBoards { network, services, seats });
        }
        let served: Vec<&Arc<Board>> = boards()
            .filter(|(node, board)| !board.is_virtual() && node.needs_services(board))
            .map(|(_, board)| board)
            .collect();
        if !served.is_empty() {
            let address = job.bench.address.ok_or_else(|| {
                Fault::new(
                    Class::Bench,
                    job.bench.path.display().to_string(),
                    "the bench file does not say at which address the boards reach this PC",
                )
                .with_help("add `[network]` with `address = \"…\"`")
            })?;
            let peers = served.iter().map(|board| board.address).collect();
            networks.bench = Some(networks.serve(Net::Host, address, peers, job).await?);
        }
        Ok(networks)
    }

    /// What is served to `board`.
    pub(crate) fn services(&self, board: &Board) -> Option<&Services> {
        if board.is_virtual() {
            self.virtual_boards.as_ref().map(|boards| &boards.services)
        } else {
            self.bench.as_ref()
        }
    }

    /// The network of the virtual boards, and where that of `node` is plugged in.
    pub(crate) fn seat(&self, node: &str) -> Option<(&VirtualNetwork, &Seat)> {
        let boards = self.virtual_boards.as_ref()?;
        Some((&boards.network, boards.seats.get(node)?))
    }

    /// Stops what is served.
    pub(crate) async fn shut_down(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Serves at `address` in `net`. `peers` are the addresses of all boards, if they are known: other runs may serve their
    /// boards at the same ports then.
    async fn serve(
        &self,
        net: Net,
        address: IpAddr,
        peers: Option<Vec<IpAddr>>,
        job: &JobRun,
    ) -> Result<Services, Fault> {
        let files = tftp::Table::new();
        let sockets = udp_sockets(&net, SocketAddr::new(address, TFTP_PORT), peers.as_deref()).await;
        for socket in sockets.map_err(|error| port_fault("TFTP", address, TFTP_PORT, &error))? {
            let server = tftp::Server::on(net.clone(), socket, address, Arc::clone(&files))
                .map_err(|error| port_fault("TFTP", address, TFTP_PORT, &error))?;
            self.supervise("TFTP", job, server.run(tftp_events(job), self.stop.clone()));
        }

        let exports = nfs::Exports::new();
        // Boards are told the port, so any will do where 2049 belongs to somebody else.
        let nfs = match net.listen_tcp(SocketAddr::new(address, NFS_PORT)).await {
            Ok(listener) => Ok(listener),
            Err(_) => net.listen_tcp(SocketAddr::new(address, 0)).await,
        };
        let listener = nfs.map_err(|error| port_fault("NFS", address, NFS_PORT, &error))?;
        let nfs_port =
            listener.local_addr().map_err(|error| port_fault("NFS", address, NFS_PORT, &error))?.port();
        self.tasks.spawn(nfs::serve(listener, Arc::clone(&exports), self.stop.clone()));

        self.serve_port_mapper(&net, address, nfs_port, job).await;
        match udp_sockets(&net, SocketAddr::new(address, NTP_PORT), peers.as_deref()).await {
            Ok(sockets) => sockets.into_iter().for_each(|socket| {
                self.supervise("SNTP", job, sntp::serve(socket, self.stop.clone()));
            }),
            Err(error) => job.emitter.warn(format!(
                "time is not served to the boards: port {NTP_PORT} of {address} cannot be bound: {error}"
            )),
        }
        Ok(Services { net, address, files, exports, nfs_port })
    }

    /// Serves the port mapper where nobody else does. The board types' own commands tell boards the port of NFS; only
    /// a job with commands of its own may need it.
    async fn serve_port_mapper(&self, net: &Net, address: IpAddr, nfs_port: u16, job: &JobRun) {
        let at = SocketAddr::new(address, nfs::PORT_MAPPER_PORT);
        let sockets = async { io::Result::Ok((net.listen_tcp(at).await?, net.bind_udp(at).await?)) };
        match sockets.await {
            Ok((listener, socket)) => {
                let served = nfs::serve_port_mapper(listener, socket, nfs_port, self.stop.clone());
                self.supervise("port mapper", job, served);
            }
            Err(error) if needs_port_mapper(&job.plan) => job.emitter.warn(format!(
                "boards are not told the port of NFS by a port mapper: port {} of {address} cannot be bound: {error}; \
                 commands that do not say `port={{NFS_PORT}},mountport={{NFS_PORT}}` do not find it",
                nfs::PORT_MAPPER_PORT
            )),
            Err(_) => {}
        }
    }

    /// Runs a server until the end of the run; one that fails before says so.
    fn supervise(
        &self,
        what: &'static str,
        job: &JobRun,
        server: impl Future<Output = io::Result<()>> + Send + 'static,
    ) {
        let emitter = job.emitter.clone();
        self.tasks.spawn(async move {
            if let Err(error) = server.await {
                emitter.warn(format!("the {what} server has failed: {error}"));
            }
        });
    }
}

/// Whether a board is given an NFS root by commands that do not say its port.
fn needs_port_mapper(plan: &Plan) -> bool {
    let says_no_port = |commands: &[String]| {
        let has = |name: &str| commands.iter().any(|command| command.contains(name));
        has("{NFSROOTFS}") && !has("{NFS_PORT}")
    };
    plan.nodes.iter().flat_map(|node| &node.steps).any(|step| match &step.action {
        Action::BootUboot(boot) => says_no_port(&boot.loader.commands),
        Action::BootBootloader(boot) => says_no_port(&boot.loader.commands),
        _ => false,
    })
}

/// The sockets of a port at which boards ask: for each of `peers` one, and one for strangers, who are told that nothing is
/// served to them; or one for all of them.
pub(crate) async fn udp_sockets(
    net: &Net,
    at: SocketAddr,
    peers: Option<&[IpAddr]>,
) -> io::Result<Vec<UdpSocket>> {
    let Some(peers) = peers.filter(|_| net.can_share(at)) else { return Ok(vec![net.bind_udp(at).await?]) };
    let mut sockets = Vec::with_capacity(peers.len() + 1);
    for peer in peers.iter().copied().map(Some).chain([None]) {
        sockets.push(net.share_udp(at, peer).await?);
    }
    Ok(sockets)
}

fn port_fault(what: &str, address: IpAddr, port: u16, error: &io::Error) -> Fault {
    let fault = Fault::new(
        Class::Infrastructure,
        format!("{what} server"),
        format!("cannot bind {address}:{port}: {error}"),
    );
    match error.kind() {
        io::ErrorKind::PermissionDenied => fault.with_help(low_port_help(error)),
        io::ErrorKind::AddrInUse => fault.with_help(format!(
            "another program holds the port; `ss -lnp 'sport = :{port}'` names it. If it is another run of host-runner: \
             give its boards and those of this run an `address` each in the bench file, then they share the port"
        )),
        io::ErrorKind::AddrNotAvailable => {
            fault.with_help("`[network] address` of the bench file must be an address of this PC")
        }
        _ => fault,
    }
}

/// Passes the TFTP server's events on, each for the node whose id the file name begins with.
fn tftp_events(job: &JobRun) -> impl Fn(TftpEvent) + Send + Sync + 'static {
    let nodes: HashMap<String, Emitter> = job
        .plan
        .nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (node_id(job.started, index), job.emitter.for_node(&node.name)))
        .collect();
    let run = job.emitter.clone();
    move |event| {
        let id = event.name.trim_start_matches('/').split('/').next().unwrap_or_default();
        let emitter = nodes.get(id).unwrap_or(&run);
        let file = event.name.rsplit('/').next().unwrap_or_default();
        match &event.kind {
            TftpEventKind::Started { .. } => (),
            TftpEventKind::Progress { done, total } => emitter.emit(EventKind::Progress {
                what: format!("tftp {file}"),
                done: *done,
                total: Some(*total),
            }),
            TftpEventKind::Done { bytes, took, block_size, window, retransmits } => {
                let seconds = took.as_secs_f64();
                emitter.note(format!(
                    "served {file} by TFTP: {} in {seconds:.2} s ({:.1} MB/s), blocks of {block_size} bytes, window \
                     {window}, {retransmits} blocks sent again",
                    Size(*bytes),
                    *bytes as f64 / 1e6 / seconds.max(f64::EPSILON)
                ));
            }
            TftpEventKind::Failed(error) => {
                emitter.warn(format!("TFTP of {file} to {} failed: {}", event.peer, Chain(error)));
            }
            TftpEventKind::Refused(error) => emitter.warn(format!(
                "TFTP request of {} for `{}` refused: {}",
                event.peer,
                event.name,
                Chain(error)
            )),
        }
    }
}
