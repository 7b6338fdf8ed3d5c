//! A socket that is listened on, of either kind, and what is known of it.

use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::queue;
use super::status::Listener;
use super::unix::{Place, Socket};

/// Longest pause after a round that took something.
const PAUSE_MAX: Duration = Duration::from_millis(1);
/// Datagrams a second at which a socket's buffer must not fill in one pause.
const PACKETS_PER_SECOND: u64 = 1_000_000;
/// What the kernel counts for a small datagram in a buffer of UDP.
const PACKET_BUFFER_BYTES: u64 = 1024;

/// A socket and what is known of it.
pub(super) struct Listening {
    pub(super) socket: AnySocket,
    pub(super) shown: Listener,
    /// The kernel says who sent each of its datagrams.
    pub(super) tells_senders: bool,
    /// The kernel's own count, which wraps.
    drops_before: u32,
}

/// Either kind of socket.
pub(super) enum AnySocket {
    Udp(UdpSocket),
    Unix(Socket, Place),
}

impl AnySocket {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Udp(socket) => socket.as_fd(),
            Self::Unix(socket, _) => socket.socket.as_fd(),
        }
    }
}

impl Listening {
    pub(super) fn new(socket: AnySocket, address: String) -> Self {
        let buffer_bytes = queue::buffer_bytes(socket.fd());
        let tells_senders = matches!(&socket, AnySocket::Unix(_, place) if place.tells_senders());
        let shown = Listener { address, buffer_bytes, kernel_drops: 0 };
        Self { socket, shown, tells_senders, drops_before: 0 }
    }

    /// Its socket is another now, of which the kernel counts from zero.
    pub(super) const fn begin_anew(&mut self) {
        self.drops_before = 0;
    }

    /// Its descriptor.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }

    /// How long it can be left alone. Senders wait where a Unix socket is full, so it is not.
    pub(super) fn pause(&self) -> Duration {
        match self.socket {
            AnySocket::Unix(..) => Duration::ZERO,
            AnySocket::Udp(_) => {
                let half = self.shown.buffer_bytes / PACKET_BUFFER_BYTES / 2;
                Duration::from_nanos(half * (1_000_000_000 / PACKETS_PER_SECOND)).min(PAUSE_MAX)
            }
        }
    }

    /// Datagrams that the kernel dropped since the last call.
    pub(super) fn new_drops(&mut self) -> u64 {
        let Ok(drops) = queue::drops(self.fd()) else { return 0 };
        let new = u64::from(drops.wrapping_sub(self.drops_before));
        self.drops_before = drops;
        self.shown.kernel_drops += new;
        new
    }
}
