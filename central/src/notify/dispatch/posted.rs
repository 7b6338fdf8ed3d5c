//! What others found, on its way to people.

use goldentime_catalog::AlertRecord;
use goldentime_model::{Fingerprint, UnixNanos};

use super::Dispatcher;
use crate::evaluate::transition::{Change, Transition};
use crate::notify::foreign::Posted;

impl Dispatcher {
    /// What others found, or find no more.
    pub(super) fn posted(&mut self, posted: Vec<Posted>) {
        let now = self.deps.clock.now();
        for posted in posted {
            let known = self.book.get(Fingerprint::of(posted.labels()));
            if known.as_ref().is_some_and(|record| record.expires_at.is_none()) {
                // One of our own rules has these very labels, and knows better.
                metrics::counter!("goldentime_foreign_alerts_refused_total").increment(1);
            } else if posted.ends_at(now) <= now {
                known.into_iter().for_each(|record| self.is_over(record, posted.ends_at(now)));
            } else {
                let record = posted.into_record(now);
                match self.book.update(&record.alert, record.expires_at) {
                    Some(record) => self.publish(record),
                    None => self.begin(record),
                }
            }
        }
    }

    /// An alert that others found is over.
    fn is_over(&mut self, record: AlertRecord, at: UnixNanos) {
        let AlertRecord { mut alert, tell_resolve, .. } = record;
        alert.ends_at = Some(at);
        self.resolved(Transition { change: Change::Resolved, alert, targets: Vec::new(), tell_resolve });
    }

    /// Ends what others said nothing of any more.
    pub(super) fn expire(&mut self) {
        let now = self.deps.clock.now();
        for record in self.book.expired(now) {
            if (self.deps.owns)(&record.alert.labels) {
                self.is_over(record, now);
            }
        }
    }
}
