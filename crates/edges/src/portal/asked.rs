//! What an address asks for, and addresses that ask.

use super::lang::Lang;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use kachi_engine::overview::{Cards, DeliveriesIn, OrdersIn};
use std::fmt::Write;

/// What an address may ask for; what cannot be read was not asked for, and of what stands twice the last counts.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// A language.
    pub lang: Option<String>,
    /// A card's number, its beginning or its end.
    pub q: String,
    /// Only such cards.
    pub cards: Cards,
    /// Only cards before this one.
    pub before: Option<i64>,
    /// Only orders that stand so.
    pub orders: Option<OrdersIn>,
    /// Only orders before this one.
    pub orders_before: Option<i64>,
    /// Only notices that stand so.
    pub notices: Option<DeliveriesIn>,
    /// Only notices before this one.
    pub notices_before: Option<i64>,
}

const CARDS: [(&str, Cards); 2] = [("off", Cards::KeptOff), ("bare", Cards::Bare)];
const ORDERS: [(&str, OrdersIn); 3] = [("done", OrdersIn::Done), ("open", OrdersIn::Open), ("failed", OrdersIn::Failed)];
const NOTICES: [(&str, DeliveriesIn); 2] = [("waiting", DeliveriesIn::Waiting), ("dead", DeliveriesIn::Dead)];

fn named<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    words.iter().find(|(w, _)| *w == word).map(|(_, of)| *of)
}

fn word<T: PartialEq>(words: &[(&'static str, T)], of: &T) -> Option<&'static str> {
    words.iter().find(|(_, o)| o == of).map(|(w, _)| *w)
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked, Self::Rejection> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_or_else(|_| Vec::new(), |Query(pairs)| pairs);
        let mut asked = Asked::default();
        for (name, value) in pairs {
            match name.as_str() {
                "lang" => asked.lang = Some(value),
                "q" => asked.q = value,
                "cards" => asked.cards = named(&CARDS, &value).unwrap_or_default(),
                "before" => asked.before = value.parse().ok(),
                "orders" => asked.orders = named(&ORDERS, &value),
                "orders_before" => asked.orders_before = value.parse().ok(),
                "notices" => asked.notices = named(&NOTICES, &value),
                "notices_before" => asked.notices_before = value.parse().ok(),
                _ => {}
            }
        }
        Ok(asked)
    }
}

impl Asked {
    /// The number without what people put between its digits.
    pub fn number(&self) -> String {
        let number: String = self.q.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        // What has no digit at all is no card's.
        if number.is_empty() && !self.q.trim().is_empty() { "-".into() } else { number }
    }

    /// The address of a page or section that answers the same question.
    pub fn address(&self, path: &str, lang: Lang) -> String {
        let mut out = format!("{path}?lang={}", lang.word());
        if !self.q.is_empty() {
            let _ = write!(out, "&q={}", self.number());
        }
        let words = [
            ("cards", word(&CARDS, &self.cards)),
            ("orders", self.orders.and_then(|of| word(&ORDERS, &of))),
            ("notices", self.notices.and_then(|of| word(&NOTICES, &of))),
        ];
        for (name, word) in words {
            if let Some(word) = word {
                let _ = write!(out, "&{name}={word}");
            }
        }
        let pages = [("before", self.before), ("orders_before", self.orders_before), ("notices_before", self.notices_before)];
        for (name, before) in pages {
            if let Some(before) = before {
                let _ = write!(out, "&{name}={before}");
            }
        }
        out
    }

    /// The address of the whole page, at one of its sections.
    pub fn at(&self, section: &str, lang: Lang) -> String {
        format!("{}#{section}-s", self.address("/", lang))
    }
}
