//! Which addresses may be dialled from inside: everything public, and of the private, loopback, link-local and other special
//! networks those that the operator lists in `outbound.allow`. And addresses as they are shown: without their passwords.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// An address `scheme://user:password@host...` without its password, for every text that people or logs see. A password may
/// hold anything, so all up to the last `@` is taken for it, and all behind a `password=`.
pub fn masked(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (&url[..scheme.len() + 3], rest));
    let (userinfo, host) = rest.rsplit_once('@').map_or((None, rest), |(userinfo, host)| (Some(userinfo), host));
    let shown = match userinfo.map(|u| u.split_once(':').map_or((u, false), |(user, _)| (user, true))) {
        None => url.to_owned(),
        Some((user, false)) => format!("{scheme}{user}@{host}"),
        Some((user, true)) => format!("{scheme}{user}:***@{host}"),
    };
    // libpq also takes the password as a parameter.
    match shown.to_ascii_lowercase().find("password=") {
        Some(at) => format!("{}password=***", &shown[..at]),
        None => shown,
    }
}

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
pub struct Addresses {
    allow: Arc<Vec<Network>>,
}

impl Addresses {
    /// Special networks in `allow` may be dialled all the same.
    pub fn allowing(allow: Vec<Network>) -> Addresses {
        Addresses { allow: Arc::new(allow) }
    }

    /// Every address, for checks that dial none.
    pub fn any() -> Addresses {
        let all = |address| Network { address, prefix: 0 };
        let (four, six) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        Addresses::allowing(vec![all(four), all(six)])
    }

    /// Whether the address may be dialled.
    pub fn permits(&self, ip: IpAddr) -> bool {
        !is_special(ip) || self.allow.iter().any(|n| n.contains(ip))
    }

    /// Why an address is not dialled.
    pub fn refused(ip: IpAddr) -> String {
        format!("{ip} is in a private or special network; the operator can list it in outbound.allow")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, wanted) in [
            ("postgres://u:topsecret@h/d", "postgres://u:***@h/d"),
            ("mysql://u:top@sec/ret@h:1/d?x=y", "mysql://u:***@h:1/d?x=y"),
            ("u:topsecret@h", "u:***@h"),
            ("postgres://:topsecret@h", "postgres://:***@h"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("postgres:///d?host=h&user=u&PassWord=topsecret&x=y", "postgres:///d?host=h&user=u&password=***"),
            ("host=h password=topsecret", "host=h password=***"),
            ("sqlite:/a/b.db", "sqlite:/a/b.db"),
            ("", ""),
        ] {
            assert_eq!(masked(url), wanted);
        }
    }

    #[test]
    fn special_addresses_are_dialled_only_where_they_are_listed() {
        let (none, some) = (Addresses::default(), Addresses::allowing(vec![Network::parse("10.1.0.0/16").unwrap()]));
        for (ip, listed) in [("127.0.0.1", false), ("10.1.255.1", true), ("10.2.0.1", false), ("::ffff:10.1.0.1", true)] {
            let ip = ip.parse().unwrap();
            assert_eq!((none.permits(ip), some.permits(ip)), (false, listed), "{ip}");
        }
        assert!(["127.0.0.1", "::1", "10.0.0.1"].iter().all(|ip| Addresses::any().permits(ip.parse().unwrap())));
        assert!(none.permits("8.8.8.8".parse().unwrap()));
    }
}
