//! The SLO engine by itself, driven as a shard and as `rules replay` drive it: what ten thousand SLOs take each
//! second ([`live`]), and how fast stored history is replayed ([`replayed`]).

pub mod live;
pub mod replayed;
