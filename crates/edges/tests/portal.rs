//! The live page, asked as a browser asks: sessions, other sites' requests, escaping, what an account sees, both
//! languages, fragments; on both databases.

#[path = "portal_parts/older.rs"]
mod older;
#[path = "portal_parts/support.rs"]
mod support;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use kachi_domain::account::Switch;
use kachi_domain::ledger::{Bucket, Journal, Posting};
use kachi_domain::order::Channel;
use kachi_domain::{AccountId, OrderId};
use kachi_edges::portal::{self, PortalDoor, receiver::Receiver};
use kachi_engine::network::CardKey;
use kachi_engine::orders::Place;
use kachi_engine::records::OrderName;
use kachi_engine::renewals::{self, Again, Renew, Review};
use kachi_engine::{Clock, accounts, orders, pools, sims};
use kachi_testkit::db;
use kachi_testkit::world::{ACME, BEGIN, MB, NORTH, STRANGER, World, line};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tower::ServiceExt;

/// "correct horse", with parameters that cost a test nothing.
const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$bm90IGEgcmVhbCBzYWx0IQ$GESV9tzXmOEJz5XNzeHXemziFNgj5ClQxPMJetSntEo";
const PASSWORD: &str = "correct horse";

/// An answer, read.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().expect("text"))
    }

    #[track_caller]
    fn has(&self, words: &str) {
        assert!(self.body.contains(words), "no {words:?} in {}", self.body);
    }

    #[track_caller]
    fn lacks(&self, words: &str) {
        assert!(!self.body.contains(words), "{words:?} in {}", self.body);
    }
}

/// A browser of one person.
struct Browser {
    app: Router,
    cookie: String,
    language: &'static str,
}

impl Browser {
    fn new(app: &Router) -> Browser {
        Browser { app: app.clone(), cookie: String::new(), language: "en" }
    }

    async fn logged_in(app: &Router, login: &str) -> Browser {
        let mut browser = Browser::new(app);
        let answer = browser.post("/login", &format!("login={login}&password=correct+horse")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        browser.cookie = answer.header(header::SET_COOKIE).split(';').next().expect("a cookie").to_owned();
        browser
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "kachi.example");
        let request = request.header(header::ACCEPT_LANGUAGE, self.language);
        if self.cookie.is_empty() { request } else { request.header(header::COOKIE, &self.cookie) }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 10 << 20).await.expect("a body");
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(bytes.to_vec()).expect("UTF-8") }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Body::empty()).expect("a request")).await
    }

    async fn post(&self, path: &str, form: &str) -> Answer {
        let request = self.request(Method::POST, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.header(header::ORIGIN, "https://kachi.example").header("sec-fetch-site", "same-origin");
        self.send(request.body(Body::from(form.to_owned())).expect("a request")).await
    }
}

/// A world with traffic, a login for each account, and the page over it.
fn house(store: kachi_store::Store) -> (Arc<World>, Router) {
    let world = World::new(store);
    world.add_cards(ACME, 0..3);
    world.add_cards(STRANGER, 50..52);
    world.buy(0, "Q100-30D", "T-1").expect("bought");
    world.buy(0, "TOP20-5D", "T-2").expect("bought");
    world.buy(1, "C100-30D", "T-3").expect("bought");
    world.pass(3_600);
    world.cdr("a.csv", &line(1, 0, BEGIN + 600, BEGIN + 900, 30 * MB));
    world
        .engine
        .write(|tx, catalogue, how| {
            for (login, account) in [("root", AccountId(1)), ("north", NORTH), ("acme", ACME), ("stranger", STRANGER)] {
                tx.put_login(login, account, "owner", HASH, how.now)?;
            }
            let product = catalogue.product_by_code("1US-1").map(|p| p.id).expect("the product");
            let mut sim = sims::blank(&World::iccid(9), ACME, product);
            sim.alias = "<script>alert(1)</script>".into();
            sims::put(tx, catalogue, how, &sim)?;
            Ok(())
        })
        .expect("logins are made");
    let fresh = AtomicU8::new(1);
    let now = world.now();
    let app = portal::router(PortalDoor {
        engine: world.engine.clone(),
        random: Arc::new(move || [fresh.fetch_add(1, Ordering::SeqCst); 32]),
        demo: true,
        clock_offset_seconds: -60,
        receiver: Some(Receiver::new(Clock::new(move || now), vec!["a1b1c1d1".into()])),
    });
    let app = app.merge(portal::health_router(&world.engine));
    (Arc::new(world), app)
}

fn each<F: Future<Output = ()>>(test: impl Fn(Arc<World>, Router) -> F) {
    db::each(|store| {
        let (world, app) = house(store);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(test(world, app));
    });
}

#[test]
fn only_the_right_password_opens_and_all_others_get_one_answer() {
    each(|_, app| async move {
        let browser = Browser::new(&app);
        let wrong = browser.post("/login", "login=acme&password=wrong").await;
        let unknown = browser.post("/login", "login=nobody&password=wrong").await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        assert_eq!((wrong.status, &wrong.body), (unknown.status, &unknown.body));
        wrong.has("role=\"alert\"");
        assert!(wrong.header(header::SET_COOKIE).is_empty());
        assert_eq!(browser.post("/login", "login=acme").await.status, StatusCode::BAD_REQUEST);
        let long = format!("login=acme&password={}", "x".repeat(2000));
        assert_eq!(browser.post("/login", &long).await.status, StatusCode::UNAUTHORIZED);

        let right = browser.post("/login", &format!("login=acme&password={}", PASSWORD.replace(' ', "+"))).await;
        assert_eq!((right.status, right.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/"));
        let cookie = right.header(header::SET_COOKIE);
        assert!(cookie.contains("HttpOnly; SameSite=Lax; Max-Age=43200") && !cookie.contains("Secure"), "{cookie}");
        let by_https = browser
            .request(Method::POST, "/login")
            .header("x-forwarded-proto", "https")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from("login=acme&password=correct+horse"))
            .expect("a request");
        assert!(browser.send(by_https).await.header(header::SET_COOKIE).ends_with("; Secure"));
    });
}

#[test]
fn a_session_is_needed_and_ends() {
    each(|world, app| async move {
        let stranger = Browser::new(&app);
        for path in ["/", "/sims/89860010000000000000"] {
            let answer = stranger.get(path).await;
            assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/login"), "{path}");
        }
        assert_eq!(stranger.get("/fragment/sims").await.status, StatusCode::UNAUTHORIZED);
        let nowhere = stranger.request(Method::GET, "//evil.example/x").header(header::ACCEPT, "text/html,*/*");
        let nowhere = stranger.send(nowhere.body(Body::empty()).expect("a request")).await;
        assert!(nowhere.status == StatusCode::NOT_FOUND && nowhere.body.contains("There is no such page"), "{}", nowhere.body);
        nowhere.lacks("evil.example");

        let browser = Browser::logged_in(&app, "acme").await;
        let token = browser.cookie.split_once('=').expect("a token").1.to_owned();
        assert_eq!(token.len(), 64);
        let stored = world.engine.store().look(|tx| tx.session(&token, world.now())).expect("asked");
        assert!(stored.is_none(), "the token itself is not stored");
        assert_eq!(browser.get("/").await.status, StatusCode::OK);
        assert_eq!(browser.get("/login").await.header(header::LOCATION), "/");
        let out = browser.post("/logout", "").await;
        assert!(out.header(header::SET_COOKIE).contains("Max-Age=0"));
        assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);

        let browser = Browser::logged_in(&app, "acme").await;
        world.set_now(world.now().0 + 12 * 3600 + 1);
        assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
        let browser = Browser::logged_in(&app, "acme").await;
        let now = world.now();
        let changed = world.engine.store().write_async(move |tx| tx.put_login("acme", ACME, "viewer", HASH, now));
        changed.await.expect("another password");
        assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
        let browser = Browser::logged_in(&app, "acme").await;
        assert!(world.engine.store().write_async(|tx| tx.remove_login("acme")).await.expect("taken away"));
        assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
    });
}

#[test]
fn another_sites_page_changes_nothing() {
    each(|_, app| async move {
        let browser = Browser::logged_in(&app, "acme").await;
        for (name, value) in
            [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")]
        {
            let request = browser.request(Method::POST, "/logout").header(name, value).body(Body::empty()).expect("a request");
            assert_eq!(browser.send(request).await.status, StatusCode::FORBIDDEN, "{name}: {value}");
        }
        let page = browser.get("/").await;
        assert_eq!(page.status, StatusCode::OK);
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert_eq!(policy, "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
        assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
        page.lacks("<style");
        page.lacks(" style=");
        page.lacks("<script>");
        assert_eq!(browser.get("/logout").await.status, StatusCode::METHOD_NOT_ALLOWED);
    });
}

#[test]
fn foreign_words_are_only_words() {
    each(|_, app| async move {
        let browser = Browser::logged_in(&app, "acme").await;
        let iccid = World::iccid(9);
        for path in ["/", "/fragment/sims", &format!("/sims/{iccid}")] {
            let page = browser.get(path).await;
            page.has("&lt;script&gt;alert(1)&lt;/script&gt;");
            page.lacks("<script>alert");
        }
        let page = browser.get("/?q=%22%3E%3Cscript%3Ex").await;
        page.lacks("\"><script>x");
        assert_eq!(browser.get("/sims/%22%3E%3Cb%3E").await.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn an_account_sees_itself_and_below() {
    each(|_, app| async move {
        let own = World::iccid(0).to_string();
        let foreign = World::iccid(50).to_string();
        for (login, sees_own, sees_foreign) in
            [("acme", true, false), ("north", true, false), ("stranger", false, true), ("root", true, true)]
        {
            let browser = Browser::logged_in(&app, login).await;
            let page = browser.get("/").await;
            assert_eq!(page.body.contains(&own), sees_own, "{login}");
            assert_eq!(page.body.contains(&foreign), sees_foreign, "{login}");
            assert_eq!(page.body.contains("STRANGER"), sees_foreign, "{login}");
            assert_eq!(browser.get(&format!("/fragment/sims?q={own}")).await.body.contains("<table>"), sees_own, "{login}");
            assert_eq!(browser.get(&format!("/sims/{foreign}")).await.status.is_success(), sees_foreign, "{login}");
        }
        let browser = Browser::logged_in(&app, "acme").await;
        let (foreign, unknown) =
            (browser.get(&format!("/sims/{foreign}")).await, browser.get("/sims/8986001000000000999F").await);
        assert_eq!(foreign.status, unknown.status);
        assert_eq!(foreign.body.replace("89860010000000000050", ""), unknown.body.replace("8986001000000000999F", ""));
    });
}

#[test]
fn the_page_speaks_two_languages() {
    each(|_, app| async move {
        let mut browser = Browser::logged_in(&app, "acme").await;
        let english = browser.get("/").await;
        english.has("<html lang=\"en\">");
        english.has("The newest orders");
        browser.language = "zh-CN,zh;q=0.9,en;q=0.8";
        let chinese = browser.get("/").await;
        chinese.has("<html lang=\"zh-CN\">");
        chinese.has("最新订单");
        chinese.has("/fragment/orders?lang=zh");
        browser.get("/?orders=failed&q=12").await.has("<a href=\"/?lang=en&amp;q=12&amp;orders=failed\"");
        let chosen = browser.get("/?lang=en").await;
        chosen.has("The newest orders");
        assert!(chosen.header(header::SET_COOKIE).starts_with("kachi_lang=en"));
        browser.get("/login?lang=en").await;
        Browser::new(&app).get("/login?lang=zh").await.has("登录 Kachi");
    });
}

#[test]
fn each_section_can_be_asked_for_alone() {
    each(|_, app| async move {
        let browser = Browser::logged_in(&app, "north").await;
        for (name, words) in [
            ("counts", ">Cards</a></dt><dd>4 "),
            ("accounts", "96.20 <abbr>USD</abbr>"),
            ("usage", "All cards: 30.0 MB in 90 days"),
            ("sims", "10.0 MB / 100.0 MB"),
            ("orders", "waiting for the carrier"),
            ("notices", "package bought"),
            ("receiver", "Nothing has come in yet"),
        ] {
            let fragment = browser.get(&format!("/fragment/{name}")).await;
            fragment.has(words);
            fragment.lacks("<html");
            browser.get("/").await.has(words);
        }
        assert_eq!(browser.get("/fragment/secrets").await.status, StatusCode::NOT_FOUND);
        let page = browser.get("/").await;
        page.has("accounts, cards and usage are made up");
        page.has("shifted by -60 seconds");
    });
}

#[test]
fn an_account_shows_what_it_owes_beside_its_balance() {
    each(|world, app| async move {
        let mut browser = Browser::logged_in(&app, "north").await;
        browser.get("/fragment/accounts").await.lacks("owes");
        let of = |account, bucket, minor| Posting { account, bucket, minor };
        let owes = [of(ACME, Bucket::Owed, -395), of(AccountId(1), Bucket::Revenue, 395)];
        let post = move || world.engine.write(move |tx, _, how| Ok(tx.post(ACME, Journal::Refund, "test", &owes, how.now)?));
        aside(post).expect("posted");
        browser.get("/fragment/accounts").await.has("96.20 <abbr>USD</abbr><br><small>owes 3.95 USD</small>");
        browser.language = "zh";
        browser.get("/fragment/accounts").await.has("<small>欠款 3.95 USD</small>");
    });
}

#[test]
fn a_card_tells_who_pays_and_what_is_in_its_way() {
    each(|_, app| async move {
        let browser = Browser::logged_in(&app, "acme").await;
        let page = browser.get(&format!("/sims/{}", World::iccid(0))).await;
        page.has("nothing is in its way");
        page.has("data-age=\"");
        page.has("This card: 30.0 MB in 90 days");
        assert_eq!(page.body.matches("pays now").count(), 1);
        let blocked = browser.get(&format!("/sims/{}", World::iccid(1))).await;
        blocked.has("no package");
        blocked.has("waiting for the carrier");
        assert_eq!(blocked.body.matches("pays now").count(), 0);
        // Why it is off line: causes with who can lift them and how, what was looked at, and what could not be.
        page.has("Nothing that is known here speaks against the card: look at the device.");
        for words in
            ["Why is it off line?", "a package is paid for", "paid, waits for the carrier", "not known, it was never read"]
        {
            blocked.has(words);
        }
        blocked.lacks("kachi admin");
        blocked.lacks("package/orderPackage");
        blocked.has("<dt>Real name</dt><dd>not registered</dd>");
        blocked.has("Source: our own database; usage from usage records");
        let bare = browser.get(&format!("/sims/{}", World::iccid(2))).await;
        ["the card has no package", "package/orderPackage"].into_iter().for_each(|words| bare.has(words));
        let chinese = Browser { language: "zh", ..browser };
        let blocked = chinese.get(&format!("/sims/{}", World::iccid(1))).await;
        ["为何离线？", "套餐已付款，待运营商确认", "可由谁处理"].into_iter().for_each(|words| blocked.has(words));
        let browser = Browser { language: "en", ..chinese };
        let by_beginning = browser.get("/fragment/sims?q=8986%20001").await;
        assert_eq!(by_beginning.body.matches("<tr data-key").count(), 4);
        let by_imsi = browser.get("/fragment/sims?q=460000000000002").await;
        assert_eq!(by_imsi.body.matches("<tr data-key").count(), 1);
        browser.get("/fragment/sims?q=nothing").await.has("No such card");
        browser.get("/fragment/sims?before=0").await.has("No such card");
    });
}

/// Does what waits for the database beside the thread that drives the test.
fn aside<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|s| s.spawn(act).join()).expect("it is done")
}

#[test]
fn a_cards_page_shows_what_was_bought_above_without_its_price() {
    each(|world, app| async move {
        let north = aside(|| world.actor(NORTH));
        let place = Place {
            iccid: World::iccid(2),
            package_code: "Q1000-30D".into(),
            out_trade_no: None,
            channel: Channel::Platform,
            custom_data: None,
            number: "above".into(),
        };
        let placed = aside(|| world.engine.write(move |tx, catalogue, how| orders::place(tx, catalogue, how, &north, &place)));
        let order = placed.expect("it is bought").order;
        let part = |body: &str| {
            let from = body.find("id=\"orders\"").expect("orders");
            body[from..from + body[from..].find("</section>").expect("their end")].to_owned()
        };
        let path = format!("/sims/{}", World::iccid(2));
        let of_acme = part(&Browser::logged_in(&app, "acme").await.get(&path).await.body);
        let shows = |part: &str, words: &[&str]| words.iter().map(|w| part.contains(w)).collect::<Vec<_>>();
        let words = [&format!(">{order}<"), "Q1000-30D name", "bought above", "9.00", "NORTH"];
        assert_eq!(shows(&of_acme, &words), [true, true, true, false, false], "{of_acme}");
        let of_north = part(&Browser::logged_in(&app, "north").await.get(&path).await.body);
        assert_eq!(shows(&of_north, &words), [true, true, false, true, true], "{of_north}");
        // Whoever has the card later learns that it was bought, and not for what.
        let moved = aside(|| {
            let operator = world.actor(AccountId(1));
            world.engine.write(move |tx, catalogue, how| {
                sims::transfer(tx, catalogue, how, &operator, &World::iccid(2), STRANGER).map(|_| ())
            })
        });
        moved.expect("it is moved");
        let of_stranger = part(&Browser::logged_in(&app, "stranger").await.get(&path).await.body);
        assert_eq!(shows(&of_stranger, &words), [true, true, false, false, false], "{of_stranger}");
        assert!(of_stranger.contains("bought before the card came here"));
    });
}

/// A renewal of the card that the operator has still to let go; the answer is its order.
fn in_review(world: &World, card: u64) -> OrderId {
    let acme = aside(|| world.actor(ACME));
    let renew = Renew {
        card: CardKey::Iccid(World::iccid(card)),
        package_code: "Q100-30D".into(),
        months: 1,
        again: Again::Allow,
        start_day: None,
        review: Review::Manual,
        remark: None,
        digits: 1,
    };
    let act = || world.engine.write(move |tx, catalogue, how| renewals::renew(tx, catalogue, how, &acme, &renew));
    aside(act).expect("a renewal").order
}

#[test]
fn an_order_in_review_is_counted_and_named_and_no_money_is_shown_as_paid_that_went_back() {
    each(|world, app| async move {
        let order = in_review(&world, 2);
        let browser = Browser::logged_in(&app, "acme").await;
        let counts = browser.get("/fragment/counts").await;
        counts.has(">Orders done</a></dt><dd>2 ");
        counts.has(">Orders waiting</a></dt><dd>2 <small>1 in review</small>");
        let path = format!("/sims/{}", World::iccid(2));
        let packages = |page: &Answer| {
            let from = page.body.find("id=\"packages\"").expect("packages");
            page.body[from..from + page.body[from..].find("</section>").expect("their end")].to_owned()
        };
        let part = packages(&browser.get(&path).await);
        assert!(part.contains("in review") && !part.contains("waiting for the carrier"), "{part}");
        browser.get("/fragment/orders").await.has("1.30 <abbr>USD</abbr><br><small>held</small></span>");
        let reject = || {
            let name = OrderName::Id(order);
            world.engine.write(move |tx, catalogue, how| renewals::reject(tx, catalogue, how, &name, ("root", "no")))
        };
        aside(reject).expect("it is rejected");
        let orders = browser.get("/fragment/orders").await;
        orders.has("–<br><small>1.30 back</small>");
        orders.lacks("1.30 <abbr>USD</abbr><br><small>1.30 back");
    });
}

#[test]
fn a_link_is_there_only_where_there_is_a_page_and_a_pools_order_names_the_pool() {
    each(|world, app| async move {
        let acme = aside(|| world.actor(ACME));
        let type_is_sold = || {
            world.engine.write(|tx, catalogue, _| {
                let package = catalogue.package_by_code("Q1000-30D").expect("a package").id;
                tx.put_pool_type(package, 2)?;
                Ok(tx.touch_catalogue()?)
            })
        };
        aside(type_is_sold).expect("a type");
        let buy = || {
            world.engine.write(move |tx, catalogue, how| {
                let type_code = || "Q1000-30D".to_owned();
                let create = pools::Create { type_code: type_code(), memo: "<gates>".into(), ..pools::Create::default() };
                let pool = pools::create(tx, catalogue, how, &acme, &create)?;
                let (out_trade_no, number) = ("P-1".to_owned(), "p1".to_owned());
                let subscribe = pools::Subscribe { pool, type_code: type_code(), out_trade_no, channel: Channel::Api, number };
                pools::subscribe(tx, catalogue, how, &acme, &subscribe)
            })
        };
        aside(buy).expect("a pool");
        let browser = Browser::logged_in(&app, "acme").await;
        browser.get("/fragment/orders").await.has("pool &lt;gates&gt;<br>");
        let iccid = World::iccid(0);
        let link = format!("href=\"/sims/{iccid}\"");
        for name in ["orders", "notices"] {
            browser.get(&format!("/fragment/{name}")).await.has(&link);
        }
        let moved = aside(|| {
            let operator = world.actor(AccountId(1));
            world.engine.write(move |tx, catalogue, how| {
                sims::transfer(tx, catalogue, how, &operator, &World::iccid(0), STRANGER).map(|_| ())
            })
        });
        moved.expect("it is moved");
        for name in ["orders", "notices"] {
            let part = browser.get(&format!("/fragment/{name}")).await;
            part.has(iccid.as_str());
            part.lacks(&link);
        }
    });
}

#[test]
fn what_cannot_be_read_in_an_address_was_not_asked_for() {
    each(|_, app| async move {
        let browser = Browser::logged_in(&app, "acme").await;
        let newest = browser.get("/fragment/sims").await.body.matches("<tr data-key").count();
        for asked in ["before=abc", "before=", "before=99999999999999999999", "q=&q=", "lang=en&lang=en", "%FF=%FF"] {
            let answer = browser.get(&format!("/fragment/sims?{asked}")).await;
            assert_eq!((answer.status, answer.body.matches("<tr data-key").count()), (StatusCode::OK, newest), "{asked}");
            assert_eq!(browser.get(&format!("/?{asked}")).await.status, StatusCode::OK, "{asked}");
        }
    });
}

#[test]
fn why_a_card_is_off_line_is_told_in_the_accounts_zone_and_language() {
    each(|world, app| async move {
        aside(|| {
            world.buy(2, "Q100-30D", "T-9").expect("bought");
            world.pass(30 * 86_400 + 1);
        });
        let path = format!("/sims/{}", World::iccid(2));
        let mut browser = Browser::logged_in(&app, "acme").await;
        let why = |page: Answer| {
            let from = page.body.find("id=\"why\"").expect("why");
            page.body[from..from + page.body[from..].find("</section>").expect("its end")].to_owned()
        };
        let english = why(browser.get(&path).await);
        assert!(!english.contains("Z, over") && english.contains("over: expired"), "{english}");
        browser.language = "zh";
        let chinese = why(browser.get(&path).await);
        assert!(chinese.contains("已结束：已到期"), "{chinese}");
    });
}

#[test]
fn the_receiver_tells_which_notices_are_genuine() {
    each(|_, app| async move {
        let browser = Browser::logged_in(&app, "acme").await;
        let secret = "a1b1c1d1";
        let genuine = kachi_dialects::eiotclub::notice_body("KN1", "FlowAlert", BEGIN, 12_345, &[("iccid", "1".into())], secret);
        let forged = genuine.replace("FlowAlert", "CardStopped");
        for body in [genuine, forged, "<not json>".to_owned()] {
            let request = browser.request(Method::POST, portal::receiver::PATH).body(Body::from(body)).expect("a request");
            let answer = browser.send(request).await;
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "{\"status\":\"SUCCESS\"}"));
        }
        let section = browser.get("/fragment/receiver").await;
        assert_eq!(section.body.matches("\">verifies<").count(), 1);
        assert_eq!(section.body.matches("does not verify").count(), 2);
        section.has("&lt;not json&gt;");
        section.has("Newest 3 of 3 received");
    });
}

#[test]
fn assets_are_kept_by_their_content_and_health_is_told() {
    each(|_, app| async move {
        let browser = Browser::new(&app);
        let login = browser.get("/login").await;
        let at = login.body.find("/assets/page.css?v=").expect("a style sheet");
        let address = login.body[at..].split('"').next().expect("an address").to_owned();
        let sheet = browser.get(&address).await;
        assert_eq!(sheet.header(header::CONTENT_TYPE), "text/css; charset=utf-8");
        assert!(sheet.header(header::CACHE_CONTROL).contains("immutable"));
        let tag = sheet.header(header::ETAG).to_owned();
        let again =
            browser.request(Method::GET, &address).header(header::IF_NONE_MATCH, tag).body(Body::empty()).expect("a request");
        assert_eq!(browser.send(again).await.status, StatusCode::NOT_MODIFIED);
        assert_eq!(browser.get("/assets/nothing.css").await.status, StatusCode::NOT_FOUND);
        assert_eq!(browser.get("/healthz").await.status, StatusCode::OK);
        assert_eq!(browser.get("/readyz").await.body, "ready\n");
    });
}

#[test]
fn nobody_looks_at_an_account_that_is_off() {
    each(|world, app| async move {
        let inside = Browser::logged_in(&app, "acme").await;
        let switch = |to| {
            let engine = world.engine.clone();
            let done = move || engine.write(move |tx, catalogue, how| accounts::switch(tx, catalogue, how, ACME, (to, "me")));
            async { tokio::task::spawn_blocking(done).await.expect("a thread").expect("an account") }
        };
        switch(Switch::Paused).await;
        assert_eq!(inside.get("/").await.status, StatusCode::OK, "a paused account may look");
        switch(Switch::Off).await;
        assert_eq!(inside.get("/").await.header(header::LOCATION), "/login", "a session ends with it");
        let words = format!("login=acme&password={}", PASSWORD.replace(' ', "+"));
        let refused = inside.post("/login", &words).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        refused.has("switched off");
        assert_eq!(inside.post("/login", "login=acme&password=wrong").await.status, StatusCode::UNAUTHORIZED);
        switch(Switch::On).await;
        assert_eq!(Browser::new(&app).post("/login", &words).await.status, StatusCode::SEE_OTHER);
    });
}
