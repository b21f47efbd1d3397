//! The sections of the page, each a fragment of HTML that can be asked for alone.

use super::asked::Asked;
use super::html::{Html, Table, View, allowance, count, size, sum};
use super::lang::Lang;
use kachi_domain::Timestamp;
use kachi_domain::order::OrderState;
use kachi_domain::sim::{BaseState, Blocks, Stage};
use kachi_engine::overview::{
    About, AccountLine, Buyer, CardLine, Cards, DeliveriesIn, Figures, NoticeLine, OrderLine, OrdersIn, OrphanLine,
};
use std::fmt::Write;

/// Counts of everything, in one row.
pub fn counts(view: &View, figures: Option<&Figures>) -> Html {
    let Some(f) = figures else { return Html(counting(view.lang)) };
    let l = view.lang;
    let of = |list: &[(String, i64)], word: &str| list.iter().find(|(w, _)| w == word).map_or(0, |(_, n)| *n);
    let bare = f.bare();
    let mut stages: Vec<(&str, i64)> = Vec::new();
    for stage in Stage::ALL {
        match stage {
            Stage::Stopped => stages.extend([(l.term(stage.word()), f.kept_off), (l.term("no_package"), bare)]),
            _ => stages.push((l.term(stage.word()), f.cards.of(stage))),
        }
    }
    let stages = stages.into_iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{word} {}", count(n)));
    let mut out = String::from("<dl class=\"tiles\">");
    let mut tile = |name: &str, to: String, n: i64, note: String, tone: &str| {
        let _ = write!(
            out,
            "<div class=\"{tone}\"><dt><a href=\"{}\">{}</a></dt><dd>{} {}</dd></div>",
            Html::text(&to),
            Html::text(name),
            count(n),
            Html::small(&note)
        );
    };
    let tone = |n: i64, tone| if n > 0 { tone } else { "" };
    let none = String::new;
    let cards = |cards| Asked { cards, ..Asked::default() }.at("sims", l);
    let note = stages.collect::<Vec<_>>().join(" · ");
    tile(l.pick("Cards", "卡"), cards(Cards::All), f.cards.total(), note, "");
    tile(l.pick("Stopped cards", "停用的卡"), cards(Cards::KeptOff), f.kept_off, none(), tone(f.kept_off, "warn"));
    tile(l.pick("Cards without a package", "无套餐的卡"), cards(Cards::Bare), bare, none(), "");
    let orders = |of| Asked { orders: Some(of), ..Asked::default() }.at("orders", l);
    let refunded = format!("{} {}", count(of(&f.orders, "refunded")), l.term("refunded"));
    tile(l.pick("Orders done", "已完成订单"), orders(OrdersIn::Done), of(&f.orders, "done"), refunded, "");
    let review = match of(&f.orders, OrderState::InReview.word()) {
        0 => String::new(),
        n => format!("{} {}", count(n), l.term(OrderState::InReview.word())),
    };
    let open = of(&f.orders, OrderState::Pending.word()) + of(&f.orders, OrderState::InReview.word());
    tile(l.pick("Orders waiting", "待确认订单"), orders(OrdersIn::Open), open, review, "");
    let failed = of(&f.orders, "failed");
    tile(l.pick("Orders failed", "失败订单"), orders(OrdersIn::Failed), failed, none(), tone(failed, "bad"));
    let notices = |of| Asked { notices: Some(of), ..Asked::default() }.at("notices", l);
    let waiting = of(&f.deliveries, "waiting");
    tile(l.pick("Notices waiting", "待送达通知"), notices(DeliveriesIn::Waiting), waiting, none(), "");
    let dead = of(&f.deliveries, "dead");
    tile(l.pick("Notices given up", "已放弃通知"), notices(DeliveriesIn::Dead), dead, none(), tone(dead, "bad"));
    if let Some((orphans, _)) = &f.orphans {
        let to = Asked::default().at("orphans", l);
        tile(l.pick("Usage lines without card", "无主话单"), to, *orphans, none(), tone(*orphans, "warn"));
    }
    out += "</dl>";
    out += &view.as_of(l.pick("Source: our own database, counted", "来源：本系统数据库统计"), f.as_of);
    Html(out)
}

fn counting(lang: Lang) -> String {
    format!("<p class=\"empty\">{}</p>", lang.pick("Counting… the figures come in a moment.", "正在统计，稍后显示。"))
}

/// Usage per day of everything the account sees.
pub fn usage(view: &View, figures: Option<&Figures>) -> Html {
    match figures {
        Some(f) => super::chart::usage(view, view.lang.pick("All cards", "全部卡"), &f.usage),
        None => Html(counting(view.lang)),
    }
}

/// The accounts with what they have.
pub fn accounts(view: &View, accounts: &[AccountLine], more: usize, figures: Option<&Figures>) -> Html {
    let l = view.lang;
    let heads = [
        (l.pick("Account", "账户"), ""),
        (l.pick("Balance", "余额"), "num"),
        (l.pick("Held", "冻结"), "num"),
        (l.pick("Credit line", "信用额度"), "num"),
        (l.pick("Cards", "卡数"), "num"),
    ];
    let mut table = Table::new(l.pick("Accounts with their balances", "账户及余额"), &heads);
    for a in accounts {
        let depth = a.depth.min(6);
        let above =
            a.parent.as_ref().map(|parent| l.pick(format!("under {parent}"), format!("上级：{parent}"))).unwrap_or_default();
        let (name, code) = (Html::text(&a.name), Html::small(&a.code));
        let name = Html(format!(
            "<span class=\"depth{depth}\">{name} {code} <span class=\"above\">{}</span></span>",
            Html::small(&above)
        ));
        let cards = figures.map_or_else(|| "…".to_owned(), |f| count(f.cards_of.get(&a.id).copied().unwrap_or(0)));
        table.row(&a.code, &[name, balance(l, a), sum(a.held), sum(a.credit), Html(cards)]);
    }
    let mut out = table.or_empty(l.pick("No accounts.", "没有账户。")).0;
    if more > 0 {
        let _ = write!(out, "<p class=\"empty\">{}</p>", l.pick(format!("and {more} more"), format!("另有 {more} 个账户")));
    }
    Html(out + &view.as_of(l.pick("Source: the ledger", "来源：账本"), Some(view.now)))
}

/// What an account has, and what it owes beside it.
fn balance(l: Lang, a: &AccountLine) -> Html {
    if a.owed.minor == 0 {
        return sum(a.available);
    }
    let owes = format!("{} {} {}", l.pick("owes", "欠款"), a.owed.to_decimal(), a.owed.currency);
    Html(format!("{}<br>{}", sum(a.available), Html::small(&owes)))
}

/// A card's state with its blocks in words.
pub fn state(lang: Lang, state: BaseState, blocks: Blocks) -> Html {
    let tone = match state {
        BaseState::Active if blocks.let_data_through() => "good",
        BaseState::Active | BaseState::Stopped => "warn",
        _ => "",
    };
    let mut out = Html::tag(tone, lang.term(state.word())).0;
    for name in blocks.names() {
        // A card in stock has no package yet, as it should.
        let tone = if state == BaseState::Inventory { "" } else { "bad" };
        let _ = write!(out, " {}", Html::tag(tone, lang.term(name)));
    }
    Html(out)
}

/// A page of cards.
pub fn sims(view: &View, cards: &[CardLine], (of, number): (Cards, &str), older: Option<String>) -> Html {
    let l = view.lang;
    let caption = match of {
        _ if cards.len() as i64 >= super::CARDS && !number.is_empty() => l.pick(
            format!("The first {} cards with number {number}; more digits find fewer", super::CARDS),
            format!("号码含 {number} 的前 {} 张卡；请输入更多位数", super::CARDS),
        ),
        _ if !number.is_empty() => l.pick(format!("Cards with number {number}"), format!("号码含 {number} 的卡")),
        Cards::All => l.pick("Cards, the newest first", "卡片，最新在前").to_owned(),
        Cards::KeptOff => l.pick("Stopped cards, the newest first", "停用的卡，最新在前").to_owned(),
        Cards::Bare => l.pick("Cards without a package, the newest first", "无套餐的卡，最新在前").to_owned(),
    };
    let heads = [
        (l.pick("Card", "卡号"), ""),
        (l.pick("State", "状态"), ""),
        (l.pick("Package in use", "在用套餐"), ""),
        (l.pick("Used / allowance", "已用 / 总量"), ""),
        (l.pick("Left", "剩余"), "num"),
        (l.pick("Ends", "到期"), ""),
        (l.pick("Usage as of", "用量截至"), ""),
    ];
    let mut table = Table::new(&caption, &heads);
    for c in cards {
        let alias = if c.alias.is_empty() { c.owner.clone() } else { format!("{} · {}", c.alias, c.owner) };
        let number = Html(format!("{}<br>{}", Html::card(&c.iccid), Html::small(&alias)));
        table.row(
            &c.iccid,
            &[
                number,
                state(l, c.state, c.blocks),
                package(l, c),
                used(l, c),
                left(l, c),
                view.date(c.ends_at),
                view.time(c.as_of),
            ],
        );
    }
    let mut out = table.or_empty(l.pick("No such card.", "没有找到卡。")).0;
    if let Some(address) = older {
        out += &more(&address, l.pick("Older cards", "更早的卡"));
    }
    Html(
        out + &view.as_of(
            l.pick("Source: our own database; usage from usage records", "来源：本系统数据库；用量来自话单"),
            Some(view.now),
        ),
    )
}

/// A link to other rows of a list.
fn more(address: &str, words: &str) -> String {
    format!("<p class=\"more\"><a href=\"{}\">{words}</a></p>", Html::text(address))
}

fn package(lang: Lang, c: &CardLine) -> Html {
    let waiting = match c.waiting {
        0 => String::new(),
        n => lang.pick(format!("{n} waiting"), format!("另有 {n} 个等待")),
    };
    let name = c.package.as_deref().unwrap_or("–");
    Html(format!("{} {}", Html::text(name), Html::small(&waiting)))
}

fn used(lang: Lang, c: &CardLine) -> Html {
    if c.package.is_some() { allowance(lang, c.used_bytes, c.left_bytes) } else { Html("–".into()) }
}

fn left(lang: Lang, c: &CardLine) -> Html {
    match (&c.package, c.left_bytes) {
        (None, _) => Html("–".into()),
        (_, None) => Html::text(lang.pick("no limit", "不限量")),
        (_, Some(bytes)) => Html(size(bytes)),
    }
}

/// A page of some of a list may be empty.
fn none_here(l: Lang) -> &'static str {
    l.pick("None here, as far as was looked through.", "在已查找的范围内没有。")
}

/// What an order or a notice is about; a link only where there is a page behind it for whoever looks.
fn about(lang: Lang, about: &About) -> Html {
    match about {
        About::Card(iccid) => Html::card(iccid),
        About::Gone(iccid) => Html(format!("<span class=\"number\">{}</span>", Html::text(iccid))),
        About::Pool(name) => Html::text(&lang.pick(format!("pool {name}"), format!("流量池 {name}"))),
        About::Nothing => Html("–".into()),
    }
}

/// Orders, with links to others: address and words.
pub fn orders(view: &View, caption: &str, orders: &[OrderLine], others: &[(String, &str)]) -> Html {
    let l = view.lang;
    let heads = [
        (l.pick("Order", "订单"), ""),
        (l.pick("Card and package", "卡号与套餐"), ""),
        (l.pick("State", "状态"), ""),
        (l.pick("Paid", "实付"), "num"),
        (l.pick("Placed", "下单"), ""),
    ];
    let mut table = Table::new(caption, &heads);
    for o in orders {
        let tone = match o.state {
            OrderState::Done => "good",
            OrderState::Failed => "bad",
            OrderState::InReview | OrderState::Pending => "warn",
            OrderState::Refunded => "",
        };
        let buyer = match &o.buyer {
            Buyer::Seen(name) => name.as_str(),
            Buyer::Above => l.pick("bought above", "上级购买"),
            Buyer::Before => l.pick("bought before the card came here", "转入前购买"),
        };
        let number = Html(format!("{}<br>{}", o.id, Html::small(buyer)));
        let back = |refunded: kachi_domain::Money| match refunded.minor {
            0 => String::new(),
            _ => l.pick(format!("{} back", refunded.to_decimal()), format!("退 {}", refunded.to_decimal())),
        };
        let paid = match o.paid {
            // It was held, and went back.
            Some((paid, _)) if o.state == OrderState::Failed => Html(format!("–<br>{}", Html::small(&back(paid)))),
            Some((held, _)) if matches!(o.state, OrderState::InReview | OrderState::Pending) && held.minor != 0 => {
                Html(format!("{}<br>{}", sum(held), Html::small(l.pick("held", "冻结中"))))
            }
            Some((paid, refunded)) => Html(format!("{}<br>{}", sum(paid), Html::small(&back(refunded)))),
            None => Html("–".into()),
        };
        let state = Html::tag(tone, l.term(o.state.word()));
        let bought = Html(format!("{}<br>{}", about(l, &o.about), Html::small(&o.package)));
        table.row(&o.id.to_string(), &[number, bought, state, paid, view.time(Some(o.at))]);
    }
    let none = if others.is_empty() { l.pick("No orders yet.", "还没有订单。") } else { none_here(l) };
    let mut out = table.or_empty(none).0;
    for (address, words) in others {
        out += &more(address, words);
    }
    Html(out + &view.as_of(l.pick("Source: our own orders", "来源：本系统订单"), Some(view.now)))
}

/// What a list of orders is called.
pub fn orders_caption(l: Lang, of: Option<OrdersIn>, before: Option<i64>) -> &'static str {
    match (of, before) {
        (Some(OrdersIn::Done), _) => l.pick("Orders that are done", "已完成的订单"),
        (Some(OrdersIn::Open), _) => l.pick("Orders that wait", "待确认的订单"),
        (Some(OrdersIn::Failed), _) => l.pick("Orders that failed", "失败的订单"),
        (None, None) => l.pick("The newest orders", "最新订单"),
        (None, Some(_)) => l.pick("Older orders", "更早的订单"),
    }
}

/// What a list of notices is called.
pub fn notices_caption(l: Lang, of: Option<DeliveriesIn>, before: Option<i64>) -> &'static str {
    match (of, before) {
        (Some(DeliveriesIn::Waiting), _) => l.pick("Notices that wait", "待送达的通知"),
        (Some(DeliveriesIn::Dead), _) => l.pick("Notices that were given up", "已放弃的通知"),
        (None, None) => l.pick("The newest notices", "最新通知"),
        (None, Some(_)) => l.pick("Older notices", "更早的通知"),
    }
}

/// Usage that waits for cards that nobody knows: the first cards by number.
pub fn orphans(view: &View, figures: Option<&Figures>) -> Html {
    let Some((lines, orphans)) = figures.and_then(|f| f.orphans.as_ref()) else { return Html(counting(view.lang)) };
    let l = view.lang;
    let heads = [
        (l.pick("Card", "卡号"), ""),
        (l.pick("Card platform", "上级通道"), ""),
        (l.pick("Lines", "行数"), "num"),
        (l.pick("Usage", "用量"), "num"),
        (l.pick("Newest of its files", "最新所在文件"), ""),
    ];
    let caption = l.pick("Usage of cards that are not known", "未知卡的话单");
    let mut table = Table::new(caption, &heads);
    for OrphanLine { orphan: o, platform } in orphans {
        let iccid = Html(format!("<span class=\"number\">{}</span>", Html::text(&o.iccid)));
        let others = match o.files {
            0 | 1 => String::new(),
            n => l.pick(format!("and {} more", n - 1), format!("另有 {} 个文件", n - 1)),
        };
        let file = Html(format!("{} {}", Html::text(&o.file), Html::small(&others)));
        let cells = [iccid, Html::text(platform), Html(count(o.lines)), Html(size(o.bytes)), file];
        table.row(&format!("{} {platform}", o.iccid), &cells);
    }
    let mut out = table.or_empty(l.pick("All usage has its card.", "所有话单均有对应的卡。")).0;
    let shown: i64 = orphans.iter().map(|o| o.orphan.lines).sum();
    if shown < *lines {
        let _ = write!(
            out,
            "<p class=\"empty\">{}: <code>kachi admin orphan list</code></p>",
            l.pick(format!("and {} more lines", count(lines - shown)), format!("另有 {} 行", count(lines - shown)))
        );
    }
    let as_of = figures.and_then(|f| f.as_of);
    Html(out + &view.as_of(l.pick("Source: our own database, counted", "来源：本系统数据库统计"), as_of))
}

/// Notices, with links to others: address and words.
pub fn notices(view: &View, caption: &str, notices: &[NoticeLine], others: &[(String, &str)]) -> Html {
    let l = view.lang;
    let heads = [
        (l.pick("Event and card", "事件与卡号"), ""),
        (l.pick("State", "状态"), ""),
        (l.pick("Last answer", "最近应答"), "answer"),
        (l.pick("Happened", "发生"), "when"),
    ];
    let mut table = Table::new(caption, &heads);
    for NoticeLine { delivery: n, about: of } in notices {
        let (tone, word) = match n.state.as_str() {
            "done" => ("good", "told"),
            "dead" => ("bad", "dead"),
            _ => ("warn", "waiting"),
        };
        let attempts = l.pick(format!("{} · attempts: {}", n.door, n.attempts), format!("{} · {} 次", n.door, n.attempts));
        let kind = Html(format!("{}<br>{}", Html::text(l.term(&n.kind)), about(l, of)));
        let state = Html(format!("{}<br>{}", Html::tag(tone, l.term(word)), Html::small(&attempts)));
        let answer: String = n.last_answer.as_deref().unwrap_or("–").chars().take(120).collect();
        let then = match (n.done_at, n.due_at) {
            (Some(at), _) => format!("<br><small>{} {}</small>", l.pick("told", "送达"), view.time(Some(Timestamp(at)))),
            (_, Some(at)) => format!("<br><small>{} {}</small>", l.pick("next", "下次"), view.time(Some(Timestamp(at)))),
            _ => String::new(),
        };
        let times = Html(format!("{}{then}", view.time(Some(Timestamp(n.at)))));
        table.row(&n.id.to_string(), &[kind, state, Html::text(&answer), times]);
    }
    let none = if others.is_empty() { l.pick("No notices yet.", "还没有通知。") } else { none_here(l) };
    let mut out = table.or_empty(none).0;
    for (address, words) in others {
        out += &more(address, words);
    }
    Html(out + &view.as_of(l.pick("Source: our own deliveries", "来源：本系统投递记录"), Some(view.now)))
}
