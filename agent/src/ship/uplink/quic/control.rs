//! The control stream: pings and pongs, acknowledgements, thresholds, goodbye.

use std::time::Duration;

use goldentime_model::UnixNanos;
use goldentime_transport::client::{ControlReceiver, ControlSender, SessionError, Uplink};
use goldentime_transport::offset::{Exchange, OffsetFilter};
use goldentime_wire::proto::{self, control::Frame};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::link::LinkContext;
use super::session::SessionFailure;
use super::thresholds::watch_table;
use crate::ship::outgoing::StreamId;
use crate::ship::uplink::outstanding::Outstanding;

/// Pause between pings. They renew the lease, measure the clock and carry the agent's report.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// A ping goes this much sooner with a record that is sent just then: an agent that says little sends
/// one packet instead of two, and wakes up once for the answer.
const PING_EARLIER_MAX: Duration = Duration::from_millis(100);

/// A clock that moves against the monotonic one by more than this between two pings was set.
const CLOCK_STEP_NS: i64 = 250_000_000;

/// How long the central may take to confirm the goodbye.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// Talks with the central for one session.
pub(super) struct ControlLoop<'a> {
    pub(super) context: &'a LinkContext,
    pub(super) outstanding: &'a Outstanding,
    pub(super) uplink: &'a Uplink,
    /// Without a pong for this long the session is given up.
    pub(super) silence_max: Duration,
    /// Cancelled when everything was sent and it is time to leave.
    pub(super) all_sent: &'a CancellationToken,
}

impl ControlLoop<'_> {
    /// Runs until the session fails or goodbye was said.
    pub(super) async fn run(
        &self,
        mut control: ControlSender,
        mut replies: ControlReceiver,
    ) -> Result<(), SessionFailure> {
        let mut filter = OffsetFilter::default();
        let mut watch = ClockWatch::default();
        let mut heard_at = Instant::now();
        let mut ping_at = heard_at;
        loop {
            // Only what may be dropped half-way is awaited here; frames are sent in the arms.
            tokio::select! {
                () = self.all_sent.cancelled() => return self.goodbye(control).await,
                failure = self.uplink.closed() => return Err(failure.into()),
                frame = replies.next() => match frame? {
                    Some(Frame::Pong(pong)) => {
                        heard_at = Instant::now();
                        self.take_pong(&pong, &mut filter);
                    }
                    Some(frame) => self.take(frame)?,
                    None => {
                        let detail = "the central ended the control stream".into();
                        return Err(SessionError::StreamEnded { detail }.into());
                    }
                },
                () = sleep_until(heard_at + self.silence_max) => {
                    return Err(SessionFailure::Silent(self.silence_max));
                }
                () = self.outstanding.sent() => ping_at = soonest(ping_at),
                () = sleep_until(ping_at) => {
                    ping_at = Instant::now() + PING_INTERVAL;
                    let now = self.context.shipment.clock.now();
                    if watch.was_set(now) {
                        tracing::warn!("this machine's clock was set; measuring its offset anew");
                        filter.clear();
                    }
                    let ping = proto::Ping {
                        sent_ns: now.0,
                        offset_ns: self.context.shipment.aggregator.clock_offset(),
                        report: Some((self.context.report)()),
                    };
                    control.send(Frame::Ping(ping)).await?;
                    let rtt_ms = self.uplink.rtt().as_secs_f64() * 1e3;
                    self.context.shipment.state.update(|status| status.rtt_ms = Some(rtt_ms));
                }
            }
        }
    }

    fn take(&self, frame: Frame) -> Result<(), SessionFailure> {
        match frame {
            Frame::Ack(ack) => self.take_ack(&ack),
            Frame::Thresholds(thresholds) => {
                tracing::debug!(services = thresholds.services.len(), "thresholds");
                self.context.shipment.aggregator.set_watch(watch_table(&thresholds));
            }
            Frame::Refused(refused) => {
                let (code, detail) = (refused.code, refused.detail);
                return Err(SessionError::Refused { code, detail }.into());
            }
            _ => {}
        }
        Ok(())
    }

    fn take_ack(&self, ack: &proto::Ack) {
        let Some(stream) = StreamId::from_slice(&ack.stream) else { return };
        let new = self.outstanding.note_acknowledged(stream, ack.partition, ack.number);
        self.context.shipment.note_acknowledged(stream, ack.partition, ack.number, new);
    }

    fn take_pong(&self, pong: &proto::Pong, filter: &mut OffsetFilter) {
        let exchange = Exchange {
            sent: UnixNanos(pong.sent_ns),
            received: UnixNanos(pong.received_ns),
            replied: UnixNanos(pong.replied_ns),
            returned: self.context.shipment.clock.now(),
        };
        if !filter.add(&exchange) {
            return;
        }
        let Some(offset_ns) = filter.offset_ns() else { return };
        self.context.shipment.aggregator.set_clock_offset(offset_ns);
        self.context.offset_measured.cancel();
        metrics::gauge!("goldentime_agent_clock_offset_seconds").set(offset_ns as f64 / 1e9);
        self.context.shipment.state.update(|status| status.clock_offset_ms = Some(offset_ns as f64 / 1e6));
    }

    async fn goodbye(&self, mut control: ControlSender) -> Result<(), SessionFailure> {
        let goodbye = Frame::Goodbye(proto::Goodbye { reason: "the agent was stopped".into() });
        let said = async {
            control.send(goodbye).await?;
            control.finish().await
        };
        match tokio::time::timeout(GOODBYE_MAX, said).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "goodbye was not heard")
            }
            Err(_) => tracing::warn!("goodbye was not confirmed in time"),
        }
        Ok(())
    }
}

/// When the ping goes that is due at `ping_at`, if a record goes now.
fn soonest(ping_at: Instant) -> Instant {
    let now = Instant::now();
    if now + PING_EARLIER_MAX >= ping_at { now.min(ping_at) } else { ping_at }
}

/// Sees when the machine's clock is set, by the monotonic one.
#[derive(Debug, Default)]
struct ClockWatch {
    last: Option<(UnixNanos, Instant)>,
}

impl ClockWatch {
    fn was_set(&mut self, now: UnixNanos) -> bool {
        let monotonic = Instant::now();
        let last = self.last.replace((now, monotonic));
        last.is_some_and(|(wall, instant)| {
            let passed =
                i64::try_from(monotonic.saturating_duration_since(instant).as_nanos()).unwrap_or(i64::MAX);
            now.since(wall).saturating_sub(passed).abs() > CLOCK_STEP_NS
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_seen_and_one_that_runs_is_not() {
        let second = 1_000_000_000;
        let mut watch = ClockWatch::default();
        assert!(!watch.was_set(UnixNanos(0)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!watch.was_set(UnixNanos(second)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(watch.was_set(UnixNanos(600 * second)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!watch.was_set(UnixNanos(601 * second)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_goes_with_a_record_that_comes_a_little_before_it() {
        let now = Instant::now();
        assert_eq!(soonest(now + PING_EARLIER_MAX), now);
        let later = now + PING_EARLIER_MAX * 2;
        assert_eq!(soonest(later), later);
    }
}
