//! Sources of observations, samples and log records.
