//! The loops that do the work nobody waits for. Each is a reconciler: it looks, does what is due, and looks again; killing it
//! at any moment loses nothing.

use crate::carriers::Carriers;
use crate::config::{Config, Mqtt, Watch};
use kachi_domain::PlatformId;
use kachi_edges::files::Watched;
use kachi_edges::mqtt::MqttSettings;
use kachi_edges::sender::{Sender, off_thread};
use kachi_edges::upload::Uploader;
use kachi_engine::failing::Failing;
use kachi_engine::intents::Connectors;
use kachi_engine::{
    Engine, Result, arrears, card_reads, cards, cdr_deliveries, clock, devices, imei, import, intents, lists, pools, reconcile,
    sms, sync, tasks,
};
use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A look that found nothing waits this long for the next.
const IDLE: Duration = Duration::from_millis(250);
/// The same for work that comes every half hour.
const UNHURRIED: Duration = Duration::from_secs(1);
/// The same for how old the carriers' readings are, and for the clocks.
const SELDOM: Duration = Duration::from_secs(600);
/// The same for what devices write, and for accounts in arrears.
const UPLINKS: Duration = Duration::from_secs(10);
/// Days for which reports on messages, replies, and signatures that came twice are kept for whoever asks for them.
const REPORTS_DAYS: i64 = 35;
/// A look that failed waits this long.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Device reports forgotten in one transaction.
const FORGET_AT_ONCE: i64 = 5_000;

/// Starts every loop; they end when `stop` turns true.
pub fn start(
    engine: &Engine,
    config: &Config,
    carriers: Arc<Carriers>,
    (sender, uploader): (Sender, Uploader),
    stop: &watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    let on = |e: &Engine| e.clone();
    let e = on(engine);
    loops.spawn(repeat("timers", stop.clone(), IDLE, move || {
        let e = e.clone();
        off_thread(move || Ok(pools::settle_due(&e)? + cards::settle_due(&e)? + imei::end_due(&e)?))
    }));
    let e = on(engine);
    loops.spawn(repeat("arrears", stop.clone(), UPLINKS, move || {
        let e = e.clone();
        off_thread(move || arrears::step(&e))
    }));
    let e = on(engine);
    loops.spawn(repeat("deliveries", stop.clone(), IDLE, move || {
        let (e, sender) = (e.clone(), sender.clone());
        async move { sender.step(&e).await }
    }));
    let e = on(engine);
    loops.spawn(repeat("messages that wait", stop.clone(), UPLINKS, move || {
        let e = e.clone();
        off_thread(move || sms::send_waiting(&e))
    }));
    let (e, open) = (on(engine), carriers.clone());
    loops.spawn(repeat("devices' cards", stop.clone(), UNHURRIED, move || {
        let (e, carriers) = (e.clone(), open.clone());
        off_thread(move || devices::look::step(&e, &*carriers.now()?, token()))
    }));
    ask_carriers(engine, &carriers, stop, &mut loops);
    keep_up(engine, &carriers, stop, &mut loops);
    let e = on(engine);
    loops.spawn(repeat("uplinks", stop.clone(), UPLINKS, move || {
        let (e, carriers) = (e.clone(), carriers.clone());
        off_thread(move || sms::collect(&e, &*carriers.now()?))
    }));
    let e = on(engine);
    loops.spawn(repeat("tasks", stop.clone(), IDLE, move || {
        let e = e.clone();
        off_thread(move || tasks::step(&e))
    }));
    let e = on(engine);
    loops.spawn(repeat("log index", stop.clone(), Duration::from_secs(5), move || {
        let e = e.clone();
        off_thread(move || {
            Ok(import::finish_left(&e)? + import::index(&e)? + import::adopt_stragglers(&e)? + import::adopt_due(&e)?)
        })
    }));
    let e = on(engine);
    loops.spawn(repeat("lists", stop.clone(), Duration::from_secs(5), move || {
        let e = e.clone();
        off_thread(move || lists::tidy(&e))
    }));
    let e = on(engine);
    loops.spawn(repeat("forget answers", stop.clone(), Duration::from_secs(600), forget(e, config.sign.window_seconds)));
    let (e, apart) = (on(engine), Arc::new(Failing::default()));
    loops.spawn(repeat("clocks", stop.clone(), SELDOM, move || {
        let (e, apart) = (e.clone(), apart.clone());
        off_thread(move || clock::watch(&e, &apart))
    }));
    watch_folders(engine, config, stop, &mut loops);
    deliver_cdr(engine, config, uploader, stop, &mut loops);
    hear_devices(engine, config, stop, &mut loops);
    loops
}

/// What carriers know of our cards, and holding it against the records.
fn keep_up(engine: &Engine, carriers: &Arc<Carriers>, stop: &watch::Receiver<bool>, loops: &mut JoinSet<()>) {
    let keep: AtPlatform = |e, open, platform| match open.get(&platform) {
        Some(connector) => sync::at(e, (platform, connector.as_ref()), token()),
        None => Ok(0),
    };
    loops.spawn(each_platform("sync", UNHURRIED, (engine.clone(), carriers.clone()), stop.clone(), keep));
    let watch: AtPlatform = |e, _, platform| sync::watch(e, platform);
    loops.spawn(each_platform("stale readings", SELDOM, (engine.clone(), carriers.clone()), stop.clone(), watch));
    let e = engine.clone();
    loops.spawn(repeat("reconcile", stop.clone(), Duration::from_secs(60), move || {
        let e = e.clone();
        off_thread(move || reconcile::step(&e, token()))
    }));
}

/// What carriers are asked for: writes and readings of cards.
fn ask_carriers(engine: &Engine, carriers: &Arc<Carriers>, stop: &watch::Receiver<bool>, loops: &mut JoinSet<()>) {
    let house = || (engine.clone(), carriers.clone());
    loops.spawn(each_platform("intents", IDLE, house(), stop.clone(), |e, open, at| intents::at(e, open, at, token())));
    loops.spawn(each_platform("card readings", IDLE, house(), stop.clone(), |e, open, at| card_reads::at(e, open, at, token())));
}

/// Work at one platform.
type AtPlatform = fn(&Engine, &Connectors, PlatformId) -> Result<usize>;

/// A loop a platform, so that a slow one holds up no other; a platform that comes later gets its own then.
async fn each_platform(
    name: &'static str,
    idle: Duration,
    (engine, carriers): (Engine, Arc<Carriers>),
    mut stop: watch::Receiver<bool>,
    step: AtPlatform,
) {
    let (mut loops, mut seen) = (JoinSet::new(), HashSet::new());
    while !*stop.borrow() {
        let look = engine.clone();
        match off_thread(move || Ok(look.catalogue()?.platform_ids())).await {
            Ok(platforms) => {
                for platform in platforms {
                    if seen.insert(platform) {
                        let (e, carriers) = (engine.clone(), carriers.clone());
                        loops.spawn(repeat(name, stop.clone(), idle, move || {
                            let (e, carriers) = (e.clone(), carriers.clone());
                            off_thread(move || step(&e, &*carriers.now()?, platform))
                        }));
                    }
                }
            }
            Err(e) if e.is_told() || e.is_lost() => {}
            Err(e) => tracing::error!(worker = name, error = %e, "the platforms cannot be looked at; it is tried again"),
        }
        tokio::select! {
            () = tokio::time::sleep(UNHURRIED) => {}
            _ = stop.changed() => {}
        }
    }
    while loops.join_next().await.is_some() {}
}

/// How the broker is spoken to.
pub fn broker(config: &Config, mqtt: &Mqtt) -> MqttSettings {
    MqttSettings {
        address: mqtt.address.clone(),
        authorities: mqtt.authorities.clone(),
        client_id: mqtt.client_id.clone(),
        credentials: mqtt.credentials.clone(),
        topics: mqtt.topics.clone(),
        reply: mqtt.reply,
        batch: config.limits.report_batch,
        random: Arc::new(rand::random::<u64>),
    }
}

/// Device reports from the broker, where there is one, and forgetting old ones.
fn hear_devices(engine: &Engine, config: &Config, stop: &watch::Receiver<bool>, loops: &mut JoinSet<()>) {
    let Some(mqtt) = &config.mqtt else { return };
    loops.spawn(kachi_edges::mqtt::listen(engine.clone(), broker(config, mqtt), stop.clone()));
    let (e, keep_seconds) = (engine.clone(), mqtt.keep_days * 86_400);
    loops.spawn(repeat("forget device reports", stop.clone(), Duration::from_secs(60), move || {
        let e = e.clone();
        off_thread(move || e.write(move |tx, _, how| Ok(tx.forget_device_reports(how.now.plus(-keep_seconds), FORGET_AT_ONCE)?)))
    }));
}

/// Seconds by which the clocks of two servers, or of one before and after it was set, are apart at most.
const CLOCKS_APART_SECONDS: i64 = 3_600;

/// Stored answers are kept for twice the signature window, after which the request itself is too old to be repeated, and longer by what
/// clocks may be apart.
fn forget(engine: Engine, window_seconds: i64) -> impl FnMut() -> std::pin::Pin<Box<dyn Future<Output = Result<usize>> + Send>> {
    move || {
        let e = engine.clone();
        Box::pin(off_thread(move || {
            e.write(move |tx, _, how| Ok(tx.forget_answers(how.now.plus(-2 * window_seconds - CLOCKS_APART_SECONDS))?))?;
            e.write(move |tx, _, how| Ok(tx.forget_reused_requests(how.now.plus(-REPORTS_DAYS * 86_400))?))?;
            e.write(move |tx, _, how| Ok(tx.forget_sms_reports(how.now.plus(-REPORTS_DAYS * 86_400))?))?;
            Ok(0)
        }))
    }
}

fn watch_folders(engine: &Engine, config: &Config, stop: &watch::Receiver<bool>, loops: &mut JoinSet<()>) {
    for watch in &config.cdr.watch {
        let folder = Arc::new(std::sync::Mutex::new(Folder { watch: watch.clone(), watched: None, missed: false }));
        let e = engine.clone();
        loops.spawn(repeat("watched folder", stop.clone(), Duration::from_secs(watch.every_seconds), move || {
            let (e, folder) = (e.clone(), folder.clone());
            off_thread(move || folder.lock().expect("only this loop looks").look(&e).map(|()| 0))
        }));
    }
}

/// A folder of the configuration, watched as soon as its platform is there.
struct Folder {
    watch: Watch,
    watched: Option<Watched>,
    missed: bool,
}

impl Folder {
    fn look(&mut self, engine: &Engine) -> Result<()> {
        let Watch { dir, platform: code, .. } = &self.watch;
        if self.watched.is_none() {
            let platform = engine.catalogue()?.platform_by_code(code).map(|p| p.id);
            match platform {
                Some(platform) => self.watched = Some(Watched::new(dir.clone(), platform)),
                None if self.missed => {}
                None => {
                    tracing::warn!(dir = %dir.display(), platform = %code, "cdr.watch names a platform that does not exist; the folder is watched once `kachi apply` has made it");
                    self.missed = true;
                }
            }
        }
        if let Some(watched) = &mut self.watched {
            watched.look(engine);
        }
        Ok(())
    }
}

/// CDR files to customers: one loop makes them every half hour, some upload them.
fn deliver_cdr(engine: &Engine, config: &Config, uploader: Uploader, stop: &watch::Receiver<bool>, loops: &mut JoinSet<()>) {
    let e = engine.clone();
    loops.spawn(repeat("CDR files", stop.clone(), UNHURRIED, move || {
        let e = e.clone();
        off_thread(move || cdr_deliveries::make_due(&e))
    }));
    for _ in 0..config.limits.cdr_parallel {
        let (e, uploader) = (engine.clone(), uploader.clone());
        loops.spawn(repeat("CDR uploads", stop.clone(), UNHURRIED, move || {
            let (e, uploader) = (e.clone(), uploader.clone());
            async move { uploader.step(&e).await }
        }));
    }
}

/// Does `step` until told to stop: at once again while it finds work, after `idle` when it found none.
async fn repeat<F: Future<Output = Result<usize>> + Send>(
    name: &'static str,
    mut stop: watch::Receiver<bool>,
    idle: Duration,
    mut step: impl FnMut() -> F,
) {
    while !*stop.borrow() {
        let wait = match step().await {
            Ok(0) => idle,
            Ok(_) => continue,
            Err(e) => {
                if !e.is_told() && !e.is_lost() {
                    tracing::error!(worker = name, error = %e, "the step failed; it is tried again");
                }
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => {}
        }
    }
}

/// A lease token no other has.
pub fn token() -> i64 {
    (rand::random::<u64>() >> 1) as i64
}
