//! Everything that a cluster is made of fails, at random points of an incident. Afterwards counts are nginx's and
//! the incident was told once.
//!
//! `make test` draws two rows of the matrix; `make test-full` goes through all, at twenty points each. A seed
//! that is printed draws the same points again; `GOLDENTIME_POINTS` sets how many each row gets.

use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_e2e::cluster::{Cluster, Makeup};
use goldentime_e2e::cluster_fault::{FAULTS, Fault, How, Part};
use goldentime_e2e::fault::Dice;
use goldentime_e2e::is_full;
use goldentime_e2e::world::{BAD, FINE};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Requests a second over both hosts.
const RATE: f64 = 100.0;
/// The fault begins at most so long before the incident.
const BEFORE_MAX: Duration = Duration::from_secs(4);
/// Or so long after it: while it is noticed and told.
const AFTER_MAX: Duration = Duration::from_millis(1200);
/// An incident is at least so long. One that ends with its page, a moment after the rule became true, goes to and
/// fro over the threshold of 30% in the rule's five seconds, and is rightly told twice.
const INCIDENT_MIN: Duration = Duration::from_secs(3);
/// A page comes within this time of the fault's end, or of the incident where the fault leaves it its way.
const TOLD_WITHIN: Duration = Duration::from_secs(30);
/// Rows that the short form draws.
const ROWS: usize = 2;
/// Points that one cluster goes through: what is compared must still be in live windows, which reach back
/// twenty minutes.
const POINTS_MAX: usize = 10;
/// The same of faults that last for long.
const LONG_POINTS_MAX: usize = 5;
/// What is told late, by a central that finds a lease ended, is told by then.
const LATE: Duration = Duration::from_secs(16);

/// One cluster at a time: each wants the machine for itself.
static ALONE: Mutex<()> = Mutex::const_new(());

fn lasts_max() -> Duration {
    Duration::from_secs(if is_full() { 15 } else { 5 })
}

fn points() -> usize {
    let given = std::env::var("GOLDENTIME_POINTS").ok().and_then(|points| points.parse().ok());
    given.unwrap_or(20)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_counts_are_exact_and_an_incident_is_told_once() -> Result<()> {
    let _alone = ALONE.lock().await;
    let mut dice = Dice::roll("whatever fails");
    let mut left: Vec<Fault> = FAULTS.into_iter().filter(|fault| fault.lasts().is_none()).collect();
    let mut drawn: Vec<Fault> = (0..ROWS).map(|_| left.swap_remove(dice.below(left.len()))).collect();
    drawn.sort_by_key(|fault| fault.counts_twice());
    through(&drawn, &mut dice).await
}

/// Goes through these faults in turn with one cluster.
async fn through(faults: &[Fault], dice: &mut Dice) -> Result<()> {
    let none = Makeup { brokers: 1, has_search: false };
    let makeup = faults.iter().fold(none, |makeup, fault| makeup.and(fault.makeup()));
    let mut cluster = Cluster::start(makeup).await?;
    for (incidents, fault) in (1..).zip(faults) {
        let told = async {
            point(&mut cluster, *fault, dice).await?;
            cluster.assert_told_once(incidents).await
        };
        if let Err(error) = told.await {
            let kept = cluster.keep();
            return Err(error.context(format!("point {incidents}; logs are in {}", kept.display())));
        }
    }
    if is_full() {
        tokio::time::sleep(LATE).await;
    }
    cluster.assert_told_once(faults.len()).await
}

/// A fault and an incident, begun at random points, and what is to be seen afterwards.
async fn point(cluster: &mut Cluster, fault: Fault, dice: &mut Dice) -> Result<()> {
    let mut drawn = fault.draw(dice);
    let (is_incident_first, ends_meanwhile) = (dice.below(2) == 0, dice.below(2) == 0);
    // Short faults are some of the points, however long a page takes.
    let outlasts_page = drawn.leaves_pages() && dice.below(2) == 0;
    let apart = dice.between(Duration::ZERO, if is_incident_first { AFTER_MAX } else { BEFORE_MAX });
    let lasts = dice.between(Duration::from_secs(1), lasts_max());
    let lasts = fault.lasts().unwrap_or(lasts);
    let began = Instant::now();
    let steady = cluster.world.steady(RATE);
    cluster.until_well().await.context("before")?;
    let prepared = began.elapsed();
    let known = cluster.told().len();
    let mut incident = Instant::now();
    if is_incident_first {
        cluster.world.change(0, BAD, BAD)?;
        tokio::time::sleep(apart).await;
        drawn.begin(cluster).await?;
    } else {
        drawn.begin(cluster).await?;
        tokio::time::sleep(apart).await;
        cluster.world.change(0, BAD, BAD)?;
        incident = Instant::now();
    }
    let begun = Instant::now();
    if outlasts_page {
        cluster.tells(known, true, TOLD_WITHIN).await.context("while it lasts")?;
        if ends_meanwhile {
            tokio::time::sleep_until(incident + INCIDENT_MIN).await;
            cluster.world.change(0, FINE, FINE)?;
            cluster.tells(known, false, TOLD_WITHIN).await.context("while it lasts")?;
        }
    }
    tokio::time::sleep(lasts.saturating_sub(begun.elapsed())).await;
    let lasted = begun.elapsed();
    drawn.end(cluster).await?;
    let ended = Instant::now();
    cluster.tells(known, true, TOLD_WITHIN).await?;
    let told = ended.elapsed();
    tokio::time::sleep_until(incident + INCIDENT_MIN).await;
    cluster.world.change(0, FINE, FINE)?;
    cluster.tells(known, false, TOLD_WITHIN).await?;
    cluster.until_well().await.context("afterwards")?;
    println!(
        "{drawn}: {} {apart:.1?} before, lasted {lasted:.1?}, told at most {told:.1?} and all well {:.1?} after it",
        if is_incident_first { "incident" } else { "fault" },
        ended.elapsed()
    );
    drop(steady);
    let compared = Instant::now();
    cluster.assert_exact().await?;
    println!(
        "  {:.1?} in all: {prepared:.1?} until it was well before, {:.1?} to compare",
        began.elapsed(),
        compared.elapsed()
    );
    Ok(())
}

/// One row in the whole form: as many points as are asked for.
async fn row(fault: Fault) -> Result<()> {
    if !is_full() {
        return Ok(());
    }
    let _alone = ALONE.lock().await;
    let mut dice = Dice::roll(&format!("{fault:?}"));
    let mut left = points();
    while left > 0 {
        let now = left.min(if fault.lasts().is_some() { LONG_POINTS_MAX } else { POINTS_MAX });
        through(&vec![fault; now], &mut dice).await?;
        left -= now;
    }
    Ok(())
}

macro_rules! rows {
    ($($name:ident: $part:ident $how:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() -> Result<()> {
                row(Fault(Part::$part, How::$how)).await
            }
        )*

        #[test]
        fn every_fault_has_a_row() {
            let rows = [$(Fault(Part::$part, How::$how)),*];
            assert!(FAULTS.iter().all(|fault| rows.contains(fault)) && rows.len() == FAULTS.len());
        }
    };
}

rows! {
    an_agent_is_killed: Agent Killed,
    an_agent_is_put_back_to_an_older_state: Agent Restored,
    a_central_is_killed: Central Killed,
    a_central_sleeps: Central Frozen,
    the_owner_is_killed_in_mid_flush: Owner KilledWriting,
    the_way_from_agents_is_cut: Uplink Cut,
    the_way_from_agents_is_half_open: Uplink HalfOpen,
    all_of_kafka_is_killed: Kafka Killed,
    all_of_kafka_is_away_for_a_minute: Kafka KilledForLong,
    all_of_kafka_sleeps: Kafka Frozen,
    the_way_to_kafka_is_cut: Kafka Cut,
    the_way_to_kafka_is_half_open: Kafka HalfOpen,
    a_broker_of_three_is_killed: Broker Killed,
    a_broker_of_three_sleeps: Broker Frozen,
    redis_is_killed: Redis Killed,
    redis_comes_back_empty: Redis Emptied,
    redis_sleeps: Redis Frozen,
    the_way_to_redis_is_cut: Redis Cut,
    the_way_to_redis_is_half_open: Redis HalfOpen,
    connections_to_redis_stall: Redis Stalled,
    postgresql_is_killed: Postgres Killed,
    postgresql_is_away_for_a_minute: Postgres KilledForLong,
    postgresql_sleeps: Postgres Frozen,
    the_way_to_postgresql_is_cut: Postgres Cut,
    the_way_to_postgresql_is_half_open: Postgres HalfOpen,
    connections_to_postgresql_stall: Postgres Stalled,
    elasticsearch_is_killed: Search Killed,
    elasticsearch_is_away_for_a_minute: Search KilledForLong,
    elasticsearch_sleeps: Search Frozen,
    the_way_to_elasticsearch_is_cut: Search Cut,
    the_way_to_elasticsearch_is_half_open: Search HalfOpen,
    elasticsearch_finds_its_disk_full: Search ReadOnly,
}
