//! A file server of the test's own process that speaks FTP, plain or inside TLS from the first byte on, keeps what it is given
//! in memory, and fails on demand. At an IPv6 address it knows EPSV alone, as RFC 2428 has it.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What goes wrong in one login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Both connections break after so many bytes of a file.
    BreakAfter(usize),
    /// The disk is full after so many bytes of a file: 452.
    FullAfter(usize),
    /// The upload is acknowledged, but so many bytes of it are kept.
    Keep(usize),
    /// The answer to PASV names another host: this address, with the true port.
    LieAddress([u8; 4]),
    /// The answer to PASV names this port.
    LiePort(u16),
    /// Renaming is refused: 553.
    RefuseRename,
    /// A file of the new name must not be there: 553, else renamed.
    RefuseReplace,
    /// The connection breaks after STOR, before RNTO is done.
    BreakBeforeRename,
    /// The file is renamed and the connection breaks before the answer.
    BreakAfterRename,
    /// The file is renamed and the answer does not come before [`Server::release`]; [`Server::wait_held`] tells when.
    HoldAfterRename,
    /// The same after an upload.
    HoldAfterStore,
    /// It does not know SIZE: 502.
    NoSize,
}

#[derive(Debug, Default)]
struct Shelf {
    files: BTreeMap<String, Vec<u8>>,
    faults: VecDeque<Fault>,
    /// Every command of every login, without the words after PASS.
    said: Vec<String>,
    held: usize,
    released: bool,
}

/// The password of the server's user.
pub const PASSWORD: &str = "tr0ub4dor";

/// The server. Its user is `u`, its password [`PASSWORD`], its one folder `/upload`.
#[derive(Clone)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// SHA-256 of its certificate, hexadecimal; empty if it speaks in the clear.
    pub fingerprint: String,
    shelf: Arc<(Mutex<Shelf>, Condvar)>,
    tls: Option<Arc<ServerConfig>>,
}

/// What a login, or a file, is spoken over.
trait Spoken: Read + Write {}
impl<T: Read + Write> Spoken for T {}

impl Server {
    /// Starts on a free loopback port.
    ///
    /// # Panics
    /// If there is none.
    pub fn start() -> Server {
        Server::listen("127.0.0.1:0", String::new(), None)
    }

    /// Starts at the IPv6 loopback address.
    ///
    /// # Panics
    /// If there is none.
    pub fn start_v6() -> Server {
        Server::listen("[::1]:0", String::new(), None)
    }

    /// Starts inside TLS, with a certificate of its own making (`openssl`).
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn start_tls() -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let run = |arguments: &[&str]| {
            let done = Command::new("openssl").args(arguments).output();
            let done = done.unwrap_or_else(|e| panic!("openssl: {e}; ./check installs what is needed"));
            assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8(done.stdout).expect("UTF-8").trim().to_owned()
        };
        let (key, cert) = (at("key.pem"), at("cert.pem"));
        let made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2", "-keyout"];
        run(&[&made[..], &[key.as_str(), "-out", cert.as_str()][..]].concat());
        let shown = run(&["x509", "-noout", "-fingerprint", "-sha256", "-in", &cert]);
        let chain = vec![CertificateDer::from_pem_file(&cert).expect("the certificate")];
        let key = PrivateKeyDer::from_pem_file(&key).expect("the key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let config = config.with_no_client_auth().with_single_cert(chain, key).expect("a key pair");
        let fingerprint = shown.rsplit('=').next().unwrap_or_default().to_owned();
        Server::listen("127.0.0.1:0", fingerprint, Some(Arc::new(config)))
    }

    fn listen(at: &str, fingerprint: String, tls: Option<Arc<ServerConfig>>) -> Server {
        let listener = TcpListener::bind(at).expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Server { address, fingerprint, shelf: Arc::default(), tls };
        let of = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let fault = of.shelf().faults.pop_front().unwrap_or(Fault::None);
                let (shelf, tls, at) = (of.shelf.clone(), of.tls.clone(), of.address);
                let login = Login { shelf, fault, tls, at, private: false, from: String::new(), data: None };
                std::thread::spawn(move || login.serve(stream));
            }
        });
        server
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.0.lock().expect("the shelf")
    }

    /// The next logins fail so, one each; those after them do not.
    pub fn fail(&self, faults: &[Fault]) {
        self.shelf().faults = faults.iter().copied().collect();
    }

    /// Names and contents.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.shelf().files.clone()
    }

    /// Lays a file there, or takes all away.
    pub fn set(&self, files: &[(&str, &[u8])]) {
        self.shelf().files = files.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect();
    }

    /// Every command so far.
    pub fn said(&self) -> Vec<String> {
        self.shelf().said.clone()
    }

    /// Waits until a login is being held.
    ///
    /// # Panics
    /// If none is within a minute.
    pub fn wait_held(&self) {
        let minute = std::time::Duration::from_secs(60);
        let (shelf, late) = self.shelf.1.wait_timeout_while(self.shelf(), minute, |shelf| shelf.held == 0).expect("the shelf");
        drop(shelf);
        assert!(!late.timed_out(), "no login came to the point where it is held: {:?}", self.said());
    }
}

impl Server {
    /// Logins that are held go on.
    pub fn release(&self) {
        self.shelf().released = true;
        self.shelf.1.notify_all();
    }
}

struct Login {
    shelf: Arc<(Mutex<Shelf>, Condvar)>,
    fault: Fault,
    tls: Option<Arc<ServerConfig>>,
    at: SocketAddr,
    /// Data connections are protected.
    private: bool,
    from: String,
    data: Option<TcpListener>,
}

/// The connection breaks.
struct Broken;

impl From<std::io::Error> for Broken {
    fn from(_: std::io::Error) -> Broken {
        Broken
    }
}

impl Login {
    fn serve(mut self, stream: TcpStream) {
        let Ok(raw) = stream.try_clone() else { return };
        if let Ok(mut control) = self.speak(stream) {
            let _ = control.write_all(b"220 ready\r\n");
            while let Some(line) = next_line(&mut *control) {
                let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
                self.lock().said.push(if word == "PASS" { word.to_owned() } else { line.clone() });
                let Ok(answer) = self.answer(word, rest, &mut *control) else { break };
                if control.write_all(format!("{answer}\r\n").as_bytes()).is_err() || word == "QUIT" {
                    break;
                }
            }
        }
        let _ = raw.shutdown(std::net::Shutdown::Both);
    }

    /// The connection, inside TLS if that is what the server speaks.
    fn speak(&self, stream: TcpStream) -> Result<Box<dyn Spoken>, Broken> {
        let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
        let connection = ServerConnection::new(config.clone()).map_err(|_| Broken)?;
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.0.lock().expect("the shelf")
    }

    fn answer(&mut self, word: &str, rest: &str, out: &mut dyn Spoken) -> Result<String, Broken> {
        Ok(match word {
            "USER" => "331 password".into(),
            "PASS" if rest == PASSWORD => "230 welcome".into(),
            "PASS" => "530 wrong password".into(),
            "CWD" if rest == "/upload" => "250 there".into(),
            "CWD" => "550 no such folder".into(),
            "TYPE" => "200 binary".into(),
            "PBSZ" => "200 no buffer".into(),
            "PROT" => {
                self.private = rest == "P";
                "200 so be it".into()
            }
            "PASV" if self.at.is_ipv4() => self.passive()?,
            "EPSV" => self.passive()?,
            "STOR" => self.store(rest, out)?,
            "SIZE" if self.fault == Fault::NoSize => "502 not implemented".into(),
            "SIZE" => self.lock().files.get(rest).map_or("550 no such file".into(), |f| format!("213 {}", f.len())),
            "RNFR" if self.fault == Fault::BreakBeforeRename => return Err(Broken),
            "RNFR" => {
                self.from = rest.to_owned();
                "350 to what".into()
            }
            "RNTO" => self.rename(rest)?,
            "DELE" => self.lock().files.remove(rest).map_or("550 no such file".into(), |_| "250 gone".into()),
            "QUIT" => "221 bye".into(),
            _ => "502 not implemented".into(),
        })
    }

    fn passive(&mut self) -> Result<String, Broken> {
        let listener = TcpListener::bind((self.at.ip(), 0))?;
        let mut port = listener.local_addr()?.port();
        let mut host = [127, 0, 0, 1];
        match self.fault {
            Fault::LieAddress(other) => host = other,
            Fault::LiePort(other) => port = other,
            _ => {}
        }
        self.data = Some(listener);
        if self.at.is_ipv6() {
            return Ok(format!("229 Entering Extended Passive Mode (|||{port}|)"));
        }
        let [a, b, c, d] = host;
        Ok(format!("227 Entering Passive Mode ({a},{b},{c},{d},{},{})", port >> 8, port & 255))
    }

    fn store(&mut self, name: &str, out: &mut dyn Spoken) -> Result<String, Broken> {
        let Some(listener) = self.data.take() else { return Ok("425 no data connection".into()) };
        if self.tls.is_some() && !self.private {
            return Ok("522 files are protected here: PROT P".into());
        }
        out.write_all(b"150 send\r\n")?;
        let (data, _) = listener.accept()?;
        let most = match self.fault {
            Fault::BreakAfter(n) | Fault::FullAfter(n) => n as u64,
            _ => u64::MAX,
        };
        let mut content = Vec::new();
        match self.speak(data)?.take(most).read_to_end(&mut content) {
            // Some end TLS without saying so.
            Err(e) if e.kind() != ErrorKind::UnexpectedEof => return Err(Broken),
            _ => {}
        }
        if let Fault::Keep(n) = self.fault {
            content.truncate(n);
        }
        self.lock().files.insert(name.to_owned(), content);
        match self.fault {
            Fault::BreakAfter(_) => Err(Broken),
            Fault::FullAfter(_) => Ok("452 the disk is full".into()),
            Fault::HoldAfterStore => self.hold("226 whole"),
            _ => Ok("226 whole".into()),
        }
    }

    fn rename(&mut self, to: &str) -> Result<String, Broken> {
        let is_there = self.lock().files.contains_key(to);
        if self.fault == Fault::RefuseRename || (self.fault == Fault::RefuseReplace && is_there) {
            return Ok("553 not allowed".into());
        }
        let Some(content) = self.lock().files.remove(&self.from) else { return Ok("550 no such file".into()) };
        self.lock().files.insert(to.to_owned(), content);
        match self.fault {
            Fault::BreakAfterRename => Err(Broken),
            Fault::HoldAfterRename => self.hold("250 renamed"),
            _ => Ok("250 renamed".into()),
        }
    }

    fn hold(&self, answer: &str) -> Result<String, Broken> {
        let mut shelf = self.lock();
        shelf.held += 1;
        self.shelf.1.notify_all();
        let going_on = self.shelf.1.wait_while(shelf, |shelf| !shelf.released).expect("the shelf");
        drop(going_on);
        Ok(answer.to_owned())
    }
}

/// The next command, without its line end.
fn next_line(control: &mut dyn Spoken) -> Option<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    loop {
        control.read_exact(&mut byte).ok()?;
        match byte[0] {
            b'\n' => return String::from_utf8(line).ok(),
            b'\r' => {}
            other => line.push(other),
        }
    }
}
