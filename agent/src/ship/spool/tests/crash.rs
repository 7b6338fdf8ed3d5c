//! What a kill leaves: a future or a connection dropped at any point, and a file copied as it lies.

use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn a_killed_agent_finds_its_records_under_their_old_stream_and_its_position() {
    let folder = tempfile::tempdir().expect("folder");
    let first = open(folder.path()).await;
    let sent =
        first.spool.commit(&flush(vec![record(RecordKind::Deltas, 3, b"a")], 17)).await.expect("commits");
    drop(first);

    let second = open(folder.path()).await;
    assert_eq!(position(&second), Some(17));
    assert_eq!(all_waiting(&second.spool).await, sent);
    let new =
        second.spool.commit(&flush(vec![record(RecordKind::Deltas, 3, b"b")], 18)).await.expect("commits");
    assert_ne!(new[0].stream, sent[0].stream);
    assert_eq!(new[0].number, 1);
    let backlog = second.spool.read_backlog(0, usize::MAX).await.expect("read");
    assert_eq!(backlog.into_iter().map(|(_, record)| record).collect::<Vec<_>>(), sent);
}

#[tokio::test]
async fn a_flush_cut_off_at_any_point_is_there_whole_or_not_at_all() {
    for polls in 0..40 {
        let folder = tempfile::tempdir().expect("folder");
        let first = open(folder.path()).await;
        let records = (0..4).map(|partition| record(RecordKind::Deltas, partition, b"x")).collect();
        cut_after(polls, first.spool.commit(&flush(records, 99))).await;
        drop(first);

        let second = open(folder.path()).await;
        let (records, position) = (all_waiting(&second.spool).await.len(), position(&second));
        assert!(
            matches!((records, position), (0, None) | (4, Some(99))),
            "after {polls} polls: {records} records, position {position:?}"
        );
    }
}

/// Polls `future` so many times, and drops it.
async fn cut_after(polls: usize, future: impl Future) {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        future.as_mut().poll(context).map(drop)
    })
    .await;
}

#[derive(Clone, Debug)]
enum Step {
    Flush(Vec<(usize, u32)>),
    AcknowledgeHalf,
    Upkeep,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => proptest::collection::vec((0_usize..3, 0_u32..4), 1..6).prop_map(Step::Flush),
        1 => Just(Step::AcknowledgeHalf),
        1 => Just(Step::Upkeep),
        2 => Just(Step::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against a model that only knows which records were committed and which acknowledged.
    #[test]
    fn through_kills_nothing_is_lost_and_numbers_stay_dense(steps in proptest::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let folder = tempfile::tempdir().expect("folder");
            let mut opened = open(folder.path()).await;
            let mut model: BTreeMap<(StreamId, u32), Vec<u64>> = BTreeMap::new();
            let mut read = 0_u64;
            for step in steps {
                match step {
                    Step::Flush(records) => {
                        read += records.len() as u64;
                        let records =
                            records.into_iter().map(|(kind, at)| record(RecordKind::ALL[kind], at, b"x"));
                        let sent = opened.spool.commit(&flush(records.collect(), read)).await.expect("commits");
                        for record in sent {
                            model.entry((record.stream, record.partition)).or_default().push(record.number);
                        }
                    }
                    Step::AcknowledgeHalf => {
                        for ((stream, partition), numbers) in &mut model {
                            let acknowledged = numbers.drain(..numbers.len().div_ceil(2)).next_back();
                            opened.spool.acknowledge(*stream, *partition, acknowledged.unwrap_or_default());
                        }
                        opened.spool.upkeep(NOW).await.expect("kept up");
                    }
                    Step::Upkeep => opened.spool.upkeep(NOW).await.expect("kept up"),
                    Step::Kill => {
                        drop(opened);
                        opened = open(folder.path()).await;
                        assert_eq!(position(&opened).unwrap_or_default(), read);
                    }
                }
            }
            model.retain(|_, numbers| !numbers.is_empty());
            let left = waiting(&opened.spool).await;
            assert_eq!(left, model);
            for numbers in left.values() {
                assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
            }
            assert_eq!(opened.spool.usage().records, left.values().map(|numbers| numbers.len() as u64).sum::<u64>());
        });
    }
}
