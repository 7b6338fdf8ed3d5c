//! From a value to its bucket and back.
//!
//! Bucket `i` holds `(2^(i/64), 2^((i+1)/64)]`. The index comes from the float's bits: the exponent
//! gives the octave, and one table look-up with one addition gives the place within it. No logarithm
//! is taken, so an edge never depends on a math library: a value falls on the same side everywhere.

use std::ops::RangeInclusive;

/// Sub-buckets of one octave: two to the power of the scale, which is 6 and never changes.
pub const BUCKETS_PER_OCTAVE: i32 = 64;

/// Half the width of a bucket relative to its middle, `(γ−1)/(γ+1)` with `γ = 2^(1/64)`: the largest
/// relative error of any quantile.
pub const RELATIVE_ERROR_MAX: f64 = 0.005_415_159_415_902_569;

/// Indexes that a positive normal float can have, powers of two at 2^−1022 excepted.
pub const INDEXES: RangeInclusive<i32> = -1022 * BUCKETS_PER_OCTAVE..=1024 * BUCKETS_PER_OCTAVE - 1;

/// Lowest and highest bits of the floats that have a bucket: above 2^−1022 and finite.
const POSITIVE_BITS_MIN: u64 = (1 << MANTISSA_BITS) + 1;
const INFINITY_BITS: u64 = 0x7ff << MANTISSA_BITS;

const MANTISSA_BITS: u32 = 52;
const MANTISSA_MASK: u64 = (1 << MANTISSA_BITS) - 1;
const EXPONENT_BIAS: i32 = 1023;

/// Mantissa bits that choose the table's slot. 2^7 slots are narrower than the narrowest bucket, so
/// that no slot holds more than one edge.
const SLOT_BITS: u32 = 7;

/// The mantissas of `2^(k/64)`, rounded down: `floor(2^52 · 2^(k/64)) − 2^52`.
///
/// All but the first are irrational, so a mantissa lies above the true edge exactly if it is greater
/// than the edge rounded down. A test proves each by integer arithmetic.
#[rustfmt::skip]
const EDGE_MANTISSAS: [u64; 64] = [
    0x0_0000_0000_0000, 0x0_2c9a_3e77_8060, 0x0_59b0_d315_8574, 0x0_8745_1875_9bc8,
    0x0_b558_6cf9_890f, 0x0_e3ec_32d3_d1a2, 0x1_1301_d012_5b50, 0x1_429a_aea9_2ddf,
    0x1_72b8_3c7d_517a, 0x1_a35b_eb6f_cb75, 0x1_d487_3168_b9aa, 0x2_063b_8862_8cd6,
    0x2_387a_6e75_6238, 0x2_6b45_65e2_7cdd, 0x2_9e9d_f51f_dee1, 0x2_d285_a6e4_030b,
    0x3_06fe_0a31_b715, 0x3_3c08_b264_16ff, 0x3_71a7_373a_a9ca, 0x3_a7db_34e5_9ff6,
    0x3_dea6_4c12_3422, 0x4_160a_21f7_2e29, 0x4_4e08_6061_892d, 0x4_86a2_b5c1_3cd0,
    0x4_bfda_d536_2a27, 0x4_f9b2_769d_2ca6, 0x5_342b_569d_4f81, 0x5_6f47_36b5_27da,
    0x5_ab07_dd48_5429, 0x5_e76f_15ad_2148, 0x6_247e_b03a_5584, 0x6_6238_8255_2224,
    0x6_a09e_667f_3bcc, 0x6_dfb2_3c65_1a2e, 0x7_1f75_e8ec_5f73, 0x7_5feb_5642_67c8,
    0x7_a114_73eb_0186, 0x7_e2f3_36cf_4e62, 0x8_2589_994c_ce12, 0x8_68d9_9b44_92ec,
    0x8_ace5_422a_a0db, 0x8_f1ae_9915_7736, 0x9_3737_b0cd_c5e4, 0x9_7d82_9fde_4e4f,
    0x9_c491_82a3_f090, 0xa_0c66_7b5d_e564, 0xa_5503_b23e_255c, 0xa_9e6b_5579_fdbf,
    0xa_e89f_995a_d3ad, 0xb_33a2_b84f_15fa, 0xb_7f76_f2fb_5e46, 0xb_cc1e_904b_c1d2,
    0xc_199b_dd85_529c, 0xc_67f1_2e57_d14b, 0xc_b720_dcef_9069, 0xd_072d_4a07_897b,
    0xd_5818_dcfb_a487, 0xd_a9e6_03db_3285, 0xd_fc97_337b_9b5e, 0xe_502e_e78b_3ff6,
    0xe_a4af_a2a4_90d9, 0xe_fa1b_ee61_5a27, 0xf_5076_5b6e_4540, 0xf_a7c1_819e_90d8,
];

/// For each slot of mantissas what to add, so that the bits above the mantissa count the edges that
/// lie strictly below it.
static ADDENDS: [u64; 1 << SLOT_BITS] = addends();

const fn addends() -> [u64; 1 << SLOT_BITS] {
    let mut addends = [0; 1 << SLOT_BITS];
    let mut slot = 0;
    let mut edges_below = 0;
    while slot < addends.len() {
        let slot_end = (slot as u64 + 1) << (MANTISSA_BITS - SLOT_BITS);
        addends[slot] = (edges_below as u64) << MANTISSA_BITS;
        if edges_below < EDGE_MANTISSAS.len() && EDGE_MANTISSAS[edges_below] < slot_end {
            addends[slot] += MANTISSA_MASK - EDGE_MANTISSAS[edges_below];
            edges_below += 1;
        }
        slot += 1;
    }
    addends
}

/// Where a value is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the bucket of this index.
    Bucket(i32),
    /// Zero, or a positive value of 2^−1022 and less, which no clock can tell from zero.
    Zero,
    /// Negative, infinite or not a number: no duration at all.
    Refused,
}

/// The bucket of a value above 2^−1022 and below infinity; `None` for any other.
#[inline]
pub(crate) fn bucket_of(value: f64) -> Option<i32> {
    let bits = value.to_bits();
    if bits.wrapping_sub(POSITIVE_BITS_MIN) >= INFINITY_BITS - POSITIVE_BITS_MIN {
        return None;
    }
    let mantissa = bits & MANTISSA_MASK;
    let slot = (mantissa >> (MANTISSA_BITS - SLOT_BITS)) as usize;
    let edges_below = ((mantissa + ADDENDS[slot]) >> MANTISSA_BITS) as i32;
    let octave = (bits >> MANTISSA_BITS) as i32 - EXPONENT_BIAS;
    Some(octave * BUCKETS_PER_OCTAVE + edges_below - 1)
}

/// Where any value is counted.
#[inline]
pub(crate) fn place_of(value: f64) -> Place {
    match bucket_of(value) {
        Some(index) => Place::Bucket(index),
        None if (0.0..=f64::MIN_POSITIVE).contains(&value) => Place::Zero,
        None => Place::Refused,
    }
}

/// The lower edge of a bucket, `2^(index/64)`, rounded down. The edge itself belongs to the bucket
/// below. `index` is one of [`INDEXES`].
pub(crate) fn lower_edge(index: i32) -> f64 {
    let octave = index.div_euclid(BUCKETS_PER_OCTAVE);
    let edge = EDGE_MANTISSAS[index.rem_euclid(BUCKETS_PER_OCTAVE) as usize];
    f64::from_bits((((octave + EXPONENT_BIAS) as u64) << MANTISSA_BITS) | edge)
}

/// The value that stands for a bucket: the one whose relative error is the same at both edges,
/// `2·lower·upper / (lower + upper)`.
pub(crate) fn middle(index: i32) -> f64 {
    lower_edge(index) * (1.0 + RELATIVE_ERROR_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `edge^64 ≤ 2^(52·64+k) < (edge+1)^64`, in integers of any length: least significant word first.
    fn power_of_64(base: u64) -> Vec<u32> {
        let mut product = vec![base as u32, (base >> 32) as u32];
        for _ in 0..6 {
            let mut square = vec![0_u32; product.len() * 2];
            for (i, a) in product.iter().enumerate() {
                let mut carry = 0_u64;
                for (j, b) in product.iter().enumerate() {
                    let sum = u64::from(*a) * u64::from(*b) + u64::from(square[i + j]) + carry;
                    square[i + j] = sum as u32;
                    carry = sum >> 32;
                }
                square[i + product.len()] = carry as u32;
            }
            product = square;
        }
        product
    }

    fn highest_bit(number: &[u32]) -> usize {
        let word = number.iter().rposition(|word| *word != 0).expect("not zero");
        word * 32 + 31 - number[word].leading_zeros() as usize
    }

    fn is_power_of_two(number: &[u32]) -> bool {
        number.iter().map(|word| word.count_ones()).sum::<u32>() == 1
    }

    #[test]
    fn every_edge_is_the_true_one_rounded_down() {
        for (k, mantissa) in EDGE_MANTISSAS.iter().enumerate() {
            let edge = mantissa + (1 << MANTISSA_BITS);
            let power = 52 * 64 + k;
            let (at, above) = (power_of_64(edge), power_of_64(edge + 1));
            assert!(
                highest_bit(&at) < power || (highest_bit(&at) == power && is_power_of_two(&at)),
                "edge {k}"
            );
            assert!(highest_bit(&above) >= power && !is_power_of_two(&above), "edge {k}");
        }
    }

    #[test]
    fn no_slot_of_the_table_holds_two_edges() {
        let slots: Vec<u64> = EDGE_MANTISSAS.iter().map(|edge| edge >> (MANTISSA_BITS - SLOT_BITS)).collect();
        assert!(slots.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_power_of_two_belongs_to_the_lower_bucket() {
        for exponent in -1021..=1023 {
            let power = 2.0_f64.powi(exponent);
            assert_eq!(bucket_of(power), Some(exponent * 64 - 1));
            assert_eq!(bucket_of(power.next_up()), Some(exponent * 64));
        }
    }

    #[test]
    fn every_bucket_begins_right_above_its_lower_edge() {
        for index in INDEXES {
            let edge = lower_edge(index);
            assert_eq!(bucket_of(edge.next_up()), Some(index));
            let below = if index == *INDEXES.start() { None } else { Some(index - 1) };
            assert_eq!(bucket_of(edge), below);
            assert_eq!(bucket_of(middle(index)), Some(index));
        }
    }

    #[test]
    fn values_that_are_no_durations_have_no_bucket() {
        for value in [0.0, -0.0, f64::MIN_POSITIVE, f64::MIN_POSITIVE / 2.0] {
            assert_eq!(place_of(value), Place::Zero);
        }
        for value in [-1.0, -f64::MIN_POSITIVE, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(place_of(value), Place::Refused);
        }
        assert_eq!(place_of(f64::MAX), Place::Bucket(*INDEXES.end()));
        assert_eq!(place_of(f64::MIN_POSITIVE.next_up()), Place::Bucket(*INDEXES.start()));
    }

    proptest! {
        #[test]
        fn a_value_lies_between_the_edges_of_its_bucket(bits in POSITIVE_BITS_MIN..INFINITY_BITS) {
            let value = f64::from_bits(bits);
            let index = bucket_of(value).expect("positive and finite");
            prop_assert!(value > lower_edge(index));
            if index < *INDEXES.end() {
                prop_assert!(value <= lower_edge(index + 1));
            }
            let error = (middle(index) / value - 1.0).abs();
            prop_assert!(error <= RELATIVE_ERROR_MAX * (1.0 + 1e-9), "{value} is off by {error}");
        }
    }
}
