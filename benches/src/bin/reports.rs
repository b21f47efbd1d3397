//! Device reports from a broker into the database, against a client that only acknowledges them.
//!
//! `cargo run --release -p kachi-bench --bin reports -- [REPORTS] [sqlite|postgres] [DEVICES] [RATE] [SECONDS]`
//!
//! A Mosquitto of its own (Debian package `mosquitto`) holds REPORTS for each of two clients that are away: the time to
//! take them all is compared. Then devices report at RATE a second for SECONDS, and the broker and our client are both
//! restarted meanwhile: what is not kept in the end is lost.

use kachi_bench::{engine, iccid, place, report};
use kachi_edges::mqtt::{Address, MqttSettings, listen};
use kachi_engine::{Engine, Settings};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const BASELINE: &str = "baseline";
const OURS: &str = "kachi";
const TOPIC: &str = "/+/+/info/post";
const LOOK: Duration = Duration::from_millis(20);

struct Broker {
    port: u16,
    child: Child,
}

impl Broker {
    fn start(folder: &Path) -> Broker {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\n\
             max_queued_messages 0\nmax_inflight_messages 500\nset_tcp_nodelay true\n",
            folder.display()
        );
        std::fs::write(folder.join("mosquitto.conf"), text).expect("its configuration");
        Broker { port, child: Broker::run(folder, port) }
    }

    fn run(folder: &Path, port: u16) -> Child {
        let mut command = Command::new("/usr/sbin/mosquitto");
        command.arg("-c").arg(folder.join("mosquitto.conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("mosquitto starts (Debian package mosquitto)");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(LOOK);
        }
        child
    }

    fn stop(&mut self) {
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        let _ = self.child.wait();
    }

    fn options(&self, name: &str) -> MqttOptions {
        let mut options = MqttOptions::new(name, "127.0.0.1", self.port);
        options.set_clean_session(false).set_manual_acks(true).set_max_packet_size(1 << 20, 1 << 20).set_inflight(500);
        options
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A session that the broker keeps from here on.
async fn subscribe(broker: &Broker, name: &str) {
    let (client, mut connection) = AsyncClient::new(broker.options(name), 10);
    client.subscribe(TOPIC, QoS::AtLeastOnce).await.expect("asked");
    while !matches!(connection.poll().await, Ok(Event::Incoming(Packet::SubAck(_)))) {}
    client.disconnect().await.expect("asked");
    while !matches!(connection.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {}
}

/// Publishes numbered reports, `rate` a second if that is not 0, until the broker has acknowledged each.
async fn publish(options: MqttOptions, numbers: std::ops::Range<usize>, devices: usize, rate: usize) {
    let (client, connection) = AsyncClient::new(options, 1_000);
    let total = numbers.len();
    let acknowledged = tokio::spawn(acknowledged(connection, total));
    let began = Instant::now();
    for (sent, n) in numbers.enumerate() {
        if rate > 0 && sent % 50 == 0 {
            let due = Duration::from_secs_f64(sent as f64 / rate as f64);
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        }
        let device = n % devices;
        let payload = format!(
            r#"{{"rssi":-{},"firmwareVersion":"{n}","status":3,"iccid":{},"cardPlatformId":0,"imei":"{:015}"}}"#,
            40 + n % 60,
            iccid(device as u64),
            860_000_000_000_000 + device * 10,
        );
        client.publish(format!("/7/D{device}/info/post"), QoS::AtLeastOnce, false, payload).await.expect("published");
    }
    acknowledged.await.expect("the publisher");
}

async fn acknowledged(mut connection: EventLoop, total: usize) {
    let mut n = 0;
    while n < total {
        match connection.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => n += 1,
            Ok(_) => {}
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Takes what waits and acknowledges it, and does nothing else.
async fn only_acknowledge(broker: &Broker, total: usize) {
    let (client, mut connection) = AsyncClient::new(broker.options(BASELINE), 4_000);
    // Unbounded, because the connection must go on carrying acknowledgements while publishes wait.
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let acks = tokio::spawn(async move {
        while let Some(publish) = told.recv().await {
            client.ack(&publish).await.expect("acknowledged");
        }
        client.disconnect().await.expect("asked");
    });
    let mut n = 0;
    while n < total {
        if let Event::Incoming(Packet::Publish(p)) = connection.poll().await.expect("connected") {
            n += 1;
            tell.send(p).expect("a way");
        }
    }
    drop(tell);
    while !matches!(connection.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {}
    acks.await.expect("acknowledgements");
}

/// Reports kept, each number once, and how many rows that are.
fn kept(engine: &Engine) -> (i64, i64) {
    engine.store().look(|tx| tx.device_reports_counted()).expect("the database")
}

fn start(engine: &Engine, broker: &Broker) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = watch::channel(false);
    let settings = MqttSettings {
        authorities: None,
        address: Address::parse(&format!("mqtt://127.0.0.1:{}", broker.port)).expect("an address"),
        client_id: OURS.into(),
        credentials: None,
        topics: vec![TOPIC.into()],
        reply: false,
        batch: 2_000,
        random: Arc::new(rand::random::<u64>),
    };
    (stop, tokio::spawn(listen(engine.clone(), settings, stopped)))
}

async fn until_kept(engine: &Engine, wanted: i64) {
    while tokio::task::block_in_place(|| kept(engine)).0 < wanted {
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, usual: usize| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(usual);
    let (reports, devices) = (number(0, 100_000), number(2, 5_000));
    let (rate, seconds) = (number(3, 5_000), number(4, 20));
    let which = args.get(1).cloned().unwrap_or_else(|| "sqlite".into());
    let dir = tempfile::tempdir().expect("a folder");
    let at = place(&which, dir.path(), "reports");
    let engine = tokio::task::block_in_place(|| engine(at, devices as u64, Settings::default()));
    let mut broker = Broker::start(dir.path());
    subscribe(&broker, BASELINE).await;
    subscribe(&broker, OURS).await;
    publish(broker.options("devices"), 0..reports, devices, 0).await;
    let began = Instant::now();
    only_acknowledge(&broker, reports).await;
    let baseline = reports as f64 / began.elapsed().as_secs_f64();
    let began = Instant::now();
    let (stop, running) = start(&engine, &broker);
    until_kept(&engine, reports as i64).await;
    let ours = reports as f64 / began.elapsed().as_secs_f64();
    report(&format!("{reports} device reports of {devices} devices"), &which, ours, baseline, "reports/s");

    let storm = reports..reports + rate * seconds;
    let (end, began) = (storm.end, Instant::now());
    let devices_of_storm = tokio::spawn(publish(broker.options("storm"), storm, devices, rate));
    tokio::time::sleep(Duration::from_secs(seconds as u64 / 3)).await;
    stop.send(true).expect("it listens");
    running.await.expect("it ends");
    let (stop, running) = start(&engine, &broker);
    tokio::time::sleep(Duration::from_secs(seconds as u64 / 3)).await;
    broker.stop();
    broker.child = Broker::run(dir.path(), broker.port);
    devices_of_storm.await.expect("devices");
    let published = began.elapsed();
    until_kept(&engine, end as i64).await;
    let (numbers, rows) = kept(&engine);
    println!(
        "{rate} reports/s for {seconds} s, our client and the broker restarted meanwhile | {which} | {} of {} kept, {} twice | \
         published in {:.1} s, all kept {:.1} s later",
        numbers - reports as i64,
        rate * seconds,
        rows - numbers,
        published.as_secs_f64(),
        (began.elapsed() - published).as_secs_f64(),
    );
    stop.send(true).expect("it listens");
    running.await.expect("it ends");
}
