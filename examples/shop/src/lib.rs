//! The demo's application: five small services that call one another, with faults on request.
//!
//! [`catalog`] says what each service does, [`service`] runs one, [`fault`] is its switch,
//! [`access_log`] writes its log when no nginx stands in front. [`demo`] is `make demo`.

pub mod access_log;
pub mod catalog;
pub mod demo;
pub mod fault;
pub mod service;
