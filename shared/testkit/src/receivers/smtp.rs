//! Enough of a mail server to take mails on loopback (RFC 5321, without extensions).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::wait;

/// The mail server. Ends when dropped.
pub struct SmtpReceiver {
    address: SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

impl SmtpReceiver {
    /// Starts it on a free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let mails: Arc<Mutex<Vec<String>>> = Arc::default();
        let stop = CancellationToken::new();
        let (stopped, taken) = (stop.clone(), Arc::clone(&mails));
        let serving = async move {
            while let Ok((stream, _)) = listener.accept().await {
                // One mail after the other is enough for a test; a client that errs ends its own.
                let _ = converse(stream, &taken).await;
            }
        };
        #[allow(
            clippy::disallowed_methods,
            reason = "a test's server ends with its guard, not with a program"
        )]
        tokio::spawn(async move {
            tokio::select! { () = serving => {}, () = stopped.cancelled() => {} }
        });
        Ok(Self { address, mails, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until `count` mails came; gives them as they were sent, headers included.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Result<Vec<String>> {
        let what = format!("{count} mails");
        wait::until(&what, limit, || async {
            let mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }
}

async fn converse(stream: TcpStream, mails: &Mutex<Vec<String>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 receiver\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mail = read_mail(&mut stream).await?;
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                "250 taken\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn read_mail(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut mail = String::new();
    loop {
        let start = mail.len();
        if stream.read_line(&mut mail).await? == 0 || &mail[start..] == ".\r\n" {
            mail.truncate(start);
            return Ok(mail);
        }
    }
}
