//! Free ports on loopback.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// A TCP port that was free a moment ago.
///
/// The kernel hands out ephemeral ports in a rotating order, so that another process takes this one
/// before its new owner binds it is unlikely; the owner's start fails loudly if it happens.
#[must_use]
pub fn free_tcp() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free TCP port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// A UDP port that was free a moment ago.
#[must_use]
pub fn free_udp() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free UDP port");
    socket.local_addr().expect("a bound socket has an address").port()
}

/// Loopback with this port.
#[must_use]
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
