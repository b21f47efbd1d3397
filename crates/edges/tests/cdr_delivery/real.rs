//! The same against servers that others wrote: vsftpd for FTP and FTPS, OpenSSH for SFTP. A missing one is a failure.

use crate::Post;
use kachi_domain::cdr::delivery::{Protocol, Target};
use kachi_engine::cdr_deliveries;
use kachi_store::Store;
use kachi_testkit::db::{Database, each};
use kachi_testkit::trade::{ACME, CARD, START};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server process on a loopback port; it ends with the test.
struct Real {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command prints.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; ./check installs what is needed"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

fn me() -> String {
    output(Command::new("id").arg("-un"))
}

impl Real {
    /// Starts a server: `made` writes what it needs into the folder and gives the command.
    fn start(made: impl FnOnce(&Path, u16) -> Command) -> Real {
        let folder = TempDir::with_prefix("kachi_server_").expect("a folder");
        std::fs::create_dir(folder.path().join("upload")).expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let mut command = made(folder.path(), port);
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.unwrap_or_else(|e| panic!("{command:?}: {e}; ./check installs what is needed"));
        let mut real = Real { child, port, folder };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = real.child.try_wait().expect("its state");
            assert!(ended.is_none() && Instant::now() < deadline, "{command:?} does not listen: {ended:?}\n{}", real.log());
            std::thread::yield_now();
        }
        real
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// vsftpd that answers PASV with an address nobody has; in the clear, with AUTH TLS, or inside TLS.
    fn vsftpd(protocol: Protocol) -> Real {
        let tls = protocol != Protocol::Ftp;
        Real::start(|folder, port| {
            let at = |name: &str| folder.join(name).display().to_string();
            if tls {
                let mut make = Command::new("openssl");
                make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]);
                output(make.args(["-keyout", &at("key.pem"), "-out", &at("cert.pem")]));
            }
            let own = format!("listen_port={port}\nftp_username={}\nanon_root={}\n", me(), folder.display());
            let secure = format!(
                "ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_logins_ssl=YES\nforce_anon_data_ssl=YES\nrsa_cert_file={}\nrsa_private_key_file={}\n",
                at("cert.pem"),
                at("key.pem")
            );
            let implicit = if protocol == Protocol::FtpsImplicit { "implicit_ssl=YES\n" } else { "" };
            let text = [VSFTPD, &own, if tls { &secure } else { "" }, implicit].concat();
            std::fs::write(folder.join("vsftpd.conf"), text).expect("its settings");
            let mut command = Command::new("/usr/sbin/vsftpd");
            command.arg(folder.join("vsftpd.conf"));
            command
        })
    }

    /// OpenSSH with keys of its own, for whoever runs the test.
    fn sshd() -> Real {
        Real::start(|folder, port| {
            let at = |name: &str| folder.join(name).display().to_string();
            for key in ["host", "client"] {
                output(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]));
            }
            // Only root needs it, and only root can make it.
            let _ = std::fs::create_dir_all("/run/sshd");
            let own = format!("Port {port}\nHostKey {}\nAuthorizedKeysFile {}\n", at("host"), at("client.pub"));
            std::fs::write(folder.join("sshd.conf"), [SSHD, &own].concat()).expect("its settings");
            let mut command = Command::new("/usr/sbin/sshd");
            command.args(["-D", "-e", "-f"]).arg(folder.join("sshd.conf"));
            command
        })
    }

    fn target(&self, protocol: Protocol) -> Target {
        Target {
            protocol,
            host: "127.0.0.1".into(),
            port: self.port,
            user: "anonymous".into(),
            password: "p".into(),
            private_key: String::new(),
            directory: "upload".into(),
            fingerprint: String::new(),
        }
    }

    /// Names and bytes in the folder.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = std::fs::read_dir(self.path("upload")).expect("the folder").flatten();
        let mut files: Vec<_> =
            entries.map(|e| (e.file_name().to_string_lossy().into_owned(), std::fs::read(e.path()).expect("a file"))).collect();
        files.sort();
        files
    }
}

const VSFTPD: &str = "listen=YES\nlisten_address=127.0.0.1\nbackground=NO\nrun_as_launching_user=YES\nseccomp_sandbox=NO\n\
    anonymous_enable=YES\nlocal_enable=NO\nwrite_enable=YES\nanon_upload_enable=YES\nanon_other_write_enable=YES\n\
    anon_world_readable_only=NO\nanon_umask=022\npasv_address=10.9.8.7\nxferlog_enable=NO\nvsftpd_log_file=/dev/null\n";

const SSHD: &str = "ListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
    PasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp /usr/lib/openssh/sftp-server\n";

/// A file arrives, is sent again over itself, takes the place of a broken one, and an empty one arrives.
fn assert_delivers(real: &Real, target: &Target) {
    each(|store| assert_delivers_from(store, real, target));
}

fn assert_delivers_from(store: Store, real: &Real, target: &Target) {
    for (name, _) in real.files() {
        std::fs::remove_file(real.path("upload").join(name)).expect("it was there");
    }
    let post = Post::new(store);
    post.folder(ACME, target);
    (0..50).for_each(|i| post.trade.traffic(CARD, START.plus(-60 - i), 1));
    post.half_hour();
    let (files, done) = (real.files(), post.last());
    assert_eq!(done.state, "done", "{done:?}\n{}", real.log());
    let content = files[0].1.clone();
    assert_eq!((files.len(), done.bytes, done.records), (1, Some(content.len() as i64), Some(50)), "{done:?}");
    assert_eq!(files[0].0, "cdr_11_20260301030000_20260301040000_20260301043000.csv");
    for there in [content.as_slice(), b"half"] {
        std::fs::write(real.path("upload").join(&files[0].0), there).expect("a file");
        cdr_deliveries::resend(&post.trade.engine, None, done.id, done.id).expect("an answer");
        assert_eq!(post.upload(), 1);
        assert_eq!(post.last().state, "done", "{:?}", post.last());
        assert_eq!(real.files(), files);
    }
    post.trade.pass(7200);
    assert_eq!(post.make(), 4);
    post.upload();
    let last = real.files().pop().expect("a file");
    assert_eq!((last.1.len(), real.files().len(), post.last().state.as_str()), (0, 5, "done"), "an empty hour");
}

/// The login is refused with these words, and nothing is left there.
fn assert_refused(real: &Real, target: &Target, words: &str) {
    let database = Database::sqlite();
    let post = Post::new(database.open());
    post.folder(ACME, target);
    post.half_hour();
    let failed = post.last();
    assert_eq!(failed.state, "waiting");
    assert!(failed.last_answer.as_ref().is_some_and(|a| a.contains(words)), "{failed:?}");
    assert!(real.files().is_empty());
}

#[test]
fn vsftpd_takes_files_by_ftp() {
    let real = Real::vsftpd(Protocol::Ftp);
    assert_delivers(&real, &real.target(Protocol::Ftp));
}

fn assert_protected(protocol: Protocol) {
    let real = Real::vsftpd(protocol);
    let mut target = real.target(protocol);
    assert_refused(&real, &target, "securing the connection");
    target.fingerprint = "0".repeat(64);
    assert_refused(&real, &target, "another fingerprint");
    let mut show = Command::new("openssl");
    let shown = output(show.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(real.path("cert.pem")));
    target.fingerprint = shown.rsplit('=').next().expect("a fingerprint").to_owned();
    assert_eq!(target.check(), Ok(()));
    assert_delivers(&real, &target);
}

#[test]
fn vsftpd_takes_files_by_ftps() {
    assert_protected(Protocol::Ftps);
}

#[test]
fn vsftpd_takes_files_by_implicit_ftps() {
    assert_protected(Protocol::FtpsImplicit);
}

#[test]
fn openssh_takes_files_by_sftp() {
    let real = Real::sshd();
    let mut target = real.target(Protocol::Sftp);
    target.user = me();
    target.directory = real.path("upload").display().to_string();
    target.private_key = std::fs::read_to_string(real.path("client")).expect("the key");
    target.fingerprint = format!("SHA256:{}", "A".repeat(43));
    assert_refused(&real, &target, "the server's host key has another fingerprint: SHA256:");
    let shown = output(Command::new("ssh-keygen").arg("-lf").arg(real.path("host.pub")));
    target.fingerprint = shown.split(' ').nth(1).expect("a fingerprint").to_owned();
    assert_eq!(target.check(), Ok(()));
    assert_refused(&real, &Target { private_key: String::new(), ..target.clone() }, "logging in");
    let nowhere = real.path("nowhere").display().to_string();
    assert_refused(&real, &Target { directory: nowhere.clone(), ..target.clone() }, &format!("No such file (in {nowhere})"));
    assert_delivers(&real, &target);
    assert_a_cut_is_noticed(&real, &target);
}

/// A connection that ends in the middle of a file fails the try at once, not when its time limit is over.
fn assert_a_cut_is_noticed(real: &Real, target: &Target) {
    let database = Database::sqlite();
    let post = Post::new(database.open());
    post.folder(ACME, &Target { port: cut_after(real.port, 200_000), ..target.clone() });
    post.traffic_many(CARD, START.plus(-60), 20_000);
    post.half_hour();
    let answer = post.last().last_answer.expect("it failed");
    assert!(answer.starts_with("uploading: ") || answer.starts_with("ending the upload: "), "{answer}");
    assert!(!answer.contains("no answer"), "it was not waited for in vain: {answer}");
}

/// A port that leads to that one, until so many bytes have gone there; then both sides are cut.
fn cut_after(port: u16, bytes: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let own = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        let (mut here, _) = listener.accept().expect("a caller");
        let mut there = TcpStream::connect(("127.0.0.1", port)).expect("the server");
        let (mut from, mut to) = (there.try_clone().expect("a handle"), here.try_clone().expect("a handle"));
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        let (mut block, mut passed) = ([0; 4096], 0);
        while passed < bytes {
            let n = here.read(&mut block).expect("bytes");
            there.write_all(&block[..n]).expect("taken");
            passed += n;
        }
        let _ = (here.shutdown(Shutdown::Both), there.shutdown(Shutdown::Both));
    });
    own
}
