//! What the operator decides: the defaults compiled in, then a file, the environment and flags, each over the one before.
//!
//! `config.default.toml` is the manual and the list of keys; here each key gets its type. An error is one sentence that
//! names where the value was given, the key, and what a good value is.

mod values;

use kachi_domain::alert::Lines;
use kachi_domain::reconcile::Tolerance;
use kachi_domain::sync;
use kachi_edges::mqtt::{Address, Authorities};
use kachi_engine::{Settings, reconcile};
use kachi_store::Place;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
pub use values::Given;
use values::Values;
pub(crate) use values::{inline, network};

/// Flags and files that bear on the configuration.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfigArgs {
    /// The configuration file instead of ./kachi.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where data is kept (data_dir)
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Address and port of the web door (listen.web)
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// sqlite, sqlite:PATH or postgres://... (database.url)
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
}

/// Everything that is configured, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `data_dir`.
    pub data_dir: PathBuf,
    /// `database.*`.
    pub database: Database,
    /// `listen.*`.
    pub listen: Listen,
    /// `outbound.*`.
    pub outbound: Outbound,
    /// `cdr.*`.
    pub cdr: Cdr,
    /// `mqtt.*`, where there is a broker.
    pub mqtt: Option<Mqtt>,
    /// `webhooks.*`.
    pub webhooks: Webhooks,
    /// `usage.*`.
    pub usage: Usage,
    /// `sync.*`: how fresh, and how often each platform is looked at.
    pub sync: (sync::Terms, i64),
    /// `reconcile.*`.
    pub reconcile: reconcile::Terms,
    /// `sign.*`.
    pub sign: Sign,
    /// `cardboss.*`.
    pub cardboss: Cardboss,
    /// `carriers.*`.
    pub carriers: Carriers,
    /// `alerts.*`.
    pub alerts: Alerts,
    /// `clock.*`.
    pub clock: ClockShift,
    /// `limits.*`.
    pub limits: Limits,
    /// `log.*`.
    pub log: Log,
    /// Every key as it was given, for people.
    pub given: Vec<Given>,
}

/// Where the data lies.
#[derive(Debug, Clone)]
pub struct Database {
    /// `sqlite`, `sqlite:PATH` or `postgres://...`; from `url_file` if that is set.
    pub url: String,
    /// Connections open at once, at most.
    pub connections_max: usize,
    /// How long a caller waits for PostgreSQL.
    pub timeout_seconds: u64,
}

/// Where the program listens.
#[derive(Debug, Clone)]
pub struct Listen {
    /// The web door.
    pub web: SocketAddr,
    /// The CardBOSS door: what the platform knows; none: shut.
    pub cardboss_data: Option<SocketAddr>,
    /// The CardBOSS door: what is passed to the carrier; none: shut.
    pub cardboss_direct: Option<SocketAddr>,
}

/// The CardBOSS door.
#[derive(Debug, Clone)]
pub struct Cardboss {
    /// Whether operations that the source marks as out of use are served.
    pub retired: bool,
    /// Seconds an act waits for the carrier's word.
    pub carrier_wait_seconds: u64,
}

/// What is expected of carriers.
#[derive(Debug, Clone)]
pub struct Carriers {
    /// Hours for a last word on a write, before it is left to a person.
    pub last_word_hours: i64,
}

/// Where the program may go.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Private networks that are allowed, as `ADDRESS/BITS`.
    pub allow: Vec<String>,
}

/// How CDR files come in, and go out.
#[derive(Debug, Clone)]
pub struct Cdr {
    /// Folders looked into.
    pub watch: Vec<Watch>,
    /// Seconds before each attempt to deliver a file, the first included.
    pub retry_seconds: Vec<i64>,
    /// Seconds a file server may take for a step.
    pub timeout_seconds: u64,
}

/// A folder looked into for CDR files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The folder.
    pub dir: PathBuf,
    /// Code of the card platform its files come from.
    pub platform: String,
    /// Seconds between two looks.
    pub every_seconds: u64,
}

/// Where device reports come from.
#[derive(Debug, Clone)]
pub struct Mqtt {
    /// The broker.
    pub address: Address,
    /// Who may have signed its certificate; none: the system knows.
    pub authorities: Option<Authorities>,
    /// Our name there.
    pub client_id: String,
    /// Our login there, unless the address has one.
    pub credentials: Option<(String, String)>,
    /// What is subscribed to.
    pub topics: Vec<String>,
    /// Whether reports are answered.
    pub reply: bool,
    /// Days that reports are kept.
    pub keep_days: i64,
}

/// How customers are told.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// Seconds before each attempt, the first included.
    pub retry_seconds: Vec<i64>,
    /// Seconds a receiver may take.
    pub timeout_seconds: u64,
}

/// How usage is taken.
#[derive(Debug, Clone)]
pub struct Usage {
    /// Days after which a record is too late.
    pub late_days: i64,
}

/// How signatures are checked.
#[derive(Debug, Clone)]
pub struct Sign {
    /// Seconds a timestamp may be off, either way.
    pub window_seconds: i64,
    /// Wrong signatures after which a caller is locked out; none: never.
    pub lockout: Option<u32>,
}

/// When customers are warned; 0 = never.
#[derive(Debug, Clone)]
pub struct Alerts {
    /// Megabytes left.
    pub remaining_mb: i64,
    /// Percent left.
    pub remaining_percent: i64,
    /// Days left.
    pub remaining_days: i64,
    /// Connections of a card in a month.
    pub connections: i64,
}

/// How far the program's clock is off on purpose.
#[derive(Debug, Clone)]
pub struct ClockShift {
    /// Whether a shift is allowed.
    pub test: bool,
    /// Seconds added to the system's clock; 0 unless `test`.
    pub offset_seconds: i64,
}

/// The bounds of every batch, body, page and queue.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Records loaded per transaction of an import.
    pub import_rows: usize,
    /// Records of a file loaded before their cards are rated.
    pub rate_rows: usize,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Rows of a page.
    pub page_max: i64,
    /// Cards named by one request.
    pub iccids_max: usize,
    /// Notices claimed at once.
    pub delivery_batch: i64,
    /// Notices being sent at once.
    pub delivery_parallel: usize,
    /// CDR files being delivered at once.
    pub cdr_parallel: usize,
    /// Device reports kept in one transaction.
    pub report_batch: usize,
    /// Megabytes for answers that are kept while nothing changes.
    pub kept_answers_mb: u64,
    /// Seconds claimed work stays with its worker.
    pub lease_seconds: i64,
    /// Bytes of a receiver's answer that are kept.
    pub answer_bytes_max: usize,
}

/// What is logged and how.
#[derive(Debug, Clone)]
pub struct Log {
    /// A filter such as `info` or `info,kachi_engine=debug`.
    pub level: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Config {
    /// Reads the configuration of this process.
    pub fn load(args: &ConfigArgs) -> Result<Config, String> {
        Config::from(Values::gather(args, std::env::vars())?)
    }

    /// What the engine is told.
    pub fn settings(&self) -> Settings {
        Settings {
            late_days: self.usage.late_days,
            lines: Lines {
                remaining_bytes: self.alerts.remaining_mb << 20,
                remaining_percent: self.alerts.remaining_percent,
                remaining_days: self.alerts.remaining_days,
                connections: self.alerts.connections,
            },
            import_rows: self.limits.import_rows,
            rate_rows: self.limits.rate_rows,
            scratch_dir: self.data_dir.clone(),
            delivery_batch: self.limits.delivery_batch,
            retry_seconds: self.webhooks.retry_seconds.clone(),
            cdr_retry_seconds: self.cdr.retry_seconds.clone(),
            lease_seconds: self.limits.lease_seconds,
            kept_answers_bytes: self.limits.kept_answers_mb << 20,
            sync: self.sync.0,
            sync_every_seconds: self.sync.1,
            reconcile: self.reconcile,
            last_word_seconds: self.carriers.last_word_hours * 3600,
        }
    }

    /// How long who waits for an answer waits for the database.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.database.timeout_seconds)
    }

    fn from(values: Values) -> Result<Config, String> {
        let whole = |key, min, max| values.whole(key, min, max);
        let size = |key, min, max| values.whole(key, min, max).map(|n| n as usize);
        let config = Config {
            data_dir: PathBuf::from(values.text("data_dir")?),
            database: Database {
                url: values.secret("database.url")?,
                connections_max: size("database.connections_max", 1, 1000)?,
                timeout_seconds: whole("database.timeout_seconds", 1, 600)? as u64,
            },
            listen: Listen {
                web: values.address("listen.web")?,
                cardboss_data: values.address_or_off("listen.cardboss_data")?,
                cardboss_direct: values.address_or_off("listen.cardboss_direct")?,
            },
            outbound: Outbound { allow: values.networks("outbound.allow")? },
            cdr: Cdr {
                watch: values.watch("cdr.watch")?,
                retry_seconds: values.durations("cdr.retry", 50)?,
                timeout_seconds: whole("cdr.timeout_seconds", 1, 600)? as u64,
            },
            mqtt: mqtt(&values)?,
            webhooks: Webhooks {
                retry_seconds: values.durations("webhooks.retry", 50)?,
                timeout_seconds: whole("webhooks.timeout_seconds", 1, 120)? as u64,
            },
            usage: Usage { late_days: whole("usage.late_days", 1, 3650)? },
            sync: sync(&values)?,
            reconcile: reconcile(&values)?,
            sign: Sign {
                window_seconds: whole("sign.window_seconds", 10, 86_400)?,
                lockout: values.off_or("sign.lockout", 1_000_000)?,
            },
            cardboss: Cardboss {
                retired: values.flag("cardboss.retired")?,
                carrier_wait_seconds: whole("cardboss.carrier_wait_seconds", 1, 60)? as u64,
            },
            carriers: Carriers { last_word_hours: whole("carriers.last_word_hours", 1, 720)? },
            alerts: Alerts {
                remaining_mb: whole("alerts.remaining_mb", 0, 1 << 30)?,
                remaining_percent: whole("alerts.remaining_percent", 0, 99)?,
                remaining_days: whole("alerts.remaining_days", 0, 365)?,
                connections: whole("alerts.connections", 0, 1 << 30)?,
            },
            clock: ClockShift { test: values.flag("clock.test")?, offset_seconds: values.offset("clock.offset_seconds")? },
            limits: Limits {
                import_rows: size("limits.import_rows", 1, 1_000_000)?,
                rate_rows: size("limits.rate_rows", 1, 100_000_000)?,
                body_bytes_max: size("limits.body_bytes_max", 1024, 1 << 30)?,
                page_max: whole("limits.page_max", 1, 100_000)?,
                iccids_max: size("limits.iccids_max", 1, 100_000)?,
                delivery_batch: whole("limits.delivery_batch", 1, 10_000)?,
                delivery_parallel: size("limits.delivery_parallel", 1, 10_000)?,
                cdr_parallel: size("limits.cdr_parallel", 1, 100)?,
                report_batch: size("limits.report_batch", 1, 100_000)?,
                kept_answers_mb: size("limits.kept_answers_mb", 0, 65_536)? as u64,
                lease_seconds: whole("limits.lease_seconds", 5, 3600)?,
                answer_bytes_max: size("limits.answer_bytes_max", 16, 1 << 20)?,
            },
            log: Log { level: level(&values)?, json: values.choice("log.format", &["text", "json"])? == "json" },
            given: values.given(),
        };
        if config.clock.offset_seconds != 0 && !config.clock.test {
            return Err(values.wrong("clock.offset_seconds", "0 unless clock.test = true"));
        }
        Place::parse(&config.database.url, &config.data_dir)?;
        one_address_each(&values, &config.listen)?;
        one_look_each(&values, &config.cdr.watch)?;
        Ok(config)
    }
}

fn level(values: &Values) -> Result<String, String> {
    let level = values.text("log.level")?;
    let rule = "off, error, warn, info, debug or trace, or one of them by part such as info,kachi_engine=debug";
    crate::log::filter(&level).map(|_| level).map_err(|e| format!("{} ({e})", values.wrong("log.level", rule)))
}

/// Two listeners at one address cannot both be opened.
fn one_address_each(values: &Values, listen: &Listen) -> Result<(), String> {
    let all = [
        ("listen.web", Some(listen.web)),
        ("listen.cardboss_data", listen.cardboss_data),
        ("listen.cardboss_direct", listen.cardboss_direct),
    ];
    let open: Vec<(&str, SocketAddr)> = all.into_iter().filter_map(|(key, address)| Some((key, address?))).collect();
    // Port 0 is any that is free; 0.0.0.0 and [::] are all addresses of their kind.
    let meet = |a: SocketAddr, b: SocketAddr| {
        let covers = a.ip().is_unspecified() || b.ip().is_unspecified();
        a.port() != 0 && a.port() == b.port() && a.is_ipv4() == b.is_ipv4() && (a.ip() == b.ip() || covers)
    };
    for (n, (key, address)) in open.iter().enumerate() {
        if let Some((other, _)) = open[..n].iter().find(|(_, before)| meet(*before, *address)) {
            return Err(values.wrong(key, &format!("another address than {other}, or \"off\"")));
        }
    }
    Ok(())
}

/// A folder that is watched twice would be taken in by two, perhaps for two platforms.
fn one_look_each(values: &Values, watch: &[Watch]) -> Result<(), String> {
    let mut seen = HashSet::new();
    for Watch { dir, .. } in watch {
        if !seen.insert(dir.canonicalize().unwrap_or_else(|_| dir.clone())) {
            return Err(
                values.wrong("cdr.watch", &format!("a list that names each folder once ({} is there twice)", dir.display()))
            );
        }
    }
    Ok(())
}

/// How records are held against carriers' counts.
fn reconcile(values: &Values) -> Result<reconcile::Terms, String> {
    let whole = |key, min, max| values.whole(key, min, max);
    let tolerance = Tolerance {
        bytes: whole("reconcile.tolerance_bytes", 0, 1 << 40)?,
        permille: whole("reconcile.tolerance_permille", 0, 999)?,
    };
    let (after_seconds, every_seconds) =
        (whole("reconcile.after_seconds", 0, 2_592_000)?, whole("reconcile.every_seconds", 60, 2_592_000)?);
    Ok(reconcile::Terms { tolerance, after_seconds, every_seconds })
}

/// How fresh what carriers know is to be, and how often each platform is looked at.
fn sync(values: &Values) -> Result<(sync::Terms, i64), String> {
    let terms = sync::Terms {
        state_seconds: values.whole("sync.state_seconds", 60, 2_592_000)?,
        month_seconds: values.whole("sync.month_seconds", 60, 2_592_000)?,
        day_ready_seconds: values.whole("sync.day_ready_seconds", 0, 86_400)?,
        feed_page_seconds: values.whole("sync.feed_page_seconds", 1, 86_400)?,
        reason_requests: values.whole("sync.reason_requests", 0, 1_000_000)?,
        alert_seconds: values.whole("sync.alert_seconds", 0, 2_592_000)?,
    };
    Ok((terms, values.whole("sync.every_seconds", 1, 86_400)?))
}

/// The broker, if there is one; the other keys are checked in any case.
fn mqtt(values: &Values) -> Result<Option<Mqtt>, String> {
    let client_id = values.text("mqtt.client_id")?;
    let topics = values.topics("mqtt.topics")?;
    let (reply, keep_days) = (values.flag("mqtt.reply")?, values.whole("mqtt.keep_days", 1, 3650)?);
    let password = values.secret_if_any("mqtt.password")?;
    let credentials = values.text_if_any("mqtt.username")?.map(|user| (user, password.unwrap_or_default()));
    let authorities = match values.text_if_any("mqtt.ca")? {
        None => None,
        Some(path) => {
            let pem =
                std::fs::read(&path).map_err(|e| values.wrong("mqtt.ca", &format!("a file that can be read ({path}: {e})")))?;
            let read = Authorities::parse(&pem);
            Some(read.map_err(|e| values.wrong("mqtt.ca", &format!("a file of certificates of authorities; {path} {e}")))?)
        }
    };
    let Some(url) = values.secret_if_any("mqtt.url")? else { return Ok(None) };
    let address = Address::parse(&url).map_err(|rule| values.wrong("mqtt.url", rule.trim_start_matches("must be ")))?;
    if authorities.is_some() && !address.tls {
        return Err(
            values.wrong("mqtt.ca", "left out unless mqtt.url begins with mqtts://: without TLS nobody looks at certificates")
        );
    }
    Ok(Some(Mqtt { address, authorities, client_id, credentials, topics, reply, keep_days }))
}

#[cfg(test)]
mod tests;
