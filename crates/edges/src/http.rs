//! Plumbing that every door shares: a bounded body, the caller's address, JSON answers with a request id, and counts
//! of answers by route and code. No partner's word stands here.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use kachi_domain::Timestamp;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The header that names a request in the answer and in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a door needs of a request.
#[derive(Debug)]
pub struct Asked {
    /// The caller's address; none where the server did not tell it.
    pub peer: Option<IpAddr>,
    /// The caller's own request id if it is a fit one, else ours.
    pub id: String,
    /// The whole body; none if it is larger than the limit or broke off.
    pub body: Option<Bytes>,
}

/// Reads a request, at most `body_bytes_max` bytes of it.
pub async fn take(request: Request, body_bytes_max: usize, now: Timestamp) -> Asked {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let id = given_id(&parts.headers).unwrap_or_else(|| new_id(now));
    Asked { peer, id, body: to_bytes(body, body_bytes_max).await.ok() }
}

/// A JSON answer with its request id.
pub fn json(status: StatusCode, text: impl Into<Bytes>, request_id: &str) -> Response {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Says that the operation is deprecated since the instant and what to use instead (RFC 9745, RFC 8288).
pub fn deprecated(response: &mut Response, since: Timestamp, successor: &str) {
    let link = format!("<{successor}>; rel=\"successor-version\"");
    for (name, value) in [("deprecation", format!("@{}", since.0)), ("link", link)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
}

fn given_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fit = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    fit.then(|| text.to_owned())
}

/// Unique while the process lives: the second it was made and a running number.
fn new_id(now: Timestamp) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:x}-{:x}", now.0, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether the address is in one of the networks (`10.0.0.0/8`, `2001:db8::1`); no network at all lets everyone in. An
/// entry that cannot be read lets nobody in, and an unknown address is in no network.
pub fn is_allowed(networks: &[String], peer: Option<IpAddr>) -> bool {
    networks.is_empty() || peer.is_some_and(|peer| networks.iter().any(|network| contains(network, peer.to_canonical())))
}

fn contains(network: &str, peer: IpAddr) -> bool {
    let (base, bits) = match network.trim().split_once('/') {
        Some((base, bits)) => (base, bits.parse::<u32>().ok()),
        None => (network.trim(), Some(128)),
    };
    let (Ok(base), Some(bits)) = (base.parse::<IpAddr>(), bits) else { return false };
    let whole = !network.contains('/');
    match (base.to_canonical(), peer) {
        (IpAddr::V4(base), IpAddr::V4(peer)) if whole || bits <= 32 => {
            let bits = bits.min(32);
            (u32::from(base) ^ u32::from(peer)).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(base), IpAddr::V6(peer)) if bits <= 128 => {
            (u128::from(base) ^ u128::from(peer)).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// How many answers each route gave with each code since the process started.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<(&'static str, u32), u64>>);

impl Counts {
    /// One more.
    pub fn add(&self, route: &'static str, code: u32) {
        *self.0.lock().expect("counts lock").entry((route, code)).or_default() += 1;
    }

    /// All of them: route, code, number.
    pub fn all(&self) -> Vec<(&'static str, u32, u64)> {
        self.0.lock().expect("counts lock").iter().map(|((route, code), n)| (*route, *code, *n)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_let_in_what_they_contain() {
        for (network, peer, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("10.0.0.0/", "10.0.0.0", false),
            ("nonsense", "10.0.0.1", false),
        ] {
            assert_eq!(is_allowed(&[network.to_owned()], peer.parse().ok()), inside, "{peer} in {network}");
        }
        assert!(is_allowed(&[], None) && !is_allowed(&["10.0.0.0/8".to_owned()], None));
    }
}
