//! Uploading CDR files: claims one from the engine, brings it to the account's file server, and hands back how it ended.
//!
//! A file is uploaded as `NAME.part`, its size compared, the lease asked for once more, and only then renamed. A server that
//! refuses to rename over a file that is there: if that file has the same size it is the same file, else it is removed
//! first. Whatever fails leaves the final name as it was, or free, and is tried again.

mod ftp;
mod sftp;
mod tls;

use crate::outbound::Outbound;
use crate::sender::off_thread;
use kachi_domain::cdr::delivery::{Protocol, Target};
use kachi_engine::cdr_deliveries::{self, Content, Job, Sent};
use kachi_engine::{Engine, Result};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes handed to the network at once; each handful has the whole timeout.
const BLOCK_BYTES: usize = 1 << 16;
/// Characters of a server's words that are kept.
const WORDS_MAX: usize = 300;

/// Uploads CDR files. Cheap to clone.
#[derive(Clone)]
pub struct Uploader {
    /// What may be dialled.
    pub outbound: Outbound,
    /// How long any one step may take (`cdr.timeout_seconds`).
    pub timeout: Duration,
    /// Randomness, from the roof.
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// What a server says of a file's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Bytes(u64),
    Absent,
    /// It does not tell.
    Unknown,
}

/// A step's failure, in words for the log of attempts.
type Step<T> = std::result::Result<T, String>;

/// A login at a file server, in the account's folder. Every step ends within the timeout.
enum Session {
    Ftp(ftp::Ftp),
    Sftp(sftp::Sftp),
}

impl Uploader {
    /// Claims the file that is due longest, uploads it, settles it; the answer is how many were claimed.
    pub async fn step(&self, engine: &Engine) -> Result<usize> {
        let token = ((self.random)() >> 1) as i64;
        let claiming = engine.clone();
        let Some(job) = off_thread(move || cdr_deliveries::claim(&claiming, token)).await? else { return Ok(0) };
        let began = Instant::now();
        let (arrived, size, answer) = tokio::select! {
            sent = self.send(engine, &job) => sent,
            () = lease_lost(engine, &job) => return Ok(1),
        };
        let answer: String = answer.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
        let label = job.target.as_ref().map_or_else(String::new, Target::label);
        if arrived {
            tracing::info!(file = %job.name, to = %label, "CDR file delivered");
        } else if cdr_deliveries::is_tried_again(engine, &job) && job.tries > 0 {
            // The log was told of the file by its first try, and is told again when it is dead.
            tracing::debug!(file = %job.name, to = %label, answer = %answer, "the CDR file was not delivered again");
        } else if cdr_deliveries::is_tried_again(engine, &job) {
            tracing::warn!(file = %job.name, to = %label, answer = %answer, "the CDR file was not delivered; it is tried again by schedule");
        } else {
            tracing::warn!(file = %job.name, delivery = job.id, to = %label, answer = %answer, "the CDR file was not delivered and is dead: its schedule is used up; `kachi admin cdr resend` sends it again");
        }
        let millis = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let (engine, sent) = (engine.clone(), Sent { arrived, size, answer, millis });
        off_thread(move || cdr_deliveries::settle(&engine, &job, sent)).await?;
        Ok(1)
    }

    /// (whether it arrived, records and bytes, words).
    async fn send(&self, engine: &Engine, job: &Job) -> (bool, Option<(i64, i64)>, String) {
        let Some(target) = &job.target else { return (false, None, "the account has no folder (cdr_ftp)".into()) };
        let (making, of) = (engine.clone(), job.clone());
        let content = match off_thread(move || cdr_deliveries::content(&making, &of)).await {
            Ok(content) => content,
            Err(e) => {
                tracing::error!(file = %job.name, error = %e, "the CDR file could not be written");
                return (false, None, e.to_string());
            }
        };
        let size = Some((content.records, content.bytes));
        match self.hand_over(engine, job, target, content).await {
            Ok(words) => (true, size, words),
            Err(words) => (false, size, words),
        }
    }

    async fn hand_over(&self, engine: &Engine, job: &Job, target: &Target, mut content: Content) -> Step<String> {
        let mut session = self.open(target).await?;
        let (part, name, bytes) = (format!("{}.part", job.name), job.name.as_str(), content.bytes.unsigned_abs());
        let stored = session.store(&part, &mut content.file).await;
        let whole = match stored {
            Ok(()) => session.size(&part).await.and_then(|size| match size {
                Size::Bytes(n) if n != bytes => Err(format!("the server holds {n} of {bytes} bytes")),
                Size::Absent => Err("the server has lost the file".into()),
                _ => Ok(()),
            }),
            Err(words) => Err(words),
        };
        if let Err(words) = whole {
            let _ = session.remove(&part).await;
            return Err(words);
        }
        let (keeping, of) = (engine.clone(), job.clone());
        match off_thread(move || cdr_deliveries::keep(&keeping, &of)).await {
            Ok(true) => {}
            Ok(false) => return Err("another worker has taken the file over".into()),
            Err(e) => return Err(e.to_string()),
        }
        let words = session.publish(&part, name, bytes).await?;
        session.close().await;
        Ok(words)
    }

    async fn open(&self, target: &Target) -> Step<Session> {
        let dial = || timed("connecting", self.timeout, self.outbound.dial(&target.host, target.port));
        Ok(match target.protocol {
            Protocol::Ftp | Protocol::Ftps => Session::Ftp(ftp::Ftp::open(dial().await?, target, self.timeout).await?),
            Protocol::FtpsImplicit => Session::Ftp(ftp::Ftp::open_implicit(&self.outbound, target, self.timeout).await?),
            Protocol::Sftp => Session::Sftp(sftp::Sftp::open(dial().await?, target, self.timeout).await?),
        })
    }
}

impl Session {
    async fn store(&mut self, name: &str, file: &mut std::fs::File) -> Step<()> {
        match self {
            Session::Ftp(s) => s.store(name, file).await,
            Session::Sftp(s) => s.store(name, file).await,
        }
    }

    async fn size(&mut self, name: &str) -> Step<Size> {
        match self {
            Session::Ftp(s) => s.size(name).await,
            Session::Sftp(s) => s.size(name).await,
        }
    }

    async fn rename(&mut self, from: &str, to: &str) -> Step<()> {
        match self {
            Session::Ftp(s) => s.rename(from, to).await,
            Session::Sftp(s) => s.rename(from, to).await,
        }
    }

    async fn remove(&mut self, name: &str) -> Step<()> {
        match self {
            Session::Ftp(s) => s.remove(name).await,
            Session::Sftp(s) => s.remove(name).await,
        }
    }

    async fn close(self) {
        match self {
            Session::Ftp(s) => s.close().await,
            Session::Sftp(s) => s.close().await,
        }
    }

    /// Gives the whole file its final name.
    async fn publish(&mut self, part: &str, name: &str, bytes: u64) -> Step<String> {
        let Err(refused) = self.rename(part, name).await else { return Ok(format!("{bytes} bytes arrived")) };
        match self.size(name).await.map_err(|_| refused.clone())? {
            Size::Bytes(n) if n == bytes => {
                // What stands there is of an earlier attempt: a file's content never changes.
                let _ = self.remove(part).await;
                Ok(format!("{bytes} bytes were there already"))
            }
            Size::Bytes(_) => {
                self.remove(name).await?;
                self.rename(part, name).await?;
                Ok(format!("{bytes} bytes arrived, in place of another file of that name"))
            }
            Size::Absent | Size::Unknown => {
                let _ = self.remove(part).await;
                Err(refused)
            }
        }
    }
}

/// Whether a private key reads; the error says why not.
pub fn check_private_key(text: &str) -> std::result::Result<(), String> {
    sftp::private_key(text).map(|_| ())
}

/// Keeps the lease while the upload goes on; ends when it was lost.
async fn lease_lost(engine: &Engine, job: &Job) {
    let pause = Duration::from_secs(engine.settings().lease_seconds.unsigned_abs().div_ceil(3));
    loop {
        tokio::time::sleep(pause).await;
        let (keeping, of) = (engine.clone(), job.clone());
        match off_thread(move || cdr_deliveries::keep(&keeping, &of)).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(file = %job.name, "the lease of the CDR file was lost; whoever has it now goes on");
                return;
            }
            Err(e) => {
                tracing::error!(file = %job.name, error = %e, "the lease of the CDR file could not be kept; it is tried again")
            }
        }
    }
}

/// A step within its time, with what it was doing in front of its failure.
async fn timed<T, E: std::fmt::Display>(
    doing: &str,
    timeout: Duration,
    step: impl Future<Output = std::result::Result<T, E>>,
) -> Step<T> {
    match tokio::time::timeout(timeout, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(e)) => Err(format!("{doing}: {e}")),
        Err(_) => Err(format!("{doing}: no answer in {} s", timeout.as_secs())),
    }
}
