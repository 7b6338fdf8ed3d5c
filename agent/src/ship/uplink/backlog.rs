//! What earlier streams left: sent in the order of its flushes, at a bounded rate, beside what is
//! live.

use std::time::Duration;

use tokio::time::Instant;

use super::carrier::{Carried, Carrier};
use super::shipment::{Applied, Shipment};

/// Bytes read and sent at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Sends the whole backlog once, and gives the carrier back. Records are not noted as outstanding: a
/// clean stop does not wait for them, they are sent on at the next start.
pub(super) async fn send_backlog<C: Carrier>(
    mut carrier: C,
    shipment: &Shipment,
    applied: &Applied,
    bytes_per_second_max: u64,
) -> Result<C, C::Failure> {
    let mut after_seq = 0;
    let (mut records_sent, started) = (0_u64, Instant::now());
    loop {
        let chunk = shipment.spool.read_backlog(after_seq, CHUNK_BYTES).await?;
        let Some((last_seq, _)) = chunk.last() else { break };
        after_seq = *last_seq;
        let (mut bytes, chunk_started) = (0_u64, Instant::now());
        for (_, record) in chunk {
            if applied.get(&(record.stream, record.partition)).is_some_and(|number| record.number <= *number)
            {
                continue;
            }
            bytes += record.body.len() as u64;
            if carrier.carry(record).await? == Carried::Sent {
                records_sent += 1;
                shipment.state.update(|status| status.sent += 1);
            }
        }
        let share = Duration::from_secs_f64(bytes as f64 / bytes_per_second_max.max(1) as f64);
        tokio::time::sleep_until(chunk_started + share).await;
    }
    if records_sent > 0 {
        let took_s = started.elapsed().as_secs_f64();
        tracing::info!(records = records_sent, took_s, "sent what an earlier run or an outage had left");
    }
    Ok(carrier)
}
