//! What a link is given to write.

use std::sync::Arc;

use ::redis::{Pipeline, Value};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::common::InFlight;
use super::failure::Failure;
use super::keys::{Field, encode_value};

/// A cell on its way.
#[derive(Clone, Debug)]
pub(super) struct CellWrite {
    pub(super) key: Arc<str>,
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) blob: Bytes,
    pub(super) ttl_s: i64,
    /// The slot is on its way to this node: each command needs leave.
    pub(super) asking: bool,
}

/// Written whole, or answered with why not. There is an answer for each cell.
pub(super) struct Job {
    pub(super) cells: Arc<[CellWrite]>,
    pub(super) reply: oneshot::Sender<Result<Vec<Value>, Failure>>,
    pub(super) _bytes: InFlight,
}

impl CellWrite {
    /// Bytes that it takes while it waits: the cell, its names and numbers.
    pub(super) fn bytes(&self) -> usize {
        self.blob.len() + self.key.len() + 128
    }

    /// Adds the commands. The first writes, the other sees to it that the key goes: what is cut between
    /// the two was not answered and is written again.
    pub(super) fn render(&self, pipeline: &mut Pipeline, boot: &str, epoch: u64) {
        let field = Field { partition: self.partition, boot, epoch }.name();
        if self.asking {
            pipeline.cmd("ASKING");
        }
        pipeline.cmd("HSET").arg(&*self.key).arg(field).arg(encode_value(self.offset, &self.blob));
        if self.asking {
            pipeline.cmd("ASKING");
        }
        pipeline.cmd("EXPIRE").arg(&*self.key).arg(self.ttl_s);
    }

    /// Takes this one's answer from all answers to the pipeline: the first error, if there is one.
    pub(super) fn take_answer(&self, answers: &mut impl Iterator<Item = Value>) -> Option<Value> {
        let count = 2 << usize::from(self.asking);
        let mut taken: Vec<Value> = answers.by_ref().take(count).collect();
        let error = taken.iter().position(|value| matches!(value, Value::ServerError(_)));
        (taken.len() == count).then(|| taken.swap_remove(error.unwrap_or(0)))
    }
}
