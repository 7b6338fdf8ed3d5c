//! Benchmarks behind make bench-*
