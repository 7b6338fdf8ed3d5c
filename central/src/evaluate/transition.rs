//! What the evaluator tells the notifier.

use std::sync::Arc;

use goldentime_model::Alert;

/// A rule instance changed its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// What changed.
    pub change: Change,
    /// The alert as it now stands, with the stages passed so far (`evaluated` is set).
    pub alert: Alert,
    /// Names of the notification targets that the rule asks for; empty: all.
    pub targets: Vec<Arc<str>>,
    /// The rule wants its resolve to be told.
    pub tell_resolve: bool,
}

/// How a rule instance changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// True even were all that is missing good, and for as long as the rule asks.
    Fired,
    /// Still firing; the facts in its annotations changed enough to edit the message.
    Updated,
    /// False even were all that is missing bad.
    Resolved,
}
