//! SFTP by password. OpenSSH asks the system for passwords, which a test cannot set; so here the SSH before OpenSSH's
//! sftp-server is the library's own.

use crate::Post;
use kachi_domain::cdr::delivery::{Protocol, Target};
use kachi_testkit::db::Database;
use kachi_testkit::trade::{ACME, CARD, START};
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session};
use russh::{Channel, ChannelId};
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncWriteExt, copy, split};
use tokio::net::TcpListener;
use tokio::process::Command;

/// The connection ends where this password is tried.
const CUT: &str = "cut";

/// One login: user `u`, password `p`.
struct Login {
    /// The password is taken as the answer to a prompt only.
    prompts: bool,
    channel: Option<Channel<Msg>>,
}

impl Handler for Login {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        if password == CUT {
            return Err(russh::Error::Disconnect);
        }
        Ok(if !self.prompts && (user, password) == ("u", "p") { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _: &str,
        answers: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let prompts = vec![("Password: ".into(), false)].into();
        Ok(match answers.map(|a| a.collect::<Vec<_>>()) {
            _ if !self.prompts => Auth::reject(),
            None => Auth::Partial { name: "".into(), instructions: "".into(), prompts },
            Some(answers) if user == "u" && answers.len() == 1 && answers[0][..] == *b"p" => Auth::Accept,
            Some(_) => Auth::reject(),
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, name: &str, session: &mut Session) -> Result<(), russh::Error> {
        let (Some(channel), "sftp") = (self.channel.take(), name) else { return session.channel_failure(id) };
        let mut command = Command::new("/usr/lib/openssh/sftp-server");
        let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        session.channel_success(id)?;
        let (mut from, mut to) = split(channel.into_stream());
        let (mut stdin, mut stdout) = (server.stdin.take().expect("its input"), server.stdout.take().expect("its output"));
        tokio::spawn(async move {
            let _ = tokio::join!(copy(&mut from, &mut stdin), copy(&mut stdout, &mut to));
            let _ = to.shutdown().await;
            let _ = server.wait().await;
        });
        Ok(())
    }
}

/// The port and the host key's fingerprint.
async fn listen(key: PrivateKey, prompts: bool) -> (u16, String) {
    let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
    let config = Arc::new(Config { keys: vec![key], auth_rejection_time: std::time::Duration::ZERO, ..Config::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let config = config.clone();
            tokio::spawn(async move {
                let login = Login { prompts, channel: None };
                if let Ok(session) = russh::server::run_stream(config, stream, login).await {
                    let _ = session.await;
                }
            });
        }
    });
    (port, fingerprint)
}

#[test]
fn sftp_by_password() {
    assert_delivers(false);
}

#[test]
fn sftp_by_password_at_a_prompt() {
    assert_delivers(true);
}

fn assert_delivers(prompts: bool) {
    let (database, folder) = (Database::sqlite(), tempfile::tempdir().expect("a folder"));
    let post = Post::new(database.open());
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).expect("a key");
    let (port, fingerprint) = post.wait(listen(key, prompts));
    let mut target = Target {
        protocol: Protocol::Sftp,
        host: "127.0.0.1".into(),
        port,
        user: "u".into(),
        password: CUT.into(),
        private_key: String::new(),
        directory: folder.path().display().to_string(),
        fingerprint,
    };
    post.folder(ACME, &target);
    post.traffic_many(CARD, START.plus(-60), 20_001);
    post.half_hour();
    let answer = || post.last().last_answer.expect("an answer");
    assert!(answer().contains("logging in: the connection ended"), "{}", answer());
    target.password = "q".into();
    post.folder(ACME, &target);
    post.trade.pass(5);
    post.upload();
    assert!(answer().contains("refuses"), "{}", answer());
    target.password = "p".into();
    post.folder(ACME, &target);
    post.trade.pass(600);
    post.upload();
    let done = post.last();
    assert_eq!((done.state.as_str(), done.records), ("done", Some(20_001)), "{done:?}");
    let files: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder").flatten().collect();
    assert_eq!((files.len(), Some(files[0].metadata().expect("a file").len() as i64)), (1, done.bytes));
}
