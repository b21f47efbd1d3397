//! `kachi serve`: opens the house, its doors and its workers, and closes them in order.

use crate::args::{Role, ServeArgs};
use crate::carriers::Carriers;
use crate::config::Config;
use crate::exit::Exit;
use crate::tallies::Tallies;
use crate::{demo, open, workers};
use axum::Router;
use kachi_dialects::cardboss::Port;
use kachi_domain::address::Addresses;
use kachi_edges::cardboss;
use kachi_edges::carriers;
use kachi_edges::eiotclub::{self, Door, DoorSettings};
use kachi_edges::fastbee;
use kachi_edges::outbound::{Network, Outbound};
use kachi_edges::portal;
use kachi_edges::sender::{Dialect, Sender, SenderSettings};
use kachi_edges::upload::Uploader;
use kachi_engine::Engine;
use kachi_store::{Place, Schema};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long open requests may take to finish after a stop.
const FINISH: Duration = Duration::from_secs(20);

/// How long work on PostgreSQL that goes on after all that may take.
const LAST: Duration = Duration::from_secs(5);

/// How long a caller of the card door waits for a carrier's answer.
const CARRIER_PATIENCE: Duration = Duration::from_secs(8);

/// What is listened on. Opened before anything is made, so that a port that is taken leaves nothing behind.
struct Listeners {
    web: TcpListener,
    address: SocketAddr,
    cardboss: Vec<(TcpListener, Port)>,
}

/// How others are reached, and heard: carriers; and customers, where there are workers.
type Others = (Option<Arc<Carriers>>, Option<(Sender, Uploader)>);

/// Runs until it is told to stop.
pub fn run(config: Config, args: ServeArgs) -> Result<(), Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Exit::cannot(format!("the async runtime does not start: {e}")))?;
    let listeners = runtime.block_on(listen(&config, args.role))?;
    let is_new = open::is_new(&config)?;
    let engine = open::writable(&config)?;
    say_what_is_open(&config, engine.store().schema(), is_new && !args.demo)?;
    let demo = if args.demo { Some(demo::prepare(&engine, &config, listeners.address)?) } else { None };
    let allow = dialled(&config, args.demo.then_some(listeners.address))?;
    let addresses = Addresses::allowing(allow.clone());
    let carriers = match args.role {
        Role::All | Role::Worker => Some(Arc::new(Carriers::open(&engine, addresses)?)),
        Role::Api => Some(Arc::new(Carriers::new(&engine, addresses))),
        Role::Portal => None,
    };
    let senders = if args.role.works() { Some(senders(&config, allow)?) } else { None };
    let is_file = matches!(engine.store().place(), Place::File(_));
    let served = runtime.block_on(serve(engine, config, args, demo, (listeners, (carriers, senders))));
    if !is_file {
        // A thread may wait for a PostgreSQL that hangs, which ends by itself never: what it did is undone there with its connection.
        runtime.shutdown_timeout(LAST);
    }
    served
}

/// The log begins with which program works on which data: a wrong folder or address is seen there, and not by the partners first.
fn say_what_is_open(config: &Config, schema: Schema, is_new: bool) -> Result<(), Exit> {
    let (database, folder) = (open::place(config)?, std::path::absolute(&config.data_dir).map_err(Exit::cannot)?);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %database, data_dir = %folder.display(), "Kachi begins");
    if (1..schema.now).contains(&schema.found) {
        tracing::info!(from = schema.found, to = schema.now, "the database's schema was brought up to date");
    }
    if is_new {
        tracing::warn!(
            %database,
            "there was no database and a new one is made; if it should have been there, stop and name its folder with --data-dir or its address with --database-url"
        );
    }
    Ok(())
}

async fn listen(config: &Config, role: Role) -> Result<Listeners, Exit> {
    let web = bind("listen.web", config.listen.web, "choose another with --listen").await?;
    let address = web.local_addr().map_err(Exit::cannot)?;
    let mut cardboss = Vec::new();
    if matches!(role, Role::All | Role::Api) {
        for (key, address, port) in [
            ("listen.cardboss_data", config.listen.cardboss_data, Port::Data),
            ("listen.cardboss_direct", config.listen.cardboss_direct, Port::Direct),
        ] {
            let Some(address) = address else { continue };
            let listener = bind(key, address, "choose another in the configuration, or \"off\"").await?;
            let address = listener.local_addr().map_err(Exit::cannot)?;
            tracing::info!(%address, "{key} is open");
            cardboss.push((listener, port));
        }
    }
    Ok(Listeners { web, address, cardboss })
}

async fn serve(
    engine: Engine,
    config: Config,
    args: ServeArgs,
    demo: Option<demo::Shown>,
    (listeners, (carriers, senders)): (Listeners, Others),
) -> Result<(), Exit> {
    let (stop, stopped) = watch::channel(false);
    let Listeners { web, address, cardboss } = listeners;
    let mut tallies = Tallies::default();
    let answering = engine.within(config.patience());
    let mut listeners = vec![(web, doors(&answering, &config, &args, (demo.is_some(), carriers.as_ref()), &mut tallies))];
    listeners.extend(cardboss_doors(&answering, &config, cardboss, &mut tallies));
    let sender = senders.as_ref().map(|(sender, _)| sender.clone());
    let mut loops = match (carriers, senders) {
        (Some(carriers), Some(senders)) => workers::start(&engine, &config, carriers, senders, &stopped),
        _ => tokio::task::JoinSet::new(),
    };
    if config.clock.offset_seconds != 0 {
        tracing::warn!(offset_seconds = config.clock.offset_seconds, "the clock is shifted for a test");
    }
    if let Some(newest) = kachi_engine::clock::noted_ahead(&engine)? {
        tracing::warn!(clock = %engine.now(), %newest, "the database holds things of a later time than the clock says; `kachi admin doctor` says what to do");
    }
    let stop_asked = told_to_stop()?;
    tracing::info!(%address, "Kachi is ready");
    if let Some(shown) = demo {
        shown.print(&engine, address);
    }
    loops.spawn(tallies.clone().hourly(stopped.clone()));
    let mut servers = tokio::task::JoinSet::new();
    for (listener, app) in listeners {
        let mut stopped = stopped.clone();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let closing = async move { drop(stopped.wait_for(|s| *s).await) };
        servers.spawn(async move { axum::serve(listener, app).with_graceful_shutdown(closing).await });
    }
    stop_asked.await;
    let _ = stop.send(true);
    tracing::info!("stopping: no new requests, open ones may finish");
    let finished = tokio::time::timeout(FINISH, async { while servers.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
    tallies.write();
    let _ = tokio::time::timeout(FINISH, async {
        while loops.join_next().await.is_some() {}
        if let Some(sender) = sender {
            sender.finish().await;
        }
    })
    .await;
    Ok(())
}

async fn bind(key: &str, address: SocketAddr, remedy: &str) -> Result<TcpListener, Exit> {
    TcpListener::bind(address).await.map_err(|e| Exit::cannot(format!("{key}: {address} cannot be opened: {e}; {remedy}")))
}

/// The CardBOSS door at the listeners that are open.
fn cardboss_doors(
    engine: &Engine,
    config: &Config,
    open: Vec<(TcpListener, Port)>,
    tallies: &mut Tallies,
) -> Vec<(TcpListener, Router)> {
    let settings = cardboss::DoorSettings {
        window_seconds: config.sign.window_seconds,
        body_bytes_max: config.limits.body_bytes_max,
        lockout: config.sign.lockout,
        retired: config.cardboss.retired,
        carrier_wait: Duration::from_secs(config.cardboss.carrier_wait_seconds),
        token: Arc::new(token),
    };
    let door = cardboss::Door::new(engine.clone(), Arc::new(settings));
    tallies.add("cardboss", door.counts());
    open.into_iter().map(|(listener, port)| (listener, cardboss::router(door.clone(), port))).collect()
}

fn doors(
    engine: &Engine,
    config: &Config,
    args: &ServeArgs,
    (is_demo, carriers): (bool, Option<&Arc<Carriers>>),
    tallies: &mut Tallies,
) -> Router {
    let mut app = portal::health_router(engine);
    if matches!(args.role, Role::All | Role::Api) {
        let door = Door::new(engine.clone(), Arc::new(door_settings(config)));
        tallies.add(eiotclub::DOOR, door.counts());
        app = app.merge(eiotclub::router(door));
    }
    if let Some(carriers) = carriers.filter(|_| args.role.serves_api()).cloned() {
        let open = Arc::new(move || carriers.now());
        app = app.merge(carriers::router(carriers::Door::new(engine.clone(), open, config.limits.body_bytes_max)));
    }
    if args.role.serves_api() {
        let settings = fastbee::DoorSettings {
            body_bytes_max: config.limits.body_bytes_max,
            page_max: config.limits.page_max,
            cards_max: config.limits.iccids_max,
            patience: CARRIER_PATIENCE,
            reference: Arc::new(token),
        };
        let door = fastbee::Door::new(engine.clone(), Arc::new(settings));
        tallies.add("fastbee", door.counts());
        app = app.merge(fastbee::router(door));
    }
    if matches!(args.role, Role::All | Role::Portal) {
        let clock = open::clock(config);
        let receiver = is_demo.then(|| portal::receiver::Receiver::new(clock, vec![demo::SECRET.to_owned()]));
        app = app.merge(portal::router(portal::PortalDoor {
            engine: engine.clone(),
            random: Arc::new(rand::random::<[u8; 32]>),
            demo: is_demo,
            clock_offset_seconds: config.clock.offset_seconds,
            receiver,
        }));
    }
    app
}

fn door_settings(config: &Config) -> DoorSettings {
    DoorSettings {
        window_seconds: config.sign.window_seconds,
        body_bytes_max: config.limits.body_bytes_max,
        page_max: config.limits.page_max,
        iccids_max: config.limits.iccids_max,
        lockout: config.sign.lockout,
        order_number: Arc::new(order_number),
    }
}

/// 32 hexadecimal digits of chance.
fn token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// 32 hexadecimal digits that no other order has: the time in milliseconds, so that the numbers of a day lie together where
/// they are looked up, and 80 bits of chance.
pub fn order_number() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{:012x}{:020x}", since.as_millis() & 0xffff_ffff_ffff, rand::random::<u128>() >> 48)
}

/// The addresses that may be dialled when nothing is served.
pub fn addresses(config: &Config) -> Result<Addresses, Exit> {
    Ok(Addresses::allowing(dialled(config, None)?))
}

/// The special networks that may be dialled: of a demo also its own address, where its receiver is.
fn dialled(config: &Config, demo: Option<SocketAddr>) -> Result<Vec<Network>, Exit> {
    let mut allow: Vec<Network> =
        config.outbound.allow.iter().map(|n| Network::parse(n)).collect::<Result<_, _>>().map_err(Exit::cannot)?;
    if let Some(address) = demo {
        allow.push(Network::parse(&demo::reached(address).ip().to_string()).map_err(Exit::cannot)?);
    }
    Ok(allow)
}

/// What carries notices and CDR files out.
fn senders(config: &Config, allow: Vec<Network>) -> Result<(Sender, Uploader), Exit> {
    let outbound = Outbound::new(allow);
    let uploader = Uploader {
        outbound: outbound.clone(),
        timeout: Duration::from_secs(config.cdr.timeout_seconds),
        random: Arc::new(rand::random::<u64>),
    };
    let settings = SenderSettings {
        outbound,
        timeout: Duration::from_secs(config.webhooks.timeout_seconds),
        parallel: config.limits.delivery_parallel,
        answer_bytes_max: config.limits.answer_bytes_max,
        random: Arc::new(rand::random::<u64>),
    };
    Ok((Sender::new(settings, dialects()).map_err(Exit::cannot)?, uploader))
}

/// How each door speaks to its customers.
pub fn dialects() -> HashMap<&'static str, Dialect> {
    let eiotclub = Dialect {
        render: |job, id, timestamp, nonce| eiotclub::notice(&job.kind, &job.body, id, timestamp, nonce, &job.secret),
        acknowledged: |job, status, answer| eiotclub::acknowledged(&job.kind, &job.body, status, answer),
        timeout: None,
    };
    let cardboss_data = Dialect {
        render: |job, id, timestamp, _| cardboss::data_push(&job.kind, &job.body, id, timestamp, (&job.name, &job.secret)),
        acknowledged: |_, status, _| cardboss::data_acknowledged(status),
        timeout: None,
    };
    let cardboss_sms = Dialect {
        render: |job, _, _, _| cardboss::sms_push(&job.kind, &job.body),
        acknowledged: |_, status, answer| cardboss::sms_acknowledged(status, answer),
        timeout: Some(cardboss::SMS_PUSH_TIMEOUT),
    };
    HashMap::from([(eiotclub::DOOR, eiotclub), (cardboss::DATA, cardboss_data), (cardboss::SMS, cardboss_sms)])
}

/// Watches from here on for what stops the server; the answer ends when it is told to.
fn told_to_stop() -> Result<impl Future<Output = ()>, Exit> {
    use tokio::signal::unix::{SignalKind, signal};
    let watch = |kind| signal(kind).map_err(|e| Exit::cannot(format!("signals cannot be watched: {e}")));
    let (mut interrupt, mut terminate) = (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?);
    let mut hang_up = watch(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                // Its terminal is closed, or its log is rotated: the one is no reason to stop, and the other is done by who reads it.
                _ = hang_up.recv() => {
                    tracing::info!("SIGHUP changes nothing: the configuration is read at the start alone, and SIGTERM stops");
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::order_number;
    use std::collections::BTreeSet;

    #[test]
    fn order_numbers_are_32_digits_each_its_own_those_of_later_after_those_of_earlier() {
        let first: Vec<String> = (0..100).map(|_| order_number()).collect();
        let born = |number: &str| u64::from_str_radix(&number[..12], 16).expect("digits");
        assert!(first.iter().all(|n| n.len() == 32 && n.bytes().all(|b| b.is_ascii_hexdigit())));
        assert!(first.iter().map(|n| born(n)).is_sorted());
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 100, "of one millisecond too");
    }
}
