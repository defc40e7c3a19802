//! The blocks of a window in one system call: the kernel cuts them apart (`UDP_SEGMENT`, udp(7)).

use std::io;
use std::net::UdpSocket;

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

/// Most bytes of one UDP datagram over IPv4, which bounds a burst as well.
const MAX_BURST: usize = 65_507;
/// Most datagrams that every kernel since 4.18 makes of one burst (`UDP_MAX_SEGMENTS`).
const MAX_SEGMENTS: usize = 64;
/// Bytes before the payload of a block.
const HEADER: usize = 4;

/// Datagrams of equal size, of which only the last may be shorter, on their way to the socket.
#[derive(Debug, Default)]
pub(super) struct Burst {
    bytes: Vec<u8>,
    /// Size of a datagram, in bytes; 0 until it is known.
    segment: usize,
    waiting: usize,
    /// How many datagrams go at once; 1 if the kernel cannot cut.
    limit: usize,
}

impl Burst {
    /// Gets ready for blocks of `block_size` bytes in windows of `window` blocks, on first use.
    pub(super) fn prepare(&mut self, socket: &UdpSocket, block_size: u64, window: u64) {
        if self.segment != 0 {
            return;
        }
        self.segment = usize::try_from(block_size).unwrap_or(MAX_BURST).saturating_add(HEADER);
        let fits = (MAX_BURST / self.segment).min(MAX_SEGMENTS);
        let limit = usize::try_from(window).unwrap_or(MAX_SEGMENTS).min(fits);
        self.limit = if limit > 1 && cut(socket, self.segment) { limit } else { 1 };
    }

    /// Appends the datagram that `write` appends; none if that fails.
    ///
    /// # Errors
    /// Those of `write`.
    pub(super) fn push<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let begin = self.bytes.len();
        let written = write(&mut self.bytes);
        match written {
            Ok(()) => self.waiting += 1,
            // The beginning of a block would pass for a short one, and so for the end of the file.
            Err(_) => self.bytes.truncate(begin),
        }
        written
    }

    /// Returns whether no further datagram has room.
    pub(super) fn is_full(&self) -> bool {
        self.waiting >= self.limit
    }

    /// Sends what waits, and behind it a datagram of another kind.
    ///
    /// # Errors
    /// The socket's; what was not sent is gone, like a lost datagram.
    pub(super) fn send_other(&mut self, socket: &UdpSocket, datagram: &[u8]) -> io::Result<()> {
        self.flush(socket)?;
        if self.limit > 1 && datagram.len() > self.segment {
            // The kernel would cut this one as well.
            self.limit = 1;
            cut(socket, 0);
        }
        socket.send(datagram).map(drop)
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// The socket's; what waited is gone then, like a lost datagram.
    pub(super) fn flush(&mut self, socket: &UdpSocket) -> io::Result<()> {
        if self.waiting == 0 {
            return Ok(());
        }
        let result = match socket.send(&self.bytes) {
            // The network card or the route cannot: such as datagrams that are longer than its frames.
            Err(_) if self.waiting > 1 => {
                self.limit = 1;
                cut(socket, 0);
                self.bytes.chunks(self.segment).try_for_each(|datagram| socket.send(datagram).map(drop))
            }
            result => result.map(drop),
        };
        self.bytes.clear();
        self.waiting = 0;
        result
    }
}

/// Tells the kernel to cut what is longer than `segment` bytes; 0 ends that. Returns whether it does.
fn cut(socket: &UdpSocket, segment: usize) -> bool {
    i32::try_from(segment).is_ok_and(|segment| setsockopt(socket, UdpGsoSegment, &segment).is_ok())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::Burst;

    fn pair() -> (UdpSocket, UdpSocket) {
        let [sender, receiver] = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        (sender, receiver)
    }

    fn send_three(block_size: u64, window: u64) -> Vec<usize> {
        let (sender, receiver) = pair();
        let mut burst = Burst::default();
        burst.prepare(&sender, block_size, window);
        let size = usize::try_from(block_size).unwrap() + 4;
        for (index, size) in [size, size, 5].into_iter().enumerate() {
            let write = |out: &mut Vec<u8>| {
                out.extend(std::iter::repeat_n(index as u8, size));
                Ok::<(), ()>(())
            };
            burst.push(write).unwrap();
            if burst.is_full() {
                burst.flush(&sender).unwrap();
            }
        }
        burst.flush(&sender).unwrap();
        let mut datagram = vec![0; 65_536];
        (0..3u8)
            .map(|index| {
                let length = receiver.recv(&mut datagram).unwrap();
                assert!(datagram[..length].iter().all(|byte| *byte == index));
                length
            })
            .collect()
    }

    #[test]
    fn nothing_is_left_of_a_block_that_cannot_be_written() {
        let (sender, receiver) = pair();
        let mut burst = Burst::default();
        burst.prepare(&sender, 8, 4);
        for (byte, result) in [(1, Ok(())), (2, Err(())), (3, Ok(()))] {
            let write = |out: &mut Vec<u8>| {
                out.extend([byte; 12]);
                result
            };
            assert_eq!(burst.push(write), result);
        }
        burst.flush(&sender).unwrap();
        let mut datagram = [0; 100];
        for byte in [1, 3] {
            let length = receiver.recv(&mut datagram).unwrap();
            assert_eq!(datagram[..length], [byte; 12]);
        }
    }

    #[test]
    fn a_datagram_of_another_kind_arrives_whole() {
        let (sender, receiver) = pair();
        let mut burst = Burst::default();
        burst.prepare(&sender, 8, 4);
        burst.send_other(&sender, &[7; 30]).unwrap();
        assert_eq!(receiver.recv(&mut [0; 100]).unwrap(), 30);
    }

    #[test]
    fn a_burst_arrives_as_datagrams_whether_the_kernel_cuts_or_not() {
        assert_eq!(send_three(512, 1), [516, 516, 5]);
        assert_eq!(send_three(512, 8), [516, 516, 5]);
        assert_eq!(send_three(8, 2), [12, 12, 5]);
        // Longer than half of the largest datagram: none fits beside another.
        assert_eq!(send_three(40_000, 8), [40_004, 40_004, 5]);
    }
}
