//! Mail by SMTP, as text and HTML.

use goldentime_catalog::{Notification, PageKind};
use lettre::message::header::MessageId;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::super::config::{ChannelConfig, EmailConfig, Encryption};
use super::super::message::Texts;
use super::super::start::NotifyError;
use super::{BoxFuture, Channel, SendError};

/// Sends mails.
pub(super) struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    texts: Texts,
}

impl Email {
    pub(super) fn new(
        channel: &ChannelConfig,
        config: &EmailConfig,
        texts: Texts,
    ) -> Result<Self, NotifyError> {
        let refuse = |reason: String| NotifyError::Channel { name: channel.name.clone(), reason };
        let mailbox = |address: &String| {
            address.parse::<Mailbox>().map_err(|error| refuse(format!("`{address}`: {error}")))
        };
        let tls = || tls_parameters(config).map_err(&refuse);
        let (tls, port) = match config.encryption {
            Encryption::Starttls => (Tls::Required(tls()?), 587),
            Encryption::Tls => (Tls::Wrapper(tls()?), 465),
            Encryption::None => (Tls::None, 25),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.server)
            .tls(tls)
            .port(config.port.unwrap_or(port))
            .timeout(Some(channel.timeout.get()));
        if let (Some(user), Some(password)) = (&config.username, &config.password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self {
            transport: builder.build(),
            from: mailbox(&config.from)?,
            to: config.to.iter().map(mailbox).collect::<Result<_, _>>()?,
            texts,
        })
    }

    /// The id is the notification's, so that a repeat can be told; a resolve answers the mail of its
    /// alert, so that both stand in one thread.
    fn write(&self, notification: &Notification) -> Result<Message, lettre::error::Error> {
        let id = |key: &str| format!("<{key}@goldentime>");
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(self.texts.title(notification))
            .header(MessageId::from(id(&notification.id)));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        if let Some(page) = notification.pages.iter().find(|page| page.kind == PageKind::Resolved) {
            let thread = super::super::dispatch::notification_id(
                &notification.channel,
                &[goldentime_catalog::PageKey { episode: page.episode.clone(), kind: PageKind::Fired }],
            );
            builder = builder.in_reply_to(id(&thread)).references(id(&thread));
        }
        builder.multipart(MultiPart::alternative_plain_html(
            self.texts.body(notification),
            self.texts.html(notification),
        ))
    }

    async fn deliver(&self, notification: &Notification) -> Result<(), SendError> {
        let mail = self
            .write(notification)
            .map_err(|error| SendError::Permanent { reason: format!("cannot write the mail: {error}") })?;
        self.transport.send(mail).await.map(|_| ()).map_err(|error| failed(&error))
    }
}

fn tls_parameters(config: &EmailConfig) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(config.server.clone());
    if let Some(path) = &config.ca_file {
        let pem = std::fs::read(path).map_err(|error| format!("ca_file {}: {error}", path.display()))?;
        let certificate = Certificate::from_pem(&pem)
            .map_err(|error| format!("ca_file {}: no certificates in PEM: {error}", path.display()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| format!("TLS: {error}"))
}

/// Enhanced and plain codes with which servers refuse a login (RFC 4954, section 6).
const LOGIN_REFUSED: [&str; 3] = ["(535)", "(534)", "(530)"];

/// What a failed mail means, and the way out where the fault is one of the configuration.
fn failed(error: &lettre::transport::smtp::Error) -> SendError {
    let text = error.to_string();
    let way_out = if text.contains("STARTTLS is not supported") {
        "; use `encryption: tls`, or a port where the server offers STARTTLS"
    } else if text.contains("certificate") {
        "; check `server`, or name the authority of its certificate in `ca_file`"
    } else if LOGIN_REFUSED.iter().any(|code| text.contains(code)) {
        "; check `username` and `password`"
    } else {
        ""
    };
    let reason = format!("mail server: {text}{way_out}");
    if error.is_permanent() {
        SendError::Permanent { reason }
    } else {
        SendError::Retry { reason, after: None }
    }
}

impl Channel for Email {
    fn kind(&self) -> &'static str {
        "email"
    }

    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.deliver(notification))
    }

    fn preview(&self, notification: &Notification) -> Result<String, SendError> {
        let (title, body) = (self.texts.title(notification), self.texts.body(notification));
        Ok(format!("Subject: {title}\n\n{body}\n"))
    }
}
