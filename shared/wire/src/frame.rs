//! Frames: a four-byte big-endian length, then that many bytes of one protobuf message.
//!
//! A reader never trusts the announced length with memory: it refuses a length above the limit of
//! the message that it expects ([`Framed::BYTES_MAX`]) before it reads on, and below the limit its
//! buffer grows only as bytes arrive.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::proto;

/// Bytes of the length in front of every message.
pub const HEADER_BYTES: usize = 4;

/// How much a reader asks of its source at a time.
const READ_CHUNK_BYTES: usize = 16 * 1024;

/// A message that travels in frames, with the largest size in which it may come.
pub trait Framed: Message + Default {
    /// Name for errors and metrics.
    const NAME: &'static str;
    /// Longest encoding, in bytes, that a reader accepts and a writer produces.
    const BYTES_MAX: usize;
}

impl Framed for proto::Record {
    const NAME: &'static str = "record";
    const BYTES_MAX: usize = 1024 * 1024;
}

impl Framed for proto::Control {
    const NAME: &'static str = "control";
    const BYTES_MAX: usize = 512 * 1024;
}

impl Framed for proto::StreamHeader {
    const NAME: &'static str = "stream header";
    const BYTES_MAX: usize = 64;
}

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length in front is above the limit. What follows cannot be trusted: close the stream.
    #[error("a {name} of {length} bytes is longer than the {max} allowed")]
    TooLong {
        /// Message that was expected.
        name: &'static str,
        /// Length announced, or of the message to be written.
        length: usize,
        /// Limit of the message.
        max: usize,
    },
    /// The source ended inside a frame.
    #[error("the stream ended inside a {name}, {missing} bytes before its end")]
    Truncated {
        /// Message that was expected.
        name: &'static str,
        /// Bytes that never came.
        missing: usize,
    },
    /// The frame is whole but holds no such message. The next frame can still be read.
    #[error("a frame of {length} bytes is no {name}")]
    Decode {
        /// Message that was expected.
        name: &'static str,
        /// Length of the frame.
        length: usize,
        /// What protobuf says.
        #[source]
        source: prost::DecodeError,
    },
    /// The source failed.
    #[error("cannot read a {name}")]
    Io {
        /// Message that was expected.
        name: &'static str,
        /// What the source says.
        #[source]
        source: std::io::Error,
    },
}

impl FrameError {
    /// Stable name of the reason, for metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "frame_too_long",
            Self::Truncated { .. } => "frame_truncated",
            Self::Decode { .. } => "frame_undecodable",
            Self::Io { .. } => "stream_broken",
        }
    }
}

/// Appends `message` to `out` as one frame; on error `out` is as it was.
pub fn encode<M: Framed>(message: &M, out: &mut impl BufMut) -> Result<(), FrameError> {
    out.put_u32(checked_length::<M>(message.encoded_len())?);
    message.encode(out).map_err(|_| unreachable_capacity::<M>(message.encoded_len()))
}

/// One frame with `message` in it.
pub fn to_bytes<M: Framed>(message: &M) -> Result<Bytes, FrameError> {
    let mut out = BytesMut::with_capacity(HEADER_BYTES + message.encoded_len());
    encode(message, &mut out)?;
    Ok(out.freeze())
}

/// The header of a frame whose body of `length` bytes is already encoded.
pub fn header<M: Framed>(length: usize) -> Result<[u8; HEADER_BYTES], FrameError> {
    checked_length::<M>(length).map(u32::to_be_bytes)
}

/// The body of a frame alone, as [`decode`] reads it and the ingest log keeps it.
#[must_use]
pub fn body<M: Framed>(message: &M) -> Bytes {
    message.encode_to_vec().into()
}

/// Decodes the body of a frame.
pub fn decode<M: Framed>(body: Bytes) -> Result<M, FrameError> {
    let length = body.len();
    M::decode(body).map_err(|source| FrameError::Decode { name: M::NAME, length, source })
}

/// Takes the next whole frame's body out of `buffer`, or `None` when more bytes are needed.
///
/// The body is copied out of `buffer` only where protobuf has to; it shares the buffer's memory.
pub fn split<M: Framed>(buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
    let Some(length) = announced::<M>(buffer)? else { return Ok(None) };
    if buffer.len() < HEADER_BYTES + length {
        return Ok(None);
    }
    buffer.advance(HEADER_BYTES);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// Reads frames from a byte stream.
#[derive(Debug)]
pub struct FrameReader<R> {
    source: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from `source`.
    pub fn new(source: R) -> Self {
        Self { source, buffer: BytesMut::new() }
    }

    /// The body of the next frame, or `None` at the end of the source.
    ///
    /// Cancel safe: what was read stays in the reader. After [`FrameError::TooLong`],
    /// [`FrameError::Truncated`] and [`FrameError::Io`] the reader is of no further use.
    pub async fn next_bytes<M: Framed>(&mut self) -> Result<Option<Bytes>, FrameError> {
        loop {
            if let Some(body) = split::<M>(&mut self.buffer)? {
                return Ok(Some(body));
            }
            self.buffer.reserve(READ_CHUNK_BYTES);
            let read = self
                .source
                .read_buf(&mut self.buffer)
                .await
                .map_err(|source| FrameError::Io { name: M::NAME, source })?;
            if read > 0 {
                continue;
            }
            let length = announced::<M>(&self.buffer)?;
            return match (self.buffer.len(), length) {
                (0, _) => Ok(None),
                (have, Some(length)) => {
                    Err(FrameError::Truncated { name: M::NAME, missing: HEADER_BYTES + length - have })
                }
                (have, None) => Err(FrameError::Truncated { name: M::NAME, missing: HEADER_BYTES - have }),
            };
        }
    }

    /// The next message, or `None` at the end of the source. Cancel safe as
    /// [`FrameReader::next_bytes`]; after [`FrameError::Decode`] the next message can be read.
    pub async fn next<M: Framed>(&mut self) -> Result<Option<M>, FrameError> {
        match self.next_bytes::<M>().await? {
            Some(body) => decode(body).map(Some),
            None => Ok(None),
        }
    }

    /// Gives the source back; what was read beyond the last frame is dropped.
    pub fn into_inner(self) -> R {
        self.source
    }
}

/// The length that the frame at the start of `buffer` announces, once its header is there.
fn announced<M: Framed>(buffer: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
    checked_length::<M>(length).map(|_| Some(length))
}

fn checked_length<M: Framed>(length: usize) -> Result<u32, FrameError> {
    let too_long = FrameError::TooLong { name: M::NAME, length, max: M::BYTES_MAX };
    if length > M::BYTES_MAX {
        return Err(too_long);
    }
    u32::try_from(length).map_err(|_| too_long)
}

/// `encode` fails only when a fixed buffer is too small, which a growing one never is.
const fn unreachable_capacity<M: Framed>(length: usize) -> FrameError {
    FrameError::TooLong { name: M::NAME, length, max: M::BYTES_MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn control(reason: &str) -> proto::Control {
        let goodbye = proto::Goodbye { reason: reason.to_owned() };
        proto::Control { frame: Some(proto::control::Frame::Goodbye(goodbye)) }
    }

    #[tokio::test]
    async fn messages_come_out_as_they_went_in_however_the_bytes_are_cut() {
        let sent: Vec<_> = ["a", "", "stop for an upgrade"].into_iter().map(control).collect();
        let mut bytes = BytesMut::new();
        for message in &sent {
            encode(message, &mut bytes).expect("fits");
        }
        for cut in 1..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let mut reader = FrameReader::new(AsyncReadExt::chain(head, tail));
            let mut got = Vec::new();
            while let Some(message) = reader.next::<proto::Control>().await.expect("valid") {
                got.push(message);
            }
            assert_eq!(got, sent, "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn a_length_above_the_limit_is_refused_before_its_bytes_are_awaited() {
        let bytes = u32::MAX.to_be_bytes();
        let mut reader = FrameReader::new(bytes.as_slice());
        let error = reader.next::<proto::Control>().await.expect_err("too long");
        assert_eq!(error.reason(), "frame_too_long");
        assert!(reader.buffer.capacity() <= 2 * READ_CHUNK_BYTES);
    }

    #[tokio::test]
    async fn a_stream_that_ends_inside_a_frame_says_how_much_is_missing() {
        let bytes = to_bytes(&control("bye")).expect("fits");
        let mut reader = FrameReader::new(&bytes[..bytes.len() - 2]);
        let error = reader.next::<proto::Control>().await.expect_err("cut");
        assert!(matches!(error, FrameError::Truncated { missing: 2, .. }), "{error}");
    }

    #[tokio::test]
    async fn a_frame_that_is_no_message_leaves_the_next_one_readable() {
        let mut bytes = BytesMut::from(&[0, 0, 0, 2, 0xff, 0xff][..]);
        encode(&control("still here"), &mut bytes).expect("fits");
        let mut reader = FrameReader::new(bytes.as_ref());
        let error = reader.next::<proto::Control>().await.expect_err("garbage");
        assert_eq!(error.reason(), "frame_undecodable");
        assert_eq!(reader.next::<proto::Control>().await.expect("valid"), Some(control("still here")));
    }

    #[test]
    fn a_message_above_its_limit_is_not_written() {
        let mut out = BytesMut::new();
        let huge = control(&"x".repeat(proto::Control::BYTES_MAX));
        assert_eq!(encode(&huge, &mut out).expect_err("too long").reason(), "frame_too_long");
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_never_allocate_what_they_announce(
            bytes in proptest::collection::vec(any::<u8>(), 0..256)
        ) {
            let mut buffer = BytesMut::from(bytes.as_slice());
            while let Ok(Some(body)) = split::<proto::Record>(&mut buffer) {
                prop_assert!(body.len() <= bytes.len());
                let _ = decode::<proto::Record>(body);
            }
        }
    }
}
