//! Device reports from a message broker (MQTT 3.1.1), as a client of it.
//!
//! One process at a time listens, under a lease of its own; the broker keeps the session meanwhile, so what is published
//! while nobody listens waits there. A report is acknowledged only after the transaction that keeps it: whatever dies
//! when, the broker sends again what was not acknowledged, and taking a report in twice adds to its count and nothing
//! else. Reports that came while the last batch was being written are the next batch, so that a burst costs few commits
//! and a trickle no wait. A payload that cannot be read is set aside with its reason, counted and acknowledged. Nothing is
//! published unless `mqtt.reply` says so. Not promised: that nothing is lost where the broker itself drops messages (its
//! queue for an absent client must be large enough) or devices publish with QoS 0.

mod address;
mod tls;

pub use address::Address;
pub use tls::Authorities;

use crate::sender::off_thread;
use kachi_dialects::fastbee;
use kachi_engine::devices::{self, Heard};
use kachi_engine::{Engine, Result};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS, Transport};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What the work is called among those that one process does at a time.
const LEASE: &str = "mqtt";
/// How long it stays with a process that has gone silent.
const LEASE_SECONDS: i64 = 6;
/// How often it is renewed, or asked for.
const RENEW: Duration = Duration::from_secs(2);
/// How long nothing is tried after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How long acknowledgements may take to go out when the work ends.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long a broker that is only looked at may take to let us in; the client's own patience, which says less, is 5 seconds.
const LOOK: Duration = Duration::from_secs(4);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Bytes of a packet: all that the protocol allows. A smaller bound would end the connection, again and again, at a larger
/// one; the reader refuses payloads that are too large by itself.
const PACKET_BYTES_MAX: usize = 268_435_455;
/// Reports that wait to be kept, at most, where the broker does not hold them back by itself.
const WAITING_MAX: usize = 100_000;
/// Tries to keep one report by itself before it is set aside.
const TRIES: usize = 3;
/// Characters kept of a payload that is set aside.
const ASIDE_CHARS: usize = 1024;

/// What the configuration says about the broker.
#[derive(Clone)]
pub struct MqttSettings {
    /// `mqtt.url`.
    pub address: Address,
    /// `mqtt.ca`: who may have signed the broker's certificate, where that is not for the system to say.
    pub authorities: Option<Authorities>,
    /// `mqtt.client_id`: the broker keeps the session under it.
    pub client_id: String,
    /// `mqtt.username` and `mqtt.password`, where the address has none.
    pub credentials: Option<(String, String)>,
    /// `mqtt.topics`.
    pub topics: Vec<String>,
    /// `mqtt.reply`: whether reports are answered.
    pub reply: bool,
    /// `limits.report_batch`: reports kept in one transaction, at most.
    pub batch: usize,
    /// Makes a lease token that no other has; randomness comes from the roof.
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl fmt::Debug for MqttSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttSettings")
            .field("address", &self.address)
            .field("client_id", &self.client_id)
            .field("topics", &self.topics)
            .field("reply", &self.reply)
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

impl MqttSettings {
    fn options(&self) -> std::result::Result<MqttOptions, String> {
        let mut options = MqttOptions::new(&self.client_id, &self.address.host, self.address.port);
        options.set_keep_alive(KEEP_ALIVE).set_clean_session(false).set_manual_acks(true);
        options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        if let Some((user, password)) = self.address.credentials.as_ref().or(self.credentials.as_ref()) {
            options.set_credentials(user, password);
        }
        if self.address.tls {
            let authorities = self.authorities.clone().map_or_else(Authorities::of_system, Ok)?;
            options.set_transport(Transport::tls_with_config(authorities.configuration()));
        }
        Ok(options)
    }
}

/// Whether the broker lets us in; the error says what is wrong and what to do. It is asked under another client id and for no session
/// that is kept, so that whoever listens meanwhile is not disturbed.
pub async fn look(settings: &MqttSettings) -> std::result::Result<(), String> {
    let client_id = format!("{}-look-{:08x}", settings.client_id, (settings.random)() as u32);
    let mut options = MqttSettings { client_id, ..settings.clone() }.options()?;
    options.set_clean_session(true);
    let (client, mut connection) = AsyncClient::new(options, 1);
    // What comes first is the broker's word.
    let let_in = async { connection.poll().await.map(drop).map_err(|e| tls::remedy(&e)) };
    let silent = || format!("no answer within {} s: look at the broker, and at what lies between", LOOK.as_secs());
    tokio::time::timeout(LOOK, let_in).await.unwrap_or_else(|_| Err(silent()))?;
    let _ = client.disconnect().await;
    let _ = tokio::time::timeout(FAREWELL, connection.poll()).await;
    Ok(())
}

/// Listens until told to stop, whenever this process has the lease.
pub async fn listen(engine: Engine, settings: MqttSettings, mut stop: watch::Receiver<bool>) {
    let token = ((settings.random)() >> 1) as i64;
    while !*stop.borrow() {
        match lease(&engine, token).await {
            Ok(true) => with_lease(&engine, &settings, token, &mut stop).await,
            Ok(false) => {}
            Err(e) if e.is_lost() => {}
            Err(e) => tracing::error!(error = %e, "the lease for device reports cannot be had; it is asked for again"),
        }
        pause(RENEW, &mut stop).await;
    }
}

async fn lease(engine: &Engine, token: i64) -> Result<bool> {
    let e = engine.clone();
    off_thread(move || e.write(move |tx, _, how| Ok(tx.take_lease(LEASE, token, how.now.plus(LEASE_SECONDS), how.now)?))).await
}

async fn pause(how_long: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(how_long) => {}
        _ = stop.wait_for(|s| *s) => {}
    }
}

/// The way from the connection to the keeper of reports; gone once the work ends. It has no bound of its own: the connection
/// must go on carrying acknowledgements while reports wait, and the protocol lets at most 65,535 of them wait for theirs.
/// Only those that want none (QoS 0) could grow without end; beyond [`WAITING_MAX`] they are dropped.
#[derive(Clone)]
struct Way {
    open: Arc<Mutex<Option<mpsc::UnboundedSender<Came>>>>,
    waiting: Arc<AtomicUsize>,
    connection: Arc<AtomicUsize>,
}

/// A report with the number of the connection it came on. It is acknowledged on that one alone: on another the broker may
/// mean another report by the same packet number, and sends this one again.
type Came = (usize, Publish);

impl Way {
    fn is_open(&self) -> bool {
        self.open.lock().expect("the way").is_some()
    }

    fn close(&self) {
        self.open.lock().expect("the way").take();
    }

    fn hand_on(&self, report: Publish) {
        if report.qos == QoS::AtMostOnce && self.waiting.load(Ordering::Relaxed) >= WAITING_MAX {
            tracing::warn!(topic = report.topic, "too many reports wait; one that was sent with QoS 0 is dropped");
            return;
        }
        if let Some(onward) = self.open.lock().expect("the way").as_ref() {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let _ = onward.send((self.connection.load(Ordering::Relaxed), report));
        }
    }
}

/// Listens until told to stop or until the lease is another's.
async fn with_lease(engine: &Engine, settings: &MqttSettings, token: i64, stop: &mut watch::Receiver<bool>) {
    let room = settings.batch.saturating_mul(2).max(2);
    let options = match settings.options() {
        Ok(options) => options,
        Err(e) => return tracing::error!(broker = %settings.address, error = e, "no connection to the broker can be made"),
    };
    let (client, connection) = AsyncClient::new(options, room);
    let (onward, reports) = mpsc::unbounded_channel();
    let way = Way { open: Arc::new(Mutex::new(Some(onward))), waiting: Arc::default(), connection: Arc::default() };
    tracing::info!(broker = %settings.address, topics = ?settings.topics, "listening for device reports");
    let connection = tokio::spawn(receive(connection, client.clone(), settings.topics.clone(), way.clone()));
    let (give_up, given_up) = watch::channel(false);
    let keeper =
        Keeper { engine: engine.clone(), client: client.clone(), reply: settings.reply, batch: settings.batch, way: way.clone() };
    let mut keeper = tokio::spawn(keeper.keep(reports, given_up));
    while !*stop.borrow() && !keeper.is_finished() {
        pause(RENEW, stop).await;
        match lease(engine, token).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!("another process listens for device reports now");
                break;
            }
            Err(e) if e.is_lost() => {}
            Err(e) => tracing::error!(error = %e, "the lease for device reports cannot be renewed; it is tried again"),
        }
    }
    // What has come is still kept and acknowledged; what comes now is not, and comes again.
    way.close();
    let _ = give_up.send(true);
    let _ = tokio::time::timeout(FAREWELL, &mut keeper).await;
    keeper.abort();
    let _ = tokio::time::timeout(FAREWELL, client.disconnect()).await;
    let mut connection = connection;
    let _ = tokio::time::timeout(FAREWELL, &mut connection).await;
    connection.abort();
    let e = engine.clone();
    if let Err(e) = off_thread(move || e.write(move |tx, _, _| Ok(tx.give_lease(LEASE, token)?))).await {
        tracing::error!(error = %e, "the lease for device reports cannot be given back; it runs out by itself");
    }
}

/// Keeps the connection up and hands on what comes, until the way is gone and the connection with it.
async fn receive(mut connection: EventLoop, client: AsyncClient, topics: Vec<String>, way: Way) {
    let (mut is_up, mut said) = (false, String::new());
    loop {
        match connection.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                (is_up, said) = (true, String::new());
                way.connection.fetch_add(1, Ordering::Relaxed);
                // The broker may have forgotten the session; subscribing again changes nothing where it has not.
                let (client, topics) = (client.clone(), topics.clone());
                tokio::spawn(async move {
                    for topic in topics {
                        if let Err(e) = client.subscribe(&topic, QoS::AtLeastOnce).await {
                            tracing::error!(topic, error = %e, "cannot subscribe");
                        }
                    }
                });
            }
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                if ack.return_codes.contains(&rumqttc::SubscribeReasonCode::Failure) {
                    tracing::error!(
                        "the broker refuses a subscription: look at mqtt.topics and the rights of mqtt.username there"
                    );
                }
            }
            Ok(Event::Incoming(Packet::Publish(report))) => way.hand_on(report),
            Ok(_) => {}
            Err(e) => {
                if !way.is_open() {
                    return;
                }
                let words = tls::words(&e);
                if is_up {
                    tracing::warn!(error = words, "the connection to the broker is gone; it is made again");
                } else if words != said {
                    // Tried every second: the same words are said once.
                    tracing::warn!(error = words, "no connection to the broker; it is tried again");
                }
                (is_up, said) = (false, words);
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

/// Keeps reports and acknowledges them.
struct Keeper {
    engine: Engine,
    client: AsyncClient,
    reply: bool,
    batch: usize,
    way: Way,
}

/// A payload that could not be read: topic, what of it is kept, why.
type Aside = (String, String, String);

impl Keeper {
    async fn keep(self, mut reports: mpsc::UnboundedReceiver<Came>, given_up: watch::Receiver<bool>) {
        while let Some(first) = reports.recv().await {
            let mut batch = vec![first];
            while batch.len() < self.batch
                && let Ok(next) = reports.try_recv()
            {
                batch.push(next);
            }
            self.way.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
            if !self.kept(&batch, &given_up).await {
                return;
            }
            let now_on = self.way.connection.load(Ordering::Relaxed);
            for (_, report) in batch.iter().filter(|(on, _)| *on == now_on) {
                let _ = self.client.ack(report).await;
            }
            if self.reply {
                self.answer(&batch).await;
            }
        }
    }

    /// Keeps a batch, however often that must be tried. False if the work ended first.
    async fn kept(&self, batch: &[Came], given_up: &watch::Receiver<bool>) -> bool {
        let (heard, asides) = read(batch);
        loop {
            match self.write(heard.clone(), asides.clone()).await {
                Ok(()) => return true,
                Err(e) if e.is_lost() => {}
                Err(e) => {
                    tracing::error!(error = %e, reports = batch.len(), "device reports cannot be kept; they are tried one by one")
                }
            }
            if self.one_by_one(&heard, &asides).await {
                return true;
            }
            if *given_up.borrow() {
                return false;
            }
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }

    /// One report that cannot be kept must not keep the others from it: it is set aside. False if even that cannot be done.
    async fn one_by_one(&self, heard: &[Heard], asides: &[Aside]) -> bool {
        if self.write(Vec::new(), asides.to_vec()).await.is_err() {
            return false;
        }
        for h in heard {
            let mut refused = None;
            for _ in 0..TRIES {
                refused = self.write(vec![h.clone()], Vec::new()).await.err();
                if refused.is_none() {
                    break;
                }
            }
            let Some(why) = refused else { continue };
            let topic = format!("/{}/{}/info/post", h.product, h.serial);
            let aside = (topic, printable(&format!("{:?}", h.report)), format!("kept: {why}"));
            if self.write(Vec::new(), vec![aside]).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn write(&self, heard: Vec<Heard>, asides: Vec<Aside>) -> Result<()> {
        let engine = self.engine.clone();
        off_thread(move || {
            engine.write(move |tx, catalogue, how| {
                if !heard.is_empty() {
                    devices::take(tx, catalogue, how, &heard)?;
                }
                for (topic, payload, reason) in &asides {
                    tx.put_device_aside(topic, payload, reason, how.now)?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Answers as the source's platform does; an answer that is lost is not sent again.
    async fn answer(&self, batch: &[Came]) {
        for (_, report) in batch {
            let (Ok((product, serial)), Ok(said)) = (fastbee::speaker(&report.topic), fastbee::report(&report.payload)) else {
                continue;
            };
            let (topic, payload) = fastbee::status(product, serial, &said);
            if let Err(e) = self.client.publish(topic, QoS::AtLeastOnce, false, payload).await {
                tracing::warn!(error = %e, "an answer to a device cannot be published");
                return;
            }
        }
    }
}

/// What can be read of a batch, in order, and what cannot.
fn read(batch: &[Came]) -> (Vec<Heard>, Vec<Aside>) {
    let (mut heard, mut asides) = (Vec::with_capacity(batch.len()), Vec::new());
    for (_, p) in batch {
        let spoken = fastbee::speaker(&p.topic).and_then(|who| fastbee::report(&p.payload).map(|said| (who, said)));
        match spoken {
            Ok(((product, serial), report)) => heard.push(Heard { serial: serial.into(), product: product.into(), report }),
            Err(reason) => asides.push((printable(&p.topic), printable(&String::from_utf8_lossy(&p.payload)), reason)),
        }
    }
    (heard, asides)
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(ASIDE_CHARS).collect()
}
