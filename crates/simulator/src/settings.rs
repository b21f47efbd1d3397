//! What a world is made of and how strict its carriers are. Everything that the public facts leave open is a key here.

use crate::Platform;
use crate::traffic::Shape;
use crate::world::Base;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A world and its carriers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From which all that looks like chance is drawn.
    pub seed: u64,
    /// Where the virtual clock begins, unix seconds.
    pub start: i64,
    /// How many times as fast as the real clock it runs; 0 stands still.
    pub speed: u32,
    /// Cards with given features; they come before the population.
    pub cards: Vec<CardSpec>,
    /// So many more cards for each platform, with states and traffic drawn from the seed.
    pub population: Vec<(Platform, u32)>,
    /// Days of traffic before `start` that the cards have behind them.
    pub history_days: u32,
    /// Who may ask.
    pub logins: Logins,
    /// The clock that a caller's timestamp is held against.
    pub auth_clock: AuthClock,
    /// Seconds by which a caller's timestamp may be off [G].
    pub stale_seconds: i64,
    /// Life of a OneLink token, in seconds of `auth_clock`.
    pub token_seconds: i64,
    /// Whether a second OneLink login makes the first token worthless.
    pub second_login_kills: bool,
    /// Virtual seconds from the acceptance of a write to its effect; 0 is at once.
    pub write_seconds: i64,
    /// Virtual seconds between two writes to one card.
    pub cooldown_seconds: i64,
    /// Whether a card takes a write while another of it waits for its effect; each has its own then, in their order [G].
    pub overlap: bool,
    /// How old the counters are that a carrier shows.
    pub lag: Lag,
    /// Decimals of the KB in which OneLink writes bytes, at most 10; what is below is cut off [G].
    pub kb_decimals: u32,
    /// What the operType 1 to 7 of OneLink's batch call stand for [G].
    pub batch_moves: [(Base, Base); 7],
    /// In which zone CTWing reads the header `Timestamp` (the document says GMT; many clients send China time).
    pub ctwing_time: TimeZoneOf,
    /// Whether Telecom's answers in XML are encoded in GBK by default.
    pub telecom_gbk: bool,
    /// Requests that Jasper takes in a virtual minute; 0 is any number [G].
    pub jasper_per_minute: u32,
    /// Whether usage records are kept in memory for `Simulator::records`.
    pub keep_records: bool,
    /// Where CDR files are written, one a platform and virtual hour.
    pub cdr_dir: Option<PathBuf>,
    /// Virtual seconds from the end of an hour to its file.
    pub cdr_seconds: i64,
}

impl Default for Settings {
    fn default() -> Settings {
        use Base::{Active, Inventory, Ready, Testing};
        Settings {
            seed: 1,
            start: 1_773_100_800,
            speed: 0,
            cards: Vec::new(),
            population: Vec::new(),
            history_days: 45,
            logins: Logins::default(),
            auth_clock: AuthClock::World,
            stale_seconds: 300,
            token_seconds: 3600,
            second_login_kills: true,
            write_seconds: 2,
            cooldown_seconds: 180,
            overlap: false,
            lag: Lag::default(),
            kb_decimals: 2,
            batch_moves: [
                (Ready, Active),
                (Testing, Inventory),
                (Testing, Ready),
                (Testing, Active),
                (Inventory, Ready),
                (Inventory, Active),
                (Ready, Inventory),
            ],
            ctwing_time: TimeZoneOf::Gmt,
            telecom_gbk: false,
            jasper_per_minute: 0,
            keep_records: true,
            cdr_dir: None,
            cdr_seconds: 600,
        }
    }
}

/// Which clock stands for "now" when a caller's timestamp or a token's age is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthClock {
    /// The virtual one: for tests, which hand out both.
    World,
    /// The real one: for programs beside a world that runs fast.
    Wall,
}

/// A zone in which a carrier reads a caller's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeZoneOf {
    /// UTC.
    Gmt,
    /// UTC+8.
    China,
}

/// How many virtual seconds the shown counters are behind [G]. OneLink's CT cards are shown in real time, its PB cards up
/// to yesterday's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Both Telecom platforms.
    pub ct_seconds: i64,
    /// Unicom's gateway.
    pub unicom_seconds: i64,
    /// Jasper's REST interface.
    pub jasper_seconds: i64,
}

impl Default for Lag {
    fn default() -> Lag {
        Lag { ct_seconds: 1800, unicom_seconds: 900, jasper_seconds: 0 }
    }
}

/// The credentials of one account at each platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logins {
    /// China Mobile OneLink.
    pub onelink: OneLinkLogin,
    /// China Telecom 5G CMP.
    pub ctwing: CtWingLogin,
    /// China Telecom's older portal.
    pub telecom: TelecomLogin,
    /// China Unicom's gateway.
    pub unicom: UnicomLogin,
    /// Jasper REST.
    pub jasper: JasperLogin,
}

/// OneLink: `appid` and `password` get a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct OneLinkLogin {
    pub appid: String,
    pub password: String,
}

/// CTWing: the header `AppKey`, and the key that signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CtWingLogin {
    pub app_key: String,
    pub secret_key: String,
    pub cust_number: String,
}

/// Telecom's portal: `user_id`, `passWord`, and the nine characters of the three DES keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TelecomLogin {
    pub user_id: String,
    pub password: String,
    pub key: String,
}

/// Unicom's gateway: `app_id`, the secret of its token, and `openId`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct UnicomLogin {
    pub app_id: String,
    pub app_secret: String,
    pub open_id: String,
}

/// Jasper: HTTP Basic with the API key in the password's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct JasperLogin {
    pub username: String,
    pub api_key: String,
    pub account_id: String,
}

impl Default for Logins {
    fn default() -> Logins {
        Logins {
            onelink: OneLinkLogin { appid: "100001".into(), password: "pw123".into() },
            ctwing: CtWingLogin { app_key: "demoAppKey".into(), secret_key: "SECRET123".into(), cust_number: "C1".into() },
            telecom: TelecomLogin { user_id: "demoUser".into(), password: "demoPass1".into(), key: "k1ak2bk3c".into() },
            unicom: UnicomLogin { app_id: "demoApp001".into(), app_secret: "demoSecret9876".into(), open_id: "demoOpen1".into() },
            jasper: JasperLogin { username: "demoUser".into(), api_key: "demoKey1".into(), account_id: "100000001".into() },
        }
    }
}

/// A card of a world. Numbers that are not given are made.
#[derive(Debug, Clone)]
pub struct CardSpec {
    pub(crate) platform: Platform,
    pub(crate) base: Base,
    pub(crate) shape: Shape,
    pub(crate) rate: u64,
    pub(crate) pb: bool,
    pub(crate) foreign: bool,
    pub(crate) iccid: Option<String>,
    pub(crate) msisdn: Option<String>,
    pub(crate) imsi: Option<String>,
    pub(crate) imei: Option<String>,
    pub(crate) apns: Vec<String>,
    pub(crate) package_bytes: u64,
    pub(crate) pool: Option<String>,
}

impl CardSpec {
    /// An active card with a package of 1 GB a month, in a device that is switched on and sends nothing by itself.
    pub fn new(platform: Platform) -> CardSpec {
        CardSpec {
            platform,
            base: Base::Active,
            shape: Shape::Silent,
            rate: 1 << 20,
            pb: false,
            foreign: false,
            iccid: None,
            msisdn: None,
            imsi: None,
            imei: None,
            apns: vec![platform.apn().to_owned()],
            package_bytes: 1 << 30,
            pool: None,
        }
    }

    /// In this state.
    pub fn base(mut self, base: Base) -> CardSpec {
        self.base = base;
        self
    }

    /// With this traffic.
    pub fn shape(mut self, shape: Shape) -> CardSpec {
        self.shape = shape;
        self
    }

    /// With so many bytes in an ordinary session.
    pub fn rate(mut self, bytes: u64) -> CardSpec {
        self.rate = bytes;
        self
    }

    /// On OneLink-PB instead of OneLink-CT; of no meaning elsewhere.
    pub fn pb(mut self) -> CardSpec {
        self.pb = true;
        self
    }

    /// On the platform, but another customer's.
    pub fn foreign(mut self) -> CardSpec {
        self.foreign = true;
        self
    }

    /// With this card number: 20 characters, also where the platform is asked with 19.
    pub fn iccid(mut self, text: &str) -> CardSpec {
        self.iccid = Some(text.to_owned());
        self
    }

    /// With this telephone or access number.
    pub fn msisdn(mut self, text: &str) -> CardSpec {
        self.msisdn = Some(text.to_owned());
        self
    }

    /// With this subscriber identity.
    pub fn imsi(mut self, text: &str) -> CardSpec {
        self.imsi = Some(text.to_owned());
        self
    }

    /// In this device.
    pub fn imei(mut self, text: &str) -> CardSpec {
        self.imei = Some(text.to_owned());
        self
    }

    /// With these APNs; traffic is that of the first.
    pub fn apns(mut self, names: &[&str]) -> CardSpec {
        self.apns = names.iter().map(|n| (*n).to_owned()).collect();
        self
    }

    /// With a package of so many bytes a month.
    pub fn package_bytes(mut self, bytes: u64) -> CardSpec {
        self.package_bytes = bytes;
        self
    }

    /// In the pool or group of this number, which is made with the first card that names it.
    pub fn pool(mut self, number: &str) -> CardSpec {
        self.pool = Some(number.to_owned());
        self
    }
}
