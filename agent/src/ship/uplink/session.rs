//! One session with the central, from its welcome to its end.

use std::convert::Infallible;
use std::time::Duration;

use goldentime_transport::client::{Session, SessionError};
use goldentime_wire::proto::stream_header::Class;
use tokio_util::sync::CancellationToken;

use super::backlog::send_backlog;
use super::control::ControlLoop;
use super::lane::{Applied, Lane};
use super::link::LinkContext;
use super::outstanding::Outstanding;
use crate::ship::outgoing::RecordKind;
use crate::ship::spool::{SpoolError, StreamPending};

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

    let of_kinds = |kinds: &[RecordKind]| -> Vec<&StreamPending> {
        streams.iter().filter(|stream| stream.is_current && kinds.contains(&stream.kind)).collect()
    };
    let lane = |sender, queue| Lane {
        sender,
        spool: &context.spool,
        queue,
        outstanding: &outstanding,
        state: &context.state,
        cursors: applied.clone(),
    };
    let live = lane(uplink.open_stream(Class::Live).await?, &context.live);
    let logs = lane(uplink.open_stream(Class::Logs).await?, &context.logs);

    let current = async {
        let (live_streams, log_streams) =
            (of_kinds(&[RecordKind::Deltas, RecordKind::Samples]), of_kinds(&[RecordKind::Logs]));
        tokio::try_join!(live.run(&live_streams), logs.run(&log_streams))?;
        // What is not acknowledged by then is sent again at the next start.
        let _ = tokio::time::timeout(SETTLE_MAX, outstanding.settled()).await;
        all_sent.cancel();
        std::future::pending::<Result<Infallible, SessionFailure>>().await
    };
    let backlog = async {
        let sender = uplink.open_stream(Class::Backlog).await?;
        let share = context.config.backlog_bytes_per_second_max.get();
        send_backlog(sender, &context.spool, applied, share, &context.state).await?;
        std::future::pending::<Result<Infallible, SessionFailure>>().await
    };
    let stuck = async {
        match unacknowledged_max {
            Some(limit) => {
                outstanding.stuck(limit).await;
                SessionFailure::Unacknowledged(limit)
            }
            None => std::future::pending().await,
        }
    };
    let (outstanding, uplink, all_sent) = (&outstanding, &uplink, &all_sent);
    let talk = ControlLoop { context, outstanding, uplink, silence_max, all_sent };
    let ended = tokio::select! {
        ended = talk.run(control, replies) => ended,
        Err(failure) = current => Err(failure),
        Err(failure) = backlog => Err(failure),
        failure = stuck => Err(failure),
    };
    uplink.close("goodbye");
    ended
}
