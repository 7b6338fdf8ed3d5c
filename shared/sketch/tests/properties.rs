//! What a sketch promises, on data of every shape.

use goldentime_sketch::{BUCKETS_MAX, RELATIVE_ERROR_MAX, Sketch};
use proptest::collection::vec;
use proptest::prelude::*;

const QUANTILES: [f64; 9] = [0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];

fn sketch_of(values: &[f64]) -> Sketch {
    let mut sketch = Sketch::new();
    for value in values {
        assert!(sketch.insert(*value), "{value} is a duration");
    }
    sketch
}

/// The smallest value such that at least the share `q` of all are at or below it.
fn exact_quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = sorted
        .iter()
        .enumerate()
        .position(|(i, _)| (i + 1) as f64 >= q * sorted.len() as f64 * (1.0 - 1e-12));
    sorted[rank.expect("q is at most 1")]
}

fn assert_quantiles(values: &[f64]) {
    let sketch = sketch_of(values);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut at_once = [0.0; QUANTILES.len()];
    assert!(sketch.quantiles(&QUANTILES, &mut at_once));
    for (q, together) in QUANTILES.into_iter().zip(at_once) {
        let estimate = sketch.quantile(q).expect("not empty");
        assert_eq!(estimate, together, "one by one and at once differ at {q}");
        let exact = exact_quantile(&sorted, q);
        let error = (estimate / exact - 1.0).abs();
        assert!(error <= RELATIVE_ERROR_MAX * (1.0 + 1e-9), "p{q}: {estimate} for {exact} is off by {error}");
    }
}

/// Durations between a microsecond and ten minutes, each order of magnitude as likely.
fn duration() -> impl Strategy<Value = f64> {
    (-6.0..2.8_f64).prop_map(|exponent| 10_f64.powf(exponent))
}

/// Any positive normal float.
fn any_positive() -> impl Strategy<Value = f64> {
    (f64::MIN_POSITIVE.next_up().to_bits()..=f64::MAX.to_bits()).prop_map(f64::from_bits)
}

/// Something to insert: mostly durations, some zeros, often the same value again, any count.
fn entry() -> impl Strategy<Value = (f64, u64)> {
    let value = prop_oneof![6 => duration(), 1 => Just(0.0), 2 => Just(0.25), 1 => any_positive()];
    let count = prop_oneof![8 => 1..20_u64, 1 => Just(0), 1 => 1..u64::from(u32::MAX) * 4];
    (value, count)
}

fn entries() -> impl Strategy<Value = Vec<(f64, u64)>> {
    prop_oneof![vec(entry(), 0..20), vec(entry(), 0..300)]
}

/// Entries whose buckets span less than what collapses.
fn near_entries() -> impl Strategy<Value = Vec<(f64, u64)>> {
    let value = prop_oneof![9 => duration(), 1 => Just(0.0)];
    vec((value, 1..20_u64), 0..200)
}

fn sketch_of_entries(entries: &[(f64, u64)]) -> Sketch {
    let mut sketch = Sketch::new();
    for (value, count) in entries {
        sketch.insert_n(*value, *count);
    }
    sketch
}

/// What a sketch must hold: each bucket's count, the lowest collapsed, everything saturating.
fn model(entries: &[(f64, u64)]) -> (u64, Vec<(i32, u64)>) {
    let mut zeros = 0_u64;
    let mut buckets = std::collections::BTreeMap::<i32, u64>::new();
    for (value, count) in entries {
        if *value == 0.0 {
            zeros = zeros.saturating_add(*count);
        } else if *count > 0 {
            let (index, _) = sketch_of(&[*value]).buckets().next().expect("one bucket");
            let bucket = buckets.entry(index).or_default();
            *bucket = bucket.saturating_add(*count);
        }
    }
    let floor = buckets.keys().next_back().map_or(0, |highest| highest - BUCKETS_MAX as i32 + 1);
    let mut collapsed = std::collections::BTreeMap::<i32, u64>::new();
    for (index, count) in buckets {
        let bucket = collapsed.entry(index.max(floor)).or_default();
        *bucket = bucket.saturating_add(count);
    }
    (zeros, collapsed.into_iter().collect())
}

proptest! {
    #[test]
    fn quantiles_of_uniform_data_keep_the_error_bound(values in vec(0.001..1.0_f64, 1..2000)) {
        assert_quantiles(&values);
    }

    #[test]
    fn quantiles_of_lognormal_data_keep_the_error_bound(
        normals in vec((0.0..1.0_f64, 0.0..std::f64::consts::TAU), 1..2000),
    ) {
        // Box and Muller (1958).
        let lognormal = |(u, angle): &(f64, f64)| (-3.0 + (-2.0 * (1.0 - u).ln()).sqrt() * angle.cos()).exp();
        assert_quantiles(&normals.iter().map(lognormal).collect::<Vec<_>>());
    }

    #[test]
    fn quantiles_of_bimodal_data_keep_the_error_bound(
        values in vec(prop_oneof![9 => 0.001..0.003_f64, 1 => 2.0..30.0_f64], 1..2000),
    ) {
        assert_quantiles(&values);
    }

    #[test]
    fn quantiles_of_heavy_tailed_data_keep_the_error_bound(uniform in vec(1e-9..1.0_f64, 1..2000)) {
        // Pareto with α = 0.5: it has no mean.
        assert_quantiles(&uniform.iter().map(|u| 0.001 / (u * u)).map(|v| v.min(1e4)).collect::<Vec<_>>());
    }

    #[test]
    fn quantiles_right_at_the_edges_keep_the_error_bound(
        values in vec((0_i32..640, -1_i32..=1), 1..2000),
    ) {
        let beside = |(k, side): &(i32, i32)| {
            let edge = 2_f64.powf(f64::from(*k) / 64.0);
            match side { -1 => edge.next_down(), 0 => edge, _ => edge.next_up() }
        };
        assert_quantiles(&values.iter().map(beside).collect::<Vec<_>>());
    }

    #[test]
    fn quantiles_of_equal_values_keep_the_error_bound(value in any_positive(), n in 1..100_usize) {
        assert_quantiles(&vec![value; n]);
    }

    #[test]
    fn a_sketch_holds_what_the_model_holds(entries in entries()) {
        let sketch = sketch_of_entries(&entries);
        let (zeros, buckets) = model(&entries);
        prop_assert_eq!(sketch.zeros(), zeros);
        let positive = buckets.iter().fold(0_u64, |sum, bucket| sum.saturating_add(bucket.1));
        prop_assert_eq!(sketch.count(), positive.saturating_add(zeros));
        prop_assert_eq!(sketch.buckets().collect::<Vec<_>>(), buckets);
    }

    #[test]
    fn merging_equals_inserting_everything_into_one(a in entries(), b in entries()) {
        let mut merged = sketch_of_entries(&a);
        merged.merge(&sketch_of_entries(&b));
        let all = sketch_of_entries(&[a, b].concat());
        prop_assert_eq!(merged.count(), all.count());
        prop_assert_eq!(merged, all);
    }

    #[test]
    fn merging_is_commutative_and_associative(a in entries(), b in entries(), c in entries()) {
        let [a, b, c] = [a, b, c].map(|entries| sketch_of_entries(&entries));
        let sum = |parts: [&Sketch; 3]| {
            let mut sum = Sketch::new();
            parts.into_iter().for_each(|part| sum.merge(part));
            sum
        };
        let mut right = b.clone();
        right.merge(&c);
        let mut left_of_right = a.clone();
        left_of_right.merge(&right);
        prop_assert_eq!(&sum([&a, &b, &c]), &left_of_right);
        prop_assert_eq!(sum([&a, &b, &c]), sum([&c, &a, &b]));
    }

    #[test]
    fn the_order_of_insertion_does_not_matter(entries in entries().prop_shuffle(), sorted in any::<bool>()) {
        let mut other = entries.clone();
        if sorted { other.sort_by(|a, b| a.0.total_cmp(&b.0)) } else { other.reverse() }
        prop_assert_eq!(sketch_of_entries(&entries), sketch_of_entries(&other));
    }

    #[test]
    fn subtracting_undoes_merging(a in near_entries(), b in near_entries()) {
        let (before, other) = (sketch_of_entries(&a), sketch_of_entries(&b));
        let mut sketch = before.clone();
        sketch.merge(&other);
        sketch.subtract(&other);
        prop_assert_eq!(sketch.count(), before.count());
        prop_assert_eq!(&sketch, &before);
        sketch.subtract(&before);
        prop_assert!(sketch.is_empty());
        prop_assert_eq!(sketch.quantile(0.5), None);
    }

    #[test]
    fn a_cleared_sketch_counts_like_a_new_one(a in entries(), b in entries()) {
        let mut reused = sketch_of_entries(&a);
        reused.clear();
        prop_assert!(reused.is_empty());
        for (value, count) in &b {
            reused.insert_n(*value, *count);
        }
        prop_assert_eq!(reused, sketch_of_entries(&b));
    }

    #[test]
    fn the_true_number_above_a_threshold_lies_within_its_bounds(
        values in vec(prop_oneof![duration(), any_positive(), Just(0.0), Just(0.2)], 0..300),
        threshold in prop_oneof![duration(), any_positive(), Just(0.0), Just(0.2), Just(0.25), Just(-1.0)],
    ) {
        let sketch = sketch_of(&values);
        let above = values.iter().filter(|value| **value > threshold).count() as u64;
        let bounds = sketch.count_above(threshold);
        prop_assert!(bounds.low <= above && above <= bounds.high, "{above} not in {bounds:?}");
    }

    #[test]
    fn a_threshold_that_is_a_power_of_two_is_judged_exactly(values in vec(duration(), 0..300), octave in -18..8_i32) {
        let threshold = 2_f64.powi(octave);
        let above = values.iter().filter(|value| **value > threshold).count() as u64;
        let bounds = sketch_of(&values).count_above(threshold);
        prop_assert_eq!((bounds.low, bounds.high), (above, above));
    }
}

#[test]
fn what_is_no_duration_is_refused_and_changes_nothing() {
    let mut sketch = sketch_of(&[0.1]);
    for value in [-0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(!sketch.insert(value));
    }
    assert_eq!(sketch, sketch_of(&[0.1]));
}

#[test]
fn zeros_count_as_zero() {
    let sketch = sketch_of(&[0.0, -0.0, 1e-310, 1.0]);
    assert_eq!((sketch.zeros(), sketch.count()), (3, 4));
    assert_eq!(sketch.quantile(0.75), Some(0.0));
    assert!(sketch.quantile(0.76).is_some_and(|p76| (p76 - 1.0).abs() < RELATIVE_ERROR_MAX));
}

#[test]
fn counts_saturate_and_stay_in_order() {
    let mut sketch = Sketch::new();
    sketch.insert_n(0.1, u64::MAX);
    sketch.insert_n(0.1, 1);
    sketch.insert_n(10.0, u64::MAX);
    let mut twice = sketch.clone();
    twice.merge(&sketch);
    assert_eq!(twice.count(), u64::MAX);
    assert_eq!(twice, sketch);
    assert!(twice.quantile(1.0).is_some());
}

#[test]
fn a_quantile_outside_its_range_is_none() {
    let sketch = sketch_of(&[0.1]);
    for q in [-0.01, 1.01, f64::NAN] {
        assert_eq!(sketch.quantile(q), None);
    }
    assert_eq!(Sketch::new().quantile(0.5), None);
    assert!(!sketch.quantiles(&[0.5, 0.9], &mut [0.0]));
}

#[test]
fn a_rank_that_misses_a_whole_number_by_rounding_alone_is_that_number() {
    let values: Vec<f64> = (1..=100).map(f64::from).collect();
    let p7 = sketch_of(&values).quantile(0.07).expect("not empty");
    assert!((p7 / 7.0 - 1.0).abs() <= RELATIVE_ERROR_MAX, "{p7}");
}

#[test]
fn quantiles_need_not_ascend() {
    let sketch = sketch_of(&(1..=1000).map(|n| f64::from(n) / 1000.0).collect::<Vec<_>>());
    let mut descending = [0.0; 3];
    assert!(sketch.quantiles(&[0.99, 0.5, 0.5], &mut descending));
    assert_eq!(descending[0], sketch.quantile(0.99).expect("not empty"));
    assert_eq!(descending[1], sketch.quantile(0.5).expect("not empty"));
    assert_eq!(descending[2], descending[1]);
}

#[test]
fn a_sketch_never_takes_more_than_16_kib() {
    let mut sketch = Sketch::new();
    for exponent in -1000..1000 {
        sketch.insert_n(1.5 * 2_f64.powi(exponent), u64::from(u32::MAX));
        assert!(sketch.heap_bytes() <= 16 * 1024);
    }
}
