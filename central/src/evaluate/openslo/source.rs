//! What an SLI measures, if it is ours to measure.

use goldentime_model::config::Fault;
use goldentime_model::indicator::{Indicator, IndicatorSpec, Measured, SOURCE_TYPE, Signal};

use super::catalog::Catalog;
use super::documents::{Metric, MetricSource, SliSpec};
use super::site::{Object, Site};

/// Which of OpenSLO's two forms the SLI has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `ratioMetric`: good or bad events of all.
    Ratio,
    /// `thresholdMetric`: a value that the objective compares.
    Threshold,
}

/// A checked indicator with the place of its spec.
#[derive(Clone, Debug)]
pub(super) struct Measurement {
    pub(super) indicator: Indicator,
    pub(super) form: Form,
    /// Where `metricSource.spec` stands.
    pub(super) site: Site,
}

/// Reads an SLI. `service` is the SLO's own, for selectors that name none.
pub(super) fn measurement(
    sli: &Object<SliSpec>,
    service: &str,
    catalog: &Catalog,
    faults: &mut Vec<Fault>,
) -> Option<Measurement> {
    let reader = Reader { sli, service, catalog };
    match (&sli.spec.threshold_metric, &sli.spec.ratio_metric) {
        (Some(metric), None) => {
            let (indicator, site) = reader.metric(metric, "spec.thresholdMetric", faults)?;
            if matches!(indicator.measured, Measured::Errors { .. }) {
                let message =
                    "the signal `errors` is a share; write it as `ratioMetric` with `good` and `total`";
                faults.push(site.fault("signal", message));
                return None;
            }
            Some(Measurement { indicator, form: Form::Threshold, site })
        }
        (None, Some(_)) => reader.ratio(faults),
        (Some(_), Some(_)) => {
            faults.push(
                sli.site.fault("spec.ratioMetric", "stands beside `thresholdMetric`; give one of the two"),
            );
            None
        }
        (None, None) => {
            faults.push(sli.site.fault("spec", "measures nothing; give `ratioMetric` or `thresholdMetric`"));
            None
        }
    }
}

struct Reader<'a> {
    sli: &'a Object<SliSpec>,
    service: &'a str,
    catalog: &'a Catalog,
}

impl Reader<'_> {
    /// `good` and `bad` both describe what is good: of `bad` the other part is counted.
    fn ratio(&self, faults: &mut Vec<Fault>) -> Option<Measurement> {
        let (path, site) = ("spec.ratioMetric", &self.sli.site);
        let ratio = self.sli.spec.ratio_metric.as_ref()?;
        if let Some(raw) = &ratio.raw {
            // A foreign source is the better reason: it says what the file is for.
            self.is_ours(&raw.metric_source, &format!("{path}.raw"), faults)?;
            faults.push(site.fault(&format!("{path}.raw"), "is not supported; give `good` and `total`"));
            return None;
        }
        let (numerator, name) = match (&ratio.good, &ratio.bad) {
            (Some(good), None) => (good, "good"),
            (None, Some(bad)) => (bad, "bad"),
            (Some(_), Some(_)) => {
                faults.push(site.fault(&format!("{path}.bad"), "stands beside `good`; give one of the two"));
                return None;
            }
            (None, None) => {
                faults.push(site.fault(path, "has neither `good` nor `bad`; give one of the two"));
                return None;
            }
        };
        let numerator = self.metric(numerator, &format!("{path}.{name}"), faults);
        let Some(total) = &ratio.total else {
            faults.push(site.fault(path, "has no `total`; give it with the same selector"));
            return None;
        };
        let total = self.metric(total, &format!("{path}.total"), faults);
        let ((indicator, site), (total, total_site)) = (numerator?, total?);
        if total.selector != indicator.selector {
            let message =
                format!("differs from the selector of `{name}`; a share must be of the same requests");
            faults.push(total_site.fault("selector", message));
            return None;
        }
        if !matches!(indicator.measured, Measured::Errors { .. } | Measured::Latency { .. }) {
            let message = "cannot be a share; write `traffic`, `saturation` and what has `stray` or `shift` as `thresholdMetric`";
            faults.push(site.fault("signal", message));
            return None;
        }
        if matches!(indicator.measured, Measured::Latency { threshold_s: None, .. }) {
            faults.push(
                site.fault("threshold", "is missing; say which requests are fast enough, such as `200ms`"),
            );
            return None;
        }
        Some(Measurement { indicator, form: Form::Ratio, site })
    }

    /// The indicator under `path.metricSource.spec`.
    fn metric(&self, metric: &Metric, path: &str, faults: &mut Vec<Fault>) -> Option<(Indicator, Site)> {
        self.is_ours(&metric.metric_source, path, faults)?;
        let path = format!("{path}.metricSource");
        let Some(site) = self.sli.site.part(&format!("{path}.spec")) else {
            faults.push(
                self.sli
                    .site
                    .fault(&path, "has no `spec`; name the signal at least: `spec: {signal: errors}`"),
            );
            return None;
        };
        let mut spec: IndicatorSpec = site.decode(faults)?;
        if spec.selector.services.is_none() {
            spec.selector.service.get_or_insert_with(|| self.service.to_owned());
        }
        match spec.check() {
            Ok(indicator) => Some((indicator, site)),
            Err(found) => {
                faults.extend(found.into_iter().map(|fault| site.fault(&fault.field, fault.message)));
                None
            }
        }
    }

    /// `Some` if the source is Goldentime's.
    fn is_ours(&self, source: &MetricSource, path: &str, faults: &mut Vec<Fault>) -> Option<()> {
        let path = format!("{path}.metricSource");
        let site = &self.sli.site;
        let referred = match &source.metric_source_ref {
            // With a foreign type beside it the reference need not be resolved to know what is wrong.
            Some(name) if source.source_type.as_deref().is_none_or(|kind| kind == SOURCE_TYPE) => {
                let at = site.part(&format!("{path}.metricSourceRef"))?;
                Some(self.catalog.data_source(name, &at, faults)?.spec.source_type.as_str())
            }
            _ => None,
        };
        let (kind, field) = match (referred, source.source_type.as_deref()) {
            (Some(referred), _) if referred != SOURCE_TYPE => (referred, "metricSourceRef"),
            (_, Some(kind)) => (kind, "type"),
            (Some(referred), None) => (referred, "metricSourceRef"),
            (None, None) => {
                faults.push(site.fault(&path, format!("has no type; write `type: {SOURCE_TYPE}`")));
                return None;
            }
        };
        if kind == SOURCE_TYPE {
            return Some(());
        }
        let message = format!(
            "`{kind}` is a foreign data source: Goldentime judges what it measures itself; write \
             `type: {SOURCE_TYPE}` with a spec of its own"
        );
        faults.push(site.fault(&format!("{path}.{field}"), message));
        None
    }
}

/// Name of a measured signal, for messages.
pub(super) const fn signal(measured: &Measured) -> Signal {
    match measured {
        Measured::Errors { .. } => Signal::Errors,
        Measured::Latency { .. } => Signal::Latency,
        Measured::Traffic { .. } => Signal::Traffic,
        Measured::Saturation { .. } => Signal::Saturation,
        Measured::Stray(straying) => straying.of.signal(),
        Measured::Shift(of) => of.signal(),
    }
}
