//! The other side of a connector's wire, as a function of what it is asked.

use std::io::{Read, Write};
use std::net::TcpListener;

/// A server that answers each request (its path with its query, its body) with a status and a body; none: the connection is cut. The
/// answer is its address.
pub fn listen(tell: impl Fn(&str, &str) -> Option<(&'static str, String)> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut seen, mut byte) = (Vec::new(), [0]);
            while !seen.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                seen.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&seen).into_owned();
            let header = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().to_owned());
            let length = head.lines().find_map(header).and_then(|n| n.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            if stream.read_exact(&mut body).is_err() {
                continue;
            }
            let path = head.split(' ').nth(1).unwrap_or_default();
            if let Some((status, text)) = tell(path, &String::from_utf8_lossy(&body)) {
                let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", text.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(text.as_bytes()));
            }
        }
    });
    address
}
