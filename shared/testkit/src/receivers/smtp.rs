//! Enough of a mail server to take mails on loopback (RFC 5321), with STARTTLS (RFC 3207), TLS from the
//! first byte, and login (RFC 4954, `AUTH PLAIN`) where a test asks for them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::wait;

/// How the mail server protects its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Not at all: it offers no STARTTLS.
    #[default]
    None,
    /// Plain first; mail and login only after STARTTLS.
    Starttls,
    /// TLS from the first byte.
    Tls,
}

/// How the mail server behaves.
#[derive(Clone, Debug, Default)]
pub struct SmtpSettings {
    /// Protection of its connections.
    pub protection: Protection,
    /// User and password that it asks for before it takes a mail.
    pub login: Option<(String, String)>,
}

/// The mail server. Ends when dropped.
pub struct SmtpReceiver {
    address: SocketAddr,
    certificate_pem: String,
    mails: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

impl SmtpReceiver {
    /// Starts one without protection and login on a free port.
    pub async fn start() -> Result<Self> {
        Self::start_with(SmtpSettings::default()).await
    }

    /// Starts one on a free port, with a certificate of its own for `127.0.0.1`.
    pub async fn start_with(settings: SmtpSettings) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let certificate_pem = made.cert.pem();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = made.signing_key.serialize_der();
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.try_into().map_err(anyhow::Error::msg)?)?;
        let mails: Arc<Mutex<Vec<String>>> = Arc::default();
        let server = Server { settings, tls: TlsAcceptor::from(Arc::new(tls)), mails: Arc::clone(&mails) };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = async move {
            while let Ok((stream, _)) = listener.accept().await {
                // One mail after the other is enough for a test; a client that errs ends its own.
                let _ = server.serve(stream).await;
            }
        };
        #[allow(
            clippy::disallowed_methods,
            reason = "a test's server ends with its guard, not with a program"
        )]
        tokio::spawn(async move {
            tokio::select! { () = serving => {}, () = stopped.cancelled() => {} }
        });
        Ok(Self { address, certificate_pem, mails, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its certificate, for whoever is to trust it.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The mails so far, as they were sent, headers included.
    #[must_use]
    pub fn received(&self) -> Vec<String> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until `count` mails came.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Result<Vec<String>> {
        let what = format!("{count} mails");
        wait::until(&what, limit, || async {
            let mails = self.received();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }
}

struct Server {
    settings: SmtpSettings,
    tls: TlsAcceptor,
    mails: Arc<Mutex<Vec<String>>>,
}

/// Why a conversation ended.
#[derive(PartialEq, Eq)]
enum End {
    Over,
    /// The client wants TLS now.
    Starttls,
}

impl Server {
    async fn serve(&self, stream: TcpStream) -> Result<()> {
        if self.settings.protection == Protection::Tls {
            let mut stream = BufReader::new(self.tls.accept(stream).await?);
            stream.write_all(b"220 receiver\r\n").await?;
            return self.converse(&mut stream, true).await.map(drop);
        }
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 receiver\r\n").await?;
        let is_protected = self.settings.protection == Protection::None;
        if self.converse(&mut stream, is_protected).await? == End::Starttls {
            let mut stream = BufReader::new(self.tls.accept(stream.into_inner()).await?);
            self.converse(&mut stream, true).await?;
        }
        Ok(())
    }

    /// Talks until the client leaves or wants TLS. Mail is taken where the connection is as protected as
    /// it will be.
    async fn converse<S>(&self, stream: &mut BufReader<S>, is_protected: bool) -> Result<End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut is_known = self.settings.login.is_none();
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(End::Over);
            }
            let answer = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
                "EHLO" if !is_protected => "250-receiver\r\n250 STARTTLS\r\n",
                "EHLO" if self.settings.login.is_some() => "250-receiver\r\n250 AUTH PLAIN\r\n",
                "STAR" if !is_protected => {
                    stream.write_all(b"220 go ahead\r\n").await?;
                    return Ok(End::Starttls);
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return Ok(End::Over);
                }
                "AUTH" | "MAIL" | "DATA" if !is_protected => "530 5.7.0 must issue STARTTLS first\r\n",
                "AUTH" => {
                    is_known = self.knows(line.trim_end());
                    if is_known { "235 2.7.0 welcome\r\n" } else { "535 5.7.8 wrong user or password\r\n" }
                }
                "MAIL" if !is_known => "530 5.7.0 login required\r\n",
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    let mail = read_mail(stream).await?;
                    self.mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                    "250 taken\r\n"
                }
                _ => "250 ok\r\n",
            };
            stream.write_all(answer.as_bytes()).await?;
        }
    }

    fn knows(&self, line: &str) -> bool {
        self.settings.login.as_ref().is_none_or(|(user, password)| {
            line == format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}")))
        })
    }
}

async fn read_mail(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<String> {
    let mut mail = String::new();
    loop {
        let start = mail.len();
        if stream.read_line(&mut mail).await? == 0 || &mail[start..] == ".\r\n" {
            mail.truncate(start);
            return Ok(mail);
        }
    }
}
