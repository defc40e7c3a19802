//! A server on TCP, and connections to it.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::{Client, receive_record, send_record, tree};
use crate::nfs::serve;
use crate::rootfs::testing::{TarBuilder, layer_of};
use crate::rootfs::{Attributes, Credential, Ino};

pub(super) const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A server on TCP, with the export `/job/1` for [`LOOPBACK`].
pub(super) struct Server {
    /// Makes calls; it answers some by itself, without TCP.
    pub(super) client: Client,
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
    runtime: Runtime,
}

impl Server {
    pub(super) fn new() -> Self {
        Self::of(tree())
    }

    pub(super) fn of(tree: TarBuilder) -> Self {
        let client = Client::of_peer(LOOPBACK.into(), Arc::new(layer_of(tree)));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((LOOPBACK, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let running = Some(runtime.spawn(serve(listener, Arc::clone(&client.exports), stop.clone())));
        Self { client, address, stop, running, runtime }
    }

    pub(super) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// Sends a call on a connection of its own, and takes the reply.
    pub(super) fn ask(&self, call: &[u8]) -> Vec<u8> {
        let stream = self.connect();
        send_record(&stream, call);
        receive_record(&stream).unwrap()
    }

    /// Everything in the root directory and in `etc`.
    pub(super) fn sight(&self) -> Vec<(Vec<u8>, Attributes)> {
        let who = Credential::root();
        let etc = self.client.layer.lookup(Ino::ROOT, b"etc", &who).unwrap().ino;
        let mut seen = Vec::new();
        for dir in [Ino::ROOT, etc] {
            let mut show = |entry: crate::rootfs::DirectoryEntry<'_>| {
                seen.push((entry.name.to_vec(), entry.attributes));
                std::ops::ControlFlow::Continue(())
            };
            self.client.layer.read_directory(dir, 0, &who, &mut show).unwrap();
        }
        seen
    }

    /// Stops the server, and waits until it has ended.
    pub(super) fn end(&mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running).unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that has failed already says why.
        if !std::thread::panicking() {
            self.end();
        }
    }
}
