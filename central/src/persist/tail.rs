//! Lines as they are stored, for those who watch: each with a query of their own and a queue with an
//! end. Who reads too slowly misses lines and is told how many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_search::{NewLine, Query};
use tokio::sync::Notify;

/// Watchers at once.
pub const WATCHERS_MAX: usize = 20;
/// Lines that wait for one watcher, in bytes.
const QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// What a line takes beside its texts, about.
const LINE_BYTES: usize = 512;

/// Where lines are told. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tail(Arc<Mutex<Vec<Arc<Watched>>>>);

/// One who watches; leaves when dropped.
pub struct Watcher {
    tail: Tail,
    watched: Arc<Watched>,
}

/// What a watcher is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// A line that the query means.
    Line(Arc<NewLine>),
    /// So many lines would have stood here, had there been room.
    Gap(u64),
}

struct Watched {
    query: Query,
    queue: Mutex<Queue>,
    news: Notify,
}

#[derive(Default)]
struct Queue {
    told: VecDeque<Told>,
    bytes: usize,
}

/// Memory that watchers may take, in bytes.
#[must_use]
pub const fn memory_bound_bytes() -> u64 {
    (WATCHERS_MAX * QUEUE_BYTES_MAX) as u64
}

impl Tail {
    /// Begins to watch; `None` when as many as allowed do already.
    #[must_use]
    pub fn watch(&self, query: Query) -> Option<Watcher> {
        let mut watchers = self.watchers();
        if watchers.len() >= WATCHERS_MAX {
            return None;
        }
        let watched = Arc::new(Watched { query, queue: Mutex::default(), news: Notify::new() });
        watchers.push(Arc::clone(&watched));
        Some(Watcher { tail: self.clone(), watched })
    }

    /// Tells everyone of the lines that they watch for. Waits for nobody.
    pub fn tell(&self, lines: &[NewLine]) {
        let watchers = self.watchers().clone();
        for watched in watchers {
            let is_meant = |line: &&NewLine| watched.query.matches(&line.service, &line.host, &line.record);
            let (mut missed, mut has_news) = (0, false);
            for line in lines.iter().filter(is_meant) {
                missed += u64::from(!watched.queue().push(line));
                has_news = true;
            }
            if missed > 0 {
                metrics::counter!(DROPS_TOTAL, "component" => "logs_tail", "reason" => "slow_client")
                    .increment(missed);
            }
            if has_news {
                watched.news.notify_one();
            }
        }
    }

    fn watchers(&self) -> MutexGuard<'_, Vec<Arc<Watched>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whether there was room.
    fn push(&mut self, line: &NewLine) -> bool {
        let bytes = weight(line);
        if self.bytes + bytes <= QUEUE_BYTES_MAX {
            self.told.push_back(Told::Line(Arc::new(line.clone())));
            self.bytes += bytes;
            return true;
        }
        match self.told.back_mut() {
            Some(Told::Gap(lines)) => *lines += 1,
            _ => self.told.push_back(Told::Gap(1)),
        }
        false
    }
}

fn weight(line: &NewLine) -> usize {
    let attributes = line.record.attributes.iter().map(|(key, value)| key.len() + value.len());
    LINE_BYTES + line.record.message.len() + attributes.sum::<usize>()
}

impl Watcher {
    /// Up to `max` of what is new, in order; waits until there is something. Cancel safe.
    pub async fn next(&self, max: usize) -> Vec<Told> {
        loop {
            {
                let mut queue = self.watched.queue();
                if !queue.told.is_empty() {
                    let count = queue.told.len().min(max);
                    let told: Vec<_> = queue.told.drain(..count).collect();
                    let weights = told.iter().map(|told| match told {
                        Told::Line(line) => weight(line),
                        Told::Gap(_) => 0,
                    });
                    queue.bytes = queue.bytes.saturating_sub(weights.sum());
                    return told;
                }
            }
            self.watched.news.notified().await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.tail.watchers().retain(|watched| !Arc::ptr_eq(watched, &self.watched));
    }
}

#[cfg(test)]
mod tests {
    use goldentime_search::conformance::line;

    use super::*;

    fn texts(told: Vec<Told>) -> Vec<String> {
        let text = |told| match told {
            Told::Line(line) => line.record.message.clone(),
            Told::Gap(lines) => format!("gap of {lines}"),
        };
        told.into_iter().map(text).collect()
    }

    #[tokio::test]
    async fn a_watcher_is_told_of_what_it_asked_for() {
        let tail = Tail::default();
        let query = Query { terms: "결제".parse().expect("a search"), ..Query::default() };
        let watcher = tail.watch(query).expect("room");
        tail.tell(&[line(0, "카드결제가"), line(0, "other"), line(0, "결제")]);
        assert_eq!(texts(watcher.next(10).await), ["카드결제가", "결제"]);
    }

    #[tokio::test]
    async fn a_slow_watcher_is_told_how_much_it_missed_and_where() {
        let tail = Tail::default();
        let watcher = tail.watch(Query::default()).expect("room");
        let long = "x".repeat(QUEUE_BYTES_MAX / 2);
        tail.tell(&[line(0, &long), line(1, "fits"), line(2, &long), line(3, &long)]);
        assert_eq!(texts(watcher.next(1).await), [long]);
        tail.tell(&[line(4, "again")]);
        assert_eq!(texts(watcher.next(10).await), ["fits", "gap of 2", "again"]);
    }

    #[tokio::test]
    async fn a_watcher_that_leaves_makes_room() {
        let tail = Tail::default();
        let mut watchers: Vec<_> = (0..WATCHERS_MAX).filter_map(|_| tail.watch(Query::default())).collect();
        assert!(tail.watch(Query::default()).is_none());
        watchers.pop();
        assert!(tail.watch(Query::default()).is_some());
    }
}
