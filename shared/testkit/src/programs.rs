//! Goldentime's own programs, started from the build folder.
