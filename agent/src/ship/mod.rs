//! From batches to the central.
