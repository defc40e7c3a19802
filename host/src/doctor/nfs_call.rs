//! Whether NFS and MOUNT answer at the bench's address: a NULL call of each (RFC 1813 §3.3.0, §5.2.0), from this PC.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::finding::{BENCH, Check, Finding, Findings};
use crate::fault::Class;
use crate::net::Net;
use crate::nfs;
use crate::run::NFS_PORT;

/// How long the calls may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Numbers of the programs, and the version of both (RFC 1813).
const PROGRAMS: [(&str, u32); 2] = [("NFS", 100_003), ("MOUNT", 100_005)];
const VERSION: u32 = 3;
/// The last fragment of a record has this bit (RFC 5531 §11).
const LAST_FRAGMENT: u32 = 1 << 31;

/// Serves nothing by NFS at `address` for a moment, and calls it there. The port is the one that a run would take.
pub(super) async fn check(address: IpAddr, findings: &mut Findings<'_>) {
    findings.add(match timeout(LIMIT, serve_and_call(address)).await {
        // This PC's own packets pass no firewall: `firewall` looks at the rules.
        Ok(Ok(at)) => {
            Finding::ok(Check::NfsServer, BENCH, format!("NFS and MOUNT answer at {at}, called from this PC"))
        }
        Ok(Err(error)) => fault(address, &error.to_string()),
        Err(_) => fault(address, &format!("no answer within {} s", LIMIT.as_secs())),
    });
}

fn fault(address: IpAddr, why: &str) -> Finding {
    let text = format!("our own NFS server cannot be called at {address} from this PC: {why}");
    Finding::fault(Check::NfsServer, BENCH, Class::Infrastructure, text)
        .with_help("look for rules that drop TCP to this address: `sudo nft list ruleset`")
}

async fn serve_and_call(address: IpAddr) -> io::Result<SocketAddr> {
    let listener = match Net::Host.listen_tcp(SocketAddr::new(address, NFS_PORT)).await {
        Ok(listener) => listener,
        Err(_) => Net::Host.listen_tcp(SocketAddr::new(address, 0)).await?,
    };
    let at = listener.local_addr()?;
    let stop = CancellationToken::new();
    let server = tokio::spawn(nfs::serve(listener, nfs::Exports::new(), stop.clone()));
    let called = async {
        let mut stream = Net::Host.connect_tcp(at).await?;
        for (name, program) in PROGRAMS {
            null_call(&mut stream, program)
                .await
                .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        }
        Ok(())
    }
    .await;
    stop.cancel();
    // One that panicked has not answered either.
    let _ = server.await;
    called.map(|()| at)
}

/// Calls procedure 0 of `program` without credentials.
async fn null_call(stream: &mut TcpStream, program: u32) -> io::Result<()> {
    const CALL: u32 = 0;
    const RPC_VERSION: u32 = 2;
    // Number of the call (the program's does), header, procedure 0, credential and verifier without content.
    let words = [program, CALL, RPC_VERSION, program, VERSION, 0, 0, 0, 0, 0];
    let mut record = (LAST_FRAGMENT | 40).to_be_bytes().to_vec();
    record.extend(words.into_iter().flat_map(u32::to_be_bytes));
    stream.write_all(&record).await?;
    // Number of the call, REPLY, accepted, verifier without content, success.
    let expected = [LAST_FRAGMENT | 24, program, 1, 0, 0, 0, 0];
    for word in expected {
        if stream.read_u32().await? != word {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is no success"));
        }
    }
    Ok(())
}
