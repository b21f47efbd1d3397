//! The handle on a running world: its listeners on loopback addresses, its clock, its faults and its truth.

use crate::control;
use crate::fault::{Fault, FaultKind};
use crate::house::{Ask, House, Reply};
use crate::settings::{Logins, Settings};
use crate::world::{Card, Record};
use crate::{Platform, calendar};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Longest body that is read.
const BODY_MAX: usize = 1 << 20;

/// Where a world is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The control port.
    pub control: SocketAddr,
    /// The address of each platform.
    pub platforms: BTreeMap<Platform, SocketAddr>,
}

impl Addresses {
    /// Any free ports of 127.0.0.1.
    pub fn free() -> Addresses {
        Addresses::free_at(IpAddr::from([127, 0, 0, 1]))
    }

    /// Any free ports of an address.
    pub fn free_at(ip: IpAddr) -> Addresses {
        let any = SocketAddr::new(ip, 0);
        Addresses { control: any, platforms: Platform::ALL.map(|p| (p, any)).into() }
    }

    /// The fixed ports of the platforms, beside a control port.
    pub fn fixed(control: SocketAddr) -> Addresses {
        let at = |p: Platform| (p, SocketAddr::new(control.ip(), p.port()));
        Addresses { control, platforms: Platform::ALL.map(at).into() }
    }
}

pub(crate) type Shared = Arc<Mutex<House>>;

pub(crate) fn lock(house: &Shared) -> MutexGuard<'_, House> {
    house.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A world that is served. It ends when this is dropped.
#[derive(Debug)]
pub struct Simulator {
    house: Shared,
    addresses: Addresses,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Makes the world and serves it on free ports of 127.0.0.1. The error says what of the settings cannot be.
    pub fn start(settings: Settings) -> Result<Simulator, String> {
        Simulator::start_at(settings, &Addresses::free())
    }

    /// Makes the world and serves it at these addresses, which must be loopback ones: whoever reaches them owns the world.
    pub fn start_at(settings: Settings, addresses: &Addresses) -> Result<Simulator, String> {
        for address in addresses.platforms.values().chain([&addresses.control]) {
            if !address.ip().is_loopback() {
                return Err(format!("{address} is not a loopback address: the simulator is served on those only"));
            }
        }
        let house: Shared = Arc::new(Mutex::new(House::new(settings)?));
        let (ready, bound) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (inside, wanted) = (house.clone(), addresses.clone());
        let thread = std::thread::Builder::new().name("simulator".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(serve(inside, wanted, ready, stopped)),
                Err(e) => drop(ready.send(Err(e.to_string()))),
            }
        });
        let thread = Some(thread.map_err(|e| format!("no thread for the simulator ({e})"))?);
        let addresses = bound.recv().map_err(|_| "the simulator ended at once".to_owned())??;
        Ok(Simulator { house, addresses, stop: Some(stop), thread })
    }

    /// Where it is served.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// `http://HOST:PORT` of a platform.
    pub fn url(&self, platform: Platform) -> String {
        format!("http://{}", self.addresses.platforms[&platform])
    }

    /// `http://HOST:PORT` of the control port.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.addresses.control)
    }

    /// Who may ask.
    pub fn logins(&self) -> Logins {
        lock(&self.house).settings.logins.clone()
    }

    /// The virtual instant, unix seconds.
    pub fn now(&self) -> i64 {
        lock(&self.house).now()
    }

    /// Puts the clock forward. What becomes due happens, each at its instant.
    pub fn advance(&self, seconds: i64) {
        let mut house = lock(&self.house);
        house.clock.advance(seconds);
        house.now();
    }

    /// Arms a fault. The error says which bound or platform is wrong.
    pub fn fault(&self, fault: Fault) -> Result<(), String> {
        lock(&self.house).faults.arm(fault)
    }

    /// How many times faults of this kind still will strike.
    pub fn faults_left(&self, platform: Platform, kind: FaultKind) -> u32 {
        let house = lock(&self.house);
        house.faults.left().iter().filter(|f| f.platform == platform && f.kind == kind).map(|f| f.count).sum()
    }

    /// Requests that a platform has received.
    pub fn calls(&self, platform: Platform) -> u64 {
        lock(&self.house).calls.all.get(&platform).copied().unwrap_or(0)
    }

    /// Requests whose path, or method where all share a path, holds the text.
    pub fn calls_of(&self, platform: Platform, text: &str) -> u64 {
        let house = lock(&self.house);
        house.calls.by_name.iter().filter(|((p, name), _)| *p == platform && name.contains(text)).map(|(_, n)| n).sum()
    }

    /// The platform's cards, in the order in which they were made; those of other customers too.
    pub fn iccids(&self, platform: Platform) -> Vec<String> {
        lock(&self.house).world.cards.iter().filter(|c| c.platform == platform).map(|c| c.iccid.clone()).collect()
    }

    fn with<T>(&self, iccid: &str, work: impl FnOnce(&mut House, u32) -> T) -> T {
        let mut house = lock(&self.house);
        house.now();
        let number = house.world.find_anywhere(iccid).unwrap_or_else(|| panic!("the world has no card {iccid}"));
        work(&mut house, number)
    }

    /// A card as it truly is now. Panics if there is none of this number, as do the next ones.
    pub fn card(&self, iccid: &str) -> Card {
        self.with(iccid, |house, number| house.world.card(number).clone())
    }

    /// Changes a card behind its carrier's back; what follows from the change follows.
    pub fn set(&self, iccid: &str, change: impl FnOnce(&mut Card)) {
        self.with(iccid, |house, number| house.world.change(number, change));
    }

    /// True bytes of the running cycle, which begins on the 27th at Unicom and Jasper and on the 1st elsewhere.
    pub fn month_bytes(&self, iccid: &str) -> u64 {
        self.with(iccid, |house, number| house.world.cycle_bytes(number, house.world.now))
    }

    /// True bytes of a day in China, given as yyyymmdd.
    pub fn day_bytes(&self, iccid: &str, digits: u32) -> u64 {
        let Some(day) = calendar::day_of_digits(digits) else { return 0 };
        self.with(iccid, |house, number| house.world.card(number).usage.sum(&(day..day + 1)).bytes)
    }

    /// The card uses so many bytes now; none if it cannot use the network.
    pub fn use_bytes(&self, iccid: &str, bytes: u64) {
        self.with(iccid, |house, number| house.world.use_bytes(number, bytes));
    }

    /// The card sends a message; its number.
    pub fn receive_sms(&self, iccid: &str, text: &str) -> u64 {
        self.with(iccid, |house, number| house.world.receive_sms(number, text))
    }

    /// All usage records of a platform since the start, by the instant at which they count.
    pub fn records(&self, platform: Platform) -> Vec<Record> {
        let mut house = lock(&self.house);
        house.now();
        house.world.records(platform, i64::MIN, i64::MAX)
    }

    /// Name and bytes of a CDR file of the records that count from `from` until before `to`.
    pub fn cdr_file(&self, platform: Platform, from: i64, to: i64) -> (String, Vec<u8>) {
        let mut house = lock(&self.house);
        house.now();
        house.world.cdr_file(platform, from, to)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Ready = std::sync::mpsc::Sender<Result<Addresses, String>>;

async fn serve(house: Shared, wanted: Addresses, ready: Ready, stopped: oneshot::Receiver<()>) {
    let (addresses, listeners) = match bind(&wanted).await {
        Ok(bound) => bound,
        Err(e) => return drop(ready.send(Err(e))),
    };
    for (door, listener) in listeners {
        let app = match door {
            Some(platform) => Router::new().fallback(answer).with_state((platform, house.clone())),
            None => control::routes(house.clone()),
        };
        tokio::spawn(async move { axum::serve(listener, app).await });
    }
    tokio::spawn(tick(house));
    let _ = ready.send(Ok(addresses));
    let _ = stopped.await;
}

/// A platform, or the control port, and its listener.
type Listeners = Vec<(Option<Platform>, TcpListener)>;

async fn bind(wanted: &Addresses) -> Result<(Addresses, Listeners), String> {
    let mut bound = wanted.clone();
    let mut listeners = Vec::new();
    let open = |at: SocketAddr| async move {
        let listener = TcpListener::bind(at).await.map_err(|e| format!("{at} cannot be listened on ({e})"))?;
        let at = listener.local_addr().map_err(|e| format!("{at} has no address ({e})"))?;
        Ok::<_, String>((at, listener))
    };
    for (platform, address) in &mut bound.platforms {
        let (at, listener) = open(*address).await?;
        *address = at;
        listeners.push((Some(*platform), listener));
    }
    let (at, listener) = open(bound.control).await?;
    bound.control = at;
    listeners.push((None, listener));
    Ok((bound, listeners))
}

/// Lets a world whose clock runs do what is due, so that files come when nobody asks.
async fn tick(house: Shared) {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        lock(&house).now();
    }
}

async fn answer(State((platform, house)): State<(Platform, Shared)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return send(Reply::with(413, "text/plain", format!("at most {BODY_MAX} bytes"))).await;
    };
    let text = |v: &HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let ask = Ask {
        platform,
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(n, v)| (n.as_str().to_owned(), text(v))).collect(),
        body: body.to_vec(),
    };
    let reply = lock(&house).answer(&ask);
    send(reply).await
}

async fn send(reply: Reply) -> Response {
    if reply.hold_ms > 0 {
        tokio::time::sleep(Duration::from_millis(reply.hold_ms)).await;
    }
    let body = if reply.broken {
        let gone = io::Error::new(io::ErrorKind::ConnectionReset, "the simulator breaks the connection");
        Body::from_stream(futures_util::stream::once(async { Err::<Bytes, io::Error>(gone) }))
    } else {
        Body::from(reply.body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.kind));
    response
}
