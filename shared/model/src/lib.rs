//! The contracts that every part of Goldentime rests on.
//!
//! In the order in which data meets them: who a record is about ([`identity`], [`naming`]), what is said
//! ([`record`]: observations, samples, log records), how bad it was ([`outcome`]), when ([`time`]),
//! how it is counted ([`counts`]), how sure one can be of it ([`interval`]), which question an SLO
//! asks ([`indicator`]), what is told to people ([`alert`], [`stage`]), and which of it is meant
//! ([`matcher`]).
//!
//! What both programs share about themselves: configuration ([`config`], [`units`]), errors
//! ([`problem`]), exit codes ([`exit`]) and metric names ([`metric_names`]).

pub mod alert;
pub mod config;
pub mod counts;
pub mod exit;
pub mod identity;
pub mod indicator;
pub mod interval;
pub mod matcher;
pub mod metric_names;
pub mod naming;
pub mod outcome;
pub mod problem;
pub mod record;
pub mod stage;
pub mod time;
pub mod units;

pub use alert::{Alert, AlertStatus, Fingerprint, Labels, Severity};
pub use counts::Counts;
pub use identity::{HostName, ServiceId};
pub use interval::{Interval, Verdict};
pub use matcher::{MatchOp, Matcher};
pub use outcome::Outcome;
pub use record::{LogRecord, Sample, SampleKind};
pub use stage::StageTimes;
pub use time::{Second, UnixNanos};
