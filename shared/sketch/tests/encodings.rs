//! What is written is read back, and what was never written harms nobody.

use goldentime_sketch::{DecodeError, Sketch, skip_state};
use proptest::collection::vec;
use proptest::prelude::*;

fn sketch() -> impl Strategy<Value = Sketch> {
    let value = prop_oneof![20 => (-20.0..9.0_f64).prop_map(f64::exp2), 1 => Just(0.0), 1 => Just(1e300)];
    let count = prop_oneof![8 => 1..20_u64, 1 => 1..1_000_000_u64, 1 => any::<u64>()];
    prop_oneof![vec((value.clone(), count.clone()), 0..10), vec((value, count), 0..400)].prop_map(|entries| {
        let mut sketch = Sketch::new();
        for (value, count) in entries {
            sketch.insert_n(value, count);
        }
        sketch
    })
}

fn wire(sketch: &Sketch) -> Vec<u8> {
    let mut bytes = Vec::new();
    sketch.encode_wire(&mut bytes);
    bytes
}

fn state(sketch: &Sketch) -> Vec<u8> {
    let mut bytes = Vec::new();
    sketch.encode_state(&mut bytes);
    bytes
}

proptest! {
    #[test]
    fn the_wire_gives_back_what_it_was_given(sketch in sketch()) {
        prop_assert_eq!(Sketch::decode_wire(&wire(&sketch)), Ok(sketch));
    }

    #[test]
    fn the_state_gives_back_what_it_was_given_and_its_length(sketch in sketch(), behind in vec(any::<u8>(), 0..9)) {
        let mut bytes = state(&sketch);
        let len = bytes.len();
        bytes.extend(behind);
        prop_assert_eq!(skip_state(&bytes), Ok(len));
        prop_assert_eq!(Sketch::decode_state(&bytes), Ok((sketch, len)));
    }

    #[test]
    fn merging_bytes_equals_merging_sketches(a in sketch(), b in sketch()) {
        let mut expected = a.clone();
        expected.merge(&b);
        let mut from_wire = a.clone();
        prop_assert_eq!(from_wire.merge_wire(&wire(&b)), Ok(()));
        prop_assert_eq!(&from_wire, &expected);
        let mut from_state = a;
        prop_assert!(from_state.merge_state(&state(&b)).is_ok());
        prop_assert_eq!(&from_state, &expected);
    }

    #[test]
    fn bytes_cut_short_are_refused_and_change_nothing(a in sketch(), b in sketch(), cut in any::<prop::sample::Index>()) {
        let (mut from_wire, mut from_state) = (a.clone(), a.clone());
        let bytes = wire(&b);
        if bytes.len() > 1 {
            let cut = 1 + cut.index(bytes.len() - 1);
            prop_assert!(from_wire.merge_wire(&bytes[..cut]).is_err() || cut == bytes.len());
            prop_assert_eq!(&from_wire, &a);
        }
        let bytes = state(&b);
        prop_assert!(from_state.merge_state(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert_eq!(from_state, a);
    }
}

#[test]
fn an_empty_sketch_is_no_bytes_on_the_wire() {
    assert!(wire(&Sketch::new()).is_empty());
    assert_eq!(Sketch::decode_wire(&[]), Ok(Sketch::new()));
}

/// The layouts are read by other programs and by later versions: these bytes never change.
#[test]
fn known_sketches_have_known_bytes() {
    let mut sketch = Sketch::new();
    sketch.insert_n(0.0, 2);
    sketch.insert_n(1.0, 1); // bucket −1
    sketch.insert_n(1.03, 300); // bucket 2
    assert_eq!(wire(&sketch), [1, 0x22, 0x01, 0xb2, 0x4d]);
    assert_eq!(state(&sketch), [1, 12, 2, 1, 1, 0x00, 0x80, 1, 0, 2, 0x04, 0x00, 0x2c, 0x01]);
}

#[test]
fn a_newer_version_is_named() {
    assert_eq!(Sketch::decode_wire(&[2, 0, 0]), Err(DecodeError::Version(2)));
    assert_eq!(Sketch::decode_state(&[2, 1, 0]), Err(DecodeError::Version(2)));
    assert!(DecodeError::Version(2).to_string().contains("upgrade"));
}

#[test]
fn bytes_behind_a_sketch_on_the_wire_are_refused() {
    let mut sketch = Sketch::new();
    sketch.insert(0.2);
    let mut bytes = wire(&sketch);
    bytes.push(0);
    assert!(matches!(Sketch::decode_wire(&bytes), Err(DecodeError::Corrupt { .. })));
}

#[test]
fn buckets_that_span_too_far_are_refused() {
    let wide = |gap: u64| {
        let mut sketch = Sketch::new();
        sketch.insert(1.0);
        let mut bytes = wire(&sketch);
        // Two buckets instead of one, the second of them `gap` indexes further.
        bytes.truncate(1);
        let mut nibbles = vec![0, 2, 1, 0];
        let mut rest = gap;
        while rest >= 8 {
            nibbles.push(rest as u8 & 7 | 8);
            rest >>= 3;
        }
        nibbles.extend([rest as u8, 0]);
        nibbles.chunks(2).for_each(|pair| bytes.push(pair[0] | pair.get(1).unwrap_or(&0) << 4));
        Sketch::decode_wire(&bytes)
    };
    assert!(wide(2046).is_ok());
    for gap in [2047, 1 << 20, 1 << 40, u64::MAX >> 1] {
        assert!(matches!(wide(gap), Err(DecodeError::Corrupt { .. })), "{gap}");
    }
}
