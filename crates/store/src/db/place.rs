//! Where the data lies: how that is written, and how PostgreSQL is connected to.

use super::{Conn, Error, migrate};
use kachi_domain::address;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where the data lies.
#[derive(Debug, Clone)]
pub enum Place {
    /// One SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(String),
}

impl Place {
    /// Reads `database.url`: `sqlite` (in the data folder), `sqlite:PATH`, or `postgres://...`. No error holds a password.
    pub fn parse(url: &str, data_dir: &Path) -> Result<Place, String> {
        if let Some((scheme, rest)) = url.split_once("://")
            && ["postgres", "postgresql"].iter().any(|s| s.eq_ignore_ascii_case(scheme))
        {
            return postgres(rest).map_err(|words| format!("database.url: {words}"));
        }
        match url {
            "" | "sqlite" => Ok(Place::File(data_dir.join("kachi.db"))),
            path => match path.strip_prefix("sqlite:") {
                Some(path) => Ok(Place::File(PathBuf::from(path))),
                None => {
                    Err(format!("database.url: \"{}\" is neither sqlite, sqlite:PATH nor postgres://...", address::masked(path)))
                }
            },
        }
    }
}

impl Place {
    /// Whether a database of ours is there already; none is made.
    pub fn is_made(&self) -> Result<bool, Error> {
        match self {
            Place::File(path) => Ok(path.metadata().is_ok_and(|m| m.len() > 0)),
            Place::Postgres(_) => migrate::is_made(&mut Conn::open(self)?),
        }
    }
}

impl fmt::Display for Place {
    /// Where that is, without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Postgres(url) => f.write_str(&address::masked(url)),
        }
    }
}

/// What follows the scheme, as libpq will understand it. What it would misread it would also print, a piece of the password
/// with it; so that is refused here.
fn postgres(rest: &str) -> Result<Place, String> {
    let authority = rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end]);
    if rest.matches('@').count() > 1 || rest[authority.len()..].contains('@') {
        return Err("of @ / ? # in a user or password write %40 %2F %3F %23, so that it is known where the host begins".into());
    }
    let digits = |at: usize| rest.as_bytes().get(at + 1..at + 3).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit));
    if rest.match_indices('%').any(|(at, _)| !digits(at)) {
        return Err("a % that stands for itself, as in a password, is written %25".into());
    }
    if ["sslmode=require", "sslmode=verify"].iter().any(|mode| rest.contains(mode)) {
        return Err("this build has no TLS; use sslmode=disable on a trusted network or a local TLS proxy".into());
    }
    Ok(Place::Postgres(format!("postgres://{rest}")))
}

/// How PostgreSQL is connected to: a try ends after a while, and a connection whose other end is gone without a word is noticed within
/// a minute, also in the middle of a statement, however long that may take where the other end is there. (A shorter
/// `tcp_user_timeout` would also end a COPY whose server reads nothing for so long because it waits for somebody's lock.)
const LIMITS: &str = "connect_timeout=10&keepalives_idle=20&keepalives_interval=10&keepalives_count=4&tcp_user_timeout=60000";

/// What each connection sets for itself: the same for the server's side, which else keeps the locks of one who is gone for hours.
pub(super) const SESSION: &str = "SET client_min_messages = warning; SET jit = off; SET tcp_keepalives_idle = 20;
     SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 4; SET tcp_user_timeout = 60000";

/// The address with [`LIMITS`]. Of what stands twice libpq takes the last, so what the address says itself counts.
pub(super) fn with_limits(url: &str) -> String {
    match url.split_once('?') {
        Some((address, own)) => format!("{address}?{LIMITS}&{own}"),
        None => format!("{url}?{LIMITS}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{LIMITS, with_limits};

    #[test]
    fn what_an_address_says_itself_counts() {
        assert_eq!(with_limits("postgres://u@h/d"), format!("postgres://u@h/d?{LIMITS}"));
        let own = with_limits("postgres://u@h/d?connect_timeout=3");
        assert!(own.starts_with("postgres://u@h/d?connect_timeout=10&") && own.ends_with("&connect_timeout=3"), "{own}");
    }
}
