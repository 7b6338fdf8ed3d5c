//! Many datagrams for one call into the kernel.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use memchr::{memchr, memrchr};

use super::config::BATCH_PACKETS;

/// Between two buffers, so that their beginnings do not all fall into the same set of the
/// processor's cache.
const STAGGER_BYTES: usize = 192;
/// Room for the sender's credentials and for nothing else: file descriptors that a sender attaches find
/// none, and the kernel closes them.
const CONTROL_BYTES: usize =
    // SAFETY: it only calculates.
    unsafe { libc::CMSG_SPACE(size_of::<libc::ucred>() as libc::c_uint) } as usize;

/// Buffers for a batch of datagrams.
pub struct Batch {
    buffers: Box<[u8]>,
    packet_bytes: usize,
    messages: Box<[libc::mmsghdr; BATCH_PACKETS]>,
    vectors: Box<[libc::iovec; BATCH_PACKETS]>,
    controls: Box<[Control; BATCH_PACKETS]>,
    received: usize,
}

/// What the kernel says of a datagram, aligned as its header is.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

/// A datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it holds, up to the longest length.
    pub bytes: &'a [u8],
    /// It was longer.
    pub is_cut: bool,
    /// The process that sent it, where the kernel was asked and can tell.
    pub pid: Option<u32>,
}

impl<'a> Packet<'a> {
    /// Its lines but for empty ones; of a cut one without the last, which is not whole.
    pub fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let whole =
            if self.is_cut { memrchr(b'\n', self.bytes).unwrap_or_default() } else { self.bytes.len() };
        let mut rest = &self.bytes[..whole];
        let lines = std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            Some(line.strip_suffix(b"\r").unwrap_or(line))
        });
        lines.filter(|line| !line.is_empty())
    }
}

impl Batch {
    /// Room for [`BATCH_PACKETS`] datagrams of `packet_bytes`.
    #[must_use]
    pub fn new(packet_bytes: usize) -> Self {
        // SAFETY: both are plain structures of the C library, numbers and pointers, for which all
        // zeros (no address, no buffer, no flags) is a value.
        let (messages, vectors) =
            unsafe { (MaybeUninit::zeroed().assume_init(), MaybeUninit::zeroed().assume_init()) };
        Self {
            buffers: vec![0; BATCH_PACKETS * (packet_bytes + STAGGER_BYTES)].into(),
            packet_bytes,
            messages: Box::new(messages),
            vectors: Box::new(vectors),
            controls: Box::new([Control([0; CONTROL_BYTES]); BATCH_PACKETS]),
            received: 0,
        }
    }

    /// Takes what waits in the kernel, as much as fits; 0 if nothing waits. Never blocks. Senders are
    /// only known where `with_sender` and the socket has `SO_PASSCRED`.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, with_sender: bool) -> io::Result<usize> {
        self.received = 0;
        let buffers = self.buffers.chunks_exact_mut(self.packet_bytes + STAGGER_BYTES);
        for ((buffer, vector), message) in buffers.zip(&mut *self.vectors).zip(&mut *self.messages) {
            *vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: self.packet_bytes };
            message.msg_hdr.msg_iov = &raw mut *vector;
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_flags = 0;
            message.msg_len = 0;
        }
        for (control, message) in self.controls.iter_mut().zip(&mut *self.messages) {
            message.msg_hdr.msg_control =
                if with_sender { control.0.as_mut_ptr().cast() } else { std::ptr::null_mut() };
            message.msg_hdr.msg_controllen = if with_sender { CONTROL_BYTES } else { 0 };
        }
        // SAFETY: each of the messages points to one vector, and that to a buffer of at least
        // `packet_bytes` bytes which no other points to, and to no control buffer or one of its own of
        // the length that it says; all of them belong to `self`, which is borrowed for the call. No
        // addresses are asked for, and no time limit. (rustix has no such call, and a call for each
        // datagram costs as much as the rest.)
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.messages.as_mut_ptr(),
                BATCH_PACKETS as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        if let Ok(received) = usize::try_from(received) {
            self.received = received;
            return Ok(received);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
            _ => Err(error),
        }
    }

    /// What was taken last.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        let buffers = self.buffers.chunks_exact(self.packet_bytes + STAGGER_BYTES);
        buffers.zip(&*self.messages).take(self.received).map(|(buffer, message)| Packet {
            bytes: &buffer[..(message.msg_len as usize).min(self.packet_bytes)],
            is_cut: message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            pid: sender(&message.msg_hdr),
        })
    }
}

/// The process whose credentials the kernel put beside a datagram. A process of another world of process
/// numbers is number 0, which is none.
fn sender(header: &libc::msghdr) -> Option<u32> {
    if header.msg_controllen == 0 {
        return None;
    }
    // SAFETY: the header's control buffer is one of the batch's, as long as the kernel says that it
    // wrote; the first message in it is looked at only where there is one, and its data read only where
    // it is credentials in full length, whose bytes are any numbers.
    let credentials = unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if message.is_null()
            || (*message).cmsg_level != libc::SOL_SOCKET
            || (*message).cmsg_type != libc::SCM_CREDENTIALS
            || (*message).cmsg_len < libc::CMSG_LEN(size_of::<libc::ucred>() as libc::c_uint) as usize
        {
            return None;
        }
        libc::CMSG_DATA(message).cast::<libc::ucred>().read_unaligned()
    };
    u32::try_from(credentials.pid).ok().filter(|pid| *pid != 0)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg, sockopt};

    use super::*;

    #[test]
    fn a_batch_holds_what_was_sent_in_its_order_and_no_more() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let mut batch = Batch::new(1024);
        assert_eq!(batch.receive(socket.as_fd(), false).expect("received"), 0);
        assert_eq!(batch.packets().count(), 0);
        let sent: Vec<Vec<u8>> = (0..BATCH_PACKETS + 6).map(|n| vec![n as u8; n % 9 * 128]).collect();
        for packet in &sent {
            sender.send_to(packet, socket.local_addr().expect("bound")).expect("sent");
        }
        let mut seen = Vec::new();
        while batch.receive(socket.as_fd(), false).expect("received") > 0 {
            seen.extend(batch.packets().map(|packet| (packet.bytes.to_vec(), packet.is_cut)));
        }
        assert_eq!(seen, sent.into_iter().map(|bytes| (bytes, false)).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_datagram_is_cut_and_says_so() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("bound");
        for length in [1024, 1025] {
            sender.send_to(&vec![7; length], socket.local_addr().expect("bound")).expect("sent");
        }
        let mut batch = Batch::new(1024);
        assert_eq!(batch.receive(socket.as_fd(), false).expect("received"), 2);
        let seen: Vec<_> = batch.packets().map(|packet| (packet.bytes.len(), packet.is_cut)).collect();
        assert_eq!(seen, [(1024, false), (1024, true)]);
    }

    #[test]
    fn the_kernel_tells_who_sent_a_datagram_and_leaves_no_descriptor_behind() {
        let (ours, theirs) = UnixDatagram::pair().expect("made");
        sockopt::set_socket_passcred(&ours, true).expect("set");
        let (reader, writer) = io::pipe().expect("made");
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut attached = SendAncillaryBuffer::new(&mut room);
        let open = [writer.as_fd()];
        assert!(attached.push(SendAncillaryMessage::ScmRights(&open)));
        sendmsg(&theirs, &[io::IoSlice::new(b"a:1|c")], &mut attached, SendFlags::empty()).expect("sent");
        drop(writer);
        let mut batch = Batch::new(1024);
        assert_eq!(batch.receive(ours.as_fd(), true).expect("received"), 1);
        let packet = batch.packets().next().expect("a packet");
        assert_eq!((packet.bytes, packet.pid), (&b"a:1|c"[..], Some(std::process::id())));
        // Nobody holds the pipe's other end any more.
        let mut ends = [PollFd::new(&reader, PollFlags::IN)];
        poll(&mut ends, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })).expect("polled");
        assert!(ends[0].revents().contains(PollFlags::HUP));
    }

    fn split(bytes: &[u8], is_cut: bool) -> Vec<String> {
        Packet { bytes, is_cut, pid: None }
            .lines()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }

    #[test]
    fn a_datagram_is_cut_into_lines_and_empty_ones_passed_over() {
        assert_eq!(split(b"a:1|c\nb:2|c", false), ["a:1|c", "b:2|c"]);
        assert_eq!(split(b"\na:1|c\r\n\n", false), ["a:1|c"]);
        assert!(split(b"", false).is_empty());
        assert!(split(b"\n\n", false).is_empty());
    }

    #[test]
    fn of_a_cut_datagram_the_last_line_is_not_taken() {
        assert_eq!(split(b"a:1|c\nb:2", true), ["a:1|c"]);
        assert!(split(b"a:1", true).is_empty());
    }
}
