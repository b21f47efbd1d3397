//! Older orders, page by page.

use super::*;

/// The orders of a page, and where its link with these words leads.
fn orders_of(page: &Answer, words: &str) -> (Vec<i64>, Option<String>) {
    let part = page.body.split_once("<caption>").map_or("", |p| p.1).split("Source: our own orders").next().unwrap_or_default();
    let keys = part.split("data-key=\"").skip(1).map(|k| k.split('"').next().expect("a key").parse().expect("an order"));
    let link = part.split("href=\"/?").find(|l| l.contains(&format!("\">{words}</a>")));
    (keys.collect(), link.map(|l| format!("?{}", l.split("#orders-s").next().expect("an address").replace("&amp;", "&"))))
}

#[test]
fn every_order_is_reached_page_by_page_and_back() {
    each(|world, app| async move {
        aside(|| (0..22).for_each(|n| drop(world.buy(1 + n % 2, "Q100-30D", &format!("O-{n}")).expect("bought"))));
        let mut browser = Browser::logged_in(&app, "acme").await;
        let (mut asked, mut seen) = ("?lang=en&before=3".to_owned(), Vec::new());
        for size in [12, 12, 1] {
            let (orders, older) = orders_of(&browser.get(&format!("/fragment/orders{asked}")).await, "Older orders");
            assert_eq!((orders.len(), older.is_some()), (size, size == 12), "{asked}");
            seen.extend(orders);
            asked = older.unwrap_or(asked);
        }
        assert!(seen.is_sorted_by(|a, b| a > b) && asked.starts_with("?lang=en&before=3&orders_before="), "{asked}: {seen:?}");
        let page = browser.get(&format!("/{asked}")).await;
        page.has(&format!("data-src=\"/fragment/orders{}\"", asked.replace('&', "&amp;")));
        page.has("<caption>Older orders</caption>");
        let last = browser.get(&format!("/fragment/orders{asked}")).await;
        assert_eq!(orders_of(&last, "Newest orders").1.as_deref(), Some("?lang=en&before=3"));
        browser.language = "zh";
        browser.get("/fragment/orders").await.has(">更早的订单</a>");
        browser.get(&format!("/fragment/orders?orders_before={}", seen[12])).await.has(">最新的订单</a>");
        let stranger = Browser::logged_in(&app, "stranger").await;
        stranger.get(&format!("/fragment/orders?orders_before={}", seen[0] + 1)).await.has("None here");
    });
}
