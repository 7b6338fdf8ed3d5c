//! Drops what is old, a segment at a time.

use goldentime_follower::StoreError;
use goldentime_model::UnixNanos;

use super::{SqliteLogs, segment};
use crate::store::Dropped;

impl SqliteLogs {
    pub(super) async fn drop_old(&self, before: UnixNanos, bytes_max: u64) -> Result<Dropped, StoreError> {
        // A disk that is full may take no new segment; all the more must the old ones go.
        let tended = self.end_segment_of_old(before).await;
        let dropped = self.drop_while_too_much(before, bytes_max)?;
        tended.map(|()| dropped).or_else(|error| if dropped.bytes > 0 { Ok(dropped) } else { Err(error) })
    }

    /// Where nothing comes any more, the last lines have their end too.
    async fn end_segment_of_old(&self, before: UnixNanos) -> Result<(), StoreError> {
        let mut place = self.writer.lock().await;
        let mut writer = self.take_writer(&mut place).await?;
        if writer.segment.last_block > 0 && writer.segment.max_at < before.0 {
            writer = self.begin_next(writer).await?;
        }
        *place = Some(writer);
        Ok(())
    }

    fn drop_while_too_much(&self, before: UnixNanos, bytes_max: u64) -> Result<Dropped, StoreError> {
        let mut dropped = Dropped::default();
        loop {
            let sizes: Vec<(u32, u64)> = {
                let segments = self.segments();
                let numbers = segments.iter().flat_map(|segments| segments.keys());
                numbers.map(|number| (*number, segment::disk_bytes(&self.folder, *number))).collect()
            };
            let total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
            let oldest = {
                let segments = self.segments();
                let Some(segments) = &*segments else { return Ok(dropped) };
                match segments.first_key_value() {
                    Some((_, oldest)) if segments.len() > 1 => oldest.clone(),
                    _ => return Ok(dropped),
                }
            };
            let is_old = oldest.max_at < before.0;
            if !is_old && total <= bytes_max {
                return Ok(dropped);
            }
            if let Some(segments) = &mut *self.segments() {
                segments.remove(&oldest.number);
            }
            self.readers.forget(oldest.number);
            segment::remove(&self.folder, oldest.number)?;
            dropped.lines += oldest.lines;
            dropped.lines_for_room += if is_old { 0 } else { oldest.lines };
            dropped.bytes += sizes.first().map_or(0, |(_, bytes)| *bytes);
        }
    }
}
