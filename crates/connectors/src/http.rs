//! Requests to carriers over HTTP: bounded in time and size, to addresses that may be dialled, and quiet about secrets.
//!
//! Promised: a redirect is not followed, a body larger than the limit is not read, private networks are dialled only where
//! the operator lists them, and no error names more of an address than its host. What failed before anything can have
//! reached the other side is told apart from what may have been done, by one rule for every carrier: see [`Http::send`].

use kachi_domain::address::Addresses;
use kachi_domain::carrier::{Answer, Call};
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
/// Seconds to wait for a connection.
const CONNECT_SECONDS: u64 = 5;
/// Seconds to wait with what could not be sent, or was not taken.
const UNSENT_SECONDS: i64 = 30;

/// A client of one host.
#[derive(Clone)]
pub struct Http {
    agent: ureq::Agent,
    base: String,
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    /// `GET`, `POST` or `PUT`.
    pub verb: &'static str,
    /// Path and query as they are sent, from the `/` on.
    pub path: &'a str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body with its type.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// Whether it is a write that must not be done twice (an order, a message), or that the card shows afterwards.
    pub write: bool,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, as UTF-8, or as GBK where it is not that.
    pub text: String,
}

/// Why nothing came back that is an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing reached the other side, or it took nothing.
    Unsent(String),
    /// It may have.
    Lost(String),
}

impl From<Trouble> for Answer {
    fn from(trouble: Trouble) -> Answer {
        match trouble {
            Trouble::Unsent(reason) => Answer::Later { seconds: UNSENT_SECONDS, reason },
            Trouble::Lost(reason) => Answer::InDoubt { reason },
        }
    }
}

impl Http {
    /// A client for addresses that begin with `base`, such as `https://api.example.com`. The error says what is wrong with it.
    pub fn open(base: &str, timeout_seconds: u64, addresses: &Addresses) -> Result<Http, String> {
        let bad = || format!("\"{base}\" is not an address such as https://api.example.com");
        let uri: ureq::http::Uri = base.parse().map_err(|_| bad())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(bad)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.query().is_some() {
            return Err(bad());
        }
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err("the address must not carry a user name or password".into());
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
        if let Some(ip) = literal.ok().filter(|ip| !addresses.permits(*ip)) {
            return Err(Addresses::refused(ip));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls =
            TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).unversioned_rustls_crypto_provider(provider).build();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .tls_config(tls)
            .user_agent("kachi")
            .timeout_global(Some(Duration::from_secs(timeout_seconds)))
            .timeout_connect(Some(Duration::from_secs(timeout_seconds.min(CONNECT_SECONDS))))
            .build();
        let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), Guarded(addresses.clone()));
        Ok(Http { agent, base: base.trim_end_matches('/').to_owned() })
    }

    /// One request, one answer; whether there was one is noted on the call. A server in trouble (5xx) gives none, whatever stands in the body: what was asked may have been done.
    /// That it is busy (429, 503) means that nothing was; but a gateway that says so (503) may have passed the request on. That does no harm
    /// to a question, which is asked again; a write is in doubt.
    pub fn send(&self, call: &Call<'_>, ask: Ask<'_>) -> Result<Reply, Trouble> {
        let told = self.exchange(ask);
        // Behind a colon may stand the other side's words.
        let why = |trouble: &Trouble| trouble.reason().split(": ").next().unwrap_or_default().to_owned();
        call.note(told.as_ref().err().map(why));
        told
    }

    fn exchange(&self, ask: Ask<'_>) -> Result<Reply, Trouble> {
        let mut request = ureq::http::Request::builder().method(ask.verb).uri(format!("{}{}", self.base, ask.path));
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some((kind, _)) = &ask.body {
            request = request.header("Content-Type", *kind);
        }
        let unsent = |_| Trouble::Unsent("the request cannot be put into words".into());
        let answered = match ask.body {
            Some((_, body)) => self.agent.run(request.body(body).map_err(unsent)?),
            None => self.agent.run(request.body(()).map_err(unsent)?),
        };
        let mut answer = answered.map_err(|e| trouble(&e))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|e| Trouble::Lost(trouble(&e).reason().to_owned()))?;
        let reply = Reply { status, text: text(&body) };
        let seen = || format!("HTTP {status}: {}", excerpt(&reply.text));
        match status {
            429 => Err(Trouble::Unsent(seen())),
            503 if !ask.write => Err(Trouble::Unsent(seen())),
            500..=599 => Err(Trouble::Lost(seen())),
            _ => Ok(reply),
        }
    }
}

impl Trouble {
    fn reason(&self) -> &str {
        let (Trouble::Unsent(reason) | Trouble::Lost(reason)) = self;
        reason
    }
}

/// In our own words, for the library's may quote the address with what is in it.
fn trouble(error: &ureq::Error) -> Trouble {
    use ureq::{Error, Timeout};
    match error {
        Error::HostNotFound => Trouble::Unsent("the host is not found".into()),
        Error::ConnectionFailed => Trouble::Unsent("no connection".into()),
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => Trouble::Unsent("no connection in time".into()),
        Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => Trouble::Unsent("the connection is refused".into()),
        Error::Other(e) => Trouble::Unsent(e.to_string()),
        Error::BadUri(_) | Error::Http(_) => Trouble::Unsent("the request cannot be put into words".into()),
        Error::Timeout(_) => Trouble::Lost("no answer in time".into()),
        Error::BodyExceedsLimit(_) => Trouble::Lost(format!("an answer of more than {ANSWER_BYTES_MAX} bytes")),
        Error::Io(e) => Trouble::Lost(format!("the connection broke: {}", e.kind())),
        _ => Trouble::Lost("the answer is not HTTP, or its certificate is not good".into()),
    }
}

/// Names are resolved by us and only what may be dialled is handed on.
#[derive(Debug)]
struct Guarded(Addresses);

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let mut permitted = self.empty();
        for address in found.iter().filter(|a| self.0.permits(a.ip())) {
            permitted.push(*address);
        }
        match (permitted.is_empty(), found.first()) {
            (true, Some(first)) => Err(ureq::Error::Other(Addresses::refused(first.ip()).into())),
            _ => Ok(permitted),
        }
    }
}

/// A body as text: UTF-8 where it is that, else GBK, in which carriers write Chinese.
pub fn text(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
        Err(_) => encoding_rs::GBK.decode(body).0.into_owned(),
    }
}

/// A value as it stands in a query: RFC 3986, so that a space is `%20`.
pub fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Parameters as a query, in the order they have.
pub fn query(params: &[(&str, &str)]) -> String {
    params.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&")
}

/// The first characters of an answer that does not read, for a person.
pub fn excerpt(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kachi_domain::Timestamp;
    use kachi_domain::address::Network;
    use kachi_domain::carrier::Login;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// One request of a call of its own, and what was noted of it.
    fn send(http: &Http, ask: Ask<'_>) -> (Result<Reply, Trouble>, Option<String>) {
        let login = Login::default();
        let call = Call::new(&login, Timestamp(0), 1);
        (http.send(&call, ask), call.unanswered())
    }

    fn local() -> Addresses {
        Addresses::allowing(vec![Network::parse("127.0.0.1").unwrap()])
    }

    /// A server that does this with its next connections, one after the other.
    fn serving(acts: Vec<fn(TcpStream)>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for act in acts {
                act(listener.accept().unwrap().0);
            }
        });
        address
    }

    fn read(stream: &mut TcpStream) -> String {
        let mut seen = Vec::new();
        let mut byte = [0];
        while !seen.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
            seen.push(byte[0]);
        }
        String::from_utf8(seen).unwrap()
    }

    /// Answers a request whose body is one byte.
    fn answer(mut stream: TcpStream, head: &str, body: &[u8]) {
        read(&mut stream);
        stream.read_exact(&mut [0]).unwrap();
        write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
        stream.write_all(body).unwrap();
    }

    #[test]
    fn an_address_must_be_one_that_may_be_dialled() {
        for (base, says) in [
            ("ftp://a.example", "is not an address"),
            ("nonsense", "is not an address"),
            ("http://a.example/?x=1", "is not an address"),
            ("http://u:p@a.example", "user name"),
            ("http://127.0.0.1:1", "outbound.allow"),
            ("http://[::1]:1", "outbound.allow"),
        ] {
            let error = Http::open(base, 1, &Addresses::default()).err().unwrap();
            assert!(error.contains(says), "{base}: {error}");
        }
        let by_name = Http::open("http://localhost:1", 1, &Addresses::default()).ok().unwrap();
        let Err(Trouble::Unsent(reason)) = send(&by_name, Ask { verb: "GET", path: "/", ..Ask::default() }).0 else {
            panic!("a name that leads inside is dialled")
        };
        assert!(reason.contains("outbound.allow"), "{reason}");
    }

    #[test]
    fn what_was_not_sent_is_told_from_what_may_have_been_done() {
        let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let get = |base: &str| {
            let http = Http::open(base, 1, &local()).unwrap();
            send(&http, Ask { verb: "GET", path: "/secret?password=hunter2", ..Ask::default() }).0
        };
        assert!(matches!(get(&format!("http://{dead}")), Err(Trouble::Unsent(_))));
        let hung = serving(vec![|mut stream| {
            read(&mut stream);
        }]);
        let silent = serving(vec![|mut stream| {
            read(&mut stream);
            let _ = stream.read(&mut [0]);
        }]);
        let noise = serving(vec![|mut stream| {
            read(&mut stream);
            stream.write_all(b"what?\r\n\r\n").unwrap();
        }]);
        for base in [hung, silent, noise] {
            let Err(Trouble::Lost(reason)) = get(&base) else { panic!("{base} answered") };
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }

    #[test]
    fn a_redirect_is_an_answer_and_a_large_body_is_not_read() {
        let base = serving(vec![
            |s| answer(s, "302 Found\r\nLocation: http://127.0.0.1:1/", b"there"),
            |s| answer(s, "200 OK", &vec![b'x'; ANSWER_BYTES_MAX as usize + 1]),
            |s| answer(s, "404 Nothing", &[0xd6, 0xd0]),
        ]);
        let http = Http::open(&base, 5, &local()).unwrap();
        let body = || Some(("text/plain", b"x".to_vec()));
        let send = || send(&http, Ask { verb: "POST", path: "/", body: body(), ..Ask::default() }).0;
        assert_eq!(send(), Ok(Reply { status: 302, text: "there".into() }));
        assert!(matches!(send(), Err(Trouble::Lost(_))));
        assert_eq!(send(), Ok(Reply { status: 404, text: "中".into() }), "GBK is read");
    }

    #[test]
    fn a_server_in_trouble_gives_no_answer_and_a_busy_gateway_may_have_passed_a_write_on() {
        for (head, again, written) in [
            ("429 Too Many Requests", "unsent", "unsent"),
            ("503 Service Unavailable", "unsent", "lost"),
            ("500 Internal Server Error", "lost", "lost"),
            ("504 Gateway Timeout", "lost", "lost"),
            ("400 Bad Request", "answer", "answer"),
        ] {
            for (write, expected) in [(false, again), (true, written)] {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let base = format!("http://{}", listener.local_addr().unwrap());
                std::thread::spawn(move || answer(listener.accept().unwrap().0, head, br#"{"status":"12089","code":"1"}"#));
                let http = Http::open(&base, 5, &local()).unwrap();
                let body = Some(("text/plain", b"x".to_vec()));
                let (told, noted) = send(&http, Ask { verb: "POST", path: "/", body, write, ..Ask::default() });
                let words = format!("HTTP {}", &head[..3]);
                assert_eq!(noted, (again != "answer").then_some(words), "no word of the other side is noted");
                let class = match told {
                    Ok(_) => "answer",
                    Err(Trouble::Unsent(reason)) if reason.contains("12089") => "unsent",
                    Err(Trouble::Lost(reason)) if reason.contains("12089") => "lost",
                    Err(other) => panic!("{head}: {other:?}"),
                };
                assert_eq!(class, expected, "{head} write {write}");
            }
        }
    }

    #[test]
    fn values_are_encoded_as_rfc_3986_says() {
        assert_eq!(query(&[("a", "1 2"), ("b", "中&/~")]), "a=1%202&b=%E4%B8%AD%26%2F~");
    }
}
