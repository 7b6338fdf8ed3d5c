//! What the kernel holds for a socket, and what it had no room for.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::net::sockopt;

/// Places in the kernel's answer to `SO_MEMINFO` (`linux/sock_diag.h`).
const MEMINFO_DROPS: usize = 8;
const MEMINFO_LENGTH: usize = 9;

/// Asks for a receive buffer of `bytes`, past `net.core.rmem_max` where the process may. What the
/// kernel gives is told by [`buffer_bytes`].
pub fn set_buffer(socket: impl AsFd, bytes: usize) {
    let socket = socket.as_fd();
    if sockopt::set_socket_recv_buffer_size_force(socket, bytes).is_err() {
        // Refused for want of the right: within the limit everyone may. What it gave is shown.
        let _ = sockopt::set_socket_recv_buffer_size(socket, bytes);
    }
}

/// Bytes that the kernel holds for a socket at most, its own bookkeeping included.
#[must_use]
pub fn buffer_bytes(socket: impl AsFd) -> u64 {
    sockopt::socket_recv_buffer_size(socket).map_or(0, |bytes| bytes as u64)
}

/// Datagrams that the kernel dropped on a socket since it was opened, modulo 2^32.
pub fn drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut answer = [0_u32; MEMINFO_LENGTH];
    let mut length = libc::socklen_t::try_from(size_of_val(&answer)).unwrap_or_default();
    // SAFETY: `answer` is valid for writes of `length` bytes, which is what the kernel is told, and any
    // bytes are a valid `u32`. (rustix has no such call.)
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            answer.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(answer[MEMINFO_DROPS]) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn what_does_not_fit_the_buffer_is_told_by_the_kernel() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        set_buffer(&socket, 1);
        assert!(buffer_bytes(&socket) > 0);
        assert_eq!(drops(socket.as_fd()).expect("told"), 0);
        let sender = UdpSocket::bind("127.0.0.1:0").expect("bound");
        for _ in 0..100 {
            sender.send_to(&[b'x'; 1000], socket.local_addr().expect("bound")).expect("sent");
        }
        assert!(drops(socket.as_fd()).expect("told") > 50);
    }
}
