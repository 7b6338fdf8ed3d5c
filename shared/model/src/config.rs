//! Contract module: see the parent's table of contents.
