//! The sketch beside the usual DDSketch crate and an HDR histogram, in one run.
//!
//! All three see the same lognormal durations (median 50 ms, σ 1) and take turns round by round, so
//! that a machine that slows down slows all of them; figures are medians over the rounds, a ratio is
//! that of two medians.
//! DDSketch has the same relative error; the HDR histogram has three digits, its nearest above that.

#[allow(unreachable_pub, reason = "it is public where it is at home")]
#[path = "../../../tests/perf/src/report.rs"]
mod report;

use std::hint::black_box;
use std::io;
use std::time::Instant;

use goldentime_sketch::{RELATIVE_ERROR_MAX, Sketch};
use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use report::{Report, median};
use sketches_ddsketch::{Config, DDSketch};

/// Rounds in which each candidate has its turn, unless `RUNS` says otherwise.
const ROUNDS: u32 = 41;

/// Values inserted in a turn.
const VALUES: usize = 100_000;

/// Times that a cheaper operation is repeated in a turn.
const REPEATS: u32 = 2_000;

/// Sketches that one is merged from in turn.
const PARTS: usize = 16;

const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

const SEED: u64 = 42;

fn main() -> io::Result<()> {
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(ROUNDS).max(1);
    let values = lognormal(VALUES);
    let mut rounds = Rounds::default();
    let peers = Peers::of(&values);
    for _ in 0..runs {
        rounds.insert(&values);
        rounds.merge(&values);
        rounds.quantiles(&peers);
        rounds.encodings(&values, &peers.sketch);
    }
    let mut report = Report::new("sketch", runs);
    rounds.tell(&mut report);
    peers.tell(&values, &mut report);
    report.finish().map(drop)
}

/// Durations in seconds. Box and Muller (1958).
fn lognormal(n: usize) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut next = || {
        let (u, angle) = (1.0 - random.random::<f64>(), random.random_range(0.0..std::f64::consts::TAU));
        0.05 * ((-2.0 * u.ln()).sqrt() * angle.cos()).exp()
    };
    (0..n).map(|_| next()).collect()
}

fn sketch_of(values: &[f64]) -> Sketch {
    let mut sketch = Sketch::new();
    for value in values {
        sketch.insert(*value);
    }
    sketch
}

fn ddsketch_of(values: &[f64]) -> DDSketch {
    let mut sketch = DDSketch::new(Config::new(RELATIVE_ERROR_MAX, 2048, 1e-9));
    for value in values {
        sketch.add(*value);
    }
    sketch
}

fn hdr_of(values: &[f64]) -> Histogram<u64> {
    // From a nanosecond to an hour.
    let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("valid bounds");
    for value in values {
        histogram.saturating_record(nanos(*value));
    }
    histogram
}

fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// Nanoseconds that each of `n` operations took.
fn time<T>(n: usize, operations: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(operations());
    start.elapsed().as_nanos() as f64 / n as f64
}

/// Nanoseconds an operation by round.
#[derive(Default)]
struct Rounds {
    insert: [Vec<f64>; 3],
    merge: [Vec<f64>; 3],
    quantiles: [Vec<f64>; 3],
    sparse_insert: Vec<f64>,
    encode_wire: Vec<f64>,
    decode_wire: Vec<f64>,
    merge_wire: Vec<f64>,
    encode_state: Vec<f64>,
    decode_state: Vec<f64>,
    merge_state: Vec<f64>,
    subtract: Vec<f64>,
    ddsketch_encode: Vec<f64>,
    ddsketch_decode: Vec<f64>,
}

impl Rounds {
    fn insert(&mut self, values: &[f64]) {
        self.insert[0].push(time(values.len(), || sketch_of(values)));
        self.insert[1].push(time(values.len(), || ddsketch_of(values)));
        self.insert[2].push(time(values.len(), || hdr_of(values)));
        let few: Vec<f64> = values.iter().copied().take(40).collect();
        self.sparse_insert.push(time(few.len() * REPEATS as usize, || {
            let mut sketch = Sketch::new();
            for _ in 0..REPEATS {
                for value in black_box(&few) {
                    sketch.insert(*value);
                }
            }
            sketch
        }));
    }

    fn merge(&mut self, values: &[f64]) {
        let parts: Vec<&[f64]> = values.chunks(values.len() / PARTS).collect();
        let n = parts.len() * REPEATS as usize;
        let ours: Vec<_> = parts.iter().map(|part| sketch_of(part)).collect();
        let mut sum = sketch_of(values);
        self.merge[0].push(time(n, || {
            for _ in 0..REPEATS {
                ours.iter().for_each(|part| sum.merge(black_box(part)));
            }
        }));
        let theirs: Vec<_> = parts.iter().map(|part| ddsketch_of(part)).collect();
        let mut their_sum = ddsketch_of(values);
        self.merge[1].push(time(n, || {
            for _ in 0..REPEATS {
                for part in &theirs {
                    their_sum.merge(black_box(part)).expect("of the same configuration");
                }
            }
        }));
        let hdrs: Vec<_> = parts.iter().map(|part| hdr_of(part)).collect();
        let mut hdr_sum = hdr_of(values);
        // A histogram of three digits has 100 times as many counters: a tenth of the repeats will do.
        self.merge[2].push(time(n / 10, || {
            for _ in 0..REPEATS / 10 {
                for part in &hdrs {
                    hdr_sum.add(black_box(part)).expect("of the same bounds");
                }
            }
        }));
        self.subtract.push(time(n, || {
            for _ in 0..REPEATS {
                ours.iter().for_each(|part| sum.subtract(black_box(part)));
            }
        }));
    }

    fn quantiles(&mut self, peers: &Peers) {
        let n = REPEATS as usize;
        self.quantiles[0].push(time(n, || {
            let mut out = [0.0; QUANTILES.len()];
            for _ in 0..REPEATS {
                black_box(&peers.sketch).quantiles(&QUANTILES, &mut out);
                black_box(&out);
            }
        }));
        self.quantiles[1].push(time(n, || {
            for _ in 0..REPEATS {
                drop(black_box(QUANTILES.map(|q| black_box(&peers.ddsketch).quantile(q))));
            }
        }));
        self.quantiles[2].push(time(n / 10, || {
            for _ in 0..REPEATS / 10 {
                black_box(QUANTILES.map(|q| black_box(&peers.hdr).value_at_quantile(q)));
            }
        }));
    }

    fn encodings(&mut self, values: &[f64], into: &Sketch) {
        // One service's flush of a tenth of a second, and one service's second.
        let (flush, second) = (sketch_of(&values[..100]), sketch_of(&values[..1000]));
        let (mut wire, mut state) = (Vec::new(), Vec::new());
        flush.encode_wire(&mut wire);
        second.encode_state(&mut state);
        let mut sum = into.clone();
        let mut out = Vec::with_capacity(4096);
        let repeat =
            |operation: &mut dyn FnMut()| time(REPEATS as usize, || (0..REPEATS).for_each(|_| operation()));
        self.encode_wire.push(repeat(&mut || {
            out.clear();
            black_box(&flush).encode_wire(&mut out);
        }));
        self.encode_state.push(repeat(&mut || {
            out.clear();
            black_box(&second).encode_state(&mut out);
        }));
        self.decode_wire.push(repeat(&mut || drop(black_box(Sketch::decode_wire(black_box(&wire))))));
        self.merge_wire.push(repeat(&mut || sum.merge_wire(black_box(&wire)).expect("as encoded")));
        let ddsketch = ddsketch_of(&values[..1000]);
        let java = ddsketch.to_java_bytes();
        self.ddsketch_encode.push(repeat(&mut || drop(black_box(black_box(&ddsketch).to_java_bytes()))));
        self.ddsketch_decode.push(repeat(&mut || {
            drop(black_box(DDSketch::from_java_bytes(black_box(&java))));
        }));
        self.decode_state.push(repeat(&mut || drop(black_box(Sketch::decode_state(black_box(&state))))));
        self.merge_state.push(repeat(&mut || {
            sum.merge_state(black_box(&state)).expect("as encoded");
        }));
    }

    fn tell(&self, report: &mut Report) {
        let operations =
            [("insert", &self.insert), ("merge", &self.merge), ("three_quantiles", &self.quantiles)];
        for (operation, [ours, ddsketch, hdr]) in operations {
            let [ours, ddsketch, hdr] = [ours, ddsketch, hdr].map(|rounds| median(rounds));
            report
                .figure(format!("{operation}_ns"), ours)
                .figure(format!("ddsketch_{operation}_ns"), ddsketch)
                .figure(format!("hdrhistogram_{operation}_ns"), hdr)
                .figure(format!("{operation}_ratio_vs_ddsketch"), ddsketch / ours)
                .figure(format!("{operation}_ratio_vs_hdrhistogram"), hdr / ours);
        }
        report
            .figure("sparse_insert_ns", median(&self.sparse_insert))
            .figure("subtract_ns", median(&self.subtract))
            .figure("encode_wire_100_values_ns", median(&self.encode_wire))
            .figure("decode_wire_100_values_ns", median(&self.decode_wire))
            .figure("merge_wire_100_values_ns", median(&self.merge_wire))
            .figure("encode_state_1000_values_ns", median(&self.encode_state))
            .figure("decode_state_1000_values_ns", median(&self.decode_state))
            .figure("ddsketch_encode_1000_values_ns", median(&self.ddsketch_encode))
            .figure("ddsketch_decode_1000_values_ns", median(&self.ddsketch_decode))
            .figure("merge_state_1000_values_ns", median(&self.merge_state));
    }
}

/// The three with all values in them.
struct Peers {
    sketch: Sketch,
    ddsketch: DDSketch,
    hdr: Histogram<u64>,
}

impl Peers {
    fn of(values: &[f64]) -> Self {
        Self { sketch: sketch_of(values), ddsketch: ddsketch_of(values), hdr: hdr_of(values) }
    }

    /// Error against exact quantiles, and size.
    fn tell(&self, values: &[f64], report: &mut Report) {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (mut ours, mut ddsketch, mut hdr) = (0.0_f64, 0.0_f64, 0.0_f64);
        for permille in 1..=1000 {
            let q = f64::from(permille) / 1000.0;
            let exact = sorted[(permille as usize * sorted.len()).div_ceil(1000) - 1];
            let error = |estimate: Option<f64>| estimate.map_or(f64::NAN, |it| (it / exact - 1.0).abs());
            ours = ours.max(error(self.sketch.quantile(q)));
            // DDSketch takes the rank below: its quantile is compared with that.
            let below = sorted[(q * (sorted.len() - 1) as f64) as usize];
            let theirs = self.ddsketch.quantile(q).ok().flatten().map(|it| it * exact / below);
            ddsketch = ddsketch.max(error(theirs));
            hdr = hdr.max(error(Some(self.hdr.value_at_quantile(q) as f64 / 1e9)));
        }
        let (mut wire, mut state) = (Vec::new(), Vec::new());
        let flush = sketch_of(&values[..100]);
        flush.encode_wire(&mut wire);
        sketch_of(&values[..1000]).encode_state(&mut state);
        report
            .figure("relative_error_max", ours)
            .figure("ddsketch_relative_error_max", ddsketch)
            .figure("hdrhistogram_relative_error_max", hdr)
            .figure("wire_100_values_bytes", wire.len() as f64)
            .figure("state_1000_values_bytes", state.len() as f64)
            .figure("ddsketch_1000_values_bytes", ddsketch_of(&values[..1000]).to_java_bytes().len() as f64)
            .figure("heap_bytes", self.sketch.heap_bytes() as f64)
            .figure("ddsketch_heap_bytes", self.ddsketch.length() as f64 * size_of::<u64>() as f64)
            .figure("hdrhistogram_heap_bytes", (self.hdr.distinct_values() * size_of::<u64>()) as f64);
    }
}
