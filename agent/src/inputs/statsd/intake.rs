//! Where lines go: counted as requests in the shard, summed up as samples, or noted as unreadable.

use goldentime_model::{Second, UnixNanos};

use super::config::{Config, NegativeGauges};
use super::contexts::{Contexts, Request, Target};
use super::event::{EVENT, SERVICE_CHECK, event, service_check};
use super::line::{Kind, Metric, parse};
use super::malformed::Malformed;
use super::number::signed;
use super::reading::Reading;
use super::resolver::{LeftOut, Resolved, Resolver};
use super::samples::Samples;
use super::status::{FIRST_BYTES, Status, Tally};
use super::weight::{self, WEIGHT_MAX};
use crate::aggregate::shard::FUTURE_NANOS_MAX;
use crate::aggregate::{Full, Observation, Shard};
use crate::inputs::redact::redact;

/// What a log record takes besides its line, near enough to ask for room.
const RECORD_BYTES: usize = 1024;

/// Takes lines.
pub struct Intake {
    resolver: Resolver,
    contexts: Contexts,
    samples: Samples,
    negative_gauges: NegativeGauges,
    has_container_label: bool,
    timestamp_age_max_s: i64,
    tick: u32,
    idle_ticks: u32,
    /// Remainders of sampled requests by series.
    carries: Vec<f64>,
    /// Values of the line in hand that are counted already: a full shard stopped the rest.
    done: usize,
    /// What was wrong with one of them.
    wrong: Option<Malformed>,
    /// Malformed lines told to the shard.
    told_malformed: [u64; Malformed::ALL.len()],
    pub(super) tally: Tally,
}

/// Why a line was not taken.
enum Refused {
    Malformed(Malformed),
    Full,
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Full> for Refused {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

impl Intake {
    /// Nothing taken yet.
    #[must_use]
    pub fn new(config: &Config, resolver: Resolver) -> Self {
        let seconds = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Self {
            resolver,
            contexts: Contexts::new(config.contexts_max),
            samples: Samples::new(config),
            negative_gauges: config.negative_gauges,
            has_container_label: config.container_label,
            timestamp_age_max_s: seconds(config.timestamp_age_max.get()),
            tick: 1,
            idle_ticks: u32::try_from(config.idle_after.get().as_secs()).unwrap_or(u32::MAX),
            carries: Vec::new(),
            done: 0,
            wrong: None,
            told_malformed: [0; Malformed::ALL.len()],
            tally: Tally::default(),
        }
    }

    /// Takes one line. `origin` is the container that sent it as far as the system tells; what the line
    /// says goes before. On [`Full`] what was counted of the line is remembered: the same must come next,
    /// or [`Intake::give_up`].
    #[inline]
    pub fn take(
        &mut self,
        line: &[u8],
        origin: &[u8],
        now: UnixNanos,
        shard: &mut Shard,
    ) -> Result<(), Full> {
        let taken = if line.first() == Some(&b'_') {
            self.take_special(line, origin, now, shard)
        } else {
            match parse(line) {
                Ok(metric) => self.count(metric.sent_by(origin), now, shard),
                Err(malformed) => Err(malformed.into()),
            }
        };
        match taken {
            Ok(()) => {}
            Err(Refused::Full) => return Err(Full),
            Err(Refused::Malformed(malformed)) => self.wrong = Some(malformed),
        }
        if let Some(malformed) = self.wrong.take() {
            self.note_malformed(malformed, line);
        }
        self.done = 0;
        Ok(())
    }

    /// Counts as dropped what was not counted of the line that was refused last.
    pub fn give_up(&mut self, line: &[u8], shard: &mut Shard) {
        let values = parse(line).map_or(1, |metric| metric.values().count());
        shard.count_drop("statsd_no_room", values.saturating_sub(self.done) as u64);
        if let Some(malformed) = self.wrong.take() {
            self.note_malformed(malformed, line);
        }
        self.done = 0;
    }

    /// A second has passed: ships what was summed up, as of `at`, and forgets what is idle. On
    /// [`Full`] the rest is shipped later.
    pub fn tick(&mut self, at: UnixNanos, shard: &mut Shard) -> Result<(), Full> {
        self.tick = self.tick.saturating_add(1);
        if self.tick.is_multiple_of(self.idle_ticks.max(1)) {
            let since = self.tick.saturating_sub(self.idle_ticks);
            // Contexts first: they hold numbers of series, which are in use at least as long.
            self.contexts.forget_before(since);
            self.samples.forget_before(since);
        }
        self.samples.ship(at, shard)
    }

    /// Whether summed up samples wait to be shipped.
    #[must_use]
    pub fn has_samples(&self) -> bool {
        self.samples.is_dirty()
    }

    /// Tells the shard of malformed lines, once a block rather than once a line.
    pub fn tell_drops(&mut self, shard: &mut Shard) {
        for (at, reason) in Malformed::ALL.iter().enumerate() {
            let news = self.tally.malformed[at] - self.told_malformed[at];
            shard.count_drop(reason.as_str(), news);
            self.told_malformed[at] = self.tally.malformed[at];
        }
    }

    /// Renews a status.
    pub fn publish(&self, status: &mut Status) {
        self.tally.publish(status);
        (status.contexts, status.series) = (self.contexts.len(), self.samples.len());
    }

    #[cold]
    fn note_malformed(&mut self, malformed: Malformed, line: &[u8]) {
        let at = malformed as usize;
        self.tally.malformed[at] += 1;
        if self.tally.first[at].is_none() {
            let first = String::from_utf8_lossy(&line[..line.len().min(FIRST_BYTES)]);
            let first = redact(&first).into_owned();
            tracing::warn!(line = first, "{malformed}; further ones are counted in `status`");
            self.tally.first[at] = Some(first);
        }
    }

    #[cold]
    fn take_special(
        &mut self,
        line: &[u8],
        origin: &[u8],
        now: UnixNanos,
        shard: &mut Shard,
    ) -> Result<(), Refused> {
        if line.starts_with(EVENT) {
            let event = event(line)?;
            let at = self.instant(event.at_s, now, shard)?;
            shard.room_for_log(2 * line.len() + RECORD_BYTES)?;
            let (service, is_other) = self.resolver.service(self.resolver.told_service(event.tags));
            let (record, cut) = event.record(at);
            shard.log(&service, record)?;
            shard.count_drop("statsd_service_overflow", u64::from(is_other));
            shard.count_drop("log_text_cut", cut);
            self.tally.events += 1;
            return Ok(());
        }
        if line.starts_with(SERVICE_CHECK) {
            self.count(service_check(line)?.sent_by(origin), now, shard)?;
            self.tally.service_checks += 1;
            return Ok(());
        }
        self.count(parse(line)?.sent_by(origin), now, shard)
    }

    /// When something happened that may bring its own time. As with log lines, what lies further ahead
    /// than clocks differ is moved back and counted.
    fn instant(&self, at_s: Option<i64>, now: UnixNanos, shard: &mut Shard) -> Result<UnixNanos, Malformed> {
        let Some(at_s) = at_s else { return Ok(now) };
        if now.second().0.saturating_sub(at_s) > self.timestamp_age_max_s {
            return Err(Malformed::Timestamp);
        }
        let (at, latest) = (Second(at_s).start(), now.saturating_add(FUTURE_NANOS_MAX));
        shard.count_drop("clock_ahead_clamped", u64::from(at > latest));
        Ok(at.min(latest))
    }

    #[inline]
    fn count(&mut self, metric: Metric<'_>, now: UnixNanos, shard: &mut Shard) -> Result<(), Refused> {
        let metric = &metric;
        let key = self.contexts.key(metric, self.has_container_label);
        let target = match self.contexts.get(key, self.tick) {
            Some(target) => target,
            None => {
                let target = self.resolve(metric, shard);
                self.contexts.put(key, target, self.tick);
                target
            }
        };
        match target {
            Target::Request(request) => self.observe(&request, metric, now, shard),
            Target::Sample(number) => self.add(number, metric, now, shard),
            Target::Ignored => {
                self.tally.ignored += metric.values().count() as u64;
                Ok(())
            }
            Target::Dropped(reason) => {
                shard.count_drop(reason, metric.values().count() as u64);
                Ok(())
            }
        }
    }

    #[cold]
    fn resolve(&mut self, metric: &Metric<'_>, shard: &mut Shard) -> Target {
        match self.resolver.resolve(metric, shard) {
            Resolved::Request(request) => {
                let carries = request.series.0 as usize + 1;
                if self.carries.len() < carries {
                    self.carries.resize(carries, 0.0);
                }
                Target::Request(request)
            }
            Resolved::Ignored => Target::Ignored,
            Resolved::Dropped(reason) => Target::Dropped(reason),
            // Only a series that is remembered is in use until it is forgotten.
            Resolved::Sample(..) if !self.contexts.has_room() => Target::Dropped("statsd_contexts_full"),
            Resolved::Sample(key, left_out) => {
                let LeftOut { tags, cut, services } = left_out;
                shard.count_drop("statsd_tags_over_limit", tags);
                shard.count_drop("statsd_name_cut", cut);
                shard.count_drop("statsd_service_overflow", services);
                self.samples
                    .open(key, self.tick)
                    .map_or(Target::Dropped("statsd_series_full"), Target::Sample)
            }
        }
    }

    #[inline]
    fn observe(
        &mut self,
        request: &Request,
        metric: &Metric<'_>,
        now: UnixNanos,
        shard: &mut Shard,
    ) -> Result<(), Refused> {
        let at = self.instant(metric.at_s, now, shard)?;
        for value in metric.values().skip(self.done) {
            let number = signed(value).filter(|number| *number >= 0.0);
            let exact = match number {
                Some(number) if request.is_count => number / metric.rate,
                Some(_) => 1.0 / metric.rate,
                None => f64::INFINITY,
            };
            if exact > WEIGHT_MAX {
                self.wrong = Some(Malformed::Value);
                self.done += 1;
                continue;
            }
            let mut carry = self.carries[request.series.0 as usize];
            let weight = if exact == 1.0 { 1 } else { weight::whole(exact, &mut carry) };
            let observation = Observation {
                duration_s: number.and_then(|number| Some(number * request.unit_s?)),
                outcome: request.outcome,
                at,
                at_is_coarse: metric.at_s.is_some(),
                weight,
            };
            if weight > 0 {
                shard.observe(request.series, &observation)?;
            }
            self.carries[request.series.0 as usize] = carry;
            self.done += 1;
            self.tally.requests += u64::from(weight);
            self.tally.metrics[metric.kind as usize] += 1;
        }
        Ok(())
    }

    #[inline]
    fn add(
        &mut self,
        number: u32,
        metric: &Metric<'_>,
        now: UnixNanos,
        shard: &mut Shard,
    ) -> Result<(), Refused> {
        self.samples.touch(number, self.tick);
        let is_stamped = metric.at_s.is_some() && matches!(metric.kind, Kind::Counter | Kind::Gauge);
        let stamp = if is_stamped { Some(self.instant(metric.at_s, now, shard)?) } else { None };
        for value in metric.values().skip(self.done) {
            let reading = Reading::of(metric, value, self.negative_gauges);
            match (reading, stamp) {
                (None, _) => self.wrong = Some(Malformed::Value),
                (Some(reading), Some(at)) => {
                    self.samples.ship_stamped(number, reading, at, shard)?;
                    self.tally.sampled += 1;
                    self.tally.metrics[metric.kind as usize] += 1;
                }
                (Some(reading), None) => {
                    match self.samples.add(number, reading) {
                        Ok(()) => self.tally.sampled += 1,
                        Err(reason) => shard.count_drop(reason, 1),
                    }
                    self.tally.metrics[metric.kind as usize] += 1;
                }
            }
            self.done += 1;
        }
        Ok(())
    }
}
