//! Catalogue: trait, backends, conformance suite
