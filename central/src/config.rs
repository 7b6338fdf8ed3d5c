//! Configuration of the central.
