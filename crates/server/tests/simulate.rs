//! `kachi simulate` as a person at a terminal meets it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn kachi(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kachi"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The body of an answer.
fn ask(url: &str, method: &str, path: &str, body: &str) -> String {
    let host = url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(host).expect("somebody listens");
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned())
}

#[test]
fn it_tells_addresses_and_logins_and_ends_with_an_interrupt() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().to_str().expect("UTF-8");
    let mut running = Running(
        kachi(&["simulate", "--control", "127.0.0.1:0", "--sims", "40", "--speed", "0", "--cdr-dir", dir])
            .spawn()
            .expect("it runs"),
    );
    let mut lines = BufReader::new(running.0.stdout.take().expect("piped")).lines();
    let mut said = Vec::new();
    while !said.last().is_some_and(|l: &String| l.starts_with("Ctrl-C")) {
        said.push(lines.next().expect("it goes on").expect("UTF-8"));
    }
    let url = |name: &str| {
        let line = said.iter().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {said:?}"));
        line.split_whitespace().nth(1).expect("an address").to_owned()
    };
    for (name, login, cards) in [
        ("onelink", "appid 100001  password pw123", "16 cards"),
        ("ctwing", "secretKey SECRET123", "6 cards"),
        ("telecom", "key k1ak2bk3c", "6 cards"),
        ("unicom", "app_secret demoSecret9876", "8 cards"),
        ("jasper", "apiKey demoKey1", "4 cards"),
    ] {
        let line = said.iter().find(|l| l.starts_with(name)).expect("a line");
        assert!(line.contains(login) && line.contains(cards), "{line}");
        assert!(!ask(&url(name), "GET", "/nothing", "").contains("cards"));
    }
    let refused = ask(&url("onelink"), "GET", "/v5/ec/query/sim-status", "");
    assert!(refused.contains("\"12004\""), "{refused}");
    let control = url("control");
    let before: serde_json::Value = serde_json::from_str(&ask(&control, "GET", "/world", "")).expect("JSON");
    assert_eq!(before["platforms"]["onelink"]["calls"], 2, "{before}");
    let after: serde_json::Value = serde_json::from_str(&ask(&control, "POST", "/advance", "{\"seconds\":86400}")).expect("JSON");
    assert_eq!(after["now"].as_i64().expect("a number") - before["now"].as_i64().expect("a number"), 86_400);
    // A whole day, because at night an hour of so few cards can be without traffic, and has no file then.
    let files = std::fs::read_dir(dir).expect("a folder").flatten().map(|f| f.file_name().to_string_lossy().into_owned());
    assert!(files.filter(|name| name.starts_with("cdr_onelink_") && name.ends_with(".csv")).count() >= 2);
    let bad = ask(&control, "POST", "/faults", "{\"platform\":\"jasper\",\"kind\":\"token_killed\"}");
    assert!(bad.contains("exists at onelink only"), "{bad}");
    let interrupted = Command::new("kill").args(["-INT", &running.0.id().to_string()]).status().expect("kill");
    assert!(interrupted.success());
    assert_eq!(lines.next().expect("a last word").expect("UTF-8"), "stopped");
    assert_eq!(running.0.wait().expect("it ends").code(), Some(0));
}

#[test]
fn it_is_served_on_loopback_addresses_only() {
    let output = kachi(&["simulate", "--control", "0.0.0.0:7100"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("is not a loopback address"), "{words}");
}
