//! Mail through a server on loopback that speaks TLS and asks for a login.

use std::path::Path;

use goldentime_testkit::receivers::{Protection, SmtpReceiver, SmtpSettings};

use super::message::testing::alert_of;
use super::testing::{LIMIT, Running};
use crate::evaluate::transition::Change;

async fn server(protection: Protection) -> SmtpReceiver {
    let login = Some(("goldentime".to_owned(), "s3cret".to_owned()));
    SmtpReceiver::start_with(SmtpSettings { protection, login }).await.expect("starts")
}

/// A notifier whose only channel mails to `server`, trusts its certificate, and has `more` settings.
async fn mailing(dir: &Path, server: &SmtpReceiver, more: &str) -> Running {
    let ca = dir.join("ca.pem");
    std::fs::write(&ca, server.certificate_pem()).expect("written");
    let yaml = format!(
        "attempts_max: 1\nchannels:\n- name: mail\n  email: {{server: 127.0.0.1, port: {}, \
         from: g@example.com, to: [a@example.com], {}}}\n",
        server.address().port(),
        more.replace("CA", &ca.display().to_string()),
    );
    Running::start(dir, &yaml).await
}

#[tokio::test]
async fn a_mail_has_both_bodies_and_the_texts_of_its_language() {
    let (dir, receiver) = (tempfile::tempdir().expect("dir"), SmtpReceiver::start().await.expect("starts"));
    let yaml = format!(
        "channels:\n- name: mail\n  email: {{server: 127.0.0.1, port: {}, encryption: none, \
         from: g@example.com, to: [a@example.com]}}\n",
        receiver.address().port()
    );
    let notifier = Running::start(dir.path(), &yaml).await;
    notifier.tell(Change::Fired, alert_of("web-1", "p95 912 ms")).await;
    let mail = &receiver.wait_for(1, LIMIT).await.expect("mailed")[0];
    for part in ["Subject: ", "Message-ID: <mail.", "text/plain", "text/html", "p95 912 ms"] {
        assert!(mail.contains(part), "{part} not in:\n{mail}");
    }
    notifier.stop().await;
}

#[tokio::test]
async fn a_mail_goes_through_starttls_and_through_tls_with_a_login() {
    for (protection, encryption) in [(Protection::Starttls, "starttls"), (Protection::Tls, "tls")] {
        let (dir, server) = (tempfile::tempdir().expect("dir"), server(protection).await);
        let more = format!("encryption: {encryption}, username: goldentime, password: s3cret, ca_file: CA");
        let notifier = mailing(dir.path(), &server, &more).await;
        notifier.tell(Change::Fired, alert_of("web-1", "p95 912 ms")).await;
        assert!(server.wait_for(1, LIMIT).await.expect("mailed")[0].contains("p95 912 ms"));
        notifier.stop().await;
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_mail_and_no_password() {
    let (dir, server) = (tempfile::tempdir().expect("dir"), server(Protection::None).await);
    let notifier = mailing(dir.path(), &server, "username: goldentime, password: s3cret, ca_file: CA").await;
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    let error = notifier.given_up().await.last_error.expect("told");
    assert!(
        error.contains("STARTTLS is not supported") && error.contains("use `encryption: tls`"),
        "{error}"
    );
    assert!(server.received().is_empty());
    notifier.stop().await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_gets_no_mail() {
    for (protection, encryption) in [(Protection::Starttls, "starttls"), (Protection::Tls, "tls")] {
        let (dir, server) = (tempfile::tempdir().expect("dir"), server(protection).await);
        let more = format!("encryption: {encryption}, username: goldentime, password: s3cret");
        let notifier = mailing(dir.path(), &server, &more).await;
        notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
        let error = notifier.given_up().await.last_error.expect("told");
        assert!(error.contains("certificate") && error.contains("`ca_file`"), "{error}");
        assert!(server.received().is_empty());
        notifier.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_given_up_at_once_and_said_without_the_password() {
    let (dir, server) = (tempfile::tempdir().expect("dir"), server(Protection::Starttls).await);
    let more = "username: goldentime, password: wr0ng, ca_file: CA";
    let notifier = mailing(dir.path(), &server, more).await;
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    let health = notifier.given_up().await;
    let error = health.last_error.expect("told");
    assert!(error.contains("535") && error.contains("check `username` and `password`"), "{error}");
    assert!(!error.contains("wr0ng") && health.failed == 1, "{error}");
    notifier.stop().await;
}
