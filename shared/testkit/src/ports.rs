//! Free ports on loopback.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Ports that this process has handed out: the kernel may give one again before its owner binds it.
static HANDED_OUT: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A TCP port that was free a moment ago and that nobody else in this process was given.
///
/// Another process may take it before its new owner binds it: among some thousand ports that is
/// unlikely, and the owner's start fails loudly if it happens.
#[must_use]
pub fn free_tcp() -> u16 {
    not_handed_out(|| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free TCP port");
        listener.local_addr().expect("a bound socket has an address").port()
    })
}

/// A UDP port that was free a moment ago and that nobody else in this process was given.
#[must_use]
pub fn free_udp() -> u16 {
    not_handed_out(|| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free UDP port");
        socket.local_addr().expect("a bound socket has an address").port()
    })
}

fn not_handed_out(draw: impl Fn() -> u16) -> u16 {
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let port = draw();
        if handed_out.insert(port) {
            return port;
        }
    }
}

/// Loopback with this port.
#[must_use]
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
