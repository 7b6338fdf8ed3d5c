//! What became of the records that are on their way.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use goldentime_kafka::{KafkaFailure, Receipt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::ship::outgoing::StreamId;
use crate::ship::uplink::outstanding::Outstanding;
use crate::ship::uplink::shipment::Shipment;

/// Why a record is discarded that is larger than its topic takes, as metrics and `status` name it.
pub(super) const TOO_LARGE: &str = "kafka_record_too_large";

/// A record that was given in.
pub(super) struct InFlight {
    pub(super) stream: StreamId,
    pub(super) partition: u32,
    pub(super) number: u64,
    pub(super) receipt: Receipt,
    /// Its part of what its class may have on the way.
    pub(super) room: OwnedSemaphorePermit,
}

/// Notes what is durable, until nobody sends any more and every receipt has told.
///
/// Receipts of a partition come in order, since the producer keeps it; those of other partitions may
/// overtake them, so that a broker that is slow holds up no acknowledgement of another's. A record that
/// the producer gave up at its end stays in the spool.
pub(super) async fn collect(
    mut given_in: mpsc::Receiver<InFlight>,
    shipment: &Shipment,
    outstanding: &Outstanding,
) {
    let mut waiting = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !waiting.is_empty() {
        tokio::select! {
            next = given_in.recv(), if is_open => match next {
                Some(InFlight { stream, partition, number, receipt, room }) => {
                    waiting.push(async move {
                        let outcome = receipt.await;
                        drop(room);
                        (stream, partition, number, outcome)
                    });
                }
                None => is_open = false,
            },
            Some((stream, partition, number, outcome)) = waiting.next() => {
                match outcome {
                    Ok(_) => shipment.note_acknowledged(stream, partition, number, 1),
                    Err(KafkaFailure::Refused { topic, bytes }) => {
                        tracing::warn!(topic, bytes, partition, number, "a record was refused, and is dropped");
                        if let Err(error) = shipment.spool.discard(stream, partition, number, TOO_LARGE).await {
                            // It is sent, and refused, once more at the next start.
                            tracing::warn!(error = &error as &dyn std::error::Error, "it stays in the spool");
                        }
                    }
                    Err(_) => continue,
                }
                outstanding.note_acknowledged(stream, partition, number);
            }
        }
        shipment.state.update_kafka(|status| status.in_flight = waiting.len() as u64);
    }
}
