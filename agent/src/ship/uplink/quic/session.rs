//! One session with the central, from its welcome to its end.

use std::convert::Infallible;
use std::time::Duration;

use goldentime_transport::client::{Session, SessionError, Uplink};
use goldentime_wire::proto::stream_header::Class;
use tokio_util::sync::CancellationToken;

use super::control::ControlLoop;
use super::link::{Cargo, LinkContext};
use super::sender::Sender;
use crate::ship::spool::{SpoolError, StreamPending};
use crate::ship::uplink::backlog::send_backlog;
use crate::ship::uplink::lane::{Lane, current_streams};
use crate::ship::uplink::outstanding::Outstanding;
use crate::ship::uplink::shipment::Applied;

/// How long a clean stop waits for the acknowledgement of what it has sent.
const SETTLE_MAX: Duration = Duration::from_secs(3);

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionFailure {
    /// The connection or the central.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// What was to be sent could not be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Another agent has used numbers of ours.
    #[error("another agent uses the streams of this one: was the machine or its state directory cloned?")]
    Fork,
    /// The central stopped answering, though the connection stands.
    #[error("the central has answered no ping for {} s", .0.as_secs())]
    Silent(Duration),
    /// The central answers, and what it was sent does not get to the log.
    #[error("the central has acknowledged nothing for {} s; another one may reach the log", .0.as_secs())]
    Unacknowledged(Duration),
    /// The central has another number of partitions than at the last session.
    #[error("the central has {now} partitions now, {before} before; opening new streams")]
    Partitions {
        /// Number known before.
        before: u32,
        /// Number told in the welcome.
        now: u32,
    },
}

/// Runs a welcomed session until it fails, or until nothing comes any more and goodbye is said.
pub(super) async fn run(
    context: &LinkContext,
    session: Session,
    streams: &[StreamPending],
    applied: &Applied,
    silence_max: Duration,
    unacknowledged_max: Option<Duration>,
) -> Result<(), SessionFailure> {
    let Session { control, replies, uplink, .. } = session;
    let outstanding = Outstanding::default();
    let all_sent = CancellationToken::new();
    let cargo = async {
        match &context.cargo {
            Cargo::Records => {
                let carrying = Carrying { uplink: &uplink, outstanding: &outstanding, all_sent: &all_sent };
                carry(context, carrying, streams, applied, unacknowledged_max).await
            }
            Cargo::None { left } => {
                left.cancelled().await;
                all_sent.cancel();
                std::future::pending().await
            }
        }
    };
    let (outstanding, uplink, all_sent) = (&outstanding, &uplink, &all_sent);
    let talk = ControlLoop { context, outstanding, uplink, silence_max, all_sent };
    let ended = tokio::select! {
        ended = talk.run(control, replies) => ended,
        Err(failure) = cargo => Err(failure),
    };
    uplink.close("goodbye");
    ended
}

/// What records are carried with.
struct Carrying<'a> {
    uplink: &'a Uplink,
    outstanding: &'a Outstanding,
    all_sent: &'a CancellationToken,
}

/// Sends records until it fails. `all_sent` is cancelled once nothing comes any more and what was sent is
/// acknowledged, or had the time to be.
async fn carry(
    context: &LinkContext,
    Carrying { uplink, outstanding, all_sent }: Carrying<'_>,
    streams: &[StreamPending],
    applied: &Applied,
    unacknowledged_max: Option<Duration>,
) -> Result<Infallible, SessionFailure> {
    let shipment = &context.shipment;
    let lane = |sender, queue| Lane {
        carrier: Sender(sender),
        shipment,
        queue,
        outstanding,
        cursors: applied.clone(),
    };
    let live = lane(uplink.open_stream(Class::Live).await?, &shipment.live);
    let logs = lane(uplink.open_stream(Class::Logs).await?, &shipment.logs);
    let current = async {
        let (live_streams, log_streams) = current_streams(streams);
        tokio::try_join!(live.run(&live_streams), logs.run(&log_streams))?;
        // What is not acknowledged by then is sent again at the next start.
        let _ = tokio::time::timeout(SETTLE_MAX, outstanding.settled()).await;
        all_sent.cancel();
        std::future::pending::<Result<Infallible, SessionFailure>>().await
    };
    let backlog = async {
        let sender = Sender(uplink.open_stream(Class::Backlog).await?);
        let share = context.config.backlog_bytes_per_second_max.get();
        send_backlog(sender, shipment, applied, share).await?.0.finish()?;
        std::future::pending::<Result<Infallible, SessionFailure>>().await
    };
    let stuck = async {
        match unacknowledged_max {
            Some(limit) => {
                outstanding.stuck(limit).await;
                Err(SessionFailure::Unacknowledged(limit))
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = current => ended,
        ended = backlog => ended,
        ended = stuck => ended,
    }
}
