//! SFTP, version 3: the host key must be the one whose SHA-256 the account gave; login by key or by password.

use super::{BLOCK_BYTES, Size, Step, timed};
use kachi_domain::cdr::delivery::Target;
use russh::MethodKind;
use russh::client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{OpenFlags, StatusCode};
use std::fmt::Display;
use std::io::Read;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Requests for prompts that are answered.
const PROMPTS_MAX: usize = 3;
/// How often it is looked whether the connection is there.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A login, with the account's folder.
pub struct Sftp {
    session: SftpSession,
    /// Ends the connection when it is dropped.
    ssh: Handle<Pinned>,
    directory: String,
    timeout: Duration,
}

/// Accepts one host key.
struct Pinned {
    fingerprint: String,
    /// The one that is shown, where it is another.
    other: Arc<OnceLock<String>>,
}

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let shown = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.fingerprint(HashAlg::Sha256).to_string(),
            PublicKeyOrCertificate::Certificate(_) => "a certificate".to_owned(),
        };
        let is_it = shown == self.fingerprint;
        if !is_it {
            let _ = self.other.set(shown);
        }
        Ok(is_it)
    }
}

/// Whether the password lets us in; many servers ask for it only as the answer to a prompt.
async fn by_password(ssh: &mut Handle<Pinned>, target: &Target, timeout: Duration) -> Step<bool> {
    let (user, password) = (target.user.as_str(), target.password.as_str());
    match timed("logging in", timeout, ssh.authenticate_password(user, password)).await? {
        AuthResult::Success => return Ok(true),
        AuthResult::Failure { remaining_methods: others, .. } if others.contains(&MethodKind::KeyboardInteractive) => {}
        AuthResult::Failure { .. } => return Ok(false),
    }
    let mut asked = timed("logging in", timeout, ssh.authenticate_keyboard_interactive_start(user, None)).await?;
    for _ in 0..PROMPTS_MAX {
        let prompts = match asked {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts.len(),
        };
        // PAM's last request has no prompts and wants no answers.
        let answers = vec![password.to_owned(); prompts];
        asked = timed("logging in", timeout, ssh.authenticate_keyboard_interactive_respond(answers)).await?;
    }
    Ok(matches!(asked, KeyboardInteractiveAuthResponse::Success))
}

/// Reads a private key without a passphrase.
pub fn private_key(text: &str) -> Step<PrivateKey> {
    decode_secret_key(text, None).map_err(|e| format!("it is not a private key without a passphrase: {e}"))
}

impl Sftp {
    /// Logs in over a connection just made.
    pub async fn open(connection: TcpStream, target: &Target, timeout: Duration) -> Step<Sftp> {
        let config = client::Config { inactivity_timeout: Some(timeout * 2), nodelay: true, ..client::Config::default() };
        let other = Arc::new(OnceLock::new());
        let pinned = Pinned { fingerprint: target.fingerprint.clone(), other: other.clone() };
        let greeting = client::connect_stream(Arc::new(config), connection, pinned);
        let mut ssh = timed("beginning SSH", timeout, greeting).await.map_err(|e| match other.get() {
            Some(shown) => format!("the server's host key has another fingerprint: {shown}"),
            None => e,
        })?;
        let user = target.user.as_str();
        let login = if target.private_key.is_empty() {
            by_password(&mut ssh, target, timeout).await?
        } else {
            let key = private_key(&target.private_key)?;
            let hash = timed("logging in", timeout, ssh.best_supported_rsa_hash()).await?.flatten();
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            timed("logging in", timeout, ssh.authenticate_publickey(user, key)).await?.success()
        };
        if !login && ssh.is_closed() {
            return Err("logging in: the connection ended before the server took the user and the password or key".into());
        }
        if !login {
            return Err("logging in: the server refuses the user or the password or key".into());
        }
        let channel = timed("opening a channel", timeout, ssh.channel_open_session()).await?;
        timed("asking for SFTP", timeout, channel.request_subsystem(true, "sftp")).await?;
        let session = timed("asking for SFTP", timeout, SftpSession::new(channel.into_stream())).await?;
        session.set_timeout(timeout.as_secs());
        Ok(Sftp { session, ssh, directory: target.directory.clone(), timeout })
    }

    fn path(&self, name: &str) -> String {
        match self.directory.trim_end_matches('/') {
            "" if self.directory.is_empty() => name.to_owned(),
            folder => format!("{folder}/{name}"),
        }
    }

    /// A step on the session. Of a connection that ended its answers tell nothing, so that is looked at beside it.
    async fn step<T, E: Display>(&self, doing: &str, step: impl Future<Output = Result<T, E>>) -> Step<T> {
        let ended = async {
            while !self.ssh.is_closed() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            done = timed(doing, self.timeout, step) => done,
            () = ended => Err(format!("{doing}: the connection ended")),
        }
    }

    /// Uploads what is left of the file.
    pub async fn store(&mut self, name: &str, file: &mut std::fs::File) -> Step<()> {
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let opening = self.step("beginning the upload", self.session.open_with_flags(self.path(name), flags)).await;
        let mut upload =
            opening.map_err(|e| if self.directory.is_empty() { e } else { format!("{e} (in {})", self.directory) })?;
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let n = file.read(&mut block).map_err(|e| format!("reading the file: {e}"))?;
            if n == 0 {
                break;
            }
            self.step("uploading", upload.write_all(&block[..n])).await?;
        }
        self.step("ending the upload", upload.flush()).await?;
        self.step("ending the upload", upload.close()).await
    }

    /// How large a file is.
    pub async fn size(&mut self, name: &str) -> Step<Size> {
        let asked = async { Ok::<_, Error>(self.session.metadata(self.path(name)).await) };
        match self.step("asking for the size", asked).await? {
            Ok(known) => Ok(known.size.map_or(Size::Unknown, Size::Bytes)),
            Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(Size::Absent),
            Err(Error::Status(_)) => Ok(Size::Unknown),
            Err(e) => Err(format!("asking for the size: {e}")),
        }
    }

    /// Renames a file; version 3 refuses where there is one of the new name.
    pub async fn rename(&mut self, from: &str, to: &str) -> Step<()> {
        self.step("renaming", self.session.rename(self.path(from), self.path(to))).await
    }

    /// Removes a file.
    pub async fn remove(&mut self, name: &str) -> Step<()> {
        self.step("removing", self.session.remove_file(self.path(name))).await
    }

    /// Says good-bye.
    pub async fn close(self) {
        let _ = self.step("leaving", self.session.close()).await;
        let _ = timed("leaving", self.timeout, self.ssh.disconnect(russh::Disconnect::ByApplication, "", "")).await;
    }
}
