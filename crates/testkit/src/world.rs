//! A small reseller's world over any database: accounts in a chain, a product, packages, cards, and a clock that only
//! the test moves.

use kachi_domain::account::{Path, Switch};
use kachi_domain::order::Channel;
use kachi_domain::package::{Category, Fulfil, Kind, Resource, StartRule, Terms, Window};
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, Currency, Iccid, Money, OrderId, PackageId, PlatformId, ProductId, SimId, Span, Timestamp};
use kachi_engine::import::{self, Report};
use kachi_engine::orders::{Place, Placed};
use kachi_engine::{Actor, Clock, Engine, Fail, RequestKey, Result, Settings, cards, imei, money, orders, pools, refunds, sims};
use kachi_store::Store;
use kachi_store::accounts::Account;
use kachi_store::catalogue::{Package, Product};
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Where the world's clock begins: 2026-03-01T00:00:00Z.
pub const BEGIN: i64 = 1_772_323_200;
/// The reseller between the operator and [`ACME`].
pub const NORTH: AccountId = AccountId(10_001);
/// The customer that owns the cards.
pub const ACME: AccountId = AccountId(10_002);
/// A stranger with cards of its own.
pub const STRANGER: AccountId = AccountId(10_003);
/// One megabyte.
pub const MB: i64 = 1 << 20;

/// The world.
pub struct World {
    /// The engine over the database under test.
    pub engine: Engine,
    now: Arc<AtomicI64>,
    made: AtomicU64,
}

impl World {
    /// Builds the world in an empty database.
    pub fn new(store: Store) -> World {
        World::with(store, Settings::default())
    }

    /// Builds the world with settings of the test's own.
    pub fn with(store: Store, settings: Settings) -> World {
        let world = World::open(store, settings);
        world
            .engine
            .write(|tx, _, how| {
                fill(tx, how.now)?;
                Ok(())
            })
            .expect("the world is made");
        world
    }

    /// Opens a world that is already there.
    pub fn open(store: Store, settings: Settings) -> World {
        let now = Arc::new(AtomicI64::new(BEGIN));
        let hand = now.clone();
        let clock = Clock::new(move || Timestamp(hand.load(Ordering::SeqCst)));
        World { engine: Engine::open(store, clock, settings).expect("the engine opens"), now, made: AtomicU64::new(0) }
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    /// Moves the clock and lets what is due happen.
    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
        let e = &self.engine;
        let due = || Ok::<_, Fail>(pools::settle_due(e)? + cards::settle_due(e)? + imei::end_due(e)?);
        while due().expect("timers run") > 0 {}
    }

    /// Moves the clock only.
    pub fn set_now(&self, at: i64) {
        self.now.store(at, Ordering::SeqCst);
    }

    /// The n-th card's number.
    pub fn iccid(n: u64) -> Iccid {
        Iccid::parse(&format!("8986001{n:013}")).expect("well-formed")
    }

    /// Adds cards `0..n` of an account.
    pub fn add_cards(&self, account: AccountId, range: std::ops::Range<u64>) {
        self.engine
            .write(move |tx, catalogue, how| {
                let product = catalogue.product_by_code("1US-1").map(|p| p.id).ok_or_else(|| Fail::fault("product"))?;
                for n in range {
                    let mut sim = sims::blank(&World::iccid(n), account, product);
                    sim.state = BaseState::Active.word().into();
                    sim.imsi = Some(format!("46000{n:010}"));
                    sims::put(tx, catalogue, how, &sim)?;
                }
                Ok(())
            })
            .expect("cards are added");
    }

    /// Writes an account made of one that is there: the same one changed, or another like it.
    pub fn put_account_like(&self, of: AccountId, made: impl FnOnce(Account) -> Account) {
        let there = self.engine.catalogue().expect("catalogue").account(of).expect("the account exists").account.clone();
        let account = made(there);
        let act = self.engine.write(move |tx, _, how| {
            tx.put_account(&account, how.now)?;
            Ok(tx.touch_catalogue()?)
        });
        act.expect("the account is written");
    }

    /// An account as one that acts.
    pub fn actor(&self, account: AccountId) -> Actor {
        self.engine.catalogue().expect("catalogue").actor(account).expect("the account exists")
    }

    /// Buys a package for a card as ACME.
    pub fn buy(&self, card: u64, package: &str, out_trade_no: &str) -> Result<Placed> {
        let place = Place {
            iccid: World::iccid(card),
            package_code: package.into(),
            out_trade_no: Some(out_trade_no.into()),
            channel: Channel::Api,
            custom_data: None,
            number: format!("{:032}", self.made.fetch_add(1, Ordering::SeqCst) + (self.now().0 as u64) * 1000),
        };
        let actor = self.actor(ACME);
        self.engine.write(move |tx, catalogue, how| orders::place(tx, catalogue, how, &actor, &place))
    }

    /// Takes an order back as ACME; the answer is minor units.
    pub fn refund(&self, card: u64, order: OrderId) -> Result<i64> {
        let actor = self.actor(ACME);
        self.engine.write(move |tx, catalogue, how| {
            refunds::refund(tx, catalogue, how, &actor, &World::iccid(card), order, "test").map(|q| q.minor)
        })
    }

    /// Takes in CDR lines as one file.
    pub fn cdr(&self, name: &str, lines: &str) -> Report {
        self.try_cdr(name, lines).expect("the file is taken in")
    }

    /// Takes in CDR lines as one file, or says why not.
    pub fn try_cdr(&self, name: &str, lines: &str) -> Result<Report> {
        let catalogue = self.engine.catalogue()?;
        let platform = catalogue.product_by_code("1US-1").map(|p| p.platform).ok_or_else(|| Fail::fault("product"))?;
        import::import(&self.engine, platform, name, &mut Cursor::new(lines.as_bytes().to_vec()), &mut |_| {})
    }

    /// The platform on which the cards live from the start.
    pub fn platform(&self) -> PlatformId {
        self.engine.catalogue().expect("catalogue").platform_by_code("hand").expect("platform").id
    }

    /// A card as it is now.
    pub fn card(&self, n: u64) -> sims::Card {
        let actor = self.actor(AccountId(1));
        self.engine
            .read(|tx, catalogue| sims::card(catalogue, &actor, tx.sim_and_state(World::iccid(n).as_str())?, self.now()))
            .expect("the card exists")
    }

    /// What an account may spend, minor units.
    pub fn balance(&self, account: AccountId) -> i64 {
        self.engine.read(|tx, catalogue| money::balance(tx, catalogue, account)).expect("balance").minor
    }

    /// Kinds of the events of a card, oldest first.
    pub fn events(&self, card: u64) -> Vec<String> {
        let id = self.card(card).sim.id;
        self.engine
            .read(|tx, catalogue| {
                let sees = catalogue.account(AccountId(1)).map(|a| a.sees.clone()).unwrap_or_default();
                let mut kinds: Vec<String> =
                    tx.events_newest(&sees, 10_000)?.into_iter().filter(|e| e.2 == Some(id.0)).map(|e| e.3).collect();
                kinds.reverse();
                Ok(kinds)
            })
            .expect("events")
    }

    /// Asserts that the audit finds nothing.
    pub fn assert_sound(&self) {
        let report = kachi_engine::audit::audit(&self.engine).expect("the audit runs");
        assert!(report.clean, "{:#?}", report.violations);
    }

    /// A request key for tests of repeated requests.
    pub fn key(key: &str, body: &str) -> RequestKey {
        RequestKey { door: "test", key: key.into(), number: None, body_hash: body.into(), correct_seconds: 0 }
    }
}

/// A CDR line in the standard form.
pub fn line(id: i64, card: u64, start: i64, stop: i64, bytes: i64) -> String {
    line_in(id, card, start, stop, bytes, 867_530_912_345_678)
}

/// A CDR line of the card in a device; 0 = none is named.
pub fn line_in(id: i64, card: u64, start: i64, stop: i64, bytes: i64, imei: i64) -> String {
    let record = kachi_domain::usage::CdrRecord {
        source_id: id,
        start: Timestamp(start),
        stop: Timestamp(stop),
        iccid: World::iccid(card),
        imsi: 460_000_000_000_001,
        bytes,
        imei,
        mccmnc: 46_000,
    };
    let mut out = Vec::new();
    kachi_domain::cdr::write_record(&mut out, &record);
    String::from_utf8(out).expect("ASCII")
}

fn account(id: AccountId, code: &str, parent: &Path, credit_minor: i64) -> Account {
    Account {
        id,
        code: code.into(),
        path: parent.child(id),
        name: code.to_uppercase(),
        currency: Currency::USD,
        time_zone: "Asia/Shanghai".into(),
        language: "en".into(),
        credit_minor,
        ip_allow: "[]".into(),
        notify: r#"{"eiotclub":"http://127.0.0.1:9/n"}"#.into(),
        contact: "{}".into(),
        switch: Switch::On,
        claims: id == ACME,
        credit_stop: false,
    }
}

/// The packages of the world: (code, kind, category, MB, validity, window, price in cents, fulfil).
type PackageLine = (&'static str, Kind, Category, i64, Span, Window, i64, Fulfil);
const PACKAGES: &[PackageLine] = &[
    ("Q100-30D", Kind::Quota, Category::Long, 100, Span::Days(30), Window::Whole, 130, Fulfil::Local),
    ("Q1000-30D", Kind::Quota, Category::Long, 1000, Span::Days(30), Window::Whole, 900, Fulfil::Local),
    ("M50-3M", Kind::Quota, Category::Month, 50, Span::Months(3), Window::CalendarMonth, 300, Fulfil::Local),
    ("T-7D", Kind::Time, Category::Long, 0, Span::Days(7), Window::Whole, 500, Fulfil::Local),
    ("TOP20-5D", Kind::Quota, Category::TopUp, 20, Span::Days(5), Window::Whole, 50, Fulfil::Local),
    ("C100-30D", Kind::Quota, Category::Long, 100, Span::Days(30), Window::Whole, 200, Fulfil::Carrier),
];

fn fill(tx: &mut kachi_store::Tx<'_>, now: Timestamp) -> Result<()> {
    let root = Path::root();
    let operator =
        Account { id: AccountId(1), code: "operator".into(), path: root.clone(), ..account(AccountId(1), "operator", &root, 0) };
    let north = account(NORTH, "north", &root, 0);
    let acme = account(ACME, "acme", &north.path, 0);
    let stranger = account(STRANGER, "stranger", &root, 0);
    for a in [&operator, &north, &acme, &stranger] {
        tx.put_account(a, now)?;
    }
    tx.put_credential("eiotclub", "000001", ACME, "a1b1c1d1")?;
    tx.put_credential("eiotclub", "000002", STRANGER, "e1f1")?;
    tx.put_credential("eiotclub", "000003", NORTH, "0a0b")?;
    tx.put_platform(0, "hand", "manual", "{}")?;
    tx.put_platform(0, "play", "sandbox", "{}")?;
    let platform = tx.platforms()?.iter().find(|p| p.code == "hand").map(|p| p.id).ok_or_else(|| Fail::fault("platform"))?;
    tx.put_product(&Product {
        id: ProductId(0),
        code: "1US-1".into(),
        name: "US".into(),
        carrier: "INTL".into(),
        platform,
        bare_use: false,
        details: "{}".into(),
    })?;
    let product = tx.products()?[0].id;
    for (code, kind, category, mb, validity, window, price, fulfil) in PACKAGES {
        tx.put_package(&Package {
            id: PackageId(0),
            code: (*code).into(),
            name: format!("{code} name"),
            retail_name: String::new(),
            product,
            terms: Terms {
                kind: *kind,
                category: *category,
                resource: Resource::Data,
                allowance: mb * MB,
                validity: *validity,
                window: *window,
            },
            start: StartRule::Queue,
            fulfil: *fulfil,
            price_minor: *price,
            retail_minor: price * 2,
            currency: Currency::USD,
            listed: true,
            stack_max: 24,
            speed_kbps: None,
            carrier_code: None,
        })?;
    }
    tx.touch_catalogue()?;
    for id in [NORTH, ACME, STRANGER] {
        let postings = kachi_domain::ledger::top_up(id, 10_000);
        tx.post(id, kachi_domain::ledger::Journal::TopUp, "opening balance", &postings, now)?;
    }
    Ok(())
}

/// The card's number with us.
pub fn sim_id(world: &World, card: u64) -> SimId {
    world.card(card).sim.id
}

/// Money in dollars for messages.
pub fn dollars(minor: i64) -> String {
    Money { minor, currency: Currency::USD }.to_decimal()
}
