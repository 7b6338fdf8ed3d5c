//! What tests, benchmarks and the demo stand on: real programs started in temporary folders on free
//! ports ([`process`], [`nginx`], [`programs`], [`peers`], [`servers`], those of a cluster together as [`engines`]), links and files that can be made to hurt
//! ([`proxy`], [`blocked`], [`disk`]), those who get pages ([`receivers`]), traffic ([`load`]), exact answers to compare with
//! ([`oracle`]), checked-in files compared with what is generated ([`generated`]), and configuration files
//! with their examples taken in ([`examples`]).

pub mod blocked;
pub mod disk;
pub mod engines;
pub mod examples;
pub mod generated;
pub mod load;
pub mod nginx;
pub mod oracle;
pub mod peers;
pub mod ports;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod receivers;
pub mod servers;
pub mod wait;

/// No answer takes longer, however busy the machine: a guard against hanging, no bound that is tested.
const ANSWER_MAX: std::time::Duration = std::time::Duration::from_secs(60);

/// An HTTP client for loopback: no proxy, [`ANSWER_MAX`] at most.
///
/// # Panics
/// Never: the settings are constant and valid.
#[must_use]
pub fn http_client() -> reqwest::Client {
    // Loopback tests speak plain HTTP, yet the client's TLS back end wants a provider all the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build().expect("constant settings are valid")
}
