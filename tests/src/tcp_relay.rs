//! A relay that breaks TCP connections, and loses what the server answered last.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use host_runner::net::Net;
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// When connections break.
#[derive(Clone, Copy, Debug)]
pub struct Cuts {
    /// Age at which a connection is broken, as by a reset in the network.
    pub age: Duration,
    /// How long before that nothing of the server's reaches the client any more: the server does what it is asked, and its
    /// replies are lost.
    pub silence: Duration,
}

/// A running relay; ends when dropped.
#[derive(Debug)]
pub struct TcpRelay {
    address: SocketAddr,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    cuts: AtomicUsize,
    lossy: AtomicUsize,
}

impl TcpRelay {
    /// Listens at `address` for clients of `server`, in the network `net`. Must be called inside a runtime.
    ///
    /// # Errors
    /// Those of listening.
    pub async fn start(net: Net, address: SocketAddr, server: SocketAddr, cuts: Cuts) -> io::Result<Self> {
        let listener = net.listen_tcp(address).await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let counting = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            // Ended with the relay, and its connections with it.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (net, counts) = (net.clone(), Arc::clone(&counting));
                connections.spawn(async move {
                    // A client whose server is not there is told so by the closed connection.
                    if let Ok(server) = net.connect_tcp(server).await {
                        relay(client, server, cuts, &counts).await;
                    }
                });
            }
        });
        Ok(Self { address, counts, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that were broken, and how many of them lost something of the server's.
    pub fn cuts(&self) -> (usize, usize) {
        (self.counts.cuts.load(Ordering::Relaxed), self.counts.lossy.load(Ordering::Relaxed))
    }
}

impl Drop for TcpRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Relays between two connections until one ends or both are broken.
async fn relay(mut client: TcpStream, mut server: TcpStream, cuts: Cuts, counts: &Counts) {
    let end = Instant::now() + cuts.age;
    let lost = AtomicUsize::new(0);
    let broken = {
        let ((client_in, client_out), (server_in, server_out)) = (client.split(), server.split());
        let never = end + cuts.age;
        tokio::select! {
            _ = copy(client_in, server_out, never, &lost) => false,
            _ = copy(server_in, client_out, end - cuts.silence, &lost) => false,
            () = sleep_until(end) => true,
        }
    };
    if broken {
        counts.cuts.fetch_add(1, Ordering::Relaxed);
        counts.lossy.fetch_add(usize::from(lost.into_inner() > 0), Ordering::Relaxed);
        for stream in [&client, &server] {
            // Closed with a reset. Where that cannot be set, the peer has closed already.
            let _ = set_socket_linger(stream, Some(Duration::ZERO));
        }
    }
}

/// Copies until `silent`, and then loses what comes.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    silent: Instant,
    lost: &AtomicUsize,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        if Instant::now() < silent {
            to.write_all(&buffer[..count]).await?;
        } else {
            lost.fetch_add(count, Ordering::Relaxed);
        }
    }
}
