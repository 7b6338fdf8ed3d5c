//! Goldentime's host agent
