//! Cells: written and read again, added up, read where they lie, and corrupt.

use std::sync::Arc;

use goldentime_model::naming::OVERFLOW;
use goldentime_model::{Counts, Second, ServiceId};
use goldentime_windows::cell::{ENDPOINTS_MAX, HOSTS_MAX};
use goldentime_windows::{
    Aggregate, CellError, CellKey, CellView, Detail, EndpointKey, MemoryWindows, Overflow, SecondCell,
    StoredCell, Tier, WindowStore, WindowsConfig, read_window,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn endpoint(n: usize) -> EndpointKey {
    EndpointKey { endpoint: format!("/orders/{{id}}/{n}").into(), method: "GET".into() }
}

fn host(n: usize) -> Arc<str> {
    format!("웹-{n}").into()
}

fn delta(seconds: &[f64], errors: u64) -> Aggregate {
    let counts = Counts { ok: seconds.len() as u64, server_error: errors, ..Counts::default() };
    let mut delta = Aggregate { counts, ..Aggregate::default() };
    for value in seconds {
        delta.latency.insert(*value);
    }
    delta
}

fn cell() -> impl Strategy<Value = SecondCell> {
    let addition = (0..5_usize, 0..8_usize, vec(1e-4..10.0_f64, 0..60), 0..3_u64);
    let gauges = vec((0..5_u8, any::<f64>().prop_filter("comparable", |value| !value.is_nan())), 0..5);
    (vec(addition, 0..12), gauges, any::<bool>()).prop_map(|(additions, gauges, partial)| {
        let mut cell = SecondCell { partial, ..SecondCell::default() };
        for (at_host, at_endpoint, seconds, errors) in additions {
            let overflow = cell.add(&host(at_host), &endpoint(at_endpoint), &delta(&seconds, errors));
            assert_eq!(Overflow { grown: 0, ..overflow }, Overflow::default());
        }
        for (key, value) in gauges {
            let overflow = cell.set_gauge(&format!("disk.used{{device=\"{key}\"}}").into(), value);
            assert_eq!(Overflow { grown: 0, ..overflow }, Overflow::default());
        }
        cell
    })
}

fn sum<'a>(parts: impl Iterator<Item = &'a Aggregate>) -> Aggregate {
    parts.fold(Aggregate::default(), |mut sum, part| {
        sum.merge(part);
        sum
    })
}

fn stored(service: &ServiceId, start: i64, cell: &SecondCell) -> StoredCell {
    let key = CellKey { service: service.clone(), tier: Tier::OneSecond, start: Second(start) };
    StoredCell { key, partition: 0, offset: 1, blob: cell.encode() }
}

fn service() -> ServiceId {
    ServiceId::new("shop", "prod", "api").expect("a valid name")
}

proptest! {
    #[test]
    fn a_cell_is_read_back_as_it_was_written(cell in cell()) {
        prop_assert_eq!(SecondCell::decode(&cell.encode()), Ok(cell));
    }

    #[test]
    fn the_total_is_the_sum_over_hosts_and_over_endpoints(a in cell(), b in cell()) {
        let mut both = a;
        let _ = both.merge(&b);
        prop_assert_eq!(&sum(both.hosts.values()), &both.total);
        prop_assert_eq!(&sum(both.endpoints.values()), &both.total);
    }

    #[test]
    fn taking_away_an_aggregate_undoes_adding_it(a in cell(), b in cell()) {
        let mut total = a.total.clone();
        total.merge(&b.total);
        total.subtract(&b.total);
        prop_assert_eq!(total, a.total);
    }

    #[test]
    fn corrupt_bytes_are_an_error_or_a_cell_and_never_a_panic(
        cell in cell(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = cell.encode();
        prop_assert!(SecondCell::decode(&whole[..cut.index(whole.len())]).is_err(), "cut short");
        let mut bytes = whole.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(cell) = SecondCell::decode(&bytes) {
            prop_assert!(SecondCell::decode(&cell.encode()).is_ok());
        }
        bytes.push(0);
        drop(SecondCell::decode(&bytes));
    }

    #[test]
    fn a_view_that_decodes_has_a_readable_outline(bytes in vec(any::<u8>(), 0..100)) {
        prop_assert!(SecondCell::decode(&bytes).is_err() || CellView::new(&bytes).is_ok());
    }
}

#[test]
fn what_a_cell_says_that_it_grew_by_adds_up_to_what_it_takes() {
    let (mut cell, mut grown) = (SecondCell::default(), 0);
    for n in 0..HOSTS_MAX + 50 {
        let times: Vec<f64> = (0..n % 80).map(|at| 0.001 * 1.1_f64.powi(at as i32)).collect();
        grown += cell.add(&host(n), &endpoint(n % 7), &delta(&times, 1)).grown;
        grown += cell.set_gauge(&format!("gauge-{}", n % 30).into(), 1.0).grown;
    }
    // A sketch that changes its form may give bytes back, which growth does not tell.
    assert!(cell.heap_bytes() <= grown && grown < 2 * cell.heap_bytes(), "{grown} of {}", cell.heap_bytes());
}

#[test]
fn a_cell_with_late_requests_still_tells_what_was_judged() {
    let mut cell = SecondCell::default();
    let _ = cell.add(&host(1), &endpoint(1), &delta(&[0.1, 0.2], 1));
    let seen = cell.clone();
    cell.end_judged();
    let _ = cell.add(&host(2), &endpoint(1), &delta(&[3.0], 7));
    cell.end_judged();
    let (bytes, before) = (cell.encode(), seen.encode());
    assert_eq!(SecondCell::decode(&bytes), Ok(cell.clone()));
    assert_eq!(SecondCell::decode_judged(&bytes), Ok(seen.clone()));
    assert_eq!(SecondCell::decode_judged(&before), Ok(seen.clone()));
    assert_eq!((cell.as_judged(), &cell.clone().into_judged()), (&seen, &seen));
    let mut total = delta(&[], 0);
    CellView::new(&bytes).and_then(|view| view.merge_total(&mut total)).expect("readable");
    assert_eq!(total, cell.total, "the total holds what came late");
}

#[test]
fn a_cell_of_the_version_before_is_still_read() {
    let mut cell = SecondCell::default();
    let _ = cell.add(&host(1), &endpoint(1), &delta(&[0.1], 1));
    let mut bytes = cell.encode().to_vec();
    bytes[0] = 1;
    assert_eq!(SecondCell::decode(&bytes), Ok(cell));
    bytes[1] = 2;
    assert!(SecondCell::decode(&bytes).is_err(), "it had no judged part");
}

#[test]
fn a_cell_of_a_newer_version_is_named() {
    let mut bytes = SecondCell::default().encode().to_vec();
    bytes[0] = 9;
    assert_eq!(SecondCell::decode(&bytes), Err(CellError::Version(9)));
}

#[test]
fn hosts_and_endpoints_beyond_the_limit_are_counted_together_and_told() {
    let mut cell = SecondCell::default();
    let (mut hosts, mut endpoints) = (0, 0);
    for n in 0..HOSTS_MAX + 10 {
        let overflow = cell.add(&host(n), &endpoint(n), &delta(&[0.1], 0));
        hosts += overflow.hosts;
        endpoints += overflow.endpoints;
    }
    assert_eq!((hosts, endpoints), (10, 10));
    assert_eq!((cell.hosts.len(), cell.endpoints.len()), (HOSTS_MAX + 1, ENDPOINTS_MAX + 1));
    assert_eq!(cell.hosts[OVERFLOW].counts.ok, 10);
    assert_eq!(sum(cell.endpoints.values()), cell.total);
}

#[tokio::test]
async fn a_window_is_the_sum_of_its_cells_and_holds_only_what_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("windows.sqlite");
    let store = MemoryWindows::open(&path, &WindowsConfig::default()).await.expect("open");
    let (mut expected, service) = (SecondCell::default(), service());
    for second in 0..60 {
        let mut cell = SecondCell::default();
        for n in 0..20 {
            let _ = cell.add(&host(n % 3), &endpoint(n % 5), &delta(&[0.01 * (second + 1) as f64], 1));
        }
        let _ = cell.set_gauge(&"queue".into(), second as f64);
        store.put(vec![stored(&service, second, &cell)]).await.expect("put");
        let _ = expected.merge(&cell);
    }
    let read = |detail| read_window(&store, &service, Tier::OneSecond, Second(0), Second(60), detail);
    let all = read(Detail::ALL).await.expect("read");
    assert_eq!(
        (&all.total, &all.hosts, &all.endpoints),
        (&expected.total, &expected.hosts, &expected.endpoints)
    );
    assert_eq!((all.buckets_seen, all.newest, all.partial), (60, Some(Second(59)), false));
    assert_eq!(all.gauges, expected.gauges);
    let total = read(Detail::TOTAL).await.expect("read");
    assert_eq!(total.total, expected.total);
    assert!(total.hosts.is_empty() && total.endpoints.is_empty() && total.gauges.is_empty());
}

#[tokio::test]
async fn a_window_with_a_corrupt_cell_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("windows.sqlite");
    let store = MemoryWindows::open(&path, &WindowsConfig::default()).await.expect("open");
    let corrupt = StoredCell {
        blob: bytes::Bytes::from_static(b"\x01\x00nonsense"),
        ..stored(&service(), 7, &SecondCell::default())
    };
    store.put(vec![corrupt]).await.expect("put");
    let service = service();
    let read = read_window(&store, &service, Tier::OneSecond, Second(0), Second(60), Detail::TOTAL);
    let told = read.await.expect_err("corrupt").to_string();
    assert!(told.contains("shop/prod/api at 7 s"), "{told}");
}
