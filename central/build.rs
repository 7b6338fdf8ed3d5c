//! Has the central compiled anew when its dashboard is built for the first time.
//!
//! The files that `rust-embed` found are tracked by the compiler; that there were none is not, and a
//! central that was built before its dashboard would go on without it.

use std::path::Path;

fn main() {
    // A path that does not exist would have the central compiled at every call of cargo.
    let watched = if Path::new("dashboard/dist").exists() { "dashboard/dist" } else { "dashboard" };
    println!("cargo::rerun-if-changed={watched}");
}
