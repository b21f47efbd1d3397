//! A house for the tests of the built binary: a folder, a database, commands, a running server, a partner that calls it.
#![allow(dead_code)] // each test binary uses its own part

pub mod broker;
pub mod partner;
pub mod receiver;

use kachi_domain::AccountId;
use kachi_store::Store;
use kachi_testkit::db::Database;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::{NamedTempFile, TempDir};

/// Makes one test for each engine of a function over a [`House`].
#[macro_export]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => { $(mod $name {
        #[test]
        fn sqlite() {
            super::$name(&$crate::common::House::new(kachi_testkit::db::Database::sqlite()));
        }
        #[test]
        fn postgres() {
            super::$name(&$crate::common::House::new(kachi_testkit::db::Database::postgres()));
        }
    })+ };
}

const SERVE: [&str; 3] = ["--listen", "127.0.0.1:0", "serve"];

/// A condition that does not come true this fast on a busy machine never will.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks until there is an answer.
///
/// # Panics
/// If there is none in [`PATIENCE`].
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long: {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The present, epoch seconds.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs() as i64
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// A working folder with a database.
pub struct House {
    folder: TempDir,
    store: OnceLock<Store>,
    database: Database,
}

impl House {
    pub fn new(database: Database) -> House {
        House { folder: TempDir::with_prefix("kachi_house_").expect("a folder"), store: OnceLock::new(), database }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// `kachi` with these words, in the folder and over the database.
    pub fn command(&self, words: &[&str], environment: &[(&str, &str)]) -> Command {
        self.command_over(&self.database.url(), words, environment)
    }

    /// The same over another address of the database.
    pub fn command_over(&self, url: &str, words: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kachi"));
        command.args(["--database-url", url]).args(words).current_dir(self.folder.path());
        // Servers side by side: each takes free ports for its doors.
        command.env("KACHI_LISTEN__CARDBOSS_DATA", "127.0.0.1:0").env("KACHI_LISTEN__CARDBOSS_DIRECT", "127.0.0.1:0");
        command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, words: &[&str], environment: &[(&str, &str)]) -> Done {
        finished(&mut self.command(words, environment))
    }

    /// Runs and wants it done.
    pub fn done(&self, words: &[&str]) -> Done {
        let done = self.run(words, &[]);
        assert_eq!(done.code, 0, "{words:?}: {done:?}");
        done
    }

    pub fn apply(&self, yaml: &str) {
        self.write("world.yaml", yaml);
        self.done(&["apply", "world.yaml"]);
    }

    /// The audit finds nothing; the answer is how many readings it looked at.
    pub fn assert_sound(&self) -> i64 {
        let done = self.run(&["admin", "audit", "--json"], &[]);
        assert_eq!(done.code, 0, "the audit: {done:?}");
        done.json()["readings"].as_i64().expect("a number")
    }

    /// Every delivery, the oldest first.
    pub fn deliveries(&self) -> Vec<Value> {
        let mut rows = self.done(&["admin", "delivery", "list", "--json", "--limit", "100000"]).json();
        let rows = rows.as_array_mut().expect("a list");
        rows.reverse();
        std::mem::take(rows)
    }

    /// The database itself.
    pub fn store(&self) -> &Store {
        self.store.get_or_init(|| self.database.open())
    }

    /// An account's money as kept: (available, held), minor units.
    pub fn money(&self, account: i64) -> (i64, i64) {
        let read = self.store().read(move |tx| tx.balance(AccountId(account)));
        let (available, held, _) = read.expect("the balance");
        (available, held)
    }

    /// Starts `kachi serve` on a free port and waits until it is ready.
    pub fn serve(&self, environment: &[(&str, &str)]) -> Server {
        let mut server = self.start(environment);
        server.wait_ready();
        server
    }

    /// Starts `kachi serve` on a free port.
    pub fn start(&self, environment: &[(&str, &str)]) -> Server {
        Server::start(self.command(&SERVE, environment))
    }

    /// As [`House::serve`], over another address of the database.
    pub fn serve_over(&self, url: &str, environment: &[(&str, &str)]) -> Server {
        let mut server = Server::start(self.command_over(url, &SERVE, environment));
        server.wait_ready();
        server
    }
}

/// Runs a command to its end.
pub fn finished(command: &mut Command) -> Done {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("the command runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Done { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// One of the clients that share no code with us.
pub fn client(name: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients").join(name)).stdin(Stdio::null());
    command
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    /// A file has a line as soon as it is written: whoever has an answer finds in it what was logged before.
    log: NamedTempFile,
    /// Where it listens; empty until it is ready.
    pub address: String,
}

impl Server {
    fn start(mut command: Command) -> Server {
        let log = NamedTempFile::new().expect("a file");
        let child = command.stdout(Stdio::null()).stderr(log.reopen().expect("its log")).spawn().expect("the server starts");
        Server { child, log, address: String::new() }
    }

    /// Waits for the line that names the address.
    pub fn wait_ready(&mut self) {
        self.address = until("the server is ready", || {
            let (ended, log) = (self.child.try_wait().expect("its state"), self.log());
            let address = log.lines().find_map(|line| Some(line.split_once("Kachi is ready address=")?.1.trim().to_owned()));
            assert!(address.is_some() || ended.is_none(), "the server is not ready:\n{log}");
            address
        });
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.log.path()).expect("its log");
        String::from_utf8_lossy(&log).trim_end_matches('\n').to_owned()
    }

    /// Where another of its doors listens, by the key of the setting.
    ///
    /// # Panics
    /// If it does not say so in time.
    pub fn open(&self, key: &str) -> String {
        until(key, || {
            let log = self.log();
            let line = log.lines().find(|l| l.contains(&format!("{key} is open")))?;
            Some(line.split_once("address=").expect("its address").1.trim().to_owned())
        })
    }

    /// SIGKILL. Up to then it must have had no trouble.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.assert_no_trouble();
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let told = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().expect("sh");
        assert!(told.success());
    }

    /// SIGTERM, and an end in time, whatever trouble it had before; the answer is how long that took.
    pub fn stop_in_trouble(mut self) -> Duration {
        let began = Instant::now();
        self.signal("TERM");
        let status: ExitStatus = until("the server stops", || self.child.try_wait().expect("its state"));
        assert!(status.success(), "{status}: {}", self.log());
        began.elapsed()
    }

    /// No line of the log is an error.
    fn assert_no_trouble(&self) {
        let log = self.log();
        assert!(!log.contains("ERROR"), "the server had trouble:\n{log}");
    }

    /// SIGTERM, and a good end; the answer is all it logged.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let status: ExitStatus = until("the server stops", || self.child.try_wait().expect("its state"));
        assert!(status.success(), "{status}: {}", self.log());
        self.assert_no_trouble();
        self.log()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

/// The number of the n-th card.
pub fn iccid(n: u64) -> String {
    kachi_testkit::world::World::iccid(n).as_str().to_owned()
}

/// Cards of an account and product, as lines of an apply file.
pub fn sims(range: std::ops::Range<u64>, account: &str, product: &str) -> String {
    range.map(|n| format!("  - {{iccid: \"{}\", product: {product}, account: {account}, state: active}}\n", iccid(n))).collect()
}
