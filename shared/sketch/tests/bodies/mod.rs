//! What must hold for any bytes, shared by the fuzz targets and the stable test.
#![allow(dead_code, reason = "each fuzz target runs one of them")]

use goldentime_sketch::{Sketch, skip_state};

/// Most bytes that any sketch takes.
const HEAP_BYTES_MAX: usize = 16 * 1024;

/// Either a sketch that survives being written and read again, or an error; merging agrees.
pub fn wire(bytes: &[u8]) {
    let mut merged = Sketch::new();
    merged.insert(0.1);
    let before = merged.clone();
    match Sketch::decode_wire(bytes) {
        Ok(sketch) => {
            check(&sketch);
            let mut again = Vec::new();
            sketch.encode_wire(&mut again);
            assert_eq!(Sketch::decode_wire(&again), Ok(sketch.clone()));
            assert_eq!(merged.merge_wire(bytes), Ok(()));
            let mut expected = before;
            expected.merge(&sketch);
            assert_eq!(merged, expected);
        }
        Err(error) => {
            assert_eq!(merged.merge_wire(bytes), Err(error));
            assert_eq!(merged, before, "an error changes nothing");
        }
    }
}

/// The same for stored state, with its length.
pub fn state(bytes: &[u8]) {
    let mut merged = Sketch::new();
    merged.insert(0.1);
    let before = merged.clone();
    match Sketch::decode_state(bytes) {
        Ok((sketch, taken)) => {
            check(&sketch);
            assert!(taken <= bytes.len());
            assert_eq!(skip_state(bytes), Ok(taken));
            let mut again = Vec::new();
            sketch.encode_state(&mut again);
            assert_eq!(Sketch::decode_state(&again), Ok((sketch.clone(), again.len())));
            assert_eq!(merged.merge_state(bytes), Ok(taken));
            let mut expected = before;
            expected.merge(&sketch);
            assert_eq!(merged, expected);
        }
        Err(error) => {
            assert_eq!(merged.merge_state(bytes), Err(error));
            assert_eq!(merged, before, "an error changes nothing");
        }
    }
}

/// Any sequence of insertions, merges and subtractions of any floats: nine bytes each, the first of
/// which says what to do.
pub fn operations(bytes: &[u8]) {
    let (mut sketch, mut other) = (Sketch::new(), Sketch::new());
    let (steps, _) = bytes.as_chunks::<9>();
    for &[what, value @ ..] in steps {
        let value = f64::from_le_bytes(value);
        let n = 1_u64 << ((what >> 3) * 2);
        match what & 7 {
            0 | 1 => {
                sketch.insert(value);
            }
            2 => {
                other.insert(value);
            }
            3 => {
                sketch.insert_n(value, n);
            }
            4 => {
                other.insert_n(value.abs(), n);
            }
            5 => sketch.merge(&other),
            6 => sketch.subtract(&other),
            _ => std::mem::swap(&mut sketch, &mut other),
        }
        check(&sketch);
        let bounds = sketch.count_above(value);
        assert!(bounds.low <= bounds.high && bounds.high <= sketch.count());
    }
}

/// What holds for every sketch.
fn check(sketch: &Sketch) {
    assert!(sketch.heap_bytes() <= HEAP_BYTES_MAX);
    let sum = sketch.buckets().fold(sketch.zeros(), |sum, bucket| sum.saturating_add(bucket.1));
    assert_eq!(sum, sketch.count());
    let mut values = [0.0; 4];
    assert_eq!(sketch.quantiles(&[0.0, 0.5, 0.99, 1.0], &mut values), !sketch.is_empty());
    assert!(values.is_sorted() && values.iter().all(|value| value.is_finite()));
}
