//! CDR files on their way out: when one is due, which records it names, where it goes.
//!
//! EIOTCLUB v3, "CDR话单FTP对接": every half hour T each account gets the file of the hour that ended half an hour before,
//! `[T - 90 min, T - 30 min)`. Windows overlap, so a record stands in two files; the receiver tells it by its id.

use super::FileName;
use crate::ids::AccountId;
use crate::package::words;
use crate::time::Timestamp;
use std::ops::Range;

/// Seconds from one file of an account to the next.
pub const SLOT_SECONDS: i64 = 1800;
/// Seconds that a window's end lies before its slot: records have so long to arrive.
const SETTLE_SECONDS: i64 = 1800;
/// Seconds of a window.
const WINDOW_SECONDS: i64 = 3600;

/// The half hour at which the files of one window are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(Timestamp);

impl Slot {
    /// The latest one that is not after `now`.
    pub fn at(now: Timestamp) -> Slot {
        Slot(Timestamp(now.0.div_euclid(SLOT_SECONDS) * SLOT_SECONDS))
    }

    /// When it is.
    pub fn instant(self) -> Timestamp {
        self.0
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Slot {
        Slot(self.0.plus(SLOT_SECONDS))
    }

    /// Stop times of the records that its files are for.
    pub fn window(self) -> Range<Timestamp> {
        let end = self.0.plus(-SETTLE_SECONDS);
        end.plus(-WINDOW_SECONDS)..end
    }

    /// The name of the account's file. It stays the same however late the file arrives.
    pub fn file_name(self, account: AccountId) -> String {
        let window = self.window();
        FileName { account: account.to_string(), start: window.start, end: window.end, generated: self.0 }.to_string()
    }
}

words!(/// How a file server is spoken to.
Protocol {
    /// FTP (RFC 959), in the clear.
    Ftp = "ftp",
    /// FTP with `AUTH TLS` and protected data connections (RFC 4217).
    Ftps = "ftps",
    /// FTP inside TLS from the first byte on, usually at port 990: what servers spoke before `AUTH TLS`.
    FtpsImplicit = "ftps_implicit",
    /// The file transfer protocol of SSH, version 3.
    Sftp = "sftp",
});

impl Protocol {
    /// The port where none is named.
    pub fn default_port(self) -> u16 {
        match self {
            Protocol::Ftp | Protocol::Ftps => 21,
            Protocol::FtpsImplicit => 990,
            Protocol::Sftp => 22,
        }
    }
}

/// A folder of an account on a file server.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Name or address.
    pub host: String,
    /// Port of the control connection.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// With which password; empty = none.
    pub password: String,
    /// With which private key (SFTP; OpenSSH's or a PEM form); empty = by password.
    pub private_key: String,
    /// The folder; empty = where the login arrives.
    pub directory: String,
    /// SHA-256 of the server's certificate (FTPS, hexadecimal) or of its host key (SFTP, `SHA256:...`); empty = the
    /// certificate is checked by name and authority.
    pub fingerprint: String,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.label())
    }
}

impl Target {
    /// Where it is, for people and logs: without secrets.
    pub fn label(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{}://{}@{host}:{}/{}", self.protocol.word(), self.user, self.port, self.directory.trim_start_matches('/'))
    }

    /// Checks what can be checked without dialling; the error is (key, sentence).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let texts = [("host", &self.host), ("user", &self.user), ("password", &self.password), ("directory", &self.directory)];
        for (key, text) in texts {
            // A line break would smuggle a second command into the control connection.
            if text.chars().any(char::is_control) {
                return Err((key, "must be one line of plain text".into()));
            }
        }
        if self.host.trim().is_empty() {
            return Err(("host", "name the server, such as 192.0.2.7 or ftp.example.com".into()));
        }
        if self.host.contains(['/', '@', ' ']) || (self.host.contains(':') && self.host.parse::<std::net::Ipv6Addr>().is_err()) {
            let words = "write the server's name or address alone, such as ftp.example.com: the protocol, port, user and folder have keys of their own";
            return Err(("host", words.into()));
        }
        if self.user.is_empty() {
            return Err(("user", "name who logs in".into()));
        }
        if self.port == 0 {
            return Err(("port", "must be 1 to 65535".into()));
        }
        match self.protocol {
            Protocol::Ftp if !self.fingerprint.is_empty() => Err(("fingerprint", "plain ftp has none; use ftps or sftp".into())),
            Protocol::Ftp | Protocol::Ftps | Protocol::FtpsImplicit if !self.private_key.is_empty() => {
                Err(("private_key_file", "only sftp has keys; give a password".into()))
            }
            Protocol::Ftps | Protocol::FtpsImplicit if !self.fingerprint.is_empty() => {
                match certificate_digest(&self.fingerprint) {
                    Some(_) => Ok(()),
                    None => Err((
                        "fingerprint",
                        "must be 64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256` prints".into(),
                    )),
                }
            }
            Protocol::Sftp if !is_key_fingerprint(&self.fingerprint) => Err((
                "fingerprint",
                "sftp needs the server's host key as SHA256:..., as `ssh-keyscan HOST | ssh-keygen -lf -` prints".into(),
            )),
            _ => Ok(()),
        }
    }
}

/// Reads a SHA-256 digest written as hexadecimal digits, with or without `:` between the bytes.
pub fn certificate_digest(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b':').collect();
    if digits.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

fn is_key_fingerprint(text: &str) -> bool {
    let digest = text.strip_prefix("SHA256:").unwrap_or_default();
    digest.len() == 43 && digest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}
