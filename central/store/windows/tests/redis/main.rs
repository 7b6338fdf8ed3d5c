//! Windows in Redis: the contract, and what only a server of its own can suffer. Real servers.

mod cluster;
mod contract;
mod faults;
mod keys;
mod late;
mod simulation;
mod stage;
