//! Where an input's lines go: counted as requests, shipped as log records, or noted as unreadable.

use goldentime_model::UnixNanos;
use goldentime_observe::record::{Shipped, record};

use super::status::{SAMPLE_BYTES, Status};
use crate::aggregate::{Full, Shard};
use crate::inputs::parse::{Fields, Parser, Unparsed};
use crate::inputs::redact::redact;
use crate::inputs::route::Router;
use crate::inputs::route::router::Counted;

/// What a record takes besides its line, near enough to ask for room.
const RECORD_BYTES: usize = 1024;

/// Takes lines.
pub(super) struct Sink {
    parser: Parser,
    router: Router,
    ships_logs: bool,
    pub(super) status: Status,
}

impl Sink {
    pub(super) fn new(parser: Parser, router: Router, ships_logs: bool) -> Self {
        Self { parser, router, ships_logs, status: Status::default() }
    }

    /// Takes one line whole, or on [`Full`] not at all.
    #[inline]
    pub(super) fn take(&mut self, line: &[u8], now: UnixNanos, shard: &mut Shard) -> Result<(), Full> {
        if line.is_empty() {
            self.status.lines += 1;
            return Ok(());
        }
        if self.ships_logs {
            shard.room_for_log(2 * line.len() + RECORD_BYTES)?;
        }
        match self.parser.read(line) {
            Ok(fields) => {
                match self.router.count(&fields, now, shard)? {
                    Counted::Observed => self.status.observed += 1,
                    Counted::NotARequest => self.status.not_requests += 1,
                    Counted::Ignored => self.status.ignored += 1,
                }
                // Once the line is taken: on `Full` it comes again.
                if fields.duration_is_unread {
                    self.note(line, Unparsed::Duration, shard);
                }
                if fields.time_is_unread {
                    self.note(line, Unparsed::Time, shard);
                }
                if self.ships_logs {
                    self.ship(line, Some(&fields), now, shard);
                }
            }
            Err(reason) => self.unread(line, reason, now, shard),
        }
        self.status.lines += 1;
        Ok(())
    }

    fn unread(&mut self, line: &[u8], reason: Unparsed, now: UnixNanos, shard: &mut Shard) {
        self.note(line, reason, shard);
        if self.ships_logs {
            self.ship(line, None, now, shard);
        }
    }

    #[cold]
    fn note(&mut self, line: &[u8], reason: Unparsed, shard: &mut Shard) {
        shard.count_drop(reason.as_str(), 1);
        let unread = self.status.unparsed.entry(reason.as_str()).or_default();
        if unread.lines == 0 {
            let head = String::from_utf8_lossy(&line[..line.len().min(SAMPLE_BYTES)]);
            unread.sample = redact(&head).into_owned();
            tracing::warn!(line = unread.sample, "{reason}; further ones are counted in `status`");
        }
        unread.lines += 1;
    }

    fn ship(&mut self, line: &[u8], fields: Option<&Fields<'_>>, now: UnixNanos, shard: &mut Shard) {
        let Shipped { record, is_repaired, cut } = record(line, fields, now);
        self.status.invalid_utf8 += u64::from(is_repaired);
        if cut > 0 {
            shard.count_drop("log_text_cut", cut);
        }
        if let Some(others_left_out) = fields.map(|fields| fields.others_left_out).filter(|left| *left > 0) {
            shard.count_drop("log_attributes_max", others_left_out);
        }
        let service = self.router.service(fields.unwrap_or(&Fields::default()));
        if shard.log(&service, record).is_err() {
            shard.count_drop("logs_full", 1);
        }
    }
}
