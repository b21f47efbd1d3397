//! A Mosquitto of the test's own on a free port, with a folder of its own that it keeps its messages in.

use super::{PATIENCE, until};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running broker; stopped when dropped.
pub struct Broker {
    pub port: u16,
    /// Where it speaks TLS, if it does.
    tls_port: Option<u16>,
    folder: TempDir,
    child: Child,
}

impl Broker {
    /// Starts one that keeps whatever it is given for who is away.
    ///
    /// # Panics
    /// If there is no Mosquitto: the package `mosquitto` has it.
    pub fn start() -> Broker {
        Broker::starting(false)
    }

    /// The same, which speaks TLS at a second port under a certificate for 127.0.0.1 that an authority of its own signed.
    ///
    /// # Panics
    /// If there is no `openssl` either.
    #[allow(dead_code)]
    pub fn with_tls() -> Broker {
        Broker::starting(true)
    }

    fn starting(tls: bool) -> Broker {
        let folder = TempDir::with_prefix("kachi_broker_").expect("a folder");
        let free = || TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let (port, tls_port) = (free(), tls.then(free));
        let mut text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\n\
             max_queued_messages 0\nmax_inflight_messages 500\nset_tcp_nodelay true\n",
            folder.path().display()
        );
        if let Some(tls_port) = tls_port {
            make_certificates(folder.path());
            let at = |name: &str| folder.path().join(name).display().to_string();
            let (certificate, key) = (at("broker.pem"), at("broker.key"));
            text += &format!("listener {tls_port} 127.0.0.1\nallow_anonymous true\ncertfile {certificate}\nkeyfile {key}\n");
        }
        std::fs::write(folder.path().join("mosquitto.conf"), text).expect("its configuration");
        let child = Broker::run(folder.path());
        let broker = Broker { port, tls_port, folder, child };
        broker.wait();
        broker
    }

    fn run(folder: &Path) -> Child {
        let mut command = Command::new("/usr/sbin/mosquitto");
        command.arg("-c").arg(folder.join("mosquitto.conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("mosquitto starts (Debian package mosquitto)")
    }

    fn wait(&self) {
        let _ = PATIENCE;
        until("the broker listens", || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Its address by TLS.
    #[allow(dead_code)]
    pub fn tls_url(&self) -> String {
        format!("mqtts://127.0.0.1:{}", self.tls_port.expect("it speaks TLS"))
    }

    /// The certificate of the authority that signed its own (`ca.pem`), or of another (`other.pem`).
    #[allow(dead_code)]
    pub fn authority(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Stops it as an operator would, and starts it again over the same folder.
    pub fn restart(&mut self) {
        self.stop();
        self.child = Broker::run(self.folder.path());
        self.wait();
    }

    fn stop(&mut self) {
        let told = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        assert!(told.is_ok_and(|t| t.success()), "the broker is told to stop");
        let _ = self.child.wait();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two authorities, and the broker's certificate signed by the first.
fn make_certificates(folder: &Path) {
    let openssl = |line: &str| {
        let done = Command::new("openssl").current_dir(folder).args(line.split(' ')).output();
        let done = done.unwrap_or_else(|e| panic!("openssl: {e}; ./check installs what is needed"));
        assert!(done.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for name in ["ca", "other"] {
        openssl(&format!("{new} -x509 -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"));
    }
    openssl(&format!("{new} -subj /CN=broker -keyout broker.key -out broker.csr"));
    std::fs::write(folder.join("broker.ext"), "subjectAltName=IP:127.0.0.1\n").expect("its names");
    openssl("x509 -req -days 2 -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile broker.ext -out broker.pem");
}
