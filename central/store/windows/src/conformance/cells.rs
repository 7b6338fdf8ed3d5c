//! The contract of cells.

use super::*;

type Store = Arc<dyn WindowStore>;

const CASES: [(&str, Case<Store>); 11] = [
    ("a cell is read back as it was put", |p| Box::pin(round_trip(p))),
    ("a put at or below the stored offset changes nothing", |p| Box::pin(idempotent(p))),
    ("offsets of other partitions do not matter", |p| Box::pin(partitions_apart(p))),
    ("a read sees what was put before it", |p| Box::pin(read_your_writes(p))),
    ("puts are applied in the order of their calls", |p| Box::pin(ordered(p))),
    ("a read gives its range in order of start", |p| Box::pin(ranges(p))),
    ("tiers and services are kept apart", |p| Box::pin(kept_apart(p))),
    ("a put that was dropped is whole or absent", |p| Box::pin(dropped_put(p))),
    ("what has expired is not read", |p| Box::pin(expiry(p))),
    ("a service whose cells have expired is gone", |p| Box::pin(services_expire(p))),
    ("a store that has lost nothing says so", |p| Box::pin(nothing_lost(p))),
];

/// Runs every case, each in a place that `fresh` makes.
pub async fn run<P: Place<Store>>(fresh: impl FnMut() -> P) {
    run_cases(&CASES, fresh).await;
}

async fn round_trip(place: Shared<Store>) {
    let store = place.open().await;
    let cells = vec![second(NOW, 1), second(NOW + 1, u64::MAX)];
    put(&*store, cells.clone()).await;
    assert_eq!(all(&*store, "api", Tier::OneSecond).await, cells);
    assert_eq!(store.services().await.expect("services"), [service("api")]);
    assert!(!store.name().is_empty());
}

async fn idempotent(place: Shared<Store>) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 5)]).await;
    for offset in [5, 4, 0] {
        let other = StoredCell { blob: blob(99), ..second(NOW, offset) };
        put(&*store, vec![other]).await;
        assert_eq!(seconds(&*store).await, [(NOW, 0, 5)]);
    }
    put(&*store, vec![second(NOW, 6)]).await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 6)]);
}

async fn partitions_apart(place: Shared<Store>) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 9)]).await;
    put(&*store, vec![cell("api", Tier::OneSecond, NOW, 3, 2)]).await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 9), (NOW, 3, 2)]);
}

async fn read_your_writes(place: Shared<Store>) {
    let store = place.open().await;
    for offset in 1..50 {
        put(&*store, vec![second(NOW, offset)]).await;
        assert_eq!(seconds(&*store).await, [(NOW, 0, offset)]);
    }
}

async fn ordered(place: Shared<Store>) {
    let store = place.open().await;
    let calls: Vec<_> = (1..=20).map(|offset| store.put(vec![second(NOW + offset, 1)])).collect();
    for call in calls {
        call.await.expect("put");
    }
    let expected: Vec<_> = (1..=20).map(|offset| (NOW + offset, 0, 1)).collect();
    assert_eq!(seconds(&*store).await, expected);
    put(&*store, vec![second(NOW, 2), second(NOW, 4), second(NOW, 3)]).await;
    assert_eq!(seconds(&*store).await[0], (NOW, 0, 4));
}

async fn ranges(place: Shared<Store>) {
    let store = place.open().await;
    put(&*store, [4, 1, 3, 0, 2].into_iter().map(|at| second(NOW + at, 1)).collect()).await;
    let read = |from: i64, until: i64| {
        let store = Arc::clone(&store);
        async move {
            let (from, until) = (Second(NOW + from), Second(NOW + until));
            let cells = store.read(&service("api"), Tier::OneSecond, from, until).await.expect("read");
            cells.iter().map(|cell| cell.key.start.0 - NOW).collect::<Vec<_>>()
        }
    };
    assert_eq!(read(0, 5).await, [0, 1, 2, 3, 4]);
    assert_eq!(read(1, 3).await, [1, 2]);
    assert_eq!(read(3, 3).await, [0; 0]);
    assert_eq!(read(3, 1).await, [0; 0]);
    assert_eq!(read(-100, 1).await, [0]);
    assert_eq!(read(5, 100).await, [0; 0]);
}

async fn kept_apart(place: Shared<Store>) {
    let store = place.open().await;
    let ten = cell("api", Tier::TenSeconds, NOW, 0, 2);
    let other = cell("web", Tier::OneSecond, NOW, 0, 3);
    put(&*store, vec![second(NOW, 1), ten.clone(), other.clone()]).await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 1)]);
    assert_eq!(all(&*store, "api", Tier::TenSeconds).await, [ten]);
    assert_eq!(all(&*store, "web", Tier::OneSecond).await, [other]);
    assert_eq!(all(&*store, "unheard-of", Tier::OneSecond).await, []);
    let mut services = store.services().await.expect("services");
    services.sort();
    assert_eq!(services, [service("api"), service("web")]);
}

async fn dropped_put(place: Shared<Store>) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 1), second(NOW + 1, 1)]).await;
    for polls in 0..4 {
        let offset = u64::from(polls) + 2;
        poll_and_drop(store.put(vec![second(NOW, offset), second(NOW + 1, offset)]), polls).await;
        let found = seconds(&*store).await;
        assert!(found.iter().all(|(_, _, found)| (1..=offset).contains(found)), "{found:?}");
    }
}

async fn expiry(place: Shared<Store>) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 1), cell("api", Tier::TenSeconds, NOW, 0, 1)]).await;
    let one = Tier::OneSecond.retention_s();
    put(&*store, vec![second(NOW + one, 2)]).await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 1), (NOW + one, 0, 2)], "kept for its retention");
    put(&*store, vec![second(NOW + one + 1, 3)]).await;
    assert_eq!(seconds(&*store).await, [(NOW + one, 0, 2), (NOW + one + 1, 0, 3)], "then not");
    put(&*store, vec![second(NOW, 9)]).await;
    assert_eq!(seconds(&*store).await.len(), 2, "what comes after its time is not kept");

    let ten = Tier::TenSeconds.width_s() + Tier::TenSeconds.retention_s();
    put(&*store, vec![second(NOW + ten - 1, 4)]).await;
    assert_eq!(all(&*store, "api", Tier::TenSeconds).await.len(), 1);
    put(&*store, vec![second(NOW + ten, 5)]).await;
    assert_eq!(all(&*store, "api", Tier::TenSeconds).await.len(), 0);
}

async fn services_expire(place: Shared<Store>) {
    let store = place.open().await;
    put(&*store, vec![cell("gone", Tier::OneSecond, NOW, 0, 1)]).await;
    put(&*store, vec![second(NOW + Tier::OneSecond.retention_s() + 1, 2)]).await;
    assert_eq!(store.services().await.expect("services"), [service("api")]);
}

async fn nothing_lost(place: Shared<Store>) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 1)]).await;
    assert_eq!(store.look().await.expect("answers"), store.health().losses);
    store.made_whole(0, store.health().losses);
    assert_eq!(store.look().await.expect("answers"), store.health().losses);
    assert_eq!(seconds(&*store).await, [(NOW, 0, 1)]);
}
