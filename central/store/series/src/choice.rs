//! By which rows a span is answered.

use goldentime_model::Second;

use crate::chart::Span;
use crate::resolution::Resolution;

/// Rows of one width, and the span in steps that they can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Whole steps, each a multiple of the width.
    pub(crate) span: Span,
    /// The width.
    pub(crate) tier: Resolution,
}

impl Choice {
    /// The widest rows that divide the step; where those begin too late, the first wider ones that reach
    /// back, else the widest, which reach furthest. `kept_from` says where the rows of each width begin.
    pub(crate) fn of(span: Span, kept_from: &[Second; 3]) -> Self {
        let divides = |tier: &Resolution| span.step_s % tier.width_s() == 0;
        let mut tier = Resolution::ALL.into_iter().rev().find(divides).unwrap_or(Resolution::TenSeconds);
        let begins_before = |tier: Resolution| span.step_of(span.from) < kept_from[tier.index()];
        if begins_before(tier) {
            let reaches = |wider: &Resolution| *wider > tier && !begins_before(*wider);
            tier = Resolution::ALL.into_iter().find(reaches).unwrap_or(Resolution::Hour);
        }
        let width = tier.width_s();
        let step_s = (span.step_s + width - 1) / width * width;
        Self { span: Span { step_s, ..span }.whole_steps(), tier }
    }
}
