//! Dialling addresses that customers gave us, without becoming their tool against our own network.
//!
//! A notify address is resolved by us and every answer is checked before it is dialled; literal addresses are checked too;
//! redirects are not followed. Private, loopback, link-local and other special networks are refused unless the operator
//! lists them in `outbound.allow`.

pub use kachi_domain::address::Network;

use kachi_domain::address::Addresses;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What may be dialled.
#[derive(Debug, Clone, Default)]
pub struct Outbound {
    addresses: Addresses,
}

impl Outbound {
    /// Special networks in `allow` may be dialled all the same.
    pub fn new(allow: Vec<Network>) -> Outbound {
        Outbound { addresses: Addresses::allowing(allow) }
    }

    /// Whether the address may be dialled.
    pub fn permits(&self, ip: IpAddr) -> bool {
        self.addresses.permits(ip)
    }

    /// Checks what can be checked of an address before it is resolved; the error says why it is refused.
    pub fn check(&self, text: &str) -> Result<reqwest::Url, String> {
        if text.len() > 2048 {
            return Err("the address is longer than 2,048 characters".into());
        }
        let url = reqwest::Url::parse(text).map_err(|e| format!("the address does not read: {e}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{}: only http and https are dialled", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the address must not carry a user name or password".into());
        }
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        match host.parse::<IpAddr>() {
            Ok(ip) if !self.permits(ip) => Err(Addresses::refused(ip)),
            _ => Ok(url),
        }
    }

    /// A connection to a host and port, for protocols other than HTTP: every address of the name is checked, and the
    /// first permitted one that answers is taken. The error says why there is none. The caller bounds the time.
    pub async fn dial(&self, host: &str, port: u16) -> Result<tokio::net::TcpStream, String> {
        self.reach(host, port, tokio::net::TcpStream::connect).await
    }

    /// As [`Outbound::dial`], with a greeting of the protocol's own.
    pub async fn reach<T, E: std::fmt::Display, F: Future<Output = Result<T, E>>>(
        &self,
        host: &str,
        port: u16,
        connect: impl Fn(SocketAddr) -> F,
    ) -> Result<T, String> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((host, port)).await.map_err(|e| format!("{host} is not found: {e}"))?;
        let mut trouble = format!("{host} has no address");
        for address in found {
            if !self.permits(address.ip()) {
                trouble = Addresses::refused(address.ip());
                continue;
            }
            match connect(address).await {
                Ok(connected) => return Ok(connected),
                Err(e) => trouble = format!("{address}: {e}"),
            }
        }
        Err(trouble)
    }

    /// A client that dials only what is permitted, follows no redirect and gives up after `timeout`.
    pub fn client(&self, timeout: std::time::Duration) -> Result<reqwest::Client, String> {
        let client = || {
            reqwest::Client::builder()
                .dns_resolver(Arc::new(Resolver(self.clone())))
                .redirect(reqwest::redirect::Policy::none())
                .user_agent("kachi")
                .timeout(timeout)
                .connect_timeout(timeout.min(std::time::Duration::from_secs(5)))
                .no_proxy()
                .pool_max_idle_per_host(8)
        };
        client().build().or_else(|e| {
            // A bare system knows no authority. What needs none goes on all the same.
            let without = client().tls_certs_only([]).build().map_err(|_| format!("the outbound client cannot be built: {e}"))?;
            tracing::warn!("this system has no certificates of authorities, so no https address is trusted: install ca-certificates and start again");
            Ok(without)
        })
    }
}

/// Scheme, host and port of an address, for a log: what stands behind them may be a secret.
pub fn origin(text: &str) -> String {
    reqwest::Url::parse(text).map_or_else(|_| "no address".into(), |url| url.origin().ascii_serialization())
}

struct Resolver(Outbound);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let outbound = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let permitted: Vec<SocketAddr> = found.iter().copied().filter(|a| outbound.permits(a.ip())).collect();
            if let (true, Some(first)) = (permitted.is_empty(), found.first()) {
                return Err(Addresses::refused(first.ip()).into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_refused_in_every_spelling() {
        let none = Outbound::default();
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://017700000001/",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest",
            "http://100.64.0.1/",
            "http://198.18.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fe80::1]/",
            "http://[fc00::1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://0.0.0.0/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://x/",
            "http://a@example.com/",
            "http://a:b@example.com/",
            "nonsense",
        ] {
            assert!(none.check(url).is_err(), "{url}");
        }
        assert!(none.check("https://example.com/n").is_ok());
        assert!(none.check("http://8.8.8.8:8080/n").is_ok());
    }

    #[test]
    fn a_listed_network_may_be_dialled() {
        let outbound = Outbound::new(vec![Network::parse("127.0.0.0/8").unwrap()]);
        assert!(outbound.check("http://127.0.0.1:9999/n").is_ok());
        assert!(outbound.check("http://10.0.0.1/").is_err());
        assert!(Network::parse("10.0.0.0/33").is_err() && Network::parse("ten").is_err());
        assert!(Network::parse("10.1.0.0/16").unwrap().contains("10.1.255.1".parse().unwrap()));
        assert!(!Network::parse("10.1.0.0/17").unwrap().contains("10.1.255.1".parse().unwrap()));
    }
}
