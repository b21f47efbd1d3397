//! What a person looks for who was called at night: the list behind each figure, a card by the digits that were read out, a card's
//! page that goes on by itself.

use super::*;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_store::sims::Sim;

/// The keys of the rows in a section.
fn keys(part: &Answer) -> Vec<String> {
    part.body.split("<tr data-key=\"").skip(1).map(|row| row.split('"').next().expect("a key").to_owned()).collect()
}

/// A tile's number, and the section with the list that it leads to.
async fn tile(browser: &Browser, name: &str) -> (usize, Answer) {
    let counts = browser.get("/fragment/counts").await.body;
    let (before, after) = counts.split_once(&format!("\">{name}</a></dt><dd>")).unwrap_or_else(|| panic!("{name}: {counts}"));
    let number = after.split(' ').next().expect("a number").parse().expect("a number");
    let address = before.rsplit("href=\"").next().expect("an address").replace("&amp;", "&");
    let (path, anchor) = address.split_once('#').expect("a section");
    browser.get(path).await.has(&format!("id=\"{anchor}\""));
    let section = anchor.strip_suffix("-s").expect("a section's name");
    (number, browser.get(&path.replacen('/', &format!("/fragment/{section}"), 1)).await)
}

fn stand(world: &World, card: u64, state: BaseState, blocks: Blocks) {
    let sim = world.card(card).sim.id;
    world.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim, state.word(), blocks.0, None)?)).expect("it stands");
}

#[test]
fn each_figure_leads_to_the_list_that_it_counts() {
    each(|world, app| async move {
        aside(|| {
            stand(&world, 0, BaseState::Active, Blocks(Blocks::OWNER_STOP.0 | Blocks::NO_PACKAGE.0));
            stand(&world, 1, BaseState::Active, Blocks::QUOTA);
            stand(&world, 2, BaseState::Active, Blocks::NO_PACKAGE);
            world.cdr("b.csv", &line(2, 77, BEGIN + 600, BEGIN + 900, 3 * MB));
            // Of the notices of the first card the oldest is given up.
            let now = world.now();
            let end = move |tx: &mut kachi_store::Tx<'_>| {
                let claimed = tx.claim_deliveries(now, (now.plus(9), 5), (&[(ACME, "eiotclub".into())], 1))?;
                let dead = claimed.iter().map(|c| kachi_store::webhooks::Attempt {
                    id: c.id,
                    number: 8,
                    before: 0,
                    status: None,
                    answer: "no".into(),
                    millis: 1,
                    next: None,
                    state: "dead",
                });
                tx.settle_deliveries(5, &dead.collect::<Vec<_>>(), now)
            };
            let dead = world.engine.write(move |tx, _, _| Ok(end(tx)?)).expect("settled");
            assert_eq!(dead, 1);
        });
        let browser = Browser::logged_in(&app, "root").await;
        let iccids = |cards: &[u64]| cards.iter().map(|n| World::iccid(*n).to_string()).collect::<Vec<_>>();
        let (stopped, list) = tile(&browser, "Stopped cards").await;
        assert_eq!((stopped, keys(&list)), (2, iccids(&[1, 0])), "cards that merely have no package are told apart");
        let (bare, list) = tile(&browser, "Cards without a package").await;
        assert_eq!((bare, keys(&list)), (3, iccids(&[51, 50, 2])));
        for (name, wanted) in [
            ("Cards", Some(6)),
            ("Orders done", Some(2)),
            ("Orders waiting", Some(1)),
            ("Orders failed", Some(0)),
            ("Notices waiting", None),
            ("Notices given up", Some(1)),
            ("Usage lines without card", Some(1)),
        ] {
            let (number, list) = tile(&browser, name).await;
            assert_eq!((number, number), (keys(&list).len(), wanted.unwrap_or(number)), "{name}: {}", list.body);
        }
        assert!(tile(&browser, "Notices waiting").await.0 > 1, "they are not those that were given up");
        let (_, orphans) = tile(&browser, "Usage lines without card").await;
        [World::iccid(77).as_str(), "hand", "b.csv", "3.0 MB"].into_iter().for_each(|words| orphans.has(words));
        let acme = Browser::logged_in(&app, "acme").await;
        assert_eq!(acme.get("/fragment/orphans").await.status, StatusCode::NOT_FOUND, "they are the operator's");
        acme.get("/").await.lacks("orphans");
        assert_eq!(keys(&acme.get("/fragment/sims?cards=bare").await), iccids(&[2]), "and each sees its own");
    });
}

#[test]
fn a_list_of_a_figure_is_read_page_by_page_and_back() {
    each(|world, app| async move {
        aside(|| (0..14).for_each(|n| drop(world.buy(2, "Q100-30D", &format!("O-{n}")).expect("bought"))));
        let browser = Browser::logged_in(&app, "acme").await;
        let first = browser.get("/fragment/orders?orders=done").await;
        assert_eq!(keys(&first).len(), 12);
        first.has("<caption>Orders that are done</caption>");
        let older = first.body.split("href=\"/").find(|l| l.contains(">Older orders</a>")).expect("older ones");
        let older = older.split("#orders-s").next().expect("an address").replace("&amp;", "&");
        let second = browser.get(&format!("/fragment/orders{older}")).await;
        assert_eq!((keys(&second).len(), keys(&second)[0] < keys(&first)[11]), (4, true));
        second.has(">Newest orders</a>");
        second.has(">All orders</a>");
        second.lacks(">Older orders</a>");
        for bad in ["orders=perhaps", "notices=perhaps", "cards=perhaps", "orders_before=x"] {
            assert_eq!(browser.get(&format!("/?{bad}")).await.status, StatusCode::OK, "{bad}");
        }
    });
}

#[test]
fn a_card_is_found_by_the_last_digits_of_its_iccid_or_number() {
    each(|world, app| async move {
        aside(|| {
            for (card, msisdn) in [(0, "1064800004321"), (1, "1064800014321"), (2, "1064843210000")] {
                let sim = Sim { msisdn: Some(msisdn.into()), ..world.card(card).sim };
                world.engine.write(move |tx, c, how| sims::put(tx, c, how, &sim).map(|_| ())).expect("a number");
            }
        });
        let found = async |browser: &Browser, number: &str| keys(&browser.get(&format!("/fragment/sims?q={number}")).await);
        let iccids = |cards: &[u64]| cards.iter().map(|n| World::iccid(*n).to_string()).collect::<Vec<_>>();
        let acme = Browser::logged_in(&app, "acme").await;
        for (number, cards) in [
            ("4321", &[0, 1][..]),
            ("14321", &[1]),
            ("004321", &[0]),
            ("000000000002", &[2]),
            ("0000%200002", &[2]),
            ("9999", &[]),
            ("321", &[]),
            ("1064843210000", &[2]),
            ("10648", &[0, 1, 2]),
        ] {
            assert_eq!(found(&acme, number).await, iccids(cards), "{number}");
        }
        let stranger = Browser::logged_in(&app, "stranger").await;
        assert_eq!(found(&stranger, "4321").await, iccids(&[]), "a stranger's card is not there");
        assert_eq!(found(&stranger, "0051").await, iccids(&[51]));
        acme.get("/").await.has("its last 4 digits or more");
    });
}

#[test]
fn a_cards_page_goes_on_by_itself() {
    each(|world, app| async move {
        let path = format!("/sims/{}", World::iccid(2));
        let browser = Browser::logged_in(&app, "acme").await;
        let page = browser.get(&path).await;
        let source = format!("/fragment{path}");
        page.has(&format!("data-src=\"{source}?lang=en\""));
        page.has("/assets/page.js");
        page.has("id=\"pause\"");
        let before = browser.get(&source).await;
        before.lacks("<html");
        before.lacks("Q100-30D name");
        assert!(page.body.contains("id=\"why-h\"") && before.body.contains("id=\"why-h\""));
        aside(|| world.buy(2, "Q100-30D", "N-1").expect("bought"));
        let after = browser.get(&source).await;
        after.has("Q100-30D name");
        after.has("package started");
        let other = Browser::logged_in(&app, "stranger").await.get(&source).await;
        assert_eq!(other.status, StatusCode::NOT_FOUND);
        other.has("No such card");
        assert_eq!(Browser::new(&app).get(&source).await.status, StatusCode::UNAUTHORIZED);
    });
}
