//! The address of a broker: `mqtt://HOST`, `mqtt://HOST:PORT`, `mqtts://USER:PASSWORD@HOST:PORT`.

use std::fmt;

/// Where the broker is.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether the connection is by TLS.
    pub tls: bool,
    /// Login, where the address has one.
    pub credentials: Option<(String, String)>,
}

impl Address {
    /// Reads an address; the error says what a good one looks like.
    pub fn parse(text: &str) -> Result<Address, String> {
        let bad = || "must be mqtt://HOST[:PORT] or mqtts://HOST[:PORT], with USER:PASSWORD@ before HOST where needed".to_owned();
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(bad)?;
        let (tls, usual) = match scheme {
            "mqtt" | "tcp" => (false, 1883),
            "mqtts" | "ssl" => (true, 8883),
            _ => return Err(bad()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        let credentials = match login.map(|l| l.split_once(':').unwrap_or((l, ""))) {
            Some(("", _)) => return Err(bad()),
            Some((user, password)) => Some((user.to_owned(), password.to_owned())),
            None => None,
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(inner) => {
                let (host, port) = inner.split_once(']').ok_or_else(bad)?;
                (host, port.strip_prefix(':'))
            }
            None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(usual), |p| p.parse::<u16>().ok().filter(|p| *p > 0).ok_or_else(bad))?;
        let is_host = !host.is_empty() && !host.contains(['/', '?', '#', ' ']);
        if is_host { Ok(Address { host: host.to_owned(), port, tls, credentials }) } else { Err(bad()) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{scheme}://{host}:{}", self.port)
    }
}

impl fmt::Debug for Address {
    /// Without the login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_never_printed_with_their_login() {
        for (text, shown, login) in [
            ("mqtt://broker", "mqtt://broker:1883", None),
            ("mqtt://127.0.0.1:18830/", "mqtt://127.0.0.1:18830", None),
            ("mqtts://u:p:w@broker.example", "mqtts://broker.example:8883", Some(("u", "p:w"))),
            ("mqtt://u@[::1]:5", "mqtt://[::1]:5", Some(("u", ""))),
            ("tcp://b:1", "mqtt://b:1", None),
        ] {
            let read = Address::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((read.to_string().as_str(), format!("{read:?}").as_str()), (shown, shown));
            assert_eq!(read.credentials, login.map(|(u, p)| (u.to_owned(), p.to_owned())));
        }
        for text in ["broker", "http://b", "mqtt://", "mqtt://b:0", "mqtt://b:99999", "mqtt://:p@b", "mqtt://a/b", "mqtt://[::1"]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
