//! A small trade for the tests of the doors: a reseller chain, a stranger, a customer that pays in yen, products,
//! packages and cards, with a clock that the test owns. Everything is in US dollars but what is `kyoto`'s.

use kachi_domain::account::{Path, Switch};
use kachi_domain::package::{Category, Fulfil, Kind, Resource, StartRule, Terms, Window};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{AccountId, Currency, Iccid, Money, PackageId, PlatformId, ProductId, SimId, Span, Timestamp, Zone};
use kachi_engine::{Actor, Clock, Engine, Settings, import, money, sims};
use kachi_store::accounts::Account;
use kachi_store::catalogue::{Package, Price, Product};
use kachi_store::esim::Goods;
use kachi_store::sims::Sim;
use kachi_store::{Error, Store};
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// 2026-03-01 12:00:00 in China.
pub const START: Timestamp = Timestamp(1_772_337_600);

/// The operator, above all.
pub const OPERATOR: AccountId = AccountId(1);
/// A reseller under the operator.
pub const NORTH: AccountId = AccountId(10);
/// A customer under the reseller; speaks English.
pub const ACME: AccountId = AccountId(11);
/// A customer under the operator, a stranger to the two; speaks Chinese.
pub const OTHER: AccountId = AccountId(12);
/// A customer that pays in yen.
pub const KYOTO: AccountId = AccountId(13);

/// Cards of `ACME`, product `1US-1`: an active one with an IMSI, EID, IMEI and remark.
pub const CARD: &str = "89860012345678901234";
/// One that is to be activated.
pub const READY: &str = "89860012345678901242";
/// One of product `CN-1`.
pub const CHINESE: &str = "89860012345678901259";
/// One that is closed.
pub const CLOSED: &str = "89860012345678901267";
/// A card of `OTHER`, product `1US-1`.
pub const FOREIGN: &str = "89860012345678901275";
/// A card of `KYOTO`, product `1US-1`.
pub const KYOTO_CARD: &str = "89860012345678901283";
/// A well-formed number that no card has.
pub const NOBODY: &str = "89860099999999999999";

/// The details of each product: its zone.
const ZONE: &str = r#"{"zone":{"name":"North America","img":"na.png","countries":[{"name":"United States","img":"us.png",
    "operators":[{"name":"AT&T","network_type":"LTE"},{"name":"VAT","network_type":"5G"}]}]}}"#;

/// The trade, its engine and its clock.
pub struct Trade {
    /// The engine over the given store.
    pub engine: Engine,
    now: Arc<AtomicI64>,
    records: AtomicI64,
}

impl Trade {
    /// Fills an empty database. Call it from a thread that may wait.
    ///
    /// # Panics
    /// If the database refuses a row.
    pub fn build(store: Store) -> Trade {
        store
            .write(|tx| {
                accounts(tx)?;
                catalogue(tx)?;
                tx.touch_catalogue()
            })
            .expect("accounts and catalogue");
        let now = Arc::new(AtomicI64::new(START.0));
        let clock = now.clone();
        let clock = Clock::new(move || Timestamp(clock.load(Ordering::Relaxed)));
        let engine = Engine::open(store, clock, Settings::default()).expect("the engine opens");
        let trade = Trade { engine, now, records: AtomicI64::new(1) };
        trade.stock();
        trade
    }

    fn stock(&self) {
        self.engine
            .write(|tx, catalogue, how| {
                for account in [NORTH, ACME, OTHER] {
                    let amount = Money { minor: 10_000, currency: Currency::USD };
                    money::top_up(tx, catalogue, account, amount, "opening balance", how.now)?;
                }
                let yen = Money { minor: 10_000, currency: Currency::parse("JPY").expect("a currency") };
                money::top_up(tx, catalogue, KYOTO, yen, "opening balance", how.now)?;
                let product = |code| catalogue.product_by_code(code).map_or(ProductId(0), |p| p.id);
                for sim in cards(product("1US-1"), product("CN-1")) {
                    sims::put(tx, catalogue, how, &sim)?;
                }
                Ok(())
            })
            .expect("money and cards");
    }

    /// The same trade, as another process sees it.
    ///
    /// # Panics
    /// If the database does not open.
    pub fn again(&self) -> Trade {
        let now = Arc::new(AtomicI64::new(self.now().0));
        let hand = now.clone();
        let clock = Clock::new(move || Timestamp(hand.load(Ordering::Relaxed)));
        let store = self.engine.store().clone();
        let engine = Engine::open(store, clock, Settings::default()).expect("the engine opens");
        Trade { engine, now, records: AtomicI64::new(1_000_000) }
    }

    /// The same trade under other settings.
    ///
    /// # Panics
    /// If the database does not open.
    #[must_use]
    pub fn under(self, settings: Settings) -> Trade {
        let hand = self.now.clone();
        let clock = Clock::new(move || Timestamp(hand.load(Ordering::Relaxed)));
        let engine = Engine::open(self.engine.store().clone(), clock, settings).expect("the engine opens");
        Trade { engine, ..self }
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    /// Moves the clock on.
    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The account as one that acts.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn actor(&self, account: AccountId) -> Actor {
        self.engine.catalogue().expect("the catalogue").actor(account).expect("an account of this trade")
    }

    /// What the account may spend, minor units.
    ///
    /// # Panics
    /// If the database fails.
    pub fn balance(&self, account: AccountId) -> i64 {
        self.engine.store().read(|tx| tx.balance(account)).expect("the balance").0
    }

    /// The card used so many bytes, in a record that stopped at the instant: taken in as a CDR file.
    ///
    /// # Panics
    /// If the record is not rated.
    pub fn traffic(&self, iccid: &str, stop: Timestamp, bytes: i64) {
        self.traffic_in(iccid, stop, bytes, "867530912345678");
    }

    /// As [`Trade::traffic`], in a device.
    ///
    /// # Panics
    /// If the record is not rated.
    pub fn traffic_in(&self, iccid: &str, stop: Timestamp, bytes: i64, imei: &str) {
        let id = self.records.fetch_add(1, Ordering::Relaxed);
        let utc = Zone::find("UTC").expect("a zone");
        let (from, to) = (utc.text(stop.plus(-60)), utc.text(stop));
        let line = format!("{id},{from},{to},{iccid},460001234567890,{bytes},{imei},31026\n");
        let name = format!("cdr_1_{}_{}_{id}.csv", utc.digits(stop.plus(-60)), utc.digits(stop));
        let catalogue = self.engine.catalogue().expect("catalogue");
        let card = self.engine.store().look(|tx| tx.sim_by_iccid(&Path::root(), iccid)).expect("a look").expect("a card");
        let platform = catalogue.product(card.product).expect("a product").platform;
        let report = import::import(&self.engine, platform, &name, &mut Cursor::new(line), &mut |_| {}).expect("an import");
        assert_eq!(report.loaded, 1, "{report:?}");
    }

    /// eSIM goods with a stock of profiles, each ICCID with the code `LPA:1$smdp.example$ICCID`.
    ///
    /// # Panics
    /// If there is no such package, or the database refuses a row.
    pub fn esim_goods(&self, code: &str, package: &str, price_minor: i64, profiles: &[&str]) {
        let (code, package) = (code.to_owned(), package.to_owned());
        let profiles: Vec<Iccid> = profiles.iter().map(|i| Iccid::parse(i).expect("a well-formed ICCID")).collect();
        let stocked = self.engine.write(move |tx, catalogue, how| {
            let package = catalogue.package_by_code(&package).expect("a package of this trade");
            let goods = Goods { id: 0, code: code.clone(), name: format!("name of {code}"), package: package.id, price_minor };
            tx.put_esim_goods(&goods)?;
            let id = tx.esim_goods()?.iter().find(|g| g.code == code).map_or(0, |g| g.id);
            for iccid in &profiles {
                let sim = sims::put(tx, catalogue, how, &sims::blank(iccid, OPERATOR, package.product))?.id();
                tx.put_esim_profile(id, sim, &format!("LPA:1$smdp.example${iccid}"))?;
            }
            tx.touch_catalogue()?;
            Ok(())
        });
        stocked.expect("goods and profiles");
    }

    /// Asserts that the audit finds nothing.
    ///
    /// # Panics
    /// If it does.
    pub fn assert_sound(&self) {
        let report = kachi_engine::audit::audit(&self.engine).expect("the audit runs");
        assert!(report.clean, "{:#?}", report.violations);
    }

    /// The number of a card with us.
    ///
    /// # Panics
    /// If there is no such card.
    pub fn sim(&self, iccid: &str) -> SimId {
        let iccid = iccid.to_owned();
        let found = self.engine.store().read(move |tx| tx.sim_by_iccid(&Path::root(), &iccid));
        found.expect("the database").expect("a card of this trade").id
    }
}

fn accounts(tx: &mut kachi_store::Tx<'_>) -> Result<(), Error> {
    let operator = Path::root();
    let north = operator.child(NORTH);
    for (id, code, path, currency, language) in [
        (OPERATOR, "operator", operator.clone(), "USD", "zh"),
        (NORTH, "north", north.clone(), "USD", "zh"),
        (ACME, "acme", north.child(ACME), "USD", "en"),
        (OTHER, "other", operator.child(OTHER), "USD", "zh"),
        (KYOTO, "kyoto", operator.child(KYOTO), "JPY", "en"),
    ] {
        let account = Account {
            id,
            code: code.into(),
            path,
            name: code.to_uppercase(),
            currency: Currency::parse(currency).map_err(Error::Engine)?,
            time_zone: "Asia/Shanghai".into(),
            language: language.into(),
            credit_minor: 0,
            ip_allow: "[]".into(),
            notify: "{}".into(),
            contact: "{}".into(),
            switch: Switch::On,
            claims: false,
            credit_stop: false,
        };
        tx.put_account(&account, START)?;
        tx.put_credential("eiotclub", &format!("key-{code}"), id, &secret(code))?;
    }
    Ok(())
}

/// The EIOTCLUB secret of an account of this trade; its appkey is `key-{code}`.
pub fn secret(code: &str) -> String {
    format!("{code}-a1b1c1d1")
}

fn catalogue(tx: &mut kachi_store::Tx<'_>) -> Result<(), Error> {
    tx.put_platform(1, "hand", "manual", "{}")?;
    for (code, name, carrier) in [("1US-1", "US 3 networks", "INTL"), ("CN-1", "China", "CM")] {
        let (code, name, carrier) = (code.into(), name.into(), carrier.into());
        tx.put_product(&Product {
            id: ProductId(0),
            code,
            name,
            carrier,
            platform: PlatformId(1),
            bare_use: false,
            details: ZONE.into(),
        })?;
    }
    let product = |products: &[Product], code: &str| products.iter().find(|p| p.code == code).map_or(ProductId(0), |p| p.id);
    let products = tx.products()?;
    let (us, cn) = (product(&products, "1US-1"), product(&products, "CN-1"));
    let long = package("GJ-100M-30D", us, Kind::Quota, Span::Days(30), 130);
    tx.put_package(&long)?;
    tx.put_package(&Package { stack_max: 1, ..package("GJ-ONCE", us, Kind::Quota, Span::Days(7), 50) })?;
    tx.put_package(&package("GJ-TIME-1MO", us, Kind::Time, Span::Months(1), 900))?;
    tx.put_package(&package("GJ-SLOW-30D", us, Kind::Throttled, Span::Days(30), 700))?;
    tx.put_package(&package("GJ-DEAR", us, Kind::Quota, Span::Days(30), 10_000_000))?;
    tx.put_package(&Package { fulfil: Fulfil::Carrier, ..package("GJ-CARRIER", us, Kind::Quota, Span::Days(30), 200) })?;
    tx.put_package(&package("CN-100M-30D", cn, Kind::Quota, Span::Days(30), 100))?;
    let yen = Currency::parse("JPY").map_err(Error::Engine)?;
    tx.put_package(&Package { currency: yen, ..package("GJ-YEN", us, Kind::Quota, Span::Days(30), 120) })?;
    let packages = tx.packages()?;
    if let Some(p) = packages.iter().find(|p| p.code == long.code) {
        // North pays 1.00 and sells to Acme at 1.30: 0.30 is its share.
        tx.put_price(&Price { account: NORTH, package: p.id, price_minor: Some(100), retail_minor: Some(130), listed: None })?;
    }
    pool_types(tx, us, cn)
}

/// Pools of 100 MB: two cards for 7 days at 5.00, of which the reseller keeps 1.00; one card, too dear a one, one for the
/// other product, one in yen.
fn pool_types(tx: &mut kachi_store::Tx<'_>, us: ProductId, cn: ProductId) -> Result<(), Error> {
    let yen = Currency::parse("JPY").map_err(Error::Engine)?;
    let sold = |code: &str, product, days, price| package(code, product, Kind::Quota, Span::Days(days), price);
    for (package, slots) in [
        (sold("POOL-100M-7D", us, 7, 500), 2),
        (sold("POOL-100M-7D-1", us, 7, 300), 1),
        (sold("POOL-DEAR", us, 7, 10_000_000), 2),
        (sold("POOL-CN", cn, 7, 500), 2),
        (Package { currency: yen, ..sold("POOL-YEN", us, 7, 500) }, 2),
    ] {
        tx.put_package(&package)?;
        let id = tx.packages()?.iter().find(|p| p.code == package.code).map_or(PackageId(0), |p| p.id);
        tx.put_pool_type(id, slots)?;
        if package.code == "POOL-100M-7D" {
            tx.put_price(&Price { account: NORTH, package: id, price_minor: Some(400), retail_minor: Some(500), listed: None })?;
        }
    }
    Ok(())
}

/// A local data package of 100 MB in US dollars, retail at 1.5 times its price, for as many a card as it likes.
pub fn package(code: &str, product: ProductId, kind: Kind, validity: Span, price_minor: i64) -> Package {
    let allowance = if kind == Kind::Time { 0 } else { 100 << 20 };
    Package {
        id: PackageId(0),
        code: code.into(),
        name: format!("name of {code}"),
        retail_name: format!("retail {code}"),
        product,
        terms: Terms { kind, category: Category::Long, resource: Resource::Data, allowance, validity, window: Window::Whole },
        start: StartRule::Queue,
        fulfil: Fulfil::Local,
        price_minor,
        retail_minor: price_minor * 3 / 2,
        currency: Currency::USD,
        listed: true,
        stack_max: 24,
        speed_kbps: None,
        carrier_code: None,
    }
}

fn cards(us: ProductId, cn: ProductId) -> Vec<Sim> {
    let card = |iccid: &str, account, product, state: BaseState| Sim {
        state: state.word().into(),
        blocks: Blocks::NO_PACKAGE.0,
        ..sims::blank(&Iccid::parse(iccid).expect("a well-formed ICCID"), account, product)
    };
    let known = Sim {
        imsi: Some("460001234567890".into()),
        eid: Some("89049032000000000000000000000001".into()),
        imei: Some("867530912345678".into()),
        network: "VAT".into(),
        remark: "shelf 7".into(),
        real_name: true,
        activated_at: Some(START.0 - 86_400),
        ..card(CARD, ACME, us, BaseState::Active)
    };
    vec![
        known,
        card(READY, ACME, us, BaseState::Ready),
        card(CHINESE, ACME, cn, BaseState::Active),
        card(CLOSED, ACME, us, BaseState::Closed),
        card(FOREIGN, OTHER, us, BaseState::Active),
        card(KYOTO_CARD, KYOTO, us, BaseState::Active),
    ]
}
