//! The two languages of the page, and the trade's words in both.

use axum::http::{HeaderMap, header};

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// The cookie that keeps a choice made by `?lang=`.
pub const LANG_COOKIE: &str = "kachi_lang";

impl Lang {
    /// Reads `zh`, `zh-CN`, `en-GB` and the like.
    pub fn parse(tag: &str) -> Option<Lang> {
        let primary = tag.trim().split(['-', '_', ';']).next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some(Lang::En),
            "zh" => Some(Lang::Zh),
            _ => None,
        }
    }

    /// The page's language: asked for in the address, chosen before, or the browser's first that we speak.
    pub fn choose(asked: Option<&str>, headers: &HeaderMap) -> Lang {
        let chosen = || super::cookie(headers, LANG_COOKIE).and_then(Lang::parse);
        let wanted = || {
            let list = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
            let mut tags: Vec<(i32, Lang)> = list.split(',').filter_map(weighed).collect();
            tags.sort_by_key(|(weight, _)| -weight);
            tags.first().map(|(_, lang)| *lang)
        };
        asked.and_then(Lang::parse).or_else(chosen).or_else(wanted).unwrap_or(Lang::En)
    }

    /// The language that a reader of this one can switch to.
    pub fn other(self) -> Lang {
        self.pick(Lang::Zh, Lang::En)
    }

    /// The tag for `lang` attributes.
    pub fn tag(self) -> &'static str {
        self.pick("en", "zh-CN")
    }

    /// The short word for addresses and the cookie.
    pub fn word(self) -> &'static str {
        self.pick("en", "zh")
    }

    /// One of two wordings.
    pub fn pick<T>(self, en: T, zh: T) -> T {
        match self {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }

    /// A stored word of the trade in this language; an unknown one stays as it is.
    pub fn term(self, word: &str) -> &str {
        WORDS.iter().find(|(w, _, _)| *w == word).map_or(word, |(_, en, zh)| self.pick(en, zh))
    }
}

/// A tag with its weight in thousandths.
fn weighed(part: &str) -> Option<(i32, Lang)> {
    let (tag, rest) = part.split_once(';').unwrap_or((part, ""));
    let weight = rest.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
    Lang::parse(tag).map(|lang| ((weight * 1000.0) as i32, lang)).filter(|(weight, _)| *weight > 0)
}

/// Stored word, English, Chinese. A word that several nouns share means the same for all of them.
const WORDS: &[(&str, &str, &str)] = &[
    // Roles.
    ("owner", "owner", "所有者"),
    ("operator", "operator", "运营"),
    ("finance", "finance", "财务"),
    ("viewer", "viewer", "只读"),
    // Cards.
    ("inventory", "in stock", "库存"),
    ("testing", "testing", "测试期"),
    ("ready", "ready to activate", "待激活"),
    ("active", "active", "已激活"),
    ("stopped", "stopped", "已停机"),
    ("pre_closed", "closing", "预销户"),
    ("closed", "closed", "已销户"),
    ("replaced", "replaced", "已换卡"),
    ("unknown", "unknown", "未知"),
    // Stages.
    ("working", "working", "正常使用"),
    ("over", "over", "已销户"),
    // Blocks.
    ("owner_stop", "stopped by its owner", "用户停机"),
    ("data_off", "data switched off", "数据已关闭"),
    ("sms_off", "messages switched off", "短信已关闭"),
    ("voice_off", "voice switched off", "语音已关闭"),
    ("quota", "allowance used up", "流量已用尽"),
    ("expired", "validity over", "已到期"),
    ("no_package", "no package", "无套餐"),
    ("credit", "account in arrears", "账户欠费"),
    ("forced", "stopped by the operator", "平台强制停机"),
    ("real_name", "real name missing", "未实名"),
    ("imei_lock", "seen in a foreign device", "机卡绑定不符"),
    ("region", "outside its region", "超出区域"),
    ("separation", "card and device separated", "机卡分离"),
    ("carrier_management", "frozen by the carrier", "运营商管控"),
    ("pool_exhausted", "pool used up", "流量池用尽"),
    ("unpaid", "invoice unpaid", "账单未付"),
    // Orders, subscriptions, deliveries.
    ("in_review", "in review", "待审核"),
    ("pending", "waiting for the carrier", "待运营商确认"),
    ("done", "done", "已完成"),
    ("failed", "failed", "失败"),
    ("refunded", "refunded", "已退款"),
    ("waiting", "waiting", "等待中"),
    ("in_use", "in use", "使用中"),
    ("ended", "over", "已结束"),
    ("void", "never was", "未生效"),
    ("moved", "moved to another card", "已转至其他卡"),
    ("told", "acknowledged", "已送达"),
    ("dead", "given up", "已放弃"),
    // Events.
    ("subscription_bought", "package bought", "套餐已订购"),
    ("order_held", "order held", "订单款项已冻结"),
    ("subscription_brought", "package brought along", "套餐已迁入"),
    ("subscription_started", "package started", "套餐已生效"),
    ("subscription_ended", "package over", "套餐已结束"),
    ("sim_stopped", "card stopped", "卡已停用"),
    ("sim_restored", "card usable again", "卡已恢复"),
    ("card_warning", "card warning", "卡片预警"),
    ("usage_alert", "usage warning", "用量提醒"),
    ("order_failed", "order failed", "订单失败"),
    ("renewal_settled", "renewal settled", "续费结果"),
    ("sms_reported", "message reported", "短信状态"),
    ("sms_replied", "device wrote", "上行短信"),
    ("sim_state_changed", "card state changed", "卡状态变更"),
    ("network_switched", "network changed", "网络已切换"),
    ("speed_changed", "speed changed", "限速变更"),
    ("write_left", "carrier's word missing", "运营商操作待人工确认"),
    ("service_refused", "stop or resume refused by the carrier", "运营商拒绝停复机"),
    ("sim_moved", "card moved", "卡片已转移"),
    ("topped_up", "money came in", "账户充值"),
    ("balance_corrected", "balance put right", "余额更正"),
    ("sim_locked", "locked to its devices", "机卡锁定"),
    ("sim_unlocked", "unlocked", "机卡解锁"),
    ("imei_group_joined", "came into an IMEI group", "移入 IMEI 池"),
    ("imei_group_left", "left an IMEI group", "移出 IMEI 池"),
    ("device_bound", "in another device", "设备已绑定"),
    ("notices_replayed", "notices sent again", "通知已重发"),
    ("account_switched", "account switched", "账户状态已切换"),
    ("account_arrears", "account in arrears, or no longer", "账户欠费状态变更"),
    ("readings_stale", "carrier readings are old", "运营商数据过期"),
    ("readings_fresh", "carrier readings are fresh again", "运营商数据恢复"),
    ("product_switched", "product changed", "产品已切换"),
    ("pool_changed", "pool changed", "流量池变更"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use kachi_domain::event::EventKind;
    use kachi_domain::order::{OrderState, SubscriptionState};
    use kachi_domain::rating::EndReason;
    use kachi_domain::sim::{BaseState, Blocks, Stage};

    #[test]
    fn the_address_wins_then_the_cookie_then_the_browser() {
        let mut headers = HeaderMap::new();
        assert_eq!(Lang::choose(None, &headers), Lang::En);
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("fr, en;q=0.5, zh-CN;q=0.8"));
        assert_eq!(Lang::choose(None, &headers), Lang::Zh);
        headers.insert(header::COOKIE, HeaderValue::from_static("a=b; kachi_lang=en"));
        assert_eq!(Lang::choose(None, &headers), Lang::En);
        assert_eq!(Lang::choose(Some("zh"), &headers), Lang::Zh);
        assert_eq!(Lang::choose(Some("xx"), &headers), Lang::En);
    }

    #[test]
    fn every_word_that_is_shown_is_told_in_both_languages() {
        let events = EventKind::ALL.iter().map(|k| k.word());
        let cards = BaseState::ALL.iter().map(|s| s.word()).chain(Stage::ALL.into_iter().map(Stage::word));
        let blocks = Blocks::ALL.iter().flat_map(|b| b.names());
        let orders = OrderState::ALL.iter().map(|s| s.word()).chain(SubscriptionState::ALL.iter().map(|s| s.word()));
        let ends = EndReason::ALL.into_iter().map(EndReason::word);
        let told = |word: &&str| WORDS.iter().any(|(w, en, zh)| w == word && !en.contains('_') && !zh.is_ascii());
        let missing: Vec<&str> = events.chain(cards).chain(blocks).chain(orders).chain(ends).filter(|w| !told(w)).collect();
        assert!(missing.is_empty(), "no words for {missing:?}");
    }

    #[test]
    fn every_word_is_there_once() {
        for (i, (word, _, _)) in WORDS.iter().enumerate() {
            assert!(WORDS[i + 1..].iter().all(|(w, _, _)| w != word), "{word} stands twice");
        }
    }
}
