//! SNTP server (RFC 4330, RFC 5905) for boards without a clock battery.
//!
//! It serves the bench PC's own clock and says so: stratum 10, the local clock as reference. Boards believe it
//! (`ntpdate`, systemd-timesyncd), and anything that also hears a better clock prefers that one.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

/// Length of a packet without extensions, in bytes.
pub const PACKET: usize = 48;

/// Seconds from 1900, where NTP counts from, to 1970.
const UNIX_EPOCH_IN_NTP: u64 = 2_208_988_800;
/// "Not synchronised to a better clock": below every real server, above 16, which means "do not use".
const STRATUM: u8 = 10;
/// A clock of about a microsecond's resolution, as a power of two.
const PRECISION: i8 = -20;
/// What the bench PC's clock may be off, in 2^-16 s: 10 ms.
const ROOT_DISPERSION: u32 = 655;
/// The conventional address of a local clock, 127.127.1.0.
const REFERENCE_ID: [u8; 4] = [127, 127, 1, 0];
const CLIENT: u8 = 3;
const SERVER: u8 = 4;

/// Answers requests on `socket` until `stop`.
///
/// # Errors
/// The socket's, when it cannot be used any more.
pub async fn serve(socket: UdpSocket, stop: CancellationToken) -> io::Result<()> {
    let mut request = [0; 512];
    loop {
        let (length, peer) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            received = socket.recv_from(&mut request) => match received {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            },
        };
        let received = SystemTime::now();
        if let Some(reply) = reply(request.get(..length).unwrap_or_default(), received, SystemTime::now()) {
            // A reply that cannot be sent is like one that is lost: the client asks again.
            let _ = socket.send_to(&reply, peer).await;
        }
    }
}

/// Answers one request; `None` if it is not a client's request of NTP version 1 to 4.
///
/// `received` and `transmitted` are the bench PC's time when the request came and when the answer leaves. What
/// follows the first 48 bytes (extensions, a signature) is ignored.
///
/// Source: RFC 4330 §4 (packet), §6 (server).
pub fn reply(request: &[u8], received: SystemTime, transmitted: SystemTime) -> Option<[u8; PACKET]> {
    let request: &[u8; PACKET] = request.first_chunk()?;
    let [flags, _, poll, ..] = *request;
    let version = (flags >> 3) & 7;
    let is_client = flags & 7 == CLIENT || (version == 1 && flags & 7 == 0);
    if !(1..=4).contains(&version) || !is_client {
        return None;
    }
    let origin = &request[40..48];
    let fields: [&[u8]; 8] = [
        &[version << 3 | SERVER, STRATUM, poll, PRECISION.to_be_bytes()[0]],
        &0u32.to_be_bytes(),
        &ROOT_DISPERSION.to_be_bytes(),
        &REFERENCE_ID,
        &timestamp(received),
        origin,
        &timestamp(received),
        &timestamp(transmitted),
    ];
    let mut reply = [0; PACKET];
    for (to, from) in reply.iter_mut().zip(fields.into_iter().flatten()) {
        *to = *from;
    }
    Some(reply)
}

/// Writes a time as NTP does: seconds since 1900 modulo 2^32 (the era is the client's to guess), and 2^-32 s.
fn timestamp(time: SystemTime) -> [u8; 8] {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = (since_1970.as_secs() + UNIX_EPOCH_IN_NTP) & u64::from(u32::MAX);
    let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
    (seconds << 32 | fraction).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use proptest::prelude::*;
    use tokio::net::UdpSocket;
    use tokio_util::sync::CancellationToken;

    use super::{PACKET, reply, serve, timestamp};

    fn request(version: u8, mode: u8) -> [u8; PACKET] {
        let mut request = [0; PACKET];
        request[0] = version << 3 | mode;
        request[2] = 6;
        request[40..].copy_from_slice(b"ORIGINAL");
        request
    }

    #[test]
    fn a_reply_has_the_fields_that_clients_check() {
        let received = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        let transmitted = UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
        let reply = reply(&request(4, 3), received, transmitted).unwrap();
        assert_eq!(reply[0], 0b00_100_100, "no leap warning, version 4, mode server");
        assert_eq!(reply[1..4], [10, 6, (-20i8) as u8], "stratum, the client's poll interval, precision");
        assert_eq!(reply[4..8], [0; 4], "root delay");
        assert!((1..65536).contains(&u32::from_be_bytes(reply[8..12].try_into().unwrap())), "below 1 s");
        assert_eq!(reply[16..24], timestamp(received), "reference");
        assert_eq!(&reply[24..32], b"ORIGINAL");
        assert_eq!(reply[32..40], timestamp(received));
        assert_eq!(reply[40..48], timestamp(transmitted));
    }

    #[test]
    fn times_are_counted_from_1900_and_wrap_in_2036() {
        assert_eq!(timestamp(UNIX_EPOCH), [0x83, 0xaa, 0x7e, 0x80, 0, 0, 0, 0]);
        let half = UNIX_EPOCH + Duration::from_millis(500);
        assert_eq!(timestamp(half), [0x83, 0xaa, 0x7e, 0x80, 0x80, 0, 0, 0]);
        let era_1 = UNIX_EPOCH + Duration::from_secs((1 << 32) - 2_208_988_800 + 7);
        assert_eq!(timestamp(era_1), [0, 0, 0, 7, 0, 0, 0, 0]);
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(1)), timestamp(UNIX_EPOCH));
    }

    #[test]
    fn versions_1_to_4_are_answered_in_kind() {
        for version in 1..=4 {
            let reply = reply(&request(version, 3), UNIX_EPOCH, UNIX_EPOCH).unwrap();
            assert_eq!(reply[0] >> 3, version);
        }
        assert!(reply(&request(1, 0), UNIX_EPOCH, UNIX_EPOCH).is_some(), "version 1 has no mode");
    }

    #[test]
    fn whatever_is_not_a_client_s_request_is_ignored() {
        for (version, mode) in
            [(0, 3), (5, 3), (7, 3), (4, 0), (4, 1), (4, 2), (4, 4), (4, 5), (4, 6), (4, 7)]
        {
            assert_eq!(reply(&request(version, mode), UNIX_EPOCH, UNIX_EPOCH), None, "{version} {mode}");
        }
        assert_eq!(reply(&request(4, 3)[..47], UNIX_EPOCH, UNIX_EPOCH), None);
        assert_eq!(reply(&[], UNIX_EPOCH, UNIX_EPOCH), None);
    }

    proptest! {
        #[test]
        fn any_datagram_is_taken_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = reply(&bytes, SystemTime::now(), SystemTime::now());
        }
    }

    #[tokio::test]
    async fn a_client_gets_the_time_and_the_server_stops() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(socket, stop.clone()));
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.send_to(b"junk", address).await.unwrap();
        let before = timestamp(SystemTime::now());
        client.send_to(&request(4, 3), address).await.unwrap();
        let mut reply = [0; 100];
        let length =
            tokio::time::timeout(Duration::from_secs(30), client.recv(&mut reply)).await.unwrap().unwrap();
        assert_eq!(length, PACKET);
        assert!(reply[40..48] >= before[..] && reply[40..48] <= timestamp(SystemTime::now())[..]);
        stop.cancel();
        server.await.unwrap().unwrap();
    }
}
