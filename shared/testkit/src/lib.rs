//! Proxies that hurt, launchers of real servers, receivers and oracles for tests
