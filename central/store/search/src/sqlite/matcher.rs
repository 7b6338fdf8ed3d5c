//! A query in the form in which blocks are looked through, and as FTS5 is asked.

use memchr::memmem::Finder;

use super::block::{Block, Damaged, Lines, Meta};
use crate::fold::fold;
use crate::grams::{self, Kind};
use crate::level::Levels;
use crate::line::LineId;
use crate::query::Query;

/// Shortest term that may be a whole trace id.
const TRACE_CHARS_MIN: usize = 8;

/// A query, compiled.
pub(super) struct Matcher {
    query: Query,
    wanted: Vec<Term>,
    unwanted: Vec<Term>,
}

struct Term {
    folded: String,
    finder: Finder<'static>,
    may_be_trace: bool,
}

/// Lines from one place in the order to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) from: LineId,
    /// The first that is not meant.
    pub(super) until: LineId,
}

impl Range {
    /// The query's own time, up to an earlier line.
    pub(super) fn of(query: &Query, before: Option<LineId>) -> Self {
        let until = LineId::first_at(query.until.0);
        Self { from: LineId::first_at(query.from.0), until: before.map_or(until, |before| before.min(until)) }
    }

    pub(super) fn holds(&self, id: &LineId) -> bool {
        self.from <= *id && *id < self.until
    }

    /// The last instant that a line of it can have.
    pub(super) const fn last_at(&self) -> i64 {
        self.until.at
    }
}

impl Term {
    fn new(folded: &str) -> Self {
        let may_be_trace = folded.len() >= TRACE_CHARS_MIN
            && folded.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        Self { folded: folded.to_owned(), finder: Finder::new(folded).into_owned(), may_be_trace }
    }

    fn is_in(&self, text: &[u8], meta: &Meta<'_>) -> bool {
        self.finder.find(text).is_some()
            || (self.may_be_trace && self.folded.eq_ignore_ascii_case(meta.trace))
    }
}

impl Matcher {
    pub(super) fn new(query: Query) -> Self {
        let terms = |terms: &[String]| terms.iter().map(|term| Term::new(term)).collect();
        Self { wanted: terms(&query.terms.wanted), unwanted: terms(&query.terms.unwanted), query }
    }

    /// Whether a block's counts by level are all there is to know.
    pub(super) fn is_of_levels_alone(&self) -> bool {
        let Query { service, host, trace_id, .. } = &self.query;
        self.query.terms.is_empty() && service.is_none() && host.is_none() && trace_id.is_none()
    }

    pub(super) const fn levels(&self) -> Levels {
        self.query.levels
    }

    /// What FTS5 is asked for; none when every block may hold what is meant.
    pub(super) fn words(&self) -> Option<String> {
        let quoted = |word: String| format!("\"{word}\"");
        let any = |words: Vec<String>| {
            format!("({})", words.into_iter().map(quoted).collect::<Vec<_>>().join(" OR "))
        };
        let mut all: Vec<String> = Vec::new();
        for term in &self.wanted {
            let words = grams::of_term(&term.folded);
            if words.is_empty() {
                continue;
            }
            let text = words.into_iter().map(quoted).collect::<Vec<_>>().join(" AND ");
            all.push(match term.may_be_trace {
                true => format!("(({text}) OR {})", quoted(grams::of_name(Kind::Trace, &term.folded))),
                false => text,
            });
        }
        let exact = self.query.service.as_ref().and_then(|pattern| pattern.exact());
        match (exact, self.query.levels) {
            (Some(service), Levels::ALL) => all.push(quoted(grams::of_name(Kind::Service, service.as_str()))),
            (None, Levels::ALL) => {}
            (Some(service), levels) => {
                let name = |one: Levels| format!("{}/{service}", one.slot());
                all.push(any(levels
                    .each()
                    .map(|one| grams::of_name(Kind::ServiceLevel, &name(one)))
                    .collect()));
            }
            (None, levels) => {
                let name = |one: Levels| one.slot().to_string();
                all.push(any(levels.each().map(|one| grams::of_name(Kind::Level, &name(one))).collect()));
            }
        }
        if let Some(host) = &self.query.host {
            all.push(quoted(grams::of_name(Kind::Host, host)));
        }
        if let Some(trace) = &self.query.trace_id {
            all.push(quoted(grams::of_name(Kind::Trace, &trace.to_ascii_lowercase())));
        }
        (!all.is_empty()).then(|| all.join(" AND "))
    }

    /// Calls `found` with each line of a block that is meant, the last one first.
    pub(super) fn look_through(
        &self,
        block: &Block,
        buffer: &mut Vec<u8>,
        mut found: impl FnMut(usize, &Lines<'_>, &Meta<'_>) -> Result<(), Damaged>,
    ) -> Result<(), Damaged> {
        let has_terms = !self.query.terms.is_empty();
        let plain = if has_terms { block.fold_plain(buffer) } else { None };
        // Most candidates that are none are let go here, unread.
        if let Some(text) = plain
            && self.wanted.iter().any(|term| !term.may_be_trace && term.finder.find(text).is_none())
        {
            return Ok(());
        }
        let lines = block.lines()?;
        let means = |test: &dyn Fn(&str) -> bool| -> Vec<bool> {
            lines.names().iter().map(|name| std::str::from_utf8(name).is_ok_and(test)).collect()
        };
        let Query { service, host, trace_id, levels, .. } = &self.query;
        let services = service
            .as_ref()
            .map(|pattern| means(&|name| name.parse().is_ok_and(|service| pattern.matches(&service))));
        let hosts = host.as_ref().map(|host| means(&|name| name == host));
        let graded = (*levels != Levels::ALL).then(|| means(&|name| levels.meets(Levels::of(name))));
        let is_meant =
            |names: &Option<Vec<bool>>, index: usize| names.as_ref().is_none_or(|names| names[index]);
        for (index, meta) in lines.metas.iter().enumerate().rev() {
            if !is_meant(&services, meta.service)
                || !is_meant(&hosts, meta.host)
                || !is_meant(&graded, meta.level)
            {
                continue;
            }
            if trace_id.as_ref().is_some_and(|trace| !trace.eq_ignore_ascii_case(meta.trace)) {
                continue;
            }
            if has_terms {
                let folded;
                let text = match plain {
                    Some(text) => &text[meta.text.clone()],
                    None => {
                        folded = fold(&block.text()[meta.text.clone()]);
                        folded.as_bytes()
                    }
                };
                if !self.wanted.iter().all(|term| term.is_in(text, meta))
                    || self.unwanted.iter().any(|term| term.is_in(text, meta))
                {
                    continue;
                }
            }
            found(index, &lines, meta)?;
        }
        Ok(())
    }
}
