//! Looking at a piece of what is known: what was found, where, and how old that is; or why it is not known.

use super::Cause;
use super::card::{Apart, Card, Group, Ordered, Package, Piece, Pool, Source, Topic, Why, WriteSeen};
use super::words::{Lang, Reader};
use crate::account::Switch;
use crate::carrier::{BY_HAND, Count, Of, Session, Standing, Stop};
use crate::rating::EndReason;
use crate::sim::{BaseState, Blocks};
use crate::time::Timestamp;

/// A piece that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What.
    pub topic: Topic,
    /// What was found.
    pub value: String,
    /// Where.
    pub source: Source,
    /// When that was so.
    pub as_of: Timestamp,
}

/// A piece that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What.
    pub topic: Topic,
    /// Why not.
    pub why: Why,
    /// In whose words, if there are any.
    pub words: String,
}

/// A look at a piece.
pub type Look = Result<Evidence, Gap>;

impl Card {
    /// Looks at a piece.
    pub fn look<'z>(&self, topic: Topic, reader: impl Into<Reader<'z>>) -> Look {
        let reader = reader.into();
        let lang = reader.lang;
        let kept = |value: String| Ok(Evidence { topic, value, source: Source::Kept, as_of: self.now });
        let or_none = |value: Option<String>| kept(value.unwrap_or_else(|| none(lang)));
        match topic {
            Topic::State => kept(state(self.base, lang)),
            Topic::Blocks => kept(names(self.blocks, Cause::of_block, lang)),
            Topic::CarrierState => self.at(topic, lang, &self.standing, |s| standing(s, reader)),
            Topic::StopReason => self.at(topic, lang, &self.stop, |s| reason(s, lang)),
            Topic::Session => self.at(topic, lang, &self.sessions, |all| sessions(all, reader)),
            Topic::Power => self.at(topic, lang, &self.power, |is_on| {
                if *is_on { lang.pick("switched on", "开机") } else { lang.pick("switched off", "关机") }.to_owned()
            }),
            Topic::AccessPoints => kept(access_points(&self.apns_off, lang)),
            Topic::Package => or_none(self.package.as_ref().map(|p| package(p, lang.pick("until", "至"), reader))),
            Topic::Waiting => kept(waiting(&self.waiting, reader)),
            Topic::Ordered => or_none((!self.ordered.is_empty()).then(|| ordered(&self.ordered, lang))),
            Topic::Pool => or_none(self.pool.as_ref().map(|p| pool(p, self.now, reader))),
            Topic::Outflow => kept(size(self.outflow_bytes)),
            Topic::ImeiGroup => or_none(self.group.as_ref().map(|g| group(g, reader))),
            Topic::Imei => self.at(topic, lang, &self.imei, String::clone),
            Topic::Write => or_none((!self.writes.is_empty()).then(|| writes(&self.writes, reader))),
            Topic::Renewal => or_none(self.renewal.as_ref().map(|n| format!("{n} {}", lang.pick("in review", "待审核")))),
            Topic::Balance => self.at(topic, lang, &self.balance, |b| {
                let (available, credit) = (b.available.to_decimal(), b.credit.to_decimal());
                let owed = match b.owed.minor {
                    0 => String::new(),
                    _ => format!("{} {}", lang.pick(", owes", "，欠款"), b.owed.to_decimal()),
                };
                format!("{available} {}, {} {credit}{owed}", b.available.currency, lang.pick("may owe", "信用额度"))
            }),
            Topic::Account => kept(format!("{}: {}", self.account.0, switch(self.account.1, lang))),
            Topic::RealName => {
                kept(lang.pick(["not registered", "registered"], ["未登记", "已登记"])[usize::from(self.real_name)].into())
            }
            Topic::VoiceList => kept(self.voice_numbers.to_string()),
            Topic::Network => or_none(Some(self.network.clone()).filter(|n| !n.is_empty())),
            Topic::LastUse => self.at(topic, lang, &self.last_use, |bytes| {
                lang.pick(format!("{} in the last 90 days", size(*bytes)), format!("近 90 天共 {}", size(*bytes)))
            }),
            Topic::Counter => self.at(topic, lang, &self.counter, |c| count(c, reader)),
            Topic::Findings => self.at(topic, lang, &self.findings, |all| findings(all, reader)),
            Topic::Device => self.at(topic, lang, &self.device, String::clone),
        }
    }

    fn at<T>(&self, topic: Topic, lang: Lang, piece: &Piece<T>, show: impl Fn(&T) -> String) -> Look {
        match piece {
            Piece::Known { value, source, as_of } => Ok(Evidence { topic, value: show(value), source: *source, as_of: *as_of }),
            Piece::None => Ok(Evidence { topic, value: none(lang), source: Source::Kept, as_of: self.now }),
            Piece::Not { why, words } => Err(Gap { topic, why: *why, words: words.clone() }),
        }
    }
}

fn none(lang: Lang) -> String {
    lang.pick("none", "无").to_owned()
}

/// Words as they are stored; in Chinese what they mean.
fn names(blocks: Blocks, cause: impl Fn(Blocks) -> Option<Cause>, lang: Lang) -> String {
    if blocks.is_empty() {
        return lang.pick("nothing", "无").to_owned();
    }
    match lang {
        Lang::En => blocks.names().join(" "),
        Lang::Zh => blocks.each().filter_map(cause).map(|c| c.title(lang)).collect::<Vec<_>>().join("；"),
    }
}

fn state(base: BaseState, lang: Lang) -> String {
    let zh = match base {
        BaseState::Inventory => "库存",
        BaseState::Testing => "测试期",
        BaseState::Ready => "待激活",
        BaseState::Active => "已激活",
        BaseState::Stopped => "已停机",
        BaseState::PreClosed => "预销户",
        BaseState::Closed => "已销户",
        BaseState::Replaced => "已换卡",
        BaseState::Unknown => "未知",
    };
    lang.pick(base.word(), zh).to_owned()
}

fn switch(switch: Switch, lang: Lang) -> &'static str {
    match switch {
        Switch::On => lang.pick("on", "启用"),
        Switch::Paused => lang.pick("paused", "暂停"),
        Switch::Off => lang.pick("off", "停用"),
    }
}

/// The carrier's own word beside ours.
fn raw(word: &str, rest: &str, lang: Lang) -> String {
    lang.pick(format!(" (its word: {word}{rest})"), format!("（原文：{word}{rest}）"))
}

fn standing(s: &Standing, reader: Reader<'_>) -> String {
    let since = |at| format!(", {} {}", reader.lang.pick("since", "自"), reader.time(at));
    state(s.base, reader.lang) + &raw(&s.raw, &s.since.map_or_else(String::new, since), reader.lang)
}

fn reason(s: &Stop, lang: Lang) -> String {
    let words = if s.words.is_empty() { String::new() } else { format!(": {}", s.words) };
    names(s.blocks, Cause::of_stop, lang) + &raw(&s.raw, &words, lang)
}

fn sessions(all: &[Session], reader: Reader<'_>) -> String {
    let lang = reader.lang;
    let one = |s: &Session| {
        let since = s.since.map(|at| format!("{} {}", lang.pick("since", "自"), reader.time(at)));
        let told = [s.rat.clone(), s.apn.clone(), s.ip.clone(), since];
        let parts: Vec<String> = told.into_iter().flatten().filter(|p| !p.is_empty()).collect();
        if parts.is_empty() { lang.pick("connected", "在线").to_owned() } else { parts.join(" ") }
    };
    if all.is_empty() {
        lang.pick("not connected", "离线").to_owned()
    } else {
        all.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

fn access_points(off: &[String], lang: Lang) -> String {
    let name = |apn: &String| if apn.is_empty() { lang.pick("its only one", "唯一的 APN").to_owned() } else { apn.clone() };
    if off.is_empty() {
        return lang.pick("none is off", "均未关闭").to_owned();
    }
    format!("{} {}", lang.pick("off:", "已关闭："), off.iter().map(name).collect::<Vec<_>>().join(" "))
}

fn package(p: &Package, when: &str, reader: Reader<'_>) -> String {
    let lang = reader.lang;
    let left = p.left_bytes.map_or_else(String::new, |left| format!(", {} {}", lang.pick("left", "剩余"), size(left)));
    let at = p.at.map_or_else(String::new, |at| format!(", {when} {}", reader.time(at)));
    let refills =
        p.refills_at.map_or_else(String::new, |at| format!(", {} {}", lang.pick("refills", "下次重置"), reader.time(at)));
    let over = p.over.as_ref().map_or_else(String::new, |why| format!(", {}{}", lang.pick("over: ", "已结束："), end(why, lang)));
    format!("{}: {} {}{left}{refills}{at}{over}", p.name, lang.pick("used", "已用"), size(p.used_bytes))
}

/// Why a package was over: in English as it is stored.
fn end(why: &str, lang: Lang) -> &str {
    let zh = match EndReason::parse(why) {
        Some(EndReason::Quota) => "流量已用尽",
        Some(EndReason::Expired) => "已到期",
        Some(EndReason::Refunded) => "已退款",
        Some(EndReason::Moved) => "已转至其他卡",
        None => why,
    };
    lang.pick(why, zh)
}

fn waiting(all: &[Package], reader: Reader<'_>) -> String {
    let when = reader.lang.pick("starts by", "最迟生效");
    match all {
        [] => none(reader.lang),
        all => all.iter().map(|p| package(p, when, reader)).collect::<Vec<_>>().join("; "),
    }
}

fn ordered(all: &[Ordered], lang: Lang) -> String {
    let whom =
        |by_hand: bool| if by_hand { lang.pick("a person", "人工办理") } else { lang.pick("the carrier", "运营商确认") };
    let one = |o: &Ordered| {
        let (order, name, whom) = (o.order, &o.name, whom(o.by_hand));
        lang.pick(format!("{order} {name}: paid, waits for {whom}"), format!("{order} {name}：已付款，待{whom}"))
    };
    all.iter().map(one).collect::<Vec<_>>().join(lang.pick("; ", "；"))
}

fn pool(p: &Pool, now: Timestamp, reader: Reader<'_>) -> String {
    let lang = reader.lang;
    let none = || match p.joint {
        true => lang.pick("its cards have something left together", "池内各卡合计仍有余量").to_owned(),
        false => lang.pick("never had anything", "从未有过流量").to_owned(),
    };
    let until = |until: Timestamp| match p.is_over(now) {
        true => format!("{} {}", lang.pick("has had nothing left for the card since", "对该卡已无余量，自"), reader.time(until)),
        false => format!("{} {}", lang.pick("can pay until", "可用至"), reader.time(until)),
    };
    let until = p.until.map_or_else(none, until);
    format!("{}: {until}", p.id)
}

fn group(g: &Group, reader: Reader<'_>) -> String {
    let lang = reader.lang;
    let (unlocks, most) = g.unlocks;
    let seen = lang.pick("locked, seen in", "已锁定，出现于");
    let locked = |(imei, at): &(String, Timestamp)| format!("{seen} {imei}, {}", reader.time(*at));
    let lock = g.lock.as_ref().map_or_else(|| lang.pick("not locked", "未锁定").to_owned(), locked);
    format!("{}: {lock}; {} {unlocks}/{most}", g.code, lang.pick("unlocked this month", "本月已解锁"))
}

fn writes(all: &[WriteSeen], reader: Reader<'_>) -> String {
    let lang = reader.lang;
    let one = |w: &WriteSeen| {
        let words = match w.words.as_str() {
            "" => String::new(),
            BY_HAND => lang.pick(": waits for a person", "：待人工办理").to_owned(),
            words => lang.pick(format!(": {words}"), format!("：{words}")),
        };
        let at = reader.time(w.at);
        let (act, state) = (act(&w.act, lang), write_state(&w.state, lang));
        lang.pick(format!("{} {act} {state} ({at}){words}", w.id), format!("{} {act} {state}（{at}）{words}", w.id))
    };
    all.iter().map(one).collect::<Vec<_>>().join(lang.pick("; ", "；"))
}

/// What was asked of the carrier: in English as it is stored.
fn act(word: &str, lang: Lang) -> &str {
    let zh = match word {
        "subscribe" => "订购套餐",
        "unsubscribe" => "退订套餐",
        "stop" => "停机",
        "resume" => "复机",
        "activate" => "激活",
        "end_test" => "结束测试期",
        "data_off" => "关闭数据",
        "data_on" => "开启数据",
        "set_function" => "开关短信或语音",
        "limit_speed" => "限速",
        "reset_session" => "重置会话",
        "switch_network" => "切换网络",
        other => other,
    };
    lang.pick(word, zh)
}

/// Where a write stands: in English as it is stored.
fn write_state(word: &str, lang: Lang) -> &str {
    let zh = match word {
        "stored" => "待发送",
        "sent" => "已发送",
        "in_doubt" => "结果不明",
        "refused" => "被拒绝",
        other => other,
    };
    lang.pick(word, zh)
}

/// A count with what it counts.
fn count(c: &Count, reader: Reader<'_>) -> String {
    let (bytes, from) = (size(c.counter.bytes), reader.time(c.from));
    match c.of {
        Of::Total => reader.lang.pick(format!("{bytes} in all"), format!("累计 {bytes}")),
        Of::Month => {
            reader.lang.pick(format!("{bytes} in the billing month since {from}"), format!("账期内 {bytes}（自 {from} 起）"))
        }
        Of::Day => reader.lang.pick(format!("{bytes} in the day since {from}"), format!("当日 {bytes}（自 {from} 起）")),
    }
}

fn findings(all: &[Apart], reader: Reader<'_>) -> String {
    let lang = reader.lang;
    let one = |f: &Apart| {
        let (from, records, carrier) = (reader.time(f.from), size(f.record_bytes), size(f.carrier_bytes));
        let (until, counted) = (f.record_as_of.map(|at| reader.time(at)), reader.time(f.carrier_as_of));
        let until = until.unwrap_or_else(|| lang.pick("none", "无").to_owned());
        lang.pick(
            format!(
                "billing month since {from}: {records} by records (last {until}), {carrier} by the carrier (as of {counted})"
            ),
            format!("账期（自 {from} 起）：话单 {records}（最后 {until}），运营商 {carrier}（截至 {counted}）"),
        )
    };
    all.iter().map(one).collect::<Vec<_>>().join(lang.pick("; ", "；"))
}

/// Bytes in the greatest unit that fits, one decimal, rounded down.
fn size(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (i128::from(bytes) * 10 / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1024, unit + 1);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_the_unit_that_fits() {
        for (bytes, text) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (100 << 20, "100.0 MB"), (i64::MAX, "8191.9 PB")] {
            assert_eq!(size(bytes), text);
        }
    }
}
