//! A UDP socket to listen on.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::queue::set_buffer;

/// Reads an address as the configuration has it.
#[must_use]
pub fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

/// Listens on an address, with a receive buffer of `buffer_bytes` if the kernel gives it.
pub fn listen(address: SocketAddr, buffer_bytes: usize) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    set_buffer(&socket, buffer_bytes);
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_kinds_are_read_and_names_are_not() {
        assert_eq!(address("127.0.0.1:8125").map(|address| address.port()), Some(8125));
        assert!(address("[::1]:8125").is_some_and(|address| address.is_ipv6()));
        for wrong in ["localhost:8125", "127.0.0.1", "::1:8125", ":8125", "8125"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_socket_takes_the_room_that_it_is_given() {
        let socket = listen(SocketAddr::from(([127, 0, 0, 1], 0)), 64 << 10).expect("listens");
        assert!(crate::inputs::statsd::queue::buffer_bytes(&socket) >= 64 << 10);
    }
}
