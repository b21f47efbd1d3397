//! A diagnosis in two languages: for those who read it at night, and for a page.

use super::{Cause, Certainty, Evidence, Found, Gap, Look, Report, Source, Topic, Who, Why};
use crate::time::{Timestamp, Zone};
use std::fmt::Write;

/// A language that a diagnosis is told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// English.
    En,
    /// Chinese.
    Zh,
}

impl Lang {
    /// One of two wordings.
    pub fn pick<T>(self, en: T, zh: T) -> T {
        match self {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }
}

/// Who reads: in which language, and in whose zone times are told; without one they are in UTC and end in `Z`.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'z> {
    /// The language.
    pub lang: Lang,
    /// The zone.
    pub zone: Option<&'z Zone>,
}

impl Reader<'_> {
    pub(super) fn time(self, at: Timestamp) -> String {
        self.zone.map_or_else(|| at.to_string(), |zone| zone.text(at))
    }
}

impl From<Lang> for Reader<'_> {
    fn from(lang: Lang) -> Self {
        Reader { lang, zone: None }
    }
}

impl Who {
    /// As a person is called.
    pub fn says(self, lang: Lang) -> &'static str {
        match self {
            Who::Owner => lang.pick("the card's owner", "卡所属账户"),
            Who::Device => lang.pick("whoever has the device", "持有设备的人"),
            Who::Reseller => lang.pick("the account above the owner", "上级账户"),
            Who::Operator => lang.pick("the operator", "平台运营方"),
            Who::Carrier => lang.pick("the carrier", "运营商"),
        }
    }
}

impl Certainty {
    /// In a word.
    pub fn says(self, lang: Lang) -> &'static str {
        match self {
            Certainty::Certain => lang.pick("certain", "确定"),
            Certainty::Likely => lang.pick("likely", "很可能"),
            Certainty::Possible => lang.pick("possible", "可能"),
        }
    }
}

impl Topic {
    /// In a word or two.
    pub fn says(self, lang: Lang) -> &'static str {
        match self {
            Topic::State => lang.pick("state with us", "平台状态"),
            Topic::Blocks => lang.pick("in its way with us", "平台限制"),
            Topic::CarrierState => lang.pick("state at the carrier", "运营商状态"),
            Topic::StopReason => lang.pick("the carrier's stop reason", "运营商停机原因"),
            Topic::Session => lang.pick("session", "在线会话"),
            Topic::Power => lang.pick("device at the network", "开关机状态"),
            Topic::AccessPoints => lang.pick("access points", "APN"),
            Topic::Package => lang.pick("package", "套餐"),
            Topic::Waiting => lang.pick("packages that wait", "待生效套餐"),
            Topic::Ordered => lang.pick("paid for and not confirmed", "已付款待确认"),
            Topic::Pool => lang.pick("pool", "流量池"),
            Topic::Outflow => lang.pick("used outside any package", "套外用量"),
            Topic::ImeiGroup => lang.pick("IMEI group", "IMEI 池"),
            Topic::Imei => lang.pick("device last seen in", "最近所在设备"),
            Topic::Write => lang.pick("writes to the carrier", "运营商操作"),
            Topic::Renewal => lang.pick("renewal", "续费订单"),
            Topic::Balance => lang.pick("the owner's balance", "账户余额"),
            Topic::Account => lang.pick("the account's switch", "账户开关"),
            Topic::RealName => lang.pick("real name", "实名"),
            Topic::VoiceList => lang.pick("numbers it may call", "语音白名单"),
            Topic::Network => lang.pick("network", "网络"),
            Topic::LastUse => lang.pick("usage by records", "话单用量"),
            Topic::Counter => lang.pick("the carrier's counter", "运营商计量"),
            Topic::Findings => lang.pick("records and the carrier's count are apart", "话单与运营商计量不符"),
            Topic::Device => lang.pick("the device's own report", "设备上报"),
        }
    }
}

impl Source {
    /// In a word or two.
    pub fn says(self, lang: Lang) -> &'static str {
        match self {
            Source::Kept => lang.pick("kept here", "平台记录"),
            Source::Cdr => lang.pick("usage records", "话单"),
            Source::Carrier => lang.pick("the carrier", "运营商"),
            Source::Device => lang.pick("the device", "设备"),
        }
    }
}

impl Why {
    /// In a sentence's end.
    pub fn says(self, lang: Lang) -> &'static str {
        match self {
            Why::NeverRead => lang.pick("it was never read", "从未读取"),
            Why::CannotTell => lang.pick("its card platform cannot tell", "该上级通道不提供"),
            Why::ByHand => lang.pick(
                "a person does the work at its card platform: look in the carrier's portal",
                "该通道为人工办理，请在运营商门户查看",
            ),
            Why::NoAnswer => {
                lang.pick("no answer in time: is `kachi serve` running?", "未在限定时间内得到应答，请确认 kachi serve 在运行")
            }
            Why::Failed => lang.pick("the card platform did not tell", "上级通道未能提供"),
        }
    }
}

/// How long ago, in the greatest unit that fits.
pub fn age(at: Timestamp, now: Timestamp, lang: Lang) -> String {
    let seconds = now.since(at);
    let (n, en, zh) = match seconds {
        ..0 => return lang.pick("in the future", "未来时间").to_owned(),
        0 => return lang.pick("now", "此刻").to_owned(),
        1..60 => (seconds, "s", "秒"),
        60..3600 => (seconds / 60, "min", "分钟"),
        3600..172_800 => (seconds / 3600, "h", "小时"),
        _ => (seconds / 86_400, "days", "天"),
    };
    lang.pick(format!("{n} {en} ago"), format!("{n}{zh}前"))
}

/// Causes with who can lift each, for an answer to a resume; of the operations that do it, the first that is `served` where this
/// is read.
pub fn listed(causes: &[Cause], lang: Lang, served: impl Fn(&str) -> bool) -> String {
    let one = |c: &Cause| {
        let row = c.row();
        let ways = row.act.operations().iter().find(|o| !o.contains('{') && served(o));
        let ways = ways.map_or_else(String::new, |o| format!(": {o}"));
        let (who, does) = (row.who.says(lang), row.act.says(lang));
        lang.pick(
            format!("{} - {} ({who}{ways}: {does})", c.word(), c.title(lang)),
            format!("{}（{who}{ways}：{does}）", c.title(lang)),
        )
    };
    causes.iter().map(one).collect::<Vec<_>>().join(lang.pick("; ", "；"))
}

impl Evidence {
    /// What was found, where, and how old that is.
    pub fn says(&self, now: Timestamp, lang: Lang) -> String {
        let (topic, source) = (self.topic.says(lang), self.source.says(lang));
        let age = age(self.as_of, now, lang);
        lang.pick(format!("{topic}: {} ({source}, {age})", self.value), format!("{topic}：{}（{source}，{age}）", self.value))
    }
}

impl Gap {
    /// What is not known, and why.
    pub fn says(&self, lang: Lang) -> String {
        let words = if self.words.is_empty() { String::new() } else { format!(" ({})", self.words) };
        let (topic, why) = (self.topic.says(lang), self.why.says(lang));
        lang.pick(format!("{topic}: not known, {why}{words}"), format!("{topic}：未知，{why}{words}"))
    }
}

impl Found {
    /// The cause, how sure it is and who can take it away, in one line.
    pub fn headline(&self, lang: Lang) -> String {
        let of = if self.of.is_empty() { String::new() } else { format!(" [{}]", self.of) };
        let (title, certainty) = (self.cause.title(lang), self.certainty.says(lang));
        lang.pick(format!("{title}{of} - {certainty}"), format!("{title}{of}——{certainty}"))
    }
}

impl Report {
    /// What the diagnosis comes to, in one sentence.
    pub fn verdict(&self, lang: Lang) -> String {
        if let Some(read) = self.online {
            let age = age(read, self.card.now, lang);
            return lang
                .pick(format!("The carrier saw the card on line, as read {age}."), format!("运营商显示该卡在线（{age}读取）。"));
        }
        let clear = || {
            lang.pick(
                "Nothing that is known here speaks against the card: look at the device.",
                "平台已知信息中没有不利于该卡的原因：请检查设备。",
            )
            .to_owned()
        };
        self.causes.first().map_or_else(clear, |first| first.headline(lang))
    }

    /// What is to be done at the device where nothing speaks against the card.
    pub fn advice(lang: Lang) -> &'static str {
        lang.pick(
            "Look at power, antenna and signal, at the access point's name and login in the device, and at its log; a new session may help: card/cancelLocation.",
            "请检查供电、天线与信号、设备中的 APN 名称与账号、设备日志；可尝试重置会话：card/cancelLocation。",
        )
    }

    /// One look in a line: `+` for what was found, `?` for what is not known.
    fn line(&self, look: &Look, lang: Lang) -> String {
        match look {
            Ok(evidence) => format!("   + {}", evidence.says(self.card.now, lang)),
            Err(gap) => format!("   ? {}", gap.says(lang)),
        }
    }

    /// The whole, for people.
    pub fn text(&self, lang: Lang) -> String {
        let mut out = format!("{}\n{}\n", self.card.iccid, self.verdict(lang));
        for (n, found) in self.causes.iter().enumerate() {
            let row = found.cause.row();
            let _ = write!(out, "\n{}. {} ({})\n", n + 1, found.headline(lang), found.cause.word());
            let _ = writeln!(out, "   {} {}", lang.pick("who can fix it:", "可由谁处理："), row.who.says(lang));
            let _ = writeln!(out, "   {} {}", lang.pick("what to do:", "处理方法："), found.act.says(lang));
            let ways = found.command(&self.card.iccid).into_iter().chain(found.operations(&self.card.iccid));
            ways.for_each(|way| _ = writeln!(out, "     {way}"));
            self.looks(found, lang).iter().for_each(|look| _ = writeln!(out, "{}", self.line(look, lang)));
        }
        let _ = writeln!(out, "\n{}", lang.pick("At the device:", "设备侧："));
        self.at_the_device(lang).iter().for_each(|look| _ = writeln!(out, "{}", self.line(look, lang)));
        if self.causes.is_empty() {
            let _ = writeln!(out, "   {}", Report::advice(lang));
        }
        out
    }
}
