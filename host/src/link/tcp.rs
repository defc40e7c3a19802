//! A console behind a TCP port, such as ser2net's raw mode.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::net::Net;

/// How long name look-up and connection may take together.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Why a console's TCP port could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum TcpError {
    /// The name has no address.
    #[error("the console server's name {host} cannot be resolved; check the bench file's `console`")]
    Resolve {
        /// The name.
        host: String,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// Nobody listens, or the network is down.
    #[error("the console server at {host}:{port} cannot be reached; is it running, and is the port right?")]
    Connect {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// No answer at all.
    #[error("the console server at {host}:{port} did not answer within {} s", limit.as_secs())]
    Silent {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// How long it was waited for.
        limit: Duration,
    },
}

/// Connects to `host`:`port`, trying each of its addresses.
///
/// # Errors
/// [`TcpError`]; the whole attempt is bounded.
pub(super) async fn connect(net: &Net, host: &str, port: u16) -> Result<TcpStream, TcpError> {
    timeout(CONNECT_LIMIT, attempt(net, host, port)).await.unwrap_or_else(|_elapsed| {
        Err(TcpError::Silent { host: host.to_owned(), port, limit: CONNECT_LIMIT })
    })
}

async fn attempt(net: &Net, host: &str, port: u16) -> Result<TcpStream, TcpError> {
    let addresses = lookup_host((host, port))
        .await
        .map_err(|source| TcpError::Resolve { host: host.to_owned(), source })?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match net.connect_tcp(address).await.and_then(prepare) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(TcpError::Connect { host: host.to_owned(), port, source: last })
}

/// Single key presses leave at once, and a dead console server is noticed some day.
fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn bytes_cross_a_tcp_console_both_ways() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"U-Boot\xff\r\n").await.unwrap();
            let mut typed = [0; 5];
            stream.read_exact(&mut typed).await.unwrap();
            typed
        });

        let mut console = connect(&Net::Host, "127.0.0.1", port).await.unwrap();
        let mut banner = [0; 9];
        console.read_exact(&mut banner).await.unwrap();
        console.write_all(b"boot\n").await.unwrap();

        assert_eq!(&banner, b"U-Boot\xff\r\n");
        assert_eq!(&peer.await.unwrap(), b"boot\n");
    }

    #[tokio::test]
    async fn a_refused_connection_names_the_server_and_keeps_the_cause() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);

        let error = connect(&Net::Host, "127.0.0.1", port).await.unwrap_err();

        let text = crate::fault::Chain(&error).to_string();
        assert!(text.contains(&format!("127.0.0.1:{port} cannot be reached")), "{text}");
        assert!(text.contains("refused"), "{text}");
    }
}
