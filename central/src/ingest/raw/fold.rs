//! Lines counted by second, as an agent does it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use goldentime_log::Entry;
use goldentime_model::identity::{UNKNOWN_SERVICE, check_name};
use goldentime_model::naming::{fit_service, not_overflow};
use goldentime_model::units::ByteSize;
use goldentime_model::{HostName, ServiceId};
use goldentime_observe::aggregate::{self, Aggregator, Full, Shard, ShardHandle};
use goldentime_observe::contents::{Content, contents};
use goldentime_observe::parse::config::{Config as ParseConfig, FormatError};
use goldentime_observe::parse::instant::{self, Zone};
use goldentime_observe::parse::{Fields, Parser, Unparsed};
use goldentime_observe::record::record;
use goldentime_observe::route::config::RouteError;
use goldentime_observe::route::router::Counted;
use goldentime_observe::route::{Router, Source};
use goldentime_runtime::SharedClock;
use jiff::tz::TimeZone;

use super::config::{RawConfig, RawInput};
use super::select::{Look, NoLine, is_host_field};

/// What a log record takes besides its line, near enough to ask for room: names of attributes, and marks of what
/// was taken out.
const LOG_OVERHEAD_BYTES: usize = 8 * 1024;

/// Why an input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Its format.
    #[error("{0}")]
    Format(#[source] FormatError),
    /// Its routes.
    #[error("{0}")]
    Routes(#[source] RouteError),
    /// Its zone.
    #[error("`{0}` is no time zone that this machine knows, such as `UTC` or `Asia/Seoul`")]
    Zone(String),
}

impl InputError {
    /// The setting that it is about.
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        match self {
            Self::Format(_) => "format",
            Self::Routes(_) => "routes",
            Self::Zone(_) => "time_zone",
        }
    }
}

/// One input, compiled.
pub struct Input {
    config: RawInput,
    parser: Parser,
    router: Router,
    zone: Zone,
    shard: ShardHandle,
}

/// All inputs.
pub struct Fold {
    inputs: Vec<Input>,
}

/// A record as it came.
pub struct Raw {
    /// Its key; empty where it has none.
    pub key: Bytes,
    /// Its bytes, with their place.
    pub entry: Entry,
}

/// What a batch comes to.
#[derive(Debug, Default)]
pub struct Folded {
    /// Contents of records, by whom and from where.
    pub contents: Vec<Said>,
    /// What could not be taken.
    pub refused: Vec<Refused>,
    /// Lines by what became of them.
    pub tally: BTreeMap<&'static str, u64>,
}

/// Something about a service on a host.
#[derive(Debug)]
pub struct Said {
    /// Whom it is about.
    pub service: ServiceId,
    /// Where it happened.
    pub host: HostName,
    /// What.
    pub content: Content,
}

/// A record, or its line, that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Place in the partition, from 1.
    pub offset: u64,
    /// Stable reason.
    pub reason: &'static str,
    /// What exactly.
    pub detail: String,
    /// The record, as it came.
    pub record: Bytes,
    /// Its key; empty where it has none.
    pub key: Bytes,
    /// Host, project and service that it names, as far as it was read.
    pub names: Names,
    /// Its line is shipped all the same.
    pub is_shipped: bool,
}

/// Whom a record is about; empty where that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Host.
    pub host: String,
    /// Project.
    pub project: String,
    /// Service, as the record names it.
    pub service: String,
}

/// A line that was found in a record.
struct Found<'a> {
    raw: &'a Raw,
    input: usize,
    line: Cow<'a, [u8]>,
    host: Option<String>,
    service: Option<String>,
    time: Option<String>,
}

impl Input {
    /// Whether it could be used.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check(config: &RawInput) -> Result<(), InputError> {
        compile(config).map(drop)
    }

    fn new(config: RawInput, aggregator: &Aggregator) -> Result<Self, InputError> {
        let (parser, router, zone) = compile(&config)?;
        let shard = aggregator.open_shard(&config.name);
        Ok(Self { config, parser, router, zone, shard })
    }
}

fn compile(config: &RawInput) -> Result<(Parser, Router, Zone), InputError> {
    let zone = TimeZone::get(&config.time_zone).map_err(|_| InputError::Zone(config.time_zone.clone()))?;
    let zone = Zone::new(zone);
    let parse = ParseConfig { format: config.format.clone(), fields: config.fields.clone() };
    // A field without a role may name the host.
    let parser = Parser::new(&parse, zone.clone(), true).map_err(InputError::Format)?;
    let source = Source {
        project: config.project.clone(),
        environment: config.environment.clone(),
        service: config.service.clone(),
    };
    let router = Router::new(&config.routes, source).map_err(InputError::Routes)?;
    Ok((parser, router, zone))
}

/// Memory that inputs may take, in bytes.
#[must_use]
pub fn memory_bound_bytes(config: &RawConfig) -> u64 {
    // One input at a time holds buckets and lines; each keeps its series.
    let series = aggregate::Config {
        buckets_max: 0,
        sketch_bytes_max: ByteSize(0),
        log_bytes_max: ByteSize(0),
        ..limits()
    };
    let each = series.memory_bytes_max() + Router::memory_bytes_max();
    (config.inputs.len() as u64)
        .saturating_mul(each as u64)
        .saturating_add(limits().memory_bytes_max() as u64)
}

/// What one input may hold before it is taken out.
fn limits() -> aggregate::Config {
    aggregate::Config {
        buckets_max: 4096,
        sketch_bytes_max: ByteSize::mib(4),
        samples_max: 0,
        log_bytes_max: ByteSize::mib(2),
        ..aggregate::Config::default()
    }
}

impl Fold {
    /// Compiles all inputs.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn new(config: &RawConfig, clock: SharedClock) -> Result<Self, InputError> {
        let aggregator = Aggregator::new(limits(), clock);
        let inputs: Result<Vec<_>, _> =
            config.inputs.iter().map(|input| Input::new(input.clone(), &aggregator)).collect();
        Ok(Self { inputs: inputs? })
    }

    /// Counts a batch. Nothing of it is left behind: the same batch comes to the same again.
    pub fn fold(&mut self, batch: &[Raw]) -> Folded {
        let mut folded = Folded::default();
        let mut found = Vec::with_capacity(batch.len());
        for raw in batch {
            match self.find(raw) {
                Ok(one) if one.line.is_empty() => folded.count("blank", 1),
                Ok(line) => found.push(line),
                Err(refused) => folded.refuse(*refused),
            }
        }
        // Lines of one host are counted together, since a record is of one host; in their order.
        let mut by_host: BTreeMap<(usize, HostName), Vec<Line<'_>>> = BTreeMap::new();
        for found in &found {
            let input = &mut self.inputs[found.input];
            let line = input.read(found, &mut folded);
            by_host.entry((found.input, line.host.clone())).or_default().push(line);
        }
        for ((input, host), lines) in by_host {
            self.inputs[input].count(&host, &lines, &mut folded);
        }
        folded
    }

    fn find<'a>(&self, raw: &'a Raw) -> Result<Found<'a>, Box<Refused>> {
        let refused = |reason, detail: String| {
            Box::new(Refused {
                offset: raw.entry.offset,
                reason,
                detail,
                record: raw.entry.record.clone(),
                key: raw.key.clone(),
                names: Names::default(),
                is_shipped: false,
            })
        };
        let look = Look::at(&raw.key, &raw.entry.record);
        let Some(input) = self.inputs.iter().position(|input| look.is(&input.config.matching)) else {
            let key = String::from_utf8_lossy(&raw.key);
            return Err(refused(
                "raw_no_input",
                format!("no input of cluster.raw matches; its key is `{key}`"),
            ));
        };
        let config = &self.inputs[input].config;
        let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        let line = match look.line(config) {
            // What is the record's own stays where it is.
            Ok(_) if config.line_field.is_none() => Cow::Borrowed(raw.entry.record.trim_ascii()),
            Ok(line) => Cow::Owned(line.into_owned()),
            Err(error) => return Err(refused(NoLine::reason(&error), error.to_string())),
        };
        let service = config.service_field.as_ref().and_then(|field| owned(look.text(field)));
        let (host, time) = (owned(look.host(config)), owned(look.text(&config.time_field)));
        Ok(Found { raw, input, line, host, service, time })
    }
}

/// A line that was read, or not.
struct Line<'a> {
    found: &'a Found<'a>,
    host: HostName,
    fields: Option<Fields<'a>>,
}

impl Input {
    fn read<'a>(&mut self, found: &'a Found<'a>, folded: &mut Folded) -> Line<'a> {
        let fields = match self.parser.read(&found.line) {
            Ok(mut fields) => {
                if fields.at.is_none()
                    && let Some(time) = &found.time
                    && let Some((at, is_coarse)) = instant::parse(time.as_bytes(), &mut self.zone)
                {
                    (fields.at, fields.at_is_coarse) = (Some(at), is_coarse);
                }
                if let Some(service) = found.service.as_ref().filter(|_| fields.service.is_empty()) {
                    fields.service = Cow::Borrowed(service.as_bytes());
                }
                folded.count("unparsed_duration", u64::from(fields.duration_is_unread));
                folded.count("unparsed_time", u64::from(fields.time_is_unread && fields.at.is_none()));
                Some(fields)
            }
            Err(unparsed) => {
                folded.refuse(self.unparsed(found, unparsed));
                None
            }
        };
        let of_line = || {
            let others = fields.iter().flat_map(|fields| &fields.others);
            let mut named = others.filter(|(name, _)| is_host_field(&self.config, name));
            named.next().map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        let host = found.host.clone().or_else(of_line).or_else(|| self.config.host.clone());
        Line { found, host: host_name(host.as_deref().unwrap_or_default()), fields }
    }

    fn unparsed(&self, found: &Found<'_>, unparsed: Unparsed) -> Refused {
        Refused {
            offset: found.raw.entry.offset,
            reason: unparsed.as_str(),
            detail: format!("input `{}`: {unparsed}", self.config.name),
            record: found.raw.entry.record.clone(),
            key: found.raw.key.clone(),
            names: Names {
                host: found.host.clone().or_else(|| self.config.host.clone()).unwrap_or_default(),
                project: self.config.project.clone(),
                service: found.service.clone().or_else(|| self.config.service.clone()).unwrap_or_default(),
            },
            is_shipped: self.config.ship_logs,
        }
    }

    fn count(&mut self, host: &HostName, lines: &[Line<'_>], folded: &mut Folded) {
        let shard = self.shard.clone();
        let mut guard = shard.lock();
        for line in lines {
            let counted = match self.take(line, &mut guard) {
                Err(Full) => {
                    drop(guard);
                    folded.say(host, &shard);
                    guard = shard.lock();
                    // An empty shard has room for any line.
                    self.take(line, &mut guard).unwrap_or("no_room")
                }
                Ok(counted) => counted,
            };
            folded.count(counted, 1);
        }
        drop(guard);
        folded.say(host, &shard);
    }

    /// Takes a line whole, or on [`Full`] not at all; gives what became of it.
    fn take(&mut self, line: &Line<'_>, shard: &mut Shard) -> Result<&'static str, Full> {
        let (text, now) = (&*line.found.line, line.found.raw.entry.append_time);
        if self.config.ship_logs {
            shard.room_for_log(4 * text.len() + LOG_OVERHEAD_BYTES)?;
        }
        let counted = match &line.fields {
            None => "unread",
            Some(fields) => match self.router.count(fields, now, shard)? {
                Counted::Observed => "observed",
                Counted::NotARequest => "not_a_request",
                Counted::Ignored => "ignored",
            },
        };
        if self.config.ship_logs {
            let shipped = record(text, line.fields.as_ref(), now);
            shard.count_drop("log_text_cut", shipped.cut);
            let nothing = Fields::default();
            let service = self.router.service(line.fields.as_ref().unwrap_or(&nothing));
            if shard.log(&service, shipped.record).is_err() {
                shard.count_drop("logs_full", 1);
            }
        }
        Ok(counted)
    }
}

impl Folded {
    fn count(&mut self, what: &'static str, lines: u64) {
        if lines > 0 {
            *self.tally.entry(what).or_default() += lines;
        }
    }

    fn refuse(&mut self, refused: Refused) {
        self.refused.push(refused);
    }

    /// Takes what a shard holds, all of one host.
    fn say(&mut self, host: &HostName, shard: &ShardHandle) {
        for batch in shard.drain().services {
            let service = batch.service.clone();
            let said = contents(batch).into_iter().map(|content| Said {
                service: service.clone(),
                host: host.clone(),
                content,
            });
            self.contents.extend(said);
        }
    }
}

/// A host's name from data, made fit for a record.
fn host_name(name: &str) -> HostName {
    let name = name.trim();
    let fit = match check_name(name) {
        Ok(()) => Cow::Borrowed(not_overflow(name)),
        Err(_) => Cow::Owned(fit_service(name)),
    };
    Arc::from(if fit.is_empty() { UNKNOWN_SERVICE } else { &fit })
}
