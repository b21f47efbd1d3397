//! `kachi serve`: opens the house, its doors and its workers, and closes them in order.

use crate::args::{Role, ServeArgs};
use crate::config::Config;
use crate::exit::Exit;
use crate::{demo, open, workers};
use axum::Router;
use kachi_domain::PlatformId;
use kachi_edges::eiotclub::{self, Door, DoorSettings};
use kachi_edges::outbound::{Network, Outbound};
use kachi_edges::portal;
use kachi_edges::sender::{Dialect, Sender, SenderSettings};
use kachi_edges::upload::Uploader;
use kachi_engine::Engine;
use kachi_engine::intents::{self, Connectors};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long open requests may take to finish after a stop.
const FINISH: Duration = Duration::from_secs(20);

/// Runs until it is told to stop.
pub fn run(config: Config, args: ServeArgs) -> Result<(), Exit> {
    let engine = open::engine(&config)?;
    let demo = if args.demo { Some(demo::prepare(&engine, &config)?) } else { None };
    if args.role.works() {
        // Doors, perhaps of other processes, refuse at once what the carriers' platforms cannot do.
        intents::remember(&engine, &connectors(&engine)?)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Exit::cannot(format!("the async runtime does not start: {e}")))?;
    runtime.block_on(serve(engine, config, args, demo))
}

async fn serve(engine: Engine, config: Config, args: ServeArgs, demo: Option<demo::Shown>) -> Result<(), Exit> {
    let (stop, stopped) = watch::channel(false);
    let listener = TcpListener::bind(config.listen.web).await.map_err(|e| {
        Exit::cannot(format!("listen.web: {} cannot be opened: {e}; choose another with --listen", config.listen.web))
    })?;
    let address = listener.local_addr().map_err(Exit::cannot)?;
    let mut loops = if matches!(args.role, Role::All | Role::Worker) {
        workers::start(&engine, &config, connectors(&engine)?, senders(&config, demo.is_some())?, &stopped)
    } else {
        tokio::task::JoinSet::new()
    };
    let app = doors(&engine, &config, &args, demo.is_some());
    if config.clock.offset_seconds != 0 {
        tracing::warn!(offset_seconds = config.clock.offset_seconds, "the clock is shifted for a test");
    }
    tracing::info!(%address, "Kachi is ready");
    if let Some(shown) = demo {
        shown.print(&engine, address);
    }
    let closing = async move {
        signal().await;
        let _ = stop.send(true);
        tracing::info!("stopping: no new requests, open ones may finish");
    };
    let server =
        axum::serve(listener, app.into_make_service_with_connect_info::<std::net::SocketAddr>()).with_graceful_shutdown(closing);
    let mut hurry = stopped.clone();
    tokio::select! {
        result = server => result.map_err(Exit::cannot)?,
        () = async { let _ = hurry.wait_for(|s| *s).await; tokio::time::sleep(FINISH).await } => tracing::warn!("some requests did not finish in time"),
    }
    let _ = tokio::time::timeout(FINISH, async { while loops.join_next().await.is_some() {} }).await;
    Ok(())
}

fn doors(engine: &Engine, config: &Config, args: &ServeArgs, is_demo: bool) -> Router {
    let mut app = portal::health_router(engine.clone());
    if matches!(args.role, Role::All | Role::Api) {
        app = app.merge(eiotclub::router(Door::new(engine.clone(), Arc::new(door_settings(config)))));
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

/// 32 hexadecimal digits that no other order has.
pub fn order_number() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// What carries notices and CDR files out.
fn senders(config: &Config, is_demo: bool) -> Result<(Sender, Uploader), Exit> {
    let mut allow: Vec<Network> =
        config.outbound.allow.iter().map(|n| Network::parse(n)).collect::<Result<_, _>>().map_err(Exit::cannot)?;
    if is_demo {
        // The demo's receiver is this very program.
        allow.push(Network::parse("127.0.0.1").map_err(Exit::cannot)?);
    }
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
        acknowledged: eiotclub::acknowledged,
    };
    HashMap::from([(eiotclub::DOOR, eiotclub)])
}

/// Opens the connector of every platform.
pub fn connectors(engine: &Engine) -> Result<Connectors, Exit> {
    let world = kachi_connectors::sandbox::World::default();
    let catalogue = engine.catalogue()?;
    let mut open: Connectors = HashMap::new();
    for platform in catalogue.platforms() {
        let settings = serde_json::from_str(&platform.settings)
            .map_err(|e| Exit::cannot(format!("platform {}: settings: {e}", platform.code)))?;
        let connector = kachi_connectors::open(&platform.connector, &settings, &world)
            .map_err(|e| Exit::cannot(format!("platform {}: {e}", platform.code)))?;
        open.insert(PlatformId(platform.id.0), Arc::from(connector));
    }
    Ok(open)
}

async fn signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(s) => s,
        Err(e) => {
            tracing::error!(error = %e, "SIGTERM cannot be watched");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
