//! Dialling addresses that customers gave us, without becoming their tool against our own network.
//!
//! A notify address is resolved by us and every answer is checked before it is dialled; literal addresses are checked too;
//! redirects are not followed. Private, loopback, link-local and other special networks are refused unless the operator
//! lists them in `outbound.allow`.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// A network written as `10.0.0.0/8` or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads the text; the error says what a good one looks like.
    pub fn parse(text: &str) -> Result<Network, String> {
        let bad = || format!("\"{text}\" is not a network: write 10.1.0.0/16 or 10.1.2.3");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.trim().parse().map_err(|_| bad())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |p| p.trim().parse().map_err(|_| bad()))?;
        if prefix > longest { Err(bad()) } else { Ok(Network { address, prefix }) }
    }

    /// Whether the address lies in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, plain(ip)) {
            (IpAddr::V4(n), IpAddr::V4(i)) => prefix_equal(&n.octets(), &i.octets(), self.prefix),
            (IpAddr::V6(n), IpAddr::V6(i)) => prefix_equal(&n.octets(), &i.octets(), self.prefix),
            _ => false,
        }
    }
}

fn prefix_equal(a: &[u8], b: &[u8], bits: u8) -> bool {
    let (whole, rest) = (usize::from(bits / 8), bits % 8);
    let mask = if rest == 0 { 0 } else { 0xff_u8 << (8 - rest) };
    a[..whole] == b[..whole] && (rest == 0 || a[whole] & mask == b[whole] & mask)
}

/// An IPv4 address in IPv6 clothes (mapped, 6to4, NAT64) is the IPv4 address.
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let s = v6.segments();
    let four = |hi: u16, lo: u16| IpAddr::V4(Ipv4Addr::from((u32::from(hi) << 16) | u32::from(lo)));
    match s {
        [0, 0, 0, 0, 0, 0xffff, hi, lo] | [0x64, 0xff9b, 0, 0, 0, 0, hi, lo] => four(hi, lo),
        [0x2002, hi, lo, ..] => four(hi, lo),
        _ => ip,
    }
}

fn is_special(ip: IpAddr) -> bool {
    match plain(ip) {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19))
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            v6.is_loopback()
                || v6 == Ipv6Addr::UNSPECIFIED
                || v6.is_multicast()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || v6.segments()[..6] == [0; 6]
        }
    }
}

/// What may be dialled.
#[derive(Debug, Clone, Default)]
pub struct Outbound {
    allow: Arc<Vec<Network>>,
}

impl Outbound {
    /// Special networks in `allow` may be dialled all the same.
    pub fn new(allow: Vec<Network>) -> Outbound {
        Outbound { allow: Arc::new(allow) }
    }

    /// Whether the address may be dialled.
    pub fn permits(&self, ip: IpAddr) -> bool {
        !is_special(ip) || self.allow.iter().any(|n| n.contains(ip))
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
            Ok(ip) if !self.permits(ip) => Err(refused(ip)),
            _ => Ok(url),
        }
    }

    /// A connection to a host and port, for protocols other than HTTP: every address of the name is checked, and the
    /// first permitted one that answers is taken. The error says why there is none. The caller bounds the time.
    pub async fn dial(&self, host: &str, port: u16) -> Result<tokio::net::TcpStream, String> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((host, port)).await.map_err(|e| format!("{host} is not found: {e}"))?;
        let mut trouble = format!("{host} has no address");
        for address in found {
            if !self.permits(address.ip()) {
                trouble = refused(address.ip());
                continue;
            }
            match tokio::net::TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(e) => trouble = format!("{address}: {e}"),
            }
        }
        Err(trouble)
    }

    /// A client that dials only what is permitted, follows no redirect and gives up after `timeout`.
    pub fn client(&self, timeout: std::time::Duration) -> Result<reqwest::Client, String> {
        reqwest::Client::builder()
            .dns_resolver(Arc::new(Resolver(self.clone())))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout)
            .connect_timeout(timeout.min(std::time::Duration::from_secs(5)))
            .no_proxy()
            .pool_max_idle_per_host(8)
            .build()
            .map_err(|e| format!("the outbound client cannot be built: {e}"))
    }
}

fn refused(ip: IpAddr) -> String {
    format!("{ip} is in a private or special network; the operator can list it in outbound.allow")
}

struct Resolver(Outbound);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let outbound = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let permitted: Vec<SocketAddr> = found.iter().copied().filter(|a| outbound.permits(a.ip())).collect();
            if let (true, Some(first)) = (permitted.is_empty(), found.first()) {
                return Err(refused(first.ip()).into());
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
