//! A server, and clients that keep their connections and ask as fast as they are answered.

use axum::Router;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: usize = 32;

/// Serves on a free port.
pub async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await });
    address
}

/// One request on a connection of its own; the whole answer.
pub async fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let mut buffer = Vec::new();
    exchange(&mut stream, request, &mut buffer).await;
    String::from_utf8_lossy(&buffer).into_owned()
}

/// One request, one whole answer by its content-length.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) {
    stream.write_all(request).await.expect("sent");
    buffer.clear();
    loop {
        let n = stream.read_buf(buffer).await.expect("answered");
        assert!(n > 0, "the server closed the connection");
        let Some(head) = find(buffer, b"\r\n\r\n") else { continue };
        let lower = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
        let length: usize = lower
            .split("content-length: ")
            .nth(1)
            .and_then(|l| l.split("\r\n").next())
            .and_then(|l| l.parse().ok())
            .expect("a length");
        if buffer.len() >= head + 4 + length {
            return;
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// Requests a second over 32 connections.
pub async fn drive(address: SocketAddr, requests: &Arc<Vec<Vec<u8>>>, seconds: u64) -> f64 {
    let done = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + Duration::from_secs(seconds);
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for c in 0..CONNECTIONS {
        let (requests, done) = (requests.clone(), done.clone());
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            stream.set_nodelay(true).expect("no delay");
            let mut buffer = Vec::with_capacity(4096);
            let mut i = c * 601;
            while Instant::now() < until {
                exchange(&mut stream, &requests[i % requests.len()], &mut buffer).await;
                done.fetch_add(1, Ordering::Relaxed);
                i += 1;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}
