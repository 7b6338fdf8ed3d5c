//! How many requests a sampled line stands for.

/// Most requests that one value may stand for, so that no bucket of a second overflows on its way.
pub const WEIGHT_MAX: f64 = 1e6;

/// Whole requests out of `exact`, which `carry` adds to and keeps the rest of: rate 0.3 gives 3, 3, 4.
/// Over many lines the sum is exact, where rounding each would be off by up to half of all.
#[inline]
pub fn whole(exact: f64, carry: &mut f64) -> u32 {
    let sum = exact + *carry;
    // A sum that misses a whole number by rounding alone is that number.
    let whole = (sum + 1e-9).floor();
    *carry = sum - whole;
    whole.clamp(0.0, WEIGHT_MAX + 1.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remainder_is_carried_so_that_the_sum_is_exact() {
        let rates = [(1.0, 7, 7), (0.5, 7, 14), (0.1, 50, 500), (0.3, 300, 1000), (0.7, 700, 1000)];
        // A third is written with as many digits as a client likes: 3, 3.0003 or 3.03 requests a line.
        let thirds =
            [(1.0 / 3.0, 900, 2700), (0.333_333, 900, 2700), (0.3333, 9999, 30_000), (0.33, 99, 300)];
        for (rate, lines, requests) in rates.into_iter().chain(thirds) {
            let mut carry = 0.0;
            let sum: u32 = (0..lines).map(|_| whole(1.0 / rate, &mut carry)).sum();
            assert_eq!(sum, requests, "rate {rate}");
        }
        let mut carry = 0.0;
        let each: Vec<u32> = (0..3).map(|_| whole(1.0 / 0.3, &mut carry)).collect();
        assert_eq!(each, [3, 3, 4]);
    }
}
