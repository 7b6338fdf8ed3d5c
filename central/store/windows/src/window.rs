//! A window: the sum of a service's cells over a stretch of time.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::{HostName, Second, ServiceId};

use crate::cell::{Aggregate, CellError, EndpointKey};
use crate::error::StoreError;
use crate::store::{StoredCell, Tier, WindowStore};
use crate::view::CellView;

/// What is read beside the total. What is not asked for is not decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Sums by host.
    pub hosts: bool,
    /// Sums by endpoint and method.
    pub endpoints: bool,
    /// Newest readings.
    pub gauges: bool,
}

impl Detail {
    /// The total alone.
    pub const TOTAL: Self = Self { hosts: false, endpoints: false, gauges: false };

    /// Everything that is stored.
    pub const ALL: Self = Self { hosts: true, endpoints: true, gauges: true };
}

/// Everything that one service did in a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WindowSummary {
    /// The service as a whole.
    pub total: Aggregate,
    /// By host, where asked for.
    pub hosts: BTreeMap<HostName, Aggregate>,
    /// By endpoint and method, where asked for.
    pub endpoints: BTreeMap<EndpointKey, Aggregate>,
    /// The newest reading of each key, where asked for.
    pub gauges: BTreeMap<Arc<str>, f64>,
    /// Buckets of the tier's width in which anything was seen.
    pub buckets_seen: u32,
    /// First second of the newest bucket in which anything was seen.
    pub newest: Option<Second>,
    /// A cell began without its base: counts are a lower bound.
    pub partial: bool,
}

/// Sums the cells of `service` in `tier` that start in `from..until`.
///
/// A cell that cannot be understood makes the whole read fail: a sum that silently lacks a second
/// would resolve alerts.
pub async fn read_window(
    store: &dyn WindowStore,
    service: &ServiceId,
    tier: Tier,
    from: Second,
    until: Second,
    detail: Detail,
) -> Result<WindowSummary, StoreError> {
    let cells = store.read(service, tier, from, until).await?;
    let mut summary = WindowSummary::default();
    for cell in &cells {
        summary.add(cell, detail).map_err(|error| StoreError::Corrupt {
            backend: store.name(),
            what: format!(
                "the cell of {service} at {} s, partition {}: {error}",
                cell.key.start.0, cell.partition
            ),
        })?;
    }
    Ok(summary)
}

impl WindowSummary {
    /// Adds a cell. Cells come in the order of their start.
    fn add(&mut self, cell: &StoredCell, detail: Detail) -> Result<(), CellError> {
        let view = CellView::new(&cell.blob)?;
        view.merge_total(&mut self.total)?;
        self.partial |= view.is_partial();
        if self.newest.replace(cell.key.start) != Some(cell.key.start) {
            self.buckets_seen += 1;
        }
        if detail.hosts {
            for entry in view.hosts() {
                let (host, aggregate) = entry?;
                match self.hosts.get_mut(host) {
                    Some(sum) => aggregate.merge_into(sum)?,
                    None => aggregate.merge_into(self.hosts.entry(host.into()).or_default())?,
                }
            }
        }
        if detail.endpoints {
            for entry in view.endpoints() {
                let (name, aggregate) = entry?;
                aggregate.merge_into(self.endpoints.entry(name.to_key()).or_default())?;
            }
        }
        if detail.gauges {
            for entry in view.gauges() {
                let (key, value) = entry?;
                match self.gauges.get_mut(key) {
                    Some(reading) => *reading = value,
                    None => drop(self.gauges.insert(key.into(), value)),
                }
            }
        }
        Ok(())
    }
}
