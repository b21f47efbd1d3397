//! One card's page.

use super::html::{Html, Table, View, size};
use super::lang::Lang;
use super::{chart, sections, why};
use kachi_domain::Timestamp;
use kachi_domain::diagnose::{Report, Topic};
use kachi_domain::order::{OrderState, SubscriptionState};
use kachi_domain::package::Resource;
use kachi_domain::sim::BaseState;
use kachi_engine::overview::{CardPage, SubscriptionLine};
use std::fmt::Write;

/// The inside of the page.
pub fn body(view: &View, page: &CardPage, (report, is_operator): (&Report, bool)) -> Html {
    let l = view.lang;
    let mut out = format!(
        "<p><a href=\"/\">{}</a></p><section aria-labelledby=\"card\"><h1 id=\"card\"><span class=\"number\">{}</span></h1>{}</section>",
        l.pick("← All cards", "← 全部卡"),
        Html::text(&page.line.iccid),
        facts(view, page, report)
    );
    let mut section = |id: &str, title: &str, inside: Html| {
        let _ = write!(
            out,
            "<section id=\"{id}\" aria-labelledby=\"{id}-h\"><h2 id=\"{id}-h\">{}</h2>{inside}</section>",
            Html::text(title)
        );
    };
    section("why", l.pick("Why is it off line?", "为何离线？"), why::panel(view, report, is_operator));
    section("packages", l.pick("Packages", "套餐"), subscriptions(view, page));
    section("usage", l.pick("Usage", "用量"), chart::usage(view, l.pick("This card", "本卡"), &page.usage));
    let orders = sections::orders(view, l.pick("Newest orders of this card", "本卡最新订单"), &page.orders, &[]);
    section("orders", l.pick("Orders", "订单"), orders);
    let caption = l.pick("Notices of this card among the newest 100,000", "本卡通知（取最近 10 万条）");
    section("notices", l.pick("Notices", "通知"), sections::notices(view, caption, &page.notices, &[]));
    Html(out)
}

fn facts(view: &View, page: &CardPage, report: &Report) -> Html {
    let (l, sim) = (view.lang, &page.card.sim);
    let mut out = String::from("<dl class=\"facts\">");
    let mut fact = |name: &str, value: Html| {
        if !value.0.is_empty() {
            let _ = write!(out, "<div><dt>{}</dt><dd>{value}</dd></div>", Html::text(name));
        }
    };
    fact(l.pick("State", "状态"), Html::tag("", l.term(page.line.state.word())));
    fact(l.pick("Can use data", "可否上网"), usable(view, page));
    fact(l.pick("Owner", "所属账户"), Html::text(&page.line.owner));
    fact(l.pick("Product", "产品"), Html::text(&page.line.product));
    fact(l.pick("Alias", "别名"), Html::text(&sim.alias));
    fact(l.pick("Group", "分组"), Html::text(&sim.group));
    fact(l.pick("Remark", "备注"), Html::text(&sim.remark));
    let number = |n: &Option<String>| Html::text(n.as_deref().unwrap_or_default());
    fact("MSISDN", number(&sim.msisdn));
    fact("IMSI", number(&sim.imsi));
    fact("EID", number(&sim.eid));
    fact("IMEI", number(&sim.imei));
    fact(l.pick("Device", "设备"), device(view, page));
    fact(l.pick("Network", "网络"), Html::text(&sim.network));
    fact(l.pick("Pool", "流量池"), pool(view, page, report));
    let real_name =
        if page.card.has_real_name() { l.pick("registered", "已实名") } else { l.pick("not registered", "未实名") };
    fact(l.pick("Real name", "实名"), Html::text(real_name));
    fact(l.pick("Active since", "激活时间"), view.date(sim.activated_at.map(Timestamp)));
    fact(l.pick("Outside any package", "套外用量"), Html(size(page.card.state.outflow_bytes)));
    out += "</dl>";
    let source = l.pick("Source: our own database; usage from usage records", "来源：本系统数据库；用量来自话单");
    Html(out + &view.as_of(source, Some(view.now)))
}

/// The device that says the card is in it, and how fresh that is.
fn device(view: &View, page: &CardPage) -> Html {
    let Some(d) = &page.device else { return Html(String::new()) };
    let l = view.lang;
    let signal = d.rssi.map_or_else(String::new, |dbm| format!(" {dbm} dBm"));
    let when = view.date(Some(Timestamp(d.reported_at)));
    let age = format!("{}{} {when}", l.pick("reported", "上报于"), Html::text(&signal));
    Html(format!("{} <small>{age}</small>", Html::text(&d.serial)))
}

/// Its pool, and until or since when that can pay or not.
fn pool(view: &View, page: &CardPage, report: &Report) -> Html {
    let Some(pool) = &page.pool else { return Html(String::new()) };
    let words = report.card.look(Topic::Pool, why::reader(view)).map_or_else(|_| pool.id.to_string(), |evidence| evidence.value);
    if pool.is_over(view.now) { Html::tag("bad", &words) } else { Html::text(&words) }
}

fn usable(view: &View, page: &CardPage) -> Html {
    let (l, blocks) = (view.lang, page.line.blocks);
    let words: Vec<String> = blocks.names().into_iter().map(|n| Html::tag("bad", l.term(n)).0).collect();
    let verdict = match page.line.state {
        _ if !blocks.let_data_through() => Html(l.pick("no:", "不可：").into()),
        BaseState::Active if blocks.is_empty() => Html::tag("good", l.pick("yes: nothing is in its way", "可以，无限制")),
        BaseState::Active => Html::tag("good", l.pick("data: yes", "数据可用")),
        _ => Html::tag("", l.pick("not while in this state", "当前状态下不可")),
    };
    Html([vec![verdict.0], words].concat().join(" "))
}

fn subscriptions(view: &View, page: &CardPage) -> Html {
    let l = view.lang;
    let heads = [
        (l.pick("Package", "套餐"), ""),
        (l.pick("State", "状态"), ""),
        (l.pick("Used", "已用"), "num"),
        (l.pick("Left", "剩余"), "num"),
        (l.pick("Start", "开始"), ""),
        (l.pick("End", "结束"), ""),
        (l.pick("Order", "订单"), "num"),
    ];
    let caption = l.pick("Packages bought for this card, the newest first", "本卡已购套餐，最新在前");
    let mut table = Table::new(caption, &heads);
    for s in &page.subscriptions {
        let (used, left) = match s.counts {
            None => (Some(size(s.used_bytes)), s.left_bytes.map(size)),
            Some((of, counts)) => counts.map(|(used, left)| (counted(l, of, used), counted(l, of, left))).unzip(),
        };
        let shown = |amount: Option<String>| Html(amount.unwrap_or_else(|| "–".into()));
        table.row(
            &format!("s{}", s.order),
            &[
                Html::text(&s.package),
                subscription_state(view, s),
                shown(used),
                shown(left),
                view.date(s.started_at),
                view.date(s.ends_at),
                Html(s.order.to_string()),
            ],
        );
    }
    let out = table.or_empty(l.pick("No package was ever bought for this card.", "本卡从未购买套餐。")).0;
    Html(out + &view.as_of(l.pick("Source: usage records, rated", "来源：话单计费"), page.line.as_of))
}

/// Messages, or minutes of voice begun.
fn counted(l: Lang, of: Resource, n: i64) -> String {
    if of == Resource::Voice {
        format!("{} {}", n.saturating_add(59) / 60, l.pick("min", "分钟"))
    } else {
        format!("{n} {}", l.pick("messages", "条"))
    }
}

fn subscription_state(view: &View, s: &SubscriptionLine) -> Html {
    let l = view.lang;
    let (tone, word) = match s.state {
        SubscriptionState::Active => ("good", "in_use"),
        SubscriptionState::Ended => ("", "ended"),
        SubscriptionState::Pending if s.in_review => ("warn", OrderState::InReview.word()),
        other => ("warn", other.word()),
    };
    let mut out = Html::tag(tone, l.term(word)).0;
    if s.pays {
        let _ = write!(out, " {}", Html::tag("pays", l.pick("pays now", "当前扣量")));
    }
    if let Some(reason) = &s.end_reason {
        let _ = write!(out, " {}", Html::small(l.term(reason)));
    }
    Html(out)
}
