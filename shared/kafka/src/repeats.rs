//! What librdkafka says again and again is said once, and then counted.
//!
//! While a broker is away every client tries it several times a second and says each time why it failed, and a
//! program has half a dozen clients. The first of each such message is passed on at once. Those that follow are
//! counted, whichever client says them, and told with their number every [`TOLD_EVERY`] for as long as they go on.
//! What is left is told once something works again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Repeats of a message are told this often.
const TOLD_EVERY: Duration = Duration::from_secs(30);
/// Messages whose repeats are counted at once. One that finds no room is told each time.
const MESSAGES_MAX: usize = 128;

/// What all clients of this program say.
static REPEATS: LazyLock<Mutex<Repeats>> = LazyLock::new(Mutex::default);
/// Whether something was counted and not told yet. Looked at for every record.
static HAS_UNTOLD: AtomicBool = AtomicBool::new(false);

/// Logs a warning of a client with this role, unless it was said just before: then it is counted.
pub fn warn(role: &'static str, said: &str) {
    let mut repeats = lock();
    let now = Instant::now();
    let is_new = repeats.hear(role, said, now);
    let due = repeats.due(now);
    HAS_UNTOLD.store(repeats.has_untold(), Ordering::Relaxed);
    drop(repeats);
    tell(&due);
    if is_new {
        tracing::warn!(role, "{said}");
    }
}

/// Tells what was counted long enough ago. To be called when something works.
pub(crate) fn tell_due() {
    if !HAS_UNTOLD.load(Ordering::Relaxed) {
        return;
    }
    let mut repeats = lock();
    let due = repeats.due(Instant::now());
    HAS_UNTOLD.store(repeats.has_untold(), Ordering::Relaxed);
    drop(repeats);
    tell(&due);
}

fn lock() -> MutexGuard<'static, Repeats> {
    REPEATS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell(due: &[Counted]) {
    for Counted { role, last, times, since } in due {
        tracing::warn!(role, times, "{last} (the last of {times} like it within {} s)", since.as_secs());
    }
}

/// What was said several times.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    role: &'static str,
    /// As it was said last.
    last: String,
    times: u64,
    since: Duration,
}

#[derive(Debug)]
struct Message {
    /// When it was told last, itself or its number.
    told: Instant,
    role: &'static str,
    last: String,
    untold: u64,
}

/// Messages that were told lately, by what is the same in all their repeats.
#[derive(Debug, Default)]
struct Repeats(HashMap<String, Message>);

impl Repeats {
    /// Takes a message in; whether it is to be told now.
    fn hear(&mut self, role: &'static str, said: &str, now: Instant) -> bool {
        let shape = shape(said);
        if let Some(message) = self.0.get_mut(&shape) {
            message.untold += 1;
            message.role = role;
            said.clone_into(&mut message.last);
            return false;
        }
        if self.0.len() < MESSAGES_MAX {
            self.0.insert(shape, Message { told: now, role, last: said.to_owned(), untold: 0 });
        }
        true
    }

    /// What was counted for [`TOLD_EVERY`]. A message that was not heard for as long is new when it comes again.
    fn due(&mut self, now: Instant) -> Vec<Counted> {
        let mut due = Vec::new();
        self.0.retain(|_, message| {
            let since = now.saturating_duration_since(message.told);
            if since < TOLD_EVERY {
                return true;
            }
            if message.untold == 0 {
                return false;
            }
            let Message { role, ref last, untold: times, .. } = *message;
            due.push(Counted { role, last: last.clone(), times, since });
            (message.told, message.untold) = (now, 0);
            true
        });
        due
    }

    fn has_untold(&self) -> bool {
        self.0.values().any(|message| message.untold > 0)
    }
}

/// A message without what differs from one time to the next: how long it took and how many there were. Addresses,
/// partitions and names stay.
fn shape(said: &str) -> String {
    let words: Vec<String> = said.split(' ').map(without_measure).collect();
    words.join(" ").replace(", # identical error(s) suppressed", "")
}

fn without_measure(word: &str) -> String {
    let bare = word.trim_start_matches(['(', '#', '~', '-']).trim_end_matches(':');
    let is_measure = bare.starts_with(|first: char| first.is_ascii_digit()) && !bare.contains(':');
    if !is_measure {
        return word.to_owned();
    }
    let mut shape = String::with_capacity(word.len());
    for letter in word.chars() {
        match letter.is_ascii_digit() {
            true if shape.ends_with('#') => {}
            true => shape.push('#'),
            false => shape.push(letter),
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "10.0.0.1:9092/1: Connect to ipv4#10.0.0.1:9092 failed: Connection refused";

    fn at(seconds: u64) -> Instant {
        static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        *BEGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_said_again_is_counted_and_its_number_told_once_in_a_while() {
        let mut repeats = Repeats::default();
        assert!(repeats.hear("reader", &format!("{REFUSED} (after 0ms in state CONNECT)"), at(0)));
        for second in 1..TOLD_EVERY.as_secs() {
            let again = format!(
                "{REFUSED} (after {second}ms in state CONNECT, {second} identical error(s) suppressed)"
            );
            assert!(!repeats.hear("producer", &again, at(second)));
            assert_eq!(repeats.due(at(second)), []);
        }
        let due = repeats.due(at(30));
        let last = format!("{REFUSED} (after 29ms in state CONNECT, 29 identical error(s) suppressed)");
        assert_eq!(due, [Counted { role: "producer", last, times: 29, since: TOLD_EVERY }]);
        assert!(!repeats.hear("group", &format!("{REFUSED} (after 3ms in state CONNECT)"), at(31)));
        assert_eq!(repeats.due(at(59)), []);
        assert_eq!(repeats.due(at(60))[0].times, 1);
        assert!(!repeats.has_untold());
    }

    #[test]
    fn what_was_not_heard_for_a_while_is_told_at_once_again() {
        let mut repeats = Repeats::default();
        assert!(repeats.hear("reader", REFUSED, at(0)));
        assert_eq!(repeats.due(at(30)), []);
        assert!(repeats.hear("reader", REFUSED, at(31)));
    }

    #[test]
    fn another_broker_another_partition_and_another_reason_are_not_repeats() {
        let mut repeats = Repeats::default();
        for said in [
            REFUSED,
            "10.0.0.1:9093/2: Connect to ipv4#10.0.0.1:9093 failed: Connection refused",
            "10.0.0.1:9092/1: Disconnected: connection closed by peer (after 2255ms in state UP)",
            "goldentime.deltas [1]: not the leader",
            "goldentime.deltas [2]: not the leader",
            "goldentime.logs-2 [2]: not the leader",
        ] {
            assert!(repeats.hear("reader", said, at(0)), "{said}");
        }
    }

    #[test]
    fn more_messages_than_there_is_room_for_are_told_each_time() {
        let mut repeats = Repeats::default();
        for topic in 0..MESSAGES_MAX {
            assert!(repeats.hear("reader", &format!("topic-{topic} is away"), at(0)));
        }
        assert!(repeats.hear("reader", "one more", at(0)) && repeats.hear("reader", "one more", at(0)));
        assert_eq!(repeats.0.len(), MESSAGES_MAX);
    }
}
