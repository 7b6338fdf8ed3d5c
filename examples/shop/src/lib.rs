//! The demo's application: five services that call one another, with faults on request
