//! The demo's past: a clock is moved through its days, orders are placed, CDR files are taken in, timers run; so every figure
//! of the demo has its journal, its readings and its events. Numbers come from a fixed sequence, so every demo is the same.

use super::{ACME, APPKEY, Extent, NORTH, SECRET, SHOP, iccid};
use crate::config::Config;
use crate::exit::Exit;
use crate::serve;
use kachi_domain::account::{Path, Switch};
use kachi_domain::ids::Imei;
use kachi_domain::imei::UNLOCKS_PER_MONTH;
use kachi_domain::order::Channel;
use kachi_domain::package::{Category, Fulfil, Kind, Resource, StartRule, Terms, Window};
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, Currency, Iccid, Money, PackageId, ProductId, Span, Timestamp};
use kachi_engine::esim::{self, Purchase};
use kachi_engine::network::CardKey;
use kachi_engine::orders::{self, Place};
use kachi_engine::pools::{self, Create, Subscribe};
use kachi_engine::renewals::{self, Again, Renew, Review};
use kachi_engine::{Clock, Engine, Fail, cards, imei, import, intents, money, refunds, sims};
use kachi_store::accounts::Account;
use kachi_store::catalogue::{Package, Price, Product};
use kachi_store::esim::{Goods, GoodsPrice};
use kachi_store::imei::ImeiGroup;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The type of Acme's pool, and the cards in it.
const POOL: &str = "US-POOL-1G-30D";
const POOL_SLOTS: i64 = 8;
const POOLED: std::ops::Range<u64> = 40..48;
/// The cards of Acme's IMEI group; the last is in a device that is not in it.
const GROUPED: std::ops::Range<u64> = 60..66;
/// Profiles of the eSIM goods.
const ESIM_PROFILES: u64 = 5;
/// Days that the pool and the group have been there.
const SHARED_DAYS: i64 = 10;
const DAY: i64 = 86_400;

/// An engine whose clock is moved through the past.
pub struct Past {
    engine: Engine,
    now: Arc<AtomicI64>,
    begin: i64,
    end: i64,
    sims: u64,
    days: i64,
}

/// The device that the n-th card is in.
fn device(n: u64) -> i64 {
    867_530_900_000_000 + 10 * n as i64
}

/// The day of 30 on which a package is bought for the n-th card.
fn order_day(n: u64) -> i64 {
    (mixed(n) % 30) as i64
}

/// A fixed sequence of well-mixed numbers.
fn mixed(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Past {
    /// A past of so many days up to now.
    pub fn open(engine: &Engine, config: &Config, Extent { sims, days }: Extent) -> Result<Past, Exit> {
        let end = engine.now().0;
        let begin = (end - days * DAY).div_euclid(DAY) * DAY;
        let now = Arc::new(AtomicI64::new(begin));
        let hand = now.clone();
        let clock = Clock::new(move || Timestamp(hand.load(Ordering::SeqCst)));
        let engine = Engine::open(engine.store().clone(), clock, config.settings())?;
        Ok(Past { engine, now, begin, end, sims, days })
    }

    /// Makes it. Nobody is told of it: no account has a notify address yet.
    pub fn make(&self) -> Result<(), Exit> {
        self.catalogue()?;
        self.cards()?;
        for day in 0..=self.days {
            if day == self.days - SHARED_DAYS {
                self.shared()?;
            }
            self.day(day)?;
        }
        self.now.store(self.end, Ordering::SeqCst);
        while cards::settle_due(&self.engine)? > 0 {}
        self.last_orders()?;
        self.esim_goods()?;
        while import::index(&self.engine)? > 0 {}
        Ok(())
    }

    fn catalogue(&self) -> Result<(), Exit> {
        self.engine.write(|tx, _, how| {
            let root = Path::root();
            let north = account(NORTH, "north", "North Reseller", &root, "{}");
            let acme = account(ACME, "acme", "Acme Devices", &north.path, "{}");
            let shop = account(SHOP, "shop", "Corner Shop", &acme.path, "{}");
            for a in [&north, &acme, &shop] {
                tx.put_account(a, how.now)?;
            }
            tx.put_credential("eiotclub", APPKEY, ACME, SECRET)?;
            tx.put_credential("eiotclub", "100002", NORTH, "demo-secret-of-north")?;
            tx.put_platform(0, "play", "sandbox", r#"{"lag_seconds":5}"#)?;
            // It invents what it tells of cards that it sees for the first time.
            tx.put_platform_sync("play", false, false)?;
            tx.put_platform(0, "hand", "manual", "{}")?;
            let platforms = tx.platforms()?;
            for (code, name, platform) in [("1US-1", "US, 3 networks", "play"), ("1EU-1", "Europe, by hand", "hand")] {
                let platform =
                    platforms.iter().find(|p| p.code == platform).map(|p| p.id).ok_or_else(|| Fail::fault("platform"))?;
                tx.put_product(&product(code, name, platform))?;
            }
            for p in packages(&tx.products()?) {
                tx.put_package(&p)?;
            }
            let pool = tx.packages()?.into_iter().find(|p| p.code == POOL).ok_or_else(|| Fail::fault("pool type"))?;
            tx.put_pool_type(pool.id, POOL_SLOTS)?;
            for p in tx.packages()? {
                let price = |id, share: i64| Price {
                    account: id,
                    package: p.id,
                    price_minor: Some(p.price_minor + share),
                    retail_minor: Some(p.retail_minor + share),
                    listed: Some(true),
                };
                tx.put_price(&price(ACME, p.price_minor / 10))?;
                tx.put_price(&price(SHOP, p.price_minor / 5))?;
            }
            Ok(tx.touch_catalogue()?)
        })?;
        self.engine.write(|tx, catalogue, how| {
            for (id, amount) in [(NORTH, 500_000), (ACME, 20_000_000), (SHOP, 50_000)] {
                money::top_up(tx, catalogue, id, Money { minor: amount, currency: Currency::USD }, "opening balance", how.now)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn cards(&self) -> Result<(), Exit> {
        let cards = self.sims;
        self.engine.write(move |tx, catalogue, how| {
            let product = |code: &str| catalogue.product_by_code(code).map(|p| p.id).ok_or_else(|| Fail::fault("product"));
            let (us, eu) = (product("1US-1")?, product("1EU-1")?);
            for n in 0..cards {
                let owner = if n % 20 == 19 { SHOP } else { ACME };
                let mut sim = sims::blank(&iccid(n), owner, if is_by_hand(n) { eu } else { us });
                sim.imsi = Some(format!("31041{n:010}"));
                sim.msisdn = Some(format!("1440{n:09}"));
                sim.state = if n % 50 == 49 { BaseState::Inventory } else { BaseState::Ready }.word().into();
                sim.network = "AT&T".into();
                sim.alias = format!("meter {n}");
                sims::put(tx, catalogue, how, &sim)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// One day: orders in the morning, traffic in one file an evening.
    fn day(&self, day: i64) -> Result<(), Exit> {
        let morning = self.begin + day * DAY;
        if morning + 3600 > self.end {
            return Ok(());
        }
        self.now.store(morning + 3600, Ordering::SeqCst);
        while cards::settle_due(&self.engine)? > 0 {}
        for n in (0..self.sims).filter(|n| n % 50 != 49 && order_day(*n) == day % 30) {
            self.order(n, day)?;
        }
        let evening = (morning + 23 * 3600).min(self.end);
        self.now.store(evening, Ordering::SeqCst);
        let catalogue = self.engine.catalogue()?;
        for (code, by_hand) in [("play", false), ("hand", true)] {
            let platform = catalogue.platform_by_code(code).ok_or_else(|| Exit::cannot("the demo has no platform"))?.id;
            let traffic = self.traffic((day, morning, evening), by_hand);
            if !traffic.is_empty() {
                let name = format!("cdr_{}_demo_{day}.csv", platform.0);
                import::import(&self.engine, platform, &name, &mut Cursor::new(traffic), &mut |_| {})?;
            }
        }
        Ok(())
    }

    /// The first day on which the n-th card has a package, its own or its pool's: nothing is used before.
    fn first_day(&self, n: u64) -> i64 {
        let shared = (self.days - SHARED_DAYS).max(0);
        if POOLED.contains(&n) { shared.min(order_day(n)) } else { order_day(n) }
    }

    /// What the cards of one of the two platforms used that day.
    fn traffic(&self, (day, morning, evening): (i64, i64, i64), by_hand: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let uses = |n: &u64| is_by_hand(*n) == by_hand && n % 50 != 49 && self.first_day(*n) <= day;
        for n in (0..self.sims).filter(uses) {
            let roll = mixed(n * 1_000 + day as u64);
            let stop = morning + 7200 + (roll % 50_000) as i64;
            if stop > evening || roll.is_multiple_of(5) {
                continue;
            }
            let mb = if n % 97 == 0 { 12 } else { 1 + (roll >> 20) % 4 };
            let record = kachi_domain::usage::CdrRecord {
                source_id: day * 10_000 + n as i64,
                start: Timestamp(stop - 1800),
                stop: Timestamp(stop),
                iccid: iccid(n),
                imsi: 310_410_000_000_000 + n as i64,
                bytes: (mb << 20) as i64 + (roll % 100_000) as i64,
                imei: device(n),
                mccmnc: 310_410,
            };
            kachi_domain::cdr::write_record(&mut out, &record);
        }
        out
    }

    fn order(&self, n: u64, day: i64) -> Result<(), Exit> {
        let code = match (is_by_hand(n), mixed(n + day as u64) % 4) {
            (true, _) => "EU-200M-30D",
            (false, 0) => "US-TIME-30D",
            (false, 1) => "US-1G-30D",
            (false, _) => "US-100M-30D",
        };
        self.place(n, code, &format!("D{day}-{n}"))
    }

    fn place(&self, n: u64, code: &str, out_trade_no: &str) -> Result<(), Exit> {
        let place = Place {
            iccid: iccid(n),
            package_code: code.into(),
            out_trade_no: Some(out_trade_no.into()),
            channel: Channel::Api,
            custom_data: None,
            number: serve::order_number(),
        };
        let actor = self.engine.catalogue()?.actor(ACME).ok_or_else(|| Exit::cannot("the demo has no acme"))?;
        match self.engine.write(move |tx, catalogue, how| orders::place(tx, catalogue, how, &actor, &place)) {
            Ok(_) | Err(Fail::Refused(_)) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// One order in each state that the days may not have left: pending, failed, refunded, and in review.
    fn last_orders(&self) -> Result<(), Exit> {
        for (n, day) in [(9, 900), (29, 901), (49 + 10, 902)] {
            self.place(n, "EU-200M-CARRIER", &format!("last-{day}"))?;
        }
        let open = self.engine.read(|tx, _| Ok(tx.intents(true, 10)?))?;
        if let Some(intent) = open.first() {
            intents::refuse(&self.engine, intent.id, "demo", "the carrier does not know this card")?;
        }
        let actor = self.engine.catalogue()?.actor(ACME).ok_or_else(|| Exit::cannot("the demo has no acme"))?;
        self.place(3, "US-100M-30D", "to-refund")?;
        self.engine.write(move |tx, catalogue, how| {
            if let Some(order) = tx.orders_by_out_trade_no(ACME, &["to-refund"])?.pop() {
                refunds::refund(tx, catalogue, how, &actor, &iccid(3), order.id, "demo")?;
            }
            let renewal = Renew {
                card: CardKey::Iccid(iccid(5)),
                package_code: "US-100M-30D".into(),
                months: 2,
                again: Again::Refuse,
                start_day: None,
                review: Review::Manual,
                remark: Some("meters of the south hall".into()),
                digits: 1,
            };
            renewals::renew(tx, catalogue, how, &actor, &renewal)?;
            Ok(())
        })?;
        Ok(())
    }

    /// A pool with traffic, and an IMEI group of which one card is seen elsewhere.
    fn shared(&self) -> Result<(), Exit> {
        let actor = self.engine.catalogue()?.actor(ACME).ok_or_else(|| Exit::cannot("the demo has no acme"))?;
        self.now.store(self.begin + (self.days - SHARED_DAYS) * DAY, Ordering::SeqCst);
        self.engine.write(move |tx, catalogue, how| {
            let made = Create { type_code: POOL.into(), memo: "meters of the north hall".into(), ..Create::default() };
            let pool = pools::create(tx, catalogue, how, &actor, &made)?;
            let subscription = Subscribe {
                pool,
                type_code: POOL.into(),
                out_trade_no: "demo-pool".into(),
                channel: Channel::Api,
                number: serve::order_number(),
            };
            pools::subscribe(tx, catalogue, how, &actor, &subscription)?;
            let cards: Vec<Iccid> = POOLED.map(iccid).collect();
            pools::add(tx, catalogue, how, &actor, (pool, &cards))?;
            let group =
                ImeiGroup { id: 0, account: ACME, code: "gates".into(), unlocks_per_month: UNLOCKS_PER_MONTH, bound_sim: None };
            let group = ImeiGroup { id: tx.add_imei_group(&group, how.now)?, ..group };
            for n in GROUPED {
                if n + 1 < GROUPED.end {
                    tx.add_imei(&group, &Imei::parse(&device(n).to_string()).map_err(|e| Fail::fault(e.to_string()))?)?;
                }
                imei::join(tx, catalogue, how, &actor, (&iccid(n), &group), None)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// eSIM goods with a stock of profiles, one of them sold.
    fn esim_goods(&self) -> Result<(), Exit> {
        let profiles = self.sims..self.sims + ESIM_PROFILES;
        self.engine.write(move |tx, catalogue, how| {
            let package = catalogue.package_by_code("US-1G-30D").ok_or_else(|| Fail::fault("package"))?;
            let (code, name) = ("ESIM-US-1G".to_owned(), "US eSIM with 1 GB".to_owned());
            tx.put_esim_goods(&Goods { id: 0, code, name, package: package.id, price_minor: 1_200 })?;
            let goods = tx.esim_goods()?.first().map_or(0, |g| g.id);
            let price = |account, minor| GoodsPrice { account, goods, price_minor: Some(minor), retail_minor: None };
            tx.put_esim_price(&price(ACME, 1_400))?;
            tx.put_esim_price(&price(SHOP, 1_600))?;
            for n in profiles {
                let sim = sims::put(tx, catalogue, how, &sims::blank(&iccid(n), AccountId(1), package.product))?.id();
                tx.put_esim_profile(goods, sim, &format!("LPA:1$smdp.example.com$DEMO-{n}"))?;
            }
            Ok(tx.touch_catalogue()?)
        })?;
        let actor = self.engine.catalogue()?.actor(ACME).ok_or_else(|| Exit::cannot("the demo has no acme"))?;
        self.engine.write(move |tx, catalogue, how| {
            let goods_code = "ESIM-US-1G".to_owned();
            let (out_trade_no, custom_data) = ("demo-esim".into(), None);
            let cmd = Purchase { goods_code, out_trade_no, custom_data, number: serve::order_number() };
            esim::purchase(tx, catalogue, how, &actor, &cmd)
        })?;
        Ok(())
    }
}

fn account(id: AccountId, code: &str, name: &str, parent: &Path, notify: &str) -> Account {
    Account {
        id,
        code: code.into(),
        path: parent.child(id),
        name: name.into(),
        currency: Currency::USD,
        time_zone: "Asia/Shanghai".into(),
        language: "en".into(),
        credit_minor: 0,
        ip_allow: "[]".into(),
        notify: notify.into(),
        contact: "{}".into(),
        switch: Switch::On,
        claims: false,
        credit_stop: false,
    }
}

/// Whether the n-th card lives on the platform whose writes a person does.
fn is_by_hand(n: u64) -> bool {
    n % 10 == 9
}

fn product(code: &str, name: &str, platform: kachi_domain::PlatformId) -> Product {
    Product {
        id: ProductId(0),
        code: code.into(),
        name: name.into(),
        carrier: "INTL".into(),
        platform,
        bare_use: false,
        details: "{}".into(),
    }
}

fn packages(products: &[Product]) -> Vec<Package> {
    let id = |code: &str| products.iter().find(|p| p.code == code).map_or(ProductId(0), |p| p.id);
    let (us, eu) = (id("1US-1"), id("1EU-1"));
    let made = |code: &str, name: &str, product, kind, mb: i64, price: i64, fulfil| Package {
        id: PackageId(0),
        code: code.into(),
        name: name.into(),
        retail_name: name.into(),
        product,
        terms: Terms {
            kind,
            category: Category::Long,
            resource: Resource::Data,
            allowance: mb << 20,
            validity: Span::Days(30),
            window: Window::Whole,
        },
        start: StartRule::Queue,
        fulfil,
        price_minor: price,
        retail_minor: price * 2,
        currency: Currency::USD,
        listed: true,
        stack_max: 24,
        speed_kbps: None,
        carrier_code: None,
    };
    vec![
        made("US-100M-30D", "US 100 MB 30 days", us, Kind::Quota, 100, 130, Fulfil::Local),
        made("US-1G-30D", "US 1 GB 30 days", us, Kind::Quota, 1024, 900, Fulfil::Local),
        made("US-TIME-30D", "US unlimited 30 days", us, Kind::Time, 0, 2500, Fulfil::Local),
        made("US-100M-CARRIER", "US 100 MB by the carrier", us, Kind::Quota, 100, 150, Fulfil::Carrier),
        made(POOL, "US pool of 8, 1 GB 30 days", us, Kind::Quota, 1024, 1_000, Fulfil::Local),
        made("EU-200M-30D", "Europe 200 MB 30 days", eu, Kind::Quota, 200, 260, Fulfil::Local),
        made("EU-200M-CARRIER", "Europe 200 MB by hand", eu, Kind::Quota, 200, 280, Fulfil::Carrier),
    ]
}
