//! The bodies of the fuzz targets, over mutated sketches: what coverage guides on nightly, chance does
//! here in every run.

#[allow(unreachable_pub, reason = "the targets of tests/fuzz share it")]
mod bodies;

use goldentime_sketch::Sketch;
use proptest::collection::vec;
use proptest::prelude::*;

/// Encodings of real sketches, of few and of many buckets.
fn corpus(encode: fn(&Sketch, &mut Vec<u8>)) -> Vec<Vec<u8>> {
    let shapes: [(u32, f64, u64); 6] = [
        (0, 1.0, 1),
        (3, 1.5, 1),
        (40, 1.02, 7),
        (300, 1.02, 1),
        (300, 1.07, 1 << 20),
        (9, 8.0, u64::MAX / 4),
    ];
    let sketches = shapes.map(|(n, factor, count)| {
        let mut sketch = Sketch::new();
        sketch.insert_n(0.0, u64::from(n));
        for i in 0..n {
            sketch.insert_n(0.001 * factor.powi(i as i32), count);
        }
        sketch
    });
    let encoded = |sketch: &Sketch| {
        let mut bytes = Vec::new();
        encode(sketch, &mut bytes);
        bytes
    };
    sketches.iter().map(encoded).collect()
}

/// What a faulty link or a hostile sender makes of bytes.
#[derive(Clone, Debug)]
enum Mutation {
    Set(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        1 => at().prop_map(Mutation::Cut),
        2 => (at(), vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        1 => at().prop_map(Mutation::Remove),
    ]
}

fn mutate(mut bytes: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        let places = bytes.len() + 1;
        match mutation {
            Mutation::Set(at, byte) => {
                if let Some(place) = bytes.get_mut(at.index(places)) {
                    *place = *byte;
                }
            }
            Mutation::Cut(at) => bytes.truncate(at.index(places)),
            Mutation::Insert(at, more) => {
                let at = at.index(places);
                drop(bytes.splice(at..at, more.iter().copied()));
            }
            Mutation::Remove(at) => {
                let at = at.index(places);
                if at < bytes.len() {
                    bytes.remove(at);
                }
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn mutated_wire_bytes_harm_nothing(which in any::<prop::sample::Index>(), mutations in vec(mutation(), 0..4)) {
        let corpus = corpus(Sketch::encode_wire);
        bodies::wire(&mutate(which.get(&corpus).clone(), &mutations));
    }

    #[test]
    fn mutated_state_bytes_harm_nothing(which in any::<prop::sample::Index>(), mutations in vec(mutation(), 0..4)) {
        let corpus = corpus(Sketch::encode_state);
        bodies::state(&mutate(which.get(&corpus).clone(), &mutations));
    }

    #[test]
    fn random_bytes_harm_nothing(mut bytes in vec(any::<u8>(), 0..200)) {
        bodies::wire(&bytes);
        bodies::state(&bytes);
        bytes.insert(0, 1);
        bodies::wire(&bytes);
        bodies::state(&bytes);
    }

    #[test]
    fn any_sequence_of_operations_keeps_the_invariants(
        steps in vec((any::<u8>(), prop_oneof![any::<f64>(), 1e-6..100.0_f64]), 0..120),
    ) {
        let bytes: Vec<u8> =
            steps.iter().flat_map(|(what, value)| [vec![*what], value.to_le_bytes().to_vec()].concat()).collect();
        bodies::operations(&bytes);
    }
}
