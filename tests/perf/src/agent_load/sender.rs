//! Sends datagrams at a steady rate, many for one call into the kernel.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};

/// Datagrams for one call.
const BATCH: usize = 64;
/// Pause of a sender that is ahead of its rate. Shorter ones would cost the machine more than the
/// sending; at a million datagrams a second 200 come at once.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000 };

/// Sends `datagrams` over and over to `address`, `rate` a second, for `length`. Gives how many it sent.
/// Blocks; what the kernel has no room for on the receiving side is not seen here.
pub fn send(address: SocketAddr, datagrams: &[Vec<u8>], rate: f64, length: Duration) -> io::Result<u64> {
    let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    socket.connect(address)?;
    let (start, mut sent, mut at) = (Instant::now(), 0_u64, 0);
    loop {
        let elapsed = start.elapsed();
        if elapsed >= length {
            return Ok(sent);
        }
        let due = (elapsed.as_secs_f64() * rate) as u64;
        if due < sent + BATCH as u64 {
            // An interrupted pause is a short pause.
            let _ = poll(&mut [], Some(&PAUSE));
            continue;
        }
        let batch = &datagrams[at..(at + BATCH).min(datagrams.len())];
        sent += send_batch(&socket, batch)? as u64;
        at = if at + BATCH >= datagrams.len() { 0 } else { at + BATCH };
    }
}

fn send_batch(socket: &UdpSocket, batch: &[Vec<u8>]) -> io::Result<usize> {
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    // SAFETY: a plain structure of the C library, for which all zeros (no address, no buffer) is a
    // value.
    let mut messages: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    for ((datagram, vector), message) in batch.iter().zip(&mut vectors).zip(&mut messages) {
        *vector = libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
    }
    let mut sent = 0;
    while sent < batch.len() {
        let left = libc::c_uint::try_from(batch.len() - sent).unwrap_or_default();
        // SAFETY: as many messages as told are left in the array, each of which points to one vector and
        // that to a datagram, all of which outlive the call; a send does not write to them.
        let now = unsafe { libc::sendmmsg(socket.as_raw_fd(), messages[sent..].as_mut_ptr(), left, 0) };
        match usize::try_from(now) {
            Ok(now) => sent += now,
            // Nobody listens any more, or the system is out of room: the caller's matter.
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
    Ok(sent)
}
