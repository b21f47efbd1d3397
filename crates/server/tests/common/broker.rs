//! A Mosquitto of the test's own on a free port, with a folder of its own that it keeps its messages in.

use super::{PATIENCE, until};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running broker; stopped when dropped.
pub struct Broker {
    pub port: u16,
    folder: TempDir,
    child: Child,
}

impl Broker {
    /// Starts one that keeps whatever it is given for who is away.
    ///
    /// # Panics
    /// If there is no Mosquitto: the package `mosquitto` has it.
    pub fn start() -> Broker {
        let folder = TempDir::with_prefix("kachi_broker_").expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\n\
             max_queued_messages 0\nmax_inflight_messages 500\nset_tcp_nodelay true\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("mosquitto.conf"), text).expect("its configuration");
        let child = Broker::run(folder.path());
        let broker = Broker { port, folder, child };
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
