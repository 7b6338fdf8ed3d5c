//! Those who get pages: a webhook endpoint and a mail server, both on loopback, both recording.

mod smtp;
mod webhook;

pub use smtp::{Protection, SmtpReceiver, SmtpSettings};
pub use webhook::{Answer, Received, WebhookReceiver};
