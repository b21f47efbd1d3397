//! Why a card has no network, as a table: one case a line, `what is known of it | the causes, in their order`.
//!
//! Left, joined by `;`: where it stands with us, and any of `blocks B..`, `carrier STATE AGE` (its state there, read so long
//! ago), `reason B.. AGE` or `reason none|undocumented AGE` (why it is stopped there), `session up|none AGE`, `power on|off AGE`, `apn NAME` (its
//! data is off there), `pool N`, `group CODE`, `waiting` (a package waits), `renewal NUMBER` (in review), `broke` (nothing is
//! left of the account's balance and credit), `account paused|off`, `bare` (needs no package), `write ACT open|hand|refused`, `order open|hand` (a package that is paid for and
//! waits for the carrier or a person), `mute` (nobody can read where it stands at the carrier). Ages are hours.
//!
//! Right, complete: each cause with what it is about, how sure it is, who can take it away and by which act; `nothing`, or
//! `on line`.

use kachi_domain::account::Switch;
use kachi_domain::carrier::{BY_HAND, Count, Counter, Function, Of, Session, Standing, Stop, Write};
use kachi_domain::diagnose::{
    Act, Balance, Card, Cause, Certainty, Group, Lang, Ordered, Package, Piece, Pool, Reader, Source, Topic, Who, Why, WriteSeen,
    age, diagnose,
};
use kachi_domain::rating::EndReason;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{Currency, Money, Timestamp, Zone};
use std::collections::BTreeSet;

const CASES: &str = include_str!("diagnose/cases.txt");
const NOW: Timestamp = Timestamp(1_767_225_600);

fn cases() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let lines = CASES.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.map(|line| {
        let (known, causes) = line.split_once(" | ").unwrap_or_else(|| panic!("{line}: two parts are needed"));
        (line, known, causes)
    })
}

/// A card of which little is known.
fn blank() -> Card {
    let money = |minor| Money { minor, currency: Currency::CNY };
    Card {
        iccid: "89860012345678901234".into(),
        now: NOW,
        base: BaseState::Active,
        blocks: Blocks::NONE,
        bare_use: false,
        standing: Piece::not(Why::NeverRead),
        stop: Piece::not(Why::NeverRead),
        sessions: Piece::not(Why::CannotTell),
        power: Piece::not(Why::CannotTell),
        apns_off: Vec::new(),
        package: None,
        waiting: Vec::new(),
        ordered: Vec::new(),
        pool: None,
        outflow_bytes: 0,
        group: None,
        imei: Piece::None,
        writes: Vec::new(),
        renewal: None,
        balance: Piece::Known {
            value: Balance { available: money(1), credit: money(0), owed: money(0) },
            source: Source::Kept,
            as_of: NOW,
        },
        account: ("acme".into(), Switch::On),
        real_name: false,
        voice_numbers: 0,
        network: String::new(),
        last_use: Piece::None,
        counter: Piece::not(Why::NeverRead),
        findings: Piece::None,
        device: Piece::None,
    }
}

fn block(word: &str) -> Blocks {
    *Blocks::ALL.iter().find(|b| b.names() == [word]).unwrap_or_else(|| panic!("{word} is no block"))
}

fn set(words: &[&str]) -> Blocks {
    Blocks(words.iter().map(|w| block(w).0).sum())
}

fn read<T>(value: T, hours: &str) -> Piece<T> {
    let hours: i64 = hours.strip_suffix('h').expect("hours").parse().expect("a number");
    Piece::Known { value, source: Source::Carrier, as_of: NOW.plus(-hours * 3600) }
}

fn package(name: &str) -> Package {
    Package { name: name.into(), used_bytes: 0, left_bytes: None, at: None, refills_at: None, over: None }
}

fn write(before: usize, act: &str, how: &str) -> WriteSeen {
    let (id, by_hand, words) = (before as i64 + 1, how == "hand", String::new());
    WriteSeen { id, act: act.into(), state: how.into(), by_hand, at: NOW, words }
}

fn known(script: &str) -> Card {
    let mut card = blank();
    for step in script.split(';').map(str::trim) {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["blocks", ref names @ ..] => card.blocks = set(names),
            ["carrier", state, age] => {
                let base = BaseState::parse(state).expect("a state");
                card.standing = read(Standing { base, raw: "4".into(), since: None }, age);
            }
            ["reason", "none", age] => card.stop = read(Stop::default(), age),
            ["reason", "undocumented", age] => {
                let words = "position 3 is not documented".into();
                card.stop = read(Stop { blocks: Blocks::NONE, raw: "002000000000".into(), words }, age);
            }
            ["reason", ref names @ .., age] => {
                card.stop = read(Stop { blocks: set(names), raw: "2".into(), words: String::new() }, age);
            }
            ["session", "up", age] => card.sessions = read(vec![Session::default()], age),
            ["power", word, age] => card.power = read(word == "on", age),
            ["session", "none", age] => card.sessions = read(Vec::new(), age),
            ["apn", name] => card.apns_off.push(name.into()),
            ["pool", id] => card.pool = Some(Pool { id: id.parse().expect("a number"), until: Some(NOW), joint: false }),
            ["group", code] => card.group = Some(Group { code: code.into(), lock: None, unlocks: (0, 3) }),
            ["waiting"] => card.waiting.push(package("later")),
            ["renewal", number] => card.renewal = Some(number.into()),
            ["account", switch] => card.account.1 = Switch::parse(switch).expect("a switch"),
            ["bare"] => card.bare_use = true,
            ["broke"] => {
                let zero = Money { minor: 0, currency: Currency::CNY };
                card.balance = Piece::Known {
                    value: Balance { available: zero, credit: zero, owed: zero },
                    source: Source::Kept,
                    as_of: NOW,
                };
            }
            ["mute"] => card.standing = Piece::not(Why::CannotTell),
            ["order", how] => {
                card.writes.push(write(card.writes.len(), "subscribe", how));
                let (name, write, by_hand) = ("A".into(), card.writes.len() as i64, how == "hand");
                card.ordered.push(Ordered { order: 10_000_001, name, write, by_hand });
            }
            ["write", act, how] => card.writes.push(write(card.writes.len(), act, how)),
            [state] => card.base = BaseState::parse(state).unwrap_or_else(|e| panic!("{step}: {e}")),
            _ => panic!("{step} is nothing that can be known"),
        }
    }
    card
}

fn outcome(card: Card) -> String {
    let report = diagnose(card);
    if report.online.is_some() {
        return "on line".into();
    }
    let said: Vec<String> = report
        .causes
        .iter()
        .map(|f| {
            let of = if f.of.is_empty() { String::new() } else { format!(" [{}]", f.of) };
            let row = f.cause.row();
            format!("{}{of} {} {} {}", f.cause.word(), f.certainty.word(), row.who.word(), f.act.word())
        })
        .collect();
    if said.is_empty() { "nothing".into() } else { said.join(", ") }
}

#[test]
fn every_case_of_the_table() {
    let mut wrong = Vec::new();
    for (line, script, expected) in cases() {
        let found = outcome(known(script));
        if found != expected {
            wrong.push(format!("{line}\n   {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases fail\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn every_cause_stands_in_the_table() {
    let named: BTreeSet<&str> = cases().flat_map(|c| c.2.split(", ").filter_map(|cause| cause.split(' ').next())).collect();
    let missing: Vec<&str> = Cause::ALL.iter().map(|c| c.word()).filter(|c| !named.contains(c)).collect();
    assert!(missing.is_empty(), "no case of {missing:?}");
}

/// A block, a base state or a carrier's reason that has no row would be silence at three in the morning.
#[test]
fn no_state_block_or_reason_is_without_a_cause() {
    for block in Blocks::ALL {
        let cause = Cause::of_block(*block).unwrap_or_else(|| panic!("{:?} has no row", block.names()));
        let found = diagnose(Card { blocks: *block, ..blank() });
        assert!(found.causes.iter().any(|f| f.cause == cause), "{}", cause.word());
        let reason = Cause::of_stop(*block).unwrap_or_else(|| panic!("{:?} has no row at a carrier", block.names()));
        let stop = Stop { blocks: *block, ..Stop::default() };
        let found = diagnose(Card { stop: read(stop, "1h"), ..blank() });
        assert!(found.causes.iter().any(|f| f.cause == reason), "{}", reason.word());
    }
    for base in BaseState::ALL {
        let found = diagnose(Card { base: *base, ..blank() });
        let cause = Cause::of_state(*base);
        assert_eq!(found.causes.first().map(|f| f.cause), cause, "{}", base.word());
        assert_eq!(cause.is_none(), *base == BaseState::Active, "only an active card stands in nobody's way");
    }
}

#[test]
fn every_row_can_be_acted_on_and_read_in_both_languages() {
    let by_others = [Act::AskCarrier, Act::Settle, Act::RegisterName];
    let speaks_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    for cause in Cause::ALL {
        let row = cause.row();
        assert!(!row.topics.is_empty(), "{}: nothing is looked at", cause.word());
        assert!(row.title.0.is_ascii() && speaks_chinese(row.title.1), "{}", cause.word());
        let done_here = row.act.command("8986", "7").is_some() || !row.act.operations().is_empty();
        assert_eq!(done_here, !by_others.contains(&row.act), "{}: {}", cause.word(), row.act.word());
    }
    for act in Act::ALL {
        assert!(act.says(Lang::En).is_ascii() && speaks_chinese(act.says(Lang::Zh)), "{}", act.word());
        assert!(act.command("8986", "7").is_none_or(|c| c.starts_with("kachi ") && !c.contains('{')), "{}", act.word());
    }
    let bilingual = |en: &str, zh: &str| assert!(en.is_ascii() && !en.is_empty() && !zh.is_empty() && en != zh, "{en} {zh}");
    Topic::ALL.iter().filter(|t| **t != Topic::AccessPoints).for_each(|t| bilingual(t.says(Lang::En), t.says(Lang::Zh)));
    Who::ALL.iter().for_each(|w| bilingual(w.says(Lang::En), w.says(Lang::Zh)));
    Why::ALL.iter().for_each(|w| bilingual(w.says(Lang::En), w.says(Lang::Zh)));
    Source::ALL.iter().for_each(|s| bilingual(s.says(Lang::En), s.says(Lang::Zh)));
    Certainty::ALL.iter().for_each(|c| bilingual(c.says(Lang::En), c.says(Lang::Zh)));
}

#[test]
fn a_report_tells_what_was_seen_how_old_it_is_and_what_could_not_be() {
    let report = diagnose(known("active; blocks owner_stop; carrier stopped 3h"));
    let text = report.text(Lang::En);
    for line in [
        "89860012345678901234",
        "its owner stopped the card - certain",
        "1. its owner stopped the card - certain (owner_stop)",
        "   who can fix it: the card's owner",
        "     kachi admin sim resume 89860012345678901234",
        "     card/stopkeep",
        "   + in its way with us: owner_stop (kept here, now)",
        "   + state at the carrier: stopped (its word: 4) (the carrier, 3 h ago)",
        "   ? the carrier's stop reason: not known, it was never read",
        "   ? session: not known, its card platform cannot tell",
    ] {
        assert!(text.lines().any(|l| l == line), "no line \"{line}\" in\n{text}");
    }
    let zh = report.text(Lang::Zh);
    for line in
        ["用户已停机——确定", "   + 运营商状态：已停机（原文：4）（运营商，3小时前）", "   ? 运营商停机原因：未知，从未读取"]
    {
        assert!(zh.lines().any(|l| l == line), "no line \"{line}\" in\n{zh}");
    }
    for (power, shown) in [("on", "switched on"), ("off", "switched off")] {
        let text = diagnose(known(&format!("active; power {power} 2h"))).text(Lang::En);
        let line = format!("   + device at the network: {shown} (the carrier, 2 h ago)");
        assert!(text.lines().any(|l| l == line), "no line \"{line}\" in\n{text}");
    }
    let clear = diagnose(blank());
    assert_eq!(clear.verdict(Lang::En), "Nothing that is known here speaks against the card: look at the device.");
    assert!(clear.text(Lang::En).contains("card/cancelLocation") && clear.text(Lang::Zh).contains("请检查设备"));
    let online = diagnose(known("active; session up 1h"));
    assert_eq!(online.verdict(Lang::En), "The carrier saw the card on line, as read 1 h ago.");
}

#[test]
fn what_was_seen_is_told_in_the_readers_zone_and_language() {
    let at = NOW.plus(-3600);
    let mut card = known("active; write activate hand; write stop refused; pool 7");
    card.writes[0].state = "stored".into();
    card.writes[0].words = BY_HAND.into();
    card.package = Some(Package { at: Some(at), over: Some("quota".into()), ..package("A") });
    card.waiting = vec![Package { at: Some(at), refills_at: Some(at), ..package("B") }];
    card.standing = read(Standing { base: BaseState::Stopped, raw: "4".into(), since: Some(at) }, "1h");
    card.sessions = read(vec![Session { since: Some(at), ..Session::default() }], "1h");
    card.group = Some(Group { code: "g".into(), lock: Some(("8675".into(), at)), unlocks: (0, 3) });
    let zone = Zone::find("Asia/Shanghai").expect("a zone");
    let topics =
        [Topic::Package, Topic::Waiting, Topic::CarrierState, Topic::Session, Topic::Pool, Topic::ImeiGroup, Topic::Write];
    let told = |lang, zone| topics.map(|topic| card.look(topic, Reader { lang, zone }).expect("it is known").value).join("\n");
    let english = told(Lang::En, None);
    assert!(english.contains("A: used 0 B, until 2025-12-31T23:00:00Z, over: quota"), "{english}");
    assert!(english.contains("1 activate stored (2026-01-01T00:00:00Z): waits for a person"), "{english}");
    assert!(english.contains("B: used 0 B, refills 2025-12-31T23:00:00Z, starts by 2025-12-31T23:00:00Z"), "{english}");
    assert_eq!(english.matches("Z").count(), 9, "{english}");
    let chinese = told(Lang::Zh, Some(&zone));
    assert!(!chinese.contains('Z') && chinese.matches("2026-01-01 07:00:00").count() == 6, "{chinese}");
    assert!(chinese.contains("已结束：流量已用尽"), "{chinese}");
    card.counter = read(Count { of: Of::Month, from: at, counter: Counter { bytes: 1024, as_of: NOW } }, "1h");
    let value = |lang, topic| card.look(topic, Reader { lang, zone: None }).expect("it is known").value;
    assert_eq!(value(Lang::En, Topic::Counter), "1.0 KB in the billing month since 2025-12-31T23:00:00Z");
    assert_eq!(value(Lang::Zh, Topic::Counter), "账期内 1.0 KB（自 2025-12-31T23:00:00Z 起）");
    assert_eq!(value(Lang::En, Topic::RealName), "not registered");
    card.counter = read(Count::total(Counter { bytes: 1024, as_of: NOW }), "1h");
    let total = card.look(Topic::Counter, Lang::En).expect("it is known").value;
    assert_eq!(total, "1.0 KB in all");
    assert!(chinese.contains("1 激活 待发送（2026-01-01 08:00:00）：待人工办理；2 停机 被拒绝"), "{chinese}");
    assert!(!chinese.contains("kachi"), "{chinese}");
}

/// A word without a Chinese one would stand among them as it is stored.
#[test]
fn every_end_act_and_place_of_a_write_has_chinese_words() {
    let spelled = |text: &str| text.bytes().any(|b| b.is_ascii_lowercase());
    let value = |card: &Card, topic| card.look(topic, Lang::Zh).expect("it is known").value;
    for end in EndReason::ALL {
        let card = Card { package: Some(Package { over: Some(end.word().into()), ..package("A") }), ..blank() };
        assert!(!spelled(&value(&card, Topic::Package)), "{}", end.word());
    }
    let (function, apn) = (Function::Sms, None);
    let acts = [
        Write::subscribe(""),
        Write::Unsubscribe { package: String::new(), of: None },
        Write::Stop,
        Write::Resume,
        Write::Activate,
        Write::EndTest,
        Write::DataOff { apn: apn.clone() },
        Write::DataOn { apn, kbps: None },
        Write::SetFunction { function, on: true },
        Write::LimitSpeed { kbps: None },
        Write::ResetSession,
        Write::SwitchNetwork { network: String::new() },
    ];
    for (act, state) in acts.iter().flat_map(|act| ["stored", "sent", "in_doubt", "refused"].map(|state| (act, state))) {
        let word = serde_json::to_value(act).expect("JSON")["act"].as_str().expect("a word").to_owned();
        let write = WriteSeen { id: 1, act: word, state: state.into(), by_hand: false, at: NOW, words: String::new() };
        let shown = value(&Card { writes: vec![write], ..blank() }, Topic::Write);
        assert!(!spelled(&shown), "{act:?} {state}: {shown}");
    }
}

#[test]
fn ages_are_in_the_greatest_unit_that_fits() {
    for (seconds, text) in
        [(0, "now"), (59, "59 s ago"), (60, "1 min ago"), (7199, "1 h ago"), (172_800, "2 days ago"), (-1, "in the future")]
    {
        assert_eq!(age(NOW.plus(-seconds), NOW, Lang::En), text);
    }
}
